//! The decision: a sequential fold over a batch, pure. What a version, an edit, a deletion and an account event do to
//! posts and mentions, and what each endpoint is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    AuthorId, AuthorStatus, ClusterId, Excerpt, Match, Order, Outcome, Post, PostEvent, PostId, ThreadId, Timestamp,
    Verdict,
};
use crate::projects::Live;
use crate::store::{
    AccountRow, Holding, KnownPost, MentionRow, MentionState, MentionWrite, NearRow, PostState, PostWrite, Tally,
    Totals, TurnCommit,
};

use super::announce;
use super::knowledge::Knowledge;
use super::sighting::{Sighting, cluster_of};

/// Characters of a parent's or root's text that travel with a reply.
const EXCERPT_CHARS_MAX: usize = 280;
/// How long copies of a text count as one cluster.
const NEAR_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// What a batch comes to.
#[derive(Debug, Default)]
pub struct Decided {
    pub commit: TurnCommit,
    /// One per sighting, in their order.
    pub outcomes: Vec<Outcome>,
    /// Accounts whose posts are to be erased from now on.
    pub erasures: Vec<(AuthorId, AccountRow)>,
}

/// Folds the sightings over what is known. `now` is the time of the decision.
pub fn decide(sightings: Vec<Sighting>, knowledge: &mut Knowledge, live: &Live, now: Timestamp) -> Decided {
    let mut fold =
        Fold { knowledge, live, now, decided: Decided::default(), posts: BTreeMap::new(), mentions: BTreeMap::new() };
    for sighting in sightings {
        let source = sighting.source.clone();
        let outcome = fold.sighting(sighting);
        let tally = match outcome {
            Outcome::Created => Tally::PostsCreated,
            Outcome::Edited => Tally::PostsEdited,
            Outcome::Deleted => Tally::PostsDeleted,
            Outcome::Declared => Tally::Declared,
            Outcome::Unchanged | Outcome::Rejected(_) => Tally::PostsUnchanged,
        };
        let totals = &mut fold.decided.commit.totals;
        totals.add(Tally::Events, &source, 1);
        totals.add(tally, &source, 1);
        fold.decided.outcomes.push(outcome);
    }
    fold.finish()
}

struct Fold<'a> {
    knowledge: &'a mut Knowledge,
    live: &'a Live,
    now: Timestamp,
    decided: Decided,
    /// The batch's last word on each post.
    posts: BTreeMap<PostId, PostWrite>,
    mentions: BTreeMap<PostId, Announcement>,
}

/// A mention that this batch made or changed.
struct Announcement {
    row: MentionRow,
    /// What its endpoints held when the batch began.
    held: BTreeMap<String, Holding>,
    /// The revision when the batch began; 0 for none.
    revision: u32,
    /// Whether its endpoints are to be told.
    told: bool,
}

impl Fold<'_> {
    fn sighting(&mut self, sighting: Sighting) -> Outcome {
        let Sighting { event, matches, verdict, .. } = sighting;
        match event {
            PostEvent::Upsert { post, order, quiet } => self.upsert(*post, order, quiet, (matches, verdict)),
            PostEvent::Delete { id, order } => self.delete(id, order),
            PostEvent::Account { author, status, order } => self.account(author, status, order),
            PostEvent::Gap { source, from, to, why } => {
                let gap = announce::Gap { source: &source, from: &from, to: &to, why: &why };
                self.decided.commit.notices.extend(announce::gap(&gap, self.live, self.now));
                Outcome::Declared
            }
        }
    }

    fn upsert(&mut self, mut post: Post, order: Order, quiet: bool, found: (Vec<Match>, Option<Verdict>)) -> Outcome {
        let erased = self
            .knowledge
            .accounts
            .get(&post.author.id)
            .is_some_and(|account| account.status == AuthorStatus::Erased && order <= account.order);
        if erased {
            return Outcome::Unchanged;
        }
        let known = self.knowledge.posts.get(&post.id).copied();
        let hash = content_hash(&post);
        if let Some(known) = known {
            if order <= known.order {
                return Outcome::Unchanged;
            }
            if known.state == PostState::Live && known.hash == hash {
                self.write_post(post.id, KnownPost { order, ..known }, None, None);
                return Outcome::Unchanged;
            }
            if known.state == PostState::Live || known.mentioned {
                post.thread.id = known.thread;
            }
        }
        let seq = self.next_seq();
        let mentioned = self.mention(&post, known.is_some(), quiet, found);
        let written = KnownPost {
            seq,
            order,
            hash,
            state: PostState::Live,
            author: post.author.id,
            thread: post.thread.id,
            mentioned,
        };
        let replaces = known.filter(|known| known.state == PostState::Live).map(|known| known.seq);
        self.knowledge.note_relative(post.id, Some(&post), true);
        self.write_post(post.id, written, Some(post), replaces);
        if replaces.is_some() { Outcome::Edited } else { Outcome::Created }
    }

    fn next_seq(&mut self) -> u64 {
        let seq = self.knowledge.post_next;
        self.knowledge.post_next += 1;
        seq
    }

    /// The batch's last word on a post; what a former word of the same batch replaces, this one does too.
    fn write_post(&mut self, id: PostId, known: KnownPost, post: Option<Post>, replaces: Option<u64>) {
        self.knowledge.posts.insert(id, known);
        match self.posts.remove(&id) {
            None => drop(self.posts.insert(id, PostWrite { id, known, post, replaces })),
            Some(before) => {
                // A former word of this batch never reached the store: what it replaced is still there to be replaced.
                // One that only moved the order replaced nothing, and left the text to this one.
                let replaces = before.replaces.or(replaces.filter(|_| before.post.is_none()));
                let kept = (known.state == PostState::Live && post.is_none()).then_some(before.post).flatten();
                self.posts.insert(id, PostWrite { id, known, post: post.or(kept), replaces });
            }
        }
    }

    fn delete(&mut self, id: PostId, order: Order) -> Outcome {
        let Some(known) = self.knowledge.posts.get(&id).copied() else {
            let tombstone = KnownPost {
                seq: self.next_seq(),
                order,
                hash: 0,
                state: PostState::Tombstone,
                author: AuthorId::from_bytes([0; 16]),
                thread: ThreadId::from_bytes([0; 16]),
                mentioned: false,
            };
            self.write_post(id, tombstone, None, None);
            return Outcome::Deleted;
        };
        if order <= known.order {
            return Outcome::Unchanged;
        }
        if known.state == PostState::Tombstone {
            self.write_post(id, KnownPost { order, ..known }, None, None);
            return Outcome::Unchanged;
        }
        let tombstone = KnownPost { seq: self.next_seq(), order, hash: 0, state: PostState::Tombstone, ..known };
        self.write_post(id, tombstone, None, Some(known.seq));
        self.knowledge.note_relative(id, None, true);
        if let Some(mut row) = self.knowledge.mentions.get(&id).cloned() {
            row.revision += 1;
            row.state = MentionState::Deleted;
            row.matches.clear();
            row.post.text.clear();
            row.post.title = None;
            row.post.links.clear();
            row.post.hashtags.clear();
            row.post.mentions.clear();
            row.parent = None;
            row.root = None;
            row.matched_at = self.now;
            self.announce(id, row, true);
        }
        Outcome::Deleted
    }

    fn account(&mut self, author: AuthorId, status: AuthorStatus, order: Order) -> Outcome {
        let known = self.knowledge.accounts.get(&author);
        if known.is_some_and(|known| order <= known.order) {
            return Outcome::Unchanged;
        }
        let is_erased = status == AuthorStatus::Erased;
        // An erasure under way goes on, also if the account comes back.
        let erase_from = if is_erased { Some(0) } else { known.and_then(|known| known.erase_from) };
        let row = AccountRow { status, order, erase_from };
        self.knowledge.accounts.insert(author, row);
        self.decided.commit.accounts.push((author, row));
        if is_erased {
            self.decided.erasures.push((author, row));
        }
        Outcome::Declared
    }

    /// Makes or changes the mention of a post. Returns whether there is one.
    fn mention(&mut self, post: &Post, seen: bool, quiet: bool, found: (Vec<Match>, Option<Verdict>)) -> bool {
        let (matches, verdict) = found;
        let before = self.knowledge.mentions.get(&post.id).cloned();
        let Some(before) = before else {
            if matches.is_empty() || (quiet && !seen) {
                return false;
            }
            let row = self.new_mention(post, matches, verdict, seen);
            self.announce(post.id, row, true);
            return true;
        };
        let told = !(before.matches.is_empty() && matches.is_empty());
        let row = MentionRow {
            revision: before.revision + 1,
            state: MentionState::Live,
            post: post.clone(),
            verdict: verdict.unwrap_or(before.verdict),
            matches,
            parent: self.excerpt(post.thread.parent).or(before.parent),
            root: self.excerpt(post.thread.root).or(before.root),
            matched_at: self.now,
            edited: true,
            ..before
        };
        self.announce(post.id, row, told);
        true
    }

    fn new_mention(&mut self, post: &Post, matches: Vec<Match>, verdict: Option<Verdict>, edited: bool) -> MentionRow {
        let cluster = cluster_of(post);
        let near = self.sight_copy(cluster, post.id);
        MentionRow {
            revision: 1,
            log_seq: 0,
            state: MentionState::Live,
            post: post.clone(),
            verdict: verdict.unwrap_or_default(),
            matches,
            parent: self.excerpt(post.thread.parent),
            root: self.excerpt(post.thread.root),
            cluster,
            cluster_first: near.first,
            cluster_size: near.size,
            matched_at: self.now,
            edited,
            endpoints: BTreeMap::new(),
        }
    }

    /// Counts a mention among those with the same text within a day.
    fn sight_copy(&mut self, cluster: ClusterId, id: PostId) -> NearRow {
        let recent =
            self.knowledge.near.get(&cluster).filter(|near| near.first_at.millis() > self.now.millis() - NEAR_MILLIS);
        let near = match recent {
            Some(near) => NearRow { size: near.size.saturating_add(1), ..*near },
            None => NearRow { first: id, first_at: self.now, size: 1 },
        };
        self.knowledge.near.insert(cluster, near);
        self.decided.commit.near.push((cluster, near));
        near
    }

    fn excerpt(&self, id: Option<PostId>) -> Option<Excerpt> {
        let post = self.knowledge.relatives.get(&id?)?.as_ref()?;
        let author = post.author.handle.clone().or_else(|| post.author.name.clone());
        let text =
            post.text.char_indices().nth(EXCERPT_CHARS_MAX).map_or(post.text.as_str(), |(end, _)| &post.text[..end]);
        Some(Excerpt { author, text: text.to_owned() })
    }

    fn announce(&mut self, id: PostId, row: MentionRow, told: bool) {
        let (held, revision, told_before) = match self.mentions.remove(&id) {
            Some(before) => (before.held, before.revision, before.told),
            None => match self.knowledge.mentions.get(&id) {
                Some(before) => (before.endpoints.clone(), before.revision, false),
                None => (BTreeMap::new(), 0, false),
            },
        };
        self.knowledge.mentions.insert(id, row.clone());
        self.mentions.insert(id, Announcement { row, held, revision, told: told || told_before });
    }

    fn finish(self) -> Decided {
        let mut decided = self.decided;
        for (id, announcement) in self.mentions {
            let Announcement { mut row, held, revision, told } = announcement;
            let withdraw = row.state == MentionState::Deleted;
            if revision == 0 && withdraw {
                // Made and deleted within one batch: nobody ever heard of it.
                continue;
            }
            // However often the batch changed it, the outside sees one step.
            row.revision = revision + 1;
            if revision == 0 {
                count_mention(&mut decided.commit.totals, id, &row);
            }
            let deliveries = match told {
                true => announce::mention(id, &mut row, &held, self.live),
                false => Vec::new(),
            };
            decided.commit.mentions.push(MentionWrite { id, row, deliveries, withdraw });
        }
        decided.commit.posts = self.posts.into_values().collect();
        decided.commit.post_next = self.knowledge.post_next;
        decided
    }
}

fn count_mention(totals: &mut Totals, id: PostId, row: &MentionRow) {
    let projects: BTreeSet<&str> = row.matches.iter().map(|found| found.project.as_str()).collect();
    for project in projects {
        totals.add(Tally::MentionsCreated, project, 1);
        totals.add(Tally::MentionsCopied, project, u64::from(row.cluster_first != id));
    }
}

/// A hash over whatever a reader of the post can see.
fn content_hash(post: &Post) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let lists = [&post.hashtags, &post.mentions, &post.links];
    let fields = [
        post.title.as_deref(),
        Some(&post.text),
        post.url.as_deref(),
        post.author.handle.as_deref(),
        post.author.name.as_deref(),
    ];
    for field in
        fields.into_iter().chain(lists.into_iter().flat_map(|list| list.iter().map(|item| Some(item.as_str()))))
    {
        match field {
            Some(text) => {
                hasher.update(&(text.len() as u64 + 1).to_le_bytes());
                hasher.update(text.as_bytes());
            }
            None => drop(hasher.update(&[0; 8])),
        }
    }
    u64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("eight of thirty-two bytes"))
}
