//! Deliveries over the API: those that wait, those given up, and making the latter wait again.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{DeliveryId, Timestamp};
use crate::store::{DeadRow, OutboxKey, OutboxRow};

use super::Services;
use super::answer::Problem;
use super::mentions::time;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 10_000;
/// Rows that are read together.
const PAGE_ROWS: usize = 500;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeliveriesQuery {
    pub endpoint: Option<String>,
    /// `pending` (default) or `dead`.
    pub state: Option<String>,
    /// 1 to 10000, 100 by default.
    pub limit: Option<usize>,
}

/// A delivery that waits or was given up.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct DeliverySummary {
    /// Its `webhook-id`.
    pub id: String,
    pub endpoint: String,
    pub seq: u64,
    pub state: String,
    pub event: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mention: Option<String>,
    /// As `project/query`.
    pub queries: Vec<String>,
    /// RFC 3339.
    pub created_at: String,
    pub attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_attempt_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_cause: Option<String>,
    /// Why it was given up: `expired`, `refused` or `quota`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only where one delivery is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Deliveries {
    pub deliveries: Vec<DeliverySummary>,
}

/// Which dead letters are to wait again: all conditions that are given must hold.
#[derive(Deserialize, Serialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// `webhook-id`s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// As `project/query`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// RFC 3339; created at or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// RFC 3339; created before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Retried {
    pub retried: usize,
}

pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Query(asked): Query<DeliveriesQuery>,
) -> Result<Json<Deliveries>, Problem> {
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let dead = match asked.state.as_deref() {
        None | Some("pending") => false,
        Some("dead") => true,
        Some(other) => return Err(Problem::bad(format!("state is `pending` or `dead`, not `{other}`"))),
    };
    let endpoints = endpoints(&services, asked.endpoint.as_deref());
    let mut deliveries = Vec::new();
    for endpoint in endpoints {
        let room = limit - deliveries.len();
        if dead {
            let rows = services.store.dead(&endpoint, 0, room).map_err(|cause| Problem::internal(&cause))?;
            deliveries.extend(rows.iter().map(|(_, row)| of_dead(&endpoint, row)));
        } else {
            let rows = services.store.outbox(&endpoint, 0, room).map_err(|cause| Problem::internal(&cause))?;
            deliveries.extend(rows.iter().map(|(_, row)| of_pending(&endpoint, row)));
        }
    }
    Ok(Json(Deliveries { deliveries }))
}

pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Path(id): Path<String>,
) -> Result<Json<DeliverySummary>, Problem> {
    let wanted: DeliveryId =
        id.parse().map_err(|cause| Problem::bad(format!("`{id}` is no delivery's id: {cause}")))?;
    let mut shown = None;
    each(&services, None, &mut |endpoint, delivery| {
        let (row, mut summary) = match delivery {
            Delivery::Pending(row) => (row, of_pending(endpoint, row)),
            Delivery::Dead(_, dead) => (&dead.row, of_dead(endpoint, dead)),
        };
        if row.id == wanted {
            summary.body = serde_json::from_slice(&row.body).ok();
            shown = Some(summary);
        }
        shown.is_none()
    })?;
    let missing = || Problem::missing(format!("no delivery {id} waits or was given up; what was accepted is not kept"));
    shown.map(Json).ok_or_else(missing)
}

pub(super) async fn retry(
    State(services): State<Arc<Services>>,
    Json(request): Json<RetryRequest>,
) -> Result<Json<Retried>, Problem> {
    let since = time("since", request.since.clone())?;
    let until = time("until", request.until.clone())?;
    if request.endpoint.is_none()
        && request.ids.is_empty()
        && request.query.is_none()
        && since.is_none()
        && until.is_none()
    {
        return Err(Problem::bad("name what to retry: endpoint, ids, query, since or until"));
    }
    let mut keys = Vec::new();
    each(&services, request.endpoint.as_deref(), &mut |endpoint, delivery| {
        if let Delivery::Dead(position, dead) = delivery
            && meets(&request, since, until, &dead.row)
        {
            keys.push(OutboxKey { endpoint: endpoint.to_owned(), position });
        }
        true
    })?;
    let retried = services.writer.replay(keys).await.map_err(|_| Problem::stopping())?;
    Ok(Json(Retried { retried }))
}

fn meets(request: &RetryRequest, since: Option<Timestamp>, until: Option<Timestamp>, row: &OutboxRow) -> bool {
    (request.ids.is_empty() || request.ids.contains(&row.id.to_string()))
        && request.query.as_ref().is_none_or(|query| row.queries.contains(query))
        && since.is_none_or(|since| row.created_at >= since)
        && until.is_none_or(|until| row.created_at < until)
}

enum Delivery<'r> {
    Pending(&'r OutboxRow),
    Dead(u64, &'r DeadRow),
}

fn endpoints(services: &Services, only: Option<&str>) -> Vec<String> {
    let mut endpoints: Vec<String> = services.writer.endpoints().into_keys().collect();
    endpoints.sort();
    endpoints.retain(|endpoint| only.is_none_or(|only| only == endpoint));
    endpoints
}

/// Every delivery of the endpoints, in pages; the callback returns whether to go on.
fn each(
    services: &Services,
    only: Option<&str>,
    callback: &mut dyn FnMut(&str, Delivery<'_>) -> bool,
) -> Result<(), Problem> {
    for endpoint in endpoints(services, only) {
        let mut next = 0;
        loop {
            let rows = services.store.outbox(&endpoint, next, PAGE_ROWS).map_err(|cause| Problem::internal(&cause))?;
            let Some((last, _)) = rows.last() else { break };
            next = last + 1;
            if !rows.iter().all(|(_, row)| callback(&endpoint, Delivery::Pending(row))) {
                return Ok(());
            }
        }
        next = 0;
        loop {
            let rows = services.store.dead(&endpoint, next, PAGE_ROWS).map_err(|cause| Problem::internal(&cause))?;
            let Some((last, _)) = rows.last() else { break };
            next = last + 1;
            if !rows.iter().all(|(position, row)| callback(&endpoint, Delivery::Dead(*position, row))) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn of_pending(endpoint: &str, row: &OutboxRow) -> DeliverySummary {
    DeliverySummary {
        id: row.id.to_string(),
        endpoint: endpoint.to_owned(),
        seq: row.seq,
        state: "pending".to_owned(),
        event: row.event.clone(),
        mention: row.mention.map(|mention| mention.to_string()),
        queries: row.queries.clone(),
        created_at: row.created_at.to_string(),
        attempts: row.attempts,
        last_attempt_at: row.last_attempt.as_ref().map(|last| last.at.to_string()),
        last_cause: row.last_attempt.as_ref().map(|last| last.cause.clone()),
        reason: None,
        body: None,
    }
}

fn of_dead(endpoint: &str, dead: &DeadRow) -> DeliverySummary {
    DeliverySummary {
        state: "dead".to_owned(),
        reason: Some(dead.reason.name().to_owned()),
        ..of_pending(endpoint, &dead.row)
    }
}
