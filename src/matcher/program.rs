//! Queries as flat programs over verified literals, and what each needs before it is worth evaluating.
//! Unaware of texts: whether a literal was found is asked of the caller.

use std::collections::HashMap;

use crate::model::{How, Lang, Post};
use crate::query::{self, Bounds, Condition, Literal, LiteralKind, Node, Rule, Scope, Spans, Truth};

use super::anchor::{self, Anchor, anchors};
use super::fold;
use super::near::{Keyword, Places};
use super::pattern::Pattern;
use super::probe::Wanted;
use super::rarity::{self, Posts};

/// One step of a program. The parts of a step follow it, up to `end`.
#[derive(Clone, Copy, Debug)]
enum Op {
    All { end: u32 },
    Any { end: u32 },
    Not { end: u32 },
    AtLeast { end: u32, least: u32 },
    In { end: u32, scope: Scope },
    Keyword(Keyword),
    Near { near: u32 },
    Count { count: u32 },
    Lang(Lang),
    Words(Bounds),
    Condition { condition: u32 },
}

/// A keyword as a mention shows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shown {
    pub text: String,
    pub how: How,
}

/// How often keywords must stand in the texts.
#[derive(Debug)]
struct Count {
    of: Vec<Keyword>,
    min: u32,
    max: Option<u32>,
}

/// The programs of all rules in one array.
#[derive(Debug, Default)]
pub(super) struct Programs {
    ops: Vec<Op>,
    /// Where each rule's program begins.
    starts: Vec<u32>,
    shown: Vec<Shown>,
    nears: Vec<Places>,
    counts: Vec<Count>,
    conditions: Vec<Condition>,
}

/// Gives numbers to literals, sets of them and keywords while programs are written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    programs: Programs,
    literals: HashMap<Literal, u32>,
    distinct: Vec<Literal>,
    numbers: HashMap<Vec<u32>, u32>,
    sets: Vec<Vec<u32>>,
    shown: HashMap<Shown, u32>,
}

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    pub programs: Programs,
    /// By number.
    pub literals: Vec<Literal>,
    /// The spellings of keywords, as sets of literals. Keywords that are spelled alike share one.
    pub sets: Vec<Vec<u32>>,
    numbers: HashMap<Vec<u32>, u32>,
    known: HashMap<Literal, u32>,
}

/// Why a rule is true: what a part of it found.
pub(super) enum Reason<'a> {
    Keyword(Keyword),
    Near(&'a Places),
}

/// What a program asks about a post. A scope is none for title and body.
pub(super) trait Facts {
    /// Whether a keyword is there.
    fn has(&mut self, keyword: &Keyword, scope: Option<Scope>) -> bool;
    fn has_near(&mut self, places: &Places, scope: Option<Scope>) -> bool;
    fn times(&mut self, of: &[Keyword], scope: Option<Scope>) -> u32;
    /// Whether the texts of a scope are known, or known not to be.
    fn is_known(&mut self, scope: Scope) -> bool;
    /// Tokens of title and text.
    fn words(&mut self) -> u64;
    fn is_in(&mut self, lang: Lang) -> bool;
    fn post(&self) -> &Post;
}

impl Writer {
    pub fn write(&mut self, rule: &Rule) {
        self.programs.starts.push(self.programs.ops.len() as u32);
        self.write_node(&rule.tree.root);
    }

    fn write_node(&mut self, node: &Node) {
        let op = match node {
            Node::All(parts) => return self.write_parts(parts, |end| Op::All { end }),
            Node::Any(parts) => return self.write_parts(parts, |end| Op::Any { end }),
            Node::Not(part) => return self.write_parts(std::slice::from_ref(part), |end| Op::Not { end }),
            Node::AtLeast(least, parts) => {
                return self.write_parts(parts, |end| Op::AtLeast { end, least: *least });
            }
            Node::In(scope, part) => {
                return self.write_parts(std::slice::from_ref(part), |end| Op::In { end, scope: *scope });
            }
            Node::Found(Spans::Keyword(keyword)) => Op::Keyword(self.keyword(keyword)),
            Node::Found(found) => {
                let places = self.places(found);
                Op::Near { near: number(&mut self.programs.nears, places) }
            }
            Node::Count { of, min, max } => {
                let of = of.iter().map(|keyword| self.keyword(keyword)).collect();
                Op::Count { count: number(&mut self.programs.counts, Count { of, min: *min, max: *max }) }
            }
            Node::Field(Condition::Lang(lang)) => Op::Lang(*lang),
            Node::Field(Condition::Words(bounds)) => Op::Words(*bounds),
            Node::Field(condition) => {
                Op::Condition { condition: number(&mut self.programs.conditions, condition.clone()) }
            }
        };
        self.programs.ops.push(op);
    }

    fn write_parts<'a, P: std::borrow::Borrow<Node> + 'a>(&mut self, parts: &'a [P], op: impl Fn(u32) -> Op) {
        let at = self.programs.ops.len();
        self.programs.ops.push(op(0));
        for part in parts {
            self.write_node(part.borrow());
        }
        self.programs.ops[at] = op(self.programs.ops.len() as u32);
    }

    fn places(&mut self, found: &Spans) -> Places {
        let each = |writer: &mut Self, parts: &[Spans]| parts.iter().map(|part| writer.places(part)).collect();
        match found {
            Spans::Keyword(keyword) => Places::Keyword(self.keyword(keyword)),
            Spans::Any(parts) => Places::Any(each(self, parts)),
            Spans::Chain { parts, gaps } => Places::Chain { parts: each(self, parts), gaps: gaps.clone() },
            Spans::Apart { of, from, gap } => {
                Places::Apart { of: Box::new(self.places(of)), from: Box::new(self.places(from)), gap: *gap }
            }
            Spans::Window { parts, others_max } => {
                let parts = parts.iter().map(|keyword| self.keyword(keyword)).collect();
                Places::Window { parts, others_max: *others_max }
            }
        }
    }

    fn keyword(&mut self, keyword: &query::Keyword) -> Keyword {
        let shown = Shown { text: keyword.text.clone(), how: keyword.how() };
        let next = self.programs.shown.len() as u32;
        let number = *self.shown.entry(shown.clone()).or_insert(next);
        if number == next {
            self.programs.shown.push(shown);
        }
        let mut literals: Vec<u32> = keyword.spellings().map(|literal| self.literal(literal)).collect();
        literals.sort_unstable();
        literals.dedup();
        Keyword { set: self.set(literals), shown: number, wanted: Wanted::ANYTHING }
    }

    fn set(&mut self, literals: Vec<u32>) -> u32 {
        if let Some(known) = self.numbers.get(&literals) {
            return *known;
        }
        self.numbers.insert(literals.clone(), self.sets.len() as u32);
        number(&mut self.sets, literals)
    }

    fn literal(&mut self, literal: &Literal) -> u32 {
        if let Some(known) = self.literals.get(literal) {
            return *known;
        }
        let number = self.distinct.len() as u32;
        self.literals.insert(literal.clone(), number);
        self.distinct.push(literal.clone());
        number
    }

    pub fn finish(self) -> Written {
        let Self { programs, literals: known, distinct: literals, numbers, sets, .. } = self;
        Written { programs, literals, sets, numbers, known }
    }
}

impl Written {
    /// The set of a keyword that was written.
    fn set(&self, keyword: &query::Keyword) -> Option<u32> {
        let mut literals: Vec<u32> =
            keyword.spellings().map(|literal| self.known.get(literal).copied()).collect::<Option<_>>()?;
        literals.sort_unstable();
        literals.dedup();
        self.numbers.get(&literals).copied()
    }
}

/// Adds to a list, and tells the number.
fn number<T>(list: &mut Vec<T>, item: T) -> u32 {
    list.push(item);
    list.len() as u32 - 1
}

impl Programs {
    /// Tells each keyword what a post has that has it, by its set.
    pub fn want(&mut self, wanted: &[Wanted]) {
        let want = |keyword: &mut Keyword| keyword.wanted = wanted[keyword.set as usize];
        for op in &mut self.ops {
            if let Op::Keyword(keyword) = op {
                want(keyword);
            }
        }
        self.nears.iter_mut().for_each(|places| places.for_each_keyword(&want));
        self.counts.iter_mut().flat_map(|count| &mut count.of).for_each(want);
    }

    /// Whether the rule's query is true of a post.
    pub fn holds(&self, rule: u32, facts: &mut impl Facts) -> Truth {
        self.truth(self.starts[rule as usize], None, facts)
    }

    fn truth(&self, at: u32, scope: Option<Scope>, facts: &mut impl Facts) -> Truth {
        match self.ops[at as usize] {
            Op::All { end } => Truth::all(self.parts(at + 1, end).map(|part| self.truth(part, scope, facts))),
            Op::Any { end } => Truth::any(self.parts(at + 1, end).map(|part| self.truth(part, scope, facts))),
            Op::AtLeast { end, least } => {
                Truth::at_least(least, self.parts(at + 1, end).map(|part| self.truth(part, scope, facts)))
            }
            Op::Not { .. } => !self.truth(at + 1, scope, facts),
            Op::In { scope, .. } => self.truth(at + 1, Some(scope), facts),
            Op::Lang(lang) => facts.is_in(lang).into(),
            Op::Words(bounds) => bounds.hold(facts.words()).into(),
            Op::Condition { condition } => self.conditions[condition as usize].holds(facts.post()),
            _ if scope.is_some_and(|scope| !facts.is_known(scope)) => Truth::Unknown,
            Op::Keyword(ref keyword) => facts.has(keyword, scope).into(),
            Op::Near { near } => facts.has_near(&self.nears[near as usize], scope).into(),
            Op::Count { count } => {
                let Count { of, min, max } = &self.counts[count as usize];
                let times = facts.times(of, scope);
                (times >= *min && max.is_none_or(|max| times <= max)).into()
            }
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
            Op::All { end } | Op::Any { end } | Op::Not { end } | Op::AtLeast { end, .. } | Op::In { end, .. } => end,
            _ => at + 1,
        }
    }

    pub fn shown(&self, shown: u32) -> &Shown {
        &self.shown[shown as usize]
    }

    /// Calls back with each reason that made the rule's query true, and the scope in which it was found.
    pub fn for_each_reason<'a>(
        &'a self,
        rule: u32,
        facts: &mut impl Facts,
        found: &mut impl FnMut(Reason<'a>, Option<Scope>),
    ) {
        self.visit(self.starts[rule as usize], None, facts, found);
    }

    fn visit<'a>(
        &'a self,
        at: u32,
        scope: Option<Scope>,
        facts: &mut impl Facts,
        found: &mut impl FnMut(Reason<'a>, Option<Scope>),
    ) {
        match self.ops[at as usize] {
            Op::All { end } | Op::Any { end } | Op::AtLeast { end, .. } => {
                for part in self.parts(at + 1, end) {
                    if self.truth(part, scope, facts).is_yes() {
                        self.visit(part, scope, facts, found);
                    }
                }
            }
            Op::In { scope, .. } => self.visit(at + 1, Some(scope), facts, found),
            Op::Keyword(keyword) => found(Reason::Keyword(keyword), scope),
            Op::Count { count } => {
                self.counts[count as usize].of.iter().for_each(|&keyword| found(Reason::Keyword(keyword), scope));
            }
            Op::Near { near } => found(Reason::Near(&self.nears[near as usize]), scope),
            Op::Not { .. } | Op::Lang(_) | Op::Words(_) | Op::Condition { .. } => {}
        }
    }
}

/// What a post must have for a query to be worth evaluating: one of these.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Trigger {
    /// Sets of literals.
    pub sets: Vec<u32>,
    pub authors: Vec<String>,
    pub sites: Vec<String>,
    pub sources: Vec<String>,
    pub threads: Vec<String>,
    /// In how many posts it may be.
    cost: Posts,
}

const AUTHOR_COST: Posts = 1 << 8;
const SITE_COST: Posts = 1 << 26;
const SOURCE_COST: Posts = 1 << 38;
/// What a literal that an automaton looks for costs each post, as many times its hits.
const AUTOMATON_COST: Posts = 16;

/// What was written, and in how many posts the literals of each set may be.
pub(super) struct Weighed<'a> {
    pub written: &'a Written,
    pub posts: Vec<Posts>,
}

impl<'a> Weighed<'a> {
    /// `anchors` are those of each literal.
    pub fn new(written: &'a Written, anchors: &[Vec<Anchor>]) -> Self {
        let of_literal = |&number: &u32| match anchors[number as usize].as_slice() {
            [] => rarity::of_letters(telling_letters(&written.literals[number as usize])) * AUTOMATON_COST,
            anchors => anchor::posts(anchors),
        };
        let of_set = |set: &Vec<u32>| set.iter().map(of_literal).fold(0, Posts::saturating_add);
        Self { written, posts: written.sets.iter().map(of_set).collect() }
    }
}

impl Trigger {
    /// The rarest group that a query requires; none if a post may match without any.
    pub fn of(node: &Node, weighed: &Weighed) -> Option<Self> {
        Self::required(node, true, weighed)
    }

    fn required(node: &Node, wanted: bool, weighed: &Weighed) -> Option<Self> {
        let each = |parts: &[Node]| parts.iter().map(|part| Self::required(part, wanted, weighed)).collect::<Vec<_>>();
        match node {
            Node::Not(part) => Self::required(part, !wanted, weighed),
            Node::All(parts) if wanted => Self::rarest(each(parts)),
            Node::Any(parts) if !wanted => Self::rarest(each(parts)),
            Node::All(parts) | Node::Any(parts) => Self::every(each(parts)),
            // So many parts may be false; of those one more at least is true.
            Node::AtLeast(least, parts) => {
                let spare = if wanted { parts.len() - *least as usize } else { *least as usize };
                let is_decided = if wanted { *least == 0 } else { spare == 0 };
                let mut known: Vec<Self> = each(parts).into_iter().flatten().collect();
                known.sort_by_key(|trigger| trigger.cost);
                let needed = if wanted { spare + 1 } else { spare };
                if is_decided || known.len() < needed {
                    return None;
                }
                known.truncate(needed);
                Self::every(known.into_iter().map(Some).collect())
            }
            Node::In(Scope::Title | Scope::Body, part) => Self::required(part, wanted, weighed),
            Node::In(..) => None,
            Node::Count { of, min, max } => {
                let is_required = if wanted { *min > 0 } else { *min == 0 && max.is_some() };
                is_required
                    .then(|| Self::every(of.iter().map(|keyword| Self::of_keyword(keyword, weighed)).collect()))?
            }
            _ if !wanted => None,
            Node::Found(found) => Self::of_spans(found, weighed),
            Node::Field(condition) => Self::of_condition(condition),
        }
    }

    fn of_spans(found: &Spans, weighed: &Weighed) -> Option<Self> {
        match found {
            Spans::Keyword(keyword) => Self::of_keyword(keyword, weighed),
            Spans::Any(parts) => Self::every(parts.iter().map(|part| Self::of_spans(part, weighed)).collect()),
            Spans::Chain { parts, .. } => {
                Self::rarest(parts.iter().map(|part| Self::of_spans(part, weighed)).collect())
            }
            Spans::Apart { of, .. } => Self::of_spans(of, weighed),
            Spans::Window { parts, .. } => {
                Self::rarest(parts.iter().map(|keyword| Self::of_keyword(keyword, weighed)).collect())
            }
        }
    }

    fn of_keyword(keyword: &query::Keyword, weighed: &Weighed) -> Option<Self> {
        let set = weighed.written.set(keyword)?;
        Some(Self { sets: vec![set], cost: weighed.posts[set as usize], ..Self::default() })
    }

    fn of_condition(condition: &Condition) -> Option<Self> {
        let one = |name: &String| vec![name.clone()];
        match condition {
            Condition::Author(name) => Some(Self { authors: one(name), cost: AUTHOR_COST, ..Self::default() }),
            Condition::Thread(id) => Some(Self { threads: one(id), cost: AUTHOR_COST, ..Self::default() }),
            Condition::Site(name) => Some(Self { sites: one(name), cost: SITE_COST, ..Self::default() }),
            Condition::Source(name) => Some(Self { sources: one(name), cost: SOURCE_COST, ..Self::default() }),
            _ => None,
        }
    }

    fn rarest(parts: Vec<Option<Self>>) -> Option<Self> {
        parts.into_iter().flatten().min_by_key(|trigger| trigger.cost)
    }

    fn every(parts: Vec<Option<Self>>) -> Option<Self> {
        let mut whole = Self::default();
        for part in parts {
            let part = part?;
            whole.sets.extend(part.sets);
            whole.authors.extend(part.authors);
            whole.sites.extend(part.sites);
            whole.sources.extend(part.sources);
            whole.threads.extend(part.threads);
            whole.cost = whole.cost.saturating_add(part.cost);
        }
        Some(whole)
    }
}

/// What makes a query worth evaluating: see [`super::triggers`].
pub(super) fn triggers(query: &query::Query) -> Vec<(String, Node)> {
    let mut writer = Writer::default();
    writer.write_node(&query.root);
    let written = writer.finish();
    let anchors: Vec<_> = written.literals.iter().map(|literal| anchors(&Pattern::new(literal))).collect();
    let Some(trigger) = Trigger::of(&query.root, &Weighed::new(&written, &anchors)) else { return Vec::new() };
    let Written { literals, sets, .. } = &written;
    let of_literal = |number: &u32| {
        let literal = literals[*number as usize].clone();
        let (text, inflects) = (literal.text.clone(), query::Inflect::Never);
        (text.clone(), Node::keyword(query::Keyword { text, literals: vec![literal], inflects, forms: Vec::new() }))
    };
    let of_field =
        |name: &str, value: &String, condition: Condition| (format!("{name}:{value}"), Node::Field(condition));
    let words = trigger.sets.iter().flat_map(|&set| &sets[set as usize]).map(of_literal);
    let authors = trigger.authors.iter().map(|name| of_field("author", name, Condition::Author(name.clone())));
    let sites = trigger.sites.iter().map(|name| of_field("site", name, Condition::Site(name.clone())));
    let sources = trigger.sources.iter().map(|name| of_field("source", name, Condition::Source(name.clone())));
    let threads = trigger.threads.iter().map(|id| of_field("thread", id, Condition::Thread(id.clone())));
    words.chain(authors).chain(sites).chain(sources).chain(threads).collect()
}

/// How many letters of a literal an automaton can look for at once, each by its weight.
fn telling_letters(literal: &Literal) -> usize {
    let weight = |text: &str| text.chars().map(fold::weight).sum::<usize>();
    match literal.kind {
        LiteralKind::Wildcard | LiteralKind::Hashtag | LiteralKind::Name => {
            literal.text.split(['*', '?']).map(weight).max().unwrap_or(0)
        }
        LiteralKind::Fuzzy(slips) => weight(&literal.text) / (2 * usize::from(slips) + 1),
        _ => weight(&literal.text),
    }
}

/// What queries may call the author, in lower case: the native id, and the handle without `@`.
pub(super) fn author_names(post: &Post) -> impl Iterator<Item = String> {
    let handle = post.author.handle.as_deref().map(|handle| handle.trim_start_matches('@'));
    [Some(post.author.native_id.as_str()), handle].into_iter().flatten().map(str::to_lowercase)
}

/// A site and all that it lies below.
pub(super) fn sites(site: &str) -> impl Iterator<Item = &str> {
    std::iter::once(site).chain(site.match_indices('.').map(|(dot, _)| &site[dot + 1..]))
}
