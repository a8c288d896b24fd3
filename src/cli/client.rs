//! The command line's way to the running daemon: its unix socket.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::socket_path;

use super::progress::{self, Progress};
use super::{Failure, read_config, runtime};

/// How long the daemon may take to answer; a rebuild of a large index takes its time.
const ANSWER_MAX: Duration = Duration::from_secs(3600);
/// How long one look at its status may take.
const STATUS_MAX: Duration = Duration::from_secs(5);

/// Asks the daemon of a configuration.
pub(super) fn get<T: DeserializeOwned>(config: &Path, path: &str, query: &[(&str, String)]) -> Result<T, Failure> {
    let mut url = url::Url::parse("http://earful/").expect("a constant address");
    url.set_path(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    ask(config, |client| client.get(url), None)
}

pub(super) fn post<T: DeserializeOwned>(config: &Path, path: &str, body: &impl Serialize) -> Result<T, Failure> {
    ask(config, |client| client.post(format!("http://earful{path}")).json(body), None)
}

/// The same for work that takes its time: `told` says of the daemon's status how far it has come.
pub(super) fn post_watched<T: DeserializeOwned>(
    config: &Path,
    path: &str,
    body: &impl Serialize,
    told: fn(&Value) -> String,
) -> Result<T, Failure> {
    ask(config, |client| client.post(format!("http://earful{path}")).json(body), Some(told))
}

/// The daemon's status, if one answers on the socket.
pub(super) async fn status(socket: &Path) -> Option<Value> {
    let client = reqwest::Client::builder().unix_socket(socket.to_owned()).timeout(STATUS_MAX).build().ok()?;
    client.get("http://earful/v1/status").send().await.ok()?.json().await.ok()
}

/// The same for an answer in lines of JSON: calls back with each as it comes.
pub(super) fn post_lines<T: DeserializeOwned>(
    config: &Path,
    path: &str,
    body: &impl Serialize,
    told: &mut dyn FnMut(T),
) -> Result<(), Failure> {
    let (client, socket) = client(config)?;
    let request = client.post(format!("http://earful{path}")).json(body);
    runtime().block_on(async {
        let mut answer = request.send().await.map_err(|cause| unanswered(&socket, &cause))?;
        if !answer.status().is_success() {
            let text = answer.text().await.map_err(|cause| Failure::usage(cause.to_string()))?;
            return Err(Failure::usage(problem(&text)));
        }
        let mut waiting = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|cause| Failure::usage(cause.to_string()))? {
            waiting.extend_from_slice(&part);
            while let Some(end) = memchr::memchr(b'\n', &waiting) {
                let line: Vec<u8> = waiting.drain(..=end).collect();
                told(serde_json::from_slice(&line).map_err(|cause| not_understood(&cause))?);
            }
        }
        Ok(())
    })
}

/// A client of the daemon of a configuration, and where it answers.
fn client(config: &Path) -> Result<(reqwest::Client, PathBuf), Failure> {
    let config = read_config(config)?;
    let socket = socket_path(&config.base.data_dir);
    if !socket.exists() {
        return Err(Failure::usage(format!(
            "no daemon runs on {}: there is no {}; start it with `earful run`",
            config.base.data_dir.display(),
            socket.display()
        )));
    }
    let client = reqwest::Client::builder().unix_socket(socket.clone()).timeout(ANSWER_MAX).build();
    Ok((client.map_err(|cause| Failure::usage(cause.to_string()))?, socket))
}

fn unanswered(socket: &Path, cause: &reqwest::Error) -> Failure {
    Failure::usage(format!("the daemon does not answer on {}: {cause}; is it running?", socket.display()))
}

fn not_understood(cause: &serde_json::Error) -> Failure {
    Failure::usage(format!("the daemon's answer is not understood: {cause}"))
}

fn ask<T: DeserializeOwned>(
    config: &Path,
    request: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
    told: Option<fn(&Value) -> String>,
) -> Result<T, Failure> {
    let (client, socket) = client(config)?;
    let request = request(&client);
    let text = runtime().block_on(async {
        tokio::select! {
            answer = answer(request, &socket) => answer,
            never = watch(&socket, told) => match never {},
        }
    })?;
    serde_json::from_str(&text).map_err(|cause| not_understood(&cause))
}

/// The text of a success.
async fn answer(request: reqwest::RequestBuilder, socket: &Path) -> Result<String, Failure> {
    let answer = request.send().await.map_err(|cause| unanswered(socket, &cause))?;
    let ok = answer.status().is_success();
    let text = answer.text().await.map_err(|cause| Failure::usage(cause.to_string()))?;
    if ok { Ok(text) } else { Err(Failure::usage(problem(&text))) }
}

async fn watch(socket: &Path, told: Option<fn(&Value) -> String>) -> Infallible {
    let mut progress = Progress::on_terminal(told.is_some());
    let Some(told) = told.filter(|_| progress.is_seen()) else { return std::future::pending().await };
    let mut ticks = tokio::time::interval(progress::PERIOD);
    loop {
        ticks.tick().await;
        if let Some(status) = status(socket).await {
            progress.tell(|| told(&status));
        }
    }
}

fn problem(text: &str) -> String {
    let Ok(problem) = serde_json::from_str::<serde_json::Value>(text) else { return text.to_owned() };
    let mut lines = vec![problem["title"].as_str().unwrap_or(text).to_owned()];
    lines.extend(
        problem["errors"].as_array().into_iter().flatten().filter_map(|error| error.as_str().map(str::to_owned)),
    );
    lines.join("\n")
}
