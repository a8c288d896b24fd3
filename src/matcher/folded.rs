//! A whole text in its loosest form, the runs of word letters in it, and the addresses that no literal searches.
//! Unaware of literals: what is lost here is decided on the letters of the original.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use unicode_script::Script;

use super::carried;
use super::fold::{
    self, COMBINING, DIGIT, HANGUL, JAMO, Kind, LETTER, MARK, MARKED, MarkRun, SEVERAL, SPACE, UNDERSCORE,
    UNSEGMENTED, UPPER, WORD, Entry, entry, for_each_letter, push,
};

/// Stands for an address in a folded text. No literal holds it: it is not a byte of UTF-8.
const ADDRESS: u8 = 0xff;

/// A text in its loosest form: what anchors are looked for in. Reused from post to post.
#[derive(Debug, Default)]
pub(super) struct Folded {
    pub bytes: Vec<u8>,
    /// The runs of word letters, in order.
    pub runs: Vec<Run>,
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
}

/// A place within a run: at a byte, and what may be there.
#[derive(Clone, Copy, Debug)]
struct Edge {
    at: u32,
    bits: u8,
}

const START: u8 = 1;
const END: u8 = 1 << 1;

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
    /// Whether its loosest form is less than it is.
    is_loosened: bool,
    is_odd: bool,
}

impl Folded {
    /// Takes in `text`, an address as one byte.
    pub fn read(&mut self, text: &str, addresses: &[Range<usize>]) {
        self.bytes.clear();
        self.runs.clear();
        self.edges.clear();
        self.state = State::default();
        let mut at = 0;
        for address in addresses {
            self.read_piece(&text[at..address.start]);
            self.close(self.bytes.len());
            self.state = State::default();
            self.bytes.push(ADDRESS);
            at = address.end;
        }
        self.read_piece(&text[at..]);
        self.close(self.bytes.len());
    }

    /// The places of a run at which a literal may begin, from the start of the run on.
    pub fn starts(&self, run: &Run) -> impl Iterator<Item = usize> + Clone + '_ {
        std::iter::once(run.start as usize).chain(self.edges_of(run, START))
    }

    /// The places of a run at which a literal may end, up to the end of the run.
    pub fn ends(&self, run: &Run) -> impl Iterator<Item = usize> + Clone + '_ {
        self.edges_of(run, END).chain(std::iter::once(run.end as usize))
    }

    fn edges_of(&self, run: &Run, bit: u8) -> impl Iterator<Item = usize> + Clone + '_ {
        let edges = &self.edges[run.edges.0 as usize..run.edges.1 as usize];
        edges.iter().filter(move |edge| edge.bits & bit != 0).map(|edge| edge.at as usize)
    }

    fn read_piece(&mut self, text: &str) {
        let before = (self.state, [self.bytes.len(), self.runs.len(), self.edges.len()]);
        self.bytes.reserve(text.len());
        let mut at = 0;
        // Marks are known to be in order up to here.
        let mut ordered = 0;
        loop {
            let ascii = text.as_bytes()[at..].iter().position(|byte| *byte >= 0x80).unwrap_or(text.len() - at);
            if ascii > 0 {
                self.read_ascii(&text.as_bytes()[at..at + ascii]);
                at += ascii;
            }
            let Some(character) = text[at..].chars().next() else { return };
            let entry = entry(character);
            if self.goes_on_smoothly(entry) {
                at += character.len_utf8();
                continue;
            }
            if entry.kind & JAMO != 0 {
                self.go_back(before);
                return self.read_generally(text);
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
                    self.letter(&Next { kind, script, loose, is_loosened, is_odd: false });
                }
                None if kind & MARK != 0 => self.mark(),
                None => {}
            }
            at += character.len_utf8();
        }
    }

    /// Takes in a letter of a word that goes on with its like.
    fn goes_on_smoothly(&mut self, entry: &Entry) -> bool {
        let state = &mut self.state;
        let is_smooth = entry.smooth != 0 && entry.smooth == state.smooth && !state.in_tag && state.run.is_some();
        if let Some(loose) = entry.loose.filter(|_| is_smooth) {
            (state.kind, state.loose) = (entry.kind, loose);
            push(loose, &mut self.bytes);
        }
        is_smooth
    }

    /// Takes in letters that may join with one another.
    fn read_generally(&mut self, text: &str) {
        for_each_letter(text, |read| {
            let (kind, script) = (read.kind, read.script);
            let Some(loose) = read.loose else { return self.mark() };
            let is_loosened = loose != read.letter.base || kind & MARKED != 0;
            self.letter(&Next { kind, script, loose, is_loosened, is_odd: kind & SEVERAL != 0 });
        });
    }

    fn go_back(&mut self, (state, [bytes, runs, edges]): (State, [usize; 3])) {
        self.state = state;
        self.bytes.truncate(bytes);
        self.runs.truncate(runs);
        self.edges.truncate(edges);
    }

    fn read_ascii(&mut self, text: &[u8]) {
        let first = self.bytes.len();
        self.bytes.extend(text.iter().map(u8::to_ascii_lowercase));
        let mut at = 0;
        while at < text.len() {
            let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            if !is_word(&text[at]) {
                self.close(first + at);
                self.state.is_odd = false;
                at += text[at..].iter().position(is_word).unwrap_or(text.len() - at);
                continue;
            }
            if at > 0 {
                self.remember_ascii(text[at - 1]);
            }
            self.join_ascii(text[at], first + at);
            at += 1;
            if !self.state.in_tag {
                at += text[at..].iter().position(|byte| !is_word(byte)).unwrap_or(text.len() - at);
            }
        }
        if let Some(&last) = text.last() {
            self.remember_ascii(last);
        }
    }

    fn join_ascii(&mut self, byte: u8, at: usize) {
        let Entered { kind, script, .. } = ascii(byte);
        self.join(&Next { kind, script, loose: byte as char, is_loosened: false, is_odd: false }, at);
        self.state.is_odd = false;
    }

    /// Takes a letter of ASCII for the last one.
    fn remember_ascii(&mut self, byte: u8) {
        let Entered { kind, script, loose } = ascii(byte);
        self.state.in_tag = self.state.in_tag && kind & WORD != 0 || byte == b'#';
        self.state.is_prefix &= kind & WORD == 0;
        (self.state.kind, self.state.script, self.state.loose) = (kind, script, loose);
        self.state.smooth = 0;
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
        let is_odd = next.is_odd || kind & COMBINING != 0 || is_word != (kind & WORD != 0);
        let next = Next { kind, script, loose: next.loose, is_loosened: next.is_loosened, is_odd };
        if is_word {
            self.join(&next, at);
        } else {
            if is_odd {
                self.mark();
            }
            self.close(at);
        }
        let state = &mut self.state;
        state.in_tag = state.in_tag && kind & WORD != 0 || next.loose == '#';
        (state.kind, state.script, state.loose, state.is_odd) = (kind, script, next.loose, is_odd);
        let is_rough = is_odd || next.is_loosened || state.is_prefix;
        state.smooth = if is_rough { 0 } else { entry(next.loose).smooth };
    }

    /// Takes in a mark that stands for itself.
    fn mark(&mut self) {
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
            let facts = if state.is_odd { LOOSENED } else { 0 } | if next.kind & UPPER != 0 { CAPITAL } else { 0 };
            let edges = self.edges.len() as u32;
            Run { start: at as u32, end: 0, edges: (edges, edges), facts }
        });
        if next.is_loosened || next.is_odd {
            run.facts |= LOOSENED;
        }
        if bits != 0 && run.start as usize != at {
            self.edges.push(Edge { at: at as u32, bits });
        }
        let goes_on = state.is_prefix || bits == START | END;
        state.is_prefix = goes_on && carried::is_of_prefix(next.loose);
    }

    fn close(&mut self, end: usize) {
        if let Some(mut run) = self.state.run.take() {
            run.end = end as u32;
            run.edges.1 = self.edges.len() as u32;
            self.runs.push(run);
        }
    }
}

/// What of a literal there may be between the last letter and the next.
fn edge(before: &State, next: &Next) -> u8 {
    let is_either = |kind: Kind| (before.kind | next.kind) & kind != 0;
    let is_tag_boundary = next.kind & UPPER != 0
        || before.kind & LETTER != 0 && next.kind & DIGIT != 0
        || before.kind & DIGIT != 0 && next.kind & LETTER != 0
        || is_either(UNDERSCORE);
    let is_both = before.is_odd
        || next.is_odd
        || fold::parts_scripts(before.script, next.script)
        || (before.kind ^ next.kind) & UNSEGMENTED != 0
        || before.in_tag && is_tag_boundary;
    let is_start = next.kind & UNSEGMENTED != 0 || before.is_prefix && carried::is_of_prefix(before.loose);
    let is_end = before.kind & (HANGUL | DIGIT) != 0 && next.kind & HANGUL != 0;
    let bit = |is: bool, bit: u8| if is { bit } else { 0 };
    bit(is_both || is_start, START) | bit(is_both || is_end, END)
}

/// What is known of a letter of ASCII.
struct Entered {
    kind: Kind,
    script: Script,
    loose: char,
}

fn ascii(byte: u8) -> Entered {
    let entry = entry(byte as char);
    Entered { kind: entry.kind, script: entry.script, loose: byte.to_ascii_lowercase() as char }
}

/// The addresses in a text, which no literal searches: from `http://` or `https://` up to what ends them.
pub(super) fn addresses(text: &str, into: &mut Vec<Range<usize>>) {
    into.clear();
    let mut from = 0;
    static COLON: LazyLock<Finder> = LazyLock::new(|| Finder::new("://"));
    while let Some(found) = COLON.find(&text.as_bytes()[from..]) {
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
