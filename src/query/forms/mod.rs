//! Word forms: what a word looks like in running text, by rules on its ending that no dictionary stands behind.
//! Unaware of queries and of posts; each language is a table of text beside this file.

mod case;
mod ending;
mod frequent;
mod inflect;
mod pattern;
mod script;
mod table;

use std::sync::OnceLock;

pub use frequent::{frequent_words, is_frequent};

use inflect::Inflection;
use table::Table;

/// Forms of one word, its base form among them.
pub const FORMS_MAX: usize = 256;
/// Characters of a word that is inflected; a longer one has its base form only.
pub const WORD_CHARS_MAX: usize = 64;

macro_rules! languages {
    ($($name:ident $code:literal [$($file:literal)*],)*) => {
        /// A language with rules of its own, or any other.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Language { $($name,)* }

        impl Language {
            pub const ALL: [Language; [$($code),*].len()] = [$(Language::$name,)*];

            /// The ISO 639-1 code; empty for the plain rest.
            pub fn code(self) -> &'static str {
                match self { $(Language::$name => $code,)* }
            }

            /// The texts of its table, in the order in which they are read.
            fn texts(self) -> &'static [&'static str] {
                match self { $(Language::$name => &[$(include_str!(concat!($file, ".txt")),)*],)* }
            }
        }
    };
}

languages! {
    Cs "cs" ["cs"],
    Sk "sk" ["sk"],
    Pl "pl" ["pl"],
    Ru "ru" ["ru"],
    Uk "uk" ["uk"],
    Bg "bg" ["bg"],
    Hr "hr" ["hr"],
    Sr "sr" ["sr" "hr"],
    Sl "sl" ["sl"],
    Lt "lt" ["lt"],
    Lv "lv" ["lv"],
    Hu "hu" ["hu"],
    Fi "fi" ["fi"],
    Et "et" ["et"],
    Tr "tr" ["tr"],
    El "el" ["el"],
    De "de" ["de"],
    Ro "ro" ["ro"],
    Plain "" ["plain"],
}

impl Language {
    /// Of an ISO 639-1 code in lower case; a code without rules of its own has plain ones.
    pub fn of_code(code: &str) -> Self {
        Self::ALL.into_iter().find(|language| language.code() == code).unwrap_or(Self::Plain)
    }

    /// Read when it is first asked for.
    fn table(self) -> &'static Table {
        let read = || Table::parse(self.texts()).expect("every table is read by a test");
        TABLES[self as usize].get_or_init(read)
    }
}

/// In the order of `Language::ALL`.
static TABLES: [OnceLock<Table>; Language::ALL.len()] = [const { OnceLock::new() }; Language::ALL.len()];

/// Which words are inflected, and how widely.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Morph {
    /// As a name: what people, places, firms and wares take.
    Names,
    /// As a word of the language.
    Full,
}

impl Morph {
    /// What a word asks for by the way it is written: a name has a capital.
    pub fn of_word(word: &str) -> Self {
        if word.chars().any(char::is_uppercase) { Self::Names } else { Self::Full }
    }
}

/// One form of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    /// With the capitals of the word that it is a form of.
    pub text: String,
    pub accepted: Accepted,
}

/// How a form must be written in a text to be taken for the word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    InAnyCase,
    /// With a capital: in lower case it is an ordinary word of the language.
    Capitalised,
}

/// The forms of a word: the word itself first, then in the order of the table, none twice, at most `FORMS_MAX`.
///
/// A text of several words has its base form only: each of its words is asked for alone. Of parts joined by hyphens the
/// last is inflected. A form that looks like an ordinary word of the language is accepted only with a capital, unless what
/// is inflected is such a word itself.
pub fn forms(word: &str, language: Language, morph: Morph) -> Vec<Form> {
    let base = Form { text: word.to_owned(), accepted: Accepted::InAnyCase };
    if word.chars().nth(WORD_CHARS_MAX).is_some() || word.contains(char::is_whitespace) {
        return vec![base];
    }
    let joint = word.rfind(['-', '‐', '‑']).map_or(0, |at| at + word[at..].chars().next().map_or(0, char::len_utf8));
    let (head, last) = word.split_at(joint);
    let mut found = vec![base];
    for form in Inflection::new(last, language, morph).forms() {
        let form = Form { text: format!("{head}{}", form.text), ..form };
        match found.iter().position(|known| known.text == form.text) {
            Some(at) if form.accepted == Accepted::InAnyCase => found[at].accepted = form.accepted,
            None if found.len() < FORMS_MAX => found.push(form),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests;
