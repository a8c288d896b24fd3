//! The tree of a parsed query: what both evaluators walk.

use std::ops::Range;

use crate::model::{How, Lang};

/// A parsed query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub root: Node,
    /// Remarks that do not stop a save.
    pub lints: Vec<QueryError>,
}

/// A part of a query. `All` and `Any` hold at least two parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Literal(Literal),
    /// The post counts as being in this language.
    Lang(Lang),
    /// The network, or the configured source's slug; lower case.
    Source(String),
    /// A handle without `@`, or a native id; lower case.
    Author(String),
    /// A host; the post's site is it or lies below it; lower case.
    Site(String),
}

/// Something looked for in the texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Literal {
    pub kind: LiteralKind,
    /// The characters looked for, without quotes, braces, `#`, `@` or the final `*`.
    pub text: String,
    /// As the query writes it: what a mention shows.
    pub keyword: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiteralKind {
    /// A bare word or `=word`.
    Word,
    /// `"these words"`.
    Phrase,
    /// `{Exactly these}`.
    Exact,
    /// `word*`.
    Prefix,
    /// `#tag`, whole.
    Hashtag,
    /// `@name`, whole.
    Name,
    /// An emoji or another symbol: no boundaries.
    Symbol,
}

impl LiteralKind {
    pub fn how(self) -> How {
        match self {
            Self::Word | Self::Symbol => How::Word,
            Self::Phrase => How::Phrase,
            Self::Exact => How::Exact,
            Self::Prefix => How::Wildcard,
            Self::Hashtag => How::Hashtag,
            Self::Name => How::Name,
        }
    }
}

/// A saved query as it is evaluated: its tree and the filters of its project.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    pub project: String,
    /// The query's name in its project.
    pub query: String,
    pub version: u32,
    pub tags: Vec<String>,
    /// The post must count as being in one of these; empty for all.
    pub languages: Vec<Lang>,
    /// The post must come from one of these configured sources; empty for all.
    pub sources: Vec<String>,
    pub tree: Query,
}

/// A mistake in a query, or a remark on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// Stable, for programs.
    pub code: &'static str,
    /// Bytes of the query's text.
    pub span: Range<usize>,
    pub message: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

/// Occurrences that one match tells at most.
pub const TERMS_MAX: usize = 64;
