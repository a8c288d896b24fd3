//! One task per endpoint: reads what waits, makes attempts within the endpoint's allowance, submits the results.
//! Nothing on disk says that a delivery is under way: after a crash it is simply made again, with the same id.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock;
use crate::crash::{self, Point};
use crate::metrics;
use crate::model::{Attempt, Class, Rendered, Timestamp};
use crate::store::{DeadReason, OutboxKey, ReadError, Settle, Store, WriterClosed, WriterHandle, decode, encode};

use super::Sink;
use super::clock::{EndpointClock, Failure, REFUSALS_MAX, refusal_wait};
use super::window::{Picked, Waiting, Window};

/// How often an endpoint looks at its oldest deliveries when nothing else wakes it.
const IDLE_PERIOD: Duration = Duration::from_secs(30);
/// How long a delivery waits whose attempt broke off inside this program.
const BROKEN_WAIT: Duration = Duration::from_mins(1);
/// How often it is looked whether a hidden account is back.
const HIDDEN_WAIT: Duration = Duration::from_mins(10);

/// Bounds over all endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxSettings {
    pub in_flight_max: usize,
    /// How long a stop waits for requests under way.
    pub drain: Duration,
}

/// What is particular to one endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPlan {
    pub slug: String,
    /// Changes when the endpoint's address does.
    pub address: u64,
    pub concurrency_max: u32,
    pub expiry: Duration,
    /// Bytes of bodies that may wait; beyond them the oldest go to the dead letters.
    pub quota_bytes: u64,
}

/// What all workers share.
#[derive(Clone)]
pub struct Outbox {
    store: Store,
    writer: WriterHandle,
    in_flight: Arc<Semaphore>,
    drain: Duration,
    stop: CancellationToken,
}

impl Outbox {
    pub fn new(store: Store, writer: WriterHandle, settings: OutboxSettings, stop: CancellationToken) -> Self {
        let in_flight = Arc::new(Semaphore::new(settings.in_flight_max));
        Self { store, writer, in_flight, drain: settings.drain, stop }
    }

    /// Runs one endpoint until the stop, then waits for its requests under way, in bounded time.
    pub async fn run<S: Sink>(self, plan: EndpointPlan, sink: S) {
        let (slug, writer) = (plan.slug.clone(), self.writer.clone());
        let worker = Worker {
            waker: self.writer.waker(&plan.slug),
            clock: EndpointClock::new(plan.address),
            own: self,
            plan,
            sink: Arc::new(sink),
            window: Window::default(),
            attempts: JoinSet::new(),
            under_way: HashMap::new(),
            unread: true,
            seq_read: None,
            permit: None,
            starved: false,
        };
        match worker.run().await {
            Ok(()) | Err(Ended::Writer) => {}
            Err(Ended::Read(cause)) => {
                error!(endpoint = %slug, "deliveries cannot be read");
                writer.report(cause);
            }
        }
    }
}

/// Why a worker ends early.
enum Ended {
    Writer,
    Read(ReadError),
}

impl From<WriterClosed> for Ended {
    fn from(_: WriterClosed) -> Self {
        Self::Writer
    }
}

impl From<ReadError> for Ended {
    fn from(cause: ReadError) -> Self {
        Self::Read(cause)
    }
}

struct Worker<S> {
    own: Outbox,
    plan: EndpointPlan,
    sink: Arc<S>,
    waker: Arc<tokio::sync::Notify>,
    clock: EndpointClock,
    window: Window,
    attempts: JoinSet<Result<Finished, ReadError>>,
    /// Which delivery each of them is about.
    under_way: HashMap<tokio::task::Id, u64>,
    /// Whether the store may hold rows that the window has not seen.
    unread: bool,
    /// The endpoint's next seq before the window took in every row that waited.
    seq_read: Option<u64>,
    /// One of all endpoints' requests, waited for and not used yet.
    permit: Option<OwnedSemaphorePermit>,
    /// Whether a delivery could go if all endpoints together had fewer requests under way.
    starved: bool,
}

/// How one attempt came back.
struct Finished {
    picked: Picked,
    end: End,
    started: Timestamp,
    arrived_at: Timestamp,
}

enum End {
    Attempted(Attempt),
    /// The delivery was withdrawn before it was sent.
    Withdrawn,
    /// Its author's account is hidden now: it waits until that ends, or until it expires.
    Hidden,
}

impl<S: Sink> Worker<S> {
    async fn run(mut self) -> Result<(), Ended> {
        if let Some(row) = self.read(|store, slug| store.endpoint(slug)).await? {
            // An endpoint that was never tried has no clock yet; a damaged one must not hide that it is gone.
            if !row.clock.is_empty() {
                let clock: EndpointClock =
                    decode(&row.clock).map_err(|cause| ReadError::Row { family: "endpoint", cause })?;
                self.clock = clock.at(self.plan.address);
            }
        }
        while !self.own.stop.is_cancelled() {
            self.refill().await?;
            self.give_up().await?;
            self.send().await;
            self.publish();
            self.wait().await?;
        }
        self.drain().await
    }

    /// Reads rows into the window while there is room.
    async fn refill(&mut self) -> Result<(), Ended> {
        let Some((from, room)) = self.window.wants().filter(|_| self.unread) else { return Ok(()) };
        // Before the rows: what is committed in between is not taken for settled.
        let seq_next = self.own.writer.endpoint(&self.plan.slug).map(|row| row.seq_next);
        // Row by row: a window of rows with their bodies may be more than fits.
        let waiting = self.read(move |store, slug| {
            let mut waiting = Vec::new();
            store.each_outbox(slug, from, |position, row| {
                waiting.push(Waiting::of(position, &row));
                waiting.len() < room
            })?;
            Ok(waiting)
        });
        let waiting = waiting.await?;
        self.unread = waiting.len() == room;
        if !self.unread {
            self.seq_read = seq_next;
        }
        waiting.into_iter().for_each(|waiting| self.window.add(waiting));
        Ok(())
    }

    /// What is too old, or too much, goes to the dead letters.
    async fn give_up(&mut self) -> Result<(), Ended> {
        let now = clock::now();
        let mut dead: Vec<(u64, DeadReason)> = self
            .window
            .expired(now, self.plan.expiry)
            .into_iter()
            .map(|position| (position, DeadReason::Expired))
            .collect();
        let pending = self.own.writer.endpoint(&self.plan.slug).map_or(0, |row| row.bytes_pending);
        if dead.is_empty() {
            let excess = pending.saturating_sub(self.plan.quota_bytes);
            dead.extend(self.window.oldest_idle(excess).into_iter().map(|position| (position, DeadReason::Quota)));
        }
        if dead.is_empty() {
            return Ok(());
        }
        warn!(endpoint = %self.plan.slug, deliveries = dead.len(), reason = dead[0].1.name(), "deliveries were given up");
        self.unread = true;
        let mut settles = Vec::with_capacity(dead.len());
        for (position, reason) in dead {
            self.window.remove(position);
            metrics::delivery_dead(&self.plan.slug, reason.name());
            let cause = reason.name().to_owned();
            settles.push(Settle::Dead { endpoint: self.plan.slug.clone(), position, at: now, cause, reason });
        }
        self.own.writer.settle(settles).await?;
        // The bytes that wait are as last written: counted before, more would be given up than is too much.
        Ok(self.own.writer.until_written().await?)
    }

    /// Starts as many attempts as the clock allows.
    async fn send(&mut self) {
        let now = clock::now();
        let mut held = self.permit.take();
        self.starved = false;
        if self.clock.is_disabled() {
            return;
        }
        while self.attempts.len() < self.clock.allowance(now).min(self.plan.concurrency_max) as usize {
            // One request of each endpoint needs nobody's leave: endpoints that hang can use up what is shared.
            let is_first = self.attempts.is_empty();
            let free = || self.own.in_flight.clone().try_acquire_owned().ok();
            let permit = if is_first { None } else { held.take().or_else(free) };
            if permit.is_none() && !is_first {
                self.starved = self.window.len() > self.attempts.len();
                return;
            }
            let Some(picked) = self.window.pick(now) else {
                if self.unread {
                    self.window.widen();
                }
                return;
            };
            let settled = self.window.settled(self.seq_read);
            let attempt = Try {
                store: self.own.store.clone(),
                key: OutboxKey { endpoint: self.plan.slug.clone(), position: picked.position },
                picked,
                settled,
            };
            let sink = self.sink.clone();
            let position = picked.position;
            let task = self.attempts.spawn(async move {
                let finished = attempt.make(&*sink).await;
                drop(permit);
                finished
            });
            self.under_way.insert(task.id(), position);
        }
    }

    async fn wait(&mut self) -> Result<(), Ended> {
        if self.unread && self.window.wants().is_some() {
            return Ok(());
        }
        let now = clock::now();
        let refused = self.window.next_refused(now).map(|until| until.since(now));
        let clock_wait = Some(self.clock.wait(now)).filter(|wait| !wait.is_zero());
        let soonest = refused
            .into_iter()
            .chain(clock_wait)
            .min()
            .unwrap_or(IDLE_PERIOD)
            .clamp(Duration::from_millis(5), IDLE_PERIOD);
        let idle = self.attempts.is_empty();
        tokio::select! {
            () = self.own.stop.cancelled() => Ok(()),
            () = self.waker.notified() => {
                self.unread = true;
                Ok(())
            }
            Some(finished) = self.attempts.join_next_with_id(), if !idle => self.finish(finished).await,
            permit = self.own.in_flight.clone().acquire_owned(), if self.starved => {
                self.permit = permit.ok();
                Ok(())
            }
            () = tokio::time::sleep(soonest) => Ok(()),
        }
    }

    async fn drain(mut self) -> Result<(), Ended> {
        let deadline = tokio::time::Instant::now() + self.own.drain;
        while let Ok(Some(finished)) = tokio::time::timeout_at(deadline, self.attempts.join_next_with_id()).await {
            self.finish(finished).await?;
        }
        Ok(())
    }

    async fn finish(
        &mut self,
        joined: Result<(tokio::task::Id, Result<Finished, ReadError>), tokio::task::JoinError>,
    ) -> Result<(), Ended> {
        let (task, joined) = match joined {
            Ok((task, finished)) => (task, Ok(finished?)),
            Err(cause) => (cause.id(), Err(cause)),
        };
        let position = self.under_way.remove(&task).expect("every attempt is about a delivery");
        let finished = match joined {
            Ok(finished) => finished,
            Err(cause) => {
                error!(endpoint = %self.plan.slug, %cause, "an attempt broke off; it is made again later");
                self.window.hold(position, clock::now().plus(BROKEN_WAIT));
                return Ok(());
            }
        };
        let attempt = match &finished.end {
            End::Attempted(attempt) => attempt,
            End::Withdrawn => {
                self.window.remove(position);
                return Ok(());
            }
            End::Hidden => {
                self.window.hold(position, clock::now().plus(HIDDEN_WAIT));
                return Ok(());
            }
        };
        self.count(&finished, attempt);
        let settle = self.decide(&finished, attempt.clone());
        let before = self.clock.clone();
        self.move_clock(attempt, finished.started);
        if self.clock.is_worth_keeping(&before) {
            self.own.writer.keep_clock(self.plan.slug.clone(), encode(&self.clock)).await?;
        }
        Ok(self.own.writer.settle(vec![settle]).await?)
    }

    fn count(&self, finished: &Finished, attempt: &Attempt) {
        let now = clock::now();
        let class = match attempt {
            Attempt::Delivered => "delivered",
            Attempt::Gone => "gone",
            Attempt::Reject { .. } => "refused",
            Attempt::Retry { class, .. } => class.name(),
        };
        metrics::attempt_finished(&self.plan.slug, class, now.since(finished.started));
        if matches!(attempt, Attempt::Delivered) {
            metrics::delivery_lag(finished.started.since(finished.arrived_at));
        }
    }

    /// What becomes of the delivery.
    fn decide(&mut self, finished: &Finished, attempt: Attempt) -> Settle {
        let Picked { position, refusals, .. } = finished.picked;
        let endpoint = self.plan.slug.clone();
        let at = finished.started;
        match attempt {
            Attempt::Delivered => {
                self.window.remove(position);
                Settle::Delivered { endpoint, position }
            }
            Attempt::Reject { cause } if refusals + 1 >= REFUSALS_MAX => {
                self.window.remove(position);
                metrics::delivery_dead(&endpoint, DeadReason::Refused.name());
                warn!(endpoint = %endpoint, %cause, "a delivery was refused for good");
                Settle::Dead { endpoint, position, at, cause, reason: DeadReason::Refused }
            }
            Attempt::Reject { cause } => {
                let until = clock::now().plus(refusal_wait(refusals + 1, rand::rng().random()));
                self.window.put_back(position, Some(until));
                Settle::Attempted { endpoint, position, at, cause, refused: true }
            }
            Attempt::Retry { cause, .. } => {
                self.window.put_back(position, None);
                Settle::Attempted { endpoint, position, at, cause, refused: false }
            }
            Attempt::Gone => {
                self.window.put_back(position, None);
                let cause = "the endpoint answered 410: it is gone".to_owned();
                Settle::Attempted { endpoint, position, at, cause, refused: false }
            }
        }
    }

    fn move_clock(&mut self, attempt: &Attempt, started: Timestamp) {
        match attempt {
            // A refusal is the message's fault: the endpoint is well.
            Attempt::Delivered | Attempt::Reject { .. } => {
                if self.clock.status().state != "ok" {
                    info!(endpoint = %self.plan.slug, "the endpoint answers");
                }
                self.clock.succeed(started, self.plan.concurrency_max);
            }
            Attempt::Gone => {
                error!(endpoint = %self.plan.slug, "the endpoint says that it is gone (410); deliveries wait until its address changes");
                self.clock.disable();
            }
            Attempt::Retry { class, after, cause } => {
                let failure = Failure { class: *class, retry_after: *after, jitter: rand::rng().random() };
                self.clock.fail(failure, started, clock::now());
                let wait_ms = self.clock.wait(clock::now()).as_millis() as u64;
                match class {
                    Class::Misconfigured | Class::Forbidden => {
                        error!(endpoint = %self.plan.slug, %cause, wait_ms, "the endpoint looks misconfigured");
                    }
                    _ => {
                        warn!(endpoint = %self.plan.slug, %cause, wait_ms, "the endpoint does not take deliveries now")
                    }
                }
            }
        }
    }

    fn publish(&self) {
        let now = clock::now();
        let age = self.window.oldest_at().map_or(Duration::ZERO, |oldest| now.since(oldest));
        metrics::outbox_state(&self.plan.slug, age, self.attempts.len());
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store, &str) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (store, slug) = (self.own.store.clone(), self.plan.slug.clone());
        tokio::task::spawn_blocking(move || read(&store, &slug)).await.expect("reads do not panic")
    }
}

/// One attempt in the making.
struct Try {
    store: Store,
    key: OutboxKey,
    picked: Picked,
    settled: u64,
}

impl Try {
    async fn make<S: Sink>(self, sink: &S) -> Result<Finished, ReadError> {
        let Self { store, key, picked, settled } = self;
        let reader = store.clone();
        let read = tokio::task::spawn_blocking(move || {
            let row = reader.outbox_row(&key)?;
            let is_hidden = match row.as_ref().and_then(|row| row.author) {
                Some(author) => reader.is_hidden(author)?,
                None => false,
            };
            Ok::<_, ReadError>((row, is_hidden))
        });
        let unsent = |end| Finished { picked, end, started: clock::now(), arrived_at: clock::now() };
        let row = match read.await.expect("reads do not panic")? {
            // Withdrawn since it was read into the window: what was deleted is not sent.
            (None, _) => return Ok(unsent(End::Withdrawn)),
            (Some(_), true) => return Ok(unsent(End::Hidden)),
            (Some(row), false) => row,
        };
        let rendered = Rendered {
            id: row.id,
            body: row.body.into(),
            thread: row.thread,
            seq: row.seq,
            settled,
            epoch: store.epoch().to_owned(),
            attempt: picked.attempt,
            replay: row.replay,
        };
        crash::point(Point::DeliverBeforeSend);
        let started = clock::now();
        let attempt = sink.deliver(&rendered).await;
        if attempt == Attempt::Delivered {
            crash::point(Point::DeliverAfterAccept);
        }
        Ok(Finished { picked, end: End::Attempted(attempt), started, arrived_at: row.arrived_at })
    }
}
