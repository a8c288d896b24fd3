//! The naive evaluator: a rule against a post, character by character, slow and obviously right. It is the oracle of
//! the compiled matcher and shares only the tree with it; unaware of automata.
//!
//! What a match is:
//!
//! - **Texts.** Title and text are searched, each on its own, and what hashtags came with the post: each as `#tag` in a
//!   paragraph for itself, which tells no term. An address in them is searched by no literal and is no word: from `http://`
//!   or `https://`, in any case, up to white space, `<`, `>`, `"`, CJK punctuation or the first letter of an unsegmented
//!   script.
//! - **Letters.** A literal and a text are compared as bases with their marks, after compatibility decomposition and
//!   folding by way of the capitals; parentheses that Unicode writes around a letter are no part of it. A letter typed
//!   without a mark finds the letter with any marks; typed with marks, it finds exactly these, whatever their order, of
//!   which the first seven code points are told apart. In a post without any mark they may be missing, unless it is
//!   certainly in a language that has none. ł đ ħ ŧ ø are marked l d h t o. The same both ways: ß ss, I ı İ i, ё е, ς σ,
//!   أ إ آ ٱ ا, ى ي, ة ه, ș ş, ț ţ. Letters of their own: æ œ й ї ў ґ, voiced kana, the vowel signs of Thai and of Indic
//!   scripts. Acute and grave are dropped from Cyrillic, harakat from Arabic, points from Hebrew. Ignored everywhere:
//!   soft hyphen, tatweel, zero-width space and joiners, BOM, variation selectors, ™ and ℠.
//! - **Boundaries.** Word characters are letters, digits, `_`, and what stands upon these; ʼ and 🅿 are none, and what is
//!   ignored is looked through. An edge of an occurrence counts if not both sides are word characters; or the script
//!   changes there, between two real scripts or beside an unsegmented one (Han, Hiragana, Katakana, Thai, Lao, Khmer,
//!   Myanmar; digits are of no script, what stands upon a letter is of its script, ー is kana and 〆 Han); or the
//!   occurrence's own character there is unsegmented. An end counts too after Hangul or a digit if particles of a closed
//!   table and a boundary follow; a start, if what stands before it, back to a boundary, are Arabic or Hebrew prefixes.
//! - **Word.** An apostrophe or a hyphen inside it finds either of them, one run of white space, or nothing. In a hashtag
//!   an edge counts too between a small letter or a digit and a capital, before the last capital of several that a small
//!   letter follows, between letter and digit, and beside `_`; the start of a prefix too.
//! - **Phrase.** Its words in order. What is no letter may part them, however much of it, but no paragraph: that ends with
//!   a line of nothing but white space. Beside an emoji only white space may. They may touch where a token ends.
//!   Hashtags' seams do not count.
//! - **Exact.** These code points, composed (NFC), and no part of a letter with its marks. **Prefix.** A word's start, up
//!   to the end of its token; in unsegmented scripts the literal alone.
//! - **Hashtag, name.** The whole run after `#` or `@` (`.` and `-` inside a name), not after a word character; or one of
//!   the post's hashtags or mentions, which tells no term. **Symbol.** These code points without variation selectors, and
//!   no part of another emoji: beside a joiner, in a frame, out of step with the halves of flags. A colour may follow.
//! - **Raw.** As a word, but with its punctuation, which no other stands for; white space finds any white space. Marks are
//!   not compared. **Ticker.** `$` and these letters, with no word character beside them.
//! - **Wildcard.** A star takes any number of characters of one token, none of a script without spaces; a question mark
//!   takes one. **Fuzzy.** A whole token that comes of the word by so many letters added, lost, exchanged or swapped.
//! - **Folds.** Strict: marks are as typed, and `I` `İ` `ı` are three letters. All: marks are not compared. Under
//!   `@lang:tr` ı is the small letter of I and i that of İ.
//! - **Tokens.** A run of word characters, split at edges and at the seams of hashtags, is one token, if it holds a letter
//!   or a digit; a character of an unsegmented script is half of one; an address is one. Signs are none.
//! - **Near.** Two places in one text are near if they are distinct, do not overlap, and at most so many tokens lie wholly
//!   between them. A chain takes one place of each part, each near the one before; it is a place itself, from the first
//!   letter to the last. Of hashtags that came with the post each is a text by itself.
//! - **Sentence.** No sentence ends, by UAX #29, between the start of the one and the end of the other.
//! - **Window.** One place of each word, in any order, with at most so many tokens between them altogether.
//! - **Counts.** Places of any of the keywords, the leftmost first, the next behind its end, over all texts.
//! - **Unknown.** What the post does not tell is unknown, and so is its negation; what is unknown at the root is no match.
//! - **Terms.** Occurrences of the literals in true parts that are under no NOT; of a chain those that take part in it.

mod explain;
mod find;
mod glyph;
mod near;
mod text;
mod wild;

use std::cell::OnceCell;
use std::ops::Range;

use crate::model::{Field, Post, Span, Term, Verdict};

use super::{
    Around, Condition, Fold, Keyword, Literal, LiteralKind, Node, Rule, Said, Scope, Spans, TERMS_MAX, Truth,
    may_lack_marks,
};
pub use explain::{Explained, explain};

use find::{occurrences, places};
use glyph::{Compare, Marks, glyphs};
use text::Text;
use wild::Piece;

/// The letters of a literal without marks and case, and whether any mark is typed.
pub(super) fn typed(text: &str) -> (String, bool) {
    let glyphs = glyphs(text);
    let has_marks = glyphs.iter().any(|glyph| !glyph.marks.is_empty());
    (glyphs.into_iter().map(|glyph| glyph.base).collect(), has_marks)
}

/// Why `rule` matches `post`, or nothing if it does not. `verdict` tells the post's language; it is asked for only if
/// the answer depends on it.
pub fn matches(rule: &Rule, post: &Post, verdict: &dyn Fn() -> Verdict) -> Option<Vec<Term>> {
    matches_among(rule, post, &Around::of(post), verdict)
}

/// The same with what is known of the posts around.
pub fn matches_among(
    rule: &Rule,
    post: &Post,
    around: &Around<'_>,
    verdict: &dyn Fn() -> Verdict,
) -> Option<Vec<Term>> {
    if !rule.sources.is_empty() && !rule.sources.iter().any(|source| **source == *post.source) {
        return None;
    }
    let listed = listed(&post.hashtags);
    let texts = texts(post, around, &listed);
    let evaluation = Evaluation { post, around, texts, ask: verdict, verdict: OnceCell::new() };
    if !evaluation.holds(&rule.tree.root, None).is_yes() {
        return None;
    }
    if !rule.languages.is_empty() && !rule.languages.iter().any(|&lang| evaluation.verdict().satisfies(lang)) {
        return None;
    }
    let mut terms = Vec::new();
    evaluation.tell(&rule.tree.root, None, &mut terms);
    terms.sort_by(|a, b| (a.field, a.span, &a.keyword).cmp(&(b.field, b.span, &b.keyword)));
    terms.dedup();
    terms.truncate(TERMS_MAX);
    Some(terms)
}

/// What each of some parts of queries is of a post.
pub fn truths<'n>(
    nodes: impl Iterator<Item = &'n Node>,
    post: &Post,
    around: &Around<'_>,
    verdict: &dyn Fn() -> Verdict,
) -> Vec<Truth> {
    let listed = listed(&post.hashtags);
    let texts = texts(post, around, &listed);
    let evaluation = Evaluation { post, around, texts, ask: verdict, verdict: OnceCell::new() };
    nodes.map(|node| evaluation.holds(node, None)).collect()
}

/// A text that is searched. What comes with the post beside its texts is in no field and tells no term.
struct Searched<'a> {
    scope: Scope,
    field: Option<Field>,
    text: Text<'a>,
}

fn texts<'a>(post: &'a Post, around: &Around<'a>, listed: &'a [String]) -> Vec<Searched<'a>> {
    let searched = |scope, field, text: &'a str| Searched { scope, field, text: Text::new(text) };
    let title = post.title.iter().map(|title| searched(Scope::Title, Some(Field::Title), title));
    let body = [searched(Scope::Body, Some(Field::Text), &post.text)];
    let listed = listed.iter().map(|tag| searched(Scope::Body, None, tag));
    let name = post.author.name.iter().map(|name| searched(Scope::AuthorName, None, name));
    let around = Scope::ALL.into_iter().filter_map(|scope| match around.said(scope) {
        Some(Said::Text(text)) => Some(searched(scope, None, text)),
        _ => None,
    });
    title.chain(body).chain(listed).chain(name).chain(around).collect()
}

struct Evaluation<'a> {
    post: &'a Post,
    around: &'a Around<'a>,
    texts: Vec<Searched<'a>>,
    ask: &'a dyn Fn() -> Verdict,
    verdict: OnceCell<Verdict>,
}

impl Evaluation<'_> {
    fn verdict(&self) -> &Verdict {
        self.verdict.get_or_init(self.ask)
    }

    /// What is searched: title and body, or what a scope says.
    fn texts(&self, scope: Option<Scope>) -> impl Iterator<Item = &Searched<'_>> {
        self.texts.iter().filter(move |searched| match scope {
            None => matches!(searched.scope, Scope::Title | Scope::Body),
            Some(scope) => searched.scope == scope,
        })
    }

    /// Whether a text is known, or known not to be.
    fn is_known(&self, scope: Scope) -> bool {
        match self.around.said(scope) {
            Some(said) => said != Said::Unknown,
            None => scope != Scope::AuthorName || self.post.author.name.is_some(),
        }
    }

    fn holds(&self, node: &Node, scope: Option<Scope>) -> Truth {
        match node {
            Node::All(parts) => Truth::all(parts.iter().map(|part| self.holds(part, scope))),
            Node::Any(parts) => Truth::any(parts.iter().map(|part| self.holds(part, scope))),
            Node::AtLeast(least, parts) => Truth::at_least(*least, parts.iter().map(|part| self.holds(part, scope))),
            Node::Not(part) => !self.holds(part, scope),
            Node::In(scope, part) => self.holds(part, Some(*scope)),
            Node::Found(_) | Node::Count { .. } if scope.is_some_and(|scope| !self.is_known(scope)) => Truth::Unknown,
            Node::Found(found) => self.is_found(found, scope).into(),
            Node::Count { of, min, max } => {
                let times = self.times(of, scope);
                (times >= *min as usize && max.is_none_or(|max| times <= max as usize)).into()
            }
            Node::Field(Condition::Lang(lang)) => self.verdict().satisfies(*lang).into(),
            Node::Field(Condition::Words(bounds)) => {
                let halves: usize = self
                    .texts(None)
                    .filter(|searched| searched.field.is_some())
                    .map(|searched| halves(&searched.text))
                    .sum();
                bounds.hold(halves.div_ceil(2) as u64).into()
            }
            Node::Field(condition) => condition.holds(self.post),
        }
    }

    fn is_found(&self, found: &Spans, scope: Option<Scope>) -> bool {
        match found {
            Spans::Keyword(keyword) => keyword.spellings().any(|literal| self.stands(literal, scope)),
            _ => self.texts(scope).any(|searched| !self.near(searched, |field| field.spans(found)).is_empty()),
        }
    }

    fn near<T>(&self, searched: &Searched<'_>, ask: impl FnOnce(&near::Field<'_>) -> T) -> T {
        let places = |keyword: &Keyword, text: &Text<'_>| self.places(keyword, text);
        ask(&near::Field::new(&searched.text, &places))
    }

    /// All places of a keyword, in their order.
    fn places(&self, keyword: &Keyword, text: &Text<'_>) -> Vec<Range<usize>> {
        let mut all: Vec<_> =
            keyword.spellings().flat_map(|literal| places(literal, text, self.marks(literal))).collect();
        all.sort_by_key(|place| (place.start, place.end));
        all.dedup();
        all
    }

    fn times(&self, of: &[Keyword], scope: Option<Scope>) -> usize {
        let in_text = |searched: &Searched<'_>| {
            let mut all: Vec<_> = of.iter().flat_map(|keyword| self.places(keyword, &searched.text)).collect();
            all.sort_by_key(|place| (place.start, place.end));
            let mut free = 0;
            all.retain(|place| {
                let fits = place.start >= free;
                free = if fits { place.end } else { free };
                fits
            });
            all.len()
        };
        let is_counted = |searched: &&Searched<'_>| searched.field.is_some() || scope.is_some();
        self.texts(scope).filter(is_counted).map(in_text).sum()
    }

    fn stands(&self, literal: &Literal, scope: Option<Scope>) -> bool {
        self.is_literal(literal, Marks::Mandatory, scope)
            || (self.is_literal(literal, Marks::Optional, scope) && self.marks(literal) == Marks::Optional)
    }

    /// Whether the marks of a literal must be in this post: not if it has none at all, in a language that has them.
    fn marks(&self, literal: &Literal) -> Marks {
        let is_spelt = !matches!(literal.kind, LiteralKind::Exact | LiteralKind::Symbol);
        let is_asked = is_spelt && literal.reading.fold == Fold::Typed;
        let types_marks = is_asked && glyphs(&literal.text).iter().any(|glyph| !glyph.marks.is_empty());
        let is_unmarked = || !self.texts(None).any(|searched| searched.text.has_marks());
        let may_lack = types_marks && is_unmarked() && may_lack_marks(self.verdict());
        if may_lack { Marks::Optional } else { Marks::Mandatory }
    }

    fn is_literal(&self, literal: &Literal, marks: Marks, scope: Option<Scope>) -> bool {
        let listed: &[String] = match literal.kind {
            _ if !matches!(scope, None | Some(Scope::Body)) => &[],
            LiteralKind::Hashtag => &self.post.hashtags,
            LiteralKind::Name => &self.post.mentions,
            _ => &[],
        };
        let pieces = wild::pieces(&literal.text);
        let compare = Compare { reading: literal.reading, marks };
        listed.iter().any(|entry| is_entry(&pieces, entry, compare))
            || self.texts(scope).any(|searched| !occurrences(literal, &searched.text, marks).is_empty())
    }

    /// The occurrences of the keywords that make a true node true.
    fn tell(&self, node: &Node, scope: Option<Scope>, terms: &mut Vec<Term>) {
        match node {
            Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
                parts.iter().filter(|part| self.holds(part, scope).is_yes()).for_each(|part| {
                    self.tell(part, scope, terms);
                });
            }
            Node::In(scope, part) => self.tell(part, Some(*scope), terms),
            Node::Found(Spans::Keyword(keyword)) => self.tell_keyword(keyword, scope, terms),
            Node::Found(found) => {
                for searched in self.texts(scope) {
                    let Some(field) = searched.field else { continue };
                    self.near(searched, |near| {
                        near.tell(found, &|_| true, &mut |keyword, place| terms.push(term(keyword, field, place)));
                    });
                }
            }
            Node::Count { of, .. } => of.iter().for_each(|keyword| self.tell_keyword(keyword, scope, terms)),
            Node::Not(_) | Node::Field(_) => {}
        }
    }

    fn tell_keyword(&self, keyword: &Keyword, scope: Option<Scope>, terms: &mut Vec<Term>) {
        for searched in self.texts(scope) {
            let Some(field) = searched.field else { continue };
            for literal in keyword.spellings() {
                let found = occurrences(literal, &searched.text, self.marks(literal));
                terms.extend(found.into_iter().map(|place| term(keyword, field, place)));
            }
        }
    }
}

fn term(keyword: &Keyword, field: Field, place: Range<usize>) -> Term {
    let span = Span { start: place.start as u32, end: place.end as u32 };
    Term { keyword: keyword.text.clone(), how: keyword.how(), field, span }
}

fn halves(text: &Text<'_>) -> usize {
    text.tokens().iter().map(|(_, halves)| halves).sum()
}

const SIGNS: [char; 6] = ['@', '#', '＠', '＃', '﹫', '﹟'];

/// The hashtags that came with a post as texts: each behind its sign, and a paragraph for itself.
fn listed(hashtags: &[String]) -> Vec<String> {
    hashtags.iter().map(|name| format!("#{}\n\n", name.trim_start_matches(SIGNS))).collect()
}

/// Whether one of the post's hashtags or mentions is what is wanted.
fn is_entry(pieces: &[Piece], entry: &str, compare: Compare) -> bool {
    let entry = glyphs(entry.trim_start_matches(SIGNS));
    !pieces.is_empty() && compare.is_whole(pieces, &entry.iter().collect::<Vec<_>>())
}
