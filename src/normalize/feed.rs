//! What a feed brought, to post events. Owns the body of that arrival; unaware of when and how it was fetched.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::extract::feed::{ENTRIES_MAX, Entry, Markup, Person, parent_id};
use crate::extract::html::Text;
use crate::extract::site::{self, Scope};
use crate::extract::{cut, html};
use crate::model::{
    Author, AuthorId, Connector, Lang, Order, Post, PostEvent, PostId, PostKind, Rejected, SourceType, TEXT_BYTES_MAX,
    Thread, ThreadId, Timestamp,
};

/// The network that every post of a feed is on, so that a page crawled and an entry read are one post.
pub const NETWORK: &str = "web";
/// Bytes of a post's title.
const TITLE_BYTES_MAX: usize = 1024;

/// The news of one answer of one feed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Body {
    pub feed: Head,
    /// New and changed entries, in the order of the document.
    #[serde(default)]
    pub entries: Vec<Item>,
    /// Posts that are gone, by their ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<String>,
}

/// The feed as it was at that answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// The address that the answer came from.
    pub url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The site that the feed speaks for.
    pub scope: Scope,
    pub source_type: String,
    /// Grows with every answer that brought something: the order of what it brought.
    pub poll: u64,
    /// Whether the feed was seen for the first time.
    pub first_poll: bool,
    /// Entries older than this are kept and never delivered: they were old when the feed was first seen.
    pub quiet_before: Timestamp,
}

/// An entry with the native id that `extract::feed::native_id` gave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    pub id: String,
    /// Whether an earlier version of it said something: this one is an edit, even if it says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub edit: bool,
    #[serde(flatten)]
    pub entry: Entry,
}

/// Reads one body. An entry that cannot be a post is rejected alone.
pub fn events(
    body: &[u8],
    source: &Arc<str>,
    fetched_at: Timestamp,
) -> Result<Vec<Result<PostEvent, Rejected>>, Rejected> {
    let body: Body = serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Rejected::Shape,
        _ => Rejected::Syntax,
    })?;
    if body.entries.len() > ENTRIES_MAX || body.gone.len() > ENTRIES_MAX {
        return Err(Rejected::TooLarge);
    }
    let reader = Reader::new(body.feed, source, fetched_at)?;
    let upserts = body.entries.into_iter().map(|item| reader.upsert(item));
    let deletes = body.gone.iter().map(|id| {
        let id = id.parse().map_err(|_| Rejected::NoId)?;
        Ok(PostEvent::Delete { id, order: reader.order })
    });
    Ok(upserts.chain(deletes).collect())
}

struct Reader<'a> {
    head: Head,
    url: Url,
    source_type: SourceType,
    network: Arc<str>,
    /// The host of the feed, for posts whose permalink is elsewhere.
    site: Arc<str>,
    order: Order,
    source: &'a Arc<str>,
    fetched_at: Timestamp,
}

impl<'a> Reader<'a> {
    fn new(head: Head, source: &'a Arc<str>, fetched_at: Timestamp) -> Result<Self, Rejected> {
        let url = site::resolve(&head.url, None).ok_or(Rejected::Value)?;
        let source_type = SourceType::parse(&head.source_type).ok_or(Rejected::Value)?;
        let site = host(&url);
        Ok(Self { order: Order(head.poll), head, url, source_type, network: NETWORK.into(), site, source, fetched_at })
    }

    fn upsert(&self, item: Item) -> Result<PostEvent, Rejected> {
        if !self.may_say(&item.id) {
            return Err(Rejected::Scope);
        }
        let entry = item.entry;
        let quiet = entry.dated().map_or(self.head.first_poll, |time| time < self.head.quiet_before);
        let content = self.content(&entry);
        let title = entry.title.as_ref().map(Markup::line).filter(|title| !title.is_empty());
        if content.text.is_empty() && title.is_none() && !item.edit {
            return Err(Rejected::Empty);
        }
        let post = self.post(item.id, entry, title, content);
        Ok(PostEvent::Upsert { post: Box::new(post), order: self.order, quiet })
    }

    /// An id carries the feed's scope, or is a URL on its site.
    fn may_say(&self, id: &str) -> bool {
        let scope = self.head.scope.as_str();
        let is_tagged =
            id.strip_prefix("tag:").and_then(|rest| rest.strip_prefix(scope)).is_some_and(|rest| rest.starts_with(','));
        is_tagged || site::resolve(id, None).is_some_and(|url| self.head.scope.owns(&url))
    }

    fn content(&self, entry: &Entry) -> Text {
        let base = entry.base.as_deref().or(entry.link.as_deref()).and_then(|base| Url::parse(base).ok());
        let Some(content) = &entry.content else { return Text::default() };
        content.read(Some(base.as_ref().unwrap_or(&self.url)))
    }

    fn post(&self, native_id: String, entry: Entry, title: Option<String>, content: Text) -> Post {
        let link = entry.link.as_deref().and_then(|link| site::resolve(link, None));
        let parent = parent_id(&self.head.scope, &entry).filter(|parent| *parent != native_id);
        let (mut text, mut title) = (content.text, title);
        let cut_text = cut(&mut text, TEXT_BYTES_MAX);
        if let Some(title) = &mut title {
            cut(title, TITLE_BYTES_MAX);
        }
        // The publisher's clock: shown, never trusted for order, and never in the future.
        let past = |time: Timestamp| time.min(self.fetched_at);
        let (published_at, updated_at) = (entry.published.or(entry.updated).map(past), entry.updated.map(past));
        Post {
            id: PostId::of(NETWORK, &native_id),
            network: self.network.clone(),
            source_type: if parent.is_some() && self.source_type != SourceType::Forum {
                SourceType::Comment
            } else {
                self.source_type
            },
            site: link.as_ref().filter(|link| self.head.scope.owns(link)).map_or_else(|| self.site.clone(), host),
            board: None,
            connector: Connector::Feed,
            source: self.source.clone(),
            kind: if parent.is_some() { PostKind::Comment } else { PostKind::Article },
            url: link.map(String::from),
            author: self.author(entry.author.as_ref()),
            title,
            text,
            truncated: cut_text || content.truncated,
            langs: self.langs(&entry),
            hashtags: entry.categories,
            mentions: Vec::new(),
            links: content.links,
            thread: thread(&native_id, parent.as_deref()),
            published_at,
            edited_at: updated_at.filter(|updated| published_at.is_some_and(|published| *updated > published)),
            fetched_at: self.fetched_at,
            native_id,
        }
    }

    /// Whoever is named, on this site; the site itself where nobody is.
    fn author(&self, person: Option<&Person>) -> Author {
        let name = person.and_then(|person| person.name.as_deref()).map(html::plain).filter(|name| !name.is_empty());
        let url = person.and_then(|person| person.url.clone());
        let scope = self.head.scope.as_str();
        let native_id = format!("tag:{scope},author:{}", name.as_deref().unwrap_or_default());
        Author { id: AuthorId::of(NETWORK, &native_id), native_id, handle: None, name, url }
    }

    fn langs(&self, entry: &Entry) -> Vec<Lang> {
        let declared = entry.language.as_deref().or(self.head.language.as_deref());
        declared.and_then(Lang::parse).into_iter().collect()
    }
}

/// A comment stands in the thread of what it is on; everything else starts its own.
fn thread(native_id: &str, parent: Option<&str>) -> Thread {
    let above = parent.map(|parent| PostId::of(NETWORK, parent));
    Thread { id: ThreadId::of(NETWORK, parent.unwrap_or(native_id)), root: above, parent: above }
}

fn host(url: &Url) -> Arc<str> {
    url.host_str().unwrap_or_default().trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FETCHED: i64 = 1_795_340_000_000;

    fn body(entries: &str, gone: &str) -> String {
        format!(
            r#"{{"feed":{{"url":"https://blog.example.com/feed","title":"T","language":"cs-CZ","scope":"example.com","source_type":"blog",
            "poll":7,"first_poll":true,"quiet_before":1795284000000}},"entries":[{entries}],"gone":[{gone}]}}"#
        )
    }

    fn read(entries: &str) -> Vec<Result<PostEvent, Rejected>> {
        events(body(entries, "").as_bytes(), &"blogs".into(), Timestamp::from_millis(FETCHED)).unwrap()
    }

    #[track_caller]
    fn post(entry: &str) -> (Post, bool) {
        match read(entry).remove(0).unwrap() {
            PostEvent::Upsert { post, order: Order(7), quiet } => (*post, quiet),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_entry_becomes_a_post() {
        let (post, quiet) = post(
            r##"{"id":"https://blog.example.com/1","link":"https://blog.example.com/1","title":{"html":"A &amp; <b>B</b>"},
            "content":{"html":"<p>Hello <a href='/x'>x</a></p><p>you</p>"},"author":{"name":"Ann","url":"https://ann.example/"},
            "categories":["news"],"published":1795320000000,"updated":1795330000000}"##,
        );
        assert_eq!((post.title.as_deref(), post.text.as_str()), (Some("A & B"), "Hello x\nyou"));
        assert_eq!((&*post.network, &*post.site, &*post.source), ("web", "blog.example.com", "blogs"));
        assert_eq!(post.id, PostId::of("web", "https://blog.example.com/1"));
        assert_eq!(post.links, ["https://blog.example.com/x"]);
        assert_eq!((&post.hashtags[..], &post.langs[..]), (&["news".to_owned()][..], &[Lang::Cs][..]));
        assert_eq!(
            (post.author.name.as_deref(), post.author.native_id.as_str()),
            (Some("Ann"), "tag:example.com,author:Ann")
        );
        assert_eq!((post.kind, post.source_type), (PostKind::Article, SourceType::Blog));
        assert_eq!(post.thread, Thread { id: ThreadId::of("web", &post.native_id), root: None, parent: None });
        assert!(post.edited_at > post.published_at && !quiet && !post.truncated);
    }

    #[test]
    fn no_time_is_in_the_future() {
        let times = |published: i64, updated: i64| {
            let entry = format!(
                r#"{{"id":"tag:example.com,guid:1","title":{{"text":"t"}},"published":{published},"updated":{updated}}}"#
            );
            let (post, _) = post(&entry);
            (post.published_at.map(Timestamp::millis), post.edited_at.map(Timestamp::millis))
        };
        assert_eq!(times(FETCHED - 9, FETCHED + 9), (Some(FETCHED - 9), Some(FETCHED)));
        assert_eq!(times(FETCHED + 5, FETCHED + 9), (Some(FETCHED), None));
    }

    #[test]
    fn old_entries_and_undated_ones_of_a_first_poll_are_quiet() {
        let quiet = |rest: &str| post(&format!(r#"{{"id":"tag:example.com,guid:1","title":{{"text":"t"}}{rest}}}"#)).1;
        assert!(!quiet(r#","published":1795320000000"#));
        assert!(quiet(r#","published":1795280000000"#));
        assert!(quiet(r#","updated":1795280000000"#));
        assert!(quiet(""));
        let later = body(r#"{"id":"tag:example.com,guid:1","title":{"text":"t"}}"#, "")
            .replace("\"first_poll\":true", "\"first_poll\":false");
        let events = events(later.as_bytes(), &"blogs".into(), Timestamp::EPOCH).unwrap();
        assert!(matches!(events[0], Ok(PostEvent::Upsert { quiet: false, .. })));
    }

    #[test]
    fn a_comment_hangs_under_its_post() {
        let (post, _) = post(
            r#"{"id":"tag:example.com,guid:https://example.com/?p=1#comment-2","guid":{"value":"https://example.com/?p=1#comment-2","permalink":false},
            "link":"https://example.com/a/#comment-2","content":{"text":"yes"}}"#,
        );
        let parent = "tag:example.com,guid:https://example.com/?p=1";
        assert_eq!((post.kind, post.source_type), (PostKind::Comment, SourceType::Comment));
        assert_eq!(post.thread.id, ThreadId::of("web", parent));
        assert_eq!(
            (post.thread.root, post.thread.parent),
            (Some(PostId::of("web", parent)), Some(PostId::of("web", parent)))
        );
        assert_eq!(post.url.as_deref(), Some("https://example.com/a/#comment-2"));
    }

    #[test]
    fn a_permalink_elsewhere_does_not_make_the_post_of_that_site() {
        let (post, _) = post(r#"{"id":"tag:example.com,guid:1","link":"https://victim.org/1","title":{"text":"t"}}"#);
        assert_eq!((&*post.site, post.url.as_deref()), ("blog.example.com", Some("https://victim.org/1")));
    }

    #[test]
    fn an_entry_that_speaks_for_another_site_or_says_nothing_is_rejected_alone() {
        let read = read(
            r#"{"id":"tag:victim.org,guid:1","title":{"text":"t"}},{"id":"https://victim.org/1","title":{"text":"t"}},
            {"id":"tag:example.com.evil,guid:1","title":{"text":"t"}},{"id":"x","title":{"text":"t"}},
            {"id":"tag:example.com,guid:1","content":{"html":"<script>x</script> "}},{"id":"tag:example.com,guid:2","title":{"text":"t"}}"#,
        );
        let reasons: Vec<Option<Rejected>> = read.iter().map(|event| event.as_ref().err().copied()).collect();
        let scope = Some(Rejected::Scope);
        assert_eq!(reasons, [scope, scope, scope, scope, Some(Rejected::Empty), None]);
    }

    #[test]
    fn an_edit_that_leaves_nothing_is_an_edit() {
        let (post, _) = post(r#"{"id":"tag:example.com,guid:1","edit":true,"content":{"html":"<p> </p>"}}"#);
        assert_eq!((post.text.as_str(), post.title), ("", None));
    }

    #[test]
    fn a_long_text_is_cut_at_a_character_and_marked() {
        let (post, _) =
            post(&format!(r#"{{"id":"tag:example.com,guid:1","content":{{"text":"{}"}}}}"#, "é製".repeat(40_000)));
        assert!(post.truncated && post.text.len() <= TEXT_BYTES_MAX && post.text.len() > TEXT_BYTES_MAX - 4);
    }

    #[test]
    fn what_is_gone_is_deleted() {
        let id = PostId::of("web", "https://blog.example.com/1");
        let body = body("", &format!("\"{id}\",\"nonsense\""));
        let events = events(body.as_bytes(), &"blogs".into(), Timestamp::EPOCH).unwrap();
        assert_eq!(events, [Ok(PostEvent::Delete { id, order: Order(7) }), Err(Rejected::NoId)]);
    }

    #[test]
    fn bad_bodies_are_rejected_whole() {
        let good = body("", "");
        for (bad, reason) in [
            ("", Rejected::Syntax),
            ("{", Rejected::Syntax),
            ("[]", Rejected::Shape),
            ("{\"feed\":{}}", Rejected::Shape),
            (&good.replace("https://blog", "ftp://blog"), Rejected::Value),
            (&good.replace("\"blog\"", "\"blob\""), Rejected::Value),
            (&body(&vec!["{\"id\":\"x\"}"; ENTRIES_MAX + 1].join(","), ""), Rejected::TooLarge),
        ] {
            assert_eq!(events(bad.as_bytes(), &"blogs".into(), Timestamp::EPOCH), Err(reason), "{bad:.60}");
        }
    }

    #[test]
    fn a_body_reads_back_from_its_text() {
        let text =
            body(r#"{"id":"x","guid":{"value":"g","permalink":true},"title":{"html":"t"},"in_reply_to":"y"}"#, "");
        let body: Body = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::from_slice::<Body>(&serde_json::to_vec(&body).unwrap()).unwrap(), body);
    }
}
