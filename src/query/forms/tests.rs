//! Every table, and the forms that it must and must not give.

use std::path::Path;

use super::table::{Rule, Scope, Table};
use super::*;

/// Forms that the sentences of a language hold at least.
const FOUND_MIN: usize = 30;
/// Words of random letters for each language.
const RANDOM_WORDS: usize = 2_000;
/// Words that are tried for each rule.
const EXAMPLES: usize = 4_000;

fn tables() -> impl Iterator<Item = (Language, Table)> {
    Language::ALL.into_iter().map(|language| match Table::parse(language.texts()) {
        Ok(table) => (language, table),
        Err(error) => panic!("{}: {error}", language.code()),
    })
}

/// Whether some word comes to the rule, whatever stands before the end that the rule describes.
fn is_reached(rule: &Rule, earlier: &[Rule]) -> bool {
    let stops = |other: &&Rule| !other.goes_on && (other.scope == Scope::All || other.scope == rule.scope);
    let earlier: Vec<&Rule> = earlier.iter().filter(stops).collect();
    let heads = [vec![], vec!['q'], vec!['o', 'q', 'o'], vec!['ъ', 'ы', 'ъ']];
    rule.pattern.examples(EXAMPLES).into_iter().any(|end| {
        heads.iter().any(|head| {
            let word = [&head[..], &end].concat();
            rule.pattern.take(&word).is_some() && earlier.iter().all(|other| other.pattern.take(&word).is_none())
        })
    })
}

#[test]
fn every_rule_is_reached_by_some_word() {
    for (language, table) in tables() {
        for (number, rule) in table.rules.iter().enumerate() {
            let reached = is_reached(rule, &table.rules[..number]);
            let like: Vec<String> = rule.pattern.examples(3).iter().map(|word| word.iter().collect()).collect();
            assert!(reached, "{}: earlier rules take all words of rule {number}, like {like:?}", language.code());
        }
    }
}

#[test]
fn the_word_comes_first_and_none_comes_twice() {
    for language in Language::ALL {
        for word in ["Vodafone", "Škoda", "Marek", "O2", "BBC", "PRAHA", "voda", "Маша", "AT&T", "C++"] {
            for morph in [Morph::Names, Morph::Full] {
                let found = forms(word, language, morph);
                assert_eq!(found[0].text, word);
                assert!(found.len() <= FORMS_MAX);
                assert!(
                    found
                        .iter()
                        .enumerate()
                        .all(|(at, form)| !found[..at].iter().any(|earlier| earlier.text == form.text)),
                    "{found:?}"
                );
            }
        }
    }
}

#[test]
fn what_is_no_word_stays_alone() {
    let long = "a".repeat(64 << 10);
    for text in [long.as_str(), "Karlovy Vary", "", "-", "🦀"] {
        for language in Language::ALL {
            assert_eq!(forms(text, language, Morph::Names)[0].text, text);
        }
    }
    assert_eq!(forms(&long, Language::Cs, Morph::Names).len(), 1);
    assert_eq!(forms("Karlovy Vary", Language::Cs, Morph::Names).len(), 1);
}

#[test]
fn no_word_breaks_a_table() {
    let letters: Vec<char> =
        "aeioukstnrlAEKSTčšžěřąęłńőűäöüßıİIğşаеиоуыкстнрлйьъїієґћђљαειουςσΑΣ\u{301}-'’.09&🦀漢".chars().collect();
    let mut seed = 7_u32;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for language in Language::ALL {
        for _ in 0..RANDOM_WORDS {
            let word: String = (0..next(12)).map(|_| letters[next(letters.len())]).collect();
            for morph in [Morph::Names, Morph::Full] {
                let found = forms(&word, language, morph);
                assert!(found[0].text == word && found.len() <= FORMS_MAX);
            }
        }
    }
}

#[test]
fn a_form_is_written_as_its_word() {
    let has = |word: &str, form: &str| {
        let found = forms(word, Language::Cs, Morph::Names);
        assert!(found.iter().any(|found| found.text == form), "{found:?}");
    };
    has("Praha", "Praze");
    has("OSTRAVA", "OSTRAVĚ");
    has("praha", "praze");
    has("Coca-Cola", "Coca-Coly");
    has("KRB", "KRBu");
}

#[test]
fn mistakes_in_a_table_name_their_line() {
    for (text, line) in [
        ("[rules]\na = b", 0),
        ("[rules]\n{C}a = b", 2),
        ("[rules]\n\n-a = @none", 3),
        ("[rules]\n-a = <none>e", 2),
        ("[rules]\n-a = (e", 2),
        ("[rules]\n-a = e)", 2),
        ("[rules]\n-a = $1", 2),
        ("[none]\na = b", 2),
        ("[changes]\nx = a", 2),
        ("[harmony]\nA = a:ao", 2),
        ("[classes]\nC = bc\nC = bc", 3),
        ("[rules]\na", 2),
    ] {
        let told = Table::parse(&[text]).map_or_else(|error| error.line, |_| 0);
        assert_eq!(told, line, "{text}");
    }
}

/// The words of a sentence, and whether each stands between stars.
fn words(sentence: &str) -> impl Iterator<Item = (&str, bool)> {
    let parts = sentence.split('*').enumerate();
    let is_edge = |letter: char| !letter.is_alphanumeric();
    parts.flat_map(move |(number, part)| {
        part.split_whitespace().map(move |word| (word.trim_matches(is_edge), number % 2 == 1))
    })
}

#[test]
fn sentences_of_every_language_hold_the_forms_and_no_others() {
    // The path of this file is relative to the package or absolute.
    let root = Path::new(file!()).ancestors().nth(4).expect("this file is four levels down");
    for language in Language::ALL.into_iter().filter(|language| !language.code().is_empty()) {
        let file = root.join("tests/data/forms").join(format!("{}.tsv", language.code()));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let (mut found, mut wrong) = (0, Vec::new());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let [morph, word, sentence] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{}: {line}", file.display())
            };
            let morph = if morph == "names" { Morph::Names } else { Morph::Full };
            let forms = forms(word, language, morph);
            let takes = |form: &Form, word: &str| {
                let is_written = form.accepted == Accepted::InAnyCase || word.starts_with(char::is_uppercase);
                is_written && form.text.to_lowercase() == word.to_lowercase()
            };
            for (word, is_form) in words(sentence).filter(|(word, _)| !word.is_empty()) {
                if forms.iter().any(|form| takes(form, word)) != is_form {
                    wrong.push(format!("`{word}` in: {line}: {forms:?}"));
                }
                found += usize::from(is_form);
            }
        }
        assert!(wrong.is_empty(), "{}: {}", language.code(), wrong.join("\n"));
        assert!(found >= FOUND_MIN, "{}: {found} forms in all", language.code());
    }
}
