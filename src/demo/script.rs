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
use crate::rig::jetstream::{Pace, Server};
use crate::rig::receiver::Receiver;
use crate::sinks::sign::Secret;

use super::show;
use super::summary::{self, Summary};
use super::tape::Tape;

pub(super) const PROJECTS: [(&str, &str); 3] = [
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

pub(super) struct Demo {
    stream: Server,
    site: Site,
    pub(super) receivers: BTreeMap<&'static str, Receiver>,
    pub(super) daemon: Daemon,
    /// What has to come of it.
    pub(super) tape: Tape,
    now: Timestamp,
}

impl Demo {
    async fn play(directory: &Path) -> Result<bool, String> {
        let mut demo = Self::set_up(directory).await?;
        let half = Duration::from_millis(demo.tape.end_ms / 2);
        tokio::time::sleep(half).await;
        println!("\n  killing the daemon (process {}) with SIGKILL, in the middle of it …", demo.daemon.id());
        demo.daemon = demo.daemon.kill_and_restart().await?;
        println!("  … and it runs again (process {}), on the same store\n", demo.daemon.id());
        demo.serve_feeds(1);
        demo.until_settled().await?;
        let adds_up = Summary::of(&demo).await?.adds_up(&demo.tape);
        demo.daemon.stop().await?;
        Ok(adds_up)
    }

    async fn set_up(directory: &Path) -> Result<Self, String> {
        let io = |cause: std::io::Error| cause.to_string();
        let (events, tape) = Tape::read()?;
        println!(
            "earful demo: {} posts in 27 languages ({} edits, {} deletions) as a live stream, two feeds, two webhooks",
            tape.creates, tape.updates, tape.deletes
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
        Ok(Self { stream, site, receivers, daemon, tape, now })
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
        number(&stream["posts_created"]) >= self.tape.creates
            && number(&stream["posts_edited"]) >= self.tape.updates
            && number(&stream["posts_deleted"]) >= self.tape.deletes
            && number(&feeds["posts_edited"]) >= 2
            && number(&feeds["posts_deleted"]) >= 1
            && summary::erased(status) >= self.tape.erased
            && number(&status["index_lag_rows"]) == 0
            && pending == 0
    }
}

pub(super) fn endpoints(status: &Value) -> impl Iterator<Item = &Value> {
    status["endpoints"].as_object().into_iter().flat_map(|endpoints| endpoints.values())
}

pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
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
}
