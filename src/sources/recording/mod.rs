//! Recordings: arrivals in a file of NDJSON, one a line, written by `--record` and played back as a source.
//! Unaware of what the bodies mean.
//!
//! A line is `{"at_ms":…,"wire":"…","body":…}`: milliseconds since the first line, the wire's name, and a JSON object
//! or a string of what the body's bytes are; bytes that are no text are in `body_base64` instead. A file whose name
//! ends in `.zst` is packed.

mod line;
mod play;
mod write;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use play::Recording;
pub use write::Recorder;

/// How much faster or slower than its own pace a recording may be played.
const FACTOR_MIN: f64 = 0.001;
const FACTOR_MAX: f64 = 1_000_000.0;

/// A key of the table, and a sentence that says what is wrong with it and what it may be.
pub type Mistake = (&'static str, String);

/// `[source.NAME] kind = "recording"`: a file that is played once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordingSettings {
    pub file: PathBuf,
    pub pace: Pace,
    /// So many times faster than its own pace.
    pub factor: f64,
}

/// How fast a recording is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// As it was recorded.
    Own,
    /// As fast as it is taken.
    Fast,
}

impl RecordingSettings {
    /// What is wrong with them, if anything.
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.file.as_os_str().is_empty() {
            mistakes.push(("file", "file is empty; it is the path of a recording, .ndjson or .ndjson.zst".to_owned()));
        }
        if !(FACTOR_MIN..=FACTOR_MAX).contains(&self.factor) {
            let sentence = format!("factor is {}; it is a number from {FACTOR_MIN} to {FACTOR_MAX}", self.factor);
            mistakes.push(("factor", sentence));
        }
        mistakes
    }
}

/// Whether the file's name says that it is packed.
fn is_packed(file: &std::path::Path) -> bool {
    file.extension().is_some_and(|extension| extension == "zst")
}

#[cfg(test)]
mod tests;
