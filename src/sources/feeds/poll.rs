//! One visit to one feed: ask, hand over what is new together with the cursor, look at the pages of what vanished.
//! Decides nothing itself; unaware of other feeds.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{debug, info, warn};
use url::Url;

use crate::fetch::{Answer, Client, FetchError, Request};
use crate::inlet::{Closed, Inlet};
use crate::model::{Arrival, Cursor, PostId, Wire};
use crate::normalize::feed::Body;
use crate::{clock, metrics};

use super::agenda::{backoff, pause};
use super::answer::{Outcome, Polled, Terms, digest, farewell, silence};
use super::elsewhere::Elsewhere;
use super::state::{FeedState, Pending};
use super::trouble::Trouble;
use super::window::{Look, Verdict, confirm, forget, judge};

/// Pages looked at in one visit; the rest waits for the next.
const LOOKS_MAX: usize = 10;
/// Answers in a row that say that nothing changed, before one request asks without a condition: some servers say so
/// for ever.
const UNMODIFIED_MAX: u32 = 96;
/// Failures in a row at an address that the feed moved to, before the configured one is asked again: a move may have
/// been a mistake, or the new place may be gone.
const MOVED_FAILURES_MAX: u32 = 5;
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
                      application/xml;q=0.9, text/xml;q=0.9, application/json;q=0.8, */*;q=0.5";

/// What all visits of one source share.
pub struct Poller {
    pub source: Arc<str>,
    pub client: Client,
    pub terms: Terms,
    pub body_bytes_max: usize,
    pub pace: Pace,
    pub trouble: Trouble,
}

/// How often things are done.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub interval: Duration,
    /// Between two looks at a page that may be gone.
    pub look_gap: Duration,
    /// How long a host is left alone after a visit that looked at pages.
    pub look_rest: Duration,
}

/// One feed between two visits.
#[derive(Debug)]
pub struct Slot {
    /// The configured address: the cursor's name.
    pub part: Url,
    pub state: FeedState,
    /// Visits in a row that brought no answer of a feed.
    pub failures: u32,
    /// Whether the log says that it fails.
    pub told: bool,
    /// Answers in a row that said that nothing changed.
    pub unmodified: u32,
    pub poll_at: Instant,
}

/// A page that is there if the site is, looked at once in a visit and only if something is found gone.
struct Witness {
    /// None if no entry that is listed has a page on the site.
    page: Option<Url>,
    look: Option<Look>,
}

impl Slot {
    /// When it is to be visited; never again once it is gone and nothing is suspected.
    pub fn due(&self) -> Option<Instant> {
        let poll = (!self.state.gone).then_some(self.poll_at);
        let now = clock::now();
        let look = self.state.pending.iter().map(|pending| Instant::now() + pending.due.since(now)).min();
        poll.into_iter().chain(look).min()
    }
}

impl Poller {
    /// Does what is due, and says how long the host is to be left alone then. Fails only when the daemon is stopping.
    pub async fn visit(&self, slot: &mut Slot, elsewhere: Elsewhere, inlet: &Inlet) -> Result<Duration, Closed> {
        if !slot.state.gone && slot.poll_at <= Instant::now() {
            self.poll(slot, elsewhere, inlet).await?;
        }
        self.look(slot, inlet).await
    }

    async fn poll(&self, slot: &mut Slot, elsewhere: Elsewhere, inlet: &Inlet) -> Result<(), Closed> {
        let mut state = slot.state.clone();
        if slot.failures >= MOVED_FAILURES_MAX {
            state.address = slot.part.clone();
        }
        let request = Request {
            url: &state.address,
            accept: ACCEPT,
            validators: state.validators.as_ref().filter(|_| slot.unmodified < UNMODIFIED_MAX),
            body_bytes_max: self.body_bytes_max,
        };
        let answer = self.client.get(request).await;
        if let Some(feeds) = self.trouble.untold(std::time::Instant::now()) {
            warn!(source = %self.source, feeds, "so many more feeds began to fail within an hour");
        }
        let jitter = rand::random::<f64>();
        let polled = match answer {
            Ok(answer) => self.digest(state, answer, elsewhere).await,
            Err(error) => Err(error),
        };
        match polled {
            Ok(polled) => {
                metrics::feed_polled(&self.source, polled.outcome.name());
                match polled.outcome.failure() {
                    Some(cause) => self.fails(slot, &cause),
                    None => self.answers(slot),
                }
                self.schedule(slot, &polled.outcome, jitter);
                self.report(slot, &polled);
                self.hand_over(slot, polled.state, polled.body, inlet).await
            }
            Err(error) => {
                metrics::feed_polled(&self.source, error.reason());
                self.fails(slot, &error.to_string());
                slot.failures = slot.failures.saturating_add(1);
                slot.poll_at = Instant::now() + backoff(self.pace.interval, slot.failures, None, jitter);
                Ok(())
            }
        }
    }

    /// Parsing takes milliseconds that the threads of the network do not have.
    async fn digest(&self, state: FeedState, answer: Answer, elsewhere: Elsewhere) -> Result<Polled, FetchError> {
        let (terms, now) = (self.terms, clock::now());
        let digested = tokio::task::spawn_blocking(move || digest(state, &answer, &elsewhere, terms, now)).await;
        digested.map_err(|stopped| FetchError::Broken(stopped.to_string()))
    }

    fn schedule(&self, slot: &mut Slot, outcome: &Outcome, jitter: f64) {
        let is_unmodified = matches!(outcome, Outcome::NotModified { .. });
        slot.unmodified = if is_unmodified && slot.unmodified < UNMODIFIED_MAX { slot.unmodified + 1 } else { 0 };
        let wait = match outcome {
            Outcome::News { fresh } | Outcome::Unchanged { fresh } | Outcome::NotModified { fresh } => {
                slot.failures = 0;
                pause(self.pace.interval, *fresh, jitter)
            }
            Outcome::Status { retry_after, .. } => {
                slot.failures = slot.failures.saturating_add(1);
                backoff(self.pace.interval, slot.failures, *retry_after, jitter)
            }
            Outcome::Gone | Outcome::Rejected(_) => {
                slot.failures = slot.failures.saturating_add(1);
                backoff(self.pace.interval, slot.failures, None, jitter)
            }
        };
        slot.poll_at = Instant::now() + wait;
    }

    /// Says so the first time in a row, unless so many feeds fail that only their number matters.
    fn fails(&self, slot: &mut Slot, cause: &str) {
        let (source, feed, now) = (&self.source, &slot.part, std::time::Instant::now());
        if slot.failures > 0 {
            self.trouble.goes_on(feed.as_str(), cause);
            debug!(%source, %feed, cause, failures = slot.failures + 1, "the feed fails again");
        } else if self.trouble.begins(feed.as_str(), cause, now) {
            slot.told = true;
            warn!(%source, %feed, cause, "the feed fails; it is asked again");
        }
    }

    fn answers(&self, slot: &mut Slot) {
        let (source, feed) = (&self.source, &slot.part);
        if slot.failures > 0 {
            self.trouble.ends(feed.as_str());
        }
        if std::mem::take(&mut slot.told) {
            info!(%source, %feed, failures = slot.failures, "the feed answers again");
        }
    }

    fn report(&self, slot: &Slot, polled: &Polled) {
        let (source, feed) = (&self.source, &slot.part);
        if polled.outcome == Outcome::Gone {
            warn!(%source, %feed, "the feed says that it has ended (410); it is asked no more");
        }
        let notes = polled.notes;
        if notes.salvaged || notes.nameless + notes.suspects + notes.beyond > 0 {
            debug!(%source, %feed, ?notes, "the feed has faults or lost entries");
        }
        for (conclusion, entries) in
            [("nameless", notes.nameless), ("beyond", notes.beyond), ("elsewhere", notes.elsewhere)]
        {
            if entries > 0 {
                metrics::feed_vanished(source, conclusion, entries);
            }
        }
        if notes.flood > 0 {
            metrics::feed_vanished(source, "flood", notes.flood);
            warn!(%source, %feed, entries = notes.flood, "too many entries vanished at once; nothing is deleted");
        }
        if polled.state.address != slot.state.address {
            let (from, to) = (&slot.state.address, &polled.state.address);
            info!(%source, %feed, %from, %to, "the feed is asked at another address from now on");
        }
    }

    /// The entries, the validators and everything else become durable in one batch, or not at all.
    async fn hand_over(
        &self,
        slot: &mut Slot,
        state: FeedState,
        body: Option<Body>,
        inlet: &Inlet,
    ) -> Result<(), Closed> {
        let body = body.or_else(|| state.must_outlive(&slot.state).then(|| silence(&state, self.terms)));
        if let Some(body) = body {
            let body = serde_json::to_vec(&body).expect("a body in memory is JSON");
            let cursor = Cursor { part: slot.part.to_string(), value: state.encode() };
            let source = self.source.clone();
            inlet
                .send(Arrival { source, wire: Wire::Feed, body, fetched_at: clock::now(), cursor: Some(cursor) })
                .await?;
        }
        slot.state = state;
        Ok(())
    }

    /// Looks at the pages of entries that vanished. A site with many of them is not asked for all at once.
    async fn look(&self, slot: &mut Slot, inlet: &Inlet) -> Result<Duration, Closed> {
        let now = clock::now();
        let due: Vec<Pending> =
            slot.state.pending.iter().filter(|pending| pending.due <= now).take(LOOKS_MAX).cloned().collect();
        if due.is_empty() {
            return Ok(Duration::ZERO);
        }
        let mut state = slot.state.clone();
        let mut gone = Vec::new();
        let mut witness = Witness { page: state.window.iter().find_map(|seen| seen.permalink.clone()), look: None };
        for mut pending in due {
            let id = pending.id;
            match self.verdict(&mut pending, &mut witness).await {
                Verdict::Deleted => {
                    forget(&mut state, id);
                    gone.push(id);
                }
                Verdict::Kept => state.pending.retain(|known| known.id != id),
                Verdict::Again => {
                    state.pending.iter_mut().filter(|known| known.id == id).for_each(|known| *known = pending.clone())
                }
            }
        }
        let body = self.farewell(&mut state, gone);
        self.hand_over(slot, state, body, inlet).await?;
        Ok(self.pace.look_rest)
    }

    async fn verdict(&self, pending: &mut Pending, witness: &mut Witness) -> Verdict {
        let look = self.look_at(&pending.permalink).await;
        let mut verdict = judge(pending, look, clock::now(), self.pace.look_gap);
        if verdict == Verdict::Deleted
            && let Some(page) = &witness.page
        {
            let look = match witness.look {
                Some(look) => look,
                None => *witness.look.insert(self.look_at(page).await),
            };
            verdict = confirm(pending, look, clock::now(), self.pace.look_gap);
        }
        match verdict {
            Verdict::Deleted => metrics::feed_vanished(&self.source, "deleted", 1),
            Verdict::Kept => metrics::feed_vanished(&self.source, "kept", 1),
            Verdict::Again => {}
        }
        verdict
    }

    async fn look_at(&self, page: &Url) -> Look {
        match self.client.look_up(page).await {
            Ok(status) => Look::Status(status.as_u16()),
            Err(_) => Look::Failed,
        }
    }

    fn farewell(&self, state: &mut FeedState, gone: Vec<PostId>) -> Option<Body> {
        if gone.is_empty() {
            return None;
        }
        state.poll = state.next_poll(clock::now());
        Some(farewell(state, gone, self.terms))
    }
}
