//! What the lexer hands to the parser: tokens with their spans, fields by name, and mistakes.

use std::ops::Range;

use crate::model::Lang;

use super::super::condition::Bounds;
use super::super::pragma::{Fold, Morph, Zone};
use super::super::{Gap, LiteralKind, QueryError, Scope};

/// Mistakes, and remarks, that one parse tells at most.
pub const MISTAKES_MAX: usize = 32;
/// Parentheses that may be open at once.
pub const DEPTH_MAX: usize = 64;
/// Longer names are compared with no other: they are nobody's slip of the pen.
const NAME_CHARS_MAX: usize = 24;
/// Slips that a name may hold and still be told which one it was meant to be.
const NAME_SLIPS_MAX: usize = 2;

/// What to do about something that is not needed where it stands.
pub const LEAVE_OUT: &str = "Leave it out.";
pub const WINDOW_OF_WORD: &str = "`~n` belongs to a phrase or a group; slips in a word are found by `fuzzy(word,n)`.";
pub const VALUE_MISSING: &str = "A field needs a value directly after its colon.";
pub const VALUE_EXAMPLE: &str = "lang:cs, site:example.org";

#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub kind: TokenKind,
    /// Bytes of the query's text.
    pub span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TokenKind {
    Open,
    Close,
    And,
    Or,
    /// `NOT`, or `-` directly before a term.
    Not,
    Near(Nearness),
    /// `~n` directly behind a phrase or a group: so many other tokens may lie between.
    Window(u32),
    /// A field's name with its colon. A value, or a group of values, follows.
    Field(Field),
    /// The name of texts with its colon. A term or a group follows.
    Scope(Scope),
    /// What a field is compared with.
    Value(String),
    Literal(LiteralKind, String),
    /// The name of a call; its parenthesis is passed, and a `Close` ends it.
    Call(Call),
    Comma,
    /// How often what `freq(…)` counts must stand there.
    Times(Bounds),
    Pragma(Pragma),
}

/// An operator that asks how far two places are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearness {
    pub gap: Gap,
    /// `NOT NEAR`: none may be so near.
    pub apart: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Forms,
    Morph,
    AtLeast,
    Freq,
    Fuzzy,
    List,
    Use,
}

impl Call {
    /// Of a name as it is typed; case matters.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "forms" => Self::Forms,
            "morph" => Self::Morph,
            "atleast" => Self::AtLeast,
            "freq" => Self::Freq,
            "fuzzy" => Self::Fuzzy,
            "list" => Self::List,
            "use" => Self::Use,
            _ => return None,
        })
    }
}

/// A remark of the query on itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Pragma {
    Langs(Vec<Lang>),
    Morph(Morph),
    Fold(Fold),
    Zone(Zone),
    Strict(bool),
}

/// A field that is compared with values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Lang,
    Source,
    Author,
    Site,
    Domain,
    Tld,
    Url,
    Board,
    SourceType,
    Thread,
    ParentId,
    Is,
    Has,
    Words,
    Mentions,
    Hour,
    Weekday,
    Sample,
    /// One that no source fills yet: its name.
    Unfilled(&'static str),
}

/// What a name before a colon turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Field(Field),
    Scope(Scope),
    /// In the language, not yet in the engine.
    NotBuilt,
    Unknown {
        nearest: Option<&'static str>,
    },
}

const FIELDS: [(&str, Field); 28] = [
    ("lang", Field::Lang),
    ("source", Field::Source),
    ("author", Field::Author),
    ("site", Field::Site),
    ("domain", Field::Domain),
    ("tld", Field::Tld),
    ("url", Field::Url),
    ("board", Field::Board),
    ("sourcetype", Field::SourceType),
    ("thread", Field::Thread),
    ("parent_id", Field::ParentId),
    ("is", Field::Is),
    ("has", Field::Has),
    ("words", Field::Words),
    ("mentions", Field::Mentions),
    ("hour", Field::Hour),
    ("weekday", Field::Weekday),
    ("sample", Field::Sample),
    ("country", Field::Unfilled("country")),
    ("followers", Field::Unfilled("followers")),
    ("verified", Field::Unfilled("verified")),
    ("gender", Field::Unfilled("gender")),
    ("likes", Field::Unfilled("likes")),
    ("shares", Field::Unfilled("shares")),
    ("replies", Field::Unfilled("replies")),
    ("reach", Field::Unfilled("reach")),
    ("rating", Field::Unfilled("rating")),
    ("sentiment", Field::Unfilled("sentiment")),
];

const NOT_BUILT: [&str; 1] = ["tag"];

impl Named {
    /// Of a name as it is typed; case does not matter.
    pub fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        if let Some((_, field)) = FIELDS.iter().find(|(known, _)| *known == name) {
            return Self::Field(*field);
        }
        if let Some(scope) = Scope::ALL.into_iter().find(|scope| scope.name() == name) {
            return Self::Scope(scope);
        }
        if NOT_BUILT.contains(&name.as_str()) {
            return Self::NotBuilt;
        }
        Self::Unknown { nearest: nearest(&name) }
    }
}

/// The known field that is the fewest slips away.
fn nearest(name: &str) -> Option<&'static str> {
    if matches!(name, "http" | "https" | "host") {
        return Some("site");
    }
    if matches!(name, "from" | "by" | "user") {
        return Some("author");
    }
    closest(name, FIELDS.iter().map(|(known, _)| *known).chain(Scope::ALL.map(Scope::name)).chain(NOT_BUILT))
}

/// The known name that was probably meant.
pub fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let is_short = |name: &str| name.len() <= 4 * NAME_CHARS_MAX && name.chars().count() <= NAME_CHARS_MAX;
    if !is_short(name) {
        return None;
    }
    let known = known.filter(|known| is_short(known)).map(|known| (slips(name, known), known));
    let (slips, known) = known.min_by_key(|(slips, _)| *slips)?;
    (slips <= NAME_SLIPS_MAX && 2 * slips <= name.len()).then_some(known)
}

/// Letters to add, drop or exchange to come from one name to the other (Levenshtein).
fn slips(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (done, letter) in left.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], done + 1);
        for (at, other) in right.iter().enumerate() {
            let exchanged = diagonal + usize::from(letter != *other);
            diagonal = row[at + 1];
            row[at + 1] = exchanged.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[right.len()]
}

pub fn mistake(
    code: &'static str,
    span: Range<usize>,
    message: impl Into<String>,
    instead: Option<&str>,
) -> QueryError {
    QueryError { code, span, message: message.into(), suggestion: instead.map(str::to_owned) }
}

pub fn unknown_language(value: &str, span: &Range<usize>) -> QueryError {
    let several = value.split([',', ';', '|']).filter_map(Lang::parse).map(Lang::code).collect::<Vec<_>>();
    let instead = (several.len() > 1).then(|| format!("lang:({})", several.join(" OR ")));
    let known = Lang::ALL.map(Lang::code).join(" ");
    mistake("unknown_language", span.clone(), format!("A language is one of these codes: {known}."), instead.as_deref())
}
