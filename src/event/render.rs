//! What is known of a mention, a gap or a test, written as the body of one event for one endpoint.
//! Unaware of the store and of routing: the caller says which matches an endpoint may see.

use jiff::fmt::temporal::DateTimePrinter;
use jiff::tz::TimeZone;

use super::body;
use super::body::{Envelope, Event, Shown};
use super::offsets::Offsets;
use crate::model::{
    AuthorId, ClusterId, DeliveryId, Excerpt, Field, Lang, Match, Post, PostId, Span, Term, ThreadId, Timestamp,
    Verdict,
};

/// Every event that this program sends.
pub const EVENTS: [&str; 5] = [MATCHED, UPDATED, DELETED, GAP, TEST];

const MATCHED: &str = "mention.matched";
const UPDATED: &str = "mention.updated";
pub const DELETED: &str = "mention.deleted";
const GAP: &str = "source.gap";
const TEST: &str = "endpoint.test";

/// The version of the events' schema.
const SCHEMA: u32 = 1;
/// Room for what surrounds a post's text in a body; one that needs more grows.
const FRAME_BYTES: usize = 2 << 10;

/// A mention as one endpoint may see it.
#[derive(Clone, Debug)]
pub struct MentionView<'a> {
    pub id: PostId,
    pub post: &'a Post,
    pub verdict: Verdict,
    pub revision: u32,
    /// Those of the projects routed to the endpoint; empty when an edit no longer matches.
    pub matches: Vec<&'a Match>,
    pub parent: Option<&'a Excerpt>,
    pub root: Option<&'a Excerpt>,
    pub cluster: ClusterId,
    pub cluster_is_first: bool,
    pub cluster_size: u32,
    pub edited: bool,
    pub matched_at: Timestamp,
    /// An IANA name. One that is not known leaves the local time out.
    pub time_zone: &'a str,
}

/// A mention that is gone: ids and no text.
#[derive(Clone, Copy, Debug)]
pub struct DeletedView<'a> {
    pub id: PostId,
    pub revision: u32,
    pub thread: ThreadId,
    pub network: &'a str,
    pub author: AuthorId,
    pub at: Timestamp,
}

/// A hole that a source declared: `from` and `to` are its own words.
#[derive(Clone, Copy, Debug)]
pub struct GapView<'a> {
    pub source: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub why: &'a str,
    pub at: Timestamp,
}

/// Whether an endpoint hears of a mention for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MentionEvent {
    Matched,
    Updated,
}

impl MentionEvent {
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => MATCHED,
            Self::Updated => UPDATED,
        }
    }
}

/// A body with its id, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderedEvent {
    pub id: DeliveryId,
    /// One of `EVENTS`.
    pub event: &'static str,
    /// JSON.
    pub body: Vec<u8>,
}

/// The full snapshot of a mention. Its id is of the endpoint, the mention, the revision, the event and the content
/// without times. One id always has one body: the body is stored with the row that the id names, and after a crash
/// before that commit the decision is made again, when the first body was never sent.
pub fn mention(endpoint: &str, event: MentionEvent, view: &MentionView<'_>) -> RenderedEvent {
    let id = DeliveryId::of(endpoint, view.id, view.revision, event.name(), &content_key(view));
    let envelope = envelope(view.matched_at, mention_body(view));
    let capacity = FRAME_BYTES + view.post.text.len();
    let whole = match event {
        MentionEvent::Matched => Event::Matched(envelope),
        MentionEvent::Updated => Event::Updated(envelope),
    };
    RenderedEvent { id, event: event.name(), body: write(&whole, capacity) }
}

/// The withdrawal of a mention.
pub fn deleted(endpoint: &str, gone: &DeletedView<'_>) -> RenderedEvent {
    let id = DeliveryId::of(endpoint, gone.id, gone.revision, DELETED, gone.thread.as_bytes());
    let data = body::Deleted {
        id: Shown(gone.id),
        revision: gone.revision,
        source: body::DeletedSource { network: gone.network },
        thread: body::DeletedThread { id: Shown(gone.thread) },
        author: body::DeletedAuthor { id: Shown(gone.author) },
    };
    RenderedEvent { id, event: DELETED, body: write(&Event::Deleted(envelope(gone.at, data)), FRAME_BYTES) }
}

/// A declared hole in coverage. Declared again, it is another event: its time is part of its id.
pub fn gap(endpoint: &str, gap: &GapView<'_>) -> RenderedEvent {
    let GapView { source, from, to, why, at } = *gap;
    let id = DeliveryId::of_notice(endpoint, GAP, &format!("{source}\0{from}\0{to}\0{}", at.millis()));
    let data = body::Gap { source, from, to, why };
    RenderedEvent { id, event: GAP, body: write(&Event::Gap(envelope(at, data)), FRAME_BYTES) }
}

/// An event that tries an endpoint and tells of nothing.
pub fn test(endpoint: &str, at: Timestamp) -> RenderedEvent {
    let id = DeliveryId::of_notice(endpoint, TEST, &at.millis().to_string());
    RenderedEvent { id, event: TEST, body: write(&Event::Test(envelope(at, body::Test { endpoint })), FRAME_BYTES) }
}

fn envelope<T>(at: Timestamp, data: T) -> Envelope<T> {
    Envelope { schema: SCHEMA, timestamp: Shown(at), data }
}

fn write(event: &Event<'_>, capacity: usize) -> Vec<u8> {
    let mut body = Vec::with_capacity(capacity);
    serde_json::to_writer(&mut body, event).expect("an event holds only texts, numbers and lists of them");
    body
}

/// What decides a mention's body, apart from times: each part behind its length.
fn content_key(view: &MentionView<'_>) -> Vec<u8> {
    let mut key = Vec::with_capacity(FRAME_BYTES + view.post.text.len());
    let mut part = |bytes: &[u8]| {
        key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        key.extend_from_slice(bytes);
    };
    part(&[u8::from(view.post.title.is_some()), u8::from(view.edited)]);
    part(view.post.title.as_deref().unwrap_or_default().as_bytes());
    part(view.post.text.as_bytes());
    for found in &view.matches {
        part(found.project.as_bytes());
        part(found.query.as_bytes());
        part(&found.version.to_le_bytes());
        for Term { field, span, .. } in &found.terms {
            part(field.name().as_bytes());
            part(&span.start.to_le_bytes());
            part(&span.end.to_le_bytes());
        }
    }
    key
}

fn mention_body<'a>(view: &MentionView<'a>) -> body::Mention<'a> {
    let post = view.post;
    let lag = post.published_at.filter(|&at| at <= post.fetched_at).map(|at| post.fetched_at.since(at));
    body::Mention {
        id: Shown(view.id),
        revision: view.revision,
        source: body::Source {
            network: &post.network,
            source_type: post.source_type.name(),
            site: &post.site,
            board: post.board.as_deref(),
            connector: post.connector.name(),
            lag_ms: lag.and_then(|lag| u64::try_from(lag.as_millis()).ok()),
        },
        url: post.url.as_deref(),
        kind: post.kind.name(),
        edited: view.edited,
        dedupe: body::Dedupe { cluster: Shown(view.cluster), is_first: view.cluster_is_first, size: view.cluster_size },
        thread: body::Thread {
            id: Shown(post.thread.id),
            root_id: post.thread.root.map(Shown),
            parent_id: post.thread.parent.map(Shown),
            root: view.root.map(excerpt_body),
            parent: view.parent.map(excerpt_body),
        },
        author: body::Author {
            id: Shown(post.author.id),
            native_id: &post.author.native_id,
            handle: post.author.handle.as_deref(),
            name: post.author.name.as_deref(),
            url: post.author.url.as_deref(),
        },
        content: content_body(post, view.verdict),
        matches: match_bodies(view),
        times: body::Times {
            published_at: post.published_at.map(Shown),
            fetched_at: Shown(post.fetched_at),
            matched_at: Shown(view.matched_at),
            local: local(post.published_at.unwrap_or(post.fetched_at), view.time_zone),
        },
        provenance: body::Provenance { pipeline: env!("CARGO_PKG_VERSION") },
    }
}

fn excerpt_body(excerpt: &Excerpt) -> body::Excerpt<'_> {
    body::Excerpt { author: excerpt.author.as_deref(), text: &excerpt.text }
}

fn content_body(post: &Post, verdict: Verdict) -> body::Content<'_> {
    let language =
        |(lang, confidence): (Lang, f32)| body::Language { code: lang.code(), confidence, certain: verdict.certain };
    body::Content {
        title: post.title.as_deref(),
        text: &post.text,
        truncated: post.truncated,
        lang: verdict.best.map(language),
        hashtags: &post.hashtags,
        links: &post.links,
    }
}

/// The matches with every occurrence counted in three units, in one walk over each field.
fn match_bodies<'a>(view: &MentionView<'a>) -> Vec<body::Match<'a>> {
    let spans_in = |field: Field| -> Vec<Span> {
        let terms = view.matches.iter().flat_map(|found| &found.terms);
        terms.filter(|term| term.field == field).map(|term| term.span).collect()
    };
    let title = Offsets::of(view.post.title.as_deref().unwrap_or_default(), spans_in(Field::Title).into_iter());
    let text = Offsets::of(&view.post.text, spans_in(Field::Text).into_iter());
    let term_body = |term: &'a Term| {
        let (start, end, form) = match term.field {
            Field::Title => title.locate(term.span),
            Field::Text => text.locate(term.span),
        };
        body::Term {
            keyword: &term.keyword,
            form,
            how: term.how.name(),
            field: term.field.name(),
            start: start.chars,
            end: end.chars,
            start_utf16: start.utf16,
            end_utf16: end.utf16,
            start_byte: start.byte,
            end_byte: end.byte,
        }
    };
    let match_body = |found: &&'a Match| body::Match {
        project: &found.project,
        query: &found.query,
        version: found.version,
        tags: &found.tags,
        terms: found.terms.iter().map(term_body).collect(),
    };
    view.matches.iter().map(match_body).collect()
}

/// A time on the clock of a zone, to the second and with its offset. The lookup of a zone is cached by jiff.
fn local(at: Timestamp, time_zone: &str) -> Option<String> {
    let zone = TimeZone::get(time_zone).ok()?;
    let at = jiff::Timestamp::from_second(at.seconds()).ok()?;
    Some(DateTimePrinter::new().timestamp_with_offset_to_string(&at, zone.to_offset(at)))
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::{Author, Connector, How, PostKind, SourceType, Thread};

    const TEXT: &str = "Už třetí den nám s Vodafonem nefunguje internet. 😡 Vodafone!";

    /// Everything that a view borrows.
    pub struct Known {
        pub post: Post,
        pub matches: Vec<Match>,
        pub excerpt: Excerpt,
    }

    fn native(name: &str) -> PostId {
        PostId::of("bluesky", name)
    }

    fn term(keyword: &str, how: How, field: Field, span: (u32, u32)) -> Term {
        Term { keyword: keyword.into(), how, field, span: Span { start: span.0, end: span.1 } }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// A Czech reply that two queries match.
    pub fn reply() -> Known {
        let post = Post {
            id: native("reply"),
            network: "bluesky".into(),
            native_id: "reply".into(),
            source_type: SourceType::Social,
            site: "bsky.app".into(),
            board: None,
            connector: Connector::Jetstream,
            source: "firehose".into(),
            kind: PostKind::Reply,
            url: Some("https://bsky.app/profile/jana/post/1".into()),
            author: Author {
                id: AuthorId::of("bluesky", "did:plc:jana"),
                native_id: "did:plc:jana".into(),
                handle: Some("jana.bsky.social".into()),
                name: None,
                url: None,
            },
            title: None,
            text: TEXT.into(),
            truncated: false,
            langs: vec![Lang::Cs],
            hashtags: vec!["výpadek".into()],
            mentions: vec![],
            links: vec![],
            thread: Thread {
                id: ThreadId::of("bluesky", "root"),
                root: Some(native("root")),
                parent: Some(native("parent")),
            },
            published_at: Some(at("2026-11-22T19:04:04.620Z")),
            edited_at: None,
            fetched_at: at("2026-11-22T19:04:05Z"),
        };
        let found = |query: &str, tags: &[&str], terms| Match {
            project: "care".into(),
            query: query.into(),
            version: 5,
            tags: tags.iter().map(|&tag| tag.into()).collect(),
            terms,
        };
        let outage = vec![term("nefunguje", How::Word, Field::Text, (33, 42))];
        let brand = vec![
            term("vodafone", How::Word, Field::Text, (58, 66)),
            term("vodafone", How::Name, Field::Text, (23, 32)),
        ];
        let matches = vec![found("outage", &["outage"], outage), found("brand", &[], brand)];
        let excerpt = Excerpt { author: Some("vodafone.cz".into()), text: "Jak se vám dnes \"surfuje\"?".into() };
        Known { post, matches, excerpt }
    }

    pub fn view(known: &Known) -> MentionView<'_> {
        MentionView {
            id: known.post.id,
            post: &known.post,
            verdict: Verdict { best: Some((Lang::Cs, 0.98)), certain: true, ..Verdict::default() },
            revision: 1,
            matches: known.matches.iter().collect(),
            parent: Some(&known.excerpt),
            root: None,
            cluster: ClusterId::of("text"),
            cluster_is_first: true,
            cluster_size: 1,
            edited: false,
            matched_at: at("2026-11-22T19:04:05.412Z"),
            time_zone: "Europe/Prague",
        }
    }

    pub fn gone() -> DeletedView<'static> {
        let Post { id, thread, author, .. } = reply().post;
        DeletedView {
            id,
            revision: 2,
            thread: thread.id,
            network: "bluesky",
            author: author.id,
            at: at("2026-11-23T08:00:00Z"),
        }
    }

    pub fn hole() -> GapView<'static> {
        GapView { source: "firehose", from: "1", to: "9", why: "cursor too old", at: at("2026-11-23T08:00:00Z") }
    }

    pub fn parsed(event: &RenderedEvent) -> Value {
        serde_json::from_slice(&event.body).unwrap()
    }

    #[test]
    fn a_czech_reply_has_a_golden_body() {
        let known = reply();
        let event = mention("care", MentionEvent::Matched, &view(&known));
        let golden = concat!(
            r#"{"type":"mention.matched","schema":1,"timestamp":"2026-11-22T19:04:05.412Z","data":{"#,
            r#""id":"m1_39dx2rb48gz0kt9c3xkyy4esyg","revision":1,"#,
            r#""source":{"network":"bluesky","type":"social","site":"bsky.app","connector":"jetstream","lag_ms":380},"#,
            r#""url":"https://bsky.app/profile/jana/post/1","kind":"reply","edited":false,"#,
            r#""dedupe":{"cluster":"c1_4pb0pkgjvayc50xyqh1dkxsweh","is_first":true,"size":1},"#,
            r#""thread":{"id":"t1_1n3f195j5k373dyjxt5y213h6b","root_id":"m1_5bsb7q6153qskfakmva8q8qhb1","#,
            r#""parent_id":"m1_4f2z112ba5awef0jhbk8rpcb8g","#,
            r#""parent":{"author":"vodafone.cz","text":"Jak se vám dnes \"surfuje\"?"}},"#,
            r#""author":{"id":"a1_5wmkw2p7dxreqzpbp8a319nqvp","native_id":"did:plc:jana","handle":"jana.bsky.social"},"#,
            r#""content":{"text":"Už třetí den nám s Vodafonem nefunguje internet. 😡 Vodafone!","truncated":false,"#,
            r#""lang":{"code":"cs","confidence":0.98,"certain":true},"hashtags":["výpadek"],"links":[]},"#,
            r#""matches":[{"project":"care","query":"outage","version":5,"tags":["outage"],"terms":["#,
            r#"{"keyword":"nefunguje","form":"nefunguje","how":"word","field":"text","#,
            r#""start":29,"end":38,"start_utf16":29,"end_utf16":38,"start_byte":33,"end_byte":42}]},"#,
            r#"{"project":"care","query":"brand","version":5,"tags":[],"terms":["#,
            r#"{"keyword":"vodafone","form":"Vodafone","how":"word","field":"text","#,
            r#""start":51,"end":59,"start_utf16":52,"end_utf16":60,"start_byte":58,"end_byte":66},"#,
            r#"{"keyword":"vodafone","form":"Vodafonem","how":"name","field":"text","#,
            r#""start":19,"end":28,"start_utf16":19,"end_utf16":28,"start_byte":23,"end_byte":32}]}],"#,
            r#""times":{"published_at":"2026-11-22T19:04:04.620Z","fetched_at":"2026-11-22T19:04:05.000Z","#,
            r#""matched_at":"2026-11-22T19:04:05.412Z","local":"2026-11-22T20:04:04+01:00"},"#,
            r#""provenance":{"pipeline":""#,
            env!("CARGO_PKG_VERSION"),
            r#""}}}"#,
        );
        assert_eq!(String::from_utf8(event.body).unwrap(), golden);
        assert_eq!((event.event, event.id.to_string().as_str()), ("mention.matched", "dlv_7g82qmq49zqhynsvq2bf6y5ey2"));
    }

    #[test]
    fn a_deletion_carries_ids_and_no_text() {
        let golden = concat!(
            r#"{"type":"mention.deleted","schema":1,"timestamp":"2026-11-23T08:00:00.000Z","data":{"#,
            r#""id":"m1_39dx2rb48gz0kt9c3xkyy4esyg","revision":2,"source":{"network":"bluesky"},"#,
            r#""thread":{"id":"t1_1n3f195j5k373dyjxt5y213h6b"},"author":{"id":"a1_5wmkw2p7dxreqzpbp8a319nqvp"}}}"#,
        );
        let event = deleted("care", &gone());
        assert_eq!(String::from_utf8(event.body).unwrap(), golden);
        assert_eq!(event.event, "mention.deleted");
    }

    #[test]
    fn gaps_and_tests_say_what_they_are_about() {
        let data = |event: &RenderedEvent| parsed(event)["data"].to_string();
        let gap = gap("care", &hole());
        assert_eq!(gap.event, "source.gap");
        assert_eq!(data(&gap), r#"{"source":"firehose","from":"1","to":"9","why":"cursor too old"}"#);
        let test = test("care", Timestamp::from_millis(1000));
        assert_eq!(test.event, "endpoint.test");
        assert_eq!(data(&test), r#"{"endpoint":"care"}"#);
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let mut known = reply();
        known.matches.clear();
        known.post.url = None;
        known.post.author.handle = None;
        known.post.thread = Thread { id: known.post.thread.id, root: None, parent: None };
        known.post.published_at = None;
        let bare = MentionView { verdict: Verdict::default(), parent: None, time_zone: "Mars/Olympus", ..view(&known) };
        let body = parsed(&mention("care", MentionEvent::Updated, &bare));
        let names = |pointer: &str| -> Vec<String> {
            body.pointer(pointer).unwrap().as_object().unwrap().keys().cloned().collect()
        };
        assert_eq!(names("/data/source"), ["network", "type", "site", "connector"]);
        assert_eq!(names("/data/thread"), ["id"]);
        assert_eq!(names("/data/author"), ["id", "native_id"]);
        assert_eq!(names("/data/content"), ["text", "truncated", "hashtags", "links"]);
        assert_eq!(names("/data/times"), ["fetched_at", "matched_at"]);
        assert!(!names("/data").contains(&"url".to_owned()));
        assert!(!body.to_string().contains("null"));
    }

    #[test]
    fn an_edit_that_no_longer_matches_has_an_empty_list_of_matches() {
        let known = reply();
        let left = MentionView { matches: vec![], edited: true, revision: 2, ..view(&known) };
        let body = parsed(&mention("care", MentionEvent::Updated, &left));
        assert_eq!(body["type"], "mention.updated");
        assert_eq!(body["data"]["matches"], Value::Array(vec![]));
        assert_eq!(body["data"]["edited"], true);
    }

    #[test]
    fn a_clock_that_runs_ahead_makes_no_lag() {
        let mut known = reply();
        known.post.published_at = Some(known.post.fetched_at);
        assert_eq!(parsed(&mention("care", MentionEvent::Matched, &view(&known)))["data"]["source"]["lag_ms"], 0);
        known.post.published_at = Some(at("2026-11-22T20:00:00Z"));
        let body = parsed(&mention("care", MentionEvent::Matched, &view(&known)));
        assert_eq!(body["data"]["source"].get("lag_ms"), None);
    }

    #[test]
    fn local_time_has_the_offset_of_its_day_and_falls_back_to_fetching() {
        let mut known = reply();
        let rendered =
            |known: &Known| parsed(&mention("care", MentionEvent::Matched, &view(known)))["data"]["times"].clone();
        known.post.published_at = Some(at("2026-07-01T23:30:00.999Z"));
        assert_eq!(rendered(&known)["local"], "2026-07-02T01:30:00+02:00");
        known.post.published_at = None;
        assert_eq!(rendered(&known)["local"], "2026-11-22T20:04:05+01:00");
        known.post.published_at = Some(Timestamp::from_millis(i64::MAX));
        assert_eq!(rendered(&known).get("local"), None);
    }

    #[test]
    fn terms_of_the_title_are_counted_in_the_title() {
        let mut known = reply();
        known.post.title = Some("😡 Výpadek".into());
        known.matches[1].terms = vec![
            term("výpadek", How::Exact, Field::Title, (5, 13)),
            term("internet", How::Word, Field::Text, (43, 51)),
        ];
        let body = parsed(&mention("care", MentionEvent::Matched, &view(&known)));
        let terms = &body["data"]["matches"][1]["terms"];
        assert_eq!((&terms[0]["form"], &terms[0]["field"]), (&Value::from("Výpadek"), &Value::from("title")));
        assert_eq!([&terms[0]["start"], &terms[0]["start_utf16"], &terms[0]["start_byte"]], [2, 3, 5]);
        assert_eq!([&terms[0]["end"], &terms[0]["end_utf16"], &terms[0]["end_byte"]], [9, 10, 13]);
        assert_eq!(terms[1]["form"], "internet");
    }

    #[test]
    fn an_id_depends_on_the_content_and_not_on_times() {
        let known = reply();
        let first = mention("care", MentionEvent::Matched, &view(&known)).id;
        let id = |endpoint: &str, view: &MentionView<'_>| mention(endpoint, MentionEvent::Matched, view).id;
        assert_eq!(id("care", &MentionView { matched_at: Timestamp::EPOCH, ..view(&known) }), first);
        assert_ne!(id("other", &view(&known)), first);
        assert_ne!(id("care", &MentionView { revision: 2, ..view(&known) }), first);
        assert_ne!(id("care", &MentionView { edited: true, ..view(&known) }), first);
        assert_ne!(id("care", &MentionView { matches: vec![&known.matches[0]], ..view(&known) }), first);
        assert_ne!(mention("care", MentionEvent::Updated, &view(&known)).id, first);
        let mut changed = reply();
        changed.matches[0].terms[0].span.end += 1;
        assert_ne!(id("care", &view(&changed)), first);
        let mut changed = reply();
        changed.post.title = Some(String::new());
        assert_ne!(id("care", &view(&changed)), first);
    }

    #[test]
    fn a_gap_declared_again_is_another_delivery_and_one_id_has_one_body() {
        let again = GapView { at: at("2026-11-24T08:00:00Z"), ..hole() };
        assert_eq!(gap("care", &hole()), gap("care", &hole()));
        assert_ne!(gap("care", &again).id, gap("care", &hole()).id);
        assert_ne!(gap("care", &GapView { to: "10", ..hole() }).id, gap("care", &hole()).id);
        assert_ne!(gap("other", &hole()).id, gap("care", &hole()).id);
        assert_ne!(test("care", Timestamp::from_millis(1)).id, test("care", Timestamp::from_millis(2)).id);
    }
}
