//! Plays a recording: a thread reads lines, the source hands them over when they are due.
//! Unaware of how recordings come about.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::clock;
use crate::inlet::Inlet;
use crate::metrics;
use crate::model::{Arrival, Cursor};

use super::super::{Ended, Source};
use super::line::{LINE_BYTES_MAX, Line};
use super::{Pace, RecordingSettings, is_packed};

/// Lines that are read ahead of what is played.
const LINES_AHEAD_MAX: usize = 256;
const FILE_BUFFER_BYTES: usize = 256 << 10;

/// One configured recording.
pub struct Recording {
    /// Its slug.
    source: Arc<str>,
    settings: RecordingSettings,
}

/// A line and its number from 1, or why there is no more.
type Numbered = Result<(u64, Line), String>;

/// When lines are due: the first one that is played is due at once.
struct Schedule {
    pace: Pace,
    factor: f64,
    first: Option<(Instant, u64)>,
}

impl Recording {
    /// `settings` without mistakes.
    pub fn new(source: Arc<str>, settings: RecordingSettings) -> Self {
        Self { source, settings }
    }

    async fn play(&self, next: u64, inlet: &Inlet) -> Ended {
        let (sender, mut lines) = mpsc::channel(LINES_AHEAD_MAX);
        let file = self.settings.file.clone();
        let reader = tokio::task::spawn_blocking(move || read(&file, next, &sender));
        metrics::source_connected(&self.source);
        info!(source = %self.source, file = %self.settings.file.display(), line = next, "playing");
        let mut schedule = Schedule { pace: self.settings.pace, factor: self.settings.factor, first: None };
        while let Some(numbered) = lines.recv().await {
            let (number, line) = match numbered {
                Ok(numbered) => numbered,
                Err(cause) => return Ended::Fatal { cause },
            };
            if let Some(due) = schedule.due(line.at_ms) {
                sleep_until(due).await;
            }
            let cursor = Some(Cursor { part: String::new(), value: (number + 1).to_string().into_bytes() });
            let source = self.source.clone();
            let arrival = Arrival { source, wire: line.wire, body: line.body, fetched_at: clock::now(), cursor };
            if inlet.send(arrival).await.is_err() {
                return Ended::Stopped;
            }
        }
        match reader.await {
            Ok(()) => Ended::Finished,
            Err(cause) => Ended::Fatal { cause: format!("{}: {cause}", self.settings.file.display()) },
        }
    }
}

impl Schedule {
    /// When a line is due; nothing if at once.
    fn due(&mut self, at_ms: u64) -> Option<Instant> {
        if self.pace == Pace::Fast {
            return None;
        }
        let (start, first_ms) = *self.first.get_or_insert_with(|| (Instant::now(), at_ms));
        let after = Duration::from_millis(at_ms.saturating_sub(first_ms)).as_secs_f64() / self.factor;
        Duration::try_from_secs_f64(after).ok().and_then(|after| start.checked_add(after))
    }
}

impl Source for Recording {
    async fn run(&mut self, resume: Vec<Cursor>, inlet: &Inlet, stop: &CancellationToken) -> Ended {
        let next = match resume.iter().find(|cursor| cursor.part.is_empty()) {
            None => 1,
            Some(cursor) => match std::str::from_utf8(&cursor.value).ok().and_then(|text| text.parse().ok()) {
                Some(next) => next,
                None => {
                    let value = String::from_utf8_lossy(&cursor.value);
                    return Ended::Fatal { cause: format!("the stored cursor is no line number: {value}") };
                }
            },
        };
        stop.run_until_cancelled(self.play(next, inlet)).await.unwrap_or(Ended::Stopped)
    }
}

/// Sends every line from number `next` on until the end, the first bad line, or nobody takes them.
fn read(file: &Path, next: u64, lines: &mpsc::Sender<Numbered>) {
    if let Err(cause) = read_lines(file, next, lines) {
        // Nobody listens after a stop.
        lines.blocking_send(Err(cause)).ok();
    }
}

fn read_lines(file: &Path, next: u64, lines: &mpsc::Sender<Numbered>) -> Result<(), String> {
    let mut reader = open(file).map_err(|cause| format!("{}: {cause}", file.display()))?;
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        let wrong = |cause: String| format!("{}:{number}: {cause}", file.display());
        let mut bounded = reader.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        if bounded.read_until(b'\n', &mut text).map_err(|cause| wrong(cause.to_string()))? == 0 {
            break;
        }
        if text.len() > LINE_BYTES_MAX {
            return Err(wrong(format!("a line over {LINE_BYTES_MAX} bytes")));
        }
        if lines.is_closed() {
            break;
        }
        if number < next || text.trim_ascii().is_empty() {
            continue;
        }
        let line = Line::parse(&text).map_err(wrong)?;
        if lines.blocking_send(Ok((number, line))).is_err() {
            break;
        }
    }
    Ok(())
}

fn open(file: &Path) -> io::Result<Box<dyn BufRead>> {
    let opened = BufReader::with_capacity(FILE_BUFFER_BYTES, File::open(file)?);
    if is_packed(file) {
        let unpacked = zstd::Decoder::with_buffer(opened)?;
        return Ok(Box::new(BufReader::with_capacity(FILE_BUFFER_BYTES, unpacked)));
    }
    Ok(Box::new(opened))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_pace_is_kept_and_multiplied() {
        for (factor, expected_ms) in [(1.0, 6000), (4.0, 1500), (0.5, 12_000)] {
            let mut schedule = Schedule { pace: Pace::Own, factor, first: None };
            let start = schedule.due(90_000).unwrap();
            assert_eq!(schedule.due(96_000), Some(start + Duration::from_millis(expected_ms)));
            assert_eq!(schedule.due(0), Some(start), "a time before the first is due at once");
        }
        let mut fast = Schedule { pace: Pace::Fast, factor: 1.0, first: None };
        assert_eq!((fast.due(0), fast.due(1 << 40)), (None, None));
    }
}
