//! Which feeds of a source fail, for people: what is said in the log, and what is kept for whoever shows it.
//! Unaware of why they fail and of what is done about it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Feeds that are kept with their causes.
const NAMED_MAX: usize = 10;
/// Bytes of a cause.
const CAUSE_BYTES_MAX: usize = 300;
/// Feeds whose failure is said one by one within `SPELL`; of the others only the number.
const TOLD_MAX: u64 = 20;
const SPELL: Duration = Duration::from_secs(3600);

/// The feeds of one source that fail now. Cheap to clone; all clones are one.
#[derive(Clone, Debug, Default)]
pub struct Trouble(Arc<Mutex<Failing>>);

#[derive(Debug, Default)]
struct Failing {
    /// At most `NAMED_MAX` of them.
    named: BTreeMap<String, String>,
    total: usize,
    spell: Option<Spell>,
}

/// An hour in which feeds began to fail.
#[derive(Debug)]
struct Spell {
    since: Instant,
    begun: u64,
}

impl Trouble {
    /// At most ten feeds that fail, each with its last cause.
    pub fn named(&self) -> BTreeMap<String, String> {
        self.lock().named.clone()
    }

    /// How many feeds fail.
    pub fn total(&self) -> usize {
        self.lock().total
    }

    /// No feed is known to fail: the source begins anew.
    pub(super) fn forget(&self) {
        let mut failing = self.lock();
        (failing.named, failing.total) = (BTreeMap::new(), 0);
    }

    /// A feed fails that did not before. Says whether that is worth a line.
    pub(super) fn begins(&self, feed: &str, cause: &str, now: Instant) -> bool {
        let mut failing = self.lock();
        failing.total += 1;
        failing.name(feed, cause);
        let spell = failing.spell.get_or_insert(Spell { since: now, begun: 0 });
        spell.begun += 1;
        spell.begun <= TOLD_MAX
    }

    /// A feed goes on failing.
    pub(super) fn goes_on(&self, feed: &str, cause: &str) {
        self.lock().name(feed, cause);
    }

    /// A feed that failed answers again.
    pub(super) fn ends(&self, feed: &str) {
        let mut failing = self.lock();
        failing.named.remove(feed);
        failing.total = failing.total.saturating_sub(1);
    }

    /// How many feeds began to fail without a line of their own, once their hour has ended.
    pub(super) fn untold(&self, now: Instant) -> Option<u64> {
        let mut failing = self.lock();
        let spell = failing.spell.take_if(|spell| now.saturating_duration_since(spell.since) >= SPELL)?;
        spell.begun.checked_sub(TOLD_MAX).filter(|untold| *untold > 0)
    }

    fn lock(&self) -> MutexGuard<'_, Failing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failing {
    fn name(&mut self, feed: &str, cause: &str) {
        if self.named.len() < NAMED_MAX || self.named.contains_key(feed) {
            let cause = &cause[..cause.floor_char_boundary(CAUSE_BYTES_MAX)];
            self.named.insert(feed.to_owned(), cause.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_feeds_are_named_and_all_are_counted() {
        let (trouble, now) = (Trouble::default(), Instant::now());
        for n in 0..15 {
            trouble.begins(&format!("f{n:02}"), "timeout", now);
        }
        assert_eq!((trouble.named().len(), trouble.total()), (10, 15));
        trouble.goes_on("f00", &"é".repeat(1000));
        trouble.goes_on("f14", "404");
        assert!(trouble.named()["f00"].len() <= CAUSE_BYTES_MAX && !trouble.named().contains_key("f14"));
        trouble.ends("f00");
        trouble.clone().goes_on("f14", "404");
        assert_eq!((trouble.named().len(), trouble.total(), trouble.named()["f14"].as_str()), (10, 14, "404"));
        trouble.forget();
        assert_eq!((trouble.named().len(), trouble.total()), (0, 0));
    }

    #[test]
    fn twenty_lines_an_hour_then_one_with_the_number() {
        let (trouble, now) = (Trouble::default(), Instant::now());
        let told = (0..50).filter(|n| trouble.begins(&format!("f{n}"), "timeout", now)).count();
        assert_eq!((told, trouble.untold(now)), (20, None));
        let later = now + SPELL;
        assert_eq!((trouble.untold(later), trouble.untold(later)), (Some(30), None));
        assert!(trouble.begins("g", "timeout", later));
        assert_eq!(trouble.untold(later + SPELL), None, "it was told");
    }
}
