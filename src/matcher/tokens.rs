//! The tokens under which an index files a text, and the tokens that a query cannot match without.
//! Unaware of the index: it only has to file what [`tokens`] gives, and to look up what [`narrow`] asks.

use std::ops::Range;

use crate::model::{Lang, Post};
use crate::query::{Condition, Keyword, Literal, LiteralKind, Node, Query, Scope, Spans};

use super::fold::{self, WORD};
use super::folded;
use super::letters::Letters;
use super::pattern::{Element, Pattern};
use super::scan::list_hashtags;

/// Bytes of a token; what is longer is filed by its head.
pub const TOKEN_BYTES_MAX: usize = 255;

/// Parts of one word that are filed each; a word of more is filed whole, and under [`CROWDED`].
const PARTS_MAX: usize = 64;

/// Stands for all parts of the words that have too many of them.
const CROWDED: &str = "#";

/// Tokens of one literal that are asked for.
const TOKENS_ASKED_MAX: usize = 8;

/// What a post must have for a query to match it: never more than that.
#[derive(Clone, Debug, PartialEq)]
pub enum Narrow {
    /// Nothing is known: any post may match.
    Any,
    All(Vec<Narrow>),
    OneOf(Vec<Narrow>),
    /// A token of title, text, hashtags or mentions.
    Token(String),
    /// A token that begins so.
    Prefix(String),
    /// As [`Condition::Author`].
    Author(String),
    /// As [`Condition::Site`].
    Site(String),
    /// As [`Condition::Source`].
    Source(String),
    /// As [`Condition::Lang`].
    Lang(Lang),
}

/// Calls back with each token under which an index files a post: of its title, its text, and the hashtags and names
/// that came with it.
pub fn post_tokens(post: &Post, out: &mut dyn FnMut(&str)) {
    let mut listed = String::new();
    list_hashtags(post, &mut listed);
    let texts = post.title.iter().chain([&post.text, &listed]).chain(&post.mentions);
    texts.for_each(|text| tokens(text, out));
}

/// Calls back with each token of `text`, some of them more than once: words, parts of hashtags, words without what
/// they carry in Arabic, Hebrew and Korean, and characters and pairs in scripts without spaces. All in loosest form.
pub fn tokens(text: &str, out: &mut dyn FnMut(&str)) {
    let mut addresses = Vec::new();
    folded::addresses(text, &mut addresses);
    let mut letters = Letters::default();
    letters.read(text, &addresses);
    let mut token = Vec::new();
    let base = |at: usize| letters.get(at).map(|placed| placed.letter.base);
    let mut at = 0;
    while let Some(first) = base(at) {
        let start = at;
        at += 1;
        if is_single(first) {
            give(&letters, start..at, &mut token, out);
            if base(at).is_some_and(is_single) {
                give(&letters, start..at + 1, &mut token, out);
            }
        } else if is_word(first) {
            while base(at).is_some_and(|next| is_word(next) && !is_single(next)) {
                at += 1;
            }
            give_parts(&letters, start..at, &mut token, out);
        }
    }
}

/// Whether the letter is filed by itself and with its neighbour: all of a script without spaces, with its signs.
fn is_single(base: char) -> bool {
    fold::entry(base).kind & fold::UNSEGMENTED != 0
        || matches!(base, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

fn is_word(base: char) -> bool {
    fold::entry(base).kind & WORD != 0
}

/// Gives a word and all that a literal may find in it.
fn give_parts(letters: &Letters, word: Range<usize>, token: &mut Vec<u8>, out: &mut dyn FnMut(&str)) {
    let mut starts = vec![word.start];
    let mut ends = vec![];
    for at in word.start + 1..word.end {
        let edge = letters.is_boundary(at) || letters.is_tag_boundary(at);
        if edge || letters.follows_prefix(at) {
            starts.push(at);
        }
        if edge || letters.precedes_particle(at) {
            ends.push(at);
        }
        if starts.len() * (ends.len() + 1) > PARTS_MAX {
            out(CROWDED);
            (starts, ends) = (vec![word.start], vec![]);
            break;
        }
    }
    ends.push(word.end);
    for &start in &starts {
        for &end in ends.iter().filter(|&&end| end > start) {
            give(letters, start..end, token, out);
        }
    }
}

fn give(letters: &Letters, run: Range<usize>, token: &mut Vec<u8>, out: &mut dyn FnMut(&str)) {
    token.clear();
    for placed in run.filter_map(|at| letters.get(at)) {
        fold::push_loose(placed.letter, token);
        if token.len() > TOKEN_BYTES_MAX {
            break;
        }
    }
    let text = str::from_utf8(token).expect("a folded letter is UTF-8");
    let text = &text[..text.floor_char_boundary(TOKEN_BYTES_MAX)];
    if !text.is_empty() {
        out(text);
    }
}

/// What a post must have for `query` to match it.
pub fn narrow(query: &Query) -> Narrow {
    of_node(&query.root)
}

fn of_node(node: &Node) -> Narrow {
    match node {
        Node::All(parts) => all(parts.iter().map(of_node).collect()),
        Node::Any(parts) => one_of(parts.iter().map(of_node).collect()),
        Node::AtLeast(least, parts) if *least as usize == parts.len() => all(parts.iter().map(of_node).collect()),
        Node::AtLeast(1, parts) => one_of(parts.iter().map(of_node).collect()),
        Node::Found(found) => of_spans(found),
        Node::Count { of, min, .. } if *min > 0 => one_of(of.iter().map(of_keyword).collect()),
        Node::In(Scope::Title | Scope::Body, part) => of_node(part),
        Node::Not(_) | Node::AtLeast(..) | Node::Count { .. } | Node::In(..) => Narrow::Any,
        Node::Field(Condition::Lang(lang)) => Narrow::Lang(*lang),
        Node::Field(Condition::Source(name)) => Narrow::Source(name.clone()),
        Node::Field(Condition::Author(name)) => Narrow::Author(name.clone()),
        Node::Field(Condition::Site(name)) => Narrow::Site(name.clone()),
        Node::Field(_) => Narrow::Any,
    }
}

fn of_spans(found: &Spans) -> Narrow {
    match found {
        Spans::Keyword(keyword) => of_keyword(keyword),
        Spans::Any(parts) => one_of(parts.iter().map(of_spans).collect()),
        Spans::Chain { parts, .. } => all(parts.iter().map(of_spans).collect()),
        Spans::Apart { of, .. } => of_spans(of),
        Spans::Window { parts, .. } => all(parts.iter().map(of_keyword).collect()),
    }
}

fn of_keyword(keyword: &Keyword) -> Narrow {
    one_of(keyword.spellings().map(of_literal).collect())
}

fn of_literal(literal: &Literal) -> Narrow {
    match literal.kind {
        LiteralKind::Symbol | LiteralKind::Fuzzy(_) | LiteralKind::Wildcard => Narrow::Any,
        LiteralKind::Hashtag | LiteralKind::Name if literal.text.contains('*') => Narrow::Any,
        kind => of_steps(kind, &Pattern::steps(literal)),
    }
}

/// What is known of the whole if all of these must hold.
fn all(mut parts: Vec<Narrow>) -> Narrow {
    parts.retain(|part| *part != Narrow::Any);
    match parts.len() {
        0 => Narrow::Any,
        1 => parts.remove(0),
        _ => Narrow::All(parts),
    }
}

fn one_of(mut parts: Vec<Narrow>) -> Narrow {
    match parts.len() {
        _ if parts.contains(&Narrow::Any) => Narrow::Any,
        1 => parts.remove(0),
        _ => Narrow::OneOf(parts),
    }
}

/// A run of letters in a literal that is one word of an index, or one run of characters in a script without spaces.
struct Run {
    letters: String,
    /// Whether an apostrophe or a hyphen comes next, which the text may lack.
    joined: bool,
    is_last: bool,
}

fn of_steps(kind: LiteralKind, steps: &[Element]) -> Narrow {
    let mut parts = Vec::new();
    let mut runs = runs(steps).into_iter().peekable();
    while let Some(run) = runs.next() {
        if run.letters.chars().next().is_some_and(is_single) {
            parts.extend(singles(&run.letters));
            continue;
        }
        if run.joined {
            let head = run.letters;
            let mut next = runs.next();
            // Words of one joint are asked for as one or as two; of several, by their head.
            let two = next.take_if(|next| !next.joined && !next.is_last_of(kind) && !starts_single(next));
            parts.push(two.map_or(Narrow::Prefix(head.clone()), |next| joined(&head, &next.letters)));
            while next.as_ref().is_some_and(|next| next.joined) {
                next = runs.next();
            }
            continue;
        }
        let open = run.is_last_of(kind);
        parts.push(if open { Narrow::Prefix(run.letters) } else { Narrow::Token(run.letters) });
    }
    parts.truncate(TOKENS_ASKED_MAX);
    all(parts.into_iter().map(or_crowded).collect())
}

impl Run {
    /// Whether the text may go on after this run: the end of a wildcard.
    fn is_last_of(&self, kind: LiteralKind) -> bool {
        self.is_last && kind == LiteralKind::Prefix
    }
}

fn starts_single(run: &Run) -> bool {
    run.letters.chars().next().is_some_and(is_single)
}

fn joined(head: &str, tail: &str) -> Narrow {
    let apart = Narrow::All(vec![Narrow::Token(head.to_owned()), Narrow::Token(tail.to_owned())]);
    Narrow::OneOf(vec![Narrow::Token(format!("{head}{tail}")), apart])
}

/// The runs of word letters of a literal, split where a script without spaces begins or ends.
fn runs(steps: &[Element]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut open = false;
    for (at, step) in steps.iter().enumerate() {
        let Element::Letter(letter) = step else {
            if let Some(run) = runs.last_mut().filter(|_| open) {
                run.joined = *step == Element::Joint;
            }
            open = false;
            continue;
        };
        let mut bytes = Vec::new();
        fold::push_loose(*letter, &mut bytes);
        let loose = String::from_utf8(bytes).expect("a folded letter is UTF-8");
        if !is_word(letter.base) || loose.is_empty() {
            open = false;
            continue;
        }
        let single = is_single(letter.base);
        if !open || runs.last().is_some_and(|run| starts_single(run) != single) {
            runs.push(Run { letters: String::new(), joined: false, is_last: false });
        }
        open = true;
        if let Some(run) = runs.last_mut() {
            run.letters.push_str(&loose);
            run.is_last = at + 1 == steps.len();
        }
    }
    runs
}

/// What is asked for a run of characters in a script without spaces: its pairs, or its one character.
fn singles(run: &str) -> Vec<Narrow> {
    let characters: Vec<char> = run.chars().collect();
    if characters.len() == 1 {
        return vec![Narrow::Token(run.to_owned())];
    }
    characters.windows(2).map(|pair| Narrow::Token(pair.iter().collect())).collect()
}

/// A condition, or that the text has words of too many parts; nothing if a token of it is too long to be filed whole.
fn or_crowded(part: Narrow) -> Narrow {
    let fits = |token: &str| token.len() + char::MAX.len_utf8() <= TOKEN_BYTES_MAX;
    let is_filed = match &part {
        Narrow::Token(token) | Narrow::Prefix(token) => fits(token),
        Narrow::OneOf(parts) => parts.iter().all(|part| !matches!(part, Narrow::Token(token) if !fits(token))),
        _ => true,
    };
    let crowded = Narrow::Token(CROWDED.to_owned());
    match part {
        _ if !is_filed => Narrow::Any,
        Narrow::Token(token) if token.chars().next().is_some_and(is_single) => Narrow::Token(token),
        Narrow::OneOf(mut parts) => {
            parts.push(crowded);
            Narrow::OneOf(parts)
        }
        part => Narrow::OneOf(vec![part, crowded]),
    }
}
