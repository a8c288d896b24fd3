//! Where places stand to one another in one text. Unaware of posts.

use std::ops::Range;

use super::super::{Gap, Keyword, Spans, sentence_starts};
use super::text::Text;

/// The places of a keyword in a text, in their order.
pub type Places<'a> = dyn Fn(&Keyword, &Text<'_>) -> Vec<Range<usize>> + 'a;

/// A text in which places are compared.
pub struct Field<'a> {
    text: &'a Text<'a>,
    places: &'a Places<'a>,
}

impl<'a> Field<'a> {
    pub fn new(text: &'a Text<'a>, places: &'a Places<'a>) -> Self {
        Self { text, places }
    }

    /// The bytes of all places that are found.
    pub fn spans(&self, found: &Spans) -> Vec<Range<usize>> {
        let mut spans = match found {
            Spans::Keyword(keyword) => (self.places)(keyword, self.text),
            Spans::Any(parts) => parts.iter().flat_map(|part| self.spans(part)).collect(),
            Spans::Chain { parts, gaps } => self.hulls(&self.of_each(parts), gaps),
            Spans::Apart { of, from, gap } => {
                let from = self.spans(from);
                let is_apart = |place: &Range<usize>| !from.iter().any(|other| self.are_near(place, other, *gap));
                self.spans(of).into_iter().filter(is_apart).collect()
            }
            Spans::Window { parts, others_max } => {
                let parts: Vec<_> = parts.iter().map(|part| (self.places)(part, self.text)).collect();
                match self.fills_window(&parts, None, 2 * *others_max as usize) {
                    true => std::iter::once(0..self.text.text.len()).collect(),
                    false => Vec::new(),
                }
            }
        };
        spans.sort_by_key(|span| (span.start, span.end));
        spans.dedup();
        spans
    }

    fn of_each(&self, parts: &[Spans]) -> Vec<Vec<Range<usize>>> {
        parts.iter().map(|part| self.spans(part)).collect()
    }

    /// The hulls of all ways to take one place of each part, each near the one before.
    fn hulls(&self, parts: &[Vec<Range<usize>>], gaps: &[Gap]) -> Vec<Range<usize>> {
        let mut ways: Vec<(Range<usize>, Range<usize>)> =
            parts[0].iter().map(|place| (place.clone(), place.clone())).collect();
        for (part, gap) in parts[1..].iter().zip(gaps) {
            let mut longer: Vec<(Range<usize>, Range<usize>)> = Vec::new();
            for (hull, last) in &ways {
                for place in part.iter().filter(|place| self.are_near(last, place, *gap)) {
                    longer.push((hull.start.min(place.start)..hull.end.max(place.end), place.clone()));
                }
            }
            longer.sort_by_key(|(hull, last)| (hull.start, hull.end, last.start, last.end));
            longer.dedup();
            ways = longer;
        }
        ways.into_iter().map(|(hull, _)| hull).collect()
    }

    /// Whether two places are distinct, do not overlap, and lie as an operator asks.
    fn are_near(&self, first: &Range<usize>, second: &Range<usize>, gap: Gap) -> bool {
        let (left, right, is_ordered) = match first.end <= second.start {
            true => (first, second, true),
            false => (second, first, false),
        };
        left.end <= right.start
            && match gap {
                Gap::Near(tokens) => self.halves_between(left, right) <= 2 * tokens as usize,
                Gap::Ordered(tokens) => is_ordered && self.halves_between(left, right) <= 2 * tokens as usize,
                Gap::Sentence => self.is_one_sentence(left.start..right.end),
            }
    }

    /// Half-tokens that lie wholly between two places.
    fn halves_between(&self, left: &Range<usize>, right: &Range<usize>) -> usize {
        let is_between = |token: &&(Range<usize>, usize)| left.end <= token.0.start && token.0.end <= right.start;
        self.text.tokens().iter().filter(is_between).map(|(_, halves)| halves).sum()
    }

    /// Whether no sentence ends within.
    fn is_one_sentence(&self, span: Range<usize>) -> bool {
        !sentence_starts(self.text.text).into_iter().any(|start| span.start < start && start < span.end)
    }

    /// Whether one place of each part can be taken, in any order and without overlap, with at most so many half-tokens
    /// between them all.
    fn fills_window(&self, parts: &[Vec<Range<usize>>], last: Option<&Range<usize>>, halves: usize) -> bool {
        parts.is_empty()
            || parts.iter().enumerate().any(|(nth, part)| {
                let rest: Vec<_> = [&parts[..nth], &parts[nth + 1..]].concat();
                part.iter().any(|place| {
                    let spent = match last {
                        None => Some(0),
                        Some(last) => (last.end <= place.start).then(|| self.halves_between(last, place)),
                    };
                    let left = spent.and_then(|spent| halves.checked_sub(spent));
                    left.is_some_and(|left| self.fills_window(&rest, Some(place), left))
                })
            })
    }

    /// Calls back with the keywords' places that make the found ones among `is_asked`.
    pub fn tell(
        &self,
        found: &Spans,
        is_asked: &dyn Fn(&Range<usize>) -> bool,
        told: &mut dyn FnMut(&Keyword, Range<usize>),
    ) {
        if !self.spans(found).iter().any(is_asked) {
            return;
        }
        match found {
            Spans::Keyword(keyword) => {
                let places = (self.places)(keyword, self.text);
                places.into_iter().filter(is_asked).for_each(|place| told(keyword, place));
            }
            Spans::Any(parts) => parts.iter().for_each(|part| self.tell(part, is_asked, told)),
            Spans::Chain { parts, gaps } => {
                let spans = self.of_each(parts);
                for (nth, part) in parts.iter().enumerate() {
                    let takes_part = |place: &Range<usize>| {
                        let mut spans = spans.clone();
                        spans[nth] = vec![place.clone()];
                        !self.hulls(&spans, gaps).is_empty()
                    };
                    self.tell(part, &takes_part, told);
                }
            }
            Spans::Apart { of, .. } => {
                let apart = self.spans(found);
                self.tell(of, &|place| apart.contains(place) && is_asked(place), told);
            }
            Spans::Window { parts, .. } => {
                for part in parts {
                    (self.places)(part, self.text).into_iter().for_each(|place| told(part, place));
                }
            }
        }
    }
}
