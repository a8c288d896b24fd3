//! Search over stored mentions: the index narrows, the evaluator decides. And the thread that keeps the index up with
//! the store. Unaware of HTTP.

mod indexer;
mod preview;

use crate::index::{Filter, IndexError, MentionIndex};
use crate::matcher::{self, Matcher, Narrow, Scratch};
use crate::model::{AuthorStatus, Excerpt, Lang, PostId, Term, Timestamp};
use crate::query::{Around, Query, Rule, Said};
use crate::store::{MentionRow, MentionState, ReadError, Store};

pub use indexer::{Indexer, IndexerParts, document};
pub use preview::{Preview, PreviewRequest, Sample, SampleTerm, Side, preview};

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub struct SearchRequest {
    /// None finds every mention.
    pub query: Option<Query>,
    pub project: Option<String>,
    /// As `project/query`.
    pub saved_query: Option<String>,
    pub lang: Option<Lang>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub limit: usize,
}

/// One mention that was found.
#[derive(Clone, Debug)]
pub struct Found {
    pub id: PostId,
    pub row: MentionRow,
    /// Where the query's words are.
    pub terms: Vec<Term>,
}

/// Why a search gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Mentions that meet the request, newest first. Deleted ones, and those of hidden accounts, are not shown.
pub fn search(store: &Store, index: &MentionIndex, request: &SearchRequest) -> Result<Vec<Found>, SearchError> {
    let mut asked = request.query.clone().map(|tree| (Matcher::compile(vec![rule_of(tree)]), Scratch::default()));
    let mut found = Vec::new();
    for (_, id) in index.find(&filter_of(request))? {
        if found.len() >= request.limit {
            break;
        }
        let Some(row) = store.mention(id)? else { continue };
        if let Some(terms) = decide(store, request, asked.as_mut(), &row)? {
            found.push(Found { id, row, terms });
        }
    }
    Ok(found)
}

/// Whether a mention meets the request, by its present state.
fn decide(
    store: &Store,
    request: &SearchRequest,
    asked: Option<&mut (Matcher, Scratch)>,
    row: &MentionRow,
) -> Result<Option<Vec<Term>>, ReadError> {
    if row.state == MentionState::Deleted {
        return Ok(None);
    }
    let hidden = |account: crate::store::AccountRow| account.status != AuthorStatus::Active;
    if store.accounts(&[row.post.author.id])?.pop().flatten().is_some_and(hidden) {
        return Ok(None);
    }
    let matched = |found: &crate::model::Match| {
        request.project.as_ref().is_none_or(|project| *project == found.project)
            && request.saved_query.as_ref().is_none_or(|query| *query == format!("{}/{}", found.project, found.query))
    };
    let routed = (request.project.is_none() && request.saved_query.is_none()) || row.matches.iter().any(matched);
    let spoken = request.lang.is_none_or(|lang| row.verdict.satisfies(lang));
    let at = row.matched_at;
    let timely = request.since.is_none_or(|since| at >= since) && request.until.is_none_or(|until| at < until);
    if !routed || !spoken || !timely {
        return Ok(None);
    }
    let Some((matcher, scratch)) = asked else {
        return Ok(Some(row.matches.iter().flat_map(|found| found.terms.clone()).collect()));
    };
    let found = matcher.scan_among(&row.post, &around(row), &|| row.verdict, scratch).pop();
    Ok(found.map(|found| found.terms))
}

/// What was known of the posts around when the mention was decided.
fn around(row: &MentionRow) -> Around<'_> {
    fn said<'a>(excerpt: Option<&'a Excerpt>, otherwise: Said<'a>) -> Said<'a> {
        excerpt.map_or(otherwise, |excerpt| Said::Text(&excerpt.text))
    }
    let own = Around::of(&row.post);
    Around {
        parent: said(row.parent.as_ref(), own.parent),
        root: said(row.root.as_ref(), own.root),
        quoted: own.quoted,
    }
}

fn rule_of(tree: Query) -> Rule {
    Rule {
        project: String::new(),
        query: String::new(),
        version: 0,
        tags: Vec::new(),
        languages: Vec::new(),
        sources: Vec::new(),
        tree,
    }
}

fn filter_of(request: &SearchRequest) -> Filter {
    let mut parts = Vec::new();
    if let Some(query) = &request.query {
        parts.push(of_narrow(matcher::narrow(query)));
    }
    parts.extend(request.project.clone().map(Filter::Project));
    parts.extend(request.saved_query.clone().map(Filter::Query));
    parts.extend(request.lang.map(|lang| Filter::Lang(lang.code().to_owned())));
    if request.since.is_some() || request.until.is_some() {
        let from = request.since.unwrap_or(Timestamp::from_millis(i64::MIN));
        parts.push(Filter::Between(from, request.until.unwrap_or(Timestamp::from_millis(i64::MAX))));
    }
    Filter::All(parts)
}

fn of_narrow(narrow: Narrow) -> Filter {
    let all = |parts: Vec<Narrow>| parts.into_iter().map(of_narrow).collect();
    match narrow {
        Narrow::Any => Filter::Everything,
        Narrow::All(parts) => Filter::All(all(parts)),
        Narrow::OneOf(parts) => Filter::OneOf(all(parts)),
        Narrow::Token(token) => Filter::Token(token),
        Narrow::Prefix(prefix) => Filter::TokenPrefix(prefix),
        Narrow::Author(author) => Filter::Author(author),
        Narrow::Site(site) => Filter::Site(site),
        Narrow::Source(source) => Filter::Source(source),
        Narrow::Lang(lang) => Filter::Lang(lang.code().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::parse;

    #[test]
    fn languages_are_asked_of_the_index_too_but_not_those_excluded() {
        let filter = |query: &str, lang| {
            let query = Some(parse(query).unwrap());
            filter_of(&SearchRequest { query, lang, ..SearchRequest::default() })
        };
        let lang = |code: &str| Filter::Lang(code.to_owned());
        let site = || Filter::Site("a.cz".to_owned());
        assert_eq!(
            filter("site:a.cz lang:sk", Some(Lang::Cs)),
            Filter::All(vec![Filter::All(vec![site(), lang("sk")]), lang("cs")])
        );
        assert_eq!(filter("site:a.cz -lang:sk", None), Filter::All(vec![site()]));
    }
}
