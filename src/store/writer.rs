//! The one thread that writes. Turns and results of deliveries go through it in one order, so that a result that comes
//! after a deletion settles nothing twice; what waits together is written together.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rocksdb::{ErrorKind, WriteBatch, WriteOptions};
use tokio::sync::mpsc;
use tracing::warn;

use crate::crash::{self, Point};
use crate::event;
use crate::metrics;
use crate::model::{PostId, Timestamp};

use super::commit::{MentionWrite, NewDelivery, PostWrite, Settle, TurnCommit};
use super::handle::{Ack, MESSAGES_MAX, Message, Shared, StoreFailure, WriterHandle, damaged, lock};
use super::keys::{self, Family};
use super::open::Store;
use super::read::{OutboxKey, ReadError};
use super::rows::{DeadReason, DeadRow, EndpointRow, LastAttempt, MentionRow, OutboxRow, PostState, encode};
use super::totals::Totals;

/// Messages that are written together.
const GROUP_MESSAGES_MAX: usize = 64;
const IDLE_PERIOD: Duration = Duration::from_secs(1);
const RETRY_FIRST: Duration = Duration::from_millis(20);
const RETRY_MAX: Duration = Duration::from_secs(2);

/// Starts the writer. It ends when every handle is dropped, or on a failure of the disk.
pub fn start_writer(store: Store) -> Result<(WriterHandle, WriterThread), ReadError> {
    let (sender, receiver) = mpsc::channel(MESSAGES_MAX);
    let shared = Arc::new(Shared::default());
    let endpoints: HashMap<_, _> = store.endpoints()?.into_iter().collect();
    *lock(&shared.endpoints) = endpoints.clone();
    *lock(&shared.totals) = store.totals()?;
    let writer = Writer {
        log_next: store.mention_log_next()?,
        totals: lock(&shared.totals).clone(),
        endpoints,
        store,
        shared: shared.clone(),
    };
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || {
            let shared = writer.shared.clone();
            if catch_unwind(AssertUnwindSafe(|| writer.run(receiver))).is_err() {
                shared.fail(StoreFailure::Panicked("store-writer"));
            }
        })
        .expect("a thread can be started");
    Ok((WriterHandle { messages: sender, shared }, WriterThread(Some(thread))))
}

/// How long a drop waits for the writer to end.
const END_MAX: Duration = Duration::from_secs(3);

/// The writer's thread. Dropping it waits for the writer to end, so that the store is closed before the process exits:
/// to be declared before every handle, and so dropped after them. A handle that someone still holds is not waited for
/// for ever: everything that was acknowledged is durable.
pub struct WriterThread(Option<std::thread::JoinHandle<()>>);

impl Drop for WriterThread {
    fn drop(&mut self) {
        let Some(thread) = self.0.take() else { return };
        let deadline = std::time::Instant::now() + END_MAX;
        while !thread.is_finished() && std::time::Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if thread.is_finished() {
            thread.join().ok();
        }
    }
}

struct Writer {
    store: Store,
    shared: Arc<Shared>,
    endpoints: HashMap<String, EndpointRow>,
    totals: Totals,
    log_next: u64,
}

/// A batch in the making, and what is to happen once it is written.
#[derive(Default)]
struct Draft {
    batch: WriteBatch,
    sync: bool,
    turns: usize,
    settled: bool,
    posts: usize,
    /// Rows of the outbox that this batch has removed.
    gone: HashSet<(String, u64)>,
    touched: BTreeSet<String>,
    woken: BTreeSet<String>,
    totals_changed: Totals,
    log_grown: bool,
    acks: Vec<Ack>,
}

impl Writer {
    fn run(mut self, mut messages: mpsc::Receiver<Message>) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a timer can be made");
        loop {
            let received = runtime.block_on(async { tokio::time::timeout(IDLE_PERIOD, messages.recv()).await });
            let result = match received {
                Ok(Some(first)) => self.group(first, &mut messages),
                Ok(None) => return,
                // An idle store writes an empty batch, so that the watchdog sees the disk answer.
                Err(_) => self.write(Draft::default()),
            };
            if let Err(failure) = result {
                self.shared.fail(failure);
                return;
            }
        }
    }

    fn group(&mut self, first: Message, messages: &mut mpsc::Receiver<Message>) -> Result<(), StoreFailure> {
        let mut draft = Draft::default();
        let mut next = Some(first);
        for _ in 0..GROUP_MESSAGES_MAX {
            let Some(message) = next else { break };
            // What is withdrawn, replayed or dropped is looked for in the store, not in a batch in the making.
            if !draft.batch.is_empty() && message.looks_into_store() {
                self.write(std::mem::take(&mut draft))?;
            }
            self.add(message, &mut draft).map_err(damaged)?;
            next = messages.try_recv().ok();
        }
        self.write(draft)?;
        next.map_or(Ok(()), |message| {
            let mut draft = Draft::default();
            self.add(message, &mut draft).map_err(damaged)?;
            self.write(draft)
        })
    }

    fn add(&mut self, message: Message, draft: &mut Draft) -> Result<(), ReadError> {
        match message {
            Message::Turn(commit, ack) => self.add_turn(&commit, ack, draft)?,
            Message::Settle(settles) => {
                draft.settled = true;
                for settle in settles {
                    self.add_settle(settle, draft)?;
                }
            }
            Message::Clock { endpoint, clock } => {
                self.endpoints.entry(endpoint.clone()).or_insert_with(new_endpoint).clock = clock;
                draft.touched.insert(endpoint);
            }
            Message::Replay { keys, at, done } => {
                let mut replayed = 0;
                for key in keys {
                    replayed += usize::from(self.add_replay(&key, at, draft)?);
                }
                draft.sync = true;
                draft.acks.push(Box::new(move || {
                    done.send(replayed).ok();
                }));
            }
            Message::Projects { source, versions, done } => {
                draft.batch.put_cf(self.store.family(Family::Meta), keys::META_PROJECTS, source);
                for (project, query, row) in versions {
                    let key = keys::pair(&project, &query);
                    draft.batch.put_cf(self.store.family(Family::QueryVersion), key, encode(&row));
                }
                draft.sync = true;
                draft.acks.push(Box::new(move || {
                    done.send(()).ok();
                }));
            }
            Message::TrimPosts { below } => {
                let (start, end) = (keys::seq(0), keys::seq(below));
                draft.batch.delete_range_cf(self.store.family(Family::Post), start, end);
                draft.batch.put_cf(self.store.family(Family::Meta), keys::META_POST_FLOOR, end);
                self.store.floors().raise_post(below);
            }
            Message::DropMentions(rows) => self.add_drops(rows, draft)?,
            Message::DropDead(keys) => {
                for key in keys {
                    self.drop_dead_row(&key, draft)?;
                }
            }
        }
        Ok(())
    }

    fn add_turn(&mut self, commit: &TurnCommit, ack: Ack, draft: &mut Draft) -> Result<(), ReadError> {
        draft.sync = true;
        draft.turns += 1;
        draft.posts += commit.posts.len();
        for post in &commit.posts {
            self.add_post(post, draft);
        }
        for mention in &commit.mentions {
            self.add_mention(mention, draft)?;
        }
        for notice in &commit.notices {
            self.add_delivery(notice, draft);
        }
        for (cluster, row) in &commit.near {
            draft.batch.put_cf(self.store.family(Family::Near), cluster.as_bytes(), encode(row));
        }
        for (author, row) in &commit.accounts {
            draft.batch.put_cf(self.store.family(Family::Account), author.as_bytes(), encode(row));
        }
        for (key, value) in &commit.cursors {
            let key = keys::pair(&key.source, &key.part);
            draft.batch.put_cf(self.store.family(Family::Cursor), key, value);
        }
        if commit.post_next > 0 {
            let next = keys::seq(commit.post_next);
            draft.batch.put_cf(self.store.family(Family::Meta), keys::META_POST_NEXT, next);
        }
        draft.totals_changed.absorb(&commit.totals);
        draft.acks.push(ack);
        Ok(())
    }

    fn add_post(&self, write: &PostWrite, draft: &mut Draft) {
        let store = &self.store;
        draft.batch.put_cf(store.family(Family::PostId), write.id.as_bytes(), encode(&write.known));
        if let Some(seq) = write.replaces {
            draft.batch.delete_cf(store.family(Family::Post), keys::seq(seq));
            draft.batch.delete_cf(store.family(Family::Author), keys::author_post(write.known.author, seq));
        }
        if let Some(post) = &write.post {
            draft.batch.put_cf(store.family(Family::Post), keys::seq(write.known.seq), encode(post));
            let key = keys::author_post(write.known.author, write.known.seq);
            let value = keys::author_value(write.id, write.known.mentioned);
            draft.batch.put_cf(store.family(Family::Author), key, value);
        }
    }

    fn add_mention(&mut self, write: &MentionWrite, draft: &mut Draft) -> Result<(), ReadError> {
        if write.withdraw {
            for key in self.store.pending_of(write.id)? {
                if !self.is_deletion(&key)? {
                    self.settle_row(&key, draft, |endpoint| endpoint.superseded += 1)?;
                    self.erase_dead(&key, draft)?;
                }
            }
        }
        let row = MentionRow { log_seq: self.append_log(write.id, draft), ..write.row.clone() };
        draft.batch.put_cf(self.store.family(Family::Mention), write.id.as_bytes(), encode(&row));
        for delivery in &write.deliveries {
            self.add_delivery(delivery, draft);
        }
        Ok(())
    }

    /// Whether a row tells of a deletion. It holds no text, and a receiver that holds one still has to hear of it.
    fn is_deletion(&self, key: &OutboxKey) -> Result<bool, ReadError> {
        if let Some(row) = self.store.outbox_row(key)? {
            return Ok(row.event == event::DELETED);
        }
        Ok(self.store.dead_row(key)?.is_some_and(|dead| dead.row.event == event::DELETED))
    }

    /// Removes a dead letter, if there is one. Returns it.
    fn drop_dead_row(&self, key: &OutboxKey, draft: &mut Draft) -> Result<Option<DeadRow>, ReadError> {
        let Some(dead) = self.store.dead_row(key)? else { return Ok(None) };
        let place = keys::endpoint_position(&key.endpoint, key.position);
        draft.batch.delete_cf(self.store.family(Family::Dead), place);
        if let Some(mention) = dead.row.mention {
            let pending = keys::pending(mention, &key.endpoint, key.position);
            draft.batch.delete_cf(self.store.family(Family::Pending), pending);
        }
        Ok(Some(dead))
    }

    /// A dead letter holds the text too. One that is withdrawn is superseded after all.
    fn erase_dead(&mut self, key: &OutboxKey, draft: &mut Draft) -> Result<(), ReadError> {
        if self.drop_dead_row(key, draft)?.is_none() {
            return Ok(());
        }
        let endpoint = self.endpoints.entry(key.endpoint.clone()).or_insert_with(new_endpoint);
        endpoint.dead -= 1;
        endpoint.superseded += 1;
        draft.touched.insert(key.endpoint.clone());
        Ok(())
    }

    fn append_log(&mut self, id: PostId, draft: &mut Draft) -> u64 {
        let seq = self.log_next;
        self.log_next += 1;
        draft.batch.put_cf(self.store.family(Family::MentionLog), keys::seq(seq), id.as_bytes());
        draft.batch.put_cf(self.store.family(Family::Meta), keys::META_LOG_NEXT, keys::seq(self.log_next));
        draft.log_grown = true;
        seq
    }

    fn add_delivery(&mut self, delivery: &NewDelivery, draft: &mut Draft) {
        let endpoint = self.endpoints.entry(delivery.endpoint.clone()).or_insert_with(new_endpoint);
        let row = OutboxRow {
            id: delivery.id,
            seq: endpoint.seq_next,
            event: delivery.event.to_owned(),
            mention: delivery.mention,
            thread: delivery.thread,
            author: delivery.author,
            queries: delivery.queries.clone(),
            created_at: delivery.created_at,
            waits_since: delivery.created_at,
            arrived_at: delivery.arrived_at,
            replay: false,
            attempts: 0,
            refusals: 0,
            last_attempt: None,
            body: delivery.body.clone(),
        };
        endpoint.seq_next += 1;
        endpoint.created += 1;
        let key = OutboxKey { endpoint: delivery.endpoint.clone(), position: endpoint.position_next };
        self.put_pending(&key, &row, draft);
    }

    /// Puts a row at the end of its endpoint's queue.
    fn put_pending(&mut self, key: &OutboxKey, row: &OutboxRow, draft: &mut Draft) {
        let endpoint = self.endpoints.entry(key.endpoint.clone()).or_insert_with(new_endpoint);
        endpoint.position_next = key.position + 1;
        endpoint.bytes_pending += row.body.len() as u64;
        let place = keys::endpoint_position(&key.endpoint, key.position);
        draft.batch.put_cf(self.store.family(Family::Outbox), &place, encode(row));
        if let Some(mention) = row.mention {
            let pending = keys::pending(mention, &key.endpoint, key.position);
            draft.batch.put_cf(self.store.family(Family::Pending), pending, b"");
        }
        draft.touched.insert(key.endpoint.clone());
        draft.woken.insert(key.endpoint.clone());
    }

    /// Removes a row, if it is still there, and counts it. Returns it.
    fn settle_row(
        &mut self,
        key: &OutboxKey,
        draft: &mut Draft,
        count: impl FnOnce(&mut EndpointRow),
    ) -> Result<Option<OutboxRow>, ReadError> {
        if !draft.gone.insert((key.endpoint.clone(), key.position)) {
            return Ok(None);
        }
        let Some(row) = self.store.outbox_row(key)? else { return Ok(None) };
        let place = keys::endpoint_position(&key.endpoint, key.position);
        draft.batch.delete_cf(self.store.family(Family::Outbox), &place);
        if let Some(mention) = row.mention {
            let pending = keys::pending(mention, &key.endpoint, key.position);
            draft.batch.delete_cf(self.store.family(Family::Pending), pending);
        }
        let endpoint = self.endpoints.entry(key.endpoint.clone()).or_insert_with(new_endpoint);
        endpoint.bytes_pending = endpoint.bytes_pending.saturating_sub(row.body.len() as u64);
        count(endpoint);
        draft.touched.insert(key.endpoint.clone());
        Ok(Some(row))
    }

    fn add_settle(&mut self, settle: Settle, draft: &mut Draft) -> Result<(), ReadError> {
        match settle {
            Settle::Delivered { endpoint, position } => {
                let key = OutboxKey { endpoint, position };
                self.settle_row(&key, draft, |endpoint| endpoint.delivered += 1)?;
            }
            Settle::Attempted { endpoint, position, at, cause, refused } => {
                let key = OutboxKey { endpoint, position };
                if draft.gone.contains(&(key.endpoint.clone(), position)) {
                    return Ok(());
                }
                let Some(mut row) = self.store.outbox_row(&key)? else { return Ok(()) };
                row.attempts += 1;
                row.refusals += u32::from(refused);
                row.last_attempt = Some(LastAttempt { at, cause });
                let place = keys::endpoint_position(&key.endpoint, position);
                draft.batch.put_cf(self.store.family(Family::Outbox), place, encode(&row));
            }
            Settle::Dead { endpoint, position, at, cause, reason } => {
                let key = OutboxKey { endpoint, position };
                if let Some(mut row) = self.settle_row(&key, draft, |endpoint| endpoint.dead += 1)? {
                    // What expires or is too much was not tried again: what the last attempt met still stands.
                    if reason == DeadReason::Refused {
                        row.attempts += 1;
                        row.refusals += 1;
                        row.last_attempt = Some(LastAttempt { at, cause });
                    }
                    let place = keys::endpoint_position(&key.endpoint, position);
                    if let Some(mention) = row.mention {
                        // A deletion must find the dead letter as it finds what waits.
                        let pending = keys::pending(mention, &key.endpoint, position);
                        draft.batch.put_cf(self.store.family(Family::Pending), pending, b"");
                    }
                    let dead = DeadRow { row, reason, at };
                    draft.batch.put_cf(self.store.family(Family::Dead), place, encode(&dead));
                }
            }
        }
        Ok(())
    }

    fn add_replay(&mut self, key: &OutboxKey, at: Timestamp, draft: &mut Draft) -> Result<bool, ReadError> {
        let Some(dead) = self.drop_dead_row(key, draft)? else { return Ok(false) };
        let endpoint = self.endpoints.entry(key.endpoint.clone()).or_insert_with(new_endpoint);
        endpoint.dead -= 1;
        endpoint.replayed += 1;
        let behind = OutboxKey { endpoint: key.endpoint.clone(), position: endpoint.position_next };
        let row = OutboxRow { replay: true, waits_since: at, attempts: 0, refusals: 0, last_attempt: None, ..dead.row };
        self.put_pending(&behind, &row, draft);
        Ok(true)
    }

    /// Drops mentions whose time has come, and tells the index by a new row of the log.
    fn add_drops(&mut self, rows: Vec<(u64, PostId)>, draft: &mut Draft) -> Result<(), ReadError> {
        for (seq, id) in rows {
            draft.batch.delete_cf(self.store.family(Family::MentionLog), keys::seq(seq));
            let Some(row) = self.store.mention(id)? else { continue };
            if row.log_seq == seq {
                draft.batch.delete_cf(self.store.family(Family::Mention), id.as_bytes());
                if let Some(known) =
                    self.store.known(&[id])?.pop().flatten().filter(|known| known.state == PostState::Live)
                {
                    // Nothing keeps the author's row any more but the retention of posts.
                    let key = keys::author_post(known.author, known.seq);
                    let value = keys::author_value(id, false);
                    draft.batch.put_cf(self.store.family(Family::Author), key, value);
                }
                self.append_log(id, draft);
            }
        }
        Ok(())
    }

    /// Writes a batch. What the store cannot take now is held and tried again: that is back-pressure, not failure.
    fn write(&mut self, mut draft: Draft) -> Result<(), StoreFailure> {
        self.finish(&mut draft);
        if draft.turns > 0 {
            crash::point(Point::CommitBeforeWrite);
        }
        if draft.settled {
            crash::point(Point::DeliverBeforeSettle);
        }
        let mut options = WriteOptions::default();
        options.set_sync(draft.sync);
        options.set_no_slowdown(true);
        let data = draft.batch.data().to_vec();
        let mut pause = RETRY_FIRST;
        let started = std::time::Instant::now();
        loop {
            let result = self.store.db.write_opt(WriteBatch::from_data(&data), &options);
            self.shared.returned.notify_waiters();
            match result {
                Ok(()) => break,
                Err(error) if is_pressure(&error) => {
                    metrics::store_stalled();
                    warn!(%error, pause_ms = pause.as_millis() as u64, "the store cannot take a write now");
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(RETRY_MAX);
                }
                Err(error) if error.kind() == ErrorKind::Corruption => {
                    return Err(StoreFailure::Damaged(error.to_string()));
                }
                // A failed fsync is never tried again: what it lost is unknown.
                Err(error) => return Err(StoreFailure::Io(error.to_string())),
            }
        }
        if draft.turns > 0 {
            metrics::commit_written(draft.posts, started.elapsed());
            crash::point(Point::CommitAfterWrite);
        }
        if draft.settled {
            crash::point(Point::DeliverAfterSettle);
        }
        self.publish(draft);
        Ok(())
    }

    /// Adds what is written once per batch: endpoints and counters that changed.
    fn finish(&mut self, draft: &mut Draft) {
        for slug in &draft.touched {
            let row = &self.endpoints[slug];
            draft.batch.put_cf(self.store.family(Family::Endpoint), slug.as_bytes(), encode(row));
        }
        self.totals.absorb(&draft.totals_changed);
        for (key, value) in self.totals.changed(&draft.totals_changed) {
            draft.batch.put_cf(self.store.family(Family::Totals), key.as_bytes(), keys::seq(value));
        }
    }

    fn publish(&self, draft: Draft) {
        {
            let mut endpoints = lock(&self.shared.endpoints);
            for slug in &draft.touched {
                endpoints.insert(slug.clone(), self.endpoints[slug].clone());
            }
        }
        lock(&self.shared.totals).absorb(&draft.totals_changed);
        for ack in draft.acks {
            ack();
        }
        let wakers = lock(&self.shared.wakers);
        for slug in &draft.woken {
            if let Some(waker) = wakers.get(slug) {
                waker.notify_one();
            }
        }
        if draft.log_grown {
            self.shared.log_grown.notify_one();
        }
    }
}

fn new_endpoint() -> EndpointRow {
    EndpointRow { seq_next: 1, position_next: 1, ..EndpointRow::default() }
}

/// Stalls and a full disk pass; RocksDB says so at once because no write may wait inside it.
fn is_pressure(error: &rocksdb::Error) -> bool {
    match error.kind() {
        ErrorKind::Incomplete | ErrorKind::Busy | ErrorKind::TryAgain => true,
        ErrorKind::IOError => error.as_ref().contains("No space left"),
        _ => false,
    }
}
