//! The turn: what is known is read, a pure function decides over a batch, one batch is written.
//! Unaware of sockets and of where deliveries go.

mod among;
mod announce;
mod decide;
mod knowledge;
mod sighting;
mod turn;

pub use decide::{Decided, decide};
pub use knowledge::Knowledge;
pub use sighting::Sighting;
pub use turn::{Turn, TurnParts, TurnSettings, start_turn};
