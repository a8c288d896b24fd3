//! The OpenAPI document, made from the table of routes and the types that it names.
//! <https://spec.openapis.org/oas/v3.1.0>

use axum::Json;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::event;

use super::answer::Problem;
use super::routes::{Access, Content, Route, routes};

pub(super) async fn serve() -> Json<Value> {
    Json(document())
}

pub(super) async fn event_schema() -> Json<Value> {
    Json(event::schema())
}

/// The document.
pub fn document() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.definitions_path = "/components/schemas".into());
    let mut generator = SchemaGenerator::new(settings);
    let mut paths: Map<String, Value> = Map::new();
    for route in routes() {
        let operation = operation(&route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(route.method.to_owned(), operation);
        }
    }
    let problem = generator.subschema_for::<Problem>();
    let schemas: Map<String, Value> = generator.take_definitions(true);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Earful",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Social listening: posts in, projects, mentions, deliveries. Errors are problems (RFC 9457).",
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {
                "Problem": { "description": "What went wrong", "content": { "application/problem+json": { "schema": problem } } },
            },
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "The token of `api.token_file`" },
                "push": { "type": "http", "scheme": "bearer", "description": "The token of a source of kind `push`" },
            },
        },
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = Map::new();
    operation.insert("summary".to_owned(), route.summary.into());
    let mut parameters: Vec<Value> = path_parameters(route.path);
    if let Some(schema) = route.parameters {
        parameters.extend(query_parameters(&schema(generator).to_value()));
    }
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(request) = &route.request {
        operation.insert("requestBody".to_owned(), json!({ "required": true, "content": content(request, generator) }));
    }
    let mut success = json!({ "description": "Success" });
    if let Some(response) = &route.response {
        success["content"] = content(response, generator);
    }
    let responses = json!({ route.success.as_str(): success, "default": { "$ref": "#/components/responses/Problem" } });
    operation.insert("responses".to_owned(), responses);
    let security = match route.access {
        Access::Open | Access::Socket => json!([]),
        Access::Push => json!([{ "push": [] }]),
        Access::Token => json!([{ "token": [] }]),
    };
    operation.insert("security".to_owned(), security);
    if route.access == Access::Socket {
        operation.insert("description".to_owned(), "Only over the unix socket in the data directory.".into());
    }
    Value::Object(operation)
}

fn content(content: &Content, generator: &mut SchemaGenerator) -> Value {
    json!({ content.media_type: { "schema": (content.schema)(generator) } })
}

fn path_parameters(path: &str) -> Vec<Value> {
    path.split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect()
}

fn query_parameters(schema: &Value) -> Vec<Value> {
    let properties = schema["properties"].as_object().cloned().unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, mut schema)| {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            json!({ "name": name, "in": "query", "required": false, "description": description.unwrap_or_default(), "schema": schema })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_resolves() {
        let document = document();
        for route in routes() {
            assert!(
                document["paths"][route.path][route.method]["summary"].is_string(),
                "{} {}",
                route.method,
                route.path
            );
        }
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference} points nowhere");
        }
    }
}
