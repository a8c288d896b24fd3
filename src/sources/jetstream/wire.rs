//! What goes over the wire: addresses with their parameters, and the few bytes of a frame that tell how far it is.
//! Unaware of sockets; a frame is peeked at, not parsed.

use memchr::memmem::Finder;
use serde::Deserialize;
use url::Url;

use crate::model::{Timestamp, Wire};

use super::cursor::{Begin, Mark, TIME_US_MIN};
use super::settings::{JetstreamSettings, WireVersion};

const PATH_V1: &str = "/subscribe";
const PATH_V2: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
const PATH_DICTIONARY: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";
/// What a post event is made of; the first wire has no such filter.
const KINDS: [&str; 2] = ["commit", "account"];
/// A server's own fields come before the author's record, within these bytes.
const HEAD_BYTES: usize = 512;
/// A time further than this ahead of our clock moves no cursor: resuming there would skip what comes before it.
const AHEAD_US_MAX: u64 = 24 * 3600 * 1_000_000;
const TIME_TEXT_BYTES_MAX: usize = 40;
/// Of a server's words that are repeated to people.
const WORDS_CHARS_MAX: usize = 200;

/// What a frame of the second wire is, besides an event.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event,
    /// The cursor was too old and was moved; the server's words.
    Outdated(String),
    /// The cursor is a seq that the server has not come to, so that it was counted elsewhere; the server's words.
    Future(String),
    /// The server ends the stream; its words.
    Error(String),
}

/// Finds the fields of a frame that a cursor is made of.
pub(super) struct Peek {
    version: WireVersion,
    time_us: Finder<'static>,
    seq: Finder<'static>,
    time: Finder<'static>,
    witnessed: Finder<'static>,
    kind: Finder<'static>,
}

#[derive(Deserialize)]
struct ErrorFrame {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
struct InfoFrame {
    payload: Info,
}

#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    name: String,
    #[serde(default)]
    message: String,
}

/// Which decoder reads the frames.
pub(super) fn wire(version: WireVersion) -> Wire {
    match version {
        WireVersion::V1 => Wire::Jetstream,
        WireVersion::V2 => Wire::JetstreamV2,
    }
}

/// Where to subscribe on `host`.
pub(super) fn subscription(
    settings: &JetstreamSettings,
    host: &str,
    begin: Begin,
    dictionary: Option<u32>,
) -> Result<Url, url::ParseError> {
    let (path, kinds, collections, dids) = match settings.wire {
        WireVersion::V1 => (PATH_V1, &[][..], "wantedCollections", "wantedDids"),
        WireVersion::V2 => (PATH_V2, &KINDS[..], "collections", "dids"),
    };
    let mut url = Url::parse(host)?.join(path)?;
    let mut query = url.query_pairs_mut();
    query.append_pair("maxMessageSizeBytes", &settings.frame_bytes_max.to_string());
    for kind in kinds {
        query.append_pair("kinds", kind);
    }
    for collection in &settings.collections {
        query.append_pair(collections, collection);
    }
    for did in &settings.dids {
        query.append_pair(dids, did);
    }
    if let Some(cursor) = begin.parameter() {
        query.append_pair("cursor", &cursor.to_string());
    }
    if let Some(id) = dictionary {
        query.append_pair("zstdDictionary", &id.to_string());
    }
    drop(query);
    Ok(url)
}

/// Where `host` keeps its dictionary.
pub(super) fn dictionary(host: &str) -> Result<Url, url::ParseError> {
    let http = match host.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => host.to_owned(),
    };
    Url::parse(&http)?.join(PATH_DICTIONARY)
}

/// A server's words, for people: bounded, on one line.
pub(super) fn words(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(WORDS_CHARS_MAX).collect()
}

/// The largest seq in `text` that is above `floor`: how a refusal names the oldest event.
pub(super) fn number_above(text: &str, floor: u64) -> Option<u64> {
    let numbers = text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok());
    numbers.filter(|number| *number > floor && *number < TIME_US_MIN).max()
}

impl Peek {
    pub(super) fn new(version: WireVersion) -> Self {
        Self {
            version,
            time_us: Finder::new(br#""time_us":"#),
            seq: Finder::new(br#""seq":"#),
            time: Finder::new(br#""time":""#),
            witnessed: Finder::new(br#""witnessedAt":""#),
            kind: Finder::new(br#""$type":""#),
        }
    }

    /// How far this frame is; nothing for a frame that does not say, or says what cannot be.
    pub(super) fn mark(&self, frame: &[u8], now: Timestamp) -> Option<Mark> {
        let head = &frame[..frame.len().min(HEAD_BYTES)];
        let (cursor, time_us) = match self.version {
            WireVersion::V1 => {
                let time_us = number(after(&self.time_us, head)?)?;
                (time_us, time_us)
            }
            WireVersion::V2 => {
                let seq = number(after(&self.seq, head)?)?;
                // A server may show another time than the one that it resumes by; it then says both.
                let said = after(&self.witnessed, head).or_else(|| after(&self.time, head));
                (Some(seq).filter(|seq| *seq < TIME_US_MIN)?, time(said?)?)
            }
        };
        let now_us = u64::try_from(now.millis()).unwrap_or(0).saturating_mul(1000);
        let possible = TIME_US_MIN..=now_us.saturating_add(AHEAD_US_MAX);
        possible.contains(&time_us).then_some(Mark { cursor, time_us })
    }

    /// What the frame is. The first wire has only events.
    pub(super) fn kind(&self, frame: &[u8]) -> Kind {
        if self.version == WireVersion::V1 {
            return Kind::Event;
        }
        let head = &frame[..frame.len().min(HEAD_BYTES)];
        let Some(kind) = after(&self.kind, head) else { return Kind::Event };
        if kind.starts_with(br#"error""#) {
            let error = serde_json::from_slice::<ErrorFrame>(frame);
            return Kind::Error(error.map_or_else(
                |_| words(&String::from_utf8_lossy(frame)),
                |error| words(&format!("{}: {}", error.error, error.message)),
            ));
        }
        let payload = after(&self.kind, kind).unwrap_or_default();
        let name = &payload[..memchr::memchr(b'"', payload).unwrap_or(0)];
        if !name.ends_with(b"#info") {
            return Kind::Event;
        }
        match serde_json::from_slice::<InfoFrame>(frame) {
            Ok(InfoFrame { payload }) => match payload.name.as_str() {
                "OutdatedCursor" => Kind::Outdated(words(&payload.message)),
                "FutureCursor" => Kind::Future(words(&payload.message)),
                _ => Kind::Event,
            },
            Err(_) => Kind::Event,
        }
    }
}

/// What follows the first occurrence. A quoted name cannot occur inside of a JSON string: its quotes are escaped there.
fn after<'a>(finder: &Finder<'_>, text: &'a [u8]) -> Option<&'a [u8]> {
    finder.find(text).map(|at| &text[at + finder.needle().len()..])
}

/// The digits at the start, if something follows them: a number that is cut off is another number.
fn number(text: &[u8]) -> Option<u64> {
    let end = text.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&text[..end]).ok()?.parse().ok()
}

/// The microseconds of an RFC 3339 time up to its closing quote.
fn time(text: &[u8]) -> Option<u64> {
    let end = memchr::memchr(b'"', &text[..text.len().min(TIME_TEXT_BYTES_MAX)])?;
    let time: jiff::Timestamp = std::str::from_utf8(&text[..end]).ok()?.parse().ok()?;
    u64::try_from(time.as_microsecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    fn now() -> Timestamp {
        "2026-11-22T06:00:00Z".parse().unwrap()
    }

    fn settings(wire: WireVersion) -> JetstreamSettings {
        JetstreamSettings {
            hosts: Vec::new(),
            wire,
            collections: vec!["app.bsky.feed.post".to_owned(), "app.bsky.graph.*".to_owned()],
            dids: vec!["did:plc:a".to_owned()],
            compress: true,
            dead_after_s: 60,
            rewind_s: 5,
            frame_bytes_max: 4096,
        }
    }

    #[test]
    fn addresses_carry_the_parameters_of_their_wire() {
        let v2 = subscription(&settings(WireVersion::V2), "wss://a.example", Begin::Seq(7), Some(20_260_811)).unwrap();
        assert_eq!(
            v2.as_str(),
            "wss://a.example/xrpc/network.bsky.jetstream.subscribeEvents?maxMessageSizeBytes=4096&kinds=commit&kinds=account&collections=app.bsky.feed.post&collections=app.bsky.graph.*&dids=did%3Aplc%3Aa&cursor=7&zstdDictionary=20260811"
        );
        let v1 = subscription(&settings(WireVersion::V1), "ws://a.example:81", Begin::Live, None).unwrap();
        assert_eq!(
            v1.as_str(),
            "ws://a.example:81/subscribe?maxMessageSizeBytes=4096&wantedCollections=app.bsky.feed.post&wantedCollections=app.bsky.graph.*&wantedDids=did%3Aplc%3Aa"
        );
        let https = dictionary("wss://a.example").unwrap();
        assert_eq!(https.as_str(), "https://a.example/xrpc/network.bsky.jetstream.getZstdDictionary");
    }

    #[test]
    fn documented_frames_say_how_far_they_are() {
        let peek = Peek::new(WireVersion::V2);
        let commit = br##"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":48211907,"did":"did:plc:a","time":"2026-11-22T05:04:37.495826Z","rev":"3n","record":{"seq":1,"text":"\"seq\":2,"}}}"##;
        assert_eq!(peek.mark(commit, now()), Some(Mark { cursor: 48_211_907, time_us: 1_795_323_877_495_826 }));
        assert_eq!(peek.kind(commit), Kind::Event);
        let info = br##"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#info","name":"OutdatedCursor","message":"cursor clamped; resuming from seq 48000001"}}"##;
        assert_eq!(peek.kind(info), Kind::Outdated("cursor clamped; resuming from seq 48000001".to_owned()));
        assert_eq!(peek.mark(info, now()), None);
        let future = String::from_utf8_lossy(info).replace("OutdatedCursor", "FutureCursor");
        assert!(matches!(peek.kind(future.as_bytes()), Kind::Future(_)));
        let witnessed =
            String::from_utf8_lossy(commit).replace(r#""rev""#, r#""witnessedAt":"2026-11-22T05:04:38.000000Z","rev""#);
        assert_eq!(peek.mark(witnessed.as_bytes(), now()).map(|mark| mark.time_us), Some(1_795_323_878_000_000));
        let error = br#"{"$type":"error","error":"ConsumerTooSlow","message":"subscriber below floor rate"}"#;
        assert_eq!(peek.kind(error), Kind::Error("ConsumerTooSlow: subscriber below floor rate".to_owned()));
        let first = Peek::new(WireVersion::V1);
        let event = br#"{"did":"did:plc:a","time_us":1779719009157119,"kind":"commit"}"#;
        assert_eq!(
            first.mark(event, now()),
            Some(Mark { cursor: 1_779_719_009_157_119, time_us: 1_779_719_009_157_119 })
        );
    }

    #[test]
    fn a_frame_that_is_cut_off_or_lies_moves_no_cursor() {
        let first = Peek::new(WireVersion::V1);
        let ahead = br#"{"did":"a","time_us":9223372036854775807,"kind":"x"}"#;
        for frame in
            [&b""[..], b"{", br#"{"did":"a","time_us":"#, br#"{"time_us":17797190091571"#, br#"{"time_us":5,"#, ahead]
        {
            assert_eq!(first.mark(frame, now()), None, "{}", String::from_utf8_lossy(frame));
        }
        assert_eq!(first.mark(br#"{"time_us":1779719009157119}"#, NOW), None, "a clock at the epoch trusts nobody");
        let second = Peek::new(WireVersion::V2);
        for frame in
            [&br#"{"seq":1,"time":"2026"#[..], br#"{"seq":99999999999999999999,"time":"2026-11-22T05:04:37.495826Z"}"#]
        {
            assert_eq!(second.mark(frame, now()), None);
        }
        assert_eq!(second.kind(br#"{"$type":"error"#), Kind::Event);
        assert_eq!(second.kind(br#"{"$type":"error","#), Kind::Error(r#"{"$type":"error","#.to_owned()));
    }

    #[test]
    fn the_floor_is_the_largest_number_above_the_cursor() {
        assert_eq!(number_above("cursor 5 is too old; the oldest seq is 48000001", 5), Some(48_000_001));
        assert_eq!(number_above("cursor 5 is too old", 5), None);
        assert_eq!(number_above("cursor 1795323877495826 clamped; resuming from seq 48000001", 0), Some(48_000_001));
    }
}
