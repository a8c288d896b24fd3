//! The window: the oldest deliveries of one endpoint that wait, without their bodies. Picks the next one so that
//! the deliveries of a thread stay in order. Pure.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use crate::model::{ThreadId, Timestamp};
use crate::store::OutboxRow;

/// Deliveries of one endpoint that are looked at together.
pub const WINDOW_ROWS_MAX: usize = 512;

/// The window of one endpoint, by position.
#[derive(Default)]
pub struct Window {
    rows: BTreeMap<u64, Entry>,
    /// The position from which rows have not been read.
    read_to: u64,
    settled: u64,
}

struct Entry {
    seq: u64,
    thread: Option<ThreadId>,
    created_at: Timestamp,
    attempts: u32,
    refusals: u32,
    replay: bool,
    in_flight: bool,
    not_before: Timestamp,
}

/// What an attempt needs to know besides the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Picked {
    pub position: u64,
    pub attempt: u32,
    pub refusals: u32,
    pub created_at: Timestamp,
}

impl Window {
    /// Where to read on, and how many rows there is room for.
    pub fn wants(&self) -> (u64, usize) {
        (self.read_to, WINDOW_ROWS_MAX.saturating_sub(self.rows.len()))
    }

    pub fn add(&mut self, position: u64, row: &OutboxRow) {
        self.read_to = self.read_to.max(position + 1);
        let entry = Entry {
            seq: row.seq,
            thread: row.thread,
            created_at: row.created_at,
            attempts: row.attempts,
            refusals: row.refusals,
            replay: row.replay,
            in_flight: false,
            not_before: Timestamp::EPOCH,
        };
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
                return Some(Picked {
                    position,
                    attempt: entry.attempts + 1,
                    refusals: entry.refusals,
                    created_at: entry.created_at,
                });
            }
        }
        None
    }

    /// Deliveries that are older than `expiry` and not under way, oldest first.
    pub fn expired(&self, now: Timestamp, expiry: Duration) -> Vec<u64> {
        let old = |entry: &&Entry| !entry.in_flight && now.since(entry.created_at) >= expiry;
        self.rows.iter().filter(|(_, entry)| old(entry)).map(|(&position, _)| position).collect()
    }

    /// The oldest delivery that is not under way.
    pub fn oldest_idle(&self) -> Option<u64> {
        self.rows.iter().find(|(_, entry)| !entry.in_flight).map(|(&position, _)| position)
    }

    /// The delivery is settled, or gone from the store.
    pub fn remove(&mut self, position: u64) {
        self.rows.remove(&position);
        self.move_settled();
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

    /// When the next delivery that waits on its own clock may be sent.
    pub fn next_refused(&self) -> Option<Timestamp> {
        self.rows
            .values()
            .filter(|entry| !entry.in_flight && entry.not_before > Timestamp::EPOCH)
            .map(|entry| entry.not_before)
            .min()
    }

    pub fn oldest_at(&self) -> Option<Timestamp> {
        self.rows.values().next().map(|entry| entry.created_at)
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Everything up to this seq is delivered, dead or superseded. `seq_next` is the endpoint's next seq, given when
    /// no row waits outside the window.
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
            queries: Vec::new(),
            created_at: NOW,
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
            window.add(at as u64 + 1, &row(at as u64 + 1, thread));
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
    fn settled_follows_the_oldest_that_waits() {
        let mut window = window(&["", "", ""]);
        assert_eq!(window.settled(None), 0);
        window.remove(2);
        assert_eq!(window.settled(None), 0);
        window.remove(1);
        assert_eq!(window.settled(None), 2);
        window.remove(3);
        assert_eq!(window.settled(Some(4)), 3);
        window.add(9, &OutboxRow { replay: true, ..row(1, "") });
        assert_eq!(window.settled(Some(4)), 3);
    }
}
