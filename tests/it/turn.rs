//! The turn: what a version, an edit, a deletion and an account event do to posts, mentions and what endpoints are told.
//! First over the pure decision, then over a real store, its writer and the turn's thread.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use earful::inlet::{Inlet, Receipt};
use earful::language;
use earful::matcher::{Matcher, Scratch};
use earful::model::{
    Arrival, AuthorStatus, Cursor, Order, Outcome, Post, PostEvent, PostId, Rejected, Timestamp, Wire,
};
use earful::normalize;
use earful::normalize::push::{PushScope, encode};
use earful::pipeline::{Decided, Knowledge, Sighting, Turn, TurnParts, TurnSettings, decide, start_turn};
use earful::projects::{Live, ProjectText, Route, Routes, check_set};
use earful::search::{Indexer, IndexerParts, SearchRequest, search};
use earful::store::gate::{DiskGate, DiskSettings, Level};
use earful::store::{
    Holding, MentionRow, MentionState, NewDelivery, OutboxRow, PostState, Settle, Store, StoreSettings, Tally,
    WriterHandle, WriterThread, start_writer,
};

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_hours(1);
const NOW: Timestamp = Timestamp::EPOCH;
const NETWORK: &str = "push:partner";

/// Project `one` goes to `crm`, project `two` to `care`, project `all` to both.
pub fn live() -> Live {
    let project = |slug: &str, endpoints: &str, query: &str| ProjectText {
        slug: slug.to_owned(),
        text: format!("query_language = 1\nendpoints = [{endpoints}]\n[query.q]\ntext = \"{query}\"\n"),
    };
    let texts = vec![
        project("all", "\"crm\", \"care\"", "everyone"),
        project("one", "\"crm\"", "acme"),
        project("two", "\"care\"", "outage"),
    ];
    let routes = Routes { endpoints: ["crm", "care"].map(str::to_owned).into(), sources: BTreeSet::new() };
    let set = check_set(Path::new("projects"), texts, &routes).unwrap();
    let route = |project: &earful::model::Project| Route {
        endpoints: project.endpoints.clone(),
        time_zone: project.time_zone.clone(),
    };
    let routes = set.projects.values().map(|project| (project.slug.clone(), route(project))).collect();
    Live { matcher: Matcher::compile(set.rules), routes }
}

/// A line of a push: version `order` of post `id`.
pub fn upsert(id: &str, order: u64, text: &str) -> Value {
    json!({"id": id, "revision": order, "text": text, "author": {"id": "ann", "handle": "ann"}})
}

pub fn delete(id: &str, order: u64) -> Value {
    json!({"op": "delete", "id": id, "revision": order})
}

pub fn id_of(id: &str) -> PostId {
    PostId::of(NETWORK, id)
}

/// A push as it arrives.
fn arrival(source: &str, lines: &[Value]) -> Arrival {
    let lines: Vec<Vec<u8>> = lines.iter().map(|line| serde_json::to_vec(line).unwrap()).collect();
    let scope = PushScope { token: "partner".to_owned(), networks: Vec::new() };
    let body = encode(&scope, lines.iter().map(Vec::as_slice));
    Arrival { source: source.into(), wire: Wire::Push, body, fetched_at: NOW, cursor: None }
}

// --- The pure decision --------------------------------------------------------------------------------------------

/// Decides batch after batch, as if each had become durable before the next.
struct Mind {
    live: Live,
    knowledge: Knowledge,
    now: Timestamp,
    /// Mentions as they became durable.
    rows: HashMap<PostId, MentionRow>,
    /// By endpoint: event, revision and queries, as told.
    told: BTreeMap<String, Vec<NewDelivery>>,
}

impl Mind {
    fn new() -> Self {
        let knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
        Self { live: live(), knowledge, now: NOW, rows: HashMap::new(), told: BTreeMap::new() }
    }

    fn lines(&mut self, lines: &[Value]) -> Vec<Outcome> {
        let arrival = arrival("partner", lines);
        let events = normalize::events(arrival.body, arrival.wire, &arrival.source, arrival.fetched_at).unwrap();
        self.batch(events.into_iter().map(Result::unwrap).collect())
    }

    fn batch(&mut self, events: Vec<PostEvent>) -> Vec<Outcome> {
        let mut scratch = Scratch::default();
        let sightings: Vec<Sighting> =
            events.into_iter().map(|event| sighting(event, &self.live, &mut scratch)).collect();
        for sighting in &sightings {
            // As the turn does: parents and roots that are wanted have a place, filled or not.
            if let PostEvent::Upsert { post, .. } = &sighting.event {
                for relative in [post.thread.parent, post.thread.root].into_iter().flatten() {
                    self.knowledge.relatives.entry(relative).or_default();
                }
            }
        }
        let Decided { commit, outcomes, .. } = decide(sightings, &mut self.knowledge, &self.live, self.now);
        for write in commit.mentions {
            for delivery in write.deliveries {
                self.told.entry(delivery.endpoint.clone()).or_default().push(delivery);
            }
            self.rows.insert(write.id, write.row);
        }
        self.knowledge.mentions = self.rows.clone();
        outcomes
    }

    /// Events that an endpoint was told since the last look.
    fn heard(&mut self, endpoint: &str) -> Vec<(String, u64, Vec<String>)> {
        let told = self.told.remove(endpoint).unwrap_or_default();
        told.iter().map(|delivery| heard(delivery.event, &delivery.queries, &delivery.body)).collect()
    }
}

fn heard(event: &str, queries: &[String], body: &[u8]) -> (String, u64, Vec<String>) {
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body["type"], event);
    let matches = body["data"]["matches"].as_array().map_or(0, Vec::len);
    assert_eq!(matches, queries.len(), "{body}");
    (event.to_owned(), body["data"]["revision"].as_u64().unwrap(), queries.to_vec())
}

fn sighting(event: PostEvent, live: &Live, scratch: &mut Scratch) -> Sighting {
    let (mut matches, mut verdict) = (Vec::new(), None);
    if let PostEvent::Upsert { post, .. } = &event {
        let detect = || language::detect(&post.text, &post.langs);
        matches = live.matcher.scan(post, &detect, scratch);
        verdict = (!matches.is_empty()).then(detect);
    }
    Sighting { source: "partner".into(), event, matches, verdict }
}

fn event(name: &str, revision: u64, queries: &[&str]) -> (String, u64, Vec<String>) {
    (format!("mention.{name}"), revision, queries.iter().map(|query| (*query).to_owned()).collect())
}

fn post_of(line: &Value) -> Post {
    let arrival = arrival("partner", std::slice::from_ref(line));
    let events = normalize::events(arrival.body, arrival.wire, &arrival.source, arrival.fetched_at).unwrap();
    match events.into_iter().next().unwrap().unwrap() {
        PostEvent::Upsert { post, .. } => *post,
        other => panic!("{other:?}"),
    }
}

fn quiet(line: &Value, order: u64) -> PostEvent {
    PostEvent::Upsert { post: Box::new(post_of(line)), order: Order(order), quiet: true }
}

#[test]
fn an_edit_follows_and_what_is_late_or_comes_twice_changes_nothing() {
    let mut mind = Mind::new();
    assert_eq!(mind.lines(&[upsert("1", 10, "acme is down")]), [Outcome::Created]);
    assert_eq!(mind.lines(&[upsert("1", 10, "acme is down")]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[upsert("1", 20, "acme is up")]), [Outcome::Edited]);
    assert_eq!(mind.lines(&[upsert("1", 15, "acme is between")]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[upsert("1", 20, "acme is up")]), [Outcome::Unchanged]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"]), event("updated", 2, &["one/q"])]);
    assert_eq!(mind.heard("care"), []);
    assert_eq!(mind.knowledge.mentions[&id_of("1")].post.text, "acme is up");
}

#[test]
fn a_text_that_goes_and_comes_back_is_two_edits_and_the_old_version_stays_old() {
    let mut mind = Mind::new();
    for (order, text) in [(1, "acme A"), (2, "acme B"), (3, "acme A")] {
        mind.lines(&[upsert("1", order, text)]);
    }
    assert_eq!(mind.lines(&[upsert("1", 2, "acme B")]), [Outcome::Unchanged]);
    assert_eq!(mind.knowledge.mentions[&id_of("1")].post.text, "acme A");
    let revisions: Vec<u64> = mind.heard("crm").iter().map(|(_, revision, _)| *revision).collect();
    assert_eq!(revisions, [1, 2, 3]);
}

#[test]
fn a_version_with_the_same_content_moves_the_order_and_tells_nobody() {
    let mut mind = Mind::new();
    mind.lines(&[upsert("1", 1, "acme")]);
    assert_eq!(mind.lines(&[upsert("1", 5, "acme")]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[upsert("1", 4, "acme late")]), [Outcome::Unchanged]);
    assert_eq!(mind.heard("crm").len(), 1);
}

#[test]
fn a_deletion_reaches_every_holder_and_a_higher_order_brings_the_post_back() {
    let mut mind = Mind::new();
    mind.lines(&[upsert("1", 1, "everyone hears acme")]);
    assert_eq!(mind.lines(&[delete("1", 1)]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[delete("1", 2)]), [Outcome::Deleted]);
    assert_eq!(mind.lines(&[delete("1", 3)]), [Outcome::Unchanged]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["all/q", "one/q"]), event("deleted", 2, &[])]);
    assert_eq!(mind.heard("care"), [event("matched", 1, &["all/q"]), event("deleted", 2, &[])]);
    let gone = &mind.knowledge.mentions[&id_of("1")];
    assert_eq!((gone.state, gone.post.text.as_str()), (MentionState::Deleted, ""));
    assert_eq!(mind.lines(&[upsert("1", 3, "acme late")]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[upsert("1", 4, "acme is back")]), [Outcome::Created]);
    assert_eq!(mind.heard("crm"), [event("matched", 3, &["one/q"])]);
    assert_eq!(mind.heard("care"), []);
}

#[test]
fn a_delete_before_its_create_leaves_a_tombstone() {
    let mut mind = Mind::new();
    assert_eq!(mind.lines(&[delete("1", 5)]), [Outcome::Deleted]);
    assert_eq!(mind.lines(&[upsert("1", 4, "acme")]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[upsert("1", 6, "acme")]), [Outcome::Created]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"])]);
}

#[test]
fn what_is_made_edited_and_deleted_in_one_batch_is_never_told() {
    let mut mind = Mind::new();
    let batch = [upsert("1", 1, "acme"), upsert("1", 2, "acme again"), delete("1", 3)];
    assert_eq!(mind.lines(&batch), [Outcome::Created, Outcome::Edited, Outcome::Deleted]);
    assert!(mind.told.is_empty());
    assert_eq!(mind.lines(&[upsert("1", 2, "acme")]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[upsert("1", 9, "acme")]), [Outcome::Created]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"])]);
}

#[test]
fn several_versions_in_one_batch_are_one_step_outside() {
    let mut mind = Mind::new();
    mind.lines(&[upsert("1", 1, "acme 1"), upsert("1", 2, "acme 2")]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"])]);
    mind.lines(&[upsert("1", 3, "acme 3"), upsert("1", 4, "nothing"), upsert("1", 5, "acme 5")]);
    assert_eq!(mind.heard("crm"), [event("updated", 2, &["one/q"])]);
    assert_eq!(mind.knowledge.mentions[&id_of("1")].post.text, "acme 5");
}

#[test]
fn an_edit_that_no_longer_matches_says_so_and_matching_again_is_an_update() {
    let mut mind = Mind::new();
    mind.lines(&[upsert("1", 1, "acme")]);
    mind.lines(&[upsert("1", 2, "nothing here")]);
    mind.lines(&[upsert("1", 3, "still nothing here")]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"]), event("updated", 2, &[])]);
    mind.lines(&[upsert("1", 4, "acme again")]);
    let last = mind.heard("crm");
    assert_eq!((last.len(), last[0].0.as_str(), last[0].2.len()), (1, "mention.updated", 1));
    assert!(last[0].1 > 2);
    mind.lines(&[delete("1", 5)]);
    assert_eq!(mind.heard("crm").len(), 1);
}

#[test]
fn an_edit_that_newly_matches_is_matched_there_and_updated_where_it_was_known() {
    let mut mind = Mind::new();
    mind.lines(&[upsert("1", 1, "acme")]);
    mind.lines(&[upsert("1", 2, "acme has an outage")]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"]), event("updated", 2, &["one/q"])]);
    assert_eq!(mind.heard("care"), [event("matched", 2, &["two/q"])]);
    mind.lines(&[upsert("1", 3, "an outage elsewhere")]);
    assert_eq!(mind.heard("crm"), [event("updated", 3, &[])]);
    assert_eq!(mind.heard("care"), [event("updated", 3, &["two/q"])]);
    mind.lines(&[delete("1", 4)]);
    assert_eq!((mind.heard("crm").len(), mind.heard("care").len()), (1, 1));
}

#[test]
fn a_post_that_first_matches_as_an_edit_is_a_new_mention_that_is_marked_edited() {
    let mut mind = Mind::new();
    mind.lines(&[upsert("1", 1, "nothing")]);
    mind.lines(&[upsert("1", 2, "acme")]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"])]);
    assert!(mind.knowledge.mentions[&id_of("1")].edited);
}

#[test]
fn a_quiet_post_is_kept_and_told_only_once_it_is_edited() {
    let mut mind = Mind::new();
    assert_eq!(mind.batch(vec![quiet(&upsert("1", 1, "acme"), 1)]), [Outcome::Created]);
    assert!(mind.told.is_empty() && mind.knowledge.posts.contains_key(&id_of("1")));
    assert_eq!(mind.batch(vec![quiet(&upsert("1", 1, "acme"), 2)]), [Outcome::Unchanged]);
    assert!(mind.told.is_empty());
    mind.lines(&[upsert("1", 3, "acme was edited")]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"])]);
}

#[test]
fn what_an_erased_account_wrote_before_is_dropped_and_what_it_writes_later_lives() {
    let mut mind = Mind::new();
    let author = post_of(&upsert("1", 1, "acme")).author.id;
    let account = |status, order| PostEvent::Account { author, status, order: Order(order) };
    assert_eq!(mind.batch(vec![account(AuthorStatus::Erased, 10)]), [Outcome::Declared]);
    assert_eq!(mind.batch(vec![account(AuthorStatus::Active, 9)]), [Outcome::Unchanged]);
    assert_eq!(mind.lines(&[upsert("1", 9, "acme"), upsert("2", 10, "acme")]), [Outcome::Unchanged; 2]);
    assert_eq!(mind.lines(&[upsert("1", 11, "acme")]), [Outcome::Created]);
    assert_eq!(mind.heard("crm"), [event("matched", 1, &["one/q"])]);
}

#[test]
fn copies_within_a_day_are_one_cluster_and_later_ones_begin_another() {
    let mut mind = Mind::new();
    mind.lines(&[upsert("1", 1, "Acme is  down"), upsert("2", 1, "acme IS down")]);
    mind.now = NOW.plus(23 * HOUR);
    mind.lines(&[upsert("3", 1, "acme is down")]);
    mind.now = NOW.plus(24 * HOUR);
    mind.lines(&[upsert("4", 1, "acme is down"), upsert("5", 1, "acme is up")]);
    let rows = &mind.knowledge.mentions;
    let cluster = |id: &str| (rows[&id_of(id)].cluster_first, rows[&id_of(id)].cluster_size);
    assert_eq!(cluster("1"), (id_of("1"), 1));
    assert_eq!(cluster("2"), (id_of("1"), 2));
    assert_eq!(cluster("3"), (id_of("1"), 3));
    assert_eq!(cluster("4"), (id_of("4"), 1));
    assert_eq!(cluster("5"), (id_of("5"), 1));
    assert_eq!(rows[&id_of("1")].cluster, rows[&id_of("4")].cluster);
    assert_eq!(mind.heard("crm").len(), 5);
}

#[test]
fn the_thread_is_frozen_when_the_post_is_first_seen() {
    let mut mind = Mind::new();
    let reply = |order: u64, text: &str, thread: &str| json!({"id": "1", "revision": order, "text": text, "reply_to": "parent", "thread": thread});
    mind.lines(&[reply(1, "acme", "root")]);
    let first = mind.knowledge.posts[&id_of("1")].thread;
    mind.lines(&[reply(2, "acme edited", "elsewhere")]);
    assert_eq!(mind.knowledge.posts[&id_of("1")].thread, first);
    assert_eq!(mind.knowledge.mentions[&id_of("1")].post.thread.id, first);
    mind.lines(&[delete("1", 3)]);
    mind.lines(&[reply(4, "acme again", "third")]);
    assert_eq!(mind.knowledge.mentions[&id_of("1")].post.thread.id, first);
}

#[test]
fn receivers_hear_of_a_thread_in_the_order_in_which_it_came() {
    let mut mind = Mind::new();
    let mut lines = vec![upsert("root", 1, "acme root")];
    for n in 0..20 {
        let mut reply = upsert(&format!("reply{n}"), 1, &format!("acme {n}"));
        reply["reply_to"] = json!("root");
        reply["thread"] = json!("root");
        lines.push(reply);
    }
    mind.lines(&lines);
    let told = mind.told.remove("crm").unwrap();
    let ids: Vec<_> = told.iter().map(|delivery| delivery.mention.unwrap()).collect();
    let replies = (0..20).map(|n| id_of(&format!("reply{n}")));
    assert_eq!(ids, [id_of("root")].into_iter().chain(replies).collect::<Vec<_>>());
}

#[test]
fn what_a_deleted_parent_said_is_not_told_again() {
    let mut mind = Mind::new();
    let reply = |order: u64, text: &str| {
        let mut reply = upsert("2", order, text);
        reply["reply_to"] = json!("1");
        reply
    };
    mind.lines(&[upsert("1", 1, "the parent's words"), reply(1, "acme")]);
    let body = |mind: &mut Mind| {
        let told = mind.told.remove("crm").unwrap().pop().unwrap();
        String::from_utf8(told.body).unwrap()
    };
    assert!(body(&mut mind).contains("the parent's words"));
    mind.lines(&[delete("1", 2)]);
    mind.lines(&[reply(2, "acme, edited")]);
    assert!(!body(&mut mind).contains("the parent's words"));
}

#[test]
fn a_mention_is_counted_once_for_each_project_also_if_an_edit_brings_another() {
    let mut mind = Mind::new();
    let count = |mind: &mut Mind, order: u64, text: &str| {
        let post = Box::new(post_of(&upsert("1", order, text)));
        let event = PostEvent::Upsert { post, order: Order(order), quiet: false };
        let sighting = sighting(event, &mind.live, &mut Scratch::default());
        let decided = decide(vec![sighting], &mut mind.knowledge, &mind.live, mind.now);
        for write in decided.commit.mentions {
            mind.rows.insert(write.id, write.row);
        }
        mind.knowledge.mentions = mind.rows.clone();
        ["one", "two"].map(|project| decided.commit.totals.get(Tally::MentionsCreated, project))
    };
    assert_eq!(count(&mut mind, 1, "acme"), [1, 0]);
    assert_eq!(count(&mut mind, 2, "acme outage"), [0, 1]);
    assert_eq!(count(&mut mind, 3, "acme outage!"), [0, 0]);
}

#[test]
fn excerpts_of_parent_and_root_come_also_from_the_same_batch() {
    let mut mind = Mind::new();
    let reply = json!({"id": "3", "text": "acme too", "revision": 1, "reply_to": "2", "thread": "1"});
    let long = "x".repeat(1000);
    mind.lines(&[upsert("1", 1, "the root"), upsert("2", 1, &long), reply]);
    let row = &mind.knowledge.mentions[&id_of("3")];
    assert_eq!(row.root.as_ref().unwrap().text, "the root");
    assert_eq!(row.root.as_ref().unwrap().author.as_deref(), Some("ann"));
    assert_eq!(row.parent.as_ref().unwrap().text.len(), 280);
}

#[derive(Clone, Debug)]
enum Version {
    Text(u8),
    Gone,
}

/// The versions of one post, each with its place in the history, in some order of arrival with some twice.
fn history() -> impl Strategy<Value = (Vec<Version>, Vec<usize>, usize)> {
    let version = prop_oneof![3 => (0_u8..4).prop_map(Version::Text), 1 => Just(Version::Gone)];
    prop::collection::vec(version, 1..8).prop_flat_map(|versions| {
        let count = versions.len();
        let every = Just((0..count).collect::<Vec<_>>());
        let again = prop::collection::vec(0..count, 0..6);
        let arrivals = (every, again).prop_map(|(every, again)| [every, again].concat()).prop_shuffle();
        (Just(versions), arrivals, 1_usize..5)
    })
}

/// Texts of which every second one matches.
fn text_of(text: u8) -> String {
    format!("{} {text}", ["acme", "nothing", "acme outage", "outage"][usize::from(text)])
}

fn line_of(id: &str, at: usize, version: &Version) -> Value {
    match version {
        Version::Text(text) => upsert(id, at as u64 + 1, &text_of(*text)),
        Version::Gone => delete(id, at as u64 + 1),
    }
}

/// What a receiver holds: by mention, the state that the highest revision told.
fn held(told: &[NewDelivery]) -> HashMap<PostId, Value> {
    let mut held: HashMap<PostId, Value> = HashMap::new();
    for delivery in told {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        let before = held.insert(delivery.mention.unwrap(), body.clone());
        let revision = |body: &Value| body["data"]["revision"].as_u64().unwrap();
        assert!(before.is_none_or(|before| revision(&before) < revision(&body)), "revisions grow");
    }
    held
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_arrival_ends_in_the_highest_version((versions, arrivals, batch) in history()) {
        let mut mind = Mind::new();
        let lines: Vec<Value> = arrivals.iter().map(|&at| line_of("1", at, &versions[at])).collect();
        for lines in lines.chunks(batch) {
            mind.lines(lines);
        }
        let known = mind.knowledge.posts[&id_of("1")];
        prop_assert_eq!(known.order, Order(versions.len() as u64));
        let mention = mind.knowledge.mentions.get(&id_of("1"));
        let care = held(mind.told.get("care").map_or(&[], Vec::as_slice));
        match versions.last().unwrap() {
            Version::Gone => {
                prop_assert_eq!(known.state, PostState::Tombstone);
                prop_assert!(care.values().all(|body| body["type"] == "mention.deleted"));
            }
            Version::Text(text) => {
                prop_assert_eq!(known.state, PostState::Live);
                let text = text_of(*text);
                if let Some(row) = mention.filter(|row| row.state == MentionState::Live) {
                    prop_assert_eq!(&row.post.text, &text);
                }
                match care.get(&id_of("1")) {
                    Some(body) if text.contains("outage") => prop_assert_eq!(&body["data"]["content"]["text"], &text),
                    Some(body) => prop_assert!(body["type"] == "mention.deleted" || body["data"]["matches"] == json!([])),
                    None => prop_assert!(!text.contains("outage")),
                }
            }
        }
    }
}

// --- Over a real store ----------------------------------------------------------------------------------------------

const STORE: StoreSettings = StoreSettings { block_cache_mb: 8, write_buffers_mb: 16 };
const DISK: DiskSettings = DiskSettings { free_min_mb: 0, free_min_percent: 0, free_red_mb: 0, ballast_mb: 0 };

/// A store with its writer and a turn; what is dropped last is waited for.
pub struct Stage {
    inlets: HashMap<&'static str, Inlet>,
    turn: Option<Turn>,
    arrived: Arc<Notify>,
    stop: CancellationToken,
    pub store: Store,
    pub writer: WriterHandle,
    gate: Arc<DiskGate>,
    _thread: WriterThread,
    directory: TempDir,
}

impl Stage {
    pub fn open(arrivals_max: usize) -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), arrivals_max)
    }

    fn open_in(directory: TempDir, arrivals_max: usize) -> Self {
        Self::open_with(directory, arrivals_max, DISK)
    }

    fn open_with(directory: TempDir, arrivals_max: usize, disk: DiskSettings) -> Self {
        let store = Store::open(&directory.path().join("store"), &STORE).unwrap();
        let (writer, thread) = start_writer(store.clone()).unwrap();
        let (arrived, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let gate = Arc::new(DiskGate::new(disk, directory.path()));
        gate.measure().unwrap();
        let turn = start_turn(TurnParts {
            store: store.clone(),
            writer: writer.clone(),
            live: Arc::new(ArcSwap::from_pointee(live())),
            gate: gate.clone(),
            arrived: arrived.clone(),
            stop: stop.clone(),
            settings: TurnSettings { arrivals_max, bytes_max: 1 << 20 },
        });
        let turn = Some(turn.unwrap());
        let inlets = HashMap::new();
        Self { inlets, turn, arrived, stop, store, writer, gate, _thread: thread, directory }
    }

    fn inlet(&mut self, source: &'static str) -> Inlet {
        let (inlet, turn) = (Inlet::new(self.arrived.clone()), self.turn.as_ref().unwrap());
        self.inlets
            .entry(source)
            .or_insert_with(|| {
                turn.add(source.into(), inlet.1);
                inlet.0
            })
            .clone()
    }

    /// Offers one arrival; its receipt resolves once it is durable.
    fn offer(&mut self, arrival: Arrival) -> Receipt {
        let source = if &*arrival.source == "stream" { "stream" } else { "partner" };
        self.inlet(source).offer(arrival).unwrap()
    }

    pub async fn push(&mut self, lines: &[Value]) -> Vec<Outcome> {
        let receipt = self.offer(arrival("partner", lines));
        durable(receipt).await
    }

    /// One event of Bluesky's stream.
    pub async fn stream(&mut self, event: &Value) -> Vec<Outcome> {
        let body = serde_json::to_vec(event).unwrap();
        let arrival = Arrival { source: "stream".into(), wire: Wire::Jetstream, body, fetched_at: NOW, cursor: None };
        let receipt = self.offer(arrival);
        durable(receipt).await
    }

    fn close(mut self) -> TempDir {
        self.end();
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        drop(self);
        directory
    }

    fn end(&mut self) {
        self.stop.cancel();
        self.inlets.clear();
        self.arrived.notify_one();
        if let Some(turn) = self.turn.take() {
            turn.join();
        }
    }

    fn outbox(&self, endpoint: &str) -> Vec<OutboxRow> {
        self.store.outbox(endpoint, 0, 10_000).unwrap().into_iter().map(|(_, row)| row).collect()
    }

    /// Every row of a post in the store, whatever names it.
    pub fn texts(&self) -> Vec<String> {
        self.store.posts(0, 100_000).unwrap().into_iter().map(|(_, post)| post.text).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.end();
    }
}

async fn durable(receipt: Receipt) -> Vec<Outcome> {
    tokio::time::timeout(PATIENCE, receipt.durable()).await.expect("a receipt resolves in time").unwrap()
}

/// Waits for something that other threads bring about.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    let mut look = tokio::time::interval(Duration::from_millis(5));
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        look.tick().await;
    }
}

/// A revision of the AT Protocol: a time in base 32.
fn revision(micros: u64) -> String {
    let digits = b"234567abcdefghijklmnopqrstuvwxyz";
    (0..13).rev().map(|at| digits[((micros << 10) >> (5 * at) & 31) as usize] as char).collect()
}

pub fn skeet(did: &str, key: &str, micros: u64, text: &str) -> Value {
    let record = json!({"$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-11-22T19:04:05Z"});
    json!({"did": did, "time_us": micros, "kind": "commit", "commit": {"rev": revision(micros), "operation": "create",
        "collection": "app.bsky.feed.post", "rkey": key, "record": record}})
}

pub fn account(did: &str, micros: u64, active: bool, status: &str) -> Value {
    json!({"did": did, "time_us": micros, "kind": "account", "account": {"active": active, "status": status}})
}

pub fn skeet_id(did: &str, key: &str) -> PostId {
    PostId::of("bluesky", &format!("at://{did}/app.bsky.feed.post/{key}"))
}

#[tokio::test]
async fn a_receipt_resolves_once_posts_mentions_and_deliveries_are_durable() {
    let mut stage = Stage::open(100);
    let outcomes = stage.push(&[upsert("1", 1, "acme"), upsert("2", 1, "nothing"), delete("3", 1)]).await;
    assert_eq!(outcomes, [Outcome::Created, Outcome::Created, Outcome::Deleted]);
    assert_eq!(stage.store.mention(id_of("1")).unwrap().unwrap().endpoints["crm"], Holding::Holds);
    assert_eq!(stage.outbox("crm").len(), 1);
    assert_eq!(stage.texts(), ["acme", "nothing"]);
    let stage = Stage::open_in(stage.close(), 100);
    assert_eq!(stage.texts(), ["acme", "nothing"]);
    assert_eq!(stage.outbox("crm").len(), 1);
    assert_eq!(stage.writer.totals().sum("events"), 3);
}

#[tokio::test]
async fn only_the_present_version_of_a_post_lies_in_the_store() {
    let mut stage = Stage::open(100);
    stage.push(&[upsert("1", 1, "acme 1")]).await;
    stage.push(&[upsert("1", 2, "acme 2"), upsert("1", 3, "acme 3")]).await;
    assert_eq!(stage.texts(), ["acme 3"]);
    // The same content under a higher order, then another content, in one batch.
    stage.push(&[upsert("1", 4, "acme 3"), upsert("1", 5, "acme 5")]).await;
    assert_eq!(stage.texts(), ["acme 5"]);
    stage.push(&[upsert("1", 6, "acme 5"), delete("1", 7)]).await;
    assert_eq!(stage.texts(), [""; 0]);
    let author = post_of(&upsert("1", 1, "acme")).author.id;
    assert_eq!(stage.store.author_posts(author, 0, 10).unwrap(), []);
    stage.push(&[upsert("1", 8, "acme 8"), delete("1", 9), upsert("1", 10, "acme 10")]).await;
    assert_eq!(stage.texts(), ["acme 10"]);
    assert_eq!(stage.store.post_by_id(id_of("1")).unwrap().unwrap().text, "acme 10");
}

#[tokio::test]
async fn a_deletion_withdraws_what_waits_and_tells_every_holder() {
    let mut stage = Stage::open(100);
    stage.push(&[upsert("1", 1, "everyone and acme")]).await;
    stage.push(&[delete("1", 2)]).await;
    for endpoint in ["crm", "care"] {
        let rows = stage.outbox(endpoint);
        assert_eq!(rows.iter().map(|row| row.event.as_str()).collect::<Vec<_>>(), ["mention.deleted"]);
        assert_eq!(rows[0].seq, 2);
        let row = stage.store.endpoint(endpoint).unwrap().unwrap();
        assert_eq!((row.created, row.superseded, row.pending()), (2, 1, 1));
    }
}

#[tokio::test]
async fn replies_carry_what_their_parent_said_also_over_batches() {
    let mut stage = Stage::open(100);
    stage.push(&[upsert("1", 1, "the root"), upsert("2", 1, "the parent")]).await;
    let reply = |id: &str| json!({"id": id, "text": "acme too", "revision": 1, "reply_to": "2", "thread": "1", "author": {"id": "bob"}});
    stage.push(&[reply("3")]).await;
    stage.push(&[upsert("2", 2, "the parent, edited"), reply("4")]).await;
    stage.push(&[delete("2", 3), reply("5")]).await;
    let parent = |id: &str| stage.store.mention(id_of(id)).unwrap().unwrap().parent.map(|parent| parent.text);
    assert_eq!(parent("3").as_deref(), Some("the parent"));
    assert_eq!(parent("4").as_deref(), Some("the parent, edited"));
    assert_eq!(parent("5"), None);
    assert_eq!(stage.store.mention(id_of("5")).unwrap().unwrap().root.unwrap().text, "the root");
}

#[tokio::test]
async fn an_erased_account_loses_all_its_posts_and_everyone_who_got_them_is_told() {
    let mut stage = Stage::open(100);
    let (gone, other) = ("did:plc:gone", "did:plc:other");
    for key in 0..450_u64 {
        let event = skeet(gone, &format!("k{key}"), 1_000_000 + key, &format!("acme {key}"));
        stage.offer(Arrival {
            source: "stream".into(),
            wire: Wire::Jetstream,
            body: serde_json::to_vec(&event).unwrap(),
            fetched_at: NOW,
            cursor: None,
        });
    }
    stage.stream(&skeet(other, "k", 1_000_000, "acme stays")).await;
    assert_eq!(stage.outbox("crm").len(), 451);
    assert_eq!(stage.stream(&account(gone, 2_000_000, false, "deleted")).await, [Outcome::Declared]);
    assert_eq!(stage.stream(&skeet(gone, "late", 1_500_000, "acme late")).await, [Outcome::Unchanged]);
    assert_eq!(stage.stream(&skeet(gone, "new", 3_000_000, "acme new")).await, [Outcome::Created]);
    let store = stage.store.clone();
    eventually("the erasure ends", || store.erasures().unwrap().is_empty()).await;
    let mut texts = stage.texts();
    texts.sort();
    assert_eq!(texts, ["acme new", "acme stays"]);
    let deleted = stage.outbox("crm").iter().filter(|row| row.event == "mention.deleted").count();
    assert_eq!(deleted, 450);
    let row = stage.store.endpoint("crm").unwrap().unwrap();
    assert_eq!((row.superseded, row.pending()), (450, 452));
    assert!(stage.outbox("crm").iter().all(|row| row.event == "mention.deleted" || row.body.len() > 300));
    adds_up(&stage.writer);
}

#[tokio::test]
async fn an_account_that_comes_back_while_its_posts_are_erased_is_active_afterwards() {
    let mut stage = Stage::open(2);
    let did = "did:plc:back";
    for key in 0..250_u64 {
        stage.stream(&skeet(did, &format!("k{key}"), 1_000_000 + key, "acme")).await;
    }
    let author = stage.store.post_by_id(skeet_id(did, "k0")).unwrap().unwrap().author.id;
    stage.stream(&account(did, 2_000_000, false, "takendown")).await;
    stage.stream(&account(did, 3_000_000, true, "")).await;
    let store = stage.store.clone();
    eventually("every old post is erased", || store.posts(0, 10).unwrap().is_empty()).await;
    stage.stream(&skeet("did:plc:other", "k", 1_000_000, "the erasure's last step is durable")).await;
    let row = stage.store.accounts(&[author]).unwrap().pop().flatten().unwrap();
    assert_eq!((row.status, row.erasure), (AuthorStatus::Active, None));
}

#[tokio::test]
async fn mentions_of_a_hidden_account_are_kept_and_not_found() {
    let mut stage = Stage::open(100);
    let did = "did:plc:hidden";
    stage.stream(&skeet(did, "k", 1_000_000, "acme")).await;
    let stop = CancellationToken::new();
    let settings = earful::index::IndexSettings { commit_interval_ms: 1, heap_mb: 32 };
    let parts = IndexerParts {
        store: stage.store.clone(),
        writer: stage.writer.clone(),
        gate: stage.gate.clone(),
        settings,
        stop: stop.clone(),
    };
    let (indexer, thread) = Indexer::start(&stage.directory.path().join("index"), parts).unwrap();
    let store = stage.store.clone();
    let request = SearchRequest { limit: 10, ..SearchRequest::default() };
    let count = || search(&store, indexer.index(), &request).unwrap().len();
    eventually("the mention is found", || count() == 1).await;
    stage.stream(&account(did, 2_000_000, false, "suspended")).await;
    assert_eq!(count(), 0);
    assert_eq!(stage.texts(), ["acme"]);
    assert_eq!(stage.outbox("crm").len(), 1);
    stage.stream(&account(did, 3_000_000, true, "")).await;
    assert_eq!(count(), 1);
    stop.cancel();
    tokio::task::spawn_blocking(move || thread.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_rejected_arrival_moves_its_cursor_and_is_counted_by_reason() {
    let mut stage = Stage::open(100);
    let lines = [upsert("1", 1, "acme"), json!({"id": ""}), json!({"id": "2", "nonsense": 1})];
    let cursor = |value: &str| Some(Cursor { part: String::new(), value: value.into() });
    let receipt = stage.offer(Arrival { cursor: cursor("1"), ..arrival("partner", &lines) });
    let outcomes = durable(receipt).await;
    assert_eq!(outcomes[0], Outcome::Created);
    assert!(outcomes[1..].iter().all(|outcome| matches!(outcome, Outcome::Rejected(_))));
    let broken = Arrival { body: b"{".to_vec(), cursor: cursor("2"), ..arrival("partner", &[]) };
    let receipt = stage.offer(broken);
    assert_eq!(durable(receipt).await, [Outcome::Rejected(Rejected::Shape)]);
    assert_eq!(stage.store.cursors("partner").unwrap()[0].value, b"2");
    assert_eq!(stage.inlet("partner").cursors_durable(), 2);
    assert_eq!(stage.writer.totals().sum("rejected"), 3);
    adds_up(&stage.writer);
}

/// `events` is the sum of what became of them, per source and over all.
fn adds_up(writer: &WriterHandle) {
    let parts = ["posts_created", "posts_edited", "posts_deleted", "posts_unchanged", "declared", "rejected"];
    let totals = writer.totals();
    let labels: BTreeSet<&str> =
        totals.iter().filter(|counter| counter.name == "events").map(|counter| counter.label).collect();
    assert!(!labels.is_empty());
    for label in labels {
        let sum = |names: &[&str]| -> u64 {
            let own = totals.iter().filter(|counter| counter.label == label && names.contains(&counter.name));
            own.map(|counter| counter.value).sum()
        };
        assert_eq!(sum(&["events"]), sum(&parts), "{label}");
    }
}

#[tokio::test]
async fn a_fast_source_does_not_keep_a_slow_one_waiting() {
    const FAST: usize = 2_000;
    let mut stage = Stage::open(10);
    let (fast, slow) = (stage.inlet("stream"), stage.inlet("partner"));
    let mut last = None;
    for at in 0..FAST {
        let event = skeet("did:plc:fast", &format!("k{at}"), 1_000_000 + at as u64, "busy");
        let body = serde_json::to_vec(&event).unwrap();
        let arrival = Arrival { source: "stream".into(), wire: Wire::Jetstream, body, fetched_at: NOW, cursor: None };
        last = Some(fast.offer(arrival).unwrap());
    }
    let receipt = slow.offer(arrival("partner", &[upsert("1", 1, "acme")])).unwrap();
    durable(receipt).await;
    let taken = stage.writer.totals().sum("events");
    assert!(taken < FAST as u64 / 2, "{taken} of the fast source's {FAST} went first");
    durable(last.unwrap()).await;
    assert_eq!(stage.writer.totals().sum("events"), FAST as u64 + 1);
}

#[tokio::test]
async fn a_declared_gap_is_told_to_every_endpoint() {
    let mut stage = Stage::open(100);
    let notice = normalize::notice::Notice::Gap { from: "1".to_owned(), to: "9".to_owned(), why: "old".to_owned() };
    let gap = Arrival { wire: Wire::Notice, body: notice.body(), ..arrival("stream", &[]) };
    let receipt = stage.offer(gap);
    assert_eq!(durable(receipt).await, [Outcome::Declared]);
    for endpoint in ["crm", "care"] {
        assert_eq!(stage.outbox(endpoint)[0].event, "source.gap");
    }
    adds_up(&stage.writer);
}

#[tokio::test]
async fn a_random_crowd_of_histories_ends_in_its_highest_versions() {
    const POSTS: u64 = 150;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |bound: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random % bound
    };
    let (mut lines, mut last) = (Vec::new(), BTreeMap::new());
    for post in 0..POSTS {
        let name = format!("p{post:03}");
        for order in 1..=1 + below(6) {
            // A text of its own for each post: which row is left behind can be told.
            let text = format!("{} {}", text_of(below(4) as u8), name);
            let line = if below(4) == 0 { delete(&name, order) } else { upsert(&name, order, &text) };
            last.insert(name.clone(), line["text"].as_str().map(str::to_owned));
            lines.extend(std::iter::repeat_n(line, 1 + below(2) as usize));
        }
    }
    for at in (1..lines.len()).rev() {
        lines.swap(at, below(at as u64 + 1) as usize);
    }
    let mut stage = Stage::open(8);
    let mut receipts = Vec::new();
    for lines in lines.chunks(3) {
        receipts.push(stage.offer(arrival("partner", lines)));
    }
    for receipt in receipts {
        durable(receipt).await;
    }
    let (mut expected, mut found): (Vec<String>, _) = (last.values().flatten().cloned().collect(), stage.texts());
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    adds_up(&stage.writer);
    for (endpoint, word) in [("crm", "acme"), ("care", "outage")] {
        let held = state_of(&stage.outbox(endpoint));
        let expected: BTreeSet<&String> = expected.iter().filter(|text| text.contains(word)).collect();
        assert_eq!(held.iter().collect::<BTreeSet<_>>(), expected, "{endpoint}");
        let row = stage.store.endpoint(endpoint).unwrap().unwrap();
        assert_eq!(row.created, row.seq_next - 1);
        assert_eq!(row.pending(), stage.outbox(endpoint).len() as u64);
    }
}

/// The texts that an endpoint holds as matching once it has taken these rows.
fn state_of(rows: &[OutboxRow]) -> BTreeSet<String> {
    let mut held = BTreeMap::new();
    for row in rows {
        let body: Value = serde_json::from_slice(&row.body).unwrap();
        held.insert(row.mention.unwrap(), body);
    }
    let matching = held.into_values().filter(|body| body["data"]["matches"].as_array().is_some_and(|m| !m.is_empty()));
    matching.map(|body| body["data"]["content"]["text"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn while_the_disk_is_nearly_full_nothing_is_taken_in_and_deliveries_go_on() {
    let mut stage = Stage::open(100);
    stage.push(&[upsert("1", 1, "acme")]).await;
    let directory = stage.close();
    let full = DiskSettings { free_min_mb: u64::MAX >> 20, ..DISK };
    let mut stage = Stage::open_with(directory, 100, full);
    assert_eq!(stage.gate.measure().unwrap(), Level::Yellow);
    let waits = stage.offer(arrival("partner", &[upsert("2", 1, "acme too")]));
    stage.writer.settle(vec![Settle::Delivered { endpoint: "crm".to_owned(), position: 1 }]).await.unwrap();
    stage.writer.until_written().await.unwrap();
    assert_eq!((stage.outbox("crm").len(), stage.writer.endpoint("crm").unwrap().delivered), (0, 1));
    stage.end();
    assert!(waits.durable().await.is_err(), "what was not taken in is not acknowledged");
    assert_eq!(stage.texts(), ["acme"]);
}
