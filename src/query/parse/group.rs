//! Tokens to a tree: precedence, groups, fields, and whether every alternative keeps an anchor.
//! The lexer has bounded how deep parentheses nest, and with them the recursion here.

use std::ops::Range;

use super::super::dialect::{self, Dialect, Translated};
use super::super::pragma::Pragmas;
use super::super::{Condition, Inflect, Keyword, Literal, LiteralKind, Node, Query, QueryError, Scope};
use super::lex::{self, Lexed};
use super::near::window_of_group;
use super::token::{
    DEPTH_MAX, Field, LEAVE_OUT, MISTAKES_MAX, Pragma, Token, TokenKind, VALUE_EXAMPLE, VALUE_MISSING, WINDOW_OF_WORD,
    mistake,
};
use super::uses::Uses;
use super::values;

/// The tree of a text without mistakes of spelling.
pub fn tree(text: &str, lexed: Lexed, uses: &mut Uses) -> Result<Query, QueryError> {
    let (query, part) = parse_whole(text, lexed, Pragmas::default(), uses)?;
    if let Some(loose) = part.loose {
        let message = "Nothing here tells where to look: what is only excluded, or only a language or a source, fits \
                       nearly every post.";
        return Err(mistake("no_anchor", loose, message, Some("AND it with a word, `author:` or `site:`")));
    }
    Ok(Query { root: part.node, ..query })
}

/// The whole text, whatever its anchors: a query that lacks its tree, and the tree. It is read under `pragmas` where it
/// has none of its own.
pub(super) fn parse_whole(
    text: &str,
    lexed: Lexed,
    pragmas: Pragmas,
    uses: &mut Uses,
) -> Result<(Query, Part), QueryError> {
    if let Some((dialect, start)) = lexed.foreign {
        return parse_foreign((dialect, start), text, lexed, pragmas, uses);
    }
    let mut parser = Parser { text, tokens: lexed.tokens, at: 0, lints: lexed.lints, pragmas, uses };
    parser.read_pragmas();
    if parser.peek().is_none() {
        let instead = "Write a word, a \"phrase\", or a field as `author:ann`.";
        return Err(mistake("empty", 0..text.len(), "This query holds no term.", Some(instead)));
    }
    parser.remark_lower_case();
    let part = parser.any(None)?;
    if let Some(token) = parser.peek() {
        return Err(missing(token.span.clone()));
    }
    let (pragmas, mut lints) = (parser.pragmas, parser.lints);
    lints.sort_by_key(|lint| lint.span.start);
    Ok((Query { pragmas, root: Node::All(Vec::new()), lints }, part))
}

/// The whole text of a query that another product wrote, from a byte on. What it says of itself before counts last.
fn parse_foreign(
    (dialect, start): (Dialect, usize),
    text: &str,
    lexed: Lexed,
    pragmas: Pragmas,
    uses: &mut Uses,
) -> Result<(Query, Part), QueryError> {
    let moved =
        |mistake: QueryError| QueryError { span: mistake.span.start + start..mistake.span.end + start, ..mistake };
    let Translated { written, remarks } =
        dialect::translate(&text[start..], dialect).map_err(|mut mistakes| moved(mistakes.remove(0)))?;
    let told = |mistake: QueryError| moved(written.told(mistake));
    let mut ours = lex::lex(&written.text);
    if !ours.mistakes.is_empty() {
        return Err(told(ours.mistakes.remove(0)));
    }
    let heads = ours.tokens.iter().take_while(|token| matches!(token.kind, TokenKind::Pragma(_))).count();
    ours.tokens.splice(heads..heads, lexed.tokens);
    let (mut query, mut part) = parse_whole(&written.text, ours, pragmas, uses).map_err(told)?;
    let mut lints: Vec<QueryError> = remarks.iter().map(|remark| moved(remark.lint())).collect();
    lints.extend(dialect::lasting(query.lints).into_iter().map(told));
    lints.sort_by_key(|lint| lint.span.start);
    lints.truncate(MISTAKES_MAX);
    query.lints = lints;
    let place = |span: Range<usize>| {
        let theirs = written.origin(&span);
        theirs.start + start..theirs.end + start
    };
    (part.loose, part.loose_negated) = (part.loose.map(place), part.loose_negated.map(place));
    part.span = place(part.span);
    Ok((query, part))
}

/// A node with what is known of it.
pub(super) struct Part {
    pub node: Node,
    pub span: Range<usize>,
    /// The part that keeps an alternative of this node without an anchor.
    pub loose: Option<Range<usize>>,
    /// The same for this node's negation.
    pub loose_negated: Option<Range<usize>>,
    /// Terms stand side by side in it, without parentheses around them.
    bare_all: bool,
}

impl Part {
    pub fn leaf(node: Node, span: Range<usize>) -> Self {
        let is_anchor = match &node {
            Node::Field(condition) => {
                matches!(condition, Condition::Author(_) | Condition::Site(_) | Condition::Thread(_))
            }
            Node::Count { min, .. } => *min > 0,
            _ => true,
        };
        // What is counted to be none or few is found by what it excludes.
        let is_negated_anchor = matches!(&node, Node::Count { min: 0, max: Some(_), .. });
        let loose = (!is_anchor).then(|| span.clone());
        let loose_negated = (!is_negated_anchor).then(|| span.clone());
        Self { node, loose, loose_negated, span, bare_all: false }
    }

    /// All of at least one part.
    fn all(parts: Vec<Self>) -> Self {
        Self::joined(parts, Node::All, |parts, span| {
            let loose = parts.iter().all(|part| part.loose.is_some()).then_some(span);
            (loose, parts.iter().find_map(|part| part.loose_negated.clone()))
        })
    }

    /// Any of at least one part.
    pub fn any(parts: Vec<Self>) -> Self {
        Self::joined(parts, Node::Any, |parts, span| {
            let loose_negated = parts.iter().all(|part| part.loose_negated.is_some()).then_some(span);
            (parts.iter().find_map(|part| part.loose.clone()), loose_negated)
        })
    }

    /// At least so many of the parts. They can all be without an anchor, or their negations.
    pub fn at_least(least: u32, parts: Vec<Self>, span: Range<usize>) -> Self {
        let count = |is_loose: fn(&Self) -> bool| parts.iter().filter(|part| is_loose(part)).count();
        let is_loose = count(|part| part.loose.is_some()) >= least as usize;
        let is_loose_negated = count(|part| part.loose_negated.is_some()) + least as usize > parts.len();
        Self {
            loose: is_loose.then(|| span.clone()),
            loose_negated: is_loose_negated.then(|| span.clone()),
            node: Node::AtLeast(least, parts.into_iter().map(|part| part.node).collect()),
            span,
            bare_all: false,
        }
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

    /// The same with another span, at which its anchors are told too.
    pub fn widened(self, span: Range<usize>) -> Self {
        let whole = |loose: Option<Range<usize>>| loose.map(|_| span.clone());
        let (loose, loose_negated) = (whole(self.loose), whole(self.loose_negated));
        Self { node: self.node, loose, loose_negated, span, bare_all: false }
    }
}

pub(super) struct Parser<'a, 's> {
    text: &'a str,
    tokens: Vec<Token>,
    at: usize,
    lints: Vec<QueryError>,
    pub pragmas: Pragmas,
    pub uses: &'a mut Uses<'s>,
}

impl Parser<'_, '_> {
    fn read_pragmas(&mut self) {
        while let Some(TokenKind::Pragma(pragma)) = self.peek().map(|token| &token.kind) {
            match pragma.clone() {
                Pragma::Langs(langs) => self.pragmas.langs = langs,
                Pragma::Morph(morph) => self.pragmas.morph = Some(morph),
                Pragma::Fold(fold) => self.pragmas.fold = fold,
                Pragma::Zone(zone) => self.pragmas.zone = Some(zone),
                Pragma::Strict(strict) => self.pragmas.strict = strict,
            }
            self.at += 1;
        }
    }

    pub fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// The next token, passed, or a mistake if there is none.
    pub fn next(&mut self) -> Result<Token, QueryError> {
        let Some(token) = self.peek().cloned() else {
            return Err(missing(self.tokens.last().map_or(0..0, |last| last.span.clone())));
        };
        self.at += 1;
        Ok(token)
    }

    pub fn next_is(&self, kind: &TokenKind) -> bool {
        self.peek().is_some_and(|token| token.kind == *kind)
    }

    /// Passes the next token if it is this one.
    pub fn passes(&mut self, kind: &TokenKind) -> bool {
        let is_next = self.next_is(kind);
        self.at += usize::from(is_next);
        is_next
    }

    pub fn lint(&mut self, code: &'static str, span: Range<usize>, message: &str, instead: &str) {
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

    pub fn any(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        let mut parts = vec![self.all(field)?];
        while self.passes(&TokenKind::Or) {
            parts.push(self.all(field)?);
        }
        if parts.len() > 1 && parts.iter().any(|part| part.bare_all) {
            let span = parts[0].span.start..parts[parts.len() - 1].span.end;
            let message = "AND, or a space, binds more tightly than OR: parentheses say which is meant.";
            if self.pragmas.strict {
                return Err(mistake("mixed_operators", span, message, Some("(a AND b) OR c")));
            }
            self.lint("mixed_operators", span, message, "(a AND b) OR c");
        }
        Ok(Part::any(parts))
    }

    fn all(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        let mut parts = vec![self.not(field)?];
        loop {
            match self.peek().map(|token| &token.kind) {
                None | Some(TokenKind::Or | TokenKind::Close | TokenKind::Comma) => break,
                Some(TokenKind::And) => self.at += 1,
                Some(_) => {}
            }
            parts.push(self.not(field)?);
        }
        Ok(Part::all(parts))
    }

    fn not(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        if !self.next_is(&TokenKind::Not) {
            return self.near(field);
        }
        let start = self.next()?.span.start;
        let part = self.near(field)?;
        let end = part.span.end;
        Ok(part.negated(start..end))
    }

    pub fn term(&mut self, field: Option<Field>) -> Result<Part, QueryError> {
        let token = self.next()?;
        if matches!(token.kind, TokenKind::Literal(..) | TokenKind::Value(_) | TokenKind::Call(_)) {
            self.uses.count_term(&token.span)?;
        }
        match (token.kind, field) {
            (TokenKind::Open, _) => self.nested(token.span, |parser, open| parser.group(open, field)),
            (TokenKind::Field(named), None) => self.value(named, token.span),
            (TokenKind::Scope(scope), None) => self.scope(scope, token.span),
            (TokenKind::Call(call), None) => self.nested(token.span, |parser, name| parser.call(call, name)),
            (TokenKind::Window(_), _) => {
                Err(mistake("window_of_word", token.span, WINDOW_OF_WORD, Some("fuzzy(word,1)")))
            }
            (TokenKind::Value(value), Some(field)) => {
                let condition = values::compared(field, &value, self.pragmas.zone.as_ref(), &token.span)?;
                Ok(Part::leaf(Node::Field(condition), token.span))
            }
            (TokenKind::Literal(kind, text), None) => self.literal(kind, text, token.span),
            _ => Err(missing(token.span)),
        }
    }

    /// What stands in parentheses, which may nest so deep and no deeper, through the queries that are used too.
    fn nested(
        &mut self,
        open: Range<usize>,
        read: impl FnOnce(&mut Self, Range<usize>) -> Result<Part, QueryError>,
    ) -> Result<Part, QueryError> {
        if self.uses.depth == DEPTH_MAX {
            let message =
                format!("More than {DEPTH_MAX} parentheses are open at once, with those of the queries in use.");
            return Err(mistake("too_deep", open, message, Some("Split it into several queries.")));
        }
        self.uses.depth += 1;
        let part = read(self, open)?;
        self.uses.depth -= 1;
        Ok(part)
    }

    fn literal(&mut self, kind: LiteralKind, text: String, span: Range<usize>) -> Result<Part, QueryError> {
        if kind != LiteralKind::Phrase {
            let keyword = self.keyword(kind, text, &span);
            return Ok(Part::leaf(Node::keyword(keyword), span));
        }
        if let Some(TokenKind::Window(others)) = self.peek().map(|token| &token.kind) {
            let others = *others;
            let end = self.next()?.span.end;
            return self.window_of_phrase(&text, others, span.start..end);
        }
        if text.split(' ').any(lex::is_wildcard) {
            return Ok(Part::leaf(Node::Found(self.phrase_with_wildcards(&text)), span));
        }
        let keyword = self.keyword(kind, text, &span);
        Ok(Part::leaf(Node::keyword(keyword), span))
    }

    /// A keyword of one literal, as it is written at `span`.
    fn keyword(&self, kind: LiteralKind, text: String, span: &Range<usize>) -> Keyword {
        let written = self.text[span.clone()].to_owned();
        let is_bare = kind == LiteralKind::Word && !written.starts_with('=');
        let inflects = if is_bare { self.pragmas.inflects() } else { Inflect::Never };
        Keyword { text: written, literals: vec![self.spelling(kind, text)], inflects, forms: Vec::new() }
    }

    pub fn spelling(&self, kind: LiteralKind, text: String) -> Literal {
        Literal { kind, text, reading: self.pragmas.reading_of(kind) }
    }

    /// The rest of a group that `open` began.
    fn group(&mut self, open: Range<usize>, field: Option<Field>) -> Result<Part, QueryError> {
        if self.next_is(&TokenKind::Close) {
            let span = open.start..self.next()?.span.end;
            return Err(mistake("empty_group", span, "There is nothing between these parentheses.", Some(LEAVE_OUT)));
        }
        let part = self.any(field)?;
        let Some(close) = self.peek().filter(|token| token.kind == TokenKind::Close).map(|token| token.span.end) else {
            return Err(missing(self.peek().map_or(open, |token| token.span.clone())));
        };
        self.at += 1;
        if let (Some(TokenKind::Window(others)), None) = (self.peek().map(|token| &token.kind), field) {
            let others = *others;
            let end = self.next()?.span.end;
            return window_of_group(part, others, open.start..end);
        }
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
        if let Some(unfilled) = unfilled(&part.node) {
            let message =
                format!("No source tells `{unfilled}` yet: of every post it is unknown, so this never holds.");
            self.lint("unfilled_field", span.clone(), &message, LEAVE_OUT);
        }
        Ok(part.widened(span))
    }

    /// What is searched for in some texts only.
    fn scope(&mut self, scope: Scope, name: Range<usize>) -> Result<Part, QueryError> {
        let wrong = |inner: &str, span: Range<usize>| {
            let message = format!("`{}:` asks what stands in some texts; {inner} is asked beside it.", scope.name());
            Err(mistake("wrong_scope", span, message, Some("title:(a OR b) AND lang:cs")))
        };
        // No parenthesis bounds how many names of texts may follow one another.
        if let Some(inner) = self.peek().filter(|token| matches!(token.kind, TokenKind::Scope(_))) {
            return wrong("another scope", name.start..inner.span.end);
        }
        let part = self.term(None)?;
        let span = name.start..part.span.end;
        if let Some(inner) = not_of_text(&part.node) {
            return wrong(inner, span);
        }
        let is_own = matches!(scope, Scope::Title | Scope::Body);
        let mut part = part.widened(span.clone());
        part.node = Node::In(scope, Box::new(part.node));
        if !is_own {
            // Only the post's own texts are looked through for what may match.
            (part.loose, part.loose_negated) = (Some(span.clone()), Some(span));
        }
        Ok(part)
    }
}

/// The name of a field in a node that is not known of any post.
fn unfilled(node: &Node) -> Option<String> {
    match node {
        Node::All(parts) | Node::Any(parts) => parts.iter().find_map(unfilled),
        Node::Not(part) => unfilled(part),
        Node::Field(Condition::Unfilled { field, value }) if matches!(field.as_str(), "is" | "has") => {
            Some(format!("{field}:{value}"))
        }
        Node::Field(Condition::Unfilled { field, .. }) => Some(format!("{field}:")),
        _ => None,
    }
}

/// What of a node no text tells.
fn not_of_text(node: &Node) -> Option<&'static str> {
    match node {
        Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => parts.iter().find_map(not_of_text),
        Node::Not(part) => not_of_text(part),
        Node::Found(_) | Node::Count { .. } => None,
        Node::In(..) => Some("another scope"),
        Node::Field(_) => Some("a field"),
    }
}

fn ends_term(kind: &TokenKind) -> bool {
    matches!(kind, TokenKind::Literal(..) | TokenKind::Value(_) | TokenKind::Close)
}

fn begins_term(kind: &TokenKind) -> bool {
    matches!(
        kind,
        TokenKind::Literal(..)
            | TokenKind::Value(_)
            | TokenKind::Open
            | TokenKind::Field(_)
            | TokenKind::Scope(_)
            | TokenKind::Call(_)
            | TokenKind::Not
    )
}

pub(super) fn missing(span: Range<usize>) -> QueryError {
    let message = "A term is missing here: an operator stands between two terms, NOT before one.";
    mistake("missing_term", span, message, Some("Put a term there, or leave the operator out."))
}
