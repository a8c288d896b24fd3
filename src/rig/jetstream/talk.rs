//! One client of the played Jetstream: its request, the refusals, and the frames it is sent.
//! The handshake is done by hand, because refusals need a status, a body and headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use url::Url;

use super::play::{Event, Filter, TIME_CURSOR_MIN, Version};
use super::{Fault, GARBAGE, HUGE_FRAME_BYTES, RETRY_AFTER_S, Shared, dictionary_id};

const HEAD_BYTES_MAX: usize = 1 << 20;
const COMPRESSION_LEVEL: i32 = 1;
const PATH_V1: &str = "/subscribe";
const PATH_V2: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
const PATH_DICTIONARY: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";

/// What a client wants, and where it begins.
struct Wanted {
    version: Version,
    filter: Filter,
    cursor: Option<u64>,
    compressor: Option<zstd::bulk::Compressor<'static>>,
    /// A time cursor was moved up to this one.
    clamped: Option<u64>,
}

/// An answer other than an upgrade.
struct Refusal {
    status: u16,
    error: &'static str,
    message: String,
    /// How much of its body is sent before the connection ends.
    body_bytes_max: usize,
}

/// Whether a connection goes on.
#[derive(PartialEq, Eq)]
enum Next {
    Go,
    Leave,
}

struct Client<'a> {
    socket: WebSocketStream<TcpStream>,
    shared: &'a Shared,
    wanted: Wanted,
    /// Events sent on this connection.
    sent: u64,
}

/// Counts a connected client for as long as it is one.
struct Connected<'a>(&'a AtomicU64);

impl Drop for Connected<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Serves one connection to its end. A client that breaks off is its own business.
pub(super) async fn serve(mut stream: TcpStream, shared: &Shared) {
    stream.set_nodelay(true).ok();
    let Some(head) = head(&mut stream).await else { return };
    let Some((url, key)) = request(&head) else { return };
    if url.path() == PATH_DICTIONARY {
        return serve_dictionary(stream, shared).await;
    }
    let wanted = match wanted(&url, shared) {
        Ok(wanted) => wanted,
        Err(refusal) => {
            stream.write_all(refusal.response().as_bytes()).await.ok();
            return;
        }
    };
    let accept = derive_accept_key(key.as_bytes());
    let upgrade = format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    );
    if stream.write_all(upgrade.as_bytes()).await.is_err() {
        return;
    }
    // Before it counts as connected: what is added from then on is news to it.
    let position = shared.play.join(wanted.version, wanted.cursor);
    shared.counts.connections.fetch_add(1, Ordering::Relaxed);
    shared.counts.connected.fetch_add(1, Ordering::Relaxed);
    let _connected = Connected(&shared.counts.connected);
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
    let mut client = Client { socket, shared, wanted, sent: 0 };
    client.run(position).await;
    client.socket.get_mut().shutdown().await.ok();
}

/// Bytes up to the empty line.
async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > HEAD_BYTES_MAX || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    String::from_utf8(head).ok()
}

/// The address and the WebSocket key; the key is empty in a plain request.
fn request(head: &str) -> Option<(Url, String)> {
    let target = head.strip_prefix("GET ")?.split(' ').next()?;
    let url = Url::parse("http://jetstream").ok()?.join(target).ok()?;
    let key = head.lines().filter_map(|line| line.split_once(':'));
    let key = key.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"));
    Some((url, key.map_or_else(String::new, |(_, value)| value.trim().to_owned())))
}

async fn serve_dictionary(mut stream: TcpStream, shared: &Shared) {
    if shared.fire(|fault| fault == Fault::NoDictionary).is_some() {
        let refusal = Refusal::new(501, "MethodNotImplemented", "there are no dictionaries here".to_owned());
        stream.write_all(refusal.response().as_bytes()).await.ok();
        return;
    }
    let dictionary = shared.dictionary();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\nx-zstd-dictionary-id: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        dictionary_id(&dictionary),
        dictionary.len()
    );
    shared.counts.dictionaries_served.fetch_add(1, Ordering::Relaxed);
    stream.write_all(head.as_bytes()).await.ok();
    stream.write_all(&dictionary).await.ok();
    stream.shutdown().await.ok();
}

fn wanted(url: &Url, shared: &Shared) -> Result<Wanted, Refusal> {
    if let Some(Fault::RefuseHttp(status)) = shared.fire(|fault| matches!(fault, Fault::RefuseHttp(_))) {
        return Err(Refusal::new(status, "Refused", "refused on request".to_owned()));
    }
    let version = match url.path() {
        PATH_V1 => Version::V1,
        PATH_V2 => Version::V2,
        other => return Err(Refusal::new(404, "NotFound", format!("there is no {other}"))),
    };
    let (collections, dids) = match version {
        Version::V1 => ("wantedCollections", "wantedDids"),
        Version::V2 => ("collections", "dids"),
    };
    let mut wanted = Wanted { version, filter: Filter::default(), cursor: None, compressor: None, clamped: None };
    for (name, value) in url.query_pairs() {
        match (&*name, version) {
            ("cursor", _) => wanted.cursor = Some(value.parse().map_err(|_| Refusal::invalid("cursor"))?),
            (name, _) if name == collections => wanted.filter.collections.push(value.into_owned()),
            (name, _) if name == dids => wanted.filter.dids.push(value.into_owned()),
            ("maxMessageSizeBytes", _) | ("kinds", Version::V2) => {}
            ("zstdDictionary", Version::V2) => wanted.compressor = Some(compressor(&value, shared)?),
            (other, _) => return Err(Refusal::invalid(other)),
        }
    }
    wanted.meet_floor(shared)?;
    Ok(wanted)
}

fn compressor(id: &str, shared: &Shared) -> Result<zstd::bulk::Compressor<'static>, Refusal> {
    if shared.fire(|fault| fault == Fault::ReplaceDictionary).is_some() {
        shared.replace_dictionary();
    }
    let dictionary = shared.dictionary();
    let current = dictionary_id(&dictionary);
    if id != current.to_string() {
        let message = format!("unknown dictionary {id}; the current one is {current}");
        return Err(Refusal::new(400, "UnknownZstdDictionary", message));
    }
    zstd::bulk::Compressor::with_dictionary(COMPRESSION_LEVEL, &dictionary)
        .map_err(|_| Refusal::invalid("zstdDictionary"))
}

impl Wanted {
    /// Refuses or moves a cursor that is older than what the server pretends to have.
    fn meet_floor(&mut self, shared: &Shared) -> Result<(), Refusal> {
        let Some(cursor) = self.cursor else { return Ok(()) };
        let is_seq = self.version == Version::V2 && cursor < TIME_CURSOR_MIN;
        let met = shared.fire(|fault| match fault {
            Fault::CursorTooOld { floor } | Fault::WordlessTooOld { floor } => is_seq && cursor < floor,
            Fault::Clamp { floor } => !is_seq && cursor < floor,
            _ => false,
        });
        match met {
            Some(met @ (Fault::CursorTooOld { floor } | Fault::WordlessTooOld { floor })) => {
                let message = format!("cursor {cursor} is too old; the oldest available seq is {floor}");
                let refusal = Refusal::new(400, "CursorTooOld", message);
                let body_bytes_max = if matches!(met, Fault::WordlessTooOld { .. }) { 0 } else { usize::MAX };
                Err(Refusal { body_bytes_max, ..refusal })
            }
            Some(Fault::Clamp { floor }) => {
                self.cursor = Some(floor);
                self.clamped = Some(floor);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

impl Refusal {
    fn new(status: u16, error: &'static str, message: String) -> Self {
        Self { status, error, message, body_bytes_max: usize::MAX }
    }

    fn invalid(what: &str) -> Self {
        Self::new(400, "InvalidRequest", format!("{what} is not known or has no such value"))
    }

    fn response(&self) -> String {
        let body = serde_json::json!({ "error": self.error, "message": self.message }).to_string();
        let retry = if self.status == 429 { format!("retry-after: {RETRY_AFTER_S}\r\n") } else { String::new() };
        format!(
            "HTTP/1.1 {} Refused\r\ncontent-type: application/json\r\n{retry}content-length: {}\r\nconnection: close\r\n\r\n{}",
            self.status,
            body.len(),
            &body[..body.len().min(self.body_bytes_max)]
        )
    }
}

impl Client<'_> {
    async fn run(&mut self, mut position: usize) {
        if self.greet().await == Next::Leave {
            return;
        }
        loop {
            // Registered before the look, so that nothing that is added in between is slept through.
            let mut grown = std::pin::pin!(self.shared.play.grown.notified());
            grown.as_mut().enable();
            let (events, due) = self.shared.play.from(position);
            for event in &events {
                position += 1;
                if self.send(event, position).await == Next::Leave {
                    return;
                }
            }
            if self.misbehave().await == Next::Leave || self.socket.flush().await.is_err() {
                return;
            }
            if events.is_empty() {
                let due = due.unwrap_or_else(|| Instant::now() + std::time::Duration::from_secs(3600));
                tokio::select! {
                    message = self.socket.next() => if self.heard(message) == Next::Leave { return },
                    () = tokio::time::sleep_until(due.into()) => (),
                    () = grown => (),
                }
            }
            while let Some(message) = self.socket.next().now_or_never() {
                if self.heard(message) == Next::Leave {
                    return;
                }
            }
        }
    }

    /// A ping, and on the second wire word of a cursor that was moved or is ahead of every event.
    async fn greet(&mut self) -> Next {
        if self.socket.send(Message::Ping(Bytes::from_static(b"earful"))).await.is_err() {
            return Next::Leave;
        }
        let (Version::V2, Some(cursor)) = (self.wanted.version, self.wanted.cursor) else { return Next::Go };
        let (name, message) = if let Some(floor) = self.wanted.clamped {
            let seq = self.shared.play.join(Version::V2, Some(floor)) + 1;
            ("OutdatedCursor", format!("cursor clamped; resuming from seq {seq}"))
        } else if cursor < TIME_CURSOR_MIN && self.shared.play.is_ahead(cursor) {
            ("FutureCursor", format!("seq {cursor} has not been assigned; starting at the live tip"))
        } else {
            return Next::Go;
        };
        self.text(format!(r##"{{"$type":"message","payload":{{"$type":"network.bsky.jetstream.subscribeEvents#info","name":"{name}","message":"{message}"}}}}"##)).await
    }

    /// Sends one event if the client wants it. `seq` is its number from 1.
    async fn send(&mut self, event: &Arc<Event>, seq: usize) -> Next {
        if !event.passes(&self.wanted.filter) {
            return Next::Go;
        }
        if self.misbehave().await == Next::Leave {
            return Next::Leave;
        }
        let next = self.text(event.text(self.wanted.version, seq)).await;
        if next == Next::Go {
            self.sent += 1;
            self.shared.counts.events_sent.fetch_add(1, Ordering::Relaxed);
        }
        next
    }

    /// Queues a frame, compressed if that was agreed.
    async fn text(&mut self, text: String) -> Next {
        let message = match &mut self.wanted.compressor {
            Some(compressor) => match compressor.compress(text.as_bytes()) {
                Ok(bytes) => Message::Binary(bytes.into()),
                Err(_) => return Next::Leave,
            },
            None => Message::Text(Utf8Bytes::from(text)),
        };
        if self.socket.feed(message).await.is_err() { Next::Leave } else { Next::Go }
    }

    /// Does what an armed fault asks for at this point of the connection.
    async fn misbehave(&mut self) -> Next {
        let sent = self.sent;
        let second = self.wanted.version == Version::V2;
        let fault = self.shared.fire(|fault| match fault {
            Fault::CutAfter(n) | Fault::SilentAfter(n) | Fault::GarbageAt(n) | Fault::HugeFrameAt(n) => n <= sent,
            Fault::TerminalError(n) => second && n <= sent,
            _ => false,
        });
        match fault {
            Some(Fault::CutAfter(_)) => {
                self.socket.flush().await.ok();
                Next::Leave
            }
            Some(Fault::SilentAfter(_)) => {
                self.socket.flush().await.ok();
                while let Some(Ok(_)) = self.socket.next().await {}
                Next::Leave
            }
            Some(Fault::GarbageAt(_)) => self.text(GARBAGE.to_owned()).await,
            Some(Fault::HugeFrameAt(_)) => {
                let huge = Message::Text(Utf8Bytes::from("a".repeat(HUGE_FRAME_BYTES)));
                if self.socket.feed(huge).await.is_err() { Next::Leave } else { Next::Go }
            }
            Some(Fault::TerminalError(_)) => {
                let error = r#"{"$type":"error","error":"ConsumerTooSlow","message":"subscriber below floor rate"}"#;
                self.text(error.to_owned()).await;
                self.socket.close(None).await.ok();
                Next::Leave
            }
            _ => Next::Go,
        }
    }

    /// Takes a frame from the client: on the second wire any data ends the connection.
    fn heard(&mut self, message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>) -> Next {
        let counts = &self.shared.counts;
        match message {
            Some(Ok(Message::Pong(_))) => drop(counts.pongs.fetch_add(1, Ordering::Relaxed)),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                counts.frames_received.fetch_add(1, Ordering::Relaxed);
                if self.wanted.version == Version::V2 {
                    return Next::Leave;
                }
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Next::Leave,
        }
        Next::Go
    }
}
