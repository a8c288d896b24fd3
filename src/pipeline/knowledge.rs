//! What a turn knows before it decides: read from the store in a few multi-gets, seen through the turns that are
//! decided and not yet durable.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::model::{AuthorId, ClusterId, Post, PostEvent, PostId};
use crate::store::{AccountRow, KnownPost, MentionRow, NearRow, PostState, ReadError, Store, TurnCommit};

use super::sighting::{Sighting, cluster_of};

/// The state of everything that a batch touches; the fold keeps it up to date as it goes.
#[derive(Default)]
pub struct Knowledge {
    pub posts: HashMap<PostId, KnownPost>,
    pub accounts: HashMap<AuthorId, AccountRow>,
    pub mentions: HashMap<PostId, MentionRow>,
    pub near: HashMap<ClusterId, NearRow>,
    /// Parents and roots of matching replies.
    pub relatives: HashMap<PostId, Relative>,
    /// The seq that the next post gets.
    pub post_next: u64,
}

/// A parent or a root of a reply.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Relative {
    /// Not seen, or not kept any more.
    #[default]
    Unseen,
    /// Deleted: what it said is not repeated.
    Gone,
    Here(Box<Post>),
}

/// Characters of a parent's or root's text that travel with a reply, and that its queries search.
const EXCERPT_CHARS_MAX: usize = 280;

impl Relative {
    /// What of its text is told and searched, if it is known.
    pub fn excerpt(&self) -> Option<&str> {
        let Self::Here(post) = self else { return None };
        let end = post.text.char_indices().nth(EXCERPT_CHARS_MAX).map_or(post.text.len(), |(end, _)| end);
        Some(&post.text[..end])
    }
}

/// Turns that are decided and not yet durable, oldest first.
#[derive(Default)]
pub(super) struct Overlay {
    turns: VecDeque<(u64, Arc<TurnCommit>)>,
}

impl Overlay {
    pub(super) fn push(&mut self, number: u64, commit: Arc<TurnCommit>) {
        self.turns.push_back((number, commit));
    }

    /// Forgets what is durable.
    pub(super) fn release(&mut self, number: u64) {
        self.turns.retain(|(turn, _)| *turn > number);
    }

    pub(super) fn len(&self) -> usize {
        self.turns.len()
    }
}

impl Knowledge {
    /// Reads what deciding these sightings needs.
    pub(super) fn read(
        store: &Store,
        overlay: &Overlay,
        sightings: &[Sighting],
        post_next: u64,
    ) -> Result<Self, ReadError> {
        let mut knowledge = Self { post_next, ..Self::default() };
        knowledge.read_posts(store, overlay, sightings)?;
        knowledge.read_accounts(store, overlay, sightings)?;
        knowledge.read_mentions(store, overlay, sightings)?;
        knowledge.read_near(store, overlay, sightings)?;
        knowledge.read_relatives(store, overlay, &knowledge.relatives_of_mentions(sightings))?;
        Ok(knowledge)
    }

    /// Reads nothing but the posts of these ids, as relatives.
    pub(super) fn of_relatives(store: &Store, overlay: &Overlay, ids: &[PostId]) -> Result<Self, ReadError> {
        let mut knowledge = Self::default();
        knowledge.read_relatives(store, overlay, &unique(ids.iter().copied()))?;
        Ok(knowledge)
    }

    fn read_posts(&mut self, store: &Store, overlay: &Overlay, sightings: &[Sighting]) -> Result<(), ReadError> {
        let ids: Vec<PostId> = unique(sightings.iter().filter_map(|sighting| match &sighting.event {
            PostEvent::Upsert { post, .. } => Some(post.id),
            PostEvent::Delete { id, .. } | PostEvent::Erase { id } => Some(*id),
            PostEvent::Account { .. } | PostEvent::Gap { .. } => None,
        }));
        for (id, known) in ids.iter().zip(store.known(&ids)?) {
            self.posts.extend(known.map(|known| (*id, known)));
        }
        let wanted: HashSet<PostId> = ids.into_iter().collect();
        for (_, commit) in &overlay.turns {
            let writes = commit.posts.iter().filter(|write| wanted.contains(&write.id));
            self.posts.extend(writes.map(|write| (write.id, write.known)));
        }
        Ok(())
    }

    fn read_accounts(&mut self, store: &Store, overlay: &Overlay, sightings: &[Sighting]) -> Result<(), ReadError> {
        let ids: Vec<AuthorId> = unique(sightings.iter().filter_map(|sighting| match &sighting.event {
            PostEvent::Upsert { post, .. } => Some(post.author.id),
            PostEvent::Account { author, .. } => Some(*author),
            PostEvent::Delete { .. } | PostEvent::Erase { .. } | PostEvent::Gap { .. } => None,
        }));
        for (id, row) in ids.iter().zip(store.accounts(&ids)?) {
            self.accounts.extend(row.map(|row| (*id, row)));
        }
        for (_, commit) in &overlay.turns {
            self.accounts.extend(commit.accounts.iter().copied());
        }
        Ok(())
    }

    fn read_mentions(&mut self, store: &Store, overlay: &Overlay, _: &[Sighting]) -> Result<(), ReadError> {
        for (id, _) in self.posts.iter().filter(|(_, known)| known.mentioned) {
            self.mentions.extend(store.mention(*id)?.map(|row| (*id, row)));
        }
        for (_, commit) in &overlay.turns {
            for write in commit.mentions.iter().filter(|write| self.posts.contains_key(&write.id)) {
                self.mentions.insert(write.id, write.row.clone());
            }
        }
        Ok(())
    }

    fn read_near(&mut self, store: &Store, overlay: &Overlay, sightings: &[Sighting]) -> Result<(), ReadError> {
        let clusters: Vec<ClusterId> = unique(sightings.iter().filter_map(|sighting| match &sighting.event {
            PostEvent::Upsert { post, .. } if !sighting.matches.is_empty() => Some(cluster_of(post)),
            _ => None,
        }));
        for cluster in &clusters {
            self.near.extend(store.near(*cluster)?.map(|row| (*cluster, row)));
        }
        for (_, commit) in &overlay.turns {
            self.near.extend(commit.near.iter().filter(|(cluster, _)| clusters.contains(cluster)).copied());
        }
        Ok(())
    }

    fn relatives_of_mentions(&self, sightings: &[Sighting]) -> Vec<PostId> {
        let of_mention = sightings.iter().filter_map(|sighting| match &sighting.event {
            PostEvent::Upsert { post, .. } if !sighting.matches.is_empty() || self.mentions.contains_key(&post.id) => {
                Some([post.thread.parent, post.thread.root])
            }
            _ => None,
        });
        unique(of_mention.flatten().flatten())
    }

    fn read_relatives(&mut self, store: &Store, overlay: &Overlay, ids: &[PostId]) -> Result<(), ReadError> {
        for (id, known) in ids.iter().zip(store.known(ids)?) {
            let relative = match known {
                Some(known) if known.state == PostState::Tombstone => Relative::Gone,
                Some(known) => store.post(known.seq)?.map_or(Relative::Unseen, |post| Relative::Here(Box::new(post))),
                None => Relative::Unseen,
            };
            self.relatives.insert(*id, relative);
        }
        for (_, commit) in &overlay.turns {
            for write in &commit.posts {
                match (&write.post, write.known.state) {
                    (Some(post), _) => self.note_relative(write.id, || Relative::Here(Box::new(post.clone()))),
                    (None, PostState::Tombstone) => self.note_relative(write.id, || Relative::Gone),
                    // Only the order moved.
                    (None, PostState::Live) => {}
                }
            }
        }
        Ok(())
    }

    /// Keeps a relative up to date, if it is wanted.
    pub(super) fn note_relative(&mut self, id: PostId, relative: impl FnOnce() -> Relative) {
        if let Some(slot) = self.relatives.get_mut(&id) {
            *slot = relative();
        }
    }
}

fn unique<T: Copy + Eq + std::hash::Hash>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}
