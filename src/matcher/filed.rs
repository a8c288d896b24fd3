//! Anchors under their hashes: which literals a text may hold. Unaware of letters.

use super::anchor::{Anchor, Part, Side};
use super::folded::Folded;
use super::probe::{self, Heads, Probe, Seed, Wanted, tag};

/// The anchors of all literals.
#[derive(Debug)]
pub(super) struct Anchors {
    pub seed: Seed,
    all: Vec<Filed>,
    /// Where the anchors of each literal begin in `all`, and where the last ones end.
    starts: Vec<u32>,
    /// The letters of all.
    runs: Vec<u8>,
    /// What is in use by any.
    pub heads: Heads,
}

/// An anchor of a literal, by numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filed {
    pub hash: u64,
    pub literal: u32,
    pub element: u32,
    /// The bytes of its letters in `Anchors::runs`.
    run: (u32, u32),
    /// The same of its neighbour; of no bytes if it has none.
    neighbour: (u32, u32),
    is_behind: bool,
    part: Part,
    /// What proves it, and where in that its letters begin; of no bytes if nothing does.
    proof: (u32, u32),
    offset: u32,
}

/// What the folded letters tell of an anchor at a place of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Told {
    /// The literal is not there.
    No,
    /// The letters of the original decide.
    Perhaps,
    /// It is there, but perhaps for marks and a capital.
    Yes { has_marks: bool, has_capital: bool },
}

impl Anchors {
    /// Of each literal its anchors, in the order of their numbers.
    pub fn new(literals: &[Vec<Anchor>], seed: Seed) -> Self {
        let (all, starts) = (Vec::new(), vec![0]);
        let heads = Heads::for_anchors(literals.iter().map(Vec::len).sum());
        let mut anchors = Self { seed, all, starts, runs: Vec::new(), heads };
        for (literal, own) in (0..).zip(literals) {
            for anchor in own {
                anchors.add(literal, anchor);
            }
            anchors.starts.push(anchors.all.len() as u32);
        }
        anchors
    }

    fn add(&mut self, literal: u32, anchor: &Anchor) {
        let Anchor { run, element, part, proof, neighbour } = anchor;
        let (proof, offset) = proof.as_ref().map_or(([].as_slice(), 0), |(text, offset)| (text, *offset));
        let (side, beside) = neighbour.as_ref().map_or((Side::Behind, [].as_slice()), |(side, run)| (*side, run));
        add(&mut self.heads, run, *part);
        let [run_kept, neighbour, proof] = [run, beside, proof].map(|kept| self.keep(kept));
        self.all.push(Filed {
            hash: match part {
                Part::Ending => self.seed.of_ending(run),
                _ => self.seed.of_anchor(run, *part == Part::Whole),
            },
            literal,
            element: *element as u32,
            run: run_kept,
            neighbour,
            is_behind: side == Side::Behind,
            part: *part,
            proof,
            offset: offset as u32,
        });
    }

    /// What a post has if it has any of a set of literals: their hashes if these are few, or else that of the beginning
    /// that all have, as the forms of a word have.
    pub fn wanted(&mut self, set: &[u32]) -> Wanted {
        let own: Vec<Filed> = set.iter().flat_map(|&literal| self.of(literal)).copied().collect();
        let is_unknown = set.iter().any(|&literal| self.of(literal).is_empty());
        let is_ending = own.iter().any(|anchor| anchor.part == Part::Ending);
        let mut hashes: Vec<u64> = own.iter().map(|anchor| anchor.hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        let Some(first) = own.first().filter(|_| !is_unknown) else { return Wanted::ANYTHING };
        let wanted = Wanted::of(&hashes);
        if wanted.is_known() || is_ending {
            return wanted;
        }
        let run = &self.runs[first.run.0 as usize..first.run.1 as usize];
        let shared = own.iter().map(|anchor| same(run, self.kept(anchor.run))).min().unwrap_or(0);
        if shared < SHARED_MIN {
            return Wanted::ANYTHING;
        }
        let (beginning, hash) = self.seed.of_beginning(&run[..shared]);
        self.heads.add(beginning, false);
        Wanted::of(&[hash])
    }

    fn keep(&mut self, run: &[u8]) -> (u32, u32) {
        let start = self.runs.len();
        self.runs.extend(run);
        (start as u32, self.runs.len() as u32)
    }

    pub fn of(&self, literal: u32) -> &[Filed] {
        &self.all[self.starts[literal as usize] as usize..self.starts[literal as usize + 1] as usize]
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.all.as_slice()) + size_of_val(&self.starts[1..]) + self.runs.len()
    }

    /// What the folded letters tell of an anchor at a place whose hash is its own.
    pub fn told(&self, anchor: &Filed, folded: &Folded, probe: Probe) -> Told {
        let run = &folded.runs[probe.run as usize];
        let text = &folded.bytes;
        let is_there = match anchor.part {
            Part::Ending => text[run.start as usize..probe.at as usize].ends_with(self.kept(anchor.run)),
            _ => text[probe.at as usize..run.end as usize].starts_with(self.kept(anchor.run)),
        };
        if !is_there {
            return Told::No;
        }
        if !run.is_plain() {
            return Told::Perhaps;
        }
        if !self.may_have_neighbour(anchor, folded, probe.run) {
            return Told::No;
        }
        self.proven(anchor, folded, probe).unwrap_or(Told::Perhaps)
    }

    /// Where in a folded text the letters of an anchor begin that was probed.
    pub fn start(&self, anchor: &Filed, probe: Probe) -> usize {
        let length = (anchor.run.1 - anchor.run.0) as usize;
        probe.at as usize - if anchor.part == Part::Ending { length } else { 0 }
    }

    fn proven(&self, anchor: &Filed, folded: &Folded, probe: Probe) -> Option<Told> {
        let proof = self.kept(anchor.proof);
        let start = (probe.at.checked_sub(anchor.offset).filter(|_| !proof.is_empty()))? as usize;
        let end = start + proof.len();
        if folded.bytes.get(start..end)? != proof {
            return None;
        }
        let first = folded.runs[..=probe.run as usize].iter().rposition(|run| run.start as usize <= start)?;
        let mut has_marks = false;
        for run in folded.runs[first..].iter().take_while(|run| (run.start as usize) < end) {
            if !run.is_plain() || run.end as usize > end && anchor.part == Part::Whole {
                return None;
            }
            has_marks |= run.has_marks();
        }
        let first = &folded.runs[first];
        (first.start as usize == start).then(|| Told::Yes { has_marks, has_capital: first.has_capital() })
    }

    fn kept(&self, (start, end): (u32, u32)) -> &[u8] {
        &self.runs[start as usize..end as usize]
    }

    /// Whether the run beside a plain one may be what the literal has there.
    fn may_have_neighbour(&self, anchor: &Filed, folded: &Folded, run: u32) -> bool {
        let beside = self.kept(anchor.neighbour);
        if beside.is_empty() {
            return true;
        }
        let at = if anchor.is_behind { run.checked_add(1) } else { run.checked_sub(1) };
        let Some(text) = at.and_then(|at| folded.runs.get(at as usize)) else { return false };
        !text.is_plain() || folded.bytes[text.start as usize..text.end as usize].starts_with(beside)
    }
}

fn add(heads: &mut Heads, run: &[u8], part: Part) {
    match part {
        Part::Ending => heads.add_ending(run),
        _ => heads.add(run, part == Part::Whole),
    }
}

/// Bytes that the anchors of a set must share, so that their beginning tells something.
const SHARED_MIN: usize = 3;

/// The bytes that two begin with.
fn same(left: &[u8], right: &[u8]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

/// The anchors of some literals by hash.
#[derive(Debug)]
pub(super) struct Table {
    /// Two bits of one word for each anchor: most places of a text are told here that nothing is filed under them.
    filter: Vec<u64>,
    /// By the low bits of a hash, or the next that is free: its tag, and one more than where its anchors begin.
    slots: Vec<(u32, u32)>,
    /// Numbers of anchors, one list behind the other; the last of each list is marked.
    items: Vec<u32>,
    heads: Heads,
}

const LAST: u32 = 1 << 31;
/// Bits of the filter for each hash.
const FILTER_BITS: usize = 16;

impl Table {
    /// A table of the anchors of those literals.
    pub fn new(anchors: &Anchors, literals: impl Iterator<Item = u32>) -> Self {
        let numbers = |literal: u32| anchors.starts[literal as usize]..anchors.starts[literal as usize + 1];
        let mut items: Vec<u32> = literals.flat_map(numbers).collect();
        let hash = |number: u32| anchors.all[number as usize].hash;
        items.sort_unstable_by_key(|&number| (hash(number), number));
        let mut table = Self {
            filter: vec![0; (items.len() * FILTER_BITS / 64).next_power_of_two()],
            heads: Heads::for_anchors(items.len()),
            slots: vec![(0, 0); (items.len() * 2).next_power_of_two()],
            items: Vec::new(),
        };
        for (at, &number) in items.iter().enumerate() {
            let Filed { hash: own, run, part, .. } = anchors.all[number as usize];
            add(&mut table.heads, anchors.kept(run), part);
            if at > 0 && hash(items[at - 1]) == own {
                continue;
            }
            let (word, bits) = filter_bits(own, table.filter.len());
            table.filter[word] |= bits;
            let mut slot = own as usize & (table.slots.len() - 1);
            while table.slots[slot].1 != 0 {
                slot = (slot + 1) & (table.slots.len() - 1);
            }
            table.slots[slot] = (tag(own), at as u32 + 1);
        }
        for at in 0..items.len() {
            let is_last = items.get(at + 1).is_none_or(|&next| hash(next) != hash(items[at]));
            table.items.push(items[at] | if is_last { LAST } else { 0 });
        }
        table
    }

    pub fn bytes(&self) -> usize {
        size_of_val(self.filter.as_slice()) + size_of_val(self.slots.as_slice()) + size_of_val(self.items.as_slice())
    }

    /// Calls back with each anchor that may stand in a folded text, and where.
    pub fn find<'a>(&self, anchors: &'a Anchors, folded: &Folded, mut found: impl FnMut(&'a Filed, Probe)) {
        if self.items.is_empty() {
            return;
        }
        probe::for_each(folded, anchors.seed, &self.heads, |probe| {
            let (word, bits) = filter_bits(probe.hash, self.filter.len());
            if self.filter[word] & bits == bits {
                self.look_up(anchors, probe, &mut found);
            }
        });
    }

    fn look_up<'a>(&self, anchors: &'a Anchors, probe: Probe, found: &mut impl FnMut(&'a Filed, Probe)) {
        let mut slot = probe.hash as usize & (self.slots.len() - 1);
        loop {
            let (known, first) = self.slots[slot];
            let Some(mut at) = first.checked_sub(1) else { return };
            // Two hashes with one tag may lie side by side: each is looked at.
            if known == tag(probe.hash) {
                loop {
                    let item = self.items[at as usize];
                    found(&anchors.all[(item & !LAST) as usize], probe);
                    if item & LAST != 0 {
                        break;
                    }
                    at += 1;
                }
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }
}

fn filter_bits(hash: u64, words: usize) -> (usize, u64) {
    ((hash >> 20) as usize & (words - 1), 1 << (hash >> 52 & 63) | 1 << (hash >> 58))
}
