//! From rules to tables: an automaton for the literals that trigger rules, and each rule's program.
//! Unaware of posts.

use std::collections::HashMap;

use crate::query::{Literal, LiteralKind, Node, Rule, Scope};

use super::fold;
use super::net::{Lists, Net};
use super::pattern::Pattern;
use super::program::{Programs, Trigger, Writer};

/// Numbers under texts.
pub(super) type Filed = HashMap<String, Vec<u32>>;

/// Everything that scanning needs, made once from the rules.
#[derive(Debug)]
pub(super) struct Tables {
    pub patterns: Vec<Pattern>,
    /// For every post: the literals that trigger rules.
    pub triggers: Net,
    /// For crowded posts: all other literals.
    pub others: Net,
    /// Hashtag and name literals by their loosest form, without the sign.
    pub hashtags: HashMap<Vec<u8>, Vec<u32>>,
    pub names: HashMap<Vec<u8>, Vec<u32>>,
    /// Rules by the literal that triggers them; a literal that triggers none is looked for only when it is asked for.
    pub triggered: Lists,
    pub by_author: Filed,
    pub by_site: Filed,
    pub by_source: Filed,
    pub by_thread: Filed,
    /// Names and hashtags with stars: compared with each that came with a post.
    pub loose_names: Vec<u32>,
    /// Whether a rule asks what posts around say.
    pub asks_around: bool,
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
        let patterns: Vec<Pattern> = literals.iter().map(Pattern::new).collect();
        let triggered = by_literal(&triggers, patterns.len());
        let (first, later): (Vec<u32>, Vec<u32>) =
            (0..patterns.len() as u32).partition(|&number| !triggered.get(number).is_empty());
        let mut tables = Self {
            triggers: Net::new(&patterns, &first),
            others: Net::new(&patterns, &later),
            patterns,
            hashtags: HashMap::new(),
            names: HashMap::new(),
            triggered,
            by_author: Filed::new(),
            by_site: Filed::new(),
            by_source: Filed::new(),
            by_thread: Filed::new(),
            loose_names: Vec::new(),
            asks_around: rules.iter().any(|rule| asks_around(&rule.tree.root)),
            always: Vec::new(),
            programs,
        };
        tables.file_names(&literals);
        tables.file_rules(triggers);
        tables
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

/// Rules by the literal that triggers them.
fn by_literal(triggers: &[Option<Trigger>], literals: usize) -> Lists {
    let mut triggered = vec![Vec::new(); literals];
    for (rule, trigger) in (0..).zip(triggers) {
        for &literal in trigger.iter().flat_map(|trigger| &trigger.literals) {
            triggered[literal as usize].push(rule);
        }
    }
    Lists::new(&triggered)
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
