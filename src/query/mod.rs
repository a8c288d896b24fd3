//! The query language: text to tree, and the naive evaluator that is the oracle of all others.
//! Unaware of automata and of where posts are kept.

mod around;
mod condition;
mod dialect;
pub mod forms;
mod home;
mod layout;
mod marks;
pub mod naive;
mod parse;
mod pragma;
mod sentence;
mod tree;
mod truth;
mod write;

pub use marks::may_lack_marks;
use parse::{bounds, cursor};
pub use sentence::sentence_starts;

pub use around::{Around, Said};
pub use condition::{Bounds, Condition, Has, Is};
pub use dialect::{Dialect, Imported, Remark, import};
pub use home::Home;
pub use layout::layout;
pub use parse::{QUERY_BYTES_MAX, comments, parse, parse_with};
pub use pragma::{Fold, Morph, Pragmas, Reading, Zone};
pub use tree::{
    Gap, Inflect, Keyword, Literal, LiteralKind, Node, Query, QueryError, Rule, STAR_CHARACTERS_MAX, Scope, Shared,
    Spans, TERMS_MAX,
};
pub use truth::Truth;
pub use write::write;
