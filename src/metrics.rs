//! Every metric of Earful: its name, unit, help and labels. Nobody else names one.
//! Names are `earful_<noun>_<unit>`; labels come from closed sets or are slugs from the configuration.

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
