//! Meltwater: what its fields are in ours, and its numbers, frequencies and XNOT.

use std::ops::Range;

use super::super::QueryError;
use super::super::parse::{mistake, words_of};
use super::fields::{Given, Rule};
use super::lex::TokenKind;
use super::no_counterpart;
use super::reader::Reader;
use super::terms::one_word;
use super::tree::{Kind, Part, Tree};
use super::written::Written;

const NUMBERS: [&str; 5] = ["followers", "likes", "shares", "replies", "reach"];

pub(super) fn rule(name: &str) -> Option<Rule> {
    Some(match name {
        "title" => Rule::scope("title"),
        "content" => Rule::scope("body"),
        "ingress" => Rule::refused("a text's first paragraph is not told apart; `body:` searches all of it"),
        "caseSensitive" => {
            Rule::value(|given| (!given.text.contains('"')).then(|| given.term(Kind::Exact, given.text)))
        }
        "author" => Rule::value(|given| Some(given.author_or_name())),
        "from" => Rule::field("author").noted("Case does not count."),
        "to" | "mention" => Rule::value(|given| given.entity('@')),
        "hashtag" => Rule::value(|given| given.entity('#')),
        "SourceName" => Rule::value(|given| Some(given.field("board", given.text.strip_prefix("r/")?))),
        "language" => Rule::field("lang"),
        "country" => Rule::field("country"),
        "verified" => Rule::field("verified"),
        "followers" => Rule::field("followers"),
        "likes" => Rule::field("likes"),
        "shares" => Rule::field("shares"),
        "replies" => Rule::field("replies"),
        "reach" => Rule::field("reach"),
        "postType" => Rule::value(original),
        "site" => Rule::value(|given| (!given.text.contains('*')).then(|| given.field("site", given.text))),
        "socialType" => {
            Rule::value(|given| Some(given.field("source", if given.text == "twitter" { "x" } else { given.text })))
        }
        "infoType" => Rule::value(|given| given.among("sourcetype", &[("news", "news"), ("social", "social")])),
        "containsLink" => Rule::field("url").noted("`url:` looks in the post's own address too."),
        "attachmentType" => Rule::value(|given| given.among("has", &[("image", "image"), ("video", "video")])),
        "authorHuman" | "spam" | "nsfw" | "authority" | "imageText" | "imageEntity" | "imageObject" | "imageScene"
        | "imageEmotion" => Rule::refused("no post tells it here"),
        "authorVerifiedType" => Rule::refused("`verified:` tells only whether an author is"),
        name if name.starts_with("enrichments.") => Rule::refused("no post tells it here"),
        _ => return None,
    })
}

/// Posts that repeat, quote and answer nothing.
fn original(given: &Given) -> Option<Part> {
    let kinds = ["repost", "quote", "reply"].map(|kind| given.field("is", kind)).to_vec();
    (given.text == "og").then(|| Part::not(given.any(kinds), given.span.clone()))
}

impl Reader<'_> {
    /// `followers >10000`: a number of the post that is compared, if what was read is the name of one.
    pub fn metric(&mut self, name: &str, span: &Range<usize>) -> Result<Option<Part>, QueryError> {
        let Some(TokenKind::Compared(value)) = self.peek().map(|token| &token.kind) else { return Ok(None) };
        let value = value.clone();
        let span = span.start..self.next()?.span.end;
        let Some(field) = NUMBERS.into_iter().find(|known| *known == name) else {
            return Err(no_counterpart(span, name, "no post tells this number here"));
        };
        let part = Part::field(field, value, &span);
        self.remark(&span, name, "A number is compared behind a colon.", &Written::of(&part));
        Ok(Some(part))
    }

    /// `word {3}` and `word {3,5}`.
    pub fn frequency(&mut self, part: Part, times: &str, span: &Range<usize>) -> Result<Part, QueryError> {
        let (min, max) = times.split_once(',').map_or((times, None), |(min, max)| (min, Some(max)));
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let (Some(min), max) = (number(min), max.map(number)) else { return Err(no_number(span)) };
        let whole = part.span.start..span.end;
        let is_term = |part: &Part| matches!(part.node, Tree::Term(..));
        let is_counted = match &part.node {
            Tree::Any(parts) => parts.iter().all(is_term),
            _ => is_term(&part),
        };
        if !is_counted {
            return Err(no_counterpart(whole, "{N}", "words and phrases are counted, and an OR of these"));
        }
        let count = |times: String| Part::new(Tree::Count(Box::new(part.clone()), times), whole.clone());
        let mut counts = vec![count(format!(">= {min}"))];
        match max {
            Some(Some(max)) => counts.push(count(format!("<= {max}"))),
            Some(None) => return Err(no_number(span)),
            None => {}
        }
        let counted = Part::all(counts);
        self.remark(span, "{N}", "A number of times is asked with `freq`.", &Written::of(&counted));
        Ok(counted)
    }

    /// `bill XNOT "bill gates"`: some place of the one that is no part of the other.
    pub fn except(&mut self, of: Part, from: Part, span: &Range<usize>) -> Result<Part, QueryError> {
        let whole = of.span.start..from.span.end;
        let parts = match (&of.node, &from.node) {
            (Tree::Term(Kind::Word, word), Tree::Term(Kind::Phrase, phrase)) => {
                let same = |other: &str| other.to_lowercase() == word.to_lowercase();
                match words_of(phrase).as_slice() {
                    [first, second] if same(first) => Some(("NOT ONEAR/0", (*second).to_owned())),
                    [first, second] if same(second) => Some(("NOT NEAR/0", (*first).to_owned())),
                    _ => None,
                }
            }
            _ => None,
        };
        let Some((gap, other)) = parts else {
            let why = "it takes a word, and a phrase of it and one other word";
            return Err(no_counterpart(whole, "XNOT", why));
        };
        let other = one_word(&other, &from.span);
        let part = Part::new(Tree::Chain(vec![of, other], vec![gap.to_owned()]), whole);
        self.remark(span, "XNOT", "Some place has the other word not beside it.", &Written::of(&part));
        Ok(part)
    }
}

fn no_number(span: &Range<usize>) -> QueryError {
    mistake("wrong_value", span.clone(), "Braces hold how often a word stands.", Some("word {3}, word {3,5}"))
}
