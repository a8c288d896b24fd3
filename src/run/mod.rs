//! The daemon: wires the rooms together, waits for signals, stops in bounded time. Decides nothing.

mod daemon;
mod report;
mod supervise;
mod systemd;

pub use daemon::{Daemon, RunError, RunOptions, run};
pub use report::publish_totals;
pub use supervise::{Supervised, supervise};
