//! Byte spans counted over in code points and UTF-16 units: one walk over a text for all spans in it.
//! Unaware of who asks and of what the spans mean.

use crate::model::Span;

/// One place in a text, counted in three units from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Place {
    pub byte: usize,
    /// Unicode code points.
    pub chars: usize,
    /// Code units of UTF-16: two for a character beyond the basic plane.
    pub utf16: usize,
}

impl Place {
    /// The place at the end of `between`, which starts here.
    fn after(self, between: &str) -> Self {
        let chars = between.chars().count();
        let astral = between.bytes().filter(|&byte| byte >= 0xf0).count();
        Self { byte: self.byte + between.len(), chars: self.chars + chars, utf16: self.utf16 + chars + astral }
    }
}

/// A text, and the places in it at which spans start and end.
#[derive(Debug)]
pub struct Offsets<'t> {
    text: &'t str,
    /// Ascending; the first is the start of the text.
    places: Vec<Place>,
}

impl<'t> Offsets<'t> {
    pub fn of(text: &'t str, spans: impl Iterator<Item = Span>) -> Self {
        let mut bytes: Vec<usize> = spans.flat_map(|span| [clamp(text, span.start), clamp(text, span.end)]).collect();
        bytes.sort_unstable();
        let mut place = Place::default();
        let mut places = vec![place];
        for byte in bytes {
            place = place.after(&text[place.byte..byte]);
            places.push(place);
        }
        Self { text, places }
    }

    /// Where a span starts, where it ends, and what it holds. A span that does not fit the text is cut to fit.
    pub fn locate(&self, span: Span) -> (Place, Place, &'t str) {
        let start = self.place(span.start);
        let end = self.place(span.end.max(span.start));
        (start, end, &self.text[start.byte..end.byte])
    }

    fn place(&self, byte: u32) -> Place {
        let byte = clamp(self.text, byte);
        let next = self.places.partition_point(|place| place.byte <= byte);
        let before = self.places[next.saturating_sub(1)];
        before.after(&self.text[before.byte..byte])
    }
}

/// The character boundary at a byte or the nearest before it.
fn clamp(text: &str, byte: u32) -> usize {
    text.floor_char_boundary(byte as usize)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The span of `part` in `text`.
    fn span(text: &str, part: &str) -> Span {
        let start = text.find(part).unwrap() as u32;
        Span { start, end: start + part.len() as u32 }
    }

    /// `[start, end]` of each part in code points, UTF-16 and bytes, all found in one walk.
    fn located(text: &str, parts: &[&str]) -> Vec<[[usize; 2]; 3]> {
        let offsets = Offsets::of(text, parts.iter().map(|part| span(text, part)));
        let locate = |part: &&str| {
            let (start, end, form) = offsets.locate(span(text, part));
            assert_eq!(form, *part);
            [[start.chars, end.chars], [start.utf16, end.utf16], [start.byte, end.byte]]
        };
        parts.iter().map(locate).collect()
    }

    #[test]
    fn a_character_beyond_the_basic_plane_is_one_code_point_and_two_units() {
        assert_eq!(located("😡😡 Vodafone 😡", &["Vodafone"]), [[[3, 11], [5, 13], [9, 17]]]);
        assert_eq!(located("a😡b", &["😡", "b"]), [[[1, 2], [1, 3], [1, 5]], [[2, 3], [3, 4], [5, 6]]]);
    }

    #[test]
    fn a_combining_mark_is_a_code_point_of_its_own() {
        assert_eq!(located("ne\u{30c}mam sit", &["sit"]), [[[7, 10], [7, 10], [8, 11]]]);
    }

    #[test]
    fn cjk_counts_by_character() {
        assert_eq!(located("今日は東京𠮷野", &["東京", "野"]), [[[3, 5], [3, 5], [9, 15]], [[6, 7], [7, 8], [19, 22]]]);
    }

    #[test]
    fn spans_may_come_in_any_order_overlap_and_repeat() {
        let found = located("č ž š", &["š", "č ž", "ž š", "š"]);
        assert_eq!(found[0], [[4, 5], [4, 5], [6, 8]]);
        assert_eq!(found[1], [[0, 3], [0, 3], [0, 5]]);
        assert_eq!(found[2], [[2, 5], [2, 5], [3, 8]]);
        assert_eq!(found[3], found[0]);
    }

    #[test]
    fn places_agree_with_the_counts_of_the_standard_library_wherever_they_are() {
        let text = "Už 😡 ne\u{30c} 東𠮷 end";
        let offsets = Offsets::of(text, [Span { start: 3, end: 9 }].into_iter());
        for (start, _) in text.char_indices() {
            let (place, end, rest) = offsets.locate(Span { start: start as u32, end: u32::MAX });
            assert_eq!(place.chars, text[..start].chars().count());
            assert_eq!(place.utf16, text[..start].encode_utf16().count());
            assert_eq!((end.byte, rest), (text.len(), &text[start..]));
        }
    }

    proptest! {
        #[test]
        fn any_spans_of_any_text_are_counted_as_the_standard_library_counts(
            text in ".{0,40}",
            ends in prop::collection::vec((0_u32..200, 0_u32..200), 0..8),
        ) {
            let spans: Vec<Span> = ends.iter().map(|&(start, end)| Span { start, end }).collect();
            let offsets = Offsets::of(&text, spans.iter().copied());
            for span in spans {
                let (start, end, form) = offsets.locate(span);
                prop_assert_eq!(form, &text[start.byte..end.byte]);
                for place in [start, end] {
                    prop_assert_eq!(place.chars, text[..place.byte].chars().count());
                    prop_assert_eq!(place.utf16, text[..place.byte].encode_utf16().count());
                }
            }
        }
    }

    #[test]
    fn a_span_that_does_not_fit_is_cut_to_fit() {
        let text = "ěš";
        let wrong = [Span { start: 1, end: 3 }, Span { start: 9, end: 12 }, Span { start: 4, end: 0 }];
        let offsets = Offsets::of(text, wrong.into_iter());
        assert_eq!(wrong.map(|span| offsets.locate(span).2), ["ě", "", ""]);
    }
}
