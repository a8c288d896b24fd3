//! The way in: a bounded queue per source, and the receipt that resolves once what was sent is durable.
//! Unaware of what the bytes mean and of where they are kept.

mod board;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::model::{Arrival, Outcome};

pub use board::{SourceBoard, SourceHealth};

/// Bytes of one source that may wait for the turn.
pub const INLET_BYTES_MAX: usize = 16 << 20;
/// Arrivals of one source that may wait for the turn.
pub const INLET_ARRIVALS_MAX: usize = 4096;

/// A source's end of its queue. Waits while the turn is behind; nothing is dropped.
#[derive(Clone)]
pub struct Inlet {
    queue: mpsc::Sender<Waiting>,
    bytes: Arc<Semaphore>,
    progress: Arc<Progress>,
    arrived: Arc<Notify>,
    tap: Option<Tap>,
}

/// Sees every arrival before it is queued: a recorder.
pub type Tap = Arc<dyn Fn(&Arrival) + Send + Sync>;

/// The turn's end of the queue.
pub struct Inbox {
    queue: mpsc::Receiver<Waiting>,
}

/// One arrival in the queue, with the room it takes there.
pub struct Waiting {
    pub arrival: Arrival,
    receipt: Option<oneshot::Sender<Vec<Outcome>>>,
    place: Place,
    _room: OwnedSemaphorePermit,
}

/// Counts an arrival among those that wait, for as long as it is there.
struct Place(Arc<Progress>);

impl Place {
    fn take(progress: &Arc<Progress>) -> Self {
        progress.waiting.fetch_add(1, Ordering::Relaxed);
        Self(progress.clone())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The turn has ended: nothing more can be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is stopping")]
pub struct Closed;

/// Why an arrival was not taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    #[error("the turn is behind")]
    Full,
    #[error("the daemon is stopping")]
    Closed,
}

#[derive(Default)]
struct Progress {
    cursors: AtomicU64,
    waiting: AtomicU64,
}

/// Arrivals of one source that are not durable yet; bounded by `INLET_ARRIVALS_MAX` and the turns under way.
#[derive(Clone)]
pub struct InletGauge(Arc<Progress>);

impl InletGauge {
    pub fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

/// Resolves with an outcome per post event once the arrival is durable.
pub struct Receipt(oneshot::Receiver<Vec<Outcome>>);

impl Receipt {
    /// Fails only if the daemon stops before the arrival is durable.
    pub async fn durable(self) -> Result<Vec<Outcome>, Closed> {
        self.0.await.map_err(|_| Closed)
    }
}

impl Inlet {
    /// `arrived` wakes the turn; it is shared by all inlets.
    pub fn new(arrived: Arc<Notify>) -> (Inlet, Inbox) {
        let (sender, receiver) = mpsc::channel(INLET_ARRIVALS_MAX);
        let progress = Arc::new(Progress::default());
        let inlet = Inlet {
            queue: sender,
            bytes: Arc::new(Semaphore::new(INLET_BYTES_MAX)),
            progress: progress.clone(),
            arrived,
            tap: None,
        };
        (inlet, Inbox { queue: receiver })
    }

    /// The same inlet with a tap.
    pub fn tapped(self, tap: Tap) -> Self {
        Self { tap: Some(tap), ..self }
    }

    /// Counts this source's arrivals that are not durable yet, for as long as it is kept.
    pub fn gauge(&self) -> InletGauge {
        InletGauge(self.progress.clone())
    }

    /// Waits for room, then queues the arrival.
    pub async fn send(&self, arrival: Arrival) -> Result<(), Closed> {
        let room = self.bytes.clone().acquire_many_owned(weight(&arrival)).await.map_err(|_| Closed)?;
        self.tap.iter().for_each(|tap| tap(&arrival));
        let waiting = self.waiting(arrival, None, room);
        self.queue.send(waiting).await.map_err(|_| Closed)?;
        self.arrived.notify_one();
        Ok(())
    }

    /// Queues the arrival if there is room now; its receipt resolves once it is durable.
    pub fn offer(&self, arrival: Arrival) -> Result<Receipt, NotTaken> {
        let room = self.bytes.clone().try_acquire_many_owned(weight(&arrival)).map_err(|_| NotTaken::Full)?;
        let place = self.queue.try_reserve().map_err(|error| match error {
            mpsc::error::TrySendError::Full(()) => NotTaken::Full,
            mpsc::error::TrySendError::Closed(()) => NotTaken::Closed,
        })?;
        self.tap.iter().for_each(|tap| tap(&arrival));
        let (sender, receiver) = oneshot::channel();
        place.send(self.waiting(arrival, Some(sender), room));
        self.arrived.notify_one();
        Ok(Receipt(receiver))
    }

    fn waiting(
        &self,
        arrival: Arrival,
        receipt: Option<oneshot::Sender<Vec<Outcome>>>,
        room: OwnedSemaphorePermit,
    ) -> Waiting {
        Waiting { arrival, receipt, place: Place::take(&self.progress), _room: room }
    }

    /// How many cursors of this source became durable since the start. A supervisor resets its backoff when it grows.
    pub fn cursors_durable(&self) -> u64 {
        self.progress.cursors.load(Ordering::Relaxed)
    }
}

impl Inbox {
    /// The next arrival, if one waits.
    pub fn take(&mut self) -> Option<Waiting> {
        self.queue.try_recv().ok()
    }

    /// Whether every sender is gone and nothing waits.
    pub fn is_finished(&self) -> bool {
        self.queue.is_closed() && self.queue.is_empty()
    }
}

impl Waiting {
    /// To be called when the arrival and its cursor are durable.
    pub fn resolve(self, outcomes: Vec<Outcome>) {
        if self.arrival.cursor.is_some() {
            self.place.0.cursors.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(receipt) = self.receipt {
            // Whoever waited may have gone; what it sent is durable all the same.
            receipt.send(outcomes).ok();
        }
    }

    /// Takes the body out, to be parsed in place.
    pub fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.arrival.body)
    }
}

/// An arrival over the bound takes the whole queue for itself.
fn weight(arrival: &Arrival) -> u32 {
    let bytes = arrival.body.len() + arrival.cursor.as_ref().map_or(0, |cursor| cursor.value.len()) + 64;
    u32::try_from(bytes.min(INLET_BYTES_MAX)).unwrap_or(u32::MAX)
}
