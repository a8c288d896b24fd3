//! The NATS sink against a real nats-server: what is acknowledged is in the stream, once, over crashes of the server.
//! The server is `$EARFUL_NATS_SERVER`, else `nats-server` of the path; without one the tests are left out.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use async_nats::jetstream;
use bytes::Bytes;
use tempfile::TempDir;

use earful::fetch::guard::Guard;
use earful::model::{Attempt, Class, DeliveryId, PostId, Rendered, ThreadId};
use earful::sinks::settings::{EndpointSettings, NatsSettings};
use earful::sinks::{AnySink, Egress, Sink};

const STREAM: &str = "EARFUL";
const SUBJECT: &str = "earful.mentions";
/// How long a server may take to come back, and the client to notice.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a delivery is tried again while the server is away.
const PAUSE: Duration = Duration::from_millis(50);

/// One nats-server with JetStream on a port of loopback. Killed when dropped.
struct Server {
    binary: PathBuf,
    port: u16,
    directory: TempDir,
    child: Child,
}

impl Server {
    fn start() -> Option<Self> {
        let binary = binary()?;
        let directory = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = launch(&binary, port, directory.path());
        Some(Self { binary, port, directory, child })
    }

    /// As a crash does it: no farewell.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = launch(&self.binary, self.port, self.directory.path());
    }

    fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    fn sink(&self, create_stream: bool) -> AnySink {
        let settings = EndpointSettings::Nats(NatsSettings {
            url: self.url(),
            subject: SUBJECT.to_owned(),
            stream: STREAM.to_owned(),
            create_stream,
            credentials_file: PathBuf::new(),
            timeout_s: 5,
            concurrency_max: 4,
            expiry_h: 72,
            quota_mb: 1,
        });
        assert_eq!(settings.check(), Vec::new());
        AnySink::build(&settings, Egress::of(&Guard::new(Vec::new()))).unwrap()
    }

    async fn stream(&self) -> jetstream::stream::Stream {
        let client = async_nats::connect(self.url()).await.unwrap();
        jetstream::new(client).get_stream(STREAM).await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already; then there is nothing to do.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Returns once the server takes connections.
fn launch(binary: &Path, port: u16, directory: &Path) -> Child {
    let mut child = Command::new(binary)
        .args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"])
        .arg(directory)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.contains("Server is ready")), "nats-server did not start");
    std::thread::spawn(move || lines.for_each(drop));
    child
}

fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("EARFUL_NATS_SERVER").map(PathBuf::from);
    let binary = named.unwrap_or_else(|| PathBuf::from("nats-server"));
    let tried = Command::new(&binary).arg("--version").stdout(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        return Some(binary);
    }
    let note = format!("there is no {}; install nats-server 2.15 and set EARFUL_NATS_SERVER to it", binary.display());
    assert_ne!(std::env::var("EARFUL_REQUIRE_REAL").as_deref(), Ok("1"), "{note}");
    println!("left out: {note}");
    None
}

fn event(seq: u64) -> Rendered {
    let body = format!(r#"{{"type":"mention.matched","n":{seq}}}"#);
    Rendered {
        id: DeliveryId::of("bus", PostId::of("bluesky", &seq.to_string()), 1, "mention.matched", body.as_bytes()),
        body: Bytes::from(body),
        thread: Some(ThreadId::of("bluesky", "root")),
        seq,
        settled: seq - 1,
        epoch: "e1".to_owned(),
        attempt: 1,
        replay: false,
    }
}

#[tokio::test]
async fn what_is_acknowledged_is_in_the_stream_once() {
    let Some(server) = Server::start() else { return };
    let sink = server.sink(true);
    let sent = event(7);
    for _ in 0..2 {
        assert_eq!(sink.deliver(&sent).await, Attempt::Delivered);
    }
    let mut stream = server.stream().await;
    assert_eq!(stream.info().await.unwrap().state.messages, 1);
    let message = stream.get_raw_message(1).await.unwrap();
    assert_eq!((message.payload, message.subject.as_str()), (sent.body.clone(), SUBJECT));
    let thread = sent.thread.unwrap().to_string();
    for (name, value) in [
        ("Nats-Msg-Id", sent.id.to_string().as_str()),
        ("Earful-Thread", &thread),
        ("Earful-Seq", "7"),
        ("Earful-Settled", "6"),
        ("Earful-Epoch", "e1"),
        ("Content-Type", "application/json"),
    ] {
        assert_eq!(message.headers.get(name).unwrap().as_str(), value, "{name}");
    }
}

#[tokio::test]
async fn over_a_crash_of_the_server_nothing_is_lost_and_nothing_is_twice() {
    let Some(mut server) = Server::start() else { return };
    let sink = server.sink(true);
    assert_eq!(sink.deliver(&event(1)).await, Attempt::Delivered);
    server.kill();
    let away = sink.deliver(&event(2)).await;
    assert!(matches!(away, Attempt::Retry { class: Class::Connect | Class::Timeout, .. }), "{away:?}");
    server.restart();
    let mut pause = tokio::time::interval(PAUSE);
    let delivered = async {
        while sink.deliver(&event(2)).await != Attempt::Delivered {
            pause.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, delivered).await.expect("the client reconnects");
    assert_eq!(sink.deliver(&event(1)).await, Attempt::Delivered);
    let mut stream = server.stream().await;
    assert_eq!(stream.info().await.unwrap().state.messages, 2);
}

#[tokio::test]
async fn a_subject_that_no_stream_keeps_is_named() {
    let Some(server) = Server::start() else { return };
    let attempt = server.sink(false).deliver(&event(1)).await;
    let Attempt::Retry { class: Class::Misconfigured, cause, .. } = attempt else { panic!("{attempt:?}") };
    assert!(cause.contains(SUBJECT), "{cause}");
}

#[tokio::test]
async fn a_message_that_the_server_never_takes_is_refused() {
    let Some(server) = Server::start() else { return };
    let sink = server.sink(true);
    let too_long = Rendered { body: Bytes::from(vec![b' '; 2 << 20]), ..event(1) };
    let attempt = sink.deliver(&too_long).await;
    assert!(matches!(attempt, Attempt::Reject { .. }), "{attempt:?}");
    assert_eq!(sink.deliver(&event(2)).await, Attempt::Delivered);
}

#[tokio::test]
async fn a_stream_that_vanished_is_created_again() {
    let Some(server) = Server::start() else { return };
    let sink = server.sink(true);
    assert_eq!(sink.deliver(&event(1)).await, Attempt::Delivered);
    let client = async_nats::connect(server.url()).await.unwrap();
    jetstream::new(client).delete_stream(STREAM).await.unwrap();
    assert!(matches!(sink.deliver(&event(1)).await, Attempt::Retry { .. }));
    assert_eq!(sink.deliver(&event(1)).await, Attempt::Delivered);
}
