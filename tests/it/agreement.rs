//! The compiled matcher and the naive evaluator agree on every query and post that a seeded generator thinks of, and
//! an index that asks for the tokens of a query never misses a post that the query matches.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use earful::matcher::{Matcher, Narrow, Scratch, narrow, post_tokens};
use earful::model::{
    Author, AuthorId, Connector, Lang, Post, PostId, PostKind, SourceType, Thread, ThreadId, Timestamp, Verdict,
};
use earful::query::{
    Around, Bounds, Condition, Fold, Gap, Has, Inflect, Is, Keyword, Literal, LiteralKind, Node, Pragmas, Query,
    Reading, Rule, Said, Scope, Spans, naive, parse, write,
};
use rayon::prelude::*;
use unicode_normalization::UnicodeNormalization;

const BATCHES_PER_SEED: usize = 50;
const RULES_PER_BATCH: usize = 5;
const POSTS_PER_BATCH: usize = 20;
const PAIRS_MIN: usize = 120_000;
const MATCHED_PERCENT_MIN: usize = 20;
/// What a query can be made of: nodes, kinds of literals, folds, gaps, scopes, fields.
const OPERATORS: usize = 51;

const WORDS: [&str; 94] = [
    "vodafone",
    "Škoda",
    "nino",
    "niño",
    "straße",
    "strasse",
    "łódź",
    "lodz",
    "øre",
    "Æon",
    "œuvre",
    "İstanbul",
    "ırmak",
    "IRMAK",
    "ёлка",
    "елка",
    "йод",
    "иод",
    "Київ",
    "ґанок",
    "Замо́к",
    "Ωμέγα",
    "λόγος",
    "كتاب",
    "أحمد",
    "مدرسة",
    "مصطفى",
    "كِتَابٌ",
    "שלום",
    "ירושלים",
    "שָׁלוֹם",
    "東京",
    "東",
    "タワー",
    "ガス",
    "がく",
    "ไทย",
    "ก็ดี",
    "ລາວ",
    "ខ្មែរ",
    "မြန်မာ",
    "한국",
    "서울",
    "삼성",
    "o2",
    "5g",
    "co2",
    "C++",
    "C#",
    "AT&T",
    "Yahoo!",
    "coca-cola",
    "cocacola",
    "o'reilly",
    "rock'n'roll",
    "ＡＢＣ",
    "ﾊﾝｶｸ",
    "ﬁsh",
    "a",
    "e.on",
    "snake_case",
    "हिन्दी",
    "VodafoneCz",
    "Iphone15pro",
    "ệm",
    "đỏ",
    "Galaxy",
    "iPhone폰",
    "サーバー",
    "ｺｰﾋｰ",
    "〆切",
    "BBCNews",
    "GROẞE",
    "știință",
    "ţară",
    "ŉieu",
    "㈜카카오",
    "5㎏",
    "ᲀода",
    "בית־ספר",
    "צה״ל",
    "Oʼneill",
    "µg",
    "น้ำ",
    "ที่",
    "ខ្ញុំ",
    "ﷲ",
    "κόμμα",
    "ΚΌΜΜΑ",
    "ǅungla",
    "e\u{323}\u{302}\u{301}\u{30c}",
    "𝗩𝗼𝗱𝗮",
    "O₂",
    "Vodafone™",
];
const HANDLES: [&str; 5] = ["alice.bsky.social", "vodafone-cz", "škoda", "東京", "bob"];
const SYMBOLS: [&str; 14] = ["❤️", "🎉", "👍🏽", "👍", "👨‍👩‍👧", "👨", "🇨🇿", "🇿🇨", "🇨", "🏴", "🅿️", "1️⃣", "©", "→"];
const FILLERS: [&str; 20] = [
    "the",
    "и",
    "は",
    "및",
    "x",
    "42",
    "😀",
    "בית",
    "في",
    "www.example.org",
    "폰",
    "TV",
    "LG는",
    "BBC",
    "🇸🇰🇨🇿",
    "👍🏽",
    "ー",
    "²",
    "㎏",
    "é",
];
#[rustfmt::skip]
const GLUES: [&str; 42] = [
    " ", " ", " ", " ", " ", " ", "", "", ", ", ". ", "\n\n", "\n", "\r\n", "\r\n\r\n", "\n \t\n", "\n-\n", "\u{2029}",
    "-", "'", "ʼ", "´", "−", " \u{200b}", " #", "#", " @", "﹟", "﹫", "…", "\u{3000}", "_", " – ", " https://x.cz/",
    " HTTP://x.cz/a<", "https://x.jp/東", "「", "          ", "”", "🎉", "\u{200d}", " ! ? ! ? ! ? ", "²",
];
const PARTICLES: [&str; 11] =
    ["은", "에서", "으로", "밖에", "들", "이나", "에서는", "까지가", "은가", "에게서까지이라도", "은TV"];
const PREFIXES: [&str; 15] =
    ["و", "ال", "وال", "لل", "ה", "וה", "של", "ت", "وبال", "فلل", "لال", "וכשב", "ושה", "בש", "TVה"];
#[rustfmt::skip]
const MARKS: [char; 16] = [
    '\u{301}', '\u{30c}', '\u{308}', '\u{327}', '\u{323}', '\u{326}', '\u{302}', '\u{344}', '\u{345}', '\u{3099}', 'ﾞ', '\u{e38}',
    '\u{e48}', '\u{94d}', '\u{11ab}', '\u{64e}',
];
const IGNORED: [char; 7] = ['\u{ad}', '\u{200d}', '\u{200b}', '\u{fe0f}', '\u{640}', '\u{fe77}', '™'];

/// A generator of chance: the same from run to run.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    pub(super) fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn letters_only(word: &str) -> String {
    word.chars().filter(|&letter| letter.is_alphanumeric() || letter == '_' || !letter.is_ascii()).collect()
}

pub(super) fn literal(dice: &mut Dice) -> Literal {
    let kinds = [
        LiteralKind::Word,
        LiteralKind::Word,
        LiteralKind::Word,
        LiteralKind::Phrase,
        LiteralKind::Phrase,
        LiteralKind::Exact,
        LiteralKind::Raw,
        LiteralKind::Prefix,
        LiteralKind::Wildcard,
        LiteralKind::Wildcard,
        LiteralKind::Fuzzy(1 + dice.below(2) as u8),
        LiteralKind::Hashtag,
        LiteralKind::Name,
        LiteralKind::Ticker,
        LiteralKind::Symbol,
    ];
    let kind = dice.pick(&kinds);
    let word = dice.pick(&WORDS);
    let text = match kind {
        LiteralKind::Word => respell(word, dice),
        LiteralKind::Phrase => {
            let words = 1 + dice.below(3);
            let word = |dice: &mut Dice| match dice.percent(12) {
                true => dice.pick(&SYMBOLS).to_owned(),
                false => respell(dice.pick(&WORDS), dice),
            };
            (0..words).map(|_| word(dice)).collect::<Vec<_>>().join(" ")
        }
        LiteralKind::Exact if dice.percent(30) => format!("{word} {}", dice.pick(&WORDS)),
        LiteralKind::Raw if dice.percent(40) => {
            format!("{}{}{}", respell(word, dice), dice.pick(&[" ", ", ", "-", " #"]), dice.pick(&WORDS))
        }
        LiteralKind::Exact | LiteralKind::Raw | LiteralKind::Fuzzy(_) => respell(word, dice),
        LiteralKind::Prefix => {
            let letters = word.chars().count();
            word.chars().take(2.max(letters - dice.below(3).min(letters - 1))).collect()
        }
        LiteralKind::Wildcard => with_wildcards(&respell(word, dice), dice),
        LiteralKind::Hashtag if dice.percent(20) => with_stars(&letters_only(word), dice),
        LiteralKind::Hashtag | LiteralKind::Ticker => letters_only(&respell(word, dice)),
        LiteralKind::Name if dice.percent(20) => with_stars(dice.pick(&HANDLES), dice),
        LiteralKind::Name => dice.pick(&HANDLES).to_owned(),
        LiteralKind::Symbol => dice.pick(&SYMBOLS).to_owned(),
    };
    let text = if dice.percent(70) { text.nfc().collect() } else { text };
    let sign = match kind {
        LiteralKind::Hashtag => "#",
        LiteralKind::Name => "@",
        _ => "",
    };
    // What no query can ask for is not compared.
    if text.contains(['*', '?']) && parse(&format!("{sign}{text}")).is_err() {
        return literal(dice);
    }
    let fold = match kind {
        LiteralKind::Raw | LiteralKind::Fuzzy(_) => Fold::All,
        LiteralKind::Exact | LiteralKind::Symbol => Fold::Typed,
        _ => dice.pick(&[Fold::Typed, Fold::Typed, Fold::Typed, Fold::Typed, Fold::Strict, Fold::All]),
    };
    let turkish = !matches!(kind, LiteralKind::Exact | LiteralKind::Symbol) && dice.percent(8);
    let capital = kind == LiteralKind::Word && dice.percent(8);
    Literal { kind, text, reading: Reading { fold, turkish, capital } }
}

/// A word with some of its letters taken out.
fn with_wildcards(word: &str, dice: &mut Dice) -> String {
    let letters: Vec<char> = word.chars().collect();
    let mut text = String::new();
    let mut is_wild = false;
    for (at, letter) in letters.iter().enumerate() {
        match dice.below(6) {
            0 if at > 0 || dice.percent(30) => {
                text.push('?');
                is_wild = true;
            }
            1 => {
                text.push('*');
                is_wild = true;
                if dice.percent(50) {
                    text.push(*letter);
                }
            }
            _ => text.push(*letter),
        }
    }
    if !is_wild {
        text.insert(dice.below(2) * text.len(), '*');
    }
    let text = text.replace("**", "*");
    // At least one letter must stay.
    if text.chars().all(|letter| matches!(letter, '*' | '?')) { format!("*{word}") } else { text }
}

fn with_stars(word: &str, dice: &mut Dice) -> String {
    let letters: Vec<char> = word.chars().collect();
    let at = dice.below(letters.len() + 1);
    let taken = dice.below(3).min(letters.len() - at);
    let text: String = letters[..at].iter().chain(&['*']).chain(&letters[at + taken..]).collect();
    if text == "*" { format!("*{word}") } else { text }
}

pub(super) fn keyword(dice: &mut Dice, literals: &[Literal]) -> Keyword {
    let count = if dice.percent(15) { 2 + dice.below(2) } else { 1 };
    let literals: Vec<Literal> = (0..count).map(|_| literals[dice.below(literals.len())].clone()).collect();
    let text =
        literals.iter().map(|literal| format!("{:?} {}", literal.kind, literal.text)).collect::<Vec<_>>().join("/");
    // Of several spellings all but the first may be forms.
    let forms = if dice.percent(50) { literals[1..].to_vec() } else { Vec::new() };
    let literals = if forms.is_empty() { literals } else { vec![literals[0].clone()] };
    Keyword { text, literals, inflects: Inflect::Never, forms }
}

fn gap(dice: &mut Dice) -> Gap {
    let tokens = dice.pick(&[0, 0, 1, 1, 2, 3, 6]);
    if dice.percent(35) { Gap::Ordered(tokens) } else { Gap::Near(tokens) }
}

fn spans(dice: &mut Dice, literals: &[Literal], depth: usize) -> Spans {
    if depth == 0 || dice.percent(40) {
        return Spans::Keyword(keyword(dice, literals));
    }
    let parts = |dice: &mut Dice| (0..2 + dice.below(2)).map(|_| spans(dice, literals, depth - 1)).collect::<Vec<_>>();
    match dice.below(8) {
        0 | 1 => Spans::Any(parts(dice)),
        2 => {
            let (of, from) = (spans(dice, literals, depth - 1), spans(dice, literals, depth - 1));
            Spans::Apart { of: Box::new(of), from: Box::new(from), gap: gap(dice) }
        }
        _ => {
            let parts = parts(dice);
            Spans::Chain { gaps: (1..parts.len()).map(|_| gap(dice)).collect(), parts }
        }
    }
}

/// What asks for places, whole: sentences and windows are no operands.
fn near(dice: &mut Dice, literals: &[Literal]) -> Spans {
    let keywords = |dice: &mut Dice| (0..2 + dice.below(3)).map(|_| keyword(dice, literals)).collect::<Vec<_>>();
    match dice.below(6) {
        0 => Spans::Window { parts: keywords(dice), others_max: dice.below(4) as u32 },
        1 => {
            let parts: Vec<Spans> = (0..2 + dice.below(2)).map(|_| spans(dice, literals, 1)).collect();
            Spans::Chain { gaps: vec![Gap::Sentence; parts.len() - 1], parts }
        }
        2 if dice.percent(40) => {
            let (of, from) = (spans(dice, literals, 1), spans(dice, literals, 1));
            Spans::Apart { of: Box::new(of), from: Box::new(from), gap: Gap::Sentence }
        }
        _ => loop {
            let found = spans(dice, literals, 2);
            if !matches!(found, Spans::Keyword(_) | Spans::Any(_)) {
                return found;
            }
        },
    }
}

fn condition(dice: &mut Dice) -> Condition {
    let bounds = |dice: &mut Dice| {
        let min = dice.below(4) as u64;
        Bounds { min, max: dice.percent(60).then(|| min + dice.below(6) as u64) }
    };
    match dice.below(18) {
        0 | 1 => Condition::Lang(dice.pick(&[Lang::Cs, Lang::En])),
        2 => Condition::Source(dice.pick(&["bluesky", "jet"]).to_owned()),
        3 => Condition::Author(dice.pick(&["alice", "did:plc:a"]).to_owned()),
        4 => Condition::Site(dice.pick(&["example.org", "news.example.org"]).to_owned()),
        5 => Condition::Domain("example.org".to_owned()),
        6 => Condition::Tld("org".to_owned()),
        7 => Condition::Url(dice.pick(&["x.cz", "a"]).to_owned()),
        8 => Condition::Board("help".to_owned()),
        9 => Condition::SourceType(dice.pick(&["social", "forum"]).to_owned()),
        10 => Condition::Thread(dice.pick(&[ThreadId::of("bluesky", "1"), ThreadId::of("bluesky", "2")]).to_string()),
        11 => Condition::Is(dice.pick(&Is::ALL).1),
        12 => Condition::Has(dice.pick(&Has::ALL).1),
        13 => Condition::Words(bounds(dice)),
        14 => Condition::Mentions(bounds(dice)),
        15 => Condition::Hour { first: 19, last: dice.pick(&[5, 22]), zone: None },
        16 => Condition::Sample(dice.pick(&[1, 50_000, 100_000])),
        _ => Condition::Unfilled { field: "likes".to_owned(), value: ">5".to_owned() },
    }
}

/// The same word in another case or without its marks.
fn respell(word: &str, dice: &mut Dice) -> String {
    match dice.below(8) {
        0 => word.to_uppercase(),
        1 => word.to_lowercase(),
        2 => word.nfd().filter(|letter| !('\u{300}'..='\u{36f}').contains(letter)).nfc().collect(),
        3 => word.nfd().collect(),
        _ => word.to_owned(),
    }
}

/// A word as a post might write it: respelt, glued, marked, carried.
fn misspell(word: &str, dice: &mut Dice) -> String {
    let mut text = respell(word, dice);
    let insert = |text: &str, piece: char, dice: &mut Dice| {
        let at = dice.below(text.chars().count() + 1);
        text.chars().take(at).chain([piece]).chain(text.chars().skip(at)).collect::<String>()
    };
    match dice.below(18) {
        0 => text = insert(&text, dice.pick(&MARKS), dice),
        1 => text = insert(&text, dice.pick(&IGNORED), dice),
        2 => text.push_str(dice.pick(&PARTICLES)),
        3 => text.insert_str(0, dice.pick(&PREFIXES)),
        4 => text = text.replace(['-', '\''], dice.pick(&["", " ", "  ", "’", "‑", "–", " - ", "ʼ", "\u{5be}", "´"])),
        5 => text = text.replace(' ', dice.pick(&["", ", ", "\n", "\n\n", "-", " ... ", " -- -- -- ", "🎉"])),
        6 => text = format!("#{}", letters_only(&text)),
        7 => text = format!("#{}{}", camel(dice.pick(&WORDS)), camel(&text)),
        8 => text = format!("#{}{}", camel(&text), dice.pick(&["Sucks", "5", "_x", "is"])),
        9 => text = format!("@{text}"),
        10 => text.push_str(dice.pick(&["s", "ů", "の", "2", "_", "+", "'s", "ом", "폰", "ʼs", "!", "🅿️"])),
        11 => text = text.chars().map(wide).collect(),
        12 => text = format!("#{}{}", camel(&text).to_uppercase(), camel(dice.pick(&WORDS))),
        13 => text.insert_str(0, dice.pick(&["ом", "폰", "a", "5", "🇨", "👨\u{200d}", "TV"])),
        _ => {}
    }
    text
}

fn camel(word: &str) -> String {
    let mut letters = word.chars().filter(|letter| letter.is_alphanumeric());
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

fn wide(letter: char) -> char {
    match letter {
        '!'..='~' => char::from_u32(u32::from(letter) - 0x21 + 0xff01).unwrap_or(letter),
        other => other,
    }
}

/// A part of a query that asks texts alone, for a scope.
fn of_texts(dice: &mut Dice, literals: &[Literal], depth: usize) -> Node {
    if depth == 0 || dice.percent(50) {
        return match dice.below(10) {
            0..=3 => Node::Found(near(dice, literals)),
            4 => {
                let (min, max) =
                    dice.pick(&[(1, None), (2, None), (3, None), (0, Some(0)), (0, Some(1)), (2, Some(2))]);
                Node::Count { of: (0..1 + dice.below(2)).map(|_| keyword(dice, literals)).collect(), min, max }
            }
            _ => Node::keyword(keyword(dice, literals)),
        };
    }
    join(dice, &mut |dice| of_texts(dice, literals, depth - 1))
}

pub(super) fn node(dice: &mut Dice, literals: &[Literal], depth: usize) -> Node {
    if depth == 0 || dice.percent(45) {
        return match dice.below(24) {
            0..=3 => Node::Field(condition(dice)),
            4 | 5 => Node::In(dice.pick(&Scope::ALL), Box::new(of_texts(dice, literals, 1))),
            _ => of_texts(dice, literals, 0),
        };
    }
    join(dice, &mut |dice| node(dice, literals, depth - 1))
}

fn join(dice: &mut Dice, part: &mut dyn FnMut(&mut Dice) -> Node) -> Node {
    let mut parts = |dice: &mut Dice| (0..2 + dice.below(2)).map(|_| part(dice)).collect::<Vec<_>>();
    match dice.below(11) {
        0..=2 => Node::All(parts(dice)),
        3..=7 => Node::Any(parts(dice)),
        8 => {
            let parts = parts(dice);
            Node::AtLeast(dice.below(parts.len() + 1) as u32, parts)
        }
        _ => Node::Not(Box::new(part(dice))),
    }
}

fn rule(dice: &mut Dice, literals: &[Literal], number: usize) -> Rule {
    Rule {
        project: "telco".to_owned(),
        query: format!("q{number}"),
        version: 1,
        tags: Vec::new(),
        languages: if dice.percent(5) { vec![Lang::Cs, Lang::Sk] } else { Vec::new() },
        sources: if dice.percent(5) { vec!["jet".to_owned()] } else { Vec::new() },
        tree: Query { pragmas: Pragmas::default(), root: node(dice, literals, 3), lints: Vec::new() },
    }
}

fn text(dice: &mut Dice, literals: &[Literal]) -> String {
    let mut text = String::new();
    for _ in 0..dice.below(7) {
        text.push_str(dice.pick(&GLUES));
        match dice.below(5) {
            0 => text.push_str(dice.pick(&FILLERS)),
            1 => text.push_str(&misspell(dice.pick(&WORDS), dice)),
            _ => text.push_str(&misspell(&signed(&literals[dice.below(literals.len())]), dice)),
        }
    }
    text
}

fn signed(literal: &Literal) -> String {
    match literal.kind {
        LiteralKind::Hashtag => format!("#{}", literal.text.replace('*', "xy")),
        LiteralKind::Name => format!("@{}", literal.text),
        LiteralKind::Ticker => format!("${}", literal.text),
        LiteralKind::Wildcard => literal.text.replace('*', "xy").replace('?', "q"),
        _ => literal.text.clone(),
    }
}

pub(super) fn post(dice: &mut Dice, literals: &[Literal]) -> Post {
    let handle = dice.pick(&[Some("@Alice"), Some("bob"), None]);
    let word = literals[dice.below(literals.len())].text.clone();
    Post {
        id: PostId::of("bluesky", "1"),
        network: Arc::from(dice.pick(&["bluesky", "web"])),
        native_id: "1".to_owned(),
        source_type: SourceType::Social,
        site: Arc::from(dice.pick(&["example.org", "news.example.org", "myexample.org"])),
        board: dice.percent(50).then(|| dice.pick(&["help", "news"]).to_owned()),
        connector: Connector::Push,
        source: Arc::from(dice.pick(&["jet", "feeds"])),
        kind: dice.pick(&PostKind::ALL),
        url: dice.percent(30).then(|| "https://x.cz/a".to_owned()),
        author: Author {
            id: AuthorId::of("bluesky", "a"),
            native_id: dice.pick(&["did:plc:a", "did:plc:b"]).to_owned(),
            handle: handle.map(str::to_owned),
            name: dice.percent(50).then(|| text(dice, literals)),
            url: None,
        },
        title: dice.percent(30).then(|| text(dice, literals)),
        text: text(dice, literals),
        truncated: false,
        langs: Vec::new(),
        hashtags: (0..dice.below(10) / 7).map(|_| hashtag(&word, dice)).collect(),
        mentions: if dice.percent(20) { vec![respell(dice.pick(&HANDLES), dice)] } else { Vec::new() },
        links: Vec::new(),
        thread: Thread {
            id: ThreadId::of("bluesky", dice.pick(&["1", "2"])),
            root: dice.percent(30).then(|| PostId::of("bluesky", "r")),
            parent: dice.percent(30).then(|| PostId::of("bluesky", "p")),
        },
        published_at: dice.percent(60).then(|| Timestamp::from_millis(dice.below(24) as i64 * 3_600_000)),
        edited_at: dice.percent(30).then_some(Timestamp::EPOCH),
        fetched_at: Timestamp::EPOCH,
    }
}

/// What is known of the posts around.
fn around<'a>(dice: &mut Dice, post: &Post, texts: &'a [String]) -> Around<'a> {
    let own = Around::of(post);
    let mut said = |own| if dice.percent(40) { Said::Text(&texts[dice.below(texts.len())]) } else { own };
    Around { parent: said(own.parent), root: said(own.root), quoted: said(own.quoted) }
}

fn hashtag(word: &str, dice: &mut Dice) -> String {
    let word = letters_only(&respell(word, dice));
    match dice.below(4) {
        0 => format!("{}{}", camel(&word), camel(dice.pick(&WORDS))),
        1 => format!("{word} {}", dice.pick(&WORDS)),
        2 => format!("#{word}"),
        _ => word,
    }
}

pub(super) fn verdict(dice: &mut Dice) -> Verdict {
    let best = dice.pick(&[Some((Lang::Cs, 0.9)), Some((Lang::En, 0.6)), None]);
    Verdict { best, second: dice.pick(&[Some(Lang::Cs), None]), declared: [None; 3], certain: dice.percent(50) }
}

/// All tokens under which an index would file the post.
fn filed(post: &Post) -> HashSet<String> {
    let mut filed = HashSet::new();
    post_tokens(post, &mut |token| {
        filed.insert(token.to_owned());
    });
    filed
}

fn admits(narrow: &Narrow, filed: &HashSet<String>, post: &Post, verdict: &Verdict) -> bool {
    match narrow {
        Narrow::Any => true,
        Narrow::All(parts) => parts.iter().all(|part| admits(part, filed, post, verdict)),
        Narrow::OneOf(parts) => parts.iter().any(|part| admits(part, filed, post, verdict)),
        Narrow::Token(token) => filed.contains(token),
        Narrow::Prefix(head) => filed.iter().any(|token| token.starts_with(head)),
        Narrow::Author(name) => {
            let handle = post.author.handle.as_ref().map(|handle| handle.trim_start_matches('@').to_lowercase());
            handle.as_ref() == Some(name) || post.author.native_id == *name
        }
        Narrow::Site(site) => *post.site == **site || post.site.ends_with(&format!(".{site}")),
        Narrow::Source(name) => *post.network == **name || *post.source == **name,
        Narrow::Lang(lang) => verdict.satisfies(*lang),
    }
}

fn operators(node: &Node, into: &mut HashSet<String>) {
    let mut note = |name: String| {
        into.insert(name);
    };
    match node {
        Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
            note(shape(node));
            parts.iter().for_each(|part| operators(part, into));
        }
        Node::Not(part) => {
            note("Not".to_owned());
            operators(part, into);
        }
        Node::In(scope, part) => {
            note(format!("In {}", scope.name()));
            operators(part, into);
        }
        Node::Found(found) => operators_of(found, into),
        Node::Count { of, .. } => {
            note("Count".to_owned());
            of.iter().for_each(|keyword| kinds(keyword, into));
        }
        Node::Field(condition) => note(format!("Field {}", condition.field())),
    }
}

/// The name of a variant.
fn shape(shown: &impl std::fmt::Debug) -> String {
    format!("{shown:?}").chars().take_while(|letter| letter.is_alphanumeric()).collect()
}

fn kinds(keyword: &Keyword, into: &mut HashSet<String>) {
    for literal in keyword.spellings() {
        into.insert(shape(&literal.kind));
        into.insert(format!("{:?} fold", literal.reading.fold));
        if literal.reading.turkish {
            into.insert("Turkish".to_owned());
        }
        if literal.reading.capital {
            into.insert("Capital".to_owned());
        }
    }
}

fn operators_of(found: &Spans, into: &mut HashSet<String>) {
    match found {
        Spans::Keyword(keyword) => kinds(keyword, into),
        Spans::Any(parts) => parts.iter().for_each(|part| operators_of(part, into)),
        Spans::Chain { parts, gaps } => {
            into.extend(gaps.iter().map(|gap| format!("{} chain", shape(gap))));
            parts.iter().for_each(|part| operators_of(part, into));
        }
        Spans::Apart { of, from, gap } => {
            into.insert(format!("{} apart", shape(gap)));
            [of, from].into_iter().for_each(|part| operators_of(part, into));
        }
        Spans::Window { parts, .. } => {
            into.insert("Window".to_owned());
            parts.iter().for_each(|keyword| kinds(keyword, into));
        }
    }
}

/// Pairs by operator: those that matched, those that did not.
#[derive(Default)]
struct Coverage {
    pairs: usize,
    matched: usize,
    narrowed: usize,
    operators: BTreeMap<String, [usize; 2]>,
}

impl Coverage {
    fn and(mut self, other: Self) -> Self {
        self.pairs += other.pairs;
        self.matched += other.matched;
        self.narrowed += other.narrowed;
        for (operator, [not_matched, matched]) in other.operators {
            let counts = self.operators.entry(operator).or_default();
            *counts = [counts[0] + not_matched, counts[1] + matched];
        }
        self
    }

    fn count(&mut self, rule: &Rule, matched: bool) {
        self.pairs += 1;
        self.matched += usize::from(matched);
        let mut found = HashSet::new();
        operators(&rule.tree.root, &mut found);
        for operator in found {
            self.operators.entry(operator).or_default()[usize::from(matched)] += 1;
        }
    }
}

fn compare(
    matcher: &Matcher,
    (post, around): (&Post, &Around),
    verdict: &Verdict,
    scratch: &mut Scratch,
    coverage: &mut Coverage,
) {
    let mut compiled = matcher.scan_among(post, around, &|| *verdict, scratch).into_iter().peekable();
    let filed = filed(post);
    for rule in matcher.rules() {
        let expected = naive::matches_among(rule, post, around, &|| *verdict);
        let found = compiled.next_if(|found| found.query == rule.query).map(|found| found.terms);
        assert_eq!(
            found,
            expected,
            "compiled, then naive: {} {:?} {:?} {:?} {post:?} {around:?} {verdict:?}",
            write(&rule.tree),
            rule.tree.root,
            post.title,
            post.text
        );
        coverage.count(rule, expected.is_some());
        let narrow = narrow(&rule.tree);
        let admitted = admits(&narrow, &filed, post, verdict);
        coverage.narrowed += usize::from(!admitted);
        assert!(admitted || expected.is_none(), "{narrow:?}\n{:#?}\n{:?} {filed:?}", rule.tree, post.text);
    }
    assert!(compiled.next().is_none());
}

fn compare_batches(seed: u64) -> Coverage {
    let mut dice = Dice(seed);
    let mut scratch = Scratch::default();
    let mut coverage = Coverage::default();
    for _ in 0..BATCHES_PER_SEED {
        let literals: Vec<_> = (0..4).map(|_| literal(&mut dice)).collect();
        let matcher = Matcher::compile((0..RULES_PER_BATCH).map(|number| rule(&mut dice, &literals, number)).collect());
        for _ in 0..POSTS_PER_BATCH {
            let (post, verdict) = (post(&mut dice, &literals), verdict(&mut dice));
            let texts = [text(&mut dice, &literals), text(&mut dice, &literals)];
            let around = around(&mut dice, &post, &texts);
            compare(&matcher, (&post, &around), &verdict, &mut scratch, &mut coverage);
        }
    }
    coverage
}

#[test]
fn the_compiled_matcher_agrees_with_the_naive_evaluator_and_narrowing_loses_nothing() {
    // EARFUL_PAIRS makes it a long run.
    let asked = std::env::var("EARFUL_PAIRS").ok().and_then(|pairs| pairs.parse().ok()).unwrap_or(PAIRS_MIN);
    let seeds = asked.div_ceil(BATCHES_PER_SEED * RULES_PER_BATCH * POSTS_PER_BATCH) as u64;
    let all: Vec<Coverage> = (0..seeds).into_par_iter().map(|seed| compare_batches(0x5eed + (seed << 32))).collect();
    let Coverage { pairs, matched, narrowed, operators } = all.into_iter().fold(Coverage::default(), Coverage::and);
    println!("{pairs} pairs, {matched} matched, {narrowed} left out by narrowing; not matched, matched: {operators:?}");
    assert!(pairs >= PAIRS_MIN && matched * 100 >= pairs * MATCHED_PERCENT_MIN);
    assert_eq!(operators.len(), OPERATORS, "{operators:?}");
    assert!(operators.values().all(|[not_matched, matched]| *not_matched > 0 && *matched > 0));
}
