//! Text to language: scripts that decide at once, a trained model for those that do not, what the author declared as
//! evidence, and "uncertain" as an answer. Unaware of posts.

mod belief;
pub mod linear;
mod mixture;
mod outside;
mod words;

use crate::model::{Lang, Verdict};

use belief::Belief;
use linear::{Alphabet, MODEL, Shares};
use words::{Letters, Script};

pub use mixture::mixture;
pub use outside::outside;

/// Probability from which the likeliest language alone is the answer.
pub const CERTAIN: f32 = 0.95;
/// Probability of the language of a text of one letter.
const LONE_LETTER: f32 = 0.5;
/// Letters below which no text in a script of many languages is certain, whatever was declared.
const LETTERS_MIN: usize = 8;
/// Letters from which a text in Han characters without any kana is Chinese rather than Japanese.
const HAN_LETTERS_MIN: usize = 8;
/// Of the letters of Japanese, the part that are kana at least. Fewer among Han characters may be an ornament of Chinese.
const KANA_SHARE_MIN: f32 = 0.1;
/// Part of a text that has to be in one script for the text to be certain.
const SCRIPT_SHARE_MIN: f32 = 2.0 / 3.0;

/// What is believed about a text. `declared` is evidence: it makes a likely language certain, an improbable one
/// doubtful, and decides between the likeliest; alone it is no answer.
pub fn detect(text: &str, declared: &[Lang]) -> Verdict {
    let mut verdict = Verdict::default();
    for (slot, lang) in verdict.declared.iter_mut().zip(declared) {
        *slot = Some(*lang);
    }
    let letters = Letters::of(text);
    let (system, part) = System::of(&letters);
    let Some(shares) = shares(system, &letters) else { return verdict };
    let Some(belief) = Belief::of(shares, if system.stands_alone() { &[] } else { declared }) else { return verdict };
    if letters.total() < 2 {
        // A sign of physics, a smile of katakana: one letter is likely of its language and says nothing of the text's.
        return Verdict { best: Some((belief.best, belief.probability.min(LONE_LETTER))), ..verdict };
    }
    let is_whole = part >= SCRIPT_SHARE_MIN;
    verdict.best = Some((belief.best, if is_whole { belief.probability } else { belief.probability * part }));
    verdict.second = belief.second;
    let is_long = letters.total() >= LETTERS_MIN || !matches!(system, System::Shared(_));
    verdict.certain = is_whole && is_long && belief.probability >= CERTAIN;
    verdict
}

/// What the letters of a text are written in, as far as languages are told by it.
#[derive(Clone, Copy, PartialEq)]
enum System {
    /// Of many languages: the model tells them apart.
    Shared(Alphabet),
    /// Of only one of the 27. Other languages in the Arabic script are told by their letters.
    Alone(Lang),
    /// Han characters and kana: Chinese and Japanese.
    Han,
    /// Of none of the 27.
    Foreign,
}

/// With what a letter of it weighs: a word of Korean or Chinese has fewer of them than one of English.
const SYSTEMS: [(System, &[Script], usize); 9] = [
    (System::Shared(Alphabet::Latin), &[Script::Latin], 1),
    (System::Shared(Alphabet::Cyrillic), &[Script::Cyrillic], 1),
    (System::Alone(Lang::El), &[Script::Greek], 1),
    (System::Alone(Lang::He), &[Script::Hebrew], 1),
    (System::Alone(Lang::Ar), &[Script::Arabic], 1),
    (System::Alone(Lang::Th), &[Script::Thai], 1),
    (System::Alone(Lang::Ko), &[Script::Hangul], 2),
    (System::Han, &[Script::Kana, Script::Han], 3),
    (System::Foreign, &[Script::Other], 1),
];

impl System {
    /// What most of a text is written in, and which part of the text that is.
    fn of(letters: &Letters) -> (Self, f32) {
        let (mut most, mut weight_most, mut total) = (System::Foreign, 0, 0);
        for (system, scripts, weight) in SYSTEMS {
            let weight = weight * scripts.iter().map(|script| letters.count(*script)).sum::<usize>();
            total += weight;
            if weight > weight_most {
                (most, weight_most) = (system, weight);
            }
        }
        (most, weight_most as f32 / total.max(1) as f32)
    }

    fn of_script(script: Script) -> (Self, usize) {
        let row = SYSTEMS.iter().find(|(_, scripts, _)| scripts.contains(&script));
        row.map_or((System::Foreign, 1), |(system, _, weight)| (*system, *weight))
    }

    fn stands_alone(self) -> bool {
        matches!(self, System::Alone(_))
    }
}

/// How likely each language is by the letters alone. None if they are those of another.
fn shares(system: System, letters: &Letters) -> Option<Shares> {
    if letters.are_foreign() {
        return None;
    }
    let mut shares = Shares::default();
    match system {
        System::Foreign => return None,
        System::Shared(alphabet) => return Some(MODEL.shares(alphabet, letters)),
        System::Alone(lang) => shares[lang as usize] = 1.0,
        System::Han => {
            let (kana, han) = (letters.count(Script::Kana), letters.count(Script::Han));
            let japanese = match () {
                () if kana as f32 >= KANA_SHARE_MIN * (kana + han) as f32 => 1.0,
                () if kana > 0 => 0.6,
                () if han < HAN_LETTERS_MIN => 0.2,
                () => 0.02,
            };
            (shares[Lang::Ja as usize], shares[Lang::Zh as usize]) = (japanese, 1.0 - japanese);
        }
    }
    Some(shares)
}

#[cfg(test)]
mod tests;
