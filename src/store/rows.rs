//! The rows of the store and their codec: a version byte, then postcard. A row of another version or with bytes left
//! over is corruption of our own data, and stops the daemon.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{
    AuthorId, AuthorStatus, ClusterId, DeliveryId, Excerpt, Match, Order, Post, PostId, ThreadId, Timestamp, Verdict,
};

/// The version of every row that this program writes.
const ROW_VERSION: u8 = 1;

/// A row that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("a row is empty")]
    Empty,
    #[error("a row has version {found}, this program reads version {ROW_VERSION}")]
    Version { found: u8 },
    #[error("a row is damaged: {0}")]
    Damaged(String),
}

/// A row as bytes.
pub fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    postcard::to_extend(row, vec![ROW_VERSION]).expect("rows hold only types that postcard can write")
}

/// A row of its bytes.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, RowError> {
    let (&version, body) = bytes.split_first().ok_or(RowError::Empty)?;
    if version != ROW_VERSION {
        return Err(RowError::Version { found: version });
    }
    let (row, rest) = postcard::take_from_bytes(body).map_err(|error| RowError::Damaged(error.to_string()))?;
    if !rest.is_empty() {
        return Err(RowError::Damaged(format!("{} bytes are left over", rest.len())));
    }
    Ok(row)
}

/// What is known of a post by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownPost {
    /// Where its text lies; of a tombstone, when it was laid.
    pub seq: u64,
    pub order: Order,
    /// Of whatever a reader of the post can see.
    pub hash: u64,
    pub state: PostState,
    pub author: AuthorId,
    pub thread: ThreadId,
    /// Whether there is a mention with this id.
    pub mentioned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PostState {
    Live,
    Tombstone,
}

/// What is known of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    pub status: AuthorStatus,
    pub order: Order,
    /// Posts that are still to be erased; none when all are.
    pub erasure: Option<Erasure>,
}

/// Seqs of an author's posts that are to be erased: from the first on, before the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Erasure {
    pub from: u64,
    pub below: u64,
}

/// The first mention of a text, and how many followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearRow {
    pub first: PostId,
    pub first_at: Timestamp,
    pub size: u32,
}

/// A mention as it stands now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MentionRow {
    pub revision: u32,
    /// Its latest row in the mention log; set by the writer.
    pub log_seq: u64,
    pub state: MentionState,
    /// Of the post as decided last; of a deleted mention, without title and text.
    pub post: Post,
    pub verdict: Verdict,
    /// Empty when an edit no longer matches.
    pub matches: Vec<Match>,
    pub parent: Option<Excerpt>,
    pub root: Option<Excerpt>,
    pub cluster: ClusterId,
    pub cluster_first: PostId,
    pub cluster_size: u32,
    pub matched_at: Timestamp,
    /// Whether another version of the post was seen before.
    pub edited: bool,
    /// Every endpoint that an event of this mention was made for, and whether it holds the mention now.
    pub endpoints: BTreeMap<String, Holding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MentionState {
    Live,
    Deleted,
}

/// What an endpoint was last told of a mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holding {
    Holds,
    Deleted,
}

/// A delivery that waits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutboxRow {
    pub id: DeliveryId,
    pub seq: u64,
    /// The event's type, as `mention.matched`.
    pub event: String,
    /// None for an event about no mention.
    pub mention: Option<PostId>,
    pub thread: Option<ThreadId>,
    /// Whose words it carries; none for an event that carries none.
    pub author: Option<AuthorId>,
    /// The queries that matched, as `project/query`: for listing and replay.
    pub queries: Vec<String>,
    pub created_at: Timestamp,
    /// From when on it expires by age: its creation, or the last time that it was made to wait again.
    pub waits_since: Timestamp,
    /// When the post that it tells of came in.
    pub arrived_at: Timestamp,
    /// Made again from a dead letter.
    pub replay: bool,
    pub attempts: u32,
    /// How often the endpoint refused this message itself.
    pub refusals: u32,
    pub last_attempt: Option<LastAttempt>,
    pub body: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAttempt {
    pub at: Timestamp,
    pub cause: String,
}

/// A delivery that was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeadRow {
    pub row: OutboxRow,
    pub reason: DeadReason,
    pub at: Timestamp,
}

/// Why a delivery was given up. Closed: each is a metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum DeadReason {
    Expired,
    Refused,
    Quota,
}

impl DeadReason {
    pub const ALL: [Self; 3] = [Self::Expired, Self::Refused, Self::Quota];

    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Refused => "refused",
            Self::Quota => "quota",
        }
    }
}

/// An endpoint's counters and its clock. `created = delivered + dead + superseded + pending`, always.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct EndpointRow {
    /// The seq of the next new delivery, from 1.
    pub seq_next: u64,
    pub position_next: u64,
    pub created: u64,
    pub delivered: u64,
    pub dead: u64,
    pub superseded: u64,
    /// Dead letters that were made pending again; each was taken back from `dead`.
    pub replayed: u64,
    pub bytes_pending: u64,
    /// The outbox's own state of the endpoint, opaque here.
    pub clock: Vec<u8>,
}

impl EndpointRow {
    pub fn pending(&self) -> u64 {
        self.created.saturating_sub(self.delivered + self.dead + self.superseded)
    }
}

/// The text of a query as it was last live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryVersionRow {
    pub version: u32,
    pub text: String,
    pub query_language: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_its_bytes_are_golden() {
        let row = NearRow { first: PostId::of("web", "x"), first_at: Timestamp::from_millis(1000), size: 3 };
        let bytes = encode(&row);
        assert_eq!(decode::<NearRow>(&bytes), Ok(row));
        assert_eq!(bytes[0], ROW_VERSION);
        assert_eq!(&bytes[17..], [0xd0, 0x0f, 3]);
    }

    #[test]
    fn damaged_rows_say_what_is_wrong() {
        let bytes = encode(&KnownPost {
            seq: 1,
            order: Order(2),
            hash: 3,
            state: PostState::Live,
            author: AuthorId::of("n", "a"),
            thread: ThreadId::of("n", "t"),
            mentioned: false,
        });
        assert_eq!(decode::<KnownPost>(&[]), Err(RowError::Empty));
        assert_eq!(decode::<KnownPost>(&[9, 1]), Err(RowError::Version { found: 9 }));
        assert!(matches!(decode::<KnownPost>(&bytes[..9]), Err(RowError::Damaged(_))));
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        assert!(matches!(decode::<KnownPost>(&longer), Err(RowError::Damaged(_))));
    }
}
