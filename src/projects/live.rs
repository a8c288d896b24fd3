//! What a turn decides by: the matcher and the routes of its projects, swapped as a whole at a batch boundary.

use std::collections::{BTreeMap, BTreeSet};

use crate::matcher::Matcher;

/// The projects as they are in force.
pub struct Live {
    pub matcher: Matcher,
    /// By project.
    pub routes: BTreeMap<String, Route>,
}

/// Where a project's mentions go, and in whose time they are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub endpoints: Vec<String>,
    /// An IANA name.
    pub time_zone: String,
}

impl Live {
    /// Every endpoint that a project names.
    pub fn endpoints(&self) -> BTreeSet<&str> {
        self.routes.values().flat_map(|route| route.endpoints.iter().map(String::as_str)).collect()
    }
}
