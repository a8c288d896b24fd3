//! What the writer is asked to write: the result of a turn, the results of deliveries.

use crate::model::{AuthorId, ClusterId, CursorKey, DeliveryId, Post, PostId, ThreadId, Timestamp};

use super::{AccountRow, DeadReason, KnownPost, MentionRow, NearRow, Totals};

/// Everything that one turn decided. It becomes durable as a whole.
#[derive(Debug, Default)]
pub struct TurnCommit {
    pub posts: Vec<PostWrite>,
    pub mentions: Vec<MentionWrite>,
    /// Events about no mention: declared gaps, tests.
    pub notices: Vec<NewDelivery>,
    pub near: Vec<(ClusterId, NearRow)>,
    pub accounts: Vec<(AuthorId, AccountRow)>,
    pub cursors: Vec<(CursorKey, Vec<u8>)>,
    pub totals: Totals,
    /// The seq that the next post gets.
    pub post_next: u64,
}

/// A post that came to be, changed or went.
#[derive(Debug)]
pub struct PostWrite {
    pub id: PostId,
    pub known: KnownPost,
    /// None for a tombstone.
    pub post: Option<Post>,
    /// Where the version before lies, which this one replaces.
    pub replaces: Option<u64>,
}

/// A mention's new state, and what its endpoints are to be told.
#[derive(Debug)]
pub struct MentionWrite {
    pub id: PostId,
    pub row: MentionRow,
    pub deliveries: Vec<NewDelivery>,
    /// Whether deliveries of this mention that still wait are withdrawn.
    pub withdraw: bool,
}

/// A delivery before it has a place in its endpoint's queue.
#[derive(Clone, Debug, PartialEq)]
pub struct NewDelivery {
    pub endpoint: String,
    pub id: DeliveryId,
    pub event: &'static str,
    pub mention: Option<PostId>,
    pub thread: Option<ThreadId>,
    /// Whose words it carries; none for an event that carries none.
    pub author: Option<AuthorId>,
    pub queries: Vec<String>,
    pub created_at: Timestamp,
    /// When the post that it tells of came in.
    pub arrived_at: Timestamp,
    pub body: Vec<u8>,
}

/// The result of an attempt. Settling a row that is gone does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settle {
    Delivered {
        endpoint: String,
        position: u64,
    },
    /// It failed and stays; `refused` if the endpoint refused the message itself.
    Attempted {
        endpoint: String,
        position: u64,
        at: Timestamp,
        cause: String,
        refused: bool,
    },
    Dead {
        endpoint: String,
        position: u64,
        at: Timestamp,
        cause: String,
        reason: DeadReason,
    },
}
