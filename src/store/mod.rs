//! The store: RocksDB, its one writer thread, and all that may be read from it. The only truth.
//! Unaware of HTTP, of queries and of what an event looks like on the wire.

mod backup;
mod commit;
pub mod gate;
mod handle;
mod keys;
mod open;
mod read;
mod retain;
mod rows;
mod totals;
mod writer;

pub use backup::{BackupError, backup};
pub use commit::{MentionWrite, NewDelivery, PostWrite, Settle, TurnCommit};
pub use handle::{FailureWatch, StoreFailure, WriterClosed, WriterHandle};
pub use keys::Family;
pub use open::{FORMAT, OpenError, Store, StoreSettings};
pub use read::{OutboxKey, ReadError};
pub use retain::{RetainPass, RetainSettings, expire_orphans, retain};
pub use rows::{
    AccountRow, DeadReason, DeadRow, EndpointRow, Erasure, Holding, KnownPost, LastAttempt, MentionRow, MentionState,
    NearRow, OutboxRow, PostState, QueryVersionRow, RowError, decode, encode,
};
pub use totals::{Tally, Totals};
pub use writer::{WriterThread, start_writer};
