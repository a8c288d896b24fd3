//! One line on a terminal that says how far long work has come: written anew four times a second, gone when the work is
//! done. Unaware of what the work is.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Between two looks at the work.
pub(super) const PERIOD: Duration = Duration::from_millis(250);
/// To the start of the line, and nothing is left on it.
const CLEAR: &[u8] = b"\r\x1b[2K";

/// Whether the line is on the terminal now.
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// The line of one piece of work.
pub(super) struct Progress {
    /// None where nobody looks.
    out: Option<Box<dyn Write + Send>>,
    told_at: Option<Instant>,
}

impl Progress {
    /// On standard error, if that is a terminal and the line is wanted there.
    pub(super) fn on_terminal(wanted: bool) -> Self {
        let seen = wanted && io::stderr().is_terminal();
        Self::on(seen.then(|| Box::new(io::stderr()) as Box<dyn Write + Send>))
    }

    fn on(out: Option<Box<dyn Write + Send>>) -> Self {
        Self { out, told_at: None }
    }

    pub(super) fn is_seen(&self) -> bool {
        self.out.is_some()
    }

    /// Shows a line, unless the last one is too young.
    pub(super) fn tell(&mut self, line: impl FnOnce() -> String) {
        let Some(out) = &mut self.out else { return };
        if self.told_at.is_some_and(|told_at| told_at.elapsed() < PERIOD) {
            return;
        }
        let line = line();
        let _held = io::stderr().lock();
        // Whether anybody sees it does not matter to the work.
        out.write_all(CLEAR).and_then(|()| out.write_all(line.as_bytes())).and_then(|()| out.flush()).ok();
        self.told_at = Some(Instant::now());
        IS_SHOWN.store(true, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let _held = io::stderr().lock();
        if let (Some(out), Some(_)) = (&mut self.out, self.told_at)
            && IS_SHOWN.swap(false, Ordering::Relaxed)
        {
            out.write_all(CLEAR).and_then(|()| out.flush()).ok();
        }
    }
}

/// Standard error for the log: its lines begin where a line of progress stood.
pub(super) struct Log;

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let mut out = io::stderr().lock();
        if IS_SHOWN.swap(false, Ordering::Relaxed) {
            out.write_all(CLEAR)?;
        }
        out.write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Write for Screen {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_is_young_for_a_quarter_of_a_second_and_goes_with_the_work() {
        let screen = Screen::default();
        let mut progress = Progress::on(Some(Box::new(screen.clone())));
        progress.tell(|| "1 post".to_owned());
        progress.tell(|| panic!("the line is a moment old"));
        progress.told_at = Instant::now().checked_sub(PERIOD);
        progress.tell(|| "2 posts".to_owned());
        drop(progress);
        assert_eq!(screen.0.lock().unwrap().as_slice(), b"\r\x1b[2K1 post\r\x1b[2K2 posts\r\x1b[2K");
    }

    #[test]
    fn where_nobody_looks_nothing_is_told() {
        let mut progress = Progress::on_terminal(false);
        assert!(!progress.is_seen());
        progress.tell(|| panic!("nobody looks"));
    }
}
