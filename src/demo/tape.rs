//! The demo's recording and what has to come of it, as its makers say. Unaware of who plays it.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use crate::rig::jetstream::PlayedEvent;

const RECORDING: &str = include_str!("../../tests/data/demo/recording.ndjson");
/// What a matcher that is not ours found in the recording.
const EXPECTED: &str = include_str!("../../tests/data/demo/expected.json");

/// Events of each kind in the recording, and what is left of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tape {
    pub creates: u64,
    pub updates: u64,
    pub deletes: u64,
    /// Posts that go with their author's account.
    pub erased: u64,
    /// When the last event is due.
    pub end_ms: u64,
    /// Mentions that are there at the end, by project. No post of the account that is hidden is among them.
    pub left: BTreeMap<String, u64>,
}

#[derive(Deserialize)]
struct Expected {
    by_project: BTreeMap<String, ExpectedProject>,
}

#[derive(Deserialize)]
struct ExpectedProject {
    matching_posts_left_at_the_end: u64,
}

impl Tape {
    pub(super) fn read() -> Result<(Vec<PlayedEvent>, Self), String> {
        let wrong = |cause: serde_json::Error| format!("the recording: {cause}");
        let expected: Expected = serde_json::from_str(EXPECTED).map_err(wrong)?;
        let left = expected.by_project.into_iter().map(|(slug, of)| (slug, of.matching_posts_left_at_the_end));
        let mut tape = Self { left: left.collect(), ..Self::default() };
        let mut events = Vec::new();
        let mut living: HashMap<String, HashSet<String>> = HashMap::new();
        for line in RECORDING.lines() {
            let mut recorded: Value = serde_json::from_str(line).map_err(wrong)?;
            let body = recorded["body"].take();
            tape.end_ms = recorded["at_ms"].as_u64().unwrap_or(0);
            tape.count(&body, &mut living);
            events.push(PlayedEvent { at_ms: tape.end_ms, body });
        }
        Ok((events, tape))
    }

    /// `living` are the posts of each author.
    fn count(&mut self, body: &Value, living: &mut HashMap<String, HashSet<String>>) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let own = living.entry(text(&body["did"])).or_default();
        let post = text(&body["commit"]["rkey"]);
        match body["commit"]["operation"].as_str() {
            Some("create") => {
                self.creates += 1;
                own.insert(post);
            }
            Some("update") => self.updates += 1,
            Some("delete") => {
                self.deletes += 1;
                own.remove(&post);
            }
            _ if body["account"]["status"] == "deleted" => self.erased += own.drain().count() as u64,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::PROJECTS;
    use super::*;
    use crate::model::{AuthorStatus, Post, PostEvent, PostId, Wire};
    use crate::projects::{ProjectText, Routes, read_project};
    use crate::query::{Rule, naive};
    use crate::{clock, language, normalize};

    /// The posts that nobody has deleted, and those of them that are hidden.
    fn left(events: &[PlayedEvent]) -> (HashMap<PostId, Post>, HashSet<PostId>) {
        let (mut posts, mut hidden) = (HashMap::new(), HashSet::new());
        for event in events {
            let bytes = event.body.to_string().into_bytes();
            let read = normalize::events(bytes, Wire::Jetstream, &"stream".into(), clock::now()).unwrap_or_default();
            for event in read.into_iter().flatten() {
                match event {
                    PostEvent::Upsert { post, .. } => drop(posts.insert(post.id, *post)),
                    PostEvent::Delete { id, .. } => drop(posts.remove(&id)),
                    PostEvent::Account { author, status: AuthorStatus::Erased, .. } => {
                        posts.retain(|_, post| post.author.id != author);
                    }
                    PostEvent::Account { author, status: AuthorStatus::Hidden, .. } => {
                        hidden.extend(posts.values().filter(|post| post.author.id == author).map(|post| post.id));
                    }
                    _ => {}
                }
            }
        }
        (posts, hidden)
    }

    fn matches(rules: &[Rule], post: &Post) -> bool {
        rules.iter().any(|rule| naive::matches(rule, post, &|| language::detect(&post.text, &post.langs)).is_some())
    }

    #[test]
    fn the_recording_is_whole_and_what_is_left_of_it_is_what_our_evaluator_finds() {
        let (events, tape) = Tape::read().unwrap();
        assert!(tape.creates >= 600 && events.is_sorted_by_key(|event| event.at_ms));
        let (posts, hidden) = left(&events);
        assert_eq!(posts.len() as u64, tape.creates - tape.deletes - tape.erased);
        assert!(tape.erased > 0 && !hidden.is_empty() && tape.left.len() == PROJECTS.len());
        let routes = Routes {
            endpoints: ["care", "press"].map(str::to_owned).into(),
            sources: ["stream", "feeds"].map(str::to_owned).into(),
        };
        for (slug, text) in PROJECTS {
            let project = ProjectText { slug: slug.to_owned(), text: text.to_owned() };
            let (_, rules) = read_project(std::path::Path::new(slug), &project, &routes).unwrap();
            let found = posts.values().filter(|post| matches(&rules, post)).count() as u64;
            assert_eq!(found, tape.left[slug], "{slug}");
            assert!(!hidden.iter().any(|id| matches(&rules, &posts[id])), "{slug}: hidden, and counted as left");
        }
    }
}
