//! A guess at how often texts hold a run of letters: what decides by which of its parts a literal is looked for, and by
//! which group a query is triggered. Unaware of texts.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::query::forms;

use super::fold;

/// Posts in which something stands, of 2⁴⁰.
pub(super) type Posts = u64;

const ALL_BITS: usize = 40;
/// How many times rarer a run is for one letter more, as a power of two.
const LETTER_BITS: usize = 2;
/// How many more texts hold a run somewhere at the start of a word than as a word, as a power of two.
const OPEN_BITS: u32 = 2;
/// The most frequent word of a language stands in about one post of four; the others by their rank.
const FIRST_WORD_BITS: usize = 38;

/// Of words in their loosest form, the best place among the frequent words of any language, from 0.
fn ranks() -> &'static HashMap<Vec<u8>, usize> {
    static RANKS: OnceLock<HashMap<Vec<u8>, usize>> = OnceLock::new();
    RANKS.get_or_init(|| {
        let mut ranks = HashMap::new();
        for (rank, word) in forms::frequent_words() {
            let mut loose = Vec::new();
            fold::for_each_letter(word, |read| fold::push_loose(read.letter, &mut loose));
            let best = ranks.entry(loose).or_insert(rank);
            *best = rank.min(*best);
        }
        ranks
    })
}

/// Of a run of letters in its loosest form that is a whole word, or how any number of words may begin.
pub(super) fn of_run(run: &[u8], is_whole: bool) -> Posts {
    let letters = str::from_utf8(run).unwrap_or_default().chars().map(fold::weight).sum();
    let by_letters = of_letters(letters);
    let by_rank = ranks().get(run).map_or(0, |rank| (1 << FIRST_WORD_BITS) / (*rank as Posts + 1));
    let posts = by_letters.max(by_rank);
    if is_whole { posts } else { posts << OPEN_BITS }
}

/// Of so many letters, each by its weight.
pub(super) fn of_letters(letters: usize) -> Posts {
    1 << ALL_BITS.saturating_sub(letters * LETTER_BITS)
}
