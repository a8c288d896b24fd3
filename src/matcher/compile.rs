//! From rules to tables: where the literals that trigger rules are found, and each rule's program.
//! Unaware of posts.

use std::collections::HashMap;

use crate::query::{Literal, LiteralKind, Node, Rule, Scope};

use super::anchor::{Anchor, anchors};
use super::filed::Anchors;
use super::fold;
use super::net::{Lists, Literals, Net};
use super::pattern::Pattern;
use super::probe::{Seed, Wanted};
use super::program::{Programs, Trigger, Weighed, Writer, Written};

/// Numbers under texts.
pub(super) type Filed = HashMap<String, Vec<u32>>;

/// Everything that scanning needs, made once from the rules.
#[derive(Debug)]
pub(super) struct Tables {
    pub literals: Literals,
    /// For every post: the literals that trigger rules.
    pub triggers: Net,
    /// For crowded posts: all other literals.
    pub others: Net,
    /// Hashtag and name literals by their loosest form, without the sign.
    pub hashtags: HashMap<Vec<u8>, Vec<u32>>,
    pub names: HashMap<Vec<u8>, Vec<u32>>,
    /// Names and hashtags with stars: compared with each that came with a post.
    pub loose_names: Vec<u32>,
    /// The spellings of keywords: literals by set, and sets by literal.
    pub sets: Lists,
    pub holders: Lists,
    /// Rules by the set that triggers them; one that triggers none is looked for only when it is asked for.
    pub triggered: Lists,
    pub by_author: Filed,
    pub by_site: Filed,
    pub by_source: Filed,
    pub by_thread: Filed,
    /// Whether a rule asks what posts around say.
    pub asks_around: bool,
    /// Rules that need nothing: evaluated for every post.
    pub always: Vec<u32>,
    pub programs: Programs,
}

impl Tables {
    pub fn new(rules: &[Rule], seed: Seed) -> Self {
        let mut writer = Writer::default();
        for rule in rules {
            writer.write(rule);
        }
        let written = writer.finish();
        let patterns: Vec<Pattern> = written.literals.iter().map(Pattern::new).collect();
        let found: Vec<Vec<Anchor>> = patterns.iter().map(anchors).collect();
        let weighed = Weighed::new(&written, &found);
        let triggers: Vec<_> = rules.iter().map(|rule| Trigger::of(&rule.tree.root, &weighed)).collect();
        let mut literals = Literals { anchors: Anchors::new(&found, seed), patterns };
        let Written { mut programs, sets, literals: spelled, .. } = written;
        programs.want(&wanted(&sets, &spelled, &mut literals.anchors));
        let triggered = by_set(&triggers, sets.len());
        let holders = Lists::new(&turned(&sets, literals.patterns.len()));
        let is_trigger = |number: u32| holders.get(number).iter().any(|&set| !triggered.get(set).is_empty());
        let (first, later): (Vec<u32>, Vec<u32>) =
            (0..literals.patterns.len() as u32).partition(|&number| is_trigger(number));
        let mut tables = Self {
            triggers: Net::new(&literals, &first),
            others: Net::new(&literals, &later),
            literals,
            hashtags: HashMap::new(),
            names: HashMap::new(),
            loose_names: Vec::new(),
            sets: Lists::new(&sets),
            holders,
            triggered,
            by_author: Filed::new(),
            by_site: Filed::new(),
            by_source: Filed::new(),
            by_thread: Filed::new(),
            asks_around: rules.iter().any(|rule| asks_around(&rule.tree.root)),
            always: Vec::new(),
            programs,
        };
        tables.file_names(&spelled);
        tables.file_rules(triggers);
        tables
    }

    /// Memory of what finds literals.
    pub fn bytes(&self) -> usize {
        self.triggers.bytes() + self.others.bytes() + self.literals.anchors.bytes()
    }

    fn file_names(&mut self, literals: &[Literal]) {
        for (number, literal) in (0..).zip(literals) {
            match literal.kind {
                LiteralKind::Hashtag | LiteralKind::Name if literal.text.contains('*') => self.loose_names.push(number),
                LiteralKind::Hashtag => self.hashtags.entry(loosest(&literal.text)).or_default().push(number),
                LiteralKind::Name => self.names.entry(loosest(&literal.text)).or_default().push(number),
                _ => {}
            }
        }
    }

    fn file_rules(&mut self, triggers: Vec<Option<Trigger>>) {
        for (rule, trigger) in (0..).zip(triggers) {
            let Some(trigger) = trigger else {
                self.always.push(rule);
                continue;
            };
            file(&mut self.by_author, trigger.authors, rule);
            file(&mut self.by_site, trigger.sites, rule);
            file(&mut self.by_source, trigger.sources, rule);
            file(&mut self.by_thread, trigger.threads, rule);
        }
    }
}

/// Whether a node searches the texts of posts around.
fn asks_around(node: &Node) -> bool {
    match node {
        Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => parts.iter().any(asks_around),
        Node::Not(part) => asks_around(part),
        Node::In(scope, _) => matches!(scope, Scope::Parent | Scope::Root | Scope::Quoted),
        Node::Found(_) | Node::Count { .. } | Node::Field(_) => false,
    }
}

/// What a post has that has one of each set. Names and hashtags may come with a post and not stand in its texts.
fn wanted(sets: &[Vec<u32>], literals: &[Literal], anchors: &mut Anchors) -> Vec<Wanted> {
    let is_listed = |&number: &u32| matches!(literals[number as usize].kind, LiteralKind::Name | LiteralKind::Hashtag);
    let of_set = |set: &Vec<u32>| if set.iter().any(is_listed) { Wanted::ANYTHING } else { anchors.wanted(set) };
    sets.iter().map(of_set).collect()
}

/// Rules by the set that triggers them.
fn by_set(triggers: &[Option<Trigger>], sets: usize) -> Lists {
    let mut triggered = vec![Vec::new(); sets];
    for (rule, trigger) in (0..).zip(triggers) {
        for &set in trigger.iter().flat_map(|trigger| &trigger.sets) {
            triggered[set as usize].push(rule);
        }
    }
    Lists::new(&triggered)
}

/// Of lists of numbers below `size`, for each number the lists that hold it.
fn turned(lists: &[Vec<u32>], size: usize) -> Vec<Vec<u32>> {
    let mut turned = vec![Vec::new(); size];
    for (list, numbers) in (0..).zip(lists) {
        numbers.iter().for_each(|&number| turned[number as usize].push(list));
    }
    turned
}

fn file(filed: &mut Filed, keys: Vec<String>, rule: u32) {
    for key in keys {
        filed.entry(key).or_default().push(rule);
    }
}

/// The loosest form of a hashtag or a name.
pub(super) fn loosest(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    fold::for_each_letter(name, |read| fold::push_loose(read.letter, &mut bytes));
    bytes
}
