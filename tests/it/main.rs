//! The one integration binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod agreement;
mod layers;
mod licences;
mod nats;
mod standard_webhooks;
mod tidy;
mod verdicts;
