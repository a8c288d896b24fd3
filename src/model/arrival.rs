//! What a source hands over, and what it becomes: an arrival of bytes, then post events or a reason for none.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AuthorId, AuthorStatus, Order, Post, PostId, Timestamp};

/// Bytes from a source, with the cursor that is durable once they are.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// The slug of the configured source.
    pub source: Arc<str>,
    pub wire: Wire,
    pub body: Vec<u8>,
    pub fetched_at: Timestamp,
    /// Rides on the last arrival of what it covers.
    pub cursor: Option<Cursor>,
}

/// Which decoder reads the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wire {
    /// One event of Jetstream's first wire version.
    Jetstream,
    /// One frame of Jetstream's second wire version.
    JetstreamV2,
    /// The new and changed entries of one answer of one feed.
    Feed,
    /// Posts pushed in one request, one JSON object a line.
    Push,
    /// Something a source declares about itself: a gap in what it could see.
    Notice,
}

impl Wire {
    pub const ALL: [Self; 5] = [Self::Jetstream, Self::JetstreamV2, Self::Feed, Self::Push, Self::Notice];

    pub fn name(self) -> &'static str {
        match self {
            Self::Jetstream => "jetstream",
            Self::JetstreamV2 => "jetstream_v2",
            Self::Feed => "feed",
            Self::Push => "push",
            Self::Notice => "notice",
        }
    }
}

/// Where a cursor is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CursorKey {
    pub source: Arc<str>,
    /// Empty for a source with one cursor; the feed's address for a list of feeds.
    pub part: String,
}

/// A source's own note of how far it came: opaque to everyone else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub part: String,
    pub value: Vec<u8>,
}

/// What an arrival says about posts, in its order.
#[derive(Clone, Debug, PartialEq)]
pub enum PostEvent {
    /// A post was made or changed. A quiet one is kept and never delivered: it was old when it was first seen.
    Upsert {
        post: Box<Post>,
        order: Order,
        quiet: bool,
    },
    Delete {
        id: PostId,
        order: Order,
    },
    /// The post's author's account was erased: it goes whatever its order.
    Erase {
        id: PostId,
    },
    Account {
        author: AuthorId,
        status: AuthorStatus,
        order: Order,
    },
    /// Posts that can no longer be had: `from` to `to` are the source's words for the hole.
    Gap {
        source: Arc<str>,
        from: String,
        to: String,
        why: String,
    },
}

/// What became of one post event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    Created,
    Edited,
    Deleted,
    /// An account's status or a gap was taken note of.
    Declared,
    /// Nothing changed: seen before, or older than what is kept.
    Unchanged,
    Rejected(Rejected),
}

macro_rules! rejected {
    ($($(#[$doc:meta])* $name:ident $label:literal,)*) => {
        /// Why untrusted bytes were turned away. Closed: each is a metric label.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Rejected { $($(#[$doc])* $name,)* }

        impl Rejected {
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The metric label.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }
        }
    };
}

rejected! {
    /// Over the size that this wire allows.
    TooLarge "too_large",
    /// Nested deeper than this wire allows.
    TooDeep "too_deep",
    NotUtf8 "not_utf8",
    /// Not JSON, XML or whatever the wire speaks, or cut off.
    Syntax "syntax",
    /// Well formed, but a field is missing or of the wrong type.
    Shape "shape",
    /// A field holds a value that its type admits and its meaning does not.
    Value "value",
    NoId "no_id",
    /// Neither text nor title.
    Empty "empty",
    /// Speaks for posts that are not its own.
    Scope "scope",
    /// A kind of event that carries no post.
    Irrelevant "irrelevant",
    /// Decoding it failed inside this program, which is a mistake of ours; the log has it.
    Fault "fault",
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}
