//! The lexer's reading of operators that are words: nearness, calls, and what a query says of itself at its head.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::model::Lang;

use super::super::super::condition::Bounds;
use super::super::super::pragma::{Fold, Morph, Zone};
use super::super::super::{Dialect, Gap, QueryError};
use super::super::token::{Call, Nearness, Pragma, TokenKind, VALUE_MISSING, mistake, unknown_language};
use super::super::values;
use super::{DISTANCE_MAX, Holds, Lexer};

/// Each begins an operator of nearness.
pub(super) const NEARNESS: [&str; 3] = ["NEAR", "ONEAR", "SENTENCE"];
pub(super) const PRAGMAS: [&str; 6] = ["dialect", "lang", "morph", "fold", "tz", "strict"];

impl Lexer<'_> {
    /// `NEAR/5` and the like, the cursor behind the name. With a `NOT` before it the two are one operator.
    pub(super) fn nearness(&mut self, start: usize, name: &str) {
        let digits = self.cursor.offset();
        self.cursor.skip_while(|letter| letter == '/' || letter.is_ascii_alphanumeric());
        let distance = &self.cursor.text[self.cursor.since(digits)];
        let gap = match name {
            "SENTENCE" => distance.is_empty().then_some(Gap::Sentence),
            _ => distance.strip_prefix('/').and_then(|tokens| tokens.parse().ok()).and_then(|tokens| {
                let gap = if name == "NEAR" { Gap::Near(tokens) } else { Gap::Ordered(tokens) };
                (tokens <= DISTANCE_MAX).then_some(gap)
            }),
        };
        let Some(gap) = gap else { return self.wrong_distance(start, name, distance) };
        let is_apart = self
            .tokens
            .last()
            .is_some_and(|last| last.kind == TokenKind::Not && &self.cursor.text[last.span.clone()] == "NOT");
        let start = match self.tokens.pop_if(|_| is_apart) {
            Some(not) => not.span.start,
            None => start,
        };
        self.token(start, TokenKind::Near(Nearness { gap, apart: is_apart }));
    }

    fn wrong_distance(&mut self, start: usize, name: &str, distance: &str) {
        let tokens = distance.trim_matches(|letter: char| !letter.is_ascii_digit());
        let (message, instead) = match name {
            "SENTENCE" => ("SENTENCE takes no number.".to_owned(), "SENTENCE".to_owned()),
            _ if distance.is_empty() => {
                (format!("How many other tokens may lie between: {name}/5."), format!("{name}/5"))
            }
            _ if distance.ends_with('f') && tokens.parse::<u32>().is_ok() => {
                ("In order is ONEAR/n.".to_owned(), format!("ONEAR/{tokens}"))
            }
            _ => (format!("A distance is a number of tokens up to {DISTANCE_MAX}."), format!("{name}/{DISTANCE_MAX}")),
        };
        self.wrong("wrong_distance", start, message, Some(&instead));
    }

    /// The name of a call, the cursor on its parenthesis.
    pub(super) fn call(&mut self, start: usize, call: Call) {
        self.open(start, Holds::Arguments(call));
    }

    /// What follows `freq(…)`: a comparison with a number.
    pub(super) fn times(&mut self, call: usize) {
        self.cursor.skip_while(char::is_whitespace);
        let start = self.cursor.offset();
        self.cursor.skip_while(|letter| matches!(letter, '<' | '>' | '='));
        let signs = self.cursor.since(start);
        self.cursor.skip_while(char::is_whitespace);
        let digits = self.cursor.offset();
        self.cursor.skip_while(|letter| letter.is_ascii_digit());
        let written = format!("{}{}", &self.cursor.text[signs.clone()], &self.cursor.text[self.cursor.since(digits)]);
        match values::bounds(&written).filter(|_| !signs.is_empty()) {
            Some(bounds) if bounds.max.unwrap_or(bounds.min) <= u64::from(u32::MAX) => {
                self.token(start, TokenKind::Times(bounds));
            }
            _ => self.wrong("missing_value", call, "How often? As in freq(outage) >= 3.", Some("freq(word) >= 2")),
        }
    }

    /// Whether nothing but pragmas was read so far.
    pub(super) fn at_head(&self) -> bool {
        self.tokens.last().is_none_or(|last| matches!(last.kind, TokenKind::Pragma(_)))
    }

    /// A pragma, the cursor on its colon.
    pub(super) fn pragma(&mut self, start: usize, name: &str) {
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| !letter.is_whitespace());
        let value = &self.cursor.text[self.cursor.since(inside)];
        let span = self.cursor.since(inside);
        if !self.at_head() {
            let message = "What a query says of itself stands at its head, before the first term.";
            return self.wrong("pragma_not_at_head", start, message, Some("Put it first."));
        }
        if value.is_empty() {
            return self.wrong("missing_value", start, VALUE_MISSING, Some("@lang:cs, @fold:strict"));
        }
        if let Some(dialect) = Dialect::named(value).filter(|_| name == "dialect") {
            // All that follows is read by its own rules.
            self.foreign = Some((dialect, span.end));
            return self.cursor.skip_while(|_| true);
        }
        match read_pragma(name, value, &span) {
            Ok(Some(pragma)) => self.token(start, TokenKind::Pragma(pragma)),
            Ok(None) => {}
            Err(wrong) => self.mistakes.push(wrong),
        }
    }
}

/// None for what changes nothing.
fn read_pragma(name: &str, value: &str, span: &Range<usize>) -> Result<Option<Pragma>, QueryError> {
    let wrong = |message: &str, instead: &str| Err(mistake("wrong_value", span.clone(), message, Some(instead)));
    let pragma = match (name, value) {
        ("dialect", "earful") => return Ok(None),
        ("dialect", _) => {
            return wrong("A dialect is one of brandwatch, talkwalker, meltwater, x, lucene.", "@dialect:x");
        }
        ("lang", codes) => {
            let read = |code: &str| Lang::parse(code).ok_or_else(|| unknown_language(code, span));
            let langs = codes.split(',').map(read).collect::<Result<BTreeSet<_>, _>>()?;
            Pragma::Langs(langs.into_iter().collect())
        }
        ("morph", "off") => Pragma::Morph(Morph::Off),
        ("morph", "names") => Pragma::Morph(Morph::Names),
        ("morph", "full") => Pragma::Morph(Morph::Full),
        ("morph", _) => return wrong("Forms are looked for of: off, names, full.", "@morph:full"),
        ("fold", "typed") => Pragma::Fold(Fold::Typed),
        ("fold", "strict") => Pragma::Fold(Fold::Strict),
        ("fold", "all") => Pragma::Fold(Fold::All),
        ("fold", _) => return wrong("Marks are compared: typed, strict, all.", "@fold:strict"),
        ("strict", "on") => Pragma::Strict(true),
        ("strict", "off") => Pragma::Strict(false),
        ("strict", _) => return wrong("It is on or off.", "@strict:on"),
        (_, zone) => match Zone::named(zone) {
            Some(zone) => Pragma::Zone(zone),
            None => return wrong("A time zone is an IANA name.", "@tz:Europe/Prague"),
        },
    };
    Ok(Some(pragma))
}

/// Whether a bare word is an operator.
pub fn is_operator(word: &str) -> bool {
    matches!(word, "AND" | "OR" | "NOT") || NEARNESS.contains(&word)
}

/// A number of times as the tree has it.
pub(in super::super) fn times(bounds: Bounds) -> (u32, Option<u32>) {
    let number = |times: u64| u32::try_from(times).unwrap_or(u32::MAX);
    (number(bounds.min), bounds.max.map(number))
}
