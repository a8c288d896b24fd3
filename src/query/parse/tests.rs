use std::ops::Range;

use proptest::prelude::*;

use super::super::{
    Condition, Fold, Inflect, Keyword, Literal, LiteralKind, Morph, Node, Pragmas, Query, QueryError, Shared, Spans,
    Zone, write,
};
use super::{QUERY_BYTES_MAX, comments, lex, parse, parse_with};
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
        Node::AtLeast(least, parts) => format!("{least} of ({})", joined(parts, ", ")),
        Node::Found(found) => shown_spans(found),
        Node::Count { of, min, max } => {
            let of: Vec<_> = of.iter().map(shown_keyword).collect();
            format!("{} {min}..{}", of.join(" | "), max.map_or(String::new(), |max| format!("={max}")))
        }
        Node::In(scope, part) => format!("{} in {}", shown(part), scope.name()),
        Node::Field(Condition::Lang(lang)) => format!("lang={}", lang.code()),
        Node::Field(Condition::Source(name)) => format!("source={name}"),
        Node::Field(Condition::Author(name)) => format!("author={name}"),
        Node::Field(Condition::Site(name)) => format!("site={name}"),
        Node::Field(condition) => format!("{condition:?}"),
    }
}

fn shown_spans(found: &Spans) -> String {
    let joined = |parts: &[Spans], with: &str| parts.iter().map(shown_spans).collect::<Vec<_>>().join(with);
    match found {
        Spans::Keyword(keyword) => shown_keyword(keyword),
        Spans::Any(parts) => format!("({})", joined(parts, " | ")),
        Spans::Chain { parts, gaps } => {
            let mut line = shown_spans(&parts[0]);
            for (gap, part) in gaps.iter().zip(&parts[1..]) {
                line += &format!(" {gap:?} {}", shown_spans(part));
            }
            format!("<{line}>")
        }
        Spans::Apart { of, from, gap } => format!("<{} not {gap:?} {}>", shown_spans(of), shown_spans(from)),
        Spans::Window { parts, others_max } => {
            format!("<{}>~{others_max}", parts.iter().map(shown_keyword).collect::<Vec<_>>().join(" "))
        }
    }
}

fn shown_keyword(keyword: &Keyword) -> String {
    let literal = |literal: &Literal| {
        let fold =
            if literal.reading.fold == Fold::Typed { String::new() } else { format!("{:?} ", literal.reading.fold) };
        let turkish = if literal.reading.turkish { "Turkish " } else { "" };
        format!("{turkish}{fold}{:?}:{}", literal.kind, literal.text)
    };
    let forms = if keyword.inflects == Inflect::Always { "^" } else { "" };
    keyword.literals.iter().map(literal).collect::<Vec<_>>().join("/") + forms
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
        let literals = vec![Literal { kind, text: text.to_owned(), reading: Default::default() }];
        Node::keyword(Keyword { text: keyword.to_owned(), literals, inflects: Inflect::Never, forms: Vec::new() })
    };
    assert_eq!(read("Voda*").root, literal(LiteralKind::Prefix, "Voda", "Voda*"));
    assert_eq!(read(" {A b} ").root, literal(LiteralKind::Exact, "A b", "{A b}"));
    assert_eq!(read("\"a b\"").root, literal(LiteralKind::Phrase, "a b", "\"a b\""));
    assert_eq!(read("#Tag?").root, literal(LiteralKind::Hashtag, "Tag", "#Tag"));
}

/// A text, the code of its first mistake, and where that stands.
const MISTAKES: &[(&str, &str, Range<usize>)] = &[
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
    ("a*b?c", "wildcard_too_short", 0..5),
    ("か*", "wildcard_too_short", 0..4),
    ("\"x ab* y\"", "wildcard_too_short", 3..6),
    ("#ab*", "wildcard_too_short", 0..4),
    ("***", "wildcard_too_short", 0..3),
    ("a+\" \"", "empty_quote", 1..5),
    ("a +\"b", "unbalanced_quote", 2..5),
    ("a title:", "missing_value", 8..8),
    ("a title: b", "missing_value", 8..8),
    ("@lang: a", "missing_value", 0..6),
    ("a freq(b)", "missing_value", 8..9),
    ("freq(a) >= many", "missing_value", 6..11),
    ("freq(a) < 0", "missing_value", 6..11),
    ("freq(a) >= 4294967296", "missing_value", 6..21),
    ("a NEAR/3", "missing_term", 2..8),
    ("NEAR/3 a", "missing_term", 0..6),
    ("a AND NOT NEAR/3 b", "missing_term", 6..16),
    ("atleast(1, a, )", "missing_term", 14..15),
    ("freq() >= 2", "missing_term", 5..6),
    ("a author:al*", "wrong_value", 9..12),
    ("a author:(b, c)", "wrong_value", 10..12),
    ("author:list(vips)", "wrong_value", 7..11),
    ("site:(a.cz OR use(ours))", "wrong_value", 14..17),
    ("a sample:0.0001", "wrong_value", 9..15),
    ("a words:[9 TO 5]", "wrong_value", 8..16),
    ("a words:[5 TO 9", "wrong_value", 8..15),
    ("a hour:24", "wrong_value", 7..9),
    ("a likes:x", "wrong_value", 8..9),
    ("atleast(2, a)", "wrong_value", 0..13),
    ("fuzzy(abc,1)", "wrong_value", 10..11),
    ("fuzzy(vodafone,3)", "wrong_value", 15..16),
    ("fuzzy(voda fone,1)", "wrong_value", 16..17),
    ("@fold:x a", "wrong_value", 6..7),
    ("title:(a lang:cs)", "wrong_scope", 0..17),
    ("title:(a body:b)", "wrong_scope", 0..16),
    ("x title:body:b", "wrong_scope", 2..13),
    ("x title:atleast(1, a, lang:cs)", "wrong_scope", 2..30),
    ("forms()", "wrong_call", 0..6),
    ("forms(a,)", "wrong_call", 0..6),
    ("forms(a OR b)", "wrong_call", 8..10),
    ("forms(voda*)", "wrong_call", 6..11),
    ("forms(\"voda* b\")", "wrong_call", 6..15),
    ("morph(a, b)", "wrong_call", 7..8),
    ("atleast(2)", "wrong_call", 0..10),
    ("atleast(a, b)", "wrong_call", 0..9),
    ("atleast(2 a, b)", "wrong_call", 10..11),
    ("freq(a b) >= 3", "wrong_call", 5..8),
    ("fuzzy(vodafone)", "wrong_call", 14..15),
    ("fuzzy(vodafone,a)", "wrong_call", 0..16),
    ("list()", "wrong_call", 0..5),
    ("use(a b)", "wrong_call", 0..8),
    ("a NEAR b", "wrong_distance", 2..6),
    ("a NEAR/101 b", "wrong_distance", 2..10),
    ("a NEAR/3f b", "wrong_distance", 2..9),
    ("a NOT ONEAR b", "wrong_distance", 6..11),
    ("a SENTENCE/2 b", "wrong_distance", 2..12),
    ("\"a b\"~101", "wrong_distance", 5..9),
    ("\"a b\"~", "wrong_distance", 5..6),
    ("abc~1", "window_of_word", 3..5),
    ("\"a b\" ~3", "window_of_word", 6..8),
    ("{a b}~3", "window_of_word", 5..7),
    ("+\"a b\"~3", "window_of_word", 6..8),
    ("forms(a, b)~2", "window_of_word", 11..13),
    ("author:\"a b\"~3", "window_of_word", 12..14),
    ("author:(a b)~3", "window_of_word", 12..14),
    ("author:({x}~3)", "window_of_word", 11..13),
    ("author:(ann~1)", "window_of_word", 11..13),
    ("\"a b c d e f g h i\"~9", "too_many_words", 0..21),
    ("(a OR b)~3", "near_operand", 1..7),
    ("(a (b c))~3", "near_operand", 1..8),
    ("a NEAR/3 -b", "near_operand", 9..10),
    ("a NEAR/3 (b c)", "near_operand", 9..14),
    ("a NEAR/3 (b OR (c SENTENCE d))", "near_operand", 9..30),
    ("a NEAR/3 \"b c\"~2", "near_operand", 9..16),
    ("a NEAR/3 lang:cs", "near_operand", 9..16),
    ("a NEAR/3 title:b", "near_operand", 9..16),
    ("a NEAR/3 freq(b) >= 2", "near_operand", 9..21),
    ("author:(a NEAR/3 b)", "near_operand", 10..16),
    ("author:SENTENCE", "near_operand", 7..15),
    ("a NEAR/2 b NOT NEAR/3 c", "mixed_nearness", 0..23),
    ("a SENTENCE b NEAR/3 c", "mixed_nearness", 0..21),
    ("x (a NOT NEAR/1 b NOT NEAR/1 c)", "mixed_nearness", 3..30),
    ("@lang:xx a", "unknown_language", 6..8),
    ("a list(b)", "unknown_list", 2..9),
    ("a use(b)", "unknown_query", 2..8),
    ("@foo:bar a", "unknown_pragma", 0..8),
    ("@lang:cs @foo:bar a", "unknown_pragma", 9..17),
    ("a @lang:cs", "pragma_not_at_head", 2..10),
    ("(@lang:cs a)", "pragma_not_at_head", 1..9),
    ("author:(@lang:cs)", "pragma_not_at_head", 8..16),
    ("@lang:cs", "empty", 0..8),
    ("@strict:on a b OR c", "mixed_operators", 11..19),
    ("@strict:on x (a OR b c)", "mixed_operators", 14..22),
    ("$", "stray_character", 0..1),
    ("title:-a", "stray_minus", 6..7),
    ("parent:a", "no_anchor", 0..8),
    ("freq(a) = 0", "no_anchor", 0..11),
    ("atleast(1, a, lang:cs)", "no_anchor", 0..22),
    ("a OR NOT title:b", "no_anchor", 5..16),
    ("lang:cs", "no_anchor", 0..7),
    ("source:web", "no_anchor", 0..10),
    ("NOT a", "no_anchor", 0..5),
    ("-a -b", "no_anchor", 0..5),
    ("a OR NOT b", "no_anchor", 5..10),
    ("a OR (lang:cs -b)", "no_anchor", 5..17),
    ("NOT (a NOT b)", "no_anchor", 0..13),
];

#[test]
fn every_mistake_has_its_code_and_its_span() {
    for (text, code, span) in MISTAKES {
        let mistake = mistake(text);
        assert_eq!((mistake.code, &mistake.span), (*code, span), "{text}");
        assert!(mistake.message.ends_with('.'), "{text}");
        let is_open =
            matches!(*code, "unknown_language" | "wrong_value" | "unknown_field" | "unknown_list" | "unknown_query");
        assert!(is_open || mistake.suggestion.is_some(), "{text}");
    }
}

#[test]
fn nearness_chains_places() {
    let rows = [
        ("a NEAR/3 b", "<Word:a Near(3) Word:b>"),
        ("a ONEAR/0 b", "<Word:a Ordered(0) Word:b>"),
        ("a NEAR/100 b", "<Word:a Near(100) Word:b>"),
        ("a NOT NEAR/3 b", "<Word:a not Near(3) Word:b>"),
        ("a NOT ONEAR/3 b", "<Word:a not Ordered(3) Word:b>"),
        ("a SENTENCE b", "<Word:a Sentence Word:b>"),
        ("a NOT SENTENCE b", "<Word:a not Sentence Word:b>"),
        ("a NEAR/3 b ONEAR/4 c", "<Word:a Near(3) Word:b Ordered(4) Word:c>"),
        ("a SENTENCE b SENTENCE c", "<Word:a Sentence Word:b Sentence Word:c>"),
        ("(a NEAR/3 b) NOT NEAR/5 c", "<<Word:a Near(3) Word:b> not Near(5) Word:c>"),
        ("(a NEAR/3 b) SENTENCE c", "<<Word:a Near(3) Word:b> Sentence Word:c>"),
        ("a NEAR/2 (b OR \"c d\" OR (e OR f))", "<Word:a Near(2) (Word:b | Phrase:c d | (Word:e | Word:f))>"),
        ("a NEAR/2 (b NEAR/1 c OR d)", "<Word:a Near(2) (<Word:b Near(1) Word:c> | Word:d)>"),
        ("a b NEAR/2 c d", "(Word:a & <Word:b Near(2) Word:c> & Word:d)"),
        ("a NEAR/2 b OR c", "(<Word:a Near(2) Word:b> | Word:c)"),
        ("-a NEAR/2 b c", "(!<Word:a Near(2) Word:b> & Word:c)"),
        ("a -(b NOT NEAR/2 c)", "(Word:a & !<Word:b not Near(2) Word:c>)"),
        ("near sentence", "(Word:near & Word:sentence)"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
}

#[test]
fn a_window_holds_the_words_of_a_phrase_or_a_group() {
    let rows = [
        ("\"a b\"~3", "<Phrase:a Phrase:b>~3"),
        ("“a b”~3", "<Phrase:a Phrase:b>~3"),
        ("(a \"b c\" =d)~0", "<Word:a Phrase:b c Word:d>~0"),
        ("(vod* #b)~100", "<Prefix:vod Hashtag:b>~100"),
        ("\"vod* b\"~3", "<Prefix:vod Phrase:b>~3"),
        ("title:\"a b\"~2", "<Phrase:a Phrase:b>~2 in title"),
        ("\"a\"~3", "Phrase:a"),
        ("(\"a b\")~3", "Phrase:a b"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
    read("\"a b c d e f g h\"~9");
}

#[test]
fn wildcards_stand_in_words_tags_names_and_phrases() {
    let rows = [
        ("*word", "Wildcard:*word"),
        ("wo*d", "Wildcard:wo*d"),
        ("wo?d", "Wildcard:wo?d"),
        ("?ord", "Wildcard:?ord"),
        ("word?*", "Wildcard:word?*"),
        ("*wor*d*", "Wildcard:*wor*d*"),
        ("word*", "Prefix:word"),
        ("word**", "Prefix:word"),
        ("#tag*", "Hashtag:tag*"),
        ("@*ali", "Name:*ali"),
        ("\"voda*\"", "Prefix:voda"),
        ("\"a b wo*d c\"", "<Phrase:a b Ordered(0) Wildcard:wo*d Ordered(0) Phrase:c>"),
        ("\"?ord *ord\"", "<Wildcard:?ord Ordered(0) Wildcard:*ord>"),
        ("\"* a ?\"", "Phrase:a"),
        ("a ???", "Word:a"),
        ("*️⃣", "Symbol:*️⃣"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
}

#[test]
fn calls_are_given_words_or_terms() {
    let rows = [
        ("forms(a, b)", "Word:a/Word:b"),
        ("forms(a)", "Word:a"),
        ("forms(Škoda, Škoda Auto, \"nová Škoda\")", "Word:Škoda/Phrase:Škoda Auto/Phrase:nová Škoda"),
        ("forms(\"a\", =AND)", "Phrase:a/Word:AND"),
        ("morph(a)", "Word:a^"),
        ("morph(mít problém)", "<Word:mít^ Ordered(0) Word:problém^>"),
        ("morph(\"mít problém\")", "<Word:mít^ Ordered(0) Word:problém^>"),
        ("atleast(2, a, b c, d OR e)", "2 of (Word:a, (Word:b & Word:c), (Word:d | Word:e))"),
        ("atleast(1, a)", "1 of (Word:a)"),
        ("a atleast(0, b, -c)", "(Word:a & 0 of (Word:b, !Word:c))"),
        ("atleast(1, author:ann, lang:cs b)", "1 of (author=ann, (lang=cs & Word:b))"),
        ("atleast(1,author:ann,\"b\")", "1 of (author=ann, Phrase:b)"),
        ("atleast(1, author:\"a,b\")", "1 of (author=a,b)"),
        ("freq(a) >= 3", "Word:a 3.."),
        ("freq(a)>3", "Word:a 4.."),
        ("freq(a OR \"b c\" OR (d OR e)) = 3", "Word:a | Phrase:b c | Word:d | Word:e 3..=3"),
        ("a freq(b) < 3", "(Word:a & Word:b 0..=2)"),
        ("a freq(b) <= 3 c", "(Word:a & Word:b 0..=3 & Word:c)"),
        ("fuzzy(vodafone,2)", "All Fuzzy(2):vodafone"),
        ("fuzzy(voda, 1)", "All Fuzzy(1):voda"),
        ("use (a)", "(Word:use & Word:a)"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
}

#[test]
fn a_call_is_written_so_that_it_is_read_again() {
    for text in
        ["forms(\"AND\", =NEAR, a \"b c\")", "morph(\"OR ❤️\" =NOT a)", "fuzzy(=SENTENCE,1)", "fuzzy(\"NEAR\",1)"]
    {
        let query = read(text);
        assert_eq!(read(&write(&query)).root, query.root, "{text}");
    }
}

#[test]
fn a_scope_holds_a_term_or_a_group() {
    let rows = [
        ("title:a", "Word:a in title"),
        ("TITLE:a b", "(Word:a in title & Word:b)"),
        ("title:(a OR (b c)) d", "((Word:a | (Word:b & Word:c)) in title & Word:d)"),
        ("title:(a -b)", "(Word:a & !Word:b) in title"),
        ("body:\"a b\"", "Phrase:a b in body"),
        ("body:(freq(a) >= 2)", "Word:a 2.. in body"),
        ("author_name:(a NEAR/2 b) c", "(<Word:a Near(2) Word:b> in author_name & Word:c)"),
        ("parent:a b", "(Word:a in parent & Word:b)"),
        ("root:#a b", "(Hashtag:a in root & Word:b)"),
        ("quoted:atleast(1, a, b) c", "(1 of (Word:a, Word:b) in quoted & Word:c)"),
        ("a NOT title:(b)", "(Word:a & !Word:b in title)"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
}

#[test]
fn each_field_reads_values_of_its_own() {
    let unfilled = |field: &str, value: &str| format!("Unfilled {{ field: {field:?}, value: {value:?} }}");
    let rows = [
        ("domain:A.co.uk", "Domain(\"a.co.uk\")".to_owned()),
        ("tld:.CZ", "Tld(\"cz\")".to_owned()),
        ("url:\"A.cz/x?y\"", "Url(\"a.cz/x?y\")".to_owned()),
        ("board:\"A b\"", "Board(\"a b\")".to_owned()),
        ("sourcetype:Forum", "SourceType(\"forum\")".to_owned()),
        ("thread:T1", "Thread(\"T1\")".to_owned()),
        ("parent_id:\"AND\"", "ParentId(\"AND\")".to_owned()),
        ("is:Reply", "Is(Reply)".to_owned()),
        ("has:link", "Has(Link)".to_owned()),
        ("words:[5 TO 9]", "Words(Bounds { min: 5, max: Some(9) })".to_owned()),
        ("words:[* TO 9]", "Words(Bounds { min: 0, max: Some(9) })".to_owned()),
        ("words:[5 TO *]", "Words(Bounds { min: 5, max: None })".to_owned()),
        ("words:5", "Words(Bounds { min: 5, max: Some(5) })".to_owned()),
        ("mentions:>4", "Mentions(Bounds { min: 5, max: None })".to_owned()),
        ("mentions:<5", "Mentions(Bounds { min: 0, max: Some(4) })".to_owned()),
        ("hour:[22 TO 5]", "Hour { first: 22, last: 5, zone: None }".to_owned()),
        ("hour:>20", "Hour { first: 21, last: 23, zone: None }".to_owned()),
        ("weekday:SUN", "Weekday { day: 6, zone: None }".to_owned()),
        ("sample:0.001", "Sample(1)".to_owned()),
        ("sample:100", "Sample(100000)".to_owned()),
        ("is:own", unfilled("is", "own")),
        ("has:image", unfilled("has", "image")),
        ("country:CZ", unfilled("country", "cz")),
        ("followers:[500 TO 100000]", unfilled("followers", "[500 to 100000]")),
        ("verified:true", unfilled("verified", "true")),
        ("gender:female", unfilled("gender", "female")),
        ("likes:>=5", unfilled("likes", ">=5")),
        ("shares:5", unfilled("shares", "5")),
        ("replies:[1 TO *]", unfilled("replies", "[1 to *]")),
        ("reach:<5", unfilled("reach", "<5")),
        ("rating:[1.5 TO 3]", unfilled("rating", "[1.5 to 3]")),
        ("sentiment:[-1 TO 0.5]", unfilled("sentiment", "[-1 to 0.5]")),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(&format!("a {text}")).root), format!("(Word:a & {expected})"), "{text}");
    }
}

#[test]
fn pragmas_stand_at_the_head() {
    let said = |text: &str| read(text).pragmas;
    let none = Pragmas::default;
    assert_eq!(said("@dialect:earful a"), none());
    assert_eq!(said("@lang:sk,cs-CZ,sk a"), Pragmas { langs: vec![Lang::Cs, Lang::Sk], ..none() });
    assert_eq!(said("@morph:off a"), Pragmas { morph: Some(Morph::Off), ..none() });
    assert_eq!(said("@morph:names a"), Pragmas { morph: Some(Morph::Names), ..none() });
    assert_eq!(said("@morph:full a"), Pragmas { morph: Some(Morph::Full), ..none() });
    assert_eq!(said("@fold:typed a"), none());
    assert_eq!(said("<<< why >>> @fold:all @strict:on\na"), Pragmas { fold: Fold::All, strict: true, ..none() });
    assert_eq!(said("@tz:Europe/Prague a"), Pragmas { zone: Zone::named("Europe/Prague"), ..none() });
    // The last one counts.
    assert_eq!(said("@fold:all @fold:strict a"), Pragmas { fold: Fold::Strict, ..none() });
    assert_eq!(shown(&read("@lang a").root), "(Name:lang & Word:a)");
}

#[test]
fn pragmas_tell_how_literals_are_compared() {
    let rows = [
        ("@fold:strict a {b} ❤️", "(Strict Word:a & Exact:b & Symbol:❤️)"),
        ("@fold:strict +\"c\" fuzzy(voda,1)", "(All Raw:c & All Fuzzy(1):voda)"),
        ("@fold:all \"a b\" forms(c, d)", "(All Phrase:a b & All Word:c/All Word:d)"),
        ("@lang:tr a {b} \"c d\"~1", "(Turkish Word:a & Exact:b & <Turkish Phrase:c Turkish Phrase:d>~1)"),
    ];
    for (text, expected) in rows {
        assert_eq!(shown(&read(text).root), expected, "{text}");
    }
    let inflects = |text: &str| match read(text).root {
        Node::Found(Spans::Keyword(keyword)) => keyword.inflects,
        other => panic!("{other:?}"),
    };
    assert_eq!(inflects("a"), Inflect::Asked);
    assert_eq!(inflects("=a"), Inflect::Never);
    assert_eq!(inflects("@morph:off a"), Inflect::Never);
    assert_eq!(inflects("@morph:off morph(a)"), Inflect::Always);
    let zone = Zone::named("Asia/Tokyo");
    assert_eq!(
        read("@tz:Asia/Tokyo a hour:7").root,
        Node::All(vec![read("a").root, Node::Field(Condition::Hour { first: 7, last: 7, zone })])
    );
}

#[test]
fn a_query_of_another_dialect_is_read_by_its_rules() {
    let query = read("@dialect:x from:ann -is:retweet <cats> or");
    assert_eq!(write(&query), "@morph:off @fold:strict author:ann -is:repost cats or");
    let lints: Vec<_> = query.lints.iter().map(|lint| (lint.code, lint.span.clone())).collect();
    assert_eq!(lints, [("changed", 11..19), ("changed", 21..31)]);
    // What the query says before counts last; what it says behind is the dialect's.
    let query = read("<<< why >>> @lang:cs @fold:all @dialect:brandwatch\nvoda NEAR/2f {B} <<< because >>>");
    assert_eq!(write(&query), "@lang:cs @morph:off @fold:all voda ONEAR/2 {B}");
    assert_eq!(comments("<<< why >>> @dialect:brandwatch a <<< because >>> // b"), ["why", "because"]);
    assert_eq!(mistake("@dialect:x @fold:all a").code, "pragma_not_at_head");
    let rows = [
        ("@dialect:x a list:1", "no_counterpart", 13..19),
        ("@dialect:x -a", "no_anchor", 11..13),
        ("@dialect:brandwatch voda \"b", "unbalanced_quote", 25..27),
        ("@dialect:lucene ab*", "wildcard_too_short", 16..19),
        ("@dialect:x", "empty", 10..10),
        ("@dialect:y a", "wrong_value", 9..10),
    ];
    for (text, code, span) in rows {
        let mistake = mistake(text);
        assert_eq!((mistake.code, mistake.span), (code, span), "{text}");
    }
    let shared = Shared {
        queries: [("pasted".to_owned(), "@dialect:x from:ann \"coca-cola\"".to_owned())].into(),
        lists: [("l".to_owned(), vec!["@dialect:lucene wi-fi".to_owned()])].into(),
    };
    let used = parse_with("use(pasted) OR list(l)", &shared).map(|query| write(&query));
    assert_eq!(used.as_deref(), Ok("author:ann \"coca cola\" OR (wi OR fi)"));
}

#[test]
fn what_is_not_built_says_so() {
    let rows = [("a tag:b", 2..7), ("a tag:(b (c)) d", 2..13), ("a tag:\"b c\" d", 2..11)];
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
        ("a ???", "question_mark", 2..5),
        ("a likes:>5", "unfilled_field", 2..10),
        ("a has:(link OR video)", "unfilled_field", 2..21),
        ("a -sentiment:negative", "unfilled_field", 3..21),
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
        ("\"x ab*\"", "ab"),
        ("\":)\"", "{:)}"),
        ("a #t*", "t"),
        ("a NEAR b", "NEAR/5"),
        ("a ONEAR b", "ONEAR/5"),
        ("a NEAR/3f b", "ONEAR/3"),
        ("a NEAR/500 b", "NEAR/100"),
        ("a SENTENCE/1 b", "SENTENCE"),
        ("a NEAR/3 (b c)", "(a NEAR/5 c) AND (b NEAR/5 c)"),
        ("a NEAR/3 -b", "a NOT NEAR/5 b, or (a NEAR/5 b) NOT c"),
        ("author:(a, b)", "OR"),
        ("list()", "use(outages)"),
        ("@lang:cs;sk a", "lang:(cs OR sk)"),
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
    // Calls nest like parentheses.
    let calls = |depth| format!("{}a{}", "atleast(1, ".repeat(depth), ")".repeat(depth));
    read(&calls(64));
    let deeper = mistake(&calls(65));
    assert_eq!((deeper.code, deeper.span), ("too_deep", 704..712));
    assert_eq!(mistake(&"use(".repeat(QUERY_BYTES_MAX / 4)).code, "too_deep");
    assert_eq!(mistake(&format!("{}author:(b){}", "(".repeat(64), ")".repeat(64))).code, "too_deep");
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

/// What hostile texts repeat.
#[rustfmt::skip]
const PIECES: &[&str] = &[
    "(", ")", "\"", "“", "{", "}", "<", "<<<", "//", "-", "a-", "a+", "+", "++\"", "+\"", "a:", "lang:", "lang:(",
    "author:", "site:[", "?", "a?", "*", "a*", "#", "@", "@a.", "~", "$", "=", "a!", "a!b", "a+++b", "NEAR/",
    "freq(", "x ", " ", "OR ", "NOT ", "\u{200d}", "❤\u{200d}", "🇨", "1\u{fe0f}", "%", "\u{301}", "a ??", "?*",
    "*?", "a?*b", "a NEAR/1 ", "a NOT NEAR/1 ", "NOT NEAR/1 ", "SENTENCE ", "@fold:all ", "@tz:Europe/Prague ",
    "@lang:cs,", "cs,", "@x:y ", "\"a\"~1 ", "\"a* b\"", "“a”", "«", "(a ", "(a OR b ", "atleast(1,",
    "atleast(1, a, ", "freq(a)", "freq(a)>1 ", "forms(a,b) ", "a, ", "morph(", "fuzzy(abcd,1) ", "list(", "use(a) ",
    "title:", "title:(a) ", "likes:>1 ", "words:[1 TO 2] ", "author:a~1 ", "tag:(", "tag:[", "or ", "a or ",
    "a OR b c OR ", "-a ", "-(", "$a.", "a\u{20e3}", "<<<>>>", "//\n", "\u{ad}", "東*",
];

#[test]
fn hostile_text_costs_a_fixed_number_of_steps_a_byte() {
    for piece in PIECES {
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
            let written = write(&query);
            let read = parse(&written).map(|read| Query { lints: Vec::new(), ..read });
            prop_assert_eq!(read, Ok(Query { lints: Vec::new(), ..query }), "{}", written);
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
        3 => proptest::sample::select(vec![
            " a ", " b OR c ", " NEAR/3 ", " ONEAR/0 ", " NOT NEAR/3 ", " SENTENCE ", " NOT SENTENCE ", "\"a b\"~3", ")~2", "voda*",
            "*fone ", "\"a vod*\"", "forms(a, \"AND\")", "morph(a b)", "atleast(1, ", ", ", "freq(a OR b) >= 2", "fuzzy(", ",1)",
            " title:(", " parent:", " likes:>=5 ", " words:[5 TO 9] ", " author:\"AND\" ", "thread:\"OR\" ", "@fold:all ",
            "@strict:on ", "@tz:Asia/Tokyo ", " hour:<5 ", "$AAPL", "+\"x-y\"", " -(", "1️⃣",
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
