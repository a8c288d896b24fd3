//! A Jetstream on loopback, for tests, the demo and `earful bench`: plays events on one clock over both wire
//! versions and misbehaves on request. Unaware of Earful's own client.

mod play;
mod talk;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use play::Play;

/// The id of the dictionary that is served first; it is the one of the public hosts.
pub const DICTIONARY_ID: u32 = 20_260_811;
/// Bytes of the dictionary at most.
const DICTIONARY_BYTES_MAX: usize = 16 << 10;
/// Events that the dictionary is trained on.
const SAMPLES_MAX: usize = 2_000;
/// What `Fault::RefuseHttp(429)` asks for, in seconds.
pub const RETRY_AFTER_S: u64 = 7;
/// Bytes of the frame that `Fault::HugeFrameAt` sends.
pub const HUGE_FRAME_BYTES: usize = 4 << 20;
/// The text that `Fault::GarbageAt` sends.
pub const GARBAGE: &str = r#"{"did":"did:plc:garbage","time_us":"#;

/// One event and when it is live, counted from the first client's coming.
#[derive(Clone, Debug)]
pub struct PlayedEvent {
    pub at_ms: u64,
    /// An event of the first wire; a string is sent as it is.
    pub body: Value,
}

/// How fast the play goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As written in the events.
    Own,
    /// So many times faster.
    Factor(f64),
    /// Everything is live at once.
    Fast,
}

/// How the server misbehaves. Each fires once, those about old cursors and `NoDictionary` as often as they are met;
/// `n` counts the events sent on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends without a word.
    CutAfter(u64),
    /// The connection stays open and brings nothing more.
    SilentAfter(u64),
    /// A frame that is cut off, and then on.
    GarbageAt(u64),
    /// A frame of `HUGE_FRAME_BYTES`, and then on.
    HugeFrameAt(u64),
    /// A seq below the floor is refused (second wire).
    CursorTooOld { floor: u64 },
    /// The same, but the connection ends before the body of the refusal.
    WordlessTooOld { floor: u64 },
    /// A time in microseconds below the floor begins at the floor; the second wire says so.
    Clamp { floor: u64 },
    /// `ConsumerTooSlow`, and the end (second wire).
    TerminalError(u64),
    /// A connection is refused with this status.
    RefuseHttp(u16),
    /// The dictionary is replaced by one with the next id before a client connects with the old one.
    ReplaceDictionary,
    /// There is no such thing as a dictionary here.
    NoDictionary,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// WebSockets that were opened.
    pub connections: u64,
    /// Clients that are connected now.
    pub connected: u64,
    /// Over all connections; garbage and the like do not count.
    pub events_sent: u64,
    pub faults_fired: u64,
    pub dictionaries_served: u64,
    /// Answers to the ping that every connection begins with.
    pub pongs: u64,
    /// Text and binary frames that clients sent.
    pub frames_received: u64,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    connected: AtomicU64,
    events_sent: AtomicU64,
    faults_fired: AtomicU64,
    dictionaries_served: AtomicU64,
    pongs: AtomicU64,
    frames_received: AtomicU64,
}

/// What the server and its connections share.
struct Shared {
    play: Play,
    faults: Mutex<Vec<Fault>>,
    counts: Counts,
    /// A dictionary in zstd's format, its id within.
    dictionary: Mutex<Arc<Vec<u8>>>,
    stop: CancellationToken,
}

/// Stops when dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

impl Server {
    /// On a free port of 127.0.0.1.
    pub async fn start(events: Vec<PlayedEvent>, pace: Pace) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), events, pace).await
    }

    pub async fn start_at(address: SocketAddr, events: Vec<PlayedEvent>, pace: Pace) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let shared = Arc::new(Shared {
            dictionary: Mutex::new(Arc::new(dictionary(&events))),
            play: Play::new(events, pace),
            faults: Mutex::default(),
            counts: Counts::default(),
            stop: stop.clone(),
        });
        tokio::spawn(accept(listener, shared.clone()));
        Ok(Self { address, shared, _stop: stop.drop_guard() })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a client is configured with.
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Adds an event of the first wire (a string is sent as it is) that is live now.
    pub fn emit(&self, body: Value) {
        self.shared.play.emit(body);
    }

    pub fn inject(&self, fault: Fault) {
        self.shared.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
        // Waiting connections look at the faults again.
        self.shared.play.grown.notify_waiters();
    }

    /// Whether every event is live. Whether a client has it, only the client knows.
    pub fn finished(&self) -> bool {
        self.shared.play.is_finished()
    }

    pub fn stats(&self) -> Stats {
        let counts = &self.shared.counts;
        Stats {
            connections: counts.connections.load(Ordering::Relaxed),
            connected: counts.connected.load(Ordering::Relaxed),
            events_sent: counts.events_sent.load(Ordering::Relaxed),
            faults_fired: counts.faults_fired.load(Ordering::Relaxed),
            dictionaries_served: counts.dictionaries_served.load(Ordering::Relaxed),
            pongs: counts.pongs.load(Ordering::Relaxed),
            frames_received: counts.frames_received.load(Ordering::Relaxed),
        }
    }
}

impl Pace {
    fn due(self, at_ms: u64) -> Duration {
        match self {
            Self::Own => Duration::from_millis(at_ms),
            Self::Factor(factor) => {
                Duration::try_from_secs_f64(at_ms as f64 / 1000.0 / factor).unwrap_or(Duration::ZERO)
            }
            Self::Fast => Duration::ZERO,
        }
    }
}

impl Shared {
    /// The first armed fault that `fires`; it is spent unless it lasts.
    fn fire(&self, fires: impl Fn(Fault) -> bool) -> Option<Fault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let at = faults.iter().position(|fault| fires(*fault))?;
        self.counts.faults_fired.fetch_add(1, Ordering::Relaxed);
        match faults[at] {
            lasting @ (Fault::CursorTooOld { .. }
            | Fault::WordlessTooOld { .. }
            | Fault::Clamp { .. }
            | Fault::NoDictionary) => Some(lasting),
            _ => Some(faults.remove(at)),
        }
    }

    fn dictionary(&self) -> Arc<Vec<u8>> {
        self.dictionary.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace_dictionary(&self) {
        let mut dictionary = self.dictionary.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = dictionary.as_ref().clone();
        let id = dictionary_id(&next) + 1;
        next[4..8].copy_from_slice(&id.to_le_bytes());
        *dictionary = Arc::new(next);
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let client = tokio::select! { () = shared.stop.cancelled() => return, client = listener.accept() => client };
        if let Ok((stream, _)) = client {
            let shared = shared.clone();
            let stop = shared.stop.clone();
            tokio::spawn(async move { stop.run_until_cancelled(talk::serve(stream, &shared)).await });
        }
    }
}

/// zstd's dictionary format: a magic number, the id, tables, and text that frames refer to.
fn dictionary(events: &[PlayedEvent]) -> Vec<u8> {
    let mut samples: Vec<String> = events.iter().take(SAMPLES_MAX).map(|event| event.body.to_string()).collect();
    // Training needs some text whatever is played.
    samples.extend((0..200_u32).map(|n| {
        format!(r#"{{"$type":"message","payload":{{"$type":"network.bsky.jetstream.subscribeEvents#commit","collection":"app.bsky.feed.post","did":"did:plc:{}","operation":"create","record":{{"$type":"app.bsky.feed.post","text":"{}"}},"rkey":"3n2utl{n}","seq":{n}}}}}"#, n * 7919, n * 104_729)
    }));
    let mut dictionary =
        zstd::dict::from_samples(&samples, DICTIONARY_BYTES_MAX).expect("200 samples train a dictionary");
    dictionary[4..8].copy_from_slice(&DICTIONARY_ID.to_le_bytes());
    dictionary
}

fn dictionary_id(dictionary: &[u8]) -> u32 {
    dictionary.get(4..8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}
