//! A query's text to tokens. It reads every character a fixed number of times and tells all mistakes of spelling;
//! unaware of how terms combine.

mod quoted;
mod words;

use super::super::{LiteralKind, QueryError};
use super::cursor::{Cursor, has_stray_mark, is_curly_quote, is_inner, is_invisible, is_word};
use super::token::{DEPTH_MAX, LEAVE_OUT, MISTAKES_MAX, Token, TokenKind, mistake};

const PREFIX_LETTERS_MIN: usize = 3;
/// Words of one phrase.
const PHRASE_WORDS_MAX: usize = 64;
/// Bytes of one literal or value.
const LITERAL_BYTES_MAX: usize = 2 << 10;
const NOTHING_QUOTED: &str = "There is no word between these quotation marks.";
const CALLS: [&str; 7] = ["forms", "morph", "atleast", "freq", "fuzzy", "list", "use"];
const PRAGMAS: [&str; 6] = ["dialect", "lang", "morph", "fold", "tz", "strict"];
const WINDOW_OF_WORD: &str = "`~n` belongs to a phrase or a group, and `fuzzy(word,n)` to a word; either";

/// What a text was read as.
pub struct Lexed {
    pub tokens: Vec<Token>,
    pub lints: Vec<QueryError>,
    pub mistakes: Vec<QueryError>,
    #[cfg(test)]
    pub steps: usize,
}

pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer {
        cursor: Cursor::new(text),
        tokens: Vec::new(),
        lints: Vec::new(),
        mistakes: Vec::new(),
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
    /// It follows a field: what it holds are values.
    values: bool,
}

struct Lexer<'a> {
    cursor: Cursor<'a>,
    tokens: Vec<Token>,
    lints: Vec<QueryError>,
    mistakes: Vec<QueryError>,
    groups: Vec<Group>,
}

/// What `~n` may follow directly, and then belongs to.
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
            '/' if line_or_gap && self.cursor.sees("//") => self.cursor.skip_while(|letter| letter != '\n'),
            '(' => self.open(start, self.in_values()),
            ')' => self.close(start),
            '"' => self.phrase(start),
            _ if is_curly_quote(letter) => self.phrase(start),
            '{' => self.exact(start, 1, '}'),
            '-' => self.minus(start),
            '+' if self.cursor.sees("++\"") => self.exact(start, 3, '"'),
            '+' if self.cursor.sees("+\"") => self.raw(start),
            '~' if !self.in_values() || self.cursor.behind().is_some_and(closes_term) => self.tilde(start),
            _ if self.in_values() => self.value(start),
            '?' => self.question_mark(start),
            '*' => self.wildcard(start),
            '$' if self.cursor.ahead(1).is_some_and(char::is_alphabetic) => self.ticker(start),
            _ if self.cursor.sees_symbol() => self.symbol(start),
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
            #[cfg(test)]
            steps: self.cursor.steps(),
        }
    }

    fn in_values(&self) -> bool {
        self.groups.last().is_some_and(|group| group.values)
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
        if kind != LiteralKind::Symbol && has_stray_mark(text) {
            let message = "A mark stands upon a letter, and here one begins a word.";
            return self.wrong("stray_character", start, message, Some(LEAVE_OUT));
        }
        let kind = if self.in_values() {
            TokenKind::Value(text.to_owned())
        } else {
            TokenKind::Literal(kind, text.to_owned())
        };
        self.token(start, kind);
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

    fn open(&mut self, start: usize, values: bool) {
        self.cursor.skip(1);
        if self.groups.len() == DEPTH_MAX {
            let message = format!("More than {DEPTH_MAX} parentheses are open at once.");
            self.wrong("too_deep", start, message, Some("Split it into several queries."));
            self.groups.clear();
            self.cursor.skip_while(|_| true);
            return;
        }
        self.token(start, TokenKind::Open);
        self.groups.push(Group { start, values });
    }

    fn close(&mut self, start: usize) {
        self.cursor.skip(1);
        if self.groups.pop().is_none() {
            self.wrong("unbalanced_parenthesis", start, "This parenthesis was never opened.", Some(LEAVE_OUT));
        }
        self.token(start, TokenKind::Close);
    }

    fn comment(&mut self, start: usize) {
        while self.cursor.peek().is_some() && !self.cursor.sees(">>>") {
            self.cursor.skip(1);
        }
        if self.cursor.peek().is_none() {
            return self.wrong("unbalanced_comment", start, "This comment is never closed.", Some(">>>"));
        }
        self.cursor.skip(3);
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
        let quoted = quoted::read(text);
        for wildcard in quoted.wildcards {
            let plain = text[wildcard.clone()].replace(['*', '?'], "");
            let span = inside + wildcard.start..inside + wildcard.end;
            let message = "A wildcard inside quotation marks cannot be asked yet.";
            self.mistakes.push(mistake("not_built", span, message, Some(&plain)));
        }
        if quoted.words.is_empty() {
            let exact = format!("{{{}}}", text.trim());
            return self.wrong("empty_quote", start, NOTHING_QUOTED, Some(&exact));
        }
        if quoted.words.len() > PHRASE_WORDS_MAX {
            let message =
                format!("A phrase holds at most {PHRASE_WORDS_MAX} words; this one has {}.", quoted.words.len());
            return self.wrong("too_many_words", start, message, Some("AND several shorter phrases."));
        }
        self.literal(start, LiteralKind::Phrase, &quoted.words.join(" "));
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

    fn raw(&mut self, start: usize) {
        self.cursor.skip(2);
        self.cursor.skip_while(|letter| letter != '"');
        self.cursor.skip(1);
        let exact = format!("+{}", &self.cursor.text[self.cursor.since(start)]);
        self.not_built(start, "A phrase with its punctuation (`+\"…\"`)", Some(&exact));
    }

    fn tilde(&mut self, start: usize) {
        let after_word = self.tokens.last().is_some_and(|token| {
            token.span.end == start
                && matches!(token.kind, TokenKind::Literal(LiteralKind::Word | LiteralKind::Prefix, _))
        });
        self.cursor.skip(1);
        self.cursor.skip_while(|letter| letter.is_ascii_digit());
        if after_word {
            return self.not_built(start, WINDOW_OF_WORD, Some(""));
        }
        self.not_built(start, "Words within a window (`~n`)", Some(""));
    }

    fn question_mark(&mut self, start: usize) {
        if self.cursor.ahead(1).is_some_and(|letter| is_word(letter) || letter == '*') {
            return self.wildcard(start);
        }
        self.cursor.skip(1);
        self.lint("question_mark", start, "A question mark at the end of a term is not searched for.", Some(""));
    }

    /// Any wildcard that is not the end of a word: the whole token is passed.
    fn wildcard(&mut self, start: usize) {
        self.cursor.skip_while(|letter| is_word(letter) || is_inner(letter) || matches!(letter, '*' | '?'));
        self.not_built(start, "A wildcard at the start of a word or inside it", Some("word*"));
    }

    fn ticker(&mut self, start: usize) {
        self.cursor.skip(1);
        self.cursor.skip_while(is_word);
        let exact = format!("{{{}}}", &self.cursor.text[self.cursor.since(start)]);
        self.not_built(start, "A ticker (`$tick`)", Some(&exact));
    }

    fn symbol(&mut self, start: usize) {
        self.cursor.pass_symbol();
        let text = &self.cursor.text[self.cursor.since(start)];
        self.literal(start, LiteralKind::Symbol, text);
    }
}
