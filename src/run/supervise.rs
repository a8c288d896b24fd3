//! One supervisor for every source: it owns restart and backoff, and resets them when a durable cursor has moved.

use std::time::Duration;

use rand::RngExt;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::inlet::{Inlet, SourceBoard};
use crate::metrics;
use crate::sources::{Ended, Source};
use crate::store::Store;

const BACKOFF_FIRST: Duration = Duration::from_secs(1);
const BACKOFF_MAX: Duration = Duration::from_secs(60);

/// What a supervisor needs to know of its source.
pub struct Supervised {
    pub slug: String,
    pub kind: &'static str,
    pub inlet: Inlet,
    pub store: Store,
    pub board: SourceBoard,
    pub stop: CancellationToken,
}

/// Runs a source until it finishes, fails for good or the daemon stops.
pub async fn supervise<S: Source>(mut source: S, own: Supervised) {
    let mut backoff = BACKOFF_FIRST;
    while !own.stop.is_cancelled() {
        let cursors = match own.store.cursors(&own.slug) {
            Ok(cursors) => cursors,
            Err(cause) => {
                error!(source = %own.slug, %cause, "cursors cannot be read");
                own.board.set(&own.slug, own.kind, "failed", Some(cause.to_string()));
                return;
            }
        };
        own.board.set(&own.slug, own.kind, "running", None);
        let durable_before = own.inlet.cursors_durable();
        let ended = source.run(cursors, &own.inlet, &own.stop).await;
        if own.inlet.cursors_durable() > durable_before {
            backoff = BACKOFF_FIRST;
        }
        match ended {
            Ended::Stopped => break,
            Ended::Finished => {
                info!(source = %own.slug, "finished");
                own.board.set(&own.slug, own.kind, "finished", None);
                return;
            }
            Ended::Fatal { cause } => {
                error!(source = %own.slug, %cause, "this source needs a person");
                metrics::source_failed(&own.slug);
                own.board.set(&own.slug, own.kind, "failed", Some(cause));
                return;
            }
            Ended::Retry { after, cause } => {
                metrics::source_failed(&own.slug);
                let wait = jittered(backoff).max(after.unwrap_or_default());
                warn!(source = %own.slug, %cause, wait_ms = wait.as_millis() as u64, "the source will be run again");
                own.board.set(&own.slug, own.kind, "waiting", Some(cause));
                backoff = (backoff * 2).min(BACKOFF_MAX);
                tokio::select! { () = own.stop.cancelled() => break, () = tokio::time::sleep(wait) => () }
            }
        }
    }
    own.board.set(&own.slug, own.kind, "stopped", None);
}

/// Between half of `backoff` and all of it.
fn jittered(backoff: Duration) -> Duration {
    backoff.mul_f64(rand::rng().random_range(0.5..=1.0))
}
