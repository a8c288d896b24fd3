//! Queries over the API: what the parser says of one, why it matches a stored post, and what it catches among the
//! stored posts before it is saved.

use std::io::Error;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::model::{AuthorStatus, Lang, PostId};
use crate::query::naive::explain;
use crate::query::{self, Around, Home, Query, QueryError, Rule};
use crate::search::{Preview, PreviewRequest, preview};

use super::Services;
use super::answer::Problem;
use super::mentions::time;

/// Lines of a preview that wait for whoever asked.
const LINES_WAITING_MAX: usize = 4;
const SAMPLES_DEFAULT: usize = 10;
const SAMPLES_MAX: usize = 100;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// In the query language.
    pub text: String,
}

/// What the parser says of a query.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    pub valid: bool,
    /// Mistakes, or remarks that do not stop a save.
    pub remarks: Vec<Remark>,
    /// The one spelling of all queries that mean the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canonical: Option<String>,
    /// In lines, as `earful query fmt` writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub laid_out: Option<String>,
    /// The tree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tree: Option<Value>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Remark {
    /// Stable, for programs.
    pub code: String,
    /// Bytes of the text.
    pub start_byte: usize,
    pub end_byte: usize,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WhyRequest {
    pub text: String,
    /// Whose forms bare words have: codes as `cs`.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Of a stored post.
    pub post_id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewBody {
    pub text: String,
    /// The query as it was, to hear what is gained and lost.
    pub old: Option<String>,
    /// Only posts in these languages, whose forms bare words have.
    #[serde(default)]
    pub languages: Vec<String>,
    /// RFC 3339.
    pub since: Option<String>,
    pub until: Option<String>,
    /// 0 to 100, 10 by default.
    pub samples: Option<usize>,
}

pub(super) async fn check(Json(asked): Json<CheckRequest>) -> Json<Checked> {
    Json(match query::parse(&asked.text) {
        Ok(read) => Checked {
            valid: true,
            remarks: remarks(&read.lints),
            canonical: Some(query::write(&read)),
            laid_out: Some(query::layout(&read)),
            tree: serde_json::to_value(&read).ok(),
        },
        Err(errors) => Checked { valid: false, remarks: remarks(&errors), canonical: None, laid_out: None, tree: None },
    })
}

fn remarks(errors: &[QueryError]) -> Vec<Remark> {
    let remark = |error: &QueryError| Remark {
        code: error.code.to_owned(),
        start_byte: error.span.start,
        end_byte: error.span.end,
        message: error.message.clone(),
        suggestion: error.suggestion.clone(),
    };
    errors.iter().map(remark).collect()
}

pub(super) async fn why(
    State(services): State<Arc<Services>>,
    Json(asked): Json<WhyRequest>,
) -> Result<Json<Value>, Problem> {
    let languages = languages(&asked.languages)?;
    let tree = read("text", &asked.text, &languages)?;
    let id: PostId =
        asked.post_id.parse().map_err(|cause| Problem::bad(format!("`{}` is no post's id: {cause}", asked.post_id)))?;
    let missing = || Problem::missing(format!("there is no post {id}"));
    let post = services.store.post_by_id(id).map_err(|cause| Problem::internal(&cause))?.ok_or_else(missing)?;
    let account = services.store.accounts(&[post.author.id]).map_err(|cause| Problem::internal(&cause))?;
    if account.into_iter().flatten().any(|account| account.status != AuthorStatus::Active) {
        return Err(missing());
    }
    let rule = Rule {
        project: String::new(),
        query: String::new(),
        version: 0,
        tags: Vec::new(),
        languages,
        sources: Vec::new(),
        tree,
    };
    let verdict = || crate::language::detect(post.language_text(), &post.langs);
    let explained = explain(&rule, &post, &Around::of(&post), &verdict);
    serde_json::to_value(explained).map(Json).map_err(|cause| Problem::internal(&cause))
}

/// Answers in lines of JSON: each is what was found up to there, the last one is whole. Ends when nobody listens.
pub(super) async fn preview_stored(
    State(services): State<Arc<Services>>,
    Json(asked): Json<PreviewBody>,
) -> Result<Response, Problem> {
    let request = preview_request(asked)?;
    let (lines, waiting) = mpsc::channel::<Result<Bytes, Error>>(LINES_WAITING_MAX);
    tokio::task::spawn_blocking(move || {
        let mut told = |found: &Preview| match lines.blocking_send(line(found)) {
            Ok(()) if !services.stop.is_cancelled() => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        match preview(&services.store, &request, &mut told) {
            // Nothing is stored: nothing was told.
            Ok(found) if found.posts_total == 0 => drop(lines.blocking_send(line(&found))),
            Ok(_) => {}
            Err(cause) => drop(lines.blocking_send(Err(Error::other(cause.to_string())))),
        }
    });
    let body = Body::from_stream(stream::unfold(waiting, |mut waiting| async move {
        waiting.recv().await.map(|line| (line, waiting))
    }));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

fn line(found: &Preview) -> Result<Bytes, Error> {
    let mut line = serde_json::to_vec(found).map_err(Error::other)?;
    line.push(b'\n');
    Ok(Bytes::from(line))
}

fn preview_request(asked: PreviewBody) -> Result<PreviewRequest, Problem> {
    let languages = languages(&asked.languages)?;
    let samples_max = asked.samples.unwrap_or(SAMPLES_DEFAULT);
    if samples_max > SAMPLES_MAX {
        return Err(Problem::bad(format!("samples is {samples_max}; it is a number from 0 to {SAMPLES_MAX}")));
    }
    Ok(PreviewRequest {
        query: read("text", &asked.text, &languages)?,
        old: asked.old.map(|old| read("old", &old, &languages)).transpose()?,
        since: time("since", asked.since)?,
        until: time("until", asked.until)?,
        languages,
        samples_max,
    })
}

fn languages(codes: &[String]) -> Result<Vec<Lang>, Problem> {
    let read = |code: &String| {
        Lang::parse(code)
            .ok_or_else(|| Problem::bad(format!("languages: `{code}` is not a language that Earful detects")))
    };
    codes.iter().map(read).collect()
}

fn read(key: &str, text: &str, languages: &[Lang]) -> Result<Query, Problem> {
    let home = Home { langs: languages.to_vec(), ..Home::default() };
    query::parse(text).map(|read| read.at(&home)).map_err(|errors| {
        let lines = errors
            .iter()
            .map(|error| format!("{key} {}..{}: {} [{}]", error.span.start, error.span.end, error.message, error.code));
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the query is not valid").errors(lines.collect())
    })
}
