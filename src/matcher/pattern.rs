//! A literal made ready: the steps in which a text must follow it, and the part of it that an automaton looks for.
//! Unaware of texts.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use crate::query::{Fold, Literal, LiteralKind, Reading};

use super::fold::{self, JOINT, Letter, WORD};

/// One step of a literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element {
    Letter(Letter),
    /// An apostrophe or a hyphen inside a word: there, or white space, or nothing.
    Joint,
    /// Between two words of a phrase.
    Gap,
    /// Between two words of a phrase of which one has a sign there, as an emoji.
    TightGap,
    /// White space of a raw literal: any, but some.
    Space,
    /// `?` in a word: one character of the token.
    One,
    /// `*` in a word: characters of the token.
    Many,
}

/// A literal made ready to be compared with texts.
#[derive(Debug)]
pub(super) struct Pattern {
    pub kind: LiteralKind,
    pub reading: Reading,
    pub elements: Vec<Element>,
    /// Whether a letter is typed with a mark, which some posts may lack.
    pub has_marks: bool,
    /// The elements that the automaton looks for: the longest run of letters. Empty if it can look for none of them.
    pub anchor: Range<usize>,
    /// For what is compared by code points: the literal, composed if it is exact, and where its anchor begins in it.
    pub raw: String,
    pub raw_anchor: Range<usize>,
}

impl Pattern {
    pub fn new(literal: &Literal) -> Self {
        let mut elements = elements(literal);
        // There are millions of them.
        elements.shrink_to_fit();
        let is_marked = |element: &Element| matches!(element, Element::Letter(letter) if letter.is_marked());
        let mut pattern = Self {
            kind: literal.kind,
            reading: literal.reading,
            has_marks: literal.reading.fold == Fold::Typed && elements.iter().any(is_marked),
            anchor: anchor(&elements),
            elements,
            raw: match literal.kind {
                LiteralKind::Exact => literal.text.nfc().collect(),
                LiteralKind::Symbol => literal.text.clone(),
                _ => String::new(),
            },
            raw_anchor: 0..0,
        };
        if pattern.is_raw() {
            pattern.find_raw_anchor();
        }
        pattern
    }

    /// Compared by code points rather than by letters.
    pub fn is_raw(&self) -> bool {
        matches!(self.kind, LiteralKind::Exact | LiteralKind::Symbol)
    }

    /// Looked for from all starts of a text rather than from an anchor on.
    pub fn is_loose(&self) -> bool {
        matches!(self.kind, LiteralKind::Wildcard | LiteralKind::Fuzzy(_))
            || matches!(self.kind, LiteralKind::Hashtag | LiteralKind::Name) && self.elements.contains(&Element::Many)
    }

    /// The anchor of a raw literal is a run of its characters that are one plain letter each, wherever they stand.
    fn find_raw_anchor(&mut self) {
        let mut best = 0..0;
        let mut run = 0..0;
        for (at, character) in self.raw.char_indices() {
            if !fold::is_single(character) {
                run = 0..0;
                continue;
            }
            let end = at + character.len_utf8();
            run = if run.is_empty() { at..end } else { run.start..end };
            if run.len() > best.len() {
                best = run.clone();
            }
        }
        let mut letters = Vec::new();
        fold::for_each_letter(&self.raw[best.clone()], |read| letters.push(Element::Letter(read.letter)));
        self.raw_anchor = best;
        self.anchor = 0..letters.len();
        self.elements = letters;
    }

    /// What an automaton looks for, in the loosest form: one of these stands in every occurrence. Empty if any place of a text
    /// may hold this literal.
    pub fn needles(&self) -> Vec<Vec<u8>> {
        let needles: Vec<Vec<u8>> = match self.kind {
            LiteralKind::Fuzzy(slips) => pieces(&self.elements, 2 * usize::from(slips) + 1).map(needle).collect(),
            _ => vec![needle(&self.elements[self.anchor.clone()])],
        };
        if needles.iter().any(Vec::is_empty) { Vec::new() } else { needles }
    }

    /// Whether a word with wildcards is all of a folded word, if that is one word and marks do not matter. Unknown if it has
    /// letters that are of no word.
    pub fn fills(&self, word: &[u8]) -> Option<bool> {
        let is_word = |element: &Element| !matches!(element, Element::Letter(letter) if !fold::is_word(letter.base));
        if !self.elements.iter().all(is_word) {
            return None;
        }
        let letters: Vec<char> = str::from_utf8(word).ok()?.chars().collect();
        // Where a star was passed last: what follows it, and the letters that it has left over.
        let mut star = None;
        let (mut element, mut at) = (0, 0);
        loop {
            match (self.elements.get(element), letters.get(at)) {
                (Some(Element::Many), _) => {
                    star = Some((element + 1, at));
                    element += 1;
                }
                (Some(Element::One), Some(_)) => (element, at) = (element + 1, at + 1),
                (Some(Element::Letter(typed)), Some(found)) if fold::loose_of(*typed) == *found => {
                    (element, at) = (element + 1, at + 1);
                }
                (None, None) => return Some(true),
                (_, found) => {
                    let (Some((after, from)), true) = (star, found.is_some()) else { return Some(false) };
                    star = Some((after, from + 1));
                    (element, at) = (after, from + 1);
                }
            }
        }
    }

    /// The steps of a literal, of one that is compared by code points too.
    pub fn steps(literal: &Literal) -> Vec<Element> {
        let mut steps = elements(literal);
        if literal.kind == LiteralKind::Exact {
            push_letters(&literal.text, &mut steps);
        }
        steps
    }

    /// Whether an occurrence begins with the first element, at a boundary.
    pub fn begins_with_first(&self) -> bool {
        !self.is_raw() || self.raw_anchor.start == 0
    }

    /// Whether an occurrence ends with the last element, at a boundary.
    pub fn ends_with_last(&self) -> bool {
        match self.kind {
            LiteralKind::Prefix => false,
            _ => !self.is_raw() || self.raw_anchor.end == self.raw.len(),
        }
    }

    /// Where in the characters of a raw literal an element lies.
    pub fn raw_offset(&self, element: usize) -> usize {
        let mut places = self.raw[self.raw_anchor.start..].char_indices();
        self.raw_anchor.start + places.nth(element).map_or(0, |(at, _)| at)
    }
}

/// Letters in their loosest form.
fn needle(elements: &[Element]) -> Vec<u8> {
    let mut needle = Vec::new();
    for element in elements {
        if let Element::Letter(letter) = element {
            fold::push_loose(*letter, &mut needle);
        }
    }
    needle
}

/// A word in so many pieces. Of these one stands untouched in whatever comes of the word by half as many slips: one letter
/// exchanged with the next touches two pieces, any other slip one.
fn pieces(elements: &[Element], count: usize) -> impl Iterator<Item = &[Element]> {
    (0..count).map(move |nth| &elements[nth * elements.len() / count..(nth + 1) * elements.len() / count])
}

/// The steps of a literal. A name and a hashtag begin with their sign.
fn elements(literal: &Literal) -> Vec<Element> {
    let mut elements = Vec::new();
    let text = literal.text.as_str();
    match literal.kind {
        LiteralKind::Word | LiteralKind::Prefix => push_word(text, &mut elements),
        LiteralKind::Phrase => {
            for word in text.split_whitespace() {
                let gap = elements.len();
                if gap > 0 {
                    elements.push(Element::Gap);
                }
                push_word(word, &mut elements);
                if gap > 0 && (is_sign(elements.get(gap - 1), true) || is_sign(elements.get(gap + 1), false)) {
                    elements[gap] = Element::TightGap;
                }
            }
        }
        LiteralKind::Raw => {
            for (nth, word) in text.split_whitespace().enumerate() {
                elements.extend((nth > 0).then_some(Element::Space));
                push_letters(word, &mut elements);
            }
        }
        LiteralKind::Wildcard => push_pattern(text, &mut elements),
        LiteralKind::Fuzzy(_) => push_letters(text, &mut elements),
        LiteralKind::Hashtag => push_pattern(&format!("#{text}"), &mut elements),
        LiteralKind::Name => push_pattern(&format!("@{text}"), &mut elements),
        LiteralKind::Ticker => push_letters(&format!("${text}"), &mut elements),
        LiteralKind::Exact | LiteralKind::Symbol => {}
    }
    elements
}

/// The letters of a word with its wildcards.
fn push_pattern(text: &str, elements: &mut Vec<Element>) {
    for piece in text.split_inclusive(['*', '?']) {
        push_letters(piece.trim_end_matches(['*', '?']), elements);
        if piece.ends_with('?') {
            elements.push(Element::One);
        } else if piece.ends_with('*') && elements.last() != Some(&Element::Many) {
            elements.push(Element::Many);
        }
    }
}

/// Whether a word of a phrase has a sign at this end. `C++`, `Yahoo!` and `C#` end with none.
fn is_sign(element: Option<&Element>, is_last: bool) -> bool {
    let Some(Element::Letter(letter)) = element else { return element.is_some() };
    fold::entry(letter.base).kind & WORD == 0 && !(is_last && matches!(letter.base, '+' | '!' | '#'))
}

fn push_letters(text: &str, elements: &mut Vec<Element>) {
    fold::for_each_letter(text, |read| elements.push(Element::Letter(read.letter)));
}

/// The letters of a word, its inner apostrophes and hyphens as joints.
fn push_word(word: &str, elements: &mut Vec<Element>) {
    let first = elements.len();
    let mut joints = Vec::new();
    fold::for_each_letter(word, |read| {
        if read.kind & JOINT != 0 {
            joints.push(elements.len());
        }
        elements.push(Element::Letter(read.letter));
    });
    let last = elements.len().saturating_sub(1);
    for at in joints.into_iter().filter(|&at| at > first && at < last) {
        elements[at] = Element::Joint;
    }
}

/// The longest run of letters that the automaton can look for.
fn anchor(elements: &[Element]) -> Range<usize> {
    let mut best = (0, 0..0);
    let mut run = (0, 0..0);
    for (at, element) in elements.iter().enumerate() {
        let Element::Letter(letter) = element else {
            run = (0, at + 1..at + 1);
            continue;
        };
        run = (run.0 + fold::weight(letter.base), run.1.start..at + 1);
        if run.0 > best.0 {
            best = run.clone();
        }
    }
    best.1
}
