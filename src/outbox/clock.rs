//! The endpoint's clock: one for all its deliveries, so that an outage does not burn every message's budget. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Class, Timestamp};

/// Waits between attempts: the last repeats. Each is drawn from its second half.
const WAITS_S: [u64; 7] = [1, 5, 30, 120, 600, 1800, 3600];
/// A `Retry-After` beyond this is taken as this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
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
    /// Of the address that answered 410; another address enables the endpoint again.
    gone: Option<u64>,
    concurrency: u32,
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

impl Default for EndpointClock {
    fn default() -> Self {
        Self {
            failures: 0,
            not_before: Timestamp::EPOCH,
            failing_since: None,
            last_class: None,
            gone: None,
            concurrency: 1,
        }
    }
}

impl EndpointClock {
    /// An attempt succeeded: the clock starts over, and one more request may be under way.
    pub fn succeed(&mut self, concurrency_max: u32) {
        self.failures = 0;
        self.not_before = Timestamp::EPOCH;
        self.failing_since = None;
        self.last_class = None;
        self.concurrency = (self.concurrency + 1).min(concurrency_max);
    }

    /// An attempt failed for the endpoint's reasons. `jitter` is drawn from 0 to 1.
    pub fn fail(&mut self, class: Class, retry_after: Option<Duration>, now: Timestamp, jitter: f64) {
        self.last_class = Some(class);
        self.failing_since.get_or_insert(now);
        self.concurrency = (self.concurrency / 2).max(1);
        // Requests that were under way together fail together: that is one failure, not many.
        if now < self.not_before {
            if let Some(after) = retry_after {
                self.not_before = self.not_before.max(now.plus(after.min(RETRY_AFTER_MAX)));
            }
            return;
        }
        let wait = WAITS_S[(self.failures as usize).min(WAITS_S.len() - 1)];
        self.failures = self.failures.saturating_add(1);
        let drawn = Duration::from_secs(wait).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0);
        let after = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
        self.not_before = now.plus(drawn.max(after));
    }

    /// The endpoint said that it is gone for good.
    pub fn disable(&mut self, address: u64) {
        self.gone = Some(address);
    }

    /// Whether the endpoint at this address said that it is gone.
    pub fn is_disabled(&self, address: u64) -> bool {
        self.gone == Some(address)
    }

    /// How many requests may be under way at `now`.
    pub fn allowance(&self, now: Timestamp) -> u32 {
        if now < self.not_before {
            return 0;
        }
        if self.failures >= BREAKER_FAILURES { 1 } else { self.concurrency }
    }

    /// How long to wait until anything is allowed.
    pub fn wait(&self, now: Timestamp) -> Duration {
        self.not_before.since(now)
    }

    pub fn status(&self, address: u64) -> ClockStatus {
        let state = match (self.is_disabled(address), self.failures) {
            (true, _) => "disabled",
            (false, 0) => "ok",
            (false, _) => "failing",
        };
        ClockStatus {
            state,
            failures: self.failures,
            not_before: (self.failures > 0).then(|| self.not_before.to_string()),
            failing_since: self.failing_since.map(|since| since.to_string()),
            class: self.last_class.map(Class::name),
        }
    }
}

/// How long a message that the endpoint refused waits for its next try. `jitter` is drawn from 0 to 1.
pub fn refusal_wait(refusals: u32, jitter: f64) -> Duration {
    let wait = WAITS_S[(refusals.saturating_sub(1) as usize).min(2)];
    Duration::from_secs(wait).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    #[test]
    fn waits_grow_from_a_second_to_an_hour_and_stay_there() {
        let mut clock = EndpointClock::default();
        let mut now = NOW;
        let waits: Vec<u64> = (0..9)
            .map(|_| {
                clock.fail(Class::Unavailable, None, now, 1.0);
                let wait = clock.wait(now);
                now = now.plus(wait);
                wait.as_secs()
            })
            .collect();
        assert_eq!(waits, [1, 5, 30, 120, 600, 1800, 3600, 3600, 3600]);
        clock.succeed(8);
        assert_eq!(clock.wait(now), Duration::ZERO);
    }

    #[test]
    fn an_attempt_never_comes_before_retry_after() {
        let mut clock = EndpointClock::default();
        clock.fail(Class::Unavailable, Some(Duration::from_secs(90)), NOW, 0.0);
        assert_eq!(clock.wait(NOW), Duration::from_secs(90));
        clock.fail(Class::Unavailable, Some(Duration::from_secs(120)), NOW, 0.0);
        assert_eq!(clock.wait(NOW), Duration::from_secs(120));
    }

    #[test]
    fn requests_that_fail_together_are_one_failure() {
        let mut clock = EndpointClock::default();
        for _ in 0..16 {
            clock.fail(Class::Connect, None, NOW, 1.0);
        }
        assert_eq!(clock.wait(NOW), Duration::from_secs(1));
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through() {
        let mut clock = EndpointClock::default();
        (0..8).for_each(|_| clock.succeed(16));
        assert_eq!(clock.allowance(NOW), 9);
        let mut now = NOW;
        for _ in 0..BREAKER_FAILURES {
            clock.fail(Class::Timeout, None, now, 1.0);
            assert_eq!(clock.allowance(now), 0);
            now = now.plus(clock.wait(now));
        }
        assert_eq!(clock.allowance(now), 1);
    }

    #[test]
    fn a_changed_address_enables_an_endpoint_that_was_gone() {
        let mut clock = EndpointClock::default();
        clock.disable(1);
        assert!(clock.is_disabled(1) && !clock.is_disabled(2));
    }

    proptest! {
        #[test]
        fn every_wait_lies_in_the_second_half_of_its_step(failures in 1_usize..20, jitter in 0.0_f64..1.0) {
            let mut clock = EndpointClock::default();
            let mut now = NOW;
            for step in 0..failures {
                clock.fail(Class::Connect, None, now, jitter);
                let full = Duration::from_secs(WAITS_S[step.min(WAITS_S.len() - 1)]);
                let wait = clock.wait(now);
                prop_assert!(wait <= full && wait + Duration::from_millis(1) >= full / 2);
                now = now.plus(wait);
            }
        }
    }
}
