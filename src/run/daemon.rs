//! Start, signals, stop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{error, info, warn};

use crate::api::{self, Services};
use crate::config::{Config, SourceSettings};
use crate::fetch::Client;
use crate::fetch::guard::{Guard, NetworkError};
use crate::index::IndexError;
use crate::inlet::{Inlet, SourceBoard};
use crate::keeper::{ChangeError, Keeper};
use crate::metrics;
use crate::outbox::{EndpointPlan, Outbox, OutboxSettings};
use crate::pipeline::{Turn, TurnParts, TurnSettings, start_turn};
use crate::search::{Indexer, IndexerParts};
use crate::sinks::{AnySink, Egress};
use crate::sources::feeds::{Feeds, Trouble};
use crate::sources::jetstream::Jetstream;
use crate::sources::recording::{Recorder, Recording};
use crate::store::gate::{DiskGate, Level};
use crate::store::{
    OpenError, ReadError, RetainPass, Store, StoreFailure, WriterHandle, WriterThread, expire_orphans, retain,
    start_writer,
};

use super::report;
use super::supervise::{Supervised, supervise};
use super::systemd;

/// How often the disk is measured.
const GATE_PERIOD: Duration = Duration::from_secs(1);
/// How long a stop may take besides the time for deliveries under way.
const STOP_MARGIN: Duration = Duration::from_secs(15);
/// How long deliveries wait for an endpoint that is not configured any more: as long as for others by default.
const ORPHANS_AGE_MAX: Duration = Duration::from_hours(72);
/// How often a daemon that stops when all is done looks whether it is.
const FINISH_PERIOD: Duration = Duration::from_millis(50);

/// What the command line adds to the configuration.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// Write every arrival to this file.
    pub record: Option<PathBuf>,
    /// Stop when every source has finished and every delivery is settled: for recordings.
    pub until_done: bool,
}

/// Why the daemon ended, each with the exit code that systemd knows.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{0}")]
    Configuration(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Store(#[from] StoreFailure),
    #[error("{what}: {cause}")]
    Io { what: String, cause: std::io::Error },
    /// Of a run that was to end when all is done.
    #[error("source {slug} failed before its end: {cause}")]
    Unfinished { slug: String, cause: String },
}

impl RunError {
    /// 65 own data damaged, 70 a thread panicked, 74 input or output failed, 78 the configuration is wrong.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Configuration(_) => 78,
            Self::Open(OpenError::Damaged { .. } | OpenError::UnknownFormat { .. }) => 65,
            Self::Open(_) | Self::Index(_) | Self::Io { .. } | Self::Unfinished { .. } => 74,
            Self::Read(ReadError::Row { .. }) | Self::Store(StoreFailure::Damaged(_)) => 65,
            Self::Store(StoreFailure::Panicked(_)) => 70,
            Self::Read(_) | Self::Store(StoreFailure::Io(_)) => 74,
        }
    }
}

/// Runs until a signal, a failure of the store, or the end of all recordings.
pub async fn run(config: Config, options: RunOptions) -> Result<(), RunError> {
    // Before anything else: a signal that comes during the start is not lost, and does not kill.
    let mut signals = Signals::listen()?;
    let stop_max = Duration::from_secs(config.base.delivery.drain_s) + STOP_MARGIN;
    let daemon = Daemon::start(config, options).await?;
    daemon.until_told(&mut signals).await;
    let watch = daemon.writer.watch();
    let unfinished = daemon.unfinished();
    let why = tokio::select! {
        stopped = daemon.stop() => return stopped.and(unfinished.map_or(Ok(()), Err)),
        () = tokio::time::sleep(stop_max) => "the stop takes too long",
        () = signals.told_to_stop() => "told to stop again",
    };
    warn!("{why}: the stop is cut off; the next start goes on from what is durable");
    watch.failure().map_or(Ok(()), |failure| Err(failure.into()))
}

/// The signals that a daemon minds.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, RunError> {
        let listen = |kind| signal(kind).map_err(|cause| io("signals cannot be received", cause));
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn told_to_stop(&mut self) {
        tokio::select! { _ = self.terminate.recv() => (), _ = self.interrupt.recv() => () }
    }
}

/// What sources and the API have in common.
#[derive(Default)]
struct Shared {
    pushers: Vec<api::Pusher>,
    troubles: BTreeMap<String, Trouble>,
}

/// The daemon, running.
pub struct Daemon {
    config: Config,
    options: RunOptions,
    store: Store,
    writer: WriterHandle,
    writer_thread: WriterThread,
    indexer_thread: std::thread::JoinHandle<()>,
    services: Arc<Services>,
    turn: Turn,
    /// Stops what takes in; then the turn drains.
    stop_sources: CancellationToken,
    /// Stops what sends out.
    stop_sinks: CancellationToken,
    stop_rest: CancellationToken,
    sources: TaskTracker,
    sinks: TaskTracker,
    rest: TaskTracker,
    recorder: Option<Arc<Recorder>>,
}

impl Daemon {
    pub async fn start(config: Config, options: RunOptions) -> Result<Self, RunError> {
        let base = &config.base;
        let store = Store::open(&base.data_dir.join("store"), &base.store)?;
        // The thread is bound first and so dropped last: on an error every handle goes before it is waited for.
        let (writer_thread, writer) = {
            let (writer, thread) = start_writer(store.clone())?;
            (thread, writer)
        };
        let keeper = Keeper::load(&base.projects_dir, config.routes.clone(), store.clone(), writer.clone()).await;
        let keeper = Arc::new(keeper.map_err(|cause| refuse(&cause))?);
        let gate = Arc::new(DiskGate::new(base.disk.clone(), &base.data_dir));
        gate.measure().map_err(|cause| io("the disk cannot be measured", cause))?;
        let [stop_sources, stop_sinks, stop_rest] = [(); 3].map(|()| CancellationToken::new());
        let indexer_parts = IndexerParts {
            store: store.clone(),
            writer: writer.clone(),
            gate: gate.clone(),
            settings: base.index.clone(),
            stop: stop_rest.clone(),
        };
        let (indexer, indexer_thread) = Indexer::start(&Indexer::directory(&base.data_dir), indexer_parts)?;
        let arrived = Arc::new(Notify::new());
        let turn = start_turn(TurnParts {
            store: store.clone(),
            writer: writer.clone(),
            live: keeper.live(),
            gate: gate.clone(),
            arrived: arrived.clone(),
            stop: stop_sources.clone(),
            settings: TurnSettings { arrivals_max: base.turn.arrivals_max, bytes_max: base.turn.bytes_max },
        })?;
        let recorder = options.record.as_deref().map(Recorder::create).transpose();
        let recorder = recorder.map_err(|cause| io("the recording cannot be written", cause))?.map(Arc::new);
        let services = Arc::new(Services {
            store: store.clone(),
            writer: writer.clone(),
            indexer,
            keeper,
            gate,
            board: SourceBoard::default(),
            pushers: Vec::new(),
            troubles: BTreeMap::new(),
            pushes: Semaphore::new(api::PUSHES_MAX),
            inlets: Vec::new(),
            config: config.clone(),
            stop: stop_rest.clone(),
        });
        let mut daemon = Self {
            config,
            options,
            store,
            writer,
            writer_thread,
            indexer_thread,
            services,
            turn,
            stop_sources,
            stop_sinks,
            stop_rest,
            sources: TaskTracker::new(),
            sinks: TaskTracker::new(),
            rest: TaskTracker::new(),
            recorder,
        };
        daemon.start_sinks()?;
        daemon.start_sources(&arrived)?;
        daemon.start_api().await?;
        daemon.start_chores();
        Ok(daemon)
    }

    fn egress(&self) -> Result<Guard, RunError> {
        let networks =
            self.config.base.egress.allow.iter().map(|network| network.parse()).collect::<Result<Vec<_>, _>>();
        networks
            .map(Guard::new)
            .map_err(|cause: NetworkError| RunError::Configuration(format!("egress.allow: {cause}")))
    }

    fn start_sinks(&mut self) -> Result<(), RunError> {
        let delivery = &self.config.base.delivery;
        let settings =
            OutboxSettings { in_flight_max: delivery.in_flight_max, drain: Duration::from_secs(delivery.drain_s) };
        let outbox = Outbox::new(self.store.clone(), self.writer.clone(), settings, self.stop_sinks.clone());
        let guard = self.egress()?;
        for (slug, settings) in &self.config.endpoints {
            let sink = AnySink::build(settings, Egress::of(&guard))
                .map_err(|cause| RunError::Configuration(format!("[endpoint.{slug}]: {cause}")))?;
            let plan = EndpointPlan {
                slug: slug.clone(),
                address: settings.address_hash(),
                concurrency_max: settings.concurrency_max(),
                expiry: settings.expiry(),
                quota_bytes: settings.quota_bytes(),
            };
            self.sinks.spawn(outbox.clone().run(plan, sink));
        }
        for (slug, row) in self.writer.endpoints() {
            if !self.config.endpoints.contains_key(&slug) && row.pending() > 0 {
                warn!(endpoint = %slug, pending = row.pending(), "deliveries wait for an endpoint that is not configured any more");
            }
        }
        self.sinks.close();
        Ok(())
    }

    fn start_sources(&mut self, arrived: &Arc<Notify>) -> Result<(), RunError> {
        let (mut shared, mut inlets) = (Shared::default(), Vec::new());
        for (slug, settings) in self.config.sources.clone() {
            let (inlet, inbox) = Inlet::new(arrived.clone());
            inlets.push((slug.clone(), inlet.gauge()));
            let inlet = match &self.recorder {
                Some(recorder) => {
                    let recorder = recorder.clone();
                    inlet.tapped(Arc::new(move |arrival| recorder.record(arrival)))
                }
                None => inlet,
            };
            self.turn.add(slug.as_str().into(), inbox);
            let own = Supervised {
                slug: slug.clone(),
                kind: settings.kind(),
                inlet,
                store: self.store.clone(),
                board: self.services.board.clone(),
                stop: self.stop_sources.clone(),
            };
            self.start_source(slug, settings, own, &mut shared)?;
        }
        self.sources.close();
        let services = Arc::get_mut(&mut self.services).expect("nobody else holds the services before the API starts");
        services.pushers = shared.pushers;
        services.troubles = shared.troubles;
        services.inlets = inlets;
        Ok(())
    }

    fn start_source(
        &self,
        slug: String,
        settings: SourceSettings,
        own: Supervised,
        shared: &mut Shared,
    ) -> Result<(), RunError> {
        let refuse = |cause: String| RunError::Configuration(format!("[source.{slug}]: {cause}"));
        match settings {
            SourceSettings::Jetstream(settings) => {
                let source = Jetstream::new(slug.as_str().into(), settings);
                self.sources.spawn(supervise(source, own));
            }
            SourceSettings::Feeds(settings) => {
                let client = Client::new(&self.config.base.egress.contact, self.egress()?);
                let client = client.map_err(|cause| refuse(cause.to_string()))?;
                let trouble = Trouble::default();
                let source = Feeds::new(slug.as_str().into(), settings, client, &trouble);
                shared.troubles.insert(slug.clone(), trouble);
                let source = source.map_err(|cause| refuse(cause.to_string()))?;
                self.sources.spawn(supervise(source, own));
            }
            SourceSettings::Recording(settings) => {
                let source = Recording::new(slug.as_str().into(), settings);
                self.sources.spawn(supervise(source, own));
            }
            SourceSettings::Push(settings) => {
                own.board.set(&slug, own.kind, "running", None);
                shared.pushers.push(api::Pusher::new(&slug, &settings, own.inlet).map_err(refuse)?);
            }
        }
        Ok(())
    }

    async fn start_api(&mut self) -> Result<(), RunError> {
        let servers = api::start(self.services.clone()).await.map_err(|cause| io("the API cannot listen", cause))?;
        for server in servers {
            self.rest.spawn(server);
        }
        Ok(())
    }

    fn start_chores(&mut self) {
        report::register(&self.services);
        report::publish_totals(&self.services);
        let services = self.services.clone();
        self.rest.spawn(async move { watch_disk(services).await });
        let services = self.services.clone();
        self.rest.spawn(async move { keep_retention(services).await });
        self.rest.spawn(systemd::feed_watchdog(self.writer.clone(), self.stop_rest.clone()));
        self.rest.close();
        systemd::ready(&format!(
            "{} projects, {} sources",
            self.services.keeper.set().projects.len(),
            self.config.sources.len()
        ));
        info!(
            api = %self.config.base.api.listen,
            sources = self.config.sources.len(),
            endpoints = self.config.endpoints.len(),
            data_dir = %self.config.base.data_dir.display(),
            "earful runs"
        );
    }

    /// The services that the API serves: for programs that embed a daemon.
    pub fn services(&self) -> &Arc<Services> {
        &self.services
    }

    /// Waits for a signal to stop, a failure of the store, or the end of everything that was to be done.
    async fn until_told(&self, signals: &mut Signals) {
        let mut finished = std::pin::pin!(self.finished());
        let reloads = TaskTracker::new();
        loop {
            tokio::select! {
                _ = signals.terminate.recv() => break,
                _ = signals.interrupt.recv() => break,
                // A task of its own: a stop does not wait until everything is compiled.
                _ = signals.hangup.recv() => drop(reloads.spawn(reload(self.services.keeper.clone()))),
                // The writer's failure is looked for now and then: no wake-up can be missed that way.
                () = tokio::time::sleep(GATE_PERIOD) => {
                    if self.writer.failure().is_some() {
                        break;
                    }
                }
                () = self.stop_sources.cancelled() => break,
                () = &mut finished, if self.options.until_done => break,
            }
        }
    }

    /// The source that failed, where all were to come to their end.
    fn unfinished(&self) -> Option<RunError> {
        let board = self.services.board.all();
        let (slug, health) = board.into_iter().find(|(_, health)| health.state == "failed")?;
        let cause = health.cause.unwrap_or_default();
        self.options.until_done.then_some(RunError::Unfinished { slug, cause })
    }

    /// Resolves when every source has finished and nothing waits for a configured endpoint.
    async fn finished(&self) {
        self.sources.wait().await;
        loop {
            let waiting = self.services.arrivals_waiting() > 0;
            let rows = self.writer.endpoints();
            let pending =
                self.config.endpoints.keys().filter_map(|endpoint| rows.get(endpoint)).any(|row| row.pending() > 0);
            if !waiting && !pending {
                return;
            }
            tokio::time::sleep(FINISH_PERIOD).await;
        }
    }

    /// Sources first, then the turn's rest, then deliveries under way, then the index and the store.
    pub async fn stop(self) -> Result<(), RunError> {
        info!("stopping: sources first, then what they brought, then deliveries under way");
        systemd::stopping();
        self.stop_sources.cancel();
        self.sources.wait().await;
        let Self { turn, services, writer, recorder, .. } = self;
        let failure = writer.failure();
        services.close_pushers();
        tokio::task::spawn_blocking(move || turn.join()).await.ok();
        self.stop_sinks.cancel();
        self.sinks.wait().await;
        self.stop_rest.cancel();
        self.rest.wait().await;
        drop(recorder);
        let (indexer_thread, writer_thread) = (self.indexer_thread, self.writer_thread);
        tokio::task::spawn_blocking(move || indexer_thread.join()).await.ok();
        let failure = failure.or_else(|| writer.failure());
        self.store.stop_compaction();
        drop(writer);
        drop(services);
        tokio::task::spawn_blocking(move || drop(writer_thread)).await.ok();
        info!("stopped");
        failure.map_or(Ok(()), |failure| Err(failure.into()))
    }
}

async fn reload(keeper: Arc<Keeper>) {
    systemd::reloading();
    match keeper.reload().await {
        Ok(projects) => info!(projects, "reloaded"),
        Err(ChangeError::Invalid(errors)) => {
            for mistake in errors {
                error!("{mistake}");
            }
            error!("the projects before the reload stay in force");
        }
        Err(cause) => error!(%cause, "the reload failed"),
    }
    metrics::reloaded(keeper.stale().is_none());
    systemd::ready("reloaded");
}

async fn watch_disk(services: Arc<Services>) {
    let mut before = Level::Green;
    loop {
        tokio::select! {
            () = services.stop.cancelled() => return,
            () = tokio::time::sleep(GATE_PERIOD) => {}
        }
        match services.gate.measure() {
            Ok(level) if level != before => {
                warn!(?level, free_bytes = services.gate.free_bytes(), "the disk's level changed");
                before = level;
            }
            Ok(_) => {}
            Err(cause) => error!(%cause, "the disk cannot be measured"),
        }
        report::publish_totals(&services);
        metrics::upkeep();
    }
}

async fn keep_retention(services: Arc<Services>) {
    let period = Duration::from_secs(services.config.base.retention.period_s);
    loop {
        tokio::select! {
            () = services.stop.cancelled() => return,
            () = tokio::time::sleep(period) => {}
        }
        let own = services.clone();
        let passed = tokio::task::spawn_blocking(move || retention_pass(&own));
        // A pass that compacts may take minutes: a stop does not wait for it, and cuts it off at its end.
        let passed = tokio::select! {
            () = services.stop.cancelled() => return,
            passed = passed => passed,
        };
        match passed {
            Ok(Ok((0, 0))) => {}
            Ok(Ok((posts, mentions))) => info!(posts, mentions, "retention passed"),
            Ok(Err(cause)) => services.writer.report(cause),
            Err(cause) => error!(%cause, "retention panicked"),
        }
    }
}

fn retention_pass(services: &Services) -> Result<(u64, u64), ReadError> {
    let now = crate::clock::now();
    let known = services.config.endpoints.keys().cloned().collect();
    let expired = expire_orphans(&services.store, &services.writer, &known, now.minus(ORPHANS_AGE_MAX), now)?;
    if expired > 0 {
        warn!(deliveries = expired, "deliveries to endpoints that are not configured any more were given up");
    }
    let pass = RetainPass { now, indexed: services.indexer.log_seq() };
    retain(&services.store, &services.writer, &services.config.base.retention, pass)
}

fn refuse(cause: &ChangeError) -> RunError {
    match cause {
        ChangeError::Invalid(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            RunError::Configuration(format!("no valid set of projects:\n{}", lines.join("\n")))
        }
        other => RunError::Configuration(other.to_string()),
    }
}

fn io(what: &str, cause: std::io::Error) -> RunError {
    RunError::Io { what: what.to_owned(), cause }
}
