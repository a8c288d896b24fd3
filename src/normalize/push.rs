//! Pushed posts: `POST /v1/posts`, one JSON object a line. A token speaks only for the networks that it names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock;
use crate::model::{
    Author, AuthorId, Connector, Lang, Order, Post, PostEvent, PostId, PostKind, Rejected, SourceType, TEXT_BYTES_MAX,
    Thread, ThreadId, Timestamp,
};

use super::{Origin, cut, is_shallow};

/// Bytes of one pushed post.
pub const LINE_BYTES_MAX: usize = 256 << 10;
const ID_BYTES_MAX: usize = 1024;
const TITLE_BYTES_MAX: usize = 1024;
const URL_BYTES_MAX: usize = 4096;
/// Bytes of a handle, a name, a site or a board.
const NAME_BYTES_MAX: usize = 512;
/// Tags, and links, of one post.
const ITEMS_MAX: usize = 128;
const LANGS_MAX: usize = 3;
/// Bits of an order that count the lines of one push.
const LINE_BITS: u32 = 16;
/// Lines of one push: those after them could not be told apart.
const LINES_MAX: usize = 1 << LINE_BITS;

/// The stamp of the last push: milliseconds since 1970, or one more than the push before where the clock had not moved
/// on or was set back. So of two pushes to one process the later is always the later version. A restart forgets it:
/// if the clock was set back meanwhile, what is pushed until it has caught up counts as older than what is stored, and
/// changes nothing. Whoever must not depend on that gives revisions.
static LAST_STAMP: AtomicU64 = AtomicU64::new(0);

/// The first line of an arrival's body.
#[derive(Serialize, Deserialize)]
struct Head {
    #[serde(flatten)]
    scope: PushScope,
    /// The place of this push among all: the start of the order of its lines. Without it the time of arrival stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stamp: Option<u64>,
}

/// Whom a push speaks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushScope {
    /// The configured source's slug.
    pub token: String,
    /// Networks it may name; without one it speaks for `push:<token>`.
    pub networks: Vec<String>,
}

/// One pushed post.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedPost {
    /// `upsert` makes or changes the post; `delete` needs only its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["upsert", "delete"], "default" = "upsert"))]
    pub op: Option<String>,
    /// Whose name space `id` is in: one of the networks of the token. The default is the first of them, or
    /// `push:<token>` for a token without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The post's id on its network: the same id is the same post.
    pub id: String,
    /// Where people find the post: http or https.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A post has a title, a text, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Plain text. What is over 64 KiB is cut off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<PushedAuthor>,
    /// The declared language, as ISO 639-1 or BCP 47. Evidence, not truth: the text is looked at too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// Declared languages where there is more than one, at most three.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub langs: Vec<String>,
    /// RFC 3339. A time in the future counts as the time of the push.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<String>,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited_at: Option<String>,
    /// Grows with every version of the post: a version that comes late changes nothing. Without it the order of
    /// arrival is the order of versions. Give it for all versions of a post or for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// The id of the post that this one answers, on the same network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// The id of the thread's first post; without it that of `reply_to`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thread: Option<String>,
    /// The default is `reply` with `reply_to`, else `post`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["post", "reply", "comment", "quote", "repost", "article"]))]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = ["social", "forum", "blog", "news", "review", "video", "comment", "email"], "default" = "social"))]
    pub source_type: Option<String>,
    /// The host that shows the post; the default is that of `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    /// The part of the site, as a forum's section.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// With or without `#`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashtags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
}

/// Who wrote a pushed post.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PushedAuthor {
    /// The author's id on its network; without it the handle or the name stands for it.
    #[serde(default)]
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// The body of an arrival: the scope, then the posts as they were pushed, one a line. Called once for each push, in the
/// order in which they come.
pub fn encode<'l>(scope: &PushScope, lines: impl IntoIterator<Item = &'l [u8]>) -> Vec<u8> {
    let stamp = take_stamp(&LAST_STAMP, clock::now());
    let mut body =
        serde_json::to_vec(&Head { scope: scope.clone(), stamp: Some(stamp) }).expect("a scope and a number are JSON");
    for line in lines {
        body.push(b'\n');
        body.extend_from_slice(line);
    }
    body
}

fn take_stamp(last: &AtomicU64, now: Timestamp) -> u64 {
    let now_ms = millis(now);
    let next = |last: u64| now_ms.max(last.saturating_add(1));
    let (Ok(before) | Err(before)) = last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
    next(before)
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.millis()).unwrap_or(0)
}

/// One event or reason per pushed line.
pub(super) fn events(body: &[u8], origin: Origin<'_>) -> Result<Vec<Result<PostEvent, Rejected>>, Rejected> {
    let mut lines = body.split(|&byte| byte == b'\n');
    let head: Head = serde_json::from_slice(lines.next().unwrap_or_default()).map_err(|_| Rejected::Shape)?;
    let stamp = head.stamp.unwrap_or_else(|| millis(origin.fetched_at));
    if stamp > u64::MAX >> LINE_BITS {
        return Err(Rejected::Value);
    }
    // Of two lines about one post the later is the later version.
    let order = |at: usize| Order((stamp << LINE_BITS) | at as u64);
    let event = |(at, line)| match at {
        0..LINES_MAX => event(line, &head.scope, order(at), origin),
        _ => Err(Rejected::TooLarge),
    };
    Ok(lines.enumerate().map(event).collect())
}

fn event(line: &[u8], scope: &PushScope, arrived: Order, origin: Origin<'_>) -> Result<PostEvent, Rejected> {
    if line.len() > LINE_BYTES_MAX {
        return Err(Rejected::TooLarge);
    }
    if !is_shallow(line) {
        return Err(Rejected::TooDeep);
    }
    let line = std::str::from_utf8(line).map_err(|_| Rejected::NotUtf8)?;
    let pushed: PushedPost = serde_json::from_str(line).map_err(|error| match error.is_data() {
        true => Rejected::Shape,
        false => Rejected::Syntax,
    })?;
    if !is_id(&pushed.id) {
        return Err(Rejected::NoId);
    }
    let network = network_of(&pushed, scope)?;
    let order = pushed.revision.map_or(arrived, Order);
    match pushed.op.as_deref() {
        None | Some("upsert") => {
            let post = Box::new(post(pushed, network, origin)?);
            Ok(PostEvent::Upsert { post, order, quiet: false })
        }
        Some("delete") => Ok(PostEvent::Delete { id: PostId::of(&network, &pushed.id), order }),
        Some(_) => Err(Rejected::Value),
    }
}

fn network_of(pushed: &PushedPost, scope: &PushScope) -> Result<Arc<str>, Rejected> {
    let own = || format!("push:{}", scope.token);
    match pushed.network.as_deref() {
        None => Ok(scope.networks.first().cloned().unwrap_or_else(own).into()),
        Some(named) if scope.networks.iter().any(|network| network == named) || named == own() => Ok(named.into()),
        Some(_) => Err(Rejected::Scope),
    }
}

fn post(pushed: PushedPost, network: Arc<str>, origin: Origin<'_>) -> Result<Post, Rejected> {
    let text = pushed.text.as_deref().unwrap_or("");
    let title = pushed.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    if text.trim().is_empty() && title.is_none() {
        return Err(Rejected::Empty);
    }
    let url = pushed.url.as_deref().map(address).transpose()?;
    let site = site(pushed.site.as_deref(), url.as_ref(), &network)?;
    let kind = match pushed.kind.as_deref() {
        None if pushed.reply_to.is_some() => PostKind::Reply,
        None => PostKind::Post,
        Some(name) => PostKind::parse(name).ok_or(Rejected::Value)?,
    };
    let source_type = pushed.source_type.as_deref().map_or(Some(SourceType::Social), SourceType::parse);
    let (text, truncated) = cut(text, TEXT_BYTES_MAX);
    let hashtags = items(&pushed.hashtags)?;
    Ok(Post {
        id: PostId::of(&network, &pushed.id),
        source_type: source_type.ok_or(Rejected::Value)?,
        site,
        board: named(pushed.board)?,
        connector: Connector::Push,
        source: origin.source.clone(),
        kind,
        url: url.map(String::from),
        author: author(pushed.author.unwrap_or_default(), &network)?,
        title: title.map(|title| cut(title, TITLE_BYTES_MAX).0.to_owned()),
        text: text.to_owned(),
        truncated,
        langs: langs(pushed.lang.iter().chain(&pushed.langs))?,
        hashtags: hashtags.iter().map(|tag| tag.trim_start_matches('#').to_owned()).collect(),
        mentions: Vec::new(),
        links: items(&pushed.links)?.to_vec(),
        thread: thread(&pushed.id, pushed.thread.as_deref(), pushed.reply_to.as_deref(), &network)?,
        published_at: time(pushed.published_at)?.map(|time| time.min(origin.fetched_at)),
        edited_at: time(pushed.edited_at)?,
        fetched_at: origin.fetched_at,
        native_id: pushed.id,
        network,
    })
}

fn author(pushed: PushedAuthor, network: &str) -> Result<Author, Rejected> {
    let (handle, name) = (named(pushed.handle)?, named(pushed.name)?);
    let native_id = match pushed.id.is_empty() {
        true => handle.clone().or_else(|| name.clone()).unwrap_or_default(),
        false => pushed.id,
    };
    if native_id.len() > ID_BYTES_MAX {
        return Err(Rejected::Value);
    }
    let url = pushed.url.as_deref().map(address).transpose()?.map(String::from);
    Ok(Author { id: AuthorId::of(network, &native_id), native_id, handle, name, url })
}

fn thread(id: &str, root: Option<&str>, parent: Option<&str>, network: &str) -> Result<Thread, Rejected> {
    if [root, parent].into_iter().flatten().any(|id| !is_id(id)) {
        return Err(Rejected::Value);
    }
    let root = root.or(parent).filter(|root| *root != id);
    Ok(Thread {
        id: ThreadId::of(network, root.unwrap_or(id)),
        root: root.map(|root| PostId::of(network, root)),
        parent: parent.map(|parent| PostId::of(network, parent)),
    })
}

fn is_id(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
}

/// Shown to people as a link, so only what leads to a page.
fn address(text: &str) -> Result<Url, Rejected> {
    let url =
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && text.len() <= URL_BYTES_MAX);
    url.ok_or(Rejected::Value)
}

fn site(named: Option<&str>, url: Option<&Url>, network: &str) -> Result<Arc<str>, Rejected> {
    let site = named.or_else(|| url.and_then(Url::host_str)).unwrap_or(network);
    let fits = (1..=NAME_BYTES_MAX).contains(&site.len());
    if !fits {
        return Err(Rejected::Value);
    }
    // As addresses have it, and as queries ask for it: letters beyond ASCII as IDNA spells them.
    match url::Host::parse(site) {
        Ok(url::Host::Domain(host)) if !site.is_ascii() => Ok(host.into()),
        _ => Ok(site.to_lowercase().into()),
    }
}

fn named(text: Option<String>) -> Result<Option<String>, Rejected> {
    match text {
        Some(text) if text.len() > NAME_BYTES_MAX => Err(Rejected::Value),
        other => Ok(other.filter(|text| !text.is_empty())),
    }
}

fn items(list: &[String]) -> Result<&[String], Rejected> {
    let fits = list.len() <= ITEMS_MAX && list.iter().all(|item| (1..=URL_BYTES_MAX).contains(&item.len()));
    if fits { Ok(list) } else { Err(Rejected::Value) }
}

/// Languages outside of the known ones are no mistake: nothing is known of them.
fn langs<'l>(tags: impl Iterator<Item = &'l String>) -> Result<Vec<Lang>, Rejected> {
    let mut langs = Vec::new();
    for tag in tags {
        let lang = Lang::parse(tag).filter(|lang| !langs.contains(lang));
        langs.extend(lang);
    }
    if langs.len() <= LANGS_MAX { Ok(langs) } else { Err(Rejected::Value) }
}

fn time(text: Option<String>) -> Result<Option<Timestamp>, Rejected> {
    text.map(|text| text.parse().map_err(|_| Rejected::Value)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_323_748_000;

    fn read_all(lines: &[&str]) -> Vec<Result<PostEvent, Rejected>> {
        let source: Arc<str> = "desk".into();
        let scope = PushScope { token: "desk".to_owned(), networks: vec!["crm".to_owned()] };
        let body = encode(&scope, lines.iter().map(|line| line.as_bytes()));
        events(&body, Origin { source: &source, fetched_at: Timestamp::from_millis(NOW) }).unwrap()
    }

    fn read(line: &str) -> Result<PostEvent, Rejected> {
        read_all(&[line]).remove(0)
    }

    fn post_of(line: &str) -> Post {
        match read(line) {
            Ok(PostEvent::Upsert { post, .. }) => *post,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_pushed_reply_knows_its_thread_its_author_and_its_site() {
        let post = post_of(
            r##"{"id":"7","text":"Hello there","reply_to":"6","thread":"1","author":{"handle":"ann"},"url":"https://Example.org/7",
               "lang":"pt-BR","langs":["pt","sr","fr"],"hashtags":["#tea"],"published_at":"2999-01-01T00:00:00Z"}"##.replace('\n', " ").as_str(),
        );
        assert_eq!((&*post.network, &*post.site), ("crm", "example.org"));
        assert_eq!(&*site(Some("Müller.de"), None, "crm").unwrap(), "xn--mller-kva.de");
        assert_eq!(
            (post.thread.root, post.thread.parent),
            (Some(PostId::of("crm", "1")), Some(PostId::of("crm", "6")))
        );
        assert_eq!((post.kind, post.author.native_id.as_str()), (PostKind::Reply, "ann"));
        assert_eq!((post.langs, post.hashtags), (vec![Lang::Pt, Lang::Fr], vec!["tea".to_owned()]));
        assert_eq!(post.published_at, Some(Timestamp::from_millis(NOW)));
    }

    #[test]
    fn a_token_speaks_only_for_its_networks() {
        assert_eq!(read(r#"{"id":"7","text":"x","network":"bluesky"}"#), Err(Rejected::Scope));
        assert_eq!(read(r#"{"id":"7","op":"delete","network":"push:other"}"#), Err(Rejected::Scope));
        assert_eq!(&*post_of(r#"{"id":"7","text":"x","network":"push:desk"}"#).network, "push:desk");
        assert_eq!(&*post_of(r#"{"id":"7","text":"x"}"#).network, "crm");
    }

    #[test]
    fn a_revision_orders_versions_and_without_one_the_lines_do() {
        let events = read_all(&[
            r#"{"id":"7","text":"x"}"#,
            r#"{"id":"7","op":"delete"}"#,
            r#"{"id":"8","text":"x","revision":3}"#,
        ]);
        let orders: Vec<Order> = events.iter().map(order_of).collect();
        assert!(orders[0] < orders[1]);
        assert_eq!(orders[2], Order(3));
    }

    fn order_of(event: &Result<PostEvent, Rejected>) -> Order {
        match event {
            Ok(PostEvent::Upsert { order, .. } | PostEvent::Delete { order, .. }) => *order,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_later_push_is_the_later_version_whatever_the_clock_does() {
        let within = |_| order_of(&read(r#"{"id":"7","text":"x"}"#));
        let orders: Vec<Order> = (0..1000).map(within).collect();
        assert!(orders.is_sorted_by(|one, next| one < next), "many in one millisecond");
        let last = AtomicU64::new(0);
        let stamps = [5, 5, 5, 3, 9].map(|now| take_stamp(&last, Timestamp::from_millis(now)));
        assert_eq!(stamps, [5, 6, 7, 8, 9], "also after the clock was set back");
    }

    #[test]
    fn a_body_without_a_stamp_has_that_of_its_arrival() {
        let source: Arc<str> = "desk".into();
        let origin = Origin { source: &source, fetched_at: Timestamp::from_millis(NOW) };
        let body = |head: &str| format!("{head}\n{{\"id\":\"7\",\"op\":\"delete\"}}");
        let read = events(body(r#"{"token":"desk","networks":[]}"#).as_bytes(), origin).unwrap();
        assert_eq!(order_of(&read[0]), Order((NOW as u64) << LINE_BITS));
        let odd = body(r#"{"token":"desk","networks":[],"stamp":18446744073709551615}"#);
        assert_eq!(events(odd.as_bytes(), origin), Err(Rejected::Value));
    }

    #[test]
    fn lines_that_could_not_be_told_apart_are_refused() {
        let events = read_all(&vec![r#"{"id":"7","op":"delete"}"#; LINES_MAX + 1]);
        assert!(events[..LINES_MAX].is_sorted_by(|one, next| order_of(one) < order_of(next)));
        assert_eq!(events[LINES_MAX], Err(Rejected::TooLarge));
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let post = post_of(&format!("{{\"id\":\"7\",\"text\":\"{}\"}}", "é".repeat(TEXT_BYTES_MAX)));
        assert!(post.truncated && post.text.len() <= TEXT_BYTES_MAX);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let long = "x".repeat(ID_BYTES_MAX + 1);
        let cases = [
            ("", Rejected::Syntax),
            ("{\"id\":\"7\",\"text\":", Rejected::Syntax),
            ("{\"text\":\"x\"}", Rejected::Shape),
            ("{\"id\":7,\"text\":\"x\"}", Rejected::Shape),
            ("{\"id\":\"7\",\"txt\":\"x\"}", Rejected::Shape),
            ("{\"id\":\"\",\"text\":\"x\"}", Rejected::NoId),
            (&format!("{{\"id\":\"{long}\",\"text\":\"x\"}}"), Rejected::NoId),
            ("{\"id\":\"7\",\"text\":\" \"}", Rejected::Empty),
            ("{\"id\":\"7\",\"text\":\"x\",\"op\":\"merge\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"kind\":\"poem\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"url\":\"not a url\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"url\":\"javascript:alert(1)\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"published_at\":\"yesterday\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"reply_to\":\"\"}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"langs\":[\"cs\",\"sk\",\"pl\",\"de\"]}", Rejected::Value),
            ("{\"id\":\"7\",\"text\":\"x\",\"links\":[\"\"]}", Rejected::Value),
            (&format!("{}{}", "[".repeat(100), "]".repeat(100)), Rejected::TooDeep),
            (&" ".repeat(LINE_BYTES_MAX + 1), Rejected::TooLarge),
        ];
        for (line, reason) in cases {
            assert_eq!(read(line), Err(reason), "{}", &line[..line.len().min(80)]);
        }
        let origin = Origin { source: &"desk".into(), fetched_at: Timestamp::EPOCH };
        assert_eq!(events(b"no scope\n{}", origin), Err(Rejected::Shape));
    }
}
