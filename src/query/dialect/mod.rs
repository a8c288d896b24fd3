//! Queries as other products write them, read and written in our language: what each operator means here, what changes
//! by it, and what has no counterpart. Unaware of posts.
//!
//! Codes of errors: those of the parser, and `no_counterpart`. Codes of remarks: `changed`, `none`.

mod brandwatch;
mod country;
mod fields;
mod lex;
mod lucene;
mod meltwater;
mod reader;
mod talkwalker;
mod terms;
#[cfg(test)]
mod tests;
mod tree;
mod written;
mod x;

use std::collections::HashSet;
use std::ops::Range;

use super::naive::typed;
use super::parse::{QUERY_BYTES_MAX, mistake, parse, too_long};
use super::{Query, QueryError, layout};
use reader::Reader;
use tree::{Kind, Part, Tree};
pub(super) use written::Written;

/// Whose language a query is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    Brandwatch,
    Talkwalker,
    Meltwater,
    X,
    /// Lucene's classic parser with its standard analyzer, OR between terms.
    Lucene,
}

impl Dialect {
    pub const ALL: [Self; 5] = [Self::Brandwatch, Self::Talkwalker, Self::Meltwater, Self::X, Self::Lucene];

    /// The name in `@dialect:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Brandwatch => "brandwatch",
            Self::Talkwalker => "talkwalker",
            Self::Meltwater => "meltwater",
            Self::X => "x",
            Self::Lucene => "lucene",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }
}

/// A query of another product in our language.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// Laid out; parsing it gives the query.
    pub text: String,
    /// Its lints lie in the pasted text.
    pub query: Query,
    pub remarks: Vec<Remark>,
}

/// Something in a pasted query that is written otherwise here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// `changed`, or `none` where nothing is written instead: it has no counterpart, and decides of no post whether it
    /// is found.
    pub code: &'static str,
    /// Bytes of the pasted text.
    pub span: Range<usize>,
    pub operator: String,
    pub sentence: String,
    /// What is written instead.
    pub instead: String,
}

impl Remark {
    fn new(span: Range<usize>, operator: &str, sentence: &str, instead: &str) -> Self {
        Self {
            code: if instead.is_empty() { "none" } else { "changed" },
            span,
            operator: operator.to_owned(),
            sentence: sentence.to_owned(),
            instead: instead.to_owned(),
        }
    }

    /// The same as a lint of the query.
    pub(super) fn lint(&self) -> QueryError {
        let instead = Some(self.instead.as_str()).filter(|instead| !instead.is_empty());
        mistake(self.code, self.span.clone(), format!("`{}`: {}", self.operator, self.sentence), instead)
    }
}

/// Reads a query of another product.
///
/// # Errors
///
/// All mistakes of spelling, or the first of what is wrong or has no counterpart; never an empty list.
pub fn import(text: &str, dialect: Dialect) -> Result<Imported, Vec<QueryError>> {
    let Translated { written, remarks } = translate(text, dialect)?;
    let told =
        |mistakes: Vec<QueryError>| mistakes.into_iter().map(|mistake| written.told(mistake)).collect::<Vec<_>>();
    let mut query = parse(&written.text).map_err(told)?;
    query.lints = told(lasting(query.lints));
    Ok(Imported { text: layout(&query), query, remarks })
}

/// What our parser remarks on a translated query that is as true of the pasted one.
pub(super) fn lasting(lints: Vec<QueryError>) -> Vec<QueryError> {
    lints.into_iter().filter(|lint| lint.code == "unfilled_field").collect()
}

/// The bytes of what the comments of a pasted query say.
pub(super) fn comments(text: &str, dialect: Dialect) -> Vec<Range<usize>> {
    lex::lex(text, dialect).comments
}

/// A pasted query in our language, not yet parsed.
pub(super) struct Translated {
    pub written: Written,
    pub remarks: Vec<Remark>,
}

pub(super) fn translate(text: &str, dialect: Dialect) -> Result<Translated, Vec<QueryError>> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(vec![too_long(text)]);
    }
    let lexed = lex::lex(text, dialect);
    if !lexed.mistakes.is_empty() {
        return Err(lexed.mistakes);
    }
    let mut reader = Reader::new(text, dialect, lexed.tokens);
    let root = reader.whole().map_err(|wrong| vec![wrong])?;
    refuse_passed_over(&root).map_err(|wrong| vec![wrong])?;
    let mut head = "@morph:off ".to_owned();
    head.push_str(marks(&mut reader, &root));
    if reader.remarks.iter().any(|remark| remark.operator == "minuteOfDay:") {
        head.push_str("@tz:UTC ");
    }
    let mut remarks = reader.remarks;
    remarks.sort_by_key(|remark| remark.span.start);
    Ok(Translated { written: Written::query(&head, &root), remarks })
}

/// A mistake if something that the product passes over stands where it cannot be left out.
fn refuse_passed_over(root: &Part) -> Result<(), QueryError> {
    let mut stays = None;
    root.visit(&mut |part| {
        if matches!(part.node, Tree::Nothing) {
            stays = Some(part.span.clone());
        }
    });
    match stays {
        Some(span) => Err(no_counterpart(span, "lang:und", "it is passed over only beside something else")),
        None => Ok(()),
    }
}

/// How marks are compared there, as a pragma. It is remarked on where the query types any.
fn marks(reader: &mut Reader, root: &Part) -> &'static str {
    let terms = typed_terms(root);
    let marked = terms.iter().find(|term| term.has_marks).map(|term| term.span.clone());
    let fold = match reader.dialect {
        Dialect::X | Dialect::Lucene => "@fold:strict ",
        Dialect::Talkwalker => "@fold:all ",
        Dialect::Meltwater => return "",
        // A word without marks finds any there, so that strictness fits only if there is none, but one whose marked
        // spelling is excluded.
        Dialect::Brandwatch => {
            let excluded = excluded(root, &terms);
            let fits = |term: &Typed| term.has_marks || excluded.contains(term.bases.as_str());
            if marked.is_some() && terms.iter().all(fits) { "@fold:strict " } else { "" }
        }
    };
    if let Some(span) = marked {
        let (sentence, instead) = match fold {
            "" => ("A post without any mark is found too.", "@fold:typed"),
            "@fold:all " => ("Marks are not compared.", "@fold:all"),
            _ => ("Marks are compared as they are typed.", "@fold:strict"),
        };
        reader.remark(&span, "accents", sentence, instead);
    }
    fold
}

/// A term whose marks are compared.
struct Typed {
    span: Range<usize>,
    has_marks: bool,
    /// Its letters without marks and case.
    bases: String,
}

fn typed_terms(root: &Part) -> Vec<Typed> {
    let mut terms = Vec::new();
    root.visit(&mut |part| {
        if let Tree::Term(Kind::Word | Kind::Phrase, text) = &part.node {
            let (bases, has_marks) = typed(text);
            terms.push(Typed { span: part.span.clone(), has_marks, bases });
        }
    });
    terms
}

/// The letters of marked terms that the whole query excludes.
fn excluded<'a>(root: &Part, terms: &'a [Typed]) -> HashSet<&'a str> {
    let Tree::All(parts) = &root.node else { return HashSet::new() };
    let starts = parts.iter().filter_map(|part| match &part.node {
        Tree::Not(inner) if matches!(inner.node, Tree::Term(..)) => Some(inner.span.start),
        _ => None,
    });
    let starts: HashSet<usize> = starts.collect();
    let of = terms.iter().filter(|term| term.has_marks && starts.contains(&term.span.start));
    of.map(|term| term.bases.as_str()).collect()
}

/// What cannot be asked here.
fn no_counterpart(span: Range<usize>, operator: &str, why: &str) -> QueryError {
    let message = format!("`{operator}` has no counterpart: {why}.");
    mistake("no_counterpart", span, message, Some("Leave it out, or ask it in another way."))
}
