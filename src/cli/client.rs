//! The command line's way to the running daemon: its unix socket.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::socket_path;

use super::{Failure, read_config, runtime};

/// How long the daemon may take to answer; a rebuild of a large index takes its time.
const ANSWER_MAX: Duration = Duration::from_secs(3600);

/// Asks the daemon of a configuration.
pub(super) fn get<T: DeserializeOwned>(config: &Path, path: &str, query: &[(&str, String)]) -> Result<T, Failure> {
    ask(config, |client| {
        let mut url = url::Url::parse("http://earful/").expect("a constant address");
        url.set_path(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        client.get(url)
    })
}

pub(super) fn post<T: DeserializeOwned>(config: &Path, path: &str, body: &impl Serialize) -> Result<T, Failure> {
    ask(config, |client| client.post(format!("http://earful{path}")).json(body))
}

fn ask<T: DeserializeOwned>(
    config: &Path,
    request: impl FnOnce(&reqwest::Client) -> reqwest::RequestBuilder,
) -> Result<T, Failure> {
    let config = read_config(config)?;
    let socket = socket_path(&config.base.data_dir);
    if !socket.exists() {
        return Err(Failure::usage(format!(
            "no daemon runs on {}: there is no {}; start it with `earful run`",
            config.base.data_dir.display(),
            socket.display()
        )));
    }
    runtime().block_on(async {
        let client = reqwest::Client::builder()
            .unix_socket(socket.clone())
            .timeout(ANSWER_MAX)
            .build()
            .map_err(|cause| Failure::usage(cause.to_string()))?;
        let answer = request(&client).send().await.map_err(|cause| {
            Failure::usage(format!("the daemon does not answer on {}: {cause}; is it running?", socket.display()))
        })?;
        let ok = answer.status().is_success();
        let text = answer.text().await.map_err(|cause| Failure::usage(cause.to_string()))?;
        if !ok {
            return Err(Failure::usage(problem(&text)));
        }
        serde_json::from_str(&text)
            .map_err(|cause| Failure::usage(format!("the daemon's answer is not understood: {cause}")))
    })
}

fn problem(text: &str) -> String {
    let Ok(problem) = serde_json::from_str::<serde_json::Value>(text) else { return text.to_owned() };
    let mut lines = vec![problem["title"].as_str().unwrap_or(text).to_owned()];
    lines.extend(
        problem["errors"].as_array().into_iter().flatten().filter_map(|error| error.as_str().map(str::to_owned)),
    );
    lines.join("\n")
}
