//! What is remembered of one feed between two answers: the value of its cursor.
//! Unaware of the network.

use serde::{Deserialize, Serialize};
use url::Url;

use crate::extract::feed::Guids;
use crate::extract::site::Scope;
use crate::fetch::conditional::Validators;
use crate::model::{PostId, Timestamp};

use super::earlier;

/// The version of the encoding: the first byte of every cursor.
const VERSION: u8 = 2;

/// One feed as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedState {
    /// Where it is polled: the configured address, until that one moved for good.
    pub address: Url,
    /// The site that it speaks for: that of the configured address, wherever the feed moved since.
    pub scope: Scope,
    /// Whether its guids were ever found to repeat.
    pub guids_repeat: bool,
    /// The number of the last answer that brought something. Only grows.
    pub poll: u64,
    pub first_poll_at: Option<Timestamp>,
    /// Nobody asks before, because the other side said so.
    pub not_before: Timestamp,
    /// The feed answered 410: nobody asks any more.
    pub gone: bool,
    /// Of the answer that `window` is of, never of a later one.
    pub validators: Option<Validators>,
    /// The entries of the last whole answer, in its order.
    pub window: Vec<Seen>,
    /// Entries that left the window, the latest first: should they come back, they are not news.
    pub departed: Vec<Departed>,
    /// Entries that vanished from inside the window and may be deleted.
    pub pending: Vec<Pending>,
}

/// One entry of the window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub id: PostId,
    /// The hash of what a reader sees.
    pub content: u64,
    /// How much that is; 0 also where it is not known.
    pub bytes: u32,
    /// A page on the feed's own site that is there as long as the entry is.
    pub permalink: Option<Url>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Departed {
    pub id: PostId,
    pub content: u64,
}

/// An entry that may be deleted, until its permalink has told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub id: PostId,
    pub permalink: Url,
    /// How often the page was not found.
    pub misses: u8,
    /// How often nobody could tell.
    pub failures: u8,
    /// How often it was taken up again after its page was found.
    pub kept: u8,
    pub due: Timestamp,
}

/// A cursor that this program did not write, or not so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    #[error(
        "its version is {0}, and this program knows up to {VERSION}; run the version that wrote it, or a later one"
    )]
    Version(u8),
    #[error(
        "it cannot be read; restore a backup, or remove the feed from the list and add it again under another spelling"
    )]
    Corrupt,
}

/// A cursor in words, for people: what is remembered, when the feed last brought something, and whether it is asked.
pub fn describe(value: &[u8]) -> String {
    let state = match FeedState::decode(value) {
        Ok(state) => state,
        Err(error) => return error.to_string(),
    };
    let millis = i64::try_from(state.poll).unwrap_or(i64::MAX);
    let news = match millis {
        0 => "no news yet".to_owned(),
        millis => format!("last news at {}", Timestamp::from_millis(millis)),
    };
    let mut words = vec![format!("{} entries", state.window.len()), news];
    if state.not_before > Timestamp::EPOCH {
        words.push(format!("not asked before {}", state.not_before));
    }
    if state.gone {
        words.push("gone (410), not asked any more".to_owned());
    }
    words.join(", ")
}

impl FeedState {
    /// Of a feed that was never seen.
    pub fn new(address: Url, scope: Scope) -> Self {
        Self {
            address,
            scope,
            guids_repeat: false,
            poll: 0,
            first_poll_at: None,
            not_before: Timestamp::EPOCH,
            gone: false,
            validators: None,
            window: Vec::new(),
            departed: Vec::new(),
            pending: Vec::new(),
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        postcard::to_extend(self, vec![VERSION]).expect("a state in memory has no length that postcard cannot write")
    }

    pub fn decode(value: &[u8]) -> Result<Self, StateError> {
        match value.split_first() {
            Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|_| StateError::Corrupt),
            Some((&earlier::VERSION, rest)) => earlier::decode(rest).ok_or(StateError::Corrupt),
            Some((&other, _)) => Err(StateError::Version(other)),
            None => Err(StateError::Corrupt),
        }
    }

    /// The number of the next answer that brings something: the present, or one more than the last.
    pub fn next_poll(&self, now: Timestamp) -> u64 {
        u64::try_from(now.millis()).unwrap_or(0).max(self.poll + 1)
    }

    pub fn guids(&self) -> Guids {
        if self.guids_repeat { Guids::Repeated } else { Guids::Distinct }
    }

    /// Whether what changed since `before` must survive a restart although it came with no entries. A window and
    /// validators need not: asking again gives them again.
    pub fn must_outlive(&self, before: &Self) -> bool {
        let lasting = |state: &Self| (state.gone, state.guids_repeat, state.not_before, state.first_poll_at);
        lasting(self) != lasting(before) || self.address != before.address || self.pending != before.pending
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn state() -> FeedState {
        let address = Url::parse("https://blog.example.com/feed").unwrap();
        let scope = Scope::of(&address).unwrap();
        FeedState::new(address, scope)
    }

    #[test]
    fn a_state_reads_back_from_its_cursor() {
        let mut full = state();
        full.validators = Some(Validators { url: "u".to_owned(), etag: Some(b"\xff".to_vec()), last_modified: None });
        full.window =
            vec![Seen { id: PostId::of("web", "1"), content: 7, bytes: 3, permalink: Some(full.address.clone()) }];
        full.departed = vec![Departed { id: PostId::of("web", "2"), content: 8 }];
        full.pending = vec![Pending {
            id: PostId::of("web", "3"),
            permalink: full.address.clone(),
            misses: 1,
            failures: 0,
            kept: 1,
            due: Timestamp::from_millis(5),
        }];
        assert_eq!(FeedState::decode(&full.encode()), Ok(full));
    }

    #[test]
    fn a_cursor_of_another_version_or_a_broken_one_is_an_error_that_says_what_to_do() {
        let mut value = state().encode();
        assert_eq!(FeedState::decode(&value[..value.len() - 1]), Err(StateError::Corrupt));
        assert_eq!(FeedState::decode(&[]), Err(StateError::Corrupt));
        value[0] = 9;
        assert_eq!(FeedState::decode(&value), Err(StateError::Version(9)));
    }

    #[test]
    fn a_cursor_is_shown_in_words() {
        let mut state = state();
        assert_eq!(describe(&state.encode()), "0 entries, no news yet");
        state.window = vec![Seen { id: PostId::of("web", "1"), content: 7, bytes: 3, permalink: None }];
        (state.poll, state.gone) = (1_795_406_400_412, true);
        state.not_before = Timestamp::from_millis(1_795_410_000_000);
        assert_eq!(
            describe(&state.encode()),
            "1 entries, last news at 2026-11-23T04:00:00.412Z, not asked before 2026-11-23T05:00:00.000Z, \
             gone (410), not asked any more"
        );
        assert!(
            describe(b"\x09").starts_with("its version is 9") && describe(b"\x02x").starts_with("it cannot be read")
        );
    }

    #[test]
    fn the_poll_number_grows_even_when_the_clock_does_not() {
        let mut state = state();
        assert_eq!(state.next_poll(Timestamp::from_millis(1000)), 1000);
        state.poll = 5000;
        assert_eq!(state.next_poll(Timestamp::from_millis(1000)), 5001);
        assert_eq!(state.next_poll(Timestamp::from_millis(-1)), 5001);
    }
}
