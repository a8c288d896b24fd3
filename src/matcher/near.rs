//! Places in one text and how they lie to one another: chains, windows, what stands apart.
//! Unaware of literals: where keywords stand is asked of the caller.

use crate::query::Gap;

use super::fold::{DIGIT, LETTER, UNSEGMENTED, WORD};
use super::letters::Letters;
use super::probe::Wanted;

/// A place: its first letter and the one behind its last.
pub(super) type Place = (u32, u32);

/// What a query looks for, as places of one text. Keywords are told by their numbers.
#[derive(Debug)]
pub(super) enum Places {
    Keyword(Keyword),
    Any(Vec<Places>),
    Chain { parts: Vec<Places>, gaps: Vec<Gap> },
    Apart { of: Box<Places>, from: Box<Places>, gap: Gap },
    Window { parts: Vec<Keyword>, others_max: u32 },
}

/// A keyword by numbers: the set of its spellings, and how a mention shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyword {
    pub set: u32,
    pub shown: u32,
    /// What a post has that has one of them in its own texts.
    pub wanted: Wanted,
}

impl Places {
    pub fn for_each_keyword(&mut self, found: &impl Fn(&mut Keyword)) {
        match self {
            Self::Keyword(keyword) => found(keyword),
            Self::Any(parts) | Self::Chain { parts, .. } => {
                parts.iter_mut().for_each(|part| part.for_each_keyword(found));
            }
            Self::Apart { of, from, .. } => [of, from].into_iter().for_each(|part| part.for_each_keyword(found)),
            Self::Window { parts, .. } => parts.iter_mut().for_each(found),
        }
    }
}

/// How far apart the letters of one text lie. Built only for texts in which something is to be near.
#[derive(Debug, Default)]
pub(super) struct Distances {
    /// For the place before each letter: the half-tokens that begin before it, and those that end before or at it.
    begun: Vec<u32>,
    ended: Vec<u32>,
    /// Where the token ends that goes on at this place; the place itself, if none does.
    token_ends: Vec<u32>,
    /// The letters with which sentences begin, but for the first.
    sentences: Vec<u32>,
    is_read: bool,
}

/// More than any operator reaches: what lies on both sides of it is not near.
const FAR: u32 = 1 << 16;

impl Distances {
    pub fn clear(&mut self) {
        self.is_read = false;
    }

    /// Takes in a text. Of listed hashtags each is far from the others.
    pub fn read(&mut self, text: &str, letters: &Letters, is_listed: bool) {
        if self.is_read {
            return;
        }
        self.is_read = true;
        let length = letters.len();
        for cleared in [&mut self.begun, &mut self.ended, &mut self.token_ends] {
            cleared.clear();
        }
        let (mut begun, mut ended) = (0, 0);
        let mut start = 0;
        while start < length {
            let end = token_end(letters, start);
            let halves = halves(letters, start, end, is_listed);
            self.begun.push(begun);
            self.ended.push(ended);
            self.token_ends.push(start as u32);
            begun += halves;
            for _ in start + 1..end {
                self.begun.push(begun);
                self.ended.push(ended);
                self.token_ends.push(end as u32);
            }
            ended += halves;
            start = end;
        }
        self.begun.push(begun);
        self.ended.push(ended);
        self.token_ends.push(length as u32);
        self.sentences.clear();
        let starts = crate::query::sentence_starts(text);
        self.sentences.extend(starts.into_iter().map(|byte| letters.at_byte(byte) as u32));
    }

    /// Half-tokens of the whole text.
    pub fn halves(&self) -> u32 {
        self.ended.last().copied().unwrap_or(0)
    }

    /// Half-tokens that lie wholly between two places that do not overlap.
    fn between(&self, left_end: u32, right_start: u32) -> u32 {
        self.ended[right_start as usize].saturating_sub(self.begun[left_end as usize])
    }

    /// The letters of the sentence of a letter.
    fn sentence(&self, at: u32) -> (u32, u32) {
        let next = self.sentences.partition_point(|&start| start <= at);
        let start = next.checked_sub(1).map_or(0, |before| self.sentences[before]);
        (start, self.sentences.get(next).copied().unwrap_or(u32::MAX))
    }
}

/// The end of the token or the other thing that begins at `start`: of a word up to its edge or to a seam of a hashtag, of
/// a script without spaces one character.
fn token_end(letters: &Letters, start: usize) -> usize {
    let is_single = letters.get(start).is_some_and(|first| first.is(UNSEGMENTED));
    let mut end = start + 1;
    while end < letters.len() {
        let may_part = is_single || letters.is_tag_boundary(end);
        if letters.is_boundary(end) || may_part && letters.parts_characters(end) {
            break;
        }
        end += 1;
    }
    end
}

fn halves(letters: &Letters, start: usize, end: usize, is_listed: bool) -> u32 {
    let Some(first) = letters.get(start) else { return 0 };
    if first.is_address() {
        return 2;
    }
    if is_listed && first.letter.base == '\n' {
        return FAR;
    }
    if first.is(UNSEGMENTED) {
        return u32::from(first.is(WORD));
    }
    let is_word =
        (start..end).filter_map(|at| letters.get(at)).any(|letter| letter.is(WORD) && letter.is(LETTER | DIGIT));
    2 * u32::from(is_word)
}

/// Places in order of their starts and of their ends.
struct Sorted<'a> {
    by_start: &'a [Place],
    by_end: Vec<Place>,
}

impl<'a> Sorted<'a> {
    fn of(by_start: &'a [Place]) -> Self {
        let mut by_end = by_start.to_vec();
        by_end.sort_unstable_by_key(|place| (place.1, place.0));
        Self { by_start, by_end }
    }
}

/// Finds the places of one text.
pub(super) struct Finder<'a, F> {
    pub distances: &'a Distances,
    /// The places of a keyword, in order of their starts.
    pub keyword: F,
}

impl<F: FnMut(&Keyword) -> Vec<Place>> Finder<'_, F> {
    /// Whether there is any place.
    pub fn is_found(&mut self, places: &Places) -> bool {
        match places {
            Places::Keyword(keyword) => !(self.keyword)(keyword).is_empty(),
            Places::Any(parts) => parts.iter().any(|part| self.is_found(part)),
            Places::Chain { parts, gaps } => self.taking_part(parts, gaps).is_some(),
            Places::Apart { .. } => !self.places(places).is_empty(),
            Places::Window { parts, others_max } => self.fills_window(parts, *others_max),
        }
    }

    /// All places, in order of their starts.
    fn places(&mut self, places: &Places) -> Vec<Place> {
        let mut found = match places {
            Places::Keyword(keyword) => return (self.keyword)(keyword),
            Places::Any(parts) => parts.iter().flat_map(|part| self.places(part)).collect(),
            Places::Chain { parts, gaps } => self.hulls(parts, gaps),
            Places::Apart { of, from, gap } => {
                let mut found = self.places(of);
                if !found.is_empty() {
                    let from = self.places(from);
                    let from = Sorted::of(&from);
                    found.retain(|place| !self.has_neighbour(*place, &from, *gap));
                }
                return found;
            }
            // No operand of another operator.
            Places::Window { .. } => Vec::new(),
        };
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The hulls of all ways through a chain.
    fn hulls(&mut self, parts: &[Places], gaps: &[Gap]) -> Vec<Place> {
        let mut ways: Vec<(Place, Place)> = self.places(&parts[0]).into_iter().map(|place| (place, place)).collect();
        for (part, gap) in parts[1..].iter().zip(gaps) {
            if ways.is_empty() {
                return Vec::new();
            }
            let part = self.places(part);
            let part = Sorted::of(&part);
            let mut longer = Vec::new();
            for (hull, last) in ways {
                self.for_each_neighbour(last, &part, *gap, |next| {
                    longer.push(((hull.0.min(next.0), hull.1.max(next.1)), next));
                    true
                });
            }
            longer.sort_unstable();
            longer.dedup();
            ways = longer;
        }
        ways.into_iter().map(|(hull, _)| hull).collect()
    }

    /// Of each part of a chain the places that take part in some way through it; none if there is no way.
    fn taking_part(&mut self, parts: &[Places], gaps: &[Gap]) -> Option<Vec<Vec<Place>>> {
        let mut reached: Vec<Vec<Place>> = Vec::with_capacity(parts.len());
        for (nth, part) in parts.iter().enumerate() {
            let mut places = self.places(part);
            if let Some(before) = nth.checked_sub(1) {
                let from = Sorted::of(&reached[before]);
                places.retain(|place| self.reaches(*place, &from, (gaps[before], Way::Back)));
            }
            if places.is_empty() {
                return None;
            }
            reached.push(places);
        }
        for nth in (0..parts.len() - 1).rev() {
            let (head, tail) = reached.split_at_mut(nth + 1);
            let next = Sorted::of(&tail[0]);
            head[nth].retain(|place| self.reaches(*place, &next, (gaps[nth], Way::On)));
        }
        Some(reached)
    }

    fn reaches(&self, place: Place, others: &Sorted, (gap, way): (Gap, Way)) -> bool {
        match (gap, way) {
            (Gap::Ordered(tokens), Way::Back) => {
                let is_last = |last: Place| self.distances.between(last.1, place.0) <= 2 * tokens;
                let before = others.by_end.partition_point(|other| other.1 <= place.0);
                before.checked_sub(1).is_some_and(|last| is_last(others.by_end[last]))
            }
            (gap, _) => self.has_neighbour(place, others, gap),
        }
    }

    fn has_neighbour(&self, place: Place, others: &Sorted, gap: Gap) -> bool {
        let mut found = false;
        self.for_each_neighbour(place, others, gap, |_| {
            found = true;
            false
        });
        found
    }

    /// Calls back with the places that lie to one as an operator asks, until the answer is no.
    fn for_each_neighbour(&self, place: Place, others: &Sorted, gap: Gap, mut found: impl FnMut(Place) -> bool) {
        let distances = self.distances;
        let sentence = distances.sentence(place.0);
        if gap == Gap::Sentence && place.1 > sentence.1 {
            return;
        }
        let behind = others.by_start.partition_point(|other| other.0 < place.1);
        for &other in &others.by_start[behind..] {
            let is_near = match gap {
                Gap::Near(tokens) | Gap::Ordered(tokens) => distances.between(place.1, other.0) <= 2 * tokens,
                Gap::Sentence => other.0 < sentence.1,
            };
            if !is_near {
                break;
            }
            if (gap != Gap::Sentence || other.1 <= sentence.1) && !found(other) {
                return;
            }
        }
        if matches!(gap, Gap::Ordered(_)) {
            return;
        }
        let before = others.by_end.partition_point(|other| other.1 <= place.0);
        for &other in others.by_end[..before].iter().rev() {
            let is_near = match gap {
                Gap::Near(tokens) | Gap::Ordered(tokens) => distances.between(other.1, place.0) <= 2 * tokens,
                Gap::Sentence => other.1 > sentence.0,
            };
            if !is_near {
                break;
            }
            if (gap != Gap::Sentence || other.0 >= sentence.0) && !found(other) {
                return;
            }
        }
    }

    /// Calls back with the keywords' places that make the found ones; of an operand, only if some of its places are
    /// asked for.
    pub fn tell(
        &mut self,
        places: &Places,
        asked: Option<&dyn Fn(Place) -> bool>,
        told: &mut dyn FnMut(&Keyword, Place),
    ) {
        let is_asked = |place: Place| asked.is_none_or(|asked| asked(place));
        match places {
            Places::Keyword(keyword) => {
                (self.keyword)(keyword)
                    .into_iter()
                    .filter(|place| is_asked(*place))
                    .for_each(|place| told(keyword, place));
            }
            Places::Any(parts) => parts.iter().for_each(|part| self.tell(part, asked, told)),
            Places::Chain { parts, gaps } => {
                if asked.is_some() && !self.hulls(parts, gaps).into_iter().any(is_asked) {
                    return;
                }
                let Some(taking_part) = self.taking_part(parts, gaps) else { return };
                for (part, taking) in parts.iter().zip(taking_part) {
                    self.tell(part, Some(&|place| taking.binary_search(&place).is_ok()), told);
                }
            }
            Places::Apart { of, .. } => {
                let apart = self.places(places);
                self.tell(of, Some(&|place| apart.binary_search(&place).is_ok() && is_asked(place)), told);
            }
            Places::Window { parts, others_max } => {
                if !self.fills_window(parts, *others_max) {
                    return;
                }
                for part in parts {
                    (self.keyword)(part).into_iter().for_each(|place| told(part, place));
                }
            }
        }
    }

    /// Whether one place of each keyword can be taken, in any order and without overlap, with at most so many tokens
    /// between them altogether. For each set of keywords the least sum up to here is known, as a bit set of up to eight.
    fn fills_window(&mut self, parts: &[Keyword], others_max: u32) -> bool {
        let mut places: Vec<(Place, usize)> = Vec::new();
        for (nth, part) in parts.iter().enumerate() {
            let found = (self.keyword)(part);
            if found.is_empty() {
                return false;
            }
            places.extend(found.into_iter().map(|place| (place, nth)));
        }
        places.sort_unstable();
        let distances = self.distances;
        let (all, most) = ((1_usize << parts.len()) - 1, i64::from(2 * others_max));
        // The least of what was spent for a set, less what has begun at its end; and those that end within a token.
        let mut best = vec![i64::MAX; all + 1];
        let mut waiting: Vec<(Place, Vec<i64>)> = Vec::new();
        for (place, nth) in places {
            let bit = 1 << nth;
            let mut spent = vec![i64::MAX; all + 1];
            spent[bit] = 0;
            waiting.retain(|(last, sums)| {
                let is_over = distances.token_ends[last.1 as usize] <= place.0;
                if is_over {
                    let begun = i64::from(distances.begun[last.1 as usize]);
                    for (least, sum) in best.iter_mut().zip(sums) {
                        *least = (*least).min(sum.saturating_sub(begun));
                    }
                }
                !is_over
            });
            let ended = i64::from(distances.ended[place.0 as usize]);
            for set in (1..=all).filter(|set| set & bit == 0) {
                let mut least = best[set].saturating_add(ended);
                for (last, sums) in waiting.iter().filter(|(last, _)| last.1 <= place.0) {
                    least = least.min(sums[set].saturating_add(i64::from(distances.between(last.1, place.0))));
                }
                spent[set | bit] = least;
            }
            spent.iter_mut().filter(|sum| **sum > most).for_each(|sum| *sum = i64::MAX);
            if spent[all] <= most {
                return true;
            }
            waiting.push((place, spent));
        }
        false
    }
}

#[derive(Clone, Copy)]
enum Way {
    On,
    Back,
}
