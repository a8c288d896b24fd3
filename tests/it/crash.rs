//! The shipped binary dies by SIGKILL, at random and at every named point, between a live stream and two receivers;
//! a ledger made of the stream's events alone says what must have come of them.
//! `EARFUL_KILLS` and `EARFUL_POSTS` raise the numbers of the random test; `EARFUL_SEED` draws other moments.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant, SystemTime};

use futures_util::StreamExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use earful::crash::{CRASH_POINT_ENV, Point};
use earful::rig::daemon::Daemon;
use earful::rig::receiver::{Behaviour, Receiver, Reply};

use super::support::{Ledger, PATIENCE, Rig, SOURCE, Story, WORD};

const SIGKILL: i32 = 9;
/// How much of the stream one life of the daemon sees.
const LIFE: Duration = Duration::from_millis(1_100);
const POINT_POSTS: usize = 3_000;
const POINT_LENGTH: Duration = Duration::from_millis(2_500);
/// Daemons that are driven to a named point at the same time.
const POINTS_AT_ONCE: usize = 3;
const RETENTION: &str = "[retention]\nperiod_s = 1\nposts_bytes_max_mb = 1\n";

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// Now and then a request fails: often enough to be in the way of kills, rarely enough that the endpoint's clock
/// does not put it off for minutes.
fn misbehaviour() -> Behaviour {
    Box::new(|number, _| match number {
        number if number.is_multiple_of(1_009) => Reply::RetryAfter(503, 1),
        number if number.is_multiple_of(709) => Reply::Hang,
        number if number.is_multiple_of(503) => Reply::Cut,
        number if number.is_multiple_of(307) => Reply::Status(500),
        number if number.is_multiple_of(211) => Reply::Status(400),
        _ => Reply::Ok,
    })
}

/// When the next kill falls.
enum Moment {
    /// After so many more events at the receiver that is well.
    Sights(u64),
    /// After so many more requests at the one that is not.
    Requests(u64),
    /// As soon as the stream has a connection again.
    Connected,
    /// While the store is being opened.
    Opening,
}

impl Moment {
    fn draw(rng: &mut StdRng, sights_mean: u64) -> Self {
        match rng.random_range(0..10) {
            0..6 => Self::Sights(rng.random_range(1..2 * sights_mean)),
            6..8 => Self::Requests(rng.random_range(1..sights_mean)),
            8 => Self::Connected,
            _ => Self::Opening,
        }
    }
}

fn sights(receiver: &Receiver) -> u64 {
    receiver.stats().by_type.values().sum()
}

/// Starts a daemon and kills it at a moment. Returns whether the signal was what ended it.
async fn live_and_die(rig: &Rig, moment: &Moment, wire: &str) -> bool {
    let modified =
        || std::fs::metadata(rig.store()).and_then(|store| store.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let (connections, opened) = (rig.stream.stats().connections, modified());
    let launch = rig.launch(&[("EARFUL_SOURCE__STREAM__WIRE", wire)]);
    let mut daemon = Daemon::start_unready(launch).unwrap();
    // A daemon that has never come to a durable cursor begins where the stream is; that is no loss of its own.
    rig.until("the first mention", || sights(&rig.steady) > 0 || matches!(moment, Moment::Opening)).await;
    let (seen, requests) = (sights(&rig.steady), rig.flaky.stats().requests);
    match *moment {
        Moment::Sights(more) => rig.until("mentions", || sights(&rig.steady) >= seen + more).await,
        Moment::Requests(more) => rig.until("requests", || rig.flaky.stats().requests >= requests + more).await,
        Moment::Connected => rig.until("a connection", || rig.stream.stats().connections > connections).await,
        Moment::Opening => rig.until("the store's opening", || modified() > opened).await,
    }
    daemon.kill();
    daemon.ended().is_some_and(|status| status.signal() == Some(SIGKILL))
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// Whether every event has come in, is indexed and delivered.
fn is_settled(status: &Value, ledger: &Ledger) -> bool {
    let totals = &status["sources"][SOURCE]["totals"];
    let endpoints = ["steady", "flaky"].map(|name| &status["endpoints"][name]);
    count(&totals["posts_created"]) >= ledger.created
        && count(&totals["posts_edited"]) >= ledger.edited
        && count(&totals["posts_deleted"]) >= ledger.deleted
        && endpoints.iter().all(|endpoint| count(&endpoint["created"]) > 0 && count(&endpoint["pending"]) == 0)
        && count(&status["index_lag_rows"]) == 0
}

/// Lets a daemon bring everything to its end, and compares what came of it with the ledger.
async fn settle(rig: &Rig, ledger: &Ledger) -> Figures {
    let daemon = Daemon::start(rig.launch(&[])).await.unwrap_or_else(|cause| rig.fail(&cause));
    rig.until("the stream's end", || rig.stream.finished()).await;
    let status = daemon.wait_until(PATIENCE, |status| is_settled(status, ledger)).await;
    let status = status.unwrap_or_else(|cause| rig.fail(&cause));
    let mut figures = Figures::default();
    let totals = &status["sources"][SOURCE]["totals"];
    for (name, expected) in
        [("posts_created", ledger.created), ("posts_edited", ledger.edited), ("posts_deleted", ledger.deleted)]
    {
        figures.expect(count(&totals[name]) == expected, || format!("{name}: {} of {expected}", totals[name]));
    }
    for (name, receiver) in rig.receivers() {
        figures.compare(name, receiver, &status["endpoints"][name], ledger);
    }
    for (lot, expected) in ledger.live_mentions() {
        let path = format!("/v1/mentions?limit=1000&query={WORD}%20{lot}");
        let found = daemon.get(&path).await.unwrap_or_default();
        let found: BTreeSet<String> = found["mentions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|mention| mention["id"].as_str().unwrap().to_owned())
            .collect();
        figures.found += found.len();
        figures.expect(found == expected, || {
            let differ: Vec<_> = found.symmetric_difference(&expected).collect();
            format!("search for {lot} differs in {differ:?}")
        });
    }
    daemon.stop().await.unwrap_or_else(|cause| rig.fail(&cause));
    figures
}

/// What is printed, and what does not add up.
#[derive(Default)]
struct Figures {
    created: u64,
    delivered: u64,
    superseded: u64,
    dead: u64,
    requests: u64,
    repeated: u64,
    seen: usize,
    found: usize,
    lost: usize,
    spurious: usize,
    two_ids: usize,
    disordered: usize,
    wrong: Vec<String>,
}

impl Figures {
    fn expect(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wrong.push(what());
        }
    }

    /// One receiver's account against the ledger and against the daemon's own totals.
    fn compare(&mut self, name: &str, receiver: &Receiver, endpoint: &Value, ledger: &Ledger) {
        let [created, delivered, superseded, dead, pending] =
            ["created", "delivered", "superseded", "dead", "pending"].map(|key| count(&endpoint[key]));
        let (stats, events) = (receiver.stats(), receiver.events());
        let verdict = ledger.judge(&events);
        let seqs: BTreeSet<u64> = events.iter().map(|event| event.seq).collect();
        let epochs: BTreeSet<&str> = events.iter().map(|event| event.epoch.as_str()).collect();
        let never_seen = created - seqs.len() as u64;
        let checks = [
            ("created = delivered + dead + superseded + pending", created == delivered + dead + superseded + pending),
            ("nothing is dead and nothing waits", dead + pending == 0),
            ("every seq has one event", seqs.len() == events.len()),
            ("seqs are those that were made", seqs.iter().all(|seq| (1..=created).contains(seq))),
            ("a seq that never came was superseded", never_seen <= superseded && stats.seq_gaps <= never_seen),
            (
                "what is delivered was accepted",
                (delivered..=delivered + superseded).contains(&(receiver.accepted().len() as u64)),
            ),
            ("no id has two bodies", stats.conflicting_body == 0),
            ("every signature is good", stats.bad_signature == 0),
            ("there is one store", epochs.len() == 1),
            ("the ledger agrees", verdict.is_clean()),
        ];
        for (what, _) in checks.iter().filter(|(_, holds)| !holds) {
            self.wrong.push(format!("{name}: not so: {what}: {endpoint}, {stats:?}"));
        }
        let lists = [&verdict.lost, &verdict.spurious, &verdict.two_ids, &verdict.disordered];
        for (what, list) in ["lost", "spurious", "two ids", "disordered"].iter().zip(lists) {
            self.wrong.extend(list.iter().take(5).map(|item| format!("{name}: {what}: {item}")));
        }
        self.created += created;
        self.delivered += delivered;
        self.superseded += superseded;
        self.dead += dead;
        self.requests += stats.requests;
        self.repeated += stats.repeated;
        self.seen += events.len();
        self.lost += verdict.lost.len();
        self.spurious += verdict.spurious.len();
        self.two_ids += verdict.two_ids.len();
        self.disordered += verdict.disordered.len();
    }

    fn line(&self) -> String {
        format!(
            "deliveries {} = {} delivered + {} superseded + {} dead; {} seen in {} requests, {} repeated; {} found by search; lost {} spurious {} two ids {} disordered {}",
            self.created,
            self.delivered,
            self.superseded,
            self.dead,
            self.seen,
            self.requests,
            self.repeated,
            self.found,
            self.lost,
            self.spurious,
            self.two_ids,
            self.disordered
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_nothing_is_lost_doubled_or_made_up() {
    let started = Instant::now();
    let kills = number("EARFUL_KILLS", 20);
    let posts = usize::try_from(number("EARFUL_POSTS", 50_000)).unwrap();
    let seed = number("EARFUL_SEED", 7);
    let length = LIFE * u32::try_from(kills).unwrap();
    let Story { events, ledger } = Story::new(posts, seed, length);
    let events_made = events.len();
    let rig = Rig::start(events, "").await;
    rig.flaky.set_behaviour(misbehaviour());
    let mut rng = StdRng::seed_from_u64(seed);
    // Of the mentions, an eighth of the posts, most come while the daemon is killed again and again.
    let sights_mean = posts as u64 / 10 / kills;
    let (mut fired, mut fired_live) = (0, 0);
    for kill in 0..kills {
        let moment = if kill == 0 { Moment::Sights(1) } else { Moment::draw(&mut rng, sights_mean) };
        let is_live = !rig.stream.finished();
        // A cursor of either wire is resumed on the other.
        let wire = if rng.random_range(0..3) == 0 { "v1" } else { "v2" };
        fired += u64::from(live_and_die(&rig, &moment, wire).await);
        fired_live += u64::from(is_live);
    }
    let figures = settle(&rig, &ledger).await;
    println!(
        "killed at random: {fired} of {kills} kills, {fired_live} in mid-stream; {} posts in {events_made} events, {} sent; {}; {:.0} s",
        ledger.posts(),
        rig.stream.stats().events_sent,
        figures.line(),
        started.elapsed().as_secs_f64()
    );
    if !figures.wrong.is_empty() {
        rig.fail(&figures.wrong.join("\n"));
    }
    assert_eq!(fired, kills);
    assert!(fired_live >= kills * 3 / 4, "{fired_live} of {kills} kills met a live stream");
}

/// The passage at which a point kills: far enough into the stream that a cursor is durable.
fn passage(point: Point) -> u64 {
    match point {
        Point::CommitBeforeWrite | Point::CommitAfterWrite => 20,
        Point::DeliverBeforeSend
        | Point::DeliverAfterAccept
        | Point::DeliverBeforeSettle
        | Point::DeliverAfterSettle => 50,
        Point::IndexBeforeCommit | Point::IndexAfterCommit | Point::IndexAfterSync | Point::EraseBetweenBatches => 2,
        Point::RetainBeforeDelete => 1,
    }
}

/// Starts an armed daemon and waits until it has died at the point.
async fn die_at(rig: &Rig, point: Point) {
    let armed = format!("{}:{}", point.name(), passage(point));
    let mut daemon = Daemon::start_unready(rig.launch(&[(CRASH_POINT_ENV, &armed)])).unwrap();
    let status = daemon.until_ended(PATIENCE).await.unwrap_or_else(|| rig.fail(&format!("{armed} did not fire")));
    let fired = format!("crash point {} fired", point.name());
    if status.signal() != Some(SIGKILL) || !rig.log().contains(&fired) {
        rig.fail(&format!("{armed} did not fire: {status}"));
    }
}

async fn crash_at(point: Point) -> Figures {
    let Story { events, ledger } = match point {
        // What retention has forgotten cannot be told from what was never seen, so that nothing comes twice here.
        Point::RetainBeforeDelete => Story::of_bulky_posts(POINT_POSTS, 11, POINT_LENGTH),
        _ => Story::new(POINT_POSTS, 11, POINT_LENGTH),
    };
    let rig = Rig::start(events, if point == Point::RetainBeforeDelete { RETENTION } else { "" }).await;
    rig.flaky.set_behaviour(misbehaviour());
    if point == Point::RetainBeforeDelete {
        // Retention weighs what lies in files, where a new start has put it.
        let mut daemon = Daemon::start_unready(rig.launch(&[])).unwrap();
        rig.until("two thirds of the mentions", || sights(&rig.steady) * 15 > POINT_POSTS as u64).await;
        daemon.kill();
    }
    die_at(&rig, point).await;
    if point == Point::RetainBeforeDelete {
        let mut daemon = Daemon::start_unready(rig.launch(&[])).unwrap();
        rig.until("retention's pass", || rig.log().contains("retention passed")).await;
        daemon.kill();
    }
    let figures = settle(&rig, &ledger).await;
    if !figures.wrong.is_empty() {
        rig.fail(&format!("{}: {}", point.name(), figures.wrong.join("\n")));
    }
    figures
}

#[tokio::test(flavor = "multi_thread")]
async fn every_named_crash_point_loses_doubles_and_makes_up_nothing() {
    let started = Instant::now();
    let points = Point::ALL.iter().map(|point| async { (point.name(), crash_at(*point).await) });
    let mut fired: Vec<_> = futures_util::stream::iter(points).buffer_unordered(POINTS_AT_ONCE).collect().await;
    fired.sort_by_key(|(name, _)| *name);
    for (name, figures) in &fired {
        println!("crash point {name} fired: {}", figures.line());
    }
    assert_eq!(fired.len(), Point::ALL.len());
    println!("crash points: {} of {} fired; {:.0} s", fired.len(), Point::ALL.len(), started.elapsed().as_secs_f64());
}
