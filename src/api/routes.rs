//! The one table of routes: the server and the OpenAPI document are both made from it.

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{MethodRouter, delete, get, post, put};
use axum::{Router, middleware};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::normalize::push::PushedPost;
use crate::search::Preview;

use super::answer::Problem;
use super::{Services, deliveries, health, mentions, openapi, posts, projects, queries, server, status};

/// Bytes of a request that carries no posts.
const REQUEST_BYTES_MAX: usize = 8 << 20;

/// Who may call a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Anyone who can connect.
    Open,
    /// The bearer of a push source's token; checked by the handler.
    Push,
    /// The bearer of the API's token; over the unix socket nobody is asked.
    Token,
    /// Only over the unix socket: it writes files on the daemon's machine.
    Socket,
}

/// One route, as it is served and as it is described.
pub(super) struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub access: Access,
    pub summary: &'static str,
    pub request: Option<Content>,
    pub response: Option<Content>,
    /// Query parameters.
    pub parameters: Option<SchemaOf>,
    pub success: StatusCode,
    handler: fn() -> MethodRouter<Arc<Services>>,
}

/// A media type with its schema.
#[derive(Clone, Copy)]
pub(super) struct Content {
    pub media_type: &'static str,
    pub schema: SchemaOf,
}

pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn json<T: JsonSchema>() -> Option<Content> {
    Some(Content { media_type: "application/json", schema: |generator| generator.subschema_for::<T>() })
}

fn content<T: JsonSchema>(media_type: &'static str) -> Option<Content> {
    Some(Content { media_type, schema: |generator| generator.subschema_for::<T>() })
}

fn route(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    handler: fn() -> MethodRouter<Arc<Services>>,
) -> Route {
    Route {
        method,
        path,
        access: Access::Token,
        summary,
        request: None,
        response: None,
        parameters: None,
        success: StatusCode::OK,
        handler,
    }
}

impl Route {
    fn access(self, access: Access) -> Self {
        Self { access, ..self }
    }

    fn takes(self, request: Option<Content>) -> Self {
        Self { request, ..self }
    }

    fn gives(self, response: Option<Content>) -> Self {
        Self { response, ..self }
    }

    fn asks<T: JsonSchema>(self) -> Self {
        Self { parameters: Some(|generator| generator.root_schema_for::<T>()), ..self }
    }

    fn no_content(self) -> Self {
        Self { success: StatusCode::NO_CONTENT, ..self }
    }
}

/// Every route.
pub(super) fn routes() -> Vec<Route> {
    vec![
        route("post", "/v1/posts", "Push posts; answered once they are durable", || post(posts::push))
            .access(Access::Push)
            .takes(content::<PushedPost>("application/x-ndjson"))
            .gives(json::<posts::Pushed>()),
        route("get", "/v1/projects", "The projects in force", || get(projects::list))
            .gives(json::<Vec<projects::ProjectSummary>>()),
        route("get", "/v1/projects/{slug}", "A project as TOML", || get(projects::get))
            .gives(content::<String>("application/toml")),
        route("put", "/v1/projects/{slug}", "Save a project; it is live at the next batch", || put(projects::put))
            .takes(content::<String>("application/toml"))
            .no_content(),
        route("delete", "/v1/projects/{slug}", "Remove a project", || delete(projects::delete)).no_content(),
        route("post", "/v1/query/check", "What the parser says of a query", || post(queries::check))
            .takes(json::<queries::CheckRequest>())
            .gives(json::<queries::Checked>()),
        route("post", "/v1/query/why", "Why a query matches a stored post, or why not", || post(queries::why))
            .takes(json::<queries::WhyRequest>())
            .gives(json::<serde_json::Value>()),
        route("post", "/v1/query/preview", "What a query catches among the stored posts, in lines of JSON", || {
            post(queries::preview_stored)
        })
        .takes(json::<queries::PreviewBody>())
        .gives(content::<Preview>("application/x-ndjson")),
        route("get", "/v1/mentions", "Search stored mentions, newest first", || get(mentions::find))
            .asks::<mentions::MentionsQuery>()
            .gives(json::<mentions::Mentions>()),
        route("get", "/v1/mentions/{id}", "A mention as it stands", || get(mentions::get))
            .gives(json::<mentions::MentionSummary>()),
        route("get", "/v1/deliveries", "Deliveries that wait or were given up", || get(deliveries::list))
            .asks::<deliveries::DeliveriesQuery>()
            .gives(json::<deliveries::Deliveries>()),
        route("get", "/v1/deliveries/{id}", "A delivery with its body", || get(deliveries::show))
            .gives(json::<deliveries::DeliverySummary>()),
        route("post", "/v1/deliveries/retry", "Make dead letters wait again", || post(deliveries::retry))
            .takes(json::<deliveries::RetryRequest>())
            .gives(json::<deliveries::Retried>()),
        route("get", "/v1/sources", "Sources with their state and cursors", || get(status::sources))
            .gives(json::<std::collections::BTreeMap<String, status::SourceStatus>>()),
        route("get", "/v1/status", "The daemon at a glance", || get(status::status)).gives(json::<status::Status>()),
        route("post", "/v1/endpoints/{slug}/test", "Queue an endpoint.test event", || post(status::test_endpoint))
            .gives(json::<status::TestQueued>()),
        route("post", "/v1/index/rebuild", "Build the index anew; answered when done", || post(status::rebuild_index))
            .gives(json::<status::Rebuilt>()),
        route("post", "/v1/backup", "Write a backup of the store", || post(status::make_backup))
            .access(Access::Socket)
            .takes(json::<status::BackupRequest>())
            .gives(json::<status::BackupDone>()),
        route("get", "/v1/events/schema", "JSON Schema of every event that is delivered", || {
            get(openapi::event_schema)
        })
        .access(Access::Open)
        .gives(json::<serde_json::Value>()),
        route("get", "/v1/openapi.json", "This document", || get(openapi::serve))
            .access(Access::Open)
            .gives(json::<serde_json::Value>()),
        route("get", "/livez", "The process answers", || get(health::livez)).access(Access::Open).gives(content::<
            String,
        >(
            "text/plain"
        )),
        route("get", "/readyz", "Whether the daemon does its work, and if not, why", || get(health::readyz))
            .access(Access::Open)
            .gives(json::<health::Readiness>()),
        route("get", "/metrics", "Metrics for Prometheus", || get(health::prometheus))
            .access(Access::Open)
            .gives(content::<String>("text/plain")),
    ]
}

/// How requests come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    Tcp,
    Socket,
}

/// The router of one entrance.
pub(super) fn router(services: Arc<Services>, entrance: Entrance, gate: server::Doorkeeper) -> Router {
    let mut router = Router::new();
    for route in routes() {
        if route.access == Access::Socket && entrance == Entrance::Tcp {
            continue;
        }
        let limit = match route.access {
            Access::Push => services.config.base.api.body_bytes_max + 1,
            _ => REQUEST_BYTES_MAX,
        };
        let mut handler = (route.handler)().layer(DefaultBodyLimit::max(limit));
        if route.access == Access::Token && entrance == Entrance::Tcp {
            handler = handler.layer(middleware::from_fn_with_state(gate.clone(), server::require_token));
        }
        router = router.route(route.path, handler);
    }
    router
        .fallback(|uri: axum::http::Uri| async move {
            Problem::missing(format!("there is nothing at {}; see /v1/openapi.json", uri.path()))
        })
        .with_state(services)
}
