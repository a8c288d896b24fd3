//! What the played Jetstream says and when: its events, the one clock they share, and their text on either wire.
//! Unaware of sockets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::Notify;

use super::{Pace, PlayedEvent};

/// Events that one look at the play takes.
const BATCH_EVENTS_MAX: usize = 256;
/// A cursor of the second wire from here on is a time in microseconds, below it a seq.
pub(super) const TIME_CURSOR_MIN: u64 = 1_000_000_000_000_000;

/// Which wire a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V2,
}

/// All events, and the clock that makes them live one after the other.
pub(super) struct Play {
    state: Mutex<State>,
    /// Wakes whoever waits for the next event.
    pub(super) grown: Notify,
}

struct State {
    /// In the order of `due`.
    events: Vec<Arc<Event>>,
    /// When the first client came: the play waits for it.
    started: Option<Instant>,
}

/// One event, in the pieces that both wires are made of.
pub(super) struct Event {
    /// Since the start of the play.
    due: Duration,
    pub(super) time_us: u64,
    did: String,
    said: Said,
}

enum Said {
    /// `members` are those of the commit object, each as `"name":value`.
    Commit { collection: String, members: Vec<String> },
    /// Anything else that has a kind, with the text of the object of that name.
    Other { kind: String, object: String },
    /// Sent as it is, to everybody.
    Raw(String),
}

/// What a client asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    pub(super) collections: Vec<String>,
    pub(super) dids: Vec<String>,
}

impl Play {
    pub(super) fn new(mut played: Vec<PlayedEvent>, pace: Pace) -> Self {
        played.sort_by_key(|event| event.at_ms);
        let mut events: Vec<Arc<Event>> = Vec::with_capacity(played.len());
        for event in played {
            let before = events.last().map_or(0, |last| last.time_us);
            events.push(Arc::new(Event::new(event.body, pace.due(event.at_ms), before)));
        }
        Self { state: Mutex::new(State { events, started: None }), grown: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event that is live now.
    pub(super) fn emit(&self, body: Value) {
        let mut state = self.lock();
        let live = state.live();
        let before = live.checked_sub(1).map_or(0, |last| state.events[last].time_us);
        let due = state.elapsed();
        state.events.insert(live, Arc::new(Event::new(body, due, before)));
        drop(state);
        self.grown.notify_waiters();
    }

    /// Whether every event is live.
    pub(super) fn is_finished(&self) -> bool {
        let state = self.lock();
        state.started.is_some() && state.live() == state.events.len()
    }

    /// Where a client begins. The first one starts the clock.
    pub(super) fn join(&self, version: Version, cursor: Option<u64>) -> usize {
        let mut state = self.lock();
        if state.started.is_none() {
            state.started = Some(Instant::now());
            self.grown.notify_waiters();
            if cursor.is_none() {
                return 0;
            }
        }
        let live = state.live();
        let Some(cursor) = cursor else { return live };
        let first = match version {
            Version::V2 if cursor < TIME_CURSOR_MIN => usize::try_from(cursor.saturating_sub(1)).unwrap_or(live),
            _ => state.events.iter().position(|event| event.time_us >= cursor).unwrap_or(live),
        };
        first.min(live)
    }

    /// Whether a seq is beyond the next one to be assigned.
    pub(super) fn is_ahead(&self, seq: u64) -> bool {
        seq > self.lock().live() as u64 + 1
    }

    /// The live events from `position` on, and when the one after them is due.
    pub(super) fn from(&self, position: usize) -> (Vec<Arc<Event>>, Option<Instant>) {
        let state = self.lock();
        let end = state.live().min(position + BATCH_EVENTS_MAX);
        let events = state.events.get(position..end).unwrap_or_default().to_vec();
        let due = state.events.get(end).zip(state.started).map(|(event, started)| started + event.due);
        (events, due)
    }
}

impl State {
    fn elapsed(&self) -> Duration {
        self.started.map_or(Duration::ZERO, |started| started.elapsed())
    }

    /// How many events are live.
    fn live(&self) -> usize {
        let elapsed = self.elapsed();
        self.events.partition_point(|event| event.due <= elapsed)
    }
}

impl Event {
    /// An event without a time has that of the one before.
    fn new(body: Value, due: Duration, time_before_us: u64) -> Self {
        let time_us = body.get("time_us").and_then(Value::as_u64).unwrap_or(time_before_us);
        let did = body.get("did").and_then(Value::as_str).unwrap_or_default().to_owned();
        let said = match (body.get("kind").and_then(Value::as_str), body.get("commit"), &body) {
            (Some("commit"), Some(commit), _) => {
                let collection = commit.get("collection").and_then(Value::as_str).unwrap_or_default().to_owned();
                let members = commit.as_object().into_iter().flatten();
                let members = members.map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
                Said::Commit { collection, members }
            }
            (Some(kind), None, _) => {
                let object = body.get(kind).map_or_else(|| "{}".to_owned(), Value::to_string);
                Said::Other { kind: kind.to_owned(), object }
            }
            (_, _, Value::String(raw)) => Said::Raw(raw.clone()),
            (_, _, other) => Said::Raw(other.to_string()),
        };
        Self { due, time_us, did, said }
    }

    /// Whether a client with this filter sees the event: account and identity events pass every filter of
    /// collections, and none of authors.
    pub(super) fn passes(&self, filter: &Filter) -> bool {
        let author = filter.dids.is_empty() || filter.dids.contains(&self.did);
        match &self.said {
            Said::Commit { collection, .. } => author && filter.admits(collection),
            Said::Other { .. } => author,
            Said::Raw(_) => true,
        }
    }

    /// The text of the frame.
    pub(super) fn text(&self, version: Version, seq: usize) -> String {
        let Self { did, time_us, .. } = self;
        match (&self.said, version) {
            (Said::Raw(text), _) => text.clone(),
            (Said::Commit { members, .. }, Version::V1) => {
                let members = members.join(",");
                format!(r#"{{"did":"{did}","time_us":{time_us},"kind":"commit","commit":{{{members}}}}}"#)
            }
            (Said::Other { kind, object }, Version::V1) => {
                format!(r#"{{"did":"{did}","time_us":{time_us},"kind":"{kind}","{kind}":{object}}}"#)
            }
            (Said::Commit { members, .. }, Version::V2) => self.frame("commit", seq, members),
            (Said::Other { kind, object }, Version::V2) => self.frame(kind, seq, &[format!(r#""{kind}":{object}"#)]),
        }
    }

    /// A frame of the second wire: its times have six digits of a second, and its members the order of the alphabet,
    /// so that the seq comes behind the record, as a real server writes them.
    fn frame(&self, kind: &str, seq: usize, members: &[String]) -> String {
        let time = jiff::Timestamp::from_microsecond(i64::try_from(self.time_us).unwrap_or(i64::MAX));
        let time = time.unwrap_or(jiff::Timestamp::MAX);
        let own = [
            format!(r##""$type":"network.bsky.jetstream.subscribeEvents#{kind}""##),
            format!(r#""did":"{}""#, self.did),
            format!(r#""seq":{seq}"#),
            format!(r#""time":"{time:.6}""#),
        ];
        let mut members: Vec<&str> = own.iter().chain(members).map(String::as_str).collect();
        members.sort_unstable();
        format!(r#"{{"$type":"message","payload":{{{}}}}}"#, members.join(","))
    }
}

impl Filter {
    /// No collections are all; `app.bsky.feed.*` is every collection that begins so.
    fn admits(&self, collection: &str) -> bool {
        self.collections.is_empty()
            || self.collections.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(prefix) => collection.starts_with(prefix),
                None => wanted == collection,
            })
    }
}
