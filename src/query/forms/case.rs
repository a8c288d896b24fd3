//! Capitals: rules are written in lower case, and a form is written as the word is.
//! Unaware of rules.

/// Letters of a word in capitals that is read by its letters, not shouted.
const ACRONYM_LETTERS_MAX: usize = 5;

/// A word in lower case, letter by letter, with the way it was written.
pub(super) struct Written {
    given: Vec<char>,
    pub(super) lower: Vec<char>,
    shouted: bool,
}

impl Written {
    /// `dotless` is whether the small letter of `I` is `ı`.
    pub(super) fn of(word: &str, dotless: bool) -> Self {
        let given: Vec<char> = word.chars().collect();
        let lower: Vec<char> = given.iter().map(|&letter| lower(letter, dotless)).collect();
        let letters = || given.iter().filter(|letter| letter.is_alphabetic());
        let shouted = letters().count() > ACRONYM_LETTERS_MAX && letters().all(|letter| letter.is_uppercase());
        Self { given, lower, shouted }
    }

    /// Whether it is read by its letters or digits: `BBC`, `O2`.
    pub(super) fn is_acronym(&self) -> bool {
        let ends_in_digit = self.given.last().is_some_and(char::is_ascii_digit);
        let mut letters = self.given.iter().filter(|letter| letter.is_alphabetic());
        let is_upper = self.given.len() > 1 && letters.all(|letter| letter.is_uppercase());
        ends_in_digit || (is_upper && !self.shouted)
    }

    /// A form in lower case, written as the word is.
    pub(super) fn restore(&self, form: &[char]) -> String {
        if self.shouted {
            return form.iter().flat_map(|letter| letter.to_uppercase()).collect();
        }
        let kept = form.iter().zip(&self.lower).take_while(|(a, b)| a == b).count();
        let mut text: String = self.given[..kept].iter().collect();
        let mut rest = form[kept..].iter();
        if kept == 0 && self.given.first().is_some_and(|first| first.is_uppercase()) {
            text.extend(rest.next().into_iter().flat_map(|first| first.to_uppercase()));
        }
        text.extend(rest);
        text
    }
}

fn lower(letter: char, dotless: bool) -> char {
    match letter {
        'I' if dotless => 'ı',
        'İ' => 'i',
        other => other.to_lowercase().next().unwrap_or(other),
    }
}
