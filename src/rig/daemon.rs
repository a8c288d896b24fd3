//! The daemon as a child process: started from a binary, asked over its socket, killed by its id. For tests, the demo and
//! `earful bench`. Unaware of the daemon's inside.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// How long a daemon may take to start.
const START_MAX: Duration = Duration::from_secs(30);
const ASK_MAX: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(50);
const STOP_MAX: Duration = Duration::from_secs(30);

/// What a daemon is started with.
#[derive(Clone, Debug)]
pub struct Launch {
    pub binary: PathBuf,
    pub config: PathBuf,
    /// Its unix socket.
    pub socket: PathBuf,
    /// Added to the environment.
    pub environment: Vec<(String, String)>,
}

impl Launch {
    /// The log that the daemon writes beside its configuration.
    pub fn log(&self) -> PathBuf {
        self.config.with_extension("log")
    }

    fn spawn(&self) -> Result<Child, String> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(|cause| format!("{}: {cause}", self.log().display()))?;
        let mut command = Command::new(&self.binary);
        // What is set for this process, as for its tests, are no keys of the daemon's configuration.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.as_encoded_bytes().starts_with(b"EARFUL_")) {
            command.env_remove(name);
        }
        command
            .arg("run")
            .arg("--config")
            .arg(&self.config)
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|cause| format!("the daemon cannot be started: {cause}"))
    }
}

/// A running daemon. Killed when dropped.
pub struct Daemon {
    child: Child,
    launch: Launch,
    client: reqwest::Client,
}

impl Daemon {
    /// Starts the daemon and waits until it answers.
    pub async fn start(launch: Launch) -> Result<Self, String> {
        let mut daemon = Self::start_unready(launch)?;
        let log = daemon.launch.log();
        match tokio::time::timeout(START_MAX, daemon.until_ready()).await {
            Ok(Ok(())) => Ok(daemon),
            Ok(Err(cause)) => Err(format!("{cause}; its log is {}", log.display())),
            Err(_) => Err(format!("the daemon did not answer; its log is {}", log.display())),
        }
    }

    /// Starts the daemon and does not wait.
    pub fn start_unready(launch: Launch) -> Result<Self, String> {
        let client = reqwest::Client::builder().unix_socket(launch.socket.clone()).timeout(ASK_MAX).build();
        let client = client.map_err(|cause| cause.to_string())?;
        // The child last: whatever fails before it leaves no daemon behind.
        let child = launch.spawn()?;
        Ok(Self { child, client, launch })
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

    /// The JSON answer at a path, if there is one.
    pub async fn get(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(format!("http://earful{path}")).send().await.ok()?;
        answer.json().await.ok()
    }

    pub async fn status(&self) -> Result<Value, String> {
        self.get("/v1/status").await.ok_or_else(|| "the daemon does not answer".to_owned())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// SIGKILL, and a new start on the same data.
    pub async fn kill_and_restart(mut self) -> Result<Self, String> {
        self.kill();
        Self::start(self.launch.clone()).await
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        // An error says that it has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// How the daemon ended, if it has.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until the daemon ends by itself.
    pub async fn until_ended(&mut self, deadline: Duration) -> Option<std::process::ExitStatus> {
        let until_ended = async {
            loop {
                if let Some(status) = self.ended() {
                    return status;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(deadline, until_ended).await.ok()
    }

    /// Waits until the status is as wanted; the last status either way.
    pub async fn wait_until(&self, deadline: Duration, is_reached: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let deadline = tokio::time::Instant::now() + deadline;
        loop {
            let status = self.status().await?;
            if is_reached(&status) {
                return Ok(status);
            }
            if tokio::time::Instant::now() > deadline {
                return Err(format!("not reached in time: {status}"));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Resident memory in bytes, as the kernel counts it.
    pub fn resident_bytes(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes << 10)
    }

    /// SIGTERM, then waits for a clean end.
    pub async fn stop(mut self) -> Result<(), String> {
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
