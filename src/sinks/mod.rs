//! Sinks: each makes one attempt at one delivery and says how it ended.
//! Unaware of retries, order and storage.

pub use crate::outbox::Sink;
