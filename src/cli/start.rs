//! `earful run` and `earful replay`: logging, crash points, the daemon, its exit code.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueHint};
use tracing::warn;
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat, LogSettings, SourceSettings};
use crate::crash;
use crate::metrics;
use crate::run::{self, RunOptions};
use crate::sources::recording::{Pace, RecordingSettings};

use super::check::unreadable_secrets;
use super::{Failure, read_config, runtime};

/// How long the end waits for threads that were cut off.
const RUNTIME_END_MAX: Duration = Duration::from_secs(2);

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
    let file = std::path::absolute(&args.file).map_err(|cause| Failure::usage(cause.to_string()))?;
    // A recording is a source of its own, named after its file, so that a replay that was cut off goes on where it was.
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String = format!("replay-{stem}")
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .take(64)
        .collect();
    let pace = if args.factor.is_some() { Pace::Own } else { Pace::Fast };
    let settings = RecordingSettings { file, pace, factor: args.factor.unwrap_or(1.0) };
    config.sources = BTreeMap::from([(name.trim_end_matches('-').to_owned(), SourceSettings::Recording(settings))]);
    start(config, RunOptions { record: None, until_done: true })
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
    let runtime = runtime();
    let ended = runtime.block_on(run::run(config, options));
    // What still runs on a thread of its own may be waiting for a disk that does not answer.
    runtime.shutdown_timeout(RUNTIME_END_MAX);
    match ended {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(cause) => Err(Failure { message: cause.to_string(), code: cause.exit_code() }),
    }
}

fn log(settings: &LogSettings) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&settings.level)
        .map_err(|cause| Failure::usage(format!("log.level `{}` is not understood: {cause}", settings.level)))?;
    let colourful = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colourful);
    match settings.format {
        LogFormat::Text => builder.with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(())
}
