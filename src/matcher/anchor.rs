//! Where a literal is filed: under a run of its letters with which a word of the text begins, or which is one.
//! Unaware of texts.
//!
//! A run of a literal begins at its start, after a letter that is of no word, or after a gap: there a word of the text
//! begins too. Its letters are letters of words, so that they lie within one run of the text. Where they are followed by a
//! letter that is of no word, by a gap, or by an end that must be the end of a word, they are all of the word, else its
//! beginning. A joint may be nothing: behind it a run of the literal may go on in the same word of the text, so that the
//! literal is filed under each way to write the joints before it.

use std::ops::Range;

use crate::query::LiteralKind;

use super::fold::{self, MARK, UNSEGMENTED, WORD};
use super::pattern::{Element, Pattern};
use super::rarity::{self, Posts};

/// A run of letters under which a literal is filed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Anchor {
    /// The letters in their loosest form.
    pub run: Vec<u8>,
    /// The element of the literal with which it begins.
    pub element: usize,
    pub part: Part,
    /// What of a text is an occurrence for certain, if its runs are plain: all letters of the literal with single spaces,
    /// and where in it the anchor begins.
    pub proof: Option<(Vec<u8>, usize)>,
    /// How the run of the text that comes next begins, or, if it is the literal's last, the one before it.
    pub neighbour: Option<(Side, Vec<u8>)>,
}

/// What an anchor is of a word of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    Beginning,
    Ending,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Side {
    Before,
    Behind,
}

/// Joints before a run at most, so that there are few ways to write them.
const JOINTS_MAX: usize = 4;

/// The rarest anchors of a literal: every occurrence has one of them. None if it has no run that is sure to begin where
/// a word does.
pub(super) fn anchors(pattern: &Pattern) -> Vec<Anchor> {
    let is_unfit = |element: &Element| matches!(element, Element::Letter(letter) if is(letter.base, MARK));
    let is_symbol = matches!(pattern.kind, LiteralKind::Symbol | LiteralKind::Fuzzy(_));
    if is_symbol || pattern.elements.iter().any(is_unfit) {
        return Vec::new();
    }
    let runs = runs(pattern);
    let ways = (0..runs.len()).map(|nth| ways(pattern, &runs, nth)).chain([ending(pattern).into_iter().collect()]);
    ways.filter(|ways| !ways.is_empty()).min_by_key(|ways| posts(ways)).unwrap_or_default()
}

/// In how many posts one of these stands.
pub(super) fn posts(anchors: &[Anchor]) -> Posts {
    anchors.iter().map(|anchor| rarity::of_run(&anchor.run, anchor.part == Part::Whole)).fold(0, Posts::saturating_add)
}

/// Of a word with wildcards the letters behind the last: with them a word of the text ends.
fn ending(pattern: &Pattern) -> Option<Anchor> {
    let is_wild = |element: &Element| matches!(element, Element::One | Element::Many);
    let first = pattern.elements.iter().rposition(is_wild)? + 1;
    let rest = &pattern.elements[first..];
    let is_ending =
        pattern.kind == LiteralKind::Wildcard && rest.iter().all(is_word) && !rest.last().is_none_or(is_single);
    let run = letters(pattern, &(first..pattern.elements.len()));
    is_ending.then_some(Anchor { run, element: first, part: Part::Ending, proof: None, neighbour: None })
}

/// A run of a literal.
struct Run {
    elements: Range<usize>,
    /// Whether a joint comes before it, behind the part before.
    is_joined: bool,
    /// Whether a word of the text is sure to begin with it, unless a joint that is nothing comes before.
    begins: bool,
    /// Whether a word of the text is sure to end with it.
    ends: bool,
}

fn is(letter: char, kind: fold::Kind) -> bool {
    fold::entry(letter).kind & kind != 0
}

fn is_word(element: &Element) -> bool {
    matches!(element, Element::Letter(letter) if is(letter.base, WORD))
}

/// Of a script without spaces.
fn is_single(element: &Element) -> bool {
    matches!(element, Element::Letter(letter) if is(letter.base, UNSEGMENTED))
}

fn runs(pattern: &Pattern) -> Vec<Run> {
    let elements = &pattern.elements;
    let mut runs = Vec::new();
    let mut at = 0;
    while at < elements.len() {
        // Behind a wildcard nobody knows how far the start of the occurrence is.
        if matches!(elements[at], Element::One | Element::Many) {
            break;
        }
        if !is_word(&elements[at]) {
            at += 1;
            continue;
        }
        let start = at;
        while elements.get(at).is_some_and(is_word) {
            at += 1;
        }
        let before = start.checked_sub(1).map(|before| elements[before]);
        let begins = before.is_some() || pattern.begins_with_first();
        let ends = match elements.get(at) {
            _ if is_single(&elements[at - 1]) => false,
            None => pattern.ends_with_last(),
            Some(Element::Letter(_) | Element::Gap | Element::TightGap | Element::Space) => true,
            Some(Element::Joint | Element::One | Element::Many) => false,
        };
        runs.push(Run { elements: start..at, is_joined: before == Some(Element::Joint), begins, ends });
    }
    runs
}

/// All that a text may have where a literal has its run `nth`: with each number of runs before it glued to it.
fn ways(pattern: &Pattern, runs: &[Run], nth: usize) -> Vec<Anchor> {
    let mut first = nth;
    while first > 0 && runs[first].is_joined {
        first -= 1;
    }
    if nth - first > JOINTS_MAX || !runs[first..=nth].iter().all(|part| part.begins) {
        return Vec::new();
    }
    let anchor = |from: usize| {
        // At each letter of a script without spaces a literal may begin: of these there are too many to hash whole words.
        let is_whole = runs[nth].ends && !is_single(&pattern.elements[runs[from].elements.start]);
        let run = letters(pattern, &(runs[from].elements.start..runs[nth].elements.end));
        let proof = proof(pattern, runs[from].elements.start);
        // Before a run that is not glued to the first lies a joint.
        let before = first.checked_sub(1).filter(|_| from == first);
        let neighbour = neighbour(pattern, runs, (before, nth));
        let part = if is_whole { Part::Whole } else { Part::Beginning };
        Anchor { run, element: runs[from].elements.start, part, proof, neighbour }
    };
    (first..=nth).map(anchor).collect()
}

/// What stands behind the run `last`, or else what stands before the run behind `before`, if nothing but a gap parts them.
fn neighbour(pattern: &Pattern, runs: &[Run], (before, last): (Option<usize>, usize)) -> Option<(Side, Vec<u8>)> {
    let beside = |left: usize, right: usize| {
        let gap = runs[left].elements.end..runs.get(right)?.elements.start;
        let is_gap = |element: &Element| matches!(element, Element::Gap | Element::TightGap | Element::Space);
        (gap.len() == 1 && pattern.elements[gap].iter().all(is_gap)).then_some(())
    };
    if beside(last, last + 1).is_some() {
        return Some((Side::Behind, letters(pattern, &runs[last + 1].elements)));
    }
    let before = before.filter(|&before| !runs[before].is_joined && beside(before, before + 1).is_some())?;
    Some((Side::Before, letters(pattern, &runs[before].elements)))
}

/// Of some elements the letters in their loosest form.
fn letters(pattern: &Pattern, elements: &Range<usize>) -> Vec<u8> {
    let mut run = Vec::new();
    for element in &pattern.elements[elements.clone()] {
        if let Element::Letter(letter) = element {
            fold::push_loose(*letter, &mut run);
        }
    }
    run
}

/// A text that a literal finds for certain, and where in it an element begins.
fn proof(pattern: &Pattern, element: usize) -> Option<(Vec<u8>, usize)> {
    let is_plain =
        matches!(pattern.kind, LiteralKind::Word | LiteralKind::Phrase | LiteralKind::Prefix | LiteralKind::Raw);
    let ends = [pattern.elements.first()?, pattern.elements.last()?];
    if !is_plain || pattern.reading.parts_i() || !ends.into_iter().all(is_word) {
        return None;
    }
    let (mut text, mut offset) = (Vec::new(), 0);
    for (at, step) in pattern.elements.iter().enumerate() {
        if at == element {
            offset = text.len();
        }
        match step {
            Element::Letter(letter) if fold::is_loosest(letter.base) => fold::push_loose(*letter, &mut text),
            Element::Gap | Element::Space => text.push(b' '),
            _ => return None,
        }
    }
    Some((text, offset))
}
