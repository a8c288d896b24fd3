//! The stored counters as metrics: absolute values, so that they survive a crash and add up. Those of all configured
//! sources, endpoints and projects are there from the start.

use std::collections::BTreeMap;

use crate::api::Services;
use crate::metrics::{self, Ledger, Named};
use crate::model::Class;
use crate::store::{DeadReason, EndpointRow, Tally};

/// How attempts end besides the classes of failures.
const ENDS: [&str; 3] = ["delivered", "gone", "refused"];

/// Registers the counters of this process at 0.
pub fn register(services: &Services) {
    for source in services.config.sources.keys() {
        metrics::register_source(source);
    }
    let classes: Vec<&str> = Class::ALL.map(Class::name).into_iter().chain(ENDS).collect();
    for endpoint in services.config.endpoints.keys() {
        metrics::register_endpoint(endpoint, &classes, &DeadReason::ALL.map(DeadReason::name));
    }
}

/// Publishes counters and gauges that are read from the store and the queues.
pub fn publish_totals(services: &Services) {
    publish_counters(services);
    publish_ledgers(services);
    for (source, gauge) in &services.inlets {
        metrics::inlet_waiting(source, gauge.waiting());
    }
    match services.store.mention_log_next() {
        Ok(next) => metrics::index_lag(next.saturating_sub(1 + services.indexer.log_seq())),
        Err(cause) => services.writer.report(cause),
    }
    metrics::writer_waiting(services.writer.waiting());
    metrics::reloaded(services.keeper.stale().is_none());
    metrics::disk(services.gate.free_bytes(), services.gate.level() as u8);
}

/// Counters that share a label are summed.
fn publish_counters(services: &Services) {
    let totals = services.writer.totals();
    let projects = services.keeper.set();
    let mut sums: BTreeMap<(&str, String, Option<&str>), u64> = BTreeMap::new();
    let of_sources = services.config.sources.keys().map(|source| (Named::Source, source, Tally::of_sources()));
    let of_projects = projects.projects.keys().map(|project| (Named::Project, project, Tally::of_projects()));
    for (named, slug, tallies) in of_sources.chain(of_projects) {
        for tally in tallies {
            sums.entry((tally.name(), metrics::label(named, slug), tally.reason())).or_default();
        }
    }
    for counter in totals.iter() {
        let is_project = Tally::of_projects().iter().any(|tally| tally.name() == counter.name);
        let named = if is_project { Named::Project } else { Named::Source };
        *sums.entry((counter.name, metrics::label(named, counter.label), counter.reason)).or_default() += counter.value;
    }
    for ((name, label, reason), value) in sums {
        metrics::total(name, &label, reason, value);
    }
}

fn publish_ledgers(services: &Services) {
    let mut rows = services.writer.endpoints();
    for endpoint in services.config.endpoints.keys() {
        rows.entry(endpoint.clone()).or_default();
    }
    let mut sums: BTreeMap<String, Ledger> = BTreeMap::new();
    for (endpoint, row) in rows {
        add(sums.entry(metrics::label(Named::Endpoint, &endpoint)).or_default(), &row);
    }
    for (label, ledger) in sums {
        metrics::ledger(&label, &ledger);
    }
}

fn add(ledger: &mut Ledger, row: &EndpointRow) {
    ledger.created += row.created;
    ledger.delivered += row.delivered;
    ledger.dead += row.dead;
    ledger.superseded += row.superseded;
    ledger.pending += row.pending();
    ledger.bytes_pending += row.bytes_pending;
}
