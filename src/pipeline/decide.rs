//! The decision: a sequential fold over a batch, pure. What a version, an edit, a deletion and an account event do to
//! posts and mentions, and what each endpoint is told.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    AuthorId, AuthorStatus, ClusterId, Excerpt, Match, Order, Outcome, Post, PostEvent, PostId, ThreadId, Timestamp,
    Verdict,
};
use crate::projects::Live;
use crate::store::{
    AccountRow, Erasure, Holding, KnownPost, MentionRow, MentionState, MentionWrite, NearRow, PostState, PostWrite,
    Tally, Totals, TurnCommit,
};

use super::announce;
use super::knowledge::{Knowledge, Relative};
use super::sighting::{Sighting, cluster_of};

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
    let mut fold = Fold {
        knowledge,
        live,
        now,
        at: 0,
        decided: Decided::default(),
        posts: BTreeMap::new(),
        mentions: BTreeMap::new(),
    };
    for (at, sighting) in sightings.into_iter().enumerate() {
        fold.at = at;
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
    /// The place of the sighting in its batch.
    at: usize,
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
    /// The projects that it matched when the batch began.
    projects: BTreeSet<String>,
    /// Where in the batch it was first made or changed: receivers hear of mentions in this order.
    at: usize,
    /// Whether its endpoints are to be told.
    told: bool,
}

impl Fold<'_> {
    fn sighting(&mut self, sighting: Sighting) -> Outcome {
        let Sighting { event, matches, verdict, .. } = sighting;
        match event {
            PostEvent::Upsert { post, order, quiet } => self.upsert(*post, order, quiet, (matches, verdict)),
            PostEvent::Delete { id, order } => self.delete(id, order),
            PostEvent::Erase { id } => self.erase(id),
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
        let mentioned = self.mention(&post, known, quiet, found);
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
        self.knowledge.note_relative(post.id, || Relative::Here(Box::new(post.clone())));
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
        self.knowledge.note_relative(id, || Relative::Gone);
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

    /// Deletes a post whatever its order: its author's account is gone.
    fn erase(&mut self, id: PostId) -> Outcome {
        match self.knowledge.posts.get(&id) {
            Some(known) if known.state == PostState::Live => {
                let order = Order(known.order.0.saturating_add(1));
                self.delete(id, order)
            }
            _ => Outcome::Unchanged,
        }
    }

    fn account(&mut self, author: AuthorId, status: AuthorStatus, order: Order) -> Outcome {
        let known = self.knowledge.accounts.get(&author);
        if known.is_some_and(|known| order <= known.order) {
            return Outcome::Unchanged;
        }
        if known.is_none() && status == AuthorStatus::Active {
            // What the network says of nearly everyone is what is taken for granted.
            return Outcome::Declared;
        }
        let is_erased = status == AuthorStatus::Erased;
        // An erasure under way goes on, also if the account comes back.
        let everything = Erasure { from: 0, below: self.knowledge.post_next };
        let erasure = if is_erased { Some(everything) } else { known.and_then(|known| known.erasure) };
        let row = AccountRow { status, order, erasure };
        self.knowledge.accounts.insert(author, row);
        self.decided.commit.accounts.push((author, row));
        if is_erased {
            self.decided.erasures.push((author, row));
        }
        Outcome::Declared
    }

    /// Makes or changes the mention of a post. Returns whether there is one.
    fn mention(
        &mut self,
        post: &Post,
        known: Option<KnownPost>,
        quiet: bool,
        found: (Vec<Match>, Option<Verdict>),
    ) -> bool {
        let (matches, verdict) = found;
        let before = self.knowledge.mentions.get(&post.id).cloned();
        let Some(before) = before else {
            if matches.is_empty() {
                // A mention that retention dropped leaves its mark: the post is known for ever.
                return known.is_some_and(|known| known.mentioned);
            }
            if quiet && known.is_none() {
                return false;
            }
            let is_edit = known.is_some_and(|known| known.state == PostState::Live);
            let row = self.new_mention(post, matches, verdict, is_edit);
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
            parent: self.excerpt(post.thread.parent, before.parent),
            root: self.excerpt(post.thread.root, before.root),
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
            parent: self.excerpt(post.thread.parent, None),
            root: self.excerpt(post.thread.root, None),
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

    /// What a relative says; `before` is what it said when it was last seen.
    fn excerpt(&self, id: Option<PostId>, before: Option<Excerpt>) -> Option<Excerpt> {
        let relative = self.knowledge.relatives.get(&id?);
        let post = match relative {
            Some(Relative::Here(post)) => post,
            Some(Relative::Gone) => return None,
            Some(Relative::Unseen) | None => return before,
        };
        let author = post.author.handle.clone().or_else(|| post.author.name.clone());
        Some(Excerpt { author, text: relative.and_then(Relative::excerpt).unwrap_or_default().to_owned() })
    }

    fn announce(&mut self, id: PostId, row: MentionRow, told: bool) {
        let announcement = match (self.mentions.remove(&id), self.knowledge.mentions.get(&id)) {
            (Some(before), _) => Announcement { row: row.clone(), told: told || before.told, ..before },
            (None, Some(before)) => Announcement {
                row: row.clone(),
                held: before.endpoints.clone(),
                revision: before.revision,
                projects: projects_of(before),
                at: self.at,
                told,
            },
            (None, None) => Announcement {
                row: row.clone(),
                held: BTreeMap::new(),
                revision: 0,
                projects: BTreeSet::new(),
                at: self.at,
                told,
            },
        };
        self.knowledge.mentions.insert(id, row);
        self.mentions.insert(id, announcement);
    }

    fn finish(mut self) -> Decided {
        let mut decided = self.decided;
        let mut mentions: Vec<_> = self.mentions.into_iter().collect();
        mentions.sort_by_key(|(_, announcement)| announcement.at);
        for (id, announcement) in mentions {
            let Announcement { mut row, held, revision, projects, told, .. } = announcement;
            let withdraw = row.state == MentionState::Deleted;
            if revision == 0 && withdraw {
                // Made and deleted within one batch: nobody ever heard of it.
                self.posts.entry(id).and_modify(|write| write.known.mentioned = false);
                continue;
            }
            // However often the batch changed it, the outside sees one step.
            row.revision = revision + 1;
            count_mention(&mut decided.commit.totals, id, &row, &projects);
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

/// Counts the mention for every project that did not have it before.
fn count_mention(totals: &mut Totals, id: PostId, row: &MentionRow, before: &BTreeSet<String>) {
    for project in projects_of(row).difference(before) {
        totals.add(Tally::MentionsCreated, project, 1);
        totals.add(Tally::MentionsCopied, project, u64::from(row.cluster_first != id));
    }
}

fn projects_of(row: &MentionRow) -> BTreeSet<String> {
    row.matches.iter().map(|found| found.project.clone()).collect()
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
