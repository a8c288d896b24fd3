//! Words and phrases as each product reads them, written so that ours finds the same. Unaware of operators and fields.

use std::ops::Range;

use super::super::QueryError;
use super::super::parse::cursor::{Cursor, is_solid, is_symbol, is_word};
use super::super::parse::{is_one_term, is_operator, is_pragma, mistake, words_of};
use super::reader::{Reader, distance};
use super::tree::{Kind, Part, Tree};
use super::{Dialect, no_counterpart};

/// Edits that `fuzzy` allows at most, and letters that each of them takes.
const EDITS_MAX: usize = 2;
const LETTERS_PER_EDIT: usize = 4;

impl Reader<'_> {
    pub fn word(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        if let Some(part) = self.metric(text, &span)? {
            return Ok(part);
        }
        if let Some((number, tilde)) = self.passes_tilde() {
            return self.fuzzy(text, &number, span.start..tilde.end);
        }
        if is_pragma(text) {
            let message = "What a query says of itself stands before `@dialect:`.";
            return Err(mistake("pragma_not_at_head", span, message, Some("Put it first.")));
        }
        match self.dialect {
            Dialect::X => self.keyword_of_x(text, span),
            Dialect::Lucene => self.word_of_lucene(text, span),
            Dialect::Brandwatch | Dialect::Talkwalker | Dialect::Meltwater => self.plain_word(text, span),
        }
    }

    pub fn phrase(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        if let Some((number, tilde)) = self.passes_tilde() {
            return self.window(text, &number, span.start..tilde.end);
        }
        match self.dialect {
            Dialect::Brandwatch => self.phrase_of_brandwatch(text, span),
            Dialect::X => self.phrase_of_x(text, span),
            Dialect::Lucene => self.phrase_of_lucene(text, span),
            Dialect::Talkwalker | Dialect::Meltwater => Ok(Part::term(Kind::Phrase, unquoted(text), &span)),
        }
    }

    /// A word with an escape: its characters as they stand.
    pub fn escaped(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        self.raw(text, "\\", span)
    }

    /// A word whose wildcards are ours.
    pub fn plain_word(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        if ends_in_question(text) {
            return Err(final_question(span, text));
        }
        let odd = text.chars().find(|letter| self.dialect == Dialect::Brandwatch && is_odd(*letter));
        if odd.is_none() && is_one_term(text) {
            return Ok(Part::term(Kind::Word, text, &span));
        }
        if is_operator(text) {
            return Ok(Part::term(Kind::Word, text.to_lowercase(), &span));
        }
        if text.contains(['*', '?']) {
            return Err(stray(span));
        }
        let odd = odd.or(text.chars().find(|letter| !is_word(*letter))).unwrap_or(' ');
        self.raw(text, &odd.to_string(), span)
    }

    /// Exactly this punctuation.
    pub fn raw(&mut self, text: &str, operator: &str, span: Range<usize>) -> Result<Part, QueryError> {
        let text = text.trim();
        if text.contains('"') || !text.chars().any(|letter| is_solid(letter) || is_symbol(letter)) {
            return Err(stray(span));
        }
        let part = Part::term(Kind::Raw, text, &span);
        let instead = super::written::Written::of(&part);
        self.remark(&span, operator, "Punctuation is searched for as it stands in `+\"…\"` alone.", &instead);
        Ok(part)
    }

    fn phrase_of_brandwatch(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        let text = text.trim();
        if text.split_whitespace().any(ends_in_question) {
            return Err(final_question(span, text));
        }
        match text.chars().find(|letter| is_odd(*letter)) {
            Some(odd) if !text.contains(['*', '?']) => self.raw(text, &odd.to_string(), span),
            _ => Ok(Part::term(Kind::Phrase, text, &span)),
        }
    }

    /// X parts what is written at punctuation and at signs.
    fn keyword_of_x(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        if matches!(text, "AND" | "NOT") {
            let sentence = "There it is a word that is searched for; white space is AND, and `-` excludes.";
            self.remark(&span, text, sentence, &text.to_lowercase());
        }
        if is_operator(text) {
            return Ok(Part::term(Kind::Word, text.to_lowercase(), &span));
        }
        if text.starts_with(['#', '@', '$']) && is_one_term(text) {
            return Ok(Part::term(Kind::Word, text, &span));
        }
        let words = tokens(text, |_| false);
        match words.as_slice() {
            [] => Err(stray(span)),
            [word] => Ok(one_word(word, &span)),
            words => {
                let part = Part::term(Kind::Phrase, words.join(" "), &span);
                self.remark_parted(text, &part, &span);
                Ok(part)
            }
        }
    }

    fn phrase_of_x(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        let text = text.trim();
        let words = tokens(text, |_| false);
        if words.is_empty() {
            return Err(stray(span));
        }
        if let (Some(tag), [word]) = (text.strip_prefix('#'), words.as_slice())
            && tag == *word
        {
            let tagged = Part::not(Part::term(Kind::Word, text, &span), span.clone());
            let part = Part::new(Tree::All(vec![one_word(word, &span), tagged]), span.clone());
            let sentence = "In quotation marks it is the word and not the hashtag; a post with both is lost.";
            self.remark(&span, "#", sentence, &super::written::Written::of(&part));
            return Ok(part);
        }
        let part = Part::term(Kind::Phrase, words.join(" "), &span);
        if text.contains('"') || words_of(text) != words {
            self.remark_parted(text, &part, &span);
        }
        Ok(part)
    }

    fn remark_parted(&mut self, text: &str, part: &Part, span: &Range<usize>) {
        let sign = text.chars().find(|letter| !is_word(*letter) && !letter.is_whitespace() && !is_symbol(*letter));
        let operator = match sign {
            Some('"') => "\\\"".to_owned(),
            // An emoji beside a word parts them too.
            sign => sign.map_or_else(|| text.to_owned(), String::from),
        };
        let sentence = "There punctuation parts words as white space does.";
        self.remark(span, &operator, sentence, &super::written::Written::of(part));
    }

    /// Lucene's standard analyzer parts words too, and joins them by OR.
    fn word_of_lucene(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        if text.contains(['*', '?']) {
            if text == "*" || text.starts_with("*:") {
                return Err(no_counterpart(span, "*:*", "a query that every post fits is none"));
            }
            return self.plain_word(text, span);
        }
        let words = tokens(text, is_inner_of_lucene);
        match words.as_slice() {
            [] => Err(stray(span)),
            [word] if word.contains(['\'', '’']) => self.raw(word, "'", span),
            [word] => Ok(one_word(word, &span)),
            words => {
                let part = Part::any(words.iter().map(|word| one_word(word, &span)).collect());
                let sign = text.chars().find(|letter| !is_word(*letter) && !is_inner_of_lucene(*letter));
                let operator = sign.map(String::from).unwrap_or_default();
                let sentence = "There the analyzer makes several terms of it, joined by OR.";
                self.remark(&span, &operator, sentence, &super::written::Written::of(&part));
                Ok(part)
            }
        }
    }

    fn phrase_of_lucene(&mut self, text: &str, span: Range<usize>) -> Result<Part, QueryError> {
        let words = tokens(text, is_inner_of_lucene);
        let joined = words.join(" ");
        if words.is_empty() {
            return Err(stray(span));
        }
        if joined.contains(['\'', '’']) {
            return self.raw(&joined, "'", span);
        }
        let part = Part::term(Kind::Phrase, joined, &span);
        if words_of(text) != words {
            self.remark_parted(text, &part, &span);
        }
        Ok(part)
    }

    /// `"a b"~n`.
    fn window(&mut self, text: &str, number: &str, span: Range<usize>) -> Result<Part, QueryError> {
        let words = words_of(text);
        if self.dialect == Dialect::Talkwalker && number.is_empty() && !words.is_empty() {
            let part = self.plain_word(&words.join("-"), span.clone())?;
            let sentence = "Words apart, together or with a hyphen are one word with a hyphen.";
            self.remark(&span, "\"…\"~", sentence, &super::written::Written::of(&part));
            return Ok(part);
        }
        let others = distance(number, &span)?;
        let written = |others: u32| Part::term(Kind::Written, format!("\"{}\"~{others}", words.join(" ")), &span);
        if self.dialect == Dialect::Brandwatch {
            return Ok(written(others));
        }
        if self.dialect == Dialect::Meltwater {
            let why = "Meltwater asks for nearness by NEAR";
            return Err(no_counterpart(span, "~n", why));
        }
        let [first, second] = words.as_slice() else {
            let sentence =
                "All words in any order, at most so many others between them: wider where they are reversed.";
            self.remark(&span, "~", sentence, &format!("~{others}"));
            return Ok(written(others));
        };
        let chain = |left: &str, right: &str, others: u32| {
            let parts = vec![one_word(left, &span), one_word(right, &span)];
            Part::new(Tree::Chain(parts, vec![format!("ONEAR/{others}")]), span.clone())
        };
        let mut orders = vec![chain(first, second, others)];
        orders.extend(others.checked_sub(2).map(|others| chain(second, first, others)));
        let part = Part::any(orders);
        let sentence = "What is counted there are moves of words: two fewer may lie between when they are reversed.";
        self.remark(&span, "~", sentence, &super::written::Written::of(&part));
        Ok(part)
    }

    /// `word~n`.
    fn fuzzy(&mut self, text: &str, number: &str, span: Range<usize>) -> Result<Part, QueryError> {
        if !matches!(self.dialect, Dialect::Talkwalker | Dialect::Lucene) {
            let message = "`~n` stands behind a phrase or a group.";
            return Err(mistake("window_of_word", span, message, Some("\"a b\"~5")));
        }
        if number.contains('.') {
            return Err(no_counterpart(
                span,
                "~0.x",
                "a similarity is none; write how many letters may differ, as `~1`",
            ));
        }
        let edits = match number {
            "" => Some(EDITS_MAX),
            number => number.parse().ok().filter(|edits| *edits <= EDITS_MAX),
        };
        let letters = text.chars().filter(|letter| is_solid(*letter)).count();
        let is_word = text.chars().all(is_solid) && !text.is_empty() && !is_operator(text);
        match edits.filter(|edits| is_word && edits * LETTERS_PER_EDIT <= letters) {
            Some(0) => self.plain_word(text, span),
            Some(edits) => {
                let written = format!("fuzzy({text},{edits})");
                self.remark(&span, "~", "Words that differ by so many letters are found by `fuzzy`.", &written);
                Ok(Part::term(Kind::Written, written, &span))
            }
            None => {
                let why = "a word of letters and digits may differ in one of every four, and in two at most";
                Err(no_counterpart(span, "~", why))
            }
        }
    }
}

/// Punctuation that Brandwatch searches for as it is written.
fn is_odd(letter: char) -> bool {
    matches!(letter, '%' | ':' | '|' | '/' | '!' | '\'' | '’' | '$' | '€' | '£' | '¥')
}

fn is_inner_of_lucene(letter: char) -> bool {
    matches!(letter, '\'' | '’' | '.')
}

fn ends_in_question(text: &str) -> bool {
    text.trim_end_matches('*').ends_with('?')
}

fn final_question(span: Range<usize>, text: &str) -> QueryError {
    let message = "`final ?` has no counterpart: `?` stands for one character inside a word.".to_owned();
    let instead = format!("{}*", text.trim_end_matches(['*', '?']));
    mistake("no_counterpart", span, message, Some(&instead))
}

pub(super) fn stray(span: Range<usize>) -> QueryError {
    let message = "No term of ours holds these characters; a term holds at least one letter or digit.";
    mistake("stray_character", span, message, Some("Leave them out."))
}

/// A word by itself, as ours reads one.
pub(super) fn one_word(word: &str, span: &Range<usize>) -> Part {
    match word {
        _ if is_operator(word) => Part::term(Kind::Word, word.to_lowercase(), span),
        _ if is_one_term(word) => Part::term(Kind::Word, word, span),
        _ => Part::term(Kind::Phrase, unquoted(word), span),
    }
}

/// What stood between quotation marks, without those that were escaped.
fn unquoted(text: &str) -> String {
    text.replace('"', " ").trim().to_owned()
}

/// Runs of letters, digits and underscores, and emoji. `is_inner` tells what joins two letters.
fn tokens(text: &str, is_inner: fn(char) -> bool) -> Vec<&str> {
    let mut cursor = Cursor::new(text);
    let mut words = Vec::new();
    while let Some(letter) = cursor.peek() {
        let start = cursor.offset();
        if cursor.sees_symbol() {
            cursor.pass_symbol();
            words.push(&text[cursor.since(start)]);
            continue;
        }
        if !is_word(letter) {
            cursor.skip(1);
            continue;
        }
        loop {
            cursor.skip_while(is_word);
            let joins = cursor.peek().is_some_and(is_inner) && cursor.ahead(1).is_some_and(is_word);
            if !joins {
                break;
            }
            cursor.skip(1);
        }
        let word = &text[cursor.since(start)];
        if word.chars().any(is_solid) {
            words.push(word);
        }
    }
    words
}
