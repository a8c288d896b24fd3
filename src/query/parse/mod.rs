//! A query's text to its tree, or to the mistakes that keep it from being one. Linear in the text, bounded in depth;
//! unaware of posts.
//!
//! Codes of errors: `empty`, `too_long`, `too_deep`, `unbalanced_parenthesis`, `unbalanced_quote`, `unbalanced_brace`,
//! `unbalanced_comment`, `empty_group`, `empty_quote`, `literal_too_long`, `too_many_words`, `missing_term`,
//! `missing_value`, `wrong_value`, `wrong_scope`, `wrong_call`, `wrong_distance`, `window_of_word`, `near_operand`,
//! `mixed_nearness`, `unknown_language`, `unknown_field`, `unknown_list`, `unknown_query`, `unknown_pragma`,
//! `pragma_not_at_head`, `circle`, `stray_character`, `stray_minus`, `wildcard_too_short`, `not_built`, `no_anchor`; those
//! of a query in another dialect; `mixed_operators` under `@strict:on`.
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

use std::ops::Range;

use super::{Query, QueryError, Shared, dialect};

pub(super) use lex::{DISTANCE_MAX, is_operator};
pub(super) use token::{DEPTH_MAX, MISTAKES_MAX, mistake};
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
    if text.len() > QUERY_BYTES_MAX {
        return Vec::new();
    }
    let lexed = lex::lex(text);
    let said = |comments: Vec<Range<usize>>, text: &str| {
        comments.into_iter().map(|span| text[span].trim().to_owned()).collect::<Vec<_>>()
    };
    let foreign =
        lexed.foreign.map(|(dialect, start)| said(dialect::comments(&text[start..], dialect), &text[start..]));
    let mut all = said(lexed.comments, text);
    all.extend(foreign.into_iter().flatten());
    all
}

/// Reads a query that may use the lists and the other queries of its project.
///
/// # Errors
///
/// As [`parse`].
pub fn parse_with(text: &str, shared: &Shared) -> Result<Query, Vec<QueryError>> {
    if text.len() > QUERY_BYTES_MAX {
        return Err(vec![too_long(text)]);
    }
    let lexed = lex::lex(text);
    if !lexed.mistakes.is_empty() {
        return Err(lexed.mistakes);
    }
    group::tree(text, lexed, &mut uses::Uses::new(shared)).map_err(|mistake| vec![mistake])
}

pub(super) fn too_long(text: &str) -> QueryError {
    let message = format!("A query holds at most {QUERY_BYTES_MAX} bytes; this one has {}.", text.len());
    let mut start = QUERY_BYTES_MAX;
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    mistake("too_long", start..text.len(), message, Some("Split it into several queries."))
}

/// Whether a text is read as one term and nothing else, be it one that holds too few letters.
pub(super) fn is_one_term(text: &str) -> bool {
    let lexed = lex::lex(text);
    match (lexed.tokens.as_slice(), lexed.mistakes.as_slice()) {
        ([token], []) => matches!(token.kind, token::TokenKind::Literal(..)) && token.span == (0..text.len()),
        ([], [mistake]) => mistake.code == "wildcard_too_short" && mistake.span == (0..text.len()),
        _ => false,
    }
}

/// Whether a word is what a query says of itself at its head.
pub(super) fn is_pragma(word: &str) -> bool {
    lex::is_pragma(word)
}

/// The words of what stands between quotation marks.
pub(super) fn words_of(text: &str) -> Vec<&str> {
    lex::words_of(text).into_iter().map(|(_, word)| word).collect()
}
