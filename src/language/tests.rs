use std::path::Path;

use super::*;

fn best(verdict: Verdict) -> Option<Lang> {
    verdict.best.map(|(lang, _)| lang)
}

#[test]
fn the_two_tables_of_languages_stand_in_one_order() {
    use whatlang::Lang as W;
    let pairs = [(W::Ces, Lang::Cs), (W::Nob, Lang::No), (W::Cmn, Lang::Zh), (W::Ell, Lang::El), (W::Nld, Lang::Nl)];
    for (theirs, ours) in pairs {
        assert_eq!(of_whatlang(theirs), Some(ours));
        assert_eq!(ALLOWED[ours as usize], theirs);
    }
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
    // A part of them, evenly: the whole takes longer than a test should.
    let rows: Vec<(Lang, &str)> = rows.filter_map(|(code, text)| Some((Lang::parse(code)?, text))).step_by(5).collect();
    for (name, declared, bounds) in [
        ("nothing", (|_| Vec::new()) as fn(Lang) -> Vec<Lang>, (0.87, 0.93)),
        ("the language", |lang| vec![lang], (0.96, 0.99)),
        ("English", |_| vec![Lang::En], (0.86, 0.93)),
    ] {
        let (best, satisfied) = measured(&rows, declared);
        println!("{name} declared: best right {:.1} %, satisfied {:.1} %", best * 100.0, satisfied * 100.0);
        assert!(best >= bounds.0 && satisfied >= bounds.1, "{name} declared: {best} {satisfied}");
    }
}
