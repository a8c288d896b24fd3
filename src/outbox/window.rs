//! The window: the oldest deliveries of one endpoint that wait, without their bodies. Picks the next one so that
//! the deliveries of a thread stay in order. Pure.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::model::{ThreadId, Timestamp};
use crate::store::OutboxRow;

/// Deliveries of one endpoint that are looked at together.
const WINDOW_ROWS: usize = 512;
/// The same while a few threads with many deliveries would fill the window and hold back all others.
const WINDOW_ROWS_MAX: usize = 16_384;

/// The window of one endpoint, by position.
pub struct Window {
    rows: BTreeMap<u64, Entry>,
    rows_max: usize,
    /// The position from which rows have not been read.
    read_to: u64,
    settled: u64,
}

struct Entry {
    seq: u64,
    thread: Option<ThreadId>,
    waits_since: Timestamp,
    bytes: u64,
    attempts: u32,
    refusals: u32,
    replay: bool,
    in_flight: bool,
    not_before: Timestamp,
}

/// A delivery that waits, without its body.
pub struct Waiting {
    position: u64,
    entry: Entry,
}

impl Waiting {
    pub fn of(position: u64, row: &OutboxRow) -> Self {
        let entry = Entry {
            seq: row.seq,
            thread: row.thread,
            waits_since: row.waits_since,
            bytes: row.body.len() as u64,
            attempts: row.attempts,
            refusals: row.refusals,
            replay: row.replay,
            in_flight: false,
            not_before: Timestamp::EPOCH,
        };
        Self { position, entry }
    }
}

/// What an attempt needs to know besides the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    pub position: u64,
    pub attempt: u32,
    pub refusals: u32,
}

impl Default for Window {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), rows_max: WINDOW_ROWS, read_to: 0, settled: 0 }
    }
}

impl Window {
    /// Where to read on, and how many rows there is room for; none until it is worth a read.
    pub fn wants(&self) -> Option<(u64, usize)> {
        let room = self.rows_max.saturating_sub(self.rows.len());
        (room >= self.rows_max / 4).then_some((self.read_to, room))
    }

    /// Nothing in the window may go, and there is more behind it: more is looked at, up to a bound.
    pub fn widen(&mut self) {
        self.rows_max = (self.rows_max * 2).min(WINDOW_ROWS_MAX);
    }

    pub fn add(&mut self, Waiting { position, entry }: Waiting) {
        self.read_to = self.read_to.max(position + 1);
        self.rows.insert(position, entry);
        self.move_settled();
    }

    /// The oldest delivery that may be sent now: not under way, and behind none of its thread.
    pub fn pick(&mut self, now: Timestamp) -> Option<Picked> {
        let mut busy: HashSet<ThreadId> = HashSet::new();
        for (&position, entry) in &mut self.rows {
            let free = entry.thread.is_none_or(|thread| busy.insert(thread));
            if free && !entry.in_flight && entry.not_before <= now {
                entry.in_flight = true;
                return Some(Picked { position, attempt: entry.attempts + 1, refusals: entry.refusals });
            }
        }
        None
    }

    /// Deliveries that have waited for `expiry` and are not under way, oldest first.
    pub fn expired(&self, now: Timestamp, expiry: Duration) -> Vec<u64> {
        let old = |entry: &&Entry| !entry.in_flight && now.since(entry.waits_since) >= expiry;
        self.rows.iter().filter(|(_, entry)| old(entry)).map(|(&position, _)| position).collect()
    }

    /// The oldest deliveries that are not under way and together free this many bytes, or all of them.
    pub fn oldest_idle(&self, bytes: u64) -> Vec<u64> {
        let mut freed = 0;
        let idle = self.rows.iter().filter(|(_, entry)| !entry.in_flight);
        idle.take_while(|(_, entry)| {
            let is_needed = freed < bytes;
            freed += entry.bytes;
            is_needed
        })
        .map(|(&position, _)| position)
        .collect()
    }

    /// The delivery is settled, or gone from the store.
    pub fn remove(&mut self, position: u64) {
        self.rows.remove(&position);
        if self.rows.len() < WINDOW_ROWS / 2 {
            self.rows_max = WINDOW_ROWS;
        }
        self.move_settled();
    }

    /// The delivery is not sent before `until`; no attempt was made.
    pub fn hold(&mut self, position: u64, until: Timestamp) {
        if let Some(entry) = self.rows.get_mut(&position) {
            entry.in_flight = false;
            entry.not_before = until;
        }
    }

    /// The attempt failed and the delivery stays; a refused one waits on its own clock.
    pub fn put_back(&mut self, position: u64, refused_until: Option<Timestamp>) {
        if let Some(entry) = self.rows.get_mut(&position) {
            entry.in_flight = false;
            entry.attempts += 1;
            if let Some(until) = refused_until {
                entry.refusals += 1;
                entry.not_before = until;
            }
        }
    }

    /// When the next delivery that still waits on its own clock may be sent.
    pub fn next_refused(&self, now: Timestamp) -> Option<Timestamp> {
        self.rows
            .values()
            .filter(|entry| !entry.in_flight && entry.not_before > now)
            .map(|entry| entry.not_before)
            .min()
    }

    pub fn oldest_at(&self) -> Option<Timestamp> {
        self.rows.values().next().map(|entry| entry.waits_since)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Everything up to this seq is delivered, dead or superseded. `seq_next` is the endpoint's next seq as it was before
    /// the window took in every row that waited.
    pub fn settled(&mut self, seq_next: Option<u64>) -> u64 {
        if let (true, Some(next)) = (self.rows.values().all(|entry| entry.replay), seq_next) {
            self.settled = self.settled.max(next.saturating_sub(1));
        }
        self.settled
    }

    /// New rows come with growing seqs at growing positions; a replayed one was settled once already.
    fn move_settled(&mut self) {
        if let Some(entry) = self.rows.values().find(|entry| !entry.replay) {
            self.settled = self.settled.max(entry.seq.saturating_sub(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::DeliveryId;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn row(seq: u64, thread: &str) -> OutboxRow {
        OutboxRow {
            id: DeliveryId::of_notice("care", "endpoint.test", &seq.to_string()),
            seq,
            event: "mention.matched".to_owned(),
            mention: None,
            thread: (!thread.is_empty()).then(|| ThreadId::of("n", thread)),
            author: None,
            queries: Vec::new(),
            created_at: NOW,
            waits_since: NOW,
            arrived_at: NOW,
            replay: false,
            attempts: 0,
            refusals: 0,
            last_attempt: None,
            body: Vec::new(),
        }
    }

    fn window(threads: &[&str]) -> Window {
        let mut window = Window::default();
        for (at, thread) in threads.iter().enumerate() {
            window.add(Waiting::of(at as u64 + 1, &row(at as u64 + 1, thread)));
        }
        window
    }

    #[test]
    fn deliveries_of_one_thread_wait_for_each_other_and_for_nobody_else() {
        let mut window = window(&["a", "a", "b", ""]);
        let picked: Vec<u64> = std::iter::from_fn(|| window.pick(NOW)).map(|picked| picked.position).collect();
        assert_eq!(picked, [1, 3, 4]);
        window.remove(1);
        assert_eq!(window.pick(NOW).map(|picked| picked.position), Some(2));
    }

    #[test]
    fn a_refused_delivery_holds_back_its_own_thread_only() {
        let mut window = window(&["a", "a", "b"]);
        assert_eq!(window.pick(NOW).map(|picked| picked.position), Some(1));
        let later = NOW.plus(Duration::from_secs(5));
        window.put_back(1, Some(later));
        assert_eq!(window.pick(NOW).map(|picked| picked.position), Some(3));
        assert_eq!(window.pick(NOW), None);
        let again = window.pick(later).unwrap();
        assert_eq!((again.position, again.attempt, again.refusals), (1, 2, 1));
    }

    #[test]
    fn the_oldest_that_are_not_under_way_make_room() {
        let mut window = Window::default();
        for position in 1..=4 {
            window.add(Waiting::of(position, &OutboxRow { body: vec![0; 10], ..row(position, "") }));
        }
        assert_eq!(window.pick(NOW).map(|picked| picked.position), Some(1));
        assert_eq!(window.oldest_idle(0), [0; 0]);
        assert_eq!(window.oldest_idle(1), [2]);
        assert_eq!(window.oldest_idle(11), [2, 3]);
        assert_eq!(window.oldest_idle(1000), [2, 3, 4]);
    }

    #[test]
    fn a_thread_that_fills_the_window_does_not_hide_the_others_for_ever() {
        let mut window = Window::default();
        let (mut next, mut reads) = (1, 0);
        let mut read = |window: &mut Window| {
            let Some((_, room)) = window.wants() else { return };
            reads += 1;
            for _ in 0..room {
                let thread = if next == 3_000 { "other" } else { "viral" };
                window.add(Waiting::of(next, &row(next, thread)));
                next += 1;
            }
        };
        read(&mut window);
        assert_eq!(window.pick(NOW).map(|picked| picked.position), Some(1));
        while window.pick(NOW).is_none() {
            window.widen();
            read(&mut window);
            assert!(window.len() <= WINDOW_ROWS_MAX);
        }
        assert!(reads < 10);
        assert!(window.rows[&3_000].in_flight);
        for position in 1..4_096 {
            window.remove(position);
        }
        assert_eq!(window.rows_max, WINDOW_ROWS);
    }

    #[test]
    fn settled_follows_the_oldest_that_waits() {
        let mut window = window(&["", "", ""]);
        assert_eq!(window.settled(None), 0);
        window.remove(2);
        assert_eq!(window.settled(None), 0);
        window.remove(1);
        assert_eq!(window.settled(None), 2);
        window.remove(3);
        assert_eq!(window.settled(Some(4)), 3);
        window.add(Waiting::of(9, &OutboxRow { replay: true, ..row(1, "") }));
        assert_eq!(window.settled(Some(4)), 3);
    }
}
