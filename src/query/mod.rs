//! The query language: text to tree, and the naive evaluator that is the oracle of all others.
//! Unaware of automata and of where posts are kept.

pub mod forms;
mod marks;
pub mod naive;
mod parse;
mod tree;
mod write;

pub use marks::may_lack_marks;
pub use parse::parse;
pub use tree::{Literal, LiteralKind, Node, Query, QueryError, Rule, TERMS_MAX};
pub use write::write;
