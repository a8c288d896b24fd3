//! The source against servers on loopback, from the first request to post events.

use std::path::PathBuf;
use std::sync::Mutex;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::settings::tests::settings;
use super::*;
use crate::fetch::guard::Guard;
use crate::fetch::loopback::{Loopback, reply};
use crate::inlet::Inbox;
use crate::model::{Arrival, PostEvent, PostId, PostKind, Timestamp, Wire};
use crate::normalize::feed::{Body, NETWORK, events};

/// What a server is to answer, by path; whatever is not listed is a 404.
type Pages = Arc<Mutex<HashMap<String, Vec<u8>>>>;

/// One source under test with the turn's end of its inlet.
struct Rig {
    inbox: Inbox,
    arrived: Arc<Notify>,
    stop: CancellationToken,
    trouble: Trouble,
    run: tokio::task::JoinHandle<Ended>,
}

impl Rig {
    /// Polls every few milliseconds.
    fn start(urls: &[String], resume: Vec<Cursor>) -> Self {
        let arrived = Arc::new(Notify::new());
        let (inlet, inbox) = Inlet::new(arrived.clone());
        let stop = CancellationToken::new();
        let guard = Guard::with_names(
            vec!["127.0.0.0/8".parse().unwrap()],
            &[("a.example", &["127.0.0.1"]), ("b.example", &["127.0.0.1"])],
        );
        let (client, trouble) = (Client::new("", guard).unwrap(), Trouble::default());
        let mut feeds = Feeds::new("blogs".into(), settings(urls), client, &trouble).unwrap();
        let short = Duration::from_millis(20);
        feeds.pace = Pace { interval: short, look_gap: short, look_rest: Duration::from_millis(1) };
        let token = stop.clone();
        let run = tokio::spawn(async move { feeds.run(resume, &inlet, &token).await });
        Self { inbox, arrived, stop, trouble, run }
    }

    async fn next(&mut self) -> (Body, Arrival) {
        let waiting = timeout(Duration::from_secs(10), async {
            loop {
                if let Some(waiting) = self.inbox.take() {
                    break waiting;
                }
                self.arrived.notified().await;
            }
        });
        let arrival = waiting.await.expect("something arrives").arrival;
        assert_eq!((arrival.wire, &*arrival.source), (Wire::Feed, "blogs"));
        (serde_json::from_slice(&arrival.body).unwrap(), arrival)
    }

    /// The ids of the next arrival's entries, and the cursor that came with them.
    async fn ids(&mut self) -> (Vec<String>, Cursor) {
        let (body, arrival) = self.next().await;
        (body.entries.into_iter().map(|item| item.id).collect(), arrival.cursor.unwrap())
    }

    async fn end(self) {
        self.stop.cancel();
        let ended = timeout(Duration::from_secs(1), self.run).await.expect("it stops within a second").unwrap();
        assert_eq!(ended, Ended::Stopped);
    }
}

fn rss(names: &str) -> Vec<u8> {
    let items: String = names
        .split_whitespace()
        .map(|name| {
            let (name, text) = name.split_once('=').unwrap_or((name, name));
            format!("<item><guid isPermaLink='false'>{name}</guid><link>/{name}</link><title>{text}</title></item>")
        })
        .collect();
    format!("<rss version='2.0'><channel><title>T</title>{items}</channel></rss>").into_bytes()
}

fn pages(list: &[(&str, Vec<u8>)]) -> Pages {
    Arc::new(Mutex::new(list.iter().map(|(path, answer)| (path.to_string(), answer.clone())).collect()))
}

async fn serve(pages: &Pages) -> Loopback {
    let pages = pages.clone();
    Loopback::start(move |head| {
        let path = head.split(' ').nth(1).unwrap();
        let answer = pages.lock().unwrap().get(path).cloned().unwrap_or_else(|| reply(404, &[], b""));
        // A conditional request for what has not changed gets a 304.
        let etag =
            String::from_utf8_lossy(&answer).lines().find_map(|line| line.strip_prefix("etag: ").map(str::to_owned));
        if etag.is_some_and(|etag| head.contains(&format!("if-none-match: {etag}\r\n"))) {
            reply(304, &[], b"")
        } else {
            answer
        }
    })
    .await
}

fn put(pages: &Pages, path: &str, answer: Vec<u8>) {
    pages.lock().unwrap().insert(path.to_owned(), answer);
}

/// Waits until the server was asked for a path two times more.
async fn asked_again(server: &Loopback, path: &str) {
    let start = format!("GET {path} ");
    let times = server.requests().iter().filter(|head| head.starts_with(&start)).count();
    asked(server, path, times + 2).await;
}

/// Waits until the server was asked for a path so often.
async fn asked(server: &Loopback, path: &str, times: usize) {
    let start = format!("GET {path} ");
    let waiting = timeout(Duration::from_secs(10), async {
        while server.requests().iter().filter(|head| head.starts_with(&start)).count() < times {
            tokio::task::yield_now().await;
        }
    });
    waiting.await.unwrap_or_else(|_| panic!("{path} was not asked for {times} times"));
}

#[tokio::test]
async fn news_come_once_and_again_when_they_are_edited() {
    let pages = pages(&[("/feed", reply(200, &[("etag", "\"1\"")], &rss("b a")))]);
    let server = serve(&pages).await;
    let mut rig = Rig::start(&[server.url("/feed")], Vec::new());
    let (body, first) = rig.next().await;
    assert!(body.feed.first_poll && body.entries.len() == 2);
    asked(&server, "/feed", 4).await;
    assert!(server.requests()[1].contains("if-none-match: \"1\"\r\n"));
    put(&pages, "/feed", reply(200, &[("etag", "\"2\"")], &rss("c b=edited a")));
    let (body, second) = rig.next().await;
    assert_eq!(body.entries.iter().map(|item| item.id.rsplit(':').next().unwrap()).collect::<Vec<_>>(), ["c", "b"]);
    assert!(!body.feed.first_poll);
    let order = |arrival: &Arrival| match events(&arrival.body, &arrival.source, arrival.fetched_at)
        .unwrap()
        .remove(0)
        .unwrap()
    {
        PostEvent::Upsert { order, .. } => order,
        other => panic!("{other:?}"),
    };
    assert!(order(&second) > order(&first));
    rig.end().await;
}

#[tokio::test]
async fn of_two_feeds_of_a_site_the_one_with_the_whole_text_speaks() {
    let feed = |text: &str| {
        let item = format!("<item><guid isPermaLink='false'>1</guid><description>{text}</description></item>");
        reply(200, &[], format!("<rss version='2.0'><channel><title>T</title>{item}</channel></rss>").as_bytes())
    };
    let pages = pages(&[("/short", feed("It beg…")), ("/whole", feed("It begins and ends."))]);
    let server = serve(&pages).await;
    let mut rig = Rig::start(&[server.url("/short"), server.url("/whole")], Vec::new());
    let text = |body: Body| body.entries[0].entry.content.as_ref().unwrap().read(None).text;
    let firsts = [text(rig.next().await.0), text(rig.next().await.0)];
    assert_eq!(firsts, ["It beg…", "It begins and ends."]);
    put(&pages, "/short", feed("It was…"));
    asked_again(&server, "/short").await;
    assert!(rig.inbox.take().is_none(), "an excerpt is no edit of the whole");
    put(&pages, "/whole", feed("It was edited."));
    assert_eq!(text(rig.next().await.0), "It was edited.");
    // Once the whole is no longer to be had, the excerpt is what there is.
    put(&pages, "/whole", reply(500, &[], b""));
    asked_again(&server, "/whole").await;
    put(&pages, "/short", feed("It is…"));
    assert_eq!(text(rig.next().await.0), "It is…");
    rig.end().await;
}

#[tokio::test]
async fn after_a_restart_it_goes_on_from_the_durable_cursor() {
    let pages = pages(&[("/feed", reply(200, &[("etag", "W/\"1-gzip\"")], &rss("b a")))]);
    let server = serve(&pages).await;
    let url = server.url("/feed");
    let mut rig = Rig::start(std::slice::from_ref(&url), Vec::new());
    let (_, cursor) = rig.ids().await;
    assert_eq!(cursor.part, url);
    rig.end().await;
    let before = server.requests().len();
    let mut rig = Rig::start(&[url], vec![cursor.clone()]);
    asked(&server, "/feed", before + 2).await;
    assert!(server.requests()[before].contains("if-none-match: W/\"1-gzip\"\r\n"), "the validators are the very bytes");
    put(&pages, "/feed", reply(200, &[], &rss("c b a")));
    let (ids, next) = rig.ids().await;
    assert_eq!(ids.len(), 1, "{ids:?}");
    assert!(FeedState::decode(&next.value).unwrap().poll > FeedState::decode(&cursor.value).unwrap().poll);
    rig.end().await;
}

#[tokio::test]
async fn what_vanishes_is_looked_up_and_deleted_only_when_its_page_is_gone() {
    let page = || reply(200, &[], b"<html>");
    let pages = pages(&[
        ("/feed", reply(200, &[], &rss("e d c b a"))),
        ("/e", page()),
        ("/d", reply(410, &[], b"")),
        ("/c", page()),
        ("/a", page()),
    ]);
    let server = serve(&pages).await;
    let mut rig = Rig::start(&[server.url("/feed")], Vec::new());
    rig.next().await;
    put(&pages, "/feed", reply(200, &[], &rss("e a")));
    let mut gone = Vec::new();
    while gone.len() < 2 {
        let (body, arrival) = rig.next().await;
        let events = events(&arrival.body, &arrival.source, arrival.fetched_at).unwrap();
        assert_eq!(events.len(), body.gone.len());
        gone.extend(events.into_iter().map(|event| match event.unwrap() {
            PostEvent::Delete { id, .. } => id,
            other => panic!("{other:?}"),
        }));
    }
    let id = |name: &str| PostId::of(NETWORK, &format!("tag:127.0.0.1:{},guid:{name}", server.port()));
    assert_eq!(gone, [id("d"), id("b")], "410 at the first look, 404 at the second; /c is still there");
    let looks = |path: &str| server.requests().iter().filter(|head| head.starts_with(&format!("GET {path} "))).count();
    assert_eq!((looks("/d"), looks("/b")), (1, 2));
    assert!(looks("/c") >= 1);
    rig.end().await;
}

#[tokio::test]
async fn of_many_that_vanish_each_page_is_asked_and_their_witness_once_a_visit() {
    let names: Vec<String> = (0..60).map(|n| format!("n{n}")).collect();
    let gone: Vec<(String, Vec<u8>)> = (1..=10).map(|n| (format!("/n{n}"), reply(410, &[], b""))).collect();
    let pages = pages(&[("/feed", reply(200, &[], &rss(&names.join(" ")))), ("/n0", reply(200, &[], b"<html>"))]);
    pages.lock().unwrap().extend(gone);
    let server = serve(&pages).await;
    let mut rig = Rig::start(&[server.url("/feed")], Vec::new());
    rig.next().await;
    put(&pages, "/feed", reply(200, &[], &rss(&[&names[..1], &names[11..]].concat().join(" "))));
    // First comes word of what is suspected, which brings nothing.
    let (suspicion, verdict) = (rig.next().await.0, rig.next().await.0);
    assert_eq!((suspicion.gone.len(), verdict.gone.len()), (0, 10));
    let looks = |path: &str| server.requests().iter().filter(|head| head.starts_with(&format!("GET {path} "))).count();
    assert_eq!((looks("/n1"), looks("/n10"), looks("/n0")), (1, 1, 1));
    rig.end().await;
}

#[tokio::test]
async fn a_site_that_denies_all_its_pages_deletes_nothing() {
    let pages = pages(&[("/feed", reply(200, &[], &rss("c b a")))]);
    let server = serve(&pages).await;
    let mut rig = Rig::start(&[server.url("/feed")], Vec::new());
    rig.next().await;
    put(&pages, "/feed", reply(200, &[], &rss("c a")));
    asked(&server, "/b", 2).await;
    asked(&server, "/c", 1).await;
    put(&pages, "/feed", reply(200, &[], &rss("d c a")));
    let bodies = async {
        loop {
            let (body, _) = rig.next().await;
            assert!(body.gone.is_empty());
            if !body.entries.is_empty() {
                break;
            }
        }
    };
    bodies.await;
    rig.end().await;
}

#[tokio::test]
async fn a_feed_that_moved_or_ended_is_remembered_so() {
    let pages = pages(&[("/feed", reply(301, &[("location", "/new")], b"")), ("/new", reply(200, &[], &rss("a")))]);
    let server = serve(&pages).await;
    let url = server.url("/feed");
    let mut rig = Rig::start(std::slice::from_ref(&url), Vec::new());
    let (_, cursor) = rig.ids().await;
    assert_eq!(
        (cursor.part.as_str(), FeedState::decode(&cursor.value).unwrap().address.as_str()),
        (url.as_str(), server.url("/new").as_str())
    );
    asked(&server, "/new", 3).await;
    assert_eq!(server.requests().iter().filter(|head| head.starts_with("GET /feed ")).count(), 1);
    put(&pages, "/new", reply(410, &[], b""));
    let (ids, cursor) = rig.ids().await;
    assert!(ids.is_empty() && FeedState::decode(&cursor.value).unwrap().gone);
    rig.end().await;
    let before = server.requests().len();
    let rig = Rig::start(&[url], vec![cursor]);
    rig.end().await;
    assert_eq!(server.requests().len(), before, "nobody asks any more");
}

#[tokio::test]
async fn a_move_that_leads_nowhere_for_long_is_reconsidered() {
    let pages = pages(&[("/feed", reply(301, &[("location", "/new")], b"")), ("/new", reply(200, &[], &rss("a")))]);
    let server = serve(&pages).await;
    let url = server.url("/feed");
    let mut rig = Rig::start(std::slice::from_ref(&url), Vec::new());
    rig.next().await;
    put(&pages, "/feed", reply(200, &[], &rss("b a")));
    put(&pages, "/new", reply(404, &[], b""));
    let (ids, cursor) = rig.ids().await;
    assert_eq!((ids.len(), FeedState::decode(&cursor.value).unwrap().address.as_str()), (1, url.as_str()));
    let failed = server.requests().iter().filter(|head| head.starts_with("GET /new ")).count();
    assert!(failed > 5, "not before it failed again and again: {failed}");
    rig.end().await;
}

#[tokio::test]
async fn whoever_asks_to_be_left_alone_is_left_alone_and_others_are_not() {
    let pages = pages(&[("/busy", reply(429, &[("retry-after", "3600")], b"")), ("/feed", reply(200, &[], &rss("a")))]);
    let server = serve(&pages).await;
    let mut rig = Rig::start(&[server.url("/busy"), server.url("/feed")], Vec::new());
    asked(&server, "/feed", 5).await;
    assert_eq!(server.requests().iter().filter(|head| head.starts_with("GET /busy ")).count(), 1);
    let mut kept = Vec::new();
    for _ in 0..2 {
        let (_, cursor) = rig.ids().await;
        kept.push((cursor.part.clone(), FeedState::decode(&cursor.value).unwrap().not_before > Timestamp::EPOCH));
    }
    kept.sort();
    assert_eq!(kept, [(server.url("/busy"), true), (server.url("/feed"), false)]);
    rig.end().await;
}

#[tokio::test]
async fn faults_of_one_feed_harm_no_other() {
    let bomb = {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut gzip, &vec![b' '; 64 << 20]).unwrap();
        gzip.finish().unwrap()
    };
    let faults = [
        reply(200, &[("content-encoding", "gzip")], &bomb),
        reply(200, &[], b"<html>404</html>"),
        reply(200, &[], &[0xff; 5000]),
        reply(200, &[], format!("<rss>{}", "<a>".repeat(100_000)).as_bytes()),
        reply(302, &[("location", "http://10.0.0.1/")], b""),
        b"HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n<rss>".to_vec(),
        b"not http at all\r\n\r\n".to_vec(),
        Vec::new(),
    ];
    let list: Vec<(String, Vec<u8>)> =
        faults.into_iter().enumerate().map(|(n, fault)| (format!("/bad{n}"), fault)).collect();
    let pages: Pages = Arc::new(Mutex::new(list.iter().cloned().collect()));
    put(&pages, "/good", reply(200, &[], &rss("a")));
    let server = serve(&pages).await;
    let urls: Vec<String> = list.iter().map(|(path, _)| server.url(path)).chain([server.url("/good")]).collect();
    let mut rig = Rig::start(&urls, Vec::new());
    assert_eq!(rig.ids().await.1.part, server.url("/good"));
    for (path, _) in &list {
        asked(&server, path, 1).await;
    }
    assert!(rig.inbox.take().is_none());
    rig.end().await;
}

#[tokio::test]
async fn a_feed_that_fails_is_in_trouble_until_it_answers() {
    let pages = pages(&[("/good", reply(200, &[], &rss("a"))), ("/html", reply(200, &[], b"<html>404</html>"))]);
    let server = serve(&pages).await;
    let urls = ["/good", "/none", "/html"].map(|path| server.url(path));
    let mut rig = Rig::start(&urls, Vec::new());
    rig.next().await;
    asked(&server, "/none", 2).await;
    asked(&server, "/html", 2).await;
    let named = rig.trouble.named();
    assert_eq!((rig.trouble.total(), named.len(), named[&urls[1]].as_str()), (2, 2, "answered 404 Not Found"));
    assert!(named[&urls[2]].starts_with("the answer is no feed"), "{named:?}");
    put(&pages, "/none", reply(200, &[], &rss("b")));
    put(&pages, "/html", reply(410, &[], b""));
    rig.next().await;
    rig.next().await;
    assert_eq!((rig.trouble.total(), rig.trouble.named().len()), (0, 0));
    rig.end().await;
}

#[tokio::test]
async fn one_host_is_asked_one_thing_at_a_time_and_two_hosts_two() {
    let server = Loopback::start(|_| reply(200, &[], &rss("a"))).await;
    for (hosts, most) in [(&["a.example"][..], 1), (&["a.example", "b.example"], 2)] {
        let urls: Vec<String> =
            (0..20).map(|n| format!("http://{}:{}/{n}", hosts[n % hosts.len()], server.port())).collect();
        let mut rig = Rig::start(&urls, Vec::new());
        for _ in 0..20 {
            rig.next().await;
        }
        rig.end().await;
        assert_eq!(server.most_at_once(), most);
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_used_ends_the_source_with_a_sentence() {
    let broken = Cursor { part: "https://a.example/feed".to_owned(), value: vec![9] };
    let rig = Rig::start(&["https://a.example/feed".to_owned()], vec![broken]);
    let Ended::Fatal { cause } = rig.run.await.unwrap() else { panic!("it must end") };
    assert!(cause.starts_with("the cursor of https://a.example/feed: its version is 9"), "{cause}");
}

#[tokio::test]
async fn a_real_wordpress_comes_through_with_its_comments_under_their_posts() {
    let samples = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/samples/wordpress");
    if !samples.exists() {
        println!("skipped: {} is not here", samples.display());
        return;
    }
    let read = |name: &str| std::fs::read_to_string(samples.join(name)).unwrap();
    let (posts, comments) = (read("feed_.body"), read("comments_feed_.body"));
    let server = Loopback::start(move |head| {
        let port = head.split("127.0.0.1:").nth(1).unwrap().split("\r\n").next().unwrap().to_owned();
        let body = if head.starts_with("GET /comments") { &comments } else { &posts };
        let body = body.replace("127.0.0.1:18080", &format!("127.0.0.1:{port}"));
        reply(200, &[("content-type", "application/rss+xml; charset=UTF-8")], body.as_bytes())
    })
    .await;
    let mut rig = Rig::start(&[server.url("/feed/"), server.url("/comments/feed/")], Vec::new());
    let mut found = Vec::new();
    for _ in 0..2 {
        let (_, arrival) = rig.next().await;
        for event in events(&arrival.body, &arrival.source, arrival.fetched_at).unwrap() {
            let PostEvent::Upsert { post, .. } = event.unwrap() else { panic!("an upsert") };
            found.push(post);
        }
    }
    rig.end().await;
    let (comments, articles): (Vec<_>, Vec<_>) = found.into_iter().partition(|post| post.kind == PostKind::Comment);
    assert_eq!((articles.len(), comments.len()), (4, 4));
    for comment in &comments {
        let parent = articles.iter().find(|post| Some(post.id) == comment.thread.parent).expect("a parent");
        assert_eq!(parent.thread.id, comment.thread.id);
    }
    let review = articles.iter().find(|post| post.title.as_deref() == Some("Acme Widgets review 2")).unwrap();
    assert_eq!(review.text, "We tested the Acme widget 2 — schön, 製品, обзор.");
    assert_eq!(
        (review.author.name.as_deref(), &review.hashtags[..]),
        (Some("admin"), &["Uncategorized".to_owned()][..])
    );
}
