//! A query's text to its tree, or to the mistakes that keep it from being one. Linear in the text, bounded in depth;
//! unaware of posts.
//!
//! Codes of errors: `empty`, `too_long`, `too_deep`, `unbalanced_parenthesis`, `unbalanced_quote`, `unbalanced_brace`,
//! `unbalanced_comment`, `empty_group`, `empty_quote`, `literal_too_long`, `too_many_words`, `missing_term`,
//! `missing_value`, `wrong_value`, `wrong_scope`, `wrong_call`, `wrong_distance`, `window_of_word`, `near_operand`,
//! `mixed_nearness`, `unknown_language`, `unknown_field`, `unknown_list`, `unknown_query`, `unknown_pragma`,
//! `pragma_not_at_head`, `circle`, `stray_character`, `stray_minus`, `wildcard_too_short`, `not_built`, `no_anchor`; `mixed_operators` under `@strict:on`.
//! Codes of lints: `mixed_operators`, `lower_case_operator`, `curly_quotes`, `question_mark`, `unfilled_field`.

mod calls;
pub(super) mod cursor;
mod group;
mod lex;
mod near;
#[cfg(test)]
mod tests;
mod token;
mod uses;
mod values;

use super::{Query, QueryError, Shared};

pub(super) use lex::is_operator;
pub(super) use values::bounds;

/// Bytes of a query's text.
pub const QUERY_BYTES_MAX: usize = 64 << 10;

/// Reads a query.
///
/// # Errors
///
/// All mistakes of spelling, or the first mistake of structure; never an empty list.
pub fn parse(text: &str) -> Result<Query, Vec<QueryError>> {
    parse_with(text, &Shared::default())
}

/// What the comments of a query say, in their order; nothing for a text that is no query.
pub fn comments(text: &str) -> Vec<String> {
    let comments = if text.len() <= QUERY_BYTES_MAX { lex::lex(text).comments } else { Vec::new() };
    comments.into_iter().map(|span| text[span].trim().to_owned()).collect()
}

/// Reads a query that may use the lists and the other queries of its project.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_with(text: &str, shared: &Shared) -> Result<Query, Vec<QueryError>> {
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
    group::tree(text, lexed, &mut uses::Uses::new(shared)).map_err(|mistake| vec![mistake])
}
