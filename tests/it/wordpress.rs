//! A real WordPress, polled by the real binary: what its owner publishes, edits and trashes through its own interface
//! is followed at the receiver. `tests/real/run.sh` starts one; without `$EARFUL_WORDPRESS` this is left out.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use earful::rig::daemon::{Daemon, Launch};
use earful::rig::receiver::{Received, Receiver, Stats};
use earful::sinks::sign::Secret;

/// How long a change may take to be polled, looked up twice if need be, decided and delivered.
const PATIENCE: Duration = Duration::from_secs(60);

/// The site, spoken to as its owner does.
struct Site {
    address: String,
    user: String,
    password: String,
    client: reqwest::Client,
}

impl Site {
    /// The site that the environment names.
    fn find() -> Option<Self> {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let Some(address) = of("EARFUL_WORDPRESS") else {
            let note = "EARFUL_WORDPRESS names no WordPress; tests/real/run.sh starts one";
            assert_ne!(of("EARFUL_REQUIRE_WORDPRESS").as_deref(), Some("1"), "{note}");
            println!("left out: {note}");
            return None;
        };
        let said = |name: &str| of(name).unwrap_or_else(|| panic!("{name} is not set"));
        Some(Self {
            address,
            user: said("EARFUL_WORDPRESS_USER"),
            password: said("EARFUL_WORDPRESS_PASSWORD"),
            client: reqwest::Client::builder().timeout(PATIENCE).build().unwrap(),
        })
    }

    /// A request to its REST API.
    async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/wp-json/wp/v2/{path}", self.address);
        let request = self.client.request(method, url).basic_auth(&self.user, Some(&self.password)).json(&body);
        let answer = request.send().await.unwrap();
        let (status, answer) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {answer}");
        answer
    }

    async fn publish(&self, title: &str, content: &str) -> Value {
        self.ask(Method::POST, "posts", json!({"title": title, "content": content, "status": "publish"})).await
    }

    async fn status(&self, url: &str) -> u16 {
        self.client.get(url).send().await.unwrap().status().as_u16()
    }
}

/// The daemon with a receiver, and what was received of it so far.
struct Watch {
    daemon: Daemon,
    receiver: Receiver,
    seen: usize,
    _directory: TempDir,
}

impl Watch {
    async fn start(site: &Site) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let secret = Secret::random();
        let receiver = Receiver::start(vec![secret.clone()]).await.unwrap();
        let place = |name: &str| directory.path().join(name);
        std::fs::create_dir(place("projects")).unwrap();
        std::fs::write(place("secret"), secret.reveal()).unwrap();
        std::fs::write(place("projects/kestrelo.toml"), PROJECT).unwrap();
        std::fs::write(place("earful.toml"), config(&site.address, &receiver.url())).unwrap();
        let launch = Launch {
            binary: binary(),
            config: place("earful.toml"),
            socket: earful::api::socket_path(&place("data")),
            environment: Vec::new(),
        };
        let daemon = Daemon::start(launch).await.unwrap();
        Self { daemon, receiver, seen: 0, _directory: directory }
    }

    /// The next so many events.
    async fn next(&mut self, count: usize) -> Vec<Received> {
        let wanted = self.seen + count;
        self.receiver.wait_until(|stats| stats.accepted >= wanted as u64, PATIENCE).await;
        let events = self.receiver.events();
        for event in &events[self.seen..] {
            println!("{} {} seq {}: {}", event.at, event.kind, event.seq, event.body["data"]);
        }
        assert_eq!(events.len(), wanted, "{:?}", self.receiver.stats());
        events[std::mem::replace(&mut self.seen, wanted)..].to_vec()
    }

    /// Until the daemon knows that everything was received.
    async fn until_acknowledged(&self) {
        let delivered = json!(self.seen);
        let is_reached = |status: &Value| status["endpoints"]["desk"]["delivered"] == delivered;
        self.daemon.wait_until(PATIENCE, is_reached).await.unwrap();
    }

    async fn one(&mut self, kind: &str) -> Value {
        let event = self.next(1).await.remove(0);
        assert_eq!(event.kind, kind);
        event.body["data"].clone()
    }
}

const PROJECT: &str = "
query_language = 1
endpoints = ['desk']
[query.brand]
text = 'Kestrelo'
";

fn config(site: &str, receiver: &str) -> String {
    format!(
        "
        data_dir = 'data'
        projects_dir = 'projects'
        [api]
        listen = '127.0.0.1:0'
        token_file = ''
        [disk]
        free_min_mb = 1
        free_min_percent = 0
        free_red_mb = 1
        ballast_mb = 0
        [egress]
        allow = ['127.0.0.0/8']
        [source.blog]
        kind = 'feeds'
        urls = ['{site}/feed/', '{site}/comments/feed/']
        poll_interval_s = 1
        look_gap_s = 1
        [endpoint.desk]
        kind = 'webhook'
        url = '{receiver}'
        secret_files = ['secret']
        "
    )
}

fn binary() -> PathBuf {
    let named = std::env::var_os("EARFUL_BIN").or(option_env!("CARGO_BIN_EXE_earful").map(Into::into));
    named.expect("EARFUL_BIN names the binary").into()
}

fn text<'a>(data: &'a Value, pointer: &str) -> &'a str {
    data.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no {pointer} in {data}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_in_a_wordpress_is_followed_at_the_receiver() {
    // Another test may have done it.
    rustls::crypto::ring::default_provider().install_default().ok();
    let Some(site) = Site::find() else { return };
    let mut watch = Watch::start(&site).await;

    let praise = "<!-- wp:paragraph --><p>The <b>Kestrelo</b> kettle boils a litre in two minutes &amp; keeps it hot. \
                  It's the quietest one that I have had in this kitchen.</p><!-- /wp:paragraph -->";
    let post = site.publish("A week with the Kestrelo 3", praise).await;
    let matched = watch.one("mention.matched").await;
    assert_eq!(text(&matched, "/url"), text(&post, "/link"));
    assert_eq!(text(&matched, "/kind"), "article");
    assert_eq!(text(&matched, "/author/name"), site.user);
    assert_eq!(text(&matched, "/content/title"), "A week with the Kestrelo 3");
    assert_eq!(
        text(&matched, "/content/text"),
        "The Kestrelo kettle boils a litre in two minutes & keeps it hot. It’s the quietest one that I have had in this \
         kitchen."
    );
    assert_eq!(text(&matched, "/content/lang/code"), "en");
    assert!(text(&matched, "/times/published_at").starts_with(text(&post, "/date_gmt")), "{matched}");
    assert_eq!(matched.pointer("/thread/parent_id"), None);

    // Often within the second of the publication, which WordPress's validators cannot tell from it.
    let complaint = "<p>The Kestrelo kettle leaks after a week, and the shop does not answer my letters any more.</p>";
    site.ask(Method::POST, &format!("posts/{}", post["id"]), json!({"content": complaint})).await;
    let updated = watch.one("mention.updated").await;
    assert_eq!(text(&updated, "/id"), text(&matched, "/id"));
    assert_eq!(text(&updated, "/url"), text(&post, "/link"));
    assert_eq!(text(&updated, "/content/text"), &complaint[3..complaint.len() - 4]);
    assert_eq!((&matched["revision"], &updated["revision"]), (&json!(1), &json!(2)));

    let words = "Mně taky teče. Kestrelo neodpovídá už třetí týden a peníze zpátky jsem ještě neviděl.";
    let comment = json!({
        "post": post["id"], "content": words, "status": "approved",
        "author_name": "Jaroslav", "author_email": "jaroslav@example.org",
    });
    let comment = site.ask(Method::POST, "comments", comment).await;
    let answer = watch.one("mention.matched").await;
    assert_ne!(text(&answer, "/id"), text(&matched, "/id"));
    assert_eq!(text(&answer, "/url"), text(&comment, "/link"));
    assert_eq!(text(&answer, "/kind"), "comment");
    assert_eq!(text(&answer, "/author/name"), "Jaroslav");
    assert_eq!((text(&answer, "/content/text"), text(&answer, "/content/lang/code")), (words, "cs"));
    assert_eq!(text(&answer, "/thread/id"), text(&matched, "/thread/id"), "it stands in the thread of its post");
    assert_eq!(text(&answer, "/thread/parent_id"), text(&matched, "/id"));
    assert_eq!(text(&answer, "/thread/parent/text"), text(&updated, "/content/text"));

    // What is known of the feeds outlives a crash: nothing is told again. An event whose acknowledgement the crash had
    // taken would be.
    watch.until_acknowledged().await;
    watch.daemon = watch.daemon.kill_and_restart().await.unwrap();

    let link = text(&post, "/link");
    assert_eq!(site.status(link).await, 200);
    site.ask(Method::DELETE, &format!("posts/{}", post["id"]), json!({})).await;
    assert_eq!(site.status(link).await, 404);
    let gone = watch.next(2).await;
    assert!(gone.iter().all(|event| event.kind == "mention.deleted"), "{gone:?}");
    let ids: BTreeSet<&str> = gone.iter().map(|event| text(&event.body, "/data/id")).collect();
    assert_eq!(ids, BTreeSet::from([text(&matched, "/id"), text(&answer, "/id")]), "a comment goes with its post");

    // The next event is of the next post, so nothing was told in between.
    let last = site.publish("One more kettle", "<p>Nobody answers at Kestrelo, so I bought another one.</p>").await;
    let matched = watch.one("mention.matched").await;
    assert_eq!(text(&matched, "/url"), text(&last, "/link"));
    let stats = watch.receiver.stats();
    let Watch { daemon, receiver, .. } = watch;
    daemon.stop().await.unwrap();
    assert_eq!(receiver.stats(), stats, "nothing more at the end");
    let by_type = [("mention.deleted", 2), ("mention.matched", 3), ("mention.updated", 1)];
    let by_type = by_type.map(|(kind, count)| (kind.to_owned(), count)).into();
    let expected = Stats { requests: 6, verified: 6, accepted: 6, by_type, ..Stats::default() };
    assert_eq!(stats, expected, "each event came once, in order and with a good signature");
    let seqs: Vec<u64> = receiver.events().iter().map(|event| event.seq).collect();
    assert!(seqs.is_sorted_by(|one, next| one < next), "{seqs:?}");
}
