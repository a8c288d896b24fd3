//! One automaton over the needles of some literals, and finding those literals in a text with it.
//! Unaware of rules: it marks what it finds.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;

use super::compare::Marks;
use super::fold::{self, COMBINING, DIGIT, HANGUL, UNSEGMENTED, WORD};
use super::letters::Letters;
use super::near::Place;
use super::pattern::Pattern;
use super::scratch::{Found, Room};
use super::verify::{Holding, View, Ways, bytes};

/// Lists of numbers under numbers from 0, without a hole.
#[derive(Debug, Default)]
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

    pub fn get(&self, at: u32) -> &[u32] {
        &self.items[self.starts[at as usize] as usize..self.starts[at as usize + 1] as usize]
    }
}

/// Whether all literals of a needle begin with it, or end with it, so that a hit inside a word is none.
#[derive(Clone, Copy, Debug)]
struct Guard {
    begins: bool,
    ends: bool,
}

/// The needles of some literals.
#[derive(Debug)]
pub(super) struct Net {
    automaton: Option<AhoCorasick>,
    guards: Vec<Guard>,
    /// Literals by needle.
    holders: Lists,
    /// Literals that have no needle: compared at every character.
    anywhere: Vec<u32>,
}

impl Net {
    /// A net for those of `patterns` whose numbers are given.
    pub fn new(patterns: &[Pattern], numbers: &[u32]) -> Self {
        let mut needles: HashMap<&[u8], u32> = HashMap::new();
        let mut bytes: Vec<&[u8]> = Vec::new();
        let mut holders: Vec<Vec<u32>> = Vec::new();
        let mut anywhere = Vec::new();
        for &number in numbers {
            let pattern = &patterns[number as usize];
            if pattern.needles().is_empty() {
                anywhere.extend((pattern.is_raw() || pattern.is_loose()).then_some(number));
                continue;
            }
            for sought in pattern.needles() {
                let needle = *needles.entry(sought).or_insert(bytes.len() as u32);
                if needle as usize == bytes.len() {
                    bytes.push(sought);
                    holders.push(Vec::new());
                }
                holders[needle as usize].push(number);
            }
        }
        let all = |held: &[u32], is: fn(&Pattern) -> bool| held.iter().all(|&number| is(&patterns[number as usize]));
        let guard = |held: &Vec<u32>| Guard {
            begins: all(held, Pattern::begins_with_needle),
            ends: all(held, Pattern::ends_with_needle),
        };
        let guards = holders.iter().map(guard).collect();
        Self { automaton: automaton(&bytes), guards, holders: Lists::new(&holders), anywhere }
    }

    pub fn bytes(&self) -> usize {
        self.automaton.as_ref().map_or(0, AhoCorasick::memory_usage)
    }

    /// Adds the literals that `text` holds to those found. The room holds the folded text.
    pub fn find(&self, patterns: &[Pattern], text: &str, room: &mut Room, found: &mut Found, ways: &mut Ways) {
        for &number in &self.anywhere {
            found.note(number, holds(&patterns[number as usize], text, room, ways));
        }
        let Some(automaton) = &self.automaton else { return };
        let Room { addresses, folded, letters, is_read, .. } = room;
        let mut tried: Vec<u32> = Vec::new();
        for hit in automaton.find_overlapping_iter(&folded.bytes) {
            let needle = hit.pattern().as_u32();
            if folded.plain_edges && self.is_inside_word(needle, &folded.bytes, hit.range()) {
                continue;
            }
            for &number in self.holders.get(needle) {
                if found.yes.contains(number) {
                    continue;
                }
                if !*is_read {
                    letters.read(text, addresses);
                    *is_read = true;
                }
                let Some(at) = letters.at_folded(hit.start()) else { break };
                let pattern = &patterns[number as usize];
                if pattern.is_loose() {
                    // All of the text is looked through at once, at the first hit.
                    if !tried.contains(&number) {
                        tried.push(number);
                        found.note(number, pattern.holding(text, letters, ways));
                    }
                    continue;
                }
                let mut stands = |marks| pattern.occurrence(View { text, letters, marks }, at, ways).is_some();
                if stands(Marks::Asked) {
                    found.yes.insert(number);
                } else if pattern.has_marks && !found.but_for_marks.contains(number) && stands(Marks::Lacking) {
                    found.but_for_marks.insert(number);
                }
            }
        }
    }

    /// Whether a hit lies in a word that goes on where all its literals would begin or end.
    fn is_inside_word(&self, needle: u32, folded: &[u8], hit: Range<usize>) -> bool {
        let guard = self.guards[needle as usize];
        guard.begins && is_joined(folded, hit.start, false) || guard.ends && is_joined(folded, hit.end, true)
    }
}

/// The automaton over all needles, or none if there are none.
fn automaton(needles: &[&[u8]]) -> Option<AhoCorasick> {
    if needles.is_empty() {
        return None;
    }
    let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(needles);
    Some(automaton.expect("needles are bounded by the memory that holds their rules, far below 2³¹ states"))
}

/// Whether the letters on both sides of a byte of a folded text are of one word, as far as two letters can tell: what
/// a prefix of Arabic or Hebrew or a particle of Korean may part is not.
fn is_joined(folded: &[u8], at: usize, ends: bool) -> bool {
    if at == 0 || at >= folded.len() {
        return false;
    }
    if folded[at - 1].is_ascii() && folded[at].is_ascii() {
        return folded[at - 1].is_ascii_alphanumeric() && folded[at].is_ascii_alphanumeric();
    }
    let (Some(before), Some(after)) = (letter_before(folded, at), letter_at(folded, at)) else { return false };
    let (left, right) = (fold::entry(before), fold::entry(after));
    let may_part = match ends {
        true => left.kind & (HANGUL | DIGIT | COMBINING) != 0,
        false => left.kind & COMBINING != 0 || matches!(before, '\u{590}'..='\u{6ff}'),
    };
    let is_one_word = left.kind & right.kind & WORD != 0 && (left.kind | right.kind) & UNSEGMENTED == 0;
    is_one_word && !may_part && !fold::parts_scripts(left.script, right.script)
}

fn letter_at(folded: &[u8], at: usize) -> Option<char> {
    let length = match folded[at] {
        0..0x80 => 1,
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        _ => 4,
    };
    str::from_utf8(folded.get(at..at + length)?).ok()?.chars().next()
}

fn letter_before(folded: &[u8], at: usize) -> Option<char> {
    let start = (0..at).rev().take(char::MAX.len_utf8()).find(|&start| folded[start] & 0xc0 != 0x80)?;
    str::from_utf8(&folded[start..at]).ok()?.chars().next()
}

/// Whether `text` holds one literal. The room holds the folded text.
pub(super) fn holds(pattern: &Pattern, text: &str, room: &mut Room, ways: &mut Ways) -> Holding {
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
    pattern.needles().is_empty() || pattern.needles().iter().any(stands)
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
    let Some(needle) = pattern.needles().first() else {
        if pattern.is_raw() {
            room.read(text);
            let view = View { text, letters: &room.letters, marks };
            let mut places = text.char_indices().filter_map(|(at, _)| pattern.raw_occurrence(view, at));
            while places.next().is_some_and(&mut found) {}
        }
        return;
    };
    for_each_hit(needle, text, room, |letters, at| {
        let view = View { text, letters, marks };
        pattern.occurrence(view, at, ways).is_none_or(&mut found)
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
            pattern.for_each_start(view, at, ways, |start, end| into.push((start as u32, end as u32)));
            true
        });
    } else if pattern.is_raw() {
        room.read(text);
        let letters = &room.letters;
        let view = View { text, letters, marks };
        let found = text.char_indices().filter_map(|(at, _)| pattern.raw_occurrence(view, at));
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
