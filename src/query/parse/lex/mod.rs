//! A query's text to tokens. It reads every character a fixed number of times and tells all mistakes of spelling;
//! unaware of how terms combine.

mod operators;
mod quoted;
mod words;

pub use operators::is_operator;
pub(super) use operators::times;
pub use quoted::read as words_of;
pub(super) use words::{is_pragma, is_wildcard, of_pattern};

use std::ops::Range;

use super::super::{Dialect, LiteralKind, QueryError};
use super::cursor::{Cursor, has_stray_mark, is_curly_quote, is_invisible, is_word};
use super::token::{Call, DEPTH_MAX, LEAVE_OUT, MISTAKES_MAX, Token, TokenKind, WINDOW_OF_WORD, mistake};

/// Words of one phrase.
const PHRASE_WORDS_MAX: usize = 64;
/// Bytes of one literal or value.
const LITERAL_BYTES_MAX: usize = 2 << 10;
const NOTHING_QUOTED: &str = "There is no word between these quotation marks.";
/// Tokens that may lie between two places: what is further apart is not near.
pub const DISTANCE_MAX: u32 = 100;

/// What a text was read as.
pub struct Lexed {
    pub tokens: Vec<Token>,
    pub lints: Vec<QueryError>,
    pub mistakes: Vec<QueryError>,
    /// The bytes of what comments say.
    pub comments: Vec<Range<usize>>,
    /// From which byte on the text is written in another dialect. It holds no tokens of ours.
    pub foreign: Option<(Dialect, usize)>,
    #[cfg(test)]
    pub steps: usize,
}

pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer {
        cursor: Cursor::new(text),
        tokens: Vec::new(),
        lints: Vec::new(),
        mistakes: Vec::new(),
        comments: Vec::new(),
        foreign: None,
        groups: Vec::new(),
    };
    while let Some(letter) = lexer.cursor.peek() {
        if lexer.mistakes.len() >= MISTAKES_MAX {
            break;
        }
        lexer.step(letter);
    }
    lexer.finish()
}

/// An open parenthesis.
struct Group {
    start: usize,
    holds: Holds,
}

/// What stands in a group.
#[derive(Clone, Copy, PartialEq)]
enum Holds {
    Terms,
    /// It follows a field.
    Values,
    /// What follows a field without a parenthesis; in a call a comma ends it.
    OneValue,
    /// What a call is given, parted by commas.
    Arguments(Call),
}

struct Lexer<'a> {
    cursor: Cursor<'a>,
    tokens: Vec<Token>,
    lints: Vec<QueryError>,
    mistakes: Vec<QueryError>,
    comments: Vec<Range<usize>>,
    foreign: Option<(Dialect, usize)>,
    groups: Vec<Group>,
}

/// Behind what `~n` is never a value.
fn closes_term(letter: char) -> bool {
    matches!(letter, '"' | ')' | '}') || is_curly_quote(letter)
}

impl Lexer<'_> {
    /// Reads what begins with `letter`: at least that letter.
    fn step(&mut self, letter: char) {
        let start = self.cursor.offset();
        let line_or_gap = self.cursor.behind().is_none_or(char::is_whitespace);
        match letter {
            _ if letter.is_whitespace() || is_invisible(letter) => self.cursor.skip(1),
            '<' if self.cursor.sees("<<<") => self.comment(start),
            '/' if line_or_gap && self.cursor.sees("//") => self.line_comment(),
            '(' => self.open(start, if self.in_values() { Holds::Values } else { Holds::Terms }),
            ')' => self.close(start),
            '"' => self.phrase(start),
            _ if is_curly_quote(letter) => self.phrase(start),
            '{' => self.exact(start, 1, '}'),
            '-' => self.minus(start),
            '+' if self.cursor.sees("++\"") => self.exact(start, 3, '"'),
            '+' if self.cursor.sees("+\"") => self.raw(start),
            '~' if !self.in_values() || self.cursor.behind().is_some_and(closes_term) => self.tilde(start),
            _ if self.in_values() => self.value(start),
            ',' if self.in_call() => self.comma(start),
            '?' => self.question_mark(start),
            '$' if self.cursor.ahead(1).is_some_and(char::is_alphabetic) => self.ticker(start),
            _ if self.cursor.sees_symbol() => self.symbol(start),
            '*' => self.word(start, 0),
            '#' | '＃' | '﹟' => self.hashtag(start),
            '@' | '＠' | '﹫' => self.name(start),
            '=' if self.cursor.ahead(1).is_some_and(is_word) => self.word(start, 1),
            _ if is_word(letter) => self.word(start, 0),
            _ => self.stray(start, letter),
        }
    }

    fn finish(mut self) -> Lexed {
        for group in &self.groups {
            let span = group.start..group.start + 1;
            self.mistakes.push(mistake("unbalanced_parenthesis", span, "This parenthesis is never closed.", Some(")")));
        }
        self.mistakes.sort_by_key(|mistake| mistake.span.start);
        self.mistakes.truncate(MISTAKES_MAX);
        Lexed {
            tokens: self.tokens,
            lints: self.lints,
            mistakes: self.mistakes,
            comments: self.comments,
            foreign: self.foreign,
            #[cfg(test)]
            steps: self.cursor.steps(),
        }
    }

    fn in_values(&self) -> bool {
        self.groups.last().is_some_and(|group| matches!(group.holds, Holds::Values | Holds::OneValue))
    }

    fn in_call(&self) -> bool {
        self.groups.last().is_some_and(|group| matches!(group.holds, Holds::Arguments(_)))
    }

    fn comma(&mut self, start: usize) {
        self.cursor.skip(1);
        self.token(start, TokenKind::Comma);
    }

    fn token(&mut self, start: usize, kind: TokenKind) {
        self.tokens.push(Token { kind, span: self.cursor.since(start) });
    }

    /// A literal, or a value where values are read.
    fn literal(&mut self, start: usize, kind: LiteralKind, text: &str) {
        if text.len() > LITERAL_BYTES_MAX {
            let message = format!("One term holds at most {LITERAL_BYTES_MAX} bytes; this one has {}.", text.len());
            return self.wrong("literal_too_long", start, message, Some("Shorten it, or AND several shorter terms."));
        }
        if self.in_values() {
            return self.token(start, TokenKind::Value(text.to_owned()));
        }
        if kind != LiteralKind::Symbol && has_stray_mark(text.trim_matches(['*', '?'])) {
            let message = "A mark stands upon a letter, and here one begins a word.";
            return self.wrong("stray_character", start, message, Some(LEAVE_OUT));
        }
        self.token(start, TokenKind::Literal(kind, text.to_owned()));
    }

    fn wrong(&mut self, code: &'static str, start: usize, message: impl Into<String>, instead: Option<&str>) {
        self.mistakes.push(mistake(code, self.cursor.since(start), message, instead));
    }

    fn lint(&mut self, code: &'static str, start: usize, message: &str, instead: Option<&str>) {
        if self.lints.len() < MISTAKES_MAX {
            self.lints.push(mistake(code, self.cursor.since(start), message, instead));
        }
    }

    fn not_built(&mut self, start: usize, what: &str, instead: Option<&str>) {
        self.wrong("not_built", start, format!("{what} cannot be asked yet."), instead.or(Some(LEAVE_OUT)));
    }

    fn open(&mut self, start: usize, holds: Holds) {
        self.cursor.skip(1);
        if self.groups.len() == DEPTH_MAX {
            let message = format!("More than {DEPTH_MAX} parentheses are open at once.");
            self.wrong("too_deep", start, message, Some("Split it into several queries."));
            self.groups.clear();
            self.cursor.skip_while(|_| true);
            return;
        }
        match holds {
            Holds::Arguments(call) => self.token(start, TokenKind::Call(call)),
            Holds::Terms | Holds::Values | Holds::OneValue => self.token(start, TokenKind::Open),
        }
        self.groups.push(Group { start, holds });
    }

    fn close(&mut self, start: usize) {
        self.cursor.skip(1);
        let group = self.groups.pop();
        if group.is_none() {
            self.wrong("unbalanced_parenthesis", start, "This parenthesis was never opened.", Some(LEAVE_OUT));
        }
        self.token(start, TokenKind::Close);
        if group.is_some_and(|group| group.holds == Holds::Arguments(Call::Freq)) {
            self.times(start);
        }
    }

    fn comment(&mut self, start: usize) {
        self.cursor.skip("<<<".len());
        let inside = self.cursor.offset();
        while self.cursor.peek().is_some() && !self.cursor.sees(">>>") {
            self.cursor.skip(1);
        }
        if self.cursor.peek().is_none() {
            return self.wrong("unbalanced_comment", start, "This comment is never closed.", Some(">>>"));
        }
        self.comments.push(self.cursor.since(inside));
        self.cursor.skip(">>>".len());
    }

    fn line_comment(&mut self) {
        self.cursor.skip("//".len());
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| letter != '\n');
        self.comments.push(self.cursor.since(inside));
    }

    fn minus(&mut self, start: usize) {
        let after_gap = self.cursor.behind().is_none_or(|letter| letter.is_whitespace() || letter == '(');
        self.cursor.skip(1);
        let before_term =
            self.cursor.peek().is_some_and(|letter| !letter.is_whitespace() && !matches!(letter, ')' | '-'));
        if after_gap && before_term {
            return self.token(start, TokenKind::Not);
        }
        let message =
            "`-` excludes only after a space or `(` and directly before a term; a hyphen stands inside a word.";
        self.wrong("stray_minus", start, message, Some("NOT"));
    }

    /// Between quotes, straight or curly.
    fn phrase(&mut self, start: usize) {
        let opened = self.cursor.peek();
        let closes = |letter| letter == '"' || (opened != Some('"') && is_curly_quote(letter));
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| !closes(letter));
        let text = &self.cursor.text[self.cursor.since(inside)];
        let Some(closed) = self.cursor.peek() else {
            return self.wrong("unbalanced_quote", start, "This quotation mark is never closed.", Some("\""));
        };
        self.cursor.skip(1);
        if opened != Some('"') || closed != '"' {
            self.lint("curly_quotes", start, "Curly quotation marks are read as straight ones.", Some("\""));
        }
        if text.trim().is_empty() {
            return self.wrong("empty_quote", start, NOTHING_QUOTED, Some("Put a word between them."));
        }
        if self.in_values() {
            return self.literal(start, LiteralKind::Phrase, text.trim());
        }
        self.words_of_phrase(start, inside, text);
    }

    /// The words of a phrase: between them stands whatever is no word.
    fn words_of_phrase(&mut self, start: usize, inside: usize, text: &str) {
        let words = quoted::read(text);
        if words.is_empty() {
            let exact = format!("{{{}}}", text.trim());
            return self.wrong("empty_quote", start, NOTHING_QUOTED, Some(&exact));
        }
        if words.len() > PHRASE_WORDS_MAX {
            let message = format!("A phrase holds at most {PHRASE_WORDS_MAX} words; this one has {}.", words.len());
            return self.wrong("too_many_words", start, message, Some("AND several shorter phrases."));
        }
        for (place, word) in words.iter().filter(|(_, word)| is_wildcard(word)) {
            if let Some(plain) = words::too_short(word) {
                let span = inside + place..inside + place + word.len();
                self.mistakes.push(mistake("wildcard_too_short", span, words::SHORT, Some(&plain)));
            }
        }
        let words: Vec<&str> = words.into_iter().map(|(_, word)| word).collect();
        self.literal(start, LiteralKind::Phrase, &words.join(" "));
    }

    /// `{…}` or `++"…"`: what stands between `opening` characters and `end`.
    fn exact(&mut self, start: usize, opening: usize, end: char) {
        self.cursor.skip(opening);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| letter != end);
        let text = &self.cursor.text[self.cursor.since(inside)];
        if self.cursor.peek().is_none() {
            let (code, message) = match end {
                '}' => ("unbalanced_brace", "This brace is never closed."),
                _ => ("unbalanced_quote", "This quotation mark is never closed."),
            };
            return self.wrong(code, start, message, Some(&end.to_string()));
        }
        self.cursor.skip(1);
        if text.trim().is_empty() {
            return self.wrong("empty_quote", start, "There is nothing between these braces.", Some(LEAVE_OUT));
        }
        self.literal(start, LiteralKind::Exact, text);
    }

    /// `+"…"`: what stands between the quotation marks, with its punctuation.
    fn raw(&mut self, start: usize) {
        self.cursor.skip(2);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| letter != '"');
        let text = &self.cursor.text[self.cursor.since(inside)];
        if self.cursor.peek().is_none() {
            return self.wrong("unbalanced_quote", start, "This quotation mark is never closed.", Some("\""));
        }
        self.cursor.skip(1);
        if text.trim().is_empty() {
            return self.wrong("empty_quote", start, NOTHING_QUOTED, Some("Put a word between them."));
        }
        self.literal(start, LiteralKind::Raw, text.trim());
    }

    /// `~n` behind a phrase or a group.
    fn tilde(&mut self, start: usize) {
        let is_behind = self.tokens.last().is_some_and(|last| {
            last.span.end == start && matches!(last.kind, TokenKind::Literal(LiteralKind::Phrase, _) | TokenKind::Close)
        });
        self.cursor.skip(1);
        let digits = self.cursor.offset();
        self.cursor.skip_while(|letter| letter.is_ascii_digit());
        let others = self.cursor.text[self.cursor.since(digits)].parse().ok().filter(|others| *others <= DISTANCE_MAX);
        if !is_behind {
            return self.wrong("window_of_word", start, WINDOW_OF_WORD, Some("fuzzy(word,1)"));
        }
        let Some(others) = others else {
            let message = format!("A window is a number of other tokens up to {DISTANCE_MAX}.");
            return self.wrong("wrong_distance", start, message, Some("~5"));
        };
        self.token(start, TokenKind::Window(others));
    }

    fn question_mark(&mut self, start: usize) {
        let marks = self.cursor.run(|letter| matches!(letter, '*' | '?'));
        if self.cursor.ahead(marks).is_some_and(is_word) {
            return self.word(start, 0);
        }
        self.cursor.skip_while(|letter| letter == '?');
        self.lint("question_mark", start, "A question mark at the end of a term is not searched for.", Some(""));
    }

    fn ticker(&mut self, start: usize) {
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(is_word);
        while self.cursor.peek() == Some('.') && self.cursor.ahead(1).is_some_and(is_word) {
            self.cursor.skip(1);
            self.cursor.skip_while(is_word);
        }
        let text = &self.cursor.text[self.cursor.since(inside)];
        self.literal(start, LiteralKind::Ticker, text);
    }

    fn symbol(&mut self, start: usize) {
        self.cursor.pass_symbol();
        let text = &self.cursor.text[self.cursor.since(start)];
        self.literal(start, LiteralKind::Symbol, text);
    }
}
