//! The outbox: which delivery is due, when it is tried again, when it is given up.
//! Unaware of HTTP and of what a body says.

mod clock;
mod window;
mod worker;

use std::future::Future;

use crate::model::{Attempt, Rendered};

pub use clock::{ClockStatus, EndpointClock};
pub use worker::{EndpointPlan, Outbox, OutboxSettings};

/// A place that mentions are delivered to.
pub trait Sink: Send + Sync + 'static {
    /// One attempt, bounded in time and in what is read back.
    fn deliver(&self, rendered: &Rendered) -> impl Future<Output = Attempt> + Send;
}
