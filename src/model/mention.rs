//! Why a post is a mention: the queries that matched it, and the words that made them match.

use serde::{Deserialize, Serialize};

/// One query that matched one post.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    pub project: String,
    pub query: String,
    /// The version of the query's text that matched.
    pub version: u32,
    pub tags: Vec<String>,
    pub terms: Vec<Term>,
}

/// One occurrence of one keyword.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The keyword as the query writes it.
    pub keyword: String,
    pub how: How,
    pub field: Field,
    pub span: Span,
}

/// Byte range into the field's text: `start < end`, both on char boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

/// Which text a span points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Field {
    Title,
    Text,
}

impl Field {
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Text => "text",
        }
    }
}

/// How a keyword found its occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum How {
    Word,
    Phrase,
    Exact,
    Wildcard,
    Hashtag,
    Name,
}

impl How {
    pub fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Phrase => "phrase",
            Self::Exact => "exact",
            Self::Wildcard => "wildcard",
            Self::Hashtag => "hashtag",
            Self::Name => "name",
        }
    }
}
