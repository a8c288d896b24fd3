//! A literal made ready: the steps in which a text must follow it, and the part of it that an automaton looks for.
//! Unaware of texts.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use crate::query::{Literal, LiteralKind};

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
}

/// A literal made ready to be compared with texts.
#[derive(Debug)]
pub(super) struct Pattern {
    pub kind: LiteralKind,
    pub elements: Vec<Element>,
    /// Whether a letter is typed with a mark, which some posts may lack.
    pub has_marks: bool,
    /// The elements that the automaton looks for: the longest run of letters. Empty if it can look for none of them.
    pub anchor: Range<usize>,
    /// For what is compared by code points: the literal, composed if it is exact, and where its anchor begins in it.
    pub raw: String,
    pub raw_anchor: usize,
    /// The anchor in its loosest form.
    needle: Vec<u8>,
}

impl Pattern {
    pub fn new(literal: &Literal) -> Self {
        let elements = elements(literal);
        let has_marks = elements.iter().any(|element| matches!(element, Element::Letter(letter) if letter.is_marked()));
        let mut pattern = Self {
            kind: literal.kind,
            anchor: anchor(&elements),
            elements,
            has_marks,
            raw: match literal.kind {
                LiteralKind::Exact => literal.text.nfc().collect(),
                _ => literal.text.clone(),
            },
            raw_anchor: 0,
            needle: Vec::new(),
        };
        if pattern.is_raw() {
            pattern.find_raw_anchor();
        }
        for element in &pattern.elements[pattern.anchor.clone()] {
            if let Element::Letter(letter) = element {
                fold::push_loose(*letter, &mut pattern.needle);
            }
        }
        pattern
    }

    /// Compared by code points rather than by letters.
    pub fn is_raw(&self) -> bool {
        matches!(self.kind, LiteralKind::Exact | LiteralKind::Symbol)
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
        self.raw_anchor = best.start;
        let mut letters = Vec::new();
        fold::for_each_letter(&self.raw[best], |read| letters.push(Element::Letter(read.letter)));
        self.anchor = 0..letters.len();
        self.elements = letters;
    }

    /// What the automaton looks for: in the loosest form. Empty if any place of a text may hold this literal.
    pub fn needle(&self) -> &[u8] {
        &self.needle
    }

    /// The steps of a literal, of one that is compared by code points too.
    pub fn steps(literal: &Literal) -> Vec<Element> {
        let mut steps = elements(literal);
        if literal.kind == LiteralKind::Exact {
            push_letters(&literal.text, &mut steps);
        }
        steps
    }

    /// Whether an occurrence begins with its needle, at a boundary.
    pub fn begins_with_needle(&self) -> bool {
        self.kind != LiteralKind::Symbol && self.anchor.start == 0 && self.raw_anchor == 0
    }

    /// Whether an occurrence ends with its needle, at a boundary.
    pub fn ends_with_needle(&self) -> bool {
        match self.kind {
            LiteralKind::Symbol | LiteralKind::Prefix | LiteralKind::Exact => false,
            _ => self.anchor.end == self.elements.len(),
        }
    }
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
        LiteralKind::Hashtag => push_letters(&format!("#{text}"), &mut elements),
        LiteralKind::Name => push_letters(&format!("@{text}"), &mut elements),
        LiteralKind::Exact | LiteralKind::Symbol => {}
    }
    elements
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
