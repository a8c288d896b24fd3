//! What stands between quotation marks: words as they would be read without these, parted by all that is no word.
//! Unaware of what a phrase is compared with.

use super::super::cursor::{Cursor, is_solid, is_symbol, is_word};

/// The words of what was quoted, each with the byte at which it begins. A word has its inner and final punctuation and its wildcards, as outside; an emoji is a
/// word.
pub fn read(text: &str) -> Vec<(usize, &str)> {
    let mut cursor = Cursor::new(text);
    let mut words = Vec::new();
    while let Some(letter) = cursor.peek() {
        let start = cursor.offset();
        let begins_wildcard = matches!(letter, '*' | '?') && cursor.ahead(1).is_some_and(is_word);
        match letter {
            _ if cursor.sees_symbol() => cursor.pass_symbol(),
            _ if is_word(letter) || begins_wildcard => drop(cursor.pass_pattern()),
            _ => {
                cursor.skip(1);
                continue;
            }
        }
        let word = &text[cursor.since(start)];
        // With a hash or a star in its frame, marks alone are no word.
        if word.chars().any(|letter| is_solid(letter) || is_symbol(letter)) || word.starts_with(['#', '*']) {
            words.push((start, word));
        }
    }
    words
}
