//! Verdicts written by hand for the whole language, read from `tests/data/verdicts`. Both evaluators are held to them,
//! and the parser to the errors and notes.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use earful::model::{Lang, Post, PostId, PostKind, SourceType, ThreadId, Timestamp, Verdict};
use earful::query::{Around, Rule, Said, naive, parse};
use serde_json::Value;

use super::verdicts::{compiled, post, rule};

const TOPICS: [&str; 10] =
    ["near", "sentence", "window", "counts", "wildcards", "literals", "scopes", "fields", "pragmas", "characters"];
const ROWS_MIN: usize = 800;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/verdicts")
}

/// The lines of a file that are rows, split at tabs.
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(folder().join(name)).unwrap();
    let rows = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
    rows.map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// A post as a row describes it, and what is known of its language.
fn described(text: &str) -> (Post, Verdict, [Option<String>; 3]) {
    let uncertain =
        Verdict { best: Some((Lang::Cs, 0.5)), second: Some(Lang::Sk), declared: [None; 3], certain: false };
    let Ok(Value::Object(keys)) = serde_json::from_str::<Value>(text) else {
        return (post(&text.replace("\\n", "\n").replace("\\t", "\t")), uncertain, [None, None, None]);
    };
    let said = |key: &str| keys.get(key).and_then(Value::as_str).map(str::to_owned);
    let list = |key: &str| {
        let values = keys.get(key).and_then(Value::as_array).into_iter().flatten();
        values.map(|value| value.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut post = Post { title: said("title"), ..post(&said("text").unwrap_or_default()) };
    let parent = || PostId::of("bluesky", "parent");
    for (key, value) in &keys {
        let value = value.as_str().unwrap_or_default().to_owned();
        match key.as_str() {
            "source" => post.network = Arc::from(value),
            "source_type" => post.source_type = SourceType::parse(&value).unwrap(),
            "author" => post.author.handle = Some(value),
            "author_id" => post.author.native_id = value,
            "author_name" => post.author.name = Some(value),
            "site" => post.site = Arc::from(value),
            "board" => post.board = Some(value),
            "url" => post.url = Some(value),
            "hashtags" => post.hashtags = list("hashtags"),
            "mentions" => post.mentions = list("mentions"),
            "links" => post.links = list("links"),
            "kind" => {
                post.kind = PostKind::parse(&value).unwrap();
                if matches!(post.kind, PostKind::Reply | PostKind::Comment) {
                    (post.thread.parent, post.thread.root) = (Some(parent()), Some(parent()));
                }
            }
            "thread" => post.thread.id = value.parse().unwrap_or(ThreadId::of("bluesky", &value)),
            "parent_id" => post.thread.parent = Some(value.parse().unwrap_or(PostId::of("bluesky", &value))),
            "edited" => post.edited_at = keys["edited"].as_bool().unwrap().then_some(Timestamp::EPOCH),
            "published_at" => post.published_at = Some(value.parse().unwrap()),
            _ => {}
        }
    }
    let certain =
        |lang: String| Verdict { best: Some((Lang::parse(&lang).unwrap(), 1.0)), certain: true, ..Verdict::default() };
    let excerpt = |key: &str| {
        let text = keys.get(key).and_then(|around| around.get("text")).and_then(Value::as_str);
        text.map(str::to_owned)
    };
    (post, said("lang").map_or(uncertain, certain), ["parent", "root", "quoted"].map(excerpt))
}

/// What is known of the posts around.
fn around<'a>(post: &Post, excerpts: &'a [Option<String>; 3]) -> Around<'a> {
    let of = Around::of(post);
    let said = |nth: usize, otherwise| excerpts[nth].as_deref().map_or(otherwise, Said::Text);
    Around { parent: said(0, of.parent), root: said(1, of.root), quoted: said(2, of.quoted) }
}

/// All rows of all topics on which `decide` and the hand disagree.
fn wrong(decide: impl Fn(&Rule, &Post, &Around, &dyn Fn() -> Verdict) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut count = 0;
    for topic in TOPICS {
        for row in rows(&format!("{topic}.tsv")) {
            let [query, text, expected] = <[String; 3]>::try_from(row).unwrap();
            count += 1;
            let is_unfilled = match parse(&query) {
                Ok(query) => query.lints.iter().any(|lint| lint.code == "unfilled_field"),
                Err(errors) => {
                    wrong.push(format!("{topic}: {query}: {:?}", errors[0]));
                    continue;
                }
            };
            let (post, verdict, excerpts) = described(&text);
            let around = around(&post, &excerpts);
            let found = decide(&rule(&query), &post, &around, &|| verdict);
            // What no source tells yet is unknown: it may hide a match, and never makes one.
            if found != (expected == "yes") && (found || !is_unfilled) {
                wrong.push(format!("{topic}: {query} · {text} · {expected}"));
            }
        }
    }
    assert!(count >= ROWS_MIN, "{count}");
    wrong
}

#[test]
fn the_naive_evaluator_decides_as_the_rows_say() {
    let wrong = wrong(|rule, post, around, verdict| naive::matches_among(rule, post, around, verdict).is_some());
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_compiled_matcher_decides_as_the_rows_say() {
    let wrong = wrong(|rule, post, around, verdict| compiled(rule, post, around, verdict).is_some());
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_parser_finds_the_mistakes_that_the_rows_name() {
    let mut codes = BTreeMap::new();
    let mut wrong = Vec::new();
    for row in rows("errors.tsv") {
        let [query, code, span] = <[String; 3]>::try_from(row).unwrap();
        let found = match parse(&query) {
            Ok(query) => query.lints,
            Err(errors) => errors,
        };
        let found = found.first().map_or(("ok".to_owned(), "-".to_owned()), |first| {
            (first.code.to_owned(), format!("{}..{}", first.span.start, first.span.end))
        });
        if found != (code.clone(), span.clone()) {
            wrong.push(format!("{query} · {code} {span} · found {} {}", found.0, found.1));
        }
        *codes.entry(code).or_insert(0) += 1;
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.len(), wrong.join("\n"));
    assert!(codes.len() >= 30, "{codes:?}");
}
