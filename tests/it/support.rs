//! What integration tests of the running daemon share: a made stream with the ledger of what has to come of it, and a
//! daemon between that stream and two receivers, in a directory that goes with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use earful::api::socket_path;
use earful::clock;
use earful::model::PostId;
use earful::rig::daemon::Launch;
use earful::rig::jetstream::{Pace, PlayedEvent, Server};
use earful::rig::receiver::{Received, Receiver};
use earful::sinks::sign::Secret;

/// The word that the one project looks for.
pub const WORD: &str = "zorblax";
/// The slug of the one source.
pub const SOURCE: &str = "stream";
/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(90);
const POLL: Duration = Duration::from_millis(2);
const LOG_LINES_SHOWN: usize = 40;

const PROJECT: &str = r#"
query_language = 1
title = "Zorblax: what people say"
endpoints = ["steady", "flaky"]

[query.word]
text = "zorblax"
"#;
const FILLER: [&str; 12] =
    ["tea", "rain", "monday", "garden", "train", "late", "music", "window", "zorblaxian", "quiet", "bread", "north"];
/// Between the live events of two posts, on the stream's own clock.
const SLOT_US: u64 = 1_000;
const AUTHORS: usize = 200;
/// Posts of the author whose account is deleted: more than two batches of an erasure.
const LEAVER_POSTS: usize = 600;
const REPLY_REACH: usize = 40;
/// Posts of one lot: what one search finds of them is less than what it may answer.
const LOT_POSTS: usize = 2_000;

/// What happens to a post. The number is the place in the order of its versions, whenever the event comes.
#[derive(Clone, Copy)]
enum Step {
    Create(u64),
    Update(u64),
    /// An edit that brings the word into the text, or takes it out.
    Turn(u64),
    Delete(u64),
}

/// The steps in the order of their events, and the shares in percent of posts with and without the word.
struct Life {
    steps: &'static [Step],
    with: u32,
    without: u32,
}

const LIVES: &[Life] = {
    use Step::{Create, Delete, Turn, Update};
    &[
        Life { steps: &[Create(0)], with: 40, without: 88 },
        Life { steps: &[Create(0), Create(0)], with: 6, without: 2 },
        Life { steps: &[Create(0), Update(1)], with: 10, without: 2 },
        Life { steps: &[Create(0), Update(1), Create(0), Update(1)], with: 4, without: 0 },
        Life { steps: &[Create(0), Update(2), Update(1)], with: 5, without: 0 },
        Life { steps: &[Create(0), Turn(1)], with: 6, without: 1 },
        Life { steps: &[Create(0), Turn(1), Turn(2)], with: 4, without: 1 },
        Life { steps: &[Create(0), Delete(1)], with: 9, without: 3 },
        Life { steps: &[Create(0), Update(1), Delete(2), Delete(2)], with: 6, without: 1 },
        Life { steps: &[Delete(1), Create(0)], with: 5, without: 1 },
        Life { steps: &[Create(0), Delete(1), Create(2)], with: 5, without: 1 },
    ]
};

/// Events of a stream, and what has to come of them.
pub struct Story {
    pub events: Vec<PlayedEvent>,
    pub ledger: Ledger,
}

/// Every post with what it came to, from the events alone.
#[derive(Default)]
pub struct Ledger {
    fates: HashMap<String, Fate>,
    /// Events of the stream by what they do.
    pub created: u64,
    pub edited: u64,
    pub deleted: u64,
}

#[derive(Default)]
struct Fate {
    url: String,
    /// Every text that the post had, and whether the word is in it.
    texts: HashMap<String, bool>,
    order: u64,
    /// None once it is deleted.
    last: Option<String>,
}

/// What receivers got against the ledger.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Mentions of which the last event does not say how the post ended.
    pub lost: Vec<String>,
    /// Events of no post, or with words that no version of it had.
    pub spurious: Vec<String>,
    /// Posts with two ids, or one that is not their own.
    pub two_ids: Vec<String>,
    /// Events that came before an earlier one of their mention or thread.
    pub disordered: Vec<String>,
}

impl Verdict {
    pub fn is_clean(&self) -> bool {
        *self == Self::default()
    }
}

/// Makes a story post by post.
struct Teller {
    rng: StdRng,
    posts: usize,
    base_us: u64,
    told: Vec<Told>,
    roots: Vec<usize>,
    leaver_posts: Vec<usize>,
}

/// One event in the making.
struct Told {
    post: usize,
    author: usize,
    emit_us: u64,
    order_us: u64,
    operation: &'static str,
    text: Option<String>,
    reply: Option<(usize, usize)>,
}

impl Story {
    /// Posts that are edited, deleted, doubled and late, a tenth of them with the word, live within `length`;
    /// near the end one author's account is deleted.
    pub fn new(posts: usize, seed: u64, length: Duration) -> Self {
        let mut teller = Teller::new(posts, seed);
        for post in 0..posts {
            let has_word = teller.rng.random_range(0..10) == 0;
            let steps = teller.draw_life(has_word);
            teller.tell(post, has_word, steps);
        }
        assert!(teller.leaver_posts.len() > LEAVER_POSTS / 2);
        teller.finish(length, true)
    }

    /// Posts that nothing happens to, each with a text of many bytes that do not pack.
    pub fn of_bulky_posts(posts: usize, seed: u64, length: Duration) -> Self {
        let mut teller = Teller::new(posts, seed);
        for post in 0..posts {
            let has_word = teller.rng.random_range(0..10) == 0;
            teller.tell(post, has_word, &[Step::Create(0)]);
            let noise: String = (0..80).map(|_| format!(" {:x}", teller.rng.random::<u64>())).collect();
            if let Some(text) = teller.told.last_mut().and_then(|told| told.text.as_mut()) {
                text.push_str(&noise);
            }
        }
        teller.finish(length, false)
    }
}

impl Teller {
    fn new(posts: usize, seed: u64) -> Self {
        // Long enough ago that no event is of the future.
        let base_us = u64::try_from(clock::now().millis()).unwrap() * 1_000 - 24 * 3_600 * 1_000_000;
        let rng = StdRng::seed_from_u64(seed);
        Self { rng, posts, base_us, told: Vec::new(), roots: Vec::new(), leaver_posts: Vec::new() }
    }

    fn draw_life(&mut self, has_word: bool) -> &'static [Step] {
        let share = |life: &Life| if has_word { life.with } else { life.without };
        let mut drawn = self.rng.random_range(0..LIVES.iter().map(share).sum());
        for life in LIVES {
            if drawn < share(life) {
                return life.steps;
            }
            drawn -= share(life);
        }
        unreachable!("the drawn share is below their sum")
    }

    /// Tells all that happens to a post: half of it within a moment, the rest spread wide.
    fn tell(&mut self, post: usize, has_word: bool, steps: &[Step]) {
        let author = self.draw_author(post);
        let reply = self.draw_reply(post);
        let born_us = post as u64 * SLOT_US;
        let gap_max = (self.posts as u64 / 10).clamp(10, 3_000);
        let mut emit_us = born_us;
        let mut has_word = has_word;
        let mut said: HashMap<u64, String> = HashMap::new();
        for step in steps {
            let (operation, order) = match *step {
                Step::Create(order) => ("create", order),
                Step::Update(order) => ("update", order),
                Step::Delete(order) => ("delete", order),
                Step::Turn(order) => {
                    has_word = !has_word;
                    ("update", order)
                }
            };
            let text = (operation != "delete")
                .then(|| said.entry(order).or_insert_with(|| self.draw_text(post, order, has_word)).clone());
            let order_us = self.base_us + born_us + order;
            self.told.push(Told { post, author, emit_us, order_us, operation, text, reply });
            let slots = if self.rng.random() { self.rng.random_range(0..4) } else { self.rng.random_range(4..gap_max) };
            emit_us += slots * SLOT_US;
        }
    }

    /// Author 0 is the one who leaves, and says nothing in the last two fifths.
    fn draw_author(&mut self, post: usize) -> usize {
        let speaks_until = self.posts * 3 / 5;
        if post < speaks_until && self.rng.random_range(0..speaks_until) < LEAVER_POSTS {
            self.leaver_posts.push(post);
            return 0;
        }
        1 + post % AUTHORS
    }

    /// A fifth of the posts answer one shortly before: its root and itself.
    fn draw_reply(&mut self, post: usize) -> Option<(usize, usize)> {
        let parent = (post > 0 && self.rng.random_range(0..5) == 0)
            .then(|| post - self.rng.random_range(1..=REPLY_REACH.min(post)));
        self.roots.push(parent.map_or(post, |parent| self.roots[parent]));
        parent.map(|parent| (self.roots[parent], parent))
    }

    fn draw_text(&mut self, post: usize, order: u64, has_word: bool) -> String {
        let mut words: Vec<&str> = (0..6).map(|_| FILLER[self.rng.random_range(0..FILLER.len())]).collect();
        if has_word {
            words.insert(self.rng.random_range(0..words.len()), WORD);
        }
        format!("{} lot{} p{post} v{order}", words.join(" "), post / LOT_POSTS)
    }

    fn finish(mut self, length: Duration, leaves: bool) -> Story {
        self.told.sort_by_key(|told| told.emit_us);
        let end_us = self.told.last().map_or(1, |told| told.emit_us + SLOT_US);
        let at_ms = |emit_us: u64| length.as_millis() as u64 * emit_us / end_us;
        let authors: HashMap<usize, usize> = self.told.iter().map(|told| (told.post, told.author)).collect();
        let mut ledger = Ledger::default();
        let mut events = Vec::with_capacity(self.told.len() + 1);
        // By then the leaver has no more to say: born in the first three fifths, and three gaps of a tenth at most.
        let leave_us = end_us * 19 / 20;
        let mut left = !leaves;
        for told in &self.told {
            if !left && told.emit_us >= leave_us {
                left = true;
                events.push(PlayedEvent { at_ms: at_ms(leave_us), body: account_deleted(self.base_us + leave_us) });
            }
            ledger.enter(told);
            let body = commit(told, &authors, self.base_us + told.emit_us);
            events.push(PlayedEvent { at_ms: at_ms(told.emit_us), body });
        }
        if leaves {
            self.leaver_posts.iter().for_each(|post| ledger.erase(&uri(*post, 0)));
        }
        Story { events, ledger }
    }
}

impl Ledger {
    /// One event of the stream: only what is later in the order of versions changes anything.
    fn enter(&mut self, told: &Told) {
        let uri = uri(told.post, told.author);
        let id = PostId::of("bluesky", &uri).to_string();
        let is_new = !self.fates.contains_key(&id);
        let fate = self.fates.entry(id).or_default();
        fate.url = format!("https://bsky.app/profile/{}/post/{}", did(told.author), record_key(told.post));
        if let Some(text) = &told.text {
            fate.texts.insert(text.clone(), text.split(' ').any(|word| word == WORD));
        }
        if !is_new && told.order_us <= fate.order {
            return;
        }
        fate.order = told.order_us;
        match (&fate.last, &told.text) {
            (Some(before), Some(after)) if before != after => self.edited += 1,
            (None, Some(_)) => self.created += 1,
            (Some(_), None) => self.deleted += 1,
            (None, None) if is_new => self.deleted += 1,
            _ => {}
        }
        fate.last.clone_from(&told.text);
    }

    fn erase(&mut self, uri: &str) {
        if let Some(fate) = self.fates.get_mut(&PostId::of("bluesky", uri).to_string()) {
            fate.last = None;
        }
    }

    pub fn posts(&self) -> usize {
        self.fates.len()
    }

    /// The mentions that are there at the end, by lot.
    pub fn live_mentions(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut lots: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (id, fate) in &self.fates {
            let Some(text) = fate.last.as_ref().filter(|text| fate.texts[*text]) else { continue };
            let lot = text.split(' ').find(|word| word.starts_with("lot")).unwrap();
            lots.entry(lot.to_owned()).or_default().insert(id.clone());
        }
        lots
    }

    /// Judges the first sights of one receiver, in the order in which they came.
    pub fn judge(&self, events: &[Received]) -> Verdict {
        let mut verdict = Verdict::default();
        let mut mentions: HashMap<&str, &Received> = HashMap::new();
        let mut urls: HashMap<&str, &str> = HashMap::new();
        let mut threads: HashMap<&str, u64> = HashMap::new();
        for event in events {
            let (data, shown) = (&event.body["data"], || event.body.to_string());
            let id = data["id"].as_str().unwrap_or_default();
            let Some(fate) = self.fates.get(id).filter(|fate| fate.could_say(event)) else {
                verdict.spurious.push(shown());
                continue;
            };
            if let Some(url) = data["url"].as_str()
                && (urls.insert(url, id).is_some_and(|before| before != id) || url != fate.url)
            {
                verdict.two_ids.push(shown());
            }
            let before = mentions.insert(id, event);
            let thread = data["thread"]["id"].as_str().unwrap_or_default();
            let seq_before = threads.insert(thread, event.seq).unwrap_or(0);
            if before.is_some_and(|before| revision(before) >= revision(event)) || seq_before >= event.seq {
                verdict.disordered.push(shown());
            }
        }
        let lost = self.fates.iter().filter(|(id, fate)| !fate.is_told(mentions.get(id.as_str()).copied()));
        verdict.lost = lost.map(|(id, fate)| format!("{id} ended as {:?}", fate.last)).collect();
        verdict
    }
}

impl Fate {
    /// Whether some version of the post gives reason for the event.
    fn could_say(&self, event: &Received) -> bool {
        let data = &event.body["data"];
        let words = || self.texts.get(data["content"]["text"].as_str()?).copied();
        let has_matches = data["matches"].as_array().is_some_and(|matches| !matches.is_empty());
        match event.kind.as_str() {
            "mention.matched" => has_matches && words() == Some(true),
            "mention.updated" => words() == Some(has_matches),
            "mention.deleted" => self.texts.values().any(|has_word| *has_word),
            _ => false,
        }
    }

    /// Whether the last event of the mention says how the post ended.
    fn is_told(&self, last: Option<&Received>) -> bool {
        let said = last.map(|event| (event.kind.as_str(), event.body["data"]["content"]["text"].as_str()));
        match &self.last {
            Some(text) if self.texts[text] => {
                said.is_some_and(|(kind, said)| kind != "mention.deleted" && said == Some(text))
            }
            // Without the word: never heard of, or updated to no match.
            Some(_) => last.is_none_or(|event| {
                event.kind == "mention.updated" && event.body["data"]["matches"].as_array().is_some_and(Vec::is_empty)
            }),
            None => said.is_none_or(|(kind, _)| kind == "mention.deleted"),
        }
    }
}

fn revision(event: &Received) -> u64 {
    event.body["data"]["revision"].as_u64().unwrap_or(0)
}

fn did(author: usize) -> String {
    format!("did:plc:author{author}")
}

fn record_key(post: usize) -> String {
    format!("post{post}")
}

fn uri(post: usize, author: usize) -> String {
    format!("at://{}/app.bsky.feed.post/{}", did(author), record_key(post))
}

/// An event of the first wire.
fn commit(told: &Told, authors: &HashMap<usize, usize>, time_us: u64) -> Value {
    let mut commit = json!({
        "rev": tid(told.order_us),
        "operation": told.operation,
        "collection": "app.bsky.feed.post",
        "rkey": record_key(told.post),
    });
    if let Some(text) = &told.text {
        let mut record = json!({ "$type": "app.bsky.feed.post", "text": text, "langs": ["en"] });
        if let Some((root, parent)) = told.reply {
            let of = |post: usize| json!({ "cid": "b", "uri": uri(post, authors[&post]) });
            record["reply"] = json!({ "root": of(root), "parent": of(parent) });
        }
        commit["record"] = record;
    }
    json!({ "did": did(told.author), "time_us": time_us, "kind": "commit", "commit": commit })
}

fn account_deleted(time_us: u64) -> Value {
    let account = json!({ "did": did(0), "active": false, "status": "deleted", "seq": 1 });
    json!({ "did": did(0), "time_us": time_us, "kind": "account", "account": account })
}

/// Microseconds as a TID, with a clock's id of 0.
fn tid(time_us: u64) -> String {
    const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let number = time_us << 10;
    (0..13).rev().map(|digit| char::from(LETTERS[(number >> (digit * 5)) as usize & 31])).collect()
}

/// A stream, two receivers and what a daemon between them is started with.
pub struct Rig {
    pub stream: Server,
    pub steady: Receiver,
    pub flaky: Receiver,
    directory: TempDir,
}

impl Rig {
    /// `more` is added to the configuration.
    pub async fn start(events: Vec<PlayedEvent>, more: &str) -> Self {
        // Another test of this process may have chosen it already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let directory = tempfile::tempdir().unwrap();
        let events_max = events.len() * 2;
        let stream = Server::start(events, Pace::Own).await.unwrap();
        let mut endpoints = String::new();
        let mut receivers = Vec::new();
        for name in ["steady", "flaky"] {
            let secret = Secret::random();
            std::fs::write(directory.path().join(format!("{name}.secret")), secret.reveal()).unwrap();
            let receiver = Receiver::start_at(([127, 0, 0, 1], 0).into(), vec![secret], events_max).await.unwrap();
            endpoints.push_str(&format!(
                "[endpoint.{name}]\nkind = \"webhook\"\nurl = \"{}\"\nsecret_files = [\"{name}.secret\"]\ntimeout_s = 1\nconnect_timeout_s = 1\n\n",
                receiver.url()
            ));
            receivers.push(receiver);
        }
        let projects = directory.path().join("projects");
        std::fs::create_dir_all(&projects).unwrap();
        std::fs::write(projects.join("zorblax.toml"), PROJECT).unwrap();
        let config = format!(
            "[api]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"\"\n\n[disk]\nfree_min_mb = 0\nfree_min_percent = 0\nfree_red_mb = 0\nballast_mb = 0\n\n[egress]\nallow = [\"127.0.0.0/8\"]\n\n[index]\ncommit_interval_ms = 100\n\n[source.{SOURCE}]\nkind = \"jetstream\"\nhosts = [\"{}\"]\nrewind_s = 1\n\n{endpoints}{more}",
            stream.url()
        );
        std::fs::write(directory.path().join("earful.toml"), config).unwrap();
        let flaky = receivers.pop().unwrap();
        let steady = receivers.pop().unwrap();
        Self { stream, steady, flaky, directory }
    }

    pub fn receivers(&self) -> [(&'static str, &Receiver); 2] {
        [("steady", &self.steady), ("flaky", &self.flaky)]
    }

    pub fn store(&self) -> PathBuf {
        self.directory.path().join("data/store")
    }

    /// The daemon on this rig's files, with these variables.
    pub fn launch(&self, environment: &[(&str, &str)]) -> Launch {
        let binary = std::env::var("EARFUL_BIN").ok().or(option_env!("CARGO_BIN_EXE_earful").map(str::to_owned));
        Launch {
            binary: binary.expect("EARFUL_BIN names the daemon").into(),
            config: self.directory.path().join("earful.toml"),
            socket: socket_path(&self.directory.path().join("data")),
            environment: environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// All that the daemons of this rig have logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.launch(&[]).log()).unwrap_or_default()
    }

    /// Waits until something is so; fails with the daemon's last words if it does not come.
    pub async fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        let mut poll = tokio::time::interval(POLL);
        while !is_so() {
            if tokio::time::Instant::now() > deadline {
                self.fail(&format!("{what}: not within {} s", PATIENCE.as_secs()));
            }
            poll.tick().await;
        }
    }

    pub fn fail(&self, what: &str) -> ! {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
        panic!(
            "{what}; steady {:?}; flaky {:?}; the daemon's log ends:\n{tail}",
            self.steady.stats(),
            self.flaky.stats()
        )
    }
}

/// What a receiver gets if every mention is told once, at its end.
fn told_once(ledger: &Ledger) -> Vec<Received> {
    let mentions = ledger.live_mentions().into_values().flatten();
    let event = |(at, id): (usize, String)| {
        let (fate, seq) = (&ledger.fates[&id], at as u64 + 1);
        let body = json!({ "data": {
            "id": id, "revision": 1, "url": fate.url, "thread": { "id": id },
            "content": { "text": fate.last }, "matches": [WORD],
        }});
        Received {
            id: format!("dlv_{seq}"),
            seq,
            settled: seq - 1,
            epoch: String::new(),
            attempt: 1,
            replay: false,
            kind: "mention.matched".to_owned(),
            body,
            at: clock::now(),
        }
    };
    mentions.enumerate().map(event).collect()
}

#[test]
fn the_ledger_tells_losses_inventions_second_ids_and_disorder() {
    let ledger = Story::new(2_000, 3, Duration::from_secs(1)).ledger;
    let good = told_once(&ledger);
    assert!(good.len() > 50 && ledger.judge(&good).is_clean());
    let judge = |change: &dyn Fn(&mut Vec<Received>)| {
        let mut events = good.clone();
        change(&mut events);
        let Verdict { lost, spurious, two_ids, disordered } = ledger.judge(&events);
        [lost, spurious, two_ids, disordered].map(|list| list.len())
    };
    let again = |events: &mut Vec<Received>, key: &str, value: Value| {
        let mut event = events[0].clone();
        event.seq = 10_000;
        event.body["data"]["revision"] = json!(2);
        event.body["data"][key] = value;
        events.push(event);
    };
    assert_eq!(judge(&|events| drop(events.pop())), [1, 0, 0, 0]);
    assert_eq!(judge(&|events| events[0].kind = "mention.deleted".to_owned()), [1, 0, 0, 0]);
    assert_eq!(judge(&|events| again(events, "content", json!({ "text": "nobody said this" }))), [0, 1, 0, 0]);
    assert_eq!(judge(&|events| again(events, "id", json!("m1_nobody"))), [0, 1, 0, 0]);
    assert_eq!(judge(&|events| again(events, "url", json!("https://bsky.app/elsewhere"))), [0, 0, 1, 0]);
    assert_eq!(judge(&|events| again(events, "revision", json!(1))), [0, 0, 0, 1]);
}
