//! Trains the model of the room `language` and writes it: `train_language MODEL WORDS SENTENCES...`.
//!
//! WORDS has lines of language, word and frequency (in hundredths of a power of ten, without the sign; 300 is one word in
//! a thousand), SENTENCES of language, origin and text, with tabs between; files that end in `.zst` are unpacked. The
//! same files give the same model, byte by byte: one thread, one seed. docs/LANGUAGE.md names the data.

#![allow(clippy::unwrap_used, reason = "a training that cannot go on fails")]

use earful::language::linear::{Alphabet, MAGIC, NAME_BYTES, WEIGHT_MAX, ZERO, features, norm};
use earful::model::Lang;
use unicode_normalization::UnicodeNormalization;

/// Weights of a row while it is trained: as many as the widest alphabet has.
const LANES: usize = 32;
/// Examples of each of the 27, and how many of the background come for one of them.
const EXAMPLES: usize = 250_000;
const BACKGROUND: f32 = 0.2;
const RATE: f32 = 3.0;
/// Examples that are words drawn by their frequency: language and style come apart that way.
const OF_WORDS: f32 = 0.5;
/// The same for languages of which there are few sentences, or of another kind than their neighbour's.
const OF_WORDS_BY_LANGUAGE: [(&str, f32); 4] = [("da", 0.85), ("no", 0.95), ("cs", 0.8), ("sk", 0.8)];
/// Frequent words are drawn less often than they are written.
const FREQUENCY_POWER: f64 = 0.8;
/// What origins of software texts weigh beside those that people speak or tell, and how an origin's size counts.
const SOFTWARE: f32 = 0.1;
const SIZE_POWER: f32 = 0.7;
/// Sentences that are not used, by language and origin: licences that ask for no commercial use, or may.
const LEFT_OUT: [(&str, &str); 4] = [("fi", "ted"), ("no", "ted"), ("ru", "ud"), ("uk", "ud")];
/// Sentences that lose their marks, as people leave them out.
const WITHOUT_MARKS: f32 = 0.08;
/// Sentences kept apart for the temperature.
const HELD_OUT: f32 = 0.02;
/// Words of an example that is cut from a sentence, or made of words.
const WORDS_MAX: usize = 8;
/// Words of an example that is a whole sentence.
const SENTENCE_WORDS_MAX: usize = 30;
/// Examples that are whole sentences.
const WHOLE: f32 = 0.4;
/// Weights beyond this quantile are cut.
const WEIGHTS_KEPT: f64 = 0.9995;

/// A generator of random numbers that is the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (((self.next() >> 32) * bound as u64) >> 32) as usize
    }

    /// From 0 to 1, without 1.
    fn part(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u64 << 24) as f32
    }
}

/// What is known of one language. Letters as `Alphabet::letters` gives them.
#[derive(Default)]
struct Corpus {
    /// By origin: its name, what it weighs, its sentences.
    origins: Vec<(String, f32, Vec<Vec<u8>>)>,
    words: Vec<Vec<u8>>,
    /// Sums of the weights of the words up to each.
    words_until: Vec<f64>,
    of_words: f32,
    share: f32,
}

/// The sentences and words of one alphabet, by language.
struct Corpora {
    alphabet: Alphabet,
    by_lane: Vec<Corpus>,
    held_out: Vec<(usize, Vec<u8>)>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, words, sentences @ ..] = &arguments[..] else { panic!("train_language MODEL WORDS SENTENCES...") };
    let mut bytes = MAGIC.to_vec();
    for (alphabet, bits) in [(Alphabet::Latin, 16), (Alphabet::Cyrillic, 15)] {
        let mut random = Random(1);
        let corpora = Corpora::read(alphabet, &unpacked(words), sentences, &mut random);
        let rows = trained(&corpora, bits, &mut random);
        write_table(&mut bytes, &corpora, bits, &rows);
    }
    std::fs::write(model, &bytes).unwrap();
    println!("{model}: {} bytes", bytes.len());
}

fn unpacked(path: &str) -> String {
    let bytes = std::fs::read(path).unwrap_or_else(|cause| panic!("{path}: {cause}"));
    String::from_utf8(if path.ends_with(".zst") { zstd::decode_all(&bytes[..]).unwrap() } else { bytes }).unwrap()
}

fn is_ours(name: &str) -> bool {
    Lang::ALL.iter().any(|lang| lang.code() == name)
}

fn is_software(origin: &str) -> bool {
    origin.starts_with("lo-")
}

/// Malay is not told from Indonesian.
fn lane(alphabet: Alphabet, language: &str) -> Option<usize> {
    let language = if language == "ms" { "id" } else { language };
    alphabet.languages().iter().position(|name| *name == language)
}

impl Corpora {
    fn read(alphabet: Alphabet, words: &str, sentences: &[String], random: &mut Random) -> Self {
        let by_lane = alphabet.languages().iter().map(|_| Corpus::default()).collect();
        let mut corpora = Self { alphabet, by_lane, held_out: Vec::new() };
        for path in sentences {
            for line in unpacked(path).lines() {
                let mut fields = line.splitn(3, '\t');
                let (Some(language), Some(origin), Some(text)) = (fields.next(), fields.next(), fields.next()) else {
                    panic!("{path}: `{line}` is not language, origin and text");
                };
                corpora.add_sentence(language, origin, text, random);
            }
        }
        for line in words.lines() {
            let mut fields = line.splitn(3, '\t');
            let (Some(language), Some(word), Some(Ok(frequency))) =
                (fields.next(), fields.next(), fields.next().map(str::parse::<f64>))
            else {
                panic!("`{line}` is not language, word and frequency");
            };
            corpora.add_word(language, word, frequency);
        }
        for (name, corpus) in alphabet.languages().iter().zip(&mut corpora.by_lane) {
            for (origin, weight, sentences) in &mut corpus.origins {
                *weight = (sentences.len() as f32).powf(SIZE_POWER) * if is_software(origin) { SOFTWARE } else { 1.0 };
            }
            let special = OF_WORDS_BY_LANGUAGE.iter().find(|(language, _)| language == name);
            corpus.of_words = special.map_or(OF_WORDS, |(_, part)| *part);
            corpus.share = if is_ours(name) { 1.0 } else { BACKGROUND };
        }
        corpora
    }

    fn add_sentence(&mut self, language: &str, origin: &str, text: &str, random: &mut Random) {
        let Some(lane) = lane(self.alphabet, language) else { return };
        if LEFT_OUT.contains(&(language, origin)) {
            return;
        }
        let is_marked = self.alphabet == Alphabet::Cyrillic || random.part() >= WITHOUT_MARKS;
        let letters = self.alphabet.letters(&if is_marked { text.to_owned() } else { without_marks(text) });
        if letters.len() < 4 {
            return;
        }
        if !is_software(origin) && random.part() < HELD_OUT {
            return self.held_out.push((lane, letters));
        }
        let origins = &mut self.by_lane[lane].origins;
        match origins.iter_mut().find(|(name, ..)| name == origin) {
            Some((_, _, sentences)) => sentences.push(letters),
            None => origins.push((origin.to_owned(), 0.0, vec![letters])),
        }
    }

    fn add_word(&mut self, language: &str, word: &str, frequency: f64) {
        let Some(lane) = lane(self.alphabet, language) else { return };
        let letters = self.alphabet.letters(word);
        let corpus = &mut self.by_lane[lane];
        if letters.len() > 2 {
            let weight = 10_f64.powf(-frequency / 100.0 * FREQUENCY_POWER);
            corpus.words_until.push(corpus.words_until.last().unwrap_or(&0.0) + weight);
            corpus.words.push(letters[1..].to_vec());
        }
    }
}

fn without_marks(text: &str) -> String {
    let letters = text.nfd().filter(|letter| !matches!(letter, '\u{300}'..='\u{36F}'));
    letters
        .map(|letter| {
            [('ł', 'l'), ('Ł', 'L'), ('ı', 'i')]
                .into_iter()
                .find(|(from, _)| *from == letter)
                .map_or(letter, |(_, to)| to)
        })
        .collect()
}

impl Corpus {
    /// Some words as they come, or a part of a sentence.
    fn example(&self, random: &mut Random) -> Vec<u8> {
        if self.origins.is_empty() || (!self.words.is_empty() && random.part() < self.of_words) {
            let mut example = vec![0];
            for _ in 0..1 + random.below(WORDS_MAX - 1) {
                let until = f64::from(random.part()) * self.words_until.last().unwrap();
                let at = self.words_until.partition_point(|sum| *sum <= until);
                example.extend(&self.words[at.min(self.words.len() - 1)]);
            }
            return example;
        }
        let mut until = random.part() * self.origins.iter().map(|(_, weight, _)| weight).sum::<f32>();
        let found = self.origins.iter().find(|(_, weight, _)| {
            until -= weight;
            until < 0.0
        });
        let (_, _, sentences) = found.unwrap_or(&self.origins[0]);
        cut(&sentences[random.below(sentences.len())], random)
    }
}

/// A sentence, or some words of it that follow each other.
fn cut(sentence: &[u8], random: &mut Random) -> Vec<u8> {
    let words: Vec<&[u8]> = sentence[1..].split_inclusive(|unit| *unit == 0).collect();
    let (start, length) = if random.part() < WHOLE {
        (0, words.len().min(SENTENCE_WORDS_MAX))
    } else {
        let length = 1 + random.below(words.len().min(WORDS_MAX));
        (random.below(words.len() - length + 1), length)
    };
    let mut example = vec![0];
    words[start..start + length].iter().for_each(|word| example.extend(*word));
    example
}

/// Logistic regression by stochastic gradient, each row with a rate of its own that falls with what it has learned.
fn trained(corpora: &Corpora, bits: u32, random: &mut Random) -> Vec<[f32; LANES]> {
    let lanes = corpora.by_lane.len();
    let until: Vec<f32> = corpora
        .by_lane
        .iter()
        .scan(0.0, |sum, corpus| {
            *sum += corpus.share;
            Some(*sum)
        })
        .collect();
    let total = (EXAMPLES as f32 * until[lanes - 1]) as usize;
    let (mut rows, mut learned) = (vec![[0.0; LANES]; 1 << bits], vec![0.0_f32; 1 << bits]);
    let (mut found, mut loss) = (Vec::new(), 0.0);
    for step in 0..total {
        let drawn = random.part() * until[lanes - 1];
        let right = until.partition_point(|sum| *sum <= drawn).min(lanes - 1);
        let example = corpora.by_lane[right].example(random);
        found.clear();
        features(&example, |hash| found.push((hash >> (64 - bits)) as usize));
        let mut error = softmax(&logits(&rows, &found), lanes);
        loss -= f64::from(error[right].max(1e-9).ln());
        error[right] -= 1.0;
        let norm = norm(found.len());
        let square = error.iter().map(|part| part * part).sum::<f32>() * norm * norm;
        let rate = RATE * (1.0 - step as f32 / total as f32) * norm;
        for at in &found {
            learned[*at] += square;
            let rate = rate / (learned[*at].sqrt() + 1e-3);
            for (weight, part) in rows[*at].iter_mut().zip(&error) {
                *weight -= rate * part;
            }
        }
        if (step + 1) % (total / 10) == 0 {
            println!("{:?} {} of {total}: loss {:.4}", corpora.alphabet, step + 1, loss / (total / 10) as f64);
            loss = 0.0;
        }
    }
    rows
}

fn logits(rows: &[[f32; LANES]], found: &[usize]) -> [f32; LANES] {
    let mut sums = [0.0; LANES];
    for at in found {
        for (sum, weight) in sums.iter_mut().zip(&rows[*at]) {
            *sum += weight;
        }
    }
    sums.map(|sum| sum * norm(found.len()))
}

fn softmax(logits: &[f32; LANES], lanes: usize) -> [f32; LANES] {
    let highest = logits[..lanes].iter().copied().fold(f32::MIN, f32::max);
    let mut shares = [0.0; LANES];
    for (share, logit) in shares[..lanes].iter_mut().zip(logits) {
        *share = (logit - highest).exp();
    }
    let total: f32 = shares.iter().sum();
    shares.map(|share| share / total)
}

/// The temperature at which the sentences that were held out, cut to a few words, are the least surprise.
fn temperature(corpora: &Corpora, bits: u32, rows: &[[f32; LANES]]) -> f32 {
    let mut random = Random(2);
    let known = corpora.held_out.iter().filter(|(lane, _)| is_ours(corpora.alphabet.languages()[*lane]));
    let cases: Vec<(usize, [f32; LANES])> = known
        .map(|(lane, letters)| {
            let mut found = Vec::new();
            features(&cut(letters, &mut random), |hash| found.push((hash >> (64 - bits)) as usize));
            (*lane, logits(rows, &found))
        })
        .collect();
    let surprise = |inverse: f32| {
        let lanes = corpora.by_lane.len();
        let share =
            |(lane, logits): &(usize, [f32; LANES])| softmax(&logits.map(|logit| logit * inverse), lanes)[*lane];
        cases.iter().map(|case| -f64::from(share(case).max(1e-9).ln())).sum::<f64>()
    };
    let inverses = (10..60).map(|step| step as f32 * 0.05);
    inverses.min_by(|left, right| surprise(*left).total_cmp(&surprise(*right))).unwrap()
}

/// Rounds the weights to bytes. The size of a step holds the temperature too.
fn write_table(bytes: &mut Vec<u8>, corpora: &Corpora, bits: u32, rows: &[[f32; LANES]]) {
    let (alphabet, lanes) = (corpora.alphabet, corpora.alphabet.lanes());
    let mut sizes: Vec<f32> = rows.iter().flatten().map(|weight| weight.abs()).collect();
    let kept = (sizes.len() as f64 * WEIGHTS_KEPT) as usize;
    let step = *sizes.select_nth_unstable_by(kept, f32::total_cmp).1 / f32::from(WEIGHT_MAX);
    let inverse = temperature(corpora, bits, rows);
    println!("{alphabet:?}: temperature {:.3}, step {step:.4}", 1.0 / inverse);
    bytes.extend([bits as u8, lanes as u8, alphabet.languages().len() as u8]);
    bytes.extend((step * inverse).to_le_bytes());
    for name in alphabet.languages() {
        bytes.extend(format!("{name:NAME_BYTES$}").bytes());
    }
    let most = f32::from(WEIGHT_MAX);
    let rounded = |weight: &f32| ((weight / step).round().clamp(-most, most) + f32::from(ZERO)) as u8;
    for row in rows {
        bytes.extend(row[..lanes].iter().map(rounded));
    }
}
