//! The lexer's reading of what is made of letters: words, operators, fields, tags and names.

use super::super::super::LiteralKind;
use super::super::cursor::{is_curly_quote, is_han, is_solid, is_word};
use super::super::token::{Call, LEAVE_OUT, Named, TokenKind, VALUE_EXAMPLE, VALUE_MISSING, WINDOW_OF_WORD};
use super::operators::{NEARNESS, PRAGMAS};
use super::{Group, Holds, Lexer};

/// Letters that a word with wildcards has at least, and of these in one piece.
const WILDCARD_LETTERS_MIN: usize = 3;
const WILDCARD_RUN_MIN: usize = 2;

impl Lexer<'_> {
    pub(super) fn hashtag(&mut self, start: usize) {
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        self.cursor.skip_while(|letter| is_word(letter) || letter == '*');
        self.entity(start, inside, LiteralKind::Hashtag);
    }

    /// `@name`, or a pragma.
    pub(super) fn name(&mut self, start: usize) {
        self.cursor.skip(1);
        let inside = self.cursor.offset();
        let is_part = |letter| is_word(letter) || letter == '*';
        self.cursor.skip_while(is_part);
        while matches!(self.cursor.peek(), Some('.' | '-')) && self.cursor.ahead(1).is_some_and(is_part) {
            self.cursor.skip(1);
            self.cursor.skip_while(is_part);
        }
        let name = &self.cursor.text[self.cursor.since(inside)];
        if self.cursor.peek() == Some(':') && PRAGMAS.contains(&name) {
            return self.pragma(start, name);
        }
        if self.cursor.peek() == Some(':') && self.cursor.ahead(1).is_some_and(is_word) && self.at_head() {
            self.cursor.skip_while(|letter| !letter.is_whitespace());
            let message = format!("A query says of itself: {}.", PRAGMAS.map(|name| format!("@{name}:")).join(" "));
            return self.wrong("unknown_pragma", start, message, Some(LEAVE_OUT));
        }
        self.entity(start, inside, LiteralKind::Name);
    }

    fn entity(&mut self, start: usize, inside: usize, kind: LiteralKind) {
        let text = &self.cursor.text[self.cursor.since(inside)];
        if !text.chars().any(is_solid) {
            let message = "A letter or a digit must follow directly after `#` or `@`.";
            return self.wrong("stray_character", start, message, Some("#tag, @name"));
        }
        if let Some(plain) = text.contains('*').then(|| too_short(text)).flatten() {
            return self.wrong("wildcard_too_short", start, SHORT, Some(&plain));
        }
        self.literal(start, kind, text);
    }

    /// A word, or what looks like one at first: an operator, a field's name, a call. `sign` characters come before it.
    pub(super) fn word(&mut self, start: usize, sign: usize) {
        self.cursor.skip(sign);
        let inside = self.cursor.offset();
        let holds_wildcard = self.cursor.pass_pattern();
        let text = &self.cursor.text[self.cursor.since(inside)];
        if holds_wildcard {
            return self.wildcard(start, text);
        }
        match (self.cursor.peek(), Call::of(text)) {
            (Some(':'), _) if sign == 0 => return self.field(start, text),
            (Some('('), Some(call)) if sign == 0 => return self.call(start, call),
            _ => {}
        }
        match text {
            "AND" if sign == 0 => self.token(start, TokenKind::And),
            "OR" if sign == 0 => self.token(start, TokenKind::Or),
            "NOT" if sign == 0 => self.token(start, TokenKind::Not),
            _ if sign == 0 && NEARNESS.contains(&text) => self.nearness(start, text),
            _ if text.chars().any(is_solid) => self.literal(start, LiteralKind::Word, text),
            _ => self.wrong("stray_character", start, "A term holds at least one letter or digit.", Some(LEAVE_OUT)),
        }
    }

    /// A word with stars or question marks.
    fn wildcard(&mut self, start: usize, text: &str) {
        if let Some(plain) = too_short(text) {
            return self.wrong("wildcard_too_short", start, SHORT, Some(&plain));
        }
        let (kind, text) = of_pattern(text);
        self.literal(start, kind, text);
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
            Named::Scope(scope) => {
                if self.cursor.peek().is_none_or(char::is_whitespace) {
                    let end = self.cursor.offset();
                    return self.wrong("missing_value", end, VALUE_MISSING, Some("title:outage, title:(a OR b)"));
                }
                self.token(start, TokenKind::Scope(scope));
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
        self.groups.push(Group { start, holds: Holds::OneValue });
        match self.cursor.peek() {
            Some('(') => {
                self.groups.pop();
                return self.open(start, Holds::Values);
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
        if self.cursor.peek() == Some('[') {
            self.cursor.skip_while(|letter| !matches!(letter, ']' | '(' | ')' | '"' | '\n'));
            self.cursor.skip(usize::from(self.cursor.peek() == Some(']')));
        }
        let ends_at_comma = self.in_value_of_call();
        self.cursor.skip_while(|letter| {
            let is_mark = matches!(letter, '(' | ')' | '"' | '{' | '}') || (letter == ',' && ends_at_comma);
            !letter.is_whitespace() && !is_mark && !is_curly_quote(letter)
        });
        let text = &self.cursor.text[self.cursor.since(start)];
        if self.cursor.peek() == Some('(') && Call::of(text).is_some() {
            return self.wrong(
                "wrong_value",
                start,
                "A field is compared with values, not with a call.",
                Some(VALUE_EXAMPLE),
            );
        }
        if let Some(window) = window_in(text) {
            return self.wrong("window_of_word", start + window, WINDOW_OF_WORD, Some(LEAVE_OUT));
        }
        match text {
            "" => {
                self.cursor.skip(usize::from(self.cursor.peek() == Some('}')));
                self.wrong("missing_value", start, VALUE_MISSING, Some(VALUE_EXAMPLE));
            }
            "AND" => self.token(start, TokenKind::And),
            "OR" => self.token(start, TokenKind::Or),
            "NOT" => self.token(start, TokenKind::Not),
            text if is_nearness(text) => {
                self.wrong("near_operand", start, "Values have no places that could be near.", Some("AND"));
            }
            text if is_pragma(text) => {
                self.wrong("pragma_not_at_head", start, "A pragma stands at the head of the query.", Some(LEAVE_OUT));
            }
            text if text.contains(['*', '?']) && !text.starts_with('[') => {
                self.wrong(
                    "wrong_value",
                    start,
                    "A value holds no wildcard; between quotation marks it is read as it stands.",
                    Some(LEAVE_OUT),
                );
            }
            text if text.ends_with(',') => {
                self.wrong(
                    "wrong_value",
                    start,
                    "Values are parted by OR; a comma stands between quotation marks.",
                    Some("OR"),
                );
            }
            text => self.literal(start, LiteralKind::Word, text),
        }
    }

    /// Whether a single value is read that a call is given.
    fn in_value_of_call(&self) -> bool {
        match self.groups.as_slice() {
            [.., around, last] => last.holds == Holds::OneValue && matches!(around.holds, Holds::Arguments(_)),
            _ => false,
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

/// Whether a word of a quotation holds a wildcard. A star in its frame is a sign.
pub(in super::super) fn is_wildcard(word: &str) -> bool {
    word.contains(['*', '?']) && word.chars().any(is_solid) && !word.contains('\u{20e3}')
}

/// A word with wildcards as a literal. A star at the end alone makes it a prefix.
pub(in super::super) fn of_pattern(word: &str) -> (LiteralKind, &str) {
    let head = word.trim_end_matches('*');
    match head.contains(['*', '?']) {
        true => (LiteralKind::Wildcard, word),
        false => (LiteralKind::Prefix, head),
    }
}

pub(super) const SHORT: &str =
    "At least three letters must stand beside `*` and `?`, two of them together, or one Han character.";

/// The letters of a word with wildcards, if they are too few.
pub(super) fn too_short(word: &str) -> Option<String> {
    let letters = |piece: &str| piece.chars().filter(|letter| is_solid(*letter)).count();
    let longest = word.split(['*', '?']).map(letters).max().unwrap_or(0);
    let is_short = letters(word) < WILDCARD_LETTERS_MIN || longest < WILDCARD_RUN_MIN;
    let plain = word.replace(['*', '?'], "");
    let instead = if plain.is_empty() { LEAVE_OUT.to_owned() } else { plain };
    (is_short && !word.chars().any(is_han)).then_some(instead)
}

/// An operator of nearness, with its number or without.
fn is_nearness(text: &str) -> bool {
    let (operator, number) = text.split_once('/').unwrap_or((text, ""));
    NEARNESS.contains(&operator) && number.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a word is what a query says of itself at its head.
pub(in super::super) fn is_pragma(text: &str) -> bool {
    text.strip_prefix('@').and_then(|rest| rest.split_once(':')).is_some_and(|(name, _)| PRAGMAS.contains(&name))
}

/// Where `~n` begins behind a word.
fn window_in(text: &str) -> Option<usize> {
    let (word, number) = text.rsplit_once('~')?;
    let is_window = !word.is_empty() && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_window.then_some(word.len())
}
