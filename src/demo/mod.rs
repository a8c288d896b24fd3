//! `earful demo` and `earful bench`: the whole path on loopback, with the real binary as a child.
//! Unaware of the daemon's inside: it sees what an operator and a receiver see.

mod bench;
mod script;
mod show;
mod summary;
mod tape;

pub use bench::{BenchArgs, Figures, bench};
pub use script::{DemoArgs, demo};
