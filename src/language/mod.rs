//! Text to language: whatlang held to the 27, with what the author declared as evidence, and "uncertain" as an answer.
//! Unaware of posts.

use std::sync::OnceLock;

use whatlang::Detector;

use crate::model::{Lang, Verdict};

/// Letters below which no text is certain by itself.
const LETTERS_MIN: usize = 12;
/// Characters of a text that are looked at: more change nothing.
const CHARS_MAX: usize = 2_000;
/// Confidence from which the likeliest language alone is the answer.
const CERTAIN: f32 = 0.9;
/// What a declared language adds to the confidence in it, and takes from the confidence in another.
const DECLARED_WEIGHT: f32 = 0.35;

/// What is believed about a text. `declared` is evidence: it makes a likely language certain and a certain one
/// doubtful; it never decides alone.
pub fn detect(text: &str, declared: &[Lang]) -> Verdict {
    let mut verdict = Verdict::default();
    for (slot, lang) in verdict.declared.iter_mut().zip(declared) {
        *slot = Some(*lang);
    }
    let words = words_of(text);
    let letters = words.chars().filter(|letter| letter.is_alphabetic()).count();
    let Some(info) = detector().detect(&words) else { return verdict };
    let Some(best) = of_whatlang(info.lang()) else { return verdict };
    if stands_alone(info.script()) && letters > 0 {
        return Verdict { best: Some((best, 1.0)), certain: true, ..verdict };
    }
    verdict.second = Detector::with_allowlist(ALLOWED.iter().copied().filter(|lang| *lang != info.lang()).collect())
        .detect(&words)
        .and_then(|info| of_whatlang(info.lang()));
    let length = (letters as f32 / LETTERS_MIN as f32).min(1.0);
    let own = info.confidence() as f32 * length;
    let confidence = match (declared.is_empty(), declared.contains(&best)) {
        (true, _) => own,
        (false, true) => own + (1.0 - own) * DECLARED_WEIGHT.max(1.0 - own).min(0.9),
        (false, false) => own * (1.0 - DECLARED_WEIGHT),
    };
    verdict.best = Some((best, confidence.clamp(0.0, 1.0)));
    verdict.certain = confidence >= CERTAIN;
    verdict
}

/// The text without links, tags and names: they are written in every language.
fn words_of(text: &str) -> String {
    let mut words = String::with_capacity(text.len().min(CHARS_MAX * 4));
    let mut chars = 0;
    for word in text.split_whitespace() {
        if word.starts_with(['#', '@', '＃', '＠']) || word.contains("://") || word.starts_with("www.") {
            continue;
        }
        chars += word.chars().count() + 1;
        if chars > CHARS_MAX {
            // One endless word is cut, so that what is looked at is bounded.
            words.extend(word.chars().take(CHARS_MAX - words.chars().count().min(CHARS_MAX)));
            break;
        }
        words.push_str(word);
        words.push(' ');
    }
    words
}

fn detector() -> &'static Detector {
    static DETECTOR: OnceLock<Detector> = OnceLock::new();
    DETECTOR.get_or_init(|| Detector::with_allowlist(ALLOWED.to_vec()))
}

/// Scripts that only one of the 27 is written in.
fn stands_alone(script: whatlang::Script) -> bool {
    use whatlang::Script;
    matches!(script, Script::Greek | Script::Hebrew | Script::Arabic | Script::Thai | Script::Hangul | Script::Hiragana | Script::Katakana)
}

const ALLOWED: [whatlang::Lang; 27] = {
    use whatlang::Lang as W;
    [
        W::Ara, W::Bul, W::Ces, W::Dan, W::Deu, W::Ell, W::Eng, W::Spa, W::Fin, W::Fra, W::Heb, W::Hun, W::Ita, W::Jpn,
        W::Kor, W::Nld, W::Nob, W::Pol, W::Por, W::Ron, W::Rus, W::Slk, W::Swe, W::Tha, W::Tur, W::Ukr, W::Cmn,
    ]
};

/// `ALLOWED` stands in the order of `Lang::ALL`.
fn of_whatlang(lang: whatlang::Lang) -> Option<Lang> {
    ALLOWED.iter().position(|allowed| *allowed == lang).map(|at| Lang::ALL[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_tables_of_languages_stand_in_one_order() {
        let pairs = [(whatlang::Lang::Ces, Lang::Cs), (whatlang::Lang::Nob, Lang::No), (whatlang::Lang::Cmn, Lang::Zh), (whatlang::Lang::Ell, Lang::El)];
        for (theirs, ours) in pairs {
            assert_eq!(of_whatlang(theirs), Some(ours));
        }
    }

    #[test]
    fn a_script_of_one_language_decides_at_once() {
        for (text, lang) in [("Καλημέρα", Lang::El), ("สวัสดีครับ", Lang::Th), ("안녕하세요", Lang::Ko), ("שלום", Lang::He)] {
            let verdict = detect(text, &[]);
            assert_eq!((verdict.best.map(|(lang, _)| lang), verdict.certain), (Some(lang), true), "{text}");
        }
    }

    #[test]
    fn a_sentence_is_certain_and_a_word_is_not() {
        let text = "Už třetí den nám nefunguje internet a na lince nikdo nezvedá telefon, to je vážně smutné";
        assert!(detect(text, &[Lang::Cs]).certain);
        assert!(!detect("ok", &[]).certain);
    }

    #[test]
    fn what_is_declared_is_evidence_and_not_truth() {
        let text = "I have been waiting for the train for an hour and nobody tells us anything about it";
        let plain = detect(text, &[]).best.unwrap().1;
        let confirmed = detect(text, &[Lang::En]).best.unwrap().1;
        let doubted = detect(text, &[Lang::De]);
        assert!(confirmed >= plain);
        assert!(doubted.best.unwrap().1 < plain);
        assert_eq!(doubted.best.unwrap().0, Lang::En);
    }

    #[test]
    fn links_tags_and_names_never_decide() {
        assert_eq!(detect("https://example.com/ #hello @somebody", &[Lang::Fi]).best, None);
        assert!(detect("https://example.com/ #hello @somebody", &[Lang::Fi]).satisfies(Lang::Fi));
    }

    #[test]
    fn one_endless_word_is_bounded() {
        assert!(words_of(&"a".repeat(1 << 16)).len() <= CHARS_MAX);
    }
}
