//! Opens connections: the WebSocket with its refusals, and the dictionary over HTTP. Each within bounds of time and
//! bytes. Unaware of cursors and of events.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use reqwest::StatusCode;
use rustls::{ClientConfig, RootCertStore};
use serde::de::IgnoredAny;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderMap, HeaderValue, Response, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream, tungstenite};
use url::Url;

use crate::clock;
use crate::model::Timestamp;

use super::wire::words;

/// From the name look-up to the upgrade, and for a whole dictionary.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// The public one has 64 KiB.
const DICTIONARY_BYTES_MAX: usize = 4 << 20;
/// What a dictionary begins with, before its id: <https://www.rfc-editor.org/rfc/rfc8878#section-5>.
const DICTIONARY_MAGIC: [u8; 4] = [0x37, 0xa4, 0x30, 0xec];
/// A server cannot send us away for longer.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
const USER_AGENT: &str = concat!("earful/", env!("CARGO_PKG_VERSION"));

pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why there is no connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The seq is older than what the server has; its words, which name the oldest.
    CursorTooOld(String),
    /// The server has another dictionary by now.
    UnknownDictionary,
    /// Something in the request is wrong, but what the server says of it did not come along.
    Wordless(String),
    Retry {
        after: Option<Duration>,
        cause: String,
    },
}

/// Why there is no dictionary.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotFetched {
    /// The server has none, or none that can be used: it sends frames as they are.
    Unusable(String),
    Retry {
        after: Option<Duration>,
        cause: String,
    },
}

/// Unpacks the frames of one connection.
pub(super) struct Inflater {
    pub(super) id: u32,
    decompressor: zstd::bulk::Decompressor<'static>,
    /// Holds the largest frame that is admitted.
    buffer: Vec<u8>,
}

/// The trusted authorities, compiled in.
pub(super) fn tls() -> Arc<ClientConfig> {
    let roots: RootCertStore = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    Arc::new(config.with_root_certificates(roots).with_no_client_auth())
}

/// Opens the WebSocket. A message over `frame_bytes_max` ends it later.
pub(super) async fn open(url: &Url, tls: &Arc<ClientConfig>, frame_bytes_max: usize) -> Result<Socket, Refused> {
    let mut request = url.as_str().into_client_request().map_err(|cause| retry(url, &cause))?;
    request.headers_mut().insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    let bounds =
        WebSocketConfig::default().max_message_size(Some(frame_bytes_max)).max_frame_size(Some(frame_bytes_max));
    let connector = Connector::Rustls(tls.clone());
    let opening = tokio_tungstenite::connect_async_tls_with_config(request, Some(bounds), true, Some(connector));
    match timeout(CONNECT_TIMEOUT, opening).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(tungstenite::Error::Http(answer))) => Err(refusal(url, &answer)),
        Ok(Err(cause)) => Err(retry(url, &cause)),
        Err(_) => Err(retry(url, &format!("no connection within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

/// What an answer other than an upgrade means.
fn refusal(url: &Url, answer: &Response<Option<Vec<u8>>>) -> Refused {
    let body = answer.body().as_deref().unwrap_or_default();
    if answer.status() == 400 && !is_whole(answer.headers(), body) {
        return Refused::Wordless(of(url, &"refused with 400, and its words did not come along"));
    }
    let body = String::from_utf8_lossy(body);
    if answer.status() == 400 && body.contains("CursorTooOld") {
        return Refused::CursorTooOld(words(&body));
    }
    if answer.status() == 400 && body.contains("UnknownZstdDictionary") {
        return Refused::UnknownDictionary;
    }
    let after = retry_after(answer.headers(), clock::now());
    Refused::Retry { after, cause: of(url, &format!("refused with {}: {}", answer.status(), words(&body))) }
}

/// Whether the body of a refusal is all there. The handshake reads no further than the bytes that came with the head,
/// and half a sentence may name half a number.
fn is_whole(headers: &HeaderMap, body: &[u8]) -> bool {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
    match length {
        Some(length) => !body.is_empty() && body.len() >= length,
        // In pieces or up to the end of the connection: what was said is a JSON object in it.
        None => {
            let start = memchr::memchr(b'{', body).unwrap_or(body.len());
            let end = memchr::memrchr(b'}', body).map_or(start, |end| end + 1);
            body.get(start..end).is_some_and(|json| serde_json::from_slice::<IgnoredAny>(json).is_ok())
        }
    }
}

fn retry(url: &Url, cause: &dyn Display) -> Refused {
    Refused::Retry { after: None, cause: of(url, cause) }
}

fn fetch_again(url: &Url, cause: &dyn Display) -> NotFetched {
    NotFetched::Retry { after: None, cause: of(url, cause) }
}

/// The cause with the host that it is about.
fn of(url: &Url, cause: &dyn Display) -> String {
    format!("{}: {cause}", url.origin().ascii_serialization())
}

/// Seconds, or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let after = match text.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
            Timestamp::from_millis(date.as_millisecond()).since(now)
        }
    };
    Some(after.min(RETRY_AFTER_MAX))
}

/// Whether a status says that the server does not know dictionaries, rather than that it cannot answer now.
fn has_none(status: StatusCode) -> bool {
    let is_for_now =
        matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
    (status.is_client_error() && !is_for_now) || status == StatusCode::NOT_IMPLEMENTED
}

impl Inflater {
    /// Fetches the dictionary that the server has now.
    pub(super) async fn fetch(url: &Url, tls: &Arc<ClientConfig>, frame_bytes_max: usize) -> Result<Self, NotFetched> {
        let fetching = async {
            let http = reqwest::Client::builder()
                .tls_backend_preconfigured(tls.as_ref().clone())
                .user_agent(USER_AGENT)
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .build()
                .map_err(|cause| fetch_again(url, &cause))?;
            let answer = http.get(url.clone()).send().await.map_err(|cause| fetch_again(url, &cause))?;
            let status = answer.status();
            if status != StatusCode::OK {
                let cause = of(url, &format!("no dictionary: {status}"));
                let after = retry_after(answer.headers(), clock::now());
                return Err(if has_none(status) {
                    NotFetched::Unusable(cause)
                } else {
                    NotFetched::Retry { after, cause }
                });
            }
            let mut dictionary = Vec::new();
            let mut parts = answer.bytes_stream();
            while let Some(part) = parts.next().await {
                dictionary.extend_from_slice(&part.map_err(|cause| fetch_again(url, &cause))?);
                if dictionary.len() > DICTIONARY_BYTES_MAX {
                    let cause = format!("a dictionary over {DICTIONARY_BYTES_MAX} bytes");
                    return Err(NotFetched::Unusable(of(url, &cause)));
                }
            }
            Self::new(&dictionary, frame_bytes_max).map_err(|cause| NotFetched::Unusable(of(url, &cause)))
        };
        match timeout(CONNECT_TIMEOUT, fetching).await {
            Ok(fetched) => fetched,
            Err(_) => Err(fetch_again(url, &format!("no dictionary within {} s", CONNECT_TIMEOUT.as_secs()))),
        }
    }

    fn new(dictionary: &[u8], frame_bytes_max: usize) -> Result<Self, String> {
        let id = match dictionary {
            [a, b, c, d, id @ ..] if [*a, *b, *c, *d] == DICTIONARY_MAGIC => id.first_chunk::<4>(),
            _ => None,
        };
        let Some(id) = id else { return Err("the dictionary is none of zstd's".to_owned()) };
        let decompressor = zstd::bulk::Decompressor::with_dictionary(dictionary)
            .map_err(|cause| format!("the dictionary is unusable ({cause})"))?;
        Ok(Self { id: u32::from_le_bytes(*id), decompressor, buffer: Vec::with_capacity(frame_bytes_max) })
    }

    /// The frame as it was before it was packed; nothing if it is broken or larger than is admitted.
    pub(super) fn inflate(&mut self, packed: &[u8]) -> Option<Vec<u8>> {
        self.buffer.clear();
        self.decompressor.decompress_to_buffer(packed, &mut self.buffer).ok()?;
        Some(self.buffer.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_bounded() {
        let now = "2026-11-22T06:00:00Z".parse().unwrap();
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(value));
            retry_after(&headers, now)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Sun, 22 Nov 2026 06:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(read("Sun, 22 Nov 2026 05:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("999999999"), Some(RETRY_AFTER_MAX));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn a_refusal_whose_words_are_not_all_there_is_not_believed() {
        let url = Url::parse("wss://a.example/").unwrap();
        let said = r#"{"error":"CursorTooOld","message":"the oldest available seq is 48000001"}"#;
        let refused = |length: Option<usize>, body: &str| {
            let mut answer = Response::builder().status(400);
            if let Some(length) = length {
                answer = answer.header(header::CONTENT_LENGTH, length);
            }
            refusal(&url, &answer.body(Some(body.as_bytes().to_vec())).unwrap())
        };
        let pieces = format!("{:x}\r\n{said}\r\n0\r\n\r\n", said.len());
        for whole in [refused(Some(said.len()), said), refused(None, said), refused(None, &pieces)] {
            assert!(matches!(whole, Refused::CursorTooOld(_)), "{whole:?}");
        }
        for half in [0, said.len() - 8] {
            for length in [Some(said.len()), None] {
                assert!(matches!(refused(length, &said[..half]), Refused::Wordless(_)), "{half} {length:?}");
            }
        }
        assert!(matches!(refused(Some(0), ""), Refused::Wordless(_)));
        assert!(matches!(refused(Some(6), "<html>"), Refused::Retry { .. }), "that is nobody's words");
    }

    #[test]
    fn what_is_no_dictionary_is_refused() {
        for bytes in [&b""[..], b"<html>", &[0x37, 0xa4, 0x30, 0xec, 1]] {
            assert!(Inflater::new(bytes, 4096).is_err());
        }
    }
}
