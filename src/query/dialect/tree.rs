//! What a pasted query says, before it is written in our language: terms, fields and operators with the places at which
//! they stood. Unaware of how any product spells them.

use std::ops::Range;

use super::super::QueryError;

/// A part of a pasted query.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub node: Tree,
    /// Bytes of the pasted text.
    pub span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Tree {
    Term(Kind, String),
    /// The name of a field of ours, and its value.
    Field(&'static str, String),
    /// The name of texts of ours, and what is looked for in them.
    Scope(&'static str, Box<Part>),
    All(Vec<Part>),
    Any(Vec<Part>),
    Not(Box<Part>),
    /// Parts with operators of nearness of ours between them: one fewer than parts.
    Chain(Vec<Part>, Vec<String>),
    /// The part stands so often: `>= 3`.
    Count(Box<Part>, String),
    /// What the product itself passes over.
    Nothing,
}

/// How a term is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word, hashtag, name, ticker or emoji that our language reads as one term.
    Word,
    Phrase,
    Exact,
    Raw,
    /// What a field is compared with.
    Value,
    /// Written in our language already.
    Written,
}

impl Part {
    pub fn new(node: Tree, span: Range<usize>) -> Self {
        Self { node, span }
    }

    pub fn term(kind: Kind, text: impl Into<String>, span: &Range<usize>) -> Self {
        Self::new(Tree::Term(kind, text.into()), span.clone())
    }

    pub fn field(name: &'static str, value: impl Into<String>, span: &Range<usize>) -> Self {
        Self::new(Tree::Field(name, value.into()), span.clone())
    }

    pub fn scope(name: &'static str, part: Self) -> Self {
        let span = part.span.clone();
        Self::new(Tree::Scope(name, Box::new(part)), span)
    }

    pub fn not(part: Self, span: Range<usize>) -> Self {
        Self::new(Tree::Not(Box::new(part)), span)
    }

    /// All of at least one part. What the product passes over is left out.
    pub fn all(mut parts: Vec<Self>) -> Self {
        if parts.iter().any(|part| !matches!(part.node, Tree::Nothing)) {
            parts.retain(|part| !matches!(part.node, Tree::Nothing));
        }
        Self::joined(parts, Tree::All)
    }

    /// Any of at least one part.
    pub fn any(parts: Vec<Self>) -> Self {
        Self::joined(parts, Tree::Any)
    }

    fn joined(mut parts: Vec<Self>, join: fn(Vec<Self>) -> Tree) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let span = hull(&parts);
        Self::new(join(parts), span)
    }

    /// The same with each term in it exchanged.
    pub fn map(self, exchange: &mut impl FnMut(Self) -> Result<Self, QueryError>) -> Result<Self, QueryError> {
        let span = self.span;
        let mut each =
            |parts: Vec<Self>| parts.into_iter().map(|part| part.map(exchange)).collect::<Result<Vec<_>, _>>();
        let node = match self.node {
            Tree::All(parts) => Tree::All(each(parts)?),
            Tree::Any(parts) => Tree::Any(each(parts)?),
            Tree::Chain(parts, gaps) => Tree::Chain(each(parts)?, gaps),
            Tree::Not(part) => Tree::Not(Box::new(part.map(exchange)?)),
            Tree::Scope(name, part) => Tree::Scope(name, Box::new(part.map(exchange)?)),
            Tree::Count(part, times) => Tree::Count(Box::new(part.map(exchange)?), times),
            node => return exchange(Self::new(node, span)),
        };
        Ok(Self::new(node, span))
    }

    /// Tells every part, from the outermost on.
    pub fn visit<'a>(&'a self, tell: &mut impl FnMut(&'a Self)) {
        tell(self);
        match &self.node {
            Tree::All(parts) | Tree::Any(parts) | Tree::Chain(parts, _) => {
                parts.iter().for_each(|part| part.visit(tell))
            }
            Tree::Not(part) | Tree::Scope(_, part) | Tree::Count(part, _) => part.visit(tell),
            Tree::Term(..) | Tree::Field(..) | Tree::Nothing => {}
        }
    }
}

/// From the first byte of the parts to the last.
pub(super) fn hull(parts: &[Part]) -> Range<usize> {
    let start = parts.iter().map(|part| part.span.start).min().unwrap_or(0);
    start..parts.iter().map(|part| part.span.end).max().unwrap_or(start)
}
