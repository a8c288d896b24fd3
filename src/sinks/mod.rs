//! Sinks: each makes one attempt at one delivery and says how it ended.
//! Unaware of retries, order and storage.

use std::future::Future;

use crate::model::{Attempt, Rendered};

/// A place that mentions are delivered to.
pub trait Sink: Send + Sync {
    /// One attempt, bounded in time and in what is read back.
    fn deliver(&self, rendered: &Rendered) -> impl Future<Output = Attempt> + Send;
}
