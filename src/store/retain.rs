//! Retention: posts and mentions go by age and by bytes, each by its own bounds, in bounded steps.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crash::{self, Point};
use crate::model::{PostId, Timestamp};

use super::commit::Settle;
use super::handle::WriterHandle;
use super::keys::{self, Family};
use super::open::{NEAR_MILLIS, Store};
use super::read::{OutboxKey, ReadError};
use super::rows::DeadReason;

/// Rows that are looked at together.
const STEP_ROWS_MAX: usize = 1_000;

/// `[retention]` of the configuration. A bound of 0 does not bind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetainSettings {
    /// Seconds between two passes.
    pub period_s: u64,
    pub posts_age_max_h: u64,
    pub posts_bytes_max_mb: u64,
    pub mentions_age_max_h: u64,
    pub mentions_bytes_max_mb: u64,
    /// Dead letters go after this many hours.
    pub dead_age_max_h: u64,
}

/// When a family is over its bound in bytes, this share of the bound is left: dropping a little at every pass would
/// compact the whole family at every pass.
const BYTES_LEFT_PERCENT: u64 = 90;

/// How far a pass may go.
#[derive(Clone, Copy, Debug)]
pub struct RetainPass {
    pub now: Timestamp,
    /// The row of the mention log up to which search can see: what search has not heard of stays in the log.
    pub indexed: u64,
}

/// One pass: drops everything that is over a bound. Blocks until it is written; to be called on a thread of its own.
/// Returns how many posts and mentions went.
pub fn retain(
    store: &Store,
    writer: &WriterHandle,
    settings: &RetainSettings,
    pass: RetainPass,
) -> Result<(u64, u64), ReadError> {
    store.floors().raise_near(pass.now.millis() - NEAR_MILLIS);
    let posts = retain_posts(store, writer, settings, pass.now)?;
    let mentions = retain_mentions(store, writer, settings, pass)?;
    retain_dead(store, writer, settings, pass.now)?;
    Ok((posts, mentions))
}

fn retain_posts(
    store: &Store,
    writer: &WriterHandle,
    settings: &RetainSettings,
    now: Timestamp,
) -> Result<u64, ReadError> {
    let floor = store.post_floor()?;
    let next = store.post_next()?;
    let by_age = match settings.posts_age_max_h {
        0 => floor,
        hours => first_post_younger(store, floor, next, now.minus(hours_of(hours)))?,
    };
    let excess = excess(store.family_bytes(Family::Post), settings.posts_bytes_max_mb, next - floor);
    let below = by_age.max(floor + excess);
    if below <= floor {
        return Ok(0);
    }
    crash::point(Point::RetainBeforeDelete);
    // A writer that has ended takes the daemon with it; there is nothing to add here.
    writer.trim_posts(below).ok();
    if excess > 0 && writer.wait_written().is_ok() {
        store.compact(Family::Post, Some(&keys::seq(below)));
    }
    Ok(below - floor)
}

/// Posts lie in the order they were decided in, so the first one young enough is found by halving.
fn first_post_younger(store: &Store, floor: u64, next: u64, cutoff: Timestamp) -> Result<u64, ReadError> {
    let (mut low, mut high) = (floor, next);
    while low < high {
        let middle = low + (high - low) / 2;
        match store.post_from(middle)? {
            Some((seq, post)) if seq < high && post.fetched_at < cutoff => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// How many of a family's rows go for its bytes: the same share of them as the bytes are over what is left.
fn excess(bytes: u64, bytes_max_mb: u64, rows: u64) -> u64 {
    let bytes_max = bytes_max_mb << 20;
    if bytes_max == 0 || bytes <= bytes_max {
        return 0;
    }
    let left = bytes_max / 100 * BYTES_LEFT_PERCENT;
    let share = (bytes - left) as f64 / bytes as f64;
    (rows as f64 * share).ceil() as u64
}

fn retain_mentions(
    store: &Store,
    writer: &WriterHandle,
    settings: &RetainSettings,
    pass: RetainPass,
) -> Result<u64, ReadError> {
    let cutoff = match settings.mentions_age_max_h {
        0 => Timestamp::from_millis(i64::MIN),
        hours => pass.now.minus(hours_of(hours)),
    };
    let bytes = store.family_bytes(Family::Mention);
    let excess = excess(bytes, settings.mentions_bytes_max_mb, store.family_rows(Family::Mention));
    let mut walk = LogWalk { store, cutoff, excess, indexed: pass.indexed, dropped: 0 };
    // Dropping a mention appends to the log: what lies behind its present end is left to the next pass.
    let end = store.mention_log_next()?;
    let mut from = 0;
    while from < end && !pass_ends(&mut walk, writer, &mut from)? {}
    if excess > 0 && walk.dropped > 0 && writer.wait_written().is_ok() {
        store.compact(Family::Mention, None);
    }
    Ok(walk.dropped)
}

/// Walks one step of the log. Returns whether the walk has come to its end.
fn pass_ends(walk: &mut LogWalk<'_>, writer: &WriterHandle, from: &mut u64) -> Result<bool, ReadError> {
    let rows = walk.store.mention_log(*from, STEP_ROWS_MAX)?;
    let mut drops = Vec::new();
    let mut ends = rows.len() < STEP_ROWS_MAX;
    for (seq, id) in rows {
        *from = seq + 1;
        match walk.judge(seq, id)? {
            Fate::Goes => drops.push((seq, id)),
            Fate::Stays => {}
            Fate::Young => {
                ends = true;
                break;
            }
        }
    }
    if !drops.is_empty() {
        writer.drop_mentions(drops).ok();
    }
    Ok(ends)
}

/// The mention log from its oldest row on.
struct LogWalk<'a> {
    store: &'a Store,
    cutoff: Timestamp,
    /// Mentions that go whatever their age.
    excess: u64,
    indexed: u64,
    dropped: u64,
}

/// What becomes of a row of the log.
enum Fate {
    Goes,
    Stays,
    /// It stays, and so does everything behind it.
    Young,
}

impl LogWalk<'_> {
    fn judge(&mut self, seq: u64, id: PostId) -> Result<Fate, ReadError> {
        match self.store.mention(id)? {
            Some(row) if row.log_seq == seq => {
                if row.matched_at >= self.cutoff && self.excess == 0 {
                    return Ok(Fate::Young);
                }
                if self.store.waits(id)? {
                    return Ok(Fate::Stays);
                }
                self.excess = self.excess.saturating_sub(1);
                self.dropped += 1;
                Ok(Fate::Goes)
            }
            // A later row says what this one said.
            Some(_) => Ok(Fate::Goes),
            // The mention is gone, and this row is what tells search.
            None if seq > self.indexed => Ok(Fate::Stays),
            None => Ok(Fate::Goes),
        }
    }
}

/// Dead letters of each endpoint lie nearly in the order in which they were given up; the oldest are looked at first.
fn retain_dead(
    store: &Store,
    writer: &WriterHandle,
    settings: &RetainSettings,
    now: Timestamp,
) -> Result<(), ReadError> {
    if settings.dead_age_max_h == 0 {
        return Ok(());
    }
    let cutoff = now.minus(hours_of(settings.dead_age_max_h));
    for (endpoint, _) in store.endpoints()? {
        let mut from = 0;
        loop {
            let rows = store.dead(&endpoint, from, STEP_ROWS_MAX)?;
            let is_last = rows.len() < STEP_ROWS_MAX || rows.iter().all(|(_, dead)| dead.at >= cutoff);
            from = rows.last().map_or(from, |(position, _)| position + 1);
            let old = rows.into_iter().filter(|(_, dead)| dead.at < cutoff);
            let keys: Vec<_> = old.map(|(position, _)| OutboxKey { endpoint: endpoint.clone(), position }).collect();
            if !keys.is_empty() {
                writer.drop_dead(keys).ok();
            }
            if is_last {
                break;
            }
        }
    }
    Ok(())
}

/// Deliveries that wait for endpoints that are not configured any more expire too: nobody else looks at them.
/// `known` are those that have a worker of their own.
pub fn expire_orphans(
    store: &Store,
    writer: &WriterHandle,
    known: &BTreeSet<String>,
    cutoff: Timestamp,
    now: Timestamp,
) -> Result<usize, ReadError> {
    let mut expired = 0;
    for (endpoint, row) in store.endpoints()? {
        if known.contains(&endpoint) || row.pending() == 0 {
            continue;
        }
        let rows = store.outbox(&endpoint, 0, STEP_ROWS_MAX)?;
        let old = rows.into_iter().filter(|(_, row)| row.waits_since < cutoff);
        let settles: Vec<Settle> = old
            .map(|(position, _)| {
                let (endpoint, cause) = (endpoint.clone(), DeadReason::Expired.name().to_owned());
                Settle::Dead { endpoint, position, at: now, cause, reason: DeadReason::Expired }
            })
            .collect();
        expired += settles.len();
        if !settles.is_empty() {
            writer.settle_from_thread(settles).ok();
        }
    }
    Ok(expired)
}

fn hours_of(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_rows_goes_as_large_as_the_excess_over_what_is_left() {
        assert_eq!(excess(100 << 20, 50, 1000), 550);
        assert_eq!(excess(40 << 20, 50, 1000), 0);
        assert_eq!(excess(100 << 20, 0, 1000), 0);
    }
}
