//! How each source is: set by its supervisor, shown by the API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::clock;

/// How each source is, for `status` and `/readyz`.
#[derive(Clone, Default)]
pub struct SourceBoard(Arc<Mutex<BTreeMap<String, SourceHealth>>>);

/// How one source is.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
pub struct SourceHealth {
    pub kind: &'static str,
    /// `running`, `waiting`, `finished`, `failed` or `stopped`.
    pub state: &'static str,
    /// Why it waits or failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// RFC 3339.
    pub since: String,
    /// Runs that ended in an error since the start.
    pub errors: u64,
}

impl SourceBoard {
    pub fn all(&self) -> BTreeMap<String, SourceHealth> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set(&self, slug: &str, kind: &'static str, state: &'static str, cause: Option<String>) {
        let mut board = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let errors =
            board.get(slug).map_or(0, |health| health.errors) + u64::from(state == "waiting" || state == "failed");
        let since = clock::now().to_string();
        board.insert(slug.to_owned(), SourceHealth { kind, state, cause, since, errors });
    }
}
