//! Cursors of feeds as the version before this one wrote them. Unaware of what they are for.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::extract::site::Scope;
use crate::fetch::conditional::Validators;
use crate::model::{PostId, Timestamp};

use super::state::{Departed, FeedState, Pending, Seen};

/// The first byte of such a cursor.
pub(super) const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct FeedStateV1 {
    address: Url,
    scope: Scope,
    guids_repeat: bool,
    poll: u64,
    first_poll_at: Option<Timestamp>,
    not_before: Timestamp,
    gone: bool,
    validators: Option<Validators>,
    window: Vec<SeenV1>,
    departed: Vec<Departed>,
    pending: Vec<PendingV1>,
}

/// Without how much the entry says.
#[derive(Serialize, Deserialize)]
struct SeenV1 {
    id: PostId,
    content: u64,
    permalink: Option<Url>,
}

/// Without how often the page was found.
#[derive(Serialize, Deserialize)]
struct PendingV1 {
    id: PostId,
    permalink: Url,
    misses: u8,
    failures: u8,
    due: Timestamp,
}

/// What stands behind the version; nothing if it is broken.
pub(super) fn decode(rest: &[u8]) -> Option<FeedState> {
    let earlier: FeedStateV1 = postcard::from_bytes(rest).ok()?;
    let seen = |SeenV1 { id, content, permalink }| Seen { id, content, bytes: 0, permalink };
    let pending = |PendingV1 { id, permalink, misses, failures, due }| {
        let kept = 0;
        Pending { id, permalink, misses, failures, kept, due }
    };
    Some(FeedState {
        window: earlier.window.into_iter().map(seen).collect(),
        pending: earlier.pending.into_iter().map(pending).collect(),
        departed: earlier.departed,
        address: earlier.address,
        scope: earlier.scope,
        guids_repeat: earlier.guids_repeat,
        poll: earlier.poll,
        first_poll_at: earlier.first_poll_at,
        not_before: earlier.not_before,
        gone: earlier.gone,
        validators: earlier.validators,
    })
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::state;
    use super::*;

    #[test]
    fn a_cursor_of_the_version_before_is_read() {
        let (now, id) = (Timestamp::from_millis(5), PostId::of("web", "1"));
        let new = state();
        let earlier = FeedStateV1 {
            address: new.address.clone(),
            scope: new.scope.clone(),
            guids_repeat: true,
            poll: 7,
            first_poll_at: Some(now),
            not_before: now,
            gone: false,
            validators: None,
            window: vec![SeenV1 { id, content: 8, permalink: None }],
            departed: vec![Departed { id, content: 9 }],
            pending: vec![PendingV1 { id, permalink: new.address.clone(), misses: 1, failures: 2, due: now }],
        };
        let value = postcard::to_extend(&earlier, vec![VERSION]).unwrap();
        let expected = FeedState {
            guids_repeat: true,
            poll: 7,
            first_poll_at: Some(now),
            not_before: now,
            window: vec![Seen { id, content: 8, bytes: 0, permalink: None }],
            departed: vec![Departed { id, content: 9 }],
            pending: vec![Pending { id, permalink: new.address.clone(), misses: 1, failures: 2, kept: 0, due: now }],
            ..new
        };
        assert_eq!(FeedState::decode(&value), Ok(expected));
    }
}
