//! The 27 languages, and what is believed about the language of a text.

use serde::{Deserialize, Serialize};

macro_rules! langs {
    ($($name:ident $code:literal,)*) => {
        /// A language that Earful detects, by its ISO 639-1 code.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Lang { $($name,)* }

        impl Lang {
            pub const ALL: [Lang; 27] = [$(Lang::$name,)*];

            pub fn code(self) -> &'static str {
                match self { $(Lang::$name => $code,)* }
            }
        }
    };
}

langs! {
    Ar "ar", Bg "bg", Cs "cs", Da "da", De "de", El "el", En "en", Es "es", Fi "fi", Fr "fr", He "he", Hu "hu", It "it",
    Ja "ja", Ko "ko", Nl "nl", No "no", Pl "pl", Pt "pt", Ro "ro", Ru "ru", Sk "sk", Sv "sv", Th "th", Tr "tr", Uk "uk", Zh "zh",
}

impl Lang {
    /// Of a code or a BCP 47 tag: `cs`, `CS`, `pt-BR`, `nb`, `iw`. Region and script are ignored.
    pub fn parse(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or("").to_ascii_lowercase();
        let code = match primary.as_str() {
            "nb" | "nn" => "no",
            "iw" => "he",
            other => other,
        };
        Self::ALL.into_iter().find(|lang| lang.code() == code)
    }
}

/// What is believed about the language of one post.
#[derive(Clone, Copy, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Verdict {
    /// The likeliest language, with a probability between 0 and 1.
    pub best: Option<(Lang, f32)>,
    /// The next likeliest.
    pub second: Option<Lang>,
    /// Said by the author or the page: evidence, not truth.
    pub declared: [Option<Lang>; 3],
    /// Whether `best` alone is the answer.
    pub certain: bool,
}

impl Verdict {
    /// Whether the post counts as being in `lang`. A certain verdict has one language; an uncertain one has those
    /// declared and the two likeliest.
    pub fn satisfies(&self, lang: Lang) -> bool {
        let best = self.best.map(|(lang, _)| lang);
        if self.certain {
            return best == Some(lang);
        }
        best == Some(lang) || self.second == Some(lang) || self.declared.contains(&Some(lang))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_regions_and_old_codes_are_understood() {
        assert_eq!(Lang::parse("pt-BR"), Some(Lang::Pt));
        assert_eq!(Lang::parse("NB"), Some(Lang::No));
        assert_eq!(Lang::parse("iw"), Some(Lang::He));
        assert_eq!(Lang::parse("sr"), None);
    }

    #[test]
    fn an_uncertain_verdict_admits_what_is_declared_or_likely_and_nothing_else() {
        let verdict = Verdict {
            best: Some((Lang::Sk, 0.5)),
            second: Some(Lang::Cs),
            declared: [Some(Lang::Pl), None, None],
            certain: false,
        };
        assert!([Lang::Sk, Lang::Cs, Lang::Pl].into_iter().all(|lang| verdict.satisfies(lang)));
        assert!(!verdict.satisfies(Lang::En));
        assert!(!Verdict { certain: true, ..verdict }.satisfies(Lang::Cs));
    }
}
