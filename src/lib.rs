//! Earful: an open, self-hosted social listening engine. This page is the map; a room uses only those above it.

// Floor 0: the nouns, the clock, the names of all metrics.
pub mod model;
pub mod clock;
pub mod inlet;
pub mod metrics;
// Floor 6: in and out.
pub mod sources;
pub mod sinks;
