//! The other side on loopback: servers that play a source or a receiver, for tests, the demo and `earful bench`.
//! Unaware of what happens in between.

pub mod daemon;
pub mod feeds;
pub mod jetstream;
pub mod receiver;
