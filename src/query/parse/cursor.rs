//! A place in the query's text, and the classes of characters that decide where a term ends.

use std::iter::once;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_script::{Script, UnicodeScript};

const JOINER: char = '\u{200d}';

/// Walks over the characters of a text. Every look at a character is a step, so that tests can count them.
pub struct Cursor<'a> {
    pub text: &'a str,
    letters: Vec<(usize, char)>,
    at: usize,
    #[cfg(test)]
    steps: std::cell::Cell<usize>,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Self {
            text,
            letters: text.char_indices().collect(),
            at: 0,
            #[cfg(test)]
            steps: std::cell::Cell::new(0),
        }
    }

    /// The character that many places after the next one.
    pub fn ahead(&self, places: usize) -> Option<char> {
        #[cfg(test)]
        self.steps.set(self.steps.get() + 1);
        self.letters.get(self.at + places).map(|(_, letter)| *letter)
    }

    pub fn peek(&self) -> Option<char> {
        self.ahead(0)
    }

    /// The character just passed.
    pub fn behind(&self) -> Option<char> {
        self.at.checked_sub(1).map(|before| self.letters[before].1)
    }

    pub fn skip(&mut self, places: usize) {
        self.at = (self.at + places).min(self.letters.len());
    }

    pub fn skip_while(&mut self, wanted: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&wanted) {
            self.at += 1;
        }
    }

    /// Whether `head`, which is ASCII, stands next.
    pub fn sees(&self, head: &str) -> bool {
        head.chars().enumerate().all(|(place, letter)| self.ahead(place) == Some(letter))
    }

    /// How many characters from here on are wanted, one after the other.
    pub fn run(&self, wanted: impl Fn(char) -> bool) -> usize {
        let mut length = 0;
        while self.ahead(length).is_some_and(&wanted) {
            length += 1;
        }
        length
    }

    /// Passes the letters of one word with its inner and final punctuation.
    pub fn pass_word(&mut self) {
        loop {
            self.skip_while(is_word);
            let inner = match self.peek() {
                Some('+') => self.run(|letter| letter == '+'),
                Some(letter) if is_inner(letter) => 1,
                _ => 0,
            };
            if inner == 0 || !self.ahead(inner).is_some_and(is_word) {
                break;
            }
            self.skip(inner);
        }
        let closing = self.run(is_final);
        let goes_on = match self.ahead(closing) {
            Some('"') => self.peek() == Some('+'),
            Some(letter) => is_word(letter),
            None => false,
        };
        if !goes_on {
            self.skip(closing);
        }
    }

    /// Passes a word that may hold stars and question marks, and tells whether it does. A question mark that no letter
    /// and no star follows is no part of it.
    pub fn pass_pattern(&mut self) -> bool {
        let mut holds_wildcard = false;
        loop {
            self.pass_word();
            let marks = self.run(|letter| matches!(letter, '*' | '?'));
            let goes_on = self.ahead(marks).is_some_and(is_word);
            let last_star = (0..marks).rev().find(|&place| self.ahead(place) == Some('*'));
            let taken = if goes_on { marks } else { last_star.map_or(0, |place| place + 1) };
            self.skip(taken);
            holds_wildcard |= taken > 0;
            if taken == 0 || !goes_on {
                return holds_wildcard;
            }
        }
    }

    /// Whether an emoji, another sign that is a term, or a digit, `#` or `*` in its frame stands next.
    pub fn sees_symbol(&self) -> bool {
        let framed = |place| self.ahead(place) == Some('\u{20e3}');
        self.peek().is_some_and(|letter| {
            is_symbol(letter)
                || matches!(letter, '0'..='9' | '#' | '*')
                    && (framed(1) || (self.ahead(1) == Some('\u{fe0f}') && framed(2)))
        })
    }

    /// Passes one symbol, whole: a flag, a family, a thumb with its colour.
    pub fn pass_symbol(&mut self) {
        let is_flag = |letter| matches!(letter, '\u{1f1e6}'..='\u{1f1ff}');
        let is_first_of_flag = self.peek().is_some_and(is_flag);
        self.skip(1);
        if is_first_of_flag && self.peek().is_some_and(is_flag) {
            self.skip(1);
        }
        loop {
            self.skip_while(continues_symbol);
            if self.peek() != Some(JOINER) || !self.ahead(1).is_some_and(is_symbol) {
                break;
            }
            self.skip(2);
        }
    }

    /// Bytes from the start of the text.
    pub fn offset(&self) -> usize {
        self.letters.get(self.at).map_or(self.text.len(), |(offset, _)| *offset)
    }

    /// From a byte to where the cursor stands.
    pub fn since(&self, start: usize) -> Range<usize> {
        start..self.offset()
    }

    #[cfg(test)]
    pub fn steps(&self) -> usize {
        self.steps.get()
    }
}

/// Letters, digits, marks, the underscore, and what is invisible inside words.
pub fn is_word(letter: char) -> bool {
    letter == '_' || is_invisible(letter) || is_combining_mark(letter) || is_solid(letter)
}

/// Letters and digits, and the signs that are made of them (`㈜`, `㎏`): what a word cannot do without.
pub fn is_solid(letter: char) -> bool {
    if is_combining_mark(letter) || is_symbol(letter) || is_joint(letter) || matches!(letter, 'ﾞ' | 'ﾟ') {
        return false;
    }
    letter.is_alphanumeric() || !letter.is_ascii() && once(letter).nfkd().any(char::is_alphanumeric)
}

/// What a word is read without: soft hyphens, zero-width characters, signs of trade marks.
pub fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' | '™' | '℠')
}

/// What may stand between two letters of one word.
pub fn is_inner(letter: char) -> bool {
    matches!(letter, '&' | '+' | '.' | '_') || is_joint(letter)
}

/// Apostrophes and hyphens.
fn is_joint(letter: char) -> bool {
    matches!(
        letter,
        '\'' | '\u{2018}'
            | '\u{2019}'
            | '\u{2bc}'
            | '`'
            | '\u{b4}'
            | '\u{5f3}'
            | '\u{5f4}'
            | '-'
            | '\u{2010}'
            | '\u{2011}'
            | '\u{2013}'
            | '\u{2212}'
            | '\u{5be}'
    )
}

/// What may end a word: `C++`, `Yahoo!`, `C#`.
pub fn is_final(letter: char) -> bool {
    matches!(letter, '+' | '!' | '#')
}

/// Emoji and signs that are terms of their own.
pub fn is_symbol(letter: char) -> bool {
    matches!(letter,
        '\u{a2}'..='\u{a9}' | '\u{ac}' | '\u{ae}' | '\u{b0}' | '\u{b1}' | '\u{d7}' | '\u{f7}' | '\u{203c}' | '\u{2049}'
        | '\u{20a0}'..='\u{20cf}' | '\u{2190}'..='\u{245f}' | '\u{24c2}' | '\u{2500}'..='\u{2767}'
        | '\u{2794}'..='\u{27bf}' | '\u{2900}'..='\u{2982}' | '\u{2999}'..='\u{29d7}' | '\u{29dc}'..='\u{2bff}'
        | '\u{3030}' | '\u{3297}' | '\u{3299}' | '\u{1f000}'..='\u{1faff}')
        || (matches!(letter, '\u{2100}'..='\u{214f}') && !letter.is_alphanumeric())
}

/// What joins on to a symbol: variation selectors, joiners, skin tones, flags' tags, the frame of a keycap.
fn continues_symbol(letter: char) -> bool {
    matches!(letter, '\u{fe0e}' | '\u{fe0f}' | '\u{20e3}' | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0020}'..='\u{e007f}')
}

/// Whether a text may be opened, and a curly one closed, by this.
pub fn is_curly_quote(letter: char) -> bool {
    matches!(letter, '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' | '\u{ff02}')
}

pub fn is_han(letter: char) -> bool {
    letter.script() == Script::Han
}

/// Whether a word begins with a mark, which then belongs to whatever a text has before it. Emoji have marks of their own.
pub(super) fn has_stray_mark(text: &str) -> bool {
    let is_selector = |letter| matches!(letter, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}');
    let is_keycap = |letter| matches!(letter, '#' | '*') || is_selector(letter);
    let mut before = None;
    text.chars().any(|letter| {
        let last = before.replace(letter);
        let is_of_emoji = is_selector(letter) || letter == '\u{20e3}' && last.is_some_and(is_keycap);
        last.is_none_or(|last| !is_word(last)) && is_combining_mark(letter) && !is_of_emoji
    })
}
