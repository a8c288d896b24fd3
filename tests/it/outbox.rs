//! The outbox over a real store: fairness, order, clocks, dead letters, replays, and totals that always add up.
//! Sinks are made here, so that each attempt ends as the test wants it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::{Future, pending};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use earful::clock;
use earful::matcher::{Matcher, Scratch};
use earful::model::{
    Attempt, AuthorStatus, Class, DeliveryId, Order, PostEvent, Rendered, ThreadId, Timestamp, Verdict, Wire,
};
use earful::normalize;
use earful::normalize::push::{PushScope, encode};
use earful::outbox::{EndpointPlan, Outbox, OutboxSettings, Sink};
use earful::pipeline::{Knowledge, Sighting, decide};
use earful::projects::{Live, ProjectText, Route, Routes, check_set};
use earful::store::{
    AccountRow, DeadReason, DeadRow, EndpointRow, NewDelivery, OutboxKey, OutboxRow, Store, StoreSettings, TurnCommit,
    WriterHandle, WriterThread, expire_orphans, start_writer,
};

/// How long a test waits for what has to happen.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long a test watches that nothing happens.
const QUIET: Duration = Duration::from_millis(400);
const STORE: StoreSettings = StoreSettings { block_cache_mb: 8, write_buffers_mb: 16 };

/// A store with its writer, and the workers of its endpoints.
struct Bed {
    stop: CancellationToken,
    workers: Vec<JoinHandle<()>>,
    outbox: Outbox,
    store: Store,
    writer: WriterHandle,
    thread: Thread,
    directory: TempDir,
}

/// The writer's thread. A test that ends does not wait for it: workers that still run hold handles to it.
struct Thread(Option<WriterThread>);

impl Drop for Thread {
    fn drop(&mut self) {
        std::mem::forget(self.0.take());
    }
}

impl Bed {
    fn open() -> Self {
        Self::open_in(tempfile::tempdir().unwrap(), 64)
    }

    fn open_in(directory: TempDir, in_flight_max: usize) -> Self {
        let store = Store::open(&directory.path().join("store"), &STORE).unwrap();
        let (writer, thread) = start_writer(store.clone()).unwrap();
        let stop = CancellationToken::new();
        let settings = OutboxSettings { in_flight_max, drain: Duration::from_millis(200) };
        let outbox = Outbox::new(store.clone(), writer.clone(), settings, stop.clone());
        Self { stop, workers: Vec::new(), outbox, store, writer, thread: Thread(Some(thread)), directory }
    }

    fn run(&mut self, plan: EndpointPlan, sink: &Fake) {
        self.workers.push(tokio::spawn(self.outbox.clone().run(plan, sink.clone())));
    }

    /// Stops the workers and the writer, and opens the store again.
    async fn reopen(self) -> Self {
        let Self { stop, workers, outbox, store, writer, mut thread, directory } = self;
        stop.cancel();
        for worker in workers {
            tokio::time::timeout(PATIENCE, worker).await.expect("a worker stops").unwrap();
        }
        drop((outbox, store, writer));
        let thread = thread.0.take();
        tokio::task::spawn_blocking(move || drop(thread)).await.unwrap();
        Self::open_in(directory, 64)
    }

    async fn enqueue(&self, deliveries: Vec<NewDelivery>) {
        self.writer.notify(deliveries).await.unwrap();
    }

    fn row(&self, endpoint: &str) -> EndpointRow {
        self.store.endpoint(endpoint).unwrap().unwrap_or_default()
    }

    fn pending(&self, endpoint: &str) -> Vec<OutboxRow> {
        self.store.outbox(endpoint, 0, 10_000).unwrap().into_iter().map(|(_, row)| row).collect()
    }

    fn dead(&self, endpoint: &str) -> Vec<(u64, DeadRow)> {
        self.store.dead(endpoint, 0, 10_000).unwrap()
    }

    fn dead_keys(&self, endpoint: &str) -> Vec<OutboxKey> {
        let key = |(position, _)| OutboxKey { endpoint: endpoint.to_owned(), position };
        self.dead(endpoint).into_iter().map(key).collect()
    }

    /// Created is delivered, dead, superseded and pending; each of them is what really lies in the store.
    fn adds_up(&self) {
        for (endpoint, row) in self.store.endpoints().unwrap() {
            let rows = self.pending(&endpoint);
            assert_eq!(
                row.created,
                row.delivered + row.dead + row.superseded + rows.len() as u64,
                "{endpoint}: {row:?}"
            );
            assert_eq!(row.dead, self.dead(&endpoint).len() as u64, "{endpoint}");
            assert_eq!(row.bytes_pending, rows.iter().map(|row| row.body.len() as u64).sum::<u64>(), "{endpoint}");
            assert_eq!(row.created, row.seq_next - 1, "{endpoint}: every delivery has a seq of its own, without gaps");
        }
    }

    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while !is_so(self) {
            let rows = || self.store.endpoints().unwrap().into_iter().take(3).collect::<Vec<_>>();
            assert!(Instant::now() < deadline, "not in time: {what}: {:?}", rows());
            look.tick().await;
        }
        self.adds_up();
    }

    async fn until_settled(&self, endpoint: &str) {
        self.until("everything is settled", |bed| bed.pending(endpoint).is_empty()).await;
    }
}

fn plan(slug: &str) -> EndpointPlan {
    EndpointPlan {
        slug: slug.to_owned(),
        address: 1,
        concurrency_max: 4,
        expiry: Duration::from_hours(72),
        quota_bytes: 1 << 30,
    }
}

fn delivery(endpoint: &str, n: u64, thread: Option<&str>) -> NewDelivery {
    NewDelivery {
        endpoint: endpoint.to_owned(),
        id: DeliveryId::of_notice(endpoint, "endpoint.test", &n.to_string()),
        event: "endpoint.test",
        mention: None,
        author: None,
        thread: thread.map(|thread| ThreadId::of("n", thread)),
        queries: Vec::new(),
        created_at: clock::now(),
        arrived_at: clock::now(),
        body: format!("{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(1000)).into_bytes(),
    }
}

/// Deliveries 1 to `count`, older than any expiry here but three days'.
fn old(endpoint: &str, count: u64) -> Vec<NewDelivery> {
    let created_at = clock::now().minus(Duration::from_hours(2));
    (1..=count).map(|n| NewDelivery { created_at, ..delivery(endpoint, n, None) }).collect()
}

fn hourly(slug: &str) -> EndpointPlan {
    EndpointPlan { expiry: Duration::from_hours(1), ..plan(slug) }
}

type Answer = Pin<Box<dyn Future<Output = Attempt> + Send>>;
type Behaviour = Arc<dyn Fn(Rendered, u64) -> Answer + Send + Sync>;

/// A sink that does as it is told, and keeps account.
#[derive(Clone)]
struct Fake {
    behaviour: Behaviour,
    account: Arc<Account>,
}

#[derive(Default)]
struct Account {
    attempts: AtomicU64,
    now: AtomicU32,
    peak: AtomicU32,
    seen: Mutex<Vec<(Rendered, Instant)>>,
    accepted: Mutex<BTreeSet<u64>>,
    changed: Notify,
}

impl Fake {
    fn new(behaviour: impl Fn(Rendered, u64) -> Answer + Send + Sync + 'static) -> Self {
        Self { behaviour: Arc::new(behaviour), account: Arc::default() }
    }

    /// Decides at once, by the delivery and the number of the attempt from 1.
    fn deciding(decide: impl Fn(&Rendered, u64) -> Attempt + Send + Sync + 'static) -> Self {
        Self::new(move |rendered, number| {
            let attempt = decide(&rendered, number);
            Box::pin(async move {
                tokio::task::yield_now().await;
                attempt
            })
        })
    }

    fn well() -> Self {
        Self::deciding(|_, _| Attempt::Delivered)
    }

    fn down() -> Self {
        Self::deciding(|_, _| unavailable(None))
    }

    fn hanging() -> Self {
        Self::new(|_, _| Box::pin(pending()))
    }

    fn attempts(&self) -> u64 {
        self.account.attempts.load(Ordering::SeqCst)
    }

    fn seen(&self) -> Vec<(Rendered, Instant)> {
        self.account.seen.lock().unwrap().clone()
    }

    fn seqs(&self) -> Vec<u64> {
        self.seen().iter().map(|(rendered, _)| rendered.seq).collect()
    }

    /// Waits until this many attempts have begun; fails if they do not.
    async fn until_attempts(&self, count: u64) {
        assert!(self.comes(count, PATIENCE).await, "{} attempts instead of {count}", self.attempts());
    }

    async fn comes(&self, count: u64, patience: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let changed = self.account.changed.notified();
            if self.attempts() >= count {
                return true;
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return self.attempts() >= count;
            }
        }
    }

    /// One id, one body and one seq, however often it comes.
    fn bodies_are_constant(&self) {
        let mut known = HashMap::new();
        for (rendered, _) in self.seen() {
            let first = known.entry(rendered.id).or_insert_with(|| (rendered.seq, rendered.body.clone()));
            assert_eq!(*first, (rendered.seq, rendered.body));
        }
    }
}

impl Sink for Fake {
    async fn deliver(&self, rendered: &Rendered) -> Attempt {
        let account = &self.account;
        account.peak.fetch_max(account.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        account.seen.lock().unwrap().push((rendered.clone(), Instant::now()));
        let number = account.attempts.fetch_add(1, Ordering::SeqCst) + 1;
        account.changed.notify_waiters();
        let attempt = (self.behaviour)(rendered.clone(), number).await;
        if attempt == Attempt::Delivered {
            account.accepted.lock().unwrap().insert(rendered.seq);
        }
        account.now.fetch_sub(1, Ordering::SeqCst);
        attempt
    }
}

fn unavailable(after: Option<Duration>) -> Attempt {
    Attempt::Retry { class: Class::Unavailable, after, cause: "status 503".to_owned() }
}

fn refused() -> Attempt {
    Attempt::Reject { cause: "status 400".to_owned() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hundred_endpoints_twenty_never_answer_and_the_others_get_everything() {
    const EACH: u64 = 25;
    let mut bed = Bed::open_in(tempfile::tempdir().unwrap(), 48);
    let name = |at: usize| format!("e{at:03}");
    for n in 1..=EACH {
        bed.enqueue((0..200).map(|at| delivery(&name(at), n, None)).collect()).await;
    }
    let sinks: Vec<Fake> = (0..200).map(|at| if at % 10 == 0 { Fake::hanging() } else { Fake::well() }).collect();
    for (at, sink) in sinks.iter().enumerate() {
        bed.run(plan(&name(at)), sink);
    }
    let well = || (0..200).filter(|at| at % 10 != 0);
    let all = |bed: &Bed| {
        let rows = bed.writer.endpoints();
        well().all(|at| rows[&name(at)].delivered == EACH)
    };
    bed.until("every delivery to the 180", all).await;
    for (at, sink) in sinks.iter().enumerate() {
        let peak = sink.account.peak.load(Ordering::SeqCst);
        assert!((1..=4).contains(&peak), "endpoint {at} had {peak} requests at once");
        sink.bodies_are_constant();
    }
    assert_eq!(bed.row("e000").pending(), EACH);
    assert_eq!(sinks[0].attempts(), 1, "an endpoint that has not answered yet is asked once at a time");
}

#[tokio::test]
async fn endpoints_that_hang_use_up_what_is_shared_and_the_others_still_have_one_request_each() {
    let mut bed = Bed::open_in(tempfile::tempdir().unwrap(), 1);
    let release = Arc::new(tokio::sync::Semaphore::new(0));
    let held = release.clone();
    let slow = Fake::new(move |_, number| {
        let held = held.clone();
        Box::pin(async move {
            // Two successes warm it up; then it hangs.
            if number > 2 {
                held.acquire().await.unwrap().forget();
            }
            Attempt::Delivered
        })
    });
    bed.enqueue((1..=6).map(|n| delivery("slow", n, None)).collect()).await;
    bed.run(plan("slow"), &slow);
    slow.until_attempts(3).await;
    let well = Fake::well();
    bed.enqueue((1..=20).map(|n| delivery("well", n, None)).collect()).await;
    bed.run(plan("well"), &well);
    bed.until_settled("well").await;
    assert_eq!(well.account.peak.load(Ordering::SeqCst), 1, "all that is shared is in use");
    assert_eq!(slow.attempts(), 3, "two that warmed it up, and one that hangs and holds what is shared");
    release.add_permits(4);
    bed.until_settled("slow").await;
}

#[tokio::test]
async fn deliveries_of_a_thread_keep_their_order_also_when_some_fail() {
    let mut bed = Bed::open();
    let threads = ["a", "b", "c", "d", "e"];
    let rows = (1..=60).map(|n| delivery("crm", n, Some(threads[(n * 7 % 5) as usize])));
    bed.enqueue(rows.collect()).await;
    let sink =
        Fake::deciding(|_, number| if matches!(number, 3 | 20 | 41) { unavailable(None) } else { Attempt::Delivered });
    bed.run(plan("crm"), &sink);
    bed.until_settled("crm").await;
    assert_eq!(sink.attempts(), 63);
    let mut last: HashMap<ThreadId, u64> = HashMap::new();
    for (rendered, _) in sink.seen() {
        let before = last.insert(rendered.thread.unwrap(), rendered.seq).unwrap_or(0);
        assert!(before <= rendered.seq, "{before} came before {}", rendered.seq);
    }
    assert_eq!(sink.account.accepted.lock().unwrap().iter().copied().collect::<Vec<_>>(), (1..=60).collect::<Vec<_>>());
    sink.bodies_are_constant();
}

#[tokio::test]
async fn no_attempt_comes_before_retry_after() {
    let mut bed = Bed::open();
    bed.enqueue(vec![delivery("crm", 1, None), delivery("crm", 2, None)]).await;
    let asked = Duration::from_millis(1500);
    let sink = Fake::deciding(move |_, number| if number == 1 { unavailable(Some(asked)) } else { Attempt::Delivered });
    bed.run(plan("crm"), &sink);
    bed.until_settled("crm").await;
    let times: Vec<Instant> = sink.seen().iter().map(|(_, at)| *at).collect();
    assert!(times[1].duration_since(times[0]) >= asked, "{:?}", times[1].duration_since(times[0]));
    assert_eq!(sink.seen()[1].0.attempt, 2);
}

#[tokio::test]
async fn an_endpoint_that_is_gone_stays_so_over_a_restart_until_its_address_changes() {
    let mut bed = Bed::open();
    bed.enqueue(vec![delivery("crm", 1, None)]).await;
    let gone = Fake::deciding(|_, _| Attempt::Gone);
    bed.run(plan("crm"), &gone);
    bed.until("the attempt is noted", |bed| bed.pending("crm")[0].attempts == 1).await;
    let mut bed = bed.reopen().await;
    let sink = Fake::well();
    bed.run(plan("crm"), &sink);
    bed.enqueue(vec![delivery("crm", 2, None)]).await;
    assert!(!sink.comes(1, QUIET).await, "nothing is sent to an endpoint that is gone");
    assert_eq!(bed.row("crm").pending(), 2);
    let mut bed = bed.reopen().await;
    bed.run(EndpointPlan { address: 2, ..plan("crm") }, &sink);
    bed.until_settled("crm").await;
    assert_eq!(sink.seqs(), [1, 2]);
}

#[tokio::test]
async fn a_message_that_is_refused_three_times_is_a_dead_letter_and_others_go_on() {
    let mut bed = Bed::open();
    bed.enqueue((1..=5).map(|n| delivery("crm", n, None)).collect()).await;
    let sink = Fake::deciding(|rendered, _| if rendered.seq == 2 { refused() } else { Attempt::Delivered });
    bed.run(plan("crm"), &sink);
    bed.until_settled("crm").await;
    let dead = bed.dead("crm");
    assert_eq!((dead.len(), dead[0].1.reason, dead[0].1.row.seq), (1, DeadReason::Refused, 2));
    assert_eq!(dead[0].1.row.last_attempt.as_ref().unwrap().cause, "status 400");
    let attempts: Vec<u32> =
        sink.seen().iter().filter(|(rendered, _)| rendered.seq == 2).map(|(rendered, _)| rendered.attempt).collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(bed.row("crm").delivered, 4);
}

#[tokio::test]
async fn what_is_too_old_is_a_dead_letter_and_is_never_sent() {
    let mut bed = Bed::open();
    // More than the outbox looks at together.
    bed.enqueue(old("crm", 1200)).await;
    bed.enqueue(vec![delivery("crm", 2000, None)]).await;
    let sink = Fake::well();
    bed.run(hourly("crm"), &sink);
    bed.until_settled("crm").await;
    assert_eq!(sink.seqs(), [1201]);
    assert_eq!(sink.seen()[0].0.settled, 1200);
    let dead = bed.dead("crm");
    assert_eq!(dead.len(), 1200);
    assert!(dead.iter().all(|(_, dead)| dead.reason == DeadReason::Expired && dead.row.attempts == 0));
}

#[tokio::test]
async fn beyond_the_quota_the_oldest_are_dead_letters_and_no_more_than_needed() {
    let mut bed = Bed::open();
    bed.enqueue((1..=50).map(|n| delivery("crm", n, None)).collect()).await;
    let bytes = bed.row("crm").bytes_pending / 50;
    let sink = Fake::deciding(|_, _| unavailable(Some(Duration::from_hours(1))));
    bed.run(EndpointPlan { quota_bytes: 10 * bytes + bytes / 2, ..plan("crm") }, &sink);
    bed.until("the quota is kept", |bed| bed.row("crm").bytes_pending <= 10 * bytes + bytes / 2).await;
    bed.enqueue((51..=53).map(|n| delivery("crm", n, None)).collect()).await;
    bed.until("the quota is kept again", |bed| bed.row("crm").created == 53 && bed.pending("crm").len() == 10).await;
    assert!(!sink.comes(2, QUIET).await);
    assert_eq!(bed.pending("crm").len(), 10);
    assert!(bed.dead("crm").iter().all(|(_, dead)| dead.reason == DeadReason::Quota));
    let waiting: Vec<u64> = bed.pending("crm").iter().map(|row| row.seq).collect();
    assert!(waiting[1..].iter().eq(&(45..=53).collect::<Vec<u64>>()[..]), "{waiting:?}");
}

#[tokio::test]
async fn a_replayed_dead_letter_keeps_id_and_seq_and_comes_behind() {
    let mut bed = Bed::open();
    bed.enqueue(old("crm", 3)).await;
    let nobody = Fake::well();
    bed.run(hourly("crm"), &nobody);
    bed.until_settled("crm").await;
    let mut bed = bed.reopen().await;
    let dead = bed.dead("crm");
    bed.enqueue((4..=6).map(|n| delivery("crm", n, None)).collect()).await;
    let keys = bed.dead_keys("crm")[1..].to_vec();
    assert_eq!(bed.writer.replay(&keys, clock::now()).await, Ok(2));
    assert_eq!(bed.writer.replay(&keys, clock::now()).await, Ok(0));
    bed.adds_up();
    assert_eq!((bed.row("crm").replayed, bed.row("crm").dead, bed.row("crm").pending()), (2, 1, 5));
    let sink = Fake::well();
    // The same plan that it expired under: what waits again has all its time again.
    bed.run(EndpointPlan { concurrency_max: 1, ..hourly("crm") }, &sink);
    bed.until_settled("crm").await;
    assert_eq!(sink.seqs(), [4, 5, 6, 2, 3]);
    let seen = sink.seen();
    let last = &seen[4].0;
    let (first, body) = (&dead[2].1.row, &dead[2].1.row.body);
    assert_eq!((last.id, &last.body[..], last.replay, last.attempt), (first.id, &body[..], true, 1));
    assert!(!seen[0].0.replay && seen[3].0.replay);
    assert_eq!(nobody.attempts(), 0);
}

#[tokio::test]
async fn a_dead_letter_that_is_asked_for_twice_at_once_waits_once() {
    let mut bed = Bed::open();
    bed.enqueue(old("crm", 40)).await;
    bed.run(hourly("crm"), &Fake::well());
    bed.until_settled("crm").await;
    let bed = bed.reopen().await;
    for key in bed.dead_keys("crm") {
        let (first, second) = {
            let (keys, now) = ([key], clock::now());
            tokio::join!(bed.writer.replay(&keys, now), bed.writer.replay(&keys, now))
        };
        assert_eq!(first.unwrap() + second.unwrap(), 1);
    }
    bed.adds_up();
    let seqs: BTreeSet<u64> = bed.pending("crm").iter().map(|row| row.seq).collect();
    assert_eq!((seqs.len(), bed.pending("crm").len()), (40, 40));
}

#[tokio::test]
async fn seqs_have_no_gaps_and_settled_says_no_more_than_is_settled() {
    let mut bed = Bed::open();
    bed.enqueue(old("crm", 7)).await;
    bed.enqueue((8..=200).map(|n| delivery("crm", n, None)).collect()).await;
    let sink = Fake::deciding(|rendered, number| match (rendered.seq, number) {
        (50, _) => refused(),
        (_, 30) => unavailable(None),
        _ => Attempt::Delivered,
    });
    let settled = Arc::new(Mutex::new(Vec::new()));
    let (told, accepted) = (settled.clone(), sink.account.clone());
    let inner = sink.behaviour.clone();
    let watching = Fake {
        account: sink.account.clone(),
        behaviour: Arc::new(move |rendered, number| {
            let accepted = accepted.accepted.lock().unwrap().clone();
            let open = (8..=rendered.settled).filter(|seq| !accepted.contains(seq)).collect::<Vec<_>>();
            told.lock().unwrap().push((rendered.seq, rendered.settled, open));
            inner(rendered, number)
        }),
    };
    bed.run(hourly("crm"), &watching);
    bed.until_settled("crm").await;
    let told = settled.lock().unwrap().clone();
    assert!(told.iter().all(|(_, _, open)| open.is_empty()), "{told:?}");
    assert!(told.iter().all(|(seq, settled, _)| settled < seq), "{told:?}");
    assert!(told.iter().any(|(_, settled, _)| *settled > 40));
    let seqs: BTreeSet<u64> = sink.seqs().into_iter().collect();
    assert_eq!(seqs, (8..=200).collect());
}

#[tokio::test]
async fn a_replay_never_calls_settled_what_came_in_meanwhile() {
    for _ in 0..8 {
        a_replay_meets_something_new().await;
    }
}

async fn a_replay_meets_something_new() {
    // Fewer than these, and the outbox reads on after every attempt.
    const DEAD: u64 = 300;
    let mut bed = Bed::open();
    bed.enqueue(old("crm", DEAD)).await;
    bed.run(hourly("crm"), &Fake::well());
    bed.until_settled("crm").await;
    let mut bed = bed.reopen().await;
    bed.writer.replay(&bed.dead_keys("crm"), clock::now()).await.unwrap();
    let (writer, wrong) = (bed.writer.clone(), Arc::new(Mutex::new(Vec::new())));
    let (noted, account) = (wrong.clone(), Arc::new(Account::default()));
    let accepted = account.clone();
    let behaviour = move |rendered: Rendered, number: u64| -> Answer {
        let accepted = accepted.accepted.lock().unwrap().clone();
        if (DEAD + 1..=rendered.settled).any(|seq| !accepted.contains(&seq)) {
            noted.lock().unwrap().push((rendered.seq, rendered.settled));
        }
        let writer = writer.clone();
        Box::pin(async move {
            // While this replay is under way, something new is committed.
            if number == 5 {
                writer.notify(vec![delivery("crm", 10_000 + number, None)]).await.unwrap();
            }
            Attempt::Delivered
        })
    };
    let sink = Fake { behaviour: Arc::new(behaviour), account };
    bed.run(EndpointPlan { concurrency_max: 1, ..plan("crm") }, &sink);
    bed.until_settled("crm").await;
    assert_eq!(*wrong.lock().unwrap(), []);
    // It holds a handle of the writer.
    drop(sink);
    drop(bed.reopen().await);
}

// --- Deletions ------------------------------------------------------------------------------------------------------

fn live() -> Live {
    let text = "query_language = 1\nendpoints = [\"crm\"]\n[query.q]\ntext = \"acme\"\n".to_owned();
    let routes = Routes { endpoints: ["crm".to_owned()].into(), sources: BTreeSet::new() };
    let set = check_set(Path::new("projects"), vec![ProjectText { slug: "p".to_owned(), text }], &routes).unwrap();
    let route = Route { endpoints: vec!["crm".to_owned()], time_zone: "UTC".to_owned() };
    Live { matcher: Matcher::compile(set.rules), routes: BTreeMap::from([("p".to_owned(), route)]) }
}

/// What the turn commits for one pushed line; `knowledge` goes along.
fn commit(knowledge: &mut Knowledge, line: &str, at: Timestamp) -> TurnCommit {
    let live = live();
    let scope = PushScope { token: "partner".to_owned(), networks: Vec::new() };
    let body = encode(&scope, [line.as_bytes()]);
    let events = normalize::events(body, Wire::Push, &"partner".into(), at).unwrap();
    let event = events.into_iter().next().unwrap().unwrap();
    let matches = match &event {
        PostEvent::Upsert { post, .. } => live.matcher.scan(post, &Verdict::default, &mut Scratch::default()),
        _ => Vec::new(),
    };
    let sighting = Sighting { source: "partner".into(), event, matches, verdict: Some(Verdict::default()) };
    let decided = decide(vec![sighting], knowledge, &live, at);
    for write in &decided.commit.mentions {
        knowledge.mentions.insert(write.id, write.row.clone());
    }
    decided.commit
}

async fn submit(bed: &Bed, commit: TurnCommit) {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let writer = bed.writer.clone();
    let ack = Box::new(move || sender.send(()).unwrap());
    tokio::task::spawn_blocking(move || writer.submit(Arc::new(commit), ack).unwrap()).await.unwrap();
    receiver.await.unwrap();
}

const CREATE: &str = r#"{"id":"1","text":"acme","revision":1}"#;
const DELETE: &str = r#"{"op":"delete","id":"1","revision":2}"#;

#[tokio::test]
async fn a_withdrawn_delivery_is_superseded_and_never_sent() {
    let mut bed = Bed::open();
    let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
    let failing = Fake::down();
    bed.enqueue(vec![delivery("crm", 1, None)]).await;
    bed.run(plan("crm"), &failing);
    failing.until_attempts(1).await;
    submit(&bed, commit(&mut knowledge, CREATE, clock::now())).await;
    submit(&bed, commit(&mut knowledge, DELETE, clock::now())).await;
    bed.adds_up();
    assert_eq!(bed.row("crm").superseded, 1);
    let mut bed = bed.reopen().await;
    let sink = Fake::well();
    bed.run(plan("crm"), &sink);
    bed.until_settled("crm").await;
    assert!(failing.seqs().iter().all(|seq| *seq != 2), "withdrawn text is not sent");
    assert_eq!(sink.seqs(), [1, 3]);
}

#[tokio::test]
async fn a_result_that_comes_after_the_deletion_settles_nothing_twice() {
    for result in [Attempt::Delivered, unavailable(None), refused()] {
        let mut bed = Bed::open();
        let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
        let release = Arc::new(Notify::new());
        let (held, answer) = (release.clone(), result.clone());
        let sink = Fake::new(move |_, number| {
            let (held, answer) = (held.clone(), answer.clone());
            Box::pin(async move {
                if number > 1 {
                    return Attempt::Delivered;
                }
                held.notified().await;
                answer
            })
        });
        bed.run(plan("crm"), &sink);
        submit(&bed, commit(&mut knowledge, CREATE, clock::now())).await;
        sink.until_attempts(1).await;
        submit(&bed, commit(&mut knowledge, DELETE, clock::now())).await;
        bed.adds_up();
        release.notify_one();
        bed.until_settled("crm").await;
        sink.until_attempts(2).await;
        let row = bed.row("crm");
        assert_eq!((row.created, row.delivered, row.superseded, row.dead), (2, 1, 1, 0), "{result:?}");
        assert_eq!(sink.seqs(), [1, 2]);
        assert!(sink.seen()[1].0.settled <= 1);
    }
}

#[tokio::test]
async fn a_dead_letter_of_a_deleted_post_is_erased_and_cannot_be_replayed() {
    let mut bed = Bed::open();
    let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
    let long_ago = clock::now().minus(Duration::from_hours(2));
    submit(&bed, commit(&mut knowledge, CREATE, long_ago)).await;
    bed.run(hourly("crm"), &Fake::well());
    bed.until_settled("crm").await;
    let mut bed = bed.reopen().await;
    let keys = bed.dead_keys("crm");
    assert_eq!(keys.len(), 1);
    submit(&bed, commit(&mut knowledge, DELETE, clock::now())).await;
    bed.adds_up();
    assert_eq!(bed.dead("crm"), []);
    assert_eq!(bed.writer.replay(&keys, clock::now()).await, Ok(0));
    let sink = Fake::well();
    bed.run(plan("crm"), &sink);
    bed.until_settled("crm").await;
    assert_eq!(sink.seqs(), [2]);
    let row = bed.row("crm");
    assert_eq!((row.created, row.delivered, row.superseded, row.dead), (2, 1, 1, 0));
}

#[tokio::test]
async fn a_replay_and_a_deletion_that_meet_leave_nothing_to_send() {
    for _ in 0..20 {
        let mut bed = Bed::open();
        let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
        submit(&bed, commit(&mut knowledge, CREATE, clock::now().minus(Duration::from_hours(2)))).await;
        bed.run(hourly("crm"), &Fake::well());
        bed.until_settled("crm").await;
        let bed = bed.reopen().await;
        let keys = bed.dead_keys("crm");
        let deletion = commit(&mut knowledge, DELETE, clock::now());
        let (replayed, ()) = tokio::join!(bed.writer.replay(&keys, clock::now()), submit(&bed, deletion));
        assert!(replayed.unwrap() <= 1);
        bed.adds_up();
        let events: Vec<String> = bed.pending("crm").into_iter().map(|row| row.event).collect();
        assert_eq!(events, ["mention.deleted"]);
        drop(bed.reopen().await);
    }
}

#[tokio::test]
async fn a_deletion_that_waits_is_told_also_if_the_post_came_back_and_went_again() {
    let mut bed = Bed::open();
    let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
    submit(&bed, commit(&mut knowledge, CREATE, clock::now())).await;
    bed.run(plan("crm"), &Fake::well());
    bed.until_settled("crm").await;
    let mut bed = bed.reopen().await;
    for line in
        [DELETE, r#"{"id":"1","text":"nothing that matches","revision":3}"#, r#"{"op":"delete","id":"1","revision":4}"#]
    {
        submit(&bed, commit(&mut knowledge, line, clock::now())).await;
    }
    let sink = Fake::well();
    bed.run(plan("crm"), &sink);
    bed.until_settled("crm").await;
    let last = sink.seen().pop().expect("the receiver holds a text and hears that it is gone");
    let body: serde_json::Value = serde_json::from_slice(&last.0.body).unwrap();
    assert_eq!(body["type"], "mention.deleted");
}

#[tokio::test]
async fn what_a_hidden_account_wrote_is_not_sent_while_it_is_hidden() {
    let mut bed = Bed::open();
    let mut knowledge = Knowledge { post_next: 1, ..Knowledge::default() };
    let made = commit(&mut knowledge, CREATE, clock::now());
    let author = made.mentions[0].row.post.author.id;
    let account = |status| {
        let row = AccountRow { status, order: Order(1), erasure: None };
        TurnCommit { accounts: vec![(author, row)], post_next: 2, ..TurnCommit::default() }
    };
    submit(&bed, made).await;
    submit(&bed, account(AuthorStatus::Hidden)).await;
    bed.enqueue(vec![delivery("crm", 1, None)]).await;
    let sink = Fake::well();
    bed.run(plan("crm"), &sink);
    bed.until("what others wrote is sent", |bed| bed.row("crm").delivered == 1).await;
    assert_eq!(sink.seqs(), [2]);
    submit(&bed, account(AuthorStatus::Active)).await;
    let mut bed = bed.reopen().await;
    let sink = Fake::well();
    bed.run(plan("crm"), &sink);
    bed.until_settled("crm").await;
    assert_eq!(sink.seqs(), [1]);
}

#[tokio::test]
async fn deliveries_to_an_endpoint_that_is_not_configured_any_more_expire() {
    let bed = Bed::open();
    bed.enqueue(old("gone", 3)).await;
    bed.enqueue(vec![delivery("gone", 4, None), delivery("kept", 1, None)]).await;
    let (store, writer) = (bed.store.clone(), bed.writer.clone());
    let now = clock::now();
    let expire = move || {
        let known = ["kept".to_owned()].into();
        expire_orphans(&store, &writer, &known, now.minus(Duration::from_hours(1)), now).unwrap()
    };
    assert_eq!(tokio::task::spawn_blocking(expire).await.unwrap(), 3);
    bed.writer.until_written().await.unwrap();
    bed.adds_up();
    assert_eq!((bed.row("gone").dead, bed.row("gone").pending(), bed.row("kept").pending()), (3, 1, 1));
}
