//! The lexer's reading of what is made of letters: words, operators, fields, tags and names.

use super::super::super::LiteralKind;
use super::super::cursor::{is_curly_quote, is_han, is_solid, is_word};
use super::super::token::{LEAVE_OUT, Named, TokenKind, VALUE_EXAMPLE, VALUE_MISSING};
use super::{CALLS, Group, Lexer, PRAGMAS, PREFIX_LETTERS_MIN, WINDOW_OF_WORD};

const NEARNESS: [&str; 3] = ["NEAR", "ONEAR", "SENTENCE"];
const NEARNESS_NAME: &str = "Nearness (`NEAR/n`, `ONEAR/n`, `SENTENCE`)";

impl Lexer<'_> {
    pub(super) fn hashtag(&mut self, start: usize) {
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(is_word);
        self.entity(start, inside, LiteralKind::Hashtag);
    }

    /// `@name`, or a pragma.
    pub(super) fn name(&mut self, start: usize) {
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(is_word);
        while matches!(self.cursor.peek(), Some('.' | '-')) && self.cursor.ahead(1).is_some_and(is_word) {
            self.cursor.skip(1);
            self.cursor.skip_while(is_word);
        }
        let pragma = PRAGMAS.contains(&&self.cursor.text[self.cursor.since(inside)]);
        if pragma && self.cursor.peek() == Some(':') {
            self.cursor.skip_while(|letter| !letter.is_whitespace());
            return self.not_built(start, "A pragma", None);
        }
        self.entity(start, inside, LiteralKind::Name);
    }

    fn entity(&mut self, start: usize, inside: usize, kind: LiteralKind) {
        let text = &self.cursor.text[self.cursor.since(inside)];
        if !text.chars().any(is_solid) {
            let message = "A letter or a digit must follow directly after `#` or `@`.";
            return self.wrong("stray_character", start, message, Some("#tag, @name"));
        }
        let whole = &self.cursor.text[self.cursor.since(start)];
        if matches!(self.cursor.peek(), Some('*')) {
            self.cursor.skip(1);
            return self.not_built(start, "A wildcard in a hashtag or a name", Some(whole));
        }
        self.literal(start, kind, text);
    }

    /// A word, or what looks like one at first: an operator, a field's name, a call. `sign` characters come before it.
    pub(super) fn word(&mut self, start: usize, sign: usize) {
        self.cursor.skip(sign);
        let inside = self.cursor.offset();
        self.cursor.pass_word();
        let text = &self.cursor.text[self.cursor.since(inside)];
        match self.cursor.peek() {
            Some(':') if sign == 0 => return self.field(start, text),
            Some('(') if sign == 0 && CALLS.contains(&text) => return self.call(start, text),
            Some('*') => return self.prefix(start, text),
            Some('?') if self.cursor.ahead(1).is_some_and(|letter| is_word(letter) || matches!(letter, '*' | '?')) => {
                return self.inner_question_mark(start, text);
            }
            _ => {}
        }
        match text {
            "AND" if sign == 0 => self.token(start, TokenKind::And),
            "OR" if sign == 0 => self.token(start, TokenKind::Or),
            "NOT" if sign == 0 => self.token(start, TokenKind::Not),
            _ if sign == 0 && NEARNESS.contains(&text) => self.nearness(start),
            _ if text.chars().any(is_solid) => self.literal(start, LiteralKind::Word, text),
            _ => self.wrong("stray_character", start, "A term holds at least one letter or digit.", Some(LEAVE_OUT)),
        }
    }

    /// `wor?` with more question marks or letters after it.
    fn inner_question_mark(&mut self, start: usize, text: &str) {
        let marks = self.cursor.run(|letter| letter == '?');
        if self.cursor.ahead(marks).is_some_and(|letter| is_word(letter) || letter == '*') {
            return self.wildcard(start);
        }
        self.literal(start, LiteralKind::Word, text);
        let marks_start = self.cursor.offset();
        self.cursor.skip(marks);
        self.lint("question_mark", marks_start, "A question mark at the end of a term is not searched for.", Some(""));
    }

    /// `word*`, the cursor before the star.
    fn prefix(&mut self, start: usize, text: &str) {
        if self.cursor.ahead(1).is_some_and(|letter| is_word(letter) || matches!(letter, '*' | '?')) {
            return self.wildcard(start);
        }
        self.cursor.skip(1);
        let letters = text.chars().filter(|letter| is_solid(*letter)).count();
        if letters < PREFIX_LETTERS_MIN && !text.chars().any(is_han) {
            let message = format!("At least {PREFIX_LETTERS_MIN} letters must stand before `*`, or one Han character.");
            return self.wrong("wildcard_too_short", start, message, Some(text));
        }
        self.literal(start, LiteralKind::Prefix, text);
    }

    fn nearness(&mut self, start: usize) {
        self.cursor.skip_while(|letter| letter == '/' || letter.is_ascii_alphanumeric());
        self.not_built(start, NEARNESS_NAME, Some("AND"));
    }

    /// `forms(…)` and the like, with the comparison that may follow.
    fn call(&mut self, start: usize, name: &str) {
        let what = format!("`{name}(…)`");
        self.balanced();
        let gap = self.cursor.run(char::is_whitespace);
        if matches!(self.cursor.ahead(gap), Some('<' | '>' | '=')) {
            self.cursor.skip(gap);
            self.cursor.skip_while(|letter| matches!(letter, '<' | '>' | '='));
            self.cursor.skip_while(char::is_whitespace);
            self.cursor.skip_while(|letter| letter.is_ascii_digit());
        }
        self.not_built(start, &what, None);
    }

    /// Passes a group in parentheses, to its end or the text's.
    fn balanced(&mut self) {
        let mut open = 0_usize;
        while let Some(letter) = self.cursor.peek() {
            self.cursor.skip(1);
            match letter {
                '(' => open += 1,
                ')' => open = open.saturating_sub(1),
                _ => {}
            }
            if open == 0 {
                return;
            }
        }
    }

    /// A name before a colon, the cursor on the colon.
    fn field(&mut self, start: usize, name: &str) {
        let what = format!("The field `{name}:`");
        let named = Named::of(name);
        if let Named::Unknown { nearest } = named {
            let nearest = nearest.map(|known| format!("{known}:"));
            self.wrong(
                "unknown_field",
                start,
                format!("There is no field `{name}:`. In a text, quote it."),
                nearest.as_deref(),
            );
        }
        self.cursor.skip(1);
        match named {
            Named::Field(field) => {
                self.token(start, TokenKind::Field(field));
                self.first_value();
            }
            Named::NotBuilt => {
                self.pass_value();
                self.not_built(start, &what, None);
            }
            Named::Unknown { .. } => self.pass_value(),
        }
    }

    fn first_value(&mut self) {
        let start = self.cursor.offset();
        self.groups.push(Group { start, values: true });
        match self.cursor.peek() {
            Some('(') => {
                self.groups.pop();
                return self.open(start, true);
            }
            Some('"') => self.phrase(start),
            Some(letter) if is_curly_quote(letter) => self.phrase(start),
            Some('{') => self.exact(start, 1, '}'),
            Some('+') if self.cursor.sees("++\"") => self.exact(start, 3, '"'),
            Some('+') if self.cursor.sees("+\"") => self.raw(start),
            _ => self.value(start),
        }
        self.groups.pop();
    }

    /// A value as it stands: an address or an id may hold nearly anything. What looks like an operator or a call is one;
    /// in quotes it is a value.
    pub(super) fn value(&mut self, start: usize) {
        self.cursor.skip_while(|letter| {
            !letter.is_whitespace() && !matches!(letter, '(' | ')' | '"' | '{' | '}') && !is_curly_quote(letter)
        });
        let text = &self.cursor.text[self.cursor.since(start)];
        if self.cursor.peek() == Some('(') && CALLS.contains(&text) {
            return self.call(start, text);
        }
        if let Some(window) = window_in(text) {
            return self.not_built(start + window, WINDOW_OF_WORD, None);
        }
        match text {
            "" => {
                self.cursor.skip(usize::from(self.cursor.peek() == Some('}')));
                self.wrong("missing_value", start, VALUE_MISSING, Some(VALUE_EXAMPLE));
            }
            "AND" => self.token(start, TokenKind::And),
            "OR" => self.token(start, TokenKind::Or),
            "NOT" => self.token(start, TokenKind::Not),
            text if is_nearness(text) => self.not_built(start, NEARNESS_NAME, Some("AND")),
            text if is_pragma(text) => self.not_built(start, "A pragma", None),
            text if text.contains(['*', '?']) => self.not_built(start, "A wildcard in a field", None),
            text => self.token(start, TokenKind::Value(text.to_owned())),
        }
    }

    /// Passes the value of a field that cannot be asked.
    fn pass_value(&mut self) {
        match self.cursor.peek() {
            Some('(') => self.balanced(),
            Some('[') => {
                self.cursor.skip_while(|letter| letter != ']');
                self.cursor.skip(1);
            }
            Some('"') => {
                self.cursor.skip(1);
                self.cursor.skip_while(|letter| letter != '"');
                self.cursor.skip(1);
            }
            _ => self.cursor.skip_while(|letter| !letter.is_whitespace() && !matches!(letter, '(' | ')')),
        }
    }

    /// A character that no term begins with.
    pub(super) fn stray(&mut self, start: usize, letter: char) {
        self.cursor.skip(1);
        let (message, instead) = match letter {
            '}' => return self.wrong("unbalanced_brace", start, "This brace was never opened.", Some("{")),
            '\u{2013}' | '\u{2014}' | '\u{2212}' => ("A dash is no operator.", Some("-")),
            '&' => ("`&` stands only inside a word.", Some("AND")),
            '|' => ("`|` is no operator.", Some("OR")),
            '!' => ("`!` stands only at the end of a word.", Some("NOT")),
            '（' => ("A wide parenthesis is no operator.", Some("(")),
            '）' => ("A wide parenthesis is no operator.", Some(")")),
            _ => (
                "No term begins with this character; leave it out, or quote it together with the word beside it.",
                Some(LEAVE_OUT),
            ),
        };
        self.wrong("stray_character", start, message, instead);
    }
}

/// An operator of nearness, with its number or without.
fn is_nearness(text: &str) -> bool {
    let (operator, number) = text.split_once('/').unwrap_or((text, ""));
    NEARNESS.contains(&operator) && number.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn is_pragma(text: &str) -> bool {
    text.strip_prefix('@').and_then(|rest| rest.split_once(':')).is_some_and(|(name, _)| PRAGMAS.contains(&name))
}

/// Where `~n` begins behind a word.
fn window_in(text: &str) -> Option<usize> {
    let (word, number) = text.rsplit_once('~')?;
    let is_window = !word.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_window.then_some(word.len())
}
