use std::path::Path;

use super::words::BYTES_MAX;
use super::*;

fn best(verdict: Verdict) -> Option<Lang> {
    verdict.best.map(|(lang, _)| lang)
}

#[test]
fn a_script_of_one_language_decides_at_once() {
    let texts = [
        ("Καλημέρα", Lang::El),
        ("สวัสดีครับ", Lang::Th),
        ("안녕하세요", Lang::Ko),
        ("שלום", Lang::He),
        ("ありがとう", Lang::Ja),
    ];
    for (text, lang) in texts {
        let verdict = detect(text, &[Lang::En]);
        assert_eq!((best(verdict), verdict.certain), (Some(lang), true), "{text}");
    }
}

#[test]
fn one_lone_letter_is_not_certain() {
    for text in ["π ≈ 3.14", "¯\\_(ツ)_/¯", "ω 😀", "한", "水", "x"] {
        let verdict = detect(text, &[Lang::En]);
        assert!(!verdict.certain && verdict.satisfies(Lang::En), "{text}");
        assert!(verdict.best.is_none_or(|(_, probability)| probability <= LONE_LETTER), "{text}");
    }
    assert!(detect("ναι 1", &[]).certain);
}

#[test]
fn a_sentence_is_certain_and_a_word_is_not() {
    let text = "Už třetí den nám nefunguje internet a na lince nikdo nezvedá telefon, to je vážně smutné";
    assert!(detect(text, &[]).certain);
    assert!(!detect("ok", &[]).certain);
    assert!(!detect("ok", &[Lang::Cs]).certain);
}

#[test]
fn what_is_declared_is_evidence_and_not_truth() {
    let text = "I have been waiting for the train for an hour and nobody tells us anything about it";
    let probability = |declared: &[Lang]| detect(text, declared).best.unwrap().1;
    assert!(probability(&[Lang::En]) > probability(&[]));
    assert!(probability(&[Lang::De]) < probability(&[]));
    assert_eq!(best(detect(text, &[Lang::De])), Some(Lang::En));
}

#[test]
fn han_characters_alone_may_be_japanese_if_that_is_declared() {
    assert_eq!(best(detect("東京電力", &[])), Some(Lang::Zh));
    assert!(detect("東京電力", &[]).satisfies(Lang::Ja));
    assert_eq!(best(detect("東京電力", &[Lang::Ja])), Some(Lang::Ja));
    let text = "今天的天气非常好，我们一起去公园散步吧，回来的时候买一点水果";
    assert!(detect(text, &[]).certain);
}

#[test]
fn a_language_that_is_not_among_ours_is_none_of_them() {
    for text in ["Tôi không biết anh ấy đang ở đâu bây giờ", "این کتاب خیلی خوب است و من آن را دوست دارم", "मुझे नहीं पता"]
    {
        assert_eq!(detect(text, &[]), Verdict::default(), "{text}");
    }
    assert!(detect("Tôi không biết", &[Lang::Fr]).satisfies(Lang::Fr));
}

#[test]
fn links_tags_and_names_never_decide() {
    let verdict = detect("https://example.com/ #hello @somebody", &[Lang::Fi]);
    assert_eq!(verdict.best, None);
    assert!(verdict.satisfies(Lang::Fi) && !verdict.satisfies(Lang::En));
}

/// Sentences of our own, by language: many for those that are mistaken for each other.
fn own_sentences() -> Vec<(Lang, &'static str)> {
    let lines = include_str!("sentences.tsv").lines();
    lines.map(|line| line.split_once('\t').map(|(code, text)| (Lang::parse(code).unwrap(), text)).unwrap()).collect()
}

#[test]
fn of_our_own_sentences_nearly_all_are_told() {
    let rows = own_sentences();
    let (mut by_lang, mut sure) = ([(0_u32, 0_u32); Lang::ALL.len()], (0_u32, 0_u32));
    for (lang, text) in &rows {
        let verdict = detect(text, &[]);
        let is_right = best(verdict) == Some(*lang);
        let (texts, right) = &mut by_lang[*lang as usize];
        (*texts, *right) = (*texts + 1, *right + u32::from(is_right));
        sure = (sure.0 + u32::from(verdict.certain), sure.1 + u32::from(verdict.certain && is_right));
        assert!(is_right || verdict.satisfies(*lang), "{text}: {verdict:?}");
    }
    for (lang, (texts, right)) in Lang::ALL.into_iter().zip(by_lang) {
        let least = if texts >= 20 { texts - 2 } else { texts };
        assert!(texts >= 3 && right >= least, "{}: {right} of {texts}", lang.code());
    }
    assert!(sure.0 as usize * 10 >= rows.len() * 8, "{} of {} are certain", sure.0, rows.len());
    assert_eq!(sure.0, sure.1, "certain and right");
}

#[test]
fn tags_links_and_names_of_another_language_change_nothing() {
    let noise = "#breakingnews @theguardian https://example.com/this/is/the/news (#weather) www.example.org/of/the/day";
    for (lang, text) in own_sentences() {
        let (plain, noisy) = (detect(text, &[]), detect(&format!("{noise} {text} {noise}"), &[]));
        assert_eq!(plain, noisy, "{lang:?}: {text}");
    }
}

#[test]
fn any_text_is_read_in_bounds_and_long_ones_as_far_as_they_say_more() {
    let long = "Už třetí den nám nefunguje internet. ".repeat(1 << 12);
    assert_eq!(detect(&long, &[]), detect(&long[..long.floor_char_boundary(BYTES_MAX)], &[]));
    for text in
        ["\u{0}", "\u{FFFD}", "ａｂｃ", "İ", "ŉ", "ß", "\u{301}\u{301}", "🇨🇿🇸🇰", "ǅ", "\u{10FFFF}", "a\u{200D}b"]
    {
        for repeated in [1, 7, 5_000] {
            let verdict = detect(&text.repeat(repeated), &[]);
            assert!(verdict.best.is_none_or(|(_, probability)| (0.0..=1.0).contains(&probability)), "{text}");
            assert!(mixture(&text.repeat(repeated)).len() <= 1, "{text}");
        }
    }
    for word in ["word", "слово", "水", "の", "한"] {
        let alternating = format!("{word} x").repeat(BYTES_MAX);
        assert!(mixture(&alternating).iter().map(|(_, part)| part).sum::<f32>() <= 1.001);
    }
}

#[test]
fn a_text_in_two_languages_says_so() {
    for (text, langs) in [
        (
            "Toget er forsinket igen, hvad gør vi nu? The next one leaves in an hour, so we have to wait.",
            [Lang::En, Lang::Da],
        ),
        ("Dnes máme otevřeno do osmi večer. Heute haben wir bis acht Uhr abends geöffnet.", [Lang::De, Lang::Cs]),
        ("Новый магазин открыт каждый день. Our new shop is open every day.", [Lang::En, Lang::Ru]),
        ("本日は休業いたします。 We are closed today, see you tomorrow!", [Lang::Ja, Lang::En]),
    ] {
        let found: Vec<Lang> = mixture(text).into_iter().map(|(lang, _)| lang).collect();
        assert!(found.len() == 2 && langs.iter().all(|lang| found.contains(lang)), "{text}: {found:?}");
    }
    assert_eq!(mixture(""), []);
    assert_eq!(mixture("12:30 🙂 #tag"), []);
}

#[test]
fn a_text_in_one_language_is_no_mixture() {
    for (lang, text) in own_sentences() {
        assert!(mixture(text).len() <= 1, "{lang:?}: {text}: {:?}", mixture(text));
    }
    let text = "Včera jsme v baru Old Fashioned poslouchali Highway to Hell a bylo to skvělé, příště jdeme zase";
    assert_eq!(mixture(text).first().map(|(lang, _)| *lang), Some(Lang::Cs));
    assert_eq!(mixture(text).len(), 1);
}

/// The shares of rows whose best language is right, and that satisfy their language: the mean over the languages.
fn measured(rows: &[(Lang, &str)], declared: impl Fn(Lang) -> Vec<Lang>) -> (f32, f32) {
    let mut counts = [[0_u32; 3]; Lang::ALL.len()];
    for (lang, text) in rows {
        let verdict = detect(text, &declared(*lang));
        let right = [true, best(verdict) == Some(*lang), verdict.satisfies(*lang)];
        for (count, right) in counts[*lang as usize].iter_mut().zip(right) {
            *count += u32::from(right);
        }
    }
    let mean = |column: usize| {
        counts.iter().map(|count| count[column] as f32 / count[0] as f32).sum::<f32>() / counts.len() as f32
    };
    (mean(1), mean(2))
}

#[test]
fn sentences_are_told_as_well_as_was_measured() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/langid-dev.tsv.zst");
    let Ok(packed) = std::fs::read(&path) else {
        println!("{} is not here: not measured", path.display());
        return;
    };
    let text = String::from_utf8(zstd::decode_all(&packed[..]).unwrap()).unwrap();
    let rows = text.lines().filter_map(|line| line.split_once('\t'));
    let rows: Vec<(Lang, &str)> = rows.filter_map(|(code, text)| Some((Lang::parse(code)?, text))).collect();
    for (name, declared, bounds) in [
        ("nothing", (|_| Vec::new()) as fn(Lang) -> Vec<Lang>, (0.975, 0.99)),
        ("the language", |lang| vec![lang], (0.99, 0.995)),
        ("English", |_| vec![Lang::En], (0.97, 0.98)),
    ] {
        let (best, satisfied) = measured(&rows, declared);
        println!("{name} declared: best right {:.1} %, satisfied {:.1} %", best * 100.0, satisfied * 100.0);
        assert!(best >= bounds.0 && satisfied >= bounds.1, "{name} declared: {best} {satisfied}");
    }
}
