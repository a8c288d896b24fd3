//! Arrivals to post events, one file per wire. Untrusted bytes: each is an event or a reason from a closed set.
//! Unaware of sockets and of what is known already.

pub mod feed;
mod jetstream;
mod notice;
pub mod push;

use std::sync::Arc;

use crate::model::{PostEvent, Rejected, Timestamp, Wire};

/// Bytes of one event of a stream.
pub const STREAM_EVENT_BYTES_MAX: usize = 1 << 20;
/// Nesting of one event. The parser of the streams is iterative; this bounds what is looked at.
pub const DEPTH_MAX: usize = 64;

/// What an arrival's body says. The outer error is for a body that cannot be read at all.
pub fn events(
    body: Vec<u8>,
    wire: Wire,
    source: &Arc<str>,
    fetched_at: Timestamp,
) -> Result<Vec<Result<PostEvent, Rejected>>, Rejected> {
    let from = From { source, fetched_at };
    match wire {
        Wire::Jetstream => jetstream::event(body, from).map(|event| vec![Ok(event)]),
        Wire::JetstreamV2 => jetstream::frame(body, from).map(|event| vec![Ok(event)]),
        Wire::Feed => feed::events(&body, source, fetched_at),
        Wire::Push => push::events(&body, from),
        Wire::Notice => notice::event(&body, from).map(|event| vec![Ok(event)]),
    }
}

/// Where an arrival comes from.
#[derive(Clone, Copy)]
pub struct From<'a> {
    pub source: &'a Arc<str>,
    pub fetched_at: Timestamp,
}

/// Whether JSON text nests no deeper than `DEPTH_MAX`, by its brackets outside of strings.
fn is_shallow(body: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for &byte in body {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH_MAX {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    true
}

/// Cuts a text at a character so that it has at most `bytes_max` bytes; says whether it was longer.
fn cut(mut text: String, bytes_max: usize) -> (String, bool) {
    let longer = text.len() > bytes_max;
    if longer {
        text.truncate(text.floor_char_boundary(bytes_max));
    }
    (text, longer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert!(is_shallow(br#"{"a":"[[[[[[\"[["}"#));
        assert!(is_shallow(&[b'['; DEPTH_MAX]));
        assert!(!is_shallow(&[b'['; DEPTH_MAX + 1]));
    }

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!(cut("aéb".to_owned(), 2), ("a".to_owned(), true));
        assert_eq!(cut("aéb".to_owned(), 4), ("aéb".to_owned(), false));
    }
}
