//! How far a Jetstream was read: the stored cursor, and where the next connection begins.
//! Unaware of sockets and of what events mean.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Cursor, Timestamp, Wire};

use super::settings::WireVersion;

/// The form of the stored value.
const FORMAT: u32 = 1;
/// A cursor of the second wire from here on is read as a time in microseconds, below it as a seq.
pub(super) const TIME_US_MIN: u64 = 1_000_000_000_000_000;

/// The last event that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// The server's own count: the seq on the second wire, the time on the first.
    pub(super) cursor: u64,
    pub(super) time_us: u64,
}

/// A mark as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    v: u32,
    wire: Wire,
    pub(super) host: String,
    cursor: u64,
    pub(super) time_us: u64,
}

/// Where a connection begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// With whatever comes next: the first run ever.
    Live,
    /// At this event, which was seen: only the host that counted it knows which it is.
    Seq(u64),
    /// At this time.
    Time(u64),
}

impl Begin {
    /// The value of the parameter `cursor`.
    pub(super) fn parameter(self) -> Option<u64> {
        match self {
            Self::Live => None,
            Self::Seq(cursor) | Self::Time(cursor) => Some(cursor),
        }
    }
}

impl Stored {
    /// What the store kept; an error is a value that this version cannot read.
    pub(super) fn read(value: &[u8]) -> Result<Self, String> {
        let stored: Self = serde_json::from_slice(value).map_err(|cause| {
            format!("the stored cursor is unreadable ({cause}): {}", String::from_utf8_lossy(value))
        })?;
        match stored.v {
            FORMAT => Ok(stored),
            other => Err(format!("the stored cursor has format {other}; this version reads up to {FORMAT}")),
        }
    }

    /// Where to begin on `host`. Only the host that counted a seq knows it; by time, `rewind` makes up for clocks that
    /// differ between hosts and for events out of order. What comes twice is dropped by its order.
    pub(super) fn begin(&self, wire: WireVersion, host: &str, rewind: Duration) -> Begin {
        if wire == WireVersion::V2 && self.wire == Wire::JetstreamV2 && self.host == host && self.cursor < TIME_US_MIN {
            return Begin::Seq(self.cursor);
        }
        self.begin_by_time(rewind)
    }

    /// Where to begin on a host whose seqs are not those of this cursor.
    pub(super) fn begin_by_time(&self, rewind: Duration) -> Begin {
        let rewind_us = u64::try_from(rewind.as_micros()).unwrap_or(u64::MAX);
        Begin::Time(self.time_us.saturating_sub(rewind_us).max(TIME_US_MIN))
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { cursor: self.cursor, time_us: self.time_us }
    }
}

/// Writes marks of one connection: all but the numbers is the same in each.
pub(super) struct Marker {
    start: Vec<u8>,
}

impl Marker {
    pub(super) fn new(wire: Wire, host: &str) -> Self {
        let host = serde_json::Value::from(host);
        Self { start: format!(r#"{{"v":{FORMAT},"wire":"{}","host":{host},"cursor":"#, wire.name()).into_bytes() }
    }

    pub(super) fn cursor(&self, mark: Mark) -> Cursor {
        let mut value = Vec::with_capacity(self.start.len() + 56);
        value.extend_from_slice(&self.start);
        push_number(&mut value, mark.cursor);
        value.extend_from_slice(br#","time_us":"#);
        push_number(&mut value, mark.time_us);
        value.push(b'}');
        Cursor { part: String::new(), value }
    }
}

fn push_number(text: &mut Vec<u8>, number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend_from_slice(&digits[at..]);
}

/// A time in microseconds as people read it.
pub(super) fn shown(time_us: u64) -> String {
    Timestamp::from_micros(i64::try_from(time_us).unwrap_or(i64::MAX)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME_US: u64 = 1_795_165_200_112_407;

    fn stored(wire: Wire, cursor: u64) -> Stored {
        let value = Marker::new(wire, "wss://a.example").cursor(Mark { cursor, time_us: TIME_US }).value;
        Stored::read(&value).unwrap()
    }

    #[test]
    fn a_mark_reads_back_from_the_store() {
        let value =
            Marker::new(Wire::JetstreamV2, "wss://a.example").cursor(Mark { cursor: 0, time_us: TIME_US }).value;
        let text = r#"{"v":1,"wire":"jetstream_v2","host":"wss://a.example","cursor":0,"time_us":1795165200112407}"#;
        assert_eq!(String::from_utf8(value).unwrap(), text);
        assert_eq!(stored(Wire::Jetstream, u64::MAX).mark(), Mark { cursor: u64::MAX, time_us: TIME_US });
    }

    #[test]
    fn a_cursor_of_a_later_version_is_refused() {
        let later = br#"{"v":2,"wire":"jetstream_v2","host":"a","cursor":1,"time_us":1}"#;
        assert!(Stored::read(later).unwrap_err().contains("format 2"));
        assert!(Stored::read(b"17").unwrap_err().contains("unreadable"));
    }

    #[test]
    fn a_seq_is_used_only_where_it_was_counted() {
        let rewind = Duration::from_secs(5);
        let by_time = Begin::Time(TIME_US - 5_000_000);
        let seq = stored(Wire::JetstreamV2, 42);
        assert_eq!(seq.begin(WireVersion::V2, "wss://a.example", rewind), Begin::Seq(42));
        assert_eq!(seq.begin(WireVersion::V2, "wss://b.example", rewind), by_time);
        assert_eq!(seq.begin(WireVersion::V1, "wss://a.example", rewind), by_time);
        assert_eq!(stored(Wire::Jetstream, TIME_US).begin(WireVersion::V2, "wss://a.example", rewind), by_time);
        assert_eq!(seq.begin_by_time(rewind), by_time);
    }
}
