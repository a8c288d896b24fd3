//! Arrivals to post events, one file per wire. Untrusted bytes: each is an event or a reason from a closed set.
//! Unaware of sockets and of what is known already.

pub mod feed;
pub mod jetstream;
pub mod notice;
pub mod push;

use std::sync::Arc;

use crate::model::{PostEvent, Rejected, Timestamp, Wire};

/// Nesting of JSON that is looked into.
pub const DEPTH_MAX: usize = 64;

/// What an arrival's body says. The outer error is for a body that cannot be read at all.
pub fn events(
    mut body: Vec<u8>,
    wire: Wire,
    source: &Arc<str>,
    fetched_at: Timestamp,
) -> Result<Vec<Result<PostEvent, Rejected>>, Rejected> {
    let origin = Origin { source, fetched_at };
    match wire {
        Wire::Jetstream => jetstream::event(&mut body, origin).map(|event| vec![Ok(event)]),
        Wire::JetstreamV2 => jetstream::frame(&mut body, origin).map(|event| vec![Ok(event)]),
        Wire::Feed => feed::events(&body, source, fetched_at),
        Wire::Push => push::events(&body, origin),
        Wire::Notice => notice::event(&body, origin).map(|event| vec![Ok(event)]),
    }
}

/// Where an arrival comes from, and when.
#[derive(Clone, Copy)]
struct Origin<'a> {
    source: &'a Arc<str>,
    fetched_at: Timestamp,
}

/// Whether JSON text nests no deeper than `DEPTH_MAX`, by its brackets outside of strings.
fn is_shallow(body: &[u8]) -> bool {
    // Most bodies have too few brackets to be deep at all, and counting is faster than following strings.
    brackets(body) <= DEPTH_MAX || depth(body) <= DEPTH_MAX
}

/// Opening brackets, wherever they stand. Counted in bytes, so that the compiler counts many at once.
fn brackets(body: &[u8]) -> usize {
    let is_open = |byte: &u8| u8::from(*byte == b'{' || *byte == b'[');
    let count = |part: &[u8]| part.iter().map(is_open).fold(0_u8, u8::wrapping_add);
    body.chunks(usize::from(u8::MAX)).map(|part| usize::from(count(part))).sum()
}

/// The deepest nesting; counting ends one above `DEPTH_MAX`.
fn depth(body: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for &byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                if deepest > DEPTH_MAX {
                    break;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The start of a text, cut at a character so that it has at most `bytes_max` bytes; says whether anything was cut.
fn cut(text: &str, bytes_max: usize) -> (&str, bool) {
    let end = text.floor_char_boundary(bytes_max);
    (&text[..end], end < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert_eq!(depth(br#"{"a":"[[[[[[\"[[","b":[{}]}"#), 3);
        assert!(is_shallow(&[b'['; DEPTH_MAX]));
        assert!(!is_shallow(&[b'['; DEPTH_MAX + 1]));
        let wide = "[{}]".repeat(DEPTH_MAX);
        assert!(is_shallow(wide.as_bytes()));
        assert_eq!((brackets(wide.as_bytes()), brackets(&[b'{'; 1000])), (2 * DEPTH_MAX, 1000));
    }

    #[test]
    fn a_text_is_cut_at_a_character() {
        assert_eq!(cut("aéb", 2), ("a", true));
        assert_eq!(cut("aéb", 4), ("aéb", false));
        assert_eq!(cut("aéb", 9), ("aéb", false));
    }
}
