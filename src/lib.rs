//! Earful: an open, self-hosted social listening engine. This page is the map; a room uses only those above it.

// Floor 0: the nouns, the clock, the names of all metrics, the crash points.
pub mod clock;
pub mod crash;
pub mod metrics;
pub mod model;
// Floor 1: text in, values out.
pub mod tables;
// Floor 3: the only truth.
pub mod store;
// Floor 4: what is due.
pub mod outbox;
// Floor 5: the way in.
pub mod inlet;
// Floor 6: in and out.
pub mod sinks;
pub mod sources;
