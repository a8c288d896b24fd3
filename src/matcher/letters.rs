//! A text as letters with their places, and where a word may begin or end between them.
//! Built only for posts in which the automaton found something; unaware of literals.

use std::ops::Range;

use unicode_script::Script;

use super::carried::{self, PARTICLE_LETTERS_MAX, PREFIX_LETTERS_MAX};
use super::composed::{self, Composed};
use super::fold::{
    self, COMBINING, DIGIT, HANGUL, Kind, LETTER, LOWER, Letter, MARK, MARKED, Read, SECOND, UNDERSCORE, UNSEGMENTED,
    UPPER, WORD,
};

/// An address: no literal crosses it.
const ADDRESS: Kind = 1 << 15;

/// One letter of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub letter: Letter,
    pub kind: Kind,
    /// Within a hashtag.
    pub in_tag: bool,
    /// Where its loosest form begins in the folded text.
    pub folded: u32,
    /// Its bytes in the text.
    pub start: u32,
    pub end: u32,
    /// Where the run of word characters ends that goes on with this letter, and where the token does: before it, if it
    /// begins another.
    pub run_end: u32,
    pub token_end: u32,
    script: Script,
}

impl Placed {
    pub fn is(&self, kind: Kind) -> bool {
        self.kind & kind != 0
    }

    /// Part of a word, or of a sign that is made of letters or digits: no gap of a phrase goes over it.
    pub fn is_solid(&self) -> bool {
        let is_letter = fold::entry(self.letter.base).kind & (WORD | MARK | COMBINING) == WORD;
        self.is(WORD) || is_letter && !self.is(COMBINING)
    }

    pub fn is_address(&self) -> bool {
        self.is(ADDRESS)
    }
}

/// The letters of one text, in its order. Reused from post to post.
#[derive(Debug, Default)]
pub(super) struct Letters {
    placed: Vec<Placed>,
    /// The text composed, where it is not.
    composed: Option<Composed>,
}

impl Letters {
    /// Takes in `text`. The folded places agree with what [`folded::Folded`] reads.
    pub fn read(&mut self, text: &str, addresses: &[Range<usize>]) {
        self.placed.clear();
        let mut folded = 0;
        let mut at = 0;
        for address in addresses {
            folded = self.read_run(text, at..address.start, folded);
            let place = (address.start as u32, address.end as u32);
            let letter = Letter::plain('\0');
            self.push(letter, (ADDRESS, Script::Common), folded, place);
            folded += 1;
            at = address.end;
        }
        self.read_run(text, at..text.len(), folded);
        self.mark_runs();
        self.composed = Composed::of(text);
    }

    fn read_run(&mut self, text: &str, run: Range<usize>, mut folded: u32) -> u32 {
        let first = run.start;
        let text = &text[run];
        fold::for_each_letter(text, |Read { letter, loose, kind, script, bytes }| {
            let place = ((first + bytes.start) as u32, (first + bytes.end) as u32);
            self.push(letter, (kind, script), folded, place);
            folded += loose.map_or(0, |loose| loose.len_utf8() as u32);
        });
        folded
    }

    fn push(&mut self, letter: Letter, (mut kind, mut script): (Kind, Script), folded: u32, (start, end): (u32, u32)) {
        let before = self.placed.last();
        // What continues a character is what that is.
        if let Some(before) = before.filter(|_| kind & COMBINING != 0) {
            let inherited = WORD | UPPER | LOWER | DIGIT | LETTER | UNDERSCORE | UNSEGMENTED | HANGUL;
            kind = kind & !inherited | before.kind & inherited;
            script = before.script;
        }
        let is_first_half = |before: &&Placed| fold::is_regional(before.letter.base) && !before.is(SECOND | MARKED);
        if fold::is_regional(letter.base) && before.filter(is_first_half).is_some() {
            kind |= SECOND;
        }
        let goes_on = before.is_some_and(|before| before.in_tag || before.letter.base == '#' && !before.is(MARKED));
        let in_tag = goes_on && kind & WORD != 0;
        self.placed.push(Placed { letter, kind, in_tag, folded, start, end, run_end: 0, token_end: 0, script });
    }

    fn mark_runs(&mut self) {
        let length = self.placed.len() as u32;
        let (mut run_end, mut token_end) = (length, length);
        for at in (0..self.placed.len()).rev() {
            if !self.placed[at].is(WORD) {
                run_end = at as u32;
            }
            if self.is_boundary(at) {
                token_end = at as u32;
            }
            (self.placed[at].run_end, self.placed[at].token_end) = (run_end, token_end);
        }
    }

    pub fn len(&self) -> usize {
        self.placed.len()
    }

    /// Whether a letter that is searched has a mark.
    pub fn has_marks(&self) -> bool {
        self.placed.iter().any(|placed| placed.letter.is_marked())
    }

    pub fn get(&self, at: usize) -> Option<&Placed> {
        self.placed.get(at)
    }

    /// The letter whose loosest form begins at this byte of the folded text.
    pub fn at_folded(&self, folded: usize) -> Option<usize> {
        let after = self.placed.partition_point(|placed| placed.folded as usize <= folded);
        let at = after.checked_sub(1)?;
        (self.placed[at].folded as usize == folded).then_some(at)
    }

    /// The first letter that begins at or after this byte of the text.
    pub fn at_byte(&self, byte: usize) -> usize {
        self.placed.partition_point(|placed| (placed.start as usize) < byte)
    }

    /// Whether the byte lies within the last letter before `at`: between its base and its marks.
    pub fn is_cut(&self, at: usize, byte: usize) -> bool {
        self.around(at).0.is_some_and(|before| before.end as usize > byte)
    }

    /// The bytes of an occurrence of composed `typed`, whose byte `offset` is the byte `anchor` of the original `text`.
    pub fn exactly(&self, text: &str, typed: &str, anchor: usize, offset: usize) -> Option<Range<usize>> {
        let Some(composed) = &self.composed else {
            let start = anchor.checked_sub(offset)?;
            let found = start..start + typed.len();
            let is_found = text.get(start..)?.starts_with(typed);
            return (is_found && composed::parts(text, start) && composed::parts(text, found.end)).then_some(found);
        };
        let start = composed.at_original(anchor)?.checked_sub(offset)?;
        let is_found = composed.text.get(start..)?.starts_with(typed);
        let found = composed.to_original(start)?..composed.to_original(start + typed.len())?;
        is_found.then_some(found)
    }

    /// The letters on both sides of the place before `at`.
    fn around(&self, at: usize) -> (Option<&Placed>, Option<&Placed>) {
        (at.checked_sub(1).and_then(|before| self.placed.get(before)), self.placed.get(at))
    }

    /// Whether the place before `at` parts two characters: one character may be several letters.
    pub fn parts_characters(&self, at: usize) -> bool {
        match self.around(at) {
            (Some(before), Some(after)) => before.start != after.start && !after.is(COMBINING),
            _ => true,
        }
    }

    /// Whether a word may begin or end before `at`, whatever is looked for.
    pub fn is_boundary(&self, at: usize) -> bool {
        let (Some(before), Some(after)) = self.around(at) else { return true };
        before.start != after.start
            && (before.kind & after.kind & WORD == 0
                || fold::parts_scripts(before.script, after.script) && !after.is(COMBINING))
    }

    /// Whether an occurrence may begin before `at`, as far as its first letter tells.
    pub fn begins(&self, at: usize) -> bool {
        self.is_boundary(at) || self.get(at).is_some_and(|first| first.is(UNSEGMENTED)) || self.follows_prefix(at)
    }

    /// Whether an occurrence may end before `at`, as far as its last letter tells.
    pub fn ends(&self, at: usize) -> bool {
        let last = at.checked_sub(1).and_then(|before| self.get(before));
        self.is_boundary(at) || last.is_some_and(|last| last.is(UNSEGMENTED)) || self.precedes_particle(at)
    }

    /// Whether two words of a phrase may touch before `at`.
    pub fn may_touch(&self, at: usize) -> bool {
        let (Some(before), Some(after)) = self.around(at) else { return false };
        let is_apart = self.is_boundary(at) || (before.kind | after.kind) & UNSEGMENTED != 0;
        is_apart && self.parts_characters(at)
    }

    /// Whether a part of a hashtag begins or ends before `at`: `#VodafoneSucks`, `#BBCNews`, `#vodafone5g`,
    /// `#vodafone_cz`.
    pub fn is_tag_boundary(&self, at: usize) -> bool {
        let (Some(before), Some(after)) = self.around(at) else { return true };
        if !(before.in_tag && after.in_tag) || before.start == after.start {
            return false;
        }
        let is_hump = before.is(LOWER | DIGIT) || before.is(UPPER) && self.goes_on_small(at);
        after.is(UPPER) && is_hump
            || before.is(LETTER) && after.is(DIGIT)
            || before.is(DIGIT) && after.is(LETTER)
            || (before.kind | after.kind) & UNDERSCORE != 0
    }

    /// Whether a small letter comes after the character at `at`.
    fn goes_on_small(&self, at: usize) -> bool {
        let is_same = |placed: &&Placed| placed.start == self.placed[at].start || placed.is(COMBINING);
        self.placed[at..].iter().find(|placed| !is_same(placed)).is_some_and(|next| next.is(LOWER))
    }

    /// Whether the letters before `at`, back to a boundary, are a prefix of Arabic or Hebrew.
    pub fn follows_prefix(&self, at: usize) -> bool {
        let last = at.checked_sub(1).and_then(|before| self.get(before));
        if !last.is_some_and(|last| matches!(last.letter.base, '\u{5d0}'..='\u{5ea}' | '\u{627}'..='\u{648}')) {
            return false;
        }
        (1..=PREFIX_LETTERS_MAX.min(at)).any(|length| {
            let start = at - length;
            carried::is_prefix(self.plain(start..at)) && self.is_boundary(start)
        })
    }

    /// Whether the word that ends before `at` is Hangul or ends with a digit, and carries particles that end there.
    pub fn precedes_particle(&self, at: usize) -> bool {
        let (Some(before), Some(after)) = self.around(at) else { return false };
        let is_word_end = |end: usize| self.is_boundary(end) && self.parts_characters(end);
        before.is(HANGUL | DIGIT)
            && after.is(HANGUL)
            && (1..=PARTICLE_LETTERS_MAX.min(self.placed.len() - at))
                .filter(|length| is_word_end(at + length))
                .any(|length| carried::are_particles(self.plain(at..at + length)))
    }

    /// The letters of a run, each that has marks as a character that no table holds.
    fn plain(&self, run: Range<usize>) -> impl Iterator<Item = char> {
        let plain = |placed: &Placed| if placed.letter.is_marked() { char::MAX } else { placed.letter.base };
        self.placed[run].iter().map(plain)
    }
}
