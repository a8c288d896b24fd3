//! A tree as query text that parses to the same tree: one spelling for all that mean the same with the same keywords.
//! Unaware of how the query was written at first.

use std::collections::BTreeSet;

use super::{Node, Query, Rule};

/// The query as a text without comments, needless parentheses and spare white space. Each literal is written as its
/// keyword, so that parsing the text gives the same tree.
pub fn write(query: &Query) -> String {
    let mut writer = Writer { text: String::new(), field: None };
    writer.node(&query.root, Place::Root);
    writer.text
}

impl Rule {
    /// What decides whether the rule matches, as a text: the query, and the filters of its project where there are any.
    pub fn canonical_text(&self) -> String {
        let mut text = write(&self.tree);
        let languages: BTreeSet<&str> = self.languages.iter().map(|lang| lang.code()).collect();
        let sources: BTreeSet<&str> = self.sources.iter().map(String::as_str).collect();
        for (name, values) in [("languages", languages), ("sources", sources)] {
            if !values.is_empty() {
                let values: Vec<&str> = values.into_iter().collect();
                text.push_str(&format!("\n{name}: {}", values.join(" ")));
            }
        }
        text
    }
}

/// What a node is a part of.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    All,
    Any,
    Not,
}

struct Writer {
    text: String,
    /// The field, with its colon, whose group of values is open.
    field: Option<&'static str>,
}

impl Writer {
    fn node(&mut self, node: &Node, place: Place) {
        match node {
            Node::Literal(literal) => self.text.push_str(&literal.keyword),
            Node::Lang(lang) => self.value(node, lang.code()),
            Node::Source(value) | Node::Author(value) | Node::Site(value) => self.value(node, value),
            Node::All(parts) => {
                let is_enclosed = matches!(place, Place::All | Place::Not);
                self.group(node, is_enclosed, |writer| writer.parts(parts, " ", Place::All));
            }
            Node::Any(parts) => {
                // At the root a group of values is the shorter way to say it.
                let is_enclosed = place != Place::Root || field_of(node).is_some();
                self.group(node, is_enclosed, |writer| writer.parts(parts, " OR ", Place::Any));
            }
            Node::Not(part) => self.group(node, place == Place::Not, |writer| {
                writer.text.push('-');
                writer.node(part, Place::Not);
            }),
        }
    }

    /// In parentheses, and behind the name of a field if all in it are values of that.
    fn group(&mut self, node: &Node, is_enclosed: bool, inside: impl FnOnce(&mut Self)) {
        if !is_enclosed {
            return inside(self);
        }
        let outer = self.field;
        if outer.is_none() {
            self.field = field_of(node);
            self.text.push_str(self.field.unwrap_or_default());
        }
        self.text.push('(');
        inside(self);
        self.text.push(')');
        self.field = outer;
    }

    fn parts(&mut self, parts: &[Node], between: &str, place: Place) {
        for (nth, part) in parts.iter().enumerate() {
            if nth > 0 {
                self.text.push_str(between);
            }
            self.node(part, place);
        }
    }

    fn value(&mut self, node: &Node, value: &str) {
        if self.field.is_none() {
            self.text.push_str(field_of(node).unwrap_or_default());
        }
        let is_plain = value.starts_with(char::is_alphanumeric)
            && value.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '@'));
        // No value holds both a quotation mark and a brace: it was written between one of them.
        let (open, close) = match value {
            _ if is_plain => ("", ""),
            _ if value.contains('"') => ("{", "}"),
            _ => ("\"", "\""),
        };
        self.text.extend([open, value, close]);
    }
}

/// The field, with its colon, of which all leaves of a node are values.
fn field_of(node: &Node) -> Option<&'static str> {
    match node {
        Node::All(parts) | Node::Any(parts) => {
            let first = field_of(parts.first()?)?;
            parts.iter().all(|part| field_of(part) == Some(first)).then_some(first)
        }
        Node::Not(part) => field_of(part),
        Node::Literal(_) => None,
        Node::Lang(_) => Some("lang:"),
        Node::Source(_) => Some("source:"),
        Node::Author(_) => Some("author:"),
        Node::Site(_) => Some("site:"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Literal, parse};
    use super::*;
    use crate::model::Lang;

    fn canonical(text: &str) -> String {
        write(&parse(text).unwrap_or_else(|errors| panic!("{text}: {errors:?}")))
    }

    #[test]
    fn what_means_the_same_is_written_the_same() {
        let rows = [
            ("a AND b", "a b"),
            ("  a <<< why >>> (b) // because", "a b"),
            ("a NOT b OR c", "a -b OR c"),
            ("(a b) OR c", "a b OR c"),
            ("a (b OR c)", "a (b OR c)"),
            ("a (b c)", "a (b c)"),
            ("a NOT (b OR NOT (NOT c))", "a -(b OR -(-c))"),
            ("x site:(b.cz OR a.cz)", "x site:(b.cz OR a.cz)"),
            ("site:b.cz OR site:a.cz", "site:(b.cz OR a.cz)"),
            ("x (lang:cs OR lang:sk) -source:web", "x lang:(cs OR sk) -source:web"),
            ("site:a.cz (lang:cs OR source:web)", "site:a.cz (lang:cs OR source:web)"),
            ("author:( @Ann OR \"Bob B\" OR {c\"d} OR -x )", "author:(ann OR \"bob b\" OR {c\"d} OR -x)"),
            ("author:-x", "author:\"-x\""),
            (
                "=Slovo {B  c} ++\"}\" \"d,  e?\" Voda* #Tag @Name 🎉",
                "=Slovo {B  c} ++\"}\" \"d,  e?\" Voda* #Tag @Name 🎉",
            ),
        ];
        for (text, expected) in rows {
            if text.starts_with("author:(") {
                let read = parse(&format!("y {text}")).map(|query| write(&query));
                assert_eq!(read.as_deref(), Ok(format!("y {expected}").as_str()), "{text}");
                continue;
            }
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn the_filters_of_a_project_are_part_of_what_a_rule_is() {
        let rule = |languages: &[Lang], sources: &[&str]| Rule {
            project: "p".to_owned(),
            query: "q".to_owned(),
            version: 1,
            tags: vec!["t".to_owned()],
            languages: languages.to_vec(),
            sources: sources.iter().map(|&source| source.to_owned()).collect(),
            tree: parse("a OR b").unwrap(),
        };
        assert_eq!(rule(&[], &[]).canonical_text(), "a OR b");
        let text = "a OR b\nlanguages: cs sk\nsources: feeds jet";
        assert_eq!(rule(&[Lang::Sk, Lang::Cs], &["jet", "feeds"]).canonical_text(), text);
        assert_eq!(rule(&[Lang::Cs, Lang::Sk, Lang::Cs], &["feeds", "jet"]).canonical_text(), text);
    }

    fn literal(keyword: &str) -> Node {
        match parse(keyword).expect("a term").root {
            Node::Literal(Literal { kind, text, keyword }) => Node::Literal(Literal { kind, text, keyword }),
            other => panic!("{other:?}"),
        }
    }

    fn tree() -> impl Strategy<Value = Node> {
        let keywords = [
            "a",
            "=or",
            "C++",
            "AT&T",
            "Yahoo!",
            "“b c”",
            "\"who, is it?\"",
            "{(x) OR}",
            "++\"{y}\"",
            "voda*",
            "東*",
            "#tag",
            "@alice.bsky",
            "👨‍👩‍👧",
            "1️⃣",
            "€",
            "or",
            "use",
            "Vodafone™",
            "l'or",
            "{ spaced }",
        ];
        let values =
            ["alice", "bob b", "did:plc:a", "c\"d", "-x", "//y", "<<<", "or", "*", "[1 to 2]", "(e)", "}", "“f”"];
        let leaf = prop_oneof![
            6 => proptest::sample::select(keywords.to_vec()).prop_map(literal),
            1 => proptest::sample::select(Lang::ALL.to_vec()).prop_map(Node::Lang),
            1 => proptest::sample::select(values.to_vec()).prop_map(|value| Node::Source(value.to_owned())),
            1 => proptest::sample::select(values.to_vec()).prop_map(|value| Node::Author(value.to_owned())),
            1 => proptest::sample::select(vec!["a.cz", "xn--mller-kva.de"]).prop_map(|host| Node::Site(host.to_owned())),
        ];
        leaf.prop_recursive(5, 40, 4, |part| {
            prop_oneof![
                proptest::collection::vec(part.clone(), 2..4).prop_map(Node::All),
                proptest::collection::vec(part.clone(), 2..4).prop_map(Node::Any),
                part.prop_map(|part| Node::Not(Box::new(part))),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_tree_that_is_written_parses_to_itself(root in tree()) {
            let anchored = Node::All(vec![literal("anchor"), root.clone()]);
            // By itself too, where it has an anchor of its own.
            for root in [anchored, root] {
                let query = Query { root, lints: Vec::new() };
                let text = write(&query);
                match parse(&text) {
                    Ok(read) => prop_assert_eq!(read.root, query.root, "{}", text),
                    Err(errors) => prop_assert!(errors[0].code == "no_anchor", "{}: {:?}", text, errors),
                }
            }
        }
    }
}
