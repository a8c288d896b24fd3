//! The stored counters as metrics: absolute values, so that they survive a crash and add up.

use crate::api::Services;
use crate::metrics;

/// Publishes counters and gauges that are read from the store and the queues.
pub fn publish_totals(services: &Services) {
    for counter in services.writer.totals().iter() {
        metrics::total(counter.name, counter.label, counter.reason, counter.value);
    }
    for (endpoint, row) in services.writer.endpoints() {
        let ledger = metrics::Ledger {
            created: row.created,
            delivered: row.delivered,
            dead: row.dead,
            superseded: row.superseded,
            pending: row.pending(),
            bytes_pending: row.bytes_pending,
        };
        metrics::ledger(&endpoint, &ledger);
    }
    for (source, gauge) in &services.inlets {
        metrics::inlet_waiting(source, gauge.waiting());
    }
    metrics::reloaded(services.keeper.stale().is_none());
    metrics::disk(services.gate.free_bytes(), services.gate.level() as u8);
}
