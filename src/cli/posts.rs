//! Posts on standard input: a line is a text, an object with a text, or a line of a recording.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::clock;
use crate::model::{Example, Lang, Post, PostEvent, Wire};
use crate::normalize;
use crate::projects::example_post;

/// Bytes of one line of input: as many as a line of a recording has.
pub(super) const LINE_BYTES_MAX: usize = 64 << 20;

/// A line that is no plain text.
#[derive(Deserialize)]
struct JsonLine {
    text: Option<String>,
    title: Option<String>,
    lang: Option<String>,
    author: Option<serde_json::Value>,
    site: Option<String>,
    network: Option<String>,
    wire: Option<Wire>,
    did: Option<String>,
    commit: Option<serde_json::Value>,
    body: Option<serde_json::Value>,
    body_base64: Option<String>,
}

/// What the next line of input is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Whole,
    /// Passed over, with its length.
    TooLong(u64),
    End,
}

/// Calls back with every post of the input, to its end. A line that is too long is passed over, and said.
pub(super) fn for_each_post(
    input: &mut impl BufRead,
    declared: Option<Lang>,
    found: &mut dyn FnMut(Post) -> io::Result<()>,
) -> io::Result<()> {
    let mut line = Vec::new();
    loop {
        match next_line(input, &mut line, LINE_BYTES_MAX)? {
            Line::End => return Ok(()),
            Line::TooLong(bytes) => {
                eprintln!("earful: a line of {bytes} bytes is passed over; at most {LINE_BYTES_MAX} are read");
            }
            Line::Whole => {
                posts_of(&String::from_utf8_lossy(&line), declared).into_iter().try_for_each(&mut *found)?;
            }
        }
    }
}

/// Reads a line without its end. No more of it is held than it may have.
pub(super) fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>, bytes_max: usize) -> io::Result<Line> {
    line.clear();
    if input.by_ref().take(bytes_max as u64 + 1).read_until(b'\n', line)? == 0 {
        return Ok(Line::End);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
        return Ok(Line::Whole);
    }
    if line.len() <= bytes_max {
        return Ok(Line::Whole);
    }
    let held = line.len() as u64;
    line.clear();
    Ok(Line::TooLong(held + pass_line(input)?))
}

/// Passes the rest of a line. Returns its bytes.
pub(super) fn pass_line(input: &mut impl BufRead) -> io::Result<u64> {
    let mut passed = 0;
    loop {
        let waiting = input.fill_buf()?;
        let end = memchr::memchr(b'\n', waiting);
        let length = end.map_or(waiting.len(), |end| end + 1);
        input.consume(length);
        if end.is_some() || length == 0 {
            return Ok(passed + end.unwrap_or(0) as u64);
        }
        passed += length as u64;
    }
}

/// The posts that a line holds: a line of a recording may hold many, or none.
pub(super) fn posts_of(line: &str, declared: Option<Lang>) -> Vec<Post> {
    let parsed = line.trim_start().starts_with('{').then(|| serde_json::from_str::<JsonLine>(line).ok()).flatten();
    let mut post = match parsed {
        Some(JsonLine { wire: Some(wire), body, body_base64, .. }) if body.is_some() || body_base64.is_some() => {
            return recorded(wire, body, body_base64);
        }
        Some(JsonLine { text: Some(text), title, lang, author, site, network, .. }) => {
            let author = author.and_then(|author| match author {
                serde_json::Value::String(handle) => Some(handle),
                other => other["handle"].as_str().map(str::to_owned),
            });
            example_post(&Example {
                text,
                title,
                lang: lang.as_deref().and_then(Lang::parse),
                author,
                site,
                source: network,
            })
        }
        // An event as Jetstream sends it.
        Some(JsonLine { did: Some(_), commit: Some(_), .. }) => {
            return recorded(Wire::Jetstream, Some(serde_json::Value::String(line.to_owned())), None);
        }
        _ => example_post(&Example { text: line.trim_end_matches('\r').to_owned(), ..Example::default() }),
    };
    post.langs.extend(declared);
    vec![post]
}

/// Every post of an arrival.
pub(super) fn recorded(wire: Wire, body: Option<serde_json::Value>, body_base64: Option<String>) -> Vec<Post> {
    let source: Arc<str> = "recording".into();
    let bytes = match (body, body_base64) {
        (Some(serde_json::Value::String(text)), _) => text.into_bytes(),
        (Some(body), _) => body.to_string().into_bytes(),
        (None, packed) => STANDARD.decode(packed.unwrap_or_default()).unwrap_or_default(),
    };
    let events = normalize::events(bytes, wire, &source, clock::now()).unwrap_or_default();
    let posts = events.into_iter().filter_map(|event| match event {
        Ok(PostEvent::Upsert { post, .. }) => Some(*post),
        _ => None,
    });
    posts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_too_long_is_passed_over_and_the_next_one_is_read() {
        let mut input = io::BufReader::with_capacity(3, &b"12345678\n123456789\n123456789012\nabc\n\nend"[..]);
        let mut line = Vec::new();
        let mut next = || {
            let read = next_line(&mut input, &mut line, 8).unwrap();
            (read, String::from_utf8(line.clone()).unwrap())
        };
        assert_eq!(next(), (Line::Whole, "12345678".to_owned()));
        assert_eq!(next(), (Line::TooLong(9), String::new()));
        assert_eq!(next(), (Line::TooLong(12), String::new()));
        for text in ["abc", "", "end"] {
            assert_eq!(next(), (Line::Whole, text.to_owned()));
        }
        assert_eq!(next().0, Line::End);
        assert_eq!(next_line(&mut &b"123456789"[..], &mut Vec::new(), 8).unwrap(), Line::TooLong(9));
    }
}
