//! The shape of every event on the wire: the types that are serialised, and the source of the published schema.
//! What is not known is absent. Comments here are read by receivers, in the schema.

use std::fmt::Display;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::model::{AuthorId, ClusterId, PostId, ThreadId, Timestamp};

/// One event for one endpoint. Fields that you do not know are to be ignored, and so are events of mentions that you
/// never received.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Event<'a> {
    /// A post matched for the first time.
    #[serde(rename = "mention.matched")]
    Matched(Envelope<Mention<'a>>),
    /// A full snapshot with a higher revision: another query matched, or the post was edited.
    #[serde(rename = "mention.updated")]
    Updated(Envelope<Mention<'a>>),
    /// The post is gone. Whatever was kept of it is to be erased.
    #[serde(rename = "mention.deleted")]
    Deleted(Envelope<Deleted<'a>>),
    /// A declared hole in coverage: posts of a source that can no longer be had.
    #[serde(rename = "source.gap")]
    Gap(Envelope<Gap<'a>>),
    /// Sent on request, to try an endpoint.
    #[serde(rename = "endpoint.test")]
    Test(Envelope<Test<'a>>),
}

#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub struct Envelope<T> {
    /// The version of this schema. Changes within a version are additive.
    #[schemars(extend("const" = 1))]
    pub schema: u32,
    /// When the event came to be: constant over retries.
    pub timestamp: Shown<Timestamp>,
    pub data: T,
}

#[derive(Serialize, JsonSchema)]
pub struct Mention<'a> {
    pub id: Shown<PostId>,
    /// Counts up with every event of this mention, from 1.
    pub revision: u32,
    pub source: Source<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
    /// `post`, `reply`, `comment`, `quote`, `repost`, `article`. May grow.
    pub kind: &'a str,
    pub edited: bool,
    pub dedupe: Dedupe,
    pub thread: Thread<'a>,
    pub author: Author<'a>,
    pub content: Content<'a>,
    /// Every matching query of the projects routed to this endpoint. Empty after an edit that no longer matches.
    pub matches: Vec<Match<'a>>,
    pub times: Times,
    pub provenance: Provenance,
}

#[derive(Serialize, JsonSchema)]
pub struct Source<'a> {
    /// Whose name space the author's native id is in.
    pub network: &'a str,
    /// `social`, `forum`, `blog`, `news`, `review`, `video`, `comment`, `email`. May grow.
    #[serde(rename = "type")]
    pub source_type: &'a str,
    /// The site that shows the post: a host or a registrable domain.
    pub site: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<&'a str>,
    /// `jetstream`, `feed`, `push`. May grow.
    pub connector: &'a str,
    /// Milliseconds from publication to fetching.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
}

/// Mentions with the same text, but for case and white space, within a day.
#[derive(Serialize, JsonSchema)]
pub struct Dedupe {
    pub cluster: Shown<ClusterId>,
    pub is_first: bool,
    /// The number of mentions in the cluster when this one was made, itself included.
    pub size: u32,
}

#[derive(Serialize, JsonSchema)]
pub struct Thread<'a> {
    pub id: Shown<ThreadId>,
    /// Absent when the post is its own root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_id: Option<Shown<PostId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<Shown<PostId>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Excerpt<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<Excerpt<'a>>,
}

/// The beginning of what another post of the thread said.
#[derive(Serialize, JsonSchema)]
pub struct Excerpt<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<&'a str>,
    pub text: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub struct Author<'a> {
    pub id: Shown<AuthorId>,
    pub native_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handle: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
pub struct Content<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<&'a str>,
    pub text: &'a str,
    /// The text was longer than what is kept.
    pub truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<Language<'a>>,
    /// Without `#`.
    pub hashtags: &'a [String],
    pub links: &'a [String],
}

#[derive(Serialize, JsonSchema)]
pub struct Language<'a> {
    /// ISO 639-1.
    pub code: &'a str,
    /// A probability between 0 and 1.
    pub confidence: f32,
    /// Whether `code` alone is the answer.
    pub certain: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct Match<'a> {
    pub project: &'a str,
    pub query: &'a str,
    /// The version of the query's text that matched.
    pub version: u32,
    pub tags: &'a [String],
    pub terms: Vec<Term<'a>>,
}

/// One occurrence of one keyword. Ranges are half-open, into the field named, exactly as sent.
#[derive(Serialize, JsonSchema)]
pub struct Term<'a> {
    /// As the query writes it.
    pub keyword: &'a str,
    /// As the post writes it.
    pub form: &'a str,
    /// `word`, `phrase`, `exact`, `wildcard`, `hashtag`, `name`. May grow.
    pub how: &'a str,
    /// `title` or `text`. May grow.
    pub field: &'a str,
    /// In Unicode code points, as `end`.
    pub start: usize,
    pub end: usize,
    /// In UTF-16 code units, as JavaScript and Java count.
    pub start_utf16: usize,
    pub end_utf16: usize,
    /// In bytes of UTF-8.
    pub start_byte: usize,
    pub end_byte: usize,
}

#[derive(Serialize, JsonSchema)]
pub struct Times {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published_at: Option<Shown<Timestamp>>,
    pub fetched_at: Shown<Timestamp>,
    pub matched_at: Shown<Timestamp>,
    /// Publication, or else fetching, on the project's clock, with its offset.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub local: Option<String>,
}

#[derive(Serialize, JsonSchema)]
pub struct Provenance {
    /// The version of the program that decided.
    pub pipeline: &'static str,
}

#[derive(Serialize, JsonSchema)]
pub struct Deleted<'a> {
    pub id: Shown<PostId>,
    pub revision: u32,
    pub source: DeletedSource<'a>,
    pub thread: DeletedThread,
    pub author: DeletedAuthor,
}

#[derive(Serialize, JsonSchema)]
pub struct DeletedSource<'a> {
    pub network: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub struct DeletedThread {
    pub id: Shown<ThreadId>,
}

#[derive(Serialize, JsonSchema)]
pub struct DeletedAuthor {
    pub id: Shown<AuthorId>,
}

/// `from` and `to` are the source's own words for where the hole begins and ends.
#[derive(Serialize, JsonSchema)]
pub struct Gap<'a> {
    /// The slug of the configured source.
    pub source: &'a str,
    pub from: &'a str,
    pub to: &'a str,
    pub why: &'a str,
}

#[derive(Serialize, JsonSchema)]
pub struct Test<'a> {
    /// The slug of the endpoint that is tried.
    pub endpoint: &'a str,
}

/// A value that travels as the text that it is shown as.
#[derive(Clone, Copy)]
pub struct Shown<T>(pub T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

macro_rules! shown {
    ($($shown:ty, $name:literal, $schema:expr;)*) => {
        $(impl JsonSchema for Shown<$shown> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })*
    };
}

shown! {
    PostId, "MentionId", id_schema(PostId::PREFIX);
    ThreadId, "ThreadId", id_schema(ThreadId::PREFIX);
    AuthorId, "AuthorId", id_schema(AuthorId::PREFIX);
    ClusterId, "ClusterId", id_schema(ClusterId::PREFIX);
    Timestamp, "Timestamp", json_schema!({ "type": "string", "format": "date-time" });
}

fn id_schema(prefix: &str) -> Schema {
    json_schema!({ "type": "string", "pattern": format!("^{prefix}[0-9a-hjkmnp-tv-z]{{26}}$") })
}
