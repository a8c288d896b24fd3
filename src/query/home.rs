//! A query at home in its project: what it does not say of itself, the project says, and its words get their forms.
//! Unaware of how either is written.

use unicode_normalization::UnicodeNormalization;

use crate::model::Lang;

use super::forms::{self, Accepted, Language};
use super::{Condition, Inflect, Keyword, Literal, LiteralKind, Morph, Node, Pragmas, Query, Reading, Spans, Zone};

/// What a project says for its queries.
#[derive(Clone, Debug, Default)]
pub struct Home {
    /// Whose forms bare words have.
    pub langs: Vec<Lang>,
    pub morph: Option<Morph>,
    pub zone: Option<Zone>,
}

impl Query {
    /// The query as it is evaluated in its project: times are read in its zone, bare words have forms in its languages.
    pub fn at(mut self, home: &Home) -> Self {
        if let Some(zone) = self.pragmas.zone.as_ref().or(home.zone.as_ref()) {
            set_zone(&mut self.root, zone);
        }
        self.pragmas.morph = self.pragmas.morph.or(home.morph);
        let inflection = Inflection::of(&self.pragmas, home);
        for_each_keyword(&mut self.root, &mut |keyword| inflection.inflect(keyword));
        self
    }

    /// Spellings that the query looks for, forms among them.
    pub fn spellings(&self) -> usize {
        let mut spellings = 0;
        // Walks a copy: there is one walk over keywords, and it may change them.
        for_each_keyword(&mut self.root.clone(), &mut |keyword| spellings += keyword.spellings().count());
        spellings
    }
}

fn set_zone(node: &mut Node, home: &Zone) {
    match node {
        Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
            parts.iter_mut().for_each(|part| set_zone(part, home));
        }
        Node::Not(part) | Node::In(_, part) => set_zone(part, home),
        Node::Field(Condition::Hour { zone, .. } | Condition::Weekday { zone, .. }) => {
            zone.get_or_insert_with(|| home.clone());
        }
        Node::Found(_) | Node::Count { .. } | Node::Field(_) => {}
    }
}

fn for_each_keyword(node: &mut Node, found: &mut dyn FnMut(&mut Keyword)) {
    match node {
        Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
            parts.iter_mut().for_each(|part| for_each_keyword(part, found));
        }
        Node::Not(part) | Node::In(_, part) => for_each_keyword(part, found),
        Node::Count { of, .. } => of.iter_mut().for_each(found),
        Node::Found(spans) => for_each_keyword_of(spans, found),
        Node::Field(_) => {}
    }
}

fn for_each_keyword_of(spans: &mut Spans, found: &mut dyn FnMut(&mut Keyword)) {
    match spans {
        Spans::Keyword(keyword) => found(keyword),
        Spans::Any(parts) | Spans::Chain { parts, .. } => {
            parts.iter_mut().for_each(|part| for_each_keyword_of(part, found));
        }
        Spans::Apart { of, from, .. } => {
            for_each_keyword_of(of, found);
            for_each_keyword_of(from, found);
        }
        Spans::Window { parts, .. } => parts.iter_mut().for_each(found),
    }
}

/// Whose forms words have, and which words.
struct Inflection {
    languages: Vec<Language>,
    morph: Option<Morph>,
}

impl Inflection {
    fn of(pragmas: &Pragmas, home: &Home) -> Self {
        let langs = if pragmas.langs.is_empty() { &home.langs } else { &pragmas.langs };
        let mut languages: Vec<Language> = langs.iter().map(|lang| Language::of_code(lang.code())).collect();
        languages.sort_unstable();
        languages.dedup();
        Self { languages, morph: pragmas.morph }
    }

    /// Gives a keyword its forms. Words with punctuation or digits inside have none of their own.
    fn inflect(&self, keyword: &mut Keyword) {
        keyword.forms.clear();
        let is_asked = match keyword.inflects {
            Inflect::Never => false,
            Inflect::Asked => self.morph != Some(Morph::Off),
            Inflect::Always => true,
        };
        let [typed] = keyword.literals.as_slice() else { return };
        if !is_asked || typed.kind != LiteralKind::Word {
            return;
        }
        let morph = match self.morph {
            Some(Morph::Names) => forms::Morph::Names,
            Some(Morph::Full) => forms::Morph::Full,
            Some(Morph::Off) | None => forms::Morph::of_word(&typed.text),
        };
        for language in &self.languages {
            for form in forms::forms(&typed.text, *language, morph).into_iter().skip(1) {
                let capital = form.accepted == Accepted::Capitalised;
                let text = with_marks_of(&typed.text, &form.text);
                let literal = Literal { kind: LiteralKind::Word, text, reading: Reading { capital, ..typed.reading } };
                if literal.text != typed.text && !keyword.forms.contains(&literal) {
                    keyword.forms.push(literal);
                }
            }
        }
        keyword.forms.shrink_to_fit();
    }
}

/// A form as it is looked for: marks are asked for where the word itself has them, and none that its ending brings.
fn with_marks_of(word: &str, form: &str) -> String {
    let stem = word.chars().zip(form.chars()).take_while(|(left, right)| left == right).count();
    let ending = form.char_indices().nth(stem).map_or(form.len(), |(at, _)| at);
    let is_upon = |letter: &char| matches!(letter, '\u{300}'..='\u{36f}');
    let cyrillic = form[ending..].chars().any(|letter| matches!(letter, '\u{400}'..='\u{52f}'));
    match cyrillic {
        // Of Cyrillic letters no mark is optional: й and ї are letters.
        true => form.to_owned(),
        false => form[..ending].chars().chain(form[ending..].nfd().filter(|letter| !is_upon(letter))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    fn forms_of(query: &str, langs: &[Lang], morph: Option<Morph>) -> Vec<String> {
        let home = Home { langs: langs.to_vec(), morph, zone: None };
        let mut query = parse(query).unwrap().at(&home);
        let mut forms = Vec::new();
        for_each_keyword(&mut query.root, &mut |keyword| {
            forms.extend(keyword.forms.iter().map(|form| form.text.clone()));
        });
        forms
    }

    #[test]
    fn a_bare_word_has_forms_in_the_languages_of_its_project() {
        let forms = forms_of("Vodafone", &[Lang::Cs], None);
        assert!(forms.contains(&"Vodafonu".to_owned()) && forms.contains(&"Vodafonem".to_owned()), "{forms:?}");
        for query in ["=Vodafone", "\"Vodafone\"", "{Vodafone}", "Vodafone*", "#Vodafone", "@morph:off Vodafone"] {
            assert_eq!(forms_of(query, &[Lang::Cs], None), Vec::<String>::new(), "{query}");
        }
        assert_eq!(forms_of("Vodafone", &[], None), Vec::<String>::new());
        assert_eq!(forms_of("Vodafone", &[Lang::Cs], Some(Morph::Off)), Vec::<String>::new());
        assert!(!forms_of("morph(Vodafone)", &[Lang::Cs], Some(Morph::Off)).is_empty());
        assert!(!forms_of("@lang:cs Vodafone", &[Lang::Ja], None).is_empty());
    }

    #[test]
    fn a_mark_that_an_ending_brings_may_be_missing() {
        assert_eq!(with_marks_of("Skoda", "Skodě"), "Skode");
        assert_eq!(with_marks_of("Škoda", "Škodě"), "Škode");
        assert_eq!(with_marks_of("Київ", "Києва"), "Києва");
    }
}
