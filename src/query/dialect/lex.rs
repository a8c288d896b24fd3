//! A pasted text to tokens. Every character is read a fixed number of times, and all mistakes of spelling are told;
//! unaware of which words are operators and which fields there are.

use std::ops::Range;

use super::super::QueryError;
use super::super::parse::cursor::{Cursor, is_curly_quote, is_invisible, is_symbol, is_word};
use super::super::parse::{DEPTH_MAX, MISTAKES_MAX, mistake};
use super::Dialect;

const LEAVE_OUT: &str = "Leave it out.";

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub kind: TokenKind,
    /// Bytes of the pasted text.
    pub span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum TokenKind {
    Open,
    Close,
    /// A run of characters: a word, an operator, a value.
    Word(String),
    /// The same with an escape in it: these characters and no operator.
    Escaped(String),
    /// `"…"`, without its escapes.
    Quote(String),
    /// `+"…"` and `++"…"`.
    Raw(String),
    Exact(String),
    /// `{…}`.
    Brace(String),
    /// `[…]`, and `{…}` where that is a range too: with its brackets.
    Range(String),
    /// A name before a colon.
    Field(String),
    /// `-`, `+` and `!` directly before a term.
    Sign(char),
    /// The same before white space.
    BareSign(char),
    /// `&&` and `||`.
    Both,
    Either,
    /// What stands behind `~` and `^`: digits and a point.
    Tilde(String),
    Caret(String),
    /// `>=5` behind a name.
    Compared(String),
    /// `/…/`.
    Pattern,
}

pub(super) struct Lexed {
    pub tokens: Vec<Token>,
    pub mistakes: Vec<QueryError>,
    /// The bytes of what comments say.
    pub comments: Vec<Range<usize>>,
    #[cfg(test)]
    pub steps: usize,
}

/// Whether a character that is not seen, or the frame of a keycap, stands upon nothing: no word begins with it.
fn is_loose(letter: char, before: &str) -> bool {
    let before = before.chars().next_back();
    match letter {
        '\u{20e3}' => !before.is_some_and(|before| matches!(before, '0'..='9' | '#' | '*' | '\u{fe0f}')),
        '\u{fe00}'..='\u{fe0f}' => before.is_none_or(char::is_whitespace),
        _ => is_invisible(letter) && !before.is_some_and(|before| is_word(before) || is_symbol(before)),
    }
}

struct Lexer<'a> {
    cursor: Cursor<'a>,
    dialect: Dialect,
    tokens: Vec<Token>,
    mistakes: Vec<QueryError>,
    comments: Vec<Range<usize>>,
    /// The open parentheses: where each stands, and whether values of a field stand in it.
    groups: Vec<(usize, bool)>,
}

pub(super) fn lex(text: &str, dialect: Dialect) -> Lexed {
    let mut lexer = Lexer {
        cursor: Cursor::new(text),
        dialect,
        tokens: Vec::new(),
        mistakes: Vec::new(),
        comments: Vec::new(),
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

impl Dialect {
    /// Whether a backslash makes the next character an ordinary one: in words, or between quotation marks alone.
    fn escapes_in_words(self) -> bool {
        matches!(self, Self::Lucene | Self::Meltwater)
    }

    fn escapes_in_quotes(self) -> bool {
        matches!(self, Self::Lucene | Self::Meltwater | Self::X)
    }

    /// Characters that end a word of the dialect, beside white space, quotation marks and parentheses.
    fn ends_word(self, letter: char) -> bool {
        match self {
            Self::Brandwatch => matches!(letter, '{' | '}' | '~'),
            Self::Talkwalker => letter == '~',
            Self::Meltwater => matches!(letter, '{' | '}' | '~' | '^' | '<' | '>'),
            Self::X => letter == '~',
            Self::Lucene => matches!(letter, '{' | '}' | '[' | ']' | '~' | '^'),
        }
    }
}

impl Lexer<'_> {
    /// Reads what begins with `letter`: at least that letter.
    fn step(&mut self, letter: char) {
        let start = self.cursor.offset();
        let lucene = self.dialect == Dialect::Lucene;
        match letter {
            _ if letter.is_whitespace() => self.cursor.skip(1),
            '<' if self.dialect == Dialect::Brandwatch && self.cursor.sees("<<<") => self.comment(start),
            '(' => self.open(start, self.in_values()),
            ')' => self.close(start),
            '"' => self.quote(start),
            _ if is_curly_quote(letter) => self.quote(start),
            '+' if self.dialect == Dialect::Talkwalker && (self.cursor.sees("+\"") || self.cursor.sees("++\"")) => {
                self.quote(start);
            }
            '-' => self.sign(start, letter),
            '+' | '!' if lucene => self.sign(start, letter),
            '&' if lucene && self.cursor.sees("&&") => self.pair(start, TokenKind::Both),
            '|' if lucene && self.cursor.sees("||") => self.pair(start, TokenKind::Either),
            '/' if lucene => self.pattern(start),
            '~' => self.number(start, TokenKind::Tilde),
            '^' if self.dialect.ends_word('^') => self.number(start, TokenKind::Caret),
            '<' | '>' if self.dialect.ends_word(letter) => self.compared(start),
            '{' if self.dialect.ends_word('{') => self.brace(start),
            '[' if lucene => self.range(start),
            '}' | ']' if self.dialect.ends_word(letter) => {
                self.cursor.skip(1);
                self.wrong("unbalanced_brace", start, "This bracket was never opened.", LEAVE_OUT);
            }
            _ => self.word(start),
        }
    }

    fn finish(mut self) -> Lexed {
        for (start, _) in &self.groups {
            let span = *start..start + 1;
            self.mistakes.push(mistake("unbalanced_parenthesis", span, "This parenthesis is never closed.", Some(")")));
        }
        self.mistakes.sort_by_key(|mistake| mistake.span.start);
        self.mistakes.truncate(MISTAKES_MAX);
        Lexed {
            tokens: self.tokens,
            mistakes: self.mistakes,
            comments: self.comments,
            #[cfg(test)]
            steps: self.cursor.steps(),
        }
    }

    fn in_values(&self) -> bool {
        self.groups.last().is_some_and(|(_, holds_values)| *holds_values)
    }

    fn token(&mut self, start: usize, kind: TokenKind) {
        self.tokens.push(Token { kind, span: self.cursor.since(start) });
    }

    fn wrong(&mut self, code: &'static str, start: usize, message: &str, instead: &str) {
        self.mistakes.push(mistake(code, self.cursor.since(start), message, Some(instead)));
    }

    fn comment(&mut self, start: usize) {
        self.cursor.skip("<<<".len());
        let inside = self.cursor.offset();
        while self.cursor.peek().is_some() && !self.cursor.sees(">>>") {
            self.cursor.skip(1);
        }
        if self.cursor.peek().is_none() {
            return self.wrong("unbalanced_comment", start, "This comment is never closed.", ">>>");
        }
        self.comments.push(self.cursor.since(inside));
        self.cursor.skip(">>>".len());
    }

    fn open(&mut self, start: usize, holds_values: bool) {
        self.cursor.skip(1);
        if self.groups.len() == DEPTH_MAX {
            self.groups.clear();
            let message = format!("More than {DEPTH_MAX} parentheses are open at once.");
            self.wrong("too_deep", start, &message, "Split it into several queries.");
            self.cursor.skip_while(|_| true);
            return;
        }
        self.token(start, TokenKind::Open);
        self.groups.push((start, holds_values));
    }

    fn close(&mut self, start: usize) {
        self.cursor.skip(1);
        if self.groups.pop().is_none() {
            self.wrong("unbalanced_parenthesis", start, "This parenthesis was never opened.", LEAVE_OUT);
        }
        self.token(start, TokenKind::Close);
    }

    /// Between quotation marks, straight or curly, with the signs that may stand before them.
    fn quote(&mut self, start: usize) {
        let signs = self.cursor.run(|letter| letter == '+');
        self.cursor.skip(signs);
        let is_straight = self.cursor.peek() == Some('"');
        self.cursor.skip(1);
        let mut text = String::new();
        loop {
            let Some(letter) = self.cursor.peek() else {
                return self.wrong("unbalanced_quote", start, "This quotation mark is never closed.", "\"");
            };
            self.cursor.skip(1);
            match letter {
                '\\' if self.dialect.escapes_in_quotes() && self.cursor.peek().is_some() => {
                    text.extend(self.cursor.peek());
                    self.cursor.skip(1);
                }
                '"' => break,
                _ if !is_straight && is_curly_quote(letter) => break,
                _ if is_loose(letter, &text) => {}
                _ => text.push(letter),
            }
        }
        if text.trim().is_empty() {
            let message = "There is no word between these quotation marks.";
            return self.wrong("empty_quote", start, message, "Put a word between them.");
        }
        let kind = match signs {
            0 => TokenKind::Quote(text),
            1 => TokenKind::Raw(text),
            _ => TokenKind::Exact(text),
        };
        self.token(start, kind);
    }

    fn sign(&mut self, start: usize, sign: char) {
        self.cursor.skip(1);
        match self.cursor.peek() {
            Some(letter) if !letter.is_whitespace() && letter != ')' => self.token(start, TokenKind::Sign(sign)),
            _ if self.dialect == Dialect::Lucene => self.token(start, TokenKind::BareSign(sign)),
            _ => self.wrong("stray_minus", start, "`-` excludes only directly before a term.", "NOT"),
        }
    }

    fn pair(&mut self, start: usize, kind: TokenKind) {
        self.cursor.skip(2);
        self.token(start, kind);
    }

    /// `/…/`, or to the end of the text.
    fn pattern(&mut self, start: usize) {
        self.cursor.skip(1);
        while let Some(letter) = self.cursor.peek().filter(|letter| *letter != '/') {
            self.cursor.skip(if letter == '\\' { 2 } else { 1 });
        }
        self.cursor.skip(1);
        self.token(start, TokenKind::Pattern);
    }

    fn number(&mut self, start: usize, kind: fn(String) -> TokenKind) {
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| letter.is_ascii_digit() || letter == '.');
        let number = self.cursor.text[self.cursor.since(inside)].to_owned();
        self.token(start, kind(number));
    }

    fn compared(&mut self, start: usize) {
        self.cursor.skip_while(|letter| matches!(letter, '<' | '>' | '='));
        let signs = self.cursor.text[self.cursor.since(start)].to_owned();
        self.cursor.skip_while(char::is_whitespace);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| letter.is_ascii_digit() || letter == '.');
        let number = &self.cursor.text[self.cursor.since(inside)];
        self.token(start, TokenKind::Compared(signs + number));
    }

    fn brace(&mut self, start: usize) {
        if self.dialect == Dialect::Lucene {
            return self.range(start);
        }
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| letter != '}');
        let text = self.cursor.text[self.cursor.since(inside)].to_owned();
        if self.cursor.peek().is_none() {
            return self.wrong("unbalanced_brace", start, "This brace is never closed.", "}");
        }
        self.cursor.skip(1);
        if text.trim().is_empty() {
            return self.wrong("empty_quote", start, "There is nothing between these braces.", LEAVE_OUT);
        }
        self.token(start, TokenKind::Brace(text));
    }

    fn range(&mut self, start: usize) {
        self.cursor.skip(1);
        self.cursor.skip_while(|letter| !matches!(letter, ']' | '}' | '(' | ')' | '"'));
        if !matches!(self.cursor.peek(), Some(']' | '}')) {
            return self.wrong("unbalanced_brace", start, "This bracket is never closed.", "]");
        }
        self.cursor.skip(1);
        let text = self.cursor.text[self.cursor.since(start)].to_owned();
        self.token(start, TokenKind::Range(text));
    }

    /// A run of characters, or a field's name and the value behind it.
    fn word(&mut self, start: usize) {
        let name = self.cursor.run(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.'));
        let begins_name = self.cursor.peek().is_some_and(|letter| letter.is_ascii_alphabetic());
        if !self.in_values() && begins_name && self.cursor.ahead(name) == Some(':') {
            let name_start = self.cursor.offset();
            self.cursor.skip(name);
            let name = self.cursor.text[self.cursor.since(name_start)].to_owned();
            self.cursor.skip(1);
            self.token(start, TokenKind::Field(name));
            return self.first_value();
        }
        self.run(start);
    }

    /// What stands directly behind a colon.
    fn first_value(&mut self) {
        let start = self.cursor.offset();
        match self.cursor.peek() {
            None | Some(')') => {}
            Some(letter) if letter.is_whitespace() => {}
            Some('(') => self.open(start, true),
            Some('[') => self.range(start),
            Some('{') if self.dialect.ends_word('{') => self.brace(start),
            Some('"') => self.quote(start),
            Some(letter) if is_curly_quote(letter) => self.quote(start),
            Some('+') if self.cursor.sees("+\"") || self.cursor.sees("++\"") => self.quote(start),
            Some('<' | '>') if self.dialect.ends_word('>') => self.compared(start),
            Some('/') if self.dialect == Dialect::Lucene => self.pattern(start),
            Some(_) => self.run(start),
        }
    }

    /// A run of characters up to what ends a word. At least one is taken.
    fn run(&mut self, start: usize) {
        let (mut text, mut is_escaped) = (String::new(), false);
        while let Some(letter) = self.cursor.peek() {
            let ends = letter.is_whitespace()
                || matches!(letter, '(' | ')' | '"')
                || is_curly_quote(letter)
                || self.dialect.ends_word(letter)
                || (letter == '<' && self.dialect == Dialect::Brandwatch && self.cursor.sees("<<<"));
            if ends && self.cursor.offset() > start {
                break;
            }
            self.cursor.skip(1);
            if letter == '\\' && self.dialect.escapes_in_words() && self.cursor.peek().is_some() {
                is_escaped = true;
                text.extend(self.cursor.peek());
                self.cursor.skip(1);
            } else if !is_loose(letter, &text) {
                text.push(letter);
            }
        }
        let kind = if is_escaped { TokenKind::Escaped(text) } else { TokenKind::Word(text) };
        self.token(start, kind);
    }
}
