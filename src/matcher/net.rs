//! Finding some literals in a text: by their anchors, or with one automaton over the needles of those that have none.
//! Unaware of rules: it marks what it finds.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;

use crate::query::{LiteralKind, STAR_CHARACTERS_MAX};

use super::compare::Marks;
use super::filed::{Anchors, Filed, Table, Told};
use super::folded::Folded;
use super::letters::Letters;
use super::near::Place;
use super::pattern::{Element, Pattern};
use super::probe::Probe;
use super::scratch::{Found, Room};
use super::verify::{Holding, View, Ways, bytes};

/// Lists of numbers under numbers from 0, without a hole.
#[derive(Debug)]
pub(super) struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    pub fn new(lists: &[Vec<u32>]) -> Self {
        let mut starts = vec![0];
        let mut items = Vec::new();
        for list in lists {
            items.extend(list);
            starts.push(items.len() as u32);
        }
        Self { starts, items }
    }

    pub fn len(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn get(&self, at: u32) -> &[u32] {
        &self.items[self.starts[at as usize] as usize..self.starts[at as usize + 1] as usize]
    }
}

/// All literals made ready: how they are compared, and where they are filed.
#[derive(Debug)]
pub(super) struct Literals {
    pub patterns: Vec<Pattern>,
    pub anchors: Anchors,
}

/// Some literals, to be found in texts.
#[derive(Debug)]
pub(super) struct Net {
    table: Table,
    /// For literals that no word of a text is sure to begin with.
    automaton: Option<AhoCorasick>,
    /// Literals by needle of the automaton.
    holders: Lists,
    /// Literals that have no needle either: compared at every character.
    anywhere: Vec<u32>,
}

impl Net {
    /// A net for the literals whose numbers are given.
    pub fn new(literals: &Literals, numbers: &[u32]) -> Self {
        let table = Table::new(&literals.anchors, numbers.iter().copied());
        let mut needles: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut bytes: Vec<Vec<u8>> = Vec::new();
        let mut holders: Vec<Vec<u32>> = Vec::new();
        let mut anywhere = Vec::new();
        for &number in numbers.iter().filter(|&&number| literals.anchors.of(number).is_empty()) {
            let pattern = &literals.patterns[number as usize];
            let own = pattern.needles();
            if own.is_empty() {
                anywhere.extend((pattern.is_raw() || pattern.is_loose()).then_some(number));
                continue;
            }
            for sought in own {
                let needle = *needles.entry(sought.clone()).or_insert(bytes.len() as u32);
                if needle as usize == bytes.len() {
                    bytes.push(sought);
                    holders.push(Vec::new());
                }
                holders[needle as usize].push(number);
            }
        }
        Self { table, automaton: automaton(&bytes), holders: Lists::new(&holders), anywhere }
    }

    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.automaton.as_ref().map_or(0, AhoCorasick::memory_usage)
    }

    /// Adds the literals that `text` holds to those found. The room holds the folded text.
    pub fn find(&self, literals: &Literals, text: &str, room: &mut Room, found: &mut Found, ways: &mut Ways) {
        for &number in &self.anywhere {
            found.note(number, holds(&literals.patterns[number as usize], text, room, ways));
        }
        let Room { folded, letters, addresses, is_read, .. } = room;
        let mut original = Original { text, letters, addresses, is_read };
        self.table.find(&literals.anchors, folded, |anchor, probe| {
            literals.look(anchor, probe, folded, &mut original, found, ways);
        });
        self.find_needles(literals, text, room, found, ways);
    }

    fn find_needles(&self, literals: &Literals, text: &str, room: &mut Room, found: &mut Found, ways: &mut Ways) {
        let Some(automaton) = &self.automaton else { return };
        let Room { folded, letters, addresses, is_read, .. } = room;
        let mut original = Original { text, letters, addresses, is_read };
        let mut tried: Vec<(u32, usize)> = Vec::new();
        for hit in automaton.find_overlapping_iter(&folded.bytes) {
            for &number in self.holders.get(hit.pattern().as_u32()) {
                if found.yes.contains(number) {
                    continue;
                }
                let letters = original.read();
                let Some(at) = letters.at_folded(hit.start()) else { break };
                let pattern = &literals.patterns[number as usize];
                if pattern.is_loose() {
                    let most = if pattern.kind == LiteralKind::Wildcard { TRIED_MAX } else { 1 };
                    let nth = nth_hit(number, &mut tried);
                    if nth == most {
                        found.note(number, pattern.holding(text, letters, ways));
                    }
                    if nth >= most {
                        continue;
                    }
                }
                let place = (at, pattern.anchor.start);
                note(number, pattern, found, |marks| pattern.stands(View { text, letters, marks }, place, ways));
            }
        }
    }
}

/// Places of one text at which a loose literal is looked for one by one; then all of the text is looked through at once.
const TRIED_MAX: usize = 16;

/// Counts the hits of a loose literal.
fn nth_hit(number: u32, hits: &mut Vec<(u32, usize)>) -> usize {
    let at = hits.iter().position(|(known, _)| *known == number).unwrap_or(hits.len());
    if at == hits.len() {
        hits.push((number, 0));
    }
    hits[at].1 += 1;
    hits[at].1
}

/// The letters of a text, read when they are first asked for.
struct Original<'a> {
    text: &'a str,
    letters: &'a mut Letters,
    addresses: &'a [Range<usize>],
    is_read: &'a mut bool,
}

impl Original<'_> {
    fn read(&mut self) -> &Letters {
        if !*self.is_read {
            self.letters.read(self.text, self.addresses);
            *self.is_read = true;
        }
        self.letters
    }
}

/// Notes whether a literal stands, with its marks or without.
fn note(number: u32, pattern: &Pattern, found: &mut Found, mut stands: impl FnMut(Marks) -> bool) {
    if stands(Marks::Asked) {
        found.yes.insert(number);
    } else if pattern.has_marks && !found.but_for_marks.contains(number) && stands(Marks::Lacking) {
        found.but_for_marks.insert(number);
    }
}

impl Literals {
    /// Notes whether the literal of an anchor stands where that may.
    fn look(
        &self,
        anchor: &Filed,
        probe: Probe,
        folded: &Folded,
        original: &mut Original,
        found: &mut Found,
        ways: &mut Ways,
    ) {
        let number = anchor.literal;
        if found.yes.contains(number) {
            return;
        }
        let pattern = &self.patterns[number as usize];
        match self.anchors.told(anchor, folded, probe) {
            Told::No => {}
            Told::Yes { has_capital: false, .. } if pattern.reading.capital => {}
            Told::Yes { .. } if !pattern.has_marks => found.yes.insert(number),
            Told::Yes { has_marks: false, .. } => found.but_for_marks.insert(number),
            Told::Perhaps if self.is_refuted(pattern, probe, folded) => {}
            Told::Yes { .. } | Told::Perhaps => {
                let text = original.text;
                let letters = original.read();
                let Some(at) = letters.at_folded(self.anchors.start(anchor, probe)) else { return };
                let place = (at, anchor.element as usize);
                note(number, pattern, found, |marks| pattern.stands(View { text, letters, marks }, place, ways));
            }
        }
    }

    /// Whether a plain run is not what a word with wildcards asks for.
    fn is_refuted(&self, pattern: &Pattern, probe: Probe, folded: &Folded) -> bool {
        let run = &folded.runs[probe.run as usize];
        pattern.kind == LiteralKind::Wildcard
            && run.is_plain()
            && pattern.fills(&folded.bytes[run.start as usize..run.end as usize]) == Some(false)
    }

    /// Notes whether a text holds one literal. The room holds the folded text.
    pub fn search(&self, number: u32, text: &str, room: &mut Room, found: &mut Found, ways: &mut Ways) {
        let anchors = self.anchors.of(number);
        if anchors.is_empty() {
            return found.note(number, holds(&self.patterns[number as usize], text, room, ways));
        }
        let Room { folded, letters, addresses, is_read, probed, .. } = room;
        probed.read(folded, self.anchors.seed, &self.anchors.heads);
        let mut original = Original { text, letters, addresses, is_read };
        for anchor in anchors {
            for probe in probed.with(anchor.hash) {
                self.look(anchor, probe, folded, &mut original, found, ways);
            }
        }
    }
}

/// The automaton over all needles, or none if there are none.
fn automaton(needles: &[Vec<u8>]) -> Option<AhoCorasick> {
    if needles.is_empty() {
        return None;
    }
    let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(needles);
    Some(automaton.expect("needles are bounded by the memory that holds their rules, far below 2³¹ states"))
}

/// Whether `text` holds one literal. The room holds the folded text.
fn holds(pattern: &Pattern, text: &str, room: &mut Room, ways: &mut Ways) -> Holding {
    let mut stands = |marks| {
        let mut holds = false;
        for_each_occurrence(pattern, (text, marks), room, ways, |_| {
            holds = true;
            false
        });
        holds
    };
    match stands(Marks::Asked) {
        true => Holding::Yes,
        false if pattern.has_marks && stands(Marks::Lacking) => Holding::ButForMarks,
        false => Holding::No,
    }
}

impl Pattern {
    /// Whether an occurrence has an element, which is a letter, at the letter `at`.
    fn stands(&self, view: View, (at, element): (usize, usize), ways: &mut Ways) -> bool {
        if !self.is_loose() {
            return self.occurrence(view, (at, element), ways).is_some();
        }
        self.starts(view.letters, (at, element)).any(|start| self.loose_end(view, start, ways).is_some())
    }

    /// Where a loose occurrence may begin that has an element at the letter `at`. Before a star, within the token, but for the
    /// letters that are typed.
    fn starts(&self, letters: &Letters, (at, element): (usize, usize)) -> Range<usize> {
        let before = &self.elements[..element];
        let stars = before.iter().filter(|element| **element == Element::Many).count();
        if stars > 1 || stars > 0 && before.contains(&Element::One) {
            return 0..at + 1;
        }
        if stars == 0 {
            let start = before.iter().rev().try_fold(at, |at, element| match element {
                Element::One => (0..at).rev().find(|&start| letters.parts_characters(start)),
                _ => at.checked_sub(1),
            });
            return start.map_or(0..0, |start| start..start + 1);
        }
        let typed = element - stars;
        let Some(nearest) = at.checked_sub(typed) else { return 0..0 };
        let mut start = nearest;
        for _ in 0..stars * STAR_CHARACTERS_MAX {
            if start == 0 || letters.is_boundary(start + typed) {
                break;
            }
            start -= 1;
            while start > 0 && !letters.parts_characters(start) {
                start -= 1;
            }
        }
        start..nearest + 1
    }

    /// Whether a text holds a loose literal.
    fn holding(&self, text: &str, letters: &Letters, ways: &mut Ways) -> Holding {
        let mut stands = |marks| {
            let mut holds = false;
            self.for_each_loose(View { text, letters, marks }, ways, |_, _| {
                holds = true;
                false
            });
            holds
        };
        match stands(Marks::Asked) {
            true => Holding::Yes,
            false if self.has_marks && stands(Marks::Lacking) => Holding::ButForMarks,
            false => Holding::No,
        }
    }
}

/// Whether any needle of a literal stands in the folded text, or none is known.
fn may_stand(pattern: &Pattern, room: &Room) -> bool {
    let stands = |needle: &Vec<u8>| memmem::find(&room.folded.bytes, needle).is_some();
    let needles = pattern.needles();
    needles.is_empty() || needles.iter().any(stands)
}

/// Calls back with occurrences of one literal, until the answer is no: one of each place at which its anchor stands, in
/// the order of these.
pub(super) fn for_each_occurrence(
    pattern: &Pattern,
    (text, marks): (&str, Marks),
    room: &mut Room,
    ways: &mut Ways,
    mut found: impl FnMut(Range<usize>) -> bool,
) {
    if pattern.is_loose() {
        if may_stand(pattern, room) {
            room.read(text);
            let letters = &room.letters;
            pattern.for_each_loose(View { text, letters, marks }, ways, |start, end| {
                bytes(letters, start..end).is_none_or(&mut found)
            });
        }
        return;
    }
    let Some(needle) = pattern.needles().into_iter().next() else {
        if pattern.is_raw() {
            room.read(text);
            let view = View { text, letters: &room.letters, marks };
            let mut places = text.char_indices().filter_map(|(at, _)| pattern.raw_occurrence(view, (at, 0)));
            while places.next().is_some_and(&mut found) {}
        }
        return;
    };
    for_each_hit(&needle, text, room, |letters, at| {
        let view = View { text, letters, marks };
        pattern.occurrence(view, (at, pattern.anchor.start), ways).is_none_or(&mut found)
    });
}

/// Calls back with each letter of a text at which a needle stands, until the answer is no.
fn for_each_hit(needle: &[u8], text: &str, room: &mut Room, mut hit: impl FnMut(&Letters, usize) -> bool) {
    let finder = memmem::Finder::new(needle);
    let mut from = 0;
    while let Some(found) = finder.find(&room.folded.bytes[from..]) {
        room.read(text);
        let at = room.letters.at_folded(from + found);
        if at.is_some_and(|at| !hit(&room.letters, at)) {
            return;
        }
        from += found + 1;
    }
}

/// All places of a literal in a text, those that overlap too, in order of their starts: of those with one start the one
/// that ends first.
pub(super) fn places(
    pattern: &Pattern,
    (text, marks): (&str, Marks),
    room: &mut Room,
    ways: &mut Ways,
    into: &mut Vec<Place>,
) {
    let first = into.len();
    if pattern.is_loose() {
        if may_stand(pattern, room) {
            room.read(text);
            let view = View { text, letters: &room.letters, marks };
            pattern.for_each_loose(view, ways, |start, end| {
                into.push((start as u32, end as u32));
                true
            });
        }
    } else if let Some(needle) = pattern.needles().first() {
        for_each_hit(needle, text, room, |letters, at| {
            let view = View { text, letters, marks };
            pattern.for_each_start(view, (at, pattern.anchor.start), ways, |start, end| {
                into.push((start as u32, end as u32))
            });
            true
        });
    } else if pattern.is_raw() {
        room.read(text);
        let letters = &room.letters;
        let view = View { text, letters, marks };
        let found = text.char_indices().filter_map(|(at, _)| pattern.raw_occurrence(view, (at, 0)));
        into.extend(found.map(|found| (letters.at_byte(found.start) as u32, letters.at_byte(found.end) as u32)));
    }
    into[first..].sort_unstable();
    let mut last = None;
    let mut kept = first;
    for at in first..into.len() {
        if last != Some(into[at].0) {
            last = Some(into[at].0);
            into[kept] = into[at];
            kept += 1;
        }
    }
    into.truncate(kept);
}
