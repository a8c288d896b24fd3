//! All saved queries against one post: which match, and by which words.
//! Unaware of where posts come from, of how queries are written, and of what becomes of a match.

mod anchor;
mod carried;
mod compare;
mod compile;
mod composed;
mod filed;
mod fold;
mod folded;
mod letters;
mod loose;
mod near;
mod net;
mod pattern;
mod probe;
mod program;
mod rarity;
mod scan;
mod scratch;
mod tokens;
mod verify;

pub use scratch::Scratch;
pub use tokens::{Narrow, TOKEN_BYTES_MAX, narrow, post_tokens, tokens};

use crate::model::{Match, Post, Verdict};
use crate::query::{Around, Node, Query, Rule};

use compile::Tables;
use probe::Seed;

/// Rules made ready to meet posts. Immutable: a change of the rules makes another matcher.
#[derive(Debug)]
pub struct Matcher {
    rules: Vec<Rule>,
    tables: Tables,
}

/// How large a matcher is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figures {
    pub rules: usize,
    /// Distinct literals of all rules.
    pub literals: usize,
    /// What finding them takes.
    pub bytes: usize,
}

impl Matcher {
    pub fn compile(rules: Vec<Rule>) -> Self {
        let tables = Tables::new(&rules, Seed::random());
        Self { rules, tables }
    }

    /// The same with a hash that is no secret, so that two processes do the same steps. For measurements alone.
    pub fn compile_for_measurement(rules: Vec<Rule>) -> Self {
        let tables = Tables::new(&rules, Seed::known());
        Self { rules, tables }
    }

    /// The rules that match `post`, in their order. `verdict` tells the post's language; it is asked for only if a rule
    /// depends on it.
    pub fn scan(&self, post: &Post, verdict: &dyn Fn() -> Verdict, scratch: &mut Scratch) -> Vec<Match> {
        self.scan_among(post, &Around::of(post), verdict, scratch)
    }

    /// The same with what is known of the posts around.
    pub fn scan_among(
        &self,
        post: &Post,
        around: &Around<'_>,
        verdict: &dyn Fn() -> Verdict,
        scratch: &mut Scratch,
    ) -> Vec<Match> {
        self.tables.scan(&self.rules, (post, around), verdict, scratch)
    }

    /// Whether a rule asks what the posts around say, so that it matters what is known of them.
    pub fn asks_around(&self) -> bool {
        self.tables.asks_around
    }

    /// The rules in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn figures(&self) -> Figures {
        Figures { rules: self.rules.len(), literals: self.tables.literals.patterns.len(), bytes: self.tables.bytes() }
    }
}

/// What makes a query worth evaluating, each of it as a query would write it and as a query of its own. Nothing if it
/// is evaluated for every post.
pub fn triggers(query: &Query) -> Vec<(String, Node)> {
    program::triggers(query)
}

#[cfg(test)]
mod tests;
