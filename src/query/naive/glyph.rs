//! Letters as they are compared: a base with its marks, whatever case or width it was written in.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{canonical_combining_class, is_combining_mark};

use super::super::{Fold, Reading};

/// Stand for the strokes of ł, đ, ħ, ŧ and of ø, which Unicode does not take apart.
const STROKE: char = '\u{335}';
const SLASH: char = '\u{338}';
/// Marks of one letter that are told apart: the first in order of their code points.
const MARKS_TOLD_MAX: usize = 7;
const DOT_ABOVE: char = '\u{307}';
const GRAVE: char = '\u{300}';
const ACUTE: char = '\u{301}';
const CEDILLA: char = '\u{327}';

/// One letter, or one other character.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glyph {
    pub base: char,
    /// In order of their code points.
    pub marks: Vec<char>,
    /// For an i, which of the four it is.
    pub eye: Option<Eye>,
}

/// The four i: of all languages that fold case only Turkish tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eye {
    /// `i`
    Small,
    /// `I`
    Capital,
    /// `ı`
    Dotless,
    /// `İ`
    Dotted,
}

/// How the letters of a literal are compared with those of a text.
#[derive(Clone, Copy, Debug)]
pub struct Compare {
    pub reading: Reading,
    /// Whether marks that are typed may be missing.
    pub marks: Marks,
}

/// Whether marks that a literal types must be in the text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Marks {
    Mandatory,
    Optional,
}

impl Compare {
    /// Whether a letter that is typed finds one of a text: without marks it finds the letter with any marks.
    pub fn finds(self, typed: &Glyph, other: &Glyph) -> bool {
        let marks = match self.reading.fold {
            Fold::All => true,
            Fold::Strict => typed.marks == other.marks,
            Fold::Typed => self.marks == Marks::Optional || typed.marks.is_empty() || typed.marks == other.marks,
        };
        typed.base == other.base && marks && self.eye(typed.eye) == self.eye(other.eye)
    }

    /// What of an i is compared.
    fn eye(self, eye: Option<Eye>) -> Option<Eye> {
        let eye = eye.filter(|_| self.reading.parts_i())?;
        Some(match (eye, self.reading.turkish) {
            (Eye::Capital, true) => Eye::Dotless,
            (Eye::Dotted, true) => Eye::Small,
            (Eye::Capital, false) => Eye::Small,
            (eye, _) => eye,
        })
    }
}

/// The glyphs of a literal or of another short text.
pub fn glyphs(text: &str) -> Vec<Glyph> {
    let letters: Vec<char> = text.chars().filter(|&letter| !is_ignored(letter)).collect();
    clusters(&letters).flat_map(fold).collect()
}

/// Cuts before every character that does not continue the one before it.
pub fn clusters(letters: &[char]) -> impl Iterator<Item = &[char]> {
    letters.chunk_by(|_, &next| continues(next))
}

/// Combining marks, the vowels and finals of Hangul written apart, the voicing of half-width kana.
pub fn continues(letter: char) -> bool {
    is_combining_mark(letter) || matches!(letter, '\u{1160}'..='\u{11ff}' | '\u{ff9e}' | '\u{ff9f}')
}

/// Characters that a text may hold anywhere without being another text.
pub fn is_ignored(letter: char) -> bool {
    let is_tatweel = matches!(
        letter,
        '\u{640}' | '\u{fcf2}'
            ..='\u{fcf4}' | '\u{fe71}' | '\u{fe77}' | '\u{fe79}' | '\u{fe7b}' | '\u{fe7d}' | '\u{fe7f}'
    );
    is_tatweel || matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' | '™' | '℠') || is_variation(letter)
}

/// Selects how the character before it is drawn.
pub fn is_variation(letter: char) -> bool {
    matches!(letter, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The vowel signs of Arabic and the points of Hebrew: never compared.
fn is_unwritten(mark: char) -> bool {
    let known = matches!(mark,
        '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}' | '\u{591}'..='\u{5c7}');
    known && is_combining_mark(mark)
}

/// Whether a character stands upon the letter before it, or makes a syllable of Hangul with it.
fn is_upon(part: char) -> bool {
    is_optional(part) || is_unwritten(part) || is_voicing(part) || matches!(part, '\u{1160}'..='\u{11ff}')
}

/// Marks that a query may leave out. All other combining characters (the vowels of Thai, of Devanagari) are letters.
fn is_optional(mark: char) -> bool {
    let known = matches!(mark,
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe20}'..='\u{fe2f}');
    known && is_combining_mark(mark)
}

/// The glyphs of one cluster.
pub fn fold(cluster: &[char]) -> Vec<Glyph> {
    let mut glyphs: Vec<Glyph> = Vec::new();
    for group in ordered(cluster).chunk_by(|_, &next| is_upon(next)) {
        for part in composed(group).into_iter().flat_map(apart) {
            if is_ignored(part) || is_unwritten(part) {
                continue;
            }
            match glyphs.last_mut() {
                Some(glyph) if is_optional(part) => mark(glyph, part),
                _ => glyphs.extend(bases(part)),
            }
        }
    }
    for glyph in &mut glyphs {
        glyph.marks.sort_unstable();
        glyph.marks.truncate(MARKS_TOLD_MAX);
    }
    glyphs
}

/// The parts of a cluster in Unicode's order, but marks before all else that stands upon a letter: the vowels and tones
/// of Thai, the virama of Devanagari. These are letters with marks of their own.
fn ordered(cluster: &[char]) -> Vec<char> {
    let parts: Vec<char> = cluster.iter().flat_map(|&letter| compatible(letter)).nfd().collect();
    let mut ordered: Vec<char> = Vec::new();
    for run in parts.chunk_by(|_, &next| canonical_combining_class(next) != 0) {
        // What voices kana is a letter behind any other.
        let is_letter = |part: &char| !is_upon(*part) || (is_voicing(*part) && !is_kana(run[0]));
        let (letters, marks): (Vec<char>, Vec<char>) = run[1..].iter().partition(|part| is_letter(part));
        ordered.extend(run[..1].iter().chain(&marks).chain(&letters));
    }
    ordered
}

fn is_kana(letter: char) -> bool {
    matches!(letter, '\u{3040}'..='\u{3098}' | '\u{309b}'..='\u{30ff}')
}

fn is_voicing(part: char) -> bool {
    matches!(part, '\u{3099}' | '\u{309a}')
}

/// A letter with its marks composed, where that may make another letter.
fn composed(group: &[char]) -> Vec<char> {
    match group[0] {
        'и' | 'И' | 'у' | 'У' | 'і' | 'І' | 'و' | 'ي' | '\u{3040}'..='\u{30ff}' | '\u{1100}'..='\u{1112}' => {
            group.iter().copied().nfc().collect()
        }
        _ => group.to_vec(),
    }
}

/// A character as it is compared whatever its width, its ring, its place in a word: `①` is 1, `㈜` is 주, `ى` is ي.
pub fn compatible(letter: char) -> Vec<char> {
    if matches!(letter, '\u{b4}' | '\u{1ffd}') {
        return vec!['\''];
    }
    let parts: Vec<char> = std::iter::once(letter).nfkd().map(|part| if part == 'ى' { 'ي' } else { part }).collect();
    match parts.as_slice() {
        ['(', inside @ .., ')'] => inside.to_vec(),
        _ => parts,
    }
}

/// A letter taken apart, unless its marks are part of it.
fn apart(letter: char) -> Vec<char> {
    match letter {
        'й' | 'Й' | 'ї' | 'Ї' | 'ў' | 'Ў' | 'ؤ' | 'ئ' | '\u{3040}'..='\u{30ff}' | '\u{ac00}'..='\u{d7a3}' => {
            vec![letter]
        }
        _ => letter.nfd().collect(),
    }
}

/// Adds a mark to a glyph, if it makes a difference there.
fn mark(glyph: &mut Glyph, mark: char) {
    let cyrillic = matches!(glyph.base, '\u{400}'..='\u{52f}');
    let dropped = match mark {
        ACUTE | GRAVE => cyrillic,
        DOT_ABOVE => glyph.base == 'i',
        '\u{308}' => glyph.base == 'е',
        _ => false,
    };
    // Romanian is written with either.
    if mark == DOT_ABOVE && glyph.eye == Some(Eye::Capital) {
        glyph.eye = Some(Eye::Dotted);
    }
    let is_comma = mark == '\u{326}' && matches!(glyph.base, 's' | 't');
    if !dropped {
        glyph.marks.push(if is_comma { CEDILLA } else { mark });
    }
}

/// What a character without marks is compared as.
fn bases(letter: char) -> Vec<Glyph> {
    let letter_as_written = letter;
    if is_combining_mark(letter) {
        return vec![Glyph { base: letter, marks: Vec::new(), eye: None }];
    }
    // ẞ becomes ß, then SS, then ss; ı becomes I, then i.
    let small = letter.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase);
    let glyph = |letter| {
        let (base, marks) = match letter {
            'ł' => ('l', vec![STROKE]),
            'đ' => ('d', vec![STROKE]),
            'ħ' => ('h', vec![STROKE]),
            'ŧ' => ('t', vec![STROKE]),
            'ø' => ('o', vec![SLASH]),
            'ٱ' => ('ا', Vec::new()),
            'ة' => ('ه', Vec::new()),
            other => (other, Vec::new()),
        };
        let eye = match letter_as_written {
            'i' => Some(Eye::Small),
            'I' => Some(Eye::Capital),
            'ı' => Some(Eye::Dotless),
            _ => None,
        };
        Glyph { base, marks, eye: eye.filter(|_| base == 'i') }
    };
    small.map(glyph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(query: &str, text: &str) -> bool {
        let (query, text) = (glyphs(query), glyphs(text));
        let compare = Compare { reading: Reading::default(), marks: Marks::Mandatory };
        query.len() == text.len() && query.iter().zip(&text).all(|(query, text)| compare.finds(query, text))
    }

    #[test]
    fn marks_may_be_left_out_and_are_never_made_up() {
        for (plain, marked) in [("nino", "niño"), ("lodz", "Łódź"), ("ore", "Øre"), ("λογος", "ΛΌΓΟΣ"), ("em", "ệm")]
        {
            assert!(finds(plain, marked) && finds(marked, marked) && !finds(marked, plain), "{plain} {marked}");
        }
    }

    #[test]
    fn some_letters_are_the_same_both_ways() {
        let same = [
            ("straße", "STRASSE"),
            ("ёлка", "елка"),
            ("İI", "ıi"),
            ("أحمد", "احمد"),
            ("مصطفى", "مصطفي"),
            ("مدرسة", "مدرسه"),
            ("كِتَابٌ", "كتاب"),
            ("שָׁלוֹם", "שלום"),
            ("ﾀﾜｰ", "タワー"),
            ("ＡＢＣ", "abc"),
            ("λόγος", "ΛΌΓΟΣ"),
            ("за́мок", "замок"),
            ("vo\u{ad}da", "voda"),
            ("ﬁsh", "fish"),
            ("й", "и\u{306}"),
            ("ﾊﾞ", "バ"),
            ("한", "\u{1112}\u{1161}\u{11ab}"),
            ("하\u{11ab}", "한"),
            ("㈜", "주"),
            ("STRAẞE", "strasse"),
            ("ș", "ş"),
            ("țară", "ţară"),
            ("ᲀᲁ", "вд"),
            ("ى\u{654}", "ئ"),
            ("e\u{323}\u{302}\u{301}\u{30c}", "e\u{30c}\u{301}\u{302}\u{323}"),
            ("\u{fe77}a", "a"),
            ("ŉ", "ʼn"),
        ];
        for (one, other) in same {
            assert!(finds(one, other) && finds(other, one), "{one} {other}");
        }
    }

    #[test]
    fn some_letters_only_look_alike() {
        for (one, other) in [("йод", "иод"), ("ї", "і"), ("ґ", "г"), ("æ", "ae"), ("が", "か"), ("ก็", "ก")]
        {
            assert!(!finds(one, other) && !finds(other, one), "{one} {other}");
        }
    }
}
