//! Hashes of how the words of a text begin, and of whole words: what anchors are filed under.
//! Unaware of literals.

use super::folded::{Folded, Run};

/// Lengths in bytes of the beginnings that are hashed: a longer one is filed by its head.
const LENGTHS: [usize; 7] = [1, 2, 3, 4, 6, 8, 12];
/// Bytes of a whole word that are hashed, beside its length.
const HEAD: usize = 16;
/// Whole words of so many bytes and of more are told apart by their heads only.
const WHOLE_MAX: usize = 64;

/// Chosen anew for each process, so that nobody can write posts whose words fall together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64, u64);

impl Seed {
    pub fn random() -> Self {
        use std::hash::{BuildHasher, RandomState};
        let state = RandomState::new();
        Self(state.hash_one(0), state.hash_one(1))
    }

    /// The same in every process.
    pub fn known() -> Self {
        Self(0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344)
    }

    /// Of the first bytes of a head. The salt tells whole words and beginnings of each length apart.
    #[inline]
    fn hash(self, head: Head, length: usize, salt: u64) -> u64 {
        let kept = if length >= HEAD { head.0 } else { head.0 & ((1 << (8 * length)) - 1) };
        let (low, high) = (kept as u64, (kept >> 64) as u64);
        let product = u128::from(low ^ self.0 ^ salt) * u128::from(high ^ self.1 ^ salt.rotate_left(32));
        ((product >> 64) as u64 ^ product as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    #[inline]
    fn whole(self, head: Head, length: usize) -> u64 {
        let salt = 0x100 + length.min(WHOLE_MAX) as u64;
        self.hash(head, length, salt.wrapping_mul(0xd6e8_feb8_6659_fd93))
    }

    #[inline]
    fn beginning(self, head: Head, nth: usize) -> u64 {
        self.hash(head, LENGTHS[nth], (nth as u64 + 1).wrapping_mul(0xa076_1d64_78bd_642f))
    }

    #[inline]
    fn ending(self, tail: Head, nth: usize) -> u64 {
        self.hash(tail, LENGTHS[nth], (nth as u64 + 1).wrapping_mul(0xe703_7ed1_a0b4_28db))
    }

    /// What an anchor is filed under that ends with a word.
    pub fn of_ending(self, run: &[u8]) -> u64 {
        self.ending(Head::before(run, run.len()), longest(run.len()))
    }

    /// Of a run the longest beginning that is hashed, and its hash.
    pub fn of_beginning(self, run: &[u8]) -> (&[u8], u64) {
        let nth = longest(run.len());
        (&run[..LENGTHS[nth]], self.beginning(Head::at(run, 0), nth))
    }

    /// What an anchor is filed under.
    pub fn of_anchor(self, run: &[u8], is_whole: bool) -> u64 {
        let head = Head::at(run, 0);
        if is_whole { self.whole(head, run.len()) } else { self.beginning(head, longest(run.len())) }
    }
}

/// The sixteen bytes at a place as a number, those behind the end of the text as zeros.
#[derive(Clone, Copy)]
struct Head(u128);

impl Head {
    /// The first bytes, of six at most.
    #[inline]
    fn first(self, length: usize) -> u64 {
        self.0 as u64 & ((1 << (8 * length)) - 1)
    }

    /// The bytes before a place, from the last one back.
    #[inline]
    fn before(bytes: &[u8], end: usize) -> Self {
        if let Some(all) = bytes[..end].last_chunk() {
            return Self(u128::from_be_bytes(*all));
        }
        let mut sixteen = [0; HEAD];
        sixteen.iter_mut().rev().zip(bytes[..end].iter().rev()).for_each(|(into, byte)| *into = *byte);
        Self(u128::from_be_bytes(sixteen))
    }

    #[inline]
    fn at(bytes: &[u8], at: usize) -> Self {
        if let Some(all) = bytes[at..].first_chunk() {
            return Self(u128::from_le_bytes(*all));
        }
        let mut sixteen = [0; HEAD];
        sixteen.iter_mut().zip(&bytes[at..]).for_each(|(into, byte)| *into = *byte);
        Self(u128::from_le_bytes(sixteen))
    }
}

/// The longest length that a run of so many bytes has.
fn longest(length: usize) -> usize {
    LENGTHS.iter().rposition(|&known| known <= length).unwrap_or(0)
}

/// Which hashes are in use, by the first bytes: most places of a text are told here that nothing is filed under them.
#[derive(Debug)]
pub(super) struct Heads {
    /// By two bytes: beginnings and words of up to three bytes.
    short: Box<[u8; 1 << 12]>,
    /// By four bytes: those of four and five.
    middle: Vec<u8>,
    /// By six bytes: all that are longer.
    long: Vec<u8>,
    /// The same of endings, from the last byte back, if any are in use.
    endings: Option<Box<Heads>>,
}

/// In each of the three: the beginnings of three lengths, or two, and whole words.
const WHOLE: u8 = 1 << 7;
/// Slots for each anchor, and bounds of them: what is beyond lies in no cache.
const SLOTS_PER_ANCHOR: usize = 4;
const SLOTS_MIN: usize = 1 << 10;
const SLOTS_MAX: usize = 1 << 21;

impl Heads {
    pub fn for_anchors(count: usize) -> Self {
        let slots = (count * SLOTS_PER_ANCHOR).next_power_of_two().clamp(SLOTS_MIN, SLOTS_MAX);
        Self { short: Box::new([0; 1 << 12]), middle: vec![0; slots], long: vec![0; slots], endings: None }
    }

    /// An ending of a word, where `add` takes beginnings and whole words.
    pub fn add_ending(&mut self, run: &[u8]) {
        let slots = self.long.len();
        let endings = self.endings.get_or_insert_with(|| Box::new(Self::for_anchors(slots / SLOTS_PER_ANCHOR)));
        endings.add_head(Head::before(run, run.len()), run.len(), false);
    }

    pub fn add(&mut self, run: &[u8], is_whole: bool) {
        self.add_head(Head::at(run, 0), run.len(), is_whole);
    }

    fn add_head(&mut self, head: Head, bytes: usize, is_whole: bool) {
        let nth = longest(bytes);
        let (length, bit) = if is_whole { (bytes, WHOLE) } else { (LENGTHS[nth], 1 << nth) };
        match length {
            // A beginning of one byte: whatever comes next.
            1 if !is_whole => (0..=0xff).for_each(|next| self.short[short_slot(head.first(1) | next << 8)] |= bit),
            0..=3 => self.short[short_slot(head.first(length.min(2)))] |= bit,
            4..=5 => {
                let slot = slot(head.first(4), self.middle.len());
                self.middle[slot] |= bit;
            }
            _ => {
                let slot = slot(head.first(6), self.long.len());
                self.long[slot] |= bit;
            }
        }
    }

    /// The beginnings in use, as the bits of their lengths, where so many bytes are left that begin with a head.
    #[inline]
    fn beginnings(&self, head: Head, left: usize) -> u8 {
        let mut bits = self.short[short_slot(head.first(left.min(2)))] & 0b111;
        if left >= 4 {
            bits |= self.middle[slot(head.first(4), self.middle.len())] & 0b1000;
        }
        if left >= 6 {
            bits |= self.long[slot(head.first(6), self.long.len())] & 0b111_0000;
        }
        bits
    }

    /// Whether a whole word of so many bytes may be in use.
    #[inline]
    fn may_be_whole(&self, head: Head, length: usize) -> bool {
        let bits = match length {
            0..=3 => self.short[short_slot(head.first(length.min(2)))],
            4..=5 => self.middle[slot(head.first(4), self.middle.len())],
            _ => self.long[slot(head.first(6), self.long.len())],
        };
        bits & WHOLE != 0
    }
}

fn short_slot(first: u64) -> usize {
    ((first << 4 ^ first >> 8) & 0xfff) as usize
}

#[inline]
fn slot(first: u64, slots: usize) -> usize {
    (first.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize & (slots - 1)
}

/// Where a hash of a text comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Probe {
    pub hash: u64,
    /// The byte of the folded text; of an ending the one behind it.
    pub at: u32,
    /// The run of the text in which it lies.
    pub run: u32,
}

/// Calls back with the hashes of a folded text, in the order of its bytes: at each place at which a literal may begin,
/// of the beginnings that are in use, and of each whole word that it may be.
pub(super) fn for_each(folded: &Folded, seed: Seed, heads: &Heads, mut found: impl FnMut(Probe)) {
    if let Some(endings) = &heads.endings {
        for_each_ending(folded, (seed, endings), &mut found);
    }
    for (number, run) in (0..).zip(&folded.runs) {
        if !run.is_undivided() {
            divided(folded, (number, run), (seed, heads), &mut found);
            continue;
        }
        let (at, length) = (run.start as usize, (run.end - run.start) as usize);
        let head = Head::at(&folded.bytes, at);
        let mut give = |hash| found(Probe { hash, at: run.start, run: number });
        if heads.may_be_whole(head, length) {
            give(seed.whole(head, length));
        }
        begin(head, length, (seed, heads), give);
    }
}

fn for_each_ending(folded: &Folded, (seed, endings): (Seed, &Heads), found: &mut impl FnMut(Probe)) {
    for (number, run) in (0..).zip(&folded.runs) {
        for end in folded.ends(run) {
            let tail = Head::before(&folded.bytes, end);
            let left = end - run.start as usize;
            let mut bits = endings.beginnings(tail, left);
            while bits != 0 {
                let nth = bits.trailing_zeros() as usize;
                if LENGTHS[nth] <= left {
                    found(Probe { hash: seed.ending(tail, nth), at: end as u32, run: number });
                }
                bits &= bits - 1;
            }
        }
    }
}

#[inline]
fn begin(head: Head, left: usize, (seed, heads): (Seed, &Heads), mut found: impl FnMut(u64)) {
    let mut bits = heads.beginnings(head, left);
    while bits != 0 {
        let nth = bits.trailing_zeros() as usize;
        if LENGTHS[nth] > left {
            return;
        }
        found(seed.beginning(head, nth));
        bits &= bits - 1;
    }
}

fn divided(folded: &Folded, (number, run): (u32, &Run), (seed, heads): (Seed, &Heads), found: &mut impl FnMut(Probe)) {
    let mut behind = folded.ends(run).peekable();
    for (at, is_whole) in folded.starts(run) {
        let mut give = |hash| found(Probe { hash, at: at as u32, run: number });
        let head = Head::at(&folded.bytes, at);
        while behind.next_if(|&end| end <= at).is_some() {}
        for end in behind.clone().take_while(|_| is_whole) {
            if heads.may_be_whole(head, end - at) {
                give(seed.whole(head, end - at));
            }
            // Longer words have one hash.
            if end - at >= WHOLE_MAX {
                break;
            }
        }
        begin(head, run.end as usize - at, (seed, heads), give);
    }
}

/// The hashes of one text, to be asked for by hash. Built for posts of which programs ask more than what triggers them.
#[derive(Debug, Default)]
pub(super) struct Probed {
    /// A power of two of them; a link of 0 is free.
    slots: Vec<(u32, u32)>,
    /// Each with the link to the one before it that has the same hash; links count from 1.
    probes: Vec<(Probe, u32)>,
    is_read: bool,
}

impl Probed {
    pub fn clear(&mut self) {
        self.is_read = false;
    }

    pub fn read(&mut self, folded: &Folded, seed: Seed, heads: &Heads) {
        if self.is_read {
            return;
        }
        self.is_read = true;
        self.probes.clear();
        for_each(folded, seed, heads, |probe| self.probes.push((probe, 0)));
        let size = (self.probes.len() * 2).next_power_of_two();
        self.slots.clear();
        self.slots.resize(size, (0, 0));
        for nth in 0..self.probes.len() {
            let slot = self.slot(self.probes[nth].0.hash);
            let link = &mut self.slots[slot];
            self.probes[nth].1 = link.1;
            *link = (tag(self.probes[nth].0.hash), nth as u32 + 1);
        }
    }

    /// The slot of a hash, or the free one where it would be.
    fn slot(&self, hash: u64) -> usize {
        let mut slot = hash as usize & (self.slots.len() - 1);
        while self.slots[slot].1 != 0 && self.slots[slot].0 != tag(hash) {
            slot = (slot + 1) & (self.slots.len() - 1);
        }
        slot
    }

    /// The places that have a hash, the last first.
    pub fn with(&self, hash: u64) -> impl Iterator<Item = Probe> + '_ {
        let mut link = self.slots[self.slot(hash)].1;
        std::iter::from_fn(move || {
            let (probe, before) = self.probes[link.checked_sub(1)? as usize];
            link = before;
            Some(probe)
        })
    }
}

/// All hashes of a post, as bits: what is not there is told without looking for it.
#[derive(Debug)]
pub(super) struct Signature {
    bits: Box<[u64; SIGNATURE_BITS / 64]>,
    is_read: bool,
}

const SIGNATURE_BITS: usize = 1 << PLACE_BITS;
const PLACE_BITS: usize = 12;
/// Places that one number holds, beside how many it holds.
const PLACES: usize = 5;

impl Default for Signature {
    fn default() -> Self {
        Self { bits: Box::new([0; SIGNATURE_BITS / 64]), is_read: false }
    }
}

impl Signature {
    pub fn clear(&mut self) {
        self.is_read = false;
    }

    pub fn read<'a>(&mut self, texts: impl Iterator<Item = &'a Folded>, seed: Seed, heads: &Heads) {
        if self.is_read {
            return;
        }
        self.is_read = true;
        self.bits.fill(0);
        for folded in texts {
            for_each(folded, seed, heads, |probe| {
                let place = place(probe.hash);
                self.bits[place / 64] |= 1 << (place % 64);
            });
        }
    }

    /// Whether a post may have what is wanted.
    pub fn may_have(&self, wanted: Wanted) -> bool {
        let count = (wanted.0 >> (PLACES * PLACE_BITS)) as usize;
        let is_set = |nth: usize| {
            let place = (wanted.0 >> (nth * PLACE_BITS)) as usize % SIGNATURE_BITS;
            self.bits[place / 64] >> (place % 64) & 1 != 0
        };
        count == 0 || (0..count).any(is_set)
    }
}

/// The hashes of which a post has one, if it has any of some literals: their places in a signature.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted(u64);

impl Wanted {
    /// Nothing is known of the literals, as if they had no anchors: any post may have them.
    pub const ANYTHING: Self = Self(0);

    pub fn is_known(self) -> bool {
        self.0 != 0
    }

    /// Too many hashes are as none.
    pub fn of(hashes: &[u64]) -> Self {
        if hashes.len() > PLACES {
            return Self::ANYTHING;
        }
        let places = (0..).zip(hashes).map(|(nth, hash)| (place(*hash) as u64) << (nth * PLACE_BITS));
        Self(places.sum::<u64>() | (hashes.len() as u64) << (PLACES * PLACE_BITS))
    }
}

fn place(hash: u64) -> usize {
    (hash >> 8) as usize % SIGNATURE_BITS
}

/// What of a hash is kept where it is filed.
pub(super) fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}
