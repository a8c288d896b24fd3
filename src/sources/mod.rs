//! Sources: each connects, resumes and hands over bytes with a cursor, and knows nothing else.
//! Unaware of posts and of the store.

pub mod feeds;
pub mod jetstream;
pub mod recording;

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::inlet::Inlet;
use crate::model::Cursor;

/// Something that brings arrivals until it is told to stop.
pub trait Source: Send {
    /// `resume` holds every durable cursor of this source. Returns within a second of `stop`.
    fn run(
        &mut self,
        resume: Vec<Cursor>,
        inlet: &Inlet,
        stop: &CancellationToken,
    ) -> impl Future<Output = Ended> + Send;
}

/// Why a source came back. Its supervisor decides when to call it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop, or the daemon is stopping.
    Stopped,
    /// It has nothing more to bring, ever: a recording that was played.
    Finished,
    /// Worth another run, not before `after` if the other side named a time.
    Retry { after: Option<Duration>, cause: String },
    /// No run can succeed until a person changes something.
    Fatal { cause: String },
}
