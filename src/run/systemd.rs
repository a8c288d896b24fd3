//! What systemd is told: ready, reloading, stopping, and that writes return. Silent elsewhere.

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::store::WriterHandle;

fn tell(states: &[NotifyState<'_>]) {
    if let Err(cause) = sd_notify::notify(states) {
        debug!(%cause, "the service manager was not told");
    }
}

pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(_) => tell(&[NotifyState::Reloading]),
    }
}

pub(super) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Feeds the watchdog each time a write has returned, even one that the disk refused: it starves only when a call hangs.
pub(super) async fn feed_watchdog(writer: WriterHandle, stop: CancellationToken) {
    if sd_notify::watchdog_enabled().is_none() {
        return;
    }
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = writer.write_returned() => tell(&[NotifyState::Watchdog]),
        }
    }
}
