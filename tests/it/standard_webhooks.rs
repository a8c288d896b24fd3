//! What the webhook sink really sends, judged by the public libraries of the Standard Webhooks project, in Rust and in
//! Python. The Python one is used if `$EARFUL_PYTHON` has it.

use std::io::Write;
use std::process::{Command, Stdio};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use earful::clock;
use earful::fetch::guard::Guard;
use earful::model::{Attempt, DeliveryId, PostId, Rendered};
use earful::sinks::settings::{EndpointSettings, WebhookSettings};
use earful::sinks::sign::{Secret, Signed, Unverified, verify};
use earful::sinks::{AnySink, Egress, Sink};

/// Letters of several bytes, and quotes, so that what is signed is bytes and not some text.
const BODY: &str = r#"{"type":"mention.matched","data":{"text":"Už třetí den „nefunguje“ internet 🙁"}}"#;

/// Prints what the library says of the request on standard input.
const PYTHON: &str = r#"
import json, sys
from standardwebhooks import Webhook, WebhookVerificationError
sent = json.load(sys.stdin)
try:
    print("verified", Webhook(sent["secret"]).verify(sent["body"].encode(), sent["headers"])["type"])
except WebhookVerificationError as error:
    print("refused", error)
"#;

struct Sent {
    headers: Vec<(String, String)>,
    body: String,
}

impl Sent {
    fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(known, _)| known == name).unwrap().1
    }

    fn header_map(&self) -> HeaderMap {
        let typed = |(name, value): &(String, String)| {
            (name.parse::<HeaderName>().unwrap(), value.parse::<HeaderValue>().unwrap())
        };
        self.headers.iter().map(typed).collect()
    }
}

/// What one delivery with these secrets looks like on the wire.
async fn send(secrets: &[&Secret]) -> Sent {
    let directory = tempfile::tempdir().unwrap();
    let mut secret_files = Vec::new();
    for (n, secret) in secrets.iter().enumerate() {
        let file = directory.path().join(n.to_string());
        std::fs::write(&file, secret.reveal()).unwrap();
        secret_files.push(file);
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = EndpointSettings::Webhook(WebhookSettings {
        url: format!("http://{}/", listener.local_addr().unwrap()),
        secret_files,
        timeout_s: 10,
        connect_timeout_s: 10,
        concurrency_max: 1,
        expiry_h: 72,
        quota_mb: 1,
    });
    let egress = Egress::of(&Guard::new(vec!["127.0.0.0/8".parse().unwrap()]));
    let sink = AnySink::build(&settings, egress).unwrap();
    let rendered = Rendered {
        id: DeliveryId::of("crm", PostId::of("bluesky", "1"), 1, "mention.matched", BODY.as_bytes()),
        body: Bytes::from_static(BODY.as_bytes()),
        thread: None,
        seq: 1,
        settled: 0,
        epoch: "e1".to_owned(),
        attempt: 1,
        replay: false,
    };
    let (attempt, sent) = tokio::join!(sink.deliver(&rendered), receive(&listener));
    assert_eq!(attempt, Attempt::Delivered);
    sent
}

async fn receive(listener: &TcpListener) -> Sent {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let headers: Vec<_> = lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut sent = Sent { headers, body: String::new() };
    let mut body = vec![0; sent.header("content-length").parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    sent.body = String::from_utf8(body).unwrap();
    stream.write_all(b"HTTP/1.1 204 -\r\n\r\n").await.unwrap();
    sent
}

#[tokio::test]
async fn the_rust_library_verifies_what_is_sent_with_either_secret() {
    let (old, new) = (Secret::random(), Secret::random());
    let sent = send(&[&new, &old]).await;
    assert_eq!(sent.body, BODY);
    for secret in [old, new] {
        let library = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
        library.verify(sent.body.as_bytes(), &sent.header_map()).unwrap();
        assert!(library.verify(b"{}", &sent.header_map()).is_err());
    }
}

#[test]
fn what_the_rust_library_signs_is_verified_here() {
    let (secret, now) = (Secret::random(), clock::now());
    let library = standardwebhooks::Webhook::new(&secret.reveal()).unwrap();
    let signature = library.sign("msg_1", now.seconds(), BODY.as_bytes()).unwrap();
    let signed = Signed { id: "msg_1", timestamp: now.seconds(), body: BODY.as_bytes() };
    assert_eq!(verify(std::slice::from_ref(&secret), &signed, &signature, now), Ok(()));
    assert_eq!(verify(&[Secret::random()], &signed, &signature, now), Err(Unverified::Signature));
}

#[tokio::test]
async fn the_python_library_verifies_what_is_sent() {
    let Some(python) = python() else { return };
    let secret = Secret::random();
    let sent = send(&[&secret]).await;
    assert_eq!(ask(&python, &secret, &sent), "verified mention.matched");
    let verdict = ask(&python, &Secret::random(), &sent);
    assert!(verdict.starts_with("refused"), "{verdict}");
}

/// A Python that has the library. Without one the test is left out, unless it was asked for.
fn python() -> Option<String> {
    let python = std::env::var("EARFUL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let tried = Command::new(&python).args(["-c", "import standardwebhooks"]).stderr(Stdio::null()).status();
    if tried.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    let note = format!("{python} has no standardwebhooks; pip install it, and set EARFUL_PYTHON to that Python");
    assert_ne!(std::env::var("EARFUL_REQUIRE_REAL").as_deref(), Ok("1"), "{note}");
    println!("left out: {note}");
    None
}

fn ask(python: &str, secret: &Secret, sent: &Sent) -> String {
    let headers: serde_json::Map<_, _> =
        sent.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let request = json!({"secret": secret.reveal(), "headers": headers, "body": sent.body});
    let mut child =
        Command::new(python).args(["-c", PYTHON]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(request.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
