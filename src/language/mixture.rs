//! Texts in more than one language: the likeliest sequence of languages over the words. Unaware of what is declared.

use crate::model::Lang;

use super::linear::{MODEL, Shares};
use super::words::{BYTES_MAX, Letters, Script, script_of, telling};
use super::{LETTERS_MIN, System};

/// What a change of language costs, in logarithms of probability: a loan word is not worth it, a sentence is.
const CHANGE_COST: f32 = 9.0;
/// The least logarithm of a probability that one word can have: no word alone rules a language out.
const WORD_FLOOR: f32 = -6.0;
/// Letters of a word, where words are not written apart.
const WORD_LETTERS: usize = 6;
/// Part of the letters that a language has at least to be one of a text.
const SHARE_MIN: f32 = 0.2;
/// The 27, and the background.
const STATES: usize = Lang::ALL.len() + 1;

/// A run of letters of one system, with what they weigh.
struct Run {
    costs: [f32; STATES],
    weight: usize,
}

/// The languages that make up a substantial part of a text, most of it first, each with its part between 0 and 1.
/// Two or more: the text is mixed. A word or a name in another language is no part of its own.
pub fn mixture(text: &str) -> Vec<(Lang, f32)> {
    let runs = runs(&text[..text.floor_char_boundary(BYTES_MAX)]);
    let total: usize = runs.iter().map(|run| run.weight).sum();
    let mut weights = [0; STATES];
    for (run, state) in runs.iter().zip(likeliest_states(&runs)) {
        weights[state] += run.weight;
    }
    let parts = Lang::ALL.into_iter().zip(weights).map(|(lang, weight)| (lang, weight, weight as f32 / total as f32));
    let substantial = parts.filter(|(_, weight, part)| *weight >= LETTERS_MIN.min(total) && *part >= SHARE_MIN);
    let mut parts: Vec<(Lang, f32)> = substantial.map(|(lang, _, part)| (lang, part)).collect();
    parts.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    parts
}

/// The words of a text, cut where the script changes.
fn runs(text: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    for word in telling(text) {
        let mut start = 0;
        let mut open: Option<(System, usize)> = None;
        for (at, letter) in word.char_indices() {
            let Some(next) = script_of(letter).map(System::of_script) else { continue };
            match open {
                Some((system, weight)) if system != next.0 => {
                    runs.push(run(&word[start..at], system, weight));
                    start = at;
                }
                _ => {}
            }
            open = Some(next);
        }
        runs.extend(open.map(|(system, weight)| run(&word[start..], system, weight)));
    }
    runs
}

fn run(word: &str, system: System, letter_weight: usize) -> Run {
    let letters = Letters::of(word);
    let shares = match system {
        System::Shared(alphabet) => MODEL.shares(alphabet, &letters),
        System::Alone(lang) => only(&[lang]),
        System::Han if letters.count(Script::Kana) > 0 => only(&[Lang::Ja]),
        System::Han => only(&[Lang::Zh, Lang::Ja]),
        System::Foreign => only(&[]),
    };
    let background = (1.0 - shares.iter().sum::<f32>()).max(0.0);
    let weight = letter_weight * letters.total();
    let words = if matches!(system, System::Shared(_)) { 1 } else { (weight / WORD_LETTERS).max(1) };
    let mut costs = [0.0; STATES];
    for (cost, share) in costs.iter_mut().zip(shares.into_iter().chain([background])) {
        *cost = -share.ln().max(WORD_FLOOR) * words as f32;
    }
    Run { costs, weight }
}

/// The same for each of them, and nothing for the others.
fn only(langs: &[Lang]) -> Shares {
    let mut shares = Shares::default();
    for lang in langs {
        shares[*lang as usize] = 1.0 / langs.len() as f32;
    }
    shares
}

/// Viterbi's way: the sequence of states that costs least.
fn likeliest_states(runs: &[Run]) -> Vec<usize> {
    let mut sums = [0.0_f32; STATES];
    let mut before: Vec<[u8; STATES]> = Vec::with_capacity(runs.len());
    for run in runs {
        let cheapest = cheapest(&sums);
        let changed = sums[cheapest] + CHANGE_COST;
        let mut from = [0; STATES];
        for (state, sum) in sums.iter_mut().enumerate() {
            let stays = *sum <= changed;
            from[state] = if stays { state } else { cheapest } as u8;
            *sum = sum.min(changed) + run.costs[state];
        }
        before.push(from);
    }
    let mut state = cheapest(&sums);
    let mut states = vec![0; runs.len()];
    for (slot, from) in states.iter_mut().zip(&before).rev() {
        *slot = state;
        state = usize::from(from[state]);
    }
    states
}

fn cheapest(sums: &[f32; STATES]) -> usize {
    (0..STATES).min_by(|left, right| sums[*left].total_cmp(&sums[*right])).expect("there are states")
}
