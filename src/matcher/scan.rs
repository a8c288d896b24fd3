//! One post against all rules: fold, find what triggers rules, evaluate those, tell the reasons of those that match.
//!
//! The work on a post is bounded by its length. One automaton reads each byte once; a literal is verified at most once
//! at a place, and no more after it was found; a rule is evaluated at most once. What a rule asks beyond its trigger is
//! searched literal by literal until that has cost as much as reading the post with a second automaton, which then
//! answers all further questions. Occurrences are collected only for rules that matched, at most `TERMS_MAX` of each
//! literal. Nothing is kept per hit, so a crowded post takes no more memory than another.

use crate::model::{Field, Lang, Match, Post, Span, Term, Verdict};
use crate::query::{Rule, TERMS_MAX, may_lack_marks};

use super::compile::{Tables, loosest};
use super::net::{self, Net};
use super::program::{self, Facts};
use super::scratch::{Found, Room, Scratch};
use super::verify::{Reading, Ways};

/// What one search for one literal costs, in the time that passing one byte takes, beside the bytes.
const SEARCH_COST: usize = 800;

/// What an automaton costs per byte, in the same unit.
const AUTOMATON_COST: usize = 250;

/// What a source may have left before a hashtag or a name.
const SIGNS: [char; 6] = ['#', '＃', '﹟', '@', '＠', '﹫'];

/// What is searched of a post: title, text, and the hashtags that came with it.
type Texts<'a> = [&'a str; 3];

/// The fields of these texts; what is in none tells no term.
const FIELDS: [Option<Field>; 3] = [Some(Field::Title), Some(Field::Text), None];

/// What programs ask about a post, and what it took to answer.
struct Asked<'a> {
    tables: &'a Tables,
    post: &'a Post,
    texts: Texts<'a>,
    verdict: &'a dyn Fn() -> Verdict,
    decided: Option<Verdict>,
    /// Whether marks that a query types may be missing in this post; decided if it matters.
    lacks_marks: Option<bool>,
    scratch: &'a mut Scratch,
    /// Spent on searches.
    cost: usize,
    /// Whether each literal that the post holds is known.
    all_known: bool,
}

impl Facts for Asked<'_> {
    fn has(&mut self, literal: u32) -> bool {
        if self.scratch.found.yes.contains(literal) {
            return true;
        }
        if self.all_known || !self.tables.triggered.get(literal).is_empty() || self.scratch.missing.contains(literal) {
            return false;
        }
        self.search(literal)
    }

    fn is_in(&mut self, lang: Lang) -> bool {
        self.language().satisfies(lang)
    }

    fn post(&self) -> &Post {
        self.post
    }
}

impl Asked<'_> {
    fn language(&mut self) -> &Verdict {
        self.decided.get_or_insert_with(self.verdict)
    }

    /// Looks for all literals of a net.
    fn find(&mut self, net: &Net) {
        let Scratch { rooms, found, ways, .. } = &mut *self.scratch;
        for (text, room) in self.texts.into_iter().zip(rooms).filter(|(text, _)| !text.is_empty()) {
            net.find(&self.tables.patterns, text, room, found, ways);
        }
        self.settle();
    }

    /// Takes for found what is missing nothing but marks, if the post may lack them.
    fn settle(&mut self) {
        if self.scratch.found.but_for_marks.members.is_empty() || !self.lacks_marks() {
            return;
        }
        let Found { yes, but_for_marks } = &mut self.scratch.found;
        but_for_marks.members.iter().for_each(|&literal| yes.insert(literal));
    }

    /// Whether there is no mark in all of the post, and its language may be one that has them.
    fn lacks_marks(&mut self) -> bool {
        if let Some(known) = self.lacks_marks {
            return known;
        }
        let mut has_marks = false;
        for (text, room) in self.texts.into_iter().zip(&mut self.scratch.rooms) {
            room.read(text);
            has_marks |= room.letters.has_marks();
        }
        let lacks_marks = !has_marks && may_lack_marks(self.language());
        self.lacks_marks = Some(lacks_marks);
        lacks_marks
    }

    /// Looks for a literal that triggers no rule.
    fn search(&mut self, literal: u32) -> bool {
        let Scratch { rooms, found, ways, .. } = &mut *self.scratch;
        let bytes = rooms.iter().map(|room| room.folded.bytes.len()).sum::<usize>();
        self.cost += SEARCH_COST + bytes;
        if self.cost > AUTOMATON_COST * bytes {
            self.all_known = true;
            self.find(&self.tables.others);
            return self.scratch.found.yes.contains(literal);
        }
        let pattern = &self.tables.patterns[literal as usize];
        for (text, room) in self.texts.into_iter().zip(rooms) {
            found.note(literal, net::holds(pattern, text, room, ways));
        }
        self.settle();
        let holds = self.scratch.found.yes.contains(literal);
        if !holds {
            self.scratch.missing.insert(literal);
        }
        holds
    }

    /// Whether the rule matches the post: its query, and the filters of its project.
    fn matches(&mut self, number: u32, rule: &Rule) -> bool {
        (rule.sources.is_empty() || rule.sources.iter().any(|source| **source == *self.post.source))
            && (rule.languages.is_empty() || rule.languages.iter().any(|&lang| self.is_in(lang)))
            && self.tables.programs.holds(number, self)
    }

    /// The match of a rule that matches.
    fn tell(&mut self, number: u32, rule: &Rule) -> Match {
        let tables = self.tables;
        let mut reasons = Vec::new();
        tables.programs.for_each_reason(number, self, &mut |literal, keyword| reasons.push((literal, keyword)));
        let mut terms = Vec::new();
        for (literal, keyword) in reasons {
            let is_unmarked = tables.patterns[literal as usize].has_marks && self.lacks_marks();
            let reading = if is_unmarked { Reading::Unmarked } else { Reading::Marked };
            let keyword = tables.programs.keyword(keyword);
            for &(field, span) in tables.occurrences(literal, (self.texts, reading), self.scratch) {
                terms.push(Term { keyword: keyword.text.clone(), how: keyword.how, field, span });
            }
        }
        terms.sort_by(|a, b| (a.field, a.span, &a.keyword).cmp(&(b.field, b.span, &b.keyword)));
        terms.dedup();
        terms.truncate(TERMS_MAX);
        let Rule { project, query, version, tags, .. } = rule;
        Match { project: project.clone(), query: query.clone(), version: *version, tags: tags.clone(), terms }
    }
}

/// The hashtags that came with a post as a text: each behind its sign, a paragraph for itself.
pub(super) fn list_hashtags(post: &Post, into: &mut String) {
    into.clear();
    for name in &post.hashtags {
        into.push('#');
        into.push_str(name.trim_start_matches(SIGNS));
        into.push_str("\n\n");
    }
}

impl Tables {
    /// The matches of `post`, in the order of the rules. The verdict is asked for at most once.
    pub fn scan(
        &self,
        rules: &[Rule],
        post: &Post,
        verdict: &dyn Fn() -> Verdict,
        scratch: &mut Scratch,
    ) -> Vec<Match> {
        scratch.clear(self.patterns.len(), rules.len());
        let mut listed = std::mem::take(&mut scratch.listed);
        list_hashtags(post, &mut listed);
        let texts = [post.title.as_deref().unwrap_or_default(), &post.text, &listed];
        for (text, room) in texts.into_iter().zip(&mut scratch.rooms) {
            room.fold(text);
        }
        self.find_tags(post, &mut scratch.found);
        let mut asked = Asked {
            tables: self,
            post,
            texts,
            verdict,
            decided: None,
            lacks_marks: None,
            scratch,
            cost: 0,
            all_known: false,
        };
        asked.find(&self.triggers);
        self.trigger(post, asked.scratch);
        let mut triggered = std::mem::take(&mut asked.scratch.triggered.members);
        triggered.sort_unstable();
        let mut matches = Vec::new();
        for &number in &triggered {
            let rule = &rules[number as usize];
            if asked.matches(number, rule) {
                matches.push(asked.tell(number, rule));
            }
        }
        scratch.triggered.members = triggered;
        scratch.listed = listed;
        matches
    }

    /// Adds the literals that the post's own list of hashtags and mentions holds.
    fn find_tags(&self, post: &Post, found: &mut Found) {
        for (literals, names) in [(&self.hashtags, &post.hashtags), (&self.names, &post.mentions)] {
            if literals.is_empty() {
                continue;
            }
            for name in names.iter().map(|name| name.trim_start_matches(SIGNS)) {
                for &literal in literals.get(&loosest(name)).into_iter().flatten() {
                    found.note(literal, self.patterns[literal as usize].equals(name));
                }
            }
        }
    }

    /// Collects the rules that are worth evaluating.
    fn trigger(&self, post: &Post, scratch: &mut Scratch) {
        let Scratch { found, triggered, .. } = scratch;
        let by_literal = found.yes.members.iter().flat_map(|&literal| self.triggered.get(literal));
        let authors = (!self.by_author.is_empty()).then(|| program::author_names(post)).into_iter().flatten();
        let by_author = authors.filter_map(|name| self.by_author.get(&name)).flatten();
        let by_site = program::sites(&post.site).filter_map(|site| self.by_site.get(site)).flatten();
        let source = [&*post.network, &*post.source];
        let by_source = source.into_iter().filter_map(|name| self.by_source.get(name)).flatten();
        for &rule in by_literal.chain(by_author).chain(by_site).chain(by_source).chain(&self.always) {
            triggered.insert(rule);
        }
    }

    /// The first occurrences of a literal that was found, in both fields.
    fn occurrences<'a>(
        &self,
        literal: u32,
        (texts, reading): (Texts, Reading),
        scratch: &'a mut Scratch,
    ) -> &'a [(Field, Span)] {
        if !scratch.occurrences.contains_key(&literal) {
            let Scratch { rooms, ways, told, .. } = scratch;
            let first = told.len();
            for ((text, room), field) in texts.into_iter().zip(rooms).zip(FIELDS) {
                if let Some(field) = field {
                    self.collect(literal, (text, reading), room, ways, |span| told.push((field, span)));
                }
            }
            let range = first..told.len();
            scratch.occurrences.insert(literal, range);
        }
        &scratch.told[scratch.occurrences[&literal].clone()]
    }

    /// Calls back with the first occurrences of a literal in one field, none overlapping the one before.
    fn collect(
        &self,
        literal: u32,
        view: (&str, Reading),
        room: &mut Room,
        ways: &mut Ways,
        mut tell: impl FnMut(Span),
    ) {
        let (mut told, mut end) = (0, 0);
        net::for_each_occurrence(&self.patterns[literal as usize], view, room, ways, |found| {
            if found.start >= end {
                end = found.end;
                told += 1;
                tell(Span { start: found.start as u32, end: found.end as u32 });
            }
            told < TERMS_MAX
        });
    }
}
