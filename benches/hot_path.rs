//! The way of a post through one process: parse, fold alone, index tokens, tell the language, match at 1 k, 10 k and 100 k
//! literals and queries, the whole turn on one thread and over the cores as the daemon runs it, a durable commit.
//!
//! Corpus: the shared data where they lie beside the project (`../shared/data`: posts in 27 languages of which about one
//! in a hundred holds a literal; multilingual names, phrases, hashtags and handles; boolean queries of them), else posts,
//! literals and queries made here by a fixed rule, with marks, phrases and CJK. Units: posts/s, and bytes/s of the body
//! or text that each step is given. Every expected count is asserted before anything is timed; those of the shared data
//! change with the meaning of the language.

#![allow(clippy::unwrap_used, reason = "a bench that cannot go on fails")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use earful::language;
use earful::matcher::{self, Matcher, Scratch};
use earful::model::{Post, PostEvent, Timestamp, Verdict, Wire};
use earful::normalize;
use earful::pipeline::{Knowledge, Sighting, decide};
use earful::projects::{Live, Route};
use earful::query::{self, Rule};
use earful::store::{Store, StoreSettings, start_writer};
use rayon::prelude::*;

const POSTS: usize = 20_000;
const BATCH: usize = 500;
/// What is compiled at once, of literals and of queries.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// Of the shared data: events that are posts to be kept, and posts that match, by size.
const SHARED_POSTS: usize = 19_406;
const SHARED_BY_LITERALS: [usize; 3] = [205, 212, 310];
const SHARED_BY_QUERIES: [usize; 3] = [365, 1_593, 10_008];
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

/// One in a hundred holds what one literal looks for.
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

/// The lines of a file of the shared data.
fn shared(name: &str, lines: usize) -> Option<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    let file = std::io::BufReader::new(zstd::Decoder::new(std::fs::File::open(path).ok()?).unwrap());
    Some(std::io::BufRead::lines(file).take(lines).map(Result::unwrap).collect())
}

/// What is matched, and how many posts must match at each size.
struct Corpus {
    bodies: Vec<Vec<u8>>,
    literals: Vec<String>,
    queries: Vec<String>,
    posts: usize,
    by_literals: [usize; 3],
    by_queries: [usize; 3],
}

impl Corpus {
    fn read() -> Self {
        let largest = SIZES[SIZES.len() - 1];
        let posts = shared("jetstream-27.ndjson.zst", POSTS);
        let literals = shared("literals-100k.txt.zst", largest);
        match (posts, literals, shared("queries-100k.txt.zst", largest)) {
            (Some(posts), Some(literals), Some(queries)) => Self {
                bodies: posts.into_iter().map(String::into_bytes).collect(),
                literals: literals.iter().map(|literal| quoted(literal)).collect(),
                queries,
                posts: SHARED_POSTS,
                by_literals: SHARED_BY_LITERALS,
                by_queries: SHARED_BY_QUERIES,
            },
            _ => Self::made(largest),
        }
    }

    /// The first literal and the first query match one post in a hundred, the others none.
    fn made(largest: usize) -> Self {
        let name = |number: usize| match number % 4 {
            0 => format!("žq{number:x}kov"),
            1 => format!("\"die {number:x}brand quelle\""),
            2 => format!("\"東京{number:x}社\""),
            _ => format!("#zq{number:x}"),
        };
        let literals = std::iter::once("quillbeck".to_owned()).chain((1..largest).map(name)).collect();
        let query = |number: usize| {
            let names: Vec<String> = (0..8).map(|part| name(number * 8 + part)).collect();
            let context = ["chaleur", "воды", "雨", "\"na lince\""][number % 4];
            format!("({}) AND (the OR {context} OR půl) NOT (library OR {context}x)", names.join(" OR "))
        };
        let queries = std::iter::once("quillbeck NOT zzz".to_owned()).chain((1..largest).map(query)).collect();
        let matching = [POSTS / 100; 3];
        let bodies = (0..POSTS).map(body).collect();
        Self { bodies, literals, queries, posts: POSTS, by_literals: matching, by_queries: matching }
    }

    fn posts(&self) -> Vec<Post> {
        let source: Arc<str> = "stream".into();
        let posts = self.bodies.iter().filter_map(|body| match parse(body.clone(), &source) {
            PostEvent::Upsert { post, .. } => Some(*post),
            _ => None,
        });
        posts.collect()
    }

    fn body_bytes(&self) -> Throughput {
        throughput(self.bodies.len(), self.bodies.iter().map(Vec::len).sum())
    }
}

/// A literal of the shared data as a query: hashtags and handles as they are, all else between quotation marks.
fn quoted(literal: &str) -> String {
    if literal.starts_with(['#', '@']) { literal.to_owned() } else { format!("\"{literal}\"") }
}

fn throughput(posts: usize, bytes: usize) -> Throughput {
    Throughput::ElementsAndBytes { elements: posts as u64, bytes: bytes as u64 }
}

fn text_bytes(posts: &[Post]) -> Throughput {
    throughput(posts.len(), posts.iter().map(|post| post.text.len()).sum())
}

fn rules(queries: &[String]) -> Vec<Rule> {
    let rule = |(number, text): (usize, &String)| {
        Some(Rule {
            project: "bench".to_owned(),
            query: format!("q{number}"),
            version: 1,
            tags: Vec::new(),
            languages: Vec::new(),
            sources: Vec::new(),
            tree: query::parse(text).ok()?,
        })
    };
    let rules: Vec<Rule> = queries.iter().enumerate().filter_map(rule).collect();
    assert!(rules.len() * 1_000 >= queries.len() * 999, "{} of {} queries parse", rules.len(), queries.len());
    rules
}

fn bench_parse(criterion: &mut Criterion) {
    let (corpus, source) = (Corpus::read(), Arc::from("stream"));
    assert_eq!(corpus.posts().len(), corpus.posts);
    let mut group = criterion.benchmark_group("parse");
    group.throughput(corpus.body_bytes()).bench_function("events", |bencher| {
        bencher.iter_batched(
            || corpus.bodies.clone(),
            |bodies| bodies.into_iter().for_each(|body| drop(black_box(parse(body, &source)))),
            BatchSize::LargeInput,
        );
    });
}

/// A matcher without rules folds every text and does nothing else.
fn bench_fold(criterion: &mut Criterion) {
    let posts = Corpus::read().posts();
    let matcher = Matcher::compile(Vec::new());
    let mut scratch = Scratch::default();
    let mut fold = || posts.iter().map(|post| matcher.scan(post, &Verdict::default, &mut scratch).len()).sum::<usize>();
    assert_eq!(fold(), 0);
    let mut group = criterion.benchmark_group("fold");
    group.throughput(text_bytes(&posts));
    group.bench_function("alone", |bencher| bencher.iter(|| black_box(fold())));
}

fn bench_tokens(criterion: &mut Criterion) {
    let posts = Corpus::read().posts();
    let count = |posts: &[Post]| {
        let mut tokens = 0_usize;
        posts.iter().for_each(|post| matcher::post_tokens(post, &mut |_| tokens += 1));
        tokens
    };
    assert!(count(&posts) > POSTS * 10);
    let mut group = criterion.benchmark_group("tokens");
    group.throughput(text_bytes(&posts));
    group.bench_function("fold and cut", |bencher| bencher.iter(|| black_box(count(&posts))));
}

/// The language of every post, and what whatlang takes for the same texts.
fn bench_language(criterion: &mut Criterion) {
    let posts = Corpus::read().posts();
    let certain = || posts.iter().filter(|post| language::detect(post.language_text(), &[]).certain).count();
    let named = || posts.iter().filter(|post| whatlang::detect(post.language_text()).is_some()).count();
    assert!(certain() * 10 >= posts.len() * 9 && named() * 10 >= posts.len() * 9, "{} of {}", certain(), posts.len());
    let mut group = criterion.benchmark_group("language");
    group.sample_size(20).throughput(text_bytes(&posts));
    group.bench_function("detect", |bencher| bencher.iter(|| black_box(certain())));
    group.bench_function("whatlang", |bencher| bencher.iter(|| black_box(named())));
}

fn bench_match(criterion: &mut Criterion) {
    let corpus = Corpus::read();
    let posts = corpus.posts();
    let mut group = criterion.benchmark_group("match");
    group.sample_size(20).throughput(text_bytes(&posts));
    let kinds = [("literals", &corpus.literals, corpus.by_literals), ("queries", &corpus.queries, corpus.by_queries)];
    for (kind, texts, expected) in kinds {
        for (size, expected) in SIZES.into_iter().zip(expected) {
            let matcher = Matcher::compile(rules(&texts[..size]));
            let mut scratch = Scratch::default();
            let mut scan = || {
                let matches = |post: &&Post| {
                    let detect = || language::detect(post.language_text(), &post.langs);
                    !matcher.scan(post, &detect, &mut scratch).is_empty()
                };
                posts.iter().filter(matches).count()
            };
            assert_eq!(scan(), expected, "{size} {kind}");
            group.bench_function(format!("{size} {kind}"), |bencher| bencher.iter(|| black_box(scan())));
        }
    }
}

fn live(queries: &[String]) -> Live {
    let route = Route { endpoints: vec!["care".to_owned()], time_zone: "UTC".to_owned() };
    Live { matcher: Matcher::compile(rules(queries)), routes: [("bench".to_owned(), route)].into() }
}

/// Parse, match, and the language of what matched, as the turn does it with each arrival.
fn sighting(body: &[u8], live: &Live, source: &Arc<str>, scratch: &mut Scratch) -> Sighting {
    let event = parse(body.to_vec(), source);
    let (mut matches, mut verdict) = (Vec::new(), None);
    if let PostEvent::Upsert { post, .. } = &event {
        let detect = || language::detect(post.language_text(), &post.langs);
        matches = live.matcher.scan(post, &detect, scratch);
        verdict = (!matches.is_empty()).then(detect);
    }
    Sighting { source: source.clone(), event, matches, verdict }
}

/// Decides and renders what a batch brought.
fn decided(sightings: Vec<Sighting>, live: &Live) -> earful::pipeline::Decided {
    let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
    decide(sightings, &mut knowledge, live, Timestamp::from_millis(1_800_000_000_000))
}

fn turn(bodies: &[Vec<u8>], live: &Live, source: &Arc<str>, scratch: &mut Scratch) -> earful::pipeline::Decided {
    decided(bodies.iter().map(|body| sighting(body, live, source, scratch)).collect(), live)
}

/// The same with the batch spread over the cores, as the daemon spreads it.
fn turn_over_cores(bodies: &[Vec<u8>], live: &Live, source: &Arc<str>) -> earful::pipeline::Decided {
    let sightings = bodies.par_iter().map_init(Scratch::default, |scratch, body| sighting(body, live, source, scratch));
    decided(sightings.collect(), live)
}

fn bench_turn(criterion: &mut Criterion) {
    let (corpus, source): (_, Arc<str>) = (Corpus::read(), "stream".into());
    let (live, expected) = (live(&corpus.literals), corpus.by_literals[SIZES.len() - 1]);
    let mut scratch = Scratch::default();
    let batches = || corpus.bodies.chunks(BATCH);
    let mut alone = || {
        let mentions = batches().map(|batch| turn(batch, &live, &source, &mut scratch).commit.mentions.len());
        mentions.sum::<usize>()
    };
    let spread = || batches().map(|batch| turn_over_cores(batch, &live, &source).commit.mentions.len()).sum::<usize>();
    assert_eq!((alone(), spread()), (expected, expected));
    let mut group = criterion.benchmark_group("turn");
    group.sample_size(20).throughput(corpus.body_bytes());
    group.bench_function("100000 literals, one thread", |bencher| bencher.iter(|| black_box(alone())));
    group.bench_function("100000 literals, all cores", |bencher| bencher.iter(|| black_box(spread())));
}

fn bench_commit(criterion: &mut Criterion) {
    let (corpus, source): (_, Arc<str>) = (Corpus::read(), "stream".into());
    let live = live(&corpus.queries[..10]);
    let mut scratch = Scratch::default();
    let directory = tempfile::tempdir().unwrap();
    let settings = StoreSettings { block_cache_mb: 32, write_buffers_mb: 128 };
    let store = Store::open(directory.path(), &settings).unwrap();
    let (writer, thread) = start_writer(store.clone()).unwrap();
    let mut commit = || {
        let (sender, receiver) = std::sync::mpsc::channel();
        for batch in corpus.bodies.chunks(BATCH) {
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
    group.sample_size(10).throughput(corpus.body_bytes());
    group.bench_function("turn and synced batches of 500", |bencher| bencher.iter(|| black_box(commit())));
    group.finish();
    drop((writer, store));
    drop(thread);
}

criterion_group!(benches, bench_parse, bench_fold, bench_tokens, bench_language, bench_match, bench_turn, bench_commit);
criterion_main!(benches);
