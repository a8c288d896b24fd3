//! Jetstream, Bluesky's stream, on both wire versions: connects, resumes where the store has come to, and hands over
//! every frame with its cursor. Unaware of what an event says about posts.

mod connect;
mod cursor;
mod members;
mod read;
mod settings;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::clock;
use crate::inlet::Inlet;
use crate::metrics;
use crate::model::{Arrival, Cursor, Wire};
use crate::normalize::notice::Notice;

use super::{Ended, Source};
use connect::{Inflater, NotFetched, Refused, Socket};
use cursor::{Begin, Mark, Marker, Stored};
use read::Stream;

pub use settings::{JetstreamSettings, WireVersion};
pub use wire::progress_of;

/// Attempts of one run to agree with a server on a cursor and a dictionary.
const HANDSHAKES_MAX: usize = 3;

/// One configured Jetstream.
pub struct Jetstream {
    /// Its slug.
    source: Arc<str>,
    settings: JetstreamSettings,
    tls: Arc<ClientConfig>,
    /// Which host the next run asks; the first run asks the one that the stored cursor is of.
    host: Option<usize>,
    /// Until when each host asked to be left alone, in their order.
    not_before: Vec<Option<Instant>>,
    /// The host of the stored cursor counts its events anew: the next run resumes by time.
    by_time: bool,
}

/// A connection, and what was agreed on.
struct Opened {
    socket: Socket,
    inflater: Option<Inflater>,
    begin: Begin,
}

/// A hole in the stream: what could have been between the two is not to be had.
struct Gap<'a> {
    from: String,
    to: String,
    why: &'a str,
}

impl Jetstream {
    /// `settings` without mistakes.
    pub fn new(source: Arc<str>, settings: JetstreamSettings) -> Self {
        let not_before = vec![None; settings.hosts.len()];
        Self { source, settings, tls: connect::tls(), host: None, not_before, by_time: false }
    }

    /// One connection from its opening to its end.
    async fn session(&mut self, stored: Option<Stored>, inlet: &Inlet) -> Ended {
        let wanted = self.host.unwrap_or_else(|| self.host_of(stored.as_ref()));
        let at = match self.host_at_ease(wanted, Instant::now()) {
            Ok(at) => at,
            Err(after) => {
                return Ended::Retry { after: Some(after), cause: "every host asks to be left alone".to_owned() };
            }
        };
        // Unless this one proves good, the next run asks the next one.
        self.host = Some((at + 1) % self.settings.hosts.len().max(1));
        let Some(host) = self.settings.hosts.get(at).cloned() else {
            return Ended::Fatal { cause: format!("[source.{}] has no hosts", self.source) };
        };
        let opened = match self.open(&host, stored.as_ref(), inlet).await {
            Ok(opened) => opened,
            Err(ended) => return self.leave_alone(at, ended),
        };
        metrics::source_connected(&self.source);
        info!(source = %self.source, host, begin = ?opened.begin, "connected");
        let mut stream = Stream::new(self, inlet, &host, opened, stored.as_ref().map(Stored::mark));
        let ended = stream.read().await;
        let (is_good, counts_anew) = (stream.is_good(), stream.counts_anew());
        self.by_time = counts_anew;
        if is_good || counts_anew {
            self.host = Some(at);
        }
        match ended {
            Ended::Retry { after, cause } => Ended::Retry { after, cause: format!("{host}: {cause}") },
            other => other,
        }
    }

    /// The first host from `wanted` on that does not ask to be left alone, else how long until one no longer does.
    fn host_at_ease(&self, wanted: usize, now: Instant) -> Result<usize, Duration> {
        let count = self.not_before.len();
        let wait = |at: usize| self.not_before[at].map_or(Duration::ZERO, |then| then.saturating_duration_since(now));
        let hosts = (wanted..wanted + count).map(|at| at % count);
        match hosts.clone().find(|&at| wait(at).is_zero()) {
            Some(at) => Ok(at),
            None => hosts.map(wait).min().map_or(Ok(wanted), Err),
        }
    }

    /// Keeps to itself how long one host wants to be left alone, as long as another one does not.
    fn leave_alone(&mut self, at: usize, ended: Ended) -> Ended {
        let Ended::Retry { after: Some(after), cause } = ended else { return ended };
        let now = Instant::now();
        self.not_before[at] = Some(now + after);
        Ended::Retry { after: self.host_at_ease(at, now).err(), cause }
    }

    fn host_of(&self, stored: Option<&Stored>) -> usize {
        stored.and_then(|stored| self.settings.hosts.iter().position(|host| *host == stored.host)).unwrap_or(0)
    }

    /// Connects, and settles with the server which cursor and which dictionary it is.
    async fn open(&self, host: &str, stored: Option<&Stored>, inlet: &Inlet) -> Result<Opened, Ended> {
        let settings = &self.settings;
        let rewind = Duration::from_secs(settings.rewind_s);
        let mut begin = match stored {
            None => Begin::Live,
            Some(stored) if self.by_time => stored.begin_by_time(rewind),
            Some(stored) => stored.begin(settings.wire, host, rewind),
        };
        for _ in 0..HANDSHAKES_MAX {
            let inflater = self.inflater(host).await?;
            let id = inflater.as_ref().map(|inflater| inflater.id);
            let url = wire::subscription(settings, host, begin, id).map_err(|cause| unusable(host, &cause))?;
            match connect::open(&url, &self.tls, settings.frame_bytes_max).await {
                Ok(socket) => return Ok(Opened { socket, inflater, begin }),
                Err(Refused::CursorTooOld(said)) => begin = self.too_old(host, stored, &said, inlet).await?,
                // The next round fetches the one that the server has by now.
                Err(Refused::UnknownDictionary) => {}
                Err(Refused::Wordless(cause)) => match (begin, stored) {
                    // Most likely the seq is too old. By time the server moves the cursor itself.
                    (Begin::Seq(_), Some(stored)) => begin = stored.begin_by_time(rewind),
                    _ if id.is_some() => {}
                    _ => return Err(Ended::Retry { after: None, cause }),
                },
                Err(Refused::Retry { after, cause }) => return Err(Ended::Retry { after, cause }),
            }
        }
        let cause = format!("{host}: no agreement on cursor and dictionary in {HANDSHAKES_MAX} attempts");
        Err(Ended::Retry { after: None, cause })
    }

    async fn inflater(&self, host: &str) -> Result<Option<Inflater>, Ended> {
        if !self.settings.compress || self.settings.wire == WireVersion::V1 {
            return Ok(None);
        }
        let url = wire::dictionary(host).map_err(|cause| unusable(host, &cause))?;
        match Inflater::fetch(&url, &self.tls, self.settings.frame_bytes_max).await {
            Ok(inflater) => Ok(Some(inflater)),
            Err(NotFetched::Unusable(cause)) => {
                warn!(source = %self.source, host, cause, "no dictionary to unpack frames with; they come unpacked");
                Ok(None)
            }
            Err(NotFetched::Retry { after, cause }) => Err(Ended::Retry { after, cause }),
        }
    }

    /// The server no longer has the stored seq: declares the gap and begins at the oldest event there is.
    async fn too_old(&self, host: &str, stored: Option<&Stored>, said: &str, inlet: &Inlet) -> Result<Begin, Ended> {
        let Some(mark) = stored.map(Stored::mark) else {
            return Err(Ended::Retry { after: None, cause: format!("{host}: {said}") });
        };
        let Some(floor) = wire::number_above(said, mark.cursor).filter(|floor| *floor < cursor::TIME_US_MIN) else {
            // By time the server moves the cursor itself and says so in the stream.
            return Ok(Begin::Time(mark.time_us));
        };
        let from = format!("{} (seq {})", cursor::shown(mark.time_us), mark.cursor);
        let gap = Gap { from, to: format!("seq {floor}"), why: "the server no longer has the stored cursor" };
        // With a cursor at the floor, so that a crash before the first event does not declare it twice.
        let marker = Marker::new(Wire::JetstreamV2, host);
        let cursor = marker.cursor(Mark { cursor: floor, time_us: mark.time_us });
        self.declare(gap, Some(cursor), inlet).await?;
        Ok(Begin::Seq(floor))
    }

    /// Hands over a gap as an arrival of its own.
    async fn declare(&self, gap: Gap<'_>, cursor: Option<Cursor>, inlet: &Inlet) -> Result<(), Ended> {
        metrics::source_gap(&self.source);
        let body = Notice::Gap { from: gap.from, to: gap.to, why: gap.why.to_owned() }.body();
        let source = self.source.clone();
        let arrival = Arrival { source, wire: Wire::Notice, body, fetched_at: clock::now(), cursor };
        inlet.send(arrival).await.map_err(|_| Ended::Stopped)
    }
}

fn unusable(host: &str, cause: &url::ParseError) -> Ended {
    Ended::Fatal { cause: format!("hosts: `{host}` is no address: {cause}") }
}

impl Source for Jetstream {
    async fn run(&mut self, resume: Vec<Cursor>, inlet: &Inlet, stop: &CancellationToken) -> Ended {
        let stored = resume.iter().find(|cursor| cursor.part.is_empty()).map(|cursor| Stored::read(&cursor.value));
        match stored.transpose() {
            Ok(stored) => stop.run_until_cancelled(self.session(stored, inlet)).await.unwrap_or(Ended::Stopped),
            Err(cause) => Ended::Fatal { cause },
        }
    }
}

#[cfg(test)]
mod tests;
