use proptest::prelude::*;

use super::super::{Literal, LiteralKind, Node, Query, QueryError};
use super::{QUERY_BYTES_MAX, lex, parse};
use crate::model::Lang;

/// Looks at a character that the lexer may take for each byte of hostile text.
const STEPS_PER_BYTE_MAX: usize = 24;

fn read(text: &str) -> Query {
    parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}"))
}

fn mistake(text: &str) -> QueryError {
    match parse(text) {
        Ok(query) => panic!("{text} was read as {query:?}"),
        Err(errors) => errors.into_iter().next().expect("never an empty list"),
    }
}

/// The tree on one line.
fn shown(node: &Node) -> String {
    let joined = |parts: &[Node], with: &str| parts.iter().map(shown).collect::<Vec<_>>().join(with);
    match node {
        Node::All(parts) => format!("({})", joined(parts, " & ")),
        Node::Any(parts) => format!("({})", joined(parts, " | ")),
        Node::Not(part) => format!("!{}", shown(part)),
        Node::Literal(literal) => format!("{:?}:{}", literal.kind, literal.text),
        Node::Lang(lang) => format!("lang={}", lang.code()),
        Node::Source(name) => format!("source={name}"),
        Node::Author(name) => format!("author={name}"),
        Node::Site(name) => format!("site={name}"),
    }
}

#[test]
fn terms_are_told_apart_by_how_they_are_written() {
    let rows = [
        ("vodafone", "Word:vodafone"),
        ("=slovo", "Word:slovo"),
        ("o2", "Word:o2"),
        ("AT&T", "Word:AT&T"),
        ("C++", "Word:C++"),
        ("C++11", "Word:C++11"),
        ("C#", "Word:C#"),
        ("Yahoo!", "Word:Yahoo!"),
        ("E.ON", "Word:E.ON"),
        ("rock'n'roll", "Word:rock'n'roll"),
        ("coca-cola", "Word:coca-cola"),
        ("coca\u{2011}cola", "Word:coca\u{2011}cola"),
        ("\"dva  slova\"", "Phrase:dva slova"),
        ("\" obklopeno \"", "Phrase:obklopeno"),
        ("\"who is it?\"", "Phrase:who is it"),
        ("\"Yahoo! C++, C# & 'n' (AT&T)\"", "Phrase:Yahoo! C++ C# n AT&T"),
        ("\"students' union\"", "Phrase:students union"),
        ("\"I ❤️ 10€\"", "Phrase:I ❤️ 10 €"),
        ("\"3 * 4 = 12\"", "Phrase:3 4 12"),
        ("\"(주)카카오\"", "Phrase:주 카카오"),
        ("\"1️⃣ *️⃣\"", "Phrase:1️⃣ *️⃣"),
        ("㈜카카오", "Word:㈜카카오"),
        ("Vodafone™", "Word:Vodafone™"),
        ("Vodafone ™", "Word:Vodafone"),
        ("צה״ל", "Word:צה״ל"),
        ("пʼять", "Word:пʼять"),
        ("{Exact (Text)}", "Exact:Exact (Text)"),
        ("++\"{x}\"", "Exact:{x}"),
        ("voda*", "Prefix:voda"),
        ("東*", "Prefix:東"),
        ("#tag", "Hashtag:tag"),
        ("＃タグ", "Hashtag:タグ"),
        ("@alice.bsky.social", "Name:alice.bsky.social"),
        ("@vodafone-cz", "Name:vodafone-cz"),
        ("❤️", "Symbol:❤️"),
        ("👨‍👩‍👧", "Symbol:👨‍👩‍👧"),
        ("👍🏽", "Symbol:👍🏽"),
        ("🇨🇿", "Symbol:🇨🇿"),
        ("1️⃣", "Symbol:1️⃣"),
        ("€", "Symbol:€"),
        ("\u{feff}vodafone", "Word:vodafone"),
        ("or", "Word:or"),
        ("שלום", "Word:שלום"),
        ("हिन्दी", "Word:हिन्दी"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
}

#[test]
fn operators_bind_as_promised() {
    let rows = [
        ("a b", "(Word:a & Word:b)"),
        ("a AND b c", "(Word:a & Word:b & Word:c)"),
        ("a OR b OR c", "(Word:a | Word:b | Word:c)"),
        ("a AND b OR c", "((Word:a & Word:b) | Word:c)"),
        ("a (b OR c)", "(Word:a & (Word:b | Word:c))"),
        ("a NOT b", "(Word:a & !Word:b)"),
        ("a AND NOT b", "(Word:a & !Word:b)"),
        ("a -b", "(Word:a & !Word:b)"),
        ("a -\"b c\" -(d OR e)", "(Word:a & !Phrase:b c & !(Word:d | Word:e))"),
        ("(-b a)", "(!Word:b & Word:a)"),
        ("((a))", "Word:a"),
        ("a🎉b", "(Word:a & Symbol:🎉 & Word:b)"),
        ("a(b OR c)", "(Word:a & (Word:b | Word:c))"),
        ("use (a)", "(Word:use & Word:a)"),
        ("a#b", "(Word:a & Hashtag:b)"),
        ("a NOT (b OR NOT c)", "(Word:a & !(Word:b | !Word:c))"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
}

#[test]
fn fields_hold_one_value_or_a_group() {
    let rows = [
        ("a lang:cs", "(Word:a & lang=cs)"),
        ("a lang:(cs OR pt-BR)", "(Word:a & (lang=cs | lang=pt))"),
        ("a source:(Bluesky OR telco-feeds)", "(Word:a & (source=bluesky | source=telco-feeds))"),
        ("a -source:web", "(Word:a & !source=web)"),
        ("author:@Alice.bsky.social", "author=alice.bsky.social"),
        ("author:did:plc:abc", "author=did:plc:abc"),
        ("author:(alice OR \"Bob B\")", "(author=alice | author=bob b)"),
        ("author:(++\"Bob B\" OR {Ann})", "(author=bob b | author=ann)"),
        ("author:(\"SENTENCE\" OR \"ann~1\")", "(author=sentence | author=ann~1)"),
        ("author:(~ann OR near OR list)", "(author=~ann | author=near | author=list)"),
        ("author:(@lang OR did:web:ann)", "(author=lang | author=did:web:ann)"),
        ("site:Example.org", "site=example.org"),
        ("(site:a.cz)", "site=a.cz"),
        ("site:(a.cz OR b.cz) NOT lang:sk", "((site=a.cz | site=b.cz) & !lang=sk)"),
        ("SITE:a.cz", "site=a.cz"),
        ("site:Müller.de", "site=xn--mller-kva.de"),
        ("site:пример.рф", "site=xn--e1afmkfd.xn--p1ai"),
        ("site:2024", "site=2024"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
}

#[test]
fn comments_are_passed_over() {
    for text in ["a <<< b OR ( >>> c", "// head\na c", "a // tail (\nc", "a c // end"] {
        assert_eq!(shown(&read(text).root), "(Word:a & Word:c)", "{text}");
    }
    assert_eq!(mistake("a//b").code, "stray_character");
}

#[test]
fn a_keyword_is_what_the_query_writes() {
    let literal = |kind, text: &str, keyword: &str| {
        Node::Literal(Literal { kind, text: text.to_owned(), keyword: keyword.to_owned() })
    };
    assert_eq!(read("Voda*").root, literal(LiteralKind::Prefix, "Voda", "Voda*"));
    assert_eq!(read(" {A b} ").root, literal(LiteralKind::Exact, "A b", "{A b}"));
    assert_eq!(read("\"a b\"").root, literal(LiteralKind::Phrase, "a b", "\"a b\""));
    assert_eq!(read("#Tag?").root, literal(LiteralKind::Hashtag, "Tag", "#Tag"));
}

#[test]
fn every_mistake_has_its_code_and_its_span() {
    let rows = [
        ("", "empty", 0..0),
        ("  // nothing", "empty", 0..12),
        ("a (b", "unbalanced_parenthesis", 2..3),
        ("a b)", "unbalanced_parenthesis", 3..4),
        ("a \"b c", "unbalanced_quote", 2..6),
        ("a ++\"b", "unbalanced_quote", 2..6),
        ("a {b", "unbalanced_brace", 2..4),
        ("a b}", "unbalanced_brace", 3..4),
        ("a <<< b", "unbalanced_comment", 2..7),
        ("a ()", "empty_group", 2..4),
        ("a site:()", "empty_group", 7..9),
        ("a \"  \"", "empty_quote", 2..6),
        ("a {}", "empty_quote", 2..4),
        ("a \":)\"", "empty_quote", 2..6),
        ("a \"\u{301}\"", "empty_quote", 2..6),
        ("a AND", "missing_term", 2..5),
        ("OR a", "missing_term", 0..2),
        ("a OR OR b", "missing_term", 5..7),
        ("a NOT NOT b", "missing_term", 6..9),
        ("(a AND)", "missing_term", 6..7),
        ("a lang:", "missing_value", 7..7),
        ("a lang: cs", "missing_value", 7..7),
        ("a lang:OR", "missing_value", 2..7),
        ("a lang:xx", "unknown_language", 7..9),
        ("site:https://a.cz/b", "wrong_value", 5..19),
        ("author:@", "wrong_value", 7..8),
        ("a lnag:cs", "unknown_field", 2..6),
        ("a % b", "stray_character", 2..3),
        ("a, b", "stray_character", 1..2),
        ("a & b", "stray_character", 2..3),
        ("a # b", "stray_character", 2..3),
        ("a - b", "stray_minus", 2..3),
        ("a --b", "stray_minus", 2..3),
        ("ab*", "wildcard_too_short", 0..3),
        ("lang:cs", "no_anchor", 0..7),
        ("source:web", "no_anchor", 0..10),
        ("NOT a", "no_anchor", 0..5),
        ("-a -b", "no_anchor", 0..5),
        ("a OR NOT b", "no_anchor", 5..10),
        ("a OR (lang:cs -b)", "no_anchor", 5..17),
        ("NOT (a NOT b)", "no_anchor", 0..13),
    ];
    for (text, code, span) in rows {
        let mistake = mistake(text);
        assert_eq!((mistake.code, mistake.span), (code, span), "{text}");
        assert!(mistake.message.ends_with('.'), "{text}");
        let is_open = matches!(code, "unknown_language" | "wrong_value" | "unknown_field");
        assert!(is_open || mistake.suggestion.is_some(), "{text}");
    }
}

#[test]
fn what_is_not_built_says_so_and_is_never_read_as_words() {
    let rows = [
        ("a NEAR/3 b", 2..8),
        ("a ONEAR/3 b", 2..9),
        ("a NOT NEAR/3 b", 6..12),
        ("a NEAR b", 2..6),
        ("a SENTENCE b", 2..10),
        ("a NOT SENTENCE b", 6..14),
        ("\"a b\"~3", 5..7),
        ("(a b)~3", 5..7),
        ("abc~1", 3..5),
        ("forms(a, b)", 0..11),
        ("morph(mít problém)", 0..20),
        ("atleast(2, a, b)", 0..16),
        ("x freq(a) >= 3", 2..14),
        ("fuzzy(a,1)", 0..10),
        ("list(a)", 0..7),
        ("use(a)", 0..6),
        ("title:(a OR (b c)) d", 0..18),
        ("a followers:[5 TO 9] b", 2..20),
        ("a has:image", 2..11),
        ("a author_name:\"b c\"", 2..19),
        ("a mentions:<5", 2..13),
        ("@lang:cs a", 0..8),
        ("@dialect:x a", 0..10),
        ("*word", 0..5),
        ("wo*d", 0..4),
        ("wo?d", 0..4),
        ("?ord", 0..4),
        ("word?*", 0..6),
        ("a #tag*", 2..7),
        ("a author:al*", 9..12),
        ("$TICK", 0..5),
        ("+\"l'oreal\"", 0..10),
        ("a+\"b\"", 1..5),
        ("author:list(vips)", 7..17),
        ("author:(forms(Ann))", 8..18),
        ("author:(a NEAR/3 b)", 10..16),
        ("author:(a NOT ONEAR b)", 14..19),
        ("author:(a SENTENCE b)", 10..18),
        ("author:SENTENCE", 7..15),
        ("author:(\"a b\"~3)", 13..15),
        ("author:((a b)~3)", 13..15),
        ("author:(ann~1)", 11..13),
        ("author:ann~1", 10..12),
        ("author:\"a b\"~3", 12..14),
        ("author:(+\"x\")", 8..12),
        ("author:+\"x\"", 7..11),
        ("author:(@lang:cs)", 8..16),
        ("site:(a.cz OR use(ours))", 14..23),
        ("a \"voda*\"", 3..8),
        ("\"b *voda\"", 3..8),
        ("\"wo?d b\"", 1..5),
        ("\"*really*\"", 1..9),
    ];
    for (text, span) in rows {
        let mistake = mistake(text);
        assert_eq!((mistake.code, mistake.span), ("not_built", span), "{text}");
        assert!(mistake.suggestion.is_some(), "{text}");
    }
}

#[test]
fn anchors_are_decided_on_the_negation_normal_form() {
    for text in [
        "a -b",
        "x AND (a OR NOT b)",
        "NOT (NOT a)",
        "NOT (NOT a OR b)",
        "NOT (NOT a NOT b)",
        "author:x OR site:a.cz",
        "lang:cs site:a.cz",
        "(a lang:cs) OR (b -c)",
    ] {
        read(text);
    }
    for text in ["NOT (a OR b)", "NOT (NOT a AND b)", "a OR lang:cs", "(a OR -b) (c OR -d)", "lang:cs source:web"] {
        assert_eq!(mistake(text).code, "no_anchor", "{text}");
    }
}

#[test]
fn remarks_do_not_stop_a_query() {
    let rows = [
        ("a or b", "lower_case_operator", 2..4),
        ("a and b", "lower_case_operator", 2..5),
        ("a not b", "lower_case_operator", 2..5),
        ("site:(a.cz or b.cz)", "lower_case_operator", 11..13),
        ("a AND b OR c", "mixed_operators", 0..12),
        ("x (a b OR c)", "mixed_operators", 3..11),
        ("“a b”", "curly_quotes", 0..9),
        ("„a b“", "curly_quotes", 0..9),
        ("who?", "question_mark", 3..4),
        ("who??", "question_mark", 3..5),
        ("\"who is\"?", "question_mark", 8..9),
    ];
    for (text, code, span) in rows {
        let lints = parse(text).map_or_else(|errors| panic!("{text}: {errors:?}"), |query| query.lints);
        assert_eq!(
            lints.iter().map(|lint| (lint.code, lint.span.clone())).collect::<Vec<_>>(),
            [(code, span)],
            "{text}"
        );
    }
    for text in ["a OR b", "(a b) OR c", "or", "a or", "OR?"] {
        assert!(!parse(text).is_ok_and(|query| query.lints.iter().any(|lint| lint.code != "question_mark")), "{text}");
    }
    assert_eq!(shown(&read("“a b”").root), "Phrase:a b");
}

#[test]
fn suggestions_name_what_was_meant() {
    let rows = [
        ("a lnag:cs", "lang:"),
        ("a sorce:web", "source:"),
        ("a http://b.cz", "site:"),
        ("a from:b", "author:"),
        ("site:https://b.cz/c", "site:b.cz"),
        ("a lang:cs,sk", "lang:(cs OR sk)"),
        ("a – b", "-"),
        ("a | b", "OR"),
        ("\"voda*\"", "voda"),
        ("\":)\"", "{:)}"),
        ("a #tag*", "#tag"),
    ];
    for (text, suggestion) in rows {
        assert_eq!(mistake(text).suggestion.as_deref(), Some(suggestion), "{text}");
    }
    assert_eq!(mistake("10:30").suggestion, None);
}

#[test]
fn several_mistakes_are_told_at_once() {
    let errors = parse("a % (b \"c").expect_err("three mistakes");
    let codes: Vec<_> = errors.iter().map(|error| error.code).collect();
    assert_eq!(codes, ["stray_character", "unbalanced_parenthesis", "unbalanced_quote"]);
}

#[test]
fn a_query_is_bounded_in_length_and_depth() {
    let longest = "ab ".repeat(QUERY_BYTES_MAX / 3) + "a";
    assert_eq!(longest.len(), QUERY_BYTES_MAX);
    read(&longest);
    let longer = mistake(&format!("{}é", &longest[1..]));
    assert_eq!((longer.code, longer.span), ("too_long", QUERY_BYTES_MAX - 1..QUERY_BYTES_MAX + 1));
    let nested = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(shown(&read(&nested(64)).root), "Word:a");
    let deeper = mistake(&nested(65));
    assert_eq!((deeper.code, deeper.span), ("too_deep", 64..65));
    assert_eq!(mistake(&"(".repeat(QUERY_BYTES_MAX)).code, "too_deep");
}

#[test]
fn a_term_is_bounded_in_bytes_and_words() {
    let words = |count| format!("a \"{}\"", "b ".repeat(count));
    read(&words(64));
    let longer = mistake(&words(65));
    assert_eq!((longer.code, longer.span), ("too_many_words", 2..134));
    let long = "b".repeat(2049);
    for (text, span) in
        [(format!("a {long}"), 2..2051), (format!("{{{long}}}"), 0..2051), (format!("\"{long}\""), 0..2051)]
    {
        read(&text.replacen("bb", "b", 1));
        let longer = mistake(&text);
        assert_eq!((longer.code, longer.span), ("literal_too_long", span));
        assert!(longer.suggestion.is_some());
    }
}

#[test]
fn hostile_text_costs_a_fixed_number_of_steps_a_byte() {
    let pieces = [
        "(",
        ")",
        "\"",
        "“",
        "{",
        "}",
        "<",
        "<<<",
        "//",
        "-",
        "a-",
        "a+",
        "+",
        "++\"",
        "+\"",
        "a:",
        "lang:",
        "lang:(",
        "author:",
        "site:[",
        "?",
        "a?",
        "*",
        "a*",
        "#",
        "@",
        "@a.",
        "~",
        "$",
        "=",
        "a!",
        "a!b",
        "a+++b",
        "NEAR/",
        "freq(",
        "x ",
        " ",
        "OR ",
        "NOT ",
        "\u{200d}",
        "❤\u{200d}",
        "🇨",
        "1\u{fe0f}",
        "%",
        "\u{301}",
    ];
    for piece in pieces {
        for tail in ["", "\"", ")", "b"] {
            let text = piece.repeat((QUERY_BYTES_MAX - 1) / piece.len()) + tail;
            let steps = lex::lex(&text).steps;
            assert!(steps <= STEPS_PER_BYTE_MAX * text.len(), "{piece}: {steps} steps over {} bytes", text.len());
            drop(parse(&text));
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_with_spans_inside_it(text in hostile()) {
        let told = match parse(&text) {
            Ok(query) => query.lints,
            Err(errors) => {
                prop_assert!(!errors.is_empty());
                errors
            }
        };
        if let Ok(query) = parse(&text) {
            let written = super::super::write(&query);
            let read = parse(&written);
            prop_assert_eq!(read.as_ref().map(|read| &read.root), Ok(&query.root), "{}", written);
        }
        for error in told {
            prop_assert!(error.span.start <= error.span.end && text.get(error.span.clone()).is_some(), "{:?}", error);
        }
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(vec![
            "a", "vodafone", "AND", "OR", "NOT", "-", "(", ")", "\"", "“", "”", "{", "}", "++\"", "+\"", "#", "@", "$", "~2", "*",
            "?", ":", "lang:", "lang:cs", "site:", "author:(", "title:(", "[", "]", "<<<", ">>>", "//", "\n", " ", " ", " ",
            "=", "❤️", "👨‍👩‍👧", "東", "é", "\u{301}", "\u{200d}", "NEAR/3", "forms(", "@lang:", ",", "'", "&", "+", "!", ".",
        ]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn languages_are_read_as_the_model_reads_them() {
    assert_eq!(read("a lang:CS").root, read("a lang:cs-CZ").root);
    assert!(Lang::ALL.into_iter().all(|lang| parse(&format!("a lang:{}", lang.code())).is_ok()));
}

#[test]
fn a_mark_that_stands_upon_nothing_is_a_mistake() {
    for text in
        ["\u{301}tru", "a \u{301}tru", "\"a \u{301}tru\"", "#\u{301}tru", "@\u{301}tru", "\u{301}tru*", "{\u{301}tru}"]
    {
        assert_eq!(mistake(text).code, "stray_character", "{text}");
    }
    for text in ["tru\u{301}", "☕\u{fe0f}", "\"☕\u{fe0f} tea\"", "\"ก\u{e34}น\"", "1\u{fe0f}\u{20e3}"] {
        assert!(parse(text).is_ok(), "{text}");
    }
}
