//! Words of which a query types only a part: wildcards, and words with slips.

use super::super::STAR_CHARACTERS_MAX;
use super::find::Search;
use super::glyph::{Compare, Glyph, glyphs};

/// A piece of a wildcard.
#[derive(Debug)]
pub enum Piece {
    /// These letters.
    Letters(Vec<Glyph>),
    /// `?`: one character.
    One,
    /// `*`: any number of characters.
    Many,
}

pub fn pieces(typed: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut letters = String::new();
    for letter in typed.chars().chain(['\0']) {
        if !matches!(letter, '*' | '?' | '\0') {
            letters.push(letter);
            continue;
        }
        let before = glyphs(&std::mem::take(&mut letters));
        if !before.is_empty() {
            pieces.push(Piece::Letters(before));
        }
        match letter {
            '*' => pieces.push(Piece::Many),
            '?' => pieces.push(Piece::One),
            _ => {}
        }
    }
    pieces
}

impl Compare {
    /// Whether glyphs are, from the first to the last, what the pieces ask for.
    pub fn is_whole(self, pieces: &[Piece], found: &[&Glyph]) -> bool {
        match pieces {
            [] => found.is_empty(),
            [Piece::Many, rest @ ..] => (0..=found.len()).any(|taken| self.is_whole(rest, &found[taken..])),
            [Piece::One, rest @ ..] => !found.is_empty() && self.is_whole(rest, &found[1..]),
            [Piece::Letters(letters), rest @ ..] => {
                let is_head = letters.len() <= found.len()
                    && letters.iter().zip(found).all(|(wanted, found)| self.finds(wanted, found));
                is_head && self.is_whole(rest, &found[letters.len()..])
            }
        }
    }
}

impl Search<'_> {
    /// The letter behind a word with wildcards that begins at the glyph `start`: the first of the ends that it may have,
    /// all of the token if it ends with a star.
    pub fn wildcard(&self, pieces: &[Piece], start: usize) -> Option<usize> {
        let text = self.text;
        let first = text.glyphs[start].letters.start;
        if !text.begins(first) && !text.is_seam(first) {
            return None;
        }
        let mut ends = vec![start];
        for (nth, piece) in pieces.iter().enumerate() {
            let is_open =
                nth > 0 && !(matches!(piece, Piece::Letters(_)) && matches!(pieces[nth - 1], Piece::Letters(_)));
            let is_within = |at: &usize| !is_open || *at == start || !text.is_boundary(self.place(*at));
            let mut next: Vec<usize> = match piece {
                Piece::Letters(letters) => {
                    ends.into_iter().filter(is_within).filter_map(|at| self.spelt_plainly(letters, at)).collect()
                }
                Piece::One => ends.into_iter().filter_map(|at| self.one(at, start, false)).collect(),
                Piece::Many => {
                    let is_inner = nth > 0 && nth + 1 < pieces.len();
                    ends.into_iter().flat_map(|at| self.many(at, start, !is_inner)).collect()
                }
            };
            next.sort_unstable();
            next.dedup();
            ends = next;
        }
        let is_open = matches!(pieces.last(), Some(Piece::Many));
        let ends = ends.into_iter().filter(|&at| at > start && text.glyphs[at - 1].last).map(|at| self.place(at));
        match is_open {
            // The longest that the star can take is the token.
            true => ends.max(),
            false => ends.into_iter().find(|&end| text.ends(end) || text.is_seam(end)),
        }
    }

    /// The letter at which the glyph `at` begins, or the end of the text.
    fn place(&self, at: usize) -> usize {
        self.text.glyphs.get(at).map_or(self.text.letters.len(), |glyph| glyph.letters.start)
    }

    fn spelt_plainly(&self, letters: &[Glyph], start: usize) -> Option<usize> {
        let found = self.text.glyphs.get(start..start + letters.len())?;
        let is_found = found.iter().zip(letters).all(|(found, wanted)| {
            !self.text.letters[found.letters.start].address && self.compare.finds(wanted, &found.glyph)
        });
        is_found.then_some(start + letters.len())
    }

    /// The glyph behind the character at `at`, if that goes on the token in which the occurrence began.
    fn one(&self, at: usize, start: usize, is_spaced: bool) -> Option<usize> {
        let text = self.text;
        let glyph = text.glyphs.get(at).filter(|glyph| glyph.first)?;
        let letter = text.letters[glyph.letters.start];
        let goes_on = at == start || !text.is_boundary(glyph.letters.start);
        if !letter.word || !goes_on || (is_spaced && letter.is_unspaced()) {
            return None;
        }
        let same = text.glyphs[at..].iter().take_while(|next| next.letters == glyph.letters).count();
        Some(at + same)
    }

    /// Where any number of characters may end. At an edge of the word a star takes none of a script without spaces.
    fn many(&self, at: usize, start: usize, is_spaced: bool) -> Vec<usize> {
        let mut ends = vec![at];
        let mut end = at;
        while let Some(next) = self.one(end, start, is_spaced).filter(|_| ends.len() <= STAR_CHARACTERS_MAX) {
            ends.push(next);
            end = next;
        }
        ends
    }

    /// The letter behind the token that begins at the glyph `start`, if it is the word with at most so many slips.
    pub fn fuzzy(&self, word: &[Glyph], slips: usize, start: usize) -> Option<usize> {
        let text = self.text;
        let first = text.glyphs[start].letters.start;
        let letter = text.letters[first];
        if !letter.word || letter.is_unspaced() || !text.is_boundary(first) {
            return None;
        }
        let end = text.token_end(first + 1);
        let token: Vec<char> = text.glyphs[start..]
            .iter()
            .take_while(|glyph| glyph.letters.start < end)
            .map(|glyph| glyph.glyph.base)
            .collect();
        let word: Vec<char> = word.iter().map(|glyph| glyph.base).collect();
        (token.len().abs_diff(word.len()) <= slips && slips_between(&word, &token) <= slips).then_some(end)
    }
}

/// Letters to add, lose, exchange, or swap with the next one, to come from one word to the other, no letter twice
/// (restricted Damerau–Levenshtein distance).
fn slips_between(left: &[char], right: &[char]) -> usize {
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for (l, letter) in left.iter().enumerate() {
        let mut row = vec![l + 1];
        for (r, other) in right.iter().enumerate() {
            let exchanged = rows[l][r] + usize::from(letter != other);
            let mut least = exchanged.min(rows[l][r + 1] + 1).min(row[r] + 1);
            if l > 0 && r > 0 && *letter == right[r - 1] && left[l - 1] == *other {
                least = least.min(rows[l - 1][r - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}
