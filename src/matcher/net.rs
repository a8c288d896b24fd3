//! One automaton over the needles of some literals, and finding those literals in a text with it.
//! Unaware of rules: it marks what it finds.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use memchr::memmem;

use super::fold::{self, COMBINING, DIGIT, HANGUL, UNSEGMENTED, WORD};
use super::pattern::Pattern;
use super::scratch::{Found, Room};
use super::verify::{Holding, Reading, View, Ways};

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
            if pattern.needle().is_empty() {
                anywhere.extend(pattern.is_raw().then_some(number));
                continue;
            }
            let needle = *needles.entry(pattern.needle()).or_insert(bytes.len() as u32);
            if needle as usize == bytes.len() {
                bytes.push(pattern.needle());
                holders.push(Vec::new());
            }
            holders[needle as usize].push(number);
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
        let Room { addresses, folded, letters, is_read } = room;
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
                let mut stands = |reading| pattern.occurrence(View { text, letters, reading }, at, ways).is_some();
                if stands(Reading::Marked) {
                    found.yes.insert(number);
                } else if pattern.has_marks && !found.but_for_marks.contains(number) && stands(Reading::Unmarked) {
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
    let mut stands = |reading| {
        let mut holds = false;
        for_each_occurrence(pattern, (text, reading), room, ways, |_| {
            holds = true;
            false
        });
        holds
    };
    match stands(Reading::Marked) {
        true => Holding::Yes,
        false if pattern.has_marks && stands(Reading::Unmarked) => Holding::ButForMarks,
        false => Holding::No,
    }
}

/// Calls back with each occurrence of one literal, in their order, until the answer is no.
pub(super) fn for_each_occurrence(
    pattern: &Pattern,
    (text, reading): (&str, Reading),
    room: &mut Room,
    ways: &mut Ways,
    mut found: impl FnMut(Range<usize>) -> bool,
) {
    if pattern.needle().is_empty() {
        if pattern.is_raw() {
            room.read(text);
            let view = View { text, letters: &room.letters, reading };
            let mut places = text.char_indices().filter_map(|(at, _)| pattern.raw_occurrence(view, at));
            while places.next().is_some_and(&mut found) {}
        }
        return;
    }
    let finder = memmem::Finder::new(pattern.needle());
    let mut from = 0;
    while let Some(hit) = finder.find(&room.folded.bytes[from..]) {
        room.read(text);
        let view = View { text, letters: &room.letters, reading };
        let at = room.letters.at_folded(from + hit);
        let occurrence = at.and_then(|at| pattern.occurrence(view, at, ways));
        if occurrence.is_some_and(|occurrence| !found(occurrence)) {
            return;
        }
        from += hit + 1;
    }
}
