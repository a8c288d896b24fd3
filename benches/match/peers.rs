//! Other engines on queries that all can express: each finds terms in the same folded texts, then the same groups are
//! counted. A term stands where the letters beside it are of no word.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};
use daachorse::DoubleArrayAhoCorasick;

use super::made::Query;

/// The terms of all queries, and what each means to them.
pub struct Terms {
    pub texts: Vec<String>,
    /// By term: the queries, and which of their groups; the last number of a group is for what must not be there.
    uses: Vec<Vec<(u32, u8)>>,
    /// By query: its groups, as bits.
    wanted: Vec<u8>,
}

const NONE_OF: u8 = 7;

impl Terms {
    pub fn of(queries: &[Query]) -> Self {
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut terms = Self { texts: Vec::new(), uses: Vec::new(), wanted: Vec::new() };
        for (number, query) in (0..).zip(queries) {
            terms.wanted.push((1 << query.groups.len()) - 1);
            let groups = (0..).zip(&query.groups).chain([(NONE_OF, &query.none_of)]);
            for (group, term) in groups.flat_map(|(group, texts)| texts.iter().map(move |text| (group, text))) {
                let at = *numbers.entry(term.clone()).or_insert(terms.texts.len());
                if at == terms.texts.len() {
                    terms.texts.push(term.clone());
                    terms.uses.push(Vec::new());
                }
                if !terms.uses[at].contains(&(number, group)) {
                    terms.uses[at].push((number, group));
                }
            }
        }
        terms
    }

    pub fn uses(&self) -> impl Iterator<Item = (&str, &[(u32, u8)])> {
        self.texts.iter().map(String::as_str).zip(self.uses.iter().map(Vec::as_slice))
    }
}

/// What of the queries a post has so far; reused from post to post.
pub struct Seen {
    /// The number of the post that has the term, and the query, last.
    terms: Vec<u32>,
    queries: Vec<u32>,
    groups: Vec<u8>,
    touched: Vec<u32>,
    post: u32,
}

impl Seen {
    pub fn of(terms: &Terms) -> Self {
        let (queries, groups) = (vec![0; terms.wanted.len()], vec![0; terms.wanted.len()]);
        Self { terms: vec![0; terms.texts.len()], queries, groups, touched: Vec::new(), post: 1 }
    }

    fn mark(&mut self, terms: &Terms, term: u32) {
        if std::mem::replace(&mut self.terms[term as usize], self.post) == self.post {
            return;
        }
        for &(query, group) in &terms.uses[term as usize] {
            let at = query as usize;
            if std::mem::replace(&mut self.queries[at], self.post) != self.post {
                self.groups[at] = 0;
                self.touched.push(query);
            }
            self.groups[at] |= 1 << group;
        }
    }

    /// How many queries match, and begins anew.
    fn count(&mut self, terms: &Terms) -> usize {
        self.post += 1;
        let is_matched = |query: &u32| self.groups[*query as usize] == terms.wanted[*query as usize];
        let matched = self.touched.iter().filter(|query| is_matched(query)).count();
        self.touched.clear();
        matched
    }
}

fn stands(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
}

/// An engine that finds all terms of a text.
pub trait Engine: Sync {
    fn matches(&self, terms: &Terms, text: &str, seen: &mut Seen) -> usize;
}

impl Engine for AhoCorasick {
    fn matches(&self, terms: &Terms, text: &str, seen: &mut Seen) -> usize {
        for hit in self.find_overlapping_iter(text) {
            if stands(text, hit.start(), hit.end()) {
                seen.mark(terms, hit.pattern().as_u32());
            }
        }
        seen.count(terms)
    }
}

impl Engine for DoubleArrayAhoCorasick<u32> {
    fn matches(&self, terms: &Terms, text: &str, seen: &mut Seen) -> usize {
        for hit in self.find_overlapping_iter(text) {
            if stands(text, hit.start(), hit.end()) {
                seen.mark(terms, hit.value());
            }
        }
        seen.count(terms)
    }
}

pub fn aho_corasick(terms: &Terms) -> AhoCorasick {
    AhoCorasick::builder().match_kind(MatchKind::Standard).build(&terms.texts).unwrap()
}

pub fn daachorse(terms: &Terms) -> DoubleArrayAhoCorasick<u32> {
    DoubleArrayAhoCorasick::new(&terms.texts).unwrap()
}
