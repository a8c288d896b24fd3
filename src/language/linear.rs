//! The trained model: what a text shows of itself, and what that weighs for each language. Unaware of how it was
//! trained and of what else is known about a text.

use std::sync::LazyLock;

use crate::model::Lang;

use super::words::{GAP, Letters};

/// Letters of the shortest and the longest run that is a feature, gaps among them.
const RUN_MIN: usize = 2;
const RUN_MAX: usize = 5;
/// Rows whose sum fits into 16 bits.
const ROWS_SUMMED_MAX: usize = 256;
/// Rows whose sum fits into one byte: a weight has 6 bits, so that most of the sum is done 16 weights at once.
const ROWS_PER_BYTE: usize = 4;
/// What a weight of zero is in a row, and how far the others are from it at most.
pub const ZERO: u8 = 32;
pub const WEIGHT_MAX: u8 = 31;
/// Of what a table says, the part that is left to the background: a text may be like nothing that it was trained on.
const DOUBT: f32 = 0.001;
/// The first bytes of a model file.
pub const MAGIC: &[u8; 8] = b"EARLANG1";
/// Bytes of a lane's name in a model file.
pub const NAME_BYTES: usize = 4;

/// The model that is compiled in.
pub(super) static MODEL: LazyLock<Model> =
    LazyLock::new(|| Model::read(include_bytes!("model.bin")).expect("the model that is compiled in is whole"));

/// Letters that many languages share, so that a table has to tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    Latin,
    Cyrillic,
}

impl Alphabet {
    pub const ALL: [Alphabet; 2] = [Alphabet::Latin, Alphabet::Cyrillic];

    /// The languages that are told apart: those of the 27, then those of the background.
    pub fn languages(self) -> &'static [&'static str] {
        match self {
            Alphabet::Latin => &LATIN,
            Alphabet::Cyrillic => &CYRILLIC,
        }
    }

    /// Weights in a row: room for every language, and for whole registers.
    pub fn lanes(self) -> usize {
        match self {
            Alphabet::Latin => LATIN_LANES,
            Alphabet::Cyrillic => CYRILLIC_LANES,
        }
    }

    /// The letters of a text in this alphabet, one byte each, with `GAP` around every word.
    pub fn letters(self, text: &str) -> Vec<u8> {
        let letters = Letters::of(text);
        match self {
            Alphabet::Latin => letters.latin,
            Alphabet::Cyrillic => letters.cyrillic,
        }
    }
}

const LATIN_LANES: usize = 32;
const LATIN: [&str; 30] = [
    "cs", "da", "de", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pl", "pt", "ro", "sk", "sv", "tr", "ca", "gl",
    "eu", "eo", "et", "vi", "id", "lv", "lt", "sl", "hr", "is", "tl",
];
const CYRILLIC_LANES: usize = 8;
const CYRILLIC: [&str; 8] = ["bg", "ru", "uk", "be", "mk", "sr", "kk", "mn"];

/// How likely each of the 27 is, in the order of `Lang::ALL`; what is missing to 1 is the background's.
pub(super) type Shares = [f32; Lang::ALL.len()];

/// One table for each alphabet.
pub struct Model {
    latin: Table<LATIN_LANES>,
    cyrillic: Table<CYRILLIC_LANES>,
}

impl Model {
    /// Of the bytes of a model file: for each alphabet the bits of a hash, the lanes and their names, the size of one
    /// step of a weight, and the rows.
    pub fn read(mut bytes: &'static [u8]) -> Option<Self> {
        bytes = bytes.strip_prefix(MAGIC)?;
        let (latin, rest) = Table::read(bytes)?;
        let (cyrillic, rest) = Table::read(rest)?;
        rest.is_empty().then_some(Self { latin, cyrillic })
    }

    /// How likely each language is, by the letters of one alphabet.
    pub(super) fn shares(&self, alphabet: Alphabet, letters: &Letters) -> Shares {
        match alphabet {
            Alphabet::Latin => self.latin.shares(&letters.latin),
            Alphabet::Cyrillic => self.cyrillic.shares(&letters.cyrillic),
        }
    }
}

/// Rows of weights, by the hash of a feature.
struct Table<const LANES: usize> {
    /// By lane; none is of the background.
    langs: [Option<Lang>; LANES],
    /// Lanes that are in use.
    used: usize,
    step: f32,
    shift: u32,
    rows: &'static [[u8; LANES]],
}

impl<const LANES: usize> Table<LANES> {
    fn read(bytes: &'static [u8]) -> Option<(Self, &'static [u8])> {
        let ([bits, lanes, used], bytes) = bytes.split_first_chunk::<3>()?;
        let (step, bytes) = bytes.split_first_chunk::<4>()?;
        let (bits, used) = (u32::from(*bits), usize::from(*used));
        if usize::from(*lanes) != LANES || used > LANES || !(1..=24).contains(&bits) {
            return None;
        }
        let (names, bytes) = bytes.split_at_checked(NAME_BYTES * used)?;
        let mut langs = [None; LANES];
        for (lang, name) in langs.iter_mut().zip(names.chunks(NAME_BYTES)) {
            *lang = Lang::parse(std::str::from_utf8(name).ok()?.trim_end());
        }
        let (rows, rest) = bytes.split_at_checked(LANES << bits)?;
        let table = Self { langs, used, step: f32::from_le_bytes(*step), shift: 64 - bits, rows: rows.as_chunks().0 };
        Some((table, rest))
    }

    fn shares(&self, letters: &[u8]) -> Shares {
        let (sums, rows) = self.sums(letters);
        let scale = self.step * norm(rows);
        let mut logits = [0.0; LANES];
        for (logit, sum) in logits.iter_mut().zip(&sums) {
            *logit = *sum as f32 * scale;
        }
        let logits = &mut logits[..self.used];
        let highest = logits.iter().copied().fold(f32::MIN, f32::max);
        let mut total = 0.0;
        for logit in logits.iter_mut() {
            *logit = (*logit - highest).exp();
            total += *logit;
        }
        let mut shares = Shares::default();
        for (lang, weight) in self.langs.iter().zip(logits) {
            if let Some(lang) = lang {
                shares[*lang as usize] = *weight / total * (1.0 - DOUBT);
            }
        }
        shares
    }

    /// The sum of the rows of all features by lane, and how many they are. What all lanes have in common is left in.
    fn sums(&self, letters: &[u8]) -> ([u32; LANES], usize) {
        let mut sums = [0; LANES];
        let (mut waiting, mut count, mut rows) = ([0; ROWS_SUMMED_MAX], 0, 0);
        features(letters, |hash| {
            waiting[count] = (hash >> self.shift) as u32;
            count += 1;
            if count == ROWS_SUMMED_MAX {
                self.add(&waiting, &mut sums);
                (count, rows) = (0, rows + ROWS_SUMMED_MAX);
            }
        });
        self.add(&waiting[..count], &mut sums);
        (sums, rows + count)
    }

    fn add(&self, numbers: &[u32], sums: &mut [u32; LANES]) {
        let mut part = [0_u16; LANES];
        let (fours, rest) = numbers.as_chunks::<ROWS_PER_BYTE>();
        for few in fours.iter().map(<[u32; ROWS_PER_BYTE]>::as_slice).chain(rest.chunks(ROWS_PER_BYTE)) {
            let mut bytes = [0_u8; LANES];
            for number in few {
                for (sum, weight) in bytes.iter_mut().zip(&self.rows[*number as usize]) {
                    *sum = sum.wrapping_add(*weight);
                }
            }
            for (sum, byte) in part.iter_mut().zip(bytes) {
                *sum = sum.wrapping_add(u16::from(byte));
            }
        }
        for (sum, part) in sums.iter_mut().zip(part) {
            *sum += u32::from(part);
        }
    }
}

/// What the sum of the rows of so many features is multiplied by: a long text says more than a short one, but its
/// features are no witnesses that are independent of each other.
pub fn norm(rows: usize) -> f32 {
    1.0 / (rows.max(1) as f32).sqrt()
}

/// Calls `found` with the hash of each feature: every run of 2 to 5 letters in a word with its gaps, and every word
/// that is longer.
#[inline]
pub fn features(letters: &[u8], mut found: impl FnMut(u64)) {
    let (mut run, mut word, mut length) = (0_u64, 0_u64, 0_usize);
    for unit in letters {
        run = run << 8 | u64::from(*unit);
        length += 1;
        for letters in RUN_MIN..=RUN_MAX {
            if letters <= length {
                found(hashed(run & ((1 << (8 * letters)) - 1), letters as u64));
            }
        }
        if *unit == GAP {
            if length > RUN_MAX {
                found(hashed(word, 0));
            }
            // The gap after a word is the one before the next.
            (word, length) = (0, 1);
        } else {
            word = (word ^ u64::from(*unit)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }
}

/// The upper bits are mixed best.
#[inline]
fn hashed(value: u64, kind: u64) -> u64 {
    (value ^ kind << 56).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
