//! One GET: redirects followed one by one past the guard, the body read and unpacked within bounds.
//! Unaware of what is asked for and of what becomes of it.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;
use url::Url;

use super::conditional::Validators;
use super::guard::{Guard, Refused};
use super::inflate::{self, Encoding, InflateError, inflate};

/// Redirects that one request follows.
pub const REDIRECTS_MAX: usize = 5;
/// How long a connection may take to be made, TLS included.
const CONNECT_S_MAX: u64 = 10;
/// How long the other side may say nothing.
const SILENCE_S_MAX: u64 = 20;
/// How long one request may take with all its redirects.
const TOTAL_S_MAX: u64 = 60;
/// Headers of one answer.
const HEADERS_MAX: usize = 128;
/// Bytes of all headers of one answer.
const HEADER_BYTES_MAX: usize = 32 << 10;
/// Bytes of a contact in the User-Agent.
const CONTACT_BYTES_MAX: usize = 200;

/// An HTTP client that only leaves for allowed addresses. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    guard: Guard,
    total: Duration,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub url: &'a Url,
    /// The `Accept` header.
    pub accept: &'static str,
    pub validators: Option<&'a Validators>,
    /// Bytes of the body, packed and unpacked alike.
    pub body_bytes_max: usize,
}

/// The answer at the end of all redirects.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    /// Where the answer came from.
    pub url: Url,
    /// Where the resource has moved for good: the end of the redirects that said so, as far as they were unbroken.
    pub moved: Option<Url>,
    pub headers: HeaderMap,
    /// Unpacked, and empty unless the status is 200.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nothing left this machine.
    #[error("refused: {0}")]
    Forbidden(#[from] Refused),
    #[error("no connection: {0}")]
    Connect(String),
    #[error("took too long")]
    Timeout,
    #[error("the answer is larger than allowed")]
    TooLarge,
    #[error("more than {REDIRECTS_MAX} redirects, or one that leads nowhere")]
    Redirects,
    #[error("the answer is packed as {0}, which was not asked for")]
    Encoding(String),
    #[error("the answer broke off: {0}")]
    Broken(String),
}

impl FetchError {
    /// A name from a closed set.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Forbidden(_) => "forbidden",
            Self::Connect(_) => "connect",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Redirects => "redirects",
            Self::Encoding(_) => "encoding",
            Self::Broken(_) => "broken",
        }
    }
}

impl Answer {
    /// The `Content-Type` header.
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(CONTENT_TYPE)?.to_str().ok()
    }
}

impl Client {
    /// `contact` is an address or a page for site owners; it may be empty.
    pub fn new(contact: &str, guard: Guard) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls())
            .user_agent(user_agent(contact))
            .redirect(Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(guard.resolver())
            .connect_timeout(Duration::from_secs(CONNECT_S_MAX))
            .read_timeout(Duration::from_secs(SILENCE_S_MAX))
            .pool_max_idle_per_host(1)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(HEADERS_MAX)
            .http2_max_header_list_size(HEADER_BYTES_MAX as u32)
            .build()?;
        Ok(Self { http, guard, total: Duration::from_secs(TOTAL_S_MAX) })
    }

    /// Fetches a resource. Every status is an answer; only what could not be asked or read is an error.
    pub async fn get(&self, request: Request<'_>) -> Result<Answer, FetchError> {
        timeout(self.total, self.follow(request)).await.unwrap_or(Err(FetchError::Timeout))
    }

    /// The status of a page, with nothing read of its body.
    pub async fn look_up(&self, url: &Url) -> Result<StatusCode, FetchError> {
        let request = Request { url, accept: "text/html, */*;q=0.8", validators: None, body_bytes_max: 0 };
        let walk = async { Ok(self.walk(&request).await?.0.status()) };
        timeout(self.total, walk).await.unwrap_or(Err(FetchError::Timeout))
    }

    async fn follow(&self, request: Request<'_>) -> Result<Answer, FetchError> {
        let (mut response, url, moved) = self.walk(&request).await?;
        let status = response.status();
        let headers = std::mem::take(response.headers_mut());
        let body = match status {
            StatusCode::OK => body(response, &headers, request.body_bytes_max).await?,
            _ => Vec::new(),
        };
        Ok(Answer { status, url, moved, headers, body })
    }

    /// Follows redirects up to an answer that is none, and tells where it came from and where the permanent ones led.
    async fn walk(&self, request: &Request<'_>) -> Result<(Response, Url, Option<Url>), FetchError> {
        let mut url = request.url.clone();
        let (mut moved, mut for_good) = (None, true);
        for _ in 0..=REDIRECTS_MAX {
            let response = self.ask(&url, request).await?;
            let Some(next) = redirect(&response, &url)? else { return Ok((response, url, moved)) };
            for_good &= matches!(response.status(), StatusCode::MOVED_PERMANENTLY | StatusCode::PERMANENT_REDIRECT);
            if for_good {
                moved = Some(next.clone());
            }
            url = next;
        }
        Err(FetchError::Redirects)
    }

    async fn ask(&self, url: &Url, request: &Request<'_>) -> Result<Response, FetchError> {
        self.guard.check_url(url)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static(request.accept));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(inflate::ACCEPT_ENCODING));
        if let Some(validators) = request.validators {
            validators.apply(url.as_str(), &mut headers);
        }
        let response = self.http.get(url.clone()).headers(headers).send().await.map_err(|error| failed(&error))?;
        let bytes: usize = response.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        if bytes > HEADER_BYTES_MAX { Err(FetchError::TooLarge) } else { Ok(response) }
    }
}

/// Where an answer sends us on to, if it does.
fn redirect(response: &Response, url: &Url) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(LOCATION).ok_or(FetchError::Redirects)?;
    let location = String::from_utf8_lossy(location.as_bytes());
    let next = url.join(location.trim()).map_err(|_| FetchError::Redirects)?;
    Ok(Some(next))
}

async fn body(mut response: Response, headers: &HeaderMap, bytes_max: usize) -> Result<Vec<u8>, FetchError> {
    let encoding =
        headers.get(CONTENT_ENCODING).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
    let encoding = Encoding::of(&encoding).ok_or_else(|| FetchError::Encoding(encoding.chars().take(40).collect()))?;
    if response.content_length().is_some_and(|length| length > bytes_max as u64) {
        return Err(FetchError::TooLarge);
    }
    let mut packed = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        if packed.len() + chunk.len() > bytes_max {
            return Err(FetchError::TooLarge);
        }
        packed.extend_from_slice(&chunk);
    }
    if encoding == Encoding::Identity {
        return Ok(packed);
    }
    let inflated = tokio::task::spawn_blocking(move || inflate(encoding, packed, bytes_max)).await;
    match inflated {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(InflateError::TooLarge)) => Err(FetchError::TooLarge),
        Ok(Err(InflateError::Broken(cause))) => Err(FetchError::Broken(cause)),
        Err(stopped) => Err(FetchError::Broken(stopped.to_string())),
    }
}

fn failed(error: &reqwest::Error) -> FetchError {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    let mut innermost = String::new();
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return FetchError::Forbidden(refused.clone());
        }
        innermost = error.to_string();
        cause = error.source();
    }
    if error.is_timeout() {
        FetchError::Timeout
    } else if error.is_connect() {
        FetchError::Connect(innermost)
    } else {
        FetchError::Broken(innermost)
    }
}

fn tls() -> ClientConfig {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

fn user_agent(contact: &str) -> String {
    let own = concat!("earful/", env!("CARGO_PKG_VERSION"));
    let contact: String = contact.chars().filter(|letter| letter.is_ascii_graphic()).take(CONTACT_BYTES_MAX).collect();
    if contact.is_empty() { own.to_owned() } else { format!("{own} (+{contact})") }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::super::loopback::{Loopback, reply};
    use super::*;

    fn client() -> Client {
        let guard = Guard::with_names(
            vec!["127.0.0.1".parse().unwrap()],
            &[
                ("good.example", &["127.0.0.1"]),
                ("inner.example", &["10.0.0.1"]),
                ("twin.example", &["127.0.0.1", "10.0.0.1"]),
            ],
        );
        Client::new("https://earful.example/about", guard).unwrap()
    }

    async fn get(client: &Client, url: &str) -> Result<Answer, FetchError> {
        let url = Url::parse(url).unwrap();
        client.get(Request { url: &url, accept: "*/*", validators: None, body_bytes_max: 100_000 }).await
    }

    #[tokio::test]
    async fn a_request_says_who_asks_and_what_it_understands() {
        let server = Loopback::start(|_| reply(200, &[("content-type", "text/xml; charset=x")], b"body")).await;
        let answer = get(&client(), &server.url("/feed?x=1")).await.unwrap();
        assert_eq!((answer.status, &answer.body[..], answer.moved), (StatusCode::OK, &b"body"[..], None));
        let head = server.requests()[0].to_ascii_lowercase();
        assert!(head.starts_with("get /feed?x=1 http/1.1\r\n"), "{head}");
        assert!(
            head.contains(concat!(
                "user-agent: earful/",
                env!("CARGO_PKG_VERSION"),
                " (+https://earful.example/about)\r\n"
            )),
            "{head}"
        );
        assert!(head.contains("accept-encoding: gzip, zstd, deflate\r\n") && !head.contains("referer"), "{head}");
    }

    #[tokio::test]
    async fn redirects_are_followed_and_only_unbroken_permanent_ones_move_the_address() {
        let server = Loopback::start(|head| match head.split(' ').nth(1) {
            Some("/a") => reply(301, &[("location", "/b")], b""),
            Some("/b") => reply(308, &[("location", "c?x")], b""),
            Some("/c?x") => reply(302, &[("location", "//127.0.0.1:{port}/d")], b""),
            Some("/d") => reply(301, &[("location", "/e")], b""),
            _ => reply(200, &[], b"end"),
        })
        .await;
        let answer = get(&client(), &server.url("/a")).await.unwrap();
        assert_eq!((answer.url.as_str(), &answer.body[..]), (server.url("/e").as_str(), &b"end"[..]));
        assert_eq!(answer.moved.unwrap().as_str(), server.url("/c?x"));
        assert_eq!(get(&client(), &server.url("/c?x")).await.unwrap().moved, None);
    }

    #[tokio::test]
    async fn redirects_that_loop_or_lead_nowhere_end() {
        let server = Loopback::start(|head| match head.split(' ').nth(1) {
            Some("/loop") => reply(302, &[("location", "/loop")], b""),
            Some("/none") => reply(302, &[], b""),
            _ => reply(302, &[("location", "http://[bad")], b""),
        })
        .await;
        for path in ["/loop", "/none", "/bad"] {
            assert_eq!(get(&client(), &server.url(path)).await.unwrap_err(), FetchError::Redirects, "{path}");
        }
        assert_eq!(server.requests().len(), REDIRECTS_MAX + 1 + 2);
    }

    #[tokio::test]
    async fn nothing_leaves_for_a_forbidden_address_however_it_is_reached() {
        let private = Loopback::start(|_| reply(200, &[], b"secret")).await;
        let port = private.port();
        let targets = [
            "http://10.0.0.1/".to_owned(),
            "http://169.254.169.254/latest".to_owned(),
            format!("http://[::1]:{port}/"),
            format!("http://127.0.0.2:{port}/"),
            format!("http://0.0.0.0:{port}/"),
            format!("http://[::ffff:127.0.0.3]:{port}/"),
            format!("http://inner.example:{port}/"),
            format!("http://twin.example:{port}/"),
            "file:///etc/passwd".to_owned(),
            format!("http://u:p@127.0.0.1:{port}/"),
        ];
        for target in targets {
            let to = target.clone();
            let server = Loopback::start(move |_| reply(302, &[("location", &to)], b"")).await;
            let error = get(&client(), &server.url("/")).await.unwrap_err();
            assert!(matches!(error, FetchError::Forbidden(_)), "{target}: {error}");
            assert!(matches!(get(&client(), &target).await, Err(FetchError::Forbidden(_))), "{target}");
        }
        assert!(private.requests().is_empty());
        let answer = get(&client(), &format!("http://good.example:{port}/")).await.unwrap();
        assert_eq!(&answer.body[..], b"secret");
    }

    #[tokio::test]
    async fn bodies_are_bounded_packed_and_unpacked() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![b'x'; 90_000]).unwrap();
        let small = gzip.finish().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![b'x'; 20 << 20]).unwrap();
        let bomb = gzip.finish().unwrap();
        let server = Loopback::start(move |head| match head.split(' ').nth(1) {
            Some("/small") => reply(200, &[("content-encoding", "gzip")], &small),
            Some("/bomb") => reply(200, &[("content-encoding", "gzip")], &bomb),
            Some("/cut") => reply(200, &[("content-encoding", "gzip")], &small[..40]),
            Some("/brotli") => reply(200, &[("content-encoding", "br")], b"x"),
            Some("/endless") => [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 300_000]].concat(),
            Some("/short") => b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec(),
            Some("/headers") => reply(200, &[("x-pad", &"y".repeat(40_000))], b""),
            _ => reply(200, &[], &vec![b'x'; 100_001]),
        })
        .await;
        assert_eq!(get(&client(), &server.url("/small")).await.unwrap().body.len(), 90_000);
        for path in ["/bomb", "/endless", "/large", "/headers"] {
            assert_eq!(get(&client(), &server.url(path)).await.unwrap_err(), FetchError::TooLarge, "{path}");
        }
        for path in ["/cut", "/short"] {
            assert!(matches!(get(&client(), &server.url(path)).await, Err(FetchError::Broken(_))), "{path}");
        }
        assert_eq!(get(&client(), &server.url("/brotli")).await.unwrap_err(), FetchError::Encoding("br".to_owned()));
    }

    #[tokio::test]
    async fn whoever_is_silent_or_slow_is_left() {
        let silent = Loopback::silent().await;
        let client = Client { total: Duration::from_millis(100), ..client() };
        assert_eq!(get(&client, &silent.url("/")).await.unwrap_err(), FetchError::Timeout);
        let url = Url::parse(&silent.url("/")).unwrap();
        assert_eq!(client.look_up(&url).await.unwrap_err(), FetchError::Timeout);
    }

    #[tokio::test]
    async fn a_closed_port_is_no_connection_and_every_status_is_an_answer() {
        let server =
            Loopback::start(|head| reply(head.split(['/', ' ']).nth(2).unwrap().parse().unwrap(), &[], b"text")).await;
        for status in [304, 400, 404, 410, 429, 500, 503] {
            let answer = get(&client(), &server.url(&format!("/{status}"))).await.unwrap();
            assert_eq!((answer.status.as_u16(), answer.body.is_empty()), (status, true));
            let url = Url::parse(&server.url(&format!("/{status}"))).unwrap();
            assert_eq!(client().look_up(&url).await.unwrap().as_u16(), status);
        }
        let gone = server.url("/");
        drop(server);
        assert!(matches!(get(&client(), &gone).await, Err(FetchError::Connect(_))));
    }

    #[test]
    fn the_contact_cannot_break_the_header() {
        assert_eq!(user_agent(""), concat!("earful/", env!("CARGO_PKG_VERSION")));
        assert_eq!(
            user_agent("a@b.example\r\nx: y"),
            concat!("earful/", env!("CARGO_PKG_VERSION"), " (+a@b.examplex:y)")
        );
    }
}
