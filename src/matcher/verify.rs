//! Whether a literal really stands where the automaton found its anchor: letters with their marks, edges, gaps.
//! Unaware of rules; the folded text is a hint, the letters of the original decide.

use std::ops::Range;

use crate::query::{Literal, LiteralKind};

use super::fold::{self, JOINT, Letter, SPACE, WORD};
use super::letters::{Letters, Placed};

/// Characters that may part two words of a phrase.
const GAP_CHARS_MAX: usize = 8;

/// One step of a literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Element {
    Letter(Letter),
    /// An apostrophe or a hyphen inside a word: there, or white space, or nothing.
    Joint,
    /// Between two words of a phrase.
    Gap,
}

/// A literal made ready to be compared with texts.
#[derive(Debug)]
pub(super) struct Pattern {
    kind: LiteralKind,
    elements: Vec<Element>,
    /// The elements that the automaton looks for: the longest run of letters. Empty if it can look for none of them.
    anchor: Range<usize>,
    /// For what is compared by code points: the literal, and where its anchor begins in it.
    raw: String,
    raw_anchor: usize,
    /// The anchor in its loosest form.
    needle: Vec<u8>,
}

/// Places reached on the ways through a literal; reused from literal to literal.
#[derive(Debug, Default)]
pub(super) struct Ways {
    now: Vec<usize>,
    next: Vec<usize>,
}

/// A text as a pattern sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub text: &'a str,
    pub letters: &'a Letters,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    On,
    Back,
}

impl Pattern {
    pub fn new(literal: &Literal) -> Self {
        let elements = elements(literal);
        let anchor = anchor(&elements);
        let mut pattern = Self { kind: literal.kind, elements, anchor, raw: literal.text.clone(), raw_anchor: 0, needle: Vec::new() };
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
        fold::for_each_letter(&self.raw[best], |letter, _, _, _| letters.push(Element::Letter(letter)));
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

    /// The bytes of the occurrence whose anchor is the letter `at`.
    pub fn occurrence(&self, view: View, at: usize, ways: &mut Ways) -> Option<Range<usize>> {
        if self.is_raw() {
            let first = view.letters.get(at)?.start as usize;
            return self.raw_occurrence(view, first.checked_sub(self.raw_anchor)?);
        }
        let anchor_end = self.follow(view.letters, at)?;
        let end = self.end(view.letters, anchor_end, ways)?;
        let start = self.start(view.letters, at, ways)?;
        bytes(view.letters, start..end)
    }

    /// The end of the anchor, if it stands at `at`.
    fn follow(&self, letters: &Letters, at: usize) -> Option<usize> {
        let mut at = at;
        for element in &self.elements[self.anchor.clone()] {
            let Element::Letter(typed) = element else { return None };
            if !typed.finds(&letters.get(at)?.letter) {
                return None;
            }
            at += 1;
        }
        Some(at)
    }

    fn end(&self, letters: &Letters, from: usize, ways: &mut Ways) -> Option<usize> {
        let rest = &self.elements[self.anchor.end..];
        ways.walk(letters, from, rest.iter(), Way::On);
        ways.now.iter().copied().filter_map(|end| self.accepted_end(letters, end)).min()
    }

    fn start(&self, letters: &Letters, from: usize, ways: &mut Ways) -> Option<usize> {
        let rest = &self.elements[..self.anchor.start];
        ways.walk(letters, from, rest.iter().rev(), Way::Back);
        ways.now.iter().copied().filter(|&start| self.accepts_start(letters, start)).min()
    }

    fn accepts_start(&self, letters: &Letters, start: usize) -> bool {
        match self.kind {
            LiteralKind::Hashtag | LiteralKind::Name => {
                letters.parts_characters(start)
                    && start.checked_sub(1).and_then(|before| letters.get(before)).is_none_or(|before| !before.is(WORD))
            }
            LiteralKind::Phrase => letters.is_boundary(start) || letters.follows_prefix(start),
            _ => letters.is_boundary(start) || letters.follows_prefix(start) || letters.is_tag_boundary(start),
        }
    }

    /// Where an occurrence ends whose letters end before `end`.
    fn accepted_end(&self, letters: &Letters, end: usize) -> Option<usize> {
        let accepted = match self.kind {
            LiteralKind::Prefix => return end_of_token(letters, end),
            LiteralKind::Hashtag => letters.get(end).is_none_or(|after| !after.is(WORD)),
            LiteralKind::Name => is_end_of_name(letters, end),
            LiteralKind::Phrase => letters.is_boundary(end) || letters.precedes_particle(end),
            _ => letters.is_boundary(end) || letters.precedes_particle(end) || letters.is_tag_boundary(end),
        };
        (accepted && letters.parts_characters(end)).then_some(end)
    }

    /// The bytes of a literal of code points that begins at the byte `start`.
    pub fn raw_occurrence(&self, view: View, start: usize) -> Option<Range<usize>> {
        let rest = view.text.get(start..)?;
        let length = match self.kind {
            LiteralKind::Symbol => symbol_length(rest, &self.raw)?,
            _ => rest.starts_with(&self.raw).then_some(self.raw.len())?,
        };
        let found = start..start + length;
        let (first, after) = (view.letters.at_byte(found.start), view.letters.at_byte(found.end));
        if (first..after).any(|at| view.letters.get(at).is_some_and(Placed::is_address)) {
            return None;
        }
        let letters = view.letters;
        if self.kind == LiteralKind::Exact && letters.cuts_letter(after, found.end) {
            return None;
        }
        let accepted = self.kind == LiteralKind::Symbol
            || (letters.is_boundary(first) || letters.follows_prefix(first) || letters.is_tag_boundary(first))
                && (letters.is_boundary(after) || letters.precedes_particle(after) || letters.is_tag_boundary(after));
        accepted.then_some(found)
    }

    /// Whether a hashtag or a handle that came with the post is this literal.
    pub fn equals(&self, name: &str) -> bool {
        let mut letters = self.elements.iter().skip(1);
        let mut equal = true;
        fold::for_each_letter(name, |letter, _, _, _| {
            equal &= matches!(letters.next(), Some(Element::Letter(typed)) if typed.finds(&letter));
        });
        equal && letters.next().is_none()
    }
}

impl Letter {
    /// Whether this letter, as typed in a literal, finds `letter` in a text.
    fn finds(&self, letter: &Letter) -> bool {
        self.base == letter.base && (self.marks.is_empty() || self.marks == letter.marks)
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
                if !elements.is_empty() {
                    elements.push(Element::Gap);
                }
                push_word(word, &mut elements);
            }
        }
        LiteralKind::Hashtag => push_letters(&format!("#{}", text.trim_start_matches(['#', '＃'])), &mut elements),
        LiteralKind::Name => push_letters(&format!("@{}", text.trim_start_matches(['@', '＠'])), &mut elements),
        LiteralKind::Exact | LiteralKind::Symbol => {}
    }
    elements
}

fn push_letters(text: &str, elements: &mut Vec<Element>) {
    fold::for_each_letter(text, |letter, _, _, _| elements.push(Element::Letter(letter)));
}

/// The letters of a word, its inner apostrophes and hyphens as joints.
fn push_word(word: &str, elements: &mut Vec<Element>) {
    let first = elements.len();
    let mut joints = Vec::new();
    fold::for_each_letter(word, |letter, _, kind, _| {
        if kind & JOINT != 0 {
            joints.push(elements.len());
        }
        elements.push(Element::Letter(letter));
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

impl Ways {
    /// From `from` over `elements`: where the ways through them end is in `now` afterwards.
    fn walk<'a>(&mut self, letters: &Letters, from: usize, elements: impl Iterator<Item = &'a Element>, way: Way) {
        self.now.clear();
        self.now.push(from);
        for element in elements {
            self.next.clear();
            for &at in &self.now {
                step(letters, element, at, way, &mut self.next);
            }
            self.next.sort_unstable();
            self.next.dedup();
            std::mem::swap(&mut self.now, &mut self.next);
            if self.now.is_empty() {
                return;
            }
        }
    }
}

/// Adds the places that one element leads to from `at`.
fn step(letters: &Letters, element: &Element, at: usize, way: Way, into: &mut Vec<usize>) {
    match element {
        Element::Letter(typed) => {
            if beside(letters, at, way).is_some_and(|placed| typed.finds(&placed.letter)) {
                into.push(beyond(at, way));
            }
        }
        Element::Joint => {
            into.push(at);
            if beside(letters, at, way).is_some_and(|placed| placed.is(JOINT)) {
                into.push(beyond(at, way));
            }
            let mut end = at;
            while beside(letters, end, way).is_some_and(|placed| placed.is(SPACE)) {
                end = beyond(end, way);
            }
            into.push(end);
        }
        Element::Gap => step_gap(letters, at, way, into),
    }
}

fn step_gap(letters: &Letters, at: usize, way: Way, into: &mut Vec<usize>) {
    if letters.may_touch(at) {
        into.push(at);
    }
    let mut end = at;
    let mut chars = 0;
    let mut newline = false;
    while let Some(placed) = beside(letters, end, way) {
        let again = placed.letter.base == '\n';
        if placed.is(WORD) || placed.is_address() || newline && again {
            return;
        }
        newline = again;
        end = beyond(end, way);
        if letters.parts_characters(end) {
            chars += 1;
            if chars > GAP_CHARS_MAX {
                return;
            }
            into.push(end);
        }
    }
}

/// The letter that a step from the place `at` passes.
fn beside(letters: &Letters, at: usize, way: Way) -> Option<&Placed> {
    match way {
        Way::On => letters.get(at),
        Way::Back => letters.get(at.checked_sub(1)?),
    }
}

fn beyond(at: usize, way: Way) -> usize {
    match way {
        Way::On => at + 1,
        Way::Back => at - 1,
    }
}

/// A wildcard takes the rest of its token, but nothing of one that is written without spaces.
fn end_of_token(letters: &Letters, end: usize) -> Option<usize> {
    if letters.is_boundary(end) {
        return Some(end);
    }
    letters.parts_characters(end).then(|| letters.get(end).map_or(end, |after| after.run_end as usize))
}

/// Handles go on over dots and hyphens, but do not end in them.
fn is_end_of_name(letters: &Letters, end: usize) -> bool {
    let mut at = end;
    while letters.get(at).is_some_and(|placed| matches!(placed.letter.base, '.' | '-')) {
        at += 1;
    }
    letters.get(at).is_none_or(|after| !after.is(WORD))
}

/// The length of `symbol` at the head of `text`, variation selectors aside.
fn symbol_length(text: &str, symbol: &str) -> Option<usize> {
    let mut rest = text.char_indices().filter(|&(_, character)| !fold::is_variation(character));
    let mut end = None;
    for typed in symbol.chars().filter(|&character| !fold::is_variation(character)) {
        let (at, found) = rest.next()?;
        if found != typed {
            return None;
        }
        end = Some(at + found.len_utf8());
    }
    end
}

fn bytes(letters: &Letters, run: Range<usize>) -> Option<Range<usize>> {
    let first = letters.get(run.start)?;
    let last = letters.get(run.end.checked_sub(1)?)?;
    Some(first.start as usize..last.end as usize)
}
