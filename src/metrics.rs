//! Every metric of Earful: its name, unit, help and labels. Nobody else names one.
//! Names are `earful_<noun>_<unit>`; labels come from closed sets or are slugs from the configuration.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use crate::model::{Class, Rejected};

/// What kind of series a metric is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric as `/metrics` shows it.
pub struct Metric {
    pub name: &'static str,
    pub kind: Kind,
    pub unit: Unit,
    pub help: &'static str,
}

macro_rules! metrics {
    ($($constant:ident = $name:literal, $kind:ident, $unit:ident, $help:literal;)*) => {
        $(const $constant: &str = $name;)*
        /// All of them, in the order of a post's walk.
        pub const ALL: &[Metric] = &[$(Metric { name: $name, kind: Kind::$kind, unit: Unit::$unit, help: $help },)*];
    };
}

metrics! {
    SOURCE_CONNECTS = "earful_source_connects_total", Counter, Count, "Connections that a source opened.";
    SOURCE_ERRORS = "earful_source_errors_total", Counter, Count, "Runs of a source that ended in an error.";
    COMMIT_POSTS = "earful_commit_posts", Histogram, Count, "Posts in one durable batch.";
    COMMIT_SECONDS = "earful_commit_seconds", Histogram, Seconds, "How long a batch took to become durable, stalls included.";
    STORE_STALLS = "earful_store_stalls_total", Counter, Count, "Writes that the store could not take at once.";
    TURN_EVENTS = "earful_turn_events", Histogram, Count, "Post events that one turn decided.";
    TURN_SECONDS = "earful_turn_seconds", Histogram, Seconds, "How long a turn took from its first arrival to its decision.";
    ATTEMPTS = "earful_delivery_attempts_total", Counter, Count, "Attempts to deliver, by endpoint and how they ended.";
    ATTEMPT_SECONDS = "earful_delivery_attempt_seconds", Histogram, Seconds, "How long one attempt took.";
    DELIVERY_LAG = "earful_delivery_lag_seconds", Histogram, Seconds, "From a post's arrival to the first byte of its accepted delivery.";
    DEAD_LETTERS = "earful_dead_letters_total", Counter, Count, "Deliveries given up since the start, by reason.";
    OUTBOX_OLDEST = "earful_outbox_oldest_seconds", Gauge, Seconds, "Age of the oldest delivery that waits, by endpoint.";
    OUTBOX_IN_FLIGHT = "earful_outbox_in_flight", Gauge, Count, "Attempts under way, by endpoint; bounded by its concurrency_max.";
    ARRIVALS_REJECTED = "earful_arrivals_rejected_total", Counter, Count, "Arrivals or entries turned away, by reason.";
}

/// Registers help and unit of every metric.
pub fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.unit, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.unit, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.unit, metric.help),
        }
    }
}

pub fn source_connected(source: &str) {
    counter!(SOURCE_CONNECTS, "source" => source.to_owned()).increment(1);
}

pub fn source_failed(source: &str) {
    counter!(SOURCE_ERRORS, "source" => source.to_owned()).increment(1);
}

pub fn commit_written(posts: usize, took: Duration) {
    histogram!(COMMIT_POSTS).record(posts as f64);
    histogram!(COMMIT_SECONDS).record(took.as_secs_f64());
}

pub fn store_stalled() {
    counter!(STORE_STALLS).increment(1);
}

pub fn turn_decided(events: usize, took: Duration) {
    histogram!(TURN_EVENTS).record(events as f64);
    histogram!(TURN_SECONDS).record(took.as_secs_f64());
}

pub fn attempt_finished(endpoint: &str, class: &'static str, took: Duration) {
    counter!(ATTEMPTS, "endpoint" => endpoint.to_owned(), "class" => class).increment(1);
    histogram!(ATTEMPT_SECONDS).record(took.as_secs_f64());
}

pub fn delivery_lag(lag: Duration) {
    histogram!(DELIVERY_LAG).record(lag.as_secs_f64());
}

pub fn delivery_dead(endpoint: &str, reason: &'static str) {
    counter!(DEAD_LETTERS, "endpoint" => endpoint.to_owned(), "reason" => reason).increment(1);
}

pub fn outbox_state(endpoint: &str, oldest: Duration, in_flight: usize) {
    gauge!(OUTBOX_OLDEST, "endpoint" => endpoint.to_owned()).set(oldest.as_secs_f64());
    gauge!(OUTBOX_IN_FLIGHT, "endpoint" => endpoint.to_owned()).set(in_flight as f64);
}
