//! The webhook sink: one signed POST per attempt, as Standard Webhooks has it, and what its answer means.
//! Unaware of retries, of order and of which addresses are allowed.

use std::error::Error;
use std::fmt;
use std::io;
use std::num::IntErrorKind;
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, redirect};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::settings::WebhookSettings;
use super::sign::{Secret, sign};
use super::{retry, short};
use crate::clock;
use crate::fetch::guard::{Guard, Refused};
use crate::model::{Attempt, Class, Rendered, Timestamp};
use crate::outbox::Sink;

/// What is read of an answer before the connection is dropped.
const ANSWER_BYTES_MAX: usize = 16 << 10;
const IDLE_MAX: Duration = Duration::from_secs(30);

/// Says why a request may not leave for a URL.
pub type CheckUrl = dyn Fn(&Url) -> Result<(), String> + Send + Sync;

/// Where a sink may connect to. The resolver reports a name whose address is refused as [`Refused`]; `check_url` judges
/// addresses that need no resolver.
#[derive(Clone)]
pub struct Egress {
    pub resolver: Arc<dyn reqwest::dns::Resolve>,
    pub check_url: Arc<CheckUrl>,
}

impl Egress {
    pub fn of(guard: &Guard) -> Self {
        let judge = guard.clone();
        let check_url = move |url: &Url| judge.check_url(url).map_err(|refused| refused.to_string());
        Self { resolver: guard.resolver(), check_url: Arc::new(check_url) }
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Egress")
    }
}

/// One endpoint over HTTP.
#[derive(Debug)]
pub struct Webhook {
    client: Client,
    url: Url,
    secrets: Vec<Secret>,
    timeout: Duration,
    egress: Egress,
}

impl Webhook {
    /// Reads the secrets and sets up the client; connects to nothing yet.
    pub fn new(settings: &WebhookSettings, egress: Egress) -> Result<Self, String> {
        let url = Url::parse(&settings.url).map_err(|error| format!("url is no address: {error}"))?;
        let secrets = Secret::read_all(&settings.secret_files)?;
        if secrets.is_empty() {
            return Err("secret_files names no file; a webhook is always signed".to_owned());
        }
        let client = Client::builder()
            .user_agent(concat!("earful/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(tls_config()?)
            .dns_resolver(Arc::clone(&egress.resolver))
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(Duration::from_secs(settings.connect_timeout_s))
            .pool_max_idle_per_host(settings.concurrency_max as usize)
            .pool_idle_timeout(IDLE_MAX)
            .build()
            .map_err(|error| format!("the HTTP client cannot be set up: {}", root_cause(&error)))?;
        Ok(Self { client, url, secrets, timeout: Duration::from_secs(settings.timeout_s), egress })
    }

    fn request(&self, rendered: &Rendered, now: Timestamp) -> RequestBuilder {
        let id = rendered.id.to_string();
        let signatures = sign(&self.secrets, &id, now.seconds(), &rendered.body);
        self.client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-timestamp", now.seconds().to_string())
            .header("webhook-signature", signatures)
            .header("earful-attempt", rendered.attempt.to_string())
            .header("earful-seq", rendered.seq.to_string())
            .header("earful-settled", rendered.settled.to_string())
            .header("earful-epoch", &rendered.epoch)
            .header("earful-replay", rendered.replay.to_string())
            .header("traceparent", traceparent(rendered))
            .header("webhook-id", id)
            .body(rendered.body.clone())
    }

    async fn judge(&self, response: Response, deadline: Instant) -> Attempt {
        let status = response.status().as_u16();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let after = after.and_then(|value| retry_after(value, clock::now()));
        let answer = timeout_at(deadline, read_answer(response)).await.unwrap_or_default();
        match judge_status(status, after) {
            Attempt::Reject { cause } => Attempt::Reject { cause: self.explained(&cause, &answer) },
            attempt => attempt,
        }
    }

    /// `cause` with the beginning of what the endpoint said. The path may be a capability, so it is cut out.
    fn explained(&self, cause: &str, answer: &[u8]) -> String {
        let said = String::from_utf8_lossy(answer);
        let said: String = said.split(char::is_control).collect::<Vec<_>>().join(" ");
        let said = match self.url.path() {
            "/" => said,
            path => said.replace(path, "…"),
        };
        match said.trim() {
            "" => cause.to_owned(),
            said => short(&format!("{cause}: {said}")),
        }
    }
}

impl Sink for Webhook {
    async fn deliver(&self, rendered: &Rendered) -> Attempt {
        if let Err(cause) = (self.egress.check_url)(&self.url) {
            return retry(Class::Forbidden, &cause);
        }
        let deadline = Instant::now() + self.timeout;
        match timeout_at(deadline, self.request(rendered, clock::now()).send()).await {
            Ok(Ok(response)) => self.judge(response, deadline).await,
            Ok(Err(error)) => judge_error(&error),
            Err(_) => retry(Class::Timeout, "no answer in time"),
        }
    }
}

/// What a status says about the endpoint and the message. `after` counts where the endpoint is only busy.
fn judge_status(status: u16, after: Option<Duration>) -> Attempt {
    let cause = format!("status {status}");
    match status {
        200..=299 => Attempt::Delivered,
        408 | 409 | 425 | 429 | 500..=599 => Attempt::Retry { class: Class::Unavailable, after, cause },
        300..=399 => retry(Class::Misconfigured, &format!("{cause}: redirects are not followed, set the final URL")),
        401 | 403 | 404 | 405 => retry(Class::Misconfigured, &cause),
        410 => Attempt::Gone,
        400..=499 => Attempt::Reject { cause },
        _ => retry(Class::Misconfigured, &format!("{cause}: no status of HTTP")),
    }
}

fn judge_error(error: &reqwest::Error) -> Attempt {
    let cause = root_cause(error);
    if error.is_builder() {
        return Attempt::Reject { cause };
    }
    for cause in chain(error) {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return retry(Class::Forbidden, &refused.to_string());
        }
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return retry(Class::Tls, &tls.to_string());
        }
    }
    let class = if error.is_timeout() { Class::Timeout } else { Class::Connect };
    retry(class, &cause)
}

/// Seconds, or a date of HTTP. A date that has passed asks for nothing; more seconds than can be counted ask for all.
fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    let after = match value.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(cause) if *cause.kind() == IntErrorKind::PosOverflow => Duration::MAX,
        Err(_) => {
            let date = DateTimeParser::new().parse_timestamp(value).ok()?;
            Timestamp::from_millis(date.as_millisecond()).since(now)
        }
    };
    (!after.is_zero()).then_some(after)
}

/// The beginning of the answer. Once the status is known, a body that breaks off changes nothing.
async fn read_answer(mut response: Response) -> Vec<u8> {
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_BYTES_MAX - answer.len();
        answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if answer.len() == ANSWER_BYTES_MAX {
            break;
        }
    }
    answer
}

/// The trace is the delivery, over all attempts; the span is the attempt.
fn traceparent(rendered: &Rendered) -> String {
    let trace = u128::from_be_bytes(*rendered.id.as_bytes());
    let span = rand::random::<u64>() | 1;
    format!("00-{trace:032x}-{span:016x}-00")
}

fn tls_config() -> Result<ClientConfig, String> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// An error and what caused it, with what an `io::Error` wraps: its `source` would skip that.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped.map_or_else(|| (*error).source(), |wrapped| Some(wrapped as &(dyn Error + 'static)))
    })
}

/// The innermost reason. The outer ones would show the URL.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let innermost = chain(error).last().unwrap_or(error);
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(_) => "the request failed".to_owned(),
        None => short(&innermost.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::CAUSE_CHARS_MAX;
    use super::*;
    use crate::model::{DeliveryId, PostId};

    const BODY: &[u8] = br#"{"type":"endpoint.test"}"#;
    /// Enough for loopback on a busy machine, and what a hanging endpoint costs in a test.
    const TIMEOUT: Duration = Duration::from_millis(500);

    /// Answers the next request with these bytes, then closes. Returns the request's head.
    async fn answer_once(listener: &TcpListener, answer: &[u8]) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_request(&mut stream).await;
        stream.write_all(answer).await.ok();
        stream.shutdown().await.ok();
        head
    }

    async fn read_request(stream: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let mut body = [0; BODY.len()];
        stream.read_exact(&mut body).await.unwrap();
        assert_eq!(body, BODY);
        String::from_utf8(head).unwrap()
    }

    fn loopback() -> Egress {
        Egress::of(&Guard::new(vec!["127.0.0.0/8".parse().unwrap()]))
    }

    fn rendered() -> Rendered {
        Rendered {
            id: DeliveryId::of("crm", PostId::of("bluesky", "1"), 1, "mention.matched", BODY),
            body: Bytes::from_static(BODY),
            thread: None,
            seq: 7,
            settled: 5,
            epoch: "7f3k".to_owned(),
            attempt: 2,
            replay: false,
        }
    }

    fn webhook(url: &str, egress: Egress, directory: &Path) -> Webhook {
        let file = directory.join("secret");
        std::fs::write(&file, Secret::random().reveal()).unwrap();
        let settings = WebhookSettings {
            url: url.to_owned(),
            secret_files: vec![file],
            timeout_s: 5,
            connect_timeout_s: 5,
            concurrency_max: 2,
            expiry_h: 72,
            quota_mb: 1,
        };
        Webhook { timeout: TIMEOUT, ..Webhook::new(&settings, egress).unwrap() }
    }

    async fn listen() -> (TcpListener, Webhook) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let directory = tempfile::tempdir().unwrap();
        let url = format!("http://{}/hooks/token", listener.local_addr().unwrap());
        let webhook = webhook(&url, loopback(), directory.path());
        (listener, webhook)
    }

    /// One attempt at an endpoint that answers with these bytes, and the head that it saw.
    async fn attempt(answer: &[u8]) -> (Attempt, String) {
        let (listener, webhook) = listen().await;
        tokio::join!(async { webhook.deliver(&rendered()).await }, answer_once(&listener, answer))
    }

    fn class(attempt: &Attempt) -> Class {
        match attempt {
            Attempt::Retry { class, .. } => *class,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_request_has_the_headers_of_the_contract() {
        let (attempt, head) = attempt(b"HTTP/1.1 204 x\r\n\r\n").await;
        assert_eq!(attempt, Attempt::Delivered);
        let id = rendered().id.to_string();
        let agent = format!("user-agent: earful/{}", env!("CARGO_PKG_VERSION"));
        for line in [
            &format!("webhook-id: {id}"),
            "content-type: application/json",
            &format!("content-length: {}", BODY.len()),
            "earful-attempt: 2",
            "earful-seq: 7",
            "earful-settled: 5",
            "earful-epoch: 7f3k",
            "earful-replay: false",
            &agent,
        ] {
            assert!(head.contains(&format!("{line}\r\n")), "{line} is not in {head}");
        }
        assert!(head.starts_with("POST /hooks/token HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("webhook-signature: v1,") && head.contains("webhook-timestamp: "), "{head}");
        assert!(head.contains("traceparent: 00-"), "{head}");
    }

    #[test]
    fn every_status_is_judged_as_the_contract_says() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(judge_status(status, None), Attempt::Delivered);
        }
        for status in [408, 409, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(class(&judge_status(status, None)), Class::Unavailable, "{status}");
        }
        for status in [301, 302, 304, 307, 308, 401, 403, 404, 405, 600, 999] {
            assert_eq!(class(&judge_status(status, None)), Class::Misconfigured, "{status}");
        }
        for status in [400, 402, 406, 411, 413, 415, 418, 422, 431, 499] {
            assert!(matches!(judge_status(status, None), Attempt::Reject { .. }), "{status}");
        }
        assert_eq!(judge_status(410, None), Attempt::Gone);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_of_http() {
        let now: Timestamp = "1994-11-06T08:49:00.000Z".parse().unwrap();
        assert_eq!(retry_after(" 120 ", now), Some(Duration::from_mins(2)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(37)));
        assert_eq!(retry_after("99999999999999999999", now), Some(Duration::MAX));
        for nothing in ["0", "-5", "soon", "Sun, 06 Nov 1994 08:48:59 GMT", ""] {
            assert_eq!(retry_after(nothing, now), None, "{nothing}");
        }
    }

    #[tokio::test]
    async fn a_busy_endpoint_says_when_to_come_again() {
        let (attempt, _) = attempt(b"HTTP/1.1 503 x\r\nretry-after: 90\r\ncontent-length: 0\r\n\r\n").await;
        let after = Some(Duration::from_secs(90));
        assert_eq!(attempt, Attempt::Retry { class: Class::Unavailable, after, cause: "status 503".to_owned() });
    }

    #[tokio::test]
    async fn a_redirect_is_not_followed() {
        let (listener, webhook) = listen().await;
        let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = elsewhere.local_addr().unwrap();
        let answer = format!("HTTP/1.1 307 x\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n");
        let rendered = rendered();
        let (attempt, _) = tokio::join!(webhook.deliver(&rendered), answer_once(&listener, answer.as_bytes()));
        assert_eq!(class(&attempt), Class::Misconfigured);
        let nobody_came = tokio::time::timeout(Duration::ZERO, elsewhere.accept()).await;
        assert!(nobody_came.is_err());
    }

    #[tokio::test]
    async fn a_hanging_endpoint_costs_one_timeout() {
        let (listener, webhook) = listen().await;
        assert_eq!(class(&webhook.deliver(&rendered()).await), Class::Timeout);
        drop(listener);
    }

    #[tokio::test]
    async fn a_connection_that_is_refused_or_cut_is_a_connection_error() {
        let (cut, _) = attempt(b"").await;
        assert_eq!(class(&cut), Class::Connect);
        let (listener, webhook) = listen().await;
        drop(listener);
        let refused = webhook.deliver(&rendered()).await;
        assert_eq!(class(&refused), Class::Connect);
        assert!(!format!("{refused:?}").contains("token"), "{refused:?}");
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_bound_and_no_further() {
        let (listener, webhook) = listen().await;
        let rendered = rendered();
        let pour = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 999999999\r\n\r\n").await.unwrap();
            while stream.write_all(&[b'x'; 8192]).await.is_ok() {}
        };
        let (attempt, ()) = tokio::join!(webhook.deliver(&rendered), pour);
        assert_eq!(attempt, Attempt::Delivered);
    }

    #[tokio::test]
    async fn a_success_stands_though_its_body_never_ends() {
        let (listener, webhook) = listen().await;
        let rendered = rendered();
        let stall = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            read_request(&mut stream).await;
            stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 10\r\n\r\nx").await.unwrap();
            assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
        };
        let (attempt, ()) = tokio::join!(webhook.deliver(&rendered), stall);
        assert_eq!(attempt, Attempt::Delivered);
    }

    #[tokio::test]
    async fn a_refusal_carries_what_the_endpoint_said_but_not_its_path() {
        let said = format!("no\r\nsuch field at /hooks/token {}", "x".repeat(500));
        let answer = format!("HTTP/1.1 422 x\r\ncontent-length: {}\r\n\r\n{said}", said.len());
        let (Attempt::Reject { cause }, _) = attempt(answer.as_bytes()).await else { panic!() };
        assert!(cause.starts_with("status 422: no  such field at … xxx"), "{cause}");
        assert_eq!(cause.chars().count(), CAUSE_CHARS_MAX);
    }

    #[tokio::test]
    async fn an_address_that_is_not_allowed_is_never_asked() {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let guarded = || Egress::of(&Guard::new(Vec::new()));
        let literal = webhook(&format!("http://127.0.0.1:{port}/"), guarded(), directory.path());
        assert_eq!(class(&literal.deliver(&rendered()).await), Class::Forbidden);
        let unchecked = Egress { check_url: Arc::new(|_| Ok(())), ..guarded() };
        let named = webhook(&format!("http://localhost:{port}/"), unchecked, directory.path());
        assert_eq!(class(&named.deliver(&rendered()).await), Class::Forbidden);
    }

    #[tokio::test]
    async fn a_handshake_that_is_no_tls_is_a_tls_error() {
        let directory = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        let webhook = webhook(&url, loopback(), directory.path());
        let rendered = rendered();
        let babble = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.read_u8().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 this port speaks no TLS\r\n\r\n").await.unwrap();
            while stream.read(&mut [0; 512]).await.is_ok_and(|count| count > 0) {}
        };
        let (attempt, ()) = tokio::join!(webhook.deliver(&rendered), babble);
        assert_eq!(class(&attempt), Class::Tls, "{attempt:?}");
    }
}
