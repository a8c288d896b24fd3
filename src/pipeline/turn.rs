//! The turn's thread: drains the inboxes in rotation, decodes and matches over the cores, decides, submits.

use std::collections::{HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rayon::prelude::*;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::clock;
use crate::crash::{self, Point};
use crate::inlet::{Inbox, Waiting};
use crate::language;
use crate::matcher::Scratch;
use crate::metrics;
use crate::model::{AuthorId, AuthorStatus, CursorKey, Outcome, PostEvent, Rejected, Verdict};
use crate::normalize;
use crate::projects::Live;
use crate::store::gate::{DiskGate, Level};
use crate::store::{AccountRow, Erasure, ReadError, Store, Tally, TurnCommit, WriterHandle};

use super::among::match_among;
use super::decide::{Decided, decide};
use super::knowledge::{Knowledge, Overlay};
use super::sighting::Sighting;

/// Commits that may be under way while the next turn is decided.
const COMMITS_UNDER_WAY_MAX: usize = 2;
/// Posts of one account that are erased in one turn.
const ERASE_BATCH_MAX: usize = 200;
/// How long an idle turn sleeps before it looks at stop and disk again.
const IDLE_PERIOD: Duration = Duration::from_millis(500);
/// The name under which erased posts are counted.
const ERASURE: &str = "erasure";

/// Bounds of one turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TurnSettings {
    pub arrivals_max: usize,
    pub bytes_max: usize,
}

/// What a running turn is reached by.
pub struct Turn {
    inboxes: mpsc::UnboundedSender<(Arc<str>, Inbox)>,
    thread: std::thread::JoinHandle<()>,
}

impl Turn {
    /// Adds a source's inbox; from the next batch on it is drained in rotation with the others.
    pub fn add(&self, source: Arc<str>, inbox: Inbox) {
        // The only other end is the turn's thread; when it has ended the daemon is stopping.
        self.inboxes.send((source, inbox)).ok();
    }

    /// Waits until the turn has drained what it was given and ended.
    pub fn join(self) {
        drop(self.inboxes);
        if self.thread.join().is_err() {
            error!("the turn's thread panicked");
        }
    }
}

/// What a turn works with.
pub struct TurnParts {
    pub store: Store,
    pub writer: WriterHandle,
    pub live: Arc<ArcSwap<Live>>,
    pub gate: Arc<DiskGate>,
    /// Woken by every inlet.
    pub arrived: Arc<Notify>,
    pub stop: CancellationToken,
    pub settings: TurnSettings,
}

/// Starts the turn's thread.
pub fn start_turn(parts: TurnParts) -> Result<Turn, ReadError> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let (acks, acked) = std_mpsc::channel();
    let worker = Worker {
        post_next: parts.store.post_next()?,
        erasing: parts.store.erasures()?.into(),
        parts,
        inboxes: Vec::new(),
        new_inboxes: receiver,
        overlay: Overlay::default(),
        number: 0,
        acks,
        acked,
        first: 0,
    };
    let thread = std::thread::Builder::new()
        .name("turn".to_owned())
        .spawn(move || {
            let writer = worker.parts.writer.clone();
            if catch_unwind(AssertUnwindSafe(|| worker.run())).is_err() {
                writer.report_panic("turn");
            }
        })
        .expect("a thread can be started");
    Ok(Turn { inboxes: sender, thread })
}

struct Worker {
    parts: TurnParts,
    inboxes: Vec<(Arc<str>, Inbox)>,
    new_inboxes: mpsc::UnboundedReceiver<(Arc<str>, Inbox)>,
    overlay: Overlay,
    /// Of the last turn that was submitted.
    number: u64,
    acks: std_mpsc::Sender<u64>,
    acked: std_mpsc::Receiver<u64>,
    post_next: u64,
    erasing: VecDeque<(AuthorId, AccountRow)>,
    /// Which inbox is drained first, so that none is always last.
    first: usize,
}

/// An arrival with what it decoded to.
struct Decoded {
    waiting: Waiting,
    events: Result<Vec<Result<Found, Rejected>>, Rejected>,
}

struct Found {
    event: PostEvent,
    matches: Vec<crate::model::Match>,
    verdict: Option<Verdict>,
}

impl Worker {
    fn run(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a timer can be made");
        loop {
            self.take_inboxes();
            self.release();
            let closed = self.parts.gate.level() != Level::Green;
            if closed && self.parts.stop.is_cancelled() {
                // What waits is not taken in any more; its sources read it again at the next start.
                break;
            }
            let batch = if closed { Vec::new() } else { self.drain() };
            if batch.is_empty() && self.erasing.is_empty() {
                if self.parts.stop.is_cancelled() && self.inboxes.iter().all(|(_, inbox)| inbox.is_finished()) {
                    break;
                }
                let arrived = self.parts.arrived.clone();
                runtime.block_on(async { tokio::time::timeout(IDLE_PERIOD, arrived.notified()).await }).ok();
                continue;
            }
            if let Err(error) = self.turn(batch) {
                error!(%error, "the turn ends: the store cannot be read");
                self.parts.writer.report(error);
                self.parts.stop.cancel();
                break;
            }
        }
        while self.overlay.len() > 0 && self.wait_for_ack() {}
    }

    fn take_inboxes(&mut self) {
        while let Ok(inbox) = self.new_inboxes.try_recv() {
            self.inboxes.push(inbox);
        }
        self.inboxes.retain(|(_, inbox)| !inbox.is_finished());
    }

    fn release(&mut self) {
        while let Ok(number) = self.acked.try_recv() {
            self.overlay.release(number);
        }
        metrics::turns_under_way(self.overlay.len());
    }

    fn wait_for_ack(&mut self) -> bool {
        match self.acked.recv_timeout(Duration::from_secs(1)) {
            Ok(number) => {
                self.overlay.release(number);
                true
            }
            // A writer that ended by itself never acknowledges.
            Err(_) => self.parts.writer.failure().is_none(),
        }
    }

    /// Takes arrivals in rotation: one from each inbox in turn, until all are empty or the batch is full.
    fn drain(&mut self) -> Vec<Waiting> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        let count = self.inboxes.len();
        self.first = if count == 0 { 0 } else { (self.first + 1) % count };
        let mut taken = true;
        while taken {
            taken = false;
            for at in 0..count {
                if batch.len() >= self.parts.settings.arrivals_max || bytes >= self.parts.settings.bytes_max {
                    return batch;
                }
                let (_, inbox) = &mut self.inboxes[(self.first + at) % count];
                if let Some(waiting) = inbox.take() {
                    bytes += waiting.arrival.body.len();
                    batch.push(waiting);
                    taken = true;
                }
            }
        }
        batch
    }

    fn turn(&mut self, batch: Vec<Waiting>) -> Result<(), ReadError> {
        let started = Instant::now();
        let live = self.parts.live.load_full();
        let decoded: Vec<Decoded> = batch
            .into_par_iter()
            .map_init(Scratch::default, |scratch, waiting| decode(waiting, &live, scratch))
            .collect();
        let (mut sightings, receipts, rejections) = unpack(decoded);
        if live.matcher.asks_around() {
            match_among(&self.parts.store, &self.overlay, &mut sightings, &live)?;
        }
        let erased = self.erase_step(&mut sightings)?;
        let mut knowledge = Knowledge::read(&self.parts.store, &self.overlay, &sightings, self.post_next)?;
        let count = sightings.len();
        let Decided { mut commit, outcomes, erasures } = decide(sightings, &mut knowledge, &live, clock::now());
        self.post_next = knowledge.post_next;
        self.erasing.extend(erasures);
        count_rejections(&mut commit, &rejections);
        if let Some(erased) = erased {
            erased.note(&mut commit);
        }
        let receipts = receipts.into_iter().map(|receipt| receipt.finish(&mut commit, &outcomes)).collect();
        keep_last(&mut commit.cursors);
        metrics::turn_decided(count, started.elapsed());
        self.submit(commit, receipts);
        Ok(())
    }

    /// Adds the deletions of the next bounded part of an account under erasure.
    fn erase_step(&mut self, sightings: &mut Vec<Sighting>) -> Result<Option<Erased>, ReadError> {
        let Some((author, row)) = self.erasing.pop_front() else { return Ok(None) };
        // What is not durable yet cannot be found by author.
        while self.overlay.len() > 0 && self.wait_for_ack() {}
        crash::point(Point::EraseBetweenBatches);
        let known = self.parts.store.accounts(&[author])?.pop().flatten().unwrap_or(row);
        let Erasure { from, below } = row.erasure.unwrap_or(Erasure { from: 0, below: 0 });
        let posts = self.parts.store.author_posts(author, from, ERASE_BATCH_MAX)?;
        let last = posts.last().filter(|(seq, _)| posts.len() == ERASE_BATCH_MAX && *seq < below);
        let erasure = last.map(|(seq, _)| Erasure { from: seq + 1, below });
        sightings.extend(posts.into_iter().filter(|(seq, _)| *seq < below).map(|(_, id)| Sighting {
            source: ERASURE.into(),
            event: PostEvent::Erase { id },
            matches: Vec::new(),
            verdict: None,
        }));
        let row = AccountRow { erasure, ..row };
        if erasure.is_some() {
            self.erasing.push_back((author, row));
        } else {
            info!(author = %author, "an account's posts are erased");
        }
        Ok(Some(Erased { author, row, known }))
    }

    fn submit(&mut self, commit: TurnCommit, receipts: Vec<(Waiting, Vec<Outcome>)>) {
        self.number += 1;
        let number = self.number;
        let commit = Arc::new(commit);
        self.overlay.push(number, commit.clone());
        let acks = self.acks.clone();
        let ack = Box::new(move || {
            for (waiting, outcomes) in receipts {
                waiting.resolve(outcomes);
            }
            // The turn's thread may have ended; the commit is durable all the same.
            acks.send(number).ok();
        });
        if self.parts.writer.submit(commit, ack).is_err() {
            warn!("a turn was not written: the writer has ended");
            self.parts.stop.cancel();
            self.overlay.release(number);
            return;
        }
        metrics::turns_under_way(self.overlay.len());
        while self.overlay.len() > COMMITS_UNDER_WAY_MAX && self.wait_for_ack() {}
    }
}

/// How far the erasure of an account has come.
struct Erased {
    author: AuthorId,
    row: AccountRow,
    /// What the store says of the account.
    known: AccountRow,
}

impl Erased {
    /// Only the progress: what the network has said of the account since then stays.
    fn note(self, commit: &mut TurnCommit) {
        let Self { author, row, known } = self;
        let latest = commit.accounts.iter().rfind(|(account, _)| *account == author).map_or(known, |(_, row)| *row);
        // A later erasure keeps its own progress.
        if latest.order == row.order || latest.status != AuthorStatus::Erased {
            commit.accounts.push((author, AccountRow { erasure: row.erasure, ..latest }));
        }
    }
}

/// A panic over one arrival must not come back with it at every start: it is turned away like other bad input.
fn decode(mut waiting: Waiting, live: &Live, scratch: &mut Scratch) -> Decoded {
    let body = waiting.take_body();
    let arrival = &waiting.arrival;
    let decoded = catch_unwind(AssertUnwindSafe(|| {
        let events = normalize::events(body, arrival.wire, &arrival.source, arrival.fetched_at)?;
        Ok(events.into_iter().map(|event| event.map(|event| find(event, live, scratch))).collect())
    }));
    let events = decoded.unwrap_or_else(|_| {
        error!(source = %arrival.source, "an arrival could not be decoded: this is a mistake in Earful, please report it");
        *scratch = Scratch::default();
        Err(Rejected::Fault)
    });
    Decoded { waiting, events }
}

fn find(event: PostEvent, live: &Live, scratch: &mut Scratch) -> Found {
    let PostEvent::Upsert { post, .. } = &event else { return Found { event, matches: Vec::new(), verdict: None } };
    let verdict = std::cell::OnceCell::new();
    let detect = || *verdict.get_or_init(|| language::detect(post.language_text(), &post.langs));
    let matches = live.matcher.scan(post, &detect, scratch);
    let verdict = (!matches.is_empty()).then(detect);
    Found { matches, verdict, event }
}

/// What an arrival waits to hear: which of its events are which of the batch's sightings.
struct PendingReceipt {
    waiting: Waiting,
    /// Per event of the arrival: the index of its sighting, or why there is none.
    events: Vec<Result<usize, Rejected>>,
}

impl PendingReceipt {
    /// Its outcomes; its cursor goes into the commit.
    fn finish(self, commit: &mut TurnCommit, outcomes: &[Outcome]) -> (Waiting, Vec<Outcome>) {
        let arrival = &self.waiting.arrival;
        if let Some(cursor) = &arrival.cursor {
            let key = CursorKey { source: arrival.source.clone(), part: cursor.part.clone() };
            commit.cursors.push((key, cursor.value.clone()));
        }
        let outcomes = self
            .events
            .into_iter()
            .map(|event| match event {
                Ok(at) => outcomes[at],
                Err(reason) => Outcome::Rejected(reason),
            })
            .collect();
        (self.waiting, outcomes)
    }
}

type Unpacked = (Vec<Sighting>, Vec<PendingReceipt>, Vec<(Arc<str>, Rejected)>);

fn unpack(decoded: Vec<Decoded>) -> Unpacked {
    let mut sightings = Vec::with_capacity(decoded.len());
    let mut receipts = Vec::with_capacity(decoded.len());
    let mut rejections = Vec::new();
    for Decoded { waiting, events } in decoded {
        let source = waiting.arrival.source.clone();
        let events = events.unwrap_or_else(|reason| vec![Err(reason)]);
        let mut places = Vec::with_capacity(events.len());
        for event in events {
            places.push(event.map(|Found { event, matches, verdict }| {
                sightings.push(Sighting { source: source.clone(), event, matches, verdict });
                sightings.len() - 1
            }));
            if let Some(Err(reason)) = places.last() {
                rejections.push((source.clone(), *reason));
            }
        }
        receipts.push(PendingReceipt { waiting, events: places });
    }
    (sightings, receipts, rejections)
}

/// Of each key only the last cursor says how far its source came.
fn keep_last(cursors: &mut Vec<(CursorKey, Vec<u8>)>) {
    let mut seen = HashSet::new();
    cursors.reverse();
    cursors.retain(|(key, _)| seen.insert(key.clone()));
}

fn count_rejections(commit: &mut TurnCommit, rejections: &[(Arc<str>, Rejected)]) {
    for (source, reason) in rejections {
        commit.totals.add(Tally::Events, source, 1);
        commit.totals.add(Tally::Rejected(*reason), source, 1);
    }
}
