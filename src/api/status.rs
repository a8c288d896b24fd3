//! What the daemon is doing: sources with their cursors, endpoints with their clocks, totals, lag. And what an operator
//! asks of it: a test of an endpoint, a backup, a rebuild.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::event;
use crate::inlet::SourceHealth;
use crate::outbox::{ClockStatus, EndpointClock};
use crate::sources::feeds;
use crate::store::{BackupError, NewDelivery, Totals, backup};

use super::Services;
use super::answer::Problem;

const REBUILD_POLL: Duration = Duration::from_millis(100);

/// The daemon at a glance.
#[derive(Serialize, JsonSchema)]
pub struct Status {
    pub version: &'static str,
    /// Names the store; another one after a restore.
    pub epoch: String,
    pub projects: usize,
    pub queries: usize,
    /// Why the projects on disk are not what is in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub projects_stale: Option<String>,
    pub totals: BTreeMap<String, u64>,
    pub sources: BTreeMap<String, SourceStatus>,
    pub endpoints: BTreeMap<String, EndpointStatus>,
    /// Mentions that search sees, and rows of the log that it does not see yet.
    pub indexed: u64,
    pub index_lag_rows: u64,
    pub disk_free_bytes: u64,
    pub disk_level: String,
}

#[derive(Serialize, JsonSchema)]
pub struct SourceStatus {
    #[serde(flatten)]
    pub health: SourceHealth,
    /// Post events by what became of them.
    pub totals: BTreeMap<String, u64>,
    /// Durable cursors; at most ten. Of a feed in words, of others as the source wrote them.
    pub cursors: BTreeMap<String, String>,
    /// Feeds that fail now, with their last causes; at most ten.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub failing: BTreeMap<String, String>,
    /// How many feeds fail.
    #[serde(skip_serializing_if = "is_zero")]
    pub failing_total: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[derive(Serialize, JsonSchema)]
pub struct EndpointStatus {
    pub kind: String,
    pub created: u64,
    pub delivered: u64,
    pub dead: u64,
    pub superseded: u64,
    pub pending: u64,
    pub pending_bytes: u64,
    pub clock: ClockStatus,
}

const CURSORS_SHOWN_MAX: usize = 10;

pub(super) async fn status(State(services): State<Arc<Services>>) -> Result<Json<Status>, Problem> {
    let set = services.keeper.set();
    let totals = services.writer.totals();
    let log_next = services.store.mention_log_next().map_err(|cause| Problem::internal(&cause))?;
    Ok(Json(Status {
        version: env!("CARGO_PKG_VERSION"),
        epoch: services.store.epoch().to_owned(),
        projects: set.projects.len(),
        queries: set.rules.len(),
        projects_stale: services.keeper.stale(),
        totals: sums(&totals),
        sources: sources_of(&services, &totals)?,
        endpoints: endpoints_of(&services),
        indexed: services.indexer.index().documents(),
        index_lag_rows: log_next.saturating_sub(1 + services.indexer.log_seq()),
        disk_free_bytes: services.gate.free_bytes(),
        disk_level: format!("{:?}", services.gate.level()).to_lowercase(),
    }))
}

pub(super) async fn sources(
    State(services): State<Arc<Services>>,
) -> Result<Json<BTreeMap<String, SourceStatus>>, Problem> {
    sources_of(&services, &services.writer.totals()).map(Json)
}

fn sums(totals: &Totals) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for counter in totals.iter() {
        *sums.entry(counter.name.to_owned()).or_default() += counter.value;
    }
    sums
}

fn sources_of(services: &Services, totals: &Totals) -> Result<BTreeMap<String, SourceStatus>, Problem> {
    let mut sources = BTreeMap::new();
    for (slug, health) in services.board.all() {
        let own = totals.iter().filter(|counter| counter.label == slug);
        let totals = own
            .map(|counter| match counter.reason {
                Some(reason) => (format!("{}_{reason}", counter.name), counter.value),
                None => (counter.name.to_owned(), counter.value),
            })
            .collect();
        let cursors = services.store.cursors(&slug).map_err(|cause| Problem::internal(&cause))?;
        let cursors = cursors
            .into_iter()
            .take(CURSORS_SHOWN_MAX)
            .map(|cursor| {
                let shown = match health.kind {
                    "feeds" => feeds::describe(&cursor.value),
                    _ => String::from_utf8_lossy(&cursor.value).into_owned(),
                };
                (cursor.part, shown)
            })
            .collect();
        let trouble = services.troubles.get(&slug).cloned().unwrap_or_default();
        let (failing, failing_total) = (trouble.named(), trouble.total());
        sources.insert(slug, SourceStatus { health, totals, cursors, failing, failing_total });
    }
    Ok(sources)
}

fn endpoints_of(services: &Services) -> BTreeMap<String, EndpointStatus> {
    let mut rows = services.writer.endpoints();
    for slug in services.config.endpoints.keys() {
        rows.entry(slug.clone()).or_default();
    }
    rows.into_iter()
        .map(|(slug, row)| {
            let settings = services.config.endpoints.get(&slug);
            let address = settings.map_or(0, |settings| settings.address_hash());
            let clock = EndpointClock::kept(&row.clock, address);
            let status = EndpointStatus {
                kind: settings.map_or("not configured", |settings| settings.kind()).to_owned(),
                created: row.created,
                delivered: row.delivered,
                dead: row.dead,
                superseded: row.superseded,
                pending: row.pending(),
                pending_bytes: row.bytes_pending,
                clock: clock.status(),
            };
            (slug, status)
        })
        .collect()
}

/// An `endpoint.test` event was put into the endpoint's queue.
#[derive(Serialize, JsonSchema)]
pub struct TestQueued {
    /// Its `webhook-id`.
    pub id: String,
}

pub(super) async fn test_endpoint(
    State(services): State<Arc<Services>>,
    Path(slug): Path<String>,
) -> Result<Json<TestQueued>, Problem> {
    if !services.config.endpoints.contains_key(&slug) {
        return Err(Problem::missing(format!("there is no endpoint `{slug}`")));
    }
    let now = clock::now();
    let rendered = event::test(&slug, now);
    let id = rendered.id.to_string();
    let delivery = NewDelivery {
        endpoint: slug,
        id: rendered.id,
        event: rendered.event,
        mention: None,
        thread: None,
        author: None,
        queries: Vec::new(),
        created_at: now,
        arrived_at: now,
        body: rendered.body,
    };
    services.writer.notify(vec![delivery]).await.map_err(|_| Problem::stopping())?;
    Ok(Json(TestQueued { id }))
}

/// Where a backup goes: a directory that does not exist, on the daemon's machine.
#[derive(Deserialize, Serialize, JsonSchema)]
pub struct BackupRequest {
    pub target: PathBuf,
}

#[derive(Deserialize, Serialize, JsonSchema)]
pub struct BackupDone {
    pub target: PathBuf,
    /// Bytes of the files of the backup; files may be shared with the store until it changes.
    pub bytes: u64,
}

pub(super) async fn make_backup(
    State(services): State<Arc<Services>>,
    Json(request): Json<BackupRequest>,
) -> Result<Json<BackupDone>, Problem> {
    if !request.target.is_absolute() {
        return Err(Problem::bad("the target is a path from the root of the daemon's machine"));
    }
    let target = request.target;
    let store = services.store.clone();
    let made = tokio::task::spawn_blocking(move || {
        // A backup is a data directory: the store lies in it where the daemon will look.
        backup(&store, &target.join("store")).map(|()| BackupDone { bytes: bytes_in(&target.join("store")), target })
    });
    match made.await {
        Ok(Ok(done)) => Ok(Json(done)),
        Ok(Err(cause @ BackupError::Exists(_))) => Err(Problem::new(StatusCode::CONFLICT, cause.to_string())),
        Ok(Err(cause)) => Err(Problem::internal(&cause)),
        Err(cause) => Err(Problem::internal(&cause)),
    }
}

fn bytes_in(directory: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

#[derive(Deserialize, Serialize, JsonSchema)]
pub struct Rebuilt {
    pub mentions: u64,
}

/// Answers when the index is built anew from the store.
pub(super) async fn rebuild_index(State(services): State<Arc<Services>>) -> Result<Json<Rebuilt>, Problem> {
    let before = services.indexer.rebuilds();
    services.indexer.request_rebuild();
    while services.indexer.rebuilds() == before {
        if services.indexer.has_failed() {
            let title = "the index has failed; the log says why. It is opened again by itself";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, title).retry_after(60));
        }
        tokio::select! {
            () = services.stop.cancelled() => return Err(Problem::stopping()),
            () = tokio::time::sleep(REBUILD_POLL) => {}
        }
    }
    Ok(Json(Rebuilt { mentions: services.indexer.index().documents() }))
}
