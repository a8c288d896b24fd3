//! The operators that ask how far places are apart. Unaware of texts.

use std::ops::Range;

use super::super::{Gap, Inflect, Keyword, LiteralKind, Node, QueryError, Spans};
use super::group::{Parser, Part};
use super::lex;
use super::token::{Field, Nearness, TokenKind, mistake};

/// How far the operators within an operand reach: each place of it is kept, and these grow with the reach.
const OPERAND_REACH_MAX: u32 = 30;
/// Words that one window holds.
const WINDOW_PARTS_MAX: usize = 8;

impl Parser<'_, '_> {
    /// A term, or a chain of terms that are near one another.
    pub fn near(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        let first = self.term(field)?;
        let Some(TokenKind::Near(_)) = self.peek().map(|token| &token.kind) else { return Ok(first) };
        let start = first.span.start;
        let mut parts = vec![first];
        let mut operators: Vec<Nearness> = Vec::new();
        while let Some(TokenKind::Near(operator)) = self.peek().map(|token| &token.kind) {
            operators.push(*operator);
            self.next()?;
            if let Some(not) = self.peek().filter(|token| token.kind == TokenKind::Not) {
                return Err(near_operand("NOT", not.span.clone(), "a NOT NEAR/5 b, or (a NEAR/5 b) NOT c"));
            }
            parts.push(self.term(field)?);
        }
        let span = start..parts[parts.len() - 1].span.end;
        let is_mixed = operators.len() > 1
            && operators.iter().any(|operator| operator.apart || operator.gap == Gap::Sentence)
            && !operators.iter().all(|operator| *operator == Nearness { gap: Gap::Sentence, apart: false });
        if is_mixed {
            let message =
                "NOT NEAR and SENTENCE stand in a chain with no other operator; parentheses say which is meant.";
            return Err(mistake("mixed_nearness", span, message, Some("(a NEAR/3 b) NOT NEAR/5 c")));
        }
        let parts = parts.into_iter().map(spans).collect::<Result<Vec<_>, _>>()?;
        let found = match operators[0] {
            Nearness { gap, apart: true } => {
                let [of, from] = <[Spans; 2]>::try_from(parts).map_err(|_| two_of_apart(&span))?.map(Box::new);
                Spans::Apart { of, from, gap }
            }
            _ => Spans::Chain { parts, gaps: operators.into_iter().map(|operator| operator.gap).collect() },
        };
        Ok(Part::leaf(Node::Found(found), span))
    }

    /// `"these words"~n`.
    pub fn window_of_phrase(&self, words: &str, others: u32, span: Range<usize>) -> Result<Part, QueryError> {
        window(words.split(' ').map(|word| self.quoted(word)).collect(), others, span)
    }

    /// `"these wor*"`: what is written between the words with wildcards, one directly behind the other.
    pub fn phrase_with_wildcards(&self, text: &str) -> Spans {
        let words: Vec<&str> = text.split(' ').collect();
        let runs = words.chunk_by(|left, right| !lex::is_wildcard(left) && !lex::is_wildcard(right));
        let mut parts: Vec<Spans> = runs.map(|run| Spans::Keyword(self.quoted(&run.join(" ")))).collect();
        let gaps = vec![Gap::Ordered(0); parts.len() - 1];
        if parts.len() == 1 { parts.remove(0) } else { Spans::Chain { parts, gaps } }
    }

    /// A keyword of what stands between quotation marks: a phrase, or one word with wildcards.
    fn quoted(&self, text: &str) -> Keyword {
        let (kind, typed, written) = match lex::is_wildcard(text) {
            true => {
                let (kind, typed) = lex::of_pattern(text);
                (kind, typed, text.to_owned())
            }
            false => (LiteralKind::Phrase, text, format!("\"{text}\"")),
        };
        Keyword {
            text: written,
            literals: vec![self.spelling(kind, typed.to_owned())],
            inflects: Inflect::Never,
            forms: Vec::new(),
        }
    }
}

/// `(a b)~n`.
pub fn window_of_group(group: Part, others: u32, span: Range<usize>) -> Result<Part, QueryError> {
    let parts = match group.node {
        Node::All(parts) => parts,
        part => vec![part],
    };
    let keyword = |part: Node| match part {
        Node::Found(Spans::Keyword(keyword)) => Ok(keyword),
        _ => {
            let message = "A window holds words and phrases: no operator stands inside.";
            Err(mistake("near_operand", group.span.clone(), message, Some("(a \"b c\" d)~5")))
        }
    };
    window(parts.into_iter().map(keyword).collect::<Result<_, _>>()?, others, span)
}

fn window(mut parts: Vec<Keyword>, others_max: u32, span: Range<usize>) -> Result<Part, QueryError> {
    if parts.len() > WINDOW_PARTS_MAX {
        let message = format!("A window holds at most {WINDOW_PARTS_MAX} words; this one has {}.", parts.len());
        return Err(mistake("too_many_words", span, message, Some("AND several windows.")));
    }
    let found = match parts.len() {
        1 => Spans::Keyword(parts.remove(0)),
        _ => Spans::Window { parts, others_max },
    };
    Ok(Part::leaf(Node::Found(found), span))
}

fn two_of_apart(span: &Range<usize>) -> QueryError {
    mistake("mixed_nearness", span.clone(), "NOT NEAR stands between two.", Some("(a NOT NEAR/3 b) NEAR/5 c"))
}

/// A part as places in a text.
fn spans(part: Part) -> Result<Spans, QueryError> {
    let span = part.span;
    let found = places(part.node).map_err(|(what, instead)| near_operand(what, span.clone(), instead))?;
    if reach(&found) > OPERAND_REACH_MAX {
        let message =
            format!("What stands beside NEAR reaches at most {OPERAND_REACH_MAX} words by its own operators.");
        return Err(mistake("wrong_distance", span, message, Some("(a NEAR/5 b) NEAR/20 c")));
    }
    Ok(found)
}

/// Words that the operators of some places reach over, all together.
fn reach(found: &Spans) -> u32 {
    let of = |gap: &Gap| match gap {
        Gap::Near(words) | Gap::Ordered(words) => *words,
        Gap::Sentence => 0,
    };
    match found {
        Spans::Keyword(_) | Spans::Window { .. } => 0,
        Spans::Any(parts) => parts.iter().map(reach).max().unwrap_or(0),
        Spans::Chain { parts, gaps } => gaps.iter().map(of).sum::<u32>() + parts.iter().map(reach).sum::<u32>(),
        Spans::Apart { of, .. } => reach(of),
    }
}

fn near_operand(what: &str, span: Range<usize>, instead: &str) -> QueryError {
    let message = format!(
        "{what} is no place in a text that something could be near: an operand is a word, a phrase or an OR of these."
    );
    mistake("near_operand", span, message, Some(instead))
}

fn places(node: Node) -> Result<Spans, (&'static str, &'static str)> {
    match node {
        Node::Found(Spans::Chain { gaps, .. }) if gaps.contains(&Gap::Sentence) => {
            Err(("A sentence", "(a NEAR/5 b) AND (b SENTENCE c)"))
        }
        Node::Found(Spans::Apart { gap: Gap::Sentence, .. }) => {
            Err(("A sentence", "(a NEAR/5 b) AND (b NOT SENTENCE c)"))
        }
        Node::Found(Spans::Window { .. }) => Err(("A window", "a NEAR/5 b NEAR/5 c")),
        Node::Found(found) => Ok(found),
        Node::Any(parts) => Ok(Spans::Any(parts.into_iter().map(places).collect::<Result<_, _>>()?)),
        Node::All(_) => Err(("AND", "(a NEAR/5 c) AND (b NEAR/5 c)")),
        Node::Not(_) => Err(("NOT", "a NOT NEAR/5 b, or (a NEAR/5 b) NOT c")),
        Node::AtLeast(..) | Node::Count { .. } => Err(("A count", "(a NEAR/5 b) AND freq(c) >= 2")),
        Node::In(..) => Err(("A scope", "title:(a NEAR/5 b)")),
        Node::Field(_) => Err(("A field", "(a NEAR/5 b) AND lang:cs")),
    }
}
