//! A pasted query in our language, with the place of the pasted text from which each term comes, so that what our parser
//! says of the one is told at the other.

use std::ops::Range;

use super::super::QueryError;
use super::tree::{Kind, Part, Tree};

#[derive(Clone, Debug, Default)]
pub(in super::super) struct Written {
    pub text: String,
    /// Bytes of the text, in order, each with the bytes of the pasted text.
    places: Vec<(Range<usize>, Range<usize>)>,
}

/// What a part stands in, which decides whether it takes parentheses.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    /// Beside AND or OR.
    Joined,
    Inside,
}

impl Written {
    /// A whole query behind its pragmas.
    pub(super) fn query(head: &str, root: &Part) -> Self {
        let mut written = Self { text: head.to_owned(), places: Vec::new() };
        written.part(root, Place::Root);
        written
    }

    /// The text of one part.
    pub(super) fn of(part: &Part) -> String {
        let mut written = Self::default();
        written.part(part, Place::Root);
        written.text
    }

    /// Where in the pasted text a place of ours comes from: what all terms in it were, or the term before it.
    pub fn origin(&self, span: &Range<usize>) -> Range<usize> {
        let first = self.places.partition_point(|(ours, _)| ours.end <= span.start);
        let within = self.places[first..].iter().take_while(|(ours, _)| ours.start < span.end.max(span.start + 1));
        let mut theirs = within.map(|(_, theirs)| theirs.clone());
        let nearest = || self.places[..first].last().or(self.places.first()).map_or(0..0, |(_, theirs)| theirs.clone());
        let Some(start) = theirs.next() else { return nearest() };
        theirs.fold(start, |hull, place| hull.start.min(place.start)..hull.end.max(place.end))
    }

    /// A mistake of ours at the place of the pasted text.
    pub fn told(&self, mistake: QueryError) -> QueryError {
        QueryError { span: self.origin(&mistake.span), ..mistake }
    }

    fn part(&mut self, part: &Part, place: Place) {
        match &part.node {
            Tree::Term(kind, text) => self.leaf(&term(*kind, text), part),
            Tree::Field(name, value) => self.leaf(&format!("{name}:{}", self::value(value)), part),
            Tree::Scope(name, inner) => {
                self.text.extend([name, ":"]);
                self.part(inner, Place::Inside);
            }
            Tree::All(parts) => self.enclosed(place, |written| written.parts(parts, Place::Joined, |_| " AND ")),
            Tree::Any(parts) => self.enclosed(place, |written| written.parts(parts, Place::Joined, |_| " OR ")),
            Tree::Not(inner) => self.enclosed(bound(place), |written| {
                let start = written.text.len();
                written.text.push_str("NOT ");
                let sign = part.span.start..inner.span.start.max(part.span.start);
                written.places.push((start..written.text.len(), sign));
                written.part(inner, Place::Inside);
            }),
            Tree::Chain(parts, gaps) => {
                let gaps: Vec<String> = gaps.iter().map(|gap| format!(" {gap} ")).collect();
                self.enclosed(bound(place), |written| written.parts(parts, Place::Inside, |nth| gaps[nth].as_str()));
            }
            Tree::Count(inner, times) => {
                self.text.push_str("freq(");
                self.part(inner, Place::Root);
                self.text.extend([") ", times]);
            }
            Tree::Nothing => {}
        }
    }

    fn parts<'s>(&mut self, parts: &[Part], place: Place, between: impl Fn(usize) -> &'s str) {
        for (nth, part) in parts.iter().enumerate() {
            if let Some(before) = nth.checked_sub(1) {
                self.text.push_str(between(before));
            }
            self.part(part, place);
        }
    }

    fn enclosed(&mut self, place: Place, write: impl FnOnce(&mut Self)) {
        if place == Place::Root {
            return write(self);
        }
        self.text.push('(');
        write(self);
        self.text.push(')');
    }

    fn leaf(&mut self, text: &str, part: &Part) {
        let start = self.text.len();
        self.text.push_str(text);
        self.places.push((start..self.text.len(), part.span.clone()));
    }
}

/// The same for what binds more tightly than AND and OR.
fn bound(place: Place) -> Place {
    if place == Place::Joined { Place::Root } else { place }
}

fn term(kind: Kind, text: &str) -> String {
    match kind {
        Kind::Word | Kind::Written => text.to_owned(),
        Kind::Phrase => format!("\"{text}\""),
        Kind::Exact if text.contains('}') => format!("++\"{text}\""),
        Kind::Exact => format!("{{{text}}}"),
        Kind::Raw => format!("+\"{text}\""),
        Kind::Value => value(text),
    }
}

/// A value as it is read again: plain, a number or a range as it stands, else between quotation marks.
fn value(value: &str) -> String {
    let is_plain = value.starts_with(char::is_alphanumeric)
        && value.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '@'))
        && !super::super::parse::is_operator(value);
    let is_range = |letter: char| letter.is_alphanumeric() || matches!(letter, '[' | ']' | '*' | '.' | '-' | ' ');
    let is_comparison =
        value.starts_with(['<', '>']) && value.trim_start_matches(['<', '>', '=']).parse::<f64>().is_ok();
    let is_range = value.starts_with('[') && value.ends_with(']') && value.chars().all(is_range);
    match value {
        _ if is_plain || is_comparison || is_range => value.to_owned(),
        _ if value.contains('"') => format!("{{{value}}}"),
        _ => format!("\"{value}\""),
    }
}
