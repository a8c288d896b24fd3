//! Every metric of Earful: its name, unit, help and labels. Nobody else names one.
//! Names are `earful_<noun>_<unit>`; labels come from closed sets or are slugs from the configuration.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

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
    TOTAL_EVENTS = "earful_events_total", Counter, Count, "Post events that a source brought, over all starts.";
    TOTAL_POSTS = "earful_posts_total", Counter, Count, "Post events by what became of them, over all starts.";
    TOTAL_REJECTED = "earful_rejected_total", Counter, Count, "Post events turned away, by reason, over all starts.";
    TOTAL_MENTIONS = "earful_mentions_total", Counter, Count, "Mentions by project, over all starts.";
    TOTAL_COPIES = "earful_mentions_copied_total", Counter, Count, "Mentions whose text was seen within a day, by project.";
    DELIVERIES = "earful_deliveries_total", Counter, Count, "Deliveries created, delivered and superseded by endpoint, over all starts; created = delivered + superseded + dead + pending.";
    DEAD = "earful_deliveries_dead", Gauge, Count, "Deliveries that are given up, by endpoint; fewer when some are made to wait again.";
    PENDING = "earful_deliveries_pending", Gauge, Count, "Deliveries that wait, by endpoint.";
    PENDING_BYTES = "earful_deliveries_pending_bytes", Gauge, Bytes, "Bytes of bodies that wait, by endpoint; bounded by its quota_mb.";
    INLET_WAITING = "earful_inlet_waiting", Gauge, Count, "Arrivals of a source that are not durable yet; bounded by 4096 and 16 MiB a source.";
    TURNS_UNDER_WAY = "earful_turns_under_way", Gauge, Count, "Turns that are decided and not durable yet; bounded by 3.";
    WRITER_WAITING = "earful_writer_waiting", Gauge, Count, "Messages that wait for the store's writer; bounded by 256.";
    DISK_FREE = "earful_disk_free_bytes", Gauge, Bytes, "Free space where the data lies.";
    DISK_LEVEL = "earful_disk_level", Gauge, Count, "0 green, 1 yellow (nothing is taken in), 2 red.";
    RELOAD_OK = "earful_projects_valid", Gauge, Count, "1 if the projects on disk are those in force.";
    SERIES = "earful_series", Gauge, Count, "Series that this process publishes.";
    SOURCE_CONNECTS = "earful_source_connects_total", Counter, Count, "Connections that a source opened.";
    SOURCE_ERRORS = "earful_source_errors_total", Counter, Count, "Runs of a source that ended in an error.";
    SOURCE_GAPS = "earful_source_gaps_total", Counter, Count, "Gaps that a source declared: events that can no longer be had.";
    FEED_POLLS = "earful_feed_polls_total", Counter, Count, "Requests for feeds, by how they ended.";
    FEED_VISITS = "earful_feed_visits", Gauge, Count, "Visits to feeds under way; bounded by the source's concurrency.";
    FEED_VANISHED = "earful_feed_vanished_total", Counter, Count, "Entries that vanished from feeds, by what was concluded.";
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
    INDEX_LAG = "earful_index_lag_rows", Gauge, Count, "Rows of the mention log that search does not see yet.";
}

/// Sources, endpoints and projects that have series of their own, of each; all others share the label `other`.
const LABELS_MAX: usize = 500;
const OTHER: &str = "other";

/// What a slug in a label names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Source,
    Endpoint,
    Project,
}

/// Slugs that have series of their own, by what they name: whoever is counted first.
static OWN: [Mutex<BTreeSet<String>>; 3] = [const { Mutex::new(BTreeSet::new()) }; 3];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Bounds of histograms in seconds, and of those that count.
const SECONDS: [f64; 14] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
const COUNTS: [f64; 10] = [1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0];

/// Keeps the metrics of this process from now on.
pub fn install() -> Result<(), BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_posts".to_owned()), &COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_events".to_owned()), &COUNTS)?
        .install_recorder()?;
    describe();
    HANDLE.set(handle).ok();
    Ok(())
}

/// Takes in what histograms have recorded: to be called every few seconds, also where nobody scrapes.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// The text form that Prometheus scrapes; none if this process keeps no metrics.
pub fn render() -> Option<String> {
    let handle = HANDLE.get()?;
    upkeep();
    let text = handle.render();
    gauge!(SERIES).set(text.lines().filter(|line| !line.starts_with('#')).count() as f64);
    Some(text)
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

/// The label of a slug: itself, or `other` once there are too many.
pub fn label(named: Named, slug: &str) -> String {
    let mut own = OWN[named as usize].lock().unwrap_or_else(PoisonError::into_inner);
    if own.contains(slug) || (own.len() < LABELS_MAX && own.insert(slug.to_owned())) {
        return slug.to_owned();
    }
    OTHER.to_owned()
}

/// Series of a source that are there from the start, at 0.
pub fn register_source(source: &str) {
    for name in [SOURCE_CONNECTS, SOURCE_ERRORS, SOURCE_GAPS] {
        counter!(name, "source" => label(Named::Source, source)).increment(0);
    }
}

/// Series of an endpoint that are there from the start, at 0.
pub fn register_endpoint(endpoint: &str, classes: &[&'static str], reasons: &[&'static str]) {
    let endpoint = label(Named::Endpoint, endpoint);
    for class in classes {
        counter!(ATTEMPTS, "endpoint" => endpoint.clone(), "class" => *class).increment(0);
    }
    for reason in reasons {
        counter!(DEAD_LETTERS, "endpoint" => endpoint.clone(), "reason" => *reason).increment(0);
    }
    counter!(STORE_STALLS).increment(0);
}

/// A counter of the store, as it stands; `label` is one that `label` gave.
pub fn total(name: &str, label: &str, reason: Option<&str>, value: u64) {
    let label = label.to_owned();
    match (name, reason) {
        ("events", _) => counter!(TOTAL_EVENTS, "source" => label).absolute(value),
        ("rejected", Some(reason)) => {
            counter!(TOTAL_REJECTED, "source" => label, "reason" => reason.to_owned()).absolute(value);
        }
        ("mentions_created", _) => counter!(TOTAL_MENTIONS, "project" => label).absolute(value),
        ("mentions_copied", _) => counter!(TOTAL_COPIES, "project" => label).absolute(value),
        (name, _) => {
            let outcome = name.strip_prefix("posts_").unwrap_or(name).to_owned();
            counter!(TOTAL_POSTS, "source" => label, "outcome" => outcome).absolute(value);
        }
    }
}

/// An endpoint's deliveries, as they stand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ledger {
    pub created: u64,
    pub delivered: u64,
    pub dead: u64,
    pub superseded: u64,
    pub pending: u64,
    pub bytes_pending: u64,
}

/// `endpoint` is a label that `label` gave; those that share one are summed.
pub fn ledger(endpoint: &str, ledger: &Ledger) {
    let states = [("created", ledger.created), ("delivered", ledger.delivered), ("superseded", ledger.superseded)];
    for (state, value) in states {
        counter!(DELIVERIES, "endpoint" => endpoint.to_owned(), "state" => state).absolute(value);
    }
    gauge!(DEAD, "endpoint" => endpoint.to_owned()).set(ledger.dead as f64);
    gauge!(PENDING, "endpoint" => endpoint.to_owned()).set(ledger.pending as f64);
    gauge!(PENDING_BYTES, "endpoint" => endpoint.to_owned()).set(ledger.bytes_pending as f64);
}

pub fn inlet_waiting(source: &str, waiting: u64) {
    gauge!(INLET_WAITING, "source" => label(Named::Source, source)).set(waiting as f64);
}

pub fn turns_under_way(turns: usize) {
    gauge!(TURNS_UNDER_WAY).set(turns as f64);
}

pub fn writer_waiting(messages: usize) {
    gauge!(WRITER_WAITING).set(messages as f64);
}

pub fn disk(free_bytes: u64, level: u8) {
    gauge!(DISK_FREE).set(free_bytes as f64);
    gauge!(DISK_LEVEL).set(f64::from(level));
}

pub fn reloaded(valid: bool) {
    gauge!(RELOAD_OK).set(f64::from(u8::from(valid)));
}

pub fn source_connected(source: &str) {
    counter!(SOURCE_CONNECTS, "source" => label(Named::Source, source)).increment(1);
}

pub fn source_failed(source: &str) {
    counter!(SOURCE_ERRORS, "source" => label(Named::Source, source)).increment(1);
}

pub fn source_gap(source: &str) {
    counter!(SOURCE_GAPS, "source" => label(Named::Source, source)).increment(1);
}

pub fn feed_polled(source: &str, outcome: &'static str) {
    counter!(FEED_POLLS, "source" => label(Named::Source, source), "outcome" => outcome).increment(1);
}

pub fn feed_visits(source: &str, under_way: usize) {
    gauge!(FEED_VISITS, "source" => label(Named::Source, source)).set(under_way as f64);
}

pub fn feed_vanished(source: &str, conclusion: &'static str, entries: usize) {
    counter!(FEED_VANISHED, "source" => label(Named::Source, source), "conclusion" => conclusion)
        .increment(entries as u64);
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
    counter!(ATTEMPTS, "endpoint" => label(Named::Endpoint, endpoint), "class" => class).increment(1);
    histogram!(ATTEMPT_SECONDS).record(took.as_secs_f64());
}

pub fn delivery_lag(lag: Duration) {
    histogram!(DELIVERY_LAG).record(lag.as_secs_f64());
}

pub fn delivery_dead(endpoint: &str, reason: &'static str) {
    counter!(DEAD_LETTERS, "endpoint" => label(Named::Endpoint, endpoint), "reason" => reason).increment(1);
}

/// Of endpoints that share a label nothing is told: one would hide the other.
pub fn outbox_state(endpoint: &str, oldest: Duration, in_flight: usize) {
    if label(Named::Endpoint, endpoint) == OTHER {
        return;
    }
    gauge!(OUTBOX_OLDEST, "endpoint" => label(Named::Endpoint, endpoint)).set(oldest.as_secs_f64());
    gauge!(OUTBOX_IN_FLIGHT, "endpoint" => label(Named::Endpoint, endpoint)).set(in_flight as f64);
}

pub fn index_lag(rows: u64) {
    gauge!(INDEX_LAG).set(rows as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_and_keep_their_own() {
        for number in 0..LABELS_MAX {
            assert_eq!(label(Named::Project, &format!("p{number}")), format!("p{number}"));
        }
        assert_eq!(label(Named::Project, "late"), OTHER);
        assert_eq!(label(Named::Project, "p7"), "p7");
        assert_eq!(label(Named::Source, "late"), "late");
    }
}
