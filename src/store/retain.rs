//! Retention: posts and mentions go by age and by bytes, each by its own bounds, in bounded steps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::crash::{self, Point};
use crate::model::Timestamp;

use super::keys::Family;
use super::open::{NEAR_MILLIS, Store};
use super::read::{OutboxKey, ReadError};
use super::writer::WriterHandle;

/// Rows that one step looks at.
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

/// One pass: drops what is over a bound at `now`. Returns how many posts and mentions it asked the writer to drop.
pub fn retain(
    store: &Store,
    writer: &WriterHandle,
    settings: &RetainSettings,
    now: Timestamp,
) -> Result<(u64, u64), ReadError> {
    store.floors().raise_near(now.millis() - NEAR_MILLIS);
    let posts = retain_posts(store, writer, settings, now)?;
    let mentions = retain_mentions(store, writer, settings, now)?;
    retain_dead(store, writer, settings, now)?;
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
    let by_bytes = floor_by_bytes(store.family_bytes(Family::Post), settings.posts_bytes_max_mb, floor, next);
    let below = by_age.max(by_bytes);
    if below <= floor {
        return Ok(0);
    }
    crash::point(Point::RetainBeforeDelete);
    // A writer that has ended takes the daemon with it; there is nothing to add here.
    writer.trim_posts(below).ok();
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

/// The same share of seqs goes as the bytes are over the bound.
fn floor_by_bytes(bytes: u64, bytes_max_mb: u64, floor: u64, next: u64) -> u64 {
    let bytes_max = bytes_max_mb << 20;
    if bytes_max == 0 || bytes <= bytes_max {
        return floor;
    }
    let excess = (bytes - bytes_max) as f64 / bytes as f64;
    floor + ((next - floor) as f64 * excess).ceil() as u64
}

fn retain_mentions(
    store: &Store,
    writer: &WriterHandle,
    settings: &RetainSettings,
    now: Timestamp,
) -> Result<u64, ReadError> {
    let cutoff = match settings.mentions_age_max_h {
        0 => Timestamp::from_millis(i64::MIN),
        hours => now.minus(hours_of(hours)),
    };
    let bytes_max = settings.mentions_bytes_max_mb << 20;
    let over = bytes_max > 0 && store.family_bytes(Family::Mention) > bytes_max;
    let mut drops = Vec::new();
    for (seq, id) in store.mention_log(0, STEP_ROWS_MAX)? {
        match store.mention(id)? {
            // A row of the log that is not the mention's latest says nothing any more.
            Some(row) if row.log_seq == seq && row.matched_at >= cutoff && !over => break,
            Some(row) if row.log_seq == seq && !store.pending_of(id)?.is_empty() => break,
            Some(_) | None => drops.push((seq, id)),
        }
    }
    let count = drops.len() as u64;
    if count > 0 {
        writer.drop_mentions(drops).ok();
    }
    Ok(count)
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
    let mut keys = Vec::new();
    for (endpoint, _) in store.endpoints()? {
        let rows = store.dead(&endpoint, 0, STEP_ROWS_MAX)?;
        let old = rows.into_iter().filter(|(_, dead)| dead.at < cutoff);
        keys.extend(old.map(|(position, _)| OutboxKey { endpoint: endpoint.clone(), position }));
    }
    if !keys.is_empty() {
        writer.drop_dead(keys).ok();
    }
    Ok(())
}

fn hours_of(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_posts_goes_as_large_as_the_excess() {
        assert_eq!(floor_by_bytes(100 << 20, 50, 0, 1000), 500);
        assert_eq!(floor_by_bytes(40 << 20, 50, 10, 1000), 10);
        assert_eq!(floor_by_bytes(100 << 20, 0, 10, 1000), 10);
    }
}
