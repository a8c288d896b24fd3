//! Where one literal stands in one text.

use std::ops::Range;

use unicode_normalization::char::{canonical_combining_class, is_combining_mark};
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::super::{Literal, LiteralKind};
use super::glyph::{Compare, Glyph, Marks, continues, glyphs, is_variation};
use super::text::{Letter, Text, is_at, is_dollar, is_half_flag, is_hash, is_letter};
use super::wild;

const JOINER: char = '\u{200d}';

/// The byte ranges of a literal's occurrences: the leftmost first, the next behind its end.
pub fn occurrences(literal: &Literal, text: &Text<'_>, marks: Marks) -> Vec<Range<usize>> {
    let mut found = places(literal, text, marks);
    let mut free = 0;
    found.retain(|range| {
        let fits = range.start >= free;
        free = if fits { range.end } else { free };
        fits
    });
    found
}

/// The byte ranges of all places at which a literal stands, in their order, overlapping ones too.
pub fn places(literal: &Literal, text: &Text<'_>, marks: Marks) -> Vec<Range<usize>> {
    let search = Search { text, compare: Compare { reading: literal.reading, marks } };
    let whole = glyphs(&literal.text);
    match literal.kind {
        LiteralKind::Word => search.at_glyphs(|start| search.word(&whole, start)),
        LiteralKind::Prefix => search.at_glyphs(|start| search.prefix(&whole, start)),
        LiteralKind::Phrase => {
            let words: Vec<_> = literal.text.split_whitespace().map(glyphs).filter(|word| !word.is_empty()).collect();
            search.at_glyphs(|start| search.phrase(&words, start))
        }
        LiteralKind::Exact => exact(&literal.text, text),
        LiteralKind::Raw => {
            let words: Vec<_> = literal.text.split_whitespace().map(glyphs).collect();
            search.at_glyphs(|start| search.raw(&words, start))
        }
        LiteralKind::Wildcard => {
            let pieces = wild::pieces(&literal.text);
            search.at_glyphs(|start| search.wildcard(&pieces, start))
        }
        LiteralKind::Fuzzy(slips) => search.at_glyphs(|start| search.fuzzy(&whole, usize::from(slips), start)),
        LiteralKind::Hashtag => search.entities(&literal.text, is_hash, |text, start| text.run_end(start)),
        LiteralKind::Name => search.entities(&literal.text, is_at, name_end),
        LiteralKind::Ticker => search.tickers(&whole),
        LiteralKind::Symbol => symbol(&literal.text, text),
    }
}

/// One text, and how a literal's letters are compared with its.
pub(super) struct Search<'a> {
    pub text: &'a Text<'a>,
    pub compare: Compare,
}

impl Search<'_> {
    /// What `end` finds at each glyph: a range of letters, told in bytes.
    fn at_glyphs(&self, end: impl Fn(usize) -> Option<usize>) -> Vec<Range<usize>> {
        let text = self.text;
        (0..text.glyphs.len())
            .filter(|&start| text.glyphs[start].first)
            .filter_map(|start| Some(bytes(text, text.glyphs[start].letters.start..end(start)?)))
            .collect()
    }

    /// The letter behind a word that begins at the glyph `start`.
    fn word(&self, word: &[Glyph], start: usize) -> Option<usize> {
        let text = self.text;
        let first = text.glyphs[start].letters.start;
        let end = letters_end(text, self.spelt(word, start)?)?;
        let edges = (text.begins(first) || text.is_seam(first)) && (text.ends(end) || text.is_seam(end));
        let is_capital = !self.compare.reading.capital || text.letters[first].letter.is_uppercase();
        (edges && is_capital).then_some(end)
    }

    fn prefix(&self, head: &[Glyph], start: usize) -> Option<usize> {
        let text = self.text;
        let end = text.glyphs[self.spelt(head, start)? - 1].letters.end;
        let first = text.glyphs[start].letters.start;
        if !text.begins(first) && !text.is_seam(first) {
            return None;
        }
        Some(if text.letters[end - 1].is_unspaced() { end } else { text.token_end(end) })
    }

    fn phrase(&self, words: &[Vec<Glyph>], start: usize) -> Option<usize> {
        let text = self.text;
        if !text.begins(text.glyphs[start].letters.start) {
            return None;
        }
        let mut starts = vec![start];
        let mut ends = Vec::new();
        for (nth, word) in words.iter().enumerate() {
            ends = starts.iter().filter_map(|&start| letters_end(text, self.spelt(word, start)?)).collect();
            let is_tight =
                words.get(nth + 1).is_some_and(|next| is_sign(word.last(), true) || is_sign(next.first(), false));
            starts = ends.iter().flat_map(|&end| behind_gap(text, end, is_tight)).collect();
            starts.sort_unstable();
            starts.dedup();
        }
        ends.into_iter().filter(|&end| text.ends(end)).min()
    }

    /// Letters and punctuation as they are typed, between words any white space. A character may hold white space of its own,
    /// as `ﷺ` does: that is a letter as any other.
    fn raw(&self, words: &[Vec<Glyph>], start: usize) -> Option<usize> {
        let text = self.text;
        let mut at = start;
        for (nth, word) in words.iter().enumerate() {
            if nth > 0 {
                let spaces = text.glyphs[at..].iter().take_while(|placed| is_space(text, &placed.letters)).count();
                at += if spaces > 0 { spaces } else { return None };
            }
            for wanted in word {
                let found = text.glyphs.get(at).filter(|found| !text.letters[found.letters.start].address)?;
                if !self.compare.finds(wanted, &found.glyph) {
                    return None;
                }
                at += 1;
            }
        }
        let end = letters_end(text, at)?;
        (text.begins(text.glyphs[start].letters.start) && text.ends(end)).then_some(end)
    }

    /// `$` and what is wanted, with no word beside it.
    fn tickers(&self, wanted: &[Glyph]) -> Vec<Range<usize>> {
        let text = self.text;
        let is_sign = |place: &usize| is_dollar(text.letters[*place].letter) && !text.letters[*place].address;
        let free = |place: &usize| place.checked_sub(1).is_none_or(|before| !text.letters[before].word);
        let signs = (0..text.letters.len()).filter(is_sign).filter(free);
        let ticker = |sign: usize| {
            let start = glyph_at(text, sign + 1)?;
            let end = letters_end(text, self.spelt(wanted, start)?)?;
            let is_over = text.letters.get(end).is_none_or(|after| !after.word);
            is_over.then(|| bytes(text, sign..end))
        };
        signs.filter_map(ticker).collect()
    }

    /// The glyph behind `word`, if it is spelt at `start`. An apostrophe or a hyphen inside the word may be another one
    /// in the text, white space, or nothing.
    fn spelt(&self, word: &[Glyph], start: usize) -> Option<usize> {
        let text = self.text;
        let mut at = start;
        for (place, wanted) in word.iter().enumerate() {
            if place > 0 && place + 1 < word.len() && is_joint(wanted) {
                at += joint(text, at);
                continue;
            }
            let found = text.glyphs.get(at).filter(|found| !text.letters[found.letters.start].address)?;
            if !self.compare.finds(wanted, &found.glyph) {
                return None;
            }
            at += 1;
        }
        (at > start).then_some(at)
    }

    /// Runs after a sign that are the whole of what is wanted.
    fn entities(
        &self,
        wanted: &str,
        is_sign: fn(char) -> bool,
        run_end: fn(&Text<'_>, usize) -> usize,
    ) -> Vec<Range<usize>> {
        let text = self.text;
        let pieces = wild::pieces(wanted);
        let is_sign = |place: &usize| is_sign(text.letters[*place].letter) && !text.letters[*place].address;
        let free = |place: &usize| place.checked_sub(1).is_none_or(|before| !text.letters[before].word);
        let signs = (0..text.letters.len()).filter(is_sign).filter(free);
        let entities = signs.filter_map(|sign| {
            let end = run_end(text, sign + 1);
            let glyph = |place| text.glyphs.partition_point(|glyph| glyph.letters.start < place);
            let run = &text.glyphs[glyph(sign + 1)..glyph(end)];
            let run: Vec<&Glyph> = run.iter().map(|placed| &placed.glyph).collect();
            (!run.is_empty() && self.compare.is_whole(&pieces, &run)).then(|| bytes(text, sign..end))
        });
        entities.collect()
    }
}

pub(super) fn bytes(text: &Text<'_>, letters: Range<usize>) -> Range<usize> {
    text.letters[letters.start].at..text.letters[letters.end - 1].end()
}

/// Whether a word of a phrase has a sign at this end: an emoji, a currency. `C++`, `Yahoo!` and `C#` end with none.
fn is_sign(glyph: Option<&Glyph>, is_last: bool) -> bool {
    glyph.is_some_and(|glyph| {
        let is_word = is_letter(glyph.base) || is_combining_mark(glyph.base);
        !(is_word || is_last && matches!(glyph.base, '+' | '!' | '#'))
    })
}

/// The glyphs with which the next word of a phrase may begin after a word that ends before the letter `end`. Between
/// them stands nothing, if a token ends there; or what is no letter, within a paragraph; in a tight gap white space.
fn behind_gap(text: &Text<'_>, end: usize, is_tight: bool) -> Vec<usize> {
    let mut starts = Vec::new();
    let is_touching = |place: usize| text.letters.get(place).is_some_and(Letter::is_unspaced);
    if text.is_boundary(end) || is_touching(end - 1) || is_touching(end) {
        starts.extend(glyph_at(text, end));
    }
    let mut is_line_over = false;
    for place in end..text.letters.len() {
        let Letter { letter, address, solid, .. } = text.letters[place];
        let is_paragraph_over = letter == '\u{2029}' || (is_line_over && letter == '\n');
        if address || solid || is_paragraph_over || (is_tight && !letter.is_whitespace()) {
            break;
        }
        is_line_over = letter == '\n' || (is_line_over && letter.is_whitespace());
        starts.extend(glyph_at(text, place + 1));
    }
    starts
}

/// The glyph that begins with the letter at `place`.
fn glyph_at(text: &Text<'_>, place: usize) -> Option<usize> {
    let at = text.glyphs.partition_point(|glyph| glyph.letters.start < place);
    text.glyphs.get(at).is_some_and(|glyph| glyph.letters.start == place).then_some(at)
}

/// The letter behind the glyphs before `end`, unless a letter is cut in two there.
pub(super) fn letters_end(text: &Text<'_>, end: usize) -> Option<usize> {
    let last = &text.glyphs[end - 1];
    last.last.then_some(last.letters.end)
}

/// How many glyphs from `at` on may stand for a joint.
fn joint(text: &Text<'_>, at: usize) -> usize {
    let rest = &text.glyphs[at..];
    if rest.first().is_some_and(|glyph| is_joint(&glyph.glyph)) {
        return 1;
    }
    rest.iter().take_while(|glyph| is_space(text, &glyph.letters)).count()
}

/// Whether letters are all white space.
fn is_space(text: &Text<'_>, letters: &Range<usize>) -> bool {
    text.letters[letters.clone()].iter().all(|letter| letter.letter.is_whitespace())
}

/// Apostrophes and hyphens.
fn is_joint(glyph: &Glyph) -> bool {
    matches!(
        glyph.base,
        '\'' | '`'
            | '\u{2018}'
            | '\u{2019}'
            | '\u{2bc}'
            | '\u{5f3}'
            | '\u{5f4}'
            | '-'
            | '\u{2010}'
            | '\u{2013}'
            | '\u{2212}'
            | '\u{5be}'
    )
}

/// A character of a text whose letters are composed with their marks (NFC), and the bytes of all that went into it.
struct Composed {
    letter: char,
    bytes: Range<usize>,
    /// Whether it is the first of those that share these bytes, and whether it is the last.
    first: bool,
    last: bool,
}

fn compose(text: &str) -> Vec<Composed> {
    let letters: Vec<(usize, char)> = text.char_indices().collect();
    let mut composed = Vec::new();
    for run in letters.chunk_by(|_, (_, next)| !begins_composition(*next)) {
        let (last, letter) = run[run.len() - 1];
        let bytes = run[0].0..last + letter.len_utf8();
        let letters: Vec<char> = run.iter().map(|(_, letter)| *letter).nfc().collect();
        for (at, &letter) in letters.iter().enumerate() {
            composed.push(Composed { letter, bytes: bytes.clone(), first: at == 0, last: at + 1 == letters.len() });
        }
    }
    composed
}

/// Whether a character never joins the one before it.
fn begins_composition(letter: char) -> bool {
    canonical_combining_class(letter) == 0 && is_nfc_quick(std::iter::once(letter)) != IsNormalized::Maybe
}

fn exact(wanted: &str, text: &Text<'_>) -> Vec<Range<usize>> {
    let wanted: Vec<char> = wanted.nfc().collect();
    let composed = compose(text.text);
    if wanted.is_empty() {
        return Vec::new();
    }
    let is_found = |found: &&[Composed]| {
        let is_whole = found[0].first && found[found.len() - 1].last;
        is_whole && found.iter().map(|letter| &letter.letter).eq(&wanted)
    };
    let ranges = composed.windows(wanted.len()).filter(is_found).map(|found| {
        let (first, last) = (&found[0].bytes, &found[found.len() - 1].bytes);
        first.start..last.end
    });
    let stands = |range: &Range<usize>| {
        let (start, end) = (text.place(range.start), text.place(range.end));
        let is_cut = !text.parts_characters(start) || !text.parts_characters(end);
        searched(text, range) && !is_cut && text.begins(start) && text.ends(end)
    };
    // What is ignored at the edges is no part of it.
    let to_letters = |range: Range<usize>| {
        let letters = text.place(range.start)..text.place(range.end);
        if letters.is_empty() { range } else { bytes(text, letters) }
    };
    ranges.filter(stands).map(to_letters).collect()
}

/// Whether no address lies in a range of bytes.
fn searched(text: &Text<'_>, range: &Range<usize>) -> bool {
    text.letters[text.place(range.start)..text.place(range.end)].iter().all(|letter| !letter.address)
}

fn symbol(wanted: &str, text: &Text<'_>) -> Vec<Range<usize>> {
    let wanted: Vec<char> = wanted.chars().filter(|&letter| !is_variation(letter)).collect();
    let drawn: Vec<(usize, char)> = text.text.char_indices().filter(|(_, letter)| !is_variation(*letter)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let starts = (0..drawn.len()).filter(|&start| {
        let found = drawn.get(start..start + wanted.len());
        found.is_some_and(|found| found.iter().map(|(_, letter)| letter).eq(&wanted))
    });
    let whole = starts.filter(|&start| {
        let before = start.checked_sub(1).map(|before| drawn[before].1);
        let end = start + wanted.len();
        let colour = drawn.get(end).is_some_and(|(_, letter)| is_colour(*letter));
        let after = drawn.get(end + usize::from(colour)).map(|(_, letter)| *letter);
        before != Some(JOINER) && !after.is_some_and(continues_symbol)
    });
    let ranges = whole.map(|start| {
        let (last, letter) = drawn[start + wanted.len() - 1];
        drawn[start].0..last + letter.len_utf8()
    });
    let found = ranges.filter(|range| searched(text, range) && !cuts_flag(&wanted, text, range));
    found.map(|range| with_marks(text, range)).collect()
}

/// A range of bytes with what continues the character before its end.
fn with_marks(text: &Text<'_>, range: Range<usize>) -> Range<usize> {
    let behind = text.letters[text.place(range.end)..].iter().take_while(|letter| continues(letter.letter));
    range.start..behind.last().map_or(range.end, Letter::end)
}

/// The colour of a thumb: a thumb without one finds it in all colours.
fn is_colour(letter: char) -> bool {
    matches!(letter, '\u{1f3fb}'..='\u{1f3ff}')
}

/// Whether what comes before is only a part of an emoji: of a family, in a frame, of the flag of England.
fn continues_symbol(letter: char) -> bool {
    matches!(letter, JOINER | '\u{20e3}' | '\u{e0020}'..='\u{e007f}')
}

/// Whether a flag, or half of one, begins or ends within a flag of the text: two halves at a time are one.
fn cuts_flag(wanted: &[char], text: &Text<'_>, range: &Range<usize>) -> bool {
    let place = text.place(range.start);
    let is_second = |place: usize| text.letters.get(place).is_some_and(|letter| letter.ends_flag);
    is_half_flag(wanted[0]) && (is_second(place) || wanted.len() == 1 && is_second(place + 1))
}

/// The end of a name: dots and hyphens belong to it if more of it follows.
fn name_end(text: &Text<'_>, start: usize) -> usize {
    let mut end = text.run_end(start);
    let is_inner = |place| {
        let inner = ['.', '．', '﹒', '․', '-', '－', '﹣'];
        text.letters.get(place).is_some_and(|at: &Letter| inner.contains(&at.letter))
    };
    while end > start && is_inner(end) && text.letters.get(end + 1).is_some_and(|letter| letter.word) {
        end = text.run_end(end + 1);
    }
    end
}
