//! `earful run` and `earful replay`: logging, crash points, the daemon, its exit code.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueHint};
use tracing::warn;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat, LogSettings, SourceSettings};
use crate::crash;
use crate::metrics;
use crate::model::CursorKey;
use crate::run::{self, RunError, RunOptions};
use crate::sources::recording::{Pace, RecordingSettings};
use crate::store::{Store, TurnCommit, start_writer};

use super::check::{unreadable, unreadable_secrets};
use super::progress::{self, Progress};
use super::{Failure, client, read_config, runtime};

/// How long the end waits for threads that were cut off.
const RUNTIME_END_MAX: Duration = Duration::from_secs(2);
/// Characters of a file's name that the name of its source shows.
const STEM_CHARS_MAX: usize = 40;
/// Hexadecimal digits of its path's hash: two files of one name are two sources.
const HASH_DIGITS: usize = 8;

#[derive(Args)]
pub(super) struct RunArgs {
    /// Write every arrival to this file, as a recording. A name that ends in .zst is compressed.
    #[arg(long, value_hint = ValueHint::FilePath)]
    record: Option<PathBuf>,
    /// Stop when every source has finished and every delivery is settled.
    #[arg(long)]
    until_done: bool,
}

#[derive(Args)]
pub(super) struct ReplayArgs {
    /// A recording.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// Play this many times faster than it was recorded; without it as fast as possible.
    #[arg(long)]
    factor: Option<f64>,
    /// Begin at the first line, although an earlier replay of this file has been further. Posts that are known stay.
    #[arg(long)]
    again: bool,
}

pub(super) fn run(path: &Path, args: RunArgs) -> Result<ExitCode, Failure> {
    let config = read_config(path)?;
    refuse_unreadable_secrets(path, &config)?;
    start(config, RunOptions { record: args.record, until_done: args.until_done })
}

pub(super) fn replay(path: &Path, args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let mut config = read_config(path)?;
    if args.factor.is_some_and(|factor| !factor.is_finite() || factor <= 0.0) {
        return Err(Failure::usage("--factor is a number above 0"));
    }
    if let Some(cause) = unreadable(&args.file) {
        return Err(Failure::usage(cause));
    }
    let file = args.file.canonicalize().map_err(|cause| Failure::usage(cause.to_string()))?;
    let source = source_of(&file);
    let pace = if args.factor.is_some() { Pace::Own } else { Pace::Fast };
    let settings = RecordingSettings { file: file.clone(), pace, factor: args.factor.unwrap_or(1.0) };
    config.sources = BTreeMap::from([(source.clone(), SourceSettings::Recording(settings))]);
    refuse_unreadable_secrets(path, &config)?;
    resume(&config, &source, &file, args.again)?;
    start(config, RunOptions { record: None, until_done: true })
}

/// A recording is a source of its own, named after its file, so that a replay that was cut off goes on where it was.
fn source_of(file: &Path) -> String {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let shown = stem.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' });
    let hash = blake3::hash(file.as_os_str().as_encoded_bytes()).to_hex();
    format!("replay-{}-{}", shown.take(STEM_CHARS_MAX).collect::<String>(), &hash[..HASH_DIGITS])
}

/// Says where a replay goes on that has been at this file before, or puts it back to the first line.
fn resume(config: &Config, source: &str, file: &Path, again: bool) -> Result<(), Failure> {
    let path = config.base.data_dir.join("store");
    if !path.exists() {
        return Ok(());
    }
    let store = Store::open(&path, &config.base.store).map_err(|cause| failed(&cause.into()))?;
    let cursors = store.cursors(source).map_err(|cause| failed(&cause.into()))?;
    let Some(cursor) = cursors.into_iter().find(|cursor| cursor.part.is_empty()) else { return Ok(()) };
    if !again {
        let line = String::from_utf8_lossy(&cursor.value);
        eprintln!("earful: goes on at line {line} of {}; --again begins anew", file.display());
        return Ok(());
    }
    // The thread is bound first and so dropped last: it ends when the handle is gone.
    let (_thread, writer) = match start_writer(store.clone()) {
        Ok((writer, thread)) => (thread, writer),
        Err(cause) => return Err(failed(&cause.into())),
    };
    let commit = TurnCommit {
        cursors: vec![(CursorKey { source: source.into(), part: cursor.part }, b"1".to_vec())],
        post_next: store.post_next().map_err(|cause| failed(&cause.into()))?,
        ..TurnCommit::default()
    };
    let ended = |_| Failure::usage("the store cannot be written");
    writer.submit(Arc::new(commit), Box::new(|| {})).map_err(ended)?;
    runtime().block_on(writer.until_written()).map_err(ended)
}

fn failed(cause: &RunError) -> Failure {
    Failure { message: cause.to_string(), code: cause.exit_code() }
}

fn refuse_unreadable_secrets(path: &Path, config: &Config) -> Result<(), Failure> {
    let errors = unreadable_secrets(path, config);
    if errors.is_empty() { Ok(()) } else { Err(Failure::configuration(&errors)) }
}

fn start(config: Config, options: RunOptions) -> Result<ExitCode, Failure> {
    log(&config.base.log)?;
    let armed = crash::arm(std::env::var(crash::CRASH_POINT_ENV).ok().as_deref()).map_err(Failure::usage)?;
    if let Some(point) = armed {
        warn!(point, "a crash point is armed: this process will die there");
    }
    metrics::install().map_err(|cause| Failure::usage(format!("metrics cannot be kept: {cause}")))?;
    let progress = Progress::on_terminal(options.until_done);
    let socket = crate::api::socket_path(&config.base.data_dir);
    let runtime = runtime();
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = run::run(config, options) => ended,
            never = watch(&socket, progress) => match never {},
        }
    });
    // What still runs on a thread of its own may be waiting for a disk that does not answer.
    runtime.shutdown_timeout(RUNTIME_END_MAX);
    ended.map(|()| ExitCode::SUCCESS).map_err(|cause| failed(&cause))
}

/// Shows how far a run that ends by itself has come, as the daemon itself tells it.
async fn watch(socket: &Path, mut progress: Progress) -> std::convert::Infallible {
    if !progress.is_seen() {
        return std::future::pending().await;
    }
    let mut ticks = tokio::time::interval(progress::PERIOD);
    loop {
        ticks.tick().await;
        let Some(status) = client::status(socket).await else { continue };
        let number = |key: &str| status["totals"][key].as_u64().unwrap_or(0);
        let endpoints = status["endpoints"].as_object().into_iter().flatten();
        let waiting: u64 = endpoints.filter_map(|(_, endpoint)| endpoint["pending"].as_u64()).sum();
        progress.tell(|| {
            format!(
                "{} events read, {} mentions, {waiting} deliveries wait",
                number("events"),
                number("mentions_created")
            )
        });
    }
}

fn log(settings: &LogSettings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|cause| Failure::usage(format!("log.level `{}` is not understood: {cause}", settings.level)))?;
    let colourful = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| progress::Log).with_ansi(colourful);
    match settings.format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_files_of_one_name_are_two_sources() {
        let names = ["/a/tape.ndjson", "/b/tape.ndjson", "/b/Žluťoučký kůň.ndjson.zst", "/b/--", &"/long".repeat(30)];
        let sources: std::collections::BTreeSet<String> = names.iter().map(|name| source_of(Path::new(name))).collect();
        assert_eq!(sources.len(), names.len());
        for source in &sources {
            assert!(crate::projects::is_slug(source), "{source}");
        }
        assert!(source_of(Path::new("/a/tape.ndjson")).starts_with("replay-tape-"));
    }
}
