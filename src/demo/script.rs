//! The demo: a live stream in 27 languages, two feeds, two receivers that verify, and a daemon killed half-way.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::api::socket_path;
use crate::clock;
use crate::model::Timestamp;
use crate::rig::daemon::{Daemon, Launch};
use crate::rig::feeds::Site;
use crate::rig::jetstream::{Pace, PlayedEvent, Server};
use crate::rig::receiver::Receiver;
use crate::sinks::sign::Secret;

use super::show;

const RECORDING: &str = include_str!("../../tests/data/demo/recording.ndjson");
const PROJECTS: [(&str, &str); 3] = [
    ("vellano-care", include_str!("../../config/projects/vellano-care.toml")),
    ("brisko-brand", include_str!("../../config/projects/brisko-brand.toml")),
    ("lumavia-travel", include_str!("../../config/projects/lumavia-travel.toml")),
];
const WORKBENCH: [&str; 2] = [
    include_str!("../../tests/data/demo/feeds/workbench.rss.v1.xml"),
    include_str!("../../tests/data/demo/feeds/workbench.rss.v2.xml"),
];
const COMMUTERS: [&str; 2] = [
    include_str!("../../tests/data/demo/feeds/commuters.atom.v1.xml"),
    include_str!("../../tests/data/demo/feeds/commuters.atom.v2.xml"),
];
/// How long what is left may take once everything was played.
const SETTLE_MAX: Duration = Duration::from_secs(25);
const POLL: Duration = Duration::from_millis(100);

#[derive(Args)]
pub struct DemoArgs {
    /// Keep the directory with the store, the configuration and the daemon's log.
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. It fails if anything does not add up.
pub fn demo(args: &DemoArgs) -> Result<ExitCode, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|cause| cause.to_string())?;
    let directory = std::env::temp_dir().join(format!("earful-demo-{}", std::process::id()));
    std::fs::create_dir_all(&directory).map_err(|cause| format!("{}: {cause}", directory.display()))?;
    let outcome = runtime.block_on(Demo::play(&directory));
    match (&outcome, args.keep) {
        (Ok(true), false) => std::fs::remove_dir_all(&directory).map_err(|cause| cause.to_string())?,
        _ => println!("kept: {}", directory.display()),
    }
    outcome.map(|adds_up| if adds_up { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Demo {
    stream: Server,
    site: Site,
    receivers: BTreeMap<&'static str, Receiver>,
    daemon: Daemon,
    /// Events of each kind in the recording.
    played: Played,
    now: Timestamp,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Played {
    creates: u64,
    updates: u64,
    deletes: u64,
    others: u64,
    end_ms: u64,
}

impl Demo {
    async fn play(directory: &Path) -> Result<bool, String> {
        let mut demo = Self::set_up(directory).await?;
        let half = Duration::from_millis(demo.played.end_ms / 2);
        tokio::time::sleep(half).await;
        println!("\n  killing the daemon (process {}) with SIGKILL, in the middle of it …", demo.daemon.id());
        demo.daemon = demo.daemon.kill_and_restart().await?;
        println!("  … and it runs again (process {}), on the same store\n", demo.daemon.id());
        demo.serve_feeds(1);
        demo.until_settled().await?;
        let adds_up = demo.summary().await?;
        demo.daemon.stop().await?;
        Ok(adds_up)
    }

    async fn set_up(directory: &Path) -> Result<Self, String> {
        let io = |cause: std::io::Error| cause.to_string();
        let (events, played) = read_recording()?;
        println!(
            "earful demo: {} posts in 27 languages ({} edits, {} deletions) as a live stream, two feeds, two webhooks",
            played.creates, played.updates, played.deletes
        );
        println!("+ matched  ~ updated  − deleted · endpoint · lag · language · project/query · text\n");
        let stream = Server::start(events, Pace::Own).await.map_err(io)?;
        let site = Site::start().await.map_err(io)?;
        let mut receivers = BTreeMap::new();
        for endpoint in ["care", "press"] {
            let secret = Secret::random();
            let path = directory.join(format!("{endpoint}.secret"));
            std::fs::write(&path, secret.reveal()).map_err(io)?;
            let receiver = Receiver::start(vec![secret]).await.map_err(io)?;
            receiver.on_event(Box::new(move |received| println!("{}", show::line(endpoint, received))));
            receivers.insert(endpoint, receiver);
        }
        let projects = directory.join("projects");
        std::fs::create_dir_all(&projects).map_err(io)?;
        for (slug, text) in PROJECTS {
            std::fs::write(projects.join(format!("{slug}.toml")), text).map_err(io)?;
        }
        let config = directory.join("earful.toml");
        std::fs::write(&config, configuration(&stream, &site, &receivers)?).map_err(io)?;
        let now = clock::now();
        put_feeds(&site, 0, &site.base(), now);
        let daemon = Daemon::start(launch(directory)?).await?;
        Ok(Self { stream, site, receivers, daemon, played, now })
    }

    fn serve_feeds(&self, version: usize) {
        put_feeds(&self.site, version, &self.site.base(), self.now);
    }

    /// Everything was played, and nothing waits any more.
    async fn until_settled(&self) -> Result<(), String> {
        while !self.stream.finished() {
            tokio::time::sleep(POLL).await;
        }
        let deadline = tokio::time::Instant::now() + SETTLE_MAX;
        loop {
            let status = self.daemon.status().await?;
            let settled = self.is_settled(&status);
            if settled {
                return Ok(());
            }
            if tokio::time::Instant::now() > deadline {
                println!("  not everything was settled in time: {}", status["totals"]);
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    fn is_settled(&self, status: &Value) -> bool {
        let stream = &status["sources"]["stream"]["totals"];
        let feeds = &status["sources"]["feeds"]["totals"];
        let pending: u64 = endpoints(status).map(|endpoint| number(&endpoint["pending"])).sum();
        number(&stream["posts_created"]) >= self.played.creates
            && number(&stream["posts_deleted"]) >= self.played.deletes
            && number(&feeds["posts_edited"]) >= 2
            && number(&feeds["posts_deleted"]) >= 1
            && pending == 0
    }

    /// Prints what came in and what went out. Returns whether it adds up.
    async fn summary(&self) -> Result<bool, String> {
        let status = self.daemon.status().await?;
        let sum = |key: &str| endpoints(&status).map(|endpoint| number(&endpoint[key])).sum::<u64>();
        let (created, delivered, superseded, dead, pending) =
            (sum("created"), sum("delivered"), sum("superseded"), sum("dead"), sum("pending"));
        let stats: Vec<_> = self.receivers.values().map(Receiver::stats).collect();
        let total = |count: fn(&crate::rig::receiver::Stats) -> u64| stats.iter().map(count).sum::<u64>();
        let (requests, repeated, bad) =
            (total(|stats| stats.requests), total(|stats| stats.repeated), total(|stats| stats.bad_signature));
        let conflicting = total(|stats| stats.conflicting_body);
        let verified: u64 = self.receivers.values().map(|receiver| receiver.accepted().len() as u64).sum();
        // A withdrawn delivery may have been on the wire already; it was verified then, and is not counted as lost.
        let lost = delivered.saturating_sub(verified);
        let stream = &status["sources"]["stream"]["totals"];
        let posts_in = number(&stream["posts_created"]);
        println!(
            "\nposts in    {posts_in} of {} from the stream, {} from feeds; {} edits, {} deletions, {} erased with their account; {} seen twice after the kill",
            self.played.creates,
            number(&status["sources"]["feeds"]["totals"]["posts_created"]),
            number(&status["totals"]["posts_edited"]),
            number(&status["totals"]["posts_deleted"]),
            number(&status["totals"]["posts_deleted"]).saturating_sub(
                number(&stream["posts_deleted"]) + number(&status["sources"]["feeds"]["totals"]["posts_deleted"])
            ),
            number(&stream["posts_unchanged"])
        );
        println!("matched     {} mentions", number(&status["totals"]["mentions_created"]));
        println!(
            "deliveries  {created} = {delivered} delivered + {superseded} superseded + {dead} dead + {pending} pending"
        );
        println!(
            "verified    {verified} by signature, in {requests} requests; {repeated} repeated, {bad} bad, {conflicting} conflicting"
        );
        println!("lost {lost}");
        let checks = [
            ("every post of the stream came in once", posts_in == self.played.creates),
            ("every edit and deletion was seen", number(&stream["posts_deleted"]) >= self.played.deletes),
            ("mentions were found", number(&status["totals"]["mentions_created"]) > 100),
            ("created = delivered + superseded + dead + pending", created == delivered + superseded + dead + pending),
            ("nothing is pending and nothing dead", pending + dead == 0),
            ("every delivery was verified", verified >= delivered && verified <= delivered + superseded),
            ("no signature was bad, no id had two bodies", bad + conflicting == 0),
            ("lost 0", lost == 0),
        ];
        for (what, holds) in checks.iter().filter(|(_, holds)| !holds) {
            println!("DOES NOT ADD UP: {what}: {holds}");
        }
        Ok(checks.iter().all(|(_, holds)| *holds))
    }
}

fn endpoints(status: &Value) -> impl Iterator<Item = &Value> {
    status["endpoints"].as_object().into_iter().flat_map(|endpoints| endpoints.values())
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

fn read_recording() -> Result<(Vec<PlayedEvent>, Played), String> {
    let mut events = Vec::new();
    let mut played = Played::default();
    for line in RECORDING.lines() {
        let mut recorded: Value = serde_json::from_str(line).map_err(|cause| format!("the recording: {cause}"))?;
        let body = recorded["body"].take();
        match body["commit"]["operation"].as_str() {
            Some("create") => played.creates += 1,
            Some("update") => played.updates += 1,
            Some("delete") => played.deletes += 1,
            _ => played.others += 1,
        }
        played.end_ms = number(&recorded["at_ms"]);
        events.push(PlayedEvent { at_ms: played.end_ms, body });
    }
    Ok((events, played))
}

fn put_feeds(site: &Site, version: usize, base: &str, now: Timestamp) {
    site.put("/feeds/workbench.rss", "application/rss+xml", fill(WORKBENCH[version], base, now));
    site.put("/feeds/commuters.atom", "application/atom+xml", fill(COMMUTERS[version], base, now));
}

/// Puts the site's address and fresh times in the place of the placeholders.
fn fill(template: &str, base: &str, now: Timestamp) -> String {
    let mut filled = template.replace("{{BASE}}", base);
    while let Some(start) = filled.find("{{MINUS_") {
        let Some(length) = filled[start..].find("}}") else { break };
        let inner = &filled[start + "{{MINUS_".len()..start + length];
        let minutes: u64 = inner.split('_').next().and_then(|minutes| minutes.parse().ok()).unwrap_or(0);
        let time = now.minus(Duration::from_secs(minutes * 60));
        let shown = match (inner.ends_with("RFC2822"), jiff::Timestamp::from_second(time.seconds())) {
            (true, Ok(time)) => {
                jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_string(&time).unwrap_or_default()
            }
            _ => time.to_string(),
        };
        filled.replace_range(start..start + length + 2, &shown);
    }
    filled
}

fn configuration(stream: &Server, site: &Site, receivers: &BTreeMap<&str, Receiver>) -> Result<String, String> {
    let base = site.base();
    let mut text = format!(
        "data_dir = \"data\"\nprojects_dir = \"projects\"\n\n[api]\nlisten = \"{}\"\ntoken_file = \"\"\n\n[disk]\nfree_min_mb = 0\nfree_min_percent = 0\nfree_red_mb = 0\nballast_mb = 0\n\n[egress]\nallow = [\"127.0.0.0/8\"]\n\n[source.stream]\nkind = \"jetstream\"\nwire = \"v1\"\nhosts = [\"{}\"]\n\n[source.feeds]\nkind = \"feeds\"\nurls = [\"{base}/feeds/workbench.rss\", \"{base}/feeds/commuters.atom\"]\npoll_interval_s = 2\n",
        free_address()?,
        stream.url(),
    );
    for (endpoint, receiver) in receivers {
        text.push_str(&format!(
            "\n[endpoint.{endpoint}]\nkind = \"webhook\"\nurl = \"{}\"\nsecret_files = [\"{endpoint}.secret\"]\n",
            receiver.url()
        ));
    }
    Ok(text)
}

/// An address on loopback that nobody listens on at this moment.
pub(super) fn free_address() -> Result<std::net::SocketAddr, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|cause| cause.to_string())?;
    listener.local_addr().map_err(|cause| cause.to_string())
}

/// A daemon from this very binary on the files in a directory.
pub(super) fn launch(directory: &Path) -> Result<Launch, String> {
    let binary = std::env::current_exe().map_err(|cause| format!("this binary cannot be found: {cause}"))?;
    let socket = socket_path(&directory.join("data"));
    Ok(Launch { binary, config: directory.join("earful.toml"), socket, environment: Vec::new() })
}

/// Where a demo or a bench keeps its files.
pub(super) fn scratch(name: &str) -> Result<PathBuf, String> {
    let directory = std::env::temp_dir().join(format!("earful-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).map_err(|cause| format!("{}: {cause}", directory.display()))?;
    Ok(directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_become_fresh_times() {
        let filled = fill(
            "{{BASE}}/a {{MINUS_5_MIN_RFC3339}} {{MINUS_65_MIN_RFC2822}}",
            "http://x",
            Timestamp::from_millis(3_600_000),
        );
        assert_eq!(filled, "http://x/a 1970-01-01T00:55:00.000Z Wed, 31 Dec 1969 23:55:00 -0000");
    }

    #[test]
    fn the_recording_is_whole() {
        let (events, played) = read_recording().unwrap();
        assert!(played.creates >= 600 && events.is_sorted_by_key(|event| event.at_ms));
    }
}
