//! The way of a post through one process: parse, index tokens (which fold the text), match at 1 k, 10 k and 100 k
//! literals, the whole turn, a durable commit. Posts of about 140 characters in eight languages, one in a hundred
//! matching; made here, by a fixed rule. Units: posts/s, and bytes/s of the body or text that each step is given.
//! Every expected count is asserted before anything is timed. One thread, but for the commit's writer.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use earful::language;
use earful::matcher::{self, Matcher, Scratch};
use earful::model::{Lang, Post, PostEvent, Timestamp, Verdict, Wire};
use earful::normalize;
use earful::pipeline::{Knowledge, Sighting, decide};
use earful::projects::{Live, Route};
use earful::query::{self, Rule};
use earful::store::{Store, StoreSettings, start_writer};

const POSTS: usize = 5_000;
const MATCHING: usize = POSTS / 100;
const BATCH: usize = 500;
const TEXTS: [&str; 8] = [
    "the kettle is on and the rain has stopped for once, so I walked the long way home past the mill and counted eleven herons",
    "vlak měl zase půl hodiny zpoždění, ale průvodčí aspoň přinesl čaj a vyprávěl, jak v devadesátých letech jezdil na motorce",
    "wir haben gestern den ganzen Abend am Dachboden aufgeräumt und dabei die alten Briefe gefunden, jetzt liest sie meine Tante",
    "今日は朝から雨だったけど、午後には晴れて、駅前の喫茶店で友だちと二時間くらい話した。来週もまた行くつもり。",
    "сегодня с утра туман такой, что соседнего дома не видно, зато на рынке пусто и купили отличные яблоки почти даром",
    "el autobús no llegaba, así que fuimos andando y por el camino encontramos una librería pequeñita que no conocíamos",
    "η γιαγιά μου λέει ότι το ψωμί θέλει υπομονή και ζεστά χέρια, εγώ λέω ότι θέλει καλύτερο φούρνο από τον δικό μας",
    "ben bugün işe yürüyerek gittim, yol boyunca kedilerle konuştum ve hiçbiri bana toplantının kaçta olduğunu söylemedi",
];

/// A TID: thirteen letters that sort as numbers do.
fn tid(number: u64) -> String {
    const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    (0..13).rev().map(|digit| LETTERS[(((number << 10) >> (digit * 5)) & 31) as usize] as char).collect()
}

fn text(number: usize) -> String {
    let base = TEXTS[number % TEXTS.len()];
    if number % 100 == 99 { format!("Quillbeck again: {base} {number}") } else { format!("{base} {number}") }
}

fn body(number: usize) -> Vec<u8> {
    let time_us = 1_795_000_000_000_000 + number as u64 * 20;
    let (rev, text) = (tid(time_us), serde_json::Value::from(text(number)));
    format!(
        r#"{{"did":"did:plc:bench{:019}","time_us":{time_us},"kind":"commit","commit":{{"rev":"{rev}","operation":"create","collection":"app.bsky.feed.post","rkey":"{rev}","record":{{"$type":"app.bsky.feed.post","createdAt":"2026-11-20T09:00:00.000Z","langs":["en"],"text":{text}}},"cid":"bafyreibench"}}}}"#,
        number % 500
    )
    .into_bytes()
}

fn parse(body: Vec<u8>, source: &Arc<str>) -> PostEvent {
    let mut events =
        normalize::events(body, Wire::Jetstream, source, Timestamp::from_millis(1_800_000_000_000)).unwrap();
    events.pop().unwrap().unwrap()
}

fn posts(source: &Arc<str>) -> Vec<Post> {
    let posts = (0..POSTS).filter_map(|number| match parse(body(number), source) {
        PostEvent::Upsert { post, .. } => Some(*post),
        _ => None,
    });
    posts.collect()
}

/// One rule that matches, and as many other literals as asked for, a hundred to a rule.
fn rules(literals: usize) -> Vec<Rule> {
    let names: Vec<String> = (0..literals).map(|number| format!("zq{number:x}brand")).collect();
    let texts = std::iter::once("quillbeck".to_owned()).chain(names.chunks(100).map(|group| group.join(" OR ")));
    let rule = |(number, text): (usize, String)| Rule {
        project: "bench".to_owned(),
        query: format!("q{number}"),
        version: 1,
        tags: Vec::new(),
        languages: Vec::new(),
        sources: Vec::new(),
        tree: query::parse(&text).unwrap(),
    };
    texts.enumerate().map(rule).collect()
}

fn bench_parse(criterion: &mut Criterion) {
    let source: Arc<str> = "stream".into();
    let bodies: Vec<Vec<u8>> = (0..POSTS).map(body).collect();
    assert_eq!(posts(&source).len(), POSTS);
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    let mut group = criterion.benchmark_group("parse");
    for throughput in [Throughput::Elements(POSTS as u64), Throughput::Bytes(bytes as u64)] {
        let name = if matches!(throughput, Throughput::Bytes(_)) { "bytes" } else { "posts" };
        group.throughput(throughput).bench_function(name, |bencher| {
            bencher.iter_batched(
                || bodies.clone(),
                |bodies| bodies.into_iter().for_each(|body| drop(black_box(parse(body, &source)))),
                BatchSize::LargeInput,
            );
        });
    }
}

fn bench_tokens(criterion: &mut Criterion) {
    let source: Arc<str> = "stream".into();
    let posts = posts(&source);
    let count = |posts: &[Post]| {
        let mut tokens = 0_usize;
        posts.iter().for_each(|post| matcher::tokens(&post.text, &mut |_| tokens += 1));
        tokens
    };
    assert!(count(&posts) > POSTS * 10);
    let mut group = criterion.benchmark_group("tokens");
    group.throughput(Throughput::Bytes(posts.iter().map(|post| post.text.len() as u64).sum()));
    group.bench_function("fold and cut", |bencher| bencher.iter(|| black_box(count(&posts))));
}

fn bench_match(criterion: &mut Criterion) {
    let source: Arc<str> = "stream".into();
    let posts = posts(&source);
    let mut group = criterion.benchmark_group("match");
    group.throughput(Throughput::Elements(POSTS as u64));
    for literals in [1_000, 10_000, 100_000] {
        let matcher = Matcher::compile(rules(literals));
        let mut scratch = Scratch::default();
        let mut scan =
            || posts.iter().filter(|post| !matcher.scan(post, &Verdict::default, &mut scratch).is_empty()).count();
        assert_eq!(scan(), MATCHING);
        group.bench_function(format!("{literals} literals"), |bencher| bencher.iter(|| black_box(scan())));
    }
}

fn live(literals: usize) -> Live {
    let route = Route { endpoints: vec!["care".to_owned()], time_zone: "UTC".to_owned() };
    Live { matcher: Matcher::compile(rules(literals)), routes: [("bench".to_owned(), route)].into() }
}

/// Parse, match, language of what matched, decide and render, as the turn does it, on one thread.
fn turn(bodies: &[Vec<u8>], live: &Live, source: &Arc<str>, scratch: &mut Scratch) -> earful::pipeline::Decided {
    let sightings = bodies.iter().map(|body| {
        let event = parse(body.clone(), source);
        let (mut matches, mut verdict) = (Vec::new(), None);
        if let PostEvent::Upsert { post, .. } = &event {
            let detect = || language::detect(&post.text, &[Lang::En]);
            matches = live.matcher.scan(post, &detect, scratch);
            verdict = (!matches.is_empty()).then(detect);
        }
        Sighting { source: source.clone(), event, matches, verdict }
    });
    let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
    decide(sightings.collect(), &mut knowledge, live, Timestamp::from_millis(1_800_000_000_000))
}

fn bench_turn(criterion: &mut Criterion) {
    let source: Arc<str> = "stream".into();
    let bodies: Vec<Vec<u8>> = (0..POSTS).map(body).collect();
    let live = live(100_000);
    let mut scratch = Scratch::default();
    let mut all = || {
        bodies.chunks(BATCH).map(|batch| turn(batch, &live, &source, &mut scratch).commit.mentions.len()).sum::<usize>()
    };
    assert_eq!(all(), MATCHING);
    let mut group = criterion.benchmark_group("turn");
    group.throughput(Throughput::Elements(POSTS as u64));
    group.bench_function("100000 literals, one thread", |bencher| bencher.iter(|| black_box(all())));
}

fn bench_commit(criterion: &mut Criterion) {
    let source: Arc<str> = "stream".into();
    let bodies: Vec<Vec<u8>> = (0..POSTS).map(body).collect();
    let live = live(10);
    let mut scratch = Scratch::default();
    let directory = tempfile::tempdir().unwrap();
    let settings = StoreSettings { block_cache_mb: 32, write_buffers_mb: 128 };
    let store = Store::open(directory.path(), &settings).unwrap();
    let (writer, thread) = start_writer(store.clone()).unwrap();
    let mut commit = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        for batch in bodies.chunks(BATCH) {
            let decided = turn(batch, &live, &source, &mut scratch);
            let sender = sender.clone();
            writer.submit(Arc::new(decided.commit), Box::new(move || sender.send(BATCH).unwrap())).unwrap();
        }
        drop(sender);
        receiver.iter().sum::<usize>()
    };
    assert_eq!(commit(), POSTS);
    assert_eq!(store.posts(1, POSTS * 2).unwrap().len(), BATCH, "every batch here begins at the same seq");
    let mut group = criterion.benchmark_group("commit");
    group.sample_size(10).throughput(Throughput::Elements(POSTS as u64));
    group.bench_function("turn and synced batches of 500", |bencher| bencher.iter(|| black_box(commit())));
    group.finish();
    drop((writer, store));
    drop(thread);
}

criterion_group!(benches, bench_parse, bench_tokens, bench_match, bench_turn, bench_commit);
criterion_main!(benches);
