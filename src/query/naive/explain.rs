//! Why a query matches a post, or why not: the tree as it was evaluated, and for what was not found the nearest miss.

use serde::Serialize;

use crate::model::{Lang, Post, Term, Verdict};

use super::super::write::write_node;
use super::super::{Fold, Gap};
use super::*;

/// A part of a query, evaluated over one post.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    /// The part as a query would write it.
    pub query: String,
    pub truth: Truth,
    /// Where it was found; nothing for what is under a NOT.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<Term>,
    /// What was nearly found, or what the post says instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Explained>,
}

/// A rule evaluated over a post, part by part. The filters of its project are parts too.
pub fn explain(rule: &Rule, post: &Post, around: &Around<'_>, verdict: &dyn Fn() -> Verdict) -> Explained {
    let listed = listed(&post.hashtags);
    let texts = texts(post, around, &listed);
    let evaluation = Evaluation { post, around, texts, ask: verdict, verdict: OnceCell::new() };
    let query = evaluation.explained(&rule.tree.root, None);
    let mut filters = Vec::new();
    if !rule.languages.is_empty() {
        let is_met = rule.languages.iter().any(|&lang| evaluation.verdict().satisfies(lang));
        let langs: Vec<&str> = rule.languages.iter().map(|lang| lang.code()).collect();
        filters.push(filter(format!("languages = {}", langs.join(" ")), is_met, told_language(evaluation.verdict())));
    }
    if !rule.sources.is_empty() {
        let is_met = rule.sources.iter().any(|source| **source == *post.source);
        let note = format!("it came from `{}`", post.source);
        filters.push(filter(format!("sources = {}", rule.sources.join(" ")), is_met, note));
    }
    if filters.is_empty() {
        return query;
    }
    filters.insert(0, query);
    let truth = Truth::all(filters.iter().map(|part| part.truth));
    Explained {
        query: "the query, and the filters of its project".to_owned(),
        truth,
        terms: Vec::new(),
        note: None,
        parts: filters,
    }
}

fn filter(query: String, is_met: bool, note: String) -> Explained {
    Explained { query, truth: is_met.into(), terms: Vec::new(), note: Some(note), parts: Vec::new() }
}

impl Evaluation<'_> {
    fn explained(&self, node: &Node, scope: Option<Scope>) -> Explained {
        let truth = self.holds(node, scope);
        let parts = match node {
            Node::All(parts) | Node::Any(parts) | Node::AtLeast(_, parts) => {
                parts.iter().map(|part| self.explained(part, scope)).collect()
            }
            Node::Not(part) => vec![self.explained(part, scope)],
            Node::In(scope, part) => vec![self.explained(part, Some(*scope))],
            Node::Found(_) | Node::Count { .. } | Node::Field(_) => Vec::new(),
        };
        let mut terms = Vec::new();
        if parts.is_empty() && truth.is_yes() {
            self.tell(node, scope, &mut terms);
            terms.sort_by_key(|term| (term.field, term.span));
            terms.truncate(TERMS_MAX);
        }
        let note = match (node, truth) {
            (Node::Found(_) | Node::Count { .. }, Truth::Unknown) => Some("what this asks of is not known".to_owned()),
            (Node::Found(found), Truth::No) => self.nearest_miss(found, scope),
            (Node::Count { of, .. }, _) => Some(format!("it stands there {} times", self.times(of, scope))),
            (Node::Field(condition), _) => self.said(condition, truth),
            (Node::AtLeast(least, parts), _) => {
                let held = parts.iter().filter(|part| self.holds(part, scope).is_yes()).count();
                Some(format!("{held} hold, {least} are asked for"))
            }
            _ => None,
        };
        Explained { query: write_node(node), truth, terms, note, parts }
    }

    /// What a post says of a field.
    fn said(&self, condition: &Condition, truth: Truth) -> Option<String> {
        if truth == Truth::Unknown {
            return Some(format!("the post does not tell its `{}:`", condition.field()));
        }
        let post = self.post;
        let told = match condition {
            Condition::Lang(_) => told_language(self.verdict()),
            Condition::Source(_) => format!("it came from `{}`, of the network `{}`", post.source, post.network),
            Condition::Author(_) => {
                let handle = post.author.handle.as_deref().unwrap_or("no handle");
                format!("the author is {handle}, {}", post.author.native_id)
            }
            Condition::Site(_) | Condition::Domain(_) | Condition::Tld(_) => format!("the site is {}", post.site),
            Condition::Board(_) => format!("the board is {}", post.board.as_deref().unwrap_or_default()),
            Condition::SourceType(_) => format!("the source is of type {}", post.source_type.name()),
            Condition::Is(_) => format!("the post is a {}", post.kind.name()),
            Condition::Thread(_) => format!("the thread is {}", post.thread.id),
            Condition::Mentions(_) => format!("it came with {} names", post.mentions.len()),
            Condition::Words(_) => {
                let fields = self.texts(None).filter(|searched| searched.field.is_some());
                format!("it has {} words", fields.map(|searched| halves(&searched.text)).sum::<usize>().div_ceil(2))
            }
            Condition::Hour { .. } | Condition::Weekday { .. } => {
                format!("it was published at {}", post.published_at.map(|at| at.to_string()).unwrap_or_default())
            }
            Condition::Url(_)
            | Condition::ParentId(_)
            | Condition::Has(_)
            | Condition::Sample(_)
            | Condition::Unfilled { .. } => return None,
        };
        Some(told)
    }

    /// What keeps something from being found, if it is nearly there.
    fn nearest_miss(&self, found: &Spans, scope: Option<Scope>) -> Option<String> {
        match found {
            Spans::Keyword(keyword) => keyword.literals.iter().find_map(|literal| self.miss_of(literal, scope)),
            Spans::Any(parts) => parts.iter().find_map(|part| self.nearest_miss(part, scope)),
            Spans::Chain { parts, gaps } => {
                let missing = parts.iter().find(|part| !self.is_found(part, scope));
                if let Some(missing) = missing {
                    let near = self.nearest_miss(missing, scope).map(|miss| format!(": {miss}")).unwrap_or_default();
                    return Some(format!("`{}` is not there{near}", write_node(&Node::Found(missing.clone()))));
                }
                parts.windows(2).zip(gaps).find_map(|(pair, gap)| self.miss_of_pair(&pair[0], &pair[1], *gap, scope))
            }
            Spans::Apart { of, from, .. } => Some(match self.is_found(of, scope) {
                true => format!("each has `{}` near it", write_node(&Node::Found((**from).clone()))),
                false => format!("`{}` is not there", write_node(&Node::Found((**of).clone()))),
            }),
            Spans::Window { parts, .. } => Some(
                parts
                    .iter()
                    .find(|keyword| !self.is_found(&Spans::Keyword((*keyword).clone()), scope))
                    .map_or("all words are there, further apart".to_owned(), |missing| {
                        format!("{} is not there", missing.text)
                    }),
            ),
        }
    }

    /// How far apart two parts of a chain are at least.
    fn miss_of_pair(&self, left: &Spans, right: &Spans, gap: Gap, scope: Option<Scope>) -> Option<String> {
        let names = |found: &Spans| write_node(&Node::Found(found.clone()));
        let is_near = |searched: &Searched<'_>, gap: Gap| {
            let chain = Spans::Chain { parts: vec![left.clone(), right.clone()], gaps: vec![gap] };
            !self.near(searched, |field| field.spans(&chain)).is_empty()
        };
        if self.texts(scope).any(|searched| is_near(searched, gap)) {
            return None;
        }
        let (tokens, operator) = match gap {
            Gap::Sentence => {
                return Some(format!("`{}` and `{}` stand in no sentence together", names(left), names(right)));
            }
            Gap::Near(tokens) => (tokens, "NEAR"),
            Gap::Ordered(tokens) => (tokens, "ONEAR"),
        };
        if matches!(gap, Gap::Ordered(_)) && self.texts(scope).any(|searched| is_near(searched, Gap::Near(tokens))) {
            return Some(format!("`{}` and `{}` are near, in the other order", names(left), names(right)));
        }
        let distance = (tokens + 1..=WORDS_TOLD_MAX).find(|tokens| {
            let wider = if operator == "NEAR" { Gap::Near(*tokens) } else { Gap::Ordered(*tokens) };
            self.texts(scope).any(|searched| is_near(searched, wider))
        });
        Some(match distance {
            Some(words) => format!(
                "`{}` and `{}` are {words} words apart, {operator}/{tokens} is asked for",
                names(left),
                names(right)
            ),
            None => format!(
                "`{}` and `{}` stand in no text together, or further apart than {WORDS_TOLD_MAX} words",
                names(left),
                names(right)
            ),
        })
    }

    fn miss_of(&self, literal: &Literal, scope: Option<Scope>) -> Option<String> {
        let with = |kind: LiteralKind, fold: Fold| Literal {
            kind,
            text: literal.text.clone(),
            reading: crate::query::Reading { fold, ..literal.reading },
        };
        let place = |literal: &Literal| {
            self.texts(scope).find_map(|searched| {
                let found = places(literal, &searched.text, Marks::Mandatory).into_iter().next()?;
                Some(searched.text.text[found].to_owned())
            })
        };
        if literal.kind == LiteralKind::Exact
            && let Some(found) = place(&with(LiteralKind::Phrase, Fold::All))
        {
            return Some(format!("`{found}` is there: the braces ask for exactly these characters"));
        }
        if !matches!(literal.kind, LiteralKind::Word | LiteralKind::Phrase | LiteralKind::Prefix) {
            return None;
        }
        if let Some(found) = place(&with(literal.kind, Fold::All)) {
            return Some(format!("`{found}` is there: a mark that is typed must be there"));
        }
        if literal.kind == LiteralKind::Word {
            let inside =
                Literal { kind: LiteralKind::Wildcard, text: format!("*{}*", literal.text), reading: literal.reading };
            if let Some(found) = place(&inside) {
                return Some(format!(
                    "`{found}` is there: it is another word; `{}*` finds words that begin so",
                    literal.text
                ));
            }
            let slip = with(LiteralKind::Fuzzy(1), Fold::All);
            if literal.text.chars().count() >= SLIP_LETTERS_MIN
                && let Some(found) = place(&slip)
            {
                return Some(format!("`{found}` is there, one letter off: fuzzy({},1) would find it", literal.text));
            }
        }
        None
    }
}

/// How far apart words are told to be.
const WORDS_TOLD_MAX: u32 = 60;
/// Shorter words are one letter away from too many others.
const SLIP_LETTERS_MIN: usize = 4;

fn told_language(verdict: &Verdict) -> String {
    let name = |lang: Lang| lang.code();
    match verdict.best {
        None => "the post is in no language that is known".to_owned(),
        Some((best, _)) if verdict.certain => format!("the post is certainly in {}", name(best)),
        Some((best, probability)) => {
            let second = verdict.second.map(|second| format!(" or {}", name(second))).unwrap_or_default();
            format!("the post is perhaps in {}{second} ({probability:.2})", name(best))
        }
    }
}
