//! Projects over the API: the same TOML as the files, checked whole, written through.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::keeper::ChangeError;
use crate::projects::ProjectText;

use super::Services;
use super::answer::Problem;

/// A project in force.
#[derive(Serialize, JsonSchema)]
pub struct ProjectSummary {
    pub slug: String,
    pub title: String,
    pub time_zone: String,
    pub languages: Vec<String>,
    pub sources: Vec<String>,
    pub endpoints: Vec<String>,
    pub tags: Vec<String>,
    pub queries: Vec<QuerySummary>,
}

#[derive(Serialize, JsonSchema)]
pub struct QuerySummary {
    pub slug: String,
    pub version: u32,
    pub text: String,
    pub tags: Vec<String>,
}

pub(super) async fn list(State(services): State<Arc<Services>>) -> Json<Vec<ProjectSummary>> {
    let set = services.keeper.set();
    let summaries = set.projects.values().map(|project| ProjectSummary {
        slug: project.slug.clone(),
        title: project.title.clone(),
        time_zone: project.time_zone.clone(),
        languages: project.languages.iter().map(|lang| lang.code().to_owned()).collect(),
        sources: project.sources.clone(),
        endpoints: project.endpoints.clone(),
        tags: project.tags.clone(),
        queries: project
            .queries
            .iter()
            .map(|query| {
                let rule = set.rules.iter().find(|rule| rule.project == project.slug && rule.query == query.slug);
                QuerySummary {
                    slug: query.slug.clone(),
                    version: rule.map_or(1, |rule| rule.version),
                    text: query.text.clone(),
                    tags: query.tags.clone(),
                }
            })
            .collect(),
    });
    Json(summaries.collect())
}

/// The project's TOML, as it was saved.
pub(super) async fn get(State(services): State<Arc<Services>>, Path(slug): Path<String>) -> Result<Response, Problem> {
    let set = services.keeper.set();
    let found = set.texts.iter().find(|text| text.slug == slug);
    let text = found.ok_or_else(|| Problem::missing(format!("there is no project `{slug}`")))?;
    Ok(([(header::CONTENT_TYPE, "application/toml")], text.text.clone()).into_response())
}

/// Saves a project. It is live at the next batch.
pub(super) async fn put(
    State(services): State<Arc<Services>>,
    Path(slug): Path<String>,
    text: String,
) -> Result<StatusCode, Problem> {
    services.keeper.save(ProjectText { slug, text }).await.map_err(|cause| refuse(&cause))?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Path(slug): Path<String>,
) -> Result<StatusCode, Problem> {
    services.keeper.remove(&slug).await.map_err(|cause| refuse(&cause))?;
    Ok(StatusCode::NO_CONTENT)
}

fn refuse(cause: &ChangeError) -> Problem {
    match cause {
        ChangeError::Invalid(errors) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the projects would not be valid; nothing was changed")
                .errors(errors.iter().map(ToString::to_string).collect())
        }
        ChangeError::Unknown(_) => Problem::missing(cause.to_string()),
        ChangeError::Stopping => Problem::stopping(),
        ChangeError::Directory { .. } | ChangeError::Read(_) => Problem::internal(cause),
    }
}
