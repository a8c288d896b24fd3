//! A tree as query text that parses to the same tree: one spelling for all that mean the same with the same keywords.
//! Unaware of how the query was written at first.

use std::collections::BTreeSet;

use super::condition::{Bounds, Condition, SAMPLE_WHOLE, WEEKDAYS};
use super::{Fold, Gap, Inflect, Keyword, LiteralKind, Morph, Node, Pragmas, Query, Rule, Spans};

/// The query as a text without comments, needless parentheses and spare white space. Each keyword is written as the
/// query wrote it, so that parsing the text gives the same tree.
pub fn write(query: &Query) -> String {
    let mut writer = Writer { text: pragmas(&query.pragmas), field: None, is_strict: query.pragmas.strict };
    writer.node(&query.root, Place::Root);
    writer.text
}

/// The pragmas of a query, each with a space behind it.
pub(super) fn pragmas_of(query: &Query) -> String {
    pragmas(&query.pragmas)
}

/// One part of a query as a text.
pub(super) fn write_node(node: &Node) -> String {
    let mut writer = Writer { text: String::new(), field: None, is_strict: false };
    writer.node(node, Place::Root);
    writer.text
}

impl Rule {
    /// What decides whether the rule matches, as a text: the query, and the filters of its project where there are any.
    pub fn canonical_text(&self) -> String {
        // A query that parses means the same without `@strict:on`.
        let pragmas = Pragmas { strict: false, ..self.tree.pragmas.clone() };
        let mut writer = Writer { text: self::pragmas(&pragmas), field: None, is_strict: false };
        writer.node(&self.tree.root, Place::Root);
        let mut text = writer.text;
        // Queries in use have pragmas of their own, which no text of one query tells.
        if !is_read_under(&self.tree.root, &pragmas) {
            let tree = serde_json::to_string(&self.tree.root).expect("a tree has no keys but texts");
            text.push_str(&format!("\ntree: {tree}"));
        }
        let languages: BTreeSet<&str> = self.languages.iter().map(|lang| lang.code()).collect();
        let sources: BTreeSet<&str> = self.sources.iter().map(String::as_str).collect();
        for (name, values) in [("languages", languages), ("sources", sources)] {
            if !values.is_empty() {
                let values: Vec<&str> = values.into_iter().collect();
                text.push_str(&format!("\n{name}: {}", values.join(" ")));
            }
        }
        text
    }
}

/// Whether all of a node is read as it would be at the top of a query with these pragmas.
fn is_read_under(node: &Node, pragmas: &Pragmas) -> bool {
    match node {
        Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
            parts.iter().all(|part| is_read_under(part, pragmas))
        }
        Node::Not(part) | Node::In(_, part) => is_read_under(part, pragmas),
        Node::Found(found) => are_read_under(found, pragmas),
        Node::Count { of, .. } => of.iter().all(|keyword| is_keyword_of(keyword, pragmas)),
        Node::Field(Condition::Hour { zone, .. } | Condition::Weekday { zone, .. }) => *zone == pragmas.zone,
        Node::Field(_) => true,
    }
}

fn are_read_under(found: &Spans, pragmas: &Pragmas) -> bool {
    match found {
        Spans::Keyword(keyword) => is_keyword_of(keyword, pragmas),
        Spans::Any(parts) | Spans::Chain { parts, .. } => parts.iter().all(|part| are_read_under(part, pragmas)),
        Spans::Apart { of, from, .. } => are_read_under(of, pragmas) && are_read_under(from, pragmas),
        Spans::Window { parts, .. } => parts.iter().all(|keyword| is_keyword_of(keyword, pragmas)),
    }
}

fn is_keyword_of(keyword: &Keyword, pragmas: &Pragmas) -> bool {
    let is_bare = keyword.literals.len() == 1 && keyword.literals[0].text == keyword.text;
    let is_word = is_bare && keyword.literals[0].kind == LiteralKind::Word;
    let inflects = keyword.inflects == pragmas.inflects() || keyword.inflects == Inflect::Always || !is_word;
    inflects && keyword.literals.iter().all(|literal| literal.reading == pragmas.reading_of(literal.kind))
}

/// The pragmas, each with a space behind it.
fn pragmas(pragmas: &Pragmas) -> String {
    let langs: Vec<&str> = pragmas.langs.iter().map(|lang| lang.code()).collect();
    let morph = pragmas.morph.map(|morph| match morph {
        Morph::Off => "off",
        Morph::Names => "names",
        Morph::Full => "full",
    });
    let fold = match pragmas.fold {
        Fold::Typed => None,
        Fold::Strict => Some("strict"),
        Fold::All => Some("all"),
    };
    let said = [
        ("lang", (!langs.is_empty()).then(|| langs.join(","))),
        ("morph", morph.map(str::to_owned)),
        ("fold", fold.map(str::to_owned)),
        ("tz", pragmas.zone.as_ref().map(|zone| zone.name().to_owned())),
        ("strict", pragmas.strict.then(|| "on".to_owned())),
    ];
    said.into_iter().filter_map(|(name, value)| Some(format!("@{name}:{} ", value?))).collect()
}

/// What a node is a part of.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    All,
    Any,
    Not,
    /// Behind the name of a scope.
    Scope,
}

struct Writer<'a> {
    text: String,
    /// The field whose group of values is open.
    field: Option<&'a str>,
    /// Terms side by side have parentheses within an OR.
    is_strict: bool,
}

impl<'a> Writer<'a> {
    fn node(&mut self, node: &'a Node, place: Place) {
        match node {
            Node::Found(found) => self.found(found, place),
            Node::Field(condition) => self.value(condition),
            Node::All(parts) => {
                let is_enclosed = match place {
                    Place::Root => false,
                    Place::Any => self.is_strict,
                    Place::All | Place::Not | Place::Scope => true,
                };
                self.group(node, is_enclosed, |writer| writer.parts(parts, " ", Place::All));
            }
            Node::Any(parts) => {
                // At the root a group of values is the shorter way to say it.
                let is_enclosed = place != Place::Root || field_of(node).is_some();
                self.group(node, is_enclosed, |writer| writer.parts(parts, " OR ", Place::Any));
            }
            Node::Not(part) => self.group(node, matches!(place, Place::Not | Place::Scope), |writer| {
                writer.text.push('-');
                writer.node(part, Place::Not);
            }),
            Node::AtLeast(least, parts) => {
                self.text.push_str(&format!("atleast({least}, "));
                self.parts(parts, ", ", Place::Root);
                self.text.push(')');
            }
            Node::Count { of, min, max } => self.count(of, *min, *max),
            Node::In(scope, part) => {
                self.text.push_str(scope.name());
                self.text.push(':');
                self.node(part, Place::Scope);
            }
        }
    }

    fn count(&mut self, of: &[Keyword], min: u32, max: Option<u32>) {
        let words = of.iter().map(|keyword| keyword.text.as_str()).collect::<Vec<_>>().join(" OR ");
        let said = match (min, max) {
            (min, None) => format!("freq({words}) >= {min}"),
            (0, Some(max)) => format!("freq({words}) <= {max}"),
            (min, Some(max)) if min == max => format!("freq({words}) = {min}"),
            (min, Some(max)) => format!("(freq({words}) >= {min} freq({words}) <= {max})"),
        };
        self.text.push_str(&said);
    }

    fn found(&mut self, found: &Spans, place: Place) {
        match found {
            Spans::Keyword(keyword) => self.text.push_str(&keyword.text),
            _ if place == Place::Scope => self.operand(found),
            Spans::Any(_) => self.operand(found),
            Spans::Chain { parts, gaps } => {
                for (nth, part) in parts.iter().enumerate() {
                    if let Some(gap) = nth.checked_sub(1).and_then(|before| gaps.get(before)) {
                        self.text.push_str(&format!(" {} ", operator(*gap)));
                    }
                    self.operand(part);
                }
            }
            Spans::Apart { of, from, gap } => {
                self.operand(of);
                self.text.push_str(&format!(" NOT {} ", operator(*gap)));
                self.operand(from);
            }
            Spans::Window { parts, others_max } => {
                let words = parts.iter().map(|keyword| keyword.text.as_str()).collect::<Vec<_>>().join(" ");
                self.text.push_str(&format!("({words})~{others_max}"));
            }
        }
    }

    /// What stands beside an operator of nearness.
    fn operand(&mut self, found: &Spans) {
        match found {
            Spans::Keyword(_) | Spans::Window { .. } => self.found(found, Place::Root),
            Spans::Any(parts) => {
                self.text.push('(');
                for (nth, part) in parts.iter().enumerate() {
                    if nth > 0 {
                        self.text.push_str(" OR ");
                    }
                    match part {
                        // An OR in an OR stays one.
                        Spans::Any(_) => self.operand(part),
                        _ => self.found(part, Place::Any),
                    }
                }
                self.text.push(')');
            }
            Spans::Chain { .. } | Spans::Apart { .. } => {
                self.text.push('(');
                self.found(found, Place::Root);
                self.text.push(')');
            }
        }
    }

    /// In parentheses, and behind the name of a field if all in it are values of that.
    fn group(&mut self, node: &'a Node, is_enclosed: bool, inside: impl FnOnce(&mut Self)) {
        if !is_enclosed {
            return inside(self);
        }
        let outer = self.field;
        if outer.is_none() {
            self.field = field_of(node);
            if let Some(field) = self.field {
                self.text.extend([field, ":"]);
            }
        }
        self.text.push('(');
        inside(self);
        self.text.push(')');
        self.field = outer;
    }

    fn parts(&mut self, parts: &'a [Node], between: &str, place: Place) {
        for (nth, part) in parts.iter().enumerate() {
            if nth > 0 {
                self.text.push_str(between);
            }
            self.node(part, place);
        }
    }

    fn value(&mut self, condition: &'a Condition) {
        if self.field.is_none() {
            self.text.extend([condition.field(), ":"]);
        }
        let value = value_of(condition);
        // No value holds both a quotation mark and a brace: it was written between one of them.
        let (open, close) = match value.as_str() {
            value if is_plain(value) || is_plain_range(value) => ("", ""),
            value if value.contains('"') => ("{", "}"),
            _ => ("\"", "\""),
        };
        self.text.extend([open, &value, close]);
    }
}

/// Whether a value is read as such without quotation marks. Values of some fields keep their case, and `OR` is none.
fn is_plain(value: &str) -> bool {
    value.starts_with(char::is_alphanumeric)
        && value.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '@'))
        && !super::parse::is_operator(value)
}

/// The same of a comparison or a range: white space stands only between brackets, on one line.
fn is_plain_range(value: &str) -> bool {
    let parts_values = |letter: char| if value.starts_with('[') { letter == '\n' } else { letter.is_whitespace() };
    super::bounds(value).is_some() && !value.contains(parts_values)
}

fn operator(gap: Gap) -> String {
    match gap {
        Gap::Near(tokens) => format!("NEAR/{tokens}"),
        Gap::Ordered(tokens) => format!("ONEAR/{tokens}"),
        Gap::Sentence => "SENTENCE".to_owned(),
    }
}

/// The field of which all leaves of a node are values.
fn field_of(node: &Node) -> Option<&str> {
    match node {
        Node::All(parts) | Node::Any(parts) => {
            let (first, others) = parts.split_first()?;
            let field = field_of(first)?;
            others.iter().all(|part| field_of(part) == Some(field)).then_some(field)
        }
        Node::Not(part) => field_of(part),
        Node::Field(condition) => Some(condition.field()),
        Node::AtLeast(..) | Node::Found(_) | Node::Count { .. } | Node::In(..) => None,
    }
}

fn value_of(condition: &Condition) -> String {
    match condition {
        Condition::Lang(lang) => lang.code().to_owned(),
        Condition::Source(value)
        | Condition::Author(value)
        | Condition::Site(value)
        | Condition::Domain(value)
        | Condition::Tld(value)
        | Condition::Url(value)
        | Condition::Board(value)
        | Condition::SourceType(value)
        | Condition::Thread(value)
        | Condition::ParentId(value)
        | Condition::Unfilled { value, .. } => value.clone(),
        Condition::Is(is) => is.name().to_owned(),
        Condition::Has(has) => has.name().to_owned(),
        Condition::Words(bounds) | Condition::Mentions(bounds) => range(*bounds),
        Condition::Hour { first, last, .. } => range(Bounds { min: u64::from(*first), max: Some(u64::from(*last)) }),
        Condition::Weekday { day, .. } => WEEKDAYS[usize::from(*day) % WEEKDAYS.len()].to_owned(),
        Condition::Sample(parts) => (f64::from(*parts) * 100.0 / f64::from(SAMPLE_WHOLE)).to_string(),
    }
}

fn range(bounds: Bounds) -> String {
    match (bounds.min, bounds.max) {
        (min, Some(max)) if min == max => min.to_string(),
        (min, None) => format!(">={min}"),
        (0, Some(max)) => format!("<={max}"),
        (min, Some(max)) => format!("[{min} TO {max}]"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Scope, Shared, parse, parse_with};
    use super::*;
    use crate::model::Lang;

    fn canonical(text: &str) -> String {
        write(&parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}")))
    }

    #[test]
    fn what_means_the_same_is_written_the_same() {
        let rows = [
            ("a AND b", "a b"),
            ("  a <<< why >>> (b) // because", "a b"),
            ("a NOT b OR c", "a -b OR c"),
            ("(a b) OR c", "a b OR c"),
            ("a (b OR c)", "a (b OR c)"),
            ("a (b c)", "a (b c)"),
            ("a NOT (b OR NOT (NOT c))", "a -(b OR -(-c))"),
            ("x site:(b.cz OR a.cz)", "x site:(b.cz OR a.cz)"),
            ("site:b.cz OR site:a.cz", "site:(b.cz OR a.cz)"),
            ("x (lang:cs OR lang:sk) -source:web", "x lang:(cs OR sk) -source:web"),
            ("site:a.cz (lang:cs OR source:web)", "site:a.cz (lang:cs OR source:web)"),
            ("author:( @Ann OR \"Bob B\" OR {c\"d} OR -x )", "author:(ann OR \"bob b\" OR {c\"d} OR -x)"),
            ("author:-x", "author:\"-x\""),
            ("a  NEAR/3 (b) ONEAR/4 \"c d\"", "a NEAR/3 b ONEAR/4 \"c d\""),
            ("(a NEAR/3 b) NOT NEAR/5 (c OR d)", "(a NEAR/3 b) NOT NEAR/5 (c OR d)"),
            ("((a SENTENCE b)) c", "a SENTENCE b c"),
            ("\"a b\"~03", "(\"a\" \"b\")~3"),
            ("\"wor* a b\"", "wor* ONEAR/0 \"a b\""),
            ("forms( a,b  c )", "forms(a, b c)"),
            ("morph(a b)", "morph(a) ONEAR/0 morph(b)"),
            ("atleast(02,a,b AND c,(d OR e))", "atleast(2, a, b c, d OR e)"),
            ("freq( a OR (b) )>2", "freq(a OR b) >= 3"),
            ("a freq(b)<3 freq(c) = 0", "a freq(b) <= 2 freq(c) <= 0"),
            ("fuzzy(vodafone , 1)", "fuzzy(vodafone,1)"),
            ("TITLE:(a) title:(b c)", "title:a title:(b c)"),
            ("x words:[5 TO 5] words:>4 words:[0 TO 9]", "x words:5 words:>=5 words:<=9"),
            ("x hour:<5 weekday:SUN sample:10.50", "x hour:<=4 weekday:sun sample:10.5"),
            ("x Likes:[1 TO 9]", "x likes:[1 to 9]"),
            ("x parent_id:{AND}", "x parent_id:\"AND\""),
            ("x board:\"AND\"", "x board:and"),
            ("@fold:strict  @lang:sk,cs @dialect:earful\na", "@lang:cs,sk @fold:strict a"),
            ("@fold:typed @strict:off a", "a"),
            ("@strict:on (a b) OR c", "@strict:on (a b) OR c"),
            (
                "=Slovo {B  c} ++\"}\" \"d,  e?\" Voda* #Tag @Name 🎉",
                "=Slovo {B  c} ++\"}\" \"d,  e?\" Voda* #Tag @Name 🎉",
            ),
        ];
        for (text, expected) in rows {
            if text.starts_with("author:(") {
                let read = parse(&format!("y {text}")).map(|query| write(&query));
                assert_eq!(read.as_deref(), Ok(format!("y {expected}").as_str()), "{text}");
                continue;
            }
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn the_filters_of_a_project_are_part_of_what_a_rule_is() {
        let rule = |languages: &[Lang], sources: &[&str]| Rule {
            project: "p".to_owned(),
            query: "q".to_owned(),
            version: 1,
            tags: vec!["t".to_owned()],
            languages: languages.to_vec(),
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
            tree: parse("a OR b").unwrap(),
        };
        assert_eq!(rule(&[], &[]).canonical_text(), "a OR b");
        let text = "a OR b\nlanguages: cs sk\nsources: feeds jet";
        assert_eq!(rule(&[Lang::Sk, Lang::Cs], &["jet", "feeds"]).canonical_text(), text);
        assert_eq!(rule(&[Lang::Cs, Lang::Sk, Lang::Cs], &["feeds", "jet"]).canonical_text(), text);
    }

    fn shared() -> Shared {
        let mut shared = Shared::default();
        let texts = [
            ("plain", "voda"),
            ("strict", "@fold:strict voda"),
            ("all", "@fold:all voda"),
            ("turkish", "@lang:tr voda"),
            ("czech", "@lang:cs voda"),
            ("off", "@morph:off voda"),
            ("exact", "@fold:strict @morph:off {Voda}"),
            ("hour", "hour:7"),
            ("prague", "@tz:Europe/Prague hour:7"),
            ("counted", "@fold:strict freq(voda) >= 2"),
            ("near", "@fold:strict (a OR b) NOT NEAR/2 title"),
            ("window", "@fold:strict \"a b\"~2"),
        ];
        shared.queries = texts.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        shared.lists.insert("list".to_owned(), vec!["voda".to_owned()]);
        shared
    }

    fn rule_of(text: &str) -> Rule {
        Rule {
            project: "p".to_owned(),
            query: "q".to_owned(),
            version: 1,
            tags: Vec::new(),
            languages: vec![Lang::Cs],
            sources: Vec::new(),
            tree: parse_with(text, &shared()).unwrap_or_else(|errors| panic!("{text}: {errors:?}")),
        }
    }

    #[test]
    fn what_means_another_thing_has_another_canonical_text() {
        let groups = [
            vec![
                "x use(plain)",
                "x use(strict)",
                "x use(all)",
                "x use(turkish)",
                "x use(off)",
                "@fold:all x use(plain)",
            ],
            vec!["x use(hour)", "x use(prague)", "@tz:Europe/Prague x use(hour)", "@tz:Europe/Prague x use(prague)"],
            vec!["freq(voda) >= 2", "use(counted)", "freq(voda) >= 3", "freq(voda) = 2"],
            vec!["(a OR b) NOT NEAR/2 title", "use(near)", "(a OR b) NEAR/2 title", "(a OR b) NOT ONEAR/2 title"],
            vec!["\"a b\"~2", "use(window)", "\"a b\"~1", "\"a b\"", "(a b)~2", "a b"],
            vec!["voda", "@fold:all voda", "@fold:strict voda", "@lang:tr voda", "@lang:cs voda", "@morph:off voda"],
            vec![
                "voda",
                "=voda",
                "\"voda\"",
                "{voda}",
                "voda*",
                "morph(voda)",
                "forms(voda)",
                "fuzzy(voda,1)",
                "title:voda",
            ],
            vec!["@lang:cs voda", "@lang:cs,sk voda", "@lang:cs @morph:names voda", "@lang:cs @morph:full voda"],
            vec!["atleast(1, a, b)", "atleast(2, a, b)", "a OR b", "a b", "a ONEAR/0 b", "a NEAR/0 b", "a SENTENCE b"],
        ];
        for group in groups {
            let texts: BTreeSet<String> = group.iter().map(|text| rule_of(text).canonical_text()).collect();
            assert_eq!(texts.len(), group.len(), "{texts:#?}");
        }
    }

    #[test]
    fn what_is_only_spelt_another_way_has_the_same_canonical_text() {
        let groups = [
            vec!["x use(plain)", "x list(list)", "x (voda)", "x AND voda <<< y >>>"],
            vec!["@fold:strict x use(strict)", "@fold:strict x voda", "@strict:on @fold:strict x AND voda"],
            vec!["@fold:strict x list(list)", "@fold:all @fold:strict x voda"],
            vec!["x {Voda}", "x use(exact)"],
            vec!["@tz:Europe/Prague x use(prague)", "@tz:Europe/Prague x hour:[7 TO 7]"],
            vec!["@lang:cs,sk x", "@lang:sk,cs-CZ,sk x"],
            vec!["@strict:on (a b) OR c", "a b OR c", "@strict:off (a AND b) OR c"],
            vec!["x (words:[5 TO *] OR words:<3)", "x words:(>4 OR <=2)"],
        ];
        for group in groups {
            let texts: BTreeSet<String> = group.iter().map(|text| rule_of(text).canonical_text()).collect();
            assert_eq!(texts.len(), 1, "{texts:#?}");
        }
    }

    #[test]
    fn a_query_longer_than_a_text_may_be_still_tells_its_pragmas() {
        let mut shared = Shared::default();
        let list: Vec<String> = (0..9_000).map(|nth| format!("brand{nth}")).collect();
        shared.lists.insert("l".to_owned(), list);
        shared.queries.insert("strict".to_owned(), "@fold:strict list(l)".to_owned());
        let canonical = |text: &str| Rule { tree: parse_with(text, &shared).unwrap(), ..rule_of("a") }.canonical_text();
        let plain = canonical("list(l)");
        assert!(plain.len() > 64 << 10 && !plain.contains("tree: "));
        assert!(canonical("use(strict)").starts_with(plain.lines().next().unwrap()));
        assert_ne!(canonical("use(strict)"), plain);
    }

    fn literal(keyword: &str) -> Node {
        parse(keyword).expect("a term").root
    }

    fn places(keyword: &str) -> Spans {
        match literal(keyword) {
            Node::Found(found) => found,
            other => panic!("{other:?}"),
        }
    }

    const KEYWORDS: [&str; 37] = [
        "forms(\"AND\", =OR, \"❤️ a\" b)",
        "morph(\"NOT\")",
        "fuzzy(=NEAR,1)",
        "*️⃣",
        "$A.B",
        "#ta*g",
        "@*bob",
        "a",
        "=or",
        "C++",
        "AT&T",
        "Yahoo!",
        "“b c”",
        "\"who, is it?\"",
        "{(x) OR}",
        "++\"{y}\"",
        "voda*",
        "東*",
        "#tag",
        "@alice.bsky",
        "👨‍👩‍👧",
        "1️⃣",
        "€",
        "or",
        "use",
        "Vodafone™",
        "l'or",
        "{ spaced }",
        "*fone",
        "vo?a*ne",
        "wo*rd",
        "$AAPL",
        "+\"l'oreal, (x)\"",
        "forms(a, b c)",
        "morph(mít)",
        "fuzzy(vodafone,2)",
        "near",
    ];

    fn found() -> impl Strategy<Value = Spans> {
        let keyword = proptest::sample::select(KEYWORDS.to_vec()).prop_map(places);
        let gap = prop_oneof![(0..2_u32).prop_map(Gap::Near), (0..2_u32).prop_map(Gap::Ordered)];
        let inner = keyword.prop_recursive(3, 12, 3, move |part| {
            let chain = (proptest::collection::vec(part.clone(), 2..4), proptest::collection::vec(gap.clone(), 3));
            prop_oneof![
                chain.prop_map(|(parts, gaps)| Spans::Chain { gaps: gaps[..parts.len() - 1].to_vec(), parts }),
                (part.clone(), part.clone(), gap.clone()).prop_map(|(of, from, gap)| Spans::Apart {
                    of: Box::new(of),
                    from: Box::new(from),
                    gap
                }),
                proptest::collection::vec(part, 2..4).prop_map(Spans::Any),
            ]
        });
        let window = proptest::collection::vec(proptest::sample::select(KEYWORDS.to_vec()), 2..5);
        let outer = inner.prop_map(|found| match found {
            Spans::Any(parts) => {
                Spans::Chain { parts: vec![Spans::Any(parts), places("b")], gaps: vec![Gap::Sentence] }
            }
            found => found,
        });
        prop_oneof![
            4 => outer,
            1 => (window, 0..101_u32).prop_map(|(parts, others_max)| {
                let keyword = |text: &str| match places(text) {
                    Spans::Keyword(keyword) => keyword,
                    other => panic!("{other:?}"),
                };
                Spans::Window { parts: parts.into_iter().map(keyword).collect(), others_max }
            }),
        ]
    }

    fn condition() -> impl Strategy<Value = Node> {
        let written = [
            "lang:cs",
            "source:bluesky",
            "source:\"bob b\"",
            "author:alice",
            "author:{c\"d}",
            "author:\"-x\"",
            "author:\"//y\"",
            "site:a.cz",
            "domain:a.co.uk",
            "tld:co.uk",
            "url:\"a.cz/x?y=1\"",
            "board:\"a b\"",
            "sourcetype:forum",
            "thread:t1_0AB",
            "parent_id:x",
            "is:reply",
            "is:own",
            "has:link",
            "has:image",
            "words:[5 TO 9]",
            "words:>4",
            "mentions:<=3",
            "hour:[22 TO 5]",
            "hour:7",
            "weekday:sun",
            "sample:0.5",
            "followers:[500 TO *]",
            "sentiment:negative",
            "country:cz",
            "verified:true",
            "likes:>=5",
            "parent_id:\"AND\"",
            "thread:SENTENCEs",
            "url:a,b",
            "author:\"x,\"",
            "likes:\"> 5\"",
            "reach:\"[1 TO \n9]\"",
            "sentiment:-0.5",
            "rating:[1.5 TO 3]",
            "sample:0.001",
            "hour:<9",
            "board:\"\u{301}x\"",
        ];
        proptest::sample::select(written.to_vec()).prop_map(|text| match literal(&format!("x {text}")) {
            Node::All(mut parts) => parts.remove(1),
            other => panic!("{other:?}"),
        })
    }

    fn of_texts() -> impl Strategy<Value = Node> {
        let counted = proptest::collection::vec(proptest::sample::select(KEYWORDS.to_vec()), 1..3);
        let times = prop_oneof![
            (0..9_u32).prop_map(|min| (min, None)),
            (0..9_u32).prop_map(|max| (0, Some(max))),
            (0..9_u32).prop_map(|times| (times, Some(times))),
        ];
        let count = (counted, times).prop_map(|(of, (min, max))| {
            let keyword = |text: &str| match places(text) {
                Spans::Keyword(keyword) => keyword,
                other => panic!("{other:?}"),
            };
            Node::Count { of: of.into_iter().map(keyword).collect(), min, max }
        });
        let leaf = prop_oneof![5 => found().prop_map(Node::Found), 1 => count];
        leaf.prop_recursive(3, 12, 3, joined)
    }

    fn joined(part: proptest::strategy::BoxedStrategy<Node>) -> impl Strategy<Value = Node> {
        prop_oneof![
            proptest::collection::vec(part.clone(), 2..4).prop_map(Node::All),
            proptest::collection::vec(part.clone(), 2..4).prop_map(Node::Any),
            part.clone().prop_map(|part| Node::Not(Box::new(part))),
            (proptest::collection::vec(part, 2..4), 0..3_u32).prop_map(|(parts, least)| Node::AtLeast(least, parts)),
        ]
    }

    fn tree() -> impl Strategy<Value = Node> {
        let leaf = prop_oneof![
            6 => found().prop_map(Node::Found),
            3 => condition(),
            2 => (proptest::sample::select(Scope::ALL.to_vec()), of_texts())
                .prop_map(|(scope, part)| Node::In(scope, Box::new(part))),
            1 => of_texts(),
        ];
        leaf.prop_recursive(5, 40, 4, joined)
    }

    const HEADS: [&str; 6] = [
        "",
        "@fold:strict ",
        "@fold:all @morph:names ",
        "@lang:tr,cs @morph:full ",
        "@morph:off ",
        "@tz:Europe/Prague @fold:strict ",
    ];

    proptest! {
        #[test]
        fn a_tree_that_is_written_parses_to_itself(root in tree()) {
            let anchored = Node::All(vec![literal("anchor"), root.clone()]);
            // By itself too, where it has an anchor of its own.
            for (root, strict) in [(anchored.clone(), false), (anchored, true), (root, false)] {
                let query = Query { pragmas: Pragmas { strict, ..Pragmas::default() }, root, lints: Vec::new() };
                let text = write(&query);
                match parse(&text) {
                    Ok(read) => prop_assert_eq!(Query { lints: Vec::new(), ..read }, query, "{}", text),
                    Err(errors) => prop_assert!(errors[0].code == "no_anchor", "{}: {:?}", text, errors),
                }
            }
        }

        #[test]
        fn a_query_is_written_with_its_pragmas(root in tree(), head in proptest::sample::select(HEADS.to_vec())) {
            let plain = Query { pragmas: Pragmas::default(), root: Node::All(vec![literal("anchor"), root]), lints: Vec::new() };
            let query = parse(&format!("{head}{}", write(&plain))).expect("what was written is read");
            let text = write(&query);
            let read = parse(&text).expect("what was written is read");
            prop_assert_eq!((&read.pragmas, &read.root), (&query.pragmas, &query.root), "{}", text);
            prop_assert!(is_read_under(&query.root, &query.pragmas), "{}", text);
        }
    }
}
