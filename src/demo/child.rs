//! The daemon as a child process of the demo: started from this very binary, asked over its socket, killed by its id.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::api::socket_path;

/// How long a daemon may take to start.
const START_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
const STOP_MAX: Duration = Duration::from_secs(30);

/// A running daemon.
pub(super) struct Daemon {
    child: Child,
    config: PathBuf,
    data_dir: PathBuf,
    client: reqwest::Client,
}

impl Daemon {
    /// Starts the daemon and waits until it answers.
    pub(super) async fn start(config: &Path, data_dir: &Path) -> Result<Self, String> {
        let binary = std::env::current_exe().map_err(|cause| format!("this binary cannot be found: {cause}"))?;
        let log_path = config.with_extension("log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&log_path);
        let log = log.map_err(|cause| format!("{}: {cause}", log_path.display()))?;
        let child = Command::new(binary)
            .arg("run")
            .arg("--config")
            .arg(config)
            .env_remove("EARFUL_CONFIG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|cause| format!("the daemon cannot be started: {cause}"))?;
        let client = reqwest::Client::builder()
            .unix_socket(socket_path(data_dir))
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(|cause| cause.to_string())?;
        let mut daemon = Self { child, config: config.to_owned(), data_dir: data_dir.to_owned(), client };
        let started = tokio::time::timeout(START_MAX, daemon.until_ready()).await;
        match started {
            Ok(Ok(())) => Ok(daemon),
            Ok(Err(cause)) => Err(format!("{cause}; its log is {}", log_path.display())),
            Err(_) => Err(format!("the daemon did not answer; its log is {}", log_path.display())),
        }
    }

    async fn until_ready(&mut self) -> Result<(), String> {
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(format!("the daemon ended by itself with {status}"));
            }
            if self.get("/readyz").await.is_some() {
                return Ok(());
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(format!("http://earful{path}")).send().await.ok()?;
        answer.json().await.ok()
    }

    pub(super) async fn status(&self) -> Result<Value, String> {
        self.get("/v1/status").await.ok_or_else(|| "the daemon does not answer".to_owned())
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and a new start on the same data.
    pub(super) async fn kill_and_restart(mut self) -> Result<Self, String> {
        self.kill();
        Self::start(&self.config, &self.data_dir).await
    }

    fn kill(&mut self) {
        // An error says that it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Resident memory in bytes, as the kernel counts it.
    pub(super) fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes << 10)
    }

    /// SIGTERM, then waits for a clean end.
    pub(super) async fn stop(mut self) -> Result<(), String> {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        let id = id.ok_or("the daemon has no process id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM).map_err(|cause| cause.to_string())?;
        let deadline = tokio::time::Instant::now() + STOP_MAX;
        while tokio::time::Instant::now() < deadline {
            if let Ok(Some(status)) = self.child.try_wait() {
                return if status.success() { Ok(()) } else { Err(format!("the daemon stopped with {status}")) };
            }
            tokio::time::sleep(POLL).await;
        }
        Err("the daemon did not stop in time".to_owned())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
        }
    }
}
