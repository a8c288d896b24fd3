//! Which words a language has so often that a name's form that looks like one of them would drown in it.
//! Unaware of how forms are made.

use std::collections::HashMap;
use std::sync::OnceLock;

macro_rules! lists {
    ($($code:literal)*) => {
        const CODES: [&str; [$($code),*].len()] = [$($code),*];
        const TEXTS: [&str; CODES.len()] = [$(include_str!(concat!("frequent/", $code, ".txt"))),*];
    };
}

lists! {
    "bg" "cs" "da" "de" "el" "en" "es" "et" "fi" "fr" "hr" "hu" "it" "lt" "lv" "nl" "no" "pl" "pt" "ro" "ru" "sk" "sl" "sv"
    "tr" "uk"
}

/// In the order of `CODES`, each read when it is first asked for.
static LISTS: [OnceLock<HashMap<&'static str, usize>>; CODES.len()] = [const { OnceLock::new() }; CODES.len()];

/// Whether a word is one of the frequent words of a language that are written in lower case, by its ISO 639-1 code.
/// The word is given in lower case with its marks; of a language without a list, no word is frequent. Serbian has the
/// list of Croatian, in Latin letters.
pub fn is_frequent(word: &str, code: &str) -> bool {
    rank(word, code).is_some()
}

/// The place of a word among the frequent words of a language, from 0, the most frequent.
pub(super) fn rank(word: &str, code: &str) -> Option<usize> {
    let code = if code == "sr" { "hr" } else { code };
    let at = CODES.iter().position(|known| *known == code)?;
    let read = || TEXTS[at].split_whitespace().enumerate().map(|(rank, word)| (word, rank)).collect();
    LISTS[at].get_or_init(read).get(word).copied()
}

/// The frequent words of all languages, each with its place in its own.
pub fn frequent_words() -> impl Iterator<Item = (usize, &'static str)> {
    TEXTS.iter().flat_map(|text| text.split_whitespace().enumerate())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_words_are_frequent_and_names_are_not() {
        for (word, code) in
            [("práce", "cs"), ("mają", "pl"), ("жизни", "ru"), ("arbeiten", "de"), ("kuća", "sr"), ("ve", "tr")]
        {
            assert!(is_frequent(word, code), "{word}");
        }
        for (word, code) in
            [("praha", "cs"), ("praze", "cs"), ("warszawie", "pl"), ("путина", "ru"), ("работа", "cs"), ("in", "xx")]
        {
            assert!(!is_frequent(word, code), "{word}");
        }
    }

    #[test]
    fn every_list_is_small_and_in_lower_case() {
        for (code, text) in CODES.iter().zip(TEXTS) {
            let count = text.split_whitespace().count();
            assert!((1_000..=4_000).contains(&count), "{code}: {count}");
            assert!(!text.contains(char::is_uppercase), "{code}");
        }
    }
}
