//! What stands between quotation marks: words as they would be read without these, parted by all that is no word.
//! Unaware of what a phrase is compared with.

use std::ops::Range;

use super::super::cursor::{Cursor, is_solid, is_symbol, is_word};

pub(super) struct Quoted<'a> {
    pub words: Vec<&'a str>,
    /// The bytes of what looks like a word with a wildcard.
    pub wildcards: Vec<Range<usize>>,
}

/// Reads what was quoted. A word has its inner and final punctuation, as outside; an emoji is a word.
pub(super) fn read(text: &str) -> Quoted<'_> {
    let mut cursor = Cursor::new(text);
    let mut quoted = Quoted { words: Vec::new(), wildcards: wildcards(text) };
    while let Some(letter) = cursor.peek() {
        let start = cursor.offset();
        match letter {
            _ if cursor.sees_symbol() => cursor.pass_symbol(),
            _ if is_word(letter) => cursor.pass_word(),
            _ => {
                cursor.skip(1);
                continue;
            }
        }
        let word = &text[cursor.since(start)];
        // With a hash or a star in its frame, marks alone are no word.
        if word.chars().any(|letter| is_solid(letter) || is_symbol(letter)) || word.starts_with(['#', '*']) {
            quoted.words.push(word);
        }
    }
    quoted
}

/// Runs without white space in which a star touches a letter, or a question mark stands before one.
fn wildcards(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    for run in text.split(char::is_whitespace) {
        let letters: Vec<char> = run.chars().collect();
        let is_letter = |place: usize| letters.get(place).is_some_and(|letter| is_solid(*letter));
        let is_wildcard = |place: usize| match letters[place] {
            '*' => is_letter(place + 1) || place > 0 && is_letter(place - 1),
            '?' => is_letter(place + 1),
            _ => false,
        };
        if (0..letters.len()).any(is_wildcard) {
            found.push(at..at + run.len());
        }
        at += run.len() + text[at + run.len()..].chars().next().map_or(0, char::len_utf8);
    }
    found
}
