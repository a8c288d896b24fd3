//! From rules to tables: one automaton for all needles, who waits for each, and each rule's trigger and program.
//! Unaware of posts.

use std::collections::HashMap;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::query::{Literal, LiteralKind, Rule};

use super::fold;
use super::program::{Programs, Trigger, Writer};
use super::verify::Pattern;

/// Lists of numbers under numbers from 0, without a hole.
#[derive(Debug, Default)]
pub(super) struct Lists {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Lists {
    fn new(lists: &[Vec<u32>]) -> Self {
        let mut starts = vec![0];
        let mut items = Vec::new();
        for list in lists {
            items.extend(list);
            starts.push(items.len() as u32);
        }
        Self { starts, items }
    }

    pub fn get(&self, at: u32) -> &[u32] {
        &self.items[self.starts[at as usize] as usize..self.starts[at as usize + 1] as usize]
    }
}

/// Numbers under texts.
pub(super) type Filed = HashMap<String, Vec<u32>>;

/// Whether all literals of a needle begin with it, or end with it, so that a hit inside a word is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    pub begins: bool,
    pub ends: bool,
}

/// Everything that scanning needs, made once from the rules.
#[derive(Debug)]
pub(super) struct Tables {
    pub patterns: Vec<Pattern>,
    pub automaton: Option<AhoCorasick>,
    pub guards: Vec<Guard>,
    /// Literals by needle.
    pub holders: Lists,
    /// Literals that have no needle: compared at every character.
    pub anywhere: Vec<u32>,
    /// Hashtag and name literals by their loosest form, without the sign.
    pub hashtags: HashMap<Vec<u8>, Vec<u32>>,
    pub names: HashMap<Vec<u8>, Vec<u32>>,
    /// Rules by the literal that triggers them.
    pub triggered: Lists,
    pub by_author: Filed,
    pub by_site: Filed,
    pub by_source: Filed,
    /// Rules that need nothing: evaluated for every post.
    pub always: Vec<u32>,
    pub programs: Programs,
}

impl Tables {
    pub fn new(rules: &[Rule]) -> Self {
        let mut writer = Writer::default();
        for rule in rules {
            writer.write(rule);
        }
        let triggers: Vec<_> = rules.iter().map(|rule| Trigger::of(&rule.tree.root, &writer)).collect();
        let (programs, literals) = writer.finish();
        let mut tables = Self {
            patterns: literals.iter().map(Pattern::new).collect(),
            automaton: None,
            guards: Vec::new(),
            holders: Lists::default(),
            anywhere: Vec::new(),
            hashtags: HashMap::new(),
            names: HashMap::new(),
            triggered: Lists::default(),
            by_author: Filed::new(),
            by_site: Filed::new(),
            by_source: Filed::new(),
            always: Vec::new(),
            programs,
        };
        tables.file_literals(&literals);
        tables.file_triggers(triggers);
        tables
    }

    fn file_literals(&mut self, literals: &[Literal]) {
        let mut needles: HashMap<&[u8], u32> = HashMap::new();
        let mut holders: Vec<Vec<u32>> = Vec::new();
        for (number, pattern) in (0..).zip(&self.patterns) {
            if pattern.needle().is_empty() {
                self.anywhere.extend(pattern.is_raw().then_some(number));
                continue;
            }
            let next = holders.len() as u32;
            let needle = *needles.entry(pattern.needle()).or_insert(next);
            if needle == next {
                holders.push(Vec::new());
            }
            holders[needle as usize].push(number);
        }
        let mut bytes = vec![&[][..]; holders.len()];
        for (needle, number) in needles {
            bytes[number as usize] = needle;
        }
        self.automaton = automaton(&bytes);
        let all = |held: &Vec<u32>, is: fn(&Pattern) -> bool| held.iter().all(|&at| is(&self.patterns[at as usize]));
        let guard = |held| Guard { begins: all(held, Pattern::begins_with_needle), ends: all(held, Pattern::ends_with_needle) };
        self.guards = holders.iter().map(guard).collect();
        self.holders = Lists::new(&holders);
        for (number, literal) in (0..).zip(literals) {
            match literal.kind {
                LiteralKind::Hashtag => self.hashtags.entry(loosest(&literal.text, '#')).or_default().push(number),
                LiteralKind::Name => self.names.entry(loosest(&literal.text, '@')).or_default().push(number),
                _ => {}
            }
        }
    }

    fn file_triggers(&mut self, triggers: Vec<Option<Trigger>>) {
        let mut triggered = vec![Vec::new(); self.patterns.len()];
        for (rule, trigger) in (0..).zip(triggers) {
            let Some(trigger) = trigger else {
                self.always.push(rule);
                continue;
            };
            for literal in trigger.literals {
                triggered[literal as usize].push(rule);
            }
            file(&mut self.by_author, trigger.authors, rule);
            file(&mut self.by_site, trigger.sites, rule);
            file(&mut self.by_source, trigger.sources, rule);
        }
        self.triggered = Lists::new(&triggered);
    }
}

fn file(filed: &mut Filed, keys: Vec<String>, rule: u32) {
    for key in keys {
        filed.entry(key).or_default().push(rule);
    }
}

/// The loosest form of a hashtag or a name, without its sign.
pub(super) fn loosest(name: &str, sign: char) -> Vec<u8> {
    let mut bytes = Vec::new();
    fold::for_each_letter(name, |letter, _, _, _| fold::push_loose(letter, &mut bytes));
    if bytes.first().is_some_and(|&first| char::from(first) == sign) {
        bytes.remove(0);
    }
    bytes
}

/// The automaton over all needles, or none if there are none.
fn automaton(needles: &[&[u8]]) -> Option<AhoCorasick> {
    if needles.is_empty() {
        return None;
    }
    let automaton = AhoCorasick::builder().match_kind(MatchKind::Standard).build(needles);
    Some(automaton.expect("needles are bounded by the memory that holds their rules, far below 2³¹ states"))
}
