//! All saved queries against one post: which match, and by which words.
//! Unaware of where posts come from, of how queries are written, and of what becomes of a match.

mod carried;
mod compile;
mod composed;
mod fold;
mod folded;
mod letters;
mod net;
mod pattern;
mod program;
mod scan;
mod scratch;
mod tokens;
mod verify;

pub use scratch::Scratch;
pub use tokens::{Narrow, TOKEN_BYTES_MAX, narrow, post_tokens, tokens};

use crate::model::{Match, Post, Verdict};
use crate::query::Rule;

use compile::Tables;

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
    pub automaton_bytes: usize,
}

impl Matcher {
    pub fn compile(rules: Vec<Rule>) -> Self {
        let tables = Tables::new(&rules);
        Self { rules, tables }
    }

    /// The rules that match `post`, in their order. `verdict` tells the post's language; it is asked for only if a rule
    /// depends on it.
    pub fn scan(&self, post: &Post, verdict: &dyn Fn() -> Verdict, scratch: &mut Scratch) -> Vec<Match> {
        self.tables.scan(&self.rules, post, verdict, scratch)
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    pub fn figures(&self) -> Figures {
        Figures {
            rules: self.rules.len(),
            literals: self.tables.patterns.len(),
            automaton_bytes: self.tables.triggers.bytes() + self.tables.others.bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
