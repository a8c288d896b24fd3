//! Writes a recording while the sources run. Unaware of how it is played.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tracing::error;

use crate::model::{Arrival, Timestamp};

use super::is_packed;
use super::line::Line;

const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
const COMPRESSION_LEVEL: i32 = 3;
const FILE_BUFFER_BYTES: usize = 256 << 10;

/// Writes arrivals to a file, from any thread. What was recorded a second ago is in the file, at the latest when the
/// recorder is dropped.
pub struct Recorder {
    shared: Arc<Shared>,
    flusher: Option<JoinHandle<()>>,
}

struct Shared {
    tape: Mutex<Tape>,
    closing: Condvar,
}

struct Tape {
    file: Output,
    /// When the first arrival was fetched.
    start: Option<Timestamp>,
    closed: bool,
    /// The first failure; nothing is written after it.
    failed: Option<io::ErrorKind>,
}

enum Output {
    Plain(BufWriter<File>),
    Packed(zstd::Encoder<'static, BufWriter<File>>),
}

impl Recorder {
    /// A new file: an existing one is not overwritten.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create_new(path)?);
        let file = match is_packed(path) {
            true => Output::Packed(zstd::Encoder::new(file, COMPRESSION_LEVEL)?),
            false => Output::Plain(file),
        };
        let tape = Mutex::new(Tape { file, start: None, closed: false, failed: None });
        let shared = Arc::new(Shared { tape, closing: Condvar::new() });
        let flushed = shared.clone();
        let flusher =
            std::thread::Builder::new().name("recorder".to_owned()).spawn(move || flushed.flush_until_closed())?;
        Ok(Self { shared, flusher: Some(flusher) })
    }

    /// Adds an arrival. After a failure, which is logged once, the recording stays as it is: the sources go on.
    pub fn record(&self, arrival: &Arrival) {
        let mut tape = self.shared.lock();
        let start = *tape.start.get_or_insert(arrival.fetched_at);
        let at_ms = u64::try_from(arrival.fetched_at.since(start).as_millis()).unwrap_or(u64::MAX);
        // Arrivals are written one after the other, in the order of their times as far as the sources keep it.
        let line = Line::write(at_ms, arrival.wire, &arrival.body);
        tape.attempt(|file| file.write_all(&line));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush_until_closed(&self) {
        let mut tape = self.lock();
        while !tape.closed {
            tape = self.closing.wait_timeout(tape, FLUSH_INTERVAL).unwrap_or_else(PoisonError::into_inner).0;
            tape.attempt(Output::flush);
        }
    }
}

impl Tape {
    fn attempt(&mut self, step: impl FnOnce(&mut Output) -> io::Result<()>) {
        if self.failed.is_some() {
            return;
        }
        if let Err(cause) = step(&mut self.file) {
            error!(%cause, "the recording ends here: it cannot be written");
            self.failed = Some(cause.kind());
        }
    }
}

impl Output {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.write_all(bytes),
            Self::Packed(file) => file.write_all(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Packed(file) => file.flush(),
        }
    }

    /// Writes what ends a packed file.
    fn finish(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Packed(file) => file.do_finish().and_then(|()| file.get_mut().flush()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.closing.notify_all();
        if let Some(flusher) = self.flusher.take() {
            // A flusher that panicked has said so; what is left is written below.
            flusher.join().ok();
        }
        self.shared.lock().attempt(Output::finish);
    }
}
