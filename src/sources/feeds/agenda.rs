//! Which feed is next, with at most one request under way per host; and how long a feed is left alone.
//! Values in, values out; `now` is an argument.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

/// How long an answer may call itself fresh and be believed.
const FRESH_MAX: Duration = Duration::from_secs(3600);
/// How long a feed that fails is left alone at most.
const BACKOFF_MAX: Duration = Duration::from_secs(86_400);
/// Doublings of the interval.
const DOUBLINGS_MAX: u32 = 10;

/// Feeds by when they are due, and hosts by whether they are being asked.
#[derive(Debug, Default)]
pub struct Agenda {
    due: BinaryHeap<Reverse<(Instant, usize)>>,
    busy: HashSet<String>,
    /// Hosts that are left alone until then. No more than there are hosts.
    resting: HashMap<String, Instant>,
    /// Feeds that are due while their host is busy.
    blocked: HashMap<String, VecDeque<usize>>,
}

impl Agenda {
    pub fn add(&mut self, feed: usize, at: Instant) {
        self.due.push(Reverse((at, feed)));
    }

    /// The next feed that is due and whose host is idle; its host is busy from now on.
    pub fn take(&mut self, now: Instant, host_of: impl Fn(usize) -> String) -> Option<usize> {
        while let Some(&Reverse((at, feed))) = self.due.peek() {
            if at > now {
                return None;
            }
            self.due.pop();
            let host = host_of(feed);
            if let Some(until) = self.resting.get(&host).copied().filter(|until| *until > now) {
                self.due.push(Reverse((until, feed)));
                continue;
            }
            self.resting.remove(&host);
            if self.busy.insert(host.clone()) {
                return Some(feed);
            }
            self.blocked.entry(host).or_default().push_back(feed);
        }
        None
    }

    /// A host is idle again: whoever waited for it is due, after `rest`.
    pub fn release(&mut self, host: &str, now: Instant, rest: Duration) {
        self.busy.remove(host);
        if !rest.is_zero() {
            self.resting.insert(host.to_owned(), now + rest);
        }
        let Some(waiting) = self.blocked.get_mut(host) else { return };
        if let Some(feed) = waiting.pop_front() {
            self.due.push(Reverse((now, feed)));
        }
        if waiting.is_empty() {
            self.blocked.remove(host);
        }
    }

    /// When the next feed is due.
    pub fn next(&self) -> Option<Instant> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }
}

/// How long a feed that answered is left alone: the interval, or longer if the answer says that it stays fresh.
/// `jitter` from 0 to 1 spreads feeds that were added together.
pub fn pause(interval: Duration, fresh: Option<Duration>, jitter: f64) -> Duration {
    spread(interval.max(fresh.unwrap_or_default().min(FRESH_MAX)), jitter)
}

/// How long a feed that failed so many times in a row is left alone, and never less than it asks for.
pub fn backoff(interval: Duration, failures: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    let doubled = interval.saturating_mul(1 << failures.saturating_sub(1).min(DOUBLINGS_MAX));
    spread(doubled.min(BACKOFF_MAX), jitter).max(retry_after.unwrap_or_default())
}

/// A tenth around the duration.
fn spread(duration: Duration, jitter: f64) -> Duration {
    duration.mul_f64(0.95 + 0.1 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(feed: usize) -> String {
        if feed < 10 { "a.example".to_owned() } else { format!("{feed}.example") }
    }

    #[test]
    fn feeds_come_in_the_order_in_which_they_are_due() {
        let start = Instant::now();
        let mut agenda = Agenda::default();
        for (feed, seconds) in [(10, 3), (11, 1), (12, 2)] {
            agenda.add(feed, start + Duration::from_secs(seconds));
        }
        assert_eq!(agenda.take(start, host), None);
        assert_eq!(agenda.next(), Some(start + Duration::from_secs(1)));
        let late = start + Duration::from_secs(10);
        let order: Vec<usize> = std::iter::from_fn(|| agenda.take(late, host)).collect();
        assert_eq!(order, [11, 12, 10]);
    }

    #[test]
    fn a_host_is_asked_one_thing_at_a_time_and_nobody_else_waits_for_it() {
        let now = Instant::now();
        let mut agenda = Agenda::default();
        for feed in [1, 2, 3, 20] {
            agenda.add(feed, now);
        }
        assert_eq!(agenda.take(now, host), Some(1));
        assert_eq!(agenda.take(now, host), Some(20));
        assert_eq!(agenda.take(now, host), None);
        agenda.release("a.example", now, Duration::ZERO);
        assert_eq!(agenda.take(now, host), Some(2));
        assert_eq!(agenda.take(now, host), None);
        agenda.release("a.example", now, Duration::ZERO);
        assert_eq!(agenda.take(now, host), Some(3));
        agenda.release("a.example", now, Duration::ZERO);
        assert_eq!((agenda.take(now, host), agenda.next()), (None, None));
    }

    #[test]
    fn a_host_rests_and_nobody_else_does() {
        let (now, rest) = (Instant::now(), Duration::from_secs(10));
        let mut agenda = Agenda::default();
        for feed in [1, 2, 20] {
            agenda.add(feed, now);
        }
        assert_eq!(agenda.take(now, host), Some(1));
        agenda.release("a.example", now, rest);
        assert_eq!((agenda.take(now, host), agenda.take(now, host)), (Some(20), None));
        assert_eq!(agenda.next(), Some(now + rest));
        assert_eq!(agenda.take(now + rest, host), Some(2));
    }

    #[test]
    fn an_answer_may_ask_for_a_longer_pause_but_not_for_ever_or_a_shorter_one() {
        let interval = Duration::from_secs(900);
        assert_eq!(pause(interval, None, 0.5), interval);
        assert_eq!(pause(interval, Some(Duration::from_secs(60)), 0.5), interval);
        assert_eq!(pause(interval, Some(Duration::from_secs(1800)), 0.5).as_secs(), 1800);
        assert_eq!(pause(interval, Some(Duration::from_secs(31_536_000)), 0.5), FRESH_MAX);
        assert!(pause(interval, None, 0.0) < interval && pause(interval, None, 1.0) > interval);
    }

    #[test]
    fn failures_double_the_pause_up_to_a_day_and_retry_after_is_kept() {
        let interval = Duration::from_secs(900);
        let waits: Vec<u64> =
            [1, 2, 3, 8, 1000].iter().map(|&failures| backoff(interval, failures, None, 0.5).as_secs()).collect();
        assert_eq!(waits, [900, 1800, 3600, 86_400, 86_400]);
        assert_eq!(backoff(interval, 1, Some(Duration::from_secs(7200)), 0.0).as_secs(), 7200);
        assert_eq!(backoff(interval, 1, Some(Duration::from_secs(1)), 0.5), interval);
    }
}
