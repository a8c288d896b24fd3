//! `earful check` and `earful projects`: the configuration with the files that it names, and the projects, without a
//! daemon.

use std::fs::File;
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
        errors.extend(unreadable_secrets(path, config));
        errors.extend(unreadable_inputs(path, config));
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
pub(super) fn unreadable_secrets(path: &Path, config: &Config) -> Vec<FileError> {
    let mut wrong = Vec::new();
    if !config.base.api.token_file.as_os_str().is_empty() {
        wrong.push(("api.token_file".to_owned(), api::auth::Token::read(&config.base.api.token_file).err()));
    }
    for (slug, source) in &config.sources {
        if let SourceSettings::Push(push) = source {
            wrong.push((format!("source.{slug}.token_file"), api::auth::Token::read(&push.token_file).err()));
        }
    }
    for (slug, endpoint) in &config.endpoints {
        let egress = Egress::of(&Guard::new(Vec::new()));
        let cause = AnySink::build(endpoint, egress).err();
        wrong.push((format!("endpoint.{slug}"), cause.map(|cause| format!("[endpoint.{slug}]: {cause}"))));
    }
    placed(path, wrong)
}

/// Lists of feeds and recordings that sources are to read.
fn unreadable_inputs(path: &Path, config: &Config) -> Vec<FileError> {
    let mut wrong = Vec::new();
    for (slug, source) in &config.sources {
        let (key, cause) = match source {
            SourceSettings::Feeds(feeds) => ("opml", feeds.addresses().err().map(|cause| cause.to_string())),
            SourceSettings::Recording(recording) => ("file", unreadable(&recording.file)),
            SourceSettings::Jetstream(_) | SourceSettings::Push(_) => continue,
        };
        wrong.push((format!("source.{slug}.{key}"), cause.map(|cause| format!("[source.{slug}]: {cause}"))));
    }
    placed(path, wrong)
}

/// Why a file cannot be read.
pub(super) fn unreadable(file: &Path) -> Option<String> {
    let is_file = std::fs::metadata(file).map(|metadata| metadata.is_file());
    match is_file.and_then(|is_file| if is_file { File::open(file).map(|_| true) } else { Ok(false) }) {
        Ok(true) => None,
        Ok(false) => Some(format!("{} is no file", file.display())),
        Err(cause) => Some(format!("{}: {cause}", file.display())),
    }
}

/// What is wrong with keys, each at its place in the configuration.
fn placed(path: &Path, wrong: Vec<(String, Option<String>)>) -> Vec<FileError> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let environment: Vec<(String, String)> = std::env::vars().collect();
    let places = Config::places(path, &text, &environment);
    wrong.into_iter().filter_map(|(key, cause)| Some(places.error(&key, cause?))).collect()
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
