//! A polite GET: conditional, bounded in size and time, and only to addresses that are allowed.
//! Unaware of what the bytes mean.

pub mod client;
pub mod conditional;
pub mod guard;
mod inflate;

#[cfg(test)]
pub mod loopback;

pub use client::{Answer, Client, FetchError, Request};
