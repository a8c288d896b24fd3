//! The one integration binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![allow(clippy::type_complexity, reason = "tables of cases hold closures")]

mod agreement;
mod bad_input;
mod characters;
mod commands;
mod crash;
mod dialects;
#[allow(dead_code, reason = "the fuzz targets take this file by its path and use the rest of it")]
mod fuzzed;
mod layers;
mod licences;
mod nats;
mod outbox;
mod retention;
mod samples;
mod search;
mod standard_webhooks;
mod support;
mod tidy;
mod turn;
mod verdicts;
mod wordpress;
mod written;
