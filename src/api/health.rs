//! Health and metrics: for load balancers, systemd and Prometheus. Without a token; they tell no content.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::metrics;
use crate::outbox::EndpointClock;
use crate::store::gate::Level;

use super::Services;

/// Whether the daemon does its work, and if not, why.
#[derive(Serialize, JsonSchema)]
pub struct Readiness {
    pub ready: bool,
    /// What keeps it from being ready, or needs a person.
    pub reasons: Vec<String>,
}

/// The process answers.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(services): State<Arc<Services>>) -> Response {
    let mut reasons = Vec::new();
    let mut ready = true;
    if let Some(failure) = services.writer.failure() {
        ready = false;
        reasons.push(failure.to_string());
    }
    match services.gate.level() {
        Level::Green => {}
        Level::Yellow => reasons.push("the disk is nearly full: nothing is taken in, deliveries go on".to_owned()),
        Level::Red => {
            ready = false;
            reasons.push("the disk is full".to_owned());
        }
    }
    if let Some(stale) = services.keeper.stale() {
        reasons.push(format!("the projects on disk are not valid, the last valid set is in force: {stale}"));
    }
    for (slug, health) in services.board.all().into_iter().filter(|(_, health)| health.state == "failed") {
        reasons.push(format!("source {slug} failed: {}", health.cause.unwrap_or_default()));
    }
    for (slug, trouble) in services.troubles.iter().filter(|(_, trouble)| trouble.total() > 0) {
        reasons.push(format!("source {slug}: {} feeds are not answered; `earful status` names some", trouble.total()));
    }
    for (slug, row) in services.writer.endpoints() {
        let Some(settings) = services.config.endpoints.get(&slug) else { continue };
        let clock = EndpointClock::kept(&row.clock, settings.address_hash()).status();
        if clock.state != "ok" {
            let class = clock.class.unwrap_or("connect");
            reasons.push(format!("endpoint {slug} is {}: {class}; {} deliveries wait", clock.state, row.pending()));
        }
    }
    if services.indexer.has_failed() {
        reasons.push(
            "the index has failed and search is behind; the log says why, and it is opened again by itself".to_owned(),
        );
    }
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Readiness { ready, reasons })).into_response()
}

pub(super) async fn prometheus() -> Response {
    match metrics::render() {
        Some(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response(),
        None => (StatusCode::NOT_FOUND, "this process keeps no metrics\n").into_response(),
    }
}
