//! The only door to wall time. Rooms that decide take `now` as an argument instead.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Timestamp;

/// The present, in UTC.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
