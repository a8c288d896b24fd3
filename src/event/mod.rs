//! Events as receivers see them: their types, their rendering, their offsets, their published schema.
//! Unaware of the store, of endpoints' state, and of how a body travels.

mod body;
mod offsets;
mod render;
mod schema;

pub use render::{
    DELETED, DeletedView, EVENTS, GapView, MentionEvent, MentionView, RenderedEvent, deleted, gap, mention, test,
};
pub use schema::schema;
