//! `earful check` and `earful projects`: the configuration and the projects, without a daemon.

use std::path::Path;
use std::process::ExitCode;

use crate::api;
use crate::config::{Config, SourceSettings};
use crate::fetch::guard::Guard;
use crate::projects::{ProjectSet, check_set, read_directory};
use crate::sinks::{AnySink, Egress};
use crate::tables::FileError;

use super::{EXIT_CONFIGURATION, Failure, read_config};

pub(super) fn check(path: &Path, json: bool) -> Result<ExitCode, Failure> {
    let (config, mut errors) = Config::read_lenient(path);
    let mut set = ProjectSet::default();
    if let Some(config) = &config {
        errors.extend(check_secrets(path, config));
        match read_set(config) {
            Ok(read) => set = read,
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    if json {
        let told: Vec<_> = errors
            .iter()
            .map(|error| serde_json::json!({ "file": error.file, "line": error.line, "column": error.column, "message": error.message }))
            .collect();
        println!(
            "{}",
            serde_json::json!({ "valid": errors.is_empty(), "errors": told, "projects": set.projects.len(), "queries": set.rules.len() })
        );
    } else {
        errors.iter().for_each(|error| eprintln!("{error}"));
        for rule in &set.rules {
            for lint in &rule.tree.lints {
                println!("note: {}/{}: {} [{}]", rule.project, rule.query, lint.message, lint.code);
            }
        }
        if let (true, Some(config)) = (errors.is_empty(), &config) {
            println!(
                "{}: valid; sources {}, endpoints {}, projects {} with {} queries; every example holds",
                path.display(),
                config.sources.len(),
                config.endpoints.len(),
                set.projects.len(),
                set.rules.len()
            );
        }
    }
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIGURATION) })
}

fn read_set(config: &Config) -> Result<ProjectSet, Vec<FileError>> {
    let directory = &config.base.projects_dir;
    check_set(directory, read_directory(directory)?, &config.routes)
}

/// Files that hold secrets must be there before the daemon starts.
fn check_secrets(path: &Path, config: &Config) -> Vec<FileError> {
    let mut errors = Vec::new();
    let mut token = |file: &Path| {
        if let Err(cause) = api::auth::Token::read(file) {
            errors.push(FileError::whole(path, cause));
        }
    };
    if !config.base.api.token_file.as_os_str().is_empty() {
        token(&config.base.api.token_file);
    }
    for source in config.sources.values() {
        if let SourceSettings::Push(push) = source {
            token(&push.token_file);
        }
    }
    for (slug, endpoint) in &config.endpoints {
        let egress = Egress::of(&Guard::new(Vec::new()));
        if let Err(cause) = AnySink::build(endpoint, egress) {
            errors.push(FileError::whole(path, format!("[endpoint.{slug}]: {cause}")));
        }
    }
    errors
}

pub(super) fn projects(path: &Path, json: bool) -> Result<ExitCode, Failure> {
    let config = read_config(path)?;
    let set = read_set(&config).map_err(|errors| Failure::configuration(&errors))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&set.projects).map_err(|cause| Failure::usage(cause.to_string()))?);
        return Ok(ExitCode::SUCCESS);
    }
    for project in set.projects.values() {
        println!("{}  {}  → {}", project.slug, project.title, project.endpoints.join(", "));
        for query in &project.queries {
            let text = query.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let short: String = text.chars().take(90).collect();
            println!("    {:<16} {short}{}", query.slug, if short.len() < text.len() { "…" } else { "" });
        }
    }
    Ok(ExitCode::SUCCESS)
}
