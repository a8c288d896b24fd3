//! One post against all rules: fold, find needles, verify them, evaluate the rules that were triggered.
//!
//! The work on a post is bounded by its length: the automaton reads each byte once; a literal is verified at most once
//! at a place, and no more after it was found; a rule is evaluated at most once; and occurrences are collected only for
//! rules that matched, at most `TERMS_MAX` of each literal. Nothing is kept per hit, so a crowded post takes no more memory.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::ops::Range;

use memchr::memmem;

use crate::model::{Field, Lang, Match, Post, Span, Term, Verdict};
use crate::query::{Rule, TERMS_MAX};

use super::compile::{Tables, loosest};
use super::fold::{self, Folded};
use super::letters::Letters;
use super::program::{self, Facts};
use super::verify::{View, Ways};

/// Room for scanning, reused from post to post by one thread. Serves any matcher.
#[derive(Debug, Default)]
pub struct Scratch {
    title: Room,
    text: Room,
    found: Marked,
    triggered: Marked,
    ways: Ways,
    /// Occurrences of literals that were asked for, by literal: a range of `told`.
    occurrences: HashMap<u32, Range<usize>>,
    told: Vec<(Field, Span)>,
}

/// Room for one field.
#[derive(Debug, Default)]
struct Room {
    addresses: Vec<Range<usize>>,
    folded: Folded,
    letters: Letters,
    /// Whether `letters` is of this post.
    is_read: bool,
}

/// A set of small numbers that is emptied at once.
#[derive(Debug, Default)]
struct Marked {
    turn: u32,
    turns: Vec<u32>,
    members: Vec<u32>,
}

impl Marked {
    fn clear(&mut self, size: usize) {
        self.members.clear();
        if self.turn == u32::MAX || self.turns.len() != size {
            self.turn = 0;
            self.turns.clear();
            self.turns.resize(size, 0);
        }
        self.turn += 1;
    }

    fn contains(&self, number: u32) -> bool {
        self.turns[number as usize] == self.turn
    }

    fn insert(&mut self, number: u32) {
        if !self.contains(number) {
            self.turns[number as usize] = self.turn;
            self.members.push(number);
        }
    }
}

impl Room {
    fn fold(&mut self, text: &str) {
        fold::addresses(text, &mut self.addresses);
        self.folded.read(text, &self.addresses);
        self.is_read = false;
    }

    /// The letters of `text`, which was folded before.
    fn read(&mut self, text: &str) {
        if !self.is_read {
            self.letters.read(text, &self.addresses);
            self.is_read = true;
        }
    }
}

/// What programs ask about a post.
struct Asked<'a> {
    found: &'a Marked,
    post: &'a Post,
    verdict: &'a dyn Fn() -> Verdict,
    decided: &'a OnceCell<Verdict>,
}

impl Facts for Asked<'_> {
    fn has(&self, literal: u32) -> bool {
        self.found.contains(literal)
    }

    fn is_in(&self, lang: Lang) -> bool {
        self.decided.get_or_init(self.verdict).satisfies(lang)
    }

    fn post(&self) -> &Post {
        self.post
    }
}

impl Tables {
    /// The matches of `post`, in the order of the rules. The verdict is asked for at most once.
    pub fn scan(&self, rules: &[Rule], post: &Post, verdict: &dyn Fn() -> Verdict, scratch: &mut Scratch) -> Vec<Match> {
        scratch.found.clear(self.patterns.len());
        scratch.triggered.clear(rules.len());
        scratch.occurrences.clear();
        scratch.told.clear();
        let Scratch { title, text, found, ways, .. } = scratch;
        if let Some(words) = &post.title {
            self.find(words, title, found, ways);
        }
        self.find(&post.text, text, found, ways);
        self.find_tags(post, found);
        self.trigger(post, scratch);

        let mut triggered = std::mem::take(&mut scratch.triggered.members);
        triggered.sort_unstable();
        let decided = OnceCell::new();
        let mut matched: Vec<u32> = Vec::new();
        let asked = Asked { found: &scratch.found, post, verdict, decided: &decided };
        let holds = |&rule: &u32| is_admitted(&rules[rule as usize], &asked) && self.programs.holds(rule, &asked);
        matched.extend(triggered.iter().copied().filter(holds));
        scratch.triggered.members = triggered;
        let mut matches = Vec::with_capacity(matched.len());
        for rule in matched {
            let asked = Asked { found: &scratch.found, post, verdict, decided: &decided };
            let mut reasons = Vec::new();
            self.programs.for_each_reason(rule, &asked, &mut |literal, keyword| reasons.push((literal, keyword)));
            matches.push(self.tell(&rules[rule as usize], reasons, post, scratch));
        }
        matches
    }

    /// Adds the literals that `text` holds to `found`.
    fn find(&self, text: &str, room: &mut Room, found: &mut Marked, ways: &mut Ways) {
        room.fold(text);
        for &literal in &self.anywhere {
            if self.is_anywhere(literal, text, room) {
                found.insert(literal);
            }
        }
        let Some(automaton) = &self.automaton else { return };
        let Room { addresses, folded, letters, is_read } = room;
        for hit in automaton.find_overlapping_iter(&folded.bytes) {
            let needle = hit.pattern().as_u32();
            if folded.plain_edges && self.is_inside_word(needle, &folded.bytes, hit.range()) {
                continue;
            }
            for &literal in self.holders.get(needle) {
                if found.contains(literal) {
                    continue;
                }
                if !*is_read {
                    letters.read(text, addresses);
                    *is_read = true;
                }
                let Some(at) = letters.at_folded(hit.start()) else { break };
                if self.patterns[literal as usize].occurrence(View { text, letters }, at, ways).is_some() {
                    found.insert(literal);
                }
            }
        }
    }

    /// Whether a hit lies in a word of ASCII letters and digits that goes on where all its literals would end.
    fn is_inside_word(&self, needle: u32, folded: &[u8], hit: Range<usize>) -> bool {
        let guard = self.guards[needle as usize];
        let joined = |at: usize| {
            at > 0 && at < folded.len() && folded[at - 1].is_ascii_alphanumeric() && folded[at].is_ascii_alphanumeric()
        };
        guard.begins && joined(hit.start) || guard.ends && joined(hit.end)
    }

    fn is_anywhere(&self, literal: u32, text: &str, room: &mut Room) -> bool {
        room.read(text);
        let view = View { text, letters: &room.letters };
        text.char_indices().any(|(at, _)| self.patterns[literal as usize].raw_occurrence(view, at).is_some())
    }

    /// Adds the literals that the post's own list of hashtags and mentions holds.
    fn find_tags(&self, post: &Post, found: &mut Marked) {
        for (tables, names, sign) in [(&self.hashtags, &post.hashtags, '#'), (&self.names, &post.mentions, '@')] {
            if tables.is_empty() {
                continue;
            }
            for name in names {
                for &literal in tables.get(&loosest(name, sign)).into_iter().flatten() {
                    if self.patterns[literal as usize].equals(name.trim_start_matches(sign)) {
                        found.insert(literal);
                    }
                }
            }
        }
    }

    /// Collects the rules that are worth evaluating.
    fn trigger(&self, post: &Post, scratch: &mut Scratch) {
        let Scratch { found, triggered, .. } = scratch;
        let by_literal = found.members.iter().flat_map(|&literal| self.triggered.get(literal));
        let handle = program::handle(post);
        let author = [Some(post.author.native_id.as_str()), handle.as_deref()];
        let by_author = author.into_iter().flatten().filter_map(|name| self.by_author.get(name)).flatten();
        let by_site = program::sites(&post.site).filter_map(|site| self.by_site.get(site)).flatten();
        let source = [&*post.network, &*post.source];
        let by_source = source.into_iter().filter_map(|name| self.by_source.get(name)).flatten();
        for &rule in by_literal.chain(by_author).chain(by_site).chain(by_source).chain(&self.always) {
            triggered.insert(rule);
        }
    }

    /// The match of a rule that holds, for these literals and keywords.
    fn tell(&self, rule: &Rule, reasons: Vec<(u32, u32)>, post: &Post, scratch: &mut Scratch) -> Match {
        let mut terms = Vec::new();
        for (literal, keyword) in reasons {
            let keyword = self.programs.keyword(keyword);
            for &(field, span) in self.occurrences(literal, post, scratch) {
                terms.push(Term { keyword: keyword.text.clone(), how: keyword.how, field, span });
            }
        }
        terms.sort_by(|a, b| (a.field, a.span, &a.keyword, a.how).cmp(&(b.field, b.span, &b.keyword, b.how)));
        terms.dedup();
        terms.truncate(TERMS_MAX);
        Match {
            project: rule.project.clone(),
            query: rule.query.clone(),
            version: rule.version,
            tags: rule.tags.clone(),
            terms,
        }
    }

    /// The first occurrences of a literal that was found, in both fields.
    fn occurrences<'a>(&self, literal: u32, post: &Post, scratch: &'a mut Scratch) -> &'a [(Field, Span)] {
        if !scratch.occurrences.contains_key(&literal) {
            let Scratch { title, text, ways, told, .. } = scratch;
            let first = told.len();
            if let Some(words) = &post.title {
                self.collect(literal, words, title, ways, |span| told.push((Field::Title, span)));
            }
            self.collect(literal, &post.text, text, ways, |span| told.push((Field::Text, span)));
            let range = first..told.len();
            scratch.occurrences.insert(literal, range);
        }
        &scratch.told[scratch.occurrences[&literal].clone()]
    }

    /// Calls back with the first occurrences of a literal in one field, none overlapping the one before.
    fn collect(&self, literal: u32, text: &str, room: &mut Room, ways: &mut Ways, mut tell: impl FnMut(Span)) {
        room.read(text);
        let view = View { text, letters: &room.letters };
        let pattern = &self.patterns[literal as usize];
        let mut told = 0;
        let mut end = 0;
        let mut tell = |found: Option<Range<usize>>| {
            if let Some(found) = found.filter(|found| found.start >= end) {
                end = found.end;
                told += 1;
                tell(Span { start: found.start as u32, end: found.end as u32 });
            }
            told < TERMS_MAX
        };
        if pattern.needle().is_empty() {
            let mut places = text.char_indices().map(|(at, _)| at);
            while places.next().is_some_and(|at| tell(pattern.raw_occurrence(view, at))) {}
            return;
        }
        let finder = memmem::Finder::new(pattern.needle());
        let folded = &room.folded.bytes;
        let mut from = 0;
        while let Some(found) = finder.find(&folded[from..]) {
            let at = room.letters.at_folded(from + found);
            if !tell(at.and_then(|at| pattern.occurrence(view, at, ways))) {
                return;
            }
            from += found + 1;
        }
    }
}

/// Whether the filters of the rule's project let the post through.
fn is_admitted(rule: &Rule, asked: &Asked) -> bool {
    let source = rule.sources.is_empty() || rule.sources.iter().any(|source| **source == *asked.post.source);
    source && (rule.languages.is_empty() || rule.languages.iter().any(|&lang| asked.is_in(lang)))
}
