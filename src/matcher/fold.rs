//! What a character is to the matcher: its base letter, its marks, its kind and its loosest form.
//! Unaware of literals: the same tables serve queries and posts.

use std::ops::Range;
use std::sync::OnceLock;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, compose, is_combining_mark};
use unicode_script::{Script, UnicodeScript};

use super::composed;

/// A set of facts about one character, as bits.
pub(super) type Kind = u32;

/// Letter, mark, digit or underscore.
pub(super) const WORD: Kind = 1;
/// In a script that is written without spaces.
pub(super) const UNSEGMENTED: Kind = 1 << 1;
pub(super) const HANGUL: Kind = 1 << 2;
pub(super) const UPPER: Kind = 1 << 3;
pub(super) const LOWER: Kind = 1 << 4;
pub(super) const DIGIT: Kind = 1 << 5;
pub(super) const SPACE: Kind = 1 << 6;
/// An apostrophe or a hyphen.
pub(super) const JOINT: Kind = 1 << 7;
/// Belongs to the letter before it.
pub(super) const MARK: Kind = 1 << 8;
/// As if it were not there.
pub(super) const IGNORED: Kind = 1 << 9;
/// Decomposes into more than one base letter.
pub(super) const SEVERAL: Kind = 1 << 10;
/// Joins with its neighbours to a Hangul syllable.
pub(super) const JAMO: Kind = 1 << 11;
/// Letter of any script.
pub(super) const LETTER: Kind = 1 << 12;
/// A letter of its own that continues the character before it: a vowel sign, a tone mark.
pub(super) const COMBINING: Kind = 1 << 13;
/// Has a mark after it, so that the character that ends it is of no script.
pub(super) const MARKED: Kind = 1 << 14;

/// The second half of a flag: the next half begins another.
pub(super) const SECOND: Kind = 1 << 16;

pub(super) const UNDERSCORE: Kind = 1 << 17;

/// Base letters of the longest decomposition of one character.
const DECOMPOSED_LETTERS_MAX: usize = 18;

/// Marks of one letter that are told apart.
const MARKS_TOLD_MAX: usize = 7;
const MARK_BITS: usize = 9;

/// The first seven marks of one letter in order of their code points, nine bits each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Marks(u64);

impl Marks {
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn add(&mut self, mark: char) {
        let held = |place: usize| (self.0 >> (place * MARK_BITS)) & ((1 << MARK_BITS) - 1);
        let mut marks: [u64; MARKS_TOLD_MAX + 1] = std::array::from_fn(|place| match place {
            MARKS_TOLD_MAX => mark_number(mark),
            _ => held(place),
        });
        // No mark is 0, which comes last.
        marks.sort_unstable_by_key(|number| number.wrapping_sub(1));
        let told = marks.iter().take(MARKS_TOLD_MAX).enumerate();
        self.0 = told.fold(0, |told, (place, number)| told | (number << (place * MARK_BITS)));
    }
}

/// Where the marks of letters lie. Together they are fewer than nine bits can number.
const MARK_RANGES: [(char, char); 5] = [
    ('\u{300}', '\u{36f}'),
    ('\u{1ab0}', '\u{1aff}'),
    ('\u{1dc0}', '\u{1dff}'),
    ('\u{20d0}', '\u{20ff}'),
    ('\u{fe20}', '\u{fe2f}'),
];

/// Marks numbered from 1 in order of their code points.
fn mark_number(mark: char) -> u64 {
    let mut number = 1;
    for (first, last) in MARK_RANGES {
        if mark <= last {
            return number + u64::from(mark as u32 - (first as u32).min(mark as u32));
        }
        number += u64::from(last as u32 - first as u32 + 1);
    }
    number
}

/// A base letter in lower case, with the marks upon it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Letter {
    pub base: char,
    /// For an i, which of the four it is.
    pub eye: Option<Eye>,
    pub marks: Marks,
}

/// `i`, `I`, `ı` and `İ`: of all languages that fold case only Turkish tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Eye {
    Small,
    Capital,
    Dotless,
    Dotted,
}

impl Letter {
    pub fn plain(base: char) -> Self {
        Self { base, eye: None, marks: Marks::default() }
    }

    pub fn is_marked(self) -> bool {
        !self.marks.is_empty()
    }

    /// Takes a mark that follows: some make another letter, some are dropped, the others are marks. Voicing is refused
    /// by what cannot be voiced. A mark that comes after another in the same place makes no other letter.
    fn take(&mut self, mark: char, is_first: bool) -> bool {
        match (self.base, mark) {
            (_, '\u{3099}' | '\u{309a}') if !is_first => return false,
            ('и' | 'у', '\u{306}') | ('і', '\u{308}') | ('و' | 'ي', '\u{654}') | (_, '\u{3099}' | '\u{309a}')
                if is_first =>
            {
                let composed = compose(self.base, mark);
                self.base = composed.unwrap_or(self.base);
                return composed.is_some();
            }
            // Romanian is written with either.
            ('s' | 't', '\u{326}') => self.marks.add('\u{327}'),
            ('i', '\u{307}') => {
                if self.eye == Some(Eye::Capital) {
                    self.eye = Some(Eye::Dotted);
                }
            }
            ('е', '\u{308}') | ('\u{400}'..='\u{52f}', '\u{300}' | '\u{301}') => {}
            _ if is_unwritten(mark) => {}
            _ => self.marks.add(mark),
        }
        true
    }
}

/// What is known of one character. A character of several letters tells only its kind here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub letter: Letter,
    /// The base in its loosest form; none for marks and for what is ignored.
    pub loose: Option<char>,
    pub kind: Kind,
    /// Digits are of no script.
    pub script: Script,
    /// The class by which Unicode orders it among the marks of one letter; 0 for what is not moved.
    pub class: u8,
    /// Not 0 for a letter of a word as any other of its script: between two that have the same, no literal begins or ends
    /// outside a hashtag, unless they are [`UNSPACED`].
    pub smooth: u8,
    /// Where its letter has marks already.
    places: u8,
}

const PAGE: usize = 256;
const PAGES: usize = (char::MAX as usize + 1) / PAGE;

static TABLE: [OnceLock<Box<[Entry; PAGE]>>; PAGES] = [const { OnceLock::new() }; PAGES];

/// What is known of `character`, from a table that is filled page by page as pages are first asked for.
#[inline]
pub(super) fn entry(character: char) -> &'static Entry {
    let code = character as usize;
    let page = TABLE[code / PAGE].get_or_init(|| {
        let first = (code / PAGE * PAGE) as u32;
        Box::new(std::array::from_fn(|at| char::from_u32(first + at as u32).map_or(NOTHING, describe)))
    });
    &page[code % PAGE]
}

const NOTHING: Entry = Entry {
    letter: Letter { base: '\0', eye: None, marks: Marks(0) },
    loose: None,
    kind: IGNORED,
    script: Script::Common,
    class: 0,
    smooth: 0,
    places: 0,
};

fn describe(character: char) -> Entry {
    let script = script_of(character);
    let mut kind = kind_of(character, script);
    let mut marks = simple_marks(character);
    let first = marks.next().unwrap_or(character);
    let class = canonical_combining_class(first);
    if kind & (IGNORED | MARK) != 0 {
        let mut letter = Letter::plain(first);
        marks.for_each(|mark| letter.marks.add(mark));
        return Entry { letter, loose: None, kind, script, class, smooth: 0, places: place(first) };
    }
    let (letters, places) = decompose(character);
    if letters.len() > 1 {
        kind |= SEVERAL;
    }
    let letter = letters.first().copied().unwrap_or(Letter::plain(character));
    let loose = loosest(letter.base);
    let is_same = loose == letter.base || kind & UNSEGMENTED != 0;
    let smooth = if is_same && class == 0 { smoothness(kind, script) } else { 0 };
    Entry { letter, loose: Some(loose), kind: kind | joint(letter), script, class, smooth, places }
}

/// The smoothness of letters of scripts without spaces: a literal may begin before each, and end behind each.
pub(super) const UNSPACED: u8 = 254;

fn smoothness(kind: Kind, script: Script) -> u8 {
    let is_rough = kind & (HANGUL | COMBINING | SEVERAL | JAMO | MARK | IGNORED | UNDERSCORE) != 0;
    let is_plain = kind & WORD != 0 && kind & (LETTER | DIGIT) != 0 && !is_rough;
    match script {
        Script::Common | Script::Inherited | Script::Unknown | Script::Arabic | Script::Hebrew => 0,
        _ if is_plain && kind & UNSEGMENTED != 0 => UNSPACED,
        _ if is_plain => script as u8 + 1,
        _ => 0,
    }
}

/// Whether a letter is a joint, as a fact.
fn joint(letter: Letter) -> Kind {
    if is_joint(letter.base) { JOINT } else { 0 }
}

/// The script of a character; of one that is of none, that of its compatible form.
fn script_of(character: char) -> Script {
    if character.is_numeric() {
        return Script::Common;
    }
    let simple = match character.script() {
        Script::Common => compatible(character)[0],
        _ => character,
    };
    match simple {
        'ー' => Script::Katakana,
        '〆' => Script::Han,
        _ => simple.script(),
    }
}

/// Whether letters of two scripts are of two tokens: of two real ones, or one of them is written without spaces.
pub(super) fn parts_scripts(left: Script, right: Script) -> bool {
    let is_real = |script| !matches!(script, Script::Common | Script::Inherited | Script::Unknown);
    left != right && (is_real(left) && is_real(right) || is_unsegmented(left) || is_unsegmented(right))
}

fn kind_of(character: char, script: Script) -> Kind {
    if is_ignored(character) {
        return IGNORED;
    }
    let combining = is_combining_mark(character);
    let is_underscore = matches!(character, '_' | '＿');
    // To Unicode ʼ and 🅿 are letters; to those who write them, an apostrophe and a sign.
    let is_sign = matches!(character, '\u{2bc}' | '\u{1f150}'..='\u{1f169}' | '\u{1f170}'..='\u{1f189}');
    let is_alphanumeric = character.is_alphanumeric() && !is_sign;
    let facts = [
        (WORD, is_alphanumeric || combining || is_underscore),
        (UNDERSCORE, is_underscore),
        (LETTER, is_alphanumeric && character.is_alphabetic() && !combining),
        (UNSEGMENTED, is_unsegmented(script)),
        (HANGUL, script == Script::Hangul),
        (UPPER, character.is_uppercase()),
        (LOWER, character.is_lowercase()),
        (DIGIT, character.is_numeric()),
        (SPACE, character.is_whitespace()),
        (MARK, is_mark(character)),
        (
            COMBINING,
            combining && !is_mark(character) || is_voicing(character) || matches!(character, '\u{1160}'..='\u{11ff}'),
        ),
        (JAMO, matches!(character, '\u{1100}'..='\u{11ff}')),
    ];
    facts.into_iter().filter(|&(_, holds)| holds).fold(0, |kind, (fact, _)| kind | fact)
}

fn is_unsegmented(script: Script) -> bool {
    matches!(
        script,
        Script::Han
            | Script::Hiragana
            | Script::Katakana
            | Script::Thai
            | Script::Lao
            | Script::Khmer
            | Script::Myanmar
    )
}

fn is_joint(character: char) -> bool {
    matches!(
        character,
        '\'' | '`' | '‘' | '’' | '\u{2bc}' | '\u{5f3}' | '\u{5f4}' | '-' | '‐' | '–' | '\u{2212}' | '\u{5be}'
    )
}

/// Soft hyphens, joiners, variation selectors, trade mark signs; tatweel, with harakat upon it too.
fn is_ignored(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' | '™' | '℠' | '\u{640}' | '\u{fcf2}'..='\u{fcf4}' | '\u{fe71}'
        | '\u{fe77}' | '\u{fe79}' | '\u{fe7b}' | '\u{fe7d}' | '\u{fe7f}')
        || is_variation(character)
}

/// Arabic harakat and Hebrew points.
pub(super) fn is_unwritten(character: char) -> bool {
    let known = matches!(
        character,
        '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}' | '\u{591}'..='\u{5c7}'
    );
    known && is_combining_mark(character)
}

/// Whether a character is a mark of the letter before it. Other combining characters, as the vowels of Thai and of
/// Devanagari, are letters.
fn is_mark(character: char) -> bool {
    let known = MARK_RANGES.iter().any(|&(first, last)| (first..=last).contains(&character));
    known && is_combining_mark(character) || is_voicing(character) || is_unwritten(character)
}

/// Whether a character voices the kana before it; after anything else it is a letter.
fn is_voicing(character: char) -> bool {
    matches!(character, '\u{3099}' | '\u{309a}' | 'ﾞ' | 'ﾟ')
}

/// What a mark is compared as: the voicing marks of half-width kana are those of kana, and one mark is two.
fn simple_marks(mark: char) -> impl Iterator<Item = char> {
    let (first, second) = match mark {
        'ﾞ' => ('\u{3099}', None),
        'ﾟ' => ('\u{309a}', None),
        '\u{340}' => ('\u{300}', None),
        '\u{341}' => ('\u{301}', None),
        '\u{343}' => ('\u{313}', None),
        '\u{344}' => ('\u{308}', Some('\u{301}')),
        other => (other, None),
    };
    std::iter::once(first).chain(second)
}

/// The compatible form of a character, taken apart. What Unicode writes in parentheses (`㈜`) is what stands in them.
fn compatible(character: char) -> Vec<char> {
    if matches!(character, '\u{b4}' | '\u{1ffd}') {
        return vec!['\''];
    }
    let parts: Vec<char> = std::iter::once(character).nfkd().take(DECOMPOSED_LETTERS_MAX).collect();
    match parts.as_slice() {
        ['(', inside @ .., ')'] => inside.to_vec(),
        _ => parts,
    }
}

/// The letters of one character that is neither a mark nor ignored, and where the last of them has marks.
fn decompose(character: char) -> (Vec<Letter>, u8) {
    if matches!(character, '\u{ac00}'..='\u{d7a3}') {
        return (vec![Letter::plain(character)], 0);
    }
    let mut letters: Vec<Letter> = Vec::new();
    let mut places = 0;
    for part in compatible(character).into_iter().filter(|&part| !is_ignored(part)) {
        if is_mark(part) {
            if !letters.last_mut().is_some_and(|letter| letter.take(part, true)) {
                letters.push(Letter::plain(part));
            }
            places |= place(part);
            continue;
        }
        if let Some(syllable) = letters.last().and_then(|letter| compose_syllable(*letter, part)) {
            letters.pop();
            letters.push(syllable);
            continue;
        }
        places = 0;
        let eye = eye(part);
        let special = |lower| Letter { eye: eye.filter(|_| matches!(lower, 'i' | 'ı')), ..special(lower) };
        for upper in part.to_lowercase().flat_map(char::to_uppercase) {
            letters.extend(upper.to_lowercase().filter(|&lower| !is_mark(lower)).map(special));
        }
    }
    (letters, places)
}

/// The syllable that a Hangul letter makes with the vowel or the final after it.
fn compose_syllable(letter: Letter, after: char) -> Option<Letter> {
    let joins = matches!(after, '\u{1161}'..='\u{11ff}') && letter.marks.is_empty();
    joins.then(|| compose(letter.base, after)).flatten().map(Letter::plain)
}

fn eye(character: char) -> Option<Eye> {
    match character {
        'i' => Some(Eye::Small),
        'I' => Some(Eye::Capital),
        'ı' => Some(Eye::Dotless),
        _ => None,
    }
}

/// Letters whose mark does not decompose, and letters that are written in several ways.
fn special(base: char) -> Letter {
    let marked = |base: char, mark: char| {
        let mut letter = Letter::plain(base);
        letter.marks.add(mark);
        letter
    };
    match base {
        'ł' => marked('l', '\u{335}'),
        'đ' => marked('d', '\u{335}'),
        'ħ' => marked('h', '\u{335}'),
        'ŧ' => marked('t', '\u{335}'),
        'ø' => marked('o', '\u{338}'),
        'ς' => Letter::plain('σ'),
        'ı' => Letter::plain('i'),
        'أ' | 'إ' | 'آ' | 'ٱ' => Letter::plain('ا'),
        'ى' => Letter::plain('ي'),
        'ة' => Letter::plain('ه'),
        other => Letter::plain(other),
    }
}

/// The base without what a mark may have made of it: the same whether the mark came with it or after it.
fn loosest(base: char) -> char {
    match base {
        'й' => 'и',
        'ў' => 'у',
        'ї' => 'і',
        'ؤ' => 'و',
        'ئ' => 'ي',
        '\u{3040}'..='\u{30ff}' => std::iter::once(base).nfd().next().unwrap_or(base),
        other => other,
    }
}

/// The loosest form of a letter.
pub(super) fn loose_of(letter: Letter) -> char {
    loosest(letter.base)
}

/// Whether a base is a letter of words.
pub(super) fn is_word(base: char) -> bool {
    entry(base).kind & WORD != 0
}

/// Whether a base is its own loosest form.
pub(super) fn is_loosest(base: char) -> bool {
    loosest(base) == base
}

/// Where a mark goes, as a bit: above, below, where kana is voiced, or elsewhere.
fn place(mark: char) -> u8 {
    match canonical_combining_class(mark) {
        230 => 1,
        220 => 2,
        8 => 4,
        _ => 8,
    }
}

/// A letter of a text that may yet be joined by what follows it.
struct Held {
    read: Read,
    /// Where it has marks already.
    places: u8,
}

/// A letter as it stands in a text.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub letter: Letter,
    /// As in [`Entry`].
    pub loose: Option<char>,
    pub kind: Kind,
    pub script: Script,
    /// With the marks upon it.
    pub bytes: Range<usize>,
}

impl Held {
    /// Joins a mark, or a part of a Hangul syllable, if it belongs to this letter.
    fn join(&mut self, character: char, entry: &Entry, bytes: &Range<usize>) -> bool {
        let Self { read, places } = self;
        if entry.kind & MARK != 0 {
            let is_taken = simple_marks(character).all(|mark| {
                let place = place(mark);
                let is_taken = read.letter.take(mark, *places & place == 0);
                *places |= place;
                is_taken
            });
            if is_taken {
                read.kind |= MARKED;
                read.bytes.end = bytes.end;
            }
            return is_taken;
        }
        if entry.kind & JAMO == 0 || read.kind & HANGUL == 0 || read.kind & MARKED != 0 {
            return false;
        }
        let Some(syllable) = compose_syllable(read.letter, character) else { return false };
        (read.letter, read.loose, read.bytes.end) = (syllable, Some(syllable.base), bytes.end);
        true
    }
}

/// Calls back with each letter of `text`. Marks come upon the letter before them, and widen its bytes; a character of
/// several letters gives them all at the same bytes. A run of marks is read in order, and given at the bytes of the whole
/// run if it was not.
pub(super) fn for_each_letter(text: &str, found: impl FnMut(Read)) {
    let mut reader = Reader { found, held: None };
    // Up to here marks are known to be in order, and up to here they were read already.
    let (mut ordered, mut read) = (0, 0);
    for (at, character) in text.char_indices() {
        if at < read {
            continue;
        }
        let entry = entry(character);
        if entry.class != 0 && at >= ordered {
            let run = MarkRun::at(text, at);
            ordered = run.bytes.end;
            if !run.is_ordered {
                run.characters().into_iter().for_each(|character| reader.read(character, run.bytes.clone()));
                read = run.bytes.end;
                continue;
            }
        }
        reader.read(character, at..at + character.len_utf8());
    }
    reader.give();
}

struct Reader<F> {
    found: F,
    held: Option<Held>,
}

impl<F: FnMut(Read)> Reader<F> {
    fn read(&mut self, character: char, bytes: Range<usize>) {
        let entry = entry(character);
        if entry.kind & IGNORED != 0 || self.held.as_mut().is_some_and(|held| held.join(character, entry, &bytes)) {
            return;
        }
        self.give();
        let Entry { letter, loose, kind, script, places, .. } = *entry;
        if kind & SEVERAL == 0 {
            self.held = Some(Held { read: Read { letter, loose, kind, script, bytes }, places });
            return;
        }
        let (letters, places) = decompose(character);
        for letter in letters {
            self.give();
            let (loose, kind) = (Some(loosest(letter.base)), kind & !JOINT | joint(letter));
            self.held = Some(Held { read: Read { letter, loose, kind, script, bytes: bytes.clone() }, places });
        }
    }

    fn give(&mut self) {
        if let Some(held) = self.held.take() {
            (self.found)(held.read);
        }
    }
}

/// A run of characters that stand upon a letter, which Unicode orders by their classes; what is ignored is passed.
pub(super) struct MarkRun<'a> {
    text: &'a str,
    pub bytes: Range<usize>,
    pub is_ordered: bool,
}

impl<'a> MarkRun<'a> {
    pub fn at(text: &'a str, start: usize) -> Self {
        let mut run = Self { text, bytes: start..start, is_ordered: true };
        let mut highest = (false, 0);
        for (at, character) in text[start..].char_indices() {
            let entry = entry(character);
            if entry.kind & IGNORED != 0 {
                continue;
            }
            if entry.class == 0 {
                break;
            }
            run.is_ordered &= run.order(entry) >= highest;
            highest = highest.max(run.order(entry));
            run.bytes.end = start + at + character.len_utf8();
        }
        run
    }

    /// In their order.
    fn characters(&self) -> Vec<char> {
        let mut characters: Vec<char> = self.text[self.bytes.clone()].chars().collect();
        characters.retain(|&character| entry(character).kind & IGNORED == 0);
        characters.sort_by_key(|&character| self.order(entry(character)));
        characters
    }

    /// Marks come before letters that stand upon the letter before them, each in Unicode's order. What voices kana is a
    /// letter behind any other.
    fn order(&self, entry: &Entry) -> (bool, u8) {
        let is_voicing = entry.kind & COMBINING != 0;
        let is_mark = entry.kind & MARK != 0 && (!is_voicing || self.follows_kana());
        (!is_mark, entry.class)
    }

    fn follows_kana(&self) -> bool {
        let before = self.text[..self.bytes.start].chars().rev().find(|&before| entry(before).kind & IGNORED == 0);
        let letter = before.and_then(|before| decompose(before).0.pop());
        letter.is_some_and(|letter| matches!(letter.base, '\u{3040}'..='\u{3098}' | '\u{309b}'..='\u{30ff}'))
    }
}

/// Appends one letter.
#[inline]
pub(super) fn push(loose: char, into: &mut Vec<u8>) {
    let mut bytes = [0; 4];
    match *loose.encode_utf8(&mut bytes).as_bytes() {
        [one] => into.push(one),
        [one, two] => into.extend([one, two]),
        [one, two, three] => into.extend([one, two, three]),
        _ => into.extend(bytes),
    }
}

/// Appends the loosest form of one letter.
pub(super) fn push_loose(letter: Letter, into: &mut Vec<u8>) {
    if entry(letter.base).kind & MARK == 0 {
        push(loosest(letter.base), into);
    }
}

/// Whether a character is one base letter wherever it stands: neither ignored nor a mark nor several letters, and never
/// composed with what comes before it.
pub(super) fn is_single(character: char) -> bool {
    entry(character).kind & (IGNORED | MARK | SEVERAL | JAMO) == 0 && composed::begins(character)
}

/// Roughly how much a letter tells: an anchor of more weight is found less often.
pub(super) fn weight(base: char) -> usize {
    match base {
        '\u{3040}'..='\u{30ff}' | '\u{ac00}'..='\u{d7a3}' => 2,
        '\u{3400}'..='\u{9fff}' | '\u{1f000}'..='\u{1faff}' => 3,
        _ => 1,
    }
}

/// One half of a flag.
pub(super) fn is_regional(character: char) -> bool {
    matches!(character, '\u{1f1e6}'..='\u{1f1ff}')
}

pub(super) fn is_variation(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}
