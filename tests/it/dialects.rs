//! Queries as other products write them, read from `tests/data/dialects`: what is imported decides as the product would,
//! by both evaluators, and what cannot be is refused.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use earful::model::{Lang, Post, PostId, PostKind, SourceType, ThreadId, Timestamp, Verdict};
use earful::query::{Around, Dialect, Imported, Pragmas, Query, QueryError, Rule, Said, import, naive, parse, write};
use serde_json::{Map, Value};

use super::verdicts::{compiled, post, rule};

/// Cases that each dialect has.
const COUNTS: [(Dialect, usize); 5] = [
    (Dialect::Brandwatch, 115),
    (Dialect::X, 109),
    (Dialect::Talkwalker, 78),
    (Dialect::Meltwater, 72),
    (Dialect::Lucene, 70),
];

/// What is wrong with a query for which nothing is to be written instead, by what its row calls it.
const CODES: [(&str, &str); 6] = [
    ("NOT alone", "no_anchor"),
    ("negation alone", "no_anchor"),
    ("conjunction-required alone", "no_anchor"),
    ("OR with a negation", "no_anchor"),
    ("short wildcard", "wildcard_too_short"),
    ("date range", "unknown_field"),
];

fn text_of(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    fs::read_to_string(folder.join(file)).unwrap()
}

/// The lines of a file that are rows, split at tabs.
fn rows<const COLUMNS: usize>(file: &str) -> Vec<[String; COLUMNS]> {
    let text = text_of(file);
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    let row = |line: &str| <[String; COLUMNS]>::try_from(line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    rows.map(|line| row(line).unwrap_or_else(|row| panic!("{row:?}"))).collect()
}

/// A post as a row describes it: a text, or an object in JSON.
fn described(text: &str) -> (Post, Verdict, Option<String>) {
    let uncertain =
        Verdict { best: Some((Lang::Cs, 0.5)), second: Some(Lang::Sk), declared: [None; 3], certain: false };
    let Ok(Value::Object(keys)) = serde_json::from_str::<Value>(text) else { return (post(text), uncertain, None) };
    let said = |key: &str| keys.get(key).and_then(Value::as_str).map(str::to_owned);
    let certain =
        |lang: String| Verdict { best: Some((Lang::parse(&lang).unwrap(), 1.0)), certain: true, ..Verdict::default() };
    let mut post = Post { title: said("title"), ..post(&said("text").unwrap_or_default()) };
    fill(&mut post, &keys);
    (post, said("lang").map_or(uncertain, certain), said("quoted"))
}

fn fill(post: &mut Post, keys: &Map<String, Value>) {
    let list = |value: &Value| value.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    let network = keys.get("source").and_then(Value::as_str).unwrap_or("x");
    post.network = Arc::from(network);
    for (key, value) in keys {
        let text = value.as_str().unwrap_or_default().to_owned();
        match key.as_str() {
            "sourcetype" => post.source_type = SourceType::parse(&text).unwrap(),
            "author" => post.author.handle = Some(text),
            "author_id" => post.author.native_id = text,
            "author_name" => post.author.name = Some(text),
            "site" => post.site = Arc::from(text),
            "board" => post.board = Some(text),
            "url" => post.url = Some(text),
            "hashtags" => post.hashtags = list(value),
            "mentions" => post.mentions = list(value),
            "links" => post.links = list(value),
            "kind" => post.kind = PostKind::parse(&text).unwrap(),
            "thread" => post.thread.id = ThreadId::of(network, &text),
            "parent_id" => post.thread.parent = Some(PostId::of(network, &text)),
            "created" => post.published_at = Some(text.parse::<Timestamp>().unwrap()),
            _ => {}
        }
    }
}

/// What both evaluators say of a post, which is the same.
fn decide(query: &Query, text: &str) -> Result<bool, String> {
    let (post, verdict, quoted) = described(text);
    let of = Around::of(&post);
    let around = Around { quoted: quoted.as_deref().map_or(of.quoted, Said::Text), ..of };
    let rule = Rule { tree: query.clone(), ..rule("a") };
    let naive = naive::matches_among(&rule, &post, &around, &|| verdict).is_some();
    let compiled = compiled(&rule, &post, &around, &|| verdict).is_some();
    if naive == compiled { Ok(naive) } else { Err(format!("naive {naive}, compiled {compiled}")) }
}

/// What a query asks, whatever it says of itself at its head.
fn asked(query: &Query) -> String {
    write(&Query { pragmas: Pragmas::default(), root: query.root.clone(), lints: Vec::new() })
}

fn is_same(imported: &Query, expected: &str) -> bool {
    let head = write(&Query { root: parse("a").unwrap().root, ..imported.clone() });
    let head = head.strip_suffix('a').unwrap();
    let pragma = |word: &&str| word.starts_with("@fold:") || word.starts_with("@tz:");
    let said: Vec<&str> = expected.split(' ').take_while(pragma).collect();
    let body: Vec<&str> = expected.split(' ').skip(said.len()).collect();
    let expected =
        parse(&format!("{head}{}", body.join(" "))).unwrap_or_else(|errors| panic!("{expected}: {errors:?}"));
    said.iter().all(|pragma| head.contains(pragma)) && asked(&expected) == asked(imported)
}

/// What is wrong with an import by its row.
fn wrong_with(imported: &Imported, [_, text, expected, report, translation, _]: &[String; 6]) -> Option<String> {
    let told = report.strip_prefix("changed:");
    let names = |label: &str| imported.remarks.iter().any(|remark| label.starts_with(&remark.operator));
    if told.map_or(!imported.remarks.is_empty(), |label| !names(label)) {
        return Some(format!("remarks: {:?}", imported.remarks));
    }
    let read = parse(&imported.text).map(|query| (query.pragmas, query.root));
    if read != Ok((imported.query.pragmas.clone(), imported.query.root.clone())) {
        return Some(format!("its text is another query: {}", imported.text));
    }
    if !is_same(&imported.query, translation) {
        return Some(format!("written {}", imported.text));
    }
    // A field that no source fills is unknown of every post.
    if imported.query.lints.iter().any(|lint| lint.code == "unfilled_field") {
        return None;
    }
    match decide(&imported.query, text) {
        Ok(found) => (found != (expected == "yes")).then(|| format!("found: {found} by {}", imported.text)),
        Err(evaluators) => Some(evaluators),
    }
}

/// Whether a refusal is for what its row names.
fn is_refused_for(label: &str, error: &QueryError) -> bool {
    match CODES.iter().find(|(named, _)| *named == label) {
        Some((_, code)) => error.code == *code,
        None => {
            let operator = error.message.split('`').nth(1).unwrap_or_default();
            error.code == "no_counterpart" && !operator.is_empty() && label.starts_with(operator)
        }
    }
}

#[test]
fn every_case_is_imported_or_refused_as_its_row_says() {
    let mut wrong = Vec::new();
    for (dialect, count) in COUNTS {
        let rows = rows::<6>(&format!("dialects/{}.tsv", dialect.name()));
        for row in &rows {
            let (query, report) = (&row[0], &row[3]);
            let is_wrong = match (import(query, dialect), report.strip_prefix("none:")) {
                (Ok(imported), None) => wrong_with(&imported, row),
                (Err(errors), Some(label)) if is_refused_for(label, &errors[0]) => None,
                (result, _) => Some(format!("{:?}", result.map(|imported| imported.text))),
            };
            wrong.extend(is_wrong.map(|why| format!("{} · {query} · {} · {report}: {why}", dialect.name(), row[1])));
        }
        if rows.len() != count {
            wrong.push(format!("{}: {} rows", dialect.name(), rows.len()));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_long_brandwatch_query_decides_as_its_rows_say() {
    let text = text_of("verdicts/brandwatch-long.txt");
    let imported = import(&text, Dialect::Brandwatch).unwrap();
    let pasted = parse(&format!("@dialect:brandwatch {text}")).unwrap();
    assert_eq!((&pasted.root, &pasted.pragmas), (&imported.query.root, &imported.query.pragmas));
    let rows = rows::<2>("verdicts/brandwatch-long.tsv");
    assert_eq!(rows.len(), 29);
    for [text, expected] in &rows {
        assert_eq!(decide(&imported.query, text), Ok(expected == "yes"), "{text}");
    }
}

#[test]
fn every_example_of_the_page_of_dialects_becomes_what_that_says() {
    let page = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/DIALECTS.md")).unwrap();
    let mut dialect = None;
    let (mut wrong, mut examples) = (Vec::new(), 0);
    for line in page.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            dialect = Dialect::named(&name.to_lowercase());
        }
        let Some(row) = line.strip_prefix("| `").and_then(|row| row.strip_suffix(" |")) else { continue };
        let [_, example, here] = row.split(" | ").collect::<Vec<_>>()[..] else { panic!("{line}") };
        examples += 1;
        let imported = import(example.trim_matches('`'), dialect.unwrap());
        let is_true = match (&imported, here.strip_prefix('`')) {
            (Ok(imported), Some(here)) => is_same(&imported.query, here.trim_end_matches('`')),
            (Ok(imported), None) => imported.remarks.iter().any(|remark| remark.code == "none"),
            (Err(_), here) => here.is_none(),
        };
        if !is_true {
            wrong.push(format!("{line}: {imported:?}"));
        }
    }
    assert!(wrong.is_empty() && examples > 150, "{examples} examples\n{}", wrong.join("\n"));
}
