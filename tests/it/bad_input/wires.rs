//! What strangers send: events of a stream, documents of feeds, answers over HTTP, pushed lines.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use earful::extract::{charset, feed};
use earful::fetch::guard::Guard;
use earful::fetch::{Client, Request};
use earful::model::{PostEvent, Timestamp, Wire};
use earful::normalize::{self, push};
use flate2::Compression;
use flate2::write::GzEncoder;
use url::Url;

use super::{Group, Row};

/// 2026-11-22T05:04:37Z.
const NOW: i64 = 1_795_323_877_000;
const BODY_BYTES_MAX: usize = 4 << 20;

pub fn groups() -> Vec<Group<'static>> {
    vec![
        Group {
            place: "jetstream v1",
            read: Box::new(|bytes| arrive(bytes, Wire::Jetstream)),
            good: v1_good,
            rows: V1,
        },
        Group {
            place: "jetstream v2",
            read: Box::new(|bytes| arrive(bytes, Wire::JetstreamV2)),
            good: v2_good,
            rows: V2,
        },
        Group { place: "feed body", read: Box::new(|bytes| arrive(bytes, Wire::Feed)), good: body_good, rows: BODY },
        Group { place: "notice", read: Box::new(|bytes| arrive(bytes, Wire::Notice)), good: notice_good, rows: NOTICE },
        Group { place: "pushed line", read: Box::new(push_line), good: line_good, rows: LINE },
        Group { place: "feed document", read: Box::new(read_document), good: document_good, rows: DOCUMENT },
        Group { place: "answer over HTTP", read: fetcher(), good: answer_good, rows: ANSWER },
    ]
}

/// What an arrival's only event comes to.
fn arrive(bytes: &[u8], wire: Wire) -> String {
    let events = normalize::events(bytes.to_vec(), wire, &"source".into(), Timestamp::from_millis(NOW));
    match events.map(|mut events| events.pop()) {
        Ok(Some(Ok(PostEvent::Upsert { post, .. }))) => {
            let published = post.published_at.map(|time| time.to_string()).unwrap_or_default();
            let named = (post.links.len(), post.hashtags.len(), post.langs.len());
            format!("ok named {named:?} published `{published}` cut {} text {:?}", post.truncated, post.text)
        }
        Ok(Some(Ok(_))) => "ok no post".to_owned(),
        Ok(Some(Err(reason))) | Err(reason) => reason.reason().to_owned(),
        Ok(None) => "ok nothing".to_owned(),
    }
}

fn push_line(bytes: &[u8]) -> String {
    let scope = push::PushScope { token: "desk".to_owned(), networks: vec!["crm".to_owned()] };
    arrive(&push::encode(&scope, [bytes]), Wire::Push)
}

/// An event of the first wire: its fields, the commit's, and the record.
fn v1(head: &str, commit: &str, record: &str) -> Vec<u8> {
    format!(r#"{{{head},"kind":"commit","commit":{{{commit},"record":{record}}}}}"#).into_bytes()
}

const HEAD: &str = r#""did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","time_us":1795323877495826"#;
const COMMIT: &str =
    r#""rev":"3n2utl6g5ik26","operation":"create","collection":"app.bsky.feed.post","rkey":"3n2utl6fnuk26""#;
const RECORD: &str = r#"{"text":"tea","createdAt":"2026-11-22T05:04:36.900Z"}"#;

fn v1_good() -> Vec<u8> {
    v1(HEAD, COMMIT, RECORD)
}

fn record(record: &str) -> Vec<u8> {
    v1(HEAD, COMMIT, record)
}

fn commit(from: &str, to: &str) -> Vec<u8> {
    v1(HEAD, &COMMIT.replace(from, to), RECORD)
}

fn account(time: &str, account: &str) -> Vec<u8> {
    format!(r#"{{"did":"did:plc:aaaaaaaaaaaaaaaaaaaaaaaa","time_us":{time},"kind":"account","account":{account}}}"#)
        .into()
}

fn facets(facet: &str) -> Vec<u8> {
    record(&format!(r#"{{"text":"té","facets":[{facet}]}}"#))
}

fn nested(depth: usize) -> Vec<u8> {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into()
}

const V1: &[Row] = &[
    ("nothing", Vec::new, "syntax"),
    ("cut off", || v1_good()[..120].to_vec(), "syntax"),
    ("a page", || b"<!doctype html><p>hi".to_vec(), "syntax"),
    ("a list", || b"[]".to_vec(), "shape"),
    ("a number", || b"17".to_vec(), "shape"),
    ("two events", || v1_good().repeat(2), "syntax"),
    ("over a mebibyte", || record(&format!(r#"{{"text":"{}"}}"#, "x".repeat(1 << 20))), "too_large"),
    ("deep", || record(&format!("{{\"a\":{}}}", String::from_utf8(nested(70)).unwrap_or_default())), "too_deep"),
    ("deep and never closed", || vec![b'['; 1 << 20], "too_deep"),
    ("did is a number", || v1(r#""did":7,"time_us":1"#, COMMIT, RECORD), "shape"),
    ("no did", || v1(r#""time_us":1"#, COMMIT, RECORD), "no_id"),
    ("did with a slash", || v1(r#""did":"did:plc:a/b/cccccc","time_us":1"#, COMMIT, RECORD), "no_id"),
    ("text is a list", || record(r#"{"text":["tea"]}"#), "shape"),
    ("no UTF-8 in the text", || [&v1_good()[..250], b"\xff\xfe", &v1_good()[250..]].concat(), "not_utf8"),
    ("a lone surrogate", || record(r#"{"text":"tea \ud800"}"#), "syntax"),
    ("surrogates in the wrong order", || record(r#"{"text":"tea \udc00\ud800"}"#), "syntax"),
    ("a NUL byte in the text", || record("{\"text\":\"tea \0\"}"), "syntax"),
    ("an escaped NUL in the text", || record(r#"{"text":"tea \u0000"}"#), "ok"),
    ("rev too short", || commit("3n2utl6g5ik26", "3n2utl6g5ik2"), "value"),
    ("rev of other letters", || commit("3n2utl6g5ik26", "1n2utl6g5ik26"), "value"),
    ("rev over 63 bits", || commit("3n2utl6g5ik26", "zzzzzzzzzzzzz"), "value"),
    ("no rev", || commit("\"rev\":\"3n2utl6g5ik26\",", ""), "shape"),
    ("rkey that climbs", || commit("3n2utl6fnuk26", "../../other"), "no_id"),
    ("rkey of two dots", || commit("3n2utl6fnuk26", ".."), "no_id"),
    ("an unknown operation", || commit("create", "merge"), "value"),
    ("a like", || commit("app.bsky.feed.post", "app.bsky.feed.like"), "irrelevant"),
    ("no record", || v1(HEAD, COMMIT, "null"), "shape"),
    ("no text", || record(r#"{"text":" \n "}"#), "empty"),
    ("reply without uri", || record(r#"{"text":"x","reply":{"root":{},"parent":{}}}"#), "shape"),
    ("a facet that ends before it starts", || facets(r#"{"index":{"byteStart":9,"byteEnd":2},"features":[]}"#), "ok"),
    ("a facet inside a character", || facets(INSIDE), "ok named (0, 0, 0)"),
    ("a facet far outside", || facets(OUTSIDE), "ok named (0, 0, 0)"),
    ("a facet of other types", || facets(r#"7,{"index":"x","features":{}},null"#), "ok named (0, 0, 0)"),
    ("ten thousand facets", || facets(&[TAG; 10_000].join(",")[..900_000.min(TAG.len() * 10_000)]), "syntax"),
    ("a thousand languages", || record(&format!(r#"{{"text":"x","langs":[{}"cs"]}}"#, "\"en\",".repeat(1000))), "ok"),
    ("a date that is none", || record(r#"{"text":"x","createdAt":"yesterday"}"#), "ok named (0, 0, 0) published ``"),
    (
        "the year 9999",
        || record(r#"{"text":"x","createdAt":"9999-01-01T00:00:00Z"}"#),
        "ok named (0, 0, 0) published `2026-11-22",
    ),
    ("the year 99999", || record(r#"{"text":"x","createdAt":"+99999-01-01T00:00:00Z"}"#), "ok"),
    (
        "a long text",
        || record(&format!(r#"{{"text":"{}"}}"#, "é".repeat(40_000))),
        "ok named (0, 0, 0) published `` cut true",
    ),
    ("account of a negative time", || account("-1", r#"{"active":false}"#), "shape"),
    ("account of a time out of range", || account("18446744073709551615", r#"{"active":false}"#), "value"),
    ("account that is neither", || account("1", r#"{"status":"deleted"}"#), "shape"),
    ("account with a text for a truth", || account("1", r#"{"active":"no"}"#), "shape"),
];

const TAG: &str =
    r##"{"index":{"byteStart":0,"byteEnd":1},"features":[{"$type":"app.bsky.richtext.facet#tag","tag":"t"}]}"##;
const INSIDE: &str =
    r##"{"index":{"byteStart":2,"byteEnd":3},"features":[{"$type":"app.bsky.richtext.facet#mention","did":"d"}]}"##;
const OUTSIDE: &str =
    r##"{"index":{"byteStart":-5,"byteEnd":99999999999},"features":[{"$type":"app.bsky.richtext.facet#mention"}]}"##;

fn v2(kind: &str, rest: &str) -> Vec<u8> {
    let did = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
    let kind = format!("network.bsky.jetstream.subscribeEvents#{kind}");
    format!(r#"{{"$type":"message","payload":{{"$type":"{kind}","seq":48211907,"did":"{did}",{rest}}}}}"#).into()
}

fn v2_good() -> Vec<u8> {
    v2("commit", &format!(r#""time":"2026-11-22T05:04:37Z",{COMMIT},"record":{RECORD}"#))
}

const V2: &[Row] = &[
    ("cut off", || v2_good()[..200].to_vec(), "syntax"),
    ("payload is null", || br#"{"$type":"message","payload":null}"#.to_vec(), "irrelevant"),
    ("payload without a type", || br#"{"payload":{"did":"did:plc:aaaaaaaa"}}"#.to_vec(), "shape"),
    ("an error frame", || br#"{"$type":"error","error":"ConsumerTooSlow"}"#.to_vec(), "irrelevant"),
    ("an info frame", || v2("info", r#""name":"OutdatedCursor""#), "irrelevant"),
    ("account without an account", || v2("account", r#""time":"2026-11-22T05:04:41Z""#), "shape"),
    ("account without a time", || v2("account", r#""account":{"active":false}"#), "shape"),
    ("account at no time", || v2("account", r#""time":"soon","account":{"active":false}"#), "value"),
    ("account before 1970", || v2("account", r#""time":"1969-01-01T00:00:00Z","account":{"active":true}"#), "value"),
    ("over a mebibyte", || v2("commit", &format!(r#""x":"{}""#, "x".repeat(1 << 20))), "too_large"),
    ("deep", || nested(500), "too_deep"),
    ("bytes of a dictionary", || b"\x28\xb5\x2f\xfd\x00\x58".to_vec(), "not_utf8"),
];

fn body(from: &str, to: &str) -> Vec<u8> {
    const BODY: &str = r#"{"feed":{"url":"https://blog.example.com/feed","scope":"example.com","source_type":"blog","poll":7,
        "first_poll":true,"quiet_before":1795284000000},"entries":[{"id":"https://blog.example.com/1","title":{"text":"t"}}]}"#;
    assert!(BODY.contains(from));
    BODY.replace(from, to).into()
}

fn body_good() -> Vec<u8> {
    body("", "")
}

const BODY: &[Row] = &[
    ("cut off", || body_good()[..200].to_vec(), "syntax"),
    ("another shape", || body("\"poll\":7", "\"poll\":\"7\""), "shape"),
    ("an entry of another site", || body("https://blog.example.com/1", "https://other.example.org/1"), "scope"),
    ("an entry under another's tag", || body("https://blog.example.com/1", "tag:example.org,guid:1"), "scope"),
    ("an entry that says nothing", || body(r#""title":{"text":"t"}"#, r#""title":{"text":" "}"#), "empty"),
    ("an unknown type of source", || body("\"blog\"", "\"blob\""), "value"),
    ("a feed at no address", || body("https://blog.example.com/feed", "file:///etc/passwd"), "value"),
    ("gone without an id", || body("}]}", "}],\"gone\":[\"nonsense\"]}"), "no_id"),
    (
        "more entries than a feed has",
        || body(r#"{"id""#, &format!(r#"{}{{"id""#, r#"{"id":"x"},"#.repeat(2001))),
        "too_large",
    ),
];

fn notice_good() -> Vec<u8> {
    br#"{"gap":{"from":"1","to":"9","why":"too old"}}"#.to_vec()
}

const NOTICE: &[Row] = &[
    ("nothing", Vec::new, "syntax"),
    ("cut off", || notice_good()[..20].to_vec(), "syntax"),
    ("no fields", || br#"{"gap":{}}"#.to_vec(), "shape"),
    ("another kind", || br#"{"hole":{"from":"1","to":"9","why":"x"}}"#.to_vec(), "shape"),
    ("no UTF-8", || b"{\"gap\":{\"from\":\"\xff\",\"to\":\"\",\"why\":\"\"}}".to_vec(), "syntax"),
];

fn line_good() -> Vec<u8> {
    br#"{"id":"7","text":"tea","author":{"handle":"ann"}}"#.to_vec()
}

fn line(fields: &str) -> Vec<u8> {
    format!(r#"{{"id":"7","text":"tea",{fields}}}"#).into()
}

const LINE: &[Row] = &[
    ("cut off", || line_good()[..20].to_vec(), "syntax"),
    ("no UTF-8", || b"{\"id\":\"7\",\"text\":\"\xff\"}".to_vec(), "not_utf8"),
    ("a lone surrogate", || line(r#""title":"\ud800""#), "syntax"),
    ("over the size of a line", || line(&format!(r#""title":"{}""#, "x".repeat(256 << 10))), "too_large"),
    ("deep", || nested(100), "too_deep"),
    ("no id", || br#"{"text":"tea"}"#.to_vec(), "shape"),
    ("an id too long", || format!(r#"{{"id":"{}","text":"x"}}"#, "x".repeat(1025)).into(), "no_id"),
    ("no text", || br#"{"id":"7"}"#.to_vec(), "empty"),
    ("an unknown key", || line(r#""txt":"tea""#), "shape"),
    ("a wrong type", || line(r#""links":"https://a.example/""#), "shape"),
    ("another network", || line(r#""network":"bluesky""#), "scope"),
    ("another partner's own network", || line(r#""network":"push:other""#), "scope"),
    ("an unknown operation", || line(r#""op":"merge""#), "value"),
    ("an unknown kind", || line(r#""kind":"poem""#), "value"),
    ("an address that is a program", || line(r#""url":"javascript:alert(1)""#), "value"),
    ("a date that is none", || line(r#""published_at":"yesterday""#), "value"),
    ("an empty parent", || line(r#""reply_to":"""#), "value"),
    ("four languages", || line(r#""langs":["cs","sk","pl","de"]"#), "value"),
    ("a hundred and thirty tags", || line(&format!(r#""hashtags":[{}"x"]"#, "\"x\",".repeat(129))), "value"),
];

/// A document as its server sent it: the first line is its content type.
fn read_document(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let content_type = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let body = bytes.get(end + 1..).unwrap_or_default();
    let at = Url::parse("https://blog.example.com/feed").expect("an address");
    let decoded = charset::decode(body, Some(&content_type), Some("com"));
    match feed::parse(&decoded.text, &at) {
        Ok(read) => {
            let title = read.entries.first().and_then(|entry| entry.title.as_ref()).map(feed::Markup::line);
            format!("ok {} entries, cut {}, {}", read.entries.len(), read.cut, title.unwrap_or_default())
        }
        Err(reason) => reason.reason().to_owned(),
    }
}

fn document(content_type: &str, body: &[u8]) -> Vec<u8> {
    [content_type.as_bytes(), b"\n", body].concat()
}

fn rss(doctype: &str, title: &str) -> Vec<u8> {
    let item = format!("<item><guid>1</guid><title>{title}</title></item>");
    document("text/xml", format!("<?xml version='1.0'?>{doctype}<rss><channel>{item}</channel></rss>").as_bytes())
}

fn document_good() -> Vec<u8> {
    rss("", "tea")
}

/// Entities that grow tenfold nine times.
fn laughs() -> Vec<u8> {
    let mut doctype = "<!DOCTYPE x [<!ENTITY a0 'ha'>".to_owned();
    for number in 1..10 {
        let above = format!("&a{};", number - 1).repeat(10);
        doctype.push_str(&format!("<!ENTITY a{number} '{above}'>"));
    }
    rss(&(doctype + "]>"), "&a9;")
}

fn utf_16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

const DOCUMENT: &[Row] = &[
    ("nothing", || document("text/xml", b""), "empty"),
    ("a page with 200", || document("text/html", b"<!doctype html><html><body><p>Not found</html>"), "shape"),
    ("a picture", || document("text/xml", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "syntax"),
    (
        "cut inside an entry",
        || document("text/xml", b"<rss><channel><item><title>tea</title></item><item><ti"),
        "ok 1 entries, cut true",
    ),
    ("a billion laughs", laughs, "ok 1 entries"),
    (
        "an entity that reads a file",
        || rss("<!DOCTYPE x [<!ENTITY f SYSTEM 'file:///etc/passwd'>]>", "x&f;"),
        "ok 1 entries, cut false, x",
    ),
    ("an undefined entity", || rss("", "a &nonsense; b &nbsp; &#0; &#xD800;"), "ok 1 entries"),
    ("a million open elements", || document("text/xml", &b"<a>".repeat(1_000_000)), "shape"),
    ("a deep entry", || rss("", &format!("{}tea", "<b>".repeat(5_000))), "too_deep"),
    (
        "a charset that is not true",
        || document("text/xml; charset=utf-8", b"<rss><channel><item><title>caf\xe9</title></item></channel></rss>"),
        "ok 1 entries, cut false, caf",
    ),
    (
        "an unknown charset",
        || document("text/xml; charset=klingon", &document_good()[9..]),
        "ok 1 entries, cut false, tea",
    ),
    (
        "UTF-16 that says nothing of it",
        || document("text/xml", &utf_16("<rss><channel><item><title>tea</title></item></channel></rss>")),
        "ok 1 entries, cut false, tea",
    ),
    ("NUL bytes", || rss("", "t\0e\0a"), "ok 1 entries"),
    (
        "a hundred thousand attributes",
        || document("text/xml", format!("<rss {}></rss>", "a='b' ".repeat(100_000)).as_bytes()),
        "ok 0 entries",
    ),
    (
        "more entries than are read",
        || {
            document(
                "text/xml",
                format!("<rss><channel>{}</channel></rss>", "<item><title>t</title></item>".repeat(2_500)).as_bytes(),
            )
        },
        "ok 2000 entries, cut true",
    ),
    ("JSON that is no feed", || document("application/json", br#"{"error":"not found"}"#), "shape"),
    (
        "JSON with items of other types",
        || document("application/json", br#"{"items":[1,"x",null,{"id":[]}]}"#),
        "ok 0 entries",
    ),
    ("JSON cut off", || document("application/json", br#"{"items":[{"id":"1""#), "syntax"),
    ("deep JSON", || document("application/json", format!("{{\"items\":{}", "[".repeat(100_000)).as_bytes()), "syntax"),
];

/// A server that gives the answer at hand to whoever asks, and the client that asks it.
fn fetcher() -> Box<dyn Fn(&[u8]) -> String> {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let answer = Arc::new(Mutex::new(Vec::new()));
    let shared = answer.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
                head.push(byte[0]);
            }
            let bytes = shared.lock().expect("nobody panics here").clone();
            // The client may have hung up: that is what some rows are about.
            stream.write_all(&bytes).ok();
        }
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let guard = Guard::new(vec!["127.0.0.1/32".parse().expect("a network")]);
    let client = Client::new("", guard).expect("a client");
    Box::new(move |bytes| {
        *answer.lock().expect("nobody panics here") = bytes.to_vec();
        let url = Url::parse(&format!("http://{address}/feed")).expect("an address");
        let request = Request { url: &url, accept: "*/*", validators: None, body_bytes_max: BODY_BYTES_MAX };
        match runtime.block_on(client.get(request)) {
            Ok(answer) => format!("ok {} with {} bytes", answer.status.as_u16(), answer.body.len()),
            Err(error) => format!("{}: {error}", error.reason()),
        }
    })
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n").as_bytes(), body].concat()
}

fn answer_good() -> Vec<u8> {
    answer("200 OK", "content-type: text/xml\r\n", b"<rss/>")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("memory")
}

fn zeros() -> Vec<u8> {
    vec![0; 64 << 20]
}

fn redirect(to: &str) -> Vec<u8> {
    answer("302 Found", &format!("location: {to}\r\n"), b"")
}

const ANSWER: &[Row] = &[
    ("a gzip bomb", || answer("200 OK", "content-encoding: gzip\r\n", &gzip(&zeros())), "too_large"),
    (
        "a zstd bomb",
        || answer("200 OK", "content-encoding: zstd\r\n", &zstd::encode_all(&zeros()[..], 3).unwrap()),
        "too_large",
    ),
    ("gzip cut off", || answer("200 OK", "content-encoding: gzip\r\n", &gzip(b"<rss/>")[..12]), "broken"),
    ("zstd that is none", || answer("200 OK", "content-encoding: zstd\r\n", b"nonsense"), "broken"),
    ("packed twice", || answer("200 OK", "content-encoding: gzip, gzip\r\n", &gzip(&gzip(b"x"))), "encoding"),
    ("packed as nobody asked", || answer("200 OK", "content-encoding: br\r\n", b"x"), "encoding"),
    ("a length over the bound", || answer("200 OK", "content-length: 99999999999\r\n", b"x"), "too_large"),
    ("a body over the bound", || answer("200 OK", "", &vec![b'x'; BODY_BYTES_MAX + 1]), "too_large"),
    ("a body shorter than said", || answer("200 OK", "content-length: 100\r\n", b"x"), "broken"),
    ("chunks that are none", || answer("200 OK", "transfer-encoding: chunked\r\n", b"zz\r\n"), "broken"),
    ("a redirect to itself", || redirect("/feed"), "redirects"),
    ("a redirect to nowhere", || answer("302 Found", "", b""), "redirects"),
    ("a redirect to a file", || redirect("file:///etc/passwd"), "forbidden"),
    ("a redirect to the metadata of a cloud", || redirect("http://169.254.169.254/latest/"), "forbidden"),
    ("a redirect to a private network", || redirect("http://10.0.0.1/"), "forbidden"),
    ("a redirect with a password", || redirect("http://a:b@127.0.0.1/"), "forbidden"),
    ("no HTTP", || b"220 mail.example.org ESMTP\r\n".to_vec(), "broken"),
    ("nothing", Vec::new, "broken"),
    ("a thousand headers", || answer("200 OK", &"x: y\r\n".repeat(1_000), b"x"), "broken"),
    ("a header of a mebibyte", || answer("200 OK", &format!("x: {}\r\n", "y".repeat(1 << 20)), b"x"), "broken"),
    ("an error with a body", || answer("500 Oops", "", b"<rss/>"), "ok 500 with 0 bytes"),
];
