//! A field's text, character by character: what may be searched, what makes up words, and where words end.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

use super::glyph::{Glyph, clusters, compatible, continues, fold, glyphs, is_ignored};

/// Particles that end a word by themselves.
const PARTICLES: [&str; 10] = ["은", "는", "이", "가", "을", "를", "의", "도", "나", "이나"];
/// Particles of case, after which others may stand.
const CASES: [&str; 23] = [
    "에",
    "에서",
    "에게",
    "에게서",
    "께",
    "께서",
    "한테",
    "한테서",
    "로",
    "으로",
    "로서",
    "으로서",
    "로써",
    "으로써",
    "와",
    "과",
    "하고",
    "랑",
    "이랑",
    "처럼",
    "보다",
    "마다",
    "",
];
const LIMITS: [&str; 7] = ["까지", "부터", "만", "조차", "마저", "밖에", ""];
const TOPICS: [&str; 9] = ["은", "는", "도", "의", "나", "이나", "라도", "이라도", ""];
/// These stand after a limit only.
const SUBJECTS: [&str; 4] = ["이", "가", "을", "를"];

/// All that a Hangul word may carry: case, limit and topic, each of them or none, in this order.
static CARRIED: LazyLock<Vec<Vec<Glyph>>> = LazyLock::new(|| {
    let mut carried: HashSet<String> = PARTICLES.map(str::to_owned).into();
    for case in CASES {
        for limit in LIMITS {
            let subjects = SUBJECTS.iter().filter(|_| !limit.is_empty());
            carried.extend(TOPICS.iter().chain(subjects).map(|last| format!("{case}{limit}{last}")));
        }
    }
    spelt_each(carried)
});

/// All that may stand before an Arabic or a Hebrew word without a space: conjunction, preposition and article, each of
/// them or none, in this order. Before the article ل takes its alef away.
static PREFIXES: LazyLock<Vec<Vec<Glyph>>> = LazyLock::new(|| {
    let mut prefixes = HashSet::new();
    for and in ["", "و", "ف"] {
        for preposition in ["", "ب", "ك", "ل"] {
            prefixes.extend(["", "ال"].map(|article| format!("{and}{preposition}{article}").replace("لال", "لل")));
        }
    }
    for and in ["", "ו"] {
        for that in ["", "ש", "כש", "מש"] {
            for preposition in ["", "ב", "כ", "ל", "מ"] {
                prefixes.extend(["", "ה"].map(|article| format!("{and}{that}{preposition}{article}")));
            }
        }
    }
    spelt_each(prefixes)
});

fn spelt_each(spellings: HashSet<String>) -> Vec<Vec<Glyph>> {
    spellings.iter().filter(|spelling| !spelling.is_empty()).map(|spelling| glyphs(spelling)).collect()
}

/// To Unicode a letter, to those who write it an apostrophe.
const APOSTROPHE: char = '\u{2bc}';

/// A character that counts.
#[derive(Clone, Copy, Debug)]
pub struct Letter {
    /// Byte where it begins.
    pub at: usize,
    pub letter: char,
    /// Part of an address: not searched, and no word.
    pub address: bool,
    /// Letter, digit, underscore, or a mark on one of these; never in an address.
    pub word: bool,
    /// A word, or a sign that is made of letters or digits (`㎏`): no gap of a phrase goes over it.
    pub solid: bool,
    /// The second half of a flag: the next half begins another.
    pub ends_flag: bool,
    /// In the run of word characters after a `#`.
    tagged: bool,
    /// Itself, or the character that it continues.
    base: char,
    /// Of the base. Digits are of no script.
    script: Script,
}

impl Letter {
    pub fn end(&self) -> usize {
        self.at + self.letter.len_utf8()
    }

    /// Whether its script is written without spaces.
    pub fn is_unspaced(&self) -> bool {
        is_unspaced(self.script)
    }

    fn is_of_a_script(&self) -> bool {
        !matches!(self.script, Script::Common | Script::Inherited | Script::Unknown)
    }

    /// Whether a token ends between this and the next: the script changes, and both are of one or one has no spaces.
    fn is_parted_from(&self, next: &Self) -> bool {
        let is_script = self.is_of_a_script() && next.is_of_a_script();
        self.script != next.script && (is_script || self.is_unspaced() || next.is_unspaced())
    }
}

/// A glyph of the text with the letters that it was made of. The two s of one ß share their letter.
#[derive(Debug)]
pub struct Placed {
    pub glyph: Glyph,
    /// Of `Text::letters`.
    pub letters: Range<usize>,
    /// Whether it is the first of those that share these letters, and whether it is the last.
    pub first: bool,
    pub last: bool,
}

#[derive(Debug)]
pub struct Text<'a> {
    pub text: &'a str,
    /// Without what is ignored.
    pub letters: Vec<Letter>,
    pub glyphs: Vec<Placed>,
    /// From each place on: where the run of word characters ends, and where the token does.
    run_ends: Vec<usize>,
    token_ends: Vec<usize>,
}

impl<'a> Text<'a> {
    pub fn new(text: &'a str) -> Self {
        let mut letters = letters(text);
        tag(&mut letters);
        let plain: Vec<char> = letters.iter().map(|letter| letter.letter).collect();
        let mut glyphs = Vec::new();
        let mut start = 0;
        for cluster in clusters(&plain) {
            let range = start..start + cluster.len();
            start = range.end;
            let folded = fold(cluster);
            let last = folded.len().saturating_sub(1);
            for (at, glyph) in folded.into_iter().enumerate() {
                glyphs.push(Placed { glyph, letters: range.clone(), first: at == 0, last: at == last });
            }
        }
        let mut text = Self { text, letters, glyphs, run_ends: Vec::new(), token_ends: Vec::new() };
        text.run_ends = text.ends_of(|text, place| text.letters.get(place).is_none_or(|letter| !letter.word));
        text.token_ends = text.ends_of(Self::is_boundary);
        text
    }

    /// For each place the first from there on at which something ends.
    fn ends_of(&self, ends: impl Fn(&Self, usize) -> bool) -> Vec<usize> {
        let mut found = vec![self.letters.len(); self.letters.len() + 1];
        for place in (0..self.letters.len()).rev() {
            found[place] = if ends(self, place) { place } else { found[place + 1] };
        }
        found
    }

    /// Whether a letter that is searched has a mark.
    pub fn has_marks(&self) -> bool {
        let is_searched = |placed: &&Placed| !self.letters[placed.letters.start].address;
        self.glyphs.iter().filter(is_searched).any(|placed| !placed.glyph.marks.is_empty())
    }

    /// The place among the letters of a byte of the text.
    pub fn place(&self, byte: usize) -> usize {
        self.letters.partition_point(|letter| letter.at < byte)
    }

    fn beside(&self, place: usize) -> Option<(Letter, Letter)> {
        Some((*self.letters.get(place.checked_sub(1)?)?, *self.letters.get(place)?))
    }

    /// Whether a word ends or begins before the letter at `place`, whatever is looked for.
    pub fn is_boundary(&self, place: usize) -> bool {
        let Some((before, after)) = self.beside(place) else { return true };
        !before.word || !after.word || (before.is_parted_from(&after) && self.parts_characters(place))
    }

    /// Whether the letter at `place` does not continue the one before it.
    pub fn parts_characters(&self, place: usize) -> bool {
        place == 0 || self.letters.get(place).is_none_or(|letter| !continues(letter.letter))
    }

    /// Whether an occurrence may begin at `place`.
    pub fn begins(&self, place: usize) -> bool {
        self.is_boundary(place) || self.letters.get(place).is_some_and(Letter::is_unspaced) || self.after_prefix(place)
    }

    /// Whether an occurrence may end before `place`.
    pub fn ends(&self, place: usize) -> bool {
        let Some(last) = place.checked_sub(1).map(|before| self.letters[before]) else { return true };
        let may_carry = last.script == Script::Hangul || last.base.is_numeric();
        self.is_boundary(place) || last.is_unspaced() || (may_carry && self.before_particle(place))
    }

    /// Whether a particle stands at `place`, and then a word ends.
    fn before_particle(&self, place: usize) -> bool {
        CARRIED.iter().any(|carried| self.spelt_from(place, carried).is_some_and(|end| self.is_boundary(end)))
    }

    /// Whether the letters before `place`, back to a boundary, are an article or a preposition written together.
    fn after_prefix(&self, place: usize) -> bool {
        PREFIXES.iter().any(|prefix| {
            let end = self.glyphs.partition_point(|glyph| glyph.letters.start < place);
            let Some(start) = end.checked_sub(prefix.len()) else { return false };
            let start = self.glyphs[start].letters.start;
            self.is_boundary(start) && self.spelt_from(start, prefix) == Some(place)
        })
    }

    /// The place after `spelling`, if it stands at `place`.
    fn spelt_from(&self, place: usize, spelling: &[Glyph]) -> Option<usize> {
        let start = self.glyphs.partition_point(|glyph| glyph.letters.start < place);
        let found = self.glyphs.get(start..start + spelling.len())?;
        let same = found.iter().zip(spelling).all(|(found, wanted)| found.glyph == *wanted);
        let last = found.last()?;
        (same && last.last && found[0].letters.start == place).then_some(last.letters.end)
    }

    /// Whether a part of a hashtag ends before the letter at `place`: `#Vodafone|Sucks`, `#BBC|News`, `#covid|19`,
    /// `#snake|_|case`.
    pub fn is_seam(&self, place: usize) -> bool {
        let Some((before, after)) = self.beside(place) else { return false };
        if !before.tagged || !after.tagged || continues(after.letter) {
            return false;
        }
        let (before, after) = (before.base, after.letter);
        let next = self.letters[place + 1..].iter().find(|letter| !continues(letter.letter));
        let is_word_after_acronym =
            before.is_uppercase() && next.is_some_and(|next| next.word && next.letter.is_lowercase());
        let hump = (before.is_lowercase() || before.is_numeric() || is_word_after_acronym) && after.is_uppercase();
        let count = (before.is_alphabetic() && after.is_numeric()) || (before.is_numeric() && after.is_alphabetic());
        hump || count || is_underscore(before) || is_underscore(after)
    }

    /// The bytes of each token, and its length in half-tokens: two for a word, a part of a hashtag and an address, one
    /// for a character of a script without spaces. Signs and punctuation are no tokens.
    pub fn tokens(&self) -> Vec<(Range<usize>, usize)> {
        let mut tokens: Vec<(Range<usize>, usize)> = Vec::new();
        let mut start = 0;
        for place in 1..=self.letters.len() {
            let is_whole_address = |at: usize| self.letters.get(at).is_some_and(|letter| letter.address);
            let goes_on = is_whole_address(place - 1) && is_whole_address(place);
            let is_single = !goes_on && self.letters[start].is_unspaced() && self.parts_characters(place);
            if goes_on || !(is_single || self.is_boundary(place) || self.is_seam(place)) {
                continue;
            }
            let token = &self.letters[start..place];
            start = place;
            let (first, last) = (&token[0], &token[token.len() - 1]);
            let is_word = token.iter().any(|letter| letter.word && letter.base.is_alphanumeric());
            let halves = match first.address {
                true => 2,
                false if first.is_unspaced() => usize::from(first.word),
                false => 2 * usize::from(is_word),
            };
            tokens.push((first.at..last.end(), halves));
        }
        tokens
    }

    /// The end of the run of word characters from `place` on.
    pub fn run_end(&self, place: usize) -> usize {
        self.run_ends[place]
    }

    /// The end of the token from `place` on.
    pub fn token_end(&self, place: usize) -> usize {
        self.token_ends[place]
    }
}

/// The characters that are not ignored.
fn letters(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> = Vec::new();
    let mut address = false;
    for (at, letter) in text.char_indices() {
        address = !ends_address(letter) && (address || begins_address(&text[at..]));
        if address || !is_ignored(letter) {
            let word = !address && is_word(letter, letters.last());
            let solid = word || !continues(letter) && compatible(letter).into_iter().any(is_letter);
            let continued = letters.last().filter(|_| continues(letter));
            let (base, script) = continued.map_or((letter, script(letter)), |before| (before.base, before.script));
            let half = letters.last().filter(|before| is_half_flag(before.letter) && !before.ends_flag);
            let ends_flag = is_half_flag(letter) && half.is_some();
            letters.push(Letter { at, letter, address, word, solid, ends_flag, tagged: false, base, script });
        }
    }
    letters
}

fn begins_address(text: &str) -> bool {
    let begins = |scheme: &str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    begins("http://") || begins("https://")
}

/// White space, what encloses an address, the punctuation of Chinese and Japanese, and the first letter of a script
/// without spaces: there the text goes on directly behind an address.
fn ends_address(letter: char) -> bool {
    let is_punctuation = matches!(letter,
        '<' | '>' | '"' | '\u{3000}'..='\u{3003}' | '\u{3008}'..='\u{301f}' | '\u{30fb}' | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff3e}' | '\u{ff5b}'..='\u{ff65}');
    letter.is_whitespace() || is_punctuation || (is_unspaced(script(letter)) && !continues(letter))
}

/// Notes which letters follow a `#`.
fn tag(letters: &mut [Letter]) {
    let mut tagged = false;
    for letter in letters {
        tagged = tagged && letter.word;
        letter.tagged = tagged;
        tagged = tagged || (!letter.address && is_hash(letter.letter));
    }
}

/// Two of these are a flag.
pub fn is_half_flag(letter: char) -> bool {
    matches!(letter, '\u{1f1e6}'..='\u{1f1ff}')
}

pub fn is_hash(letter: char) -> bool {
    matches!(letter, '#' | '＃' | '﹟')
}

pub fn is_dollar(letter: char) -> bool {
    matches!(letter, '$' | '＄' | '﹩')
}

pub fn is_at(letter: char) -> bool {
    matches!(letter, '@' | '＠' | '﹫')
}

/// Letters, digits, the underscore, and what continues a character if that is one of these.
fn is_word(letter: char, before: Option<&Letter>) -> bool {
    match before.filter(|_| continues(letter)) {
        Some(before) => before.word,
        None => is_letter(letter) || is_combining_mark(letter),
    }
}

/// Letters, digits and the underscore. 🅰 🅱 🅾 🅿 and their like are signs.
pub fn is_letter(letter: char) -> bool {
    let is_sign = matches!(letter, APOSTROPHE | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}');
    !is_sign && letter.is_alphanumeric() || is_underscore(letter)
}

fn is_underscore(letter: char) -> bool {
    matches!(letter, '_' | '＿')
}

fn is_unspaced(script: Script) -> bool {
    use Script::{Han, Hiragana, Katakana, Khmer, Lao, Myanmar, Thai};
    matches!(script, Han | Hiragana | Katakana | Thai | Lao | Khmer | Myanmar)
}

/// The script of a letter; of one that is of none, that of what it is compared as. Digits are of no script.
fn script(letter: char) -> Script {
    if letter.is_numeric() {
        return Script::Common;
    }
    let simple = if letter.script() == Script::Common { compatible(letter)[0] } else { letter };
    match simple {
        'ー' => Script::Katakana,
        '〆' => Script::Han,
        _ => simple.script(),
    }
}
