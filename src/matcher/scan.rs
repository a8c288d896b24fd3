//! One post against all rules: fold, find what triggers rules, evaluate those, tell the reasons of those that match.
//!
//! The work on a post is bounded by its length. Each place at which a word may begin is hashed a bounded number of times;
//! a literal is verified at most once at a place, and no more after it was found; a rule is evaluated at most once. What a
//! rule asks beyond its trigger is searched literal by literal until that has cost as much as looking for all of them at
//! once, which then answers all further questions. Occurrences are collected only for rules that matched, at most
//! `TERMS_MAX` of each literal. Nothing is kept per hit, so a crowded post takes no more memory than another.

use crate::model::{Field, Lang, Match, Post, Span, Term, Verdict};
use crate::query::{Around, LiteralKind, Rule, Said, Scope, TERMS_MAX, may_lack_marks};

use super::compare::Marks;
use super::compile::{Tables, loosest};
use super::filed::Anchors;
use super::near::{Finder, Keyword, Place, Places};
use super::net::{self, Net};
use super::program::{self, Facts, Reason};
use super::scratch::{Found, Room, Scratch, TEXTS};
use super::verify::{Holding, Ways, bytes};

/// What it costs to look for one literal, in nanoseconds: by each of its anchors; without any, beside the bytes that it
/// passes in one.
const ANCHOR_COST: usize = 8;
const SEARCH_COST: usize = 64;
const SEARCHED_BYTES: usize = 8;

/// What it costs to look for all others at once, per byte.
const OTHERS_COST: usize = 8;

/// What a source may have left before a hashtag or a name.
const SIGNS: [char; 6] = ['#', '＃', '﹟', '@', '＠', '﹫'];

/// What may be searched of a post: title, text, the hashtags that came with it; then what only a scope asks for, the
/// author's name and what the posts around say.
type Texts<'a> = [&'a str; TEXTS];

/// The first of these texts are searched without a scope.
const OWN: usize = 3;
const LISTED: usize = 2;

/// The fields of the texts; what is in none tells no term.
const FIELDS: [Option<Field>; TEXTS] = [Some(Field::Title), Some(Field::Text), None, None, None, None, None];

/// The texts of a scope.
fn texts_of(scope: Option<Scope>) -> std::ops::Range<usize> {
    match scope {
        None => 0..OWN,
        Some(Scope::Title) => 0..1,
        Some(Scope::Body) => 1..OWN,
        Some(Scope::AuthorName) => 3..4,
        Some(Scope::Parent) => 4..5,
        Some(Scope::Root) => 5..6,
        Some(Scope::Quoted) => 6..7,
    }
}

/// What programs ask about a post, and what it took to answer.
struct Asked<'a> {
    tables: &'a Tables,
    post: &'a Post,
    around: &'a Around<'a>,
    texts: Texts<'a>,
    verdict: &'a dyn Fn() -> Verdict,
    decided: Option<Verdict>,
    /// Whether marks that a query types may be missing in this post; decided if it matters.
    lacks_marks: Option<bool>,
    scratch: &'a mut Scratch,
    /// How many of the literals that were found have told their sets.
    settled: usize,
    /// Spent on searches.
    cost: usize,
    /// Whether each literal that the post holds is known.
    all_known: bool,
}

impl Facts for Asked<'_> {
    fn has(&mut self, keyword: &Keyword, scope: Option<Scope>) -> bool {
        match scope {
            None => self.has_own(keyword),
            Some(Scope::Title | Scope::Body) => self.has_own(keyword) && self.has_in(keyword.set, scope),
            Some(_) => self.has_in(keyword.set, scope),
        }
    }

    fn has_near(&mut self, places: &Places, scope: Option<Scope>) -> bool {
        self.may_stand(places, scope)
            && texts_of(scope).any(|text| self.find_near(text, |finder| finder.is_found(places)))
    }

    fn times(&mut self, of: &[Keyword], scope: Option<Scope>) -> u32 {
        if !of.iter().any(|keyword| self.has(keyword, scope)) {
            return 0;
        }
        let counted = texts_of(scope).filter(|text| scope.is_some() || *text != LISTED);
        counted.map(|text| self.times_in(of, text)).sum()
    }

    fn is_known(&mut self, scope: Scope) -> bool {
        match self.around.said(scope) {
            Some(said) => said != Said::Unknown,
            None => scope != Scope::AuthorName || self.post.author.name.is_some(),
        }
    }

    fn words(&mut self) -> u64 {
        let mut halves = 0;
        for text in 0..LISTED {
            self.scratch.rooms[text].measure(self.texts[text], false);
            halves += u64::from(self.scratch.rooms[text].distances.halves());
        }
        halves.div_ceil(2)
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

    /// Whether title or body hold a keyword.
    fn has_own(&mut self, &Keyword { set, wanted, .. }: &Keyword) -> bool {
        let Scratch { rooms, signature, .. } = &mut *self.scratch;
        let Anchors { seed, heads, .. } = &self.tables.literals.anchors;
        signature.read(rooms[..OWN].iter().map(|room| &room.folded), *seed, heads);
        if !signature.may_have(wanted) {
            return false;
        }
        if self.scratch.held.contains(set) {
            return true;
        }
        if self.all_known || !self.tables.triggered.get(set).is_empty() || self.scratch.missing.contains(set) {
            return false;
        }
        let holds = self.search(set);
        if !holds {
            self.scratch.missing.insert(set);
        }
        holds
    }

    /// Whether the texts of a scope hold one of a set of literals.
    fn has_in(&mut self, set: u32, scope: Option<Scope>) -> bool {
        let tables = self.tables;
        tables.sets.get(set).iter().any(|&literal| self.has_literal_in(literal, scope))
    }

    fn has_literal_in(&mut self, literal: u32, scope: Option<Scope>) -> bool {
        let pattern = &self.tables.literals.patterns[literal as usize];
        let marks = self.marks(literal);
        let is_listed =
            |holding: Holding| holding == Holding::Yes || holding == Holding::ButForMarks && marks == Marks::Lacking;
        if scope == Some(Scope::Body) && self.tables.listed(literal, self.post).any(is_listed) {
            return true;
        }
        let Scratch { rooms, ways, .. } = &mut *self.scratch;
        texts_of(scope).any(|text| {
            let mut holds = false;
            net::for_each_occurrence(pattern, (self.texts[text], marks), &mut rooms[text], ways, |_| {
                holds = true;
                false
            });
            holds
        })
    }

    /// How the marks of a literal are compared in this post.
    fn marks(&mut self, literal: u32) -> Marks {
        let may_lack = self.tables.literals.patterns[literal as usize].has_marks && self.lacks_marks();
        if may_lack { Marks::Lacking } else { Marks::Asked }
    }

    /// Looks for all literals of a net.
    fn find(&mut self, net: &Net) {
        let Scratch { rooms, found, ways, .. } = &mut *self.scratch;
        let own = self.texts[..OWN].iter().zip(rooms).filter(|(text, _)| !text.is_empty());
        for (text, room) in own {
            net.find(&self.tables.literals, text, room, found, ways);
        }
        self.settle();
    }

    /// Takes for found what is missing nothing but marks, if the post may lack them, and tells the sets of what was
    /// found.
    fn settle(&mut self) {
        if !self.scratch.found.but_for_marks.members.is_empty() && self.lacks_marks() {
            let Found { yes, but_for_marks } = &mut self.scratch.found;
            but_for_marks.members.iter().for_each(|&literal| yes.insert(literal));
        }
        let Scratch { found, held, .. } = &mut *self.scratch;
        for &literal in &found.yes.members[self.settled..] {
            self.tables.holders.get(literal).iter().for_each(|&set| held.insert(set));
        }
        self.settled = found.yes.members.len();
    }

    /// Whether there is no mark in all of the post, and its language may be one that has them.
    fn lacks_marks(&mut self) -> bool {
        if let Some(known) = self.lacks_marks {
            return known;
        }
        let mut has_marks = false;
        for (text, room) in self.texts[..OWN].iter().zip(&mut self.scratch.rooms) {
            if room.folded.may_have_marks {
                room.read(text);
                has_marks |= room.letters.has_marks();
            }
        }
        let lacks_marks = !has_marks && may_lack_marks(self.language());
        self.lacks_marks = Some(lacks_marks);
        lacks_marks
    }

    /// Looks for a set of literals that triggers no rule.
    fn search(&mut self, set: u32) -> bool {
        let tables = self.tables;
        let bytes = self.scratch.rooms[..OWN].iter().map(|room| room.folded.bytes.len()).sum::<usize>();
        for &literal in tables.sets.get(set) {
            self.cost += match tables.literals.anchors.of(literal) {
                [] => SEARCH_COST + bytes / SEARCHED_BYTES,
                anchors => ANCHOR_COST * anchors.len(),
            };
            if self.cost > OTHERS_COST * bytes {
                self.all_known = true;
                self.find(&tables.others);
                return self.scratch.held.contains(set);
            }
            let Scratch { rooms, found, ways, .. } = &mut *self.scratch;
            for (text, room) in self.texts[..OWN].iter().zip(rooms).filter(|(text, _)| !text.is_empty()) {
                tables.literals.search(literal, text, room, found, ways);
            }
            self.settle();
            if self.scratch.held.contains(set) {
                return true;
            }
        }
        false
    }

    /// Whether the texts hold what some places need.
    fn may_stand(&mut self, places: &Places, scope: Option<Scope>) -> bool {
        let mut has = |keyword: &Keyword| self.has(keyword, scope);
        match places {
            Places::Keyword(keyword) => has(keyword),
            Places::Window { parts, .. } => parts.iter().all(has),
            Places::Any(parts) => parts.iter().any(|part| self.may_stand(part, scope)),
            Places::Chain { parts, .. } => parts.iter().all(|part| self.may_stand(part, scope)),
            Places::Apart { of, .. } => self.may_stand(of, scope),
        }
    }

    /// Asks a finder of places in one text.
    fn find_near<T>(
        &mut self,
        text: usize,
        ask: impl FnOnce(&mut Finder<'_, &mut dyn FnMut(&Keyword) -> Vec<Place>>) -> T,
    ) -> T {
        self.scratch.rooms[text].measure(self.texts[text], text == LISTED);
        let distances = std::mem::take(&mut self.scratch.rooms[text].distances);
        let answer = {
            let mut keyword = |keyword: &Keyword| self.places(keyword, text);
            ask(&mut Finder { distances: &distances, keyword: &mut keyword })
        };
        self.scratch.rooms[text].distances = distances;
        answer
    }

    /// The places of a keyword in one text, in order of their starts.
    fn places(&mut self, keyword: &Keyword, text: usize) -> Vec<Place> {
        let mut places = Vec::new();
        let tables = self.tables;
        let literals = tables.sets.get(keyword.set);
        for &literal in literals {
            let marks = self.marks(literal);
            let Scratch { rooms, ways, placed, places: known, .. } = &mut *self.scratch;
            let range = placed.entry((literal, text)).or_insert_with(|| {
                let first = known.len();
                let pattern = &tables.literals.patterns[literal as usize];
                net::places(pattern, (self.texts[text], marks), &mut rooms[text], ways, known);
                first..known.len()
            });
            places.extend_from_slice(&known[range.clone()]);
        }
        if literals.len() > 1 {
            places.sort_unstable();
            places.dedup();
        }
        places
    }

    fn times_in(&mut self, of: &[Keyword], text: usize) -> u32 {
        if self.texts[text].is_empty() {
            return 0;
        }
        let mut places: Vec<Place> = of.iter().flat_map(|keyword| self.places(keyword, text)).collect();
        places.sort_unstable();
        let (mut times, mut free) = (0, 0);
        for place in places {
            if place.0 >= free {
                free = place.1;
                times += 1;
            }
        }
        times
    }

    /// Whether the rule matches the post: its query, and the filters of its project.
    fn matches(&mut self, number: u32, rule: &Rule) -> bool {
        (rule.sources.is_empty() || rule.sources.iter().any(|source| **source == *self.post.source))
            && (rule.languages.is_empty() || rule.languages.iter().any(|&lang| self.is_in(lang)))
            && self.tables.programs.holds(number, self).is_yes()
    }

    /// The match of a rule that matches.
    fn tell(&mut self, number: u32, rule: &Rule) -> Match {
        let tables = self.tables;
        let mut literals = Vec::new();
        let mut nears = Vec::new();
        tables.programs.for_each_reason(number, self, &mut |reason, scope| match reason {
            Reason::Keyword(Keyword { set, shown, .. }) => {
                literals.extend(tables.sets.get(set).iter().map(|&literal| (literal, shown, scope)));
            }
            Reason::Near(places) => nears.push((places, scope)),
        });
        let mut terms = Vec::new();
        let term = |shown: u32, field, span| {
            let shown = tables.programs.shown(shown);
            Term { keyword: shown.text.clone(), how: shown.how, field, span }
        };
        for (literal, shown, scope) in literals {
            let marks = self.marks(literal);
            let told = tables.occurrences(literal, (self.texts, marks), self.scratch);
            let of_scope = |field: Field| texts_of(scope).any(|text| FIELDS[text] == Some(field));
            terms.extend(
                told.iter().filter(|(field, _)| of_scope(*field)).map(|&(field, span)| term(shown, field, span)),
            );
        }
        for (places, scope) in nears {
            for text in texts_of(scope) {
                let Some(field) = FIELDS[text] else { continue };
                let mut told = Vec::new();
                self.find_near(text, |finder| {
                    finder.tell(places, None, &mut |keyword, place| told.push((keyword.shown, place)));
                });
                let letters = &self.scratch.rooms[text].letters;
                for (shown, (start, end)) in told {
                    if let Some(bytes) = bytes(letters, start as usize..end as usize) {
                        terms.push(term(shown, field, Span { start: bytes.start as u32, end: bytes.end as u32 }));
                    }
                }
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
    pub fn scan<'a>(
        &self,
        rules: &[Rule],
        (post, around): (&'a Post, &Around<'a>),
        verdict: &dyn Fn() -> Verdict,
        scratch: &mut Scratch,
    ) -> Vec<Match> {
        scratch.clear(self.literals.patterns.len(), self.sets.len(), rules.len());
        let mut listed = std::mem::take(&mut scratch.listed);
        list_hashtags(post, &mut listed);
        let said = |said: Said<'a>| if let Said::Text(text) = said { text } else { "" };
        let texts = [
            post.title.as_deref().unwrap_or_default(),
            &post.text,
            &listed,
            post.author.name.as_deref().unwrap_or_default(),
            said(around.parent),
            said(around.root),
            said(around.quoted),
        ];
        for (text, room) in texts.into_iter().zip(&mut scratch.rooms) {
            room.fold(text);
        }
        self.find_tags(post, &mut scratch.found);
        let mut asked = Asked {
            tables: self,
            post,
            around,
            texts,
            verdict,
            decided: None,
            lacks_marks: None,
            scratch,
            settled: 0,
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
                    found.note(literal, self.literals.patterns[literal as usize].equals(name));
                }
            }
        }
        for &literal in &self.loose_names {
            self.listed(literal, post).for_each(|holding| found.note(literal, holding));
        }
    }

    /// How the hashtags, or the names, that came with the post hold a literal that is one.
    fn listed<'a>(&'a self, literal: u32, post: &'a Post) -> impl Iterator<Item = Holding> + 'a {
        let pattern = &self.literals.patterns[literal as usize];
        let names: &[String] = match pattern.kind {
            LiteralKind::Hashtag => &post.hashtags,
            LiteralKind::Name => &post.mentions,
            _ => &[],
        };
        names.iter().map(|name| pattern.equals(name.trim_start_matches(SIGNS)))
    }

    /// Collects the rules that are worth evaluating.
    fn trigger(&self, post: &Post, scratch: &mut Scratch) {
        let Scratch { held, triggered, .. } = scratch;
        let by_set = held.members.iter().flat_map(|&set| self.triggered.get(set));
        let authors = (!self.by_author.is_empty()).then(|| program::author_names(post)).into_iter().flatten();
        let by_author = authors.filter_map(|name| self.by_author.get(&name)).flatten();
        let sites = (!self.by_site.is_empty()).then(|| program::sites(&post.site)).into_iter().flatten();
        let by_site = sites.filter_map(|site| self.by_site.get(site)).flatten();
        let sources = (!self.by_source.is_empty()).then_some([&*post.network, &*post.source]).into_iter().flatten();
        let by_source = sources.filter_map(|name| self.by_source.get(name)).flatten();
        let thread = (!self.by_thread.is_empty()).then(|| post.thread.id.to_string());
        let by_thread = thread.iter().filter_map(|id| self.by_thread.get(id)).flatten();
        for &rule in by_set.chain(by_author).chain(by_thread).chain(by_site).chain(by_source).chain(&self.always) {
            triggered.insert(rule);
        }
    }

    /// The first occurrences of a literal that was found, in both fields.
    fn occurrences<'a>(
        &self,
        literal: u32,
        (texts, marks): (Texts, Marks),
        scratch: &'a mut Scratch,
    ) -> &'a [(Field, Span)] {
        if !scratch.occurrences.contains_key(&literal) {
            let Scratch { rooms, ways, told, .. } = scratch;
            let first = told.len();
            for ((text, room), field) in texts.into_iter().zip(rooms).zip(FIELDS) {
                if let Some(field) = field {
                    self.collect(literal, (text, marks), room, ways, |span| told.push((field, span)));
                }
            }
            let range = first..told.len();
            scratch.occurrences.insert(literal, range);
        }
        &scratch.told[scratch.occurrences[&literal].clone()]
    }

    /// Calls back with the first occurrences of a literal in one field, none overlapping the one before.
    fn collect(&self, literal: u32, view: (&str, Marks), room: &mut Room, ways: &mut Ways, mut tell: impl FnMut(Span)) {
        let (mut told, mut end) = (0, 0);
        net::for_each_occurrence(&self.literals.patterns[literal as usize], view, room, ways, |found| {
            if found.start >= end {
                end = found.end;
                told += 1;
                tell(Span { start: found.start as u32, end: found.end as u32 });
            }
            told < TERMS_MAX
        });
    }
}
