//! What a field of a product is in our language. One table for each product, read the same way.

use std::ops::Range;

use super::super::QueryError;
use super::super::parse::mistake;
use super::lex::TokenKind;
use super::reader::{Reader, value};
use super::tree::{Kind, Part, Tree};
use super::written::Written;
use super::{Dialect, brandwatch, lucene, meltwater, no_counterpart, talkwalker, x};

/// What a field is here, and a sentence on what changes, if anything does beside its name.
pub(super) struct Rule {
    pub to: To,
    pub note: &'static str,
}

pub(super) enum To {
    /// A field of ours, with the same values.
    Field(&'static str),
    /// Texts of ours.
    Scope(&'static str),
    /// What a value becomes; nothing where it has no counterpart.
    Value(fn(&Given) -> Option<Part>),
    /// No counterpart: the note tells why, or what to do.
    Refused,
}

impl Rule {
    pub const fn field(name: &'static str) -> Self {
        Self { to: To::Field(name), note: "" }
    }

    pub const fn scope(name: &'static str) -> Self {
        Self { to: To::Scope(name), note: "" }
    }

    pub const fn value(value: fn(&Given) -> Option<Part>) -> Self {
        Self { to: To::Value(value), note: "" }
    }

    pub const fn refused(note: &'static str) -> Self {
        Self { to: To::Refused, note }
    }

    pub const fn noted(self, note: &'static str) -> Self {
        Self { to: self.to, note }
    }
}

/// One value of a field.
pub(super) struct Given<'a> {
    pub text: &'a str,
    pub span: &'a Range<usize>,
}

impl Given<'_> {
    pub fn field(&self, name: &'static str, value: impl Into<String>) -> Part {
        Part::field(name, value, self.span)
    }

    pub fn term(&self, kind: Kind, text: impl Into<String>) -> Part {
        Part::term(kind, text, self.span)
    }

    pub fn all(&self, parts: Vec<Part>) -> Part {
        Part::new(Tree::All(parts), self.span.clone())
    }

    pub fn any(&self, parts: Vec<Part>) -> Part {
        Part::new(Tree::Any(parts), self.span.clone())
    }

    /// `#tag` or `@name`, whether the value has its sign or not.
    pub fn entity(&self, sign: char) -> Option<Part> {
        let text = format!("{sign}{}", self.text.trim_start_matches(sign));
        super::super::parse::is_one_term(&text).then(|| self.term(Kind::Word, text))
    }

    /// The handle or the name of an author.
    pub fn author_or_name(&self) -> Part {
        let kind = if self.text.contains(char::is_whitespace) { Kind::Phrase } else { Kind::Word };
        let name = match kind {
            Kind::Word => super::terms::one_word(self.text, self.span),
            _ => self.term(kind, self.text.replace('"', " ")),
        };
        self.any(vec![self.field("author", self.text), Part::scope("author_name", name)])
    }

    /// The first pair that the value is, by its other side.
    pub fn among(&self, field: &'static str, pairs: &[(&str, &str)]) -> Option<Part> {
        let (_, ours) = pairs.iter().find(|(theirs, _)| *theirs == self.text)?;
        Some(self.field(field, *ours))
    }
}

/// A host without what stands before it in an address.
pub(super) fn host(text: &str) -> &str {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches('/')
}

impl Reader<'_> {
    /// A field, its name just passed, with its value or its group of values.
    pub fn field(&mut self, name: &str, start: Range<usize>) -> Result<Part, QueryError> {
        let rule = match self.dialect {
            Dialect::Brandwatch => brandwatch::rule(name),
            Dialect::X => x::rule(name),
            Dialect::Talkwalker => talkwalker::rule(name),
            Dialect::Meltwater => meltwater::rule(name),
            Dialect::Lucene => lucene::rule(name),
        };
        let is_adjacent = self.peek().is_some_and(|token| token.span.start == start.end);
        if !is_adjacent {
            let message = "A field needs a value directly after its colon.";
            return Err(mistake("missing_value", start, message, Some("Leave it out.")));
        }
        let Some(rule) = rule else {
            let message = format!("There is no field `{name}:` in this dialect. In a text, quote it.");
            return Err(mistake("unknown_field", start, message, Some("Put it between quotation marks.")));
        };
        let operator = format!("{name}:");
        let is_scope = matches!(rule.to, To::Scope(_));
        if let Some(TokenKind::Compared(value)) = self.peek().map(|token| &token.kind) {
            let value = value.clone();
            self.next()?;
            let value = Part::term(Kind::Value, value, &self.tokens[self.at - 1].span);
            return self.compared(&operator, rule, value, start.start);
        }
        let outer = std::mem::replace(&mut self.in_values, !is_scope);
        let value = if is_scope { self.value_of_scope() } else { self.value_of_field() };
        self.in_values = outer;
        let value = value?;
        self.compared(&operator, rule, value, start.start)
    }

    fn value_of_scope(&mut self) -> Result<Part, QueryError> {
        match self.peek().map(|token| &token.kind) {
            Some(TokenKind::Range(range)) => {
                let why = format!("`{range}` compares words; a text is only searched");
                Err(no_counterpart(self.next()?.span, "range of words", &why))
            }
            Some(TokenKind::Field(_)) => {
                let message = "A field is no value of another one.";
                Err(mistake("wrong_scope", self.next()?.span, message, Some("title:(a OR b)")))
            }
            _ => self.unary(),
        }
    }

    fn value_of_field(&mut self) -> Result<Part, QueryError> {
        if let Some(TokenKind::Word(text)) = self.peek().map(|token| &token.kind) {
            let text = text.clone();
            let span = self.next()?.span;
            return value(&text, &span);
        }
        self.unary()
    }

    fn compared(&mut self, operator: &str, rule: Rule, value: Part, start: usize) -> Result<Part, QueryError> {
        let span = start..value.span.end;
        let mut is_same = rule.note.is_empty();
        let name = operator.trim_end_matches(':');
        let part = match rule.to {
            To::Refused => return Err(no_counterpart(span, operator, rule.note)),
            To::Scope(scope) => {
                is_same &= scope == name;
                Part::new(Tree::Scope(scope, Box::new(value)), span.clone())
            }
            to => value.map(&mut |leaf: Part| {
                let Tree::Term(_, text) = &leaf.node else { return Ok(leaf) };
                let given = Given { text, span: &leaf.span };
                let translated = match &to {
                    To::Value(value) => value(&given),
                    To::Field(field) => Some(given.field(field, text.as_str())),
                    To::Scope(_) | To::Refused => None,
                };
                let why = format!("there is nothing here for `{text}`");
                let refused = || no_counterpart(start.min(leaf.span.start)..leaf.span.end, operator, &why);
                let translated = translated.ok_or_else(refused)?;
                is_same &= matches!(&translated.node, Tree::Field(field, value) if *field == name && value == text);
                Ok(translated)
            })?,
        };
        if !is_same {
            let sentence = if rule.note.is_empty() { "It is written otherwise here." } else { rule.note };
            self.remark(&span, operator, sentence, &Written::of(&part));
        }
        Ok(Part { node: part.node, span })
    }
}
