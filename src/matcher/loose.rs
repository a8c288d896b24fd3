//! Literals that have no fixed letters to follow: words with wildcards, words with slips, hashtags and names with stars.
//! They are looked for from every place at which they may begin. Unaware of rules.

use crate::query::{LiteralKind, STAR_CHARACTERS_MAX};

use super::compare::Compare;
use super::fold::{self, UNSEGMENTED, WORD};
use super::letters::{Letters, Placed};
use super::pattern::{Element, Pattern};
use super::verify::{View, Ways, end_of_name, end_of_run, is_whole};

impl Pattern {
    /// Calls back with the letters of each occurrence in a text, in order of their starts, until the answer is no.
    pub fn for_each_loose(&self, view: View, ways: &mut Ways, mut found: impl FnMut(usize, usize) -> bool) {
        for start in 0..view.letters.len() {
            if self.loose_end(view, start, ways).is_some_and(|end| !found(start, end)) {
                return;
            }
        }
    }

    /// The end of the occurrence that begins at the letter `start`.
    pub fn loose_end(&self, view: View, start: usize, ways: &mut Ways) -> Option<usize> {
        let compare = self.compare(view);
        match self.kind {
            LiteralKind::Fuzzy(slips) => self.fuzzy_end(view.letters, start, usize::from(slips), ways),
            LiteralKind::Hashtag | LiteralKind::Name => self.entity_end(view.letters, start, compare),
            _ => self.wildcard_end(view.letters, start, compare, ways),
        }
    }

    fn entity_end(&self, letters: &Letters, start: usize, compare: Compare) -> Option<usize> {
        let Some(Element::Letter(sign)) = self.elements.first() else { return None };
        if letters.get(start)?.letter.base != sign.base || !self.accepts_start(letters, start) {
            return None;
        }
        let end = match self.kind {
            LiteralKind::Hashtag => end_of_run(letters, start + 1),
            _ => end_of_name(letters, start + 1),
        };
        let run: Vec<_> = (start + 1..end).filter_map(|at| letters.get(at)).map(|placed| placed.letter).collect();
        (end > start + 1 && is_whole(&self.elements[1..], &run, compare)).then_some(end)
    }

    /// The end of a word with wildcards: the first that it may have, or all of the token if it ends with a star.
    fn wildcard_end(&self, letters: &Letters, start: usize, compare: Compare, ways: &mut Ways) -> Option<usize> {
        if let Some(Element::Letter(first)) = self.elements.first()
            && !compare.finds(first, &letters.get(start)?.letter)
        {
            return None;
        }
        if !self.accepts_start(letters, start) {
            return None;
        }
        let last = self.elements.len() - 1;
        ways.begin(start);
        for (nth, element) in self.elements.iter().enumerate() {
            let is_beside_wildcard = nth > 0 && !(is_letter(element) && is_letter(&self.elements[nth - 1]));
            match element {
                Element::Letter(typed) => {
                    let is_found = |placed: &Placed| compare.finds(typed, &placed.letter);
                    let is_within = |at| !is_beside_wildcard || at == start || !letters.is_boundary(at);
                    ways.step(|at, next| {
                        next.extend((is_within(at) && letters.get(at).is_some_and(is_found)).then_some(at + 1));
                    });
                }
                Element::Many => ways.step_over_star(letters, start, nth == 0 || nth == last),
                _ => ways.step(|at, next| next.extend(character(letters, at, start, false))),
            }
            ways.turn();
            if ways.now.is_empty() {
                return None;
            }
        }
        let ends = ways.now.iter().copied().filter(|&end| end > start && letters.parts_characters(end));
        match self.elements[last] {
            Element::Many => ends.max(),
            _ => ends.into_iter().find(|&end| self.accepted_end(letters, end).is_some()),
        }
    }

    /// The end of the token that begins at `start`, if it comes of the word by so many slips.
    fn fuzzy_end(&self, letters: &Letters, start: usize, slips: usize, ways: &mut Ways) -> Option<usize> {
        let first = letters.get(start)?;
        // A vowel sign that stands upon nothing is no letter.
        if !first.is(WORD)
            || fold::is_unwritten(first.letter.base)
            || first.is(UNSEGMENTED)
            || !letters.is_boundary(start)
            || !letters.parts_characters(start)
        {
            return None;
        }
        let end = letters.get(start + 1).map_or(start + 1, |next| next.token_end as usize);
        let length = end - start;
        if length.abs_diff(self.elements.len()) > slips {
            return None;
        }
        let is_same = |nth: usize, at: usize| match (&self.elements[nth], letters.get(start + at)) {
            (Element::Letter(typed), Some(found)) => typed.base == found.letter.base,
            _ => false,
        };
        (slips_between(self.elements.len(), length, is_same, ways) <= slips).then_some(end)
    }
}

impl Ways {
    /// From each place reached now to those that `go` adds.
    fn step(&mut self, go: impl Fn(usize, &mut Vec<usize>)) {
        self.next.clear();
        self.now.iter().for_each(|&at| go(at, &mut self.next));
    }

    /// From each place over any number of characters, up to the bound. The way from one place goes on where that from the
    /// place before has been, so that each character is passed once.
    fn step_over_star(&mut self, letters: &Letters, start: usize, is_spaced: bool) {
        self.next.clear();
        let mut origins = self.now.iter().copied().peekable();
        let (mut at, mut left) = (0, 0);
        let mut is_under_way = false;
        loop {
            match origins.peek() {
                // A place within a character is left by no star.
                Some(&origin) if !is_under_way || origin < at => {
                    origins.next();
                    (at, left) = if is_under_way { (at, left) } else { (origin, STAR_CHARACTERS_MAX) };
                    is_under_way = true;
                    self.next.push(origin);
                }
                Some(&origin) if origin == at => {
                    origins.next();
                    left = STAR_CHARACTERS_MAX;
                }
                _ if !is_under_way => return,
                _ => match character(letters, at, start, is_spaced).filter(|_| left > 0) {
                    Some(after) => {
                        (at, left) = (after, left - 1);
                        self.next.push(at);
                    }
                    None => is_under_way = false,
                },
            }
        }
    }
}

fn is_letter(element: &Element) -> bool {
    matches!(element, Element::Letter(_))
}

/// The place behind the character at `at`, if that goes on the token in which the occurrence began.
fn character(letters: &Letters, at: usize, start: usize, is_spaced: bool) -> Option<usize> {
    let first = letters.get(at)?;
    let goes_on = at == start || !letters.is_boundary(at);
    if !first.is(WORD) || !goes_on || is_spaced && first.is(UNSEGMENTED) || !letters.parts_characters(at) {
        return None;
    }
    let mut end = at + 1;
    while !letters.parts_characters(end) {
        end += 1;
    }
    Some(end)
}

/// Letters to add, lose, exchange or swap with the next, no letter twice, to come from a word of one length to one of
/// another (restricted Damerau–Levenshtein distance).
fn slips_between(left: usize, right: usize, is_same: impl Fn(usize, usize) -> bool, ways: &mut Ways) -> usize {
    let width = right + 1;
    let rows = &mut ways.now;
    rows.clear();
    rows.resize(3 * width, 0);
    let at = |row: usize, column: usize| row % 3 * width + column;
    (0..width).for_each(|column| rows[at(0, column)] = column);
    for l in 0..left {
        rows[at(l + 1, 0)] = l + 1;
        for r in 0..right {
            let exchanged = rows[at(l, r)] + usize::from(!is_same(l, r));
            let mut least = exchanged.min(rows[at(l, r + 1)] + 1).min(rows[at(l + 1, r)] + 1);
            // The two letters before, each where the other is typed.
            if l > 0 && r > 0 && is_same(l, r - 1) && is_same(l - 1, r) {
                least = least.min(rows[at(l - 1, r - 1)] + 1);
            }
            rows[at(l + 1, r + 1)] = least;
        }
    }
    rows[at(left, right)]
}
