//! A webhook receiver that believes only verified signatures, keeps account of every delivery and misbehaves on demand.
//! Unaware of who sends. Its memory is bounded, so it can run for days.

mod http;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::clock;
use crate::model::Timestamp;
use crate::sinks::sign::{Secret, Signed, verify};

use http::Request;

/// Events with their bodies that are kept, unless said otherwise; the oldest are forgotten.
pub const EVENTS_MAX: usize = 20_000;
/// Ids that are remembered to tell a repetition; the oldest are forgotten.
const IDS_MAX: usize = 1 << 20;
/// Seqs above the settled ones that are remembered; beyond it a gap may be counted that is none.
const SEQS_MAX: usize = 1 << 16;
/// Names of types that are counted; a sender makes up no more.
const TYPES_MAX: usize = 64;
/// Stores that send here, one after the other. The seqs of more are not looked at.
const EPOCHS_MAX: usize = 16;
const CONNECTIONS_MAX: usize = 1024;

/// What one request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Ok,
    Status(u16),
    /// A status and the seconds to wait.
    RetryAfter(u16, u64),
    /// No answer, as long as the sender has patience.
    Hang,
    /// The connection ends without an answer.
    Cut,
    Redirect(String),
    /// A success with a body that hardly ends.
    HugeBody,
}

/// Decides a reply from the request's number, from 1, and its id.
pub type Behaviour = Box<dyn Fn(u64, &str) -> Reply + Send + Sync>;
/// Is told of each event at its first sight.
pub type OnEvent = Box<dyn Fn(&Received) + Send + Sync>;

/// What has come in so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub requests: u64,
    pub verified: u64,
    /// Verified, with an id that came before.
    pub repeated: u64,
    /// Refused with 401.
    pub bad_signature: u64,
    /// Seqs that the sender calls settled and that never came: dead letters, superseded ones, or losses.
    pub seq_gaps: u64,
    /// An id that came before, with another body. The contract says never.
    pub conflicting_body: u64,
    /// Ids that were answered with success.
    pub accepted: u64,
    /// First sights by event type.
    pub by_type: BTreeMap<String, u64>,
}

/// One event, as it first came in.
#[derive(Clone, Debug)]
pub struct Received {
    pub id: String,
    pub seq: u64,
    pub settled: u64,
    pub epoch: String,
    pub attempt: u32,
    pub replay: bool,
    pub kind: String,
    pub body: Value,
    pub at: Timestamp,
}

/// The receiver of one endpoint, on a socket of its own. Stops when dropped.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    tasks: TaskTracker,
    stop: DropGuard,
}

struct Shared {
    secrets: Vec<Secret>,
    account: Mutex<Account>,
    behaviour: Mutex<Arc<Behaviour>>,
    on_event: Mutex<Option<Arc<OnEvent>>>,
    changed: Notify,
}

struct Account {
    stats: Stats,
    events: VecDeque<Arc<Received>>,
    events_max: usize,
    known: HashMap<String, Known>,
    ids: VecDeque<String>,
    seqs: BTreeMap<String, Seqs>,
}

struct Known {
    body: blake3::Hash,
    is_accepted: bool,
}

/// The seqs of one epoch.
struct Seqs {
    /// What was settled when the epoch was first seen. Nothing is known of what was before.
    base: u64,
    settled: u64,
    /// Seen, and not yet settled.
    ahead: BTreeSet<u64>,
}

impl Receiver {
    /// On a free port of loopback.
    pub async fn start(secrets: Vec<Secret>) -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), secrets, EVENTS_MAX).await
    }

    pub async fn start_at(address: SocketAddr, secrets: Vec<Secret>, events_max: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let well_behaved: Behaviour = Box::new(|_, _| Reply::Ok);
        let shared = Arc::new(Shared {
            secrets,
            account: Mutex::new(Account::new(events_max)),
            behaviour: Mutex::new(Arc::new(well_behaved)),
            on_event: Mutex::default(),
            changed: Notify::new(),
        });
        let tasks = TaskTracker::new();
        let stop = CancellationToken::new();
        let accepting = accept(listener, Arc::clone(&shared), tasks.clone(), stop.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        Ok(Self { address, shared, tasks, stop: stop.drop_guard() })
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn stats(&self) -> Stats {
        self.shared.account().stats.clone()
    }

    /// First sights, in order of arrival.
    pub fn events(&self) -> Vec<Received> {
        let events: Vec<Arc<Received>> = self.shared.account().events.iter().cloned().collect();
        events.iter().map(|event| Received::clone(event)).collect()
    }

    /// The ids that were answered with success: what a sender may call delivered.
    pub fn accepted(&self) -> BTreeSet<String> {
        let account = self.shared.account();
        account.known.iter().filter(|(_, known)| known.is_accepted).map(|(id, _)| id.clone()).collect()
    }

    /// For all requests from now on.
    pub fn set_behaviour(&self, behaviour: Behaviour) {
        *lock(&self.shared.behaviour) = Arc::new(behaviour);
    }

    /// For all events from now on.
    pub fn on_event(&self, callback: OnEvent) {
        *lock(&self.shared.on_event) = Some(Arc::new(callback));
    }

    /// Waits for the numbers to be as wanted. Returns whether they were so in time.
    pub async fn wait_until(&self, is_reached: impl Fn(&Stats) -> bool, deadline: Duration) -> bool {
        let deadline = Instant::now() + deadline;
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if is_reached(&self.stats()) {
                return true;
            }
            if timeout_at(deadline, changed).await.is_err() {
                return is_reached(&self.stats());
            }
        }
    }

    /// Ends all connections, and frees the port before it returns.
    pub async fn stop(self) {
        drop(self.stop);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tasks: TaskTracker, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        // A connection that broke before it was accepted is nobody's loss.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        tasks.spawn(stop.clone().run_until_cancelled_owned(async move {
            // A sender that goes away is what half of the tests are about.
            serve(stream, &shared).await.ok();
            drop(place);
        }));
    }
}

async fn serve(mut stream: TcpStream, shared: &Shared) -> io::Result<()> {
    let mut ahead = Vec::new();
    while let Some(request) = http::read(&mut stream, &mut ahead).await? {
        match shared.receive(&request) {
            Reply::Ok => http::answer(&mut stream, 200, "").await?,
            Reply::Status(status) => http::answer(&mut stream, status, "").await?,
            Reply::RetryAfter(status, seconds) => {
                http::answer(&mut stream, status, &format!("retry-after: {seconds}\r\n")).await?;
            }
            Reply::Redirect(target) => http::answer(&mut stream, 307, &format!("location: {target}\r\n")).await?,
            Reply::Hang => return http::wait_for_end(&mut stream).await,
            Reply::Cut => return Ok(()),
            Reply::HugeBody => return http::pour(&mut stream).await,
        }
    }
    Ok(())
}

impl Shared {
    fn account(&self) -> MutexGuard<'_, Account> {
        lock(&self.account)
    }

    /// Takes note of a request and decides the reply.
    fn receive(&self, request: &Request) -> Reply {
        let (reply, first_sight) = self.enter(request);
        let on_event = lock(&self.on_event).clone();
        if let (Some(event), Some(tell)) = (first_sight, on_event) {
            tell(&event);
        }
        self.changed.notify_waiters();
        reply
    }

    fn enter(&self, request: &Request) -> (Reply, Option<Arc<Received>>) {
        let now = clock::now();
        let number = {
            let mut account = self.account();
            account.stats.requests += 1;
            account.stats.requests
        };
        if !self.is_verified(request, now) {
            self.account().stats.bad_signature += 1;
            return (Reply::Status(401), None);
        }
        let event = match received(request, now) {
            Some(event) => Arc::new(event),
            None => return (Reply::Status(400), None),
        };
        let behaviour = Arc::clone(&lock(&self.behaviour));
        let reply = behaviour(number, &event.id);
        let mut account = self.account();
        let is_first = account.note(&event, blake3::hash(&request.body));
        if reply.is_success() {
            account.accept(&event.id);
        }
        (reply, is_first.then_some(event))
    }

    fn is_verified(&self, request: &Request, now: Timestamp) -> bool {
        let timestamp = request.header("webhook-timestamp").and_then(|value| value.parse().ok());
        let (Some(id), Some(timestamp), Some(signatures)) =
            (request.header("webhook-id"), timestamp, request.header("webhook-signature"))
        else {
            return false;
        };
        verify(&self.secrets, &Signed { id, timestamp, body: &request.body }, signatures, now).is_ok()
    }
}

impl Reply {
    fn is_success(&self) -> bool {
        match self {
            Self::Ok | Self::HugeBody => true,
            Self::Status(status) | Self::RetryAfter(status, _) => (200..300).contains(status),
            Self::Hang | Self::Cut | Self::Redirect(_) => false,
        }
    }
}

impl Account {
    fn new(events_max: usize) -> Self {
        Self {
            stats: Stats::default(),
            events: VecDeque::new(),
            events_max,
            known: HashMap::new(),
            ids: VecDeque::new(),
            seqs: BTreeMap::new(),
        }
    }

    /// Returns whether this is the first sight of the event.
    fn note(&mut self, event: &Arc<Received>, body: blake3::Hash) -> bool {
        self.stats.verified += 1;
        let is_first = self.know(&event.id, body);
        self.settle(event, is_first);
        if !is_first {
            self.stats.repeated += 1;
            return false;
        }
        if self.stats.by_type.len() < TYPES_MAX || self.stats.by_type.contains_key(&event.kind) {
            *self.stats.by_type.entry(event.kind.clone()).or_default() += 1;
        }
        self.events.push_back(Arc::clone(event));
        if self.events.len() > self.events_max {
            self.events.pop_front();
        }
        true
    }

    fn know(&mut self, id: &str, body: blake3::Hash) -> bool {
        if let Some(known) = self.known.get(id) {
            self.stats.conflicting_body += u64::from(known.body != body);
            return false;
        }
        self.known.insert(id.to_owned(), Known { body, is_accepted: false });
        self.ids.push_back(id.to_owned());
        if self.ids.len() > IDS_MAX
            && let Some(oldest) = self.ids.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }

    fn accept(&mut self, id: &str) {
        if let Some(known) = self.known.get_mut(id).filter(|known| !known.is_accepted) {
            known.is_accepted = true;
            self.stats.accepted += 1;
        }
    }

    /// A gap is counted when its seq is settled, and forgiven if the event comes after all, as a replay does.
    fn settle(&mut self, event: &Received, is_first: bool) {
        if self.seqs.len() >= EPOCHS_MAX && !self.seqs.contains_key(&event.epoch) {
            return;
        }
        let first = || Seqs { base: event.settled, settled: event.settled, ahead: BTreeSet::new() };
        let seqs = self.seqs.entry(event.epoch.clone()).or_insert_with(first);
        if event.seq > seqs.settled {
            if seqs.ahead.len() < SEQS_MAX {
                seqs.ahead.insert(event.seq);
            }
        } else if is_first && event.seq > seqs.base {
            self.stats.seq_gaps = self.stats.seq_gaps.saturating_sub(1);
        }
        if event.settled > seqs.settled {
            let rest = seqs.ahead.split_off(&(event.settled + 1));
            let seen = std::mem::replace(&mut seqs.ahead, rest).len() as u64;
            self.stats.seq_gaps += event.settled - seqs.settled - seen;
            seqs.settled = event.settled;
        }
    }
}

/// Reads what the headers and the body say. Absent if they are not as the contract has them.
fn received(request: &Request, at: Timestamp) -> Option<Received> {
    let body: Value = serde_json::from_slice(&request.body).ok()?;
    Some(Received {
        id: request.header("webhook-id")?.to_owned(),
        seq: request.header("earful-seq")?.parse().ok()?,
        settled: request.header("earful-settled")?.parse().ok()?,
        epoch: request.header("earful-epoch")?.to_owned(),
        attempt: request.header("earful-attempt")?.parse().ok()?,
        replay: request.header("earful-replay")? == "true",
        kind: body.get("type")?.as_str()?.to_owned(),
        body,
        at,
    })
}

/// What a panicking test left behind is still true.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicU64, Ordering};

    use bytes::Bytes;

    use super::*;
    use crate::fetch::guard::Guard;
    use crate::model::{Attempt, Class, DeliveryId, PostId, Rendered};
    use crate::sinks::settings::WebhookSettings;
    use crate::sinks::webhook::Webhook;
    use crate::sinks::{Egress, Sink};

    /// How long a test waits for what has to happen.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn webhook(receiver: &Receiver, secrets: &[&Secret], directory: &Path) -> Webhook {
        let name = |n: usize| directory.join(format!("secret{n}"));
        let secret_files = secrets.iter().enumerate().map(|(n, secret)| {
            std::fs::write(name(n), secret.reveal()).unwrap();
            name(n)
        });
        let settings = WebhookSettings {
            url: receiver.url(),
            secret_files: secret_files.collect(),
            timeout_s: 1,
            connect_timeout_s: 1,
            concurrency_max: 4,
            expiry_h: 72,
            quota_mb: 1,
        };
        Webhook::new(&settings, Egress::of(&Guard::new(vec!["127.0.0.0/8".parse().unwrap()]))).unwrap()
    }

    fn event(seq: u64, settled: u64) -> Rendered {
        let body = format!(r#"{{"type":"mention.matched","seq":{seq}}}"#);
        Rendered {
            id: DeliveryId::of("crm", PostId::of("bluesky", &seq.to_string()), 1, "mention.matched", b""),
            body: Bytes::from(body),
            thread: None,
            seq,
            settled,
            epoch: "e1".to_owned(),
            attempt: 1,
            replay: false,
        }
    }

    /// A receiver and a sender that agree.
    async fn pair() -> (Receiver, Webhook) {
        let directory = tempfile::tempdir().unwrap();
        let secret = Secret::random();
        let receiver = Receiver::start(vec![secret.clone()]).await.unwrap();
        let webhook = webhook(&receiver, &[&secret], directory.path());
        (receiver, webhook)
    }

    fn class(attempt: &Attempt) -> Class {
        match attempt {
            Attempt::Retry { class, .. } => *class,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn an_event_is_noted_once_however_often_it_comes() {
        let (receiver, webhook) = pair().await;
        let told = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&told);
        receiver.on_event(Box::new(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
        }));
        for attempt in [1, 2] {
            assert_eq!(webhook.deliver(&Rendered { attempt, ..event(1, 0) }).await, Attempt::Delivered);
        }
        assert!(receiver.wait_until(|stats| stats.verified == 2, PATIENCE).await);
        let by_type = BTreeMap::from([("mention.matched".to_owned(), 1)]);
        let expected = Stats { requests: 2, verified: 2, repeated: 1, accepted: 1, by_type, ..Stats::default() };
        assert_eq!(receiver.stats(), expected);
        assert_eq!(told.load(Ordering::SeqCst), 1);
        let events = receiver.events();
        assert_eq!((events.len(), events[0].attempt, events[0].seq), (1, 1, 1));
        assert_eq!(receiver.accepted(), BTreeSet::from([events[0].id.clone()]));
    }

    #[tokio::test]
    async fn a_wrong_secret_is_refused_and_either_one_does_while_it_rotates() {
        let directory = tempfile::tempdir().unwrap();
        let (old, new) = (Secret::random(), Secret::random());
        let receiver = Receiver::start(vec![old.clone()]).await.unwrap();
        let wrong = webhook(&receiver, &[&new], directory.path()).deliver(&event(1, 0)).await;
        assert_eq!(class(&wrong), Class::Misconfigured);
        assert_eq!(webhook(&receiver, &[&new, &old], directory.path()).deliver(&event(1, 0)).await, Attempt::Delivered);
        let stats = receiver.stats();
        assert_eq!((stats.bad_signature, stats.verified), (1, 1));
    }

    #[tokio::test]
    async fn another_body_under_a_known_id_is_noticed() {
        let (receiver, webhook) = pair().await;
        webhook.deliver(&event(1, 0)).await;
        webhook.deliver(&Rendered { body: event(2, 0).body, ..event(1, 0) }).await;
        assert_eq!(receiver.stats().conflicting_body, 1);
    }

    #[tokio::test]
    async fn a_settled_seq_that_never_came_is_a_gap_until_it_comes() {
        let (receiver, webhook) = pair().await;
        // Starting in the middle, out of order, with 12 missing.
        for (seq, settled) in [(11, 10), (14, 10), (13, 10), (15, 11)] {
            webhook.deliver(&event(seq, settled)).await;
        }
        assert_eq!(receiver.stats().seq_gaps, 0);
        webhook.deliver(&event(16, 14)).await;
        assert_eq!(receiver.stats().seq_gaps, 1);
        webhook.deliver(&event(12, 16)).await;
        assert_eq!(receiver.stats().seq_gaps, 0);
    }

    #[tokio::test]
    async fn every_misbehaviour_is_what_the_sender_takes_it_for() {
        let (receiver, webhook) = pair().await;
        let busy = |seconds| Attempt::Retry {
            class: Class::Unavailable,
            after: Some(Duration::from_secs(seconds)),
            cause: "status 429".to_owned(),
        };
        let turns = [
            Reply::Hang,
            Reply::Cut,
            Reply::Status(500),
            Reply::RetryAfter(429, 7),
            Reply::Redirect("http://127.0.0.1:1/".to_owned()),
            Reply::Status(410),
            Reply::Status(422),
            Reply::HugeBody,
        ];
        receiver.set_behaviour(Box::new(move |number, _| turns[number as usize - 1].clone()));
        let mut attempts = Vec::new();
        for _ in 0..8 {
            attempts.push(webhook.deliver(&event(1, 0)).await);
        }
        assert_eq!(class(&attempts[0]), Class::Timeout);
        assert_eq!(class(&attempts[1]), Class::Connect);
        assert_eq!(class(&attempts[2]), Class::Unavailable);
        assert_eq!(attempts[3], busy(7));
        assert_eq!(class(&attempts[4]), Class::Misconfigured);
        assert_eq!(attempts[5], Attempt::Gone);
        assert_eq!(attempts[6], Attempt::Reject { cause: "status 422".to_owned() });
        assert_eq!(attempts[7], Attempt::Delivered);
        assert_eq!(receiver.accepted().len(), 1);
    }

    #[tokio::test]
    async fn every_status_on_the_wire_is_what_the_contract_says() {
        let (receiver, webhook) = pair().await;
        receiver.set_behaviour(Box::new(|number, _| Reply::Status(199 + number as u16)));
        for status in 200..=599 {
            let expected = match status {
                200..=299 => "delivered",
                300..=399 | 401 | 403..=405 => "misconfigured",
                408 | 409 | 425 | 429 | 500..=599 => "unavailable",
                410 => "gone",
                _ => "refused",
            };
            let attempt = webhook.deliver(&event(1, 0)).await;
            let found = match &attempt {
                Attempt::Delivered => "delivered",
                Attempt::Gone => "gone",
                Attempt::Reject { .. } => "refused",
                Attempt::Retry { class, .. } => class.name(),
            };
            assert_eq!(found, expected, "{status}: {attempt:?}");
        }
        assert_eq!(receiver.stats().verified, 400);
    }

    #[tokio::test]
    async fn memory_is_bounded_and_a_stopped_receiver_frees_its_port() {
        let directory = tempfile::tempdir().unwrap();
        let secret = Secret::random();
        let receiver = Receiver::start(vec![secret.clone()]).await.unwrap();
        let address = receiver.address();
        let webhook = webhook(&receiver, &[&secret], directory.path());
        webhook.deliver(&event(1, 0)).await;
        receiver.stop().await;
        assert_eq!(class(&webhook.deliver(&event(1, 0)).await), Class::Connect);
        let receiver = Receiver::start_at(address, vec![secret], 2).await.unwrap();
        for seq in 1..=3 {
            assert_eq!(webhook.deliver(&event(seq, 0)).await, Attempt::Delivered);
        }
        let seqs: Vec<u64> = receiver.events().iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [2, 3]);
        assert!(!receiver.wait_until(|stats| stats.verified > 3, Duration::ZERO).await);
    }
}
