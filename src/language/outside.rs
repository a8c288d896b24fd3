//! Names for languages outside the 27, as whatlang knows them. Unaware of the model.

use std::sync::LazyLock;

use whatlang::{Detector, Lang};

use super::words::{BYTES_MAX, telling};

/// The 27 as whatlang calls them.
const OURS: [Lang; crate::model::Lang::ALL.len()] = {
    use Lang::*;
    [
        Ara, Bul, Ces, Dan, Deu, Ell, Eng, Spa, Fin, Fra, Heb, Hun, Ita, Jpn, Kor, Nld, Nob, Pol, Por, Ron, Rus, Slk,
        Swe, Tha, Tur, Ukr, Cmn,
    ]
};

static OTHERS: LazyLock<Detector> = LazyLock::new(|| Detector::with_denylist(OURS.to_vec()));

/// The language of a text that is in none of the 27: its code in ISO 639-3, and whatlang's confidence between 0 and 1,
/// which is no probability. Slower than `detect` by far.
pub fn outside(text: &str) -> Option<(&'static str, f32)> {
    let text = &text[..text.floor_char_boundary(BYTES_MAX)];
    let words: Vec<&str> = telling(text).collect();
    let info = OTHERS.detect(&words.join(" "))?;
    let is_other = !OURS.contains(&info.lang());
    is_other.then(|| (info.lang().code(), info.confidence() as f32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_outside_is_named_and_one_of_the_27_never() {
        assert_eq!(outside("मुझे नहीं पता कि वह कहाँ है").map(|(code, _)| code), Some("hin"));
        assert_eq!(outside("Tôi không biết anh ấy đang ở đâu bây giờ").map(|(code, _)| code), Some("vie"));
        assert_eq!(outside("მე არ ვიცი").map(|(code, _)| code), Some("kat"));
        for text in ["", "#nur @ein https://example.com/tag", "สวัสดีครับ", "12:30"] {
            assert_eq!(outside(text), None, "{text}");
        }
        assert!(outside("I have been waiting here for an hour").is_none_or(|(code, _)| code != "eng"));
    }
}
