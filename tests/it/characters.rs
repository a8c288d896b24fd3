//! Each character that Unicode assigns, looked for in all that it becomes: the two evaluators agree on every one.

use std::collections::BTreeSet;

use earful::matcher::{Matcher, Scratch};
use earful::query::{Rule, naive, parse};
use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;
use unicode_script::{Script, UnicodeScript};

use super::verdicts::{english, post, rule};

const LITERALS_PER_MATCHER: usize = 500;
/// Letters, digits and signs of Unicode 16 are more; most of them are Han and Hangul.
const CHARACTERS_MIN: usize = 130_000;
const DISAGREEMENTS_SHOWN: usize = 40;

/// The characters that can be asked for between quotation marks.
fn asked() -> Vec<(char, Rule)> {
    let assigned = ('\0'..=char::MAX).filter(|character| character.script() != Script::Unknown);
    let query = |character: char| (character, format!("\"{character}\""));
    let parsed = assigned.map(query).filter(|(_, query)| parse(query).is_ok());
    parsed.map(|(character, query)| (character, Rule { query: query.clone(), ..rule(&query) })).collect()
}

fn forms(character: char) -> BTreeSet<String> {
    let letter = || std::iter::once(character);
    BTreeSet::from([
        letter().collect(),
        character.to_lowercase().collect(),
        character.to_uppercase().collect(),
        letter().nfc().collect(),
        letter().nfd().collect(),
        letter().nfkc().collect(),
        letter().nfkd().collect(),
    ])
}

/// What the evaluators disagree on among some characters, and how many forms were found.
fn compare(asked: &[(char, Rule)]) -> (Vec<String>, usize) {
    let matcher = Matcher::compile(asked.iter().map(|(_, rule)| rule.clone()).collect());
    let mut scratch = Scratch::default();
    let (mut wrong, mut found) = (Vec::new(), 0);
    for (character, own) in asked {
        for form in forms(*character) {
            let post = post(&form);
            let matches = matcher.scan(&post, &english, &mut scratch);
            // All that were found, and the one that may be missing.
            let others = matcher.rules().iter().filter(|rule| matches.iter().any(|found| found.query == rule.query));
            for rule in others.chain([own]) {
                let expected = naive::matches(rule, &post, &english);
                let told = matches.iter().find(|found| found.query == rule.query).map(|found| found.terms.clone());
                found += usize::from(expected.is_some());
                if told != expected {
                    wrong.push(format!("{} in {form:?}, {character:?}: {told:?}, naive {expected:?}", rule.query));
                }
            }
        }
    }
    (wrong, found)
}

#[test]
fn every_character_is_found_in_its_forms_by_both_evaluators_or_by_none() {
    let asked = asked();
    assert!(asked.len() >= CHARACTERS_MIN, "{}", asked.len());
    let compared: Vec<_> = asked.par_chunks(LITERALS_PER_MATCHER).map(compare).collect();
    let wrong: Vec<&String> = compared.iter().flat_map(|(wrong, _)| wrong).collect();
    let found: usize = compared.iter().map(|(_, found)| found).sum();
    println!("{} characters, found in {found} forms", asked.len());
    let shown: Vec<_> = wrong.iter().take(DISAGREEMENTS_SHOWN).collect();
    assert!(wrong.is_empty(), "{} disagreements: {shown:#?}", wrong.len());
}
