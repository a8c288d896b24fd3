//! The source against a played Jetstream on loopback, through its faults.

use std::collections::BTreeSet;
use std::future::Future;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::inlet::Inbox;
use crate::rig::jetstream::{Fault, GARBAGE, Pace, PlayedEvent, RETRY_AFTER_S, Server};

use super::*;

const START_US: u64 = 1_779_719_009_157_119;
const PATIENCE: Duration = Duration::from_secs(20);
const WIRES: [(WireVersion, bool); 3] = [(WireVersion::V1, false), (WireVersion::V2, false), (WireVersion::V2, true)];

/// The turn's side: keeps what arrived; its last cursor is the durable one.
struct Desk {
    inlet: Inlet,
    inbox: Inbox,
    arrived: Arc<Notify>,
    seen: Vec<Arrival>,
}

impl Desk {
    fn new() -> Self {
        let arrived = Arc::new(Notify::new());
        let (inlet, inbox) = Inlet::new(arrived.clone());
        Self { inlet, inbox, arrived, seen: Vec::new() }
    }

    fn drain(&mut self) {
        while let Some(waiting) = self.inbox.take() {
            self.seen.push(waiting.arrival);
        }
    }

    async fn until(&mut self, done: impl Fn(&[Arrival]) -> bool) {
        loop {
            self.drain();
            if done(&self.seen) {
                return;
            }
            self.arrived.notified().await;
        }
    }

    fn durable(&self) -> Vec<Cursor> {
        self.seen.iter().rev().find_map(|arrival| arrival.cursor.clone()).into_iter().collect()
    }

    /// One run, to its end or until `done`; a stop takes less than a second.
    async fn run(&mut self, jetstream: &mut Jetstream, done: impl Fn(&[Arrival]) -> bool) -> Ended {
        let (resume, inlet, stop) = (self.durable(), self.inlet.clone(), CancellationToken::new());
        let mut run = std::pin::pin!(jetstream.run(resume, &inlet, &stop));
        let ended = tokio::select! {
            ended = &mut run => ended,
            () = self.until(done) => {
                stop.cancel();
                timeout(Duration::from_secs(1), run).await.expect("stops within a second")
            }
            () = tokio::time::sleep(PATIENCE) => panic!("neither ended nor done"),
        };
        self.drain();
        ended
    }

    /// Runs again and again, as a supervisor does, until `count` different events arrived.
    async fn run_to(&mut self, jetstream: &mut Jetstream, count: usize) -> Vec<Ended> {
        let mut ends = Vec::new();
        while keys(&self.seen).len() < count {
            assert!(ends.len() < 10, "{ends:?}");
            ends.push(self.run(jetstream, |seen| keys(seen).len() >= count).await);
        }
        ends
    }
}

fn event(n: u64) -> Value {
    event_at(n, START_US + n * 1000)
}

fn event_at(n: u64, time_us: u64) -> Value {
    json!({"did": "did:plc:a", "time_us": time_us, "kind": "commit", "commit": {
        "rev": format!("rev{n}"), "operation": "create", "collection": "app.bsky.feed.post", "rkey": format!("key{n}."),
        "record": {"$type": "app.bsky.feed.post", "text": "\"seq\":1,\"time_us\":2,", "seq": 3, "time_us": 4, "time": "5"},
        "cid": "bafy"}})
}

fn played(count: u64) -> Vec<PlayedEvent> {
    (1..=count).map(|n| PlayedEvent { at_ms: 0, body: event(n) }).collect()
}

async fn serving(count: u64) -> Server {
    Server::start(played(count), Pace::Fast).await.unwrap()
}

fn settings(hosts: &[String], (wire, compress): (WireVersion, bool)) -> JetstreamSettings {
    JetstreamSettings {
        hosts: hosts.to_vec(),
        wire,
        collections: vec!["app.bsky.feed.post".to_owned()],
        dids: Vec::new(),
        compress,
        dead_after_s: 60,
        rewind_s: 5,
        frame_bytes_max: 1 << 20,
    }
}

fn jetstream(server: &Server, wire: (WireVersion, bool)) -> Jetstream {
    Jetstream::new("bluesky".into(), settings(&[server.url()], wire))
}

fn text(arrival: &Arrival) -> &str {
    std::str::from_utf8(&arrival.body).unwrap()
}

/// The different events, by their record keys.
fn keys(seen: &[Arrival]) -> BTreeSet<&str> {
    let key = |arrival| -> Option<&str> { text(arrival).split(r#""rkey":""#).nth(1)?.split('"').next() };
    seen.iter().filter_map(key).collect()
}

fn stored(wire: Wire, host: &str, cursor: u64, time_us: u64) -> Arrival {
    let cursor = Marker::new(wire, host).cursor(Mark { cursor, time_us });
    Arrival { source: "bluesky".into(), wire, body: b"{}".to_vec(), fetched_at: clock::now(), cursor: Some(cursor) }
}

fn gap(arrival: &Arrival) -> Value {
    assert_eq!(arrival.wire, Wire::Notice);
    serde_json::from_slice::<Value>(&arrival.body).unwrap()["gap"].clone()
}

fn cause(ended: &Ended) -> &str {
    let Ended::Retry { cause, .. } = ended else { panic!("{ended:?}") };
    cause
}

async fn eventually(what: &str, holds: impl Fn() -> bool) {
    let holding = async {
        while !holds() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, holding).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// On more than one thread, as in the daemon.
fn on_threads<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

#[test]
fn after_a_cut_every_event_arrives_on_either_wire() {
    on_threads(async {
        for wire in WIRES {
            let server = serving(50).await;
            server.inject(Fault::CutAfter(7));
            server.inject(Fault::CutAfter(20));
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            let ends = desk.run_to(&mut source, 50).await;
            assert_eq!(keys(&desk.seen).len(), 50, "{wire:?}");
            assert_eq!((server.stats().faults_fired, server.stats().connections, ends.len()), (2, 3, 3));
            assert!(server.finished());
            assert!(desk.seen.iter().all(|arrival| arrival.cursor.is_some() && arrival.wire == wire::wire(wire.0)));
        }
    });
}

#[test]
fn on_the_second_wire_a_resume_repeats_one_event() {
    on_threads(async {
        let server = serving(50).await;
        server.inject(Fault::CutAfter(7));
        let (mut desk, mut source) = (Desk::new(), jetstream(&server, (WireVersion::V2, true)));
        desk.run_to(&mut source, 50).await;
        assert_eq!(desk.seen.len(), 51);
        assert_eq!(server.stats().dictionaries_served, 2, "one for each run");
    });
}

#[test]
fn the_cursor_is_the_servers_whatever_the_author_writes() {
    on_threads(async {
        let forged =
            json!({"seq": 900_000, "time": "2026-05-26T00:00:00.000000Z", "time_us": START_US + 9_000_000_000_u64});
        for wire in WIRES {
            let mut long = event(1);
            long["commit"]["record"] = json!({"seq": 900_000, "time": "2026-05-26T00:00:00.000000Z", "payload": forged,
                "text": "\"seq\":900000,".repeat(100), "reply": {"parent": forged, "root": forged}});
            let account = json!({"did": "did:plc:b", "time_us": START_US + 2000, "kind": "account",
                "account": {"active": true, "did": "did:plc:b", "seq": 31_527_015_471_u64, "time": "2026-05-25T15:00:00.000Z"}});
            let events = [long, account].into_iter().map(|body| PlayedEvent { at_ms: 0, body }).collect();
            let server = Server::start(events, Pace::Fast).await.unwrap();
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            desk.run(&mut source, |seen| seen.len() == 2).await;
            let mark = |arrival: &Arrival| Stored::read(&arrival.cursor.as_ref().unwrap().value).unwrap().mark();
            let expected = |n: u64| {
                let time_us = START_US + n * 1000;
                Mark { cursor: if wire.0 == WireVersion::V1 { time_us } else { n }, time_us }
            };
            assert_eq!([mark(&desk.seen[0]), mark(&desk.seen[1])], [expected(1), expected(2)], "{wire:?}");
            if wire.0 == WireVersion::V2 {
                assert!(text(&desk.seen[0]).ends_with(r#""seq":1,"time":"2026-05-25T14:23:29.158119Z"}}"#));
            }
        }
    });
}

#[test]
fn the_next_host_takes_over_by_time() {
    on_threads(async {
        for wire in WIRES {
            let (first, second) = (serving(30).await, serving(30).await);
            first.inject(Fault::CutAfter(11));
            let (mut desk, hosts) = (Desk::new(), [first.url(), second.url()]);
            let mut source = Jetstream::new("bluesky".into(), settings(&hosts, wire));
            desk.run(&mut source, |_| false).await;
            // A host that brought something is asked again first.
            first.inject(Fault::RefuseHttp(503));
            assert!(cause(&desk.run(&mut source, |_| false).await).contains("refused with 503"));
            desk.run_to(&mut source, 30).await;
            assert_eq!((first.stats().connections, second.stats().connections), (1, 1), "{wire:?}");
            assert_eq!(first.stats().faults_fired, 2);
        }
    });
}

#[test]
fn a_host_that_is_not_there_is_left_at_once() {
    on_threads(async {
        let server = serving(3).await;
        let gone = serving(0).await.url();
        let (mut desk, hosts) = (Desk::new(), [gone, server.url()]);
        let mut source = Jetstream::new("bluesky".into(), settings(&hosts, (WireVersion::V1, false)));
        let ends = desk.run_to(&mut source, 3).await;
        assert_eq!(ends.len(), 2);
        // After a restart the host of the stored cursor comes first.
        let mut restarted = Jetstream::new("bluesky".into(), settings(&hosts, (WireVersion::V1, false)));
        server.emit(event(4));
        assert_eq!(desk.run_to(&mut restarted, 4).await, [Ended::Stopped]);
    });
}

#[test]
fn a_silent_stream_is_left_for_the_next_host() {
    on_threads(async {
        let (first, second) = (serving(5).await, serving(5).await);
        first.inject(Fault::SilentAfter(3));
        let mut short = settings(&[first.url(), second.url()], (WireVersion::V2, false));
        short.dead_after_s = 1;
        let (mut desk, mut source) = (Desk::new(), Jetstream::new("bluesky".into(), short));
        let ends = desk.run_to(&mut source, 5).await;
        assert!(cause(&ends[0]).ends_with("silent for 1 s"), "{ends:?}");
        assert_eq!((first.stats().faults_fired, first.stats().events_sent, second.stats().connections), (1, 3, 1));
    });
}

#[test]
fn a_seq_that_is_too_old_is_a_gap_and_the_run_goes_on() {
    on_threads(async {
        let server = serving(20).await;
        server.inject(Fault::CursorTooOld { floor: 10 });
        let (mut desk, mut source) = (Desk::new(), jetstream(&server, (WireVersion::V2, true)));
        desk.seen.push(stored(Wire::JetstreamV2, &server.url(), 2, START_US));
        assert_eq!(desk.run(&mut source, |seen| keys(seen).len() == 11).await, Ended::Stopped);
        let said = gap(&desk.seen[1]);
        assert_eq!(said["from"], "2026-05-25T14:23:29.157Z (seq 2)");
        assert_eq!(said["to"], "seq 10");
        let Some(kept) = &desk.seen[1].cursor else { panic!("no cursor") };
        assert_eq!(Stored::read(&kept.value).unwrap().mark().cursor, 10, "a crash here does not declare it twice");
        assert!(text(&desk.seen[2]).contains(r#""seq":10,"time":"#));
        assert_eq!(server.stats().faults_fired, 1);
    });
}

#[test]
fn a_refusal_of_a_seq_without_words_leads_on_by_time() {
    on_threads(async {
        for compress in [false, true] {
            let server = serving(20).await;
            server.inject(Fault::WordlessTooOld { floor: 10 });
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, (WireVersion::V2, compress)));
            desk.seen.push(stored(Wire::JetstreamV2, &server.url(), 2, START_US + 2000));
            assert_eq!(desk.run(&mut source, |seen| keys(seen).len() == 20).await, Ended::Stopped);
            assert_eq!((server.stats().faults_fired, server.stats().connections), (1, 1));
        }
    });
}

#[test]
fn a_clamped_time_is_a_gap_on_either_wire() {
    on_threads(async {
        for wire in WIRES {
            let hour_us = 3_600_000_000;
            let later = (1..=4).map(|n| PlayedEvent { at_ms: 0, body: event_at(n, START_US + n * hour_us) }).collect();
            let server = Server::start(later, Pace::Fast).await.unwrap();
            server.inject(Fault::Clamp { floor: START_US + 2 * hour_us });
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            desk.seen.push(stored(Wire::Jetstream, "wss://another.example", START_US, START_US));
            assert_eq!(desk.run(&mut source, |seen| keys(seen).len() == 3).await, Ended::Stopped, "{wire:?}");
            let said = gap(&desk.seen[1]);
            assert_eq!(said["from"], "2026-05-25T14:23:29.157Z");
            let to = if wire.0 == WireVersion::V1 { "2026-05-25T16:23:29.157Z" } else { "seq 2" };
            assert_eq!(said["to"], to);
            assert_eq!((server.stats().faults_fired, desk.seen.len()), (1, 5));
        }
    });
}

#[test]
fn a_quiet_stream_is_no_gap() {
    on_threads(async {
        let minutes_us = 4 * 60_000_000;
        for wire in WIRES {
            let later =
                (1..=3).map(|n| PlayedEvent { at_ms: 0, body: event_at(n, START_US + n * minutes_us) }).collect();
            let server = Server::start(later, Pace::Fast).await.unwrap();
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            desk.seen.push(stored(Wire::Jetstream, "wss://another.example", START_US, START_US));
            desk.run(&mut source, |seen| keys(seen).len() == 3).await;
            assert!(desk.seen.iter().all(|arrival| arrival.wire != Wire::Notice), "{wire:?}");
        }
    });
}

/// A server that has nothing for the authors that are asked for, and pings four times a second.
async fn pinging() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("ws://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(client).await.unwrap();
        let mut beat = tokio::time::interval(Duration::from_millis(250));
        loop {
            beat.tick().await;
            if socket.send(Message::Ping(Bytes::from_static(b"alive"))).await.is_err() {
                return;
            }
        }
    });
    host
}

#[test]
fn with_few_authors_a_ping_is_life_and_a_late_first_event_is_no_gap() {
    on_threads(async {
        for wire in WIRES {
            let mut few = settings(&[pinging().await], wire);
            (few.dids, few.dead_after_s, few.compress) = (vec!["did:plc:a".to_owned()], 1, false);
            let mut source = Jetstream::new("bluesky".into(), few);
            let (inlet, _inbox) = Inlet::new(Arc::new(Notify::new()));
            let stop = CancellationToken::new();
            let run = source.run(Vec::new(), &inlet, &stop);
            assert!(timeout(Duration::from_secs(3), run).await.is_err(), "{wire:?}");

            let mut others = event_at(1, START_US + 1000);
            others["did"] = json!("did:plc:b");
            let account = json!({"did": "did:plc:b", "time_us": START_US + 2000, "kind": "account",
                "account": {"active": true, "did": "did:plc:b", "seq": 77, "time": "x"}});
            let bodies = [others, account, event_at(3, START_US + 3_600_000_000)];
            let events = bodies.into_iter().map(|body| PlayedEvent { at_ms: 0, body }).collect();
            let server = Server::start(events, Pace::Fast).await.unwrap();
            let mut few = settings(&[server.url()], wire);
            few.dids = vec!["did:plc:a".to_owned()];
            let (mut desk, mut source) = (Desk::new(), Jetstream::new("bluesky".into(), few));
            desk.seen.push(stored(Wire::Jetstream, "wss://another.example", START_US, START_US));
            desk.run(&mut source, |seen| keys(seen).len() == 1).await;
            assert_eq!(desk.seen.len(), 2, "neither a gap nor what others did: {wire:?}");
        }
    });
}

#[test]
fn a_host_that_counts_anew_is_resumed_by_time() {
    on_threads(async {
        for compress in [false, true] {
            let (server, other) = (serving(3).await, serving(3).await);
            let mut source =
                Jetstream::new("bluesky".into(), settings(&[server.url(), other.url()], (WireVersion::V2, compress)));
            let mut desk = Desk::new();
            desk.seen.push(stored(Wire::JetstreamV2, &server.url(), 5_000, START_US));
            let ends = desk.run_to(&mut source, 3).await;
            assert!(cause(&ends[0]).contains("the server counts its events anew"), "{ends:?}");
            assert_eq!((ends.len(), server.stats().connections, other.stats().connections), (2, 2, 0));
            assert!(desk.seen.iter().all(|arrival| arrival.wire != Wire::Notice));
        }
    });
}

#[test]
fn a_dictionary_that_was_replaced_is_fetched_again() {
    on_threads(async {
        let server = serving(5).await;
        server.inject(Fault::ReplaceDictionary);
        let (mut desk, mut source) = (Desk::new(), jetstream(&server, (WireVersion::V2, true)));
        assert_eq!(desk.run_to(&mut source, 5).await, [Ended::Stopped]);
        let stats = server.stats();
        assert_eq!((stats.faults_fired, stats.dictionaries_served, stats.connections), (1, 2, 1));
    });
}

#[test]
fn a_server_without_dictionaries_sends_frames_as_they_are() {
    on_threads(async {
        let server = serving(5).await;
        server.inject(Fault::NoDictionary);
        let (mut desk, mut source) = (Desk::new(), jetstream(&server, (WireVersion::V2, true)));
        assert_eq!(desk.run_to(&mut source, 5).await, [Ended::Stopped]);
        let stats = server.stats();
        assert_eq!((stats.faults_fired, stats.dictionaries_served, stats.connections), (1, 0, 1));
    });
}

#[test]
fn garbage_goes_on_untouched_with_the_cursor_before_it() {
    on_threads(async {
        for wire in WIRES {
            let server = serving(5).await;
            server.inject(Fault::GarbageAt(3));
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            assert_eq!(desk.run_to(&mut source, 5).await, [Ended::Stopped]);
            assert_eq!(text(&desk.seen[3]), GARBAGE, "{wire:?}");
            assert_eq!(desk.seen[3].cursor, desk.seen[2].cursor);
            assert_ne!(desk.seen[4].cursor, desk.seen[2].cursor);
            assert_eq!(server.stats().faults_fired, 1);
        }
    });
}

#[test]
fn garbage_before_the_first_event_has_no_cursor() {
    on_threads(async {
        let server = serving(2).await;
        server.inject(Fault::GarbageAt(0));
        let (mut desk, mut source) = (Desk::new(), jetstream(&server, (WireVersion::V2, false)));
        desk.seen.push(stored(Wire::JetstreamV2, "wss://another.example", 99, START_US));
        desk.run_to(&mut source, 2).await;
        assert_eq!((text(&desk.seen[1]), &desk.seen[1].cursor), (GARBAGE, &None));
    });
}

#[test]
fn a_huge_frame_and_a_terminal_error_end_the_run() {
    on_threads(async {
        for wire in WIRES {
            let server = serving(5).await;
            server.inject(Fault::HugeFrameAt(2));
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            let ended = desk.run(&mut source, |_| false).await;
            assert!(cause(&ended).ends_with("a frame over 1048576 bytes"), "{ended:?}");
            assert_eq!((keys(&desk.seen).len(), server.stats().faults_fired), (2, 1));
            server.inject(Fault::TerminalError(4));
            if wire.0 == WireVersion::V2 {
                let ended = desk.run(&mut source, |_| false).await;
                assert!(cause(&ended).ends_with("ConsumerTooSlow: subscriber below floor rate"), "{ended:?}");
                assert_eq!(server.stats().faults_fired, 2);
            }
        }
    });
}

#[test]
fn a_refusal_names_when_to_come_again() {
    on_threads(async {
        let server = serving(1).await;
        server.inject(Fault::RefuseHttp(429));
        let (mut desk, mut source) = (Desk::new(), jetstream(&server, (WireVersion::V2, false)));
        let ended = desk.run(&mut source, |_| false).await;
        let Ended::Retry { after, cause } = ended else { panic!("{ended:?}") };
        assert_eq!(after, Some(Duration::from_secs(RETRY_AFTER_S)));
        assert!(cause.contains("refused with 429"), "{cause}");
    });
}

#[test]
fn a_host_that_asks_to_be_left_alone_holds_up_no_other() {
    on_threads(async {
        let (busy, other) = (serving(3).await, serving(3).await);
        busy.inject(Fault::RefuseHttp(429));
        let hosts = [busy.url(), other.url()];
        let mut source = Jetstream::new("bluesky".into(), settings(&hosts, (WireVersion::V1, false)));
        let mut desk = Desk::new();
        let ended = desk.run(&mut source, |_| false).await;
        assert!(matches!(ended, Ended::Retry { after: None, .. }), "{ended:?}");
        other.inject(Fault::CutAfter(3));
        desk.run(&mut source, |_| false).await;
        assert_eq!((keys(&desk.seen).len(), other.stats().connections), (3, 1));
        // It is passed over as long as it asked for, and once nobody is left the wait is the shortest of all.
        other.inject(Fault::RefuseHttp(503));
        desk.run(&mut source, |_| false).await;
        other.inject(Fault::RefuseHttp(429));
        let Ended::Retry { after: Some(after), .. } = desk.run(&mut source, |_| false).await else { panic!("a wait") };
        assert!(after < Duration::from_secs(RETRY_AFTER_S), "{after:?}");
        let ended = desk.run(&mut source, |_| false).await;
        assert!(cause(&ended).contains("every host asks to be left alone"), "{ended:?}");
        assert_eq!((busy.stats().connections, busy.stats().faults_fired, other.stats().faults_fired), (0, 1, 3));
    });
}

#[test]
fn a_wss_host_that_speaks_no_tls_is_an_error_of_tls() {
    on_threads(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = format!("wss://{}", listener.local_addr().unwrap());
        let plain = async {
            let (mut client, _) = listener.accept().await.unwrap();
            client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            std::future::pending::<()>().await;
        };
        let mut source = Jetstream::new("bluesky".into(), settings(&[host], (WireVersion::V1, false)));
        let mut desk = Desk::new();
        let ended = tokio::select! { ended = desk.run(&mut source, |_| false) => ended, () = plain => unreachable!() };
        assert!(cause(&ended).contains("InvalidContentType"), "{ended:?}");
    });
}

#[test]
fn pings_are_answered_and_nothing_else_is_said() {
    on_threads(async {
        for wire in WIRES {
            let server = serving(1).await;
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            let answered = eventually("a pong", || server.stats().pongs == 1);
            tokio::select! { _ = desk.run(&mut source, |_| false) => panic!("ended"), () = answered => () }
            assert_eq!(server.stats().frames_received, 0);
        }
    });
}

#[test]
fn other_collections_stay_away_and_account_events_do_not() {
    on_threads(async {
        for wire in WIRES {
            let mut like = event(1);
            like["commit"]["collection"] = json!("app.bsky.feed.like");
            let account = json!({"did": "did:plc:b", "time_us": START_US + 2000, "kind": "account",
                "account": {"active": false, "status": "deleted", "did": "did:plc:b", "seq": 77, "time": "x"}});
            let bodies = [like, account, event(3)];
            let events = bodies.into_iter().map(|body| PlayedEvent { at_ms: 0, body }).collect();
            let server = Server::start(events, Pace::Fast).await.unwrap();
            let (mut desk, mut source) = (Desk::new(), jetstream(&server, wire));
            desk.run(&mut source, |seen| seen.len() == 2).await;
            assert!(text(&desk.seen[0]).contains(r#""status":"deleted""#), "{wire:?}");
            let cursor = desk.seen[0].cursor.as_ref().map(|cursor| Stored::read(&cursor.value).unwrap().mark());
            assert_eq!(cursor.map(|mark| mark.time_us), Some(START_US + 2000));
        }
    });
}

#[test]
fn a_stop_takes_less_than_a_second_wherever_it_comes() {
    on_threads(async {
        // While there is nothing to read, while nobody answers the request, while the turn takes nothing.
        let (idle, flood) = (serving(0).await, serving(10_000).await);
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mute_host = format!("ws://{}", mute.local_addr().unwrap());
        for host in [idle.url(), mute_host, flood.url()] {
            for wire in WIRES {
                let (inlet, _inbox) = Inlet::new(Arc::new(Notify::new()));
                let mut source = Jetstream::new("bluesky".into(), settings(std::slice::from_ref(&host), wire));
                let stop = CancellationToken::new();
                let mut run = std::pin::pin!(source.run(Vec::new(), &inlet, &stop));
                assert!(timeout(Duration::from_millis(100), &mut run).await.is_err());
                stop.cancel();
                assert_eq!(timeout(Duration::from_secs(1), run).await, Ok(Ended::Stopped), "{host} {wire:?}");
            }
        }
    });
}

#[test]
fn a_cursor_that_cannot_be_read_needs_a_person() {
    on_threads(async {
        let server = serving(1).await;
        let mut source = jetstream(&server, (WireVersion::V2, false));
        let (inlet, _inbox) = Inlet::new(Arc::new(Notify::new()));
        let resume = vec![Cursor { part: String::new(), value: b"nonsense".to_vec() }];
        let ended = source.run(resume, &inlet, &CancellationToken::new()).await;
        assert!(matches!(ended, Ended::Fatal { cause } if cause.contains("nonsense")));
        assert_eq!(server.stats().connections, 0);
    });
}
