//! What a turn decides about: a post event with what matching found in it.

use std::sync::Arc;

use crate::model::{ClusterId, Match, Post, PostEvent, Verdict};

/// One post event with what matching found in it.
#[derive(Debug)]
pub struct Sighting {
    /// The slug of the source.
    pub source: Arc<str>,
    pub event: PostEvent,
    pub matches: Vec<Match>,
    /// Present when something matched.
    pub verdict: Option<Verdict>,
}

/// The cluster of a post's normalised text: lower case, white space folded.
pub(super) fn cluster_of(post: &Post) -> ClusterId {
    let mut normalised = String::with_capacity(post.text.len());
    for word in post.title.iter().flat_map(|title| title.split_whitespace()).chain(post.text.split_whitespace()) {
        normalised.extend(word.chars().flat_map(char::to_lowercase));
        normalised.push(' ');
    }
    ClusterId::of(&normalised)
}
