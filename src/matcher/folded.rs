//! A whole text in its loosest form, the runs of word letters in it, and the addresses that no literal searches.
//! Unaware of literals: what is lost here is decided on the letters of the original.

use std::ops::Range;
use std::sync::OnceLock;

use unicode_script::Script;

use super::carried;
use super::fold::{
    self, COMBINING, DIGIT, Entry, HANGUL, JAMO, Kind, LETTER, MARK, MARKED, MarkRun, SEVERAL, SPACE, UNDERSCORE,
    UNSEGMENTED, UNSPACED, UPPER, WORD, entry, for_each_letter, push,
};

/// Stands for an address in a folded text. No literal holds it: it is not a byte of UTF-8.
const ADDRESS: u8 = 0xff;

/// A text in its loosest form: what anchors are looked for in. Reused from post to post.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub bytes: Vec<u8>,
    /// The runs of word letters, in order.
    pub runs: Vec<Run>,
    /// Whether a letter may have a mark.
    pub may_have_marks: bool,
    /// The places within runs at which a literal may begin or end, in order: never fewer than there are.
    edges: Vec<Edge>,
    state: State,
}

/// Letters of words side by side: a word, or several that no space parts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub start: u32,
    pub end: u32,
    edges: (u32, u32),
    facts: u8,
}

/// What the folded letters of a run do not show: a mark that is a character of its own, a letter that is less loose than
/// its loosest form, or doubt about an end of the run.
const LOOSENED: u8 = 1;
/// It begins with a capital.
const CAPITAL: u8 = 1 << 1;
/// A letter of it has a mark.
const MARKED_LETTER: u8 = 1 << 2;
/// Its first letter is of a script without spaces.
const UNSPACED_FIRST: u8 = 1 << 3;

impl Run {
    /// Whether it has edges nowhere but at its ends.
    pub fn is_undivided(&self) -> bool {
        self.edges.0 == self.edges.1
    }

    /// Whether it is one word, with edges nowhere but at its ends, and its folded letters are its letters but for marks.
    pub fn is_plain(&self) -> bool {
        self.is_undivided() && self.facts & LOOSENED == 0
    }

    pub fn has_capital(&self) -> bool {
        self.facts & CAPITAL != 0
    }

    /// Whether a letter of a plain run has a mark.
    pub fn has_marks(&self) -> bool {
        self.facts & MARKED_LETTER != 0
    }
}

/// A place within a run: at a byte, and what may be there.
#[derive(Clone, Copy, Debug)]
struct Edge {
    at: u32,
    bits: u8,
}

const START: u8 = 1;
const END: u8 = 1 << 1;
/// The start is a letter of a script without spaces: no whole word begins there.
const UNSPACED_START: u8 = 1 << 2;

/// What is remembered of the letters before.
#[derive(Clone, Copy, Debug)]
struct State {
    /// The last letter: its kind, its script, its loosest form.
    kind: Kind,
    script: Script,
    loose: char,
    /// As in [`Entry`]; 0 if the letter is not as its like.
    smooth: u8,
    /// The run that is open.
    run: Option<Run>,
    in_tag: bool,
    /// Whether all letters since the last edge may be a prefix of Arabic or Hebrew.
    is_prefix: bool,
    /// Whether the last letter is one of which the folded text tells too little.
    is_odd: bool,
}

impl Default for State {
    fn default() -> Self {
        let (kind, script, loose) = (0, Script::Common, ' ');
        Self { kind, script, loose, smooth: 0, run: None, in_tag: false, is_prefix: true, is_odd: false }
    }
}

/// A letter that comes next.
struct Next {
    kind: Kind,
    script: Script,
    loose: char,
    /// Whether its loosest form is less than it is, but for marks.
    is_loosened: bool,
    is_marked: bool,
    is_odd: bool,
}

impl Folded {
    /// Takes in `text`, an address as one byte.
    pub fn read(&mut self, text: &str, addresses: &[Range<usize>]) {
        self.bytes.clear();
        self.runs.clear();
        self.edges.clear();
        self.may_have_marks = false;
        self.state = State::default();
        let mut at = 0;
        for address in addresses {
            self.read_piece(&text[at..address.start]);
            self.close(self.state.run, self.bytes.len());
            self.state = State::default();
            self.bytes.push(ADDRESS);
            at = address.end;
        }
        self.read_piece(&text[at..]);
        self.close(self.state.run, self.bytes.len());
    }

    /// The places of a run at which a literal may begin, from the start of the run on, and whether a whole word may.
    pub fn starts(&self, run: &Run) -> impl Iterator<Item = (usize, bool)> + '_ {
        let first = (run.start as usize, run.facts & UNSPACED_FIRST == 0);
        let is_whole = |edge: &Edge| edge.bits & UNSPACED_START == 0;
        std::iter::once(first).chain(self.edges_of(run, START).map(move |edge| (edge.at as usize, is_whole(edge))))
    }

    /// The places of a run at which a whole word may end, up to the end of the run.
    pub fn ends(&self, run: &Run) -> impl Iterator<Item = usize> + Clone + '_ {
        self.edges_of(run, END).map(|edge| edge.at as usize).chain(std::iter::once(run.end as usize))
    }

    fn edges_of(&self, run: &Run, bit: u8) -> impl Iterator<Item = &Edge> + Clone + '_ {
        let edges = &self.edges[run.edges.0 as usize..run.edges.1 as usize];
        edges.iter().filter(move |edge| edge.bits & bit != 0)
    }

    fn read_piece(&mut self, text: &str) {
        let before = (self.state, [self.bytes.len(), self.runs.len(), self.edges.len()]);
        self.bytes.reserve(text.len());
        let mut at = 0;
        // Marks are known to be in order up to here.
        let mut ordered = 0;
        loop {
            at = self.read_smooth(text.as_bytes(), at);
            let Some(character) = text[at..].chars().next() else { return };
            let entry = entry(character);
            if entry.kind & JAMO != 0 {
                self.go_back(before);
                return self.read_generally(text);
            }
            if self.goes_on_unspaced(entry) {
                at += character.len_utf8();
                continue;
            }
            let mut is_plain = entry.kind & SEVERAL == 0;
            if entry.class != 0 && entry.loose.is_some() && at >= ordered {
                let run = MarkRun::at(text, at);
                (is_plain, ordered) = (is_plain && run.is_ordered, run.bytes.end);
            }
            if !is_plain {
                // Letters that join with their neighbours: to the end of the run.
                let end =
                    text.as_bytes()[at..].iter().position(|byte| *byte < 0x80).map_or(text.len(), |length| at + length);
                self.read_generally(&text[at..end]);
                at = end;
                continue;
            }
            let (kind, script) = (entry.kind, entry.script);
            match entry.loose {
                Some(loose) => {
                    let is_loosened = loose != entry.letter.base;
                    let is_marked = entry.letter.is_marked();
                    self.letter(&Next { kind, script, loose, is_loosened, is_marked, is_odd: false });
                }
                None if kind & MARK != 0 => self.mark(),
                None => {}
            }
            at += character.len_utf8();
        }
    }

    /// Takes in what is nothing but letters of words that go on with their like, and ASCII between them, up to the first
    /// byte that is not.
    fn read_smooth(&mut self, text: &[u8], from: usize) -> usize {
        let mut at = from;
        let mut last = None;
        let State { mut smooth, mut in_tag, mut is_odd, .. } = self.state;
        let mut run = self.state.run.take();
        let two_bytes = two_bytes();
        while let Some(&byte) = text.get(at) {
            if let Some(eight) = text[at..].first_chunk().map(|eight| Eight::of(*eight))
                && eight.is_simple()
                && !in_tag
                && (run.is_none() || eight.goes_on(smooth))
            {
                run = self.take_eight(eight, run, is_odd);
                (smooth, is_odd) = (eight.last_smooth(), false);
                last = self.bytes.last().map(|last| [*last, 0]);
                at += 8;
                continue;
            }
            let (letter, length) = match byte {
                0..0x80 => (ASCII[usize::from(byte)], 1),
                0xc3..0xe0 => (two_bytes[usize::from(byte & 0x1f) << 6 | usize::from(text[at + 1] & 0x3f)], 2),
                _ => break,
            };
            if letter.smooth == 0 {
                if length > 1 {
                    break;
                }
                self.close(run.take(), self.bytes.len());
                (smooth, in_tag, is_odd) = (0, byte == b'#', false);
            } else if in_tag {
                break;
            } else if run.is_none() {
                run = Some(self.opened(self.bytes.len(), is_odd, letter.is_capital));
                (smooth, is_odd) = (letter.smooth, false);
            } else if smooth == letter.smooth || smooth == NUMBER || letter.smooth == NUMBER && smooth != 0 {
                smooth = letter.smooth;
            } else {
                break;
            }
            if letter.is_marked
                && let Some(run) = &mut run
            {
                run.facts |= MARKED_LETTER;
                self.may_have_marks = true;
            }
            match letter.loose {
                [one, 0] => self.bytes.push(one),
                two => self.bytes.extend(two),
            }
            last = Some(letter.loose);
            at += length;
        }
        self.state.run = run;
        if let Some(last) = last {
            let loose = str::from_utf8(&last).ok().and_then(|last| last.chars().next()).unwrap_or(' ');
            let entry = entry(loose);
            self.state = State {
                kind: entry.kind,
                script: entry.script,
                loose,
                smooth,
                in_tag,
                is_odd,
                is_prefix: run.is_none(),
                run,
            };
        }
        at
    }

    /// Takes in a letter of a script without spaces behind another.
    fn goes_on_unspaced(&mut self, entry: &Entry) -> bool {
        let state = &mut self.state;
        let goes_on = entry.smooth == UNSPACED && state.kind & UNSEGMENTED != 0 && !state.in_tag && !state.is_odd;
        let (Some(run), Some(loose), true) = (&mut state.run, entry.loose, goes_on) else { return false };
        if loose != entry.letter.base {
            run.facts |= LOOSENED;
        }
        self.edges.push(Edge { at: self.bytes.len() as u32, bits: START | UNSPACED_START });
        push(loose, &mut self.bytes);
        (state.kind, state.script, state.loose, state.is_prefix) = (entry.kind, entry.script, loose, false);
        true
    }

    /// Takes in eight bytes behind a run that may be open, and tells that which is open then.
    fn take_eight(&mut self, eight: Eight, mut run: Option<Run>, is_odd: bool) -> Option<Run> {
        let base = self.bytes.len();
        self.bytes.extend(eight.lower());
        for (place, is_capital) in eight.turns(run.is_some()) {
            if run.is_some() {
                self.close(run.take(), base + place);
            } else {
                run = Some(self.opened(base + place, is_odd && place == 0, is_capital));
            }
        }
        run
    }

    /// A run that begins at a byte.
    fn opened(&self, start: usize, is_odd: bool, is_capital: bool) -> Run {
        let facts = if is_odd { LOOSENED } else { 0 } | if is_capital { CAPITAL } else { 0 };
        let edges = self.edges.len() as u32;
        Run { start: start as u32, end: 0, edges: (edges, edges), facts }
    }

    /// Takes in letters that may join with one another.
    fn read_generally(&mut self, text: &str) {
        for_each_letter(text, |read| {
            let (kind, script) = (read.kind, read.script);
            let Some(loose) = read.loose else { return self.mark() };
            let is_loosened = loose != read.letter.base || kind & MARKED != 0;
            let is_marked = read.letter.is_marked();
            self.letter(&Next { kind, script, loose, is_loosened, is_marked, is_odd: kind & SEVERAL != 0 });
        });
    }

    fn go_back(&mut self, (state, [bytes, runs, edges]): (State, [usize; 3])) {
        self.state = state;
        self.bytes.truncate(bytes);
        self.runs.truncate(runs);
        self.edges.truncate(edges);
    }

    fn letter(&mut self, next: &Next) {
        let at = self.bytes.len();
        push(next.loose, &mut self.bytes);
        let (mut kind, mut script) = (next.kind, next.script);
        if kind & COMBINING != 0 {
            let inherited = WORD | UPPER | DIGIT | LETTER | UNDERSCORE | UNSEGMENTED | HANGUL;
            (kind, script) = (kind & !inherited | self.state.kind & inherited, self.state.script);
        }
        let is_word = entry(next.loose).kind & WORD != 0;
        let is_odd = next.is_odd || is_word != (kind & WORD != 0);
        let is_loosened = next.is_loosened || kind & COMBINING != 0;
        self.may_have_marks |= next.is_marked;
        let next = Next { kind, script, is_odd, is_loosened, ..*next };
        if is_word {
            self.join(&next, at);
        } else {
            if is_odd {
                self.mark();
            }
            let run = self.state.run.take();
            self.close(run, at);
        }
        let state = &mut self.state;
        state.in_tag = state.in_tag && kind & WORD != 0 || next.loose == '#';
        (state.kind, state.script, state.loose, state.is_odd) = (kind, script, next.loose, is_odd);
        let is_rough = is_odd || next.is_loosened || state.is_prefix;
        let smooth = entry(next.loose).smooth;
        state.smooth = if is_rough || smooth == UNSPACED { 0 } else { smooth };
    }

    /// Takes in a mark that stands for itself.
    fn mark(&mut self) {
        self.may_have_marks = true;
        match &mut self.state.run {
            Some(run) => run.facts |= LOOSENED,
            None => self.state.is_odd = true,
        }
    }

    /// Adds a letter of a word, whose bytes begin at `at`, to the run that is open, or opens one.
    fn join(&mut self, next: &Next, at: usize) {
        let state = &mut self.state;
        let bits = edge(state, next);
        let run = state.run.get_or_insert_with(|| {
            state.is_prefix = true;
            let facts = [
                (state.is_odd, LOOSENED),
                (next.kind & UPPER != 0, CAPITAL),
                (next.kind & UNSEGMENTED != 0, UNSPACED_FIRST),
            ];
            let facts = facts.into_iter().filter(|(is, _)| *is).fold(0, |facts, (_, fact)| facts | fact);
            let edges = self.edges.len() as u32;
            Run { start: at as u32, end: 0, edges: (edges, edges), facts }
        });
        if next.is_loosened || next.is_odd {
            run.facts |= LOOSENED;
        }
        if next.is_marked {
            run.facts |= MARKED_LETTER;
        }
        if bits != 0 && run.start as usize != at {
            self.edges.push(Edge { at: at as u32, bits });
        }
        let goes_on = state.is_prefix || bits & (START | END) == START | END;
        state.is_prefix = goes_on && carried::is_of_prefix(next.loose);
    }

    fn close(&mut self, run: Option<Run>, end: usize) {
        if let Some(mut run) = run {
            run.end = end as u32;
            run.edges.1 = self.edges.len() as u32;
            self.runs.push(run);
        }
    }
}

/// What of a literal there may be between the last letter and the next. Nothing ends behind a letter of a script without
/// spaces that is filed whole, and nothing begins with a letter that continues a character.
fn edge(before: &State, next: &Next) -> u8 {
    let is_either = |kind: Kind| (before.kind | next.kind) & kind != 0;
    let is_odd = before.is_odd || next.is_odd;
    if next.kind & COMBINING != 0 && !is_odd {
        return 0;
    }
    let is_tag_boundary = next.kind & UPPER != 0
        || before.kind & LETTER != 0 && next.kind & DIGIT != 0
        || before.kind & DIGIT != 0 && next.kind & LETTER != 0
        || is_either(UNDERSCORE);
    let is_both = is_odd
        || fold::parts_scripts(before.script, next.script)
        || (before.kind ^ next.kind) & UNSEGMENTED != 0
        || before.in_tag && is_tag_boundary;
    let is_unspaced = next.kind & UNSEGMENTED != 0;
    let is_start = is_unspaced || before.is_prefix && carried::is_of_prefix(before.loose);
    let is_end = before.kind & (HANGUL | DIGIT) != 0 && next.kind & HANGUL != 0;
    let ends = before.kind & UNSEGMENTED == 0 && is_both || is_end;
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    bit(is_both || is_start, START) | bit(ends, END) | bit(is_unspaced, UNSPACED_START)
}

/// A character that folds to one or two bytes and is told by its likeness to the one before.
#[derive(Clone, Copy)]
struct Smooth {
    loose: [u8; 2],
    /// As in [`Entry`], or a number's; 0 for any other.
    smooth: u8,
    is_capital: bool,
    is_marked: bool,
}

const LATIN: u8 = Script::Latin as u8 + 1;
/// Digits and the underscore, of no script.
const NUMBER: u8 = u8::MAX;

static ASCII: [Smooth; 0x80] = {
    let mut table = [Smooth { loose: [0, 0], smooth: 0, is_capital: false, is_marked: false }; 0x80];
    let mut byte = 0;
    while byte < 0x80 {
        let character = byte as u8;
        table[byte] = Smooth {
            loose: [character.to_ascii_lowercase(), 0],
            smooth: match character {
                b'a'..=b'z' | b'A'..=b'Z' => LATIN,
                b'0'..=b'9' | b'_' => NUMBER,
                _ => 0,
            },
            is_capital: character.is_ascii_uppercase(),
            is_marked: false,
        };
        byte += 1;
    }
    table
};

/// Eight bytes at once: in each of the masks the highest bit of a byte is the answer for that byte.
#[derive(Clone, Copy)]
struct Eight {
    bytes: u64,
    upper: u64,
    /// Letters, digits and the underscore.
    word: u64,
    letters: u64,
}

const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// A byte eight times.
const fn eight(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

impl Eight {
    #[inline]
    fn of(bytes: [u8; 8]) -> Self {
        let bytes = u64::from_le_bytes(bytes);
        // Of ASCII alone: no byte borrows from the next.
        let from = |least: u8| (bytes | HIGHEST).wrapping_sub(eight(least)) & HIGHEST;
        let within = |first: u8, last: u8| from(first) & !from(last + 1);
        let upper = within(b'A', b'Z');
        let letters = upper | within(b'a', b'z');
        Self { bytes, upper, letters, word: letters | within(b'0', b'9') | within(b'_', b'_') }
    }

    /// ASCII without the sign of a hashtag.
    #[inline]
    fn is_simple(self) -> bool {
        let sign = self.bytes ^ eight(b'#');
        (self.bytes | sign.wrapping_sub(eight(1)) & !sign) & HIGHEST == 0
    }

    /// Whether no edge lies before them behind a letter.
    #[inline]
    fn goes_on(self, smooth: u8) -> bool {
        let is_latin = smooth == LATIN || smooth == NUMBER;
        self.word & 0x80 == 0 || is_latin || smooth != 0 && self.letters & 0x80 == 0
    }

    #[inline]
    fn lower(self) -> [u8; 8] {
        (self.bytes | self.upper >> 2).to_le_bytes()
    }

    /// The places at which a run begins or ends, and whether a capital stands there.
    #[inline]
    fn turns(self, is_open: bool) -> impl Iterator<Item = (usize, bool)> {
        let before = self.word << 8 | if is_open { 0x80 } else { 0 };
        let mut turns = self.word ^ before;
        std::iter::from_fn(move || {
            let bit = turns & turns.wrapping_neg();
            let place = (turns != 0).then(|| turns.trailing_zeros() as usize / 8)?;
            turns ^= bit;
            Some((place, self.upper & bit != 0))
        })
    }

    /// As in [`Smooth`], of the last byte.
    #[inline]
    fn last_smooth(self) -> u8 {
        match (self.letters >> 63, self.word >> 63) {
            (1, _) => LATIN,
            (_, 1) => NUMBER,
            _ => 0,
        }
    }
}

/// The characters of two bytes in UTF-8.
fn two_bytes() -> &'static [Smooth; 0x800] {
    static TABLE: OnceLock<Box<[Smooth; 0x800]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        Box::new(std::array::from_fn(|code| {
            let entry = entry(char::from_u32(code as u32).unwrap_or(' '));
            let mut loose = [0; 2];
            let is_short = entry.loose.is_some_and(|loose| loose.len_utf8() <= 2);
            if let Some(character) = entry.loose.filter(|_| is_short) {
                character.encode_utf8(&mut loose);
            }
            let smooth = if is_short { entry.smooth } else { 0 };
            Smooth { loose, smooth, is_capital: entry.kind & UPPER != 0, is_marked: entry.letter.is_marked() }
        }))
    })
}

/// The addresses in a text, which no literal searches: from `http://` or `https://` up to what ends them.
pub(super) fn addresses(text: &str, into: &mut Vec<Range<usize>>) {
    into.clear();
    // Where what may be a scheme begins at the earliest.
    let (mut from, mut last) = (0, 0);
    while let Some(found) = memchr::memchr(b':', &text.as_bytes()[from..]) {
        let colon = from + found;
        if !text.as_bytes()[colon..].starts_with(b"://") {
            from = colon + 1;
            continue;
        }
        let head = &text.as_bytes()[last..colon];
        let begins = |scheme: &&str| {
            head.len() >= scheme.len() && head[head.len() - scheme.len()..].eq_ignore_ascii_case(scheme.as_bytes())
        };
        let scheme = ["https", "http"].into_iter().find(begins);
        from = colon + "://".len();
        last = from;
        let Some(scheme) = scheme else { continue };
        let end = text[from..].find(ends_address).map_or(text.len(), |length| from + length);
        into.push(colon - scheme.len()..end);
        (from, last) = (end, end);
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
