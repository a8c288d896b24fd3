//! Text to language: whatlang held to the 27, its confidence made a probability, what the author declared as evidence,
//! and "uncertain" as an answer. Unaware of posts.

mod belief;
mod words;

use std::sync::LazyLock;

use whatlang::{Detector, Info, Script};

use crate::model::{Lang, Verdict};

use belief::Belief;
use words::Words;

/// Probability from which the likeliest language alone is the answer.
pub const CERTAIN: f32 = 0.95;
/// Probability of the language of a text of one letter.
const LONE_LETTER: f32 = 0.5;
/// Letters below which no text in a script of many languages is certain, whatever was declared.
const LETTERS_MIN: usize = 8;
/// Letters from which a text in Han characters without any kana is Chinese rather than Japanese.
const HAN_LETTERS_MIN: usize = 8;

/// The likeliest languages of a text before anything declared is heard.
struct Guess {
    best: Lang,
    probability: f32,
    second: Option<Lang>,
}

/// What is believed about a text. `declared` is evidence: it makes a likely language certain, an improbable one
/// doubtful, and decides between the likeliest; alone it is no answer.
pub fn detect(text: &str, declared: &[Lang]) -> Verdict {
    let mut verdict = Verdict::default();
    for (slot, lang) in verdict.declared.iter_mut().zip(declared) {
        *slot = Some(*lang);
    }
    let words = Words::of(text);
    if words.are_foreign() {
        return verdict;
    }
    let Some(info) = ALL.detect(words.text()) else { return verdict };
    let Some(best) = of_whatlang(info.lang()) else { return verdict };
    if words.letters() < 2 {
        // A sign of physics, a smile of katakana: one letter is likely of its language and says nothing of the text's.
        return Verdict { best: Some((best, LONE_LETTER)), ..verdict };
    }
    if stands_alone(info.script()) {
        return Verdict { best: Some((best, 1.0)), certain: true, ..verdict };
    }
    let belief = Belief::of(guess(&words, &info, best), declared);
    verdict.best = Some((belief.best, belief.probability));
    verdict.second = belief.second;
    verdict.certain =
        belief.probability >= CERTAIN && (words.letters() >= LETTERS_MIN || info.script() == Script::Mandarin);
    verdict
}

fn guess(words: &Words, info: &Info, best: Lang) -> Guess {
    if info.script() == Script::Mandarin {
        let second = Some(if best == Lang::Ja { Lang::Zh } else { Lang::Ja });
        let probability = match (best, info.confidence() < 1.0) {
            // Kana among Han characters: few of them may be an ornament of Chinese.
            (_, true) => 0.75,
            (Lang::Ja, false) => 1.0,
            _ if words.letters() < HAN_LETTERS_MIN => 0.8,
            _ => 0.98,
        };
        return Guess { best, probability, second };
    }
    let second = BUT_ONE[best as usize].detect(words.text()).and_then(|info| of_whatlang(info.lang()));
    Guess { best, probability: belief::calibrated(info.confidence() as f32), second }
}

/// Scripts that only one of the 27 is written in. Other languages in the Arabic script are told by their letters.
fn stands_alone(script: Script) -> bool {
    use Script::{Arabic, Greek, Hangul, Hebrew, Hiragana, Katakana, Thai};
    matches!(script, Greek | Hebrew | Arabic | Thai | Hangul | Hiragana | Katakana)
}

/// In the order of `Lang::ALL`.
const ALLOWED: [whatlang::Lang; Lang::ALL.len()] = {
    use whatlang::Lang as W;
    [
        W::Ara,
        W::Bul,
        W::Ces,
        W::Dan,
        W::Deu,
        W::Ell,
        W::Eng,
        W::Spa,
        W::Fin,
        W::Fra,
        W::Heb,
        W::Hun,
        W::Ita,
        W::Jpn,
        W::Kor,
        W::Nld,
        W::Nob,
        W::Pol,
        W::Por,
        W::Ron,
        W::Rus,
        W::Slk,
        W::Swe,
        W::Tha,
        W::Tur,
        W::Ukr,
        W::Cmn,
    ]
};

static ALL: LazyLock<Detector> = LazyLock::new(|| Detector::with_allowlist(ALLOWED.to_vec()));

/// By the language that is left out: what would it be if it were not that?
static BUT_ONE: LazyLock<[Detector; Lang::ALL.len()]> = LazyLock::new(|| {
    ALLOWED.map(|left_out| Detector::with_allowlist(ALLOWED.into_iter().filter(|lang| *lang != left_out).collect()))
});

fn of_whatlang(lang: whatlang::Lang) -> Option<Lang> {
    ALLOWED.iter().position(|allowed| *allowed == lang).map(|at| Lang::ALL[at])
}

#[cfg(test)]
mod tests;
