//! Matched words in colour on a terminal, and plain text everywhere else.
//! Unaware of what matched and why.

use std::io::IsTerminal;

use crate::model::{Field, Span, Term};

const ON: &str = "\x1b[1;33m";
const OFF: &str = "\x1b[0m";

/// Whether standard output shows colours.
pub fn is_colourful() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// The text with the spans of one field marked; control characters are shown as spaces.
pub fn marked(text: &str, field: Field, terms: &[Term], colourful: bool) -> String {
    let spans = terms.iter().filter(|term| term.field == field && colourful).map(|term| term.span);
    let spans = merged(spans.filter(|span| span.end as usize <= text.len()).collect());
    let mut shown = String::with_capacity(text.len() + spans.len() * (ON.len() + OFF.len()));
    let mut at = 0;
    for Span { start, end } in spans {
        let (start, end) = (start as usize, end as usize);
        push_clean(&mut shown, &text[at..start]);
        shown.push_str(ON);
        push_clean(&mut shown, &text[start..end]);
        shown.push_str(OFF);
        at = end;
    }
    push_clean(&mut shown, &text[at..]);
    shown
}

/// In their order, those that overlap as one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort();
    let mut merged: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match merged.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => merged.push(span),
        }
    }
    merged
}

/// A post must not move the reader's cursor.
fn push_clean(shown: &mut String, text: &str) {
    shown.extend(text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::How;

    #[test]
    fn matched_words_are_marked_and_controls_are_not_passed_on() {
        let term =
            Term { keyword: "tea".to_owned(), how: How::Word, field: Field::Text, span: Span { start: 2, end: 5 } };
        assert_eq!(
            marked("a tea\x1b[2J", Field::Text, std::slice::from_ref(&term), true),
            format!("a {ON}tea{OFF} [2J")
        );
        assert_eq!(marked("a tea\n", Field::Text, &[term], false), "a tea ");
    }

    #[test]
    fn spans_that_overlap_are_marked_as_one() {
        let term = |start, end| Term {
            keyword: "tea".to_owned(),
            how: How::Phrase,
            field: Field::Text,
            span: Span { start, end },
        };
        let terms = [term(4, 9), term(0, 5), term(1, 2), term(9, 10), term(10, 99)];
        assert_eq!(marked("green tea.", Field::Text, &terms, true), format!("{ON}green tea{OFF}{ON}.{OFF}"));
    }
}
