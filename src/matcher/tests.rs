use std::sync::Arc;

use super::*;
use crate::model::{
    Author, AuthorId, Connector, Lang, PostId, PostKind, SourceType, TEXT_BYTES_MAX, Thread, ThreadId, Timestamp,
};
use crate::query::{Condition, Inflect, Keyword, Literal, LiteralKind, Node, Pragmas, Query, Reading, TERMS_MAX};
use LiteralKind::{Exact, Hashtag, Name, Phrase, Prefix, Symbol, Word};

fn post(text: &str) -> Post {
    Post {
        id: PostId::of("bluesky", "1"),
        network: Arc::from("bluesky"),
        native_id: "1".to_owned(),
        source_type: SourceType::Social,
        site: Arc::from("news.example.org"),
        board: None,
        connector: Connector::Push,
        source: Arc::from("jet"),
        kind: PostKind::Post,
        url: None,
        author: Author {
            id: AuthorId::of("bluesky", "did:plc:a"),
            native_id: "did:plc:a".to_owned(),
            handle: Some("@Alice".to_owned()),
            name: None,
            url: None,
        },
        title: None,
        text: text.to_owned(),
        truncated: false,
        langs: Vec::new(),
        hashtags: Vec::new(),
        mentions: Vec::new(),
        links: Vec::new(),
        thread: Thread { id: ThreadId::of("bluesky", "1"), root: None, parent: None },
        published_at: None,
        edited_at: None,
        fetched_at: Timestamp::EPOCH,
    }
}

fn literal(kind: LiteralKind, text: &str) -> Node {
    let literals = vec![Literal { kind, text: text.to_owned(), reading: Reading::default() }];
    Node::keyword(Keyword { text: text.to_owned(), literals, inflects: Inflect::Never, forms: Vec::new() })
}

fn rule(root: Node) -> Rule {
    Rule {
        project: "p".to_owned(),
        query: "q".to_owned(),
        version: 1,
        tags: Vec::new(),
        languages: Vec::new(),
        sources: Vec::new(),
        tree: Query { pragmas: Pragmas::default(), root, lints: Vec::new() },
    }
}

fn matches(root: Node, post: &Post) -> Option<Match> {
    let matcher = Matcher::compile(vec![rule(root)]);
    matcher.scan(post, &english, &mut Scratch::default()).pop()
}

/// Certainly English: written without marks.
fn english() -> Verdict {
    Verdict { best: Some((Lang::En, 1.0)), certain: true, ..Verdict::default() }
}

/// What of `text` a literal finds.
fn found(kind: LiteralKind, typed: &str, text: &str) -> Vec<String> {
    let terms = matches(literal(kind, typed), &post(text)).map(|found| found.terms).unwrap_or_default();
    terms.iter().map(|term| text[term.span.start as usize..term.span.end as usize].to_owned()).collect()
}

#[track_caller]
fn finds(kind: LiteralKind, typed: &str, texts: &[&str]) {
    for text in texts {
        assert!(!found(kind, typed, text).is_empty(), "{typed} in {text}");
    }
}

#[track_caller]
fn misses(kind: LiteralKind, typed: &str, texts: &[&str]) {
    for text in texts {
        assert!(found(kind, typed, text).is_empty(), "{typed} in {text}");
    }
}

#[test]
fn a_mark_that_is_typed_must_be_there_and_one_that_is_not_may() {
    finds(Word, "nino", &["niño", "NINO", "nin\u{303}o"]);
    misses(Word, "niño", &["nino", "nińo"]);
    finds(Word, "niño", &["NIN\u{303}O"]);
    finds(Word, "lodz", &["Łódź"]);
    misses(Word, "łódź", &["lodz", "lódz"]);
    finds(Word, "straße", &["STRASSE", "Straße"]);
    finds(Word, "istanbul", &["İstanbul", "ıstanbul", "ISTANBUL"]);
    finds(Word, "ёлка", &["елка", "ЁЛКА", "е\u{308}лка"]);
    misses(Word, "и", &["й", "и\u{306}"]);
    finds(Word, "й", &["Й", "и\u{306}"]);
    misses(Word, "か", &["が", "か\u{3099}"]);
    finds(Word, "が", &["か\u{3099}", "が"]);
    finds(Word, "Λογος", &["λόγος"]);
    finds(Word, "كتاب", &["كِتَابٌ", "كتـــاب", "وكتاب", "الكتاب"]);
    finds(Word, "שלום", &["שָׁלוֹם", "השלום"]);
    finds(Word, "vodafone", &["Ｖｏｄａｆｏｎｅ", "Voda\u{ad}fone", "Vodafone™"]);
}

#[test]
fn a_post_without_any_mark_may_lack_them_unless_its_language_has_none() {
    let matcher = Matcher::compile(vec![rule(literal(Word, "Škoda")), rule(literal(Word, "zzz"))]);
    let mut scratch = Scratch::default();
    let mut found = |text: &str, verdict: Verdict| matcher.scan(&post(text), &|| verdict, &mut scratch).pop();
    let czech = Verdict { best: Some((Lang::Cs, 1.0)), certain: true, ..Verdict::default() };
    let told = found("Mam skodu Skoda", czech).map(|found| found.terms);
    assert_eq!(told.map(|terms| (terms.len(), terms[0].span.start)), Some((1, 10)));
    assert!(found("Skoda", Verdict::default()).is_some() && found("Skoda", english()).is_none());
    assert!(found("Škoda", english()).is_some() && found("Můj Skoda", czech).is_none());
    let mut titled = post("Skoda");
    titled.title = Some("Můj vůz".to_owned());
    assert!(matcher.scan(&titled, &|| czech, &mut scratch).is_empty());
    titled.title = None;
    titled.hashtags = vec!["vůz".to_owned()];
    assert!(matcher.scan(&titled, &|| czech, &mut scratch).is_empty());
}

#[test]
fn a_word_begins_and_ends_at_its_edges() {
    misses(Word, "o2", &["CO2", "o2x", "o2_", "https://o2.cz/o2"]);
    finds(Word, "o2", &["O2!", "-o2-", "o2は", "(o2)", "x#o2"]);
    finds(Word, "東京", &["私は東京に", "東京tower"]);
    finds(Word, "서울", &["서울에서 왔다", "서울은", "서울에서는"]);
    misses(Word, "서울", &["서울들", "서울은가"]);
    finds(Word, "vodafone", &["#VodafoneSucks", "#fuckVodafone", "#vodafone_cz", "#vodafone5"]);
    misses(Word, "vodafone", &["VodafoneSucks", "#vodafonesucks"]);
    misses(Phrase, "vodafone", &["#VodafoneSucks"]);
}

#[test]
fn apostrophes_and_hyphens_may_be_spaces_or_nothing_and_not_the_reverse() {
    finds(Word, "coca-cola", &["Coca-Cola", "coca cola", "cocacola", "coca \n cola", "coca’cola"]);
    misses(Word, "coca-cola", &["coca - cola", "coca.cola", "xcocacola"]);
    misses(Word, "cocacola", &["coca-cola", "coca cola"]);
    finds(Word, "o'reilly", &["O’Reilly", "oreilly"]);
    finds(Word, "AT&T", &["at&t"]);
    misses(Word, "AT&T", &["at t", "att"]);
    finds(Word, "C++", &["c++ code"]);
}

#[test]
fn a_phrase_bears_other_signs_between_its_words_but_no_paragraph() {
    assert_eq!(found(Phrase, "big deal", "a Big, \"deal!"), ["Big, \"deal"]);
    finds(Phrase, "big deal", &["big ........ deal", "big\r\ndeal", "big🎉deal"]);
    let apart = ["bigdeal", "big\n\ndeal", "big\r\n \r\ndeal", "deal big", "big x deal", "big ㎏ deal"];
    misses(Phrase, "big deal", &apart);
    finds(Phrase, "I ❤️ tea", &["I ❤ tea", "I❤tea"]);
    misses(Phrase, "I ❤️ tea", &["I tea", "I, ❤ tea", "I 🎉 ❤ tea"]);
    finds(Phrase, "東京 タワー", &["東京タワー", "東京・タワー"]);
    finds(Phrase, "Marks & Spencer", &["marks & spencer"]);
}

#[test]
fn exact_text_is_compared_by_code_points_and_a_wildcard_takes_its_token() {
    finds(Exact, "Orange", &["an Orange."]);
    misses(Exact, "Orange", &["orange", "Oranges", "Orange\u{301}", "see https://x.cz/Orange"]);
    assert_eq!(found(Prefix, "telef", "Telefónica, telefon"), ["Telefónica", "telefon"]);
    misses(Prefix, "telef", &["atelefon"]);
    assert_eq!(found(Prefix, "東", "東京"), ["東"]);
}

#[test]
fn tags_names_and_symbols_are_whole() {
    finds(Hashtag, "vodafone", &["#Vodafone", "＃vodafone."]);
    misses(Hashtag, "vodafone", &["#vodafonecz", "vodafone", "x#vodafone"]);
    finds(Name, "alice.bsky.social", &["hi @alice.bsky.social."]);
    misses(Name, "alice", &["@alice.bsky.social", "@alicex", "alice"]);
    finds(Symbol, "❤️", &["I❤you", "❤️"]);
    let mut tagged = post("nothing");
    tagged.hashtags.push("Škoda".to_owned());
    assert_eq!(matches(literal(Hashtag, "skoda"), &tagged).map(|found| found.terms.len()), Some(0));
}

#[test]
fn fields_and_not_are_decided_without_a_literal() {
    let post = post("nothing");
    assert!(matches(Node::Field(Condition::Author("alice".to_owned())), &post).is_some());
    assert!(matches(Node::Field(Condition::Site("example.org".to_owned())), &post).is_some());
    assert!(matches(Node::Field(Condition::Site("ample.org".to_owned())), &post).is_none());
    assert!(matches(Node::Field(Condition::Source("jet".to_owned())), &post).is_some());
    assert!(matches(Node::Field(Condition::Lang(Lang::Cs)), &post).is_none());
    assert!(matches(Node::Not(Box::new(literal(Word, "x"))), &post).is_some());
}

#[test]
fn every_folded_letter_is_found_again_at_its_place() {
    for code in 0..=u32::from(char::MAX) {
        let Some(character) = char::from_u32(code) else { continue };
        let text = format!("a{character}\u{301}б{character}한");
        let mut folded = folded::Folded::default();
        let mut letters = letters::Letters::default();
        folded.read(&text, &[]);
        letters.read(&text, &[]);
        let end = folded.bytes.len() - '한'.len_utf8();
        let last = letters.at_folded(end).and_then(|at| letters.get(at));
        assert_eq!(last.map(|placed| placed.letter.base), Some('한'), "{character:?} U+{code:04X}");
    }
}

#[test]
fn a_matcher_without_rules_matches_nothing() {
    let matcher = Matcher::compile(Vec::new());
    assert!(matcher.scan(&post("anything"), &Verdict::default, &mut Scratch::default()).is_empty());
    assert_eq!((matcher.figures().rules, matcher.figures().literals), (0, 0));
}

#[test]
fn hostile_texts_are_scanned_and_filed_in_linear_time() {
    let roots = [
        literal(Word, "a"),
        literal(Word, "a-a"),
        literal(Phrase, "a a a a"),
        literal(Prefix, "ab"),
        literal(Hashtag, "a"),
        literal(Name, "a"),
        literal(Symbol, "🎉"),
        literal(Phrase, "🎉 🎉 🎉"),
        literal(Exact, "a a"),
        literal(Word, "가"),
        literal(Phrase, "東 東 東"),
        literal(Word, "الكتاب"),
    ];
    let matcher = Matcher::compile(roots.into_iter().map(rule).collect());
    let pieces = [
        "a",
        "#",
        "#aB",
        "a ",
        "a  -",
        "@a.",
        "-",
        "\u{301}",
        "東",
        "가은",
        "وال",
        "http://",
        "🎉",
        "a\n",
        "a🎉",
        "\u{e38}\u{301}",
        "각",
        "㎏",
    ];
    let mut scratch = Scratch::default();
    for piece in pieces {
        let post = post(&piece.repeat(TEXT_BYTES_MAX / piece.len()));
        let verdict = Verdict::default;
        assert!(matcher.scan(&post, &verdict, &mut scratch).iter().all(|found| found.terms.len() <= TERMS_MAX));
        let mut bytes = 0;
        tokens(&post.text, &mut |token| bytes += token.len());
        assert!(bytes <= TEXT_BYTES_MAX * 64, "{piece}: {bytes}");
    }
}

fn filed(text: &str) -> Vec<String> {
    let mut filed = Vec::new();
    tokens(text, &mut |token| filed.push(token.to_owned()));
    filed
}

#[test]
fn tokens_are_all_that_a_literal_may_find() {
    assert_eq!(filed("Škoda, naïve https://x.cz/y"), ["skoda", "naive"]);
    assert_eq!(filed("東京tower"), ["東", "東京", "京", "tower"]);
    assert_eq!(filed("#VodafoneSucks"), ["vodafone", "vodafonesucks", "sucks"]);
    assert_eq!(filed("서울에서"), ["서울", "서울에서"]);
    assert_eq!(filed("والكتاب"), ["والكتاب", "الكتاب", "كتاب"]);
}

#[test]
fn narrowing_asks_for_what_a_match_cannot_do_without() {
    let token = |token: &str| Narrow::OneOf(vec![Narrow::Token(token.to_owned()), Narrow::Token("#".to_owned())]);
    let narrow = |root| narrow(&Query { pragmas: Pragmas::default(), root, lints: Vec::new() });
    assert_eq!(narrow(literal(Word, "Škoda")), token("skoda"));
    assert_eq!(narrow(literal(Phrase, "big deal")), Narrow::All(vec![token("big"), token("deal")]));
    assert_eq!(narrow(literal(Word, "東京")), Narrow::Token("東京".to_owned()));
    assert_eq!(narrow(Node::Not(Box::new(literal(Word, "x")))), Narrow::Any);
    assert_eq!(narrow(Node::Any(vec![literal(Word, "x"), literal(Symbol, "→")])), Narrow::Any);
    let czech = Node::Field(Condition::Lang(Lang::Cs));
    assert_eq!(
        narrow(Node::All(vec![literal(Word, "x"), czech.clone()])),
        Narrow::All(vec![token("x"), Narrow::Lang(Lang::Cs)])
    );
    assert_eq!(narrow(Node::Not(Box::new(czech))), Narrow::Any);
}

#[test]
fn a_post_that_asks_much_is_answered_by_the_second_automaton_as_by_searches() {
    let words: Vec<_> = (0..500).map(|number| format!("w{number}")).collect();
    let others = Node::Any(words.iter().map(|word| literal(Word, word)).collect());
    let matcher = Matcher::compile(vec![rule(Node::All(vec![literal(Word, "trigger"), others]))]);
    let mut scratch = Scratch::default();
    let mut matched = |text: &str| !matcher.scan(&post(text), &Verdict::default, &mut scratch).is_empty();
    assert!(matched("trigger w0") && matched("trigger w499"));
    assert!(!matched("trigger w500") && !matched("w499"));
}

#[test]
fn the_language_is_asked_for_only_when_a_rule_depends_on_it_and_then_once() {
    let asked = std::cell::Cell::new(0);
    let verdict = || {
        asked.set(asked.get() + 1);
        Verdict { best: Some((Lang::Cs, 1.0)), certain: true, ..Verdict::default() }
    };
    let in_czech = |word| Node::All(vec![literal(Word, word), Node::Field(Condition::Lang(Lang::Cs))]);
    let matcher = Matcher::compile(vec![rule(in_czech("x")), rule(in_czech("y"))]);
    let mut scratch = Scratch::default();
    assert!(matcher.scan(&post("z"), &verdict, &mut scratch).is_empty());
    assert_eq!(asked.get(), 0);
    assert_eq!(matcher.scan(&post("x y"), &verdict, &mut scratch).len(), 2);
    assert_eq!(asked.get(), 1);
}

/// Posts as long as they can be, made of what costs most, and what is looked for in them. A way of looking that is not
/// linear in the post would take hours here.
#[test]
fn the_longest_posts_of_the_worst_texts_are_decided() {
    let texts = ["a ", "a", "Aa", "#", "ab ", "東", "a. A ", "aXbXcX", "الكتاب "]
        .map(|part| format!("#{}", part.repeat(TEXT_BYTES_MAX / part.len())));
    let rows = [
        ("a NEAR/100 a NEAR/100 a NEAR/100 zq", 0),
        ("(a NEAR/30 a) NEAR/100 (a NEAR/30 a)", 2),
        ("a NOT NEAR/100 a", 1),
        ("a SENTENCE a", 2),
        ("(a a a a a a a zq)~100", 0),
        ("freq(a) >= 20000", 2),
        ("aa*aa*aa*aab", 0),
        ("*ab*aac*", 0),
        ("a?a?a?a?a?aab", 0),
        ("fuzzy(abababab,2)", 0),
        ("#aaa*aaa*aaa*b", 0),
        ("東*東*東*東*京", 0),
        ("\"a a a a a a a zq\"", 0),
        ("+\"a a a a a zq\"", 0),
        ("a-a-a-a-a-a-zq", 0),
        ("الكتاب NEAR/3 الكتاب", 1),
    ];
    for (query, expected) in rows {
        let tree = crate::query::parse(query).unwrap_or_else(|errors| panic!("{query}: {errors:?}"));
        let matcher = Matcher::compile(vec![Rule { tree, ..rule(literal(Word, "a")) }]);
        let mut scratch = Scratch::default();
        let found = texts.iter().filter(|text| !matcher.scan(&post(text), &Verdict::default, &mut scratch).is_empty());
        assert_eq!(found.count(), expected, "{query}");
    }
}
