//! Tokens to a tree: AND, OR, NOT, nearness and groups as most products read them. Depth is bounded by the lexer; what a
//! term or a field means is told elsewhere.

use std::ops::Range;

use super::super::QueryError;
use super::super::parse::{DISTANCE_MAX, mistake};
use super::lex::{Token, TokenKind};
use super::tree::{Kind, Part, Tree};
use super::{Dialect, Remark, no_counterpart};

pub(super) struct Reader<'a> {
    pub text: &'a str,
    pub dialect: Dialect,
    pub tokens: Vec<Token>,
    pub at: usize,
    /// What is read is what a field is compared with.
    pub in_values: bool,
    pub remarks: Vec<Remark>,
}

/// What a word between terms asks.
enum Operator {
    And,
    Or,
    Not,
    Near(String),
    /// Meltwater: some place of the first that is no part of the second.
    Except,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, dialect: Dialect, tokens: Vec<Token>) -> Self {
        Self { text, dialect, tokens, at: 0, in_values: false, remarks: Vec::new() }
    }

    /// The whole text.
    pub fn whole(&mut self) -> Result<Part, QueryError> {
        if self.tokens.is_empty() {
            let instead = "Write a word or a \"phrase\".";
            return Err(mistake("empty", 0..self.text.len(), "This query holds no term.", Some(instead)));
        }
        if let Some(part) = self.without_operators() {
            return part;
        }
        let part = self.inside()?;
        match self.peek() {
            Some(token) => Err(missing(token.span.clone())),
            None => Ok(part),
        }
    }

    /// What stands in parentheses, or in the whole text.
    pub fn inside(&mut self) -> Result<Part, QueryError> {
        if self.dialect == Dialect::Lucene { self.clauses() } else { self.any() }
    }

    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    pub fn next(&mut self) -> Result<Token, QueryError> {
        let Some(token) = self.peek().cloned() else {
            return Err(missing(self.tokens.last().map_or(0..0, |last| last.span.clone())));
        };
        self.at += 1;
        Ok(token)
    }

    /// Passes the next token if it begins where the last one ends, and is wanted.
    pub fn passes<T>(&mut self, wanted: impl Fn(&TokenKind) -> Option<T>) -> Option<(T, Range<usize>)> {
        let end = self.at.checked_sub(1).and_then(|before| self.tokens.get(before)).map(|token| token.span.end);
        let token = self.peek().filter(|token| Some(token.span.start) == end)?;
        let found = (wanted(&token.kind)?, token.span.clone());
        self.at += 1;
        Some(found)
    }

    /// Passes `~n` directly behind what was just read.
    pub fn passes_tilde(&mut self) -> Option<(String, Range<usize>)> {
        self.passes(|kind| if let TokenKind::Tilde(number) = kind { Some(number.clone()) } else { None })
    }

    pub fn remark(&mut self, span: &Range<usize>, operator: &str, sentence: &str, instead: &str) {
        self.remarks.push(Remark::new(span.clone(), operator, sentence, instead));
    }

    fn any(&mut self) -> Result<Part, QueryError> {
        let (first, mut is_mixed) = self.all()?;
        let mut parts = vec![first];
        while let Some(Operator::Or) = self.operator()? {
            self.at += 1;
            let (part, is_bare_all) = self.all()?;
            is_mixed |= is_bare_all;
            parts.push(part);
        }
        let part = Part::any(parts);
        if is_mixed && matches!(part.node, Tree::Any(_)) && self.dialect == Dialect::Brandwatch {
            let sentence = "AND binds more tightly than OR here; there nothing says which does.";
            self.remark(&part.span.clone(), "AND with OR", sentence, "(a AND b) OR c");
        }
        Ok(part)
    }

    /// Terms side by side, and whether they are several without parentheses around them.
    fn all(&mut self) -> Result<(Part, bool), QueryError> {
        let mut parts = vec![self.not()?];
        loop {
            let is_and = match self.operator()? {
                Some(Operator::Or) => break,
                Some(Operator::And) => {
                    self.at += 1;
                    true
                }
                Some(_) => true,
                None => false,
            };
            let Some(next) = self.peek().filter(|token| token.kind != TokenKind::Close).cloned() else {
                if is_and {
                    return Err(missing(self.tokens[self.at - 1].span.clone()));
                }
                break;
            };
            if matches!(self.dialect, Dialect::Brandwatch | Dialect::Meltwater)
                && !is_and
                && !matches!(next.kind, TokenKind::Sign(_))
            {
                self.remark(&next.span, "white space", "White space between terms is read as AND.", "AND");
            }
            parts.push(self.not()?);
        }
        let is_several = parts.len() > 1;
        let parts = if self.dialect == Dialect::Talkwalker { self.any_site(parts) } else { parts };
        Ok((Part::all(parts), is_several))
    }

    fn not(&mut self) -> Result<Part, QueryError> {
        let is_sign = self.peek().is_some_and(|token| token.kind == TokenKind::Sign('-'));
        if !is_sign && !matches!(self.operator()?, Some(Operator::Not)) {
            return self.near();
        }
        let start = self.next()?.span;
        let is_behind_and =
            self.at >= 2 && matches!(&self.tokens[self.at - 2].kind, TokenKind::Word(word) if word == "AND");
        if is_sign && is_behind_and && self.dialect == Dialect::Brandwatch {
            self.remark(&start, "AND -", "`AND -` is NOT.", "AND NOT");
        }
        let part = self.near()?;
        let span = start.start..part.span.end;
        Ok(Part::not(part, span))
    }

    /// A term, or terms that are near one another.
    fn near(&mut self) -> Result<Part, QueryError> {
        let mut parts = vec![self.unary()?];
        let mut gaps = Vec::new();
        loop {
            match self.operator()? {
                Some(Operator::Near(gap)) => {
                    self.at += 1;
                    gaps.push(gap);
                    parts.push(self.unary()?);
                }
                Some(Operator::Except) if parts.len() == 1 => {
                    let span = self.next()?.span;
                    let (of, from) = (parts.remove(0), self.unary()?);
                    return self.except(of, from, &span);
                }
                _ => break,
            }
        }
        if gaps.is_empty() {
            return Ok(parts.remove(0));
        }
        let span = super::tree::hull(&parts);
        Ok(Part::new(Tree::Chain(parts, gaps), span))
    }

    /// A term with what may stand behind it.
    pub fn unary(&mut self) -> Result<Part, QueryError> {
        let mut part = self.primary()?;
        while let Some((_, span)) = self.passes(|kind| matches!(kind, TokenKind::Caret(_)).then_some(())) {
            self.remark(&span, "^", "A weight orders what is found; it decides of no post whether it is.", "");
        }
        if self.dialect == Dialect::Meltwater
            && let Some(TokenKind::Brace(times)) = self.peek().map(|token| &token.kind)
        {
            let times = times.clone();
            let span = self.next()?.span;
            part = self.frequency(part, &times, &span)?;
        }
        Ok(part)
    }

    fn primary(&mut self) -> Result<Part, QueryError> {
        let is_operator = self.operator()?.is_some();
        let Token { kind, span } = self.next()?;
        if is_operator {
            return Err(missing(span));
        }
        match kind {
            TokenKind::Open => self.group(span),
            TokenKind::Field(name) => self.field(&name, span),
            TokenKind::Word(text) | TokenKind::Escaped(text) | TokenKind::Quote(text) | TokenKind::Range(text)
                if self.in_values =>
            {
                value(text.trim(), &span)
            }
            TokenKind::Word(text) => self.word(&text, span),
            TokenKind::Escaped(text) => self.escaped(&text, span),
            TokenKind::Quote(text) => self.phrase(&text, span),
            TokenKind::Raw(text) => Ok(Part::term(Kind::Raw, text, &span)),
            TokenKind::Exact(text) => Ok(Part::term(Kind::Written, format!("++\"{text}\""), &span)),
            TokenKind::Brace(text) if self.dialect == Dialect::Brandwatch => Ok(Part::term(Kind::Exact, text, &span)),
            TokenKind::Pattern => {
                Err(no_counterpart(span, "/regular expression/", "write out what it finds, or use `*` and `?`"))
            }
            TokenKind::Compared(_) => Err(mistake("wrong_value", span, "What is compared stands before this.", None)),
            TokenKind::Sign(_) | TokenKind::BareSign(_) | TokenKind::Both | TokenKind::Either | TokenKind::Close => {
                Err(missing(span))
            }
            TokenKind::Brace(_) | TokenKind::Range(_) | TokenKind::Tilde(_) | TokenKind::Caret(_) => Err(mistake(
                "stray_character",
                span,
                "Nothing that this could belong to stands here.",
                Some("Leave it out."),
            )),
        }
    }

    fn group(&mut self, open: Range<usize>) -> Result<Part, QueryError> {
        if self.peek().is_some_and(|token| token.kind == TokenKind::Close) {
            let span = open.start..self.next()?.span.end;
            return Err(mistake(
                "empty_group",
                span,
                "There is nothing between these parentheses.",
                Some("Leave it out."),
            ));
        }
        let part = self.inside()?;
        let close = self.next()?;
        if close.kind != TokenKind::Close {
            return Err(missing(close.span));
        }
        let span = open.start..close.span.end;
        match self.passes_tilde() {
            Some((number, tilde)) if self.dialect == Dialect::Brandwatch => {
                self.near_of_group(part, &number, span.start..tilde.end)
            }
            Some((_, tilde)) => {
                let message = "`~n` stands behind a phrase or a word.";
                Err(mistake("window_of_word", tilde, message, Some("a NEAR/5 b")))
            }
            None => Ok(Part { node: part.node, span }),
        }
    }

    /// `((a OR b) AND c)~n`: the two are so near.
    fn near_of_group(&mut self, part: Part, number: &str, span: Range<usize>) -> Result<Part, QueryError> {
        let gap = format!("NEAR/{}", distance(number, &span)?);
        let Tree::All(parts) = part.node else {
            return Err(no_counterpart(span, "()~n", "it takes two words, phrases or groups with AND between them"));
        };
        if parts.len() != 2 {
            return Err(no_counterpart(span, "()~n", "with more than two parts, write a chain of NEAR"));
        }
        self.remark(&span, "()~n", "Two groups so near are written with NEAR.", &gap);
        Ok(Part::new(Tree::Chain(parts, vec![gap]), span))
    }

    /// The operator that stands next, not passed.
    fn operator(&mut self) -> Result<Option<Operator>, QueryError> {
        let Some(Token { kind: TokenKind::Word(word), span }) = self.peek() else { return Ok(None) };
        let span = span.clone();
        Ok(Some(match (self.dialect, word.as_str()) {
            (_, "OR") => Operator::Or,
            (Dialect::X, _) => return Ok(None),
            (_, "AND") => Operator::And,
            (_, "NOT") => Operator::Not,
            (Dialect::Meltwater, "XNOT") => Operator::Except,
            (Dialect::Meltwater, "and" | "or" | "not") => {
                let upper = word.to_uppercase();
                let name = format!("lower-case {word}");
                if self.remarks.last().is_none_or(|last| last.span != span) {
                    self.remark(&span, &name, "Operators are upper case.", &upper);
                }
                match upper.as_str() {
                    "AND" => Operator::And,
                    "OR" => Operator::Or,
                    _ => Operator::Not,
                }
            }
            _ if self.in_values => return Ok(None),
            (_, word) => match nearness(self.dialect, word, &span)? {
                Some((gap, theirs)) => {
                    let is_told = self.remarks.last().is_some_and(|last| last.span == span);
                    if let Some(theirs) = theirs.filter(|_| !is_told) {
                        self.remark(&span, theirs, "Nearness is written so.", &gap);
                    }
                    Operator::Near(gap)
                }
                None => return Ok(None),
            },
        }))
    }
}

/// An operator of nearness as ours, and its name there if it is spelt otherwise.
fn nearness(
    dialect: Dialect,
    word: &str,
    span: &Range<usize>,
) -> Result<Option<(String, Option<&'static str>)>, QueryError> {
    let (name, number) = word.split_once('/').map_or((word, None), |(name, number)| (name, Some(number)));
    let bare = match (dialect, name) {
        (Dialect::Talkwalker, "SENTENCE") if number.is_none() => return Ok(Some((name.to_owned(), None))),
        (Dialect::Talkwalker, "OSENTENCE") => {
            return Err(no_counterpart(span.clone(), "OSENTENCE", "a sentence is asked without order, by SENTENCE"));
        }
        (Dialect::Brandwatch, "NEAR") => None,
        (Dialect::Talkwalker, "NEAR" | "ONEAR") => Some(15),
        (Dialect::Meltwater, "NEAR" | "ONEAR") => Some(4),
        _ => return Ok(None),
    };
    let ordered = number.and_then(|number| number.strip_suffix('f')).filter(|_| dialect == Dialect::Brandwatch);
    if let Some(ordered) = ordered {
        return Ok(Some((format!("ONEAR/{}", distance(ordered, span)?), Some("NEAR/xf"))));
    }
    Ok(Some(match (number, bare) {
        (None, Some(bare)) => (format!("{name}/{bare}"), Some(if name == "NEAR" { "NEAR" } else { "ONEAR" })),
        (number, _) => (format!("{name}/{}", distance(number.unwrap_or_default(), span)?), None),
    }))
}

/// A number of words that may lie between.
pub(super) fn distance(number: &str, span: &Range<usize>) -> Result<u32, QueryError> {
    let words = number.parse().ok().filter(|words| *words <= DISTANCE_MAX);
    words.ok_or_else(|| {
        let message = format!("A distance is a number of words up to {DISTANCE_MAX}.");
        mistake("wrong_distance", span.clone(), message, Some("NEAR/5"))
    })
}

/// What a field is compared with. Ours is written between quotation marks or braces.
pub(super) fn value(text: &str, span: &Range<usize>) -> Result<Part, QueryError> {
    if text.contains('"') && text.contains('}') {
        let message = "A value holds no quotation mark together with a brace.";
        return Err(mistake("wrong_value", span.clone(), message, Some("Leave one of them out.")));
    }
    Ok(Part::term(Kind::Value, text, span))
}

pub(super) fn missing(span: Range<usize>) -> QueryError {
    let message = "A term is missing here: an operator stands between two terms, NOT before one.";
    mistake("missing_term", span, message, Some("Put a term there, or leave the operator out."))
}
