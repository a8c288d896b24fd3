//! What people and disks leave in files: configurations, projects, queries, secrets, recordings, cursors, rows, stores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use earful::api::auth::Token;
use earful::config::Config;
use earful::fetch::Client;
use earful::fetch::guard::Guard;
use earful::inlet::Inlet;
use earful::model::{PostId, Timestamp};
use earful::projects::{Routes, check_set, read_directory};
use earful::query;
use earful::sinks::sign::{Secret, Signed, sign, verify};
use earful::sources::feeds::{FeedType, Feeds, FeedsSettings, Trouble};
use earful::sources::jetstream::{Jetstream, JetstreamSettings, WireVersion};
use earful::sources::recording::{Pace, Recording, RecordingSettings};
use earful::sources::{Ended, Source};
use earful::store::{Family, NearRow, Store, StoreSettings, decode, encode};
use earful::tables::FileError;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Group, Row};

/// 2026-11-22T05:04:37Z.
const NOW: i64 = 1_795_323_877_000;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

pub fn groups() -> Vec<Group<'static>> {
    vec![
        Group { place: "configuration", read: Box::new(configuration), good: config_good, rows: CONFIG },
        Group { place: "environment", read: Box::new(environment), good: environment_good, rows: ENVIRONMENT },
        Group { place: "project", read: Box::new(project), good: project_good, rows: PROJECT },
        Group { place: "query", read: Box::new(parse_query), good: query_good, rows: QUERY },
        Group { place: "token file", read: Box::new(token), good: token_good, rows: TOKEN },
        Group { place: "secret file", read: Box::new(secret), good: secret_good, rows: SECRETS },
        Group { place: "signature", read: Box::new(signature), good: signature_good, rows: SIGNATURE },
        Group { place: "recording", read: Box::new(recording), good: recording_good, rows: RECORDING },
        Group { place: "cursor of a stream", read: Box::new(stream_cursor), good: stream_cursor_good, rows: STREAM },
        Group { place: "cursor of a feed", read: Box::new(feed_cursor), good: Vec::new, rows: FEED },
        Group { place: "cursor of a recording", read: Box::new(recording_cursor), good: line_two, rows: CURSOR },
        Group { place: "row of the store", read: Box::new(row), good: row_good, rows: ROW },
        Group { place: "directory of the store", read: Box::new(open_store), good: store_good, rows: STORE },
    ]
}

fn told(errors: &[FileError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A file of these bytes in a directory of its own; `absent` makes none.
fn file(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    if bytes != b"absent" {
        std::fs::write(&path, bytes).unwrap();
    }
    (directory, path)
}

fn absent() -> Vec<u8> {
    b"absent".to_vec()
}

fn configuration(bytes: &[u8]) -> String {
    let (_directory, path) = file("earful.toml", bytes);
    // Read as `earful run` does, but for the environment, which is another group's.
    match std::fs::read_to_string(&path) {
        Err(_) => Config::read(&path).map_or_else(|errors| told(&errors), |_| "ok".to_owned()),
        Ok(text) => Config::parse(&path, &text, &[]).map_or_else(|errors| told(&errors), |_| "ok".to_owned()),
    }
}

fn config_good() -> Vec<u8> {
    b"[source.jet]\nkind = 'jetstream'\n[endpoint.out]\nkind = 'ndjson'\npath = '-'\n".to_vec()
}

const CONFIG: &[Row] = &[
    ("no file", absent, "earful.toml: No such file or directory (os error 2); `earful init` writes"),
    ("no UTF-8", || b"data_dir = '\xff'\n".to_vec(), "earful.toml: stream did not contain valid UTF-8"),
    (
        "a wrong key",
        || b"[api]\nlistn = '127.0.0.1:1'\n".to_vec(),
        "earful.toml:2:1: there is no key `listn`; did you mean `listen`?",
    ),
    ("two wrong keys", || b"datadir = 'x'\n[api]\nlistn = 1\n".to_vec(), "did you mean `data_dir`?"),
    (
        "a wrong table",
        || b"\n[apii]\nlisten = '127.0.0.1:1'\n".to_vec(),
        "earful.toml:2:2: there is no key `apii`; did you mean `api`?",
    ),
    ("a key twice", || b"[api]\nposts_max = 1\nposts_max = 2\n".to_vec(), "earful.toml:3:1: duplicate key"),
    ("a table never closed", || b"[api\n".to_vec(), "earful.toml:1"),
    ("a text never closed", || b"\ndata_dir = 'x\n".to_vec(), "earful.toml:2"),
    ("a text for a number", || b"[turn]\narrivals_max = 'many'\n".to_vec(), "earful.toml:2:16"),
    ("a number for a table", || b"api = 7\n".to_vec(), "earful.toml:1"),
    ("a number over 64 bits", || b"[turn]\narrivals_max = 99999999999999999999\n".to_vec(), "earful.toml:2"),
    ("a negative number", || b"[turn]\narrivals_max = -1\n".to_vec(), "earful.toml:2"),
    (
        "no arrivals",
        || b"[turn]\narrivals_max = 0\n".to_vec(),
        "earful.toml:2:1: turn.arrivals_max is 0; it is a number from 1 to 10000",
    ),
    (
        "too many bytes",
        || b"[turn]\nbytes_max = 99999999999\n".to_vec(),
        "turn.bytes_max is 99999999999; it is a number of bytes",
    ),
    ("a small heap", || b"[index]\nheap_mb = 1\n".to_vec(), "earful.toml:2:1: index.heap_mb is 1"),
    (
        "small buffers",
        || b"[store]\nwrite_buffers_mb = 1\n".to_vec(),
        "store.write_buffers_mb is 1; it is a number of mebibytes from 16",
    ),
    (
        "a share over all",
        || b"[disk]\nfree_min_percent = 99\n".to_vec(),
        "disk.free_min_percent is 99; it is a share from 0 to 90",
    ),
    (
        "red above yellow",
        || b"[disk]\nfree_red_mb = 9999\n".to_vec(),
        "earful.toml:2:1: disk.free_red_mb is 9999; it must not be above disk.free_min_mb, 2048",
    ),
    ("an open API", || b"[api]\nlisten = '0.0.0.0:7311'\n".to_vec(), "put a TLS proxy in front of it"),
    ("no address to listen on", || b"[api]\nlisten = 'localhost'\n".to_vec(), "earful.toml:2:10"),
    ("no network", || b"[egress]\nallow = ['10.0.0.0/99']\n".to_vec(), "egress.allow: `10.0.0.0/99` is no network"),
    (
        "no requests at all",
        || b"[delivery]\nin_flight_max = 0\n".to_vec(),
        "earful.toml:2:1: delivery.in_flight_max is 0; it is a number from 1 to 100000",
    ),
    ("a stop without end", || b"delivery.drain_s = 51\n".to_vec(), "earful.toml:1:10: delivery.drain_s is 51; it is a"),
    ("a body of no size", || b"api.body_bytes_max = 0\n".to_vec(), "api.body_bytes_max is 0; it is a number of bytes"),
    ("posts without bound", || b"[api]\nposts_max = 65536\n".to_vec(), "api.posts_max is 65536; it is a number from 1"),
    (
        "an age beyond all ages",
        || b"retention = { mentions_age_max_h = 876001 }\n".to_vec(),
        "earful.toml:1:15: retention.mentions_age_max_h is 876001; it is a number of hours from 0 to 876000",
    ),
    (
        "a ballast heavier than any disk",
        || b"[disk]\nballast_mb = 9223372036854775807\n".to_vec(),
        "disk.ballast_mb is 9223372036854775807; it is a number of mebibytes",
    ),
    ("a level that is none", || b"log.level = 'inof'\n".to_vec(), "there is no level `inof`; did you mean `info`?"),
    (
        "a level of a room that is none",
        || b"log.level = 'info,earful=lots'\n".to_vec(),
        "earful.toml:1:5: log.level is",
    ),
    (
        "a list of sources",
        || b"[[source]]\nkind = 'jetstream'\n".to_vec(),
        "earful.toml:1:1: [source.NAME] is a table; write [source.NAME]",
    ),
    (
        "a number for all sources",
        || b"\nsource = 7\n".to_vec(),
        "earful.toml:2:10: [source.NAME] is a table; write [source.NAME]",
    ),
    (
        "a text for a source",
        || b"[source]\nx = 'jetstream'\n".to_vec(),
        "earful.toml:2:5: [source.x] is a table; write [source.x]",
    ),
    (
        "a list of endpoints",
        || b"[[endpoint]]\nkind = 'ndjson'\n".to_vec(),
        "earful.toml:1:1: [endpoint.NAME] is a table; write [endpoint.NAME]",
    ),
    ("a number for an endpoint", || b"endpoint.a = 7\n".to_vec(), "[endpoint.a] is a table; write [endpoint.a]"),
    ("a number for a kind", || b"[source.a]\nkind = 7\n".to_vec(), "earful.toml:2:8: kind is a text, in quotes"),
    ("a source without a kind", || b"[source.a]\nurls = []\n".to_vec(), "[source.a] needs a kind"),
    ("an unknown kind of source", || b"[source.a]\nkind = 'jetsteam'\n".to_vec(), "did you mean `jetstream`?"),
    ("an unknown kind of endpoint", || b"[endpoint.a]\nkind = 'pigeon'\n".to_vec(), "known are webhook, nats, ndjson"),
    (
        "a source with a bad name",
        || b"[source.'Big Name']\nkind = 'push'\n".to_vec(),
        "lower-case letters, digits, hyphens",
    ),
    (
        "a wrong key of a source",
        || b"[source.a]\nkind = 'feeds'\nurl = ['https://a.example/']\n".to_vec(),
        "earful.toml:3:1: there is no key `url`; did you mean `urls`?",
    ),
    ("a partner without a token", || b"[source.a]\nkind = 'push'\n".to_vec(), "missing field `token_file`"),
    ("feeds without feeds", || b"[source.a]\nkind = 'feeds'\n".to_vec(), "[source.a]: no feeds"),
    (
        "a feed that is no address",
        || b"[source.a]\nkind = 'feeds'\nurls = ['ftp://a']\n".to_vec(),
        "`ftp://a` is no http",
    ),
    (
        "a hurry",
        || b"[source.a]\nkind = 'feeds'\nurls = ['https://a.example/']\npoll_interval_s = 1\n".to_vec(),
        "below 60 is only for",
    ),
    (
        "a stream over http",
        || b"[source.a]\nkind = 'jetstream'\nhosts = ['https://a.example']\n".to_vec(),
        "does not begin with ws://",
    ),
    (
        "a recording at no pace",
        || b"[source.a]\nkind = 'recording'\nfile = 'x'\nfactor = 0.0\n".to_vec(),
        "earful.toml:4:1: [source.a]: factor is 0; it is a number from 0.001",
    ),
    (
        "a key of one source under another's name",
        || {
            b"[source.b]\nkind = 'feeds'\nurls = ['https://b.example/']\npoll_interval_s = 900\n[source.a] # ours\n\
              kind = 'feeds'\nurls = ['https://a.example/']\npoll_interval_s = 0\n"
                .to_vec()
        },
        "earful.toml:8:1: [source.a]: poll_interval_s is 0; it is a number from 1",
    ),
    (
        "a partner that speaks for a stream",
        || b"[source.a]\nkind = 'push'\ntoken_file = 't'\nnetworks = ['crm', 'bluesky']\n".to_vec(),
        "earful.toml:4:1: [source.a]: networks: `bluesky` cannot be pushed to: it is that of Bluesky's stream",
    ),
    (
        "a partner that speaks for feeds",
        || b"[source.a]\nkind = 'push'\ntoken_file = 't'\nnetworks = ['web']\n".to_vec(),
        "networks: `web` cannot be pushed to: it is that of feeds",
    ),
    (
        "a partner that speaks for another",
        || b"[source.a]\nkind = 'push'\ntoken_file = 't'\nnetworks = ['push:b']\n".to_vec(),
        "networks: `push:b` cannot be pushed to: only `push:a` is this source's own",
    ),
    (
        "a webhook over ftp",
        || b"[endpoint.a]\nkind = 'webhook'\nurl = 'ftp://a'\nsecret_files = ['s']\n".to_vec(),
        "[endpoint.a]: url",
    ),
    (
        "a webhook without secrets",
        || b"[endpoint.a]\nkind = 'webhook'\nurl = 'https://a.example/'\nsecret_files = []\n".to_vec(),
        "[endpoint.a]: secret_files",
    ),
    (
        "a wait of no time",
        || {
            b"[endpoint.a]\nkind = 'webhook'\nurl = 'https://a.example/'\nsecret_files = ['s']\ntimeout_s = 0\n"
                .to_vec()
        },
        "timeout_s is 0",
    ),
    ("a NUL", || b"data_dir = \"a\0\"\n".to_vec(), "earful.toml:1"),
    ("deep", || format!("a = {}", "[".repeat(100_000)).into(), "earful.toml:1"),
];

/// `NAME=value` of the environment over an empty file.
fn environment(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (name, value) = text.split_once('=').unwrap();
    let variables = [(name.to_owned(), value.to_owned())];
    match Config::parse(Path::new("earful.toml"), "", &variables) {
        Ok(config) => format!("ok {}", config.base.data_dir.display()),
        Err(errors) => told(&errors),
    }
}

fn environment_good() -> Vec<u8> {
    b"EARFUL_DATA_DIR=/srv/earful".to_vec()
}

const ENVIRONMENT: &[Row] = &[
    (
        "an unknown key",
        || b"EARFUL_API__LISTN=x".to_vec(),
        "EARFUL_API__LISTN: there is no key `listn`; did you mean `listen`?",
    ),
    ("an unknown table", || b"EARFUL_TOKEN=x".to_vec(), "EARFUL_TOKEN: there is no key `token`; known are data_dir"),
    ("a key inside a text", || b"EARFUL_DATA_DIR__X=1".to_vec(), "EARFUL_DATA_DIR__X: invalid type"),
    ("a wrong type", || b"EARFUL_TURN__ARRIVALS_MAX=many".to_vec(), "EARFUL_TURN__ARRIVALS_MAX: invalid type"),
    ("out of range", || b"EARFUL_TURN__ARRIVALS_MAX=0".to_vec(), "EARFUL_TURN__ARRIVALS_MAX: turn.arrivals_max is 0"),
    ("a source that is none", || b"EARFUL_SOURCE=7".to_vec(), "EARFUL_SOURCE: [source.NAME] is a table"),
    ("a source without a kind", || b"EARFUL_SOURCE__A__URLS=[]".to_vec(), "EARFUL_SOURCE__A__URLS: [source.a] needs a"),
];

fn project(bytes: &[u8]) -> String {
    let (directory, _) = match bytes.strip_prefix(b"name:") {
        Some(name) => file(&String::from_utf8_lossy(name), &project_good()),
        None => file("brand.toml", bytes),
    };
    let routes =
        Routes { endpoints: ["hook".to_owned()].into(), sources: ["jet".to_owned(), "blogs".to_owned()].into() };
    match read_directory(directory.path()).and_then(|texts| check_set(directory.path(), texts, &routes)) {
        Ok(set) => format!("ok {} rules", set.rules.len()),
        Err(errors) => told(&errors),
    }
}

const PROJECT_TEXT: &str = "query_language = 1\nendpoints = ['hook']\n[query.main]\ntext = 'tea'\n";

fn project_good() -> Vec<u8> {
    PROJECT_TEXT.into()
}

/// The good project with a line more, or another in place of one.
fn changed(from: &str, to: &str) -> Vec<u8> {
    assert!(PROJECT_TEXT.contains(from));
    PROJECT_TEXT.replacen(from, to, 1).into()
}

const PROJECT: &[Row] = &[
    ("no UTF-8", || b"query_language = 1 # \xff".to_vec(), "brand.toml: stream did not contain valid UTF-8"),
    (
        "huge",
        || changed("[query", &format!("# {}\n[query", "x".repeat(5 << 20))),
        "brand.toml: a project file holds at most 4194304 bytes",
    ),
    ("nothing", Vec::new, "brand.toml: missing field `query_language`"),
    ("a bad name", || b"name:Big Brand.toml".to_vec(), "Big Brand.toml: a project's file name has 1 to 64 lower-case"),
    (
        "a wrong key",
        || changed("endpoints", "endpoint"),
        "brand.toml:2:1: there is no key `endpoint`; did you mean `endpoints`?",
    ),
    (
        "a wrong key of a query",
        || changed("text = 'tea'", "text = 'tea'\nmust_mach = []"),
        "brand.toml:5:1: there is no key `must_mach`; did you mean `must_match`?",
    ),
    ("a wrong type", || changed("['hook']", "'hook'"), "brand.toml:2"),
    ("a key twice", || changed("endpoints", "query_language = 1\nendpoints"), "brand.toml:2:1: duplicate key"),
    (
        "a query language of tomorrow",
        || changed("= 1", "= 2"),
        "brand.toml:1:1: query_language is 2; this program knows version 1",
    ),
    (
        "no such zone",
        || changed("endpoints", "time_zone = 'Europe/Nowhere'\nendpoints"),
        "brand.toml:2:1: time_zone: there is no zone `Europe/Nowhere`",
    ),
    (
        "no such language",
        || changed("endpoints", "languages = ['tlh']\nendpoints"),
        "brand.toml:2:1: languages: `tlh` is not one of",
    ),
    (
        "no such endpoint",
        || changed("hook", "hok"),
        "brand.toml:2:1: endpoints: there is no `hok`; did you mean `hook`?",
    ),
    (
        "no such source",
        || changed("endpoints", "sources = ['x']\nendpoints"),
        "brand.toml:2:1: sources: there is no `x`; the configuration has blogs, jet",
    ),
    ("no query", || changed("[query.main]\ntext = 'tea'\n", "[query]\n"), "a project needs at least one query"),
    ("a query with a bad name", || changed("query.main", "query.'Big Name'"), "a query's name has 1 to 64 lower-case"),
    ("a query never closed", || changed("'tea'", "'tea OR (coffee'"), "brand.toml:4:16: "),
    ("a query of many lines", || changed("'tea'", "'''\ntea OR\n  \"open\n'''"), "brand.toml:6:3: "),
    (
        "an example that does not match",
        || changed("text = 'tea'", "text = 'tea'\nmust_match = ['coffee']"),
        "brand.toml:5:15: query `main`: the example “coffee” must match and does not",
    ),
    (
        "an example that matches",
        || changed("text = 'tea'", "text = 'tea'\nmust_not_match = [\n  'Tea!'\n]"),
        "brand.toml:6:3: query `main`: the example “Tea!” must not match and does",
    ),
    (
        "an example in no language",
        || changed("text = 'tea'", "text = 'tea'\nmust_match = [{ text = 'tea', lang = 'tlh' }]"),
        "brand.toml:5:15: lang: `tlh`",
    ),
];

fn parse_query(bytes: &[u8]) -> String {
    match query::parse(&String::from_utf8_lossy(bytes)) {
        Ok(_) => "ok".to_owned(),
        Err(mistakes) => mistakes.iter().map(|mistake| format!("{} {:?}; ", mistake.code, mistake.span)).collect(),
    }
}

fn query_good() -> Vec<u8> {
    "tea OR \"green tea\" NOT (lang:cs #ad)".into()
}

const QUERY: &[Row] = &[
    ("nothing", Vec::new, "empty 0..0"),
    ("blanks", || b" \n ".to_vec(), "empty"),
    ("too long", || b"tea ".repeat(20_000), "too_long"),
    ("too deep", || format!("{}tea{}", "(".repeat(100), ")".repeat(100)).into(), "too_deep"),
    ("ten thousand parentheses", || b"(".repeat(10_000), "too_deep"),
    ("a parenthesis never closed", || b"tea OR (coffee".to_vec(), "unbalanced_parenthesis 7..8"),
    ("a parenthesis never opened", || b"tea)".to_vec(), "unbalanced_parenthesis 3..4"),
    ("a quote never closed", || "žluť \"tea".into(), "unbalanced_quote 7..11"),
    ("a brace never closed", || b"{tea".to_vec(), "unbalanced_brace"),
    ("an empty group", || b"tea ()".to_vec(), "empty_group"),
    ("an empty quote", || b"tea \"\"".to_vec(), "empty_quote"),
    ("no term behind OR", || b"tea OR".to_vec(), "missing_term"),
    ("no value", || b"tea lang:".to_vec(), "missing_value"),
    ("an unknown language", || b"tea lang:klingon".to_vec(), "unknown_language"),
    ("an unknown field", || b"tea autor:ann".to_vec(), "unknown_field"),
    ("what is not built", || b"tea tag:green".to_vec(), "not_built"),
    ("a short wildcard", || b"t*".to_vec(), "wildcard_too_short"),
    ("only NOT", || b"NOT tea".to_vec(), "no_anchor"),
    ("a NUL", || b"tea \0".to_vec(), "stray_character"),
];

fn token(bytes: &[u8]) -> String {
    let (_directory, path) = file("token", bytes);
    Token::read(&path).map_or_else(|said| said, |_| "ok".to_owned())
}

fn token_good() -> Vec<u8> {
    b"eft_0123456789abcdefghij0123456789ab\n".to_vec()
}

const TOKEN: &[Row] = &[
    (
        "no file",
        absent,
        "token cannot be read: No such file or directory (os error 2); it holds one line of 16 or more letters",
    ),
    ("nothing", Vec::new, "is shorter than 16 characters"),
    ("short", || b"eft_short\n".to_vec(), "is shorter than 16 characters"),
    ("blanks", || vec![b' '; 100], "is shorter than 16 characters"),
    ("no UTF-8", || vec![0xff; 40], "token cannot be read"),
    ("what no header can carry", || "žluťoučký kůň pěl ódy".into(), "token holds"),
    ("two lines", || b"eft_0123456789abcdef\neft_0123456789abcdef\n".to_vec(), "token holds"),
];

fn secret(bytes: &[u8]) -> String {
    let (_directory, path) = file("secret", bytes);
    let said = Secret::read(&path).map_or_else(|said| said, |_| "ok".to_owned());
    let shown = String::from_utf8_lossy(bytes);
    assert!(bytes.len() < 12 || !said.contains(&*shown), "a secret is told: {said}");
    said
}

fn secret_good() -> Vec<u8> {
    format!("{SECRET}\n").into()
}

const SECRETS: &[Row] = &[
    ("no file", absent, "secret: No such file or directory"),
    ("nothing", Vec::new, "a secret starts with whsec_; write the endpoint's secret into it"),
    ("no prefix", || b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_vec(), "a secret starts with whsec_"),
    ("another alphabet", || b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL!Sw".to_vec(), "is not base64"),
    ("of URLs", || b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaL-_w".to_vec(), "is not base64"),
    ("short", || b"whsec_MfKQ".to_vec(), "base64 of 24 to 64 bytes, this is 3"),
    ("long", || format!("whsec_{}", "MfKQ".repeat(50)).into(), "base64 of 24 to 64 bytes, this is 150"),
    ("longer than is read", || format!("whsec_{}", "MfKQ".repeat(5_000)).into(), "secret:"),
    ("no UTF-8", || b"whsec_\xff".to_vec(), "secret: stream did not contain valid UTF-8"),
];

/// The first line is the signature, with `{right}` for the right one; the second the timestamp, from now in seconds.
fn signature(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let (given, skew) = text.split_once('\n').unwrap();
    let secrets = [Secret::parse(SECRET).unwrap()];
    let timestamp = (NOW / 1000).saturating_add(skew.parse::<i64>().unwrap());
    let signed = Signed { id: "dlv_1", timestamp, body: b"{}" };
    let right = sign(&secrets, signed.id, timestamp, signed.body);
    let given = given.replace("{right}", &right).replace("{bare}", &right[3..]);
    verify(&secrets, &signed, &given, Timestamp::from_millis(NOW))
        .map_or_else(|said| said.to_string(), |()| "ok".to_owned())
}

fn signature_good() -> Vec<u8> {
    b"v1,AAAA {right}\n0".to_vec()
}

const SIGNATURE: &[Row] = &[
    ("nothing", || b"\n0".to_vec(), "no signature fits any secret"),
    ("of another", || b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=\n0".to_vec(), "no signature fits any secret"),
    ("of another version", || b"v2,{bare}\n0".to_vec(), "no signature fits any secret"),
    ("cut", || b"v1,g0hM9Ss\n0".to_vec(), "no signature fits any secret"),
    ("no base64", || b"v1,****\n0".to_vec(), "no signature fits any secret"),
    (
        "behind sixteen others",
        || format!("{}{{right}}\n0", "v1,AAAA ".repeat(16)).into(),
        "no signature fits any secret",
    ),
    ("old", || b"{right}\n-301".to_vec(), "more than five minutes off"),
    ("from a clock ahead", || b"{right}\n301".to_vec(), "more than five minutes off"),
    ("from the end of time", || b"{right}\n9223372036854775807".to_vec(), "more than five minutes off"),
    ("from its beginning", || b"{right}\n-9223372036854775808".to_vec(), "more than five minutes off"),
];

/// Runs a source on one stored cursor. One that is told to stop at once says only whether it can read it.
fn ended(source: &mut impl Source, part: &str, cursor: Option<&[u8]>, stop: &CancellationToken) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (inlet, _inbox) = Inlet::new(Arc::new(Notify::new()));
    let cursor = cursor.map(|value| earful::model::Cursor { part: part.to_owned(), value: value.to_vec() });
    match runtime.block_on(source.run(cursor.into_iter().collect(), &inlet, stop)) {
        Ended::Finished | Ended::Stopped => "ok".to_owned(),
        Ended::Fatal { cause } | Ended::Retry { cause, .. } => cause,
    }
}

fn stopped() -> CancellationToken {
    let stop = CancellationToken::new();
    stop.cancel();
    stop
}

fn play(name: &str, bytes: &[u8], cursor: Option<&[u8]>) -> String {
    let (_directory, path) = file(name, bytes);
    let settings = RecordingSettings { file: path, pace: Pace::Fast, factor: 1.0 };
    ended(&mut Recording::new("played".into(), settings), "", cursor, &CancellationToken::new())
}

fn recording(bytes: &[u8]) -> String {
    // What begins as zstd does is a packed recording.
    let name = if bytes.starts_with(b"packed:") { "played.ndjson.zst" } else { "played.ndjson" };
    play(name, bytes.strip_prefix(b"packed:").unwrap_or(bytes), None)
}

fn recording_good() -> Vec<u8> {
    b"{\"at_ms\":0,\"wire\":\"push\",\"body\":\"x\"}\n".to_vec()
}

/// A good line, then another.
fn second(line: &str) -> Vec<u8> {
    [recording_good(), line.as_bytes().to_vec()].concat()
}

const RECORDING: &[Row] = &[
    ("no file", absent, "played.ndjson: No such file"),
    ("no JSON", || second("nonsense"), "played.ndjson:2: expected"),
    ("cut off", || second("{\"at_ms\":0,\"wire\":\"push\""), "played.ndjson:2: EOF"),
    (
        "an unknown wire",
        || second("{\"at_ms\":0,\"wire\":\"pigeon\",\"body\":{}}"),
        "played.ndjson:2: unknown variant `pigeon`",
    ),
    (
        "an unknown key",
        || second("{\"at_ms\":0,\"wire\":\"push\",\"boddy\":{}}"),
        "played.ndjson:2: unknown field `boddy`",
    ),
    ("no body", || second("\n\n{\"at_ms\":0,\"wire\":\"push\"}"), "played.ndjson:4: a line has `body`"),
    (
        "two bodies",
        || second("{\"at_ms\":0,\"wire\":\"push\",\"body\":{},\"body_base64\":\"\"}"),
        "played.ndjson:2: a line has `body`",
    ),
    ("no base64", || second("{\"at_ms\":0,\"wire\":\"push\",\"body_base64\":\"*\"}"), "played.ndjson:2: body_base64"),
    (
        "a time before the start",
        || second("{\"at_ms\":-1,\"wire\":\"push\",\"body\":{}}"),
        "played.ndjson:2: invalid value",
    ),
    ("not packed", || [b"packed:".to_vec(), recording_good()].concat(), "played.ndjson.zst:1: "),
    (
        "packed and cut off",
        || [b"packed:", &zstd::encode_all(&recording_good()[..], 3).unwrap()[..20]].concat(),
        "played.ndjson.zst:",
    ),
];

fn stream_cursor(bytes: &[u8]) -> String {
    let settings = JetstreamSettings {
        hosts: vec!["ws://127.0.0.1:9".to_owned()],
        wire: WireVersion::V1,
        collections: Vec::new(),
        dids: Vec::new(),
        compress: false,
        dead_after_s: 1,
        rewind_s: 1,
        frame_bytes_max: 4096,
    };
    ended(&mut Jetstream::new("stream".into(), settings), "", Some(bytes), &stopped())
}

fn stream_cursor_good() -> Vec<u8> {
    br#"{"v":1,"wire":"jetstream_v2","host":"wss://a.example","cursor":42,"time_us":1795165200112407}"#.to_vec()
}

const STREAM: &[Row] = &[
    ("nothing", Vec::new, "the stored cursor is unreadable"),
    ("a number", || b"17".to_vec(), "the stored cursor is unreadable"),
    ("cut off", || stream_cursor_good()[..40].to_vec(), "the stored cursor is unreadable"),
    (
        "of tomorrow",
        || br#"{"v":2,"wire":"jetstream_v2","host":"a","cursor":1,"time_us":1}"#.to_vec(),
        "has format 2; this version reads up to 1",
    ),
    (
        "of no wire",
        || br#"{"v":1,"wire":"pigeon","host":"a","cursor":1,"time_us":1}"#.to_vec(),
        "the stored cursor is unreadable",
    ),
    (
        "negative",
        || br#"{"v":1,"wire":"jetstream","host":"a","cursor":-1,"time_us":1}"#.to_vec(),
        "the stored cursor is unreadable",
    ),
];

fn feed_cursor(bytes: &[u8]) -> String {
    let settings = FeedsSettings {
        urls: vec!["http://127.0.0.1:9/feed".to_owned()],
        opml: None,
        poll_interval_s: 900,
        first_poll_age_max_h: 24,
        look_gap_s: 600,
        concurrency: 1,
        body_bytes_max: 1 << 20,
        source_type: FeedType::Blog,
    };
    let client = Client::new("", Guard::new(Vec::new())).unwrap();
    let mut feeds = Feeds::new("blogs".into(), settings, client, &Trouble::default()).unwrap();
    // The good one is a feed that was never seen.
    let cursor = (!bytes.is_empty()).then_some(bytes);
    ended(&mut feeds, "http://127.0.0.1:9/feed", cursor, &stopped())
}

const FEED: &[Row] = &[
    ("of tomorrow", || vec![2, 0, 0], "the cursor of http://127.0.0.1:9/feed: "),
    ("cut off", || vec![1, 4, b'h'], "the cursor of http://127.0.0.1:9/feed: "),
    ("of noise", || vec![1; 300], "the cursor of http://127.0.0.1:9/feed: "),
];

fn recording_cursor(bytes: &[u8]) -> String {
    play("played.ndjson", &recording_good(), Some(bytes))
}

fn line_two() -> Vec<u8> {
    b"2".to_vec()
}

const CURSOR: &[Row] = &[
    ("nothing", Vec::new, "the stored cursor is no line number"),
    ("a word", || b"two".to_vec(), "the stored cursor is no line number: two"),
    ("negative", || b"-2".to_vec(), "the stored cursor is no line number"),
    ("over 64 bits", || b"99999999999999999999999".to_vec(), "the stored cursor is no line number"),
    ("no UTF-8", || vec![0xff], "the stored cursor is no line number"),
];

fn row(bytes: &[u8]) -> String {
    decode::<NearRow>(bytes).map_or_else(|said| said.to_string(), |row| format!("ok {}", row.size))
}

fn row_good() -> Vec<u8> {
    encode(&NearRow { first: PostId::of("web", "x"), first_at: Timestamp::from_millis(NOW), size: 300 })
}

const ROW: &[Row] = &[
    ("nothing", Vec::new, "a row is empty"),
    ("of tomorrow", || [&[2], &row_good()[1..]].concat(), "a row has version 2, this program reads version 1"),
    ("of before", || [&[0], &row_good()[1..]].concat(), "a row has version 0"),
    ("cut off", || row_good()[..20].to_vec(), "a row is damaged"),
    ("only its version", || vec![1], "a row is damaged"),
    ("left over", || [row_good(), vec![0]].concat(), "a row is damaged: 1 bytes are left over"),
    ("a number too long", || [&row_good()[..17], &[0xff; 12]].concat(), "a row is damaged"),
];

const SETTINGS: StoreSettings = StoreSettings { block_cache_mb: 8, write_buffers_mb: 16 };

fn store_good() -> Vec<u8> {
    b"untouched".to_vec()
}

/// Makes a store, does to it what the bytes name, and opens it.
fn open_store(bytes: &[u8]) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let what = String::from_utf8_lossy(bytes).into_owned();
    let made = Store::open(&path, &SETTINGS).unwrap();
    let _held = (what == "in use").then(|| made.clone());
    drop(made);
    harm(&path, &what);
    match Store::open(&path, &SETTINGS) {
        Ok(_) => "ok".to_owned(),
        Err(said) => {
            let said = said.to_string();
            assert!(said.contains(&*path.to_string_lossy()), "the path is missing in: {said}");
            said
        }
    }
}

fn harm(path: &Path, what: &str) {
    let entries = || std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let manifest = || entries().find(|file| file.to_string_lossy().contains("MANIFEST")).unwrap();
    match what {
        "format of tomorrow" => put_format(path, &99_u32.to_be_bytes()),
        "format of noise" => put_format(path, b"noise"),
        "pointer of noise" => std::fs::write(path.join("CURRENT"), "nonsense\n").unwrap(),
        "manifest of noise" => std::fs::write(manifest(), [0xa5; 4096]).unwrap(),
        "manifest gone" => std::fs::remove_file(manifest()).unwrap(),
        "a file" => {
            std::fs::remove_dir_all(path).unwrap();
            std::fs::write(path, "no directory").unwrap();
        }
        _ => {}
    }
}

fn put_format(path: &Path, format: &[u8]) {
    let options = rocksdb::Options::default();
    let names = Family::ALL.map(Family::name);
    let db = rocksdb::DB::open_cf(&options, path, names).unwrap();
    db.put_cf(db.cf_handle(Family::Meta.name()).unwrap(), b"format", format).unwrap();
}

const STORE: &[Row] = &[
    (
        "in use",
        || b"in use".to_vec(),
        "is in use: another earful runs on this data directory; stop it, or choose another",
    ),
    (
        "a format of tomorrow",
        || b"format of tomorrow".to_vec(),
        "has format 99, this program reads 2; run the program that wrote it, or restore",
    ),
    ("a format of noise", || b"format of noise".to_vec(), "has format unknown, this program reads 2"),
    ("a pointer of noise", || b"pointer of noise".to_vec(), "is damaged: "),
    ("a manifest of noise", || b"manifest of noise".to_vec(), "restore a backup into another `data_dir`"),
    ("a manifest that is gone", || b"manifest gone".to_vec(), "restore a backup into another `data_dir`"),
    ("a file for a directory", || b"a file".to_vec(), "cannot be opened: "),
];
