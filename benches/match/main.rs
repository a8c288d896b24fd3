//! The matcher, and its peers on the queries that all can express, in one run on the same threads.
//!
//! `cargo bench --bench match -- [--sizes 1000,10000] [--threads 2] [--hits 0.1,1,10,80] [--peers DIRECTORY] [--json FILE]
//! [--svg FILE]`. Of each size it prints the time to load, memory, literals of each query, and posts/s at each share of posts
//! in which something stands; then each engine on the plain queries. With `--count POSTS` it scans so many posts by the first
//! size, in one function that a tool may count the instructions of, and prints how many matched. Expected: every post in which a query's text was
//! planted is matched by it, and all engines count the same matches.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

mod dice;
mod made;
mod outside;
mod peers;
mod report;

use std::sync::Arc;
use std::time::Instant;

use earful::matcher::{Matcher, Scratch};
use earful::model::{
    Author, AuthorId, Connector, Post, PostId, PostKind, SourceType, Thread, ThreadId, Timestamp, Verdict,
};
use earful::query::{self, Home, Rule};
use rayon::prelude::*;

use dice::Dice;
use made::{Maker, Query};
use peers::{Engine, Seen, Terms};
use report::Row;

const SEED: u64 = 0x00ea_5f01;
/// More text than the last level of a cache holds.
const POSTS: usize = 100_000;
const ROUNDS: usize = 3;
/// The share of posts, of a thousand, in which something stands that a plain query looks for.
const PLAIN_HITS: usize = 10;

pub fn post(text: &str) -> Post {
    Post {
        id: PostId::of("bench", "1"),
        network: Arc::from("bench"),
        native_id: "1".to_owned(),
        source_type: SourceType::Social,
        site: Arc::from("example.org"),
        board: None,
        connector: Connector::Push,
        source: Arc::from("bench"),
        kind: PostKind::Post,
        url: None,
        author: Author {
            id: AuthorId::of("bench", "a"),
            native_id: "a".to_owned(),
            handle: None,
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
        thread: Thread { id: ThreadId::of("bench", "1"), root: None, parent: None },
        published_at: None,
        edited_at: None,
        fetched_at: Timestamp::EPOCH,
    }
}

fn rules(queries: &[Query]) -> Vec<Rule> {
    let rule = |(nth, query): (usize, &Query)| Rule {
        project: "bench".to_owned(),
        query: nth.to_string(),
        version: 1,
        tags: Vec::new(),
        languages: Vec::new(),
        sources: Vec::new(),
        tree: query::parse(&query.text)
            .unwrap_or_else(|error| panic!("{}: {error:?}", query.text))
            .at(&Home::default()),
    };
    queries.par_iter().enumerate().map(rule).collect()
}

/// Posts, and for each the query whose text was planted there.
struct Posts {
    posts: Vec<Post>,
    planted: Vec<Option<usize>>,
}

fn posts(maker: &mut Maker, queries: &[Query], hits_of_thousand: usize) -> Posts {
    let mut made = Posts { posts: Vec::new(), planted: Vec::new() };
    for _ in 0..POSTS {
        let is_planted = maker.dice.below(1000) < hits_of_thousand;
        let planted = is_planted.then(|| maker.dice.below(queries.len()));
        made.posts.push(post(&maker.post(planted.map(|at| &queries[at]))));
        made.planted.push(planted);
    }
    made
}

/// Seconds of the best round, and matches.
fn timed(posts: usize, threads: usize, count: impl Fn(std::ops::Range<usize>) -> usize + Sync) -> (f64, usize) {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let chunks: Vec<_> = (0..threads).map(|nth| posts * nth / threads..posts * (nth + 1) / threads).collect();
    let mut best = (f64::MAX, 0);
    for _ in 0..ROUNDS {
        let at = Instant::now();
        let matches = pool.install(|| chunks.par_iter().map(|chunk| count(chunk.clone())).sum());
        best = (best.0.min(at.elapsed().as_secs_f64()), matches);
    }
    best
}

fn verdict() -> Verdict {
    Verdict { best: None, second: None, declared: [None; 3], certain: false }
}

fn count(matcher: &Matcher, posts: &[Post], range: std::ops::Range<usize>) -> usize {
    let mut scratch = Scratch::default();
    posts[range].iter().map(|post| matcher.scan(post, &verdict, &mut scratch).len()).sum()
}

/// Each planted query matches its post.
fn assert_planted(matcher: &Matcher, made: &Posts) {
    let mut scratch = Scratch::default();
    for (post, planted) in made.posts.iter().zip(&made.planted) {
        let Some(planted) = planted else { continue };
        let found = matcher.scan(post, &verdict, &mut scratch);
        let is_found = found.iter().any(|found| found.query == planted.to_string());
        assert!(is_found, "query {planted} in {}", post.text);
    }
}

fn memory_mb() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)).and_then(|kb| kb.parse::<usize>().ok()).unwrap_or(0) / 1024
}

/// The whole language at one size.
fn whole(size: usize, options: &Options, rows: &mut Vec<Row>) {
    let languages = made::languages();
    let mut maker = Maker { languages: &languages, dice: Dice(SEED), names: names(size), is_plain: false };
    let queries: Vec<Query> = (0..size).map(|_| maker.query()).collect();
    let at = Instant::now();
    let matcher = Matcher::compile(rules(&queries));
    let (loaded, literals) = (at.elapsed().as_secs_f64(), matcher.figures().literals);
    println!(
        "{size} queries of the whole language: loaded in {loaded:.1} s, {} MB in memory, {:.1} literals for each query",
        memory_mb(),
        literals as f64 / size as f64
    );
    for &hits in &options.hits {
        maker.dice = Dice(SEED ^ hits as u64);
        let made = posts(&mut maker, &queries, hits);
        assert_planted(&matcher, &made);
        let (seconds, matches) = timed(POSTS, options.threads, |range| count(&matcher, &made.posts, range));
        let row = Row {
            engine: "earful, whole language".to_owned(),
            queries: size,
            threads: options.threads,
            hits_of_thousand: hits,
            posts_per_s: POSTS as f64 / seconds,
            matches,
        };
        println!("  {row}");
        rows.push(row);
    }
}

fn names(size: usize) -> usize {
    (size * 5).max(5_000)
}

/// All engines on plain queries.
fn plain(size: usize, options: &Options, rows: &mut Vec<Row>) {
    let languages = made::spaced_languages();
    let mut maker = Maker { languages: &languages, dice: Dice(SEED), names: names(size), is_plain: true };
    let queries: Vec<Query> = (0..size).map(|_| maker.query()).collect();
    let made = posts(&mut maker, &queries, PLAIN_HITS);
    let terms = Terms::of(&queries);
    println!("{size} plain queries of {} terms", terms.texts.len());
    let mut tell = |engine: &str, (seconds, matches): (f64, usize)| {
        let row = Row {
            engine: engine.to_owned(),
            queries: size,
            threads: options.threads,
            hits_of_thousand: PLAIN_HITS,
            posts_per_s: POSTS as f64 / seconds,
            matches,
        };
        println!("  {row}");
        rows.push(row);
        matches
    };
    let matcher = Matcher::compile(rules(&queries));
    let expected = tell("earful", timed(POSTS, options.threads, |range| count(&matcher, &made.posts, range)));
    drop(matcher);
    let engine = peers::aho_corasick(&terms);
    assert_eq!(tell("aho-corasick", run(&engine, &terms, &made, options.threads)), expected);
    drop(engine);
    let engine = peers::daachorse(&terms);
    assert_eq!(tell("daachorse", run(&engine, &terms, &made, options.threads)), expected);
    drop(engine);
    if let Some(directory) = &options.peers {
        outside::write(&terms, &queries, &made.posts);
        for outcome in outside::run(directory, size, options.threads) {
            match outcome {
                Ok((engine, seconds, matches)) => assert_eq!(tell(&engine, (seconds, matches)), expected),
                Err(why) => println!("  {why}"),
            }
        }
    }
}

fn run(engine: &impl Engine, terms: &Terms, made: &Posts, threads: usize) -> (f64, usize) {
    timed(POSTS, threads, |range| {
        let mut seen = Seen::of(terms);
        made.posts[range].iter().map(|post| engine.matches(terms, &post.text, &mut seen)).sum()
    })
}

/// What `benches/count.py` counts.
#[inline(never)]
fn counted_scan(matcher: &Matcher, posts: &[Post], scratch: &mut Scratch) -> usize {
    posts.iter().map(|post| matcher.scan(post, &verdict, scratch).len()).sum()
}

fn counted(size: usize, count: usize) {
    let languages = made::languages();
    let mut maker = Maker { languages: &languages, dice: Dice(SEED), names: names(size), is_plain: false };
    let queries: Vec<Query> = (0..size).map(|_| maker.query()).collect();
    let matcher = Matcher::compile_for_measurement(rules(&queries));
    let posts: Vec<Post> = (0..count).map(|nth| post(&maker.post((nth % 100 == 0).then(|| &queries[nth])))).collect();
    let mut scratch = Scratch::default();
    // Tables are filled as they are first asked for: not while it is counted.
    let warm: usize = posts.iter().map(|post| matcher.scan(post, &verdict, &mut scratch).len()).sum();
    let matches = counted_scan(&matcher, &posts, &mut scratch);
    assert_eq!(warm, matches);
    println!("{matches} matches in {count} posts");
}

pub struct Options {
    count: Option<usize>,
    sizes: Vec<usize>,
    /// Of a thousand posts.
    hits: Vec<usize>,
    pub threads: usize,
    peers: Option<String>,
    json: Option<String>,
    svg: Option<String>,
}

impl Options {
    fn read() -> Self {
        let mut options = Self {
            count: None,
            sizes: vec![1_000, 10_000, 100_000],
            hits: vec![1, 10, 100, 800],
            threads: 2,
            peers: None,
            json: None,
            svg: None,
        };
        let mut given = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(name) = given.next() {
            let value = given.next().unwrap_or_else(|| panic!("{name} needs a value"));
            match name.as_str() {
                "--sizes" => options.sizes = value.split(',').map(|size| size.parse().unwrap()).collect(),
                "--hits" => {
                    let of_thousand = |percent: &str| (percent.parse::<f64>().unwrap() * 10.0) as usize;
                    options.hits = value.split(',').map(of_thousand).collect();
                }
                "--threads" => options.threads = value.parse().unwrap(),
                "--count" => options.count = Some(value.parse().unwrap()),
                "--peers" => options.peers = Some(value),
                "--json" => options.json = Some(value),
                "--svg" => options.svg = Some(value),
                other => panic!("unknown option {other}: see the head of benches/match/main.rs"),
            }
        }
        options
    }
}

fn main() {
    let options = Options::read();
    if let Some(count) = options.count {
        return counted(options.sizes[0], count);
    }
    let mut rows = Vec::new();
    for &size in &options.sizes {
        whole(size, &options, &mut rows);
    }
    for &size in options.sizes.iter().filter(|&&size| size <= 100_000) {
        plain(size, &options, &mut rows);
    }
    if let Some(file) = &options.json {
        report::write_json(file, &rows);
    }
    if let Some(file) = &options.svg {
        report::write_svg(file, &rows);
    }
}
