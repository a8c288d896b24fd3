//! Counters of the whole path. They are written in the batch that they count, so they survive a crash and add up.

use std::collections::BTreeMap;

use crate::model::Rejected;

/// What is counted, per source or per project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tally {
    /// Post events that a source brought; the sum of the next six.
    Events,
    PostsCreated,
    PostsEdited,
    PostsDeleted,
    /// Seen before, or late.
    PostsUnchanged,
    /// Account events and declared gaps.
    Declared,
    Rejected(Rejected),
    /// Mentions by project.
    MentionsCreated,
    /// Mentions whose text was seen within the last day.
    MentionsCopied,
}

impl Tally {
    pub fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::PostsCreated => "posts_created",
            Self::PostsEdited => "posts_edited",
            Self::PostsDeleted => "posts_deleted",
            Self::PostsUnchanged => "posts_unchanged",
            Self::Declared => "declared",
            Self::Rejected(_) => "rejected",
            Self::MentionsCreated => "mentions_created",
            Self::MentionsCopied => "mentions_copied",
        }
    }

    /// Everything that is counted by source.
    pub fn of_sources() -> Vec<Self> {
        let fixed = [
            Self::Events,
            Self::PostsCreated,
            Self::PostsEdited,
            Self::PostsDeleted,
            Self::PostsUnchanged,
            Self::Declared,
        ];
        fixed.into_iter().chain(Rejected::ALL.iter().copied().map(Self::Rejected)).collect()
    }

    /// Everything that is counted by project.
    pub fn of_projects() -> Vec<Self> {
        vec![Self::MentionsCreated, Self::MentionsCopied]
    }

    /// Why what it counts was turned away.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Self::Rejected(reason) => Some(reason.reason()),
            _ => None,
        }
    }

    /// The key of the counter: name, label, and the reason of a rejection.
    pub fn key(self, label: &str) -> String {
        match self {
            Self::Rejected(reason) => format!("rejected\0{label}\0{}", reason.reason()),
            other => format!("{}\0{label}", other.name()),
        }
    }
}

/// Counters by key; what a turn adds, or all that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Totals(BTreeMap<String, u64>);

impl Totals {
    pub fn add(&mut self, tally: Tally, label: &str, count: u64) {
        if count > 0 {
            *self.0.entry(tally.key(label)).or_default() += count;
        }
    }

    pub(super) fn set(&mut self, key: String, value: u64) {
        self.0.insert(key, value);
    }

    /// Adds another's counts.
    pub(super) fn absorb(&mut self, other: &Totals) {
        for (key, count) in &other.0 {
            *self.0.entry(key.clone()).or_default() += count;
        }
    }

    /// The present values of those counters that `other` counts.
    pub(super) fn changed<'t>(&'t self, other: &'t Totals) -> impl Iterator<Item = (&'t str, u64)> {
        other.0.keys().map(|key| (key.as_str(), self.0.get(key).copied().unwrap_or(0)))
    }

    pub fn get(&self, tally: Tally, label: &str) -> u64 {
        self.0.get(&tally.key(label)).copied().unwrap_or(0)
    }

    /// Over all labels; of rejections, over all reasons.
    pub fn sum(&self, name: &str) -> u64 {
        self.iter().filter(|counter| counter.name == name).map(|counter| counter.value).sum()
    }

    pub fn iter(&self) -> impl Iterator<Item = Counter<'_>> {
        self.0.iter().map(|(key, &value)| {
            let mut parts = key.split('\0');
            let name = parts.next().unwrap_or("");
            let label = parts.next().unwrap_or("");
            Counter { name, label, reason: parts.next(), value }
        })
    }
}

/// One counter, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub reason: Option<&'a str>,
    pub value: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_over_labels() {
        let mut totals = Totals::default();
        totals.add(Tally::Events, "a", 2);
        totals.add(Tally::Events, "b", 3);
        totals.add(Tally::Rejected(Rejected::Syntax), "a", 1);
        assert_eq!(totals.sum("events"), 5);
        assert_eq!(totals.get(Tally::Rejected(Rejected::Syntax), "a"), 1);
        assert!(totals.iter().any(|counter| counter.reason == Some("syntax")));
    }
}
