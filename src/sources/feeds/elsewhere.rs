//! Several feeds of one site that list the same entry, one perhaps with the whole text and one with its beginning:
//! which of them speaks for it. Unaware of what an entry says.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::model::PostId;

use super::state::Seen;

/// What the other feeds of a site say, as one feed is told before a visit.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// Where the feed that is told stands in the list.
    place: usize,
    most: HashMap<PostId, Voice>,
}

/// How much a feed says of an entry. Of two that say as much the one that stands first in the list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Voice {
    bytes: u32,
    place: Reverse<usize>,
}

impl Elsewhere {
    /// For the feed at this place of the list.
    pub fn of(place: usize) -> Self {
        Self { place, most: HashMap::new() }
    }

    /// Hears another feed, that is at this place and lists these entries now.
    pub fn hear(&mut self, place: usize, window: &[Seen]) {
        for seen in window {
            let voice = Voice { bytes: seen.bytes, place: Reverse(place) };
            let most = self.most.entry(seen.id).or_insert(voice);
            *most = voice.max(*most);
        }
    }

    /// Whether another feed speaks for the entry: its version stands, and that of this feed is no edit of it. `bytes`
    /// is the most that this feed said before or says now, so that of two feeds that both bring an edit, in whatever
    /// order, one always speaks.
    pub fn speaks_for(&self, id: PostId, bytes: u32) -> bool {
        let own = Voice { bytes, place: Reverse(self.place) };
        self.most.get(&id).is_some_and(|most| *most > own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> PostId {
        PostId::of("web", "1")
    }

    /// Whether an edit of the feed at `place` passes while another feed says so much.
    fn passes(place: usize, (before, now): (u32, u32), other: u32) -> bool {
        let mut elsewhere = Elsewhere::of(place);
        elsewhere.hear(1 - place, &[Seen { id: id(), content: 0, bytes: other, permalink: None }]);
        !elsewhere.speaks_for(id(), before.max(now))
    }

    #[test]
    fn the_feed_that_says_more_speaks_and_of_equals_the_first() {
        let mut elsewhere = Elsewhere::of(1);
        assert!(!elsewhere.speaks_for(id(), 0), "nobody else lists it");
        for (place, bytes) in [(0, 10), (2, 500), (3, 20)] {
            elsewhere.hear(place, &[Seen { id: id(), content: 0, bytes, permalink: None }]);
        }
        assert_eq!([499, 500, 501].map(|bytes| elsewhere.speaks_for(id(), bytes)), [true, false, false]);
        assert!(!elsewhere.speaks_for(PostId::of("web", "2"), 1));
        assert!(passes(0, (5, 5), 5) && !passes(1, (5, 5), 5));
    }

    #[test]
    fn an_edit_that_two_feeds_bring_is_never_lost_between_them() {
        let sizes: Vec<(u32, u32)> = (0..5).flat_map(|before| (0..5).map(move |now| (before, now))).collect();
        for &first in &sizes {
            for &second in &sizes {
                for place in [0, 1] {
                    // The first one is polled while the other still has its old version.
                    let spoken = passes(place, first, second.0) || passes(1 - place, second, first.1);
                    assert!(spoken, "{first:?} {second:?} {place}");
                }
            }
        }
    }
}
