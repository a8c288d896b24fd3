//! Mentions over the API: search with our query language, and one mention by its id.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{AuthorStatus, Lang, PostId, Term, Timestamp};
use crate::query;
use crate::search::{SearchRequest, search};
use crate::store::{MentionRow, MentionState};

use super::Services;
use super::answer::Problem;

const LIMIT_DEFAULT: usize = 50;
const LIMIT_MAX: usize = 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MentionsQuery {
    /// In the query language; without one every mention is found.
    pub query: Option<String>,
    pub project: Option<String>,
    /// As `project/query`.
    pub saved_query: Option<String>,
    pub lang: Option<String>,
    /// RFC 3339; mentions matched at or after it.
    pub since: Option<String>,
    /// RFC 3339; mentions matched before it.
    pub until: Option<String>,
    /// 1 to 1000, 50 by default.
    pub limit: Option<usize>,
}

/// A stored mention as it stands.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct MentionSummary {
    pub id: String,
    pub revision: u32,
    pub state: String,
    pub network: String,
    pub site: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    pub thread_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// RFC 3339.
    pub matched_at: String,
    /// As `project/query`.
    pub queries: Vec<String>,
    /// Where the words are that were looked for, in bytes of the field.
    pub terms: Vec<TermSummary>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct TermSummary {
    pub keyword: String,
    pub field: String,
    pub start_byte: u32,
    pub end_byte: u32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Mentions {
    pub mentions: Vec<MentionSummary>,
}

pub(super) async fn find(
    State(services): State<Arc<Services>>,
    Query(asked): Query<MentionsQuery>,
) -> Result<Json<Mentions>, Problem> {
    let request = request_of(asked)?;
    let found = tokio::task::spawn_blocking(move || search(&services.store, services.indexer.index(), &request))
        .await
        .map_err(|cause| Problem::internal(&cause))?
        .map_err(|cause| Problem::internal(&cause))?;
    let mentions = found.into_iter().map(|found| summary(found.id, &found.row, &found.terms)).collect();
    Ok(Json(Mentions { mentions }))
}

pub(super) async fn get(
    State(services): State<Arc<Services>>,
    Path(id): Path<String>,
) -> Result<Json<MentionSummary>, Problem> {
    let id: PostId = id.parse().map_err(|cause| Problem::bad(format!("`{id}` is no mention's id: {cause}")))?;
    let row = services.store.mention(id).map_err(|cause| Problem::internal(&cause))?;
    let row = row.ok_or_else(|| Problem::missing(format!("there is no mention {id}")))?;
    let account =
        services.store.accounts(&[row.post.author.id]).map_err(|cause| Problem::internal(&cause))?.pop().flatten();
    if account.is_some_and(|account| account.status != AuthorStatus::Active) {
        return Err(Problem::missing(format!("the account behind mention {id} is hidden or gone")));
    }
    let terms: Vec<Term> = row.matches.iter().flat_map(|found| found.terms.clone()).collect();
    Ok(Json(summary(id, &row, &terms)))
}

fn request_of(asked: MentionsQuery) -> Result<SearchRequest, Problem> {
    let query = asked.query.filter(|text| !text.trim().is_empty()).map(|text| {
        query::parse(&text).map_err(|errors| {
            let lines = errors
                .iter()
                .map(|error| format!("{}..{}: {} [{}]", error.span.start, error.span.end, error.message, error.code));
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the query is not valid").errors(lines.collect())
        })
    });
    let lang =
        asked.lang.map(|code| Lang::parse(&code).ok_or_else(|| Problem::bad(format!("lang `{code}` is not known"))));
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::bad(format!("limit is {limit}; it is a number from 1 to {LIMIT_MAX}")));
    }
    Ok(SearchRequest {
        query: query.transpose()?,
        project: asked.project,
        saved_query: asked.saved_query,
        lang: lang.transpose()?,
        since: time("since", asked.since)?,
        until: time("until", asked.until)?,
        limit,
    })
}

pub(super) fn time(name: &str, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    let parse = |text: String| {
        text.parse()
            .map_err(|cause| Problem::bad(format!("{name}: `{text}` is not a time as 2026-11-25T10:00:00Z: {cause}")))
    };
    text.map(parse).transpose()
}

fn summary(id: PostId, row: &MentionRow, terms: &[Term]) -> MentionSummary {
    let post = &row.post;
    MentionSummary {
        id: id.to_string(),
        revision: row.revision,
        state: match row.state {
            MentionState::Live => "live".to_owned(),
            MentionState::Deleted => "deleted".to_owned(),
        },
        network: post.network.to_string(),
        site: post.site.to_string(),
        url: post.url.clone(),
        thread_id: post.thread.id.to_string(),
        author: post
            .author
            .handle
            .clone()
            .or_else(|| post.author.name.clone())
            .or_else(|| Some(post.author.native_id.clone())),
        title: post.title.clone(),
        text: post.text.clone(),
        lang: row.verdict.best.map(|(lang, _)| lang.code().to_owned()),
        matched_at: row.matched_at.to_string(),
        queries: row.matches.iter().map(|found| format!("{}/{}", found.project, found.query)).collect(),
        terms: terms
            .iter()
            .map(|term| TermSummary {
                keyword: term.keyword.clone(),
                field: term.field.name().to_owned(),
                start_byte: term.span.start,
                end_byte: term.span.end,
            })
            .collect(),
    }
}
