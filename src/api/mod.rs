//! HTTP in: posts, projects, mentions, deliveries, sources; metrics and health. On loopback with a bearer token, and on
//! a unix socket for the command line. Described by a document generated from the one table of routes.

mod answer;
pub mod auth;
mod deliveries;
mod health;
mod mentions;
mod openapi;
pub mod posts;
mod projects;
mod queries;
mod routes;
mod server;
mod status;

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::inlet::{InletGauge, SourceBoard};
use crate::keeper::Keeper;
use crate::search::Indexer;
use crate::sources::feeds::Trouble;
use crate::store::gate::DiskGate;
use crate::store::{Store, WriterHandle};

pub use answer::Problem;
pub use deliveries::RetryRequest;
pub use openapi::document;
pub use posts::{PUSHES_MAX, Pusher};
pub use server::{socket_path, start};

/// Everything that a request may need.
pub struct Services {
    pub store: Store,
    pub writer: WriterHandle,
    pub indexer: Indexer,
    pub keeper: Arc<Keeper>,
    pub gate: Arc<DiskGate>,
    pub board: SourceBoard,
    pub pushers: Vec<Pusher>,
    /// Of sources of kind `feeds`: which feeds fail.
    pub troubles: BTreeMap<String, Trouble>,
    /// Places for pushes under way.
    pub pushes: Semaphore,
    /// By source.
    pub inlets: Vec<(String, InletGauge)>,
    pub config: Config,
    /// Ends the servers and the chores.
    pub stop: CancellationToken,
}

impl Services {
    /// Ends the inlets of pushed posts, so that the turn can finish.
    pub fn close_pushers(&self) {
        self.pushers.iter().for_each(Pusher::close);
    }

    /// Arrivals that are not durable yet.
    pub fn arrivals_waiting(&self) -> u64 {
        self.inlets.iter().map(|(_, gauge)| gauge.waiting()).sum()
    }
}
