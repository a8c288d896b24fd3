//! What an answer changes: which entries are new or edited, which have vanished and may be deleted, and what a look
//! at a permalink says about that. Values in, values out; `now` is an argument.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::extract::feed::{Content, Entry, Feed, Guids, content, guids, native_id, reference_id};
use crate::extract::site;
use crate::model::{PostId, Timestamp};
use crate::normalize::feed::{Item, NETWORK};

use super::elsewhere::Elsewhere;
use super::state::{Departed, FeedState, Pending, Seen};

/// Entries that may be under suspicion at once, per feed.
const PENDING_MAX: usize = 200;
/// Entries that are remembered after they left, at least.
const DEPARTED_MIN: usize = 50;
/// Entries that may vanish from one answer and still be deletions.
const VANISHED_MIN: usize = 3;
/// The share of the window that may vanish and still be deletions: a fifth.
const VANISHED_SHARE: usize = 5;
/// Looks in a row at a page that tell nothing.
const FAILURES_MAX: u8 = 4;
/// Times that an entry is taken up again after its page was found, or told nothing: a page may be served from a cache
/// for hours after it is gone.
const KEEPS_MAX: u8 = 2;
/// How many times longer each pause before that is than the one before: an hour and six with the default gap.
const KEEP_GROWTH: u32 = 6;

/// What one answer brought.
#[derive(Debug, Default, PartialEq)]
pub struct News {
    /// New and changed entries, in the order of the document.
    pub items: Vec<Item>,
    /// Posts that the document itself declares deleted.
    pub gone: Vec<PostId>,
    pub notes: Notes,
}

/// What is worth a word to the operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    /// Whether the feed was never seen before.
    pub is_first: bool,
    /// Whether the document was repaired.
    pub salvaged: bool,
    /// Entries that came under suspicion.
    pub suspects: usize,
    /// So many entries vanished that the source must be wrong; nothing is suspected.
    pub flood: usize,
    /// Entries without an id, which nobody can tell from others: they are left out.
    pub nameless: usize,
    /// New or changed entries for which another feed of the site speaks.
    pub elsewhere: usize,
    /// Entries after as many as are read of one document: they are left out.
    pub beyond: usize,
}

/// Compares an answer with what was there before, and remembers it.
pub fn observe(state: &mut FeedState, feed: &Feed, elsewhere: &Elsewhere, now: Timestamp) -> News {
    let is_first = state.first_poll_at.is_none();
    state.first_poll_at = state.first_poll_at.or(Some(now));
    state.guids_repeat |= guids(&feed.entries) == Guids::Repeated;
    let notes = Notes { is_first, salvaged: feed.salvaged, beyond: feed.beyond, ..Notes::default() };
    let mut news = News { notes, ..News::default() };
    let present = take_in(state, feed, elsewhere, &mut news);
    let ids: HashSet<PostId> = present.iter().map(|seen| seen.id).collect();
    state.pending.retain(|pending| !ids.contains(&pending.id));
    declared_gone(state, feed, &ids, &mut news);
    // An empty answer is a fault at the other end far more often than a purge.
    if present.is_empty() {
        return news;
    }
    if !is_first && !feed.cut {
        suspect(state, &present, is_oldest_first(&feed.entries), now, &mut news);
    }
    remember(state, present, &ids, feed.cut);
    news
}

/// Finds the entries that are new or changed, and lists all that are there, each once.
fn take_in(state: &FeedState, feed: &Feed, elsewhere: &Elsewhere, news: &mut News) -> Vec<Seen> {
    // Of what departed it is not known how much it said; it said something.
    let departed = state.departed.iter().map(|departed| (departed.id, Content { hash: departed.content, bytes: 1 }));
    let window = state.window.iter().map(|seen| (seen.id, Content { hash: seen.content, bytes: seen.bytes }));
    let known: HashMap<PostId, Content> = departed.chain(window).collect();
    let mut present = Vec::with_capacity(feed.entries.len());
    let mut listed = HashSet::new();
    for entry in &feed.entries {
        let Some(native) = native_id(&state.scope, entry, state.guids()) else {
            news.notes.nameless += 1;
            continue;
        };
        let id = PostId::of(NETWORK, &native);
        if !listed.insert(id) {
            continue;
        }
        let (content, before) = (content(entry), known.get(&id));
        let bytes_before = before.map_or(0, |before| before.bytes);
        if before.is_some_and(|before| before.hash == content.hash) {
            // Nothing new.
        } else if elsewhere.speaks_for(id, content.bytes.max(bytes_before)) {
            news.notes.elsewhere += 1;
        } else {
            news.items.push(Item { id: native, edit: bytes_before > 0, entry: entry.clone() });
        }
        present.push(Seen { id, content: content.hash, bytes: content.bytes, permalink: permalink(state, entry) });
    }
    present
}

/// A page of the feed's own site that cannot hold the entry once it is gone. That of a comment is there as long as its
/// post is, and then tells nothing.
fn permalink(state: &FeedState, entry: &Entry) -> Option<url::Url> {
    site::resolve(entry.link.as_deref()?, None).filter(|url| state.scope.owns(url))
}

fn declared_gone(state: &mut FeedState, feed: &Feed, present: &HashSet<PostId>, news: &mut News) {
    for guid in &feed.deleted {
        let id = PostId::of(NETWORK, &reference_id(&state.scope, guid));
        let is_known =
            state.window.iter().any(|seen| seen.id == id) || state.departed.iter().any(|departed| departed.id == id);
        if is_known && !present.contains(&id) && !news.gone.contains(&id) {
            news.gone.push(id);
        }
    }
    for &id in &news.gone {
        forget(state, id);
    }
}

/// Removes every trace of a deleted entry, so that it is news if it comes back.
pub fn forget(state: &mut FeedState, id: PostId) {
    state.window.retain(|seen| seen.id != id);
    state.departed.retain(|departed| departed.id != id);
    state.pending.retain(|pending| pending.id != id);
}

/// Whether the document lists its entries from old to new. Most do not.
fn is_oldest_first(entries: &[Entry]) -> bool {
    let mut dates = entries.iter().filter_map(Entry::dated);
    let first = dates.next();
    first.zip(dates.next_back()).is_some_and(|(first, last)| first < last)
}

/// Puts under suspicion what vanished from inside the window: entries above the oldest one that is still there did
/// not scroll out. If nothing new came, nothing was pushed out at the end either.
fn suspect(state: &mut FeedState, present: &[Seen], is_oldest_first: bool, now: Timestamp, news: &mut News) {
    let places: HashMap<PostId, usize> = state.window.iter().enumerate().map(|(at, seen)| (seen.id, at)).collect();
    let mut survivors = present.iter().filter_map(|seen| places.get(&seen.id).copied());
    let Some(edge) = (if is_oldest_first { survivors.next() } else { survivors.next_back() }) else { return };
    let ids: HashSet<PostId> = present.iter().map(|seen| seen.id).collect();
    let missing = state.window.iter().enumerate().filter(|(_, seen)| !ids.contains(&seen.id));
    let (inside, outside): (Vec<_>, Vec<_>) =
        missing.partition(|(at, _)| if is_oldest_first { *at > edge } else { *at < edge });
    let limit = VANISHED_MIN.max(state.window.len() / VANISHED_SHARE);
    if inside.len() > limit {
        news.notes.flood = inside.len();
        return;
    }
    let is_still = present.iter().all(|seen| places.contains_key(&seen.id));
    let outside = if is_still && inside.len() + outside.len() <= limit { outside } else { Vec::new() };
    for (_, seen) in inside.into_iter().chain(outside) {
        let Some(permalink) = seen.permalink.clone() else { continue };
        if state.pending.len() < PENDING_MAX && !state.pending.iter().any(|pending| pending.id == seen.id) {
            state.pending.push(Pending { id: seen.id, permalink, misses: 0, failures: 0, kept: 0, due: now });
            news.notes.suspects += 1;
        }
    }
}

fn remember(state: &mut FeedState, mut present: Vec<Seen>, ids: &HashSet<PostId>, is_cut: bool) {
    let left = std::mem::take(&mut state.window).into_iter().filter(|seen| !ids.contains(&seen.id));
    if is_cut {
        // What is missing may only be unread: it stays.
        let room = crate::extract::feed::ENTRIES_MAX.saturating_sub(present.len());
        present.extend(left.take(room));
        state.window = present;
        return;
    }
    let departed = left.map(|seen| Departed { id: seen.id, content: seen.content });
    let earlier = std::mem::take(&mut state.departed).into_iter().filter(|departed| !ids.contains(&departed.id));
    state.departed = departed.chain(earlier).take(present.len().max(DEPARTED_MIN)).collect();
    state.window = present;
}

/// What a look at a permalink found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Status(u16),
    /// No answer.
    Failed,
}

/// What follows for the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Deleted,
    /// It is there, or it cannot be told, as often as it was looked at: nothing happens.
    Kept,
    /// It is to be looked at again when it is due.
    Again,
}

/// 410 once or 404 twice, `gap` apart, is a deletion. A page that is there is none, and neither is one that nobody can
/// see because of a fault.
pub fn judge(pending: &mut Pending, look: Look, now: Timestamp, gap: Duration) -> Verdict {
    match look {
        Look::Status(410) => return Verdict::Deleted,
        Look::Status(404) => {
            pending.misses += 1;
            if pending.misses >= 2 {
                return Verdict::Deleted;
            }
        }
        Look::Failed | Look::Status(408 | 425 | 429 | 500..=599) => {
            pending.failures += 1;
            if pending.failures >= FAILURES_MAX {
                return keep(pending, now, gap);
            }
        }
        Look::Status(_) => return keep(pending, now, gap),
    }
    pending.due = now.plus(gap);
    Verdict::Again
}

/// What follows for an entry whose page is gone, after a look at the page of one that is there: a site that denies
/// that one too tells nothing, and one that does not answer is asked again.
pub fn confirm(pending: &mut Pending, witness: Look, now: Timestamp, gap: Duration) -> Verdict {
    match witness {
        Look::Status(200..=399) => Verdict::Deleted,
        Look::Failed | Look::Status(408 | 425 | 429 | 500..=599) => judge(pending, witness, now, gap),
        Look::Status(_) => keep(pending, now, gap),
    }
}

/// Leaves the entry alone, after it was taken up again a few times with growing pauses.
fn keep(pending: &mut Pending, now: Timestamp, gap: Duration) -> Verdict {
    if pending.kept >= KEEPS_MAX {
        return Verdict::Kept;
    }
    pending.kept += 1;
    (pending.misses, pending.failures) = (0, 0);
    pending.due = now.plus(gap.saturating_mul(KEEP_GROWTH.pow(u32::from(pending.kept))));
    Verdict::Again
}

#[cfg(test)]
mod tests {
    use super::super::state::tests::state;
    use super::*;
    use crate::extract::feed::{Guid, Markup};

    const NOW: Timestamp = Timestamp::EPOCH;
    const GAP: Duration = Duration::from_secs(600);

    fn entry(name: &str) -> Entry {
        let (name, text) = name.split_once('=').unwrap_or((name, name));
        Entry {
            guid: Some(Guid { value: name.to_owned(), permalink: false }),
            link: Some(format!("https://blog.example.com/{name}")),
            content: Some(Markup::Text(text.to_owned())),
            ..Entry::default()
        }
    }

    /// A document with the entries named, `name=text` for an edited one.
    fn feed(names: &str) -> Feed {
        Feed { entries: names.split_whitespace().map(entry).collect(), ..Feed::default() }
    }

    fn id(name: &str) -> PostId {
        PostId::of(NETWORK, &format!("tag:example.com,guid:{name}"))
    }

    fn seen(state: &mut FeedState, feed: &Feed) -> News {
        observe(state, feed, &Elsewhere::default(), NOW)
    }

    fn look(state: &mut FeedState, names: &str) -> News {
        seen(state, &feed(names))
    }

    fn news(state: &mut FeedState, names: &str) -> String {
        let items: Vec<String> =
            look(state, names).items.into_iter().map(|item| item.entry.guid.unwrap().value).collect();
        items.join(" ")
    }

    fn suspects(state: &FeedState) -> Vec<String> {
        state.pending.iter().map(|pending| pending.permalink.path()[1..].to_owned()).collect()
    }

    #[test]
    fn only_new_and_changed_entries_are_news() {
        let mut state = state();
        assert_eq!(news(&mut state, "c b a"), "c b a");
        assert_eq!(news(&mut state, "c b a"), "");
        assert_eq!(news(&mut state, "e d c b=edited a"), "e d b");
        assert_eq!(news(&mut state, "e d c b=edited a"), "");
        assert_eq!(news(&mut state, "e d c b a"), "b", "an edit that is taken back is an edit");
    }

    #[test]
    fn an_entry_that_is_emptied_is_an_edit_and_one_that_was_empty_is_not() {
        let emptied = |names: &str| {
            let mut state = state();
            look(&mut state, names);
            let mut feed = feed("a");
            feed.entries[0].content = None;
            let item = seen(&mut state, &feed).items.remove(0);
            (item.edit, item.entry.content)
        };
        assert_eq!((emptied("a"), emptied("b")), ((true, None), (false, None)));
        let mut state = state();
        look(&mut state, "a=");
        assert!(!look(&mut state, "a=text").items[0].edit);
        look(&mut state, "c b");
        assert!(look(&mut state, "c b a=other").items[0].edit, "it came back");
    }

    #[test]
    fn entries_that_come_back_are_no_news_unless_they_changed() {
        let mut state = state();
        look(&mut state, "c b a");
        look(&mut state, "e d c");
        assert_eq!(news(&mut state, "c b a"), "", "an old copy from a cache");
        assert_eq!(news(&mut state, "e d c"), "");
        assert_eq!(news(&mut state, "d c b=edited"), "b");
    }

    #[test]
    fn an_entry_listed_twice_is_one() {
        let mut state = state();
        assert_eq!(news(&mut state, "b a b a"), "b a");
        assert_eq!(state.window.len(), 2);
    }

    #[test]
    fn what_vanishes_from_inside_the_window_is_suspected_and_what_scrolls_out_is_not() {
        let mut state = state();
        look(&mut state, "e d c b a");
        look(&mut state, "g f e d");
        assert_eq!(suspects(&state), Vec::<String>::new());
        look(&mut state, "h g e d");
        assert_eq!(suspects(&state), ["f"]);
        look(&mut state, "h g f e d");
        assert_eq!(suspects(&state), Vec::<String>::new(), "it came back");
    }

    #[test]
    fn when_nothing_new_came_nothing_was_pushed_out() {
        let mut state = state();
        look(&mut state, "d c b a");
        look(&mut state, "d c b");
        assert_eq!(suspects(&state), ["a"]);
    }

    #[test]
    fn a_shorter_page_or_an_empty_one_is_no_deletion() {
        let mut state = state();
        look(&mut state, "j i h g f e d c b a");
        assert_eq!(look(&mut state, "j i h g f").notes.flood, 0);
        assert_eq!(suspects(&state), Vec::<String>::new());
        assert_eq!(look(&mut state, ""), News::default());
        assert_eq!(state.window.len(), 5, "what was there is remembered");
    }

    #[test]
    fn a_feed_that_lists_the_oldest_first_scrolls_at_its_start() {
        let dated = |names: &str, at: i64| {
            let mut feed = feed(names);
            for (entry, day) in feed.entries.iter_mut().zip(at..) {
                entry.published = Some(Timestamp::from_millis(day * 86_400_000));
            }
            feed
        };
        let mut state = state();
        seen(&mut state, &dated("a b c d", 1));
        seen(&mut state, &dated("c d e f", 3));
        assert_eq!(suspects(&state), Vec::<String>::new());
        seen(&mut state, &dated("c d f g", 3));
        assert_eq!(suspects(&state), ["e"]);
    }

    #[test]
    fn entries_that_are_bumped_to_the_top_do_not_make_others_suspect() {
        let mut state = state();
        look(&mut state, "e d c b a");
        look(&mut state, "a=reply f e d c");
        assert_eq!(suspects(&state), Vec::<String>::new());
    }

    #[test]
    fn many_at_once_are_a_source_error_and_not_a_purge() {
        let mut state = state();
        look(&mut state, "h g f e d c b a");
        let seen = look(&mut state, "h c b a");
        assert_eq!((seen.notes.flood, seen.notes.suspects, state.pending.len()), (4, 0, 0));
        assert_eq!(news(&mut state, "h g f e d c b a"), "", "when the source is well again, nothing is news");
        let long: Vec<String> = (0..100).map(|n| format!("n{n}")).collect();
        look(&mut state, &long.join(" "));
        assert_eq!(look(&mut state, &format!("{} {}", long[..10].join(" "), long[30..].join(" "))).notes.suspects, 20);
    }

    #[test]
    fn half_a_document_proves_nothing() {
        let mut state = state();
        look(&mut state, "e d c b a");
        seen(&mut state, &Feed { cut: true, ..feed("f e c") });
        assert_eq!((suspects(&state), state.window.len()), (Vec::new(), 6));
    }

    #[test]
    fn only_pages_of_the_feeds_own_site_are_asked() {
        let mut state = state();
        let mut foreign = feed("c b a");
        foreign.entries[1].link = Some("https://victim.org/b".to_owned());
        seen(&mut state, &foreign);
        look(&mut state, "c a");
        assert_eq!(state.pending.len(), 0);
        let mut comments = feed("f e d");
        comments.entries[1].link = Some("https://blog.example.com/page#comment-5".to_owned());
        seen(&mut state, &comments);
        look(&mut state, "f d");
        assert_eq!(suspects(&state), ["page"], "a comment goes with its post");
    }

    #[test]
    fn entries_that_were_not_read_are_noted() {
        let long = Feed { beyond: 7, cut: true, ..feed("b a") };
        assert_eq!(seen(&mut state(), &long).notes.beyond, 7);
    }

    #[test]
    fn an_entry_that_another_feed_speaks_for_is_remembered_and_no_news() {
        let mut state = state();
        let mut elsewhere = Elsewhere::of(0);
        elsewhere.hear(1, &[Seen { id: id("a"), content: 0, bytes: 500, permalink: None }]);
        let first = observe(&mut state, &feed("b a"), &elsewhere, NOW);
        assert_eq!((first.items.len(), first.notes.elsewhere, state.window.len()), (1, 1, 2));
        let again = observe(&mut state, &feed("b a=edited"), &elsewhere, NOW);
        assert_eq!((again.items.len(), again.notes.elsewhere), (0, 1));
        assert_eq!(news(&mut state, "b a=other"), "a", "once nobody else lists it");
    }

    #[test]
    fn what_the_document_declares_deleted_is_gone_once() {
        let mut state = state();
        look(&mut state, "c b a");
        let deleted = Feed { deleted: vec!["b".to_owned(), "stranger".to_owned()], ..feed("c a") };
        assert_eq!(seen(&mut state, &deleted).gone, [id("b")]);
        assert_eq!(seen(&mut state, &deleted), News::default());
        assert_eq!(news(&mut state, "c b a"), "b", "what is published again is news");
    }

    #[test]
    fn repeated_guids_are_not_believed_again() {
        let mut state = state();
        let mut broken = feed("c b a");
        for entry in &mut broken.entries {
            entry.guid = Some(Guid { value: "0".to_owned(), permalink: false });
        }
        assert_eq!(seen(&mut state, &broken).items.len(), 3);
        broken.entries.truncate(1);
        assert_eq!(seen(&mut state, &broken).items.len(), 0, "the same ids with one entry left");
    }

    fn pending() -> Pending {
        Pending {
            id: id("a"),
            permalink: url::Url::parse("https://blog.example.com/a").unwrap(),
            misses: 0,
            failures: 0,
            kept: 0,
            due: NOW,
        }
    }

    /// An entry whose page was found as often as it may be.
    fn kept() -> Pending {
        Pending { kept: KEEPS_MAX, ..pending() }
    }

    #[test]
    fn gone_once_or_missing_twice_with_a_pause_is_a_deletion() {
        assert_eq!(judge(&mut pending(), Look::Status(410), NOW, GAP), Verdict::Deleted);
        let mut page = pending();
        assert_eq!(judge(&mut page, Look::Status(404), NOW, GAP), Verdict::Again);
        assert_eq!(page.due, NOW.plus(GAP));
        assert_eq!(judge(&mut page, Look::Status(404), NOW.plus(GAP), GAP), Verdict::Deleted);
    }

    #[test]
    fn a_page_that_is_there_or_that_nobody_can_see_is_no_deletion() {
        for status in [200, 204, 301, 302, 401, 403, 405, 451] {
            assert_eq!(judge(&mut kept(), Look::Status(status), NOW, GAP), Verdict::Kept, "{status}");
        }
        let mut page = kept();
        assert_eq!(judge(&mut page, Look::Status(404), NOW, GAP), Verdict::Again);
        assert_eq!(judge(&mut page, Look::Status(200), NOW, GAP), Verdict::Kept);
        let mut page = kept();
        for look in [Look::Status(503), Look::Failed, Look::Status(429)] {
            assert_eq!(judge(&mut page, look, NOW, GAP), Verdict::Again);
        }
        assert_eq!(judge(&mut page, Look::Status(500), NOW, GAP), Verdict::Kept);
    }

    #[test]
    fn a_page_that_is_found_is_looked_at_twice_more_with_growing_pauses() {
        let mut page = pending();
        let mut pauses = Vec::new();
        while judge(&mut page, Look::Status(200), NOW, GAP) == Verdict::Again {
            pauses.push(page.due.since(NOW).as_secs());
        }
        assert_eq!(pauses, [3600, 21_600]);
        let mut cached = pending();
        let looks = [200, 404, 503, 404].map(|status| judge(&mut cached, Look::Status(status), NOW, GAP));
        assert_eq!(looks, [Verdict::Again, Verdict::Again, Verdict::Again, Verdict::Deleted], "it left the cache");
    }

    #[test]
    fn a_site_that_denies_what_is_there_is_not_believed() {
        assert_eq!(confirm(&mut pending(), Look::Status(200), NOW, GAP), Verdict::Deleted);
        assert_eq!(confirm(&mut kept(), Look::Status(404), NOW, GAP), Verdict::Kept);
        assert_eq!(confirm(&mut kept(), Look::Status(403), NOW, GAP), Verdict::Kept);
        let mut page = pending();
        assert_eq!(confirm(&mut page, Look::Failed, NOW, GAP), Verdict::Again);
        assert_eq!(page.due, NOW.plus(GAP));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut state = state();
        for round in 0..50 {
            let names: Vec<String> = (0..100).map(|n| format!("r{round}n{n}")).collect();
            look(&mut state, &names.join(" "));
        }
        assert_eq!((state.window.len(), state.departed.len(), state.pending.len()), (100, 100, 0));
    }
}
