use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::model::{Lang, Post, PostKind, ThreadId, Timestamp};

const CREATE: &str = r##"{"did":"did:plc:q235abcdefghijklmnopqrst","time_us":1779719009157119,"kind":"commit","commit":{"rev":"3mmoojpaqkn2z","operation":"create","collection":"app.bsky.feed.post","rkey":"3mmoojp4cd223","record":{"$type":"app.bsky.feed.post","createdAt":"2026-05-25T14:23:28.757Z","langs":["en","pt-BR"],"text":"Ask @ann.example about #tea https://example.com/x","facets":[{"index":{"byteStart":4,"byteEnd":16},"features":[{"$type":"app.bsky.richtext.facet#mention","did":"did:plc:zzzz"}]},{"index":{"byteStart":23,"byteEnd":27},"features":[{"$type":"app.bsky.richtext.facet#tag","tag":"tea"}]},{"index":{"byteStart":28,"byteEnd":49},"features":[{"$type":"app.bsky.richtext.facet#link","uri":"https://example.com/x"}]}],"reply":{"parent":{"cid":"b","uri":"at://did:plc:p/app.bsky.feed.post/2"},"root":{"cid":"a","uri":"at://did:plc:r/app.bsky.feed.post/1"}}},"cid":"bafyrei"}}"##;

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn read_as(
    decode: fn(&mut [u8], Origin<'_>) -> Result<PostEvent, Rejected>,
    body: &[u8],
) -> Result<PostEvent, Rejected> {
    let source: Arc<str> = "stream".into();
    decode(&mut body.to_vec(), Origin { source: &source, fetched_at: now() })
}

fn read(text: &str) -> Result<PostEvent, Rejected> {
    read_as(event, text.as_bytes())
}

fn post_of(text: &str) -> Post {
    match read(text) {
        Ok(PostEvent::Upsert { post, .. }) => *post,
        other => panic!("{other:?}"),
    }
}

/// `CREATE` with another record.
fn with_record(record: &str) -> String {
    let (start, rest) = CREATE.split_once("\"record\":").unwrap();
    let (_, end) = rest.rsplit_once(",\"cid\"").unwrap();
    format!("{start}\"record\":{record},\"cid\"{end}")
}

fn sample(name: &str) -> Option<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/samples").join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("{} is not here: not checked", path.display());
    }
    text
}

#[test]
fn a_reply_keeps_its_thread_its_tags_links_names_and_languages() {
    let post = post_of(CREATE);
    assert_eq!(post.kind, PostKind::Reply);
    assert_eq!(post.native_id, "at://did:plc:q235abcdefghijklmnopqrst/app.bsky.feed.post/3mmoojp4cd223");
    assert_eq!(post.thread.id, ThreadId::of("bluesky", "at://did:plc:r/app.bsky.feed.post/1"));
    assert_eq!(post.thread.parent, Some(PostId::of("bluesky", "at://did:plc:p/app.bsky.feed.post/2")));
    assert_eq!((post.hashtags, post.mentions), (vec!["tea".to_owned()], vec!["ann.example".to_owned()]));
    assert_eq!(post.links, ["https://example.com/x"]);
    assert_eq!(post.langs, [Lang::En, Lang::Pt]);
    assert_eq!(
        post.url.as_deref(),
        Some("https://bsky.app/profile/did:plc:q235abcdefghijklmnopqrst/post/3mmoojp4cd223")
    );
    assert_eq!(post.published_at, "2026-05-25T14:23:28.757Z".parse().ok());
}

#[test]
fn embeds_make_quotes_and_links() {
    let quote = post_of(&with_record(
        r#"{"text":"this","embed":{"$type":"app.bsky.embed.recordWithMedia","record":{"record":{"uri":"at://x"}},"media":{"$type":"app.bsky.embed.external","external":{"uri":"https://example.com/card","title":"t"}}}}"#,
    ));
    assert_eq!((quote.kind, quote.links), (PostKind::Quote, vec!["https://example.com/card".to_owned()]));
    let card = post_of(&with_record(
        r##"{"text":"","tags":["tea","#tea"],"embed":{"$type":"app.bsky.embed.external","external":{"uri":"https://example.com/card"}}}"##,
    ));
    assert_eq!((card.kind, card.links.len(), card.hashtags), (PostKind::Post, 1, vec!["tea".to_owned()]));
}

#[test]
fn an_embed_of_a_kind_that_is_not_known_costs_no_post() {
    for media in [r#""text""#, "[1]", "7", r#"{"external":[]}"#, r#"{"external":{"uri":9}}"#] {
        let post = post_of(&with_record(&format!(
            r#"{{"text":"this","embed":{{"$type":"org.example.embed","external":{{"uri":"https://example.com/card"}},"media":{media}}}}}"#
        )));
        assert_eq!((post.text.as_str(), post.links.len()), ("this", 1), "{media}");
    }
}

#[test]
fn a_time_in_the_future_or_of_no_form_is_not_believed() {
    let future = post_of(&with_record(r#"{"text":"x","createdAt":"2999-01-01T00:00:00Z"}"#));
    assert_eq!(future.published_at, Some(now()));
    assert_eq!(post_of(&with_record(r#"{"text":"x","createdAt":"soon"}"#)).published_at, None);
    assert_eq!(post_of(&with_record(r#"{"text":"x","createdAt":7}"#)).published_at, None);
}

#[test]
fn an_edit_may_leave_nothing_and_a_new_post_may_not() {
    let empty = with_record(r#"{"text":" "}"#);
    assert_eq!(read(&empty), Err(Rejected::Empty));
    assert_eq!(post_of(&empty.replace("\"create\"", "\"update\"")).text, " ");
}

#[test]
fn both_wires_say_the_same() {
    let value: serde_json::Value = serde_json::from_str(CREATE).unwrap();
    let mut payload = value["commit"].clone();
    payload["$type"] = "network.bsky.jetstream.subscribeEvents#commit".into();
    payload["did"] = value["did"].clone();
    payload["seq"] = 7.into();
    let second = serde_json::json!({"$type": "message", "payload": payload}).to_string();
    assert_eq!(read_as(frame, second.as_bytes()), read(CREATE));
    let first = r#"{"did":"did:plc:q235","time_us":1779719009157119,"kind":"account","account":{"active":false,"status":"deactivated"}}"#;
    let second = r##"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#account","seq":9,"did":"did:plc:q235","time":"2026-05-25T14:23:29.157119Z","account":{"seq":1,"did":"did:plc:q235","time":"2026-05-25T14:23:29.1Z","active":false,"status":"deactivated"}}}"##;
    assert_eq!(read_as(frame, second.as_bytes()), read(first));
    assert!(matches!(read(first), Ok(PostEvent::Account { status: AuthorStatus::Hidden, .. })));
}

#[test]
fn an_account_event_is_ordered_with_the_revisions_of_its_time() {
    let account = |said: &str| {
        let text =
            format!(r#"{{"did":"did:plc:q235","time_us":1779719009157119,"kind":"account","account":{{{said}}}}}"#);
        match read(&text) {
            Ok(PostEvent::Account { status, order, .. }) => (status, order),
            other => panic!("{other:?}"),
        }
    };
    let Ok(PostEvent::Upsert { order: before, .. }) = read(CREATE) else { panic!("no post") };
    let (status, order) = account(r#""active":false,"status":"deleted""#);
    assert_eq!(status, AuthorStatus::Erased);
    assert!(order > before && order.0 - before.0 < (60 * 1_000_000) << CLOCK_ID_BITS, "the two lie within a minute");
    for (said, status) in [
        (r#""active":true"#, AuthorStatus::Active),
        (r#""active":true,"status":"throttled""#, AuthorStatus::Active),
        (r#""active":false,"status":"takendown""#, AuthorStatus::Erased),
        (r#""active":false,"status":"suspended""#, AuthorStatus::Hidden),
        (r#""active":false,"status":"desynchronized""#, AuthorStatus::Hidden),
        (r#""active":false"#, AuthorStatus::Hidden),
    ] {
        assert_eq!(account(said).0, status, "{said}");
    }
}

#[test]
fn a_revision_is_its_time_and_clock() {
    assert_eq!(parse_tid("2222222222222"), Some(0));
    assert_eq!(parse_tid("222222222222z"), Some(31));
    assert_eq!(parse_tid("3mmoojpaqkn2z").map(|tid| tid >> CLOCK_ID_BITS), Some(1_779_719_008_901_651));
    for wrong in ["", "222222222222", "22222222222222", "2222222222221", "zzzzzzzzzzzzz", "222222222222Z"] {
        assert_eq!(parse_tid(wrong), None, "{wrong}");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let cases = [
        ("", Rejected::Syntax),
        ("{", Rejected::Syntax),
        ("{}", Rejected::Shape),
        ("[1,2]", Rejected::Shape),
        (&CREATE[..CREATE.len() - 40], Rejected::Syntax),
        (&CREATE.replace("3mmoojpaqkn2z", "short"), Rejected::Value),
        (&CREATE.replace("\"create\"", "\"explode\""), Rejected::Value),
        (&CREATE.replace("app.bsky.feed.post\",\"rkey", "app.bsky.feed.like\",\"rkey"), Rejected::Irrelevant),
        (&CREATE.replace("did:plc:q235abcdefghijklmnopqrst", "did:plc:a/b"), Rejected::NoId),
        (&CREATE.replace("\"rkey\":\"3mmoojp4cd223\"", "\"rkey\":\"..\""), Rejected::NoId),
        (&CREATE.replace("\"commit\",\"commit\"", "\"identity\",\"commit\""), Rejected::Irrelevant),
        (&with_record("7"), Rejected::Shape),
        (&with_record("null"), Rejected::Shape),
        (&with_record(r#"{"text":7}"#), Rejected::Shape),
        (&with_record(r#"{"text":"x","langs":"en"}"#), Rejected::Shape),
        (&with_record(r#"{"text":"x","reply":{"root":{"uri":"at://x"}}}"#), Rejected::Shape),
        (&format!("{}{}", "[".repeat(100), "]".repeat(100)), Rejected::TooDeep),
    ];
    for (text, reason) in cases {
        assert_eq!(read(text).err(), Some(reason), "{}", &text[..text.len().min(80)]);
    }
    assert_eq!(read_as(event, &vec![b' '; EVENT_BYTES_MAX + 1]), Err(Rejected::TooLarge));
    assert_eq!(read_as(event, b"{\"did\":\"\xff\"}"), Err(Rejected::NotUtf8));
}

#[test]
fn facets_that_point_anywhere_do_no_harm() {
    for (start, end) in [
        ("-5", "3"),
        ("5", "4"),
        ("0", "99999"),
        ("9223372036854775807", "0"),
        ("18446744073709551615", "1"),
        ("1.5", "\"x\""),
    ] {
        let text =
            CREATE.replace("\"byteStart\":4,\"byteEnd\":16", &format!("\"byteStart\":{start},\"byteEnd\":{end}"));
        let post = post_of(&text);
        assert!(post.mentions.is_empty(), "{start}..{end}");
        assert_eq!(post.hashtags, ["tea"]);
    }
    let split = with_record(
        r#"{"text":"éé","facets":[{"index":{"byteStart":1,"byteEnd":3},"features":[{"$type":"app.bsky.richtext.facet#mention"}]}]}"#,
    );
    assert!(post_of(&split).mentions.is_empty());
    assert!(post_of(&with_record(r#"{"text":"x","facets":{"no":"list"}}"#)).hashtags.is_empty());
}

#[test]
fn a_record_without_bounds_is_bounded() {
    let features: Vec<String> = (0..1000).map(|n| format!(r#"{{"$type":"a#tag","tag":"t{n}"}}"#)).collect();
    let record = format!(
        r#"{{"text":"{}","facets":[{{"features":[{}]}}],"tags":["{}"]}}"#,
        "é".repeat(100_000),
        features.join(","),
        "t".repeat(5000)
    );
    let post = post_of(&with_record(&record));
    assert!(post.truncated && post.text.len() <= crate::model::TEXT_BYTES_MAX);
    assert_eq!(post.hashtags.len(), 128);
}

/// How many events of each kind a corpus holds, and how many of them are posts.
fn tally(corpus: &str) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for line in corpus.lines() {
        let name = match read(line) {
            Ok(PostEvent::Upsert { .. }) => "upsert",
            Ok(PostEvent::Delete { .. }) => "delete",
            Ok(PostEvent::Account { .. }) => "account",
            Err(Rejected::Irrelevant) => "irrelevant",
            other => panic!("{other:?}: {line}"),
        };
        *counts.entry(name).or_default() += 1;
    }
    counts
}

#[test]
fn the_recorded_events_of_the_real_stream_decode_as_they_should() {
    let Some(corpus) = sample("jetstream/corpus_expected_v1.jsonl") else { return };
    let Some(manifest) = sample("jetstream/corpus_manifest.json") else { return };
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let counts = tally(&corpus);
    let of_posts = |operation: &str| {
        let is = |line: &&str| line.contains("\"collection\":\"app.bsky.feed.post\"") && line.contains(operation);
        corpus.lines().filter(is).count()
    };
    assert_eq!(counts.values().sum::<usize>() as u64, manifest["v1_events"].as_u64().unwrap());
    assert_eq!(counts.get("account").copied().unwrap_or(0) as u64, manifest["account"].as_u64().unwrap());
    let upserts = of_posts("\"operation\":\"create\"") + of_posts("\"operation\":\"update\"");
    assert_eq!(counts.get("upsert").copied().unwrap_or(0), upserts);
    assert_eq!(counts.get("delete").copied().unwrap_or(0), of_posts("\"operation\":\"delete\""));
    assert!(upserts > 0);
}

#[test]
fn the_golden_events_and_the_frames_of_the_second_wire_decode() {
    if let Some(golden) = sample("jetstream/golden_v1.jsonl") {
        assert_eq!(
            tally(&golden),
            BTreeMap::from([("account", 1), ("irrelevant", golden.lines().count() - 2), ("upsert", 1)])
        );
    }
    let Some(frames) = sample("_constructed/jetstream_v2_frames.jsonl") else { return };
    let read: Vec<_> = frames.lines().map(|line| read_as(frame, line.as_bytes())).collect();
    let [
        Ok(PostEvent::Upsert { post, order: made, .. }),
        Ok(PostEvent::Delete { id, order: deleted }),
        account,
        info,
        error,
    ] = &read[..]
    else {
        panic!("{read:?}")
    };
    assert_eq!(post.id, *id);
    assert!(made < deleted);
    assert!(matches!(account, Ok(PostEvent::Account { status: AuthorStatus::Erased, .. })));
    assert_eq!((info, error), (&Err(Rejected::Irrelevant), &Err(Rejected::Irrelevant)));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_as(event, &bytes).ok();
        read_as(frame, &bytes).ok();
    }

    #[test]
    fn no_change_of_one_byte_does_harm(at in 0..CREATE.len(), byte in any::<u8>()) {
        let mut bytes = CREATE.as_bytes().to_vec();
        bytes[at] = byte;
        read_as(event, &bytes).ok();
        read_as(frame, &bytes).ok();
    }
}
