//! One word and the rules that take it. Unaware of bounds.

use super::case::Written;
use super::ending::Note;
use super::frequent::rank;
use super::table::{Rule, Scope, Table};
use super::{Accepted, Form, Language, Morph};

pub(super) struct Inflection {
    language: Language,
    table: &'static Table,
    written: Written,
    scope: Scope,
}

/// Which forms would find ordinary words rather than the name, if they were accepted in lower case.
struct Refusal {
    /// Those of the plural, where the name is an ordinary word itself.
    plural: bool,
    /// Those among so many of the most frequent words.
    ranks: usize,
}

impl Inflection {
    pub(super) fn new(word: &str, language: Language, morph: Morph) -> Self {
        let table = language.table();
        let written = Written::of(word, table.dotless);
        let scope = match morph {
            _ if written.is_acronym() => Scope::Acronyms,
            Morph::Names => Scope::Names,
            Morph::Full => Scope::Nouns,
        };
        Self { language, table, written, scope }
    }

    /// In the order of the table, in both scripts of a language that has two; the same form may come twice.
    pub(super) fn forms(&self) -> Vec<Form> {
        let word = &self.written.lower;
        let Some(script) = &self.table.script else {
            let forms = self.inflect(word).into_iter();
            return forms.map(|(form, accepted)| Form { text: self.written.restore(&form), accepted }).collect();
        };
        let word = script.to_left(word);
        let mut forms = self.inflect(&word);
        // A name that is an ordinary word is one in the other script too.
        let accepted = if self.rank(&word).is_some() { Accepted::Capitalised } else { Accepted::InAnyCase };
        forms.insert(0, (word, accepted));
        let in_both = |(form, accepted): &(Vec<char>, Accepted)| {
            [form.clone(), script.to_right(form)]
                .map(|form| Form { text: self.written.restore(&form), accepted: *accepted })
        };
        forms.iter().flat_map(in_both).collect()
    }

    fn inflect(&self, word: &[char]) -> Vec<(Vec<char>, Accepted)> {
        let refusal = self.refusal(word);
        let mut found = Vec::new();
        for rule in self.rules(word) {
            let Some(taken) = rule.pattern.take(word) else { continue };
            let stem = &word[..taken.stem];
            for ending in &rule.endings {
                for form in ending.put_on(stem, &taken.captured, &self.table.names) {
                    let form = self.table.spelling.rewrite(&form);
                    let is_refused = ending.has(Note::Ordinary)
                        || (refusal.plural && ending.has(Note::Plural))
                        || self.rank(&form).is_some_and(|rank| rank < refusal.ranks);
                    found.push((form, if is_refused { Accepted::Capitalised } else { Accepted::InAnyCase }));
                }
            }
            if !rule.goes_on {
                break;
            }
        }
        found
    }

    fn refusal(&self, word: &[char]) -> Refusal {
        match self.scope {
            // What is looked for is a word of the language: so are its forms.
            Scope::Nouns => Refusal { plural: false, ranks: 0 },
            _ if self.rank(word).is_none() => Refusal { plural: false, ranks: usize::MAX },
            _ => Refusal { plural: true, ranks: self.table.ordinary_forms.unwrap_or(usize::MAX) },
        }
    }

    fn rank(&self, form: &[char]) -> Option<usize> {
        rank(&form.iter().collect::<String>(), self.language.code())
    }

    /// Those that may take the word, a rule for the word itself before all others.
    fn rules(&self, word: &[char]) -> impl Iterator<Item = &'static Rule> {
        let irregular = self.table.irregulars.get(&word.iter().collect::<String>());
        let scope = self.scope;
        let is_meant = move |rule: &&Rule| {
            // What no rule for acronyms takes is spoken as a name.
            let admitted = if scope == Scope::Acronyms { Scope::Names } else { scope };
            [Scope::All, scope, admitted].contains(&rule.scope)
        };
        irregular.into_iter().chain(self.table.rules.iter().filter(is_meant))
    }
}
