//! Room for scanning: what is reused from post to post so that a scan allocates next to nothing.
//! Unaware of rules and of automata.

use std::collections::HashMap;
use std::ops::Range;

use crate::model::{Field, Span};

use super::folded::{self, Folded};
use super::letters::Letters;
use super::near::{Distances, Place};
use super::probe::{Probed, Signature};
use super::verify::{Holding, Ways};

/// Room for scanning, reused from post to post by one thread. Serves any matcher.
#[derive(Debug, Default)]
pub struct Scratch {
    /// For all texts that are searched, in the order of `scan::Texts`.
    pub(super) rooms: [Room; TEXTS],
    pub(super) listed: String,
    pub(super) found: Found,
    /// Sets of literals of which the post holds one, and those that were asked for of which it holds none.
    pub(super) held: Marked,
    pub(super) missing: Marked,
    pub(super) signature: Signature,
    pub(super) triggered: Marked,
    pub(super) ways: Ways,
    /// Occurrences of literals that were asked for, by literal: a range of `told`.
    pub(super) occurrences: HashMap<u32, Range<usize>>,
    pub(super) told: Vec<(Field, Span)>,
    /// Places of literals that were asked for, by literal and text: a range of `places`.
    pub(super) placed: HashMap<(u32, usize), Range<usize>>,
    pub(super) places: Vec<Place>,
}

/// How many texts are searched.
pub(super) const TEXTS: usize = 7;

impl Scratch {
    /// Makes room for another post, and for so many literals, sets of them, and rules.
    pub(super) fn clear(&mut self, literals: usize, sets: usize, rules: usize) {
        self.found.yes.clear(literals);
        self.found.but_for_marks.clear(literals);
        self.signature.clear();
        self.held.clear(sets);
        self.missing.clear(sets);
        self.triggered.clear(rules);
        self.occurrences.clear();
        self.told.clear();
        self.placed.clear();
        self.places.clear();
    }
}

/// Literals that a post holds.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub yes: Marked,
    /// Those that it holds if marks are not asked for.
    pub but_for_marks: Marked,
}

impl Found {
    pub fn note(&mut self, number: u32, holding: Holding) {
        match holding {
            Holding::Yes => self.yes.insert(number),
            Holding::ButForMarks => self.but_for_marks.insert(number),
            Holding::No => {}
        }
    }
}

/// Room for one field.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub addresses: Vec<Range<usize>>,
    pub folded: Folded,
    pub letters: Letters,
    /// Whether `letters` is of this post.
    pub is_read: bool,
    pub distances: Distances,
    pub probed: Probed,
}

/// A set of small numbers that is emptied at once.
#[derive(Debug, Default)]
pub(super) struct Marked {
    turn: u32,
    turns: Vec<u32>,
    pub members: Vec<u32>,
}

impl Marked {
    pub fn clear(&mut self, size: usize) {
        self.members.clear();
        if self.turn == u32::MAX || self.turns.len() != size {
            self.turn = 0;
            self.turns.clear();
            self.turns.resize(size, 0);
        }
        self.turn += 1;
    }

    pub fn contains(&self, number: u32) -> bool {
        self.turns[number as usize] == self.turn
    }

    pub fn insert(&mut self, number: u32) {
        if !self.contains(number) {
            self.turns[number as usize] = self.turn;
            self.members.push(number);
        }
    }
}

impl Room {
    pub fn fold(&mut self, text: &str) {
        // Most posts have no title and nothing around them: what was folded from nothing is folded.
        if text.is_empty() && self.folded.bytes.is_empty() && !self.is_read {
            return;
        }
        folded::addresses(text, &mut self.addresses);
        self.folded.read(text, &self.addresses);
        self.is_read = false;
        self.distances.clear();
        self.probed.clear();
    }

    /// How far apart the letters of `text` lie, which was folded before.
    pub fn measure(&mut self, text: &str, is_listed: bool) {
        self.read(text);
        self.distances.read(text, &self.letters, is_listed);
    }

    /// The letters of `text`, which was folded before.
    pub fn read(&mut self, text: &str) {
        if !self.is_read {
            self.letters.read(text, &self.addresses);
            self.is_read = true;
        }
    }
}
