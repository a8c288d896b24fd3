//! What is done with bytes that nobody vouches for: a body per decoder, run here from a seeded mutator and by the fuzz
//! targets in `fuzz/`. Nothing panics, nothing hangs, and what is read keeps the promises of its type.

use std::cell::RefCell;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use earful::api::posts;
use earful::extract::{charset, dates, feed, html, site};
use earful::fetch::conditional;
use earful::fetch::guard::{Guard, Network};
use earful::inlet::Inlet;
use earful::language;
use earful::matcher::{Matcher, Scratch, narrow, tokens};
use earful::model::{
    Author, AuthorId, Connector, Cursor, Lang, Post, PostEvent, PostId, PostKind, SourceType, TEXT_BYTES_MAX, Thread,
    ThreadId, Timestamp, Wire,
};
use earful::normalize::{self, push};
use earful::outbox::EndpointClock;
use earful::projects::{ProjectText, Routes, read_project};
use earful::query::{self, Dialect, Query, Rule, naive};
use earful::sinks::sign::{Secret, Signed, sign, verify};
use earful::sources::feeds;
use earful::sources::jetstream::{Jetstream, JetstreamSettings, WireVersion, progress_of};
use earful::sources::recording::{Pace, Recording, RecordingSettings};
use earful::sources::{Ended, Source};
use earful::store::{
    AccountRow, DeadRow, EndpointRow, KnownPost, MentionRow, NearRow, OutboxRow, QueryVersionRow, decode, encode,
};
use earful::tables::FileError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use url::Url;

/// Every target with its name: that of its corpus and of its program in `fuzz/`.
pub const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("jetstream_v1", jetstream_v1),
    ("jetstream_v2", jetstream_v2),
    ("push", pushed),
    ("notice", notice),
    ("push_body", push_body),
    ("jetstream_frame", jetstream_frame),
    ("feed_body", feed_body),
    ("feed_xml", feed_xml),
    ("query_parse", query_parse),
    ("query_dialects", query_dialects),
    ("row_codec", row_codec),
    ("html_text", html_text),
    ("charset", characters),
    ("dates", date),
    ("opml", opml),
    ("toml_tables", toml_tables),
    ("signature", signature),
    ("cursor_jetstream", cursor_jetstream),
    ("recording_line", recording_line),
    ("text", text),
    ("feed_cursor", feed_cursor),
    ("http_head", http_head),
];

/// 2026-11-22T05:04:37Z.
const NOW: i64 = 1_795_323_877_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Runs one target by its name.
pub fn run(target: &str, bytes: &[u8]) {
    let (_, body) = TARGETS.iter().find(|(name, _)| *name == target).expect("a target of this name");
    body(bytes);
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn arrived(bytes: Vec<u8>, wire: Wire) {
    let now = Timestamp::from_millis(NOW);
    let Ok(events) = normalize::events(bytes, wire, &"source".into(), now) else { return };
    for event in events.into_iter().flatten() {
        let PostEvent::Upsert { post, .. } = event else { continue };
        assert!(post.text.len() <= TEXT_BYTES_MAX, "a text of {} bytes", post.text.len());
        assert!(post.fetched_at == now && post.langs.len() <= 3 && !post.native_id.is_empty(), "{post:?}");
        assert_eq!(decode::<Post>(&encode(&post)).as_ref(), Ok(&*post));
    }
}

fn jetstream_v1(bytes: &[u8]) {
    arrived(bytes.to_vec(), Wire::Jetstream);
}

fn jetstream_v2(bytes: &[u8]) {
    arrived(bytes.to_vec(), Wire::JetstreamV2);
}

fn pushed(bytes: &[u8]) {
    let scope = push::PushScope { token: "desk".to_owned(), networks: vec!["crm".to_owned()] };
    arrived(push::encode(&scope, bytes.split(|&byte| byte == b'\n')), Wire::Push);
    arrived(bytes.to_vec(), Wire::Push);
}

fn notice(bytes: &[u8]) {
    arrived(bytes.to_vec(), Wire::Notice);
}

fn feed_body(bytes: &[u8]) {
    arrived(bytes.to_vec(), Wire::Feed);
}

fn feed_xml(bytes: &[u8]) {
    let at = Url::parse("https://blog.example.com/feed").expect("an address");
    let scope = site::Scope::of(&at).expect("a site");
    let decoded = charset::decode(bytes, None, Some("com"));
    let Ok(read) = feed::parse(&decoded.text, &at) else { return };
    assert!(read.entries.len() <= feed::ENTRIES_MAX && read.deleted.len() <= feed::DELETED_MAX);
    let guids = feed::guids(&read.entries);
    for entry in &read.entries {
        feed::content(entry);
        let id = feed::native_id(&scope, entry, guids);
        assert!(id.is_none_or(|id| !id.is_empty()));
        feed::parent_id(&scope, entry);
    }
}

fn post_of(text: &str) -> Post {
    Post {
        id: PostId::of("web", "1"),
        network: "web".into(),
        native_id: "1".to_owned(),
        source_type: SourceType::Social,
        site: "example.org".into(),
        board: None,
        connector: Connector::Push,
        source: "desk".into(),
        kind: PostKind::Post,
        url: None,
        author: Author {
            id: AuthorId::of("web", "a"),
            native_id: "a".to_owned(),
            handle: Some("@Ann".to_owned()),
            name: None,
            url: None,
        },
        title: text.split_once('|').map(|(title, _)| title.to_owned()),
        text: text.to_owned(),
        truncated: false,
        langs: vec![Lang::Cs],
        hashtags: vec!["tea".to_owned()],
        mentions: vec!["ann".to_owned()],
        links: Vec::new(),
        thread: Thread { id: ThreadId::of("web", "1"), root: None, parent: None },
        published_at: None,
        edited_at: None,
        fetched_at: Timestamp::EPOCH,
    }
}

/// Errors lie in the text, and a query that is none means the same to both evaluators: on its own text.
fn query_parse(bytes: &[u8]) {
    let written = lossy(bytes);
    let tree = match query::parse(&written) {
        Ok(tree) => tree,
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in &mistakes {
                let told = written.get(mistake.span.clone());
                assert!(told.is_some() && !mistake.message.is_empty(), "{mistake:?} in {written:?}");
            }
            return;
        }
    };
    assert!(tree.lints.iter().all(|lint| written.get(lint.span.clone()).is_some()), "{:?}", tree.lints);
    narrow(&tree);
    agree(tree, &written);
}

/// A query of another product is imported or refused, with spans inside its text, and its text is the same query. The
/// first byte tells the product.
fn query_dialects(bytes: &[u8]) {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let pasted = lossy(bytes);
    let dialect = Dialect::ALL[usize::from(*first) % Dialect::ALL.len()];
    let is_inside = |span: &Range<usize>| pasted.get(span.clone()).is_some();
    let imported = match query::import(&pasted, dialect) {
        Ok(imported) => imported,
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in &mistakes {
                assert!(is_inside(&mistake.span) && !mistake.message.is_empty(), "{mistake:?} in {pasted:?}");
            }
            return;
        }
    };
    assert!(imported.remarks.iter().all(|remark| is_inside(&remark.span)), "{:?}", imported.remarks);
    assert!(imported.query.lints.iter().all(|lint| is_inside(&lint.span)), "{:?}", imported.query.lints);
    let read = query::parse(&imported.text).map(|query| (query.pragmas, query.root));
    assert_eq!(read, Ok((imported.query.pragmas.clone(), imported.query.root.clone())), "{}", imported.text);
    agree(imported.query, &pasted);
}

/// A query means the same to both evaluators, on a text.
fn agree(tree: Query, written: &str) {
    let rule = Rule {
        project: "p".to_owned(),
        query: "q".to_owned(),
        version: 1,
        tags: Vec::new(),
        languages: Vec::new(),
        sources: Vec::new(),
        tree,
    };
    let post = post_of(written);
    let verdict = || language::detect(&post.text, &post.langs);
    let expected = naive::matches(&rule, &post, &verdict);
    let matcher = Matcher::compile(vec![rule]);
    let found = matcher.scan(&post, &verdict, &mut Scratch::default()).pop().map(|found| found.terms);
    assert_eq!(found, expected, "compiled, then naive: {:?} on {written:?}", matcher.rules()[0].tree.root);
}

fn text(bytes: &[u8]) {
    let text = lossy(bytes);
    tokens(&text, &mut |token| assert!(!token.is_empty()));
    let verdict = language::detect(&text, &[Lang::Cs]);
    assert!(verdict.best.is_none_or(|(_, share)| (0.0..=1.0).contains(&share)), "{verdict:?}");
}

/// What reads back is written as it reads: the same row comes of both.
fn row<T: Serialize + DeserializeOwned>(bytes: &[u8]) {
    let Ok(read) = decode::<T>(bytes) else { return };
    let written = encode(&read);
    let again = decode::<T>(&written).expect("what was written reads back");
    assert_eq!(encode(&again), written);
}

fn row_codec(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 11 {
        0 => row::<Post>(bytes),
        1 => row::<KnownPost>(bytes),
        2 => row::<AccountRow>(bytes),
        3 => row::<NearRow>(bytes),
        4 => row::<MentionRow>(bytes),
        5 => row::<OutboxRow>(bytes),
        6 => row::<DeadRow>(bytes),
        7 => row::<EndpointRow>(bytes),
        8 => row::<QueryVersionRow>(bytes),
        9 => row::<EndpointClock>(bytes),
        _ => row::<(PostId, Option<Lang>)>(bytes),
    }
}

fn html_text(bytes: &[u8]) {
    let markup = lossy(bytes);
    let base = Url::parse("https://example.org/a/").ok();
    let read = html::text(&markup, base.as_ref());
    assert!(read.links.len() <= html::LINKS_MAX && read.images.len() <= html::IMAGES_MAX);
    assert!(!html::line(&markup).contains('\n'));
    html::plain(&markup);
    html::entity(&markup);
}

fn characters(bytes: &[u8]) {
    const TYPES: [Option<&str>; 6] = [
        None,
        Some("text/xml"),
        Some("text/xml; charset=utf-8"),
        Some("text/html; charset=\"windows-1251\""),
        Some("text/xml;charset=shift_jis"),
        Some("text/xml; charset=utf-16"),
    ];
    let (kind, bytes) = bytes.split_first().map_or((0, bytes), |(kind, rest)| (usize::from(*kind), rest));
    let decoded = charset::decode(bytes, TYPES[kind % TYPES.len()], Some("cz"));
    assert!(decoded.text.len() <= 3 * bytes.len() + 3 && !decoded.encoding.is_empty());
    charset::charset_of(&lossy(bytes));
}

fn date(bytes: &[u8]) {
    let written = lossy(bytes);
    dates::parse(&written).map(|time| time.to_string());
    if let Ok(time) = written.parse::<Timestamp>() {
        assert_eq!(time.to_string().parse::<Timestamp>().ok(), Some(time), "{written}");
    }
}

fn opml(bytes: &[u8]) {
    let addresses = feed::addresses(&charset::decode(bytes, None, None).text).unwrap_or_default();
    assert!(addresses.iter().all(|url| matches!(url.scheme(), "http" | "https")));
}

/// Every mistake lies in the file and says something.
fn placed(text: &str, errors: &[FileError]) {
    assert!(!errors.is_empty());
    for error in errors {
        assert!(error.line <= text.matches('\n').count() + 1 && !error.message.is_empty(), "{error}");
    }
}

/// The first byte says how the body is packed and what it says that it is.
fn push_body(bytes: &[u8]) {
    const BODY_BYTES_MAX: usize = 1 << 20;
    let Some((&kind, body)) = bytes.split_first() else { return };
    let mut headers = axum::http::HeaderMap::new();
    let encoding = ["identity", "gzip", "zstd", "br"][usize::from(kind) % 4];
    let content = ["application/x-ndjson", "application/json"][usize::from(kind / 4) % 2];
    headers.insert("content-encoding", encoding.parse().unwrap());
    headers.insert("content-type", content.parse().unwrap());
    let Ok(inflated) = posts::inflate(&headers, body.to_vec().into(), BODY_BYTES_MAX) else { return };
    assert!(inflated.len() <= BODY_BYTES_MAX);
    let Ok(lines) = posts::split(&headers, &inflated) else { return };
    assert!(lines.iter().all(|line| !line.contains(&b'\n')));
}

/// No frame moves a cursor beyond what the wire can mean.
fn jetstream_frame(bytes: &[u8]) {
    let now = Timestamp::from_millis(NOW);
    let hour_us = 3_600_000_000;
    if let Some(time_us) = progress_of(WireVersion::V1, bytes, now) {
        assert!(time_us <= NOW as u64 * 1_000 + hour_us);
    }
    if let Some(seq) = progress_of(WireVersion::V2, bytes, now) {
        assert!(seq < NOW as u64 * 1_000);
    }
}

fn feed_cursor(bytes: &[u8]) {
    assert!(feeds::describe(bytes).len() < 1_000);
}

/// Headers of an answer, an address and a network, as somebody else wrote them.
fn http_head(bytes: &[u8]) {
    let text = lossy(bytes);
    let mut headers = axum::http::HeaderMap::new();
    if let Ok(value) = axum::http::HeaderValue::from_bytes(bytes) {
        for name in ["retry-after", "cache-control", "etag", "last-modified", "date"] {
            headers.insert(name, value.clone());
        }
    }
    let now = Timestamp::from_millis(NOW);
    let day = std::time::Duration::from_hours(24);
    assert!(conditional::retry_after(&headers, now).is_none_or(|wait| wait <= day));
    conditional::max_age(&headers);
    conditional::is_unsettled(&headers);
    let validators = conditional::Validators::of("https://a.example/", &headers);
    if let Some(validators) = validators {
        validators.apply("https://a.example/", &mut axum::http::HeaderMap::new());
    }
    let guard = Guard::new(Vec::new());
    if let Ok(url) = url::Url::parse(&text)
        && guard.check_url(&url).is_ok()
    {
        assert!(matches!(url.scheme(), "http" | "https") && url.username().is_empty());
    }
    if let Ok(network) = text.parse::<Network>() {
        assert_eq!(network.to_string().parse::<Network>().map(|again| again.to_string()), Ok(network.to_string()));
    }
}

fn toml_tables(bytes: &[u8]) {
    let text = lossy(bytes);
    if let Err(errors) = earful::config::Config::parse(Path::new("earful.toml"), &text, &[]) {
        placed(&text, &errors);
    }
    let project = ProjectText { slug: "brand".to_owned(), text: text.clone() };
    if let Err(errors) = read_project(Path::new("brand.toml"), &project, &Routes::default()) {
        placed(&text, &errors);
    }
}

fn signature(bytes: &[u8]) {
    let written = lossy(bytes);
    if let Ok(secret) = Secret::parse(&written) {
        assert_eq!(Secret::parse(&secret.reveal()).map(|secret| secret.reveal()), Ok(secret.reveal()));
    }
    let secrets = [Secret::parse(SECRET).expect("a secret")];
    let signed = Signed { id: "dlv_1", timestamp: NOW / 1000, body: bytes };
    let right = sign(&secrets, signed.id, signed.timestamp, signed.body);
    let verdict = verify(&secrets, &signed, &written, Timestamp::from_millis(NOW));
    assert!(verdict.is_err() || written.contains(&right));
    assert_eq!(verify(&secrets, &signed, &right, Timestamp::from_millis(NOW)), Ok(()));
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    static FILE: RefCell<tempfile::NamedTempFile> = RefCell::new(tempfile::NamedTempFile::new().expect("a file"));
}

/// Runs a source on a stored cursor. One that is told to stop says only whether it can read the cursor.
pub fn ended(source: &mut impl Source, cursor: Option<&[u8]>, stop: &CancellationToken) -> Ended {
    let (inlet, _inbox) = Inlet::new(Arc::new(Notify::new()));
    let resume = cursor.map(|value| Cursor { part: String::new(), value: value.to_vec() }).into_iter().collect();
    RUNTIME.with(|runtime| runtime.block_on(source.run(resume, &inlet, stop)))
}

fn cursor_jetstream(bytes: &[u8]) {
    thread_local! {
        static STREAM: RefCell<Jetstream> = RefCell::new(Jetstream::new(
            "stream".into(),
            JetstreamSettings {
                hosts: vec!["ws://127.0.0.1:9".to_owned()],
                wire: WireVersion::V1,
                collections: Vec::new(),
                dids: Vec::new(),
                compress: false,
                dead_after_s: 1,
                rewind_s: 1,
                frame_bytes_max: 4096,
            },
        ));
    }
    let stop = CancellationToken::new();
    stop.cancel();
    match STREAM.with_borrow_mut(|stream| ended(stream, Some(bytes), &stop)) {
        Ended::Stopped => {}
        Ended::Fatal { cause } => assert!(cause.contains("cursor"), "{cause}"),
        other => panic!("{other:?}"),
    }
}

fn recording_line(bytes: &[u8]) {
    let path = FILE.with_borrow(|file| file.path().to_owned());
    std::fs::write(&path, bytes).expect("room for a line");
    let settings = RecordingSettings { file: path.clone(), pace: Pace::Fast, factor: 1.0 };
    match ended(&mut Recording::new("played".into(), settings), None, &CancellationToken::new()) {
        Ended::Finished => {}
        Ended::Fatal { cause } => assert!(cause.contains(&*path.to_string_lossy()), "{cause}"),
        other => panic!("{other:?}"),
    }
}

#[cfg(test)]
mod runs {
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use earful::model::{ClusterId, Field, How, Match, Span, Term};
    use earful::store::{Holding, MentionState};
    use rayon::prelude::*;

    use super::*;

    const INPUTS: usize = 2_000;
    const INPUT_BYTES_MAX: usize = 16 << 10;
    /// The first of the targets are those that strangers reach; the others get a fifth of the time.
    const LONG_TARGETS: usize = 11;
    /// No input of this size may take longer, on a machine that is busy with other tests.
    const INPUT_TIME_MAX: Duration = Duration::from_secs(10);

    const INPUT_TIME_TOLD: Duration = Duration::from_millis(20);

    /// What grammars are made of.
    const PIECES: [&str; 64] = [
        "\"",
        "\\",
        "{",
        "}",
        "[",
        "]",
        "(",
        ")",
        "<",
        ">",
        "</",
        "/>",
        "<![CDATA[",
        "]]>",
        "<!--",
        "-->",
        "&amp;",
        "&#x",
        "&#0;",
        "&lt;",
        "<!DOCTYPE",
        "<!ENTITY a \"b\">",
        "&a;",
        "\\u0000",
        "\\ud800",
        "\\udc00\\ud800",
        "null",
        "true",
        "-1",
        "18446744073709551616",
        "1e999",
        "0.0",
        "\n",
        "\r\n",
        "\t",
        "\0",
        " AND ",
        " OR ",
        " NOT ",
        "-",
        "*",
        "#",
        "@",
        "{x}",
        "\"a b\"",
        "lang:cs",
        "author:",
        "site:*",
        "~3",
        "\u{301}",
        "İ",
        "ß",
        "東京",
        "ก็",
        "ﷺ",
        "👨‍👩‍👧",
        "\u{202e}",
        "\u{feff}",
        "2026-11-22T05:04:37Z",
        "+99:99",
        "=",
        "'''",
        "[a.b]",
        "whsec_",
    ];

    struct Dice(u64);

    impl Dice {
        fn below(&mut self, end: usize) -> usize {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((mixed ^ (mixed >> 31)) % end.max(1) as u64) as usize
        }

        fn range(&mut self, length: usize) -> std::ops::Range<usize> {
            let start = self.below(length + 1);
            let reach = 1 << self.below(8);
            start..(start + self.below(reach + 1)).min(length)
        }
    }

    fn root() -> PathBuf {
        Path::new(file!()).parent().unwrap().join("../..")
    }

    fn corpus(target: &str) -> Vec<Vec<u8>> {
        let directory = root().join("fuzz/corpus").join(target);
        let mut paths: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        assert!(paths.len() >= 2, "{} holds a few files", directory.display());
        let mut seeds: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
        if target == "row_codec" {
            let (post, mention) = (encode(&post_of("tea | green")), encode(&mention_of(post_of("tea | green"))));
            seeds.extend([[&[0][..], &post].concat(), [&[4][..], &mention].concat()]);
        }
        seeds
    }

    fn mention_of(post: Post) -> MentionRow {
        let term =
            Term { keyword: "tea".to_owned(), how: How::Word, field: Field::Title, span: Span { start: 0, end: 3 } };
        let found = Match {
            project: "p".to_owned(),
            query: "q".to_owned(),
            version: 1,
            tags: vec!["t".to_owned()],
            terms: vec![term],
        };
        MentionRow {
            revision: 1,
            log_seq: 2,
            state: MentionState::Live,
            verdict: language::detect(&post.text, &post.langs),
            matches: vec![found],
            parent: None,
            root: None,
            cluster: ClusterId::of("tea"),
            cluster_first: post.id,
            cluster_size: 1,
            matched_at: Timestamp::from_millis(NOW),
            edited: false,
            endpoints: [("hook".to_owned(), Holding::Holds)].into(),
            post,
        }
    }

    fn mutate(input: &mut Vec<u8>, others: &[Vec<u8>], dice: &mut Dice) {
        let range = dice.range(input.len());
        match dice.below(9) {
            0 if !range.is_empty() => input[range.start] ^= 1 << dice.below(8),
            1 if !range.is_empty() => input[range.start] = [0, 0x7f, 0x80, 0xff, b'"', b' '][dice.below(6)],
            2 => drop(input.drain(range)),
            3 => {
                let part = input[range.clone()].to_vec();
                input.splice(range.end..range.end, part.repeat(1 + dice.below(20)));
            }
            4 => {
                let other = &others[dice.below(others.len())];
                let part = other[dice.range(other.len())].to_vec();
                input.splice(range, part);
            }
            5 => input.truncate(range.start),
            6 => {
                let bytes = (0..1 + dice.below(8)).map(|_| dice.below(256) as u8).collect::<Vec<_>>();
                input.splice(range, bytes);
            }
            _ => {
                let piece = PIECES[dice.below(PIECES.len())].as_bytes();
                input.splice(range.start..range.start, piece.iter().copied());
            }
        }
        input.truncate(INPUT_BYTES_MAX);
    }

    /// Runs one input. What is wrong with it is told with the bytes.
    fn try_one(name: &str, body: fn(&[u8]), input: &[u8]) -> Result<Duration, String> {
        let attempt = || {
            let started = Instant::now();
            std::panic::catch_unwind(|| body(input)).map(|()| started.elapsed())
        };
        // A second attempt tells a slow input from a busy machine.
        let took = match attempt() {
            Ok(took) if took > INPUT_TIME_TOLD => attempt().map(|again| again.min(took)),
            other => other,
        };
        if let Ok(took) = took
            && took < INPUT_TIME_MAX
        {
            return Ok(took);
        }
        let kept = std::env::temp_dir().join(format!("earful-fuzz-{name}-{}", blake3::hash(input).to_hex()));
        std::fs::write(&kept, input).unwrap();
        Err(format!("{name} panics or hangs on {}: {}", kept.display(), input.escape_ascii()))
    }

    fn fuzz(name: &str, body: fn(&[u8]), time: Option<Duration>) -> Result<(usize, Duration), String> {
        let corpus = corpus(name);
        let mut slowest = Duration::ZERO;
        for input in &corpus {
            slowest = slowest.max(try_one(name, body, input)?);
        }
        let seed = match time {
            Some(_) => std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64,
            None => 0x5eed,
        };
        let (mut dice, started, mut inputs) = (Dice(seed), Instant::now(), 0);
        while time.map_or(inputs < INPUTS, |time| started.elapsed() < time) {
            let mut input = corpus[dice.below(corpus.len())].clone();
            for _ in 0..1 + dice.below(8) {
                mutate(&mut input, &corpus, &mut dice);
            }
            slowest = slowest.max(try_one(name, body, &input)?);
            inputs += 1;
        }
        Ok((inputs, slowest))
    }

    #[test]
    fn no_decoder_panics_or_hangs_on_bytes_that_nobody_vouches_for() {
        let seconds = std::env::var("EARFUL_FUZZ_SECONDS").ok().map(|text| text.parse::<u64>().unwrap());
        let found = TARGETS.par_iter().enumerate().filter_map(|(at, (name, body))| {
            let share = if at < LONG_TARGETS { 1 } else { 5 };
            let time = seconds.map(|seconds| Duration::from_secs(seconds / share));
            match fuzz(name, *body, time) {
                Ok((inputs, slowest)) => {
                    println!("{name}: {inputs} inputs, the slowest took {} µs", slowest.as_micros())
                }
                Err(found) => return Some(found),
            }
            None
        });
        let found: Vec<String> = found.collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }

    #[test]
    fn every_target_has_a_program_and_a_corpus() {
        let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        for (name, _) in TARGETS {
            assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
            let program = std::fs::read_to_string(root().join(format!("fuzz/fuzz_targets/{name}.rs"))).unwrap();
            assert!(program.contains(&format!("fuzzed::run(\"{name}\", bytes)")), "{name}");
        }
    }
}
