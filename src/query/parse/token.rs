//! What the lexer hands to the parser: tokens with their spans, fields by name, and mistakes.

use std::ops::Range;

use super::super::{LiteralKind, QueryError};

/// Mistakes, and remarks, that one parse tells at most.
pub const MISTAKES_MAX: usize = 32;
/// Parentheses that may be open at once.
pub const DEPTH_MAX: usize = 64;
/// Longer names are compared with no field: they are nobody's slip of the pen.
const FIELD_NAME_CHARS_MAX: usize = 24;
/// Slips that a name may hold and still be told which field it was meant to be.
const FIELD_SLIPS_MAX: usize = 2;

/// What to do about something that is not needed where it stands.
pub const LEAVE_OUT: &str = "Leave it out.";
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
    /// A field's name with its colon. A value, or a group of values, follows.
    Field(Field),
    /// What a field is compared with.
    Value(String),
    Literal(LiteralKind, String),
}

/// A field that can be asked today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Lang,
    Source,
    Author,
    Site,
}

/// What a name before a colon turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    Field(Field),
    /// In the language, not yet in the engine.
    NotBuilt,
    Unknown {
        nearest: Option<&'static str>,
    },
}

const BUILT: [(&str, Field); 4] =
    [("lang", Field::Lang), ("source", Field::Source), ("author", Field::Author), ("site", Field::Site)];

const NOT_BUILT: [&str; 31] = [
    "country",
    "sourcetype",
    "domain",
    "tld",
    "url",
    "board",
    "author_name",
    "followers",
    "verified",
    "gender",
    "is",
    "has",
    "thread",
    "parent_id",
    "likes",
    "shares",
    "replies",
    "reach",
    "rating",
    "sentiment",
    "tag",
    "words",
    "mentions",
    "hour",
    "weekday",
    "sample",
    "title",
    "body",
    "parent",
    "root",
    "quoted",
];

impl Named {
    /// Of a name as it is typed; case does not matter.
    pub fn of(name: &str) -> Self {
        let name = name.to_lowercase();
        if let Some((_, field)) = BUILT.iter().find(|(known, _)| *known == name) {
            return Self::Field(*field);
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
    if name.chars().count() > FIELD_NAME_CHARS_MAX {
        return None;
    }
    let known = BUILT.iter().map(|(known, _)| *known).chain(NOT_BUILT);
    let (slips, known) = known.map(|known| (slips(name, known), known)).min_by_key(|(slips, _)| *slips)?;
    (slips <= FIELD_SLIPS_MAX && 2 * slips <= name.len()).then_some(known)
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
