//! In which posts marks may be missing that a query types. Unaware of how they are compared.

use crate::model::{Lang, Verdict};

/// Languages that are written without marks upon letters, or whose marks are never compared. `й` and `が` are letters.
const WITHOUT_MARKS: [Lang; 10] =
    [Lang::Ar, Lang::Bg, Lang::En, Lang::He, Lang::Ja, Lang::Ko, Lang::Ru, Lang::Th, Lang::Uk, Lang::Zh];

/// Whether people may have left marks out of a post in which there is none: not if it is certainly in a language that
/// has none to leave out.
pub fn may_lack_marks(verdict: &Verdict) -> bool {
    let has_none = |lang: Lang| WITHOUT_MARKS.contains(&lang);
    !(verdict.certain && verdict.best.is_some_and(|(lang, _)| has_none(lang)))
}
