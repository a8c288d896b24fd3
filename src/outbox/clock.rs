//! The endpoint's clock: one for all its deliveries, so that an outage does not burn every message's budget. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Class, Timestamp};
use crate::store::decode;

/// Waits between attempts: the last repeats. Each is drawn from its second half.
const WAITS_S: [u64; 7] = [1, 5, 30, 120, 600, 1800, 3600];
/// A `Retry-After` beyond this is taken as this.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);
/// A longer wait is none: the machine's clock was ahead when it was set. Longer than a wait and a request together.
const WAIT_MAX: Duration = Duration::from_hours(48);
/// Failures in a row after which only one request at a time is made, with the oldest delivery.
const BREAKER_FAILURES: u32 = 3;
/// Times that a message is tried that the endpoint itself refuses.
pub const REFUSALS_MAX: u32 = 3;

/// When an endpoint may be tried, and how many requests it may have at once. Kept in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointClock {
    /// Failures in a row that were the endpoint's fault.
    failures: u32,
    not_before: Timestamp,
    /// Since when no attempt has succeeded.
    failing_since: Option<Timestamp>,
    last_class: Option<Class>,
    /// Whether the endpoint answered 410.
    gone: bool,
    concurrency: u32,
    /// The address that all of this is about: another one starts afresh.
    address: u64,
}

/// Why an attempt failed, for the endpoint's reasons.
#[derive(Clone, Copy, Debug)]
pub struct Failure {
    pub class: Class,
    pub retry_after: Option<Duration>,
    /// Drawn from 0 to 1.
    pub jitter: f64,
}

/// What people are shown of a clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct ClockStatus {
    /// `ok`, `failing` or `disabled`.
    pub state: &'static str,
    pub failures: u32,
    /// RFC 3339; when the next attempt is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<&'static str>,
}

impl EndpointClock {
    /// The clock of an endpoint that was never tried at this address.
    pub fn new(address: u64) -> Self {
        Self {
            failures: 0,
            not_before: Timestamp::EPOCH,
            failing_since: None,
            last_class: None,
            gone: false,
            concurrency: 1,
            address,
        }
    }

    /// The clock that the store keeps of an endpoint, as far as people are shown it.
    pub fn kept(row: &[u8], address: u64) -> Self {
        decode(row).map_or_else(|_| Self::new(address), |clock: Self| clock.at(address))
    }

    /// This clock if it is about `address`, else a new one.
    pub fn at(self, address: u64) -> Self {
        if self.address == address { self } else { Self::new(address) }
    }

    /// An attempt that began at `started` succeeded: the clock starts over, and one more request may be under way.
    /// One that began before the last failure says nothing of the endpoint since, and ends no wait.
    pub fn succeed(&mut self, started: Timestamp, concurrency_max: u32) {
        if !self.wait(started).is_zero() {
            return;
        }
        self.failures = 0;
        self.not_before = Timestamp::EPOCH;
        self.failing_since = None;
        self.last_class = None;
        self.concurrency = (self.concurrency + 1).min(concurrency_max);
    }

    /// An attempt that began at `started` failed at `now`, for the endpoint's reasons.
    pub fn fail(&mut self, failure: Failure, started: Timestamp, now: Timestamp) {
        let Failure { class, retry_after, jitter } = failure;
        let retry_after = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        self.last_class = Some(class);
        self.failing_since.get_or_insert(now);
        self.concurrency = (self.concurrency / 2).max(1);
        // Requests that were under way together fail together: that is one failure, not many.
        if !self.wait(started).is_zero() {
            if !retry_after.is_zero() {
                self.not_before = self.not_before.max(now.plus(retry_after));
            }
            return;
        }
        let wait = WAITS_S[(self.failures as usize).min(WAITS_S.len() - 1)];
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.plus(drawn(wait, jitter).max(retry_after));
    }

    /// The endpoint said that it is gone for good.
    pub fn disable(&mut self) {
        self.gone = true;
    }

    /// Whether the endpoint said that it is gone.
    pub fn is_disabled(&self) -> bool {
        self.gone
    }

    /// How many requests may be under way at `now`.
    pub fn allowance(&self, now: Timestamp) -> u32 {
        if !self.wait(now).is_zero() {
            return 0;
        }
        if self.failures >= BREAKER_FAILURES { 1 } else { self.concurrency }
    }

    /// How long to wait until anything is allowed.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let wait = self.not_before.since(now);
        if wait > WAIT_MAX { Duration::ZERO } else { wait }
    }

    /// Whether a restart should find this clock rather than `before`. The concurrency is soon found again.
    pub fn is_worth_keeping(&self, before: &Self) -> bool {
        Self { concurrency: before.concurrency, ..self.clone() } != *before
    }

    pub fn status(&self) -> ClockStatus {
        let state = match (self.gone, self.failures) {
            (true, _) => "disabled",
            (false, 0) => "ok",
            (false, _) => "failing",
        };
        ClockStatus {
            state,
            failures: self.failures,
            not_before: (self.failures > 0).then(|| self.not_before.to_string()),
            failing_since: self.failing_since.map(|since| since.to_string()),
            class: if self.gone { Some("gone") } else { self.last_class.map(Class::name) },
        }
    }
}

/// How long a message that the endpoint refused waits for its next try. `jitter` is drawn from 0 to 1.
pub fn refusal_wait(refusals: u32, jitter: f64) -> Duration {
    drawn(WAITS_S[(refusals.saturating_sub(1) as usize).min(2)], jitter)
}

/// From the second half of a wait.
fn drawn(wait_s: u64, jitter: f64) -> Duration {
    Duration::from_secs(wait_s).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::EPOCH;
    const CONCURRENCY_MAX: u32 = 16;

    fn failure(class: Class, retry_after_s: u64) -> Failure {
        let retry_after = (retry_after_s > 0).then(|| Duration::from_secs(retry_after_s));
        Failure { class, retry_after, jitter: 1.0 }
    }

    /// One attempt after the other, each as soon as it is allowed and each failing at once. Returns when the next is due.
    fn fail_in_a_row(clock: &mut EndpointClock, mut now: Timestamp, times: usize) -> Timestamp {
        for _ in 0..times {
            clock.fail(failure(Class::Timeout, 0), now, now);
            assert_eq!(clock.allowance(now), 0);
            now = now.plus(clock.wait(now));
        }
        now
    }

    #[test]
    fn waits_grow_from_a_second_to_an_hour_and_stay_there() {
        let mut clock = EndpointClock::new(0);
        let mut now = NOW;
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                let next = fail_in_a_row(&mut clock, now, 1);
                let wait = next.since(now);
                now = next;
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 5, 30, 120, 600, 1800, 3600, 3600, 3600]);
        clock.succeed(now, CONCURRENCY_MAX);
        assert_eq!(clock.wait(now), Duration::ZERO);
    }

    #[test]
    fn an_attempt_never_comes_before_retry_after_and_waits_a_day_at_most() {
        let mut clock = EndpointClock::new(0);
        clock.fail(failure(Class::Unavailable, 90), NOW, NOW);
        assert_eq!(clock.wait(NOW), Duration::from_secs(90));
        clock.fail(failure(Class::Unavailable, 120), NOW, NOW);
        assert_eq!(clock.wait(NOW), Duration::from_secs(120));
        clock.fail(failure(Class::Unavailable, 60), NOW, NOW);
        assert_eq!(clock.wait(NOW), Duration::from_secs(120));
        clock.fail(failure(Class::Unavailable, u64::MAX), NOW, NOW);
        assert_eq!(clock.wait(NOW), RETRY_AFTER_MAX);
    }

    #[test]
    fn a_success_that_was_under_way_before_a_failure_does_not_end_the_wait() {
        let mut clock = EndpointClock::new(0);
        let later = NOW.plus(Duration::from_millis(20));
        clock.fail(failure(Class::Unavailable, 60), NOW, later);
        clock.succeed(NOW, CONCURRENCY_MAX);
        assert_eq!(clock.wait(later), Duration::from_secs(60));
        let due = later.plus(Duration::from_secs(60));
        clock.succeed(due, CONCURRENCY_MAX);
        assert!(clock.allowance(due) >= 1 && clock.status().state == "ok");
    }

    #[test]
    fn requests_that_fail_together_are_one_failure_also_if_some_take_longer_to_fail() {
        let mut clock = EndpointClock::new(0);
        for delay_s in [0, 0, 1, 5, 15] {
            clock.fail(failure(Class::Timeout, 0), NOW, NOW.plus(Duration::from_secs(delay_s)));
        }
        assert_eq!(clock.wait(NOW), Duration::from_secs(1));
        assert_eq!(clock.status().failures, 1);
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through() {
        let mut clock = EndpointClock::new(0);
        (0..8).for_each(|_| clock.succeed(NOW, CONCURRENCY_MAX));
        assert_eq!(clock.allowance(NOW), 9);
        let due = fail_in_a_row(&mut clock, NOW, BREAKER_FAILURES as usize);
        assert_eq!(clock.allowance(due), 1);
        clock.succeed(due, CONCURRENCY_MAX);
        assert_eq!(clock.allowance(due), 2);
    }

    #[test]
    fn a_changed_address_starts_afresh_also_for_an_endpoint_that_was_gone() {
        let mut clock = EndpointClock::new(1);
        fail_in_a_row(&mut clock, NOW, 5);
        clock.disable();
        assert_eq!(clock.status().class, Some("gone"));
        assert_eq!(clock.clone().at(1), clock);
        let changed = clock.at(2);
        assert_eq!((changed.is_disabled(), changed.allowance(NOW)), (false, 1));
        assert!(!changed.at(1).is_disabled(), "what is changed back is asked again");
    }

    #[test]
    fn a_clock_is_kept_when_it_fails_recovers_or_is_gone_and_not_for_its_concurrency() {
        let is_kept = |before: &EndpointClock, change: &dyn Fn(&mut EndpointClock)| {
            let mut after = before.clone();
            change(&mut after);
            after.is_worth_keeping(before)
        };
        let fresh = EndpointClock::new(0);
        assert!(is_kept(&fresh, &|clock| clock.disable()));
        assert!(is_kept(&fresh, &|clock| clock.fail(failure(Class::Connect, 0), NOW, NOW)));
        assert!(!is_kept(&fresh, &|clock| clock.succeed(NOW, CONCURRENCY_MAX)));
        let mut failed = fresh;
        let due = fail_in_a_row(&mut failed, NOW, 1);
        assert!(is_kept(&failed, &|clock| clock.succeed(due, 1)));
    }

    #[test]
    fn a_machine_whose_clock_was_years_ahead_does_not_wait_for_years() {
        let mut clock = EndpointClock::new(0);
        let ahead = NOW.plus(Duration::from_hours(24 * 3650));
        clock.fail(failure(Class::Connect, 0), ahead, ahead);
        assert_eq!((clock.wait(NOW), clock.allowance(NOW)), (Duration::ZERO, 1));
        clock.succeed(NOW, CONCURRENCY_MAX);
        assert_eq!(clock.status().state, "ok");
    }

    /// What may happen to a clock: time passes, and of the requests under way one ends.
    #[derive(Clone, Debug)]
    enum Step {
        Pass { millis: u64 },
        Succeed { which: usize },
        Fail { which: usize, retry_after_s: u64, jitter: f64 },
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u64..400_000).prop_map(|millis| Step::Pass { millis }),
            (0_usize..64).prop_map(|which| Step::Succeed { which }),
            (0_usize..64, prop_oneof![Just(0), 1_u64..200_000], 0.0_f64..1.0)
                .prop_map(|(which, retry_after_s, jitter)| Step::Fail { which, retry_after_s, jitter }),
        ]
    }

    proptest! {
        #[test]
        fn every_wait_lies_in_the_second_half_of_its_step(failures in 1_usize..20, jitter in 0.0_f64..1.0) {
            let mut clock = EndpointClock::new(0);
            let mut now = NOW;
            for step in 0..failures {
                clock.fail(Failure { jitter, ..failure(Class::Connect, 0) }, now, now);
                let full = Duration::from_secs(WAITS_S[step.min(WAITS_S.len() - 1)]);
                let wait = clock.wait(now);
                prop_assert!(wait <= full && wait + Duration::from_millis(1) >= full / 2);
                now = now.plus(wait);
            }
        }

        /// Requests start whenever the clock allows it, and end in any order, long after.
        #[test]
        fn no_request_starts_before_a_retry_after_and_the_allowance_is_bounded(steps in prop::collection::vec(step(), 1..200)) {
            let mut clock = EndpointClock::new(0);
            let (mut now, mut asked_until) = (NOW, NOW);
            let mut under_way: Vec<Timestamp> = Vec::new();
            for step in steps {
                let allowance = clock.allowance(now);
                prop_assert!(allowance <= CONCURRENCY_MAX);
                prop_assert!(allowance == 0 || now >= asked_until);
                prop_assert!(clock.wait(now) <= RETRY_AFTER_MAX);
                prop_assert_eq!(allowance == 0, clock.wait(now) > Duration::ZERO);
                prop_assert!(clock.failures < BREAKER_FAILURES || allowance <= 1);
                while under_way.len() < allowance as usize {
                    under_way.push(now);
                }
                match step {
                    Step::Pass { millis } => now = now.plus(Duration::from_millis(millis)),
                    Step::Succeed { which } if !under_way.is_empty() => {
                        let started = under_way.swap_remove(which % under_way.len());
                        clock.succeed(started, CONCURRENCY_MAX);
                    }
                    Step::Fail { which, retry_after_s, jitter } if !under_way.is_empty() => {
                        let started = under_way.swap_remove(which % under_way.len());
                        clock.fail(Failure { jitter, ..failure(Class::Unavailable, retry_after_s) }, started, now);
                        asked_until = asked_until.max(now.plus(Duration::from_secs(retry_after_s).min(RETRY_AFTER_MAX)));
                    }
                    Step::Succeed { .. } | Step::Fail { .. } => {}
                }
            }
        }
    }
}
