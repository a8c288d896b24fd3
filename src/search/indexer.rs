//! The one path into the index: a thread that tails the mention log, reads the present state of each mention and
//! replaces its document. It catches up by sequence after a crash and after a rebuild alike.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::crash::{self, Point};
use crate::index::{self, Document, IndexError, IndexSettings, MentionIndex, MentionIndexWriter, Progress};
use crate::matcher;
use crate::model::Lang;
use crate::store::gate::{DiskGate, Level};
use crate::store::{MentionRow, MentionState, ReadError, Store, WriterHandle};

/// Rows of the log that are read together.
const STEP_ROWS_MAX: usize = 2_000;
const IDLE_PERIOD: Duration = Duration::from_millis(250);
/// How long an index that failed is left alone before it is opened again; doubled up to the other.
const REOPEN_FIRST: Duration = Duration::from_secs(1);
const REOPEN_MAX: Duration = Duration::from_secs(60);

/// What the indexer works with.
pub struct IndexerParts {
    pub store: Store,
    pub writer: WriterHandle,
    pub gate: Arc<DiskGate>,
    pub settings: IndexSettings,
    pub stop: CancellationToken,
}

/// The running indexer, and how to ask it for a rebuild.
#[derive(Clone)]
pub struct Indexer {
    index: Arc<MentionIndex>,
    rebuild: Arc<AtomicBool>,
    rebuilt: Arc<AtomicU64>,
    log_seq: Arc<AtomicU64>,
    failed: Arc<AtomicBool>,
}

#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

impl Indexer {
    /// Where a data directory keeps its index.
    pub fn directory(data_dir: &Path) -> PathBuf {
        data_dir.join("index")
    }

    /// Opens the index and starts its thread. An index that does not belong to the store is built anew.
    pub fn start(path: &Path, parts: IndexerParts) -> Result<(Self, std::thread::JoinHandle<()>), IndexError> {
        let (index, writer) = index::open(path, parts.settings.heap_mb)?;
        let indexer = Self {
            index: Arc::new(index),
            rebuild: Arc::default(),
            rebuilt: Arc::default(),
            log_seq: Arc::default(),
            failed: Arc::default(),
        };
        let own = indexer.clone();
        let thread = std::thread::Builder::new()
            .name("indexer".to_owned())
            .spawn(move || {
                let daemon = parts.writer.clone();
                if catch_unwind(AssertUnwindSafe(|| own.run(writer, &parts))).is_err() {
                    daemon.report_panic("indexer");
                }
            })
            .expect("a thread can be started");
        Ok((indexer, thread))
    }

    pub fn index(&self) -> &MentionIndex {
        &self.index
    }

    /// Asks for a rebuild from the store; `rebuilds` grows when it is done.
    pub fn request_rebuild(&self) {
        self.rebuild.store(true, Ordering::SeqCst);
    }

    pub fn rebuilds(&self) -> u64 {
        self.rebuilt.load(Ordering::SeqCst)
    }

    /// Whether the index has stopped: search answers from what it last held.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The row of the mention log up to which search can see.
    pub fn log_seq(&self) -> u64 {
        self.log_seq.load(Ordering::Relaxed)
    }

    /// Follows the log. An index that fails is opened again after a pause: a disk that was full is not for ever.
    fn run(self, writer: MentionIndexWriter, parts: &IndexerParts) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a timer can be made");
        let mut opened = Ok(writer);
        let mut pause = REOPEN_FIRST;
        loop {
            let ended =
                opened.map_err(StepError::from).and_then(|writer| self.follow(writer, parts, &runtime, &mut pause));
            match ended {
                Ok(()) => return,
                Err(StepError::Read(cause)) => return parts.writer.report(cause),
                Err(StepError::Index(cause)) => {
                    let wait_s = pause.as_secs();
                    error!(%cause, wait_s, "the index failed and is opened again; mentions and deliveries go on");
                }
            }
            self.failed.store(true, Ordering::Relaxed);
            let stopped = async { tokio::time::timeout(pause, parts.stop.cancelled()).await.is_ok() };
            if runtime.block_on(stopped) {
                return;
            }
            pause = (pause * 2).min(REOPEN_MAX);
            opened = self.index.reopen(parts.settings.heap_mb);
        }
    }

    /// Follows the log until the stop.
    fn follow(
        &self,
        mut writer: MentionIndexWriter,
        parts: &IndexerParts,
        runtime: &tokio::runtime::Runtime,
        pause: &mut Duration,
    ) -> Result<(), StepError> {
        let mut tail = Tail::resume(&mut writer, parts)?;
        loop {
            let stopping = parts.stop.is_cancelled();
            if self.rebuild.swap(false, Ordering::SeqCst) {
                tail.rebuilding = true;
            }
            let grown = tail.step(&mut writer, parts, stopping)?;
            self.log_seq.store(tail.committed, Ordering::Relaxed);
            if self.failed.swap(false, Ordering::Relaxed) {
                info!("the index is open again");
                *pause = REOPEN_FIRST;
            }
            if std::mem::take(&mut tail.rebuilt) {
                self.rebuilt.fetch_add(1, Ordering::SeqCst);
            }
            if stopping && !grown {
                return Ok(());
            }
            if !grown {
                runtime.block_on(async { tokio::time::timeout(IDLE_PERIOD, parts.writer.log_grown()).await }).ok();
            }
        }
    }
}

/// How far the tail has come.
struct Tail {
    /// The next row of the log to read.
    next: u64,
    /// The last row that is committed and synced.
    committed: u64,
    last_commit: Instant,
    rebuilding: bool,
    rebuilt: bool,
}

impl Tail {
    fn resume(writer: &mut MentionIndexWriter, parts: &IndexerParts) -> Result<Self, StepError> {
        let log_next = parts.store.mention_log_next()?;
        let found = writer.progress()?;
        // What another store left is cleared even if this one has nothing to put in its place.
        let is_used = found.is_some() || log_next > 1;
        let progress = found.filter(|progress| progress.fits(parts.store.epoch(), log_next));
        let committed = progress.as_ref().map_or(0, |progress| progress.log_seq);
        let rebuilding = progress.is_none() && is_used;
        Ok(Self { next: committed + 1, committed, last_commit: Instant::now(), rebuilding, rebuilt: false })
    }

    /// Indexes what is new and commits when it is time. Returns whether there may be more.
    fn step(
        &mut self,
        writer: &mut MentionIndexWriter,
        parts: &IndexerParts,
        stopping: bool,
    ) -> Result<bool, StepError> {
        if self.rebuilding && !self.rebuild(writer, parts)? {
            return Ok(false);
        }
        let rows = parts.store.mention_log(self.next, STEP_ROWS_MAX)?;
        let mut seen = HashSet::new();
        for (seq, id) in rows.iter().rev() {
            self.next = self.next.max(seq + 1);
            if seen.insert(*id) {
                index_mention(writer, *id, parts.store.mention(*id)?)?;
            }
        }
        let behind = self.next - 1 - self.committed;
        let due = self.last_commit.elapsed() >= Duration::from_millis(parts.settings.commit_interval_ms);
        if behind > 0 && (due || stopping) && parts.gate.level() != Level::Red {
            self.commit(writer, parts)?;
        }
        Ok(rows.len() == STEP_ROWS_MAX)
    }

    fn commit(&mut self, writer: &mut MentionIndexWriter, parts: &IndexerParts) -> Result<(), StepError> {
        let seq = self.next - 1;
        crash::point(Point::IndexBeforeCommit);
        writer.commit(&Progress::new(parts.store.epoch(), seq))?;
        crash::point(Point::IndexAfterCommit);
        writer.sync()?;
        crash::point(Point::IndexAfterSync);
        self.committed = seq;
        self.last_commit = Instant::now();
        Ok(())
    }

    /// Makes every document anew from the mentions themselves; what changes meanwhile is in the log behind `seq`. Returns
    /// false, with nothing committed, if it was told to stop on the way.
    fn rebuild(&mut self, writer: &mut MentionIndexWriter, parts: &IndexerParts) -> Result<bool, StepError> {
        let seq = parts.store.mention_log_next()? - 1;
        info!("the index is built anew");
        writer.clear()?;
        let mut failed = Ok(());
        let mut count = 0_u64;
        parts.store.each_mention(|id, row| {
            failed = index_mention(writer, id, Some(row));
            count += 1;
            failed.is_ok() && !parts.stop.is_cancelled()
        })?;
        failed?;
        // Half of it under this progress would pass for the whole.
        if parts.stop.is_cancelled() {
            return Ok(false);
        }
        self.next = seq + 1;
        self.commit(writer, parts)?;
        (self.rebuilding, self.rebuilt) = (false, true);
        info!(mentions = count, "the index is built");
        Ok(true)
    }
}

fn index_mention(
    writer: &mut MentionIndexWriter,
    id: crate::model::PostId,
    row: Option<MentionRow>,
) -> Result<(), IndexError> {
    match row {
        Some(row) if row.state == MentionState::Live => writer.replace(id, &document(&row)),
        _ => {
            writer.remove(id);
            Ok(())
        }
    }
}

/// What is indexed of a mention.
pub fn document(row: &MentionRow) -> Document {
    let post = &row.post;
    let mut tokens = HashSet::new();
    matcher::post_tokens(post, &mut |token| {
        if !tokens.contains(token) {
            tokens.insert(token.to_owned());
        }
    });
    let handle = post.author.handle.iter().map(|handle| handle.trim_start_matches('@').to_lowercase());
    let sites = std::iter::successors(Some(&*post.site), |site| site.split_once('.').map(|(_, above)| above));
    Document {
        tokens: tokens.into_iter().collect(),
        authors: handle.chain([post.author.native_id.to_lowercase()]).collect(),
        sites: sites.map(str::to_lowercase).collect(),
        sources: vec![post.network.to_lowercase(), post.source.to_lowercase()],
        projects: row.matches.iter().map(|found| found.project.clone()).collect(),
        queries: row.matches.iter().map(|found| format!("{}/{}", found.project, found.query)).collect(),
        langs: Lang::ALL
            .into_iter()
            .filter(|lang| row.verdict.satisfies(*lang))
            .map(|lang| lang.code().to_owned())
            .collect(),
        at: row.matched_at,
    }
}
