//! A post as it was decided: one frozen snapshot of what a query may ask and a receiver may need.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AuthorId, Lang, PostId, ThreadId, Timestamp};

/// Bytes of a post's text that are kept; what is longer is cut at a character and marked `truncated`.
pub const TEXT_BYTES_MAX: usize = 64 << 10;

/// One version of a post.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Post {
    pub id: PostId,
    /// Whose name space `native_id` is in: `bluesky`, `web`, `push:<token>`.
    pub network: Arc<str>,
    /// Opaque: an AT-URI, a permalink, whatever the network calls it.
    pub native_id: String,
    pub source_type: SourceType,
    /// The site that shows the post: a host or a registrable domain, lower case.
    pub site: Arc<str>,
    pub board: Option<String>,
    pub connector: Connector,
    /// The slug of the configured source that brought it.
    pub source: Arc<str>,
    pub kind: PostKind,
    pub url: Option<String>,
    pub author: Author,
    pub title: Option<String>,
    pub text: String,
    pub truncated: bool,
    /// Declared by author or page, at most three.
    pub langs: Vec<Lang>,
    /// Without `#`.
    pub hashtags: Vec<String>,
    /// Handles or names, without `@`.
    pub mentions: Vec<String>,
    pub links: Vec<String>,
    pub thread: Thread,
    pub published_at: Option<Timestamp>,
    pub edited_at: Option<Timestamp>,
    pub fetched_at: Timestamp,
}

impl Post {
    /// What tells the language of a post: its text, or its title where it has no text.
    pub fn language_text(&self) -> &str {
        match &self.title {
            Some(title) if self.text.is_empty() => title,
            _ => &self.text,
        }
    }
}

/// Who wrote a post, as the network tells it with the post.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Author {
    pub id: AuthorId,
    pub native_id: String,
    pub handle: Option<String>,
    pub name: Option<String>,
    pub url: Option<String>,
}

/// Where a post stands in its conversation. `id` is frozen when the post is first seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    pub id: ThreadId,
    /// Absent when the post is its own root.
    pub root: Option<PostId>,
    pub parent: Option<PostId>,
}

/// What a reply's parent or root said, as known when the reply was decided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Excerpt {
    pub author: Option<String>,
    pub text: String,
}

/// The order of a version within its post: a revision, an edit time or a poll number, whatever grows with every version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceType {
    Social,
    Forum,
    Blog,
    News,
    Review,
    Video,
    Comment,
    Email,
}

impl SourceType {
    pub const ALL: [Self; 8] =
        [Self::Social, Self::Forum, Self::Blog, Self::News, Self::Review, Self::Video, Self::Comment, Self::Email];

    pub fn name(self) -> &'static str {
        match self {
            Self::Social => "social",
            Self::Forum => "forum",
            Self::Blog => "blog",
            Self::News => "news",
            Self::Review => "review",
            Self::Video => "video",
            Self::Comment => "comment",
            Self::Email => "email",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PostKind {
    Post,
    Reply,
    Comment,
    Quote,
    Repost,
    Article,
}

impl PostKind {
    pub const ALL: [Self; 6] = [Self::Post, Self::Reply, Self::Comment, Self::Quote, Self::Repost, Self::Article];

    pub fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Reply => "reply",
            Self::Comment => "comment",
            Self::Quote => "quote",
            Self::Repost => "repost",
            Self::Article => "article",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// The kind of source that brought a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Connector {
    Jetstream,
    Feed,
    Push,
}

impl Connector {
    pub fn name(self) -> &'static str {
        match self {
            Self::Jetstream => "jetstream",
            Self::Feed => "feed",
            Self::Push => "push",
        }
    }
}

/// What a network says of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AuthorStatus {
    Active,
    /// Deactivated or suspended: kept, not shown.
    Hidden,
    /// Deleted or taken down: everything of theirs is erased.
    Erased,
}
