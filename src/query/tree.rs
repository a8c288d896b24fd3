//! The tree of a parsed query: what all evaluators walk.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::model::{How, Lang};

use super::condition::Condition;
use super::pragma::{Pragmas, Reading};

/// A parsed query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Query {
    #[serde(default, skip_serializing_if = "Pragmas::are_default")]
    pub pragmas: Pragmas,
    pub root: Node,
    /// Remarks that do not stop a save.
    #[serde(skip)]
    pub lints: Vec<QueryError>,
}

/// A part of a query. `All` and `Any` hold at least two parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// At least so many of these hold.
    AtLeast(u32, Vec<Node>),
    /// Some text holds a place that is one of these.
    Found(Spans),
    /// The keywords stand so often in the texts, counted without overlaps.
    Count {
        of: Vec<Keyword>,
        min: u32,
        /// None for any number.
        max: Option<u32>,
    },
    /// Holds with these texts as the only ones that are searched.
    In(Scope, Box<Node>),
    Field(Condition),
}

/// Places in one text. No AND and no NOT can stand inside: each of these is a set of spans.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spans {
    /// The occurrences of a keyword.
    Keyword(Keyword),
    /// The places of all parts.
    Any(Vec<Spans>),
    /// One place of each part, each near the one before; together their hull. One gap fewer than parts.
    Chain { parts: Vec<Spans>, gaps: Vec<Gap> },
    /// The places of one part that have none of the other near them.
    Apart { of: Box<Spans>, from: Box<Spans>, gap: Gap },
    /// One place of each part in any order, all within a window that holds at most so many other tokens.
    Window { parts: Vec<Keyword>, others_max: u32 },
}

/// How two places may lie: distinct, without overlap, and so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// At most so many tokens between them, in any order.
    Near(u32),
    /// The same, the first one first.
    Ordered(u32),
    /// In one sentence.
    Sentence,
}

/// Which texts are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Title,
    /// The text, and the hashtags that came with it.
    Body,
    AuthorName,
    /// The excerpts of the post replied to, of the conversation's first post, of the post quoted.
    Parent,
    Root,
    Quoted,
}

impl Scope {
    pub const ALL: [Self; 6] = [Self::Title, Self::Body, Self::AuthorName, Self::Parent, Self::Root, Self::Quoted];

    /// The field's name in a query.
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Body => "body",
            Self::AuthorName => "author_name",
            Self::Parent => "parent",
            Self::Root => "root",
            Self::Quoted => "quoted",
        }
    }
}

/// Something that a query looks for, by one or several spellings.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Keyword {
    /// As the query writes it: what a mention shows.
    pub text: String,
    /// What is looked for: any of these. The first is the one that was typed.
    pub literals: Vec<Literal>,
    #[serde(default, skip_serializing_if = "Inflect::is_never")]
    pub inflects: Inflect,
    /// Its forms in the languages of the query, once that is at home in a project. They follow from the rest, so that they
    /// are no part of what the query is.
    #[serde(skip)]
    pub forms: Vec<Literal>,
}

/// Whether the forms of a keyword are looked for too, in the languages of the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Inflect {
    #[default]
    Never,
    /// If the query and its project do not switch forms off: so for a bare word.
    Asked,
    /// Whatever is switched off: `morph(…)`.
    Always,
}

impl Inflect {
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// What the queries of one project may use of one another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// The terms of each list, as a query would write them.
    pub lists: BTreeMap<String, Vec<String>>,
    /// The text of each query.
    pub queries: BTreeMap<String, String>,
}

impl Keyword {
    /// All that is looked for: what was typed, then its forms.
    pub fn spellings(&self) -> impl Iterator<Item = &Literal> {
        self.literals.iter().chain(&self.forms)
    }

    /// How a mention says that it was found.
    pub fn how(&self) -> How {
        self.literals.first().map_or(How::Word, |literal| literal.kind.how())
    }
}

/// One spelling of something looked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Literal {
    pub kind: LiteralKind,
    /// The characters looked for, without quotes, braces, `#`, `@` or `$`. A wildcard has its stars and question marks,
    /// a prefix lacks its star.
    pub text: String,
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    pub reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LiteralKind {
    /// A bare word or `=word`.
    Word,
    /// `"these words"`.
    Phrase,
    /// `{Exactly these}`.
    Exact,
    /// `+"with, its punctuation"`.
    Raw,
    /// `word*`.
    Prefix,
    /// A word with a star at its start or inside, or with question marks.
    Wildcard,
    /// A word with at most so many letters added, lost, exchanged or swapped.
    Fuzzy(u8),
    /// `#tag`, whole.
    Hashtag,
    /// `@name`, whole.
    Name,
    /// `$TICK`, whole.
    Ticker,
    /// An emoji or another symbol: no boundaries.
    Symbol,
}

impl LiteralKind {
    pub fn how(self) -> How {
        match self {
            Self::Word | Self::Symbol | Self::Ticker => How::Word,
            Self::Phrase => How::Phrase,
            Self::Exact | Self::Raw => How::Exact,
            Self::Prefix | Self::Wildcard | Self::Fuzzy(_) => How::Wildcard,
            Self::Hashtag => How::Hashtag,
            Self::Name => How::Name,
        }
    }
}

impl Node {
    pub fn keyword(keyword: Keyword) -> Self {
        Self::Found(Spans::Keyword(keyword))
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

/// Characters that one star takes at most, but for the star of `word*`.
pub const STAR_CHARACTERS_MAX: usize = 100;

/// Occurrences that one match tells at most.
pub const TERMS_MAX: usize = 64;
