//! Whether a literal really stands where the automaton found its anchor: letters with their marks, edges, gaps.
//! Unaware of rules; the folded text is a hint, the letters of the original decide.

use std::ops::Range;

use crate::query::LiteralKind;

use super::compare::{Compare, Marks};
use super::fold::{self, JOINT, Letter, MARKED, SECOND, SPACE, UNSEGMENTED, UPPER, WORD};
use super::letters::{Letters, Placed};
use super::pattern::{Element, Pattern};

const JOINER: char = '\u{200d}';

/// Places reached on the ways through a literal; reused from literal to literal.
#[derive(Debug, Default)]
pub(super) struct Ways {
    pub now: Vec<usize>,
    pub next: Vec<usize>,
}

/// A text as a pattern sees it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub text: &'a str,
    pub letters: &'a Letters,
    pub marks: Marks,
}

/// Whether a post holds a literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Holding {
    No,
    /// It would if marks were not asked for.
    ButForMarks,
    Yes,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    On,
    Back,
}

impl Pattern {
    /// How the letters of this literal are compared with those of a text.
    pub fn compare(&self, view: View) -> Compare {
        Compare { reading: self.reading, marks: view.marks }
    }

    /// The bytes of the occurrence of which an element is the letter `at`: that which begins first.
    pub fn occurrence(&self, view: View, at: (usize, usize), ways: &mut Ways) -> Option<Range<usize>> {
        let mut first = None;
        self.for_each_start(view, at, ways, |start, end| {
            first = Some(first.map_or((start, end), |first: (usize, usize)| first.min((start, end))));
        });
        first.and_then(|(start, end)| bytes(view.letters, start..end))
    }

    /// Calls back with the letters of each occurrence of which an element, which is a letter, is the letter `at`.
    pub fn for_each_start(
        &self,
        view: View,
        (at, element): (usize, usize),
        ways: &mut Ways,
        mut found: impl FnMut(usize, usize),
    ) {
        let letters = view.letters;
        if self.is_raw() {
            let offset = self.raw_offset(element);
            let occurrence =
                letters.get(at).and_then(|first| self.raw_occurrence(view, (first.start as usize, offset)));
            if let Some(bytes) = occurrence {
                found(letters.at_byte(bytes.start), letters.at_byte(bytes.end));
            }
            return;
        }
        let Some(end) = self.end(view, self.follow(view, at, element), ways) else { return };
        let before = &self.elements[..element];
        ways.walk(view, self.compare(view), at, before.iter().rev(), Way::Back);
        for &start in ways.now.iter().filter(|&&start| self.accepts_start(letters, start)) {
            let is_whole = match self.kind {
                LiteralKind::Hashtag => end_of_run(letters, start + 1) == end,
                LiteralKind::Name => end_of_name(letters, start + 1) == end,
                LiteralKind::Ticker => letters.get(end).is_none_or(|after| !after.is(WORD)),
                _ => true,
            };
            if is_whole {
                found(start, end);
            }
        }
    }

    /// The first element from `element` on that is no letter, and where the letters before it end, if they stand at `at`.
    fn follow(&self, view: View, at: usize, element: usize) -> Option<(usize, usize)> {
        let compare = self.compare(view);
        let (mut at, mut element) = (at, element);
        while let Some(Element::Letter(typed)) = self.elements.get(element) {
            if !compare.finds(typed, &view.letters.get(at)?.letter) {
                return None;
            }
            (at, element) = (at + 1, element + 1);
        }
        Some((at, element))
    }

    fn end(&self, view: View, followed: Option<(usize, usize)>, ways: &mut Ways) -> Option<usize> {
        let (from, element) = followed?;
        let rest = &self.elements[element..];
        if rest.is_empty() {
            return self.accepted_end(view.letters, from);
        }
        ways.walk(view, self.compare(view), from, rest.iter(), Way::On);
        ways.now.iter().copied().filter_map(|end| self.accepted_end(view.letters, end)).min()
    }

    pub(super) fn accepts_start(&self, letters: &Letters, start: usize) -> bool {
        let accepted = match self.kind {
            LiteralKind::Hashtag | LiteralKind::Name | LiteralKind::Ticker => {
                let before = start.checked_sub(1).and_then(|before| letters.get(before));
                let sign = letters.get(start);
                before.is_none_or(|before| !before.is(WORD)) && sign.is_some_and(|sign| !sign.is(MARKED))
            }
            LiteralKind::Word | LiteralKind::Prefix | LiteralKind::Wildcard => {
                letters.begins(start) || letters.is_tag_boundary(start)
            }
            _ => letters.begins(start),
        };
        let is_capital = !self.reading.capital || letters.get(start).is_some_and(|first| first.is(UPPER));
        accepted && is_capital && letters.parts_characters(start)
    }

    /// Where an occurrence ends whose letters end before `end`.
    pub(super) fn accepted_end(&self, letters: &Letters, end: usize) -> Option<usize> {
        let accepted = match self.kind {
            LiteralKind::Prefix => return Some(end_of_token(letters, end)),
            LiteralKind::Hashtag | LiteralKind::Name | LiteralKind::Ticker => true,
            LiteralKind::Word | LiteralKind::Wildcard => letters.ends(end) || letters.is_tag_boundary(end),
            _ => letters.ends(end),
        };
        (accepted && letters.parts_characters(end)).then_some(end)
    }

    /// The bytes of a literal of code points whose byte `offset` is at the byte `anchor`.
    pub fn raw_occurrence(&self, view: View, (anchor, offset): (usize, usize)) -> Option<Range<usize>> {
        let View { text, letters, .. } = view;
        let found = match self.kind {
            LiteralKind::Symbol => {
                let start = anchor.checked_sub(offset)?;
                start..start + symbol_length(text.get(start..)?, &self.raw)?
            }
            _ => letters.exactly(text, &self.raw, anchor, offset)?,
        };
        let (first, after) = (letters.at_byte(found.start), letters.at_byte(found.end));
        let around = first.saturating_sub(1)..after;
        let is_address = |placed: &Placed| placed.is_address() && placed.end as usize > found.start;
        if around.into_iter().any(|at| letters.get(at).is_some_and(is_address)) {
            return None;
        }
        let stands = match self.kind {
            LiteralKind::Symbol => self.is_whole_symbol(view, &found),
            _ => {
                let is_whole = letters.parts_characters(first) && letters.parts_characters(after);
                is_whole && !letters.is_cut(after, found.end) && letters.begins(first) && letters.ends(after)
            }
        };
        // With what stands upon it.
        let mut after = after;
        while !letters.parts_characters(after) {
            after += 1;
        }
        let whole = if first < after { bytes(letters, first..after) } else { None };
        stands.then_some(whole.unwrap_or(found))
    }

    /// Whether a symbol is no part of another: of a family, of a flag, in a frame. A thumb may have a colour.
    fn is_whole_symbol(&self, view: View, found: &Range<usize>) -> bool {
        let is_drawn = |letter: &char| !fold::is_variation(*letter);
        let mut before = view.text[..found.start].chars().rev().filter(is_drawn);
        let mut after = view.text[found.end..].chars().filter(is_drawn).peekable();
        after.next_if(|letter| matches!(letter, '\u{1f3fb}'..='\u{1f3ff}'));
        let goes_on = |letter| matches!(letter, JOINER | '\u{20e3}' | '\u{e0020}'..='\u{e007f}');
        if before.next() == Some(JOINER) || after.next().is_some_and(goes_on) {
            return false;
        }
        let mut typed = self.raw.chars().filter(is_drawn);
        if !typed.next().is_some_and(fold::is_regional) {
            return true;
        }
        let letters = view.letters;
        let place = letters.at_byte(found.start);
        let is_half = |placed: &Placed| fold::is_regional(placed.letter.base) && !placed.is(MARKED);
        let goes_on = typed.next().is_none()
            && letters.get(place).is_some_and(is_half)
            && letters.get(place + 1).is_some_and(|next| next.is(SECOND));
        letters.get(place).is_some_and(|first| !first.is(SECOND)) && !goes_on
    }

    /// Whether a hashtag or a handle that came with the post is this literal.
    pub fn equals(&self, name: &str) -> Holding {
        let mut letters = Vec::new();
        fold::for_each_letter(name, |read| letters.push(read.letter));
        let is_whole = |marks| {
            let compare = Compare { reading: self.reading, marks };
            is_whole(self.elements.get(1..).unwrap_or_default(), &letters, compare)
        };
        match is_whole(Marks::Asked) {
            true => Holding::Yes,
            false if self.has_marks && is_whole(Marks::Lacking) => Holding::ButForMarks,
            false => Holding::No,
        }
    }
}

/// Whether all of some letters are what the steps ask for.
pub(super) fn is_whole(elements: &[Element], letters: &[Letter], compare: Compare) -> bool {
    // Where a star was passed last: what follows it, and the letters that it has left over.
    let mut star = None;
    let (mut element, mut at) = (0, 0);
    loop {
        match (elements.get(element), letters.get(at)) {
            (Some(Element::Many), _) => {
                star = Some((element + 1, at));
                element += 1;
            }
            (Some(Element::One), Some(_)) => (element, at) = (element + 1, at + 1),
            (Some(Element::Letter(typed)), Some(found)) if compare.finds(typed, found) => {
                (element, at) = (element + 1, at + 1);
            }
            (None, None) => return true,
            (_, found) => {
                let (Some((after, from)), true) = (star, found.is_some()) else { return false };
                star = Some((after, from + 1));
                (element, at) = (after, from + 1);
            }
        }
    }
}

impl Ways {
    /// Begins anew at one place.
    pub fn begin(&mut self, from: usize) {
        self.now.clear();
        self.now.push(from);
    }

    /// Takes the places reached next for those reached now.
    pub fn turn(&mut self) {
        self.next.sort_unstable();
        self.next.dedup();
        std::mem::swap(&mut self.now, &mut self.next);
    }

    /// From `from` over `elements`: where the ways through them end is in `now` afterwards.
    fn walk<'a>(
        &mut self,
        view: View,
        compare: Compare,
        from: usize,
        elements: impl Iterator<Item = &'a Element>,
        way: Way,
    ) {
        self.begin(from);
        for element in elements {
            self.next.clear();
            for &at in &self.now {
                step((view.letters, compare), element, at, way, &mut self.next);
            }
            self.turn();
            if self.now.is_empty() {
                return;
            }
        }
    }
}

/// Adds the places that one element leads to from `at`.
fn step((letters, compare): (&Letters, Compare), element: &Element, at: usize, way: Way, into: &mut Vec<usize>) {
    match element {
        Element::Letter(typed) => {
            if beside(letters, at, way).is_some_and(|placed| compare.finds(typed, &placed.letter)) {
                into.push(beyond(at, way));
            }
        }
        Element::Joint => {
            into.push(at);
            if beside(letters, at, way).is_some_and(|placed| placed.is(JOINT)) {
                into.push(beyond(at, way));
            }
            let mut end = at;
            while beside(letters, end, way).is_some_and(|placed| placed.kind & (SPACE | MARKED) == SPACE) {
                end = beyond(end, way);
            }
            into.push(end);
        }
        Element::Gap => step_gap(letters, at, way, false, into),
        Element::TightGap => step_gap(letters, at, way, true, into),
        Element::Space => {
            let mut end = at;
            while beside(letters, end, way).is_some_and(|placed| placed.kind & (SPACE | MARKED) == SPACE) {
                end = beyond(end, way);
            }
            into.extend((end != at).then_some(end));
        }
        // Words with wildcards are followed from all their starts, not from an anchor.
        Element::One | Element::Many => {}
    }
}

/// Adds the places behind a gap: nothing, if a token ends there; or what is no letter, within a paragraph; in a tight
/// gap white space.
fn step_gap(letters: &Letters, at: usize, way: Way, is_tight: bool, into: &mut Vec<usize>) {
    if letters.may_touch(at) {
        into.push(at);
    }
    let mut end = at;
    let mut is_line_over = false;
    while let Some(placed) = beside(letters, end, way) {
        // A mark upon white space stands behind it and makes a line that is not empty.
        is_line_over &= way == Way::On || !placed.is(MARKED);
        let is_newline = placed.letter.base == '\n';
        let is_paragraph_over = placed.letter.base == '\u{2029}' || is_line_over && is_newline;
        let is_space = placed.kind & (SPACE | MARKED) == SPACE;
        if placed.is_solid() || placed.is_address() || is_paragraph_over || is_tight && !is_space {
            return;
        }
        is_line_over = is_newline || is_line_over && placed.is(SPACE);
        is_line_over &= way == Way::Back || !placed.is(MARKED);
        end = beyond(end, way);
        if letters.parts_characters(end) {
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
fn end_of_token(letters: &Letters, end: usize) -> usize {
    let mut end = end;
    while !letters.parts_characters(end) {
        end += 1;
    }
    let is_whole = end.checked_sub(1).and_then(|last| letters.get(last)).is_some_and(|last| last.is(UNSEGMENTED));
    if is_whole { end } else { letters.get(end).map_or(end, |placed| placed.token_end as usize) }
}

/// The end of the run of word characters from `at` on.
pub(super) fn end_of_run(letters: &Letters, at: usize) -> usize {
    letters.get(at).map_or(at, |placed| placed.run_end as usize)
}

/// The end of the handle from `at` on: a dot or a hyphen belongs to it if more of it follows.
pub(super) fn end_of_name(letters: &Letters, at: usize) -> usize {
    let joins = |placed: &Placed| matches!(placed.letter.base, '.' | '-') && !placed.is(MARKED);
    let mut end = end_of_run(letters, at);
    while end > at && letters.get(end).is_some_and(joins) && letters.get(end + 1).is_some_and(|after| after.is(WORD)) {
        end = end_of_run(letters, end + 1);
    }
    end
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

pub(super) fn bytes(letters: &Letters, run: Range<usize>) -> Option<Range<usize>> {
    let first = letters.get(run.start)?;
    let last = letters.get(run.end.checked_sub(1)?)?;
    Some(first.start as usize..last.end as usize)
}
