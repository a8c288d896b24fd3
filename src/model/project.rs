//! What a monitoring team saves: a project with its queries.

use serde::{Deserialize, Serialize};

use super::Lang;

/// One project: one file, its slug the file's name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    pub slug: String,
    pub title: String,
    /// An IANA name, as `Europe/Prague`.
    pub time_zone: String,
    /// Only posts in these; empty means all.
    pub languages: Vec<Lang>,
    /// Only posts of these configured sources; empty means all.
    pub sources: Vec<String>,
    pub endpoints: Vec<String>,
    pub tags: Vec<String>,
    /// The version of the query language that the texts were written in.
    pub query_language: u32,
    pub queries: Vec<SavedQuery>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedQuery {
    pub slug: String,
    pub text: String,
    /// Counts the changes of `text` that were ever live in this store, from 1.
    pub version: u32,
    pub tags: Vec<String>,
    pub must_match: Vec<Example>,
    pub must_not_match: Vec<Example>,
}

/// A post that a query must or must not match, checked at every save.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Example {
    pub text: String,
    pub title: Option<String>,
    pub lang: Option<Lang>,
    pub author: Option<String>,
    pub site: Option<String>,
    /// The network, as `bluesky`.
    pub source: Option<String>,
}
