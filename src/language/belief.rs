//! How a guess and what is declared become one belief: weights of the likeliest languages, multiplied by the odds of
//! a declaration. Unaware of text.

use crate::model::Lang;

use super::Guess;

/// whatlang's confidence, and how often its answer was right at that confidence: measured over 20,000 sentences of
/// Tatoeba in the 22 languages whose script decides nothing. Between two points the line.
const CALIBRATION: [(f32, f32); 8] =
    [(0.0, 0.33), (0.1, 0.5), (0.2, 0.69), (0.3, 0.83), (0.4, 0.91), (0.5, 0.96), (0.6, 0.985), (1.0, 0.999)];
/// How much likelier a language is for being declared.
const DECLARED_ODDS: f32 = 10.0;
/// English is what many programs declare unless told otherwise.
const DECLARED_ENGLISH_ODDS: f32 = 3.0;
/// Of the probability that the best is wrong: the second's share, and that of each other language if it is declared.
const SECOND_SHARE: f32 = 0.6;
const OTHER_SHARE: f32 = 0.08;

/// The likeliest languages once everything was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Belief {
    pub(super) best: Lang,
    pub(super) probability: f32,
    pub(super) second: Option<Lang>,
}

impl Belief {
    pub(super) fn of(guess: Guess, declared: &[Lang]) -> Self {
        let wrong = 1.0 - guess.probability;
        let mut weights = vec![(guess.best, guess.probability)];
        weights.extend(guess.second.map(|second| (second, (wrong * SECOND_SHARE).min(guess.probability))));
        for lang in declared {
            if weights.iter().all(|(known, _)| known != lang) {
                weights.push((*lang, wrong * OTHER_SHARE));
            }
        }
        let listed: f32 = weights.iter().map(|(_, weight)| weight).sum();
        let rest = (1.0 - listed).max(0.0);
        for (lang, weight) in &mut weights {
            if declared.contains(lang) {
                *weight *= if *lang == Lang::En { DECLARED_ENGLISH_ODDS } else { DECLARED_ODDS };
            }
        }
        // Stable: of two that weigh the same the one guessed first stays first.
        weights.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        let total = rest + weights.iter().map(|(_, weight)| weight).sum::<f32>();
        let (best, weight) = weights[0];
        Self { best, probability: (weight / total).clamp(0.0, 1.0), second: weights.get(1).map(|(lang, _)| *lang) }
    }
}

/// How often whatlang is right when it is so confident.
pub(super) fn calibrated(confidence: f32) -> f32 {
    let above = CALIBRATION.partition_point(|(point, _)| *point <= confidence).min(CALIBRATION.len() - 1);
    let ((left, low), (right, high)) = (CALIBRATION[above.max(1) - 1], CALIBRATION[above.max(1)]);
    low + (high - low) * ((confidence - left) / (right - left)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belief(probability: f32, declared: &[Lang]) -> Belief {
        Belief::of(Guess { best: Lang::Da, probability, second: Some(Lang::No) }, declared)
    }

    #[test]
    fn confidence_becomes_a_probability_that_grows_with_it() {
        let mut before = 0.0;
        for step in 0..=100 {
            let probability = calibrated(step as f32 / 100.0);
            assert!(probability > before && probability < 1.0, "{step}");
            before = probability;
        }
        assert!((calibrated(0.45) - 0.935).abs() < 1e-4);
        assert_eq!((calibrated(-1.0), calibrated(2.0)), (0.33, 0.999));
    }

    #[test]
    fn nothing_declared_changes_nothing() {
        let plain = belief(0.8, &[]);
        assert_eq!((plain.best, plain.second), (Lang::Da, Some(Lang::No)));
        assert!((plain.probability - 0.8).abs() < 1e-4);
    }

    #[test]
    fn agreement_raises_and_disagreement_lowers() {
        let plain = belief(0.8, &[]).probability;
        assert!(belief(0.8, &[Lang::Da]).probability > 0.95);
        assert!(belief(0.8, &[Lang::Fi]).probability < plain);
        assert!(belief(0.97, &[Lang::Fi]).probability < 0.95);
        assert!(belief(0.99, &[Lang::Fi]).probability > 0.95);
    }

    #[test]
    fn between_two_that_are_near_the_declared_one_wins() {
        assert_eq!(belief(0.5, &[Lang::No]).best, Lang::No);
        assert_eq!(belief(0.5, &[Lang::No]).second, Some(Lang::Da));
        assert_eq!(belief(0.98, &[Lang::No]).best, Lang::Da);
        // English is declared by default, so it has to be likely by itself.
        assert_eq!(belief(0.5, &[Lang::En]).best, Lang::Da);
        assert_eq!(belief(0.4, &[Lang::Fi]).best, Lang::Fi);
    }
}
