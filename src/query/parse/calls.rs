//! `forms(…)` and the other calls. Unaware of texts.

use std::ops::Range;

use super::super::{Gap, Inflect, Keyword, LiteralKind, Node, QueryError, Spans};
use super::cursor::is_solid;
use super::group::{Parser, Part, missing};
use super::lex;
use super::token::{Call, TokenKind, mistake};

const FORMS_MAX: usize = 1_000;
/// Slips that `fuzzy` allows at most, and letters that each of them takes.
const SLIPS_MAX: u8 = 2;
const LETTERS_PER_SLIP: usize = 4;

/// A word that a call is given.
struct Given {
    /// In quotation marks it may be several words.
    is_quoted: bool,
    text: String,
}

impl Given {
    /// As a call writes it, so that it is read again as the same.
    fn written(&self) -> String {
        match self {
            Self { is_quoted: true, text } => format!("\"{text}\""),
            Self { text, .. } if lex::is_operator(text) => format!("={text}"),
            Self { text, .. } => text.clone(),
        }
    }
}

impl Parser<'_, '_> {
    /// A call, from behind its parenthesis. `name` is where its name and parenthesis stand.
    pub fn call(&mut self, call: Call, name: Range<usize>) -> Result<Part, QueryError> {
        match call {
            Call::Forms => self.forms(name),
            Call::Morph => self.morph(name),
            Call::AtLeast => self.at_least(name),
            Call::Freq => self.freq(name),
            Call::Fuzzy => self.fuzzy(name),
            Call::List => self.list(name),
            Call::Use => self.used(name),
        }
    }

    /// Passes the parenthesis that ends a call: the span of the whole call.
    fn end(&mut self, name: &Range<usize>) -> Result<Range<usize>, QueryError> {
        let token = self.next()?;
        match token.kind {
            TokenKind::Close => Ok(name.start..token.span.end),
            TokenKind::Comma => Err(mistake("wrong_call", token.span, "This call takes nothing more.", Some(")"))),
            _ => Err(mistake("wrong_call", token.span, "A comma or a parenthesis is missing before this.", Some(","))),
        }
    }

    /// Words one after the other, up to a comma or the end of the call.
    fn words(&mut self, name: &Range<usize>, instead: &str) -> Result<Vec<Given>, QueryError> {
        let mut words = Vec::new();
        while let Some(token) = self.peek() {
            match &token.kind {
                TokenKind::Literal(kind @ (LiteralKind::Word | LiteralKind::Phrase), text)
                    if !text.split(' ').any(lex::is_wildcard) =>
                {
                    words.push(Given { is_quoted: *kind == LiteralKind::Phrase, text: text.clone() });
                }
                TokenKind::Comma | TokenKind::Close => break,
                _ => {
                    let message = "Words stand here, without operators and wildcards.";
                    return Err(mistake("wrong_call", token.span.clone(), message, Some(instead)));
                }
            }
            self.next()?;
        }
        if words.is_empty() {
            return Err(mistake("wrong_call", name.clone(), "A word is missing in this call.", Some(instead)));
        }
        Ok(words)
    }

    /// `forms(Škoda, Škodovka)`: these spellings, as one keyword.
    fn forms(&mut self, name: Range<usize>) -> Result<Part, QueryError> {
        let (mut literals, mut written) = (Vec::new(), Vec::new());
        loop {
            let words = self.words(&name, "forms(Škoda, Škodovka)")?;
            let is_word = words.len() == 1 && !words[0].is_quoted;
            let kind = if is_word { LiteralKind::Word } else { LiteralKind::Phrase };
            let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            literals.push(self.spelling(kind, text));
            written.push(words.iter().map(Given::written).collect::<Vec<_>>().join(" "));
            if !self.passes(&TokenKind::Comma) {
                break;
            }
        }
        let span = self.end(&name)?;
        if literals.len() > FORMS_MAX {
            let message = format!("A keyword has at most {FORMS_MAX} forms.");
            return Err(mistake("too_many_words", span, message, Some("OR several keywords.")));
        }
        let text = format!("forms({})", written.join(", "));
        Ok(Part::leaf(Node::keyword(Keyword { text, literals, inflects: Inflect::Never, forms: Vec::new() }), span))
    }

    /// `morph(mít problém)`: each word in any form, adjacent and in order.
    fn morph(&mut self, name: Range<usize>) -> Result<Part, QueryError> {
        let words = self.words(&name, "morph(mít problém)")?;
        let span = self.end(&name)?;
        let keyword = |word: Given| {
            let text = format!("morph({})", word.written());
            let literals = vec![self.spelling(LiteralKind::Word, word.text)];
            Spans::Keyword(Keyword { text, literals, inflects: Inflect::Always, forms: Vec::new() })
        };
        let each = |given: &Given| {
            let is_quoted = given.is_quoted;
            given.text.split(' ').map(|word| Given { is_quoted, text: word.to_owned() }).collect::<Vec<_>>()
        };
        let mut parts: Vec<Spans> = words.iter().flat_map(each).map(keyword).collect();
        let gaps = vec![Gap::Ordered(0); parts.len() - 1];
        let found = if parts.len() == 1 { parts.remove(0) } else { Spans::Chain { parts, gaps } };
        Ok(Part::leaf(Node::Found(found), span))
    }

    fn number(&mut self, name: &Range<usize>, instead: &str) -> Result<u32, QueryError> {
        let token = self.next()?;
        let number = match &token.kind {
            TokenKind::Literal(LiteralKind::Word, word) => word.parse().ok(),
            _ => None,
        };
        let span = name.start..token.span.end;
        number.ok_or_else(|| mistake("wrong_call", span, "A number stands here.", Some(instead)))
    }

    fn comma(&mut self, name: &Range<usize>, instead: &str) -> Result<(), QueryError> {
        if self.passes(&TokenKind::Comma) {
            return Ok(());
        }
        let span = self.peek().map_or(name.clone(), |token| token.span.clone());
        Err(mistake("wrong_call", span, "A comma is missing before this.", Some(instead)))
    }

    /// `atleast(2, a, b, c)`.
    fn at_least(&mut self, name: Range<usize>) -> Result<Part, QueryError> {
        const EXAMPLE: &str = "atleast(2, a, b, c)";
        let least = self.number(&name, EXAMPLE)?;
        let mut parts = Vec::new();
        while self.passes(&TokenKind::Comma) {
            parts.push(self.any(None)?);
        }
        let span = self.end(&name)?;
        if parts.is_empty() {
            return Err(mistake(
                "wrong_call",
                span,
                "What should be there is missing: at least so many of these.",
                Some(EXAMPLE),
            ));
        }
        if least as usize > parts.len() {
            let message = format!("There are only {} to choose from: this never holds.", parts.len());
            return Err(mistake("wrong_value", span, message, Some(EXAMPLE)));
        }
        Ok(Part::at_least(least, parts, span))
    }

    /// `freq(outage) >= 3`.
    fn freq(&mut self, name: Range<usize>) -> Result<Part, QueryError> {
        const EXAMPLE: &str = "freq(outage OR \"no signal\") >= 3";
        let part = self.any(None)?;
        let inner = part.span.clone();
        let mut of = Vec::new();
        let is_counted = take_keywords(part.node, &mut of);
        self.end(&name)?;
        let token = self.next()?;
        let TokenKind::Times(bounds) = token.kind else { return Err(missing(token.span)) };
        if !is_counted {
            let message = "Words and phrases can be counted, and an OR of these.";
            return Err(mistake("wrong_call", inner, message, Some(EXAMPLE)));
        }
        let span = name.start..token.span.end;
        let (min, max) = lex::times(bounds);
        if max.is_some_and(|max| max < min) {
            return Err(mistake("wrong_value", span, "No number fits.", Some(EXAMPLE)));
        }
        Ok(Part::leaf(Node::Count { of, min, max }, span))
    }

    /// `fuzzy(vodafone,1)`.
    fn fuzzy(&mut self, name: Range<usize>) -> Result<Part, QueryError> {
        const EXAMPLE: &str = "fuzzy(vodafone,1)";
        let words = self.words(&name, EXAMPLE)?;
        self.comma(&name, EXAMPLE)?;
        let number = self.peek().map(|token| token.span.clone());
        let slips = self.number(&name, EXAMPLE)?;
        let span = self.end(&name)?;
        let word = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let letters = word.chars().filter(|letter| is_solid(*letter)).count();
        let fits = u8::try_from(slips)
            .ok()
            .filter(|slips| (1..=SLIPS_MAX).contains(slips) && usize::from(*slips) * LETTERS_PER_SLIP <= letters);
        let is_word = words.len() == 1 && word.chars().all(is_solid);
        let (Some(slips), true) = (fits, is_word) else {
            let message = format!(
                "It takes one word of letters and digits and up to {SLIPS_MAX} slips, one for every {LETTERS_PER_SLIP} letters."
            );
            return Err(mistake("wrong_value", number.unwrap_or(span), message, Some(EXAMPLE)));
        };
        let text = format!("fuzzy({},{slips})", words[0].written());
        let literals = vec![self.spelling(LiteralKind::Fuzzy(slips), word)];
        Ok(Part::leaf(Node::keyword(Keyword { text, literals, inflects: Inflect::Never, forms: Vec::new() }), span))
    }

    /// One name, and the end of the call.
    pub fn name_in(&mut self, name: &Range<usize>) -> Result<(String, Range<usize>), QueryError> {
        const EXAMPLE: &str = "use(outages)";
        let words = self.words(name, EXAMPLE)?;
        let span = self.end(name)?;
        match <[Given; 1]>::try_from(words) {
            Ok([word]) => Ok((word.text, span)),
            Err(_) => Err(mistake("wrong_call", span, "One name stands here.", Some(EXAMPLE))),
        }
    }
}

/// Takes the keywords of a node that is one, or any of some, and tells whether it is.
fn take_keywords(node: Node, taken: &mut Vec<Keyword>) -> bool {
    match node {
        Node::Found(Spans::Keyword(keyword)) => {
            taken.push(keyword);
            true
        }
        Node::Any(parts) => parts.into_iter().all(|part| take_keywords(part, taken)),
        _ => false,
    }
}
