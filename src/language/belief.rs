//! How what a text shows and what is declared become one belief: the odds of each language, multiplied by the odds of
//! a declaration. Unaware of text.

use crate::model::Lang;

use super::linear::Shares;

/// How much likelier a language is for being declared.
const DECLARED_ODDS: f32 = 10.0;
/// English is what many programs declare unless told otherwise.
const DECLARED_ENGLISH_ODDS: f32 = 3.0;
/// Of the probability that the best is wrong: the share that a language has at least if it is declared.
const DECLARED_SHARE_MIN: f32 = 0.08;
/// Probability from which a language is worth naming as the next likeliest.
const SECOND_MIN: f32 = 0.01;

/// The likeliest languages once everything was heard.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Belief {
    pub(super) best: Lang,
    pub(super) probability: f32,
    pub(super) second: Option<Lang>,
}

impl Belief {
    /// None if none of the 27 is as likely as the background.
    pub(super) fn of(mut shares: Shares, declared: &[Lang]) -> Option<Self> {
        let (_, highest) = likeliest(&shares, None);
        let background = (1.0 - shares.iter().sum::<f32>()).max(0.0);
        for lang in Lang::ALL.iter().filter(|lang| declared.contains(lang)) {
            let odds = if *lang == Lang::En { DECLARED_ENGLISH_ODDS } else { DECLARED_ODDS };
            let share = &mut shares[*lang as usize];
            *share = share.max((1.0 - highest) * DECLARED_SHARE_MIN) * odds;
        }
        let total = background + shares.iter().sum::<f32>();
        let (best, weight) = likeliest(&shares, None);
        let (second, next) = likeliest(&shares, Some(best));
        (weight > background).then_some(Self {
            best,
            probability: (weight / total).clamp(0.0, 1.0),
            second: (next >= SECOND_MIN * total).then_some(second),
        })
    }
}

/// The first of those with the highest share, and that share.
fn likeliest(shares: &Shares, but: Option<Lang>) -> (Lang, f32) {
    let mut best = (Lang::ALL[0], f32::MIN);
    for (lang, share) in Lang::ALL.into_iter().zip(shares) {
        if *share > best.1 && but != Some(lang) {
            best = (lang, *share);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn belief(probability: f32, declared: &[Lang]) -> Belief {
        let mut shares = Shares::default();
        shares[Lang::Da as usize] = probability;
        shares[Lang::No as usize] = (1.0 - probability) * 0.6;
        Belief::of(shares, declared).unwrap()
    }

    #[test]
    fn nothing_declared_changes_nothing() {
        let plain = belief(0.8, &[]);
        assert_eq!((plain.best, plain.second), (Lang::Da, Some(Lang::No)));
        assert!((plain.probability - 0.8).abs() < 1e-4);
        assert_eq!(belief(0.999, &[]).second, None);
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

    #[test]
    fn where_the_background_is_likelier_there_is_no_belief() {
        let mut shares = Shares::default();
        shares[Lang::Pt as usize] = 0.4;
        assert_eq!(Belief::of(shares, &[]), None);
        assert_eq!(Belief::of(shares, &[Lang::Pt]).map(|belief| belief.best), Some(Lang::Pt));
        assert_eq!(Belief::of(Shares::default(), &[]), None);
    }
}
