//! Earful: an open, self-hosted social listening engine. This page is the map; a room uses only those on floors below.

// Floor 0: the nouns, the clock, the names of all metrics, the crash points.
pub mod clock;
pub mod crash;
pub mod metrics;
pub mod model;
// Floor 1: text in, values out.
pub mod event;
pub mod extract;
pub mod highlight;
pub mod language;
pub mod query;
pub mod tables;
// Floor 2: bytes to events, queries to programs.
pub mod matcher;
pub mod normalize;
// Floor 3: the only truth, what is searched, what is asked.
pub mod index;
pub mod projects;
pub mod store;
// Floor 4: what is due, what is found, what is in force.
pub mod keeper;
pub mod outbox;
pub mod search;
// Floor 5: the way in, the polite request.
pub mod fetch;
pub mod inlet;
// Floor 6: in and out.
pub mod sinks;
pub mod sources;
// Floor 7: the turn; servers of tests and demonstrations.
pub mod pipeline;
pub mod rig;
// Floor 8: wiring.
pub mod api;
pub mod cli;
pub mod config;
pub mod demo;
pub mod run;
