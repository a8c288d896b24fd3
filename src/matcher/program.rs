//! Queries as flat programs over verified literals, and what each needs before it is worth evaluating.
//! Unaware of texts: whether a literal was found is asked of the caller.

use std::collections::HashMap;

use crate::model::{How, Lang, Post};
use crate::query::{Literal, LiteralKind, Node, Rule};

use super::fold;

/// One step of a program. The parts of a step follow it, up to `end`.
#[derive(Clone, Copy, Debug)]
enum Op {
    All { end: u32 },
    Any { end: u32 },
    Not { end: u32 },
    Literal { literal: u32, keyword: u32 },
    Lang(Lang),
    Source { name: u32 },
    Author { name: u32 },
    Site { name: u32 },
}

/// A keyword as a mention shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Keyword {
    pub text: String,
    pub how: How,
}

/// The programs of all rules in one array.
#[derive(Debug, Default)]
pub(super) struct Programs {
    ops: Vec<Op>,
    /// Where each rule's program begins.
    starts: Vec<u32>,
    keywords: Vec<Keyword>,
    names: Vec<String>,
}

/// Gives numbers to literals, keywords and names while programs are written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    programs: Programs,
    literals: HashMap<(LiteralKind, String), u32>,
    distinct: Vec<Literal>,
    keywords: HashMap<Keyword, u32>,
    names: HashMap<String, u32>,
}

/// What a program asks about a post.
pub(super) trait Facts {
    fn has(&mut self, literal: u32) -> bool;
    fn is_in(&mut self, lang: Lang) -> bool;
    fn post(&self) -> &Post;
}

impl Writer {
    pub fn write(&mut self, rule: &Rule) {
        self.programs.starts.push(self.programs.ops.len() as u32);
        self.write_node(&rule.tree.root);
    }

    fn write_node(&mut self, node: &Node) {
        let ops = self.programs.ops.len();
        match node {
            Node::All(parts) => self.write_parts(parts, |end| Op::All { end }),
            Node::Any(parts) => self.write_parts(parts, |end| Op::Any { end }),
            Node::Not(part) => self.write_parts(std::slice::from_ref(part.as_ref()), |end| Op::Not { end }),
            Node::Literal(literal) => {
                let op = Op::Literal { literal: self.literal(literal), keyword: self.keyword(literal) };
                self.programs.ops.push(op);
            }
            Node::Lang(lang) => self.programs.ops.push(Op::Lang(*lang)),
            Node::Source(name) => self.write_name(name, |name| Op::Source { name }),
            Node::Author(name) => self.write_name(name, |name| Op::Author { name }),
            Node::Site(name) => self.write_name(name, |name| Op::Site { name }),
        }
        debug_assert!(self.programs.ops.len() > ops);
    }

    fn write_parts(&mut self, parts: &[Node], op: impl Fn(u32) -> Op) {
        let at = self.programs.ops.len();
        self.programs.ops.push(op(0));
        for part in parts {
            self.write_node(part);
        }
        self.programs.ops[at] = op(self.programs.ops.len() as u32);
    }

    fn write_name(&mut self, name: &str, op: impl Fn(u32) -> Op) {
        let next = self.programs.names.len() as u32;
        let number = *self.names.entry(name.to_owned()).or_insert(next);
        if number == next {
            self.programs.names.push(name.to_owned());
        }
        self.programs.ops.push(op(number));
    }

    fn literal(&mut self, literal: &Literal) -> u32 {
        let next = self.distinct.len() as u32;
        let number = *self.literals.entry((literal.kind, literal.text.clone())).or_insert(next);
        if number == next {
            self.distinct.push(literal.clone());
        }
        number
    }

    fn keyword(&mut self, literal: &Literal) -> u32 {
        let keyword = Keyword { text: literal.keyword.clone(), how: literal.kind.how() };
        let next = self.programs.keywords.len() as u32;
        let number = *self.keywords.entry(keyword.clone()).or_insert(next);
        if number == next {
            self.programs.keywords.push(keyword);
        }
        number
    }

    /// The number of a literal that was written.
    pub fn number(&self, literal: &Literal) -> Option<u32> {
        self.literals.get(&(literal.kind, literal.text.clone())).copied()
    }

    /// The programs, and the literals by number.
    pub fn finish(self) -> (Programs, Vec<Literal>) {
        (self.programs, self.distinct)
    }
}

impl Programs {
    /// Whether the rule's query is true of a post.
    pub fn holds(&self, rule: u32, facts: &mut impl Facts) -> bool {
        self.is_true(self.starts[rule as usize], facts)
    }

    fn is_true(&self, at: u32, facts: &mut impl Facts) -> bool {
        match self.ops[at as usize] {
            Op::All { end } => self.parts(at + 1, end).all(|part| self.is_true(part, facts)),
            Op::Any { end } => self.parts(at + 1, end).any(|part| self.is_true(part, facts)),
            Op::Not { .. } => !self.is_true(at + 1, facts),
            Op::Literal { literal, .. } => facts.has(literal),
            Op::Lang(lang) => facts.is_in(lang),
            Op::Source { name } => is_source(facts.post(), self.name(name)),
            Op::Author { name } => is_author(facts.post(), self.name(name)),
            Op::Site { name } => is_site(facts.post(), self.name(name)),
        }
    }

    /// Where the parts of a step begin that lie between `from` and `end`.
    fn parts(&self, from: u32, end: u32) -> impl Iterator<Item = u32> {
        let mut at = from;
        std::iter::from_fn(move || {
            let part = (at < end).then_some(at)?;
            at = self.after(part);
            Some(part)
        })
    }

    fn after(&self, at: u32) -> u32 {
        match self.ops[at as usize] {
            Op::All { end } | Op::Any { end } | Op::Not { end } => end,
            _ => at + 1,
        }
    }

    fn name(&self, name: u32) -> &str {
        &self.names[name as usize]
    }

    pub fn keyword(&self, keyword: u32) -> &Keyword {
        &self.keywords[keyword as usize]
    }

    /// Calls back with each literal, and its keyword, that made the rule's query true.
    pub fn for_each_reason(&self, rule: u32, facts: &mut impl Facts, found: &mut impl FnMut(u32, u32)) {
        self.visit(self.starts[rule as usize], facts, found);
    }

    fn visit(&self, at: u32, facts: &mut impl Facts, found: &mut impl FnMut(u32, u32)) {
        match self.ops[at as usize] {
            Op::All { end } | Op::Any { end } => {
                for part in self.parts(at + 1, end) {
                    if self.is_true(part, facts) {
                        self.visit(part, facts, found);
                    }
                }
            }
            Op::Literal { literal, keyword } => found(literal, keyword),
            _ => {}
        }
    }
}

/// What a post must have for a query to be worth evaluating: one of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trigger {
    pub literals: Vec<u32>,
    pub authors: Vec<String>,
    pub sites: Vec<String>,
    pub sources: Vec<String>,
    /// A guess at how many of 2⁴⁰ posts have it.
    cost: u64,
}

/// The dearest a trigger can be, as a power of two.
const COST_BITS: usize = 40;
const AUTHOR_COST: u64 = 1 << 8;
const SITE_COST: u64 = 1 << 26;
const SOURCE_COST: u64 = 1 << 38;
/// How many times rarer a literal is for one letter more, as a power of two.
const LETTER_BITS: usize = 2;

impl Trigger {
    /// The rarest group that a query requires; none if a post may match without any.
    pub fn of(node: &Node, writer: &Writer) -> Option<Self> {
        Self::required(node, true, writer)
    }

    fn required(node: &Node, wanted: bool, writer: &Writer) -> Option<Self> {
        match node {
            Node::Not(part) => Self::required(part, !wanted, writer),
            Node::All(parts) if wanted => Self::rarest(parts, wanted, writer),
            Node::Any(parts) if !wanted => Self::rarest(parts, wanted, writer),
            Node::All(parts) | Node::Any(parts) => Self::every(parts, wanted, writer),
            _ if !wanted => None,
            Node::Literal(literal) => {
                let letters = literal.text.chars().map(fold::weight).sum::<usize>();
                let cost = 1 << COST_BITS.saturating_sub(letters * LETTER_BITS);
                Some(Self { literals: vec![writer.number(literal)?], cost, ..Self::default() })
            }
            Node::Author(name) => Some(Self { authors: vec![name.clone()], cost: AUTHOR_COST, ..Self::default() }),
            Node::Site(name) => Some(Self { sites: vec![name.clone()], cost: SITE_COST, ..Self::default() }),
            Node::Source(name) => Some(Self { sources: vec![name.clone()], cost: SOURCE_COST, ..Self::default() }),
            Node::Lang(_) => None,
        }
    }

    fn rarest(parts: &[Node], wanted: bool, writer: &Writer) -> Option<Self> {
        parts.iter().filter_map(|part| Self::required(part, wanted, writer)).min_by_key(|trigger| trigger.cost)
    }

    fn every(parts: &[Node], wanted: bool, writer: &Writer) -> Option<Self> {
        let mut whole = Self::default();
        for part in parts {
            let part = Self::required(part, wanted, writer)?;
            whole.literals.extend(part.literals);
            whole.authors.extend(part.authors);
            whole.sites.extend(part.sites);
            whole.sources.extend(part.sources);
            whole.cost = whole.cost.saturating_add(part.cost);
        }
        Some(whole)
    }
}

fn is_source(post: &Post, name: &str) -> bool {
    *post.network == *name || *post.source == *name
}

fn is_author(post: &Post, name: &str) -> bool {
    author_names(post).any(|author| author == name)
}

/// What queries may call the author, in lower case: the native id, and the handle without `@`.
pub(super) fn author_names(post: &Post) -> impl Iterator<Item = String> {
    let handle = post.author.handle.as_deref().map(|handle| handle.trim_start_matches('@'));
    [Some(post.author.native_id.as_str()), handle].into_iter().flatten().map(str::to_lowercase)
}

fn is_site(post: &Post, name: &str) -> bool {
    sites(&post.site).any(|site| site == name)
}

/// A site and all that it lies below.
pub(super) fn sites(site: &str) -> impl Iterator<Item = &str> {
    std::iter::once(site).chain(site.match_indices('.').map(|(dot, _)| &site[dot + 1..]))
}
