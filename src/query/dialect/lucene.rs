//! Lucene's classic query parser with its standard analyzer. A query is no boolean formula there: each clause is
//! required, forbidden or optional, and optional ones decide nothing beside required ones.

use std::ops::Range;

use super::super::QueryError;
use super::super::parse::mistake;
use super::fields::{Given, Rule};
use super::lex::{Token, TokenKind};
use super::reader::{Reader, missing};
use super::tree::{Part, Tree};

pub(super) fn rule(name: &str) -> Option<Rule> {
    Some(match name {
        "title" => Rule::scope("title"),
        "body" | "text" | "content" | "contents" => Rule::scope("body"),
        "author" => Rule::field("author"),
        "author_name" => Rule::scope("author_name"),
        "site" => Rule::field("site"),
        "domain" => Rule::field("domain"),
        "url" => Rule::field("url"),
        "lang" | "language" => Rule::field("lang"),
        "source" => Rule::field("source"),
        "board" => Rule::field("board"),
        "country" => Rule::field("country"),
        "likes" => Rule::value(|given| number(given, "likes")),
        "shares" => Rule::value(|given| number(given, "shares")),
        "replies" => Rule::value(|given| number(given, "replies")),
        "followers" => Rule::value(|given| number(given, "followers")),
        "reach" => Rule::value(|given| number(given, "reach")),
        "words" => Rule::value(|given| number(given, "words")),
        _ => return None,
    })
}

/// A number, or a range of numbers whose ends may be left out.
fn number(given: &Given, field: &'static str) -> Option<Part> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(given.text) {
        return Some(given.field(field, given.text));
    }
    let (open, close) = (given.text.chars().next()?, given.text.chars().next_back()?);
    let (min, max) = given.text.trim_matches(['[', ']', '{', '}']).split_once(" TO ")?;
    let (min, max) = (min.trim(), max.trim());
    let fits = |end: &str| end == "*" || is_number(end);
    if !fits(min) || !fits(max) || (min == "*" && max == "*") {
        return None;
    }
    if (open, close) == ('[', ']') && min != "*" && max != "*" {
        return Some(given.field(field, format!("[{min} TO {max}]")));
    }
    let ends = [(min, if open == '[' { ">=" } else { ">" }), (max, if close == ']' { "<=" } else { "<" })];
    let compared = ends.into_iter().filter(|(end, _)| *end != "*");
    Some(Part::all(compared.map(|(end, sign)| given.field(field, format!("{sign}{end}"))).collect()))
}

/// What a clause asks of a post.
#[derive(Clone, Copy, PartialEq)]
enum Occurs {
    Must,
    MustNot,
    May,
}

#[derive(Clone, Copy, PartialEq)]
enum Joint {
    And,
    Or,
    None,
}

/// The clauses of one group.
#[derive(Default)]
struct Clauses {
    parts: Vec<(Occurs, Part)>,
    ands: usize,
    ors: usize,
    gaps: usize,
}

impl Reader<'_> {
    /// The clauses of a group, up to its end.
    pub fn clauses(&mut self) -> Result<Part, QueryError> {
        let start = self.peek().map_or(self.text.len(), |token| token.span.start);
        let mut clauses = Clauses::default();
        while self.peek().is_some_and(|token| token.kind != TokenKind::Close) {
            let is_first = clauses.parts.is_empty();
            let joint = self.joint(is_first)?;
            match joint {
                Joint::And => clauses.ands += 1,
                Joint::Or => clauses.ors += 1,
                Joint::None => {}
            }
            self.clause(&mut clauses, joint)?;
        }
        let end = self.at.checked_sub(1).map_or(start, |last| self.tokens[last].span.end);
        self.decide(clauses, start..end.max(start))
    }

    /// AND or OR before a clause.
    fn joint(&mut self, is_first: bool) -> Result<Joint, QueryError> {
        let Some(Token { kind, span }) = self.peek().cloned() else { return Ok(Joint::None) };
        let (joint, symbol) = match &kind {
            TokenKind::Both => (Joint::And, Some(("&&", "AND"))),
            TokenKind::Either => (Joint::Or, Some(("||", "OR"))),
            TokenKind::Word(word) if word == "AND" => (Joint::And, None),
            TokenKind::Word(word) if word == "OR" => (Joint::Or, None),
            _ => return Ok(Joint::None),
        };
        if is_first {
            return Err(missing(span));
        }
        if let Some((symbol, instead)) = symbol {
            self.remark(&span, symbol, "Operators are words.", instead);
        }
        self.at += 1;
        Ok(joint)
    }

    fn clause(&mut self, clauses: &mut Clauses, joint: Joint) -> Result<(), QueryError> {
        if joint == Joint::And
            && let Some((occurs @ Occurs::May, _)) = clauses.parts.last_mut()
        {
            *occurs = Occurs::Must;
        }
        if let Some(Token { kind: TokenKind::BareSign(sign), span }) = self.peek().cloned() {
            self.at += 1;
            let operator = format!("{sign} and a space");
            self.remark(&span, &operator, "A sign before white space is passed over there.", "");
            return Ok(());
        }
        let sign = self.clause_sign()?;
        let part = self.unary()?;
        let occurs = match (sign, joint) {
            (Some('-'), Joint::Or) => {
                self.remark(&part.span, "OR NOT", "What is excluded is excluded whatever else is found.", "NOT");
                Occurs::MustNot
            }
            (Some('-'), _) => Occurs::MustNot,
            (Some(_), _) | (None, Joint::And) => Occurs::Must,
            (None, _) => Occurs::May,
        };
        clauses.gaps += usize::from(joint == Joint::None && sign.is_none() && !clauses.parts.is_empty());
        clauses.parts.push((occurs, part));
        Ok(())
    }

    /// The sign before a clause: `+`, or `-` for all that excludes.
    fn clause_sign(&mut self) -> Result<Option<char>, QueryError> {
        let Some(Token { kind, span }) = self.peek().cloned() else { return Ok(None) };
        let sign = match &kind {
            TokenKind::Sign('!') => {
                self.remark(&span, "!", "Operators are words.", "NOT");
                '-'
            }
            TokenKind::Sign('+') => {
                self.remark(
                    &span,
                    "+",
                    "What is required is joined by AND; what is not beside it decides nothing.",
                    "AND",
                );
                '+'
            }
            TokenKind::Sign(_) => '-',
            TokenKind::Word(word) if word == "NOT" => '-',
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(sign))
    }

    fn decide(&mut self, clauses: Clauses, span: Range<usize>) -> Result<Part, QueryError> {
        let Clauses { parts, ands, ors, gaps } = clauses;
        let (mut must, mut must_not, mut may) = (Vec::new(), Vec::new(), Vec::new());
        for (occurs, part) in parts {
            match occurs {
                Occurs::Must => must.push(part),
                Occurs::MustNot => must_not.push(part),
                Occurs::May => may.push(part),
            }
        }
        if must.is_empty() && may.is_empty() {
            let message = "Only what is excluded stands here: nothing is found by it.";
            return Err(mistake("no_anchor", span, message, Some("AND it with a word.")));
        }
        if ands > 0 && ors > 0 {
            let sentence = "AND requires both its sides whatever OR stands beside; what is left decides nothing.";
            self.remark(&span, "AND with OR", sentence, "AND");
        }
        if gaps > 0 {
            let instead = if must.is_empty() { "OR" } else { "" };
            self.remark(&span, "white space", "White space joins by OR.", instead);
        }
        let mut all = if must.is_empty() { vec![Part::any(may)] } else { must };
        all.extend(must_not.into_iter().map(|part| {
            let span = part.span.clone();
            Part::new(Tree::Not(Box::new(part)), span)
        }));
        Ok(Part::all(all))
    }
}
