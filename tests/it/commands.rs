//! The real binary as an operator meets it: its commands beside a running daemon, its exit codes, its signals.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use earful::api::socket_path;
use earful::rig::daemon::{Daemon, Launch};
use earful::rig::jetstream::PlayedEvent;
use earful::rig::receiver::{Receiver, Reply};
use earful::sinks::sign::Secret;
use earful::store::Family;

use super::support::{Ledger, PATIENCE, Rig, Story};

const TOKEN: &str = "eft_desk0000000000000000000000000000";
/// No deliveries are under way for longer than this when a daemon stops.
const DRAIN_S: u64 = 1;
/// How long a stop may take that has nothing to wait for but a client that says nothing.
const STOP_MAX: Duration = Duration::from_secs(DRAIN_S + 15);
const POLL: Duration = Duration::from_millis(50);
const QUERIES: [&str; 5] = ["tea", "green tea", "\"black tea\"", "tea* NOT green", "author:ann"];

/// A directory with all that a daemon needs: a partner that pushes, one endpoint, one project that looks for tea.
struct House {
    directory: TempDir,
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))
    }

    /// Fails unless this is the exit code, and both outputs together say this.
    fn expect(self, code: i32, said: &str) -> Self {
        let all = format!("{}{}", self.out, self.err);
        assert!(self.code == code && all.contains(said), "expected {code} and `{said}`: {self:?}");
        self
    }
}

impl House {
    fn new(endpoint: &str) -> Self {
        // Another test of this process may have chosen it already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let house = Self { directory: tempfile::tempdir().unwrap() };
        house.write("desk.token", TOKEN);
        house.write("earful.toml", &config(endpoint));
        house.write("projects/tea.toml", &project("tea OR author:ann"));
        house
    }

    fn with_file() -> Self {
        Self::new("kind = \"ndjson\"\npath = \"mentions.ndjson\"\n")
    }

    async fn with_receiver() -> (Self, Receiver, Secret) {
        let secret = Secret::random();
        let receiver = Receiver::start(vec![secret.clone()]).await.unwrap();
        let house = Self::new(&format!(
            "kind = \"webhook\"\nurl = \"{}\"\nsecret_files = [\"hook.secret\"]\ntimeout_s = 2\nconnect_timeout_s = 1\n",
            receiver.url()
        ));
        house.write("hook.secret", &secret.reveal());
        (house, receiver, secret)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn launch(&self) -> Launch {
        self.launch_on(&self.path("data"))
    }

    /// With the data in another directory.
    fn launch_on(&self, data: &Path) -> Launch {
        Launch {
            binary: binary(),
            config: self.path("earful.toml"),
            socket: socket_path(data),
            environment: vec![("EARFUL_DATA_DIR".to_owned(), data.to_string_lossy().into_owned())],
        }
    }

    async fn start(&self) -> Daemon {
        Daemon::start(self.launch()).await.unwrap_or_else(|cause| panic!("{cause}\n{}", self.log()))
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.launch().log()).unwrap_or_default()
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        run(&self.launch(), arguments)
    }

    /// Posts pushed by the partner: each an id, a title if there is one, and a text. Answered once they are durable.
    async fn push(&self, posts: &[Value]) {
        let body: String = posts.iter().map(|post| format!("{post}\n")).collect();
        let client = reqwest::Client::builder().unix_socket(self.launch().socket).build().unwrap();
        let request = client.post("http://earful/v1/posts").bearer_auth(TOKEN).body(body);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["accepted"], posts.len(), "{answer}");
    }

    /// Waits until search sees so many mentions and no delivery waits.
    async fn until_settled(&self, daemon: &Daemon, mentions: u64) -> Value {
        let is_settled = |status: &Value| {
            let pending = status["endpoints"]["inbox"]["pending"].as_u64();
            status["indexed"] == mentions && status["index_lag_rows"] == 0 && pending == Some(0)
        };
        daemon.wait_until(PATIENCE, is_settled).await.unwrap_or_else(|cause| panic!("{cause}\n{}", self.log()))
    }
}

fn binary() -> PathBuf {
    env!("CARGO_BIN_EXE_earful").into()
}

fn config(endpoint: &str) -> String {
    format!(
        "[api]\nlisten = \"127.0.0.1:0\"\ntoken_file = \"\"\n\n[disk]\nfree_min_mb = 0\nfree_min_percent = 0\nfree_red_mb = 0\n\
         ballast_mb = 0\n\n[index]\ncommit_interval_ms = 50\n\n[delivery]\ndrain_s = {DRAIN_S}\n\n[egress]\nallow = [\"127.0.0.0/8\"]\n\n\
         [source.desk]\nkind = \"push\"\ntoken_file = \"desk.token\"\n\n[endpoint.inbox]\n{endpoint}"
    )
}

fn project(query: &str) -> String {
    format!("query_language = 1\nendpoints = [\"inbox\"]\n\n[query.tea]\ntext = '{query}'\n")
}

fn posts(count: usize) -> Vec<Value> {
    let kinds = ["green tea", "black tea", "tea and biscuits", "no tea at all, coffee"];
    let post = |at: usize| json!({ "id": at.to_string(), "text": kinds[at % 4], "author": { "handle": if at.is_multiple_of(3) { "ann" } else { "bob" } } });
    (0..count).map(post).collect()
}

/// A command on the files of a launch. What is set for this process is no key of its configuration.
fn command(launch: &Launch, arguments: &[&str]) -> Command {
    let mut command = Command::new(&launch.binary);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"EARFUL_")) {
        command.env_remove(name);
    }
    command.args(arguments).arg("--config").arg(&launch.config).envs(launch.environment.iter().cloned());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(launch: &Launch, arguments: &[&str]) -> Ended {
    let output = command(launch, arguments).output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The ids that `earful search` finds for each query.
fn search_all(launch: &Launch) -> BTreeMap<&'static str, BTreeSet<String>> {
    let ids = |query: &str| {
        let found = run(launch, &["search", query, "--limit", "1000", "--json"]).expect(0, "").json();
        let mentions = found["mentions"].as_array().unwrap().iter();
        mentions.map(|mention| mention["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    QUERIES.into_iter().map(|query| (query, ids(query))).collect()
}

fn send(daemon: &Daemon, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(daemon.id()).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

/// Status and text of a path over the socket.
async fn get(launch: &Launch, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder().unix_socket(launch.socket.clone()).build().unwrap();
    let answer = client.get(format!("http://earful{path}")).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The value of every series, as `name{labels}`.
async fn metrics(launch: &Launch) -> (String, BTreeMap<String, f64>) {
    let (status, text) = get(launch, "/metrics").await;
    assert_eq!(status, 200);
    let samples = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit_once(' '));
    let values = samples.map(|(series, value)| (series.to_owned(), value.parse().unwrap())).collect();
    (text, values)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_daemon_is_another_store_with_the_same_answers() {
    let house = House::with_file();
    let daemon = house.start().await;
    house.push(&posts(60)).await;
    let before = house.until_settled(&daemon, 60).await;
    let found = search_all(&house.launch());
    assert!(found.values().all(|ids| !ids.is_empty()), "{found:?}");
    let target = house.path("backup");
    let target = target.to_str().unwrap();
    let made = house.run(&["backup", target, "--json"]).expect(0, "").json();
    assert!(made["bytes"].as_u64() > Some(0) && made["target"] == target, "{made}");
    house.run(&["backup", target]).expect(2, target);
    // What comes after it is not in it.
    house.push(&[json!({ "id": "late", "text": "late tea" })]).await;
    daemon.stop().await.unwrap();

    let launch = house.launch_on(Path::new(target));
    let daemon = Daemon::start(launch.clone()).await.unwrap_or_else(|cause| panic!("{cause}\n{}", house.log()));
    let after = house.until_settled(&daemon, 60).await;
    assert_ne!(before["epoch"], after["epoch"]);
    assert_eq!(search_all(&launch), found);
    daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_built_anew_gives_the_same_answers() {
    let house = House::with_file();
    let daemon = house.start().await;
    house.push(&posts(80)).await;
    house.until_settled(&daemon, 80).await;
    let found = search_all(&house.launch());
    house.run(&["index", "rebuild"]).expect(0, "80 mentions are indexed");
    assert_eq!(search_all(&house.launch()), found);
    assert_eq!(house.run(&["index", "rebuild", "--json"]).expect(0, "").json(), json!({ "mentions": 80 }));
    assert_eq!(search_all(&house.launch()), found);
    daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_is_tried_on_the_stored_posts_before_it_is_saved() {
    let house = House::with_file();
    let daemon = house.start().await;
    house.push(&posts(80)).await;
    house.until_settled(&daemon, 80).await;
    let found = house.run(&["query", "preview", "coffee", "--json"]).expect(0, "").json();
    assert_eq!((&found["done"], &found["posts"], &found["matches"]), (&json!(true), &json!(80), &json!(20)), "{found}");
    assert_eq!(found["samples"].as_array().unwrap().len(), 10);
    assert_eq!(found["by_source"], json!({ "desk": 20 }));
    let changed = ["query", "preview", "coffee", "--old", "tea NOT coffee", "--samples", "1", "--json"];
    let found = house.run(&changed).expect(0, "").json();
    assert_eq!((&found["gained"]["posts"], &found["lost"]["posts"]), (&json!(20), &json!(60)), "{found}");
    house.run(&["query", "preview", "nothing"]).expect(1, "0 of 80 stored posts match");
    house.run(&["query", "preview", "tea AND"]).expect(2, "missing_term");
    let client = reqwest::Client::builder().unix_socket(house.launch().socket).build().unwrap();
    let why = json!({ "text": "tea NEAR/0 biscuits", "post_id": found["lost"]["samples"][0]["id"] });
    let answer = client.post("http://earful/v1/query/why").json(&why).send().await.unwrap();
    let explained: Value = answer.json().await.unwrap();
    assert_eq!(explained["truth"], "no", "{explained}");
    daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_of_what_a_reply_answers_is_live_and_searched_alike() {
    let house = House::with_file();
    house.write("projects/tea.toml", &project("tea parent:(coffee OR cocoa)"));
    let daemon = house.start().await;
    let post = |id: &str, text: &str, parent: Option<&str>| json!({ "id": id, "text": text, "reply_to": parent });
    house.push(&[post("a", "out of coffee", None)]).await;
    // Its parent is stored; its parent comes in the same batch; its parent says something else, or was never seen.
    house.push(&[post("b", "tea then", Some("a")), post("c", "no cocoa", None), post("d", "tea?", Some("c"))]).await;
    house
        .push(&[post("e", "tea again", Some("b")), post("f", "tea too", Some("unseen")), post("g", "tea", None)])
        .await;
    house.until_settled(&daemon, 2).await;
    let search = ["search", "tea parent:(coffee OR cocoa)", "--json"];
    let found = house.run(&search).expect(0, "").json();
    let texts: BTreeSet<&str> =
        found["mentions"].as_array().unwrap().iter().map(|found| found["text"].as_str().unwrap()).collect();
    assert_eq!(texts, BTreeSet::from(["tea then", "tea?"]));
    house.run(&["search", "tea NOT parent:cocoa"]).expect(0, "tea then");
    daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_listed_and_made_to_wait_again_under_its_id() {
    let (house, refusing, secret) = House::with_receiver().await;
    refusing.set_behaviour(Box::new(|_, _| Reply::Status(400)));
    let daemon = house.start().await;
    house.push(&posts(1)).await;
    let dead = |status: &Value| status["endpoints"]["inbox"]["dead"] == 1;
    daemon.wait_until(PATIENCE, dead).await.unwrap_or_else(|cause| panic!("{cause}\n{}", house.log()));
    assert_eq!(refusing.stats().requests, 3, "a message that is refused is tried three times");

    let listed = house.run(&["deliveries", "list", "--state", "dead", "--json"]).expect(0, "").json();
    let listed = listed["deliveries"].as_array().unwrap();
    assert_eq!((listed.len(), &listed[0]["reason"], &listed[0]["state"]), (1, &json!("refused"), &json!("dead")));
    let id = listed[0]["id"].as_str().unwrap();
    house.run(&["deliveries", "list", "--state", "dead", "--endpoint", "inbox"]).expect(0, id);
    assert_eq!(house.run(&["deliveries", "show", id]).expect(0, "").json()["body"]["type"], "mention.matched");
    for arguments in [["deliveries", "list", "--endpoint", "inbux"], ["deliveries", "retry", "--endpoint", "inbux"]] {
        house.run(&arguments).expect(2, "there is no endpoint `inbux`; did you mean `inbox`?");
    }
    house.run(&["endpoint", "test", "elsewhere"]).expect(2, "there is no endpoint `elsewhere`; known are inbox");

    let address = refusing.address();
    refusing.stop().await;
    let well = Receiver::start_at(address, vec![secret], 100).await.unwrap();
    let retried = house.run(&["deliveries", "retry", "--endpoint", "inbox", "--json"]).expect(0, "").json();
    assert_eq!(retried, json!({ "retried": 1 }));
    let status = house.until_settled(&daemon, 1).await;
    let events = well.events();
    assert_eq!((events.len(), events[0].id.as_str(), events[0].replay), (1, id, true));
    let count = |key: &str| status["endpoints"]["inbox"][key].as_u64().unwrap();
    assert_eq!(["created", "delivered", "dead", "superseded", "pending"].map(count), [1, 1, 0, 0, 0]);

    let queued = house.run(&["endpoint", "test", "inbox", "--json"]).expect(0, "").json();
    assert!(well.wait_until(|stats| stats.by_type.contains_key("endpoint.test"), PATIENCE).await);
    assert!(well.accepted().contains(queued["id"].as_str().unwrap()));
    daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn status_says_why_and_since_when_an_endpoint_fails_and_search_shows_titles() {
    let (house, receiver, _) = House::with_receiver().await;
    receiver.set_behaviour(Box::new(|_, _| Reply::RetryAfter(503, 600)));
    let daemon = house.start().await;
    house.push(&[json!({ "id": "1", "title": "Seven teas", "text": "and a tea shop" })]).await;
    let failing =
        |status: &Value| status["endpoints"]["inbox"]["clock"]["state"] == "failing" && status["indexed"] == 1;
    daemon.wait_until(PATIENCE, failing).await.unwrap_or_else(|cause| panic!("{cause}\n{}", house.log()));
    let said = house.run(&["status"]).expect(0, "inbox  webhook  failing").out;
    let line = said.lines().find(|line| line.contains("unavailable")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.contains("since 20") && line.contains("next attempt 20"), "{line}");
    let found = house.run(&["search", "tea"]).expect(0, "    Seven teas\n    and a tea shop\n").out;
    assert!(!found.contains('\x1b'), "{found}");
    house.run(&["search", "coffee"]).expect(1, "");
    daemon.stop().await.unwrap();
}

/// The events of a story as a recording.
fn tape(events: &[PlayedEvent]) -> String {
    let line = |event: &PlayedEvent| json!({ "at_ms": event.at_ms, "wire": "jetstream", "body": event.body });
    events.iter().map(|event| format!("{}\n", line(event))).collect()
}

fn sights(receiver: &Receiver) -> u64 {
    receiver.stats().by_type.values().sum()
}

fn judge(rig: &Rig, ledger: &Ledger) {
    for (name, receiver) in rig.receivers() {
        let (verdict, stats) = (ledger.judge(&receiver.events()), receiver.stats());
        if !verdict.is_clean() || stats.conflicting_body + stats.bad_signature > 0 {
            rig.fail(&format!("{name}: {verdict:?}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_killed_half_way_goes_on_and_brings_every_line_once() {
    let Story { events, ledger } = Story::new(6_000, 17, Duration::from_secs(6));
    let lines = events.len();
    let recording = tape(&events);
    // The stream of the rig is not asked: a replay has the recording for its one source.
    let rig = Rig::start(events, "").await;
    let launch = rig.launch(&[]);
    let file = launch.config.with_file_name("tape.ndjson");
    std::fs::write(&file, recording).unwrap();
    let file = file.to_str().unwrap();

    let mut first = command(&launch, &["replay", file, "--factor", "1"]).stderr(Stdio::null()).spawn().unwrap();
    rig.until("mentions", || sights(&rig.steady) >= 100).await;
    first.kill().unwrap();
    first.wait().unwrap();

    let second = run(&launch, &["replay", file]).expect(0, "goes on at line");
    let line = second.err.split("goes on at line ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!((2..=lines).contains(&line.parse().unwrap()), "killed at line {line} of {lines}");
    judge(&rig, &ledger);
    let seen = sights(&rig.steady);
    run(&launch, &["replay", file]).expect(0, &format!("goes on at line {} of {file}; --again", lines + 1));

    let daemon =
        Daemon::start(rig.launch(&[("EARFUL_SOURCE__STREAM__HOSTS", "[\"ws://127.0.0.1:1\"]")])).await.unwrap();
    let (_, values) = metrics(&launch).await;
    let of_replay = |(series, value): (&String, &f64)| {
        (series.starts_with("earful_events_total{") && series.contains("\"replay-tape-")).then_some(*value)
    };
    let read: Vec<f64> = values.iter().filter_map(of_replay).collect();
    assert_eq!(read, [lines as f64], "posts in = lines");
    daemon.stop().await.unwrap();

    let again = run(&launch, &["replay", file, "--again"]).expect(0, "");
    assert!(!again.err.contains("goes on at line"), "{again:?}");
    assert_eq!(sights(&rig.steady), seen, "what is known already tells nobody anything");
    judge(&rig, &ledger);
    println!("replay: {lines} lines, killed at {line}, {seen} events seen");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_recordings_of_one_name_are_each_played_and_a_missing_one_is_told() {
    let house = House::with_file();
    for directory in ["a", "b"] {
        let push = format!("{{\"token\":\"x\",\"networks\":[]}}\n{}", json!({ "id": directory, "text": "tea" }));
        house.write(
            &format!("{directory}/tape.ndjson"),
            &json!({ "at_ms": 0, "wire": "push", "body": push }).to_string(),
        );
        house.run(&["replay", house.path(directory).join("tape.ndjson").to_str().unwrap()]).expect(0, "");
        let delivered = std::fs::read_to_string(house.path("mentions.ndjson")).unwrap();
        assert_eq!(delivered.lines().count(), if directory == "a" { 1 } else { 2 }, "{delivered}");
    }
    let broken = house.path("broken.ndjson");
    std::fs::write(&broken, "this is no line of a recording\n").unwrap();
    house.run(&["replay", broken.to_str().unwrap()]).expect(74, "failed before its end");
    house.run(&["replay", "nowhere.ndjson"]).expect(2, "nowhere.ndjson: No such file");
    house.run(&["replay", house.path("a").to_str().unwrap()]).expect(2, "is no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_fail_has_its_exit_code() {
    let house = House::with_file();
    house.write("projects/tea.toml", &project("tea OR (coffee"));
    house.run(&["run"]).expect(78, "projects/tea.toml:5:16");
    house.write("projects/tea.toml", &project("tea"));
    let daemon = house.start().await;
    house.run(&["run"]).expect(74, "is in use");
    daemon.stop().await.unwrap();

    // From here on there is a set that is kept.
    for (name, harm) in [("tea.toml:5", "tea OR (coffee"), ("no such directory", "")] {
        match harm {
            "" => std::fs::remove_dir_all(house.path("projects")).unwrap(),
            query => house.write("projects/tea.toml", &project(query)),
        }
        let daemon = house.start().await;
        let (status, text) = get(&house.launch(), "/readyz").await;
        let ready: Value = serde_json::from_str(&text).unwrap();
        let reasons = ready["reasons"].to_string();
        assert!(
            status == 200 && reasons.contains("the last valid set is in force") && reasons.contains(name),
            "{text}"
        );
        assert_eq!(daemon.status().await.unwrap()["queries"], 1);
        daemon.stop().await.unwrap();
    }

    let store = house.path("data/store");
    let names = Family::ALL.map(Family::name);
    let db = rocksdb::DB::open_cf(&rocksdb::Options::default(), &store, names).unwrap();
    db.put_cf(db.cf_handle(Family::Meta.name()).unwrap(), b"format", 99_u32.to_be_bytes()).unwrap();
    drop(db);
    house.run(&["run"]).expect(65, "has format 99");
    house.run(&["status"]).expect(2, "is it running?");
    house.run(&["runn"]).expect(2, "unrecognized subcommand");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_run_refuse_files_that_are_not_there() {
    let house = House::with_file();
    house.run(&["check"]).expect(0, "valid; sources 1, endpoints 1, projects 1 with 1 queries; every example holds");
    std::fs::remove_file(house.path("desk.token")).unwrap();
    for command in ["check", "run"] {
        house.run(&[command]).expect(78, "earful.toml:22:1: the token file");
    }
    house.write("desk.token", TOKEN);
    let feeds = "[source.blogs]\nkind = \"feeds\"\nopml = \"blogs.opml\"\n";
    let recording = "[source.tape]\nkind = \"recording\"\nfile = \"tape.ndjson\"\n";
    let more = format!("path = \"m\"\nkind = \"ndjson\"\n{feeds}{recording}");
    house.write("earful.toml", &config(&more));
    let told = house.run(&["check"]).expect(78, "[source.blogs]: opml: ");
    assert!(
        told.err.contains("earful.toml:29:1: [source.blogs]") && told.err.contains("blogs.opml: No such"),
        "{told:?}"
    );
    assert!(
        told.err.contains("earful.toml:32:1: [source.tape]: ") && told.err.contains("tape.ndjson: No such"),
        "{told:?}"
    );
    house.write("blogs.opml", "<opml><body><outline xmlUrl='https://a.example/feed'/></body></opml>");
    house.write("tape.ndjson", "");
    house.run(&["check"]).expect(0, "valid; sources 3");
    house.write("earful.toml", &format!("projects_dir = 'projcts'\n{}", config("path = \"m\"\nkind = \"ndjson\"\n")));
    house.run(&["check"]).expect(78, "projcts: no such directory; `earful init` writes a first project");
}

fn matched(arguments: &[&str], input: &[u8]) -> Ended {
    let house = House::with_file();
    let mut child = command(&house.launch(), arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn match_on_a_pipe_is_a_grep() {
    let input = b"green tea\ncoffee\n{\"title\":\"Tea\",\"text\":\"black\"}\n";
    let found = matched(&["match", "tea"], input).expect(0, "");
    assert_eq!((found.out.as_str(), found.err.as_str()), ("green tea\nTea | black\n", ""));
    assert_eq!(matched(&["match", "tea", "--count"], input).expect(0, "").out, "2\n");
    assert_eq!(matched(&["match", "tea", "-v"], input).expect(0, "").out, "coffee\n");
    assert_eq!(matched(&["match", "cocoa"], input).expect(1, "").out, "");
    assert_eq!(matched(&["match", "cocoa", "--count"], input).expect(1, "").out, "0\n");
    let wrong = matched(&["match", "tea AND sentimant:good"], input).expect(2, "[unknown_field]; sentiment:");
    assert!(!wrong.err.contains('\x1b') && wrong.err.contains("\n          ^^^^^^^^^\n"), "{}", wrong.err);
    let json = matched(&["match", "tea", "--json"], input).expect(0, "").out;
    let first: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((&first["text"], &first["terms"][0]["start_byte"]), (&json!("green tea"), &json!(6)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_puts_a_good_set_in_force_and_a_bad_one_not_and_the_metrics_add_up() {
    let house = House::with_file();
    let daemon = house.start().await;
    let reloaded = async |stale: Option<&str>, queries: u64| {
        send(&daemon, Signal::HUP);
        let is_so = |status: &Value| {
            let told = status["projects_stale"].as_str();
            status["queries"] == queries
                && stale.is_some() == told.is_some()
                && told.unwrap_or("").contains(stale.unwrap_or(""))
        };
        daemon.wait_until(PATIENCE, is_so).await.unwrap_or_else(|cause| panic!("{cause}\n{}", house.log()));
    };
    let two = format!("{}\n[query.other]\ntext = 'coffee'\n", project("tea"));
    house.write("projects/tea.toml", &two);
    reloaded(None, 2).await;
    house.write("projects/tea.toml", &project("tea AND"));
    reloaded(Some("tea.toml:5"), 2).await;
    std::fs::rename(house.path("projects"), house.path("away")).unwrap();
    reloaded(Some("no such directory"), 2).await;
    let valid = async || metrics(&house.launch()).await.1["earful_projects_valid"];
    assert_eq!(valid().await, 0.0);
    std::fs::rename(house.path("away"), house.path("projects")).unwrap();
    house.write("projects/tea.toml", &project("tea"));
    reloaded(None, 1).await;
    assert_eq!(valid().await, 1.0);

    house.push(&posts(40)).await;
    house.until_settled(&daemon, 40).await;
    let mut text = String::new();
    let (deadline, mut poll) = (Instant::now() + PATIENCE, tokio::time::interval(POLL));
    // Totals are published once a second.
    let values = loop {
        let (scraped, values) = metrics(&house.launch()).await;
        if values.get(r#"earful_deliveries_total{endpoint="inbox",state="created"}"#) == Some(&40.0) {
            text.push_str(&scraped);
            break values;
        }
        assert!(Instant::now() < deadline, "{scraped}");
        poll.tick().await;
    };
    let of = |name: &str| {
        let series = format!("{name}\"}}");
        values.iter().find(|(found, _)| **found == series).map_or(0.0, |(_, value)| *value)
    };
    let total = |state: &str| of(&format!("earful_deliveries_total{{endpoint=\"inbox\",state=\"{state}"));
    let gauge = |what: &str| of(&format!("earful_deliveries_{what}{{endpoint=\"inbox"));
    let dead = total("dead") + gauge("dead");
    assert_eq!(total("created"), total("delivered") + dead + total("superseded") + gauge("pending"));
    for series in values.keys() {
        let name = series.split('{').next().unwrap();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let described =
            |name: &str| text.contains(&format!("# HELP {name} ")) && text.contains(&format!("# TYPE {name} "));
        assert!(described(name) || base.is_some_and(described), "{series} has no help");
    }
    println!("metrics: {} series", values.len());
    daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_says_nothing_more_does_not_keep_the_daemon_from_stopping() {
    let house = House::with_file();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut launch = house.launch();
    launch.environment.push(("EARFUL_API__LISTEN".to_owned(), address.to_string()));
    let mut daemon = Daemon::start(launch.clone()).await.unwrap();
    let half = format!(
        "POST /v1/posts HTTP/1.1\r\nhost: earful\r\nauthorization: Bearer {TOKEN}\r\ncontent-length: 99\r\n\r\n{{"
    );
    let mut stalled = TcpStream::connect(address).unwrap();
    stalled.write_all(half.as_bytes()).unwrap();
    let mut silent = UnixStream::connect(&launch.socket).unwrap();
    silent.write_all(b"GET /livez HTTP/1.1\r\nho").unwrap();
    // The daemon has taken both in once it answers another.
    assert_eq!(get(&launch, "/livez").await, (200, "ok\n".to_owned()));
    let started = Instant::now();
    send(&daemon, Signal::TERM);
    let status = daemon.until_ended(STOP_MAX).await;
    let status = status.unwrap_or_else(|| panic!("not within {STOP_MAX:?}\n{}", house.log()));
    assert!(status.success(), "{status}\n{}", house.log());
    let mut rest = Vec::new();
    stalled.read_to_end(&mut rest).ok();
    println!("stopped in {:?} beside two clients that say nothing", started.elapsed());
}
