//! Scores the room `language` on lines of language and text, with a tab between: `score_language LINES`. Says how often
//! the likeliest language is right by language, beside whatlang held to the 27; what is mistaken for what; how well the
//! probability is calibrated; how often a certain answer is right; how many texts a second one thread reads.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on fails")]

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use earful::language;
use earful::model::Lang;
use whatlang::Detector;

/// Steps of probability for the calibration.
const STEPS: usize = 15;

/// From a text to the one that it is mixed with.
const MIXING_STEP: usize = 7919;

/// What was answered to the texts of one language.
#[derive(Clone, Copy, Default)]
struct Score {
    texts: u32,
    right: u32,
    right_of_whatlang: u32,
    certain: u32,
    certain_and_right: u32,
}

fn main() {
    let path = std::env::args().nth(1).expect("score_language LINES");
    let bytes = std::fs::read(&path).unwrap();
    let text = String::from_utf8(if path.ends_with(".zst") { zstd::decode_all(&bytes[..]).unwrap() } else { bytes });
    let text = text.unwrap();
    let rows: Vec<(&str, &str)> = text.lines().filter_map(|line| line.split_once('\t')).collect();
    let whatlang = Detector::with_allowlist(as_whatlang_calls_them());
    accuracy(&rows, &whatlang);
    calibration(&rows);
    mixtures(&rows);
    speed("earful", &rows, |text| language::detect(text, &[]).best.is_some());
    speed("whatlang", &rows, |text| whatlang.detect(text).is_some());
}

/// The 27 by their codes in ISO 639-3, in the order of `Lang::ALL`.
const CODES: &str =
    "ara bul ces dan deu ell eng spa fin fra heb hun ita jpn kor nld nob pol por ron rus slk swe tha tur ukr cmn";

fn as_whatlang_calls_them() -> Vec<whatlang::Lang> {
    CODES.split(' ').map(|code| whatlang::Lang::from_code(code).unwrap()).collect()
}

fn accuracy(rows: &[(&str, &str)], whatlang: &Detector) {
    let codes = as_whatlang_calls_them();
    let mut scores = [Score::default(); Lang::ALL.len()];
    let mut mistaken: HashMap<(String, String), u32> = HashMap::new();
    for (name, text) in rows {
        let verdict = language::detect(text, &[]);
        let best = verdict.best.map(|(lang, _)| lang);
        let Some(lang) = Lang::parse(name) else {
            *mistaken.entry(((*name).to_owned(), best.map_or("none", Lang::code).to_owned())).or_default() += 1;
            continue;
        };
        let is_right = best == Some(lang);
        let theirs = whatlang.detect_lang(text).and_then(|found| codes.iter().position(|code| *code == found));
        let score = &mut scores[lang as usize];
        score.texts += 1;
        score.right += u32::from(is_right);
        score.right_of_whatlang += u32::from(theirs == Some(lang as usize));
        score.certain += u32::from(verdict.certain);
        score.certain_and_right += u32::from(verdict.certain && is_right);
        if !is_right {
            *mistaken.entry(((*name).to_owned(), best.map_or("none", Lang::code).to_owned())).or_default() += 1;
        }
    }
    report(&scores, mistaken);
}

fn report(scores: &[Score; Lang::ALL.len()], mistaken: HashMap<(String, String), u32>) {
    let part = |right: u32, of: u32| f64::from(right) / f64::from(of.max(1));
    println!("| language | texts | right | certain | right if certain | whatlang |\n|---|---|---|---|---|---|");
    let (mut sums, mut known) = ([0.0; 2], 0.0);
    let mut all = Score::default();
    for (lang, score) in Lang::ALL.into_iter().zip(scores).filter(|(_, score)| score.texts > 0) {
        let (right, theirs) = (part(score.right, score.texts), part(score.right_of_whatlang, score.texts));
        let (certain, sure) = (part(score.certain, score.texts), part(score.certain_and_right, score.certain));
        println!("| {} | {} | {right:.3} | {certain:.3} | {sure:.4} | {theirs:.3} |", lang.code(), score.texts);
        sums = [sums[0] + right, sums[1] + theirs];
        known += 1.0;
        all.texts += score.texts;
        all.certain += score.certain;
        all.certain_and_right += score.certain_and_right;
    }
    let (certain, sure) = (part(all.certain, all.texts), part(all.certain_and_right, all.certain));
    let [right, theirs] = sums.map(|sum| sum / known);
    println!("| mean | {} | {right:.4} | {certain:.3} | {sure:.4} | {theirs:.4} |", all.texts);
    let mut mistaken: Vec<_> = mistaken.into_iter().collect();
    mistaken.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
    let shown = mistaken.iter().take(20).map(|((from, to), count)| format!("{from}→{to} {count}"));
    println!("mistaken: {}", shown.collect::<Vec<_>>().join(", "));
}

/// By steps of probability: how likely the answers were said to be, and how many were right.
fn calibration(rows: &[(&str, &str)]) {
    let mut steps = [(0_u32, 0.0, 0_u32); STEPS];
    for (name, text) in rows {
        let (Some(lang), Some((best, probability))) = (Lang::parse(name), language::detect(text, &[]).best) else {
            continue;
        };
        let step = &mut steps[((probability * STEPS as f32) as usize).min(STEPS - 1)];
        *step = (step.0 + 1, step.1 + f64::from(probability), step.2 + u32::from(best == lang));
    }
    let answers: u32 = steps.iter().map(|step| step.0).sum();
    let apart: f64 = steps.iter().map(|(_, said, right)| (said - f64::from(*right)).abs()).sum();
    println!("expected calibration error {:.4} in {answers} answers", apart / f64::from(answers));
    for (count, said, right) in steps.into_iter().filter(|step| step.0 > 0) {
        let [said, right] = [said, f64::from(right)].map(|sum| sum / f64::from(count));
        println!("  {count:6} said {said:.3} right {right:.3}");
    }
}

/// Two texts after each other: how often they are said to be a mixture, of the right two languages.
fn mixtures(rows: &[(&str, &str)]) {
    let rows: Vec<(Lang, &str)> = rows.iter().filter_map(|(name, text)| Some((Lang::parse(name)?, *text))).collect();
    let (mut alike, mut mixed, mut both) = ([0_u32; 2], [0_u32; 2], 0_u32);
    for at in 0..rows.len() {
        let ((first, left), (second, right)) = (rows[at], rows[(at * MIXING_STEP) % rows.len()]);
        let (neighbour, next) = rows[(at + 1) % rows.len()];
        if first == neighbour {
            let found = language::mixture(&format!("{left} {next}"));
            alike = [alike[0] + 1, alike[1] + u32::from(found.len() > 1)];
        }
        if first != second {
            let found: Vec<Lang> =
                language::mixture(&format!("{left} {right}")).iter().map(|(lang, _)| *lang).collect();
            mixed = [mixed[0] + 1, mixed[1] + u32::from(found.len() > 1)];
            both += u32::from(found.len() == 2 && found.contains(&first) && found.contains(&second));
        }
    }
    let part = |count: u32, of: u32| f64::from(count) / f64::from(of);
    println!(
        "two texts in two languages: {:.3} are said to be mixed, {:.3} of just these; two texts in one: {:.4} are said to be mixed",
        part(mixed[1], mixed[0]),
        part(both, mixed[0]),
        part(alike[1], alike[0])
    );
}

fn speed(name: &str, rows: &[(&str, &str)], detects: impl Fn(&str) -> bool) {
    let bytes: usize = rows.iter().map(|(_, text)| text.len()).sum();
    let start = Instant::now();
    black_box(rows.iter().filter(|(_, text)| detects(text)).count());
    let seconds = start.elapsed().as_secs_f64();
    println!("{name}: {:.0} texts/s, {:.1} MB/s", rows.len() as f64 / seconds, bytes as f64 / seconds / 1e6);
}
