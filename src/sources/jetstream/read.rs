//! Reads one connection: frames to arrivals with cursors, gaps as notices, and the timer for a stream that died.
//! Unaware of how the connection was made.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::{self, Message};
use tracing::warn;

use crate::clock;
use crate::inlet::Inlet;
use crate::model::{Arrival, Timestamp, Wire};

use super::cursor::{Begin, Mark, Marker, shown};
use super::wire::{self, Kind, Told, words};
use super::{Ended, Gap, Jetstream, Opened};

/// The first wire does not say that it moved a cursor. Without a filter of authors it always sends account events, so
/// when its first event is so much later than the cursor, the cursor was moved.
const CLAMP_US_MIN: u64 = 5 * 60 * 1_000_000;

/// One connection that is being read.
pub(super) struct Stream<'a> {
    jetstream: &'a Jetstream,
    inlet: &'a Inlet,
    opened: Opened,
    wire: Wire,
    marker: Marker,
    /// How far the connections before this one came.
    stored: Option<Mark>,
    /// The last event of this one.
    mark: Option<Mark>,
    died: bool,
    counts_anew: bool,
    /// Whether the operator was told of a stream that is ahead of our clock.
    is_ahead_told: bool,
}

impl<'a> Stream<'a> {
    pub(super) fn new(
        jetstream: &'a Jetstream,
        inlet: &'a Inlet,
        host: &str,
        opened: Opened,
        stored: Option<Mark>,
    ) -> Self {
        let version = jetstream.settings.wire;
        let wire = wire::wire(version);
        let marker = Marker::new(wire, host);
        let (died, counts_anew, is_ahead_told) = (false, false, false);
        Self { jetstream, inlet, opened, wire, marker, stored, mark: None, died, counts_anew, is_ahead_told }
    }

    /// Whether the host deserves the next run too: it knows our cursor.
    pub(super) fn is_good(&self) -> bool {
        self.mark.is_some() && !self.died
    }

    /// Whether the host's seqs are no longer those that the stored cursor was counted in.
    pub(super) fn counts_anew(&self) -> bool {
        self.counts_anew
    }

    /// Hands over frames until the connection ends.
    pub(super) async fn read(&mut self) -> Ended {
        let dead_after = Duration::from_secs(self.jetstream.settings.dead_after_s);
        let mut alive = Instant::now();
        let mut dead = std::pin::pin!(sleep_until(alive + dead_after));
        loop {
            let message = tokio::select! {
                message = self.opened.socket.next() => message,
                () = &mut dead => {
                    if alive.elapsed() >= dead_after {
                        self.died = true;
                        return retry(format!("silent for {} s", dead_after.as_secs()));
                    }
                    dead.as_mut().reset(alive + dead_after);
                    continue;
                }
            };
            let is_life = match message {
                Some(Ok(message)) => self.take(message).await,
                Some(Err(cause)) => Err(self.broken(&cause)),
                None => Err(retry("the connection ended".to_owned())),
            };
            match is_life {
                // After the hand-over: waiting for the turn is not the stream's silence.
                Ok(true) => alive = Instant::now(),
                Ok(false) => {}
                Err(ended) => return ended,
            }
        }
    }

    /// Takes one message; says whether it proves that the stream lives. A host that went silent may go on answering
    /// pings, so a ping counts only where no event for long is normal: with a filter of authors.
    async fn take(&mut self, message: Message) -> Result<bool, Ended> {
        match message {
            Message::Text(text) => self.frame(text.as_bytes().to_vec()).await.map(|()| true),
            Message::Binary(bytes) => {
                let inflated = self.opened.inflater.as_mut().and_then(|inflater| inflater.inflate(&bytes));
                // What cannot be unpacked goes on as it is, to be counted as rejected.
                self.frame(inflated.unwrap_or_else(|| bytes.to_vec())).await.map(|()| true)
            }
            Message::Ping(_) | Message::Pong(_) => Ok(self.is_of_few_authors()),
            Message::Close(None) => Err(retry("closed by the server".to_owned())),
            Message::Close(Some(close)) => {
                let reason = words(&close.reason);
                Err(retry(format!("closed by the server: {} {reason}", u16::from(close.code))))
            }
            Message::Frame(_) => Ok(true),
        }
    }

    /// Whether events may be rare: on both wires a filter of authors holds back account events too.
    fn is_of_few_authors(&self) -> bool {
        !self.jetstream.settings.dids.is_empty()
    }

    /// Hands over one frame. A frame that does not say how far it is has the cursor of the one before on this
    /// connection: a seq of another host means nothing here.
    async fn frame(&mut self, body: Vec<u8>) -> Result<(), Ended> {
        let fetched_at = clock::now();
        match wire::peek(self.jetstream.settings.wire, &body, fetched_at) {
            Kind::Event(Told::Mark(mark)) => self.advance(mark).await?,
            Kind::Event(Told::Ahead) => self.tell_of_the_clock(),
            Kind::Event(Told::Nothing) => {}
            Kind::Outdated(said) => return self.outdated(&said).await,
            Kind::Future(said) => return Err(self.anew(&said)),
            Kind::Error(said) => return Err(retry(said)),
        }
        self.hand_over(body, fetched_at).await
    }

    /// Once for a connection: with a clock that is behind, no cursor moves at all.
    fn tell_of_the_clock(&mut self) {
        if !self.is_ahead_told {
            let source = &self.jetstream.source;
            warn!(%source, "an event is minutes ahead of this machine's clock; its cursor is not kept: check the clock");
            self.is_ahead_told = true;
        }
    }

    async fn hand_over(&mut self, body: Vec<u8>, fetched_at: Timestamp) -> Result<(), Ended> {
        let cursor = self.mark.map(|mark| self.marker.cursor(mark));
        let source = self.jetstream.source.clone();
        let arrival = Arrival { source, wire: self.wire, body, fetched_at, cursor };
        self.inlet.send(arrival).await.map_err(|_| Ended::Stopped)
    }

    /// Moves on to an event; the first one tells whether the server began where it was asked to.
    async fn advance(&mut self, mark: Mark) -> Result<(), Ended> {
        if self.mark.is_none() {
            let asked = self.opened.begin;
            if matches!(asked, Begin::Seq(seq) if mark.cursor < seq) {
                return Err(self.anew("it began before the seq that was asked for"));
            }
            let is_clamped = self.wire == Wire::Jetstream
                && !self.is_of_few_authors()
                && matches!(asked, Begin::Time(time_us) if mark.time_us > time_us.saturating_add(CLAMP_US_MIN));
            if let (true, Some(stored)) = (is_clamped, self.stored) {
                let why = "the server began later than it was asked to";
                let gap = Gap { from: shown(stored.time_us), to: shown(mark.time_us), why };
                self.jetstream.declare(gap, None, self.inlet).await?;
            }
        }
        self.mark = Some(mark);
        Ok(())
    }

    /// The server was set up anew, so that our seq means nothing to it; a time still does.
    fn anew(&mut self, said: &str) -> Ended {
        self.counts_anew = true;
        retry(format!("the server counts its events anew ({said}); resuming by time"))
    }

    /// The second wire says that it moved the cursor.
    async fn outdated(&mut self, said: &str) -> Result<(), Ended> {
        let from = self.stored.map_or_else(String::new, |mark| shown(mark.time_us));
        let to = wire::number_above(said, 0).map_or_else(|| said.to_owned(), |seq| format!("seq {seq}"));
        let gap = Gap { from, to, why: "the server no longer has the time that was asked for" };
        self.jetstream.declare(gap, None, self.inlet).await
    }

    fn broken(&self, cause: &tungstenite::Error) -> Ended {
        match cause {
            tungstenite::Error::Capacity(_) => {
                retry(format!("a frame over {} bytes", self.jetstream.settings.frame_bytes_max))
            }
            other => retry(other.to_string()),
        }
    }
}

fn retry(cause: String) -> Ended {
    Ended::Retry { after: None, cause }
}
