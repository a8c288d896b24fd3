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
//! - **Terms.** Occurrences of the literals in true parts that are under no NOT.

mod find;
mod glyph;
mod text;

use std::cell::OnceCell;

use crate::model::{Field, Post, Span, Term, Verdict};

use super::{Literal, LiteralKind, Node, Rule, TERMS_MAX, may_lack_marks};
use find::{Marks, occurrences, same, wanted};
use glyph::{Glyph, glyphs};
use text::Text;

/// Why `rule` matches `post`, or nothing if it does not. `verdict` tells the post's language; it is asked for only if
/// the answer depends on it.
pub fn matches(rule: &Rule, post: &Post, verdict: &dyn Fn() -> Verdict) -> Option<Vec<Term>> {
    if !rule.sources.is_empty() && !rule.sources.iter().any(|source| **source == *post.source) {
        return None;
    }
    let listed = listed(&post.hashtags);
    let title = post.title.iter().map(|title| (Some(Field::Title), Text::new(title)));
    let texts = title.chain([(Some(Field::Text), Text::new(&post.text)), (None, Text::new(&listed))]).collect();
    let evaluation = Evaluation { post, texts, ask: verdict, verdict: OnceCell::new() };
    if !evaluation.holds(&rule.tree.root) {
        return None;
    }
    if !rule.languages.is_empty() && !rule.languages.iter().any(|&lang| evaluation.verdict().satisfies(lang)) {
        return None;
    }
    let mut terms = Vec::new();
    evaluation.tell(&rule.tree.root, &mut terms);
    terms.sort_by(|a, b| (a.field, a.span, &a.keyword).cmp(&(b.field, b.span, &b.keyword)));
    terms.dedup();
    terms.truncate(TERMS_MAX);
    Some(terms)
}

struct Evaluation<'a> {
    post: &'a Post,
    /// What is searched; what comes with the post beside its texts is in no field and tells no term.
    texts: Vec<(Option<Field>, Text<'a>)>,
    ask: &'a dyn Fn() -> Verdict,
    verdict: OnceCell<Verdict>,
}

impl Evaluation<'_> {
    fn verdict(&self) -> &Verdict {
        self.verdict.get_or_init(self.ask)
    }

    fn holds(&self, node: &Node) -> bool {
        match node {
            Node::All(parts) => parts.iter().all(|part| self.holds(part)),
            Node::Any(parts) => parts.iter().any(|part| self.holds(part)),
            Node::Not(part) => !self.holds(part),
            Node::Literal(literal) => self.stands(literal),
            Node::Lang(lang) => self.verdict().satisfies(*lang),
            Node::Source(source) => **source == *self.post.network || **source == *self.post.source,
            Node::Author(author) => self.is_author(author),
            Node::Site(site) => {
                let below = self.post.site.strip_suffix(site.as_str());
                below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
            }
        }
    }

    fn is_author(&self, name: &str) -> bool {
        let author = &self.post.author;
        let handle = author.handle.as_ref().map(|handle| handle.trim_start_matches('@').to_lowercase());
        handle.as_deref() == Some(name) || author.native_id.to_lowercase() == name
    }

    fn stands(&self, literal: &Literal) -> bool {
        self.is_found(literal, Marks::Mandatory)
            || (self.is_found(literal, Marks::Optional) && self.marks(literal) == Marks::Optional)
    }

    /// Whether the marks of a literal must be in this post: not if it has none at all, in a language that has them.
    fn marks(&self, literal: &Literal) -> Marks {
        let is_spelt = !matches!(literal.kind, LiteralKind::Exact | LiteralKind::Symbol);
        let types_marks = is_spelt && glyphs(&literal.text).iter().any(|glyph| !glyph.marks.is_empty());
        let is_unmarked = || !self.texts.iter().any(|(_, text)| text.has_marks());
        let may_lack = types_marks && is_unmarked() && may_lack_marks(self.verdict());
        if may_lack { Marks::Optional } else { Marks::Mandatory }
    }

    fn is_found(&self, literal: &Literal, marks: Marks) -> bool {
        let listed: &[String] = match literal.kind {
            LiteralKind::Hashtag => &self.post.hashtags,
            LiteralKind::Name => &self.post.mentions,
            _ => &[],
        };
        let wanted = wanted(&literal.text, marks);
        listed.iter().any(|entry| is_entry(&wanted, entry))
            || self.texts.iter().any(|(_, text)| !occurrences(literal, text, marks).is_empty())
    }

    /// The occurrences of the literals that make a true node true.
    fn tell(&self, node: &Node, terms: &mut Vec<Term>) {
        match node {
            Node::All(parts) => parts.iter().for_each(|part| self.tell(part, terms)),
            Node::Any(parts) => parts.iter().filter(|part| self.holds(part)).for_each(|part| self.tell(part, terms)),
            Node::Literal(literal) => self.texts.iter().for_each(|(field, text)| {
                let Some(field) = *field else { return };
                let marks = self.marks(literal);
                terms.extend(occurrences(literal, text, marks).into_iter().map(|range| Term {
                    keyword: literal.keyword.clone(),
                    how: literal.kind.how(),
                    field,
                    span: Span { start: range.start as u32, end: range.end as u32 },
                }));
            }),
            Node::Not(_) | Node::Lang(_) | Node::Source(_) | Node::Author(_) | Node::Site(_) => {}
        }
    }
}

const SIGNS: [char; 6] = ['@', '#', '＠', '＃', '﹫', '﹟'];

/// The hashtags that came with a post as a text: each behind its sign, a paragraph for itself.
fn listed(hashtags: &[String]) -> String {
    hashtags.iter().map(|name| format!("#{}\n\n", name.trim_start_matches(SIGNS))).collect()
}

/// Whether one of the post's hashtags or mentions is what is wanted.
fn is_entry(wanted: &[Glyph], entry: &str) -> bool {
    let entry = glyphs(entry.trim_start_matches(SIGNS));
    !wanted.is_empty() && same(wanted, entry.iter())
}
