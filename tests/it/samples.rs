//! Recordings of real servers, where they are at hand: a stream's events and the feeds of ten programs, read by the
//! rooms that they are for, and by the real binary.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use earful::api::socket_path;
use earful::fetch::Client;
use earful::fetch::guard::Guard;
use earful::inlet::Inlet;
use earful::model::{AuthorStatus, Post, PostEvent, PostId, PostKind, Rejected, Timestamp, Wire};
use earful::normalize::{self, feed::Body};
use earful::rig::daemon::{Daemon, Launch};
use earful::rig::feeds::Site;
use earful::sources::Source;
use earful::sources::feeds::{FeedType, Feeds, FeedsSettings, Trouble};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const ARRIVAL_MAX: Duration = Duration::from_secs(20);
/// Files with events of the first wire, one a line, as a real Jetstream sent them.
const STREAMS: [&str; 2] = ["jetstream/corpus_expected_v1.jsonl", "jetstream/golden_v1.jsonl"];

/// Feeds as they were served, with the entries that each of them has.
const FEEDS: [(&str, &str, usize); 16] = [
    ("wordpress/feed_.body", "application/rss+xml; charset=UTF-8", 4),
    ("wordpress/feed_atom_.body", "application/atom+xml; charset=UTF-8", 4),
    ("wordpress/comments_feed_.body", "application/rss+xml; charset=UTF-8", 4),
    ("wordpress/post_comments_feed.xml", "application/rss+xml; charset=UTF-8", 1),
    ("ghost/rss_.b", "application/rss+xml; charset=utf-8", 2),
    ("nodebb-1.4/_recent.rss.b", "application/xml; charset=utf-8", 1),
    ("nodebb-1.4/_topic_1.rss.b", "application/xml; charset=utf-8", 1),
    ("smf-2.1.5/_index_php_action__xml_type_rss2_sa_recent_limit_10.html", "application/rss+xml; charset=UTF-8", 3),
    ("smf-2.1.5/_index_php_action__xml_type_atom_sa_news.html", "application/atom+xml; charset=UTF-8", 2),
    ("mybb-1.8.37/_syndication_php.html", "text/xml; charset=UTF-8", 1),
    ("mybb-1.8.37/_syndication_php_type_atom1_0_limit_5.html", "text/xml; charset=UTF-8", 1),
    ("hyperkitty/_hyperkitty_list_acme_example_org_feed_.b", "application/rss+xml; charset=utf-8", 2),
    ("isso/feed.xml", "text/xml", 1),
    ("askbot/_feeds_rss_.b", "application/rss+xml; charset=utf-8", 1),
    ("askbot/_feeds_question_1_.b", "application/rss+xml; charset=utf-8", 3),
    ("snac2/alice.rss.b", "application/rss+xml; charset=utf-8", 2),
];

/// The recordings: `EARFUL_SHARED`, or a `shared/samples` beside the repository or above it.
fn samples() -> Option<PathBuf> {
    let named = std::env::var_os("EARFUL_SHARED").map(PathBuf::from);
    let source = Path::new(file!()).canonicalize().unwrap_or_else(|_| Path::new(env!("CARGO_MANIFEST_DIR")).to_owned());
    let above = source.ancestors().map(|directory| directory.join("shared"));
    let found = named.into_iter().chain(above).map(|shared| shared.join("samples")).find(|samples| samples.is_dir());
    if found.is_none() {
        println!("no shared/samples beside the repository: nothing is compared with recordings of real servers");
    }
    found
}

/// What a stream of one event a line comes to: the post events, and the rejections by reason.
fn read_stream(file: &Path, wire: Wire) -> (Vec<PostEvent>, BTreeMap<&'static str, usize>) {
    let text = std::fs::read_to_string(file).unwrap();
    let (mut events, mut rejected) = (Vec::new(), BTreeMap::new());
    for line in text.lines() {
        let now: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
        match normalize::events(line.as_bytes().to_vec(), wire, &"stream".into(), now) {
            Ok(found) => events.extend(found.into_iter().map(Result::unwrap)),
            Err(reason) => *rejected.entry(reason.reason()).or_default() += 1,
        }
    }
    (events, rejected)
}

fn posts(events: &[PostEvent]) -> Vec<&Post> {
    let mut posts = Vec::new();
    for event in events {
        if let PostEvent::Upsert { post, .. } = event {
            posts.push(&**post);
        }
    }
    posts
}

#[test]
fn a_recorded_stream_is_read_event_by_event() {
    let Some(samples) = samples() else { return };
    let (events, rejected) = read_stream(&samples.join("jetstream/corpus_expected_v1.jsonl"), Wire::Jetstream);
    let irrelevant = Rejected::Irrelevant.reason();
    assert_eq!(rejected, BTreeMap::from([(irrelevant, 133)]));
    let found = posts(&events);
    let deleted = events.iter().filter(|event| matches!(event, PostEvent::Delete { .. })).count();
    let active = |event: &&PostEvent| matches!(event, PostEvent::Account { status: AuthorStatus::Active, .. });
    assert_eq!((found.len(), deleted, events.iter().filter(active).count()), (17, 1, 1));
    assert!(found.iter().all(|post| post.published_at.is_some() && post.url.is_some() && !post.truncated));
    let first = found[0];
    assert_eq!(first.text, "www.youtube.com/watch?v=V5lD...");
    assert_eq!(first.links, ["https://www.youtube.com/watch?v=V5lDo-jw8mA"]);

    let (events, rejected) = read_stream(&samples.join("jetstream/golden_v1.jsonl"), Wire::Jetstream);
    assert_eq!((events.len(), rejected), (2, BTreeMap::from([(irrelevant, 8)])));
    let reply = posts(&events)[0];
    assert_eq!((reply.kind, reply.text.as_str()), (PostKind::Reply, "Try RSV for a good time !!"));
    assert_eq!(reply.thread.root, reply.thread.parent);

    let (events, rejected) = read_stream(&samples.join("_constructed/jetstream_v2_frames.jsonl"), Wire::JetstreamV2);
    assert_eq!(rejected, BTreeMap::from([(irrelevant, 2)]));
    let [PostEvent::Upsert { post, .. }, PostEvent::Delete { id, .. }, PostEvent::Account { status, .. }] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((post.text.as_str(), post.id, *status), ("acme widgets are great", *id, AuthorStatus::Erased));
}

fn settings(urls: Vec<String>) -> FeedsSettings {
    FeedsSettings {
        urls,
        opml: None,
        poll_interval_s: 900,
        first_poll_age_max_h: 24,
        look_gap_s: 600,
        concurrency: 16,
        body_bytes_max: 4 << 20,
        source_type: FeedType::Blog,
    }
}

/// The post events of each feed, by its path: all feeds of one source are polled once.
async fn poll_all(site: &Site, paths: &[&str]) -> BTreeMap<String, Vec<Result<PostEvent, Rejected>>> {
    let urls = paths.iter().map(|path| format!("{}{path}", site.base())).collect();
    let guard = Guard::new(vec!["127.0.0.0/8".parse().unwrap()]);
    let client = Client::new("", guard).unwrap();
    let mut feeds = Feeds::new("feeds".into(), settings(urls), client, &Trouble::default()).unwrap();
    let arrived = Arc::new(Notify::new());
    let (inlet, mut inbox) = Inlet::new(arrived.clone());
    let stop = CancellationToken::new();
    let token = stop.clone();
    let run = tokio::spawn(async move { feeds.run(Vec::new(), &inlet, &token).await });
    let mut found = BTreeMap::new();
    let all = async {
        while found.len() < paths.len() {
            let Some(waiting) = inbox.take() else {
                arrived.notified().await;
                continue;
            };
            let arrival = &waiting.arrival;
            let body: Body = serde_json::from_slice(&arrival.body).unwrap();
            let path = body.feed.url[site.base().len()..].to_owned();
            let events = normalize::events(arrival.body.clone(), Wire::Feed, &arrival.source, arrival.fetched_at);
            found.insert(path, events.unwrap());
        }
    };
    if tokio::time::timeout(ARRIVAL_MAX, all).await.is_err() {
        let missing: Vec<_> = paths.iter().filter(|path| !found.contains_key(**path)).collect();
        panic!("nothing came of {missing:?}");
    }
    stop.cancel();
    run.await.unwrap();
    found
}

#[tokio::test]
async fn every_entry_of_the_feeds_of_real_programs_becomes_a_post() {
    let Some(samples) = samples() else { return };
    let site = Site::start().await.unwrap();
    let paths: Vec<String> = FEEDS.iter().map(|(file, ..)| format!("/{file}")).collect();
    for ((file, content_type, _), path) in FEEDS.iter().zip(&paths) {
        site.put(path, content_type, std::fs::read_to_string(samples.join(file)).unwrap());
    }
    // Each by a source of its own: of several feeds that list the same entry only one would bring it.
    let mut found = BTreeMap::new();
    for path in &paths {
        found.append(&mut poll_all(&site, &[path]).await);
    }
    let of_one_site: Vec<_> = poll_all(&site, &[&paths[0], &paths[1]]).await.into_values().flatten().collect();
    assert_eq!(of_one_site.len(), 4, "RSS and Atom of one site are the same posts, brought once: {of_one_site:?}");
    let mut counted = 0;
    for (file, _, expected) in FEEDS {
        let events: Vec<_> = found[&format!("/{file}")].iter().map(|event| event.clone().unwrap()).collect();
        let posts = posts(&events);
        assert_eq!(posts.len(), expected, "{file}: {posts:#?}");
        for post in posts {
            assert!(!post.text.is_empty() || post.title.is_some(), "{file}: {post:?}");
            assert!(!post.text.contains("]]>") && !post.text.contains("</"), "{file}: markup in {:?}", post.text);
            // NodeBB dates a topic without replies "Invalid Date".
            let is_dated =
                post.published_at.is_some() || post.url.as_deref().is_some_and(|url| url.ends_with("/post/1"));
            assert!(is_dated, "{file}: no date in {post:?}");
        }
        counted += expected;
    }
    println!("{} feeds of real programs, {counted} entries", FEEDS.len());
}

/// A directory for the binary: a project with this query, whose mentions go to a file.
struct House(tempfile::TempDir);

impl House {
    fn new(query: &str, sources: &str) -> Self {
        let house = Self(tempfile::tempdir().unwrap());
        let config = format!(
            "[api]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"\"\n\n[disk]\nfree_min_mb = 0\nfree_min_percent = 0\nfree_red_mb = 0\n\
             ballast_mb = 0\n\n[egress]\nallow = [\"127.0.0.0/8\"]\n\n[endpoint.file]\nkind = \"ndjson\"\npath = \"mentions.ndjson\"\n\n{sources}"
        );
        std::fs::write(house.path("earful.toml"), config).unwrap();
        std::fs::create_dir(house.path("projects")).unwrap();
        let project = format!("query_language = 1\nendpoints = [\"file\"]\n[query.all]\ntext = '{query}'\n");
        std::fs::write(house.path("projects/all.toml"), project).unwrap();
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn launch(&self) -> Launch {
        Launch {
            binary: env!("CARGO_BIN_EXE_earful").into(),
            config: self.path("earful.toml"),
            socket: socket_path(&self.path("data")),
            environment: Vec::new(),
        }
    }

    /// The events that were delivered, in their order.
    fn delivered(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("mentions.ndjson")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Every post of a stream with its text, by its id, and how many are deleted: from the events as they are, without our
/// own reader.
fn told_by(events: &[Value]) -> (BTreeMap<String, String>, usize) {
    let (mut posts, mut deleted) = (BTreeMap::new(), 0);
    for event in events.iter().filter(|event| event["commit"]["collection"] == "app.bsky.feed.post") {
        let commit = &event["commit"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let uri = format!("at://{}/app.bsky.feed.post/{}", text(&event["did"]), text(&commit["rkey"]));
        match commit["operation"].as_str() {
            Some("delete") => deleted += 1,
            _ => drop(posts.insert(PostId::of("bluesky", &uri).to_string(), text(&commit["record"]["text"]))),
        }
    }
    (posts, deleted)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_delivers_every_post_of_a_recorded_stream() {
    let Some(samples) = samples() else { return };
    let lines = STREAMS.map(|file| std::fs::read_to_string(samples.join(file)).unwrap()).concat();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (posts, deleted) = told_by(&events);
    let house = House::new("site:bsky.app", "");
    let line =
        |(at, event): (usize, &Value)| format!("{}\n", json!({ "at_ms": at, "wire": "jetstream", "body": event }));
    let tape = house.path("tape.ndjson");
    std::fs::write(&tape, events.iter().enumerate().map(line).collect::<String>()).unwrap();
    let mut command = Command::new(house.launch().binary);
    command.arg("replay").arg(&tape).arg("--config").arg(house.path("earful.toml"));
    // To the binary every variable of the tests is a key of its configuration.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EARFUL_")) {
        command.env_remove(name);
    }
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let delivered = house.delivered();
    let told = |event: &Value| {
        let data = &event["data"];
        assert_eq!(event["type"], "mention.matched", "{event}");
        (data["id"].as_str().unwrap().to_owned(), data["content"]["text"].as_str().unwrap().to_owned())
    };
    assert_eq!(delivered.len(), posts.len());
    assert_eq!(delivered.iter().map(told).collect::<BTreeMap<_, _>>(), posts);
    let daemon = Daemon::start(house.launch()).await.unwrap();
    let totals = daemon.status().await.unwrap()["totals"].clone();
    let count = |name: &str| totals[name].as_u64().unwrap_or(0) as usize;
    assert_eq!((count("events"), count("posts_created")), (events.len(), posts.len()), "{totals}");
    assert_eq!(count("posts_deleted"), deleted, "{totals}");
    daemon.stop().await.unwrap();
    println!("a recorded stream through the binary: {} events, {} posts", events.len(), posts.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_binary_delivers_every_entry_of_the_feeds_of_real_programs() {
    let Some(samples) = samples() else { return };
    rustls::crypto::ring::default_provider().install_default().ok();
    let site = Site::start().await.unwrap();
    let paths: Vec<String> = FEEDS.iter().map(|(file, ..)| format!("/{file}")).collect();
    for ((file, content_type, _), path) in FEEDS.iter().zip(&paths) {
        site.put(path, content_type, std::fs::read_to_string(samples.join(file)).unwrap());
    }
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let found: Vec<PostEvent> = poll_all(&site, &paths).await.into_values().flatten().map(Result::unwrap).collect();
    let posts = posts(&found);
    let ids: BTreeSet<String> = posts.iter().map(|post| post.id.to_string()).collect();
    // An entry without a date may be of any age: a first poll keeps it and tells nobody.
    let dated = posts.iter().filter(|post| post.published_at.is_some());
    let dated: BTreeSet<String> = dated.map(|post| post.id.to_string()).collect();
    let sites: BTreeSet<&str> = posts.iter().map(|post| &*post.site).collect();
    let query = sites.iter().map(|site| format!("site:{site}")).collect::<Vec<_>>().join(" OR ");
    let urls: Vec<String> = paths.iter().map(|path| format!("{}{path}", site.base())).collect();
    let sources = format!("[source.feeds]\nkind = \"feeds\"\nurls = {urls:?}\nfirst_poll_age_max_h = 87600\n");
    let house = House::new(&query, &sources);
    let daemon = Daemon::start(house.launch()).await.unwrap();
    let is_read = |status: &Value| {
        let endpoint = &status["endpoints"]["file"];
        status["sources"]["feeds"]["totals"]["events"].as_u64() >= Some(posts.len() as u64)
            && endpoint["delivered"].as_u64() >= Some(dated.len() as u64)
            && endpoint["pending"] == 0
    };
    let status = daemon.wait_until(ARRIVAL_MAX, is_read).await.unwrap();
    let totals = &status["sources"]["feeds"]["totals"];
    assert_eq!((&totals["events"], &totals["posts_created"]), (&json!(posts.len()), &json!(ids.len())), "{totals}");
    let delivered = house.delivered();
    let told: BTreeSet<String> =
        delivered.iter().map(|event| event["data"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(told, dated);
    daemon.stop().await.unwrap();
    println!("feeds through the binary: {} entries, {} posts, {} told", posts.len(), ids.len(), dated.len());
}
