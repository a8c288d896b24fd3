//! The API, as a stranger with a socket meets it: raw requests, answered with a problem or with a result per line.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use earful::api::{self, Pusher, Services};
use earful::config::{Config, SourceSettings};
use earful::inlet::{Inbox, Inlet, SourceBoard};
use earful::keeper::Keeper;
use earful::model::{Arrival, Timestamp, Wire};
use earful::pipeline::{TurnParts, TurnSettings, start_turn};
use earful::search::{Indexer, IndexerParts};
use earful::store::gate::{DiskGate, DiskSettings};
use earful::store::{Store, start_writer};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Group, Row};

const API_TOKEN: &str = "eft_api00000000000000000000000000000";
const DESK_TOKEN: &str = "eft_desk0000000000000000000000000000";
const SLOW_TOKEN: &str = "eft_slow0000000000000000000000000000";
/// Small, so that the rows that go over it are small too.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Two daemons' worth of API: one with room on its disk, one without.
pub struct Api {
    open: Served,
    gated: Served,
}

/// One API over a store of its own. The inbox of `slow` is full and nobody empties it.
struct Served {
    address: SocketAddr,
    _directory: tempfile::TempDir,
    _full: (Inlet, Inbox),
    runtime: tokio::runtime::Runtime,
    stop: CancellationToken,
}

impl Api {
    pub fn start() -> Self {
        Self { open: Served::start(0), gated: Served::start(u64::MAX >> 21) }
    }

    pub fn groups(&self) -> Vec<Group<'_>> {
        let open = |place, good, rows| Group { place, read: Box::new(|bytes| self.open.ask(bytes)), good, rows };
        vec![
            open("POST /v1/posts", push_good as fn() -> Vec<u8>, PUSH),
            open("the rest of the API", rest_good, REST),
            Group { place: "API, disk full", read: Box::new(|bytes| self.gated.ask(bytes)), good: health, rows: GATED },
        ]
    }
}

impl Served {
    /// `free_min_mb` closes the gate of the disk if there is less.
    fn start(free_min_mb: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (stop, config) = (CancellationToken::new(), config(directory.path()));
        let address = config.base.api.listen;
        let store = Store::open(&directory.path().join("store"), &config.base.store).unwrap();
        let (writer, _) =
            start_writer(store.clone()).map(|(writer, thread)| (writer, std::mem::forget(thread))).unwrap();
        let disk = DiskSettings { free_min_mb, free_min_percent: 0, free_red_mb: 0, ballast_mb: 0 };
        let gate = Arc::new(DiskGate::new(disk, directory.path()));
        gate.measure().unwrap();
        let keeper = Keeper::load(&config.base.projects_dir, config.routes.clone(), store.clone(), writer.clone());
        let keeper = Arc::new(runtime.block_on(keeper).unwrap_or_else(|cause| panic!("{cause}")));
        let settings = earful::index::IndexSettings { commit_interval_ms: 1, heap_mb: 15 };
        let parts = IndexerParts {
            store: store.clone(),
            writer: writer.clone(),
            gate: gate.clone(),
            settings,
            stop: stop.clone(),
        };
        let (indexer, _) = Indexer::start(&Indexer::directory(directory.path()), parts).unwrap();
        let arrived = Arc::new(Notify::new());
        let turn = start_turn(TurnParts {
            store: store.clone(),
            writer: writer.clone(),
            live: keeper.live(),
            gate: gate.clone(),
            arrived: arrived.clone(),
            stop: stop.clone(),
            settings: TurnSettings { arrivals_max: 100, bytes_max: 1 << 20 },
        })
        .unwrap();
        let (desk, inbox) = Inlet::new(arrived.clone());
        turn.add("desk".into(), inbox);
        let full = Inlet::new(arrived);
        assert!(full.0.offer(huge()).is_ok() && full.0.offer(huge()).is_err());
        let pushers =
            [("desk", desk), ("slow", full.0.clone())].into_iter().map(|(slug, inlet)| pusher(&config, slug, inlet));
        let pushers = pushers.collect();
        let board = SourceBoard::default();
        let services = Services {
            store,
            writer,
            indexer,
            keeper,
            gate,
            board,
            troubles: Default::default(),
            pushes: tokio::sync::Semaphore::new(earful::api::PUSHES_MAX),
            pushers,
            inlets: Vec::new(),
            config,
            stop: stop.clone(),
        };
        for server in runtime.block_on(api::start(Arc::new(services))).unwrap() {
            runtime.spawn(server);
        }
        Self { address, _directory: directory, _full: full, runtime, stop }
    }

    /// Sends a request, reads the answer to its end: `ok` and the body of a success, or the status and what is said.
    fn ask(&self, request: &[u8]) -> String {
        let _guard = self.runtime.enter();
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        // A server that has seen enough may hang up before all is sent.
        stream.write_all(request).ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or("no answer");
        let said = if status.starts_with('2') { "ok ".to_owned() + status } else { status.to_owned() };
        let retry = head.lines().find(|line| line.starts_with("retry-after")).unwrap_or_default();
        format!("{said} {retry} {body}")
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn config(directory: &Path) -> Config {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap().port();
    for (name, token) in [("token", API_TOKEN), ("desk", DESK_TOKEN), ("slow", SLOW_TOKEN)] {
        std::fs::write(directory.join(name), token).unwrap();
    }
    std::fs::create_dir(directory.join("projects")).unwrap();
    let text = format!(
        "data_dir = '.'\n[api]\nlisten = '127.0.0.1:{port}'\nbody_bytes_max = {BODY_BYTES_MAX}\nposts_max = 50\n\
         [store]\nblock_cache_mb = 8\nwrite_buffers_mb = 16\n\
         [source.desk]\nkind = 'push'\ntoken_file = 'desk'\nnetworks = ['crm']\n\
         [source.slow]\nkind = 'push'\ntoken_file = 'slow'\n"
    );
    Config::parse(&directory.join("earful.toml"), &text, &[]).unwrap()
}

fn pusher(config: &Config, slug: &str, inlet: Inlet) -> Pusher {
    let SourceSettings::Push(settings) = &config.sources[slug] else { panic!("a source of kind push") };
    Pusher::new(slug, settings, inlet).unwrap()
}

/// As much as may wait.
fn huge() -> Arrival {
    let body = vec![b' '; earful::inlet::INLET_BYTES_MAX];
    Arrival { source: "slow".into(), wire: Wire::Push, body, fetched_at: Timestamp::EPOCH, cursor: None }
}

fn request(line: &str, token: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: earful\r\nconnection: close\r\nauthorization: Bearer {token}\r\n\
         content-length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn push(headers: &str, body: &[u8]) -> Vec<u8> {
    request("POST /v1/posts", DESK_TOKEN, headers, body)
}

fn push_good() -> Vec<u8> {
    push("", b"{\"id\":\"1\",\"text\":\"tea\"}\n{\"id\":\"2\",\"op\":\"delete\"}\n")
}

/// The answer to one line.
fn one(line: &str) -> Vec<u8> {
    push("", line.as_bytes())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap()
}

const GZIP: &str = "content-encoding: gzip\r\n";
const ZSTD: &str = "content-encoding: zstd\r\n";
const JSON: &str = "content-type: application/json\r\n";

const PUSH: &[Row] = &[
    (
        "no token",
        || request("POST /v1/posts", "", "", b"{}"),
        "401  {\"status\":401,\"title\":\"send the token of a source",
    ),
    ("another token", || request("POST /v1/posts", API_TOKEN, "", b"{}"), "401"),
    ("a body over the bound", || push("", &b"{}\n".repeat(BODY_BYTES_MAX / 2)), "413"),
    (
        "a body just over the bound",
        || push("", &vec![b' '; BODY_BYTES_MAX + 1]),
        "413  {\"status\":413,\"title\":\"a request holds at most",
    ),
    (
        "a gzip bomb",
        || push(GZIP, &gzip(&vec![b' '; 256 << 20])),
        "413  {\"status\":413,\"title\":\"a request holds at most 1048576 bytes, also when inflated",
    ),
    ("a zstd bomb", || push(ZSTD, &zstd::encode_all(&vec![b' '; 256 << 20][..], 3).unwrap()), "413"),
    (
        "too many posts",
        || push("", &b"{}\n".repeat(51)),
        "413  {\"status\":413,\"title\":\"51 posts in one request; at most 50",
    ),
    ("gzip that is none", || push(GZIP, b"nonsense"), "400  {\"status\":400,\"title\":\"the body is not gzip"),
    (
        "gzip cut off",
        || push(GZIP, &gzip(&[b'x'; 1000])[..15]),
        "400  {\"status\":400,\"title\":\"the body is not gzip",
    ),
    ("zstd that is none", || push(ZSTD, b"nonsense"), "400  {\"status\":400,\"title\":\"the body is not zstd"),
    (
        "another encoding",
        || push("content-encoding: br\r\n", b"x"),
        "415  {\"status\":415,\"title\":\"content-encoding `br`",
    ),
    (
        "an array never closed",
        || push("", b"[{\"id\":\"1\"}"),
        "400  {\"status\":400,\"title\":\"the body is not a JSON array",
    ),
    ("an object that is said to be an array", || push(JSON, b"{\"id\":\"1\"}\n{}"), "400"),
    (
        "an array whose element is cut off",
        || push("", b"[{\"id\":\"1\",\n\"text\":\"x\"]"),
        "400  {\"status\":400,\"title\":\"the body is not a JSON array",
    ),
    ("a deep array", || push("", &b"[".repeat(100_000)), "400"),
    (
        "more than the turn can take",
        || request("POST /v1/posts", SLOW_TOKEN, "", b"{\"id\":\"1\",\"text\":\"x\"}"),
        "429 retry-after: 1",
    ),
    (
        "no JSON",
        || one("nonsense"),
        "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"syntax\"}],\"accepted\":0,\"rejected\":1}",
    ),
    (
        "no UTF-8",
        || push("", b"{\"id\":\"1\",\"text\":\"\xff\"}"),
        "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"not_utf8\"}]",
    ),
    (
        "an unknown key",
        || one("{\"id\":\"1\",\"txt\":\"x\"}"),
        "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"shape\"}]",
    ),
    ("no id", || one("{\"text\":\"x\"}"), "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"shape\"}]"),
    ("no text", || one("{\"id\":\"1\"}"), "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"empty\"}]"),
    (
        "another network",
        || one("{\"id\":\"1\",\"text\":\"x\",\"network\":\"web\"}"),
        "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"scope\"}]",
    ),
    (
        "an unknown operation",
        || one("{\"id\":\"1\",\"op\":\"x\"}"),
        "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"value\"}]",
    ),
    (
        "a deep line",
        || one(&"{\"a\":".repeat(100)),
        "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"too_deep\"}]",
    ),
    (
        "a line too long",
        || one(&format!("{{\"id\":\"1\",\"text\":\"{}\"}}", "x".repeat(300 << 10))),
        "ok 200  {\"results\":[{\"outcome\":\"rejected\",\"reason\":\"too_large\"}]",
    ),
    (
        "a bad line between good ones",
        || push("", b"{\"id\":\"8\",\"text\":\"x\"}\nx\n{\"id\":\"9\",\"text\":\"y\"}"),
        "ok 200  {\"results\":[{\"outcome\":\"created\"},{\"outcome\":\"rejected\",\"reason\":\"syntax\"},{\"outcome\":\"created\"}]",
    ),
];

fn ask(line: &str) -> Vec<u8> {
    request(line, API_TOKEN, "", b"")
}

fn rest_good() -> Vec<u8> {
    ask("GET /v1/mentions?query=tea&limit=5")
}

fn retry(body: &str) -> Vec<u8> {
    request("POST /v1/deliveries/retry", API_TOKEN, JSON, body.as_bytes())
}

fn put(body: &[u8]) -> Vec<u8> {
    request("PUT /v1/projects/brand", API_TOKEN, "", body)
}

const REST: &[Row] = &[
    ("no token", || request("GET /v1/projects", "", "", b""), "401  {\"status\":401,\"title\":\"send the API's token"),
    ("the token of a partner", || request("GET /v1/projects", DESK_TOKEN, "", b""), "401"),
    ("nothing there", || ask("GET /v1/nothing"), "404  {\"status\":404,\"title\":\"there is nothing at /v1/nothing"),
    ("another method", || ask("PATCH /v1/projects"), "405"),
    ("a backup from afar", || request("POST /v1/backup", API_TOKEN, JSON, b"{\"target\":\"/tmp/x\"}"), "404"),
    ("no HTTP", || b"HELO earful\r\n\r\n".to_vec(), "400"),
    (
        "a query never closed",
        || ask("GET /v1/mentions?query=(tea"),
        "422  {\"status\":422,\"title\":\"the query is not valid\",\"errors\":[\"0..1: ",
    ),
    ("a query of noise", || ask("GET /v1/mentions?query=%ff%00"), "422"),
    (
        "no limit",
        || ask("GET /v1/mentions?limit=0"),
        "400  {\"status\":400,\"title\":\"limit is 0; it is a number from 1 to 1000",
    ),
    ("a limit that is a word", || ask("GET /v1/mentions?limit=many"), "400"),
    ("an unknown parameter", || ask("GET /v1/mentions?querry=tea"), "400"),
    (
        "an unknown language",
        || ask("GET /v1/mentions?lang=tlh"),
        "400  {\"status\":400,\"title\":\"lang `tlh` is not known",
    ),
    (
        "no time",
        || ask("GET /v1/mentions?since=yesterday"),
        "400  {\"status\":400,\"title\":\"since: `yesterday` is not a time",
    ),
    (
        "no id of a mention",
        || ask("GET /v1/mentions/nonsense"),
        "400  {\"status\":400,\"title\":\"`nonsense` is no mention's id",
    ),
    ("a mention that is not there", || ask("GET /v1/mentions/pst_00000000000000000000000000"), "40"),
    (
        "a project that is not there",
        || ask("GET /v1/projects/none"),
        "404  {\"status\":404,\"title\":\"there is no project `none`",
    ),
    ("a project that is not there to delete", || ask("DELETE /v1/projects/none"), "404"),
    ("a project that is not valid", || put(b"query_language = 1\n[query.q]\ntext = '(tea'\n"), "brand.toml:3:9: "),
    ("a project of noise", || put(b"\xff\xfe"), "400"),
    ("a project over the bound", || put(&vec![b'#'; 9 << 20]), "413"),
    (
        "a project with a bad name",
        || request("PUT /v1/projects/Big%20Name", API_TOKEN, "", b"query_language = 1\n[query.q]\ntext = 'tea'\n"),
        "422",
    ),
    (
        "a project outside of its directory",
        || request("PUT /v1/projects/..%2F..%2Fx", API_TOKEN, "", b"query_language = 1\n[query.q]\ntext = 'tea'\n"),
        "422",
    ),
    (
        "a state of deliveries",
        || ask("GET /v1/deliveries?state=lost"),
        "400  {\"status\":400,\"title\":\"state is `pending` or `dead`, not `lost`",
    ),
    ("no id of a delivery", || ask("GET /v1/deliveries/nonsense"), "400"),
    ("a retry of everything", || retry("{}"), "400  {\"status\":400,\"title\":\"name what to retry"),
    ("a retry that is no JSON", || retry("{"), "400"),
    ("a retry with an unknown key", || retry("{\"endpont\":\"x\"}"), "422"),
    ("a retry at no time", || retry("{\"since\":\"soon\"}"), "400  {\"status\":400,\"title\":\"since: `soon`"),
    ("a test of an endpoint that is not there", || ask("POST /v1/endpoints/none/test"), "404"),
];

fn health() -> Vec<u8> {
    ask("GET /livez")
}

const GATED: &[Row] =
    &[("a push", || push_good(), "503 retry-after: 60 {\"status\":503,\"title\":\"the disk is nearly full")];
