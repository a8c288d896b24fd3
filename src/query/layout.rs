//! A query as a person would lay it out: on one line if it fits, else each part of a group on a line of its own.
//! Unaware of comments.

use super::write::{pragmas_of, write_node};
use super::{Node, Query};

/// Characters of a line, if a part of the query is not longer by itself.
const LINE_CHARS_MAX: usize = 100;
const INDENT: usize = 4;

/// The query's text in lines. Parsing it gives the same tree.
pub fn layout(query: &Query) -> String {
    let pragmas = pragmas_of(query);
    let head = if pragmas.is_empty() { String::new() } else { format!("{}\n", pragmas.trim_end()) };
    let whole = write_node(&query.root);
    match fits(&whole, 0) {
        true => format!("{pragmas}{whole}"),
        false => head + &lines(&query.root, 0),
    }
}

fn fits(text: &str, indent: usize) -> bool {
    indent + text.chars().count() <= LINE_CHARS_MAX
}

/// A node whose first line begins at a column, without the parentheses that may stand around it.
fn lines(node: &Node, column: usize) -> String {
    let (parts, operator) = match node {
        Node::All(parts) => (parts, "AND"),
        Node::Any(parts) => (parts, "OR"),
        node => return enclosed(node, column),
    };
    let separator = format!("\n{}{operator} ", " ".repeat(column));
    let part = |part: &Node| enclosed(part, column);
    parts.iter().map(part).collect::<Vec<_>>().join(&separator)
}

/// A node as a part of another.
fn enclosed(node: &Node, column: usize) -> String {
    let text = match node {
        Node::All(_) | Node::Any(_) => format!("({})", write_node(node)),
        node => write_node(node),
    };
    if fits(&text, column + INDENT) {
        return text;
    }
    match node {
        Node::All(_) | Node::Any(_) => {
            let inner = column + INDENT;
            format!("(\n{}{}\n{})", " ".repeat(inner), lines(node, inner), " ".repeat(column))
        }
        Node::Not(part) => format!("NOT {}", enclosed(part, column)),
        Node::In(scope, part) if matches!(**part, Node::All(_) | Node::Any(_)) => {
            format!("{}:{}", scope.name(), enclosed(part, column))
        }
        _ => text,
    }
}
