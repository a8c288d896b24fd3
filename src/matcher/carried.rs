//! What a word carries without a space: the articles and prepositions of Arabic and Hebrew, the particles of Korean.
//! Unaware of texts.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Letters of the longest prefix: `וכשלה`.
pub(super) const PREFIX_LETTERS_MAX: usize = 5;
/// Letters of the longest run of particles: `에게서까지이라도`.
pub(super) const PARTICLE_LETTERS_MAX: usize = 8;

/// Conjunction, preposition, article: each of them or none, in this order.
const ARABIC: [&[&str]; 3] = [&["", "و", "ف"], &["", "ب", "ك", "ل"], &["", "ال"]];
const HEBREW: [&[&str]; 4] = [&["", "ו"], &["", "ש", "כש", "מש"], &["", "ב", "כ", "ל", "מ"], &["", "ה"]];

/// Particles of case, of limit and of topic, in this order.
const CASES: &[&str] = &[
    "",
    "에",
    "에서",
    "에게",
    "에게서",
    "께",
    "께서",
    "한테",
    "한테서",
    "로",
    "으로",
    "로서",
    "으로서",
    "로써",
    "으로써",
    "와",
    "과",
    "하고",
    "랑",
    "이랑",
    "처럼",
    "보다",
    "마다",
];
const LIMITS: &[&str] = &["까지", "부터", "만", "조차", "마저", "밖에"];
const TOPICS: &[&str] = &["", "은", "는", "도", "의", "나", "이나", "라도", "이라도"];
/// These stand alone or after a limit.
const SUBJECTS: &[&str] = &["이", "가", "을", "를"];

type Spellings<const LENGTH: usize> = HashSet<[char; LENGTH]>;

static PREFIXES: LazyLock<Spellings<PREFIX_LETTERS_MAX>> = LazyLock::new(|| {
    // Before the article ل takes its alef away.
    let arabic = joined(&ARABIC).into_iter().map(|prefix| prefix.replace("لال", "لل"));
    arabic.chain(joined(&HEBREW)).map(|prefix| key(prefix.chars())).collect()
});

static PARTICLES: LazyLock<Spellings<PARTICLE_LETTERS_MAX>> = LazyLock::new(|| {
    let limited = joined(&[CASES, LIMITS, &[TOPICS, SUBJECTS].concat()]);
    let carried = joined(&[CASES, TOPICS]).into_iter().chain(limited);
    carried.chain(joined(&[SUBJECTS])).map(|particles| key(particles.chars())).collect()
});

/// One of each list, in all ways.
fn joined(lists: &[&[&str]]) -> Vec<String> {
    lists.iter().fold(vec![String::new()], |heads, list| {
        heads.iter().flat_map(|head| list.iter().map(move |tail| format!("{head}{tail}"))).collect()
    })
}

fn key<const LENGTH: usize>(letters: impl Iterator<Item = char>) -> [char; LENGTH] {
    let mut key = ['\0'; LENGTH];
    for (place, letter) in key.iter_mut().zip(letters) {
        *place = letter;
    }
    key
}

/// Whether letters are what may stand before an Arabic or a Hebrew word without a space: at least one of them.
pub(super) fn is_prefix(letters: impl Iterator<Item = char>) -> bool {
    PREFIXES.contains(&key(letters))
}

/// Whether a letter is one of those that prefixes are made of.
pub(super) fn is_of_prefix(letter: char) -> bool {
    matches!(letter, 'و' | 'ف' | 'ب' | 'ك' | 'ل' | 'ا' | 'ו' | 'ש' | 'כ' | 'מ' | 'ב' | 'ל' | 'ה')
}

/// Whether letters are the particles that a Korean word may carry: at least one letter.
pub(super) fn are_particles(letters: impl Iterator<Item = char>) -> bool {
    PARTICLES.contains(&key(letters))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_spellings_fit_and_nothing_is_longer() {
        let letters = |lists: &[&[&str]]| joined(lists).iter().map(|spelling| spelling.chars().count()).max();
        assert_eq!(letters(&HEBREW), Some(PREFIX_LETTERS_MAX));
        assert_eq!(letters(&[CASES, LIMITS, TOPICS]), Some(PARTICLE_LETTERS_MAX));
        assert!(is_prefix("وبال".chars()) && is_prefix("ושב".chars()) && are_particles("에서는".chars()));
        assert!(!is_prefix("لال".chars()) && !are_particles("은가".chars()));
    }
}
