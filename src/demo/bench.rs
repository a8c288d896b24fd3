//! `earful bench`: the daemon from socket to receivers, on loopback, with posts made here and every mention accounted for.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

use crate::rig::daemon::Daemon;
use crate::rig::jetstream::{Pace, PlayedEvent, Server};
use crate::rig::receiver::Receiver;
use crate::sinks::sign::Secret;

use super::script::{free_address, launch, scratch};

const RUN_MAX: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(20);
const TIME_US_FIRST: u64 = 1_795_000_000_000_000;

#[derive(Args)]
pub struct BenchArgs {
    /// Posts that are streamed.
    #[arg(long, default_value_t = 200_000)]
    posts: u64,
    /// One post in this many matches.
    #[arg(long, default_value_t = 100)]
    match_every: u64,
    /// Literals of queries that do not match, beside the one that does.
    #[arg(long, default_value_t = 1_000)]
    literals: usize,
    #[arg(long)]
    json: bool,
}

/// What was measured.
#[derive(Serialize)]
pub struct Figures {
    posts: u64,
    literals: usize,
    mentions: u64,
    delivered: u64,
    seconds: f64,
    posts_per_s: f64,
    /// From arrival in the daemon to the receiver's first sight, in milliseconds.
    lag_p50_ms: u64,
    lag_p99_ms: u64,
    rss_idle_bytes: u64,
    rss_peak_bytes: u64,
}

/// Measures. `tell` is told again and again how far it has come.
pub fn bench(args: &BenchArgs, tell: &mut dyn FnMut(String)) -> Result<Figures, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|cause| cause.to_string())?;
    let directory = scratch("bench")?;
    let figures = runtime.block_on(measure(args, &directory, tell));
    std::fs::remove_dir_all(&directory).map_err(|cause| cause.to_string())?;
    figures
}

impl Figures {
    /// As JSON if that was asked for, else for people.
    pub fn show(&self, args: &BenchArgs) -> Result<(), String> {
        if args.json {
            println!("{}", serde_json::to_string(self).map_err(|cause| cause.to_string())?);
            return Ok(());
        }
        println!(
            "posts      {} in {:.2} s: {:.0} posts/s, from socket to receiver, every mention delivered",
            self.posts, self.seconds, self.posts_per_s
        );
        println!("literals   {}", self.literals);
        println!("mentions   {} matched, {} delivered and verified", self.mentions, self.delivered);
        println!("lag        p50 {} ms, p99 {} ms, from arrival to the receiver", self.lag_p50_ms, self.lag_p99_ms);
        println!("memory     {} MB at rest, {} MB at most", self.rss_idle_bytes >> 20, self.rss_peak_bytes >> 20);
        Ok(())
    }
}

async fn measure(
    args: &BenchArgs,
    directory: &std::path::Path,
    tell: &mut dyn FnMut(String),
) -> Result<Figures, String> {
    let io = |cause: std::io::Error| cause.to_string();
    let secret = Secret::random();
    std::fs::write(directory.join("secret"), secret.reveal()).map_err(io)?;
    let receiver = Receiver::start_at(([127, 0, 0, 1], 0).into(), vec![secret], 1 << 20).await.map_err(io)?;
    let server = Server::start(events(args), Pace::Fast).await.map_err(io)?;
    let projects = directory.join("projects");
    std::fs::create_dir_all(&projects).map_err(io)?;
    std::fs::write(projects.join("bench.toml"), project(args.literals)).map_err(io)?;
    let config = directory.join("earful.toml");
    std::fs::write(&config, configuration(&server, &receiver)?).map_err(io)?;
    let daemon = Daemon::start(launch(directory)?).await?;
    let rss_idle_bytes = daemon.resident_bytes().unwrap_or(0);
    // The play begins when the daemon connects, which it does as soon as it runs.
    let started = Instant::now();
    let expected = args.posts / args.match_every.max(1);
    let mut rss_peak_bytes = rss_idle_bytes;
    let status = loop {
        rss_peak_bytes = rss_peak_bytes.max(daemon.resident_bytes().unwrap_or(0));
        let accepted = receiver.stats().accepted;
        tell(format!("{accepted} of {expected} mentions delivered, {:.0} s", started.elapsed().as_secs_f64()));
        if accepted >= expected {
            let status = daemon.status().await?;
            if status["totals"]["posts_created"].as_u64() >= Some(args.posts) {
                break status;
            }
        }
        if started.elapsed() > RUN_MAX {
            return Err(format!("not done in time: {} of {expected} deliveries", accepted));
        }
        tokio::time::sleep(POLL).await;
    };
    let seconds = started.elapsed().as_secs_f64();
    let mut lags: Vec<u64> = receiver.events().iter().filter_map(lag_ms).collect();
    lags.sort_unstable();
    let at = |share: f64| lags.get(((lags.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(0);
    let mentions = status["totals"]["mentions_created"].as_u64().unwrap_or(0);
    let stats = receiver.stats();
    if mentions != expected || stats.accepted != expected || stats.bad_signature + stats.conflicting_body > 0 {
        return Err(format!(
            "expected {expected} mentions; matched {mentions}, delivered {}, bad {}",
            stats.accepted, stats.bad_signature
        ));
    }
    daemon.stop().await?;
    Ok(Figures {
        posts: args.posts,
        literals: args.literals,
        mentions,
        delivered: stats.accepted,
        seconds,
        posts_per_s: args.posts as f64 / seconds,
        lag_p50_ms: at(0.5),
        lag_p99_ms: at(0.99),
        rss_idle_bytes,
        rss_peak_bytes,
    })
}

fn lag_ms(received: &crate::rig::receiver::Received) -> Option<u64> {
    let fetched = received.body["data"]["times"]["fetched_at"].as_str()?.parse().ok()?;
    u64::try_from(received.at.since(fetched).as_millis()).ok()
}

/// Texts of about 140 characters in several scripts; one in `match_every` names the brand.
fn events(args: &BenchArgs) -> Vec<PlayedEvent> {
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
    (0..args.posts)
        .map(|number| {
            let text = TEXTS[(number % TEXTS.len() as u64) as usize];
            let text = match number % args.match_every.max(1) == args.match_every.max(1) - 1 {
                true => format!("Quillbeck again: {text} {number}"),
                false => format!("{text} {number}"),
            };
            PlayedEvent { at_ms: 0, body: event(number, &text) }
        })
        .collect()
}

fn event(number: u64, text: &str) -> Value {
    let time_us = TIME_US_FIRST + number * 20;
    json!({
        "did": format!("did:plc:bench{:019}", number % 5_000),
        "time_us": time_us,
        "kind": "commit",
        "commit": {
            "rev": tid(time_us), "operation": "create", "collection": "app.bsky.feed.post", "rkey": tid(time_us),
            "record": { "$type": "app.bsky.feed.post", "createdAt": "2026-11-20T09:00:00.000Z", "text": text },
            "cid": format!("bafyreibench{number}"),
        },
    })
}

/// A TID of a time in microseconds: <https://atproto.com/specs/tid>.
fn tid(time_us: u64) -> String {
    const LETTERS: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
    let number = time_us << 10;
    (0..13).rev().map(|digit| LETTERS[((number >> (digit * 5)) & 31) as usize] as char).collect()
}

/// One query that matches, and as many other literals as asked for.
fn project(literals: usize) -> String {
    let mut text = "query_language = 1\nendpoints = [\"bench\"]\n\n[query.brand]\ntext = \"quillbeck\"\n".to_owned();
    let names: Vec<String> = (0..literals).map(|number| format!("zq{number:x}brand")).collect();
    for (number, group) in names.chunks(100).enumerate() {
        text.push_str(&format!("\n[query.other-{number}]\ntext = \"{}\"\n", group.join(" OR ")));
    }
    text
}

fn configuration(server: &Server, receiver: &Receiver) -> Result<String, String> {
    Ok(format!(
        "data_dir = \"data\"\nprojects_dir = \"projects\"\n\n[api]\nlisten = \"{}\"\ntoken_file = \"\"\n\n[disk]\nfree_min_mb = 0\nfree_min_percent = 0\nfree_red_mb = 0\nballast_mb = 0\n\n[egress]\nallow = [\"127.0.0.0/8\"]\n\n[source.stream]\nkind = \"jetstream\"\nwire = \"v1\"\nhosts = [\"{}\"]\n\n[endpoint.bench]\nkind = \"webhook\"\nurl = \"{}\"\nsecret_files = [\"secret\"]\nconcurrency_max = 64\n",
        free_address()?,
        server.url(),
        receiver.url(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bench_makes_the_posts_it_says() {
        let args = BenchArgs { posts: 1_000, match_every: 100, literals: 10, json: false };
        let events = events(&args);
        let brands = events
            .iter()
            .filter(|event| event.body["commit"]["record"]["text"].as_str().unwrap().contains("Quillbeck"));
        assert_eq!((events.len(), brands.count()), (1_000, 10));
        assert_eq!(tid(1_795_165_200_112_407).len(), 13);
    }
}
