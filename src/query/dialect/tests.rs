use proptest::prelude::*;

use super::super::{Node, write};
use super::*;

/// Looks at a character that the lexer may take.
const STEPS_PER_BYTE_MAX: usize = 40;
/// How much longer a query may become, and all that is remarked on it.
const GROWTH_MAX: usize = 24;

fn imported(text: &str, dialect: Dialect) -> Imported {
    import(text, dialect).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

fn refused(text: &str, dialect: Dialect) -> QueryError {
    match import(text, dialect) {
        Ok(imported) => panic!("{text} was read as {}", imported.text),
        Err(errors) => errors.into_iter().next().expect("never an empty list"),
    }
}

#[test]
fn what_is_wrong_is_told_at_its_place_in_the_pasted_text() {
    use Dialect::{Brandwatch, Lucene, Meltwater, Talkwalker, X};
    let rows = [
        (X, "", "empty", 0..0),
        (X, "a (b", "unbalanced_parenthesis", 2..3),
        (X, "a) b", "unbalanced_parenthesis", 1..2),
        (X, "a \"b", "unbalanced_quote", 2..4),
        (X, "a () b", "empty_group", 2..4),
        (X, "a OR", "missing_term", 2..4),
        (X, "OR a", "missing_term", 0..2),
        (X, "a - b", "stray_minus", 2..3),
        (X, "a --b", "missing_term", 3..4),
        (X, "from: a", "missing_value", 0..5),
        (X, "form:a b", "unknown_field", 0..5),
        (X, "cat https://example.org", "unknown_field", 4..10),
        (X, "cat list:1", "no_counterpart", 4..10),
        (X, "cat (is:retweet OR is:nullcast)", "no_counterpart", 19..30),
        (X, "-cat", "no_anchor", 0..4),
        (X, "cat lang:xx", "unknown_language", 4..11),
        (X, "cat OR lang:und", "no_counterpart", 7..15),
        (X, "cat %%", "stray_character", 4..6),
        (X, "cat sample:0", "no_counterpart", 4..12),
        (X, "\"a b\"~101", "wrong_distance", 0..9),
        (X, "cat~1", "window_of_word", 0..5),
        (Brandwatch, "a NEAR b", "wrong_distance", 2..6),
        (Brandwatch, "a NEAR/101 b", "wrong_distance", 2..10),
        (Brandwatch, "(a AND b) NEAR/3 c", "near_operand", 1..8),
        (Brandwatch, "apple {b", "unbalanced_brace", 6..8),
        (Brandwatch, "apple <<< b", "unbalanced_comment", 6..11),
        (Brandwatch, "((a AND b AND c))~3", "no_counterpart", 0..19),
        (Brandwatch, "apple AND country:xyz", "no_counterpart", 10..21),
        (Brandwatch, "apple AND appl?", "no_counterpart", 10..15),
        (Brandwatch, "apple NOT", "missing_term", 6..9),
        (Brandwatch, "apple ab*", "wildcard_too_short", 6..9),
        (Talkwalker, "a OSENTENCE b", "no_counterpart", 2..11),
        (Talkwalker, "a b c d e f g h i", "too_many_words", 0..17),
        (Talkwalker, "roam~2", "no_counterpart", 0..6),
        (Meltwater, "boat AND site:\"*.bbc.*\"", "no_counterpart", 9..23),
        (Meltwater, "boat AND authority>=5", "no_counterpart", 9..21),
        (Meltwater, "boat {x}", "wrong_value", 5..8),
        (Meltwater, "((boat {1,2}) {1,2})", "no_counterpart", 1..19),
        (Meltwater, "boat ^", "stray_character", 5..6),
        (Lucene, "AND a", "missing_term", 0..3),
        (Lucene, "a AND (NOT b)", "no_anchor", 7..12),
        (Lucene, "cat AND likes:[a TO b]", "no_counterpart", 8..22),
        (Lucene, "title:{a TO b}", "no_counterpart", 6..14),
        (Lucene, "a /b/", "no_counterpart", 2..5),
        (Lucene, "a [b", "unbalanced_brace", 2..4),
    ];
    for (dialect, text, code, span) in rows {
        let error = refused(text, dialect);
        assert_eq!((error.code, error.span), (code, span), "{text}: {}", error.message);
        assert!(error.suggestion.is_some() || code == "unknown_language", "{text}");
    }
}

#[test]
fn what_changes_is_told_at_its_place_in_the_pasted_text() {
    let told = |text: &str, dialect| {
        let remarks = imported(text, dialect).remarks.into_iter();
        remarks.map(|remark| (remark.code, text[remark.span].to_owned(), remark.instead)).collect::<Vec<_>>()
    };
    let changed = |theirs: &str, ours: &str| ("changed", theirs.to_owned(), ours.to_owned());
    assert_eq!(told("cat (from:ann OR dog)", Dialect::X), [changed("from:ann", "author:ann")]);
    assert_eq!(told("a NEAR/2f b", Dialect::Brandwatch), [changed("NEAR/2f", "ONEAR/2")]);
    assert_eq!(told("a b OR c", Dialect::Brandwatch), [changed("a b OR c", "(a AND b) OR c"), changed("b", "AND")]);
    assert_eq!(told("a^2 AND b", Dialect::Lucene), [("none", "^2".to_owned(), String::new())]);
    assert_eq!(told("a and b not c", Dialect::Meltwater), [changed("and", "AND"), changed("not", "NOT")]);
}

#[test]
fn what_no_source_fills_is_told_at_its_place() {
    let text = "cat is:verified";
    let lints = imported(text, Dialect::X).query.lints;
    assert_eq!((lints[0].code, &text[lints[0].span.clone()]), ("unfilled_field", "is:verified"));
}

#[test]
fn a_query_is_bounded_in_length_and_depth() {
    for dialect in Dialect::ALL {
        let nested = |depth| format!("{}abc{}", "(".repeat(depth), ")".repeat(depth));
        assert!(matches!(imported(&nested(64), dialect).query.root, Node::Found(_)));
        let deeper = refused(&nested(65), dialect);
        assert_eq!((deeper.code, deeper.span), ("too_deep", 64..65));
        let longer = refused(&"a".repeat(QUERY_BYTES_MAX + 1), dialect);
        assert_eq!((longer.code, longer.span), ("too_long", QUERY_BYTES_MAX..QUERY_BYTES_MAX + 1));
        // Exclusions within exclusions take parentheses of ours only where there are some.
        let excluded = format!("a {}", "-(b ".repeat(60)) + &")".repeat(60);
        imported(&excluded, dialect);
    }
}

/// What hostile texts repeat.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "(", ")", "\"", "“", "{", "}", "[", "]", "<", "<<<", "-", "+", "++\"", "!", "&&", "||", "/", "\\", "~", "~1", "^2", ":",
    "a:", "title:", "title:(a) ", "from:", "from:(", "lang:und ", "author:\"b c\" ", "a ", "a b ", "a OR ", "a AND ",
    "a NOT ", "NOT ", "-a ", "-(", "a -é ", "+a ", "(a ", "(a OR b ", "(a AND b)~1 ", "((a AND b)~1 AND ", "\"a b\"~3 ",
    "a NEAR/1 ", "NEAR/1 ", "a NEAR/1f ", "a ONEAR ", "a XNOT ", "a {1,2} ", "(a {1,2}", "{1} ", "a^1 ", "likes>1 ",
    "a SENTENCE ", "site:a.cz ", "a-b ", "$1 ", "#a ", "\"#a\" ", "@a ", "❤️", "a'b ", "wendy's ", "a* ", "te?t ", "?",
    "*:* ", "raw:a ", "contains:abc ", "\u{301}", "é ", "or ", "a or ", "a\\:", "[1 TO 2] ", "likes:{1 TO 2} ", "東京 ",
];

#[test]
fn hostile_text_costs_a_fixed_number_of_steps_a_byte() {
    for dialect in Dialect::ALL {
        for piece in PIECES {
            for tail in ["", "\"", ")", "b"] {
                let text = piece.repeat((QUERY_BYTES_MAX - 1) / piece.len()) + tail;
                let steps = lex::lex(&text, dialect).steps;
                assert!(steps <= STEPS_PER_BYTE_MAX * text.len(), "{piece}: {steps} steps over {} bytes", text.len());
                let Ok(translated) = translate(&text, dialect) else { continue };
                let told: usize = translated.remarks.iter().map(|told| told.sentence.len() + told.instead.len()).sum();
                assert!(translated.written.text.len() <= GROWTH_MAX * text.len(), "{piece}");
                assert!(told <= 8 * GROWTH_MAX * text.len(), "{piece}: {told} bytes are told");
            }
        }
    }
}

#[test]
fn a_long_query_is_imported_whole() {
    let words: Vec<String> = (0..4_000).map(|nth| format!("brand{nth}")).collect();
    let text = format!("({}) NOT ({})", words.join(" OR "), words[..500].join(" OR "));
    for dialect in [Dialect::Brandwatch, Dialect::Talkwalker, Dialect::Meltwater] {
        assert!(write(&imported(&text, dialect).query).contains("brand3999"));
    }
}

fn pasted() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => proptest::sample::select(PIECES.to_vec()).prop_map(str::to_owned),
        3 => proptest::sample::select(vec![
            "cat", " ", " ", " OR ", " AND ", " NOT ", ")", "\"coca cola\"", "is:retweet", "country:gbr", "NEAR/5f ", "\"", "\u{201d}",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_is_imported_or_refused_with_spans_inside_it(
        text in pasted(),
        dialect in proptest::sample::select(Dialect::ALL.to_vec()),
    ) {
        let is_inside = |span: &Range<usize>| span.start <= span.end && text.get(span.clone()).is_some();
        match import(&text, dialect) {
            Ok(imported) => {
                for remark in &imported.remarks {
                    prop_assert!(is_inside(&remark.span) && !remark.operator.is_empty(), "{:?}", remark);
                }
                prop_assert!(imported.query.lints.iter().all(|lint| is_inside(&lint.span)));
                let read = parse(&imported.text).map(|query| (query.pragmas, query.root));
                prop_assert_eq!(read, Ok((imported.query.pragmas, imported.query.root)), "{}", imported.text);
            }
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                for error in &errors {
                    prop_assert!(is_inside(&error.span) && !error.message.is_empty(), "{:?}", error);
                }
            }
        }
    }
}
