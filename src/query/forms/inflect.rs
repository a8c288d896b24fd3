//! One word and the rules that take it. Unaware of bounds.

use super::case::Written;
use super::frequent::rank;
use super::table::{Rule, Scope, Table};
use super::{Language, Morph};

pub(super) struct Inflection {
    language: Language,
    table: &'static Table,
    written: Written,
    scope: Scope,
}

/// Which forms would find ordinary words and not the name.
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
    pub(super) fn forms(&self) -> Vec<String> {
        let word = &self.written.lower;
        let Some(script) = &self.table.script else {
            return self.inflect(word).iter().map(|form| self.written.restore(form)).collect();
        };
        let mut forms = vec![script.to_left(word)];
        forms.extend(self.inflect(&forms[0]));
        let in_both = |form: &Vec<char>| [form.clone(), script.to_right(form)];
        forms.iter().flat_map(in_both).map(|form| self.written.restore(&form)).collect()
    }

    fn inflect(&self, word: &[char]) -> Vec<Vec<char>> {
        let refusal = self.refusal(word);
        let mut found = Vec::new();
        for rule in self.rules(word) {
            let Some(taken) = rule.pattern.take(word) else { continue };
            let endings = rule.endings.iter().filter(|end| !(refusal.plural && end.is_plural()));
            let stem = &word[..taken.stem];
            found.extend(endings.flat_map(|end| end.put_on(stem, &taken.captured, &self.table.names)));
            if !rule.goes_on {
                break;
            }
        }
        let spelled = found.iter().map(|form| self.table.spelling.rewrite(form));
        spelled.filter(|form| self.rank(form).is_none_or(|rank| rank >= refusal.ranks)).collect()
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
