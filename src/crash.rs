//! Named points at which the process can be made to die as if by SIGKILL, to prove that nothing is lost there.
//! Unarmed they cost one load; they are armed only by `EARFUL_CRASH_POINT=name` or `name:n` for the n-th passage.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that arms one point.
pub const CRASH_POINT_ENV: &str = "EARFUL_CRASH_POINT";

macro_rules! points {
    ($($(#[$doc:meta])* $name:ident $label:literal,)*) => {
        /// A step between two effects.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Point { $($(#[$doc])* $name,)* }

        impl Point {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

points! {
    /// A turn has decided; nothing is written.
    CommitBeforeWrite "commit.before_write",
    /// The batch is durable; no receipt has resolved.
    CommitAfterWrite "commit.after_write",
    /// The body is read; no byte is sent.
    DeliverBeforeSend "deliver.before_send",
    /// The endpoint has accepted; the result is not submitted.
    DeliverAfterAccept "deliver.after_accept",
    /// The result is submitted; it is not written.
    DeliverBeforeSettle "deliver.before_settle",
    /// The row is settled.
    DeliverAfterSettle "deliver.after_settle",
    /// Documents are added; the index has not committed.
    IndexBeforeCommit "index.before_commit",
    /// The index has committed; its directory is not synced.
    IndexAfterCommit "index.after_commit",
    /// The directory is synced; the mention log is not trimmed.
    IndexAfterSync "index.after_sync",
    /// One bounded batch of an account's erasure is durable, others are to come.
    EraseBetweenBatches "erase.between_batches",
    /// Retention has chosen its floor; nothing is deleted.
    RetainBeforeDelete "retain.before_delete",
}

struct Armed {
    point: Point,
    passage: u64,
    passed: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Arms the point named in the environment. Returns its name, so that the caller can warn.
pub fn arm(value: Option<&str>) -> Result<Option<&'static str>, String> {
    let armed = value.filter(|value| !value.is_empty()).map(parse).transpose()?;
    let name = armed.as_ref().map(|armed| armed.point.name());
    ARMED.set(armed).map_err(|_| format!("{CRASH_POINT_ENV} was read twice"))?;
    Ok(name)
}

fn parse(value: &str) -> Result<Armed, String> {
    let (name, passage) = value.split_once(':').unwrap_or((value, "1"));
    let point = Point::ALL.iter().copied().find(|point| point.name() == name).ok_or_else(|| {
        let names: Vec<_> = Point::ALL.iter().map(|point| point.name()).collect();
        format!("{CRASH_POINT_ENV}: there is no point `{name}`; the points are {}", names.join(", "))
    })?;
    let passage = passage.parse().map_err(|_| format!("{CRASH_POINT_ENV}: `{passage}` is not a number of passages"))?;
    Ok(Armed { point, passage, passed: AtomicU64::new(0) })
}

/// Dies here, if this is the armed point and the armed passage.
pub fn point(here: Point) {
    let Some(Some(armed)) = ARMED.get() else { return };
    if armed.point != here || armed.passed.fetch_add(1, Ordering::SeqCst) + 1 != armed.passage {
        return;
    }
    eprintln!("earful: crash point {} fired", here.name());
    if rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).is_err() {
        std::process::abort();
    }
    // The signal is on its way; nothing after this point may happen.
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_point_is_refused_with_the_names_of_all() {
        let error = parse("commit.nowhere").err().unwrap();
        assert!(error.contains("commit.before_write") && error.contains("commit.nowhere"));
        assert!(parse("commit.before_write:x").is_err());
        assert_eq!(parse("commit.before_write:3").map(|armed| armed.passage).ok(), Some(3));
    }
}
