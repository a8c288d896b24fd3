//! What of a text tells its language: no links, tags and names, which are written in every language.
//! Unaware of languages, but for the letters that none of the 27 has.

/// Bytes of a text that are looked at: more change nothing.
const BYTES_MAX: usize = 4096;
/// One letter in so many that no language of ours has makes a text foreign.
const FOREIGN_SHARE: usize = 24;
/// Letters that none of the 27 is written with, but that their neighbours cannot do without: Persian and Urdu; Serbian,
/// Macedonian, Belarusian, Kazakh and Mongolian; Vietnamese; Latvian, Lithuanian, Croatian, Esperanto, Icelandic and
/// Azerbaijani. Vietnamese has a block of its own besides.
const FOREIGN: &str = "پچژگکیٹڈڑںے\
    ђјљњћџѓќѕўәғқңөұүһ\
    ơưđ\
    āēīūģķļņėįųĉĝĥĵŝŭðþə";
const VIETNAMESE: std::ops::RangeInclusive<char> = '\u{1EA0}'..='\u{1EF9}';

/// The words of a text that tell something.
pub(super) struct Words {
    text: String,
    letters: usize,
    foreign: usize,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let text = &text[..text.floor_char_boundary(BYTES_MAX)];
        let mut words = Self { text: String::with_capacity(text.len()), letters: 0, foreign: 0 };
        for word in text.split_whitespace().filter(|word| tells(word)) {
            for letter in word.chars() {
                words.push(letter);
            }
            words.text.push(' ');
        }
        words
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn letters(&self) -> usize {
        self.letters
    }

    /// Whether the letters are those of a language that is not among ours.
    pub(super) fn are_foreign(&self) -> bool {
        self.foreign * FOREIGN_SHARE > self.letters
    }

    fn push(&mut self, letter: char) {
        self.letters += usize::from(letter.is_alphabetic());
        if !letter.is_ascii() {
            let lower = letter.to_lowercase().next().unwrap_or(letter);
            self.foreign += usize::from(VIETNAMESE.contains(&lower) || FOREIGN.contains(lower));
        }
        // whatlang knows Romanian by cedillas, and people write it with commas.
        self.text.push(match letter {
            'ș' => 'ş',
            'ț' => 'ţ',
            'Ș' => 'Ş',
            'Ț' => 'Ţ',
            other => other,
        });
    }
}

fn tells(word: &str) -> bool {
    let is_link = word.contains("://")
        || word.starts_with("www.")
        || word.split_once('/').is_some_and(|(host, _)| host.contains('.'));
    !is_link && !word.starts_with(['#', '@', '＃', '＠'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_tags_and_names_are_left_out() {
        let text = "see https://example.com/the www.example.org example.com/a-b... #hello @somebody ＃tag either/or";
        let words = Words::of(text);
        assert_eq!(words.text(), "see either/or ");
        assert_eq!(words.letters(), 11);
    }

    #[test]
    fn what_is_looked_at_is_bounded() {
        assert_eq!(Words::of(&"é".repeat(1 << 16)).letters(), BYTES_MAX / 2);
        assert!(Words::of("").text().is_empty() && !Words::of("").are_foreign());
    }

    #[test]
    fn letters_of_other_languages_are_noticed_and_one_name_is_no_language() {
        for text in
            ["Tôi không biết anh ấy ở đâu", "این کتاب خیلی خوب است", "Ово је веома добра књига", "Бұл өте жақсы кітап"]
        {
            assert!(Words::of(text).are_foreign(), "{text}");
        }
        for text in [
            "Das ist ein Buch von Luka Đorđević über die Geschichte der Stadt",
            "Это книга о городе",
            "هذا كتاب جيد جدا",
            "Cartea țării și a științei",
        ] {
            assert!(!Words::of(text).are_foreign(), "{text}");
        }
    }
}
