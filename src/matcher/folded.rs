//! A whole text in its loosest form, and the addresses in it that no literal searches.
//! Unaware of literals: what is lost here is decided on the letters of the original.

use std::ops::Range;

use super::fold::{
    COMBINING, IGNORED, JAMO, Kind, MARK, MarkRun, SEVERAL, SPACE, UNSEGMENTED, WORD, entry, for_each_letter, push,
};

/// Stands for an address in a folded text. No literal holds it: it is not a byte of UTF-8.
const ADDRESS: u8 = 0xff;

/// A text in its loosest form: what the automaton reads. Reused from post to post.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub bytes: Vec<u8>,
    /// Whether a word begins or ends in the text only where it does here: no hashtag, and no sign (as `㎏`) that folds
    /// to letters.
    pub plain_edges: bool,
}

impl Folded {
    /// Takes in `text`, an address as one byte.
    pub fn read(&mut self, text: &str, addresses: &[Range<usize>]) {
        self.bytes.clear();
        self.plain_edges = true;
        let mut at = 0;
        for address in addresses {
            self.read_run(&text[at..address.start]);
            self.bytes.push(ADDRESS);
            at = address.end;
        }
        self.read_run(&text[at..]);
        self.plain_edges &= memchr::memchr(b'#', &self.bytes).is_none();
    }

    fn read_run(&mut self, text: &str) {
        let mut at = 0;
        // The letter that what follows may join, and where it is folded to. Marks are known to be in order up to here.
        let (mut last, mut ordered) = ((0, self.bytes.len()), 0);
        loop {
            let ascii = text.as_bytes()[at..].iter().position(|byte| *byte >= 0x80).unwrap_or(text.len() - at);
            self.bytes.extend(text.as_bytes()[at..at + ascii].iter().map(u8::to_ascii_lowercase));
            if ascii > 0 {
                at += ascii;
                last = (at, self.bytes.len());
            }
            let Some(character) = text[at..].chars().next() else { return };
            let entry = entry(character);
            let mut is_plain = entry.kind & (SEVERAL | JAMO) == 0;
            if entry.class != 0 && entry.loose.is_some() && at >= ordered {
                let run = MarkRun::at(text, at);
                (is_plain, ordered) = (is_plain && run.is_ordered, run.bytes.end);
            }
            if is_plain {
                if entry.kind & (MARK | IGNORED) == 0 {
                    last = (at, self.bytes.len());
                }
                self.push(entry.loose, entry.kind);
                at += character.len_utf8();
                continue;
            }
            // Letters that join with their neighbours: to the end of the run, by the general way.
            if entry.kind & JAMO != 0 {
                at = last.0;
                self.bytes.truncate(last.1);
            }
            let end =
                text.as_bytes()[at..].iter().position(|byte| *byte < 0x80).map_or(text.len(), |length| at + length);
            for_each_letter(&text[at..end], |read| self.push(read.loose, read.kind));
            at = end;
            last = (at, self.bytes.len());
        }
    }

    #[inline]
    fn push(&mut self, loose: Option<char>, kind: Kind) {
        let Some(loose) = loose else { return };
        self.plain_edges &= kind & WORD != 0 || entry(loose).kind & WORD == 0;
        push(loose, &mut self.bytes);
    }
}

/// The addresses in a text, which no literal searches: from `http://` or `https://` up to what ends them.
pub(super) fn addresses(text: &str, into: &mut Vec<Range<usize>>) {
    into.clear();
    let mut from = 0;
    while let Some(found) = memchr::memmem::find(&text.as_bytes()[from..], b"://") {
        let colon = from + found;
        let head = &text.as_bytes()[from..colon];
        let begins = |scheme: &&str| {
            head.len() >= scheme.len() && head[head.len() - scheme.len()..].eq_ignore_ascii_case(scheme.as_bytes())
        };
        let scheme = ["https", "http"].into_iter().find(begins);
        from = colon + "://".len();
        let Some(scheme) = scheme else { continue };
        let end = text[from..].find(ends_address).map_or(text.len(), |length| from + length);
        into.push(colon - scheme.len()..end);
        from = end;
    }
}

/// White space, what encloses an address, CJK punctuation, and the first letter of a script without spaces.
fn ends_address(character: char) -> bool {
    let is_punctuation = matches!(character,
        '<' | '>' | '"' | '\u{3000}'..='\u{3003}' | '\u{3008}'..='\u{301f}' | '\u{30fb}' | '\u{ff01}'..='\u{ff0f}'
        | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff3e}' | '\u{ff5b}'..='\u{ff65}');
    let kind = entry(character).kind;
    is_punctuation || kind & SPACE != 0 || kind & UNSEGMENTED != 0 && kind & (COMBINING | MARK) == 0
}
