//! Tokens to a tree: precedence, groups, fields, and whether every alternative keeps an anchor.
//! The lexer has bounded how deep parentheses nest, and with them the recursion here.

use std::ops::Range;

use crate::model::Lang;

use super::super::{Literal, LiteralKind, Node, Query, QueryError};
use super::token::{Field, LEAVE_OUT, MISTAKES_MAX, Token, TokenKind, VALUE_EXAMPLE, VALUE_MISSING, mistake};

pub fn tree(text: &str, tokens: Vec<Token>, lints: Vec<QueryError>) -> Result<Query, QueryError> {
    if tokens.is_empty() {
        let instead = "Write a word, a \"phrase\", or a field as `author:ann`.";
        return Err(mistake("empty", 0..text.len(), "This query holds no term.", Some(instead)));
    }
    let mut parser = Parser { text, tokens, at: 0, lints };
    parser.remark_lower_case();
    let part = parser.any(None)?;
    if let Some(token) = parser.peek() {
        return Err(missing(token.span.clone()));
    }
    if let Some(loose) = part.loose {
        let message = "Nothing here tells where to look: what is only excluded, or only a language or a source, fits \
                       nearly every post.";
        return Err(mistake("no_anchor", loose, message, Some("AND it with a word, `author:` or `site:`")));
    }
    let mut lints = parser.lints;
    lints.sort_by_key(|lint| lint.span.start);
    Ok(Query { root: part.node, lints })
}

/// A node with what is known of it.
struct Part {
    node: Node,
    span: Range<usize>,
    /// The part that keeps an alternative of this node without an anchor.
    loose: Option<Range<usize>>,
    /// The same for this node's negation.
    loose_negated: Option<Range<usize>>,
    /// Terms stand side by side in it, without parentheses around them.
    bare_all: bool,
}

impl Part {
    fn leaf(node: Node, span: Range<usize>) -> Self {
        let anchored = matches!(node, Node::Literal(_) | Node::Author(_) | Node::Site(_));
        let loose = (!anchored).then(|| span.clone());
        Self { node, loose, loose_negated: Some(span.clone()), span, bare_all: false }
    }

    /// All of at least one part.
    fn all(parts: Vec<Self>) -> Self {
        Self::joined(parts, Node::All, |parts, span| {
            let loose = parts.iter().all(|part| part.loose.is_some()).then_some(span);
            (loose, parts.iter().find_map(|part| part.loose_negated.clone()))
        })
    }

    /// Any of at least one part.
    fn any(parts: Vec<Self>) -> Self {
        Self::joined(parts, Node::Any, |parts, span| {
            let loose_negated = parts.iter().all(|part| part.loose_negated.is_some()).then_some(span);
            (parts.iter().find_map(|part| part.loose.clone()), loose_negated)
        })
    }

    fn joined(
        mut parts: Vec<Self>,
        join: fn(Vec<Node>) -> Node,
        loose: impl Fn(&[Self], Range<usize>) -> (Option<Range<usize>>, Option<Range<usize>>),
    ) -> Self {
        if parts.len() == 1 {
            return parts.remove(0);
        }
        let span = parts[0].span.start..parts[parts.len() - 1].span.end;
        let (loose, loose_negated) = loose(&parts, span.clone());
        let node = join(parts.into_iter().map(|part| part.node).collect());
        let bare_all = matches!(node, Node::All(_));
        Self { node, span, loose, loose_negated, bare_all }
    }

    fn negated(self, span: Range<usize>) -> Self {
        Self {
            node: Node::Not(Box::new(self.node)),
            loose: self.loose_negated.map(|_| span.clone()),
            loose_negated: self.loose,
            span,
            bare_all: false,
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    lints: Vec<QueryError>,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next_is(&self, kind: &TokenKind) -> bool {
        self.peek().is_some_and(|token| token.kind == *kind)
    }

    fn lint(&mut self, code: &'static str, span: Range<usize>, message: &str, instead: &str) {
        if self.lints.len() < MISTAKES_MAX {
            self.lints.push(mistake(code, span, message, Some(instead)));
        }
    }

    /// `or`, `and` or `not` between terms: words, though they were perhaps meant otherwise.
    fn remark_lower_case(&mut self) {
        for at in 0..self.tokens.len() {
            let token = &self.tokens[at];
            let (TokenKind::Literal(LiteralKind::Word, word) | TokenKind::Value(word)) = &token.kind else { continue };
            let span = token.span.clone();
            let before = at.checked_sub(1).is_some_and(|before| ends_term(&self.tokens[before].kind));
            let after = self.tokens.get(at + 1).is_some_and(|after| begins_term(&after.kind));
            let operator = match word.as_str() {
                "or" if before && after => "OR",
                "and" if before && after => "AND",
                "not" if after => "NOT",
                _ => continue,
            };
            self.lint(
                "lower_case_operator",
                span,
                "Operators are upper case: this is searched for as a word.",
                operator,
            );
        }
    }

    fn any(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        let mut parts = vec![self.all(field)?];
        while self.next_is(&TokenKind::Or) {
            self.at += 1;
            parts.push(self.all(field)?);
        }
        if parts.len() > 1 && parts.iter().any(|part| part.bare_all) {
            let span = parts[0].span.start..parts[parts.len() - 1].span.end;
            let message = "AND, or a space, binds more tightly than OR: parentheses say which is meant.";
            self.lint("mixed_operators", span, message, "(a AND b) OR c");
        }
        Ok(Part::any(parts))
    }

    fn all(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        let mut parts = vec![self.not(field)?];
        loop {
            match self.peek().map(|token| &token.kind) {
                None | Some(TokenKind::Or | TokenKind::Close) => break,
                Some(TokenKind::And) => self.at += 1,
                Some(_) => {}
            }
            parts.push(self.not(field)?);
        }
        Ok(Part::all(parts))
    }

    fn not(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        if !self.next_is(&TokenKind::Not) {
            return self.term(field);
        }
        let start = self.tokens[self.at].span.start;
        self.at += 1;
        let part = self.term(field)?;
        let end = part.span.end;
        Ok(part.negated(start..end))
    }

    fn term(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        let Some(token) = self.peek().cloned() else {
            return Err(missing(self.tokens.last().map_or(0..0, |last| last.span.clone())));
        };
        self.at += 1;
        match (token.kind, field) {
            (TokenKind::Open, _) => self.group(token.span, field),
            (TokenKind::Field(named), None) => self.value(named, token.span),
            (TokenKind::Value(value), Some(field)) => Ok(Part::leaf(compared(field, &value, &token.span)?, token.span)),
            (TokenKind::Literal(kind, text), None) => {
                let keyword = self.text[token.span.clone()].to_owned();
                Ok(Part::leaf(Node::Literal(Literal { kind, text, keyword }), token.span))
            }
            _ => Err(missing(token.span)),
        }
    }

    /// The rest of a group that `open` began.
    fn group(&mut self, open: Range<usize>, field: Option<Field>) -> Result<Part, QueryError> {
        if self.next_is(&TokenKind::Close) {
            let span = open.start..self.tokens[self.at].span.end;
            return Err(mistake("empty_group", span, "There is nothing between these parentheses.", Some(LEAVE_OUT)));
        }
        let part = self.any(field)?;
        let Some(close) = self.peek().map(|token| token.span.end) else { return Err(missing(open)) };
        self.at += 1;
        let span = open.start..close;
        let widened = |loose: Option<Range<usize>>| loose.map(|at| if at == part.span { span.clone() } else { at });
        let (loose, loose_negated) = (widened(part.loose), widened(part.loose_negated));
        Ok(Part { node: part.node, loose, loose_negated, span, bare_all: false })
    }

    /// One value, or a group of values.
    fn value(&mut self, field: Field, name: Range<usize>) -> Result<Part, QueryError> {
        if !matches!(self.peek().map(|token| &token.kind), Some(TokenKind::Open | TokenKind::Value(_))) {
            return Err(mistake("missing_value", name, VALUE_MISSING, Some(VALUE_EXAMPLE)));
        }
        let part = self.term(Some(field))?;
        let span = name.start..part.span.end;
        let whole = |loose: Option<Range<usize>>| loose.map(|_| span.clone());
        let (loose, loose_negated) = (whole(part.loose), whole(part.loose_negated));
        Ok(Part { node: part.node, loose, loose_negated, span, bare_all: false })
    }
}

fn ends_term(kind: &TokenKind) -> bool {
    matches!(kind, TokenKind::Literal(..) | TokenKind::Value(_) | TokenKind::Close)
}

fn begins_term(kind: &TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Literal(..) | TokenKind::Value(_) | TokenKind::Open | TokenKind::Field(_) | TokenKind::Not
    )
}

fn missing(span: Range<usize>) -> QueryError {
    let message = "A term is missing here: an operator stands between two terms, NOT before one.";
    mistake("missing_term", span, message, Some("Put a term there, or leave the operator out."))
}

/// A field and its value as a node.
fn compared(field: Field, value: &str, span: &Range<usize>) -> Result<Node, QueryError> {
    let value = value.trim().to_lowercase();
    let value = if field == Field::Site { ascii_host(value) } else { value };
    match field {
        Field::Lang => Lang::parse(&value).map(Node::Lang).ok_or_else(|| unknown_language(&value, span)),
        Field::Source => Ok(Node::Source(value)),
        Field::Author => match value.trim_start_matches(['@', '＠', '﹫']).trim() {
            "" => Err(mistake("wrong_value", span.clone(), "A handle needs a letter.", Some("author:ann"))),
            handle => Ok(Node::Author(handle.to_owned())),
        },
        Field::Site if is_host(&value) => Ok(Node::Site(value)),
        Field::Site => {
            let (_, address) = value.split_once("://").unwrap_or(("", &value));
            let host = address.split(['/', '?', '#', ':']).next().filter(|host| is_host(host));
            let instead = host.map(|host| format!("site:{host}"));
            let message = "A site is a host alone, as `example.org`: no address, no path.";
            Err(mistake("wrong_value", span.clone(), message, instead.as_deref()))
        }
    }
}

fn unknown_language(value: &str, span: &Range<usize>) -> QueryError {
    let several = value.split([',', ';', '|']).filter_map(Lang::parse).map(Lang::code).collect::<Vec<_>>();
    let instead = (several.len() > 1).then(|| format!("lang:({})", several.join(" OR ")));
    let known = Lang::ALL.map(Lang::code).join(" ");
    mistake("unknown_language", span.clone(), format!("A language is one of these codes: {known}."), instead.as_deref())
}

/// A host as posts name their sites: letters beyond ASCII as IDNA spells them.
fn ascii_host(value: String) -> String {
    match url::Host::parse(&value) {
        Ok(url::Host::Domain(host)) if !value.is_ascii() => host,
        _ => value,
    }
}

/// Labels of letters, digits and hyphens with single dots between them.
fn is_host(value: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'))
    };
    value.split('.').all(label)
}
