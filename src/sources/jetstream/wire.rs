//! What goes over the wire: addresses with their parameters, and the few members of a frame that tell how far it is.
//! Unaware of sockets; a frame is peeked at, not parsed.

use serde::Deserialize;
use url::Url;

use crate::model::{Timestamp, Wire};

use super::cursor::{Begin, Mark, TIME_US_MIN};
use super::members;
use super::settings::{JetstreamSettings, WireVersion};

const PATH_V1: &str = "/subscribe";
const PATH_V2: &str = "/xrpc/network.bsky.jetstream.subscribeEvents";
const PATH_DICTIONARY: &str = "/xrpc/network.bsky.jetstream.getZstdDictionary";
/// What a post event is made of; the first wire has no such filter.
const KINDS: [&str; 2] = ["commit", "account"];
/// A time further than this ahead of our clock moves no cursor: resuming there would skip what comes before it.
const AHEAD_US_MAX: u64 = 10 * 60 * 1_000_000;
const TIME_TEXT_BYTES_MAX: usize = 40;
/// Of a server's words that are repeated to people.
const WORDS_CHARS_MAX: usize = 200;

/// What a frame is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Event(Told),
    /// The cursor was too old and was moved; the server's words.
    Outdated(String),
    /// The cursor is a seq that the server has not come to, so that it was counted elsewhere; the server's words.
    Future(String),
    /// The server ends the stream; its words.
    Error(String),
}

/// How far an event says that it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Mark(Mark),
    /// Its time is ahead of our clock: one of the two is wrong.
    Ahead,
    /// It does not say, or says what cannot be.
    Nothing,
}

/// The members of a frame, or of the payload of one, that a cursor is made of, as they are written.
#[derive(Default)]
struct Peeked<'f> {
    kind: &'f [u8],
    payload: Option<&'f [u8]>,
    time_us: &'f [u8],
    seq: &'f [u8],
    time: &'f [u8],
    witnessed_at: &'f [u8],
    /// Whether the object was read to its end. What is cut off may lack what comes last.
    whole: bool,
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

/// Reads what a frame is, and how far. Only the server's own members count: an author may write any name into a
/// record, and an account event nests the counts of another server.
pub(super) fn peek(version: WireVersion, frame: &[u8], now: Timestamp) -> Kind {
    let top = Peeked::of(frame);
    match version {
        WireVersion::V1 => Kind::Event(told(top.first_wire(), now)),
        WireVersion::V2 if top.kind == br#""error""# => Kind::Error(error_words(frame)),
        WireVersion::V2 => {
            let payload = top.payload.map(Peeked::of).unwrap_or_default();
            if payload.kind.ends_with(br##"#info""##) {
                return info(frame);
            }
            Kind::Event(told(payload.second_wire().filter(|_| top.whole), now))
        }
    }
}

/// How far the stream has come by one frame, where the frame says so: microseconds on the first wire, a seq on the second.
pub fn progress_of(version: WireVersion, frame: &[u8], now: Timestamp) -> Option<u64> {
    match peek(version, frame, now) {
        Kind::Event(Told::Mark(mark)) => Some(mark.cursor),
        _ => None,
    }
}

fn error_words(frame: &[u8]) -> String {
    match serde_json::from_slice::<ErrorFrame>(frame) {
        Ok(ErrorFrame { error, message }) => words(&format!("{error}: {message}")),
        Err(_) => words(&String::from_utf8_lossy(frame)),
    }
}

fn info(frame: &[u8]) -> Kind {
    match serde_json::from_slice::<InfoFrame>(frame) {
        Ok(InfoFrame { payload }) => match payload.name.as_str() {
            "OutdatedCursor" => Kind::Outdated(words(&payload.message)),
            "FutureCursor" => Kind::Future(words(&payload.message)),
            _ => Kind::Event(Told::Nothing),
        },
        Err(_) => Kind::Event(Told::Nothing),
    }
}

impl<'f> Peeked<'f> {
    fn of(object: &'f [u8]) -> Self {
        let mut peeked = Self::default();
        let whole = members::each(object, |name, value| match name {
            b"$type" => peeked.kind = value,
            b"payload" => peeked.payload = Some(value),
            b"time_us" => peeked.time_us = value,
            b"seq" => peeked.seq = value,
            b"time" => peeked.time = value,
            b"witnessedAt" => peeked.witnessed_at = value,
            _ => {}
        });
        Self { whole, ..peeked }
    }

    fn first_wire(&self) -> Option<Mark> {
        let time_us = number(self.time_us).filter(|_| self.whole)?;
        Some(Mark { cursor: time_us, time_us })
    }

    /// A server may show another time than the one that it resumes by; it then says both.
    fn second_wire(&self) -> Option<Mark> {
        let said = if self.witnessed_at.is_empty() { self.time } else { self.witnessed_at };
        let cursor = number(self.seq).filter(|seq| self.whole && *seq < TIME_US_MIN)?;
        Some(Mark { cursor, time_us: time(said)? })
    }
}

fn told(mark: Option<Mark>, now: Timestamp) -> Told {
    let now_us = u64::try_from(now.millis()).unwrap_or(0).saturating_mul(1000);
    match mark {
        Some(mark) if mark.time_us > now_us.saturating_add(AHEAD_US_MAX) => Told::Ahead,
        Some(mark) if mark.time_us >= TIME_US_MIN => Told::Mark(mark),
        _ => Told::Nothing,
    }
}

/// A number in digits alone.
fn number(value: &[u8]) -> Option<u64> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The microseconds of an RFC 3339 time in quotes.
fn time(value: &[u8]) -> Option<u64> {
    let text = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if text.len() > TIME_TEXT_BYTES_MAX {
        return None;
    }
    let time: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
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

    const V1: WireVersion = WireVersion::V1;
    const V2: WireVersion = WireVersion::V2;

    fn at(cursor: u64, time_us: u64) -> Kind {
        Kind::Event(Told::Mark(Mark { cursor, time_us }))
    }

    #[test]
    fn documented_frames_say_what_they_are_and_how_far() {
        let commit = r##"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":48211907,"did":"did:plc:a","time":"2026-11-22T05:04:37.495826Z","rev":"3n","record":{"seq":1,"text":"\"seq\":2,"}}}"##;
        assert_eq!(peek(V2, commit.as_bytes(), now()), at(48_211_907, 1_795_323_877_495_826));
        let info = r##"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#info","name":"OutdatedCursor","message":"cursor clamped; resuming from seq 48000001"}}"##;
        let said = Kind::Outdated("cursor clamped; resuming from seq 48000001".to_owned());
        assert_eq!(peek(V2, info.as_bytes(), now()), said);
        let future = info.replace("OutdatedCursor", "FutureCursor");
        assert!(matches!(peek(V2, future.as_bytes(), now()), Kind::Future(_)));
        let error = br#"{"$type":"error","error":"ConsumerTooSlow","message":"subscriber below floor rate"}"#;
        assert_eq!(peek(V2, error, now()), Kind::Error("ConsumerTooSlow: subscriber below floor rate".to_owned()));
        let event = br#"{"did":"did:plc:a","time_us":1779719009157119,"kind":"commit"}"#;
        assert_eq!(peek(V1, event, now()), at(1_779_719_009_157_119, 1_779_719_009_157_119));
    }

    /// A frame of the second wire with these members in its payload.
    fn frame(kind: &str, members: &str) -> String {
        format!(
            r##"{{"$type":"message","payload":{{"$type":"network.bsky.jetstream.subscribeEvents#{kind}",{members}}}}}"##
        )
    }

    #[test]
    fn the_servers_own_seq_is_read_behind_any_record_and_not_out_of_it() {
        let text = "a long text with \\\"seq\\\":5,\\\"time\\\":\\\"2026-11-22T05:59:59.000000Z\\\"}} ".repeat(40);
        let forged = r#""seq":999999,"time":"2026-11-22T05:59:59.000000Z","witnessedAt":"2026-11-22T05:59:59.000000Z""#;
        let record = format!(
            r#"{{"$type":"app.bsky.feed.post",{forged},"payload":{{{forged}}},"reply":{{"parent":{{{forged}}}}},"text":"{text}"}}"#
        );
        let members = format!(
            r#""cid":"bafy","collection":"app.bsky.feed.post","did":"did:plc:a","operation":"create","record":{record},"rev":"3n","rkey":"3m","seq":46307,"time":"2026-11-22T05:04:37.495826Z""#
        );
        let commit = frame("commit", &members);
        assert_eq!(peek(V2, commit.as_bytes(), now()), at(46_307, 1_795_323_877_495_826));
        let witnessed = frame("commit", &format!(r#"{members},"witnessedAt":"2026-11-22T05:04:38.000000Z""#));
        assert_eq!(peek(V2, witnessed.as_bytes(), now()), at(46_307, 1_795_323_878_000_000));
        let account = r#""account":{"active":false,"did":"did:plc:a","seq":31527015471,"status":"deleted","time":"2026-11-22T05:04:40.877Z"},"did":"did:plc:a","seq":46308,"time":"2026-11-22T05:04:41.000000Z""#;
        assert_eq!(peek(V2, frame("account", account).as_bytes(), now()), at(46_308, 1_795_323_881_000_000));
        let without = frame("commit", &format!(r#""record":{record},"rev":"3n""#));
        assert_eq!(peek(V2, without.as_bytes(), now()), Kind::Event(Told::Nothing));
        let first = format!(
            r#"{{"commit":{{"record":{{"time_us":5,{forged}}}}},"did":"a","kind":"commit","time_us":1779719009157119}}"#
        );
        assert_eq!(peek(V1, first.as_bytes(), now()), at(1_779_719_009_157_119, 1_779_719_009_157_119));
    }

    #[test]
    fn frames_of_a_real_server_say_how_far_they_are() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../shared/samples/jetstream/subscribe_events_20260811.zdict");
        let Ok(dictionary) = std::fs::read(&path) else {
            println!("skipped: {} is not here", path.display());
            return;
        };
        // The dictionary is made of pieces of frames; a piece from a start to its end is a frame.
        let text = String::from_utf8_lossy(&dictionary);
        let starts =
            text.match_indices(r#"{"$type":"message","payload":{"$type":"network."#).map(|(at, _)| &text[at..]);
        let whole = starts.filter(|frame| members::each(frame.as_bytes(), |_, _| ()));
        let mut seen = 0;
        for frame in whole {
            let Kind::Event(Told::Mark(mark)) = peek(V2, frame.as_bytes(), now()) else { continue };
            assert!((30_000..130_000).contains(&mark.cursor), "{mark:?}");
            assert!(super::super::cursor::shown(mark.time_us).starts_with("2026-08-11T12:"), "{mark:?}");
            seen += 1;
        }
        assert!(seen > 2, "{seen}");
    }

    #[test]
    fn a_frame_that_is_cut_off_or_lies_moves_no_cursor() {
        let nothing = Kind::Event(Told::Nothing);
        for frame in [
            "",
            "{",
            r#"{"did":"a","time_us":"#,
            r#"{"time_us":17797190091571"#,
            r#"{"time_us":5}"#,
            r#"{"time_us":-1779719009157119}"#,
            r#"{"time_us":1779719009157119,"commit":{"#,
            r#"{"time_us":1779719009157119.5}"#,
        ] {
            assert_eq!(peek(V1, frame.as_bytes(), now()), nothing, "{frame}");
        }
        let ahead = br#"{"did":"a","time_us":9223372036854775807,"kind":"x"}"#;
        assert_eq!(peek(V1, ahead, now()), Kind::Event(Told::Ahead));
        let true_time = br#"{"time_us":1779719009157119}"#;
        assert_eq!(peek(V1, true_time, NOW), Kind::Event(Told::Ahead), "a clock at the epoch trusts nobody");
        for members in [
            r#""seq":1,"time":"2026""#,
            r#""seq":99999999999999999999,"time":"2026-11-22T05:04:37.495826Z""#,
            r#""seq":"1","time":"2026-11-22T05:04:37.495826Z""#,
            r#""seq":1"#,
        ] {
            assert_eq!(peek(V2, frame("commit", members).as_bytes(), now()), nothing, "{members}");
        }
        let hour_ahead = frame("commit", r#""seq":1,"time":"2026-11-22T07:00:00.000000Z""#);
        assert_eq!(peek(V2, hour_ahead.as_bytes(), now()), Kind::Event(Told::Ahead));
        let commit = frame("commit", r#""seq":1,"time":"2026-11-22T05:04:37.495826Z""#);
        assert_eq!(peek(V2, commit.as_bytes(), now()), at(1, 1_795_323_877_495_826));
        assert_eq!(peek(V2, &commit.as_bytes()[..commit.len() - 1], now()), nothing, "cut off");
        assert_eq!(peek(V2, br#"{"$type":"error"#, now()), nothing);
        assert_eq!(peek(V2, br#"{"$type":"error","#, now()), Kind::Error(r#"{"$type":"error","#.to_owned()));
    }

    #[test]
    fn the_floor_is_the_largest_number_above_the_cursor() {
        assert_eq!(number_above("cursor 5 is too old; the oldest seq is 48000001", 5), Some(48_000_001));
        assert_eq!(number_above("cursor 5 is too old", 5), None);
        assert_eq!(number_above("cursor 1795323877495826 clamped; resuming from seq 48000001", 0), Some(48_000_001));
    }
}
