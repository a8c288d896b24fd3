//! `list(…)` and `use(…)`: what a query takes of its project, read in its place. All of it together is bounded in depth,
//! in terms and in bytes; unaware of where lists and queries are kept.

use std::ops::Range;

use super::super::pragma::Pragmas;
use super::super::{Query, QueryError, Shared};
use super::group::{Parser, Part, parse_whole};
use super::lex;
use super::token::{closest, mistake};

/// Keywords, values and calls of one query, with those of the queries and lists that it uses.
pub(super) const TERMS_MAX: usize = 50_000;
/// Bytes of the lists and queries that one query uses, each as often as it is used.
pub(super) const USED_BYTES_MAX: usize = 4 << 20;
const SPLIT: &str = "Split it into several queries.";

/// What is used of a project, and how much of it so far.
pub struct Uses<'a> {
    shared: &'a Shared,
    /// The calls whose lists and queries are being read, from the outermost on.
    open: Vec<String>,
    /// Parentheses that are open, with those around the calls.
    pub depth: usize,
    terms: usize,
    bytes: usize,
}

impl<'a> Uses<'a> {
    pub fn new(shared: &'a Shared) -> Self {
        Self { shared, open: Vec::new(), depth: 0, terms: 0, bytes: 0 }
    }

    /// Counts one more term, at `span`.
    pub fn count_term(&mut self, span: &Range<usize>) -> Result<(), QueryError> {
        self.terms += 1;
        if self.terms <= TERMS_MAX {
            return Ok(());
        }
        let message = format!("A query holds at most {TERMS_MAX} terms, with those of what it uses.");
        Err(mistake("too_long", span.clone(), message, Some(SPLIT)))
    }

    /// Counts a text that is used at `span`.
    fn count_bytes(&mut self, text: &str, span: &Range<usize>) -> Result<(), QueryError> {
        self.bytes += text.len();
        if self.bytes <= USED_BYTES_MAX {
            return Ok(());
        }
        let message = format!("The lists and queries that a query uses hold at most {USED_BYTES_MAX} bytes together.");
        Err(mistake("too_long", span.clone(), message, Some(SPLIT)))
    }

    /// Begins to read what a call names.
    fn begin(&mut self, call: String, span: &Range<usize>) -> Result<(), QueryError> {
        self.open.push(call);
        let (last, around) = self.open.split_last().expect("one was just pushed");
        if around.contains(last) {
            let message = format!("These use one another in a circle: {}.", self.open.join(" → "));
            return Err(mistake("circle", span.clone(), message, Some("Write out one of them.")));
        }
        Ok(())
    }
}

impl Parser<'_, '_> {
    /// `list(competitors)`: any of the terms of a list of the project, as if they stood here.
    pub fn list(&mut self, name: Range<usize>) -> Result<Part, QueryError> {
        let (list, span) = self.name_in(&name)?;
        let shared = self.uses.shared;
        let Some(terms) = shared.lists.get(&list) else {
            return Err(unknown("unknown_list", ["list", &list], shared.lists.keys(), span));
        };
        if terms.is_empty() {
            let message = format!("The list `{list}` is empty.");
            return Err(mistake("wrong_value", span, message, Some("Give it a term.")));
        }
        self.uses.begin(format!("list({list})"), &span)?;
        let mut parts = Vec::new();
        for term in terms {
            self.uses.count_bytes(term, &span)?;
            let (_, part) = read(term, self.pragmas.clone(), self.uses).map_err(|wrong| {
                let shown: String = term.chars().take(SHOWN_CHARS_MAX).collect();
                told(wrong, &format!("The list `{list}` holds `{shown}`"), &span)
            })?;
            parts.push(part.widened(span.clone()));
        }
        self.uses.open.pop();
        Ok(Part::any(parts).widened(span))
    }

    /// `use(outages)`: another query of the project, whole and under its own pragmas.
    pub fn used(&mut self, name: Range<usize>) -> Result<Part, QueryError> {
        let (query, span) = self.name_in(&name)?;
        let shared = self.uses.shared;
        let Some(text) = shared.queries.get(&query) else {
            return Err(unknown("unknown_query", ["query", &query], shared.queries.keys(), span));
        };
        self.uses.begin(format!("use({query})"), &span)?;
        self.uses.count_bytes(text, &span)?;
        let (_, part) = read(text, Pragmas::default(), self.uses)
            .map_err(|wrong| told(wrong, &format!("The query `{query}` cannot be read"), &span))?;
        self.uses.open.pop();
        Ok(part.widened(span))
    }
}

/// Characters of a list's term that a mistake shows.
const SHOWN_CHARS_MAX: usize = 40;

fn read(text: &str, pragmas: Pragmas, uses: &mut Uses) -> Result<(Query, Part), QueryError> {
    let mut lexed = lex::lex(text);
    match lexed.mistakes.is_empty() {
        true => parse_whole(text, lexed, pragmas, uses),
        false => Err(lexed.mistakes.remove(0)),
    }
}

/// A mistake in what is used, at the call that uses it. What is wrong with all of it together is told as it is.
fn told(wrong: QueryError, of: &str, span: &Range<usize>) -> QueryError {
    let message = match wrong.code {
        "circle" | "too_long" | "too_deep" => wrong.message,
        _ => format!("{of}: {}", wrong.message),
    };
    QueryError { span: span.clone(), message, ..wrong }
}

fn unknown<'a>(
    code: &'static str,
    [what, name]: [&str; 2],
    known: impl Iterator<Item = &'a String>,
    span: Range<usize>,
) -> QueryError {
    let meant = closest(name, known.map(String::as_str));
    mistake(code, span, format!("There is no {what} `{name}` in this project."), meant)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Fold, Inflect, Keyword, Node, Spans, parse_with, write};
    use super::super::token::DEPTH_MAX;
    use super::*;

    fn shared(lists: &[(&str, &[&str])], queries: &[(&str, &str)]) -> Shared {
        let owned = |text: &&str| (*text).to_owned();
        Shared {
            lists: lists.iter().map(|(name, terms)| (owned(name), terms.iter().map(owned).collect())).collect(),
            queries: queries.iter().map(|(name, text)| (owned(name), owned(text))).collect(),
        }
    }

    fn read(text: &str, shared: &Shared) -> Query {
        parse_with(text, shared).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
    }

    fn refused(text: &str, shared: &Shared) -> QueryError {
        match parse_with(text, shared) {
            Ok(query) => panic!("{text} was read as {}", write(&query)),
            Err(errors) => errors.into_iter().next().expect("never an empty list"),
        }
    }

    /// The keywords of a tree, with how their first literals are read.
    fn keywords(query: &Query) -> Vec<(&str, Fold, Inflect)> {
        fn of_spans<'a>(found: &'a Spans, all: &mut Vec<&'a Keyword>) {
            match found {
                Spans::Keyword(keyword) => all.push(keyword),
                Spans::Any(parts) | Spans::Chain { parts, .. } => parts.iter().for_each(|part| of_spans(part, all)),
                Spans::Apart { of, from, .. } => [of, from].into_iter().for_each(|part| of_spans(part, all)),
                Spans::Window { parts, .. } => all.extend(parts),
            }
        }
        fn of_node<'a>(node: &'a Node, all: &mut Vec<&'a Keyword>) {
            match node {
                Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
                    parts.iter().for_each(|part| of_node(part, all));
                }
                Node::Not(part) | Node::In(_, part) => of_node(part, all),
                Node::Found(found) => of_spans(found, all),
                Node::Count { of, .. } => all.extend(of),
                Node::Field(_) => {}
            }
        }
        let mut all = Vec::new();
        of_node(&query.root, &mut all);
        all.into_iter().map(|one| (one.text.as_str(), one.literals[0].reading.fold, one.inflects)).collect()
    }

    #[test]
    fn what_is_used_stands_where_it_is_used() {
        let shared = shared(
            &[
                ("rivals", &["Orange", "\"Big O\"", "O2 -water", "{T} OR #t"]),
                ("one", &["a"]),
                ("two words", &["b", "c"]),
            ],
            &[
                ("outage", "down OR \"no signal\""),
                ("nested", "use(outage) list(one)"),
                ("strict", "@strict:on (a b) OR c"),
            ],
        );
        let rows = [
            ("list(rivals)", "Orange OR \"Big O\" OR O2 -water OR ({T} OR #t)"),
            ("x list(one)", "x a"),
            ("x list(\"two words\")", "x (b OR c)"),
            ("x -list(one)", "x -a"),
            ("x use(outage)", "x (down OR \"no signal\")"),
            ("use(outage) x -use(outage)", "(down OR \"no signal\") x -(down OR \"no signal\")"),
            ("use(nested) x", "((down OR \"no signal\") a) x"),
            ("x NEAR/3 list(\"two words\")", "x NEAR/3 (b OR c)"),
            ("x NEAR/3 use(outage)", "x NEAR/3 (down OR \"no signal\")"),
            ("freq(use(outage)) >= 2", "freq(down OR \"no signal\") >= 2"),
            ("(list(one) x)~3", "(a x)~3"),
            ("title:use(outage)", "title:(down OR \"no signal\")"),
            ("atleast(1, use(outage), list(one))", "atleast(1, down OR \"no signal\", a)"),
            ("x use(strict)", "x (a b OR c)"),
        ];
        for (text, expected) in rows {
            let query = read(text, &shared);
            assert_eq!(write(&query), expected, "{text}");
            assert_eq!(read(expected, &Shared::default()).root, query.root, "{text}");
        }
    }

    #[test]
    fn remarks_are_told_of_the_query_alone() {
        let shared = shared(&[("l", &["who?", "a or b"])], &[("q", "a b OR c“d”")]);
        assert_eq!(read("list(l) use(q)", &shared).lints, []);
        assert_eq!(read("x? list(l)", &shared).lints.len(), 1);
        // What is used is whole: nothing in it binds to what stands beside it.
        assert_eq!(read("x OR use(q)", &shared).lints, []);
    }

    #[test]
    fn mistakes_are_told_at_the_call() {
        let shared = shared(
            &[("none", &[]), ("wrong", &["a", "(b"]), ("blank", &[" "]), ("loose", &["lang:cs"])],
            &[
                ("wrong", "a \"b"),
                ("shape", "a OR"),
                ("around", "x use(wrong)"),
                ("loose", "NOT a"),
                ("blank", ""),
                ("itself", "a use(itself)"),
                ("ping", "a use(pong)"),
                ("pong", "b (use(ping))"),
                ("by list", "list(circle)"),
                ("mixed", "@strict:on a b OR c"),
            ],
        );
        let rows = [
            ("x list(mone)", "unknown_list", 2..12),
            ("x use(wrog)", "unknown_query", 2..11),
            ("x list(none)", "wrong_value", 2..12),
            ("x list(wrong)", "unbalanced_parenthesis", 2..13),
            ("x list(blank)", "empty", 2..13),
            ("x use(blank)", "empty", 2..12),
            ("x use(wrong)", "unbalanced_quote", 2..12),
            ("x use(shape)", "missing_term", 2..12),
            ("x use(around) y", "unbalanced_quote", 2..13),
            ("x use(mixed)", "mixed_operators", 2..12),
            ("use(itself)", "circle", 0..11),
            ("x OR (use(ping))", "circle", 6..15),
            ("use(loose)", "no_anchor", 0..10),
            ("x OR use(loose)", "no_anchor", 5..15),
            ("x OR list(loose)", "no_anchor", 5..16),
            ("title:list(loose)", "wrong_scope", 0..17),
            ("x NEAR/2 use(loose)", "near_operand", 9..19),
        ];
        for (text, code, span) in rows {
            let wrong = refused(text, &shared);
            assert_eq!((wrong.code, wrong.span), (code, span), "{text}");
            assert!(wrong.message.ends_with('.'), "{text}");
        }
        assert_eq!(refused("use(itslef)", &shared).suggestion.as_deref(), Some("itself"));
        assert_eq!(refused("list(other)", &shared).suggestion, None);
        assert!(refused("use(ping)", &shared).message.contains("use(ping) → use(pong) → use(ping)"));
        assert!(refused("use(around)", &shared).message.contains("The query `wrong` cannot be read: "));
        read("a NOT use(loose)", &shared);
    }

    #[test]
    fn a_list_that_holds_itself_is_a_circle() {
        let shared = shared(&[("l", &["a", "(list(m))"]), ("m", &["use(q)"])], &[("q", "b OR list(l)")]);
        for text in ["list(l)", "list(m)", "use(q)"] {
            assert_eq!(refused(text, &shared).code, "circle", "{text}");
        }
        // A list and a query may have one name.
        let shared = self::shared(&[("a", &["x"])], &[("a", "list(a)")]);
        read("use(a)", &shared);
    }

    #[test]
    fn what_is_used_nests_no_deeper_than_parentheses() {
        let queries: Vec<(String, String)> =
            (1..=DEPTH_MAX).map(|nth| (format!("q{nth}"), format!("use(q{})", nth - 1))).collect();
        let mut shared = shared(&[], &[("q0", "a"), ("deep", "((((((((a))))))))"), ("d", "x use(deep)")]);
        shared.queries.extend(queries);
        read(&format!("use(q{})", DEPTH_MAX - 1), &shared);
        let deeper = refused(&format!("b use(q{DEPTH_MAX})"), &shared);
        assert_eq!((deeper.code, deeper.span), ("too_deep", 2..10));
        let around = |depth: usize| format!("{}use(d){}", "(".repeat(depth), ")".repeat(depth));
        read(&around(DEPTH_MAX - 10), &shared);
        assert_eq!(refused(&around(DEPTH_MAX - 9), &shared).code, "too_deep");
        // One after the other is not deep.
        read(&"use(d) ".repeat(1_000), &shared);
    }

    #[test]
    fn uses_of_uses_are_refused_before_they_are_many() {
        let mut doubled = shared(&[], &[("q0", "a b")]);
        for nth in 1..40 {
            doubled.queries.insert(format!("q{nth}"), format!("use(q{0}) OR use(q{0})", nth - 1));
        }
        read("use(q10)", &doubled);
        let mut uses = Uses::new(&doubled);
        let text = "x use(q39)";
        let wrong = super::read(text, Pragmas::default(), &mut uses).err().expect("too many");
        assert_eq!((wrong.code, wrong.span), ("too_long", 2..10));
        assert_eq!(uses.terms, TERMS_MAX + 1);

        // Long texts that say little.
        let comment = format!("<<<{}>>> a", "x".repeat(60_000));
        let long = shared(&[("l", &[comment.as_str()])], &[("q", &comment)]);
        for call in ["use(q) ", "list(l) "] {
            let text = call.repeat(1_000);
            let mut uses = Uses::new(&long);
            let wrong = super::read(&text, Pragmas::default(), &mut uses).err().expect("too long");
            assert_eq!(wrong.code, "too_long");
            assert!(uses.bytes <= USED_BYTES_MAX + comment.len());
        }
    }

    #[test]
    fn a_list_may_be_as_long_as_a_query_may_have_terms() {
        let terms: Vec<String> = (0..TERMS_MAX).map(|nth| format!("brand{nth}")).collect();
        let mut shared = Shared::default();
        shared.lists.insert("most".to_owned(), terms[..TERMS_MAX - 1].to_vec());
        shared.lists.insert("more".to_owned(), terms);
        let Node::Any(parts) = read("list(most)", &shared).root else { panic!("a list is any of its terms") };
        assert_eq!(parts.len(), TERMS_MAX - 1);
        assert_eq!(refused("list(more)", &shared).code, "too_long");
    }

    #[test]
    fn a_query_in_use_keeps_its_pragmas_and_a_list_has_those_around_it() {
        let shared = shared(
            &[("l", &["lemon", "@fold:typed lime"])],
            &[("strict", "@fold:strict pear list(l)"), ("plain", "plum"), ("off", "@morph:off fig morph(nut)")],
        );
        assert_eq!(
            keywords(&read("@fold:all apple use(strict) use(plain) use(off) list(l)", &shared)),
            [
                ("apple", Fold::All, Inflect::Asked),
                ("pear", Fold::Strict, Inflect::Asked),
                ("lemon", Fold::Strict, Inflect::Asked),
                ("lime", Fold::Typed, Inflect::Asked),
                ("plum", Fold::Typed, Inflect::Asked),
                ("fig", Fold::Typed, Inflect::Never),
                ("morph(nut)", Fold::Typed, Inflect::Always),
                ("lemon", Fold::All, Inflect::Asked),
                ("lime", Fold::Typed, Inflect::Asked),
            ]
        );
        assert_eq!(read("@lang:cs x use(strict)", &shared).pragmas.fold, Fold::Typed);
    }
}
