//! Search equals the naive evaluator over all stored mentions: after edits, deletions and hidden accounts, after the
//! index was left behind, built anew, or taken over from another store.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use earful::model::{AuthorId, AuthorStatus, ClusterId, Lang, Match, Order, Post, PostId, Timestamp};
use earful::query::{Around, Inflect, Keyword, Literal, LiteralKind, Node, Pragmas, Query, Reading, Truth, naive};
use earful::search::{Indexer, IndexerParts, SearchRequest, search};
use earful::store::gate::{DiskGate, DiskSettings};
use earful::store::{
    AccountRow, MentionRow, MentionState, MentionWrite, Store, StoreSettings, TurnCommit, WriterHandle, WriterThread,
    start_writer,
};
use rayon::prelude::*;
use tokio_util::sync::CancellationToken;

use super::agreement::{Dice, literal, node, post, verdict};

const MENTIONS: usize = 420;
const QUERIES_PER_LOOK: usize = 340;
const QUERIES_MIN: usize = 2_000;
const WAIT_MAX: Duration = Duration::from_secs(20);
const LITERALS: usize = 160;
/// Of a word that is longer than any token that an index keeps.
const LONG_WORDS: usize = 110;
const LITERALS_PER_QUERY: usize = 5;
/// The first mention was matched then; each next one a minute later.
const START_MILLIS: i64 = 1_795_323_877_000;
const MINUTE_MILLIS: i64 = 60_000;

/// A store with its writer in a directory of its own.
struct Kept {
    store: Store,
    writer: WriterHandle,
    directory: tempfile::TempDir,
    _thread: WriterThread,
}

impl Kept {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let settings = StoreSettings { block_cache_mb: 8, write_buffers_mb: 16 };
        let store = Store::open(&directory.path().join("store"), &settings).unwrap();
        let (writer, thread) = start_writer(store.clone()).unwrap();
        Self { store, writer, directory, _thread: thread }
    }

    fn index(&self) -> PathBuf {
        Indexer::directory(self.directory.path())
    }

    /// Returns once it is durable.
    fn commit(&self, mentions: Vec<MentionWrite>, accounts: Vec<(AuthorId, AccountRow)>) {
        let (sender, receiver) = mpsc::channel();
        let commit = TurnCommit { mentions, accounts, ..TurnCommit::default() };
        self.writer.submit(Arc::new(commit), Box::new(move || sender.send(()).unwrap())).unwrap();
        receiver.recv().unwrap();
    }

    fn rows(&self) -> Vec<(PostId, MentionRow)> {
        let mut rows = Vec::new();
        self.store
            .each_mention(|id, row| {
                rows.push((id, row));
                true
            })
            .unwrap();
        rows
    }
}

/// An indexer at work.
struct Running {
    indexer: Indexer,
    thread: std::thread::JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    fn start(kept: &Kept, index: &Path) -> Self {
        Self::start_until(CancellationToken::new(), kept, index)
    }

    fn start_until(stop: CancellationToken, kept: &Kept, index: &Path) -> Self {
        let disk = DiskSettings { free_min_mb: 0, free_min_percent: 0, free_red_mb: 0, ballast_mb: 0 };
        let parts = IndexerParts {
            store: kept.store.clone(),
            writer: kept.writer.clone(),
            gate: Arc::new(DiskGate::new(disk, kept.directory.path())),
            settings: earful::index::IndexSettings { commit_interval_ms: 1, heap_mb: 15 },
            stop: stop.clone(),
        };
        let (indexer, thread) = Indexer::start(index, parts).unwrap();
        Self { indexer, thread, stop }
    }

    fn wait_until(&self, is_reached: impl Fn(&Indexer) -> bool) {
        let deadline = Instant::now() + WAIT_MAX;
        while !is_reached(&self.indexer) {
            assert!(Instant::now() < deadline && !self.thread.is_finished(), "the indexer did not get there");
            std::thread::yield_now();
        }
    }

    fn catch_up(&self, kept: &Kept) {
        self.wait_until(|indexer| indexer.log_seq() + 1 == kept.store.mention_log_next().unwrap());
    }

    /// Stops it. What was committed before is indexed.
    fn end(self) -> Indexer {
        self.stop.cancel();
        self.thread.join().unwrap();
        self.indexer
    }
}

/// Chance, and the literals that posts and queries are made of.
struct World {
    dice: Dice,
    literals: Vec<Literal>,
    queries: usize,
    found: usize,
}

impl World {
    fn new() -> Self {
        let mut dice = Dice(0x5ea7c4);
        let literals = (0..LITERALS).map(|_| literal(&mut dice)).collect();
        Self { dice, literals, queries: 0, found: 0 }
    }

    fn some(&mut self) -> Vec<Literal> {
        (0..LITERALS_PER_QUERY).map(|_| self.literals[self.dice.below(LITERALS)].clone()).collect()
    }

    /// The `number`th mention; of another version, with another text.
    fn mention(&mut self, number: usize, revision: u32) -> MentionWrite {
        let literals = self.some();
        let id = PostId::of("bluesky", &number.to_string());
        let mut post = Post { id, ..post(&mut self.dice, &literals) };
        post.author.id = AuthorId::of("bluesky", &(number % 37).to_string());
        match number {
            // Longer than any token that an index keeps.
            0 | 1 => post.text = format!("{}{number}", "dlouhéslovo".repeat(LONG_WORDS)),
            2 => post.text = String::new(),
            _ => {}
        }
        let project = self.dice.pick(&["telco", "tea"]);
        let query = self.dice.pick(&["main", "rival"]);
        let found = Match {
            project: project.to_owned(),
            query: query.to_owned(),
            version: 1,
            tags: Vec::new(),
            terms: Vec::new(),
        };
        // An edit may match nothing any more.
        let matches = if revision > 1 && self.dice.percent(20) { Vec::new() } else { vec![found] };
        let row = MentionRow {
            revision,
            log_seq: 0,
            state: MentionState::Live,
            verdict: verdict(&mut self.dice),
            matches,
            parent: None,
            root: None,
            cluster: ClusterId::of(&post.text),
            cluster_first: id,
            cluster_size: 1,
            matched_at: Timestamp::from_millis(START_MILLIS + number as i64 * MINUTE_MILLIS),
            edited: revision > 1,
            endpoints: Default::default(),
            post,
        };
        MentionWrite { id, row, deliveries: Vec::new(), withdraw: false }
    }

    fn deletion(&mut self, number: usize) -> MentionWrite {
        let mut gone = self.mention(number, 3);
        gone.row.state = MentionState::Deleted;
        gone.row.post = Post { title: None, text: String::new(), ..gone.row.post };
        gone
    }

    fn request(&mut self) -> SearchRequest {
        let literals = match self.dice.percent(2) {
            true => vec![long_word(&mut self.dice)],
            false => self.some(),
        };
        let mut root = node(&mut self.dice, &literals, 3);
        // Most searches are for something: a word, and more about it.
        if self.dice.percent(85) {
            root = Node::All(vec![Node::keyword(keyword_of(&literals[0])), root]);
        }
        let query = (!self.dice.percent(2)).then_some(Query { pragmas: Pragmas::default(), root, lints: Vec::new() });
        let time = |minute: usize| Timestamp::from_millis(START_MILLIS + minute as i64 * MINUTE_MILLIS);
        let dice = &mut self.dice;
        SearchRequest {
            query,
            project: dice.percent(10).then(|| dice.pick(&["telco", "tea", "none"]).to_owned()),
            saved_query: dice.percent(10).then(|| dice.pick(&["telco/main", "tea/rival", "main"]).to_owned()),
            lang: dice.percent(10).then(|| dice.pick(&[Lang::Cs, Lang::En, Lang::Ja])),
            since: dice.percent(10).then(|| time(dice.below(MENTIONS))),
            until: dice.percent(10).then(|| time(dice.below(MENTIONS))),
            limit: dice.pick(&[usize::MAX, usize::MAX, 1, 10]),
        }
    }

    /// Compares many searches with what the naive evaluator finds among all rows.
    fn look(&mut self, kept: &Kept, indexer: &Indexer) {
        let requests: Vec<_> = (0..QUERIES_PER_LOOK).map(|_| self.request()).collect();
        let oracle = Oracle::new(kept, &requests);
        let found: usize = requests.par_iter().map(|request| oracle.compare(kept, indexer, request)).sum();
        self.queries += requests.len();
        self.found += found;
    }
}

/// Every mention, and what the naive evaluator says of it for every leaf of every query: AND, OR and NOT over that is
/// what it says of the query, and takes a thousandth of the time.
struct Oracle {
    rows: Vec<(PostId, MentionRow)>,
    /// Whether a live mention of an account that is not hidden.
    shown: Vec<bool>,
    leaves: HashMap<String, Vec<Truth>>,
}

fn leaves<'n>(node: &'n Node, into: &mut HashMap<String, &'n Node>) {
    match node {
        Node::All(parts) | Node::Any(parts) => parts.iter().for_each(|part| leaves(part, into)),
        Node::Not(part) => leaves(part, into),
        leaf => drop(into.insert(format!("{leaf:?}"), leaf)),
    }
}

impl Oracle {
    fn new(kept: &Kept, requests: &[SearchRequest]) -> Self {
        let mut rows = kept.rows();
        rows.sort_by_key(|(_, row)| std::cmp::Reverse(row.matched_at));
        let is_shown = |row: &MentionRow| {
            let account = kept.store.accounts(&[row.post.author.id]).unwrap().pop().flatten();
            row.state == MentionState::Live && account.is_none_or(|account| account.status == AuthorStatus::Active)
        };
        let shown = rows.iter().map(|(_, row)| is_shown(row)).collect();
        let mut found = HashMap::new();
        requests.iter().flat_map(|request| &request.query).for_each(|query| leaves(&query.root, &mut found));
        let (names, nodes): (Vec<String>, Vec<&Node>) = found.into_iter().unzip();
        let of_row = |(_, row): &(PostId, MentionRow)| {
            naive::truths(nodes.iter().copied(), &row.post, &Around::of(&row.post), &|| row.verdict)
        };
        let of_rows: Vec<Vec<Truth>> = rows.par_iter().map(of_row).collect();
        let of_leaf = |nth: usize| of_rows.iter().map(|truths| truths[nth]).collect();
        let leaves = names.into_iter().enumerate().map(|(nth, name)| (name, of_leaf(nth))).collect();
        Self { rows, shown, leaves }
    }

    fn holds(&self, node: &Node, at: usize) -> Truth {
        match node {
            Node::All(parts) => Truth::all(parts.iter().map(|part| self.holds(part, at))),
            Node::Any(parts) => Truth::any(parts.iter().map(|part| self.holds(part, at))),
            Node::Not(part) => !self.holds(part, at),
            leaf => self.leaves[&format!("{leaf:?}")][at],
        }
    }

    fn meets(&self, request: &SearchRequest, at: usize) -> bool {
        let row = &self.rows[at].1;
        let named = |found: &Match| {
            let saved = format!("{}/{}", found.project, found.query);
            request.project.as_ref().is_none_or(|project| *project == found.project)
                && request.saved_query.as_ref().is_none_or(|query| *query == saved)
        };
        self.shown[at]
            && (row.matches.iter().any(named) || (request.project.is_none() && request.saved_query.is_none()))
            && request.lang.is_none_or(|lang| row.verdict.satisfies(lang))
            && request.since.is_none_or(|since| row.matched_at >= since)
            && request.until.is_none_or(|until| row.matched_at < until)
            && request.query.as_ref().is_none_or(|query| self.holds(&query.root, at).is_yes())
    }

    /// The ids in their order, newest first: none is lost, none is too many.
    fn compare(&self, kept: &Kept, indexer: &Indexer, request: &SearchRequest) -> usize {
        let expected = (0..self.rows.len()).filter(|at| self.meets(request, *at)).take(request.limit);
        let expected: Vec<PostId> = expected.map(|at| self.rows[at].0).collect();
        let found = search(&kept.store, indexer.index(), request).unwrap();
        let ids: Vec<PostId> = found.iter().map(|found| found.id).collect();
        let texts: Vec<_> = self.rows.iter().filter(|(id, _)| expected.contains(id) != ids.contains(id)).collect();
        assert!(ids == expected, "{request:#?}\nonly in one of both: {texts:#?}");
        ids.len()
    }
}

fn long_word(dice: &mut Dice) -> Literal {
    let text = format!("{}{}", "dlouhéslovo".repeat(LONG_WORDS), dice.below(3));
    let (kind, letters) =
        dice.pick(&[(LiteralKind::Word, 4_000), (LiteralKind::Prefix, 1_500), (LiteralKind::Prefix, 20)]);
    Literal { kind, text: text.chars().take(letters).collect(), reading: Reading::default() }
}

fn keyword_of(literal: &Literal) -> Keyword {
    Keyword { text: literal.text.clone(), literals: vec![literal.clone()], inflects: Inflect::Never, forms: Vec::new() }
}

fn account(number: usize, status: AuthorStatus) -> (AuthorId, AccountRow) {
    let row = AccountRow { status, order: Order(number as u64), erasure: None };
    (AuthorId::of("bluesky", &number.to_string()), row)
}

#[test]
fn search_finds_what_the_naive_evaluator_finds_among_all_mentions() {
    let started = Instant::now();
    let (mut world, kept) = (World::new(), Kept::new());
    let running = Running::start(&kept, &kept.index());
    for first in (0..MENTIONS).step_by(70) {
        kept.commit((first..first + 70).map(|number| world.mention(number, 1)).collect(), Vec::new());
    }
    running.catch_up(&kept);
    assert_eq!(running.indexer.index().documents(), MENTIONS as u64);
    world.look(&kept, &running.indexer);

    // Edits, deletions and accounts that are hidden, while it runs.
    let edits = (0..MENTIONS).filter(|number| number % 3 == 0).map(|number| world.mention(number, 2)).collect();
    kept.commit(edits, vec![account(5, AuthorStatus::Hidden), account(6, AuthorStatus::Hidden)]);
    let deleted = (0..MENTIONS).filter(|number| number % 7 == 1);
    kept.commit(deleted.clone().map(|number| world.deletion(number)).collect(), vec![account(6, AuthorStatus::Active)]);
    running.catch_up(&kept);
    let live = (MENTIONS - deleted.count()) as u64;
    assert_eq!(running.indexer.index().documents(), live);
    world.look(&kept, &running.indexer);

    // What is written while no indexer runs is caught up by its sequence, not by a rebuild.
    let before = running.end();
    kept.commit((3..60).filter(|number| number % 7 != 1).map(|number| world.mention(number, 4)).collect(), Vec::new());
    assert!(before.log_seq() + 1 < kept.store.mention_log_next().unwrap());
    let running = Running::start(&kept, &kept.index());
    running.catch_up(&kept);
    assert_eq!((running.indexer.rebuilds(), running.indexer.index().documents()), (0, live));
    world.look(&kept, &running.indexer);

    running.indexer.request_rebuild();
    running.wait_until(|indexer| indexer.rebuilds() == 1);
    assert_eq!(running.indexer.index().documents(), live);
    world.look(&kept, &running.indexer);
    running.end();

    take_over(&mut world, &kept.index());
    println!(
        "{} queries over {MENTIONS} mentions found {} in {:.1} s",
        world.queries,
        world.found,
        started.elapsed().as_secs_f64()
    );
    assert!(world.queries >= QUERIES_MIN && world.found > world.queries);
}

/// The index of another store is built anew by itself, and a damaged one too.
fn take_over(world: &mut World, index: &Path) {
    let other = Kept::new();
    let mentions: Vec<_> = (1_000..1_150).map(|number| world.mention(number, 1)).collect();
    other.commit(mentions, Vec::new());
    let running = Running::start(&other, index);
    running.catch_up(&other);
    assert_eq!((running.indexer.rebuilds(), running.indexer.index().documents()), (1, 150));
    world.look(&other, &running.indexer);
    running.end();

    std::fs::write(index.join("meta.json"), "{\"segments\":[").unwrap();
    let running = Running::start(&other, index);
    running.catch_up(&other);
    assert_eq!((running.indexer.rebuilds(), running.indexer.index().documents()), (1, 150));
    world.look(&other, &running.indexer);
    running.end();
}

#[test]
fn a_store_without_mentions_empties_the_index_of_another_store() {
    let (mut world, full, empty) = (World::new(), Kept::new(), Kept::new());
    full.commit((10..20).map(|number| world.mention(number, 1)).collect(), Vec::new());
    let running = Running::start(&full, &full.index());
    running.catch_up(&full);
    assert_eq!(running.end().index().documents(), 10);
    let running = Running::start(&empty, &full.index());
    running.wait_until(|indexer| indexer.rebuilds() == 1);
    assert_eq!(running.end().index().documents(), 0);
}

#[test]
fn a_rebuild_that_was_told_to_stop_is_made_again_and_not_taken_for_whole() {
    let (mut world, first, second) = (World::new(), Kept::new(), Kept::new());
    first.commit((10..20).map(|number| world.mention(number, 1)).collect(), Vec::new());
    second.commit((30..80).map(|number| world.mention(number, 1)).collect(), Vec::new());
    let running = Running::start(&first, &first.index());
    running.catch_up(&first);
    running.end();
    // Told to stop before it begins: it sees that after the first mention.
    let stop = CancellationToken::new();
    stop.cancel();
    Running::start_until(stop, &second, &first.index()).end();
    let running = Running::start(&second, &first.index());
    running.catch_up(&second);
    assert_eq!((running.indexer.rebuilds(), running.indexer.index().documents()), (1, 50));
    running.end();
}

#[test]
fn posts_and_queries_of_the_test_are_in_many_scripts() {
    let mut world = World::new();
    let texts: String = (0..MENTIONS).map(|number| world.mention(number, 1).row.post.text).collect();
    let samples = ['a', 'к', 'λ', 'ب', 'ש', '東', 'タ', 'ไ', '한', 'ខ', 'မ', 'ह', 'ລ'];
    let missing: HashSet<char> = samples.into_iter().filter(|letter| !texts.contains(*letter)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
