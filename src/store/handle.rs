//! How everyone else reaches the writer: what it may be asked for, what it tells, and why it may end.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rocksdb::ErrorKind;
use tokio::sync::{Notify, mpsc, oneshot};
use tracing::error;

use crate::model::{PostId, Timestamp};

use super::commit::{NewDelivery, Settle, TurnCommit};
use super::read::{OutboxKey, ReadError};
use super::rows::{EndpointRow, QueryVersionRow};
use super::totals::Totals;

/// Messages that wait for the writer.
pub(super) const MESSAGES_MAX: usize = 256;
/// Dead letters that are made to wait again in one batch.
const REPLAY_ROWS_MAX: usize = 200;

/// Called on the writer's thread once the commit is durable.
pub type Ack = Box<dyn FnOnce() + Send>;

/// What the writer is asked for.
pub(super) enum Message {
    Turn(Arc<TurnCommit>, Ack),
    Settle(Vec<Settle>),
    Clock { endpoint: String, clock: Vec<u8> },
    Replay { keys: Vec<OutboxKey>, at: Timestamp, done: oneshot::Sender<usize> },
    Projects { source: Vec<u8>, versions: Vec<(String, String, QueryVersionRow)>, done: oneshot::Sender<()> },
    TrimPosts { below: u64 },
    DropMentions(Vec<(u64, PostId)>),
    DropDead(Vec<OutboxKey>),
}

impl Message {
    /// Whether it decides by rows of the store that a batch in the making may be about to change.
    pub(super) fn looks_into_store(&self) -> bool {
        match self {
            Self::Turn(commit, _) => commit.mentions.iter().any(|mention| mention.withdraw),
            Self::Replay { .. } | Self::DropMentions(..) | Self::DropDead(..) => true,
            _ => false,
        }
    }
}

/// The daemon cannot go on writing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreFailure {
    /// Exit code 74.
    #[error("the disk failed: {0}")]
    Io(String),
    /// Exit code 65.
    #[error("the store is damaged: {0}; restore a backup")]
    Damaged(String),
    /// Exit code 70: nothing is known to be wrong with the data, and a new start goes on from it.
    #[error("the thread `{0}` panicked; the log says where")]
    Panicked(&'static str),
}

/// The writer has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store's writer has ended")]
pub struct WriterClosed;

/// How everyone else reaches the writer. Cheap to clone.
#[derive(Clone)]
pub struct WriterHandle {
    pub(super) messages: mpsc::Sender<Message>,
    pub(super) shared: Arc<Shared>,
}

/// What the writer and all handles see.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) wakers: Mutex<HashMap<String, Arc<Notify>>>,
    pub(super) log_grown: Notify,
    pub(super) totals: Mutex<Totals>,
    pub(super) endpoints: Mutex<HashMap<String, EndpointRow>>,
    pub(super) failure: OnceLock<StoreFailure>,
    pub(super) returned: Notify,
}

impl Shared {
    /// The first failure is the one that is told.
    pub(super) fn fail(&self, failure: StoreFailure) {
        error!(%failure, "the daemon is to end");
        self.failure.set(failure).ok();
        self.returned.notify_waiters();
    }
}

impl WriterHandle {
    /// Submits a turn from a plain thread; waits while the writer is behind.
    pub fn submit(&self, commit: Arc<TurnCommit>, ack: Ack) -> Result<(), WriterClosed> {
        self.messages.blocking_send(Message::Turn(commit, ack)).map_err(|_| WriterClosed)
    }

    pub async fn settle(&self, settles: Vec<Settle>) -> Result<(), WriterClosed> {
        self.messages.send(Message::Settle(settles)).await.map_err(|_| WriterClosed)
    }

    /// Waits until everything that was sent to the writer before is durable.
    pub async fn until_written(&self) -> Result<(), WriterClosed> {
        self.notify(Vec::new()).await
    }

    /// Keeps an endpoint's clock.
    pub async fn keep_clock(&self, endpoint: String, clock: Vec<u8>) -> Result<(), WriterClosed> {
        self.messages.send(Message::Clock { endpoint, clock }).await.map_err(|_| WriterClosed)
    }

    /// Makes dead letters pending again, behind the head, from `at` on. They are written in steps, so that a great many
    /// hold nobody up. Returns how many there were.
    pub async fn replay(&self, keys: &[OutboxKey], at: Timestamp) -> Result<usize, WriterClosed> {
        let mut replayed = 0;
        for step in keys.chunks(REPLAY_ROWS_MAX) {
            let (done, receiver) = oneshot::channel();
            let message = Message::Replay { keys: step.to_vec(), at, done };
            self.messages.send(message).await.map_err(|_| WriterClosed)?;
            replayed += receiver.await.map_err(|_| WriterClosed)?;
        }
        Ok(replayed)
    }

    /// Makes deliveries about no mention, as a test of an endpoint.
    pub async fn notify(&self, notices: Vec<NewDelivery>) -> Result<(), WriterClosed> {
        let (sender, receiver) = oneshot::channel();
        let commit = TurnCommit { notices, ..TurnCommit::default() };
        let ack: Ack = Box::new(move || {
            sender.send(()).ok();
        });
        self.messages.send(Message::Turn(Arc::new(commit), ack)).await.map_err(|_| WriterClosed)?;
        receiver.await.map_err(|_| WriterClosed)
    }

    /// Keeps the projects that are valid now, and the versions of their queries.
    pub async fn keep_projects(
        &self,
        source: Vec<u8>,
        versions: Vec<(String, String, QueryVersionRow)>,
    ) -> Result<(), WriterClosed> {
        let (sender, receiver) = oneshot::channel();
        self.messages.send(Message::Projects { source, versions, done: sender }).await.map_err(|_| WriterClosed)?;
        receiver.await.map_err(|_| WriterClosed)
    }

    /// The same from a plain thread.
    pub(super) fn wait_written(&self) -> Result<(), WriterClosed> {
        let (sender, receiver) = oneshot::channel();
        let ack: Ack = Box::new(move || {
            sender.send(()).ok();
        });
        self.submit(Arc::default(), ack)?;
        receiver.blocking_recv().map_err(|_| WriterClosed)
    }

    pub(super) fn settle_from_thread(&self, settles: Vec<Settle>) -> Result<(), WriterClosed> {
        self.messages.blocking_send(Message::Settle(settles)).map_err(|_| WriterClosed)
    }

    pub(super) fn trim_posts(&self, below: u64) -> Result<(), WriterClosed> {
        self.messages.blocking_send(Message::TrimPosts { below }).map_err(|_| WriterClosed)
    }

    pub(super) fn drop_mentions(&self, rows: Vec<(u64, PostId)>) -> Result<(), WriterClosed> {
        self.messages.blocking_send(Message::DropMentions(rows)).map_err(|_| WriterClosed)
    }

    /// Woken when an endpoint has new deliveries.
    pub fn waker(&self, endpoint: &str) -> Arc<Notify> {
        lock(&self.shared.wakers).entry(endpoint.to_owned()).or_default().clone()
    }

    /// Woken when the mention log has grown.
    pub fn log_grown(&self) -> impl Future<Output = ()> + '_ {
        self.shared.log_grown.notified()
    }

    /// Resolves each time a write has returned: what the watchdog feeds on.
    pub fn write_returned(&self) -> impl Future<Output = ()> + '_ {
        self.shared.returned.notified()
    }

    /// Messages that wait for the writer; bounded by `MESSAGES_MAX`.
    pub fn waiting(&self) -> usize {
        self.messages.max_capacity() - self.messages.capacity()
    }

    /// All counters, as last written.
    pub fn totals(&self) -> Totals {
        lock(&self.shared.totals).clone()
    }

    /// All endpoints, as last written.
    pub fn endpoints(&self) -> HashMap<String, EndpointRow> {
        lock(&self.shared.endpoints).clone()
    }

    /// One endpoint, as last written.
    pub fn endpoint(&self, endpoint: &str) -> Option<EndpointRow> {
        lock(&self.shared.endpoints).get(endpoint).cloned()
    }

    /// Another room could not read the store: the daemon is to end with that.
    pub fn report(&self, cause: ReadError) {
        self.shared.fail(damaged(cause));
    }

    /// A thread that the daemon cannot do without panicked.
    pub fn report_panic(&self, thread: &'static str) {
        self.shared.fail(StoreFailure::Panicked(thread));
    }

    pub(super) fn drop_dead(&self, keys: Vec<OutboxKey>) -> Result<(), WriterClosed> {
        self.messages.blocking_send(Message::DropDead(keys)).map_err(|_| WriterClosed)
    }

    /// Why the writer ended, if it did by itself.
    pub fn failure(&self) -> Option<StoreFailure> {
        self.shared.failure.get().cloned()
    }

    /// Sees a failure and does not keep the writer from ending.
    pub fn watch(&self) -> FailureWatch {
        FailureWatch(self.shared.clone())
    }
}

/// Sees why the writer ended.
pub struct FailureWatch(Arc<Shared>);

impl FailureWatch {
    pub fn failure(&self) -> Option<StoreFailure> {
        self.0.failure.get().cloned()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn damaged(error: ReadError) -> StoreFailure {
    match error {
        ReadError::Io(error) if error.kind() != ErrorKind::Corruption => StoreFailure::Io(error.to_string()),
        other => StoreFailure::Damaged(other.to_string()),
    }
}
