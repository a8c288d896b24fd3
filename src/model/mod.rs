//! The nouns of Earful and what is always true of them: ids, times, posts, arrivals, projects, mentions.
//! Unaware of everything else: no clock, no network, no storage.

mod arrival;
mod delivery;
mod id;
mod lang;
mod mention;
mod post;
mod project;
mod time;

pub use arrival::{Arrival, Cursor, CursorKey, Outcome, PostEvent, Rejected, Wire};
pub use delivery::{Attempt, Class, Rendered};
pub use id::{AuthorId, ClusterId, DeliveryId, IdError, PostId, ThreadId};
pub use lang::{Lang, Verdict};
pub use mention::{Field, How, Match, Span, Term};
pub use post::{Author, AuthorStatus, Connector, Excerpt, Order, Post, PostKind, SourceType, TEXT_BYTES_MAX, Thread};
pub use project::{Example, Project, SavedQuery};
pub use time::Timestamp;
