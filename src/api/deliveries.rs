//! Deliveries over the API: those that wait, those given up, and making the latter wait again.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::model::{DeliveryId, Timestamp};
use crate::store::{DeadRow, OutboxKey, OutboxRow, ReadError};
use crate::tables::nearest;

use super::Services;
use super::answer::Problem;
use super::mentions::time;

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 10_000;

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
    let queue = match asked.state.as_deref() {
        None | Some("pending") => Queue::Pending,
        Some("dead") => Queue::Dead,
        Some(other) => return Err(Problem::bad(format!("state is `pending` or `dead`, not `{other}`"))),
    };
    let endpoints = endpoints(&services, asked.endpoint.as_deref())?;
    let mut deliveries = Vec::new();
    let deliveries = on_a_thread(services, move |services| {
        each(services, queue, &endpoints, &mut |endpoint, delivery| {
            deliveries.push(delivery.summary(endpoint));
            deliveries.len() < limit
        })?;
        Ok(deliveries)
    });
    Ok(Json(Deliveries { deliveries: deliveries.await? }))
}

pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Path(id): Path<String>,
) -> Result<Json<DeliverySummary>, Problem> {
    let wanted: DeliveryId =
        id.parse().map_err(|cause| Problem::bad(format!("`{id}` is no delivery's id: {cause}")))?;
    let endpoints = endpoints(&services, None)?;
    let shown = on_a_thread(services, move |services| {
        let mut shown = None;
        for queue in [Queue::Pending, Queue::Dead] {
            each(services, queue, &endpoints, &mut |endpoint, delivery| {
                let row = delivery.row();
                if row.id == wanted {
                    let body = serde_json::from_slice(&row.body).ok();
                    shown = Some(DeliverySummary { body, ..delivery.summary(endpoint) });
                }
                shown.is_none()
            })?;
        }
        Ok(shown)
    });
    let missing = || Problem::missing(format!("no delivery {id} waits or was given up; what was accepted is not kept"));
    shown.await?.map(Json).ok_or_else(missing)
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
    let endpoints = endpoints(&services, request.endpoint.as_deref())?;
    let writer = services.writer.clone();
    let keys = on_a_thread(services, move |services| {
        let mut keys = Vec::new();
        each(services, Queue::Dead, &endpoints, &mut |endpoint, delivery| {
            if meets(&request, since, until, delivery.row()) {
                keys.push(OutboxKey { endpoint: endpoint.to_owned(), position: delivery.position() });
            }
            true
        })?;
        Ok(keys)
    });
    let retried = writer.replay(&keys.await?, clock::now()).await.map_err(|_| Problem::stopping())?;
    Ok(Json(Retried { retried }))
}

/// Reads of whole queues block, and may take long.
async fn on_a_thread<T: Send + 'static>(
    services: Arc<Services>,
    read: impl FnOnce(&Services) -> Result<T, ReadError> + Send + 'static,
) -> Result<T, Problem> {
    let done = tokio::task::spawn_blocking(move || read(&services)).await;
    done.map_err(|cause| Problem::internal(&cause))?.map_err(|cause| Problem::internal(&cause))
}

fn meets(request: &RetryRequest, since: Option<Timestamp>, until: Option<Timestamp>, row: &OutboxRow) -> bool {
    (request.ids.is_empty() || request.ids.contains(&row.id.to_string()))
        && request.query.as_ref().is_none_or(|query| row.queries.contains(query))
        && since.is_none_or(|since| row.created_at >= since)
        && until.is_none_or(|until| row.created_at < until)
}

#[derive(Clone, Copy)]
enum Queue {
    Pending,
    Dead,
}

enum Delivery {
    Pending(u64, OutboxRow),
    Dead(u64, DeadRow),
}

impl Delivery {
    fn row(&self) -> &OutboxRow {
        match self {
            Self::Pending(_, row) => row,
            Self::Dead(_, dead) => &dead.row,
        }
    }

    fn position(&self) -> u64 {
        match self {
            Self::Pending(position, _) | Self::Dead(position, _) => *position,
        }
    }

    fn summary(&self, endpoint: &str) -> DeliverySummary {
        match self {
            Self::Pending(_, row) => of_pending(endpoint, row),
            Self::Dead(_, dead) => of_dead(endpoint, dead),
        }
    }
}

/// All endpoints that have or had deliveries or are configured, or the one that is named.
fn endpoints(services: &Services, only: Option<&str>) -> Result<Vec<String>, Problem> {
    let rows = services.writer.endpoints();
    let all: BTreeSet<String> = rows.into_keys().chain(services.config.endpoints.keys().cloned()).collect();
    match only {
        None => Ok(all.into_iter().collect()),
        Some(only) if all.contains(only) => Ok(vec![only.to_owned()]),
        Some(only) => {
            let hint = match nearest(only, all.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known are {}", all.into_iter().collect::<Vec<_>>().join(", ")),
            };
            Err(Problem::missing(format!("there is no endpoint `{only}`; {hint}")))
        }
    }
}

/// Every delivery of a queue, endpoint by endpoint, one at a time in memory; the callback returns whether to go on.
fn each(
    services: &Services,
    queue: Queue,
    endpoints: &[String],
    callback: &mut dyn FnMut(&str, Delivery) -> bool,
) -> Result<(), ReadError> {
    let store = &services.store;
    for endpoint in endpoints {
        let mut goes_on = true;
        match queue {
            Queue::Pending => store.each_outbox(endpoint, 0, |position, row| {
                goes_on = callback(endpoint, Delivery::Pending(position, row));
                goes_on
            })?,
            Queue::Dead => store.each_dead(endpoint, 0, |position, row| {
                goes_on = callback(endpoint, Delivery::Dead(position, row));
                goes_on
            })?,
        }
        if !goes_on {
            return Ok(());
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
