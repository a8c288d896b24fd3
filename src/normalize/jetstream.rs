//! Jetstream, both wires: one JSON event of Bluesky's stream to one post event.
//! Wire: <https://github.com/bluesky-social/jetstream>; records: the `app.bsky.feed.post` lexicon of the AT Protocol.

use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::{Arc, OnceLock};

use serde::Deserialize;
use simd_json::Buffers;

use crate::model::{
    Author, AuthorId, AuthorStatus, Connector, Lang, Order, Post, PostEvent, PostId, PostKind, Rejected, SourceType,
    TEXT_BYTES_MAX, Thread, ThreadId, Timestamp,
};

use super::{From, STREAM_EVENT_BYTES_MAX, cut, is_shallow};

const POST_COLLECTION: &str = "app.bsky.feed.post";
/// Facets, tags and languages of one post that are looked at.
const FACETS_MAX: usize = 128;
/// A TID's letters, in their order: <https://atproto.com/specs/tid>.
const TID_ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    did: Cow<'a, str>,
    time_us: u64,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    commit: Option<Commit<'a>>,
    #[serde(borrow, default)]
    account: Option<Account<'a>>,
}

#[derive(Deserialize)]
struct Commit<'a> {
    #[serde(borrow)]
    rev: Cow<'a, str>,
    #[serde(borrow)]
    operation: Cow<'a, str>,
    #[serde(borrow)]
    collection: Cow<'a, str>,
    #[serde(borrow)]
    rkey: Cow<'a, str>,
    #[serde(borrow, default)]
    record: Option<Record<'a>>,
}

#[derive(Deserialize)]
struct Account<'a> {
    active: bool,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
}

/// A frame of the second wire; what only one kind of payload has is optional.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(borrow, rename = "$type")]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    did: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    time: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    rev: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    operation: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    collection: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    rkey: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    record: Option<Record<'a>>,
    #[serde(default)]
    active: Option<bool>,
    #[serde(borrow, default)]
    status: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    created_at: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    langs: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    tags: Vec<Cow<'a, str>>,
    #[serde(borrow, default)]
    facets: Vec<Facet<'a>>,
    #[serde(borrow, default)]
    reply: Option<Reply<'a>>,
    #[serde(borrow, default)]
    embed: Option<Embed<'a>>,
}

#[derive(Deserialize)]
struct Facet<'a> {
    index: FacetIndex,
    #[serde(borrow, default)]
    features: Vec<Feature<'a>>,
}

/// Bytes of the text; untrusted.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FacetIndex {
    byte_start: i64,
    byte_end: i64,
}

#[derive(Deserialize)]
struct Feature<'a> {
    #[serde(borrow, rename = "$type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    tag: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Reply<'a> {
    #[serde(borrow)]
    parent: Reference<'a>,
    #[serde(borrow)]
    root: Reference<'a>,
}

#[derive(Deserialize)]
struct Reference<'a> {
    #[serde(borrow)]
    uri: Cow<'a, str>,
}

#[derive(Deserialize)]
struct Embed<'a> {
    #[serde(borrow, rename = "$type", default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    external: Option<External<'a>>,
}

#[derive(Deserialize)]
struct External<'a> {
    #[serde(borrow, default)]
    uri: Option<Cow<'a, str>>,
}

/// One event of the first wire.
pub(super) fn event(mut body: Vec<u8>, from: From<'_>) -> Result<PostEvent, Rejected> {
    check(&body)?;
    let event: Event<'_> = parse(&mut body)?;
    match (&*event.kind, event.commit, event.account) {
        ("commit", Some(commit), _) => of_commit(&event.did, commit, from),
        ("account", _, Some(account)) => of_account(&event.did, &account, event.time_us),
        ("commit" | "account", ..) => Err(Rejected::Shape),
        _ => Err(Rejected::Irrelevant),
    }
}

/// One frame of the second wire.
pub(super) fn frame(mut body: Vec<u8>, from: From<'_>) -> Result<PostEvent, Rejected> {
    check(&body)?;
    let Frame { payload } = parse(&mut body)?;
    let kind = payload.kind.rsplit('#').next().unwrap_or("");
    let did = payload.did.as_deref();
    match (kind, did) {
        ("commit", Some(did)) => {
            let commit = Commit {
                rev: payload.rev.ok_or(Rejected::Shape)?,
                operation: payload.operation.ok_or(Rejected::Shape)?,
                collection: payload.collection.ok_or(Rejected::Shape)?,
                rkey: payload.rkey.ok_or(Rejected::Shape)?,
                record: payload.record,
            };
            of_commit(did, commit, from)
        }
        ("account", Some(did)) => {
            let account = Account { active: payload.active.ok_or(Rejected::Shape)?, status: payload.status };
            let time: Timestamp = payload.time.and_then(|time| time.parse().ok()).ok_or(Rejected::Shape)?;
            of_account(did, &account, u64::try_from(time.millis()).map_err(|_| Rejected::Value)?.saturating_mul(1000))
        }
        ("commit" | "account", None) => Err(Rejected::Shape),
        _ => Err(Rejected::Irrelevant),
    }
}

fn check(body: &[u8]) -> Result<(), Rejected> {
    if body.len() > STREAM_EVENT_BYTES_MAX {
        return Err(Rejected::TooLarge);
    }
    if !is_shallow(body) {
        return Err(Rejected::TooDeep);
    }
    Ok(())
}

fn parse<'a, T: Deserialize<'a>>(body: &'a mut [u8]) -> Result<T, Rejected> {
    thread_local! {
        static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers::default());
    }
    if std::str::from_utf8(body).is_err() {
        return Err(Rejected::NotUtf8);
    }
    BUFFERS.with_borrow_mut(|buffers| {
        simd_json::serde::from_slice_with_buffers(body, buffers).map_err(|error| match error.error() {
            simd_json::ErrorType::Serde(_) => Rejected::Shape,
            _ if error.is_data() => Rejected::Shape,
            _ => Rejected::Syntax,
        })
    })
}

fn of_commit(did: &str, commit: Commit<'_>, from: From<'_>) -> Result<PostEvent, Rejected> {
    if commit.collection != POST_COLLECTION {
        return Err(Rejected::Irrelevant);
    }
    if !is_did(did) || !is_record_key(&commit.rkey) {
        return Err(Rejected::NoId);
    }
    let order = Order(parse_tid(&commit.rev).ok_or(Rejected::Value)?);
    let uri = format!("at://{did}/{}/{}", commit.collection, commit.rkey);
    match &*commit.operation {
        "create" | "update" => {
            let record = commit.record.ok_or(Rejected::Shape)?;
            let post = of_record(did, &commit.rkey, uri, record, from)?;
            Ok(PostEvent::Upsert { post: Box::new(post), order, quiet: false })
        }
        "delete" => Ok(PostEvent::Delete { id: PostId::of(network(), &uri), order }),
        _ => Err(Rejected::Value),
    }
}

fn of_account(did: &str, account: &Account<'_>, time_us: u64) -> Result<PostEvent, Rejected> {
    if !is_did(did) {
        return Err(Rejected::NoId);
    }
    let status = match (account.active, account.status.as_deref()) {
        (true, _) => AuthorStatus::Active,
        (false, Some("deleted" | "takendown")) => AuthorStatus::Erased,
        (false, _) => AuthorStatus::Hidden,
    };
    // Comparable with revisions: microseconds, and behind every one of the same microsecond.
    let order = Order(time_us.checked_mul(1 << 10).ok_or(Rejected::Value)? | 0x3ff);
    Ok(PostEvent::Account { author: AuthorId::of(network(), did), status, order })
}

fn of_record(did: &str, rkey: &str, uri: String, record: Record<'_>, from: From<'_>) -> Result<Post, Rejected> {
    let text = record.text.unwrap_or_default();
    if text.trim().is_empty() && record.embed.is_none() {
        return Err(Rejected::Empty);
    }
    let mut found = Found::default();
    found.facets(&text, &record.facets);
    found.hashtags.extend(record.tags.iter().take(FACETS_MAX).map(|tag| tag.trim_start_matches('#').to_owned()));
    let embed = record.embed.as_ref();
    found.links.extend(embed.and_then(|embed| embed.external.as_ref()?.uri.as_deref().map(str::to_owned)));
    let quotes = embed.is_some_and(|embed| embed.kind.starts_with("app.bsky.embed.record"));
    let kind = match (&record.reply, quotes) {
        (Some(_), _) => PostKind::Reply,
        (None, true) => PostKind::Quote,
        (None, false) => PostKind::Post,
    };
    let thread = thread_of(&uri, record.reply.as_ref());
    let published_at: Option<Timestamp> = record.created_at.and_then(|time| time.parse().ok());
    let (text, truncated) = cut(text.into_owned(), TEXT_BYTES_MAX);
    Ok(Post {
        id: PostId::of(network(), &uri),
        network: network().clone(),
        native_id: uri,
        source_type: SourceType::Social,
        site: site().clone(),
        board: None,
        connector: Connector::Jetstream,
        source: from.source.clone(),
        kind,
        url: Some(format!("https://bsky.app/profile/{did}/post/{rkey}")),
        author: Author {
            id: AuthorId::of(network(), did),
            native_id: did.to_owned(),
            handle: None,
            name: None,
            url: Some(format!("https://bsky.app/profile/{did}")),
        },
        title: None,
        text,
        truncated,
        langs: record.langs.iter().filter_map(|tag| Lang::parse(tag)).take(3).collect(),
        hashtags: found.hashtags,
        mentions: found.mentions,
        links: found.links,
        thread,
        // The author's clock: shown, never trusted for order, and never in the future.
        published_at: published_at.map(|time| time.min(from.fetched_at)),
        edited_at: None,
        fetched_at: from.fetched_at,
    })
}

fn thread_of(uri: &str, reply: Option<&Reply<'_>>) -> Thread {
    match reply {
        None => Thread { id: ThreadId::of(network(), uri), root: None, parent: None },
        Some(reply) => Thread {
            id: ThreadId::of(network(), &reply.root.uri),
            root: Some(PostId::of(network(), &reply.root.uri)),
            parent: Some(PostId::of(network(), &reply.parent.uri)),
        },
    }
}

#[derive(Default)]
struct Found {
    hashtags: Vec<String>,
    mentions: Vec<String>,
    links: Vec<String>,
}

impl Found {
    fn facets(&mut self, text: &str, facets: &[Facet<'_>]) {
        for facet in facets.iter().take(FACETS_MAX) {
            for feature in facet.features.iter().take(FACETS_MAX) {
                match feature.kind.rsplit('#').next() {
                    Some("tag") => self.hashtags.extend(feature.tag.as_deref().map(str::to_owned)),
                    Some("link") => self.links.extend(feature.uri.as_deref().map(str::to_owned)),
                    Some("mention") => self.mentions.extend(handle_at(text, &facet.index)),
                    _ => {}
                }
            }
        }
    }
}

/// The handle that the text shows where the facet points; the facet itself names a DID.
fn handle_at(text: &str, index: &FacetIndex) -> Option<String> {
    let start = usize::try_from(index.byte_start).ok()?;
    let end = usize::try_from(index.byte_end).ok()?;
    let handle = text.get(start..end)?.trim_start_matches('@');
    (!handle.is_empty()).then(|| handle.to_owned())
}

fn network() -> &'static Arc<str> {
    static NETWORK: OnceLock<Arc<str>> = OnceLock::new();
    NETWORK.get_or_init(|| "bluesky".into())
}

fn site() -> &'static Arc<str> {
    static SITE: OnceLock<Arc<str>> = OnceLock::new();
    SITE.get_or_init(|| "bsky.app".into())
}

fn is_did(text: &str) -> bool {
    text.starts_with("did:") && (8..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}

fn is_record_key(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte);
    (1..=512).contains(&text.len()) && text.bytes().all(allowed)
}

/// A TID as a number that grows with time: microseconds, then ten bits of a clock's id.
fn parse_tid(text: &str) -> Option<u64> {
    if text.len() != 13 {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = TID_ALPHABET.iter().position(|&letter| letter == byte)? as u64;
        number.checked_mul(32).map(|number| number | digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREATE: &str = r#"{"did":"did:plc:q235abcdefghijklmnopqrst","time_us":1779719009157119,"kind":"commit","commit":{"rev":"3mmoojpaqkn2z","operation":"create","collection":"app.bsky.feed.post","rkey":"3mmoojp4cd223","record":{"$type":"app.bsky.feed.post","createdAt":"2026-05-25T14:23:28.757Z","langs":["en","pt-BR"],"text":"Ask @ann.example about #tea https://example.com/x","facets":[{"index":{"byteStart":4,"byteEnd":16},"features":[{"$type":"app.bsky.richtext.facet#mention","did":"did:plc:zzzz"}]},{"index":{"byteStart":23,"byteEnd":27},"features":[{"$type":"app.bsky.richtext.facet#tag","tag":"tea"}]},{"index":{"byteStart":28,"byteEnd":49},"features":[{"$type":"app.bsky.richtext.facet#link","uri":"https://example.com/x"}]}],"reply":{"parent":{"cid":"b","uri":"at://did:plc:p/app.bsky.feed.post/2"},"root":{"cid":"a","uri":"at://did:plc:r/app.bsky.feed.post/1"}}},"cid":"bafyrei"}}"#;

    fn source() -> Arc<str> {
        "stream".into()
    }

    fn read(text: &str) -> Result<PostEvent, Rejected> {
        event(text.as_bytes().to_vec(), From { source: &source(), fetched_at: Timestamp::from_millis(1_800_000_000_000) })
    }

    #[test]
    fn a_reply_keeps_its_thread_its_tags_links_names_and_languages() {
        let PostEvent::Upsert { post, order, quiet } = read(CREATE).unwrap() else { panic!("no post") };
        assert!(!quiet && order.0 > 0);
        assert_eq!(post.kind, PostKind::Reply);
        assert_eq!(post.thread.id, ThreadId::of("bluesky", "at://did:plc:r/app.bsky.feed.post/1"));
        assert_eq!(post.thread.parent, Some(PostId::of("bluesky", "at://did:plc:p/app.bsky.feed.post/2")));
        assert_eq!((post.hashtags, post.mentions), (vec!["tea".to_owned()], vec!["ann.example".to_owned()]));
        assert_eq!(post.links, ["https://example.com/x"]);
        assert_eq!(post.langs, [Lang::En, Lang::Pt]);
        assert_eq!(post.url.as_deref(), Some("https://bsky.app/profile/did:plc:q235abcdefghijklmnopqrst/post/3mmoojp4cd223"));
    }

    #[test]
    fn both_wires_say_the_same() {
        let value: serde_json::Value = serde_json::from_str(CREATE).unwrap();
        let mut payload = value["commit"].clone();
        payload["$type"] = "network.bsky.jetstream.subscribeEvents#commit".into();
        payload["did"] = value["did"].clone();
        payload["seq"] = 7.into();
        let second = serde_json::json!({"$type": "message", "payload": payload}).to_string();
        let read_second =
            frame(second.into_bytes(), From { source: &source(), fetched_at: Timestamp::from_millis(1_800_000_000_000) });
        assert_eq!(read_second, read(CREATE));
    }

    #[test]
    fn an_account_event_is_ordered_with_the_revisions_of_its_time() {
        let text = r#"{"did":"did:plc:q235","time_us":1779719009157119,"kind":"account","account":{"active":false,"status":"deleted","did":"did:plc:q235","seq":1,"time":"x"}}"#;
        let PostEvent::Account { status, order, .. } = read(text).unwrap() else { panic!("no account") };
        let PostEvent::Upsert { order: before, .. } = read(CREATE).unwrap() else { panic!("no post") };
        assert_eq!(status, AuthorStatus::Erased);
        assert!(order > before);
        assert!(order.0 - before.0 < 60 * 1_000_000 * 1024, "the two lie within a minute");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let cases = [
            ("", Rejected::Syntax),
            ("{", Rejected::Syntax),
            ("{}", Rejected::Shape),
            ("[1,2]", Rejected::Shape),
            (&CREATE.replace("3mmoojpaqkn2z", "short"), Rejected::Value),
            (&CREATE.replace("\"create\"", "\"explode\""), Rejected::Value),
            (&CREATE.replace("app.bsky.feed.post\",\"rkey", "app.bsky.feed.like\",\"rkey"), Rejected::Irrelevant),
            (&CREATE.replace("did:plc:q235abcdefghijklmnopqrst", "did:plc:a/b"), Rejected::NoId),
            (&CREATE.replace("\"commit\",\"commit\"", "\"identity\",\"commit\""), Rejected::Irrelevant),
            (&format!("{}{}", "[".repeat(100), "]".repeat(100)), Rejected::TooDeep),
        ];
        for (text, reason) in cases {
            assert_eq!(read(text).err(), Some(reason), "{}", &text[..text.len().min(80)]);
        }
        let large = vec![b' '; STREAM_EVENT_BYTES_MAX + 1];
        assert_eq!(event(large, From { source: &source(), fetched_at: Timestamp::EPOCH }), Err(Rejected::TooLarge));
        assert_eq!(event(b"{\"did\":\"\xff\"}".to_vec(), From { source: &source(), fetched_at: Timestamp::EPOCH }), Err(Rejected::NotUtf8));
    }

    #[test]
    fn facets_that_point_anywhere_do_no_harm() {
        for (start, end) in [("-5", "3"), ("5", "4"), ("0", "99999"), ("9223372036854775807", "0")] {
            let text = CREATE.replace("\"byteStart\":4,\"byteEnd\":16", &format!("\"byteStart\":{start},\"byteEnd\":{end}"));
            let PostEvent::Upsert { post, .. } = read(&text).unwrap() else { panic!("no post") };
            assert!(post.mentions.is_empty(), "{start}..{end}");
        }
    }

    #[test]
    fn the_recorded_events_of_the_real_stream_decode_as_they_should() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/jetstream/corpus_expected_v1.jsonl");
        let Ok(corpus) = std::fs::read_to_string(path) else {
            println!("no recorded corpus here: not checked");
            return;
        };
        let mut posts = 0;
        for line in corpus.lines() {
            let is_post = line.contains("\"collection\":\"app.bsky.feed.post\"");
            match read(line) {
                Ok(PostEvent::Upsert { .. } | PostEvent::Delete { .. }) => {
                    assert!(is_post);
                    posts += 1;
                }
                Ok(PostEvent::Account { .. }) | Err(Rejected::Irrelevant) => assert!(!is_post),
                other => panic!("{other:?}: {line}"),
            }
        }
        assert_eq!(posts, corpus.matches("\"collection\":\"app.bsky.feed.post\"").count());
    }
}
