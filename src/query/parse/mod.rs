//! A query's text to its tree, or to the mistakes that keep it from being one. Linear in the text, bounded in depth;
//! unaware of posts.
//!
//! Codes of errors: `empty`, `too_long`, `too_deep`, `unbalanced_parenthesis`, `unbalanced_quote`, `unbalanced_brace`,
//! `unbalanced_comment`, `empty_group`, `empty_quote`, `literal_too_long`, `too_many_words`, `missing_term`,
//! `missing_value`, `wrong_value`, `unknown_language`, `unknown_field`, `stray_character`, `stray_minus`,
//! `wildcard_too_short`, `not_built`, `no_anchor`.
//! Codes of lints: `mixed_operators`, `lower_case_operator`, `curly_quotes`, `question_mark`.

mod cursor;
mod group;
mod lex;
#[cfg(test)]
mod tests;
mod token;

use super::{Query, QueryError};

/// Bytes of a query's text.
const QUERY_BYTES_MAX: usize = 64 << 10;

/// Reads a query.
///
/// # Errors
///
/// All mistakes of spelling, or the first mistake of structure; never an empty list.
pub fn parse(text: &str) -> Result<Query, Vec<QueryError>> {
    if text.len() > QUERY_BYTES_MAX {
        let message = format!("A query holds at most {QUERY_BYTES_MAX} bytes; this one has {}.", text.len());
        let mut start = QUERY_BYTES_MAX;
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        return Err(vec![token::mistake(
            "too_long",
            start..text.len(),
            message,
            Some("Split it into several queries."),
        )]);
    }
    let lexed = lex::lex(text);
    if !lexed.mistakes.is_empty() {
        return Err(lexed.mistakes);
    }
    group::tree(text, lexed.tokens, lexed.lints).map_err(|mistake| vec![mistake])
}
