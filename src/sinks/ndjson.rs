//! The NDJSON sink: each event is a line at the end of a file, on the disk before it counts as delivered.
//! Unaware of who reads the file. The file is opened anew each time, so it may be rotated away at any moment.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::retry;
use super::settings::NdjsonSettings;
use crate::model::{Attempt, Class, Rendered};
use crate::outbox::Sink;

/// A disk or a reader of standard output that takes longer has failed this attempt.
const WRITE_MAX: Duration = Duration::from_secs(30);

/// One file, or standard output.
#[derive(Debug)]
pub struct Ndjson {
    target: Target,
    /// Held by the one write under way, also by one that hangs beyond its time.
    turn: Arc<Mutex<()>>,
}

#[derive(Clone, Debug)]
enum Target {
    StandardOutput,
    File(PathBuf),
}

impl Ndjson {
    pub fn new(settings: &NdjsonSettings) -> Self {
        let is_standard_output = settings.is_standard_output();
        let target = if is_standard_output { Target::StandardOutput } else { Target::File(settings.path.clone()) };
        Self { target, turn: Arc::default() }
    }
}

impl Sink for Ndjson {
    async fn deliver(&self, rendered: &Rendered) -> Attempt {
        let deadline = Instant::now() + WRITE_MAX;
        let Ok(turn) = timeout_at(deadline, Arc::clone(&self.turn).lock_owned()).await else {
            return late();
        };
        let target = self.target.clone();
        let line = line(&rendered.body);
        let written = tokio::task::spawn_blocking(move || {
            let written = target.append(&line);
            drop(turn);
            written
        });
        match timeout_at(deadline, written).await {
            Ok(Ok(Ok(()))) => Attempt::Delivered,
            Ok(Ok(Err(error))) => self.target.judge(&error),
            Ok(Err(_)) => retry(Class::Unavailable, "the runtime is stopping"),
            Err(_) => late(),
        }
    }
}

impl Target {
    fn append(&self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::StandardOutput => {
                let mut output = io::stdout().lock();
                output.write_all(line)?;
                output.flush()
            }
            Self::File(path) => append_and_sync(path, line),
        }
    }

    fn judge(&self, error: &io::Error) -> Attempt {
        let class = match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::PermissionDenied
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::InvalidInput => Class::Misconfigured,
            _ => Class::Unavailable,
        };
        match self {
            Self::StandardOutput => retry(class, &format!("standard output: {error}")),
            Self::File(path) => retry(class, &format!("{}: {error}", path.display())),
        }
    }
}

/// A body as one line. Only blanks between tokens can be newlines in JSON, so they can be spaces.
fn line(body: &[u8]) -> Vec<u8> {
    let mut line = Vec::with_capacity(body.len() + 1);
    line.extend(body.iter().map(|&byte| if byte == b'\n' { b' ' } else { byte }));
    line.push(b'\n');
    line
}

/// A line that a crash or a full disk cut short is closed first, so that it spoils only itself.
fn append_and_sync(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no ordinary file"));
    }
    if meta.len() > 0 && !ends_in_newline(&mut file)? {
        file.write_all(b"\n")?;
    }
    file.write_all(line)?;
    file.sync_data()?;
    if meta.len() == 0 { sync_directory(path) } else { Ok(()) }
}

fn ends_in_newline(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Makes a new file's name survive a power cut.
fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

fn late() -> Attempt {
    retry(Class::Timeout, &format!("not written after {} s", WRITE_MAX.as_secs()))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::model::{DeliveryId, PostId};

    fn rendered(body: &str) -> Rendered {
        Rendered {
            id: DeliveryId::of("file", PostId::of("bluesky", "1"), 1, "mention.matched", body.as_bytes()),
            body: Bytes::copy_from_slice(body.as_bytes()),
            thread: None,
            seq: 1,
            settled: 0,
            epoch: "e".to_owned(),
            attempt: 1,
            replay: false,
        }
    }

    fn ndjson(path: &Path) -> Ndjson {
        Ndjson::new(&NdjsonSettings { path: path.to_owned(), expiry_h: 72, quota_mb: 1 })
    }

    #[tokio::test]
    async fn every_event_is_one_line_also_in_a_file_that_was_rotated_away() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mentions.ndjson");
        let sink = ndjson(&path);
        assert_eq!(sink.deliver(&rendered(r#"{"n":1}"#)).await, Attempt::Delivered);
        assert_eq!(sink.deliver(&rendered("{\n\"n\":2}")).await, Attempt::Delivered);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"n\":1}\n{ \"n\":2}\n");
        std::fs::rename(&path, directory.path().join("old")).unwrap();
        assert_eq!(sink.deliver(&rendered(r#"{"n":3}"#)).await, Attempt::Delivered);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"n\":3}\n");
    }

    #[tokio::test]
    async fn lines_written_at_the_same_time_do_not_mix() {
        const EVENTS: usize = 20;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mentions.ndjson");
        let sink = ndjson(&path);
        let event = rendered(&format!("\"{}\"", "x".repeat(20_000)));
        let all = futures_util::future::join_all((0..EVENTS).map(|_| sink.deliver(&event))).await;
        assert!(all.iter().all(|attempt| *attempt == Attempt::Delivered));
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().filter(|line| line.as_bytes() == event.body).count(), EVENTS);
    }

    #[tokio::test]
    async fn a_torn_line_spoils_only_itself() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mentions.ndjson");
        std::fs::write(&path, "{\"to").unwrap();
        assert_eq!(ndjson(&path).deliver(&rendered("{}")).await, Attempt::Delivered);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"to\n{}\n");
    }

    #[tokio::test]
    async fn a_path_that_is_no_file_is_the_operators_to_mend() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path().to_owned(), directory.path().join("absent/mentions"), PathBuf::from("/dev/null")]
        {
            let attempt = ndjson(&path).deliver(&rendered("{}")).await;
            let Attempt::Retry { class, cause, .. } = attempt else { panic!("{attempt:?}") };
            assert_eq!(class, Class::Misconfigured);
            assert!(cause.contains(path.to_str().unwrap()), "{cause}");
        }
    }
}
