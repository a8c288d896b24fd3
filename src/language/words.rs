//! What of a text tells its language: its letters by script, without links, tags and names, which are written in every
//! language. Unaware of languages, but for the letters that none of the 27 has.

use std::sync::LazyLock;

/// Bytes of a text that are looked at: more change nothing.
pub(super) const BYTES_MAX: usize = 4096;
/// One letter in so many that no language of ours has makes a text foreign.
const FOREIGN_SHARE: usize = 24;
/// Between words, and before the first one.
pub(super) const GAP: u8 = 0;
/// The unit of a letter that is rarer than those with units of their own.
const RARE: u8 = 255;
/// The bit by which capital and small letters of ASCII differ.
const CASE: u8 = 0x20;
/// The first byte of `＃` and `＠`.
const FULL_WIDTH: u8 = 0xEF;
/// Characters that are looked up in a table: those of one or two bytes.
const COMMON: usize = 0x800;

/// What a letter belongs to. Kana and Han are counted apart: together they are Japanese.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    Latin,
    Cyrillic,
    Greek,
    Hebrew,
    Arabic,
    Thai,
    Hangul,
    Kana,
    Han,
    Other,
}

/// The letters of a text.
pub(super) struct Letters {
    /// One byte for each letter in lower case, `GAP` before, between and after the words.
    pub(super) latin: Vec<u8>,
    pub(super) cyrillic: Vec<u8>,
    counts: [u32; Script::Other as usize + 1],
    foreign: u32,
}

impl Letters {
    pub(super) fn of(text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(BYTES_MAX)];
        let mut latin = Vec::with_capacity(text.len() + 2);
        latin.push(GAP);
        let mut letters = Self { latin, cyrillic: vec![GAP], counts: Default::default(), foreign: 0 };
        let common = &*CHARACTERS;
        for word in telling(text) {
            letters.push_word(word, common);
        }
        letters
    }

    pub(super) fn count(&self, script: Script) -> usize {
        self.counts[script as usize] as usize
    }

    pub(super) fn total(&self) -> usize {
        self.counts.iter().map(|count| *count as usize).sum()
    }

    /// Whether the letters are those of a language that is not among ours.
    pub(super) fn are_foreign(&self) -> bool {
        self.foreign as usize * FOREIGN_SHARE > self.total()
    }

    fn push_word(&mut self, word: &str, common: &[Character; COMMON]) {
        for letter in word.chars() {
            let code = letter as usize;
            if letter.is_ascii_alphabetic() {
                self.counts[Script::Latin as usize] += 1;
                self.latin.push(letter as u8 | CASE);
            } else {
                self.push_character(if code < COMMON { common[code] } else { Character::of(letter) });
            }
        }
        push(&mut self.latin, GAP);
        push(&mut self.cyrillic, GAP);
    }

    fn push_character(&mut self, character: Character) {
        match character {
            Character::Letter { script, unit, is_foreign } => {
                self.counts[script as usize] += 1;
                self.foreign += u32::from(is_foreign);
                match script {
                    Script::Latin => self.latin.push(unit),
                    Script::Cyrillic => self.cyrillic.push(unit),
                    _ => {}
                }
            }
            Character::Mark => {}
            Character::Between => {
                push(&mut self.latin, GAP);
                push(&mut self.cyrillic, GAP);
            }
        }
    }
}

/// What one character of a text is.
#[derive(Clone, Copy)]
enum Character {
    /// With its byte, if it is of an alphabet that is told apart by its letters.
    Letter {
        script: Script,
        unit: u8,
        is_foreign: bool,
    },
    /// A mark that stands alone belongs to the letter before it.
    Mark,
    Between,
}

/// By code point.
static CHARACTERS: LazyLock<[Character; COMMON]> =
    LazyLock::new(|| std::array::from_fn(|code| char::from_u32(code as u32).map_or(Character::Between, Character::of)));

impl Character {
    fn of(letter: char) -> Self {
        if matches!(letter, '\u{300}'..='\u{36F}') {
            return Character::Mark;
        }
        let Some(script) = script_of(letter) else { return Character::Between };
        if matches!(script, Script::Hangul | Script::Kana | Script::Han) {
            return Character::Letter { script, unit: RARE, is_foreign: false };
        }
        let lower = letter.to_lowercase().next().unwrap_or(letter);
        let unit = match script {
            Script::Latin => latin_unit(lower),
            Script::Cyrillic => (lower as u32 & 0xFF) as u8,
            _ => RARE,
        };
        Character::Letter { script, unit, is_foreign: is_foreign(lower) }
    }
}

/// A gap is as wide as any other.
fn push(units: &mut Vec<u8>, unit: u8) {
    if unit != GAP || units.last() != Some(&GAP) {
        units.push(unit);
    }
}

/// The words that are no links, tags and names.
pub(super) fn telling(text: &str) -> impl Iterator<Item = &str> {
    // Most texts have none of these, and all bytes at once are looked at faster than word by word.
    let has_signs = text.bytes().fold(false, |has, byte| has | matches!(byte, b'/' | b'#' | b'@' | FULL_WIDTH));
    text.split_whitespace().filter(move |word| !word.starts_with("www.") && (!has_signs || tells(word)))
}

fn tells(word: &str) -> bool {
    if !word.bytes().any(|byte| matches!(byte, b'/' | b'#' | b'@' | FULL_WIDTH)) {
        return true;
    }
    let is_link = word.contains("://")
        || word.split_once('/').is_some_and(|(host, _)| host.contains('.'))
        || word.split_once('@').is_some_and(|(_, host)| host.contains('.'));
    let begun = word.trim_start_matches(|letter: char| !letter.is_alphanumeric() && !is_mark_of_name(letter));
    !is_link && !begun.starts_with(is_mark_of_name)
}

fn is_mark_of_name(letter: char) -> bool {
    matches!(letter, '#' | '@' | '＃' | '＠')
}

fn latin_unit(lower: char) -> u8 {
    match lower {
        // Romanian is written with cedillas and with commas.
        'ș' => latin_unit('ş'),
        'ț' => latin_unit('ţ'),
        'a'..='z' => lower as u8,
        'ß'..='ÿ' => (lower as u32 - 'ß' as u32) as u8 + 128,
        // Capital and small letters alternate here: two have one unit.
        'Ā'..='ſ' => ((lower as u32 - 'Ā' as u32) / 2) as u8 + 128 + 33,
        _ => RARE,
    }
}

/// The script of a letter; of anything else none.
pub(super) fn script_of(letter: char) -> Option<Script> {
    let script = match letter {
        'a'..='z' | 'A'..='Z' => Script::Latin,
        '×' | '÷' => return None,
        'À'..='ɏ' | 'Ḁ'..='ỿ' => Script::Latin,
        'Ѐ'..='ԯ' => Script::Cyrillic,
        'Ͱ'..='Ͽ' | 'ἀ'..='῿' => Script::Greek,
        '\u{590}'..='\u{5FF}' => Script::Hebrew,
        '\u{600}'..='\u{6FF}' | '\u{750}'..='\u{77F}' | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFE}' => {
            Script::Arabic
        }
        '\u{E01}'..='\u{E3A}' | '\u{E40}'..='\u{E46}' => return Some(Script::Thai),
        'ᄀ'..='ᇿ' | 'ㄱ'..='ㆎ' | '가'..='힣' => return Some(Script::Hangul),
        '\u{3041}'..='\u{3096}' | 'ゝ'..='ゟ' | '\u{30A1}'..='\u{30FA}' | 'ー'..='ヿ' | 'ㇰ'..='ㇿ' | 'ｦ'..='ﾝ' =>
        {
            return Some(Script::Kana);
        }
        '々' | '㐀'..='䶿' | '一'..='鿿' | '豈'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}' => {
            return Some(Script::Han);
        }
        // Quotation marks, dashes, arrows, pictures: frequent, and slow to look up.
        '\u{2000}'..='\u{2BFF}' | '\u{3000}'..='\u{303F}' | '\u{FE00}'..='\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}' => {
            return None;
        }
        _ => Script::Other,
    };
    letter.is_alphabetic().then_some(script)
}

/// Letters that none of the 27 is written with, but that their neighbours cannot do without: Persian and Urdu; Serbian,
/// Macedonian, Belarusian, Kazakh and Mongolian; Vietnamese; Latvian, Lithuanian, Croatian, Esperanto, Icelandic and
/// Azerbaijani.
#[rustfmt::skip]
fn is_foreign(lower: char) -> bool {
    matches!(lower,
        'پ' | 'چ' | 'ژ' | 'گ' | 'ک' | 'ی' | 'ٹ' | 'ڈ' | 'ڑ' | 'ں' | 'ے'
        | 'ђ' | 'ј' | 'љ' | 'њ' | 'ћ' | 'џ' | 'ѓ' | 'ќ' | 'ѕ' | 'ў' | 'ә' | 'ғ' | 'қ' | 'ң' | 'ө' | 'ұ' | 'ү' | 'һ'
        | 'ơ' | 'ư' | 'đ' | 'Ạ'..='ỹ'
        | 'ā' | 'ē' | 'ī' | 'ū' | 'ģ' | 'ķ' | 'ļ' | 'ņ' | 'ė' | 'į' | 'ų' | 'ĉ' | 'ĝ' | 'ĥ' | 'ĵ' | 'ŝ' | 'ŭ' | 'ð'
        | 'þ' | 'ə')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u8> {
        Letters::of(text).latin
    }

    #[test]
    fn links_tags_and_names_are_left_out() {
        let text = "see https://example.com/the www.example.org example.com/a-b... #hello @somebody ＃tag either/or \
                    (#one) .@two me@example.org";
        assert_eq!(units(text), b"\0see\0either\0or\0");
        assert_eq!(Letters::of(text).total(), 11);
    }

    #[test]
    fn letters_are_counted_by_script_and_marks_are_not_letters() {
        let letters = Letters::of("Ще не Zlin\u{301} 42 水の ωΩ ×÷");
        let count = |script| letters.count(script);
        use Script::{Cyrillic, Greek, Han, Kana, Latin};
        assert_eq!([count(Cyrillic), count(Latin), count(Han), count(Kana), count(Greek)], [4, 4, 1, 1, 2]);
        assert_eq!(letters.latin, b"\0zlin\0");
        assert_eq!(letters.cyrillic.iter().filter(|unit| **unit == GAP).count(), 3);
        assert_eq!(units("ȘTIINȚĂ"), units("ştiinţă"));
        assert_ne!(units("pes"), units("peš"));
    }

    #[test]
    fn what_is_looked_at_is_bounded() {
        assert_eq!(Letters::of(&"é".repeat(1 << 16)).total(), BYTES_MAX / 2);
        let empty = Letters::of("");
        assert!(empty.total() == 0 && !empty.are_foreign());
    }

    #[test]
    fn letters_of_other_languages_are_noticed_and_one_name_is_no_language() {
        for text in
            ["Tôi không biết anh ấy ở đâu", "این کتاب خیلی خوب است", "Ово је веома добра књига", "Бұл өте жақсы кітап"]
        {
            assert!(Letters::of(text).are_foreign(), "{text}");
        }
        for text in [
            "Das ist ein Buch von Luka Đorđević über die Geschichte der Stadt",
            "Это книга о городе",
            "هذا كتاب جيد جدا",
            "Cartea țării și a științei",
        ] {
            assert!(!Letters::of(text).are_foreign(), "{text}");
        }
    }
}
