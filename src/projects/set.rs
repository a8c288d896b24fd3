//! All projects together: read from a directory, checked against the endpoints that exist, versioned.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::model::Project;
use crate::query::Rule;
use crate::tables::{FileError, nearest};

use super::file::{ProjectText, read_project};

/// Projects in one directory.
const PROJECTS_MAX: usize = 10_000;

/// Every project, valid as a whole.
#[derive(Clone, Debug, Default)]
pub struct ProjectSet {
    pub projects: BTreeMap<String, Project>,
    pub rules: Vec<Rule>,
    /// As their owners wrote them.
    pub texts: Vec<ProjectText>,
}

/// What projects may refer to.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    pub endpoints: BTreeSet<String>,
    pub sources: BTreeSet<String>,
}

/// Reads every `*.toml` of a directory. A missing directory holds no projects.
pub fn read_directory(directory: &Path) -> Result<Vec<ProjectText>, Vec<FileError>> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(vec![FileError::whole(directory, error.to_string())]),
    };
    let mut paths: Vec<PathBuf> =
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| is_project(path)).collect();
    paths.sort();
    if paths.len() > PROJECTS_MAX {
        return Err(vec![FileError::whole(
            directory,
            format!("{} projects; at most {PROJECTS_MAX} are read", paths.len()),
        )]);
    }
    let (mut texts, mut errors) = (Vec::new(), Vec::new());
    for path in paths {
        let slug = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match std::fs::read_to_string(&path) {
            Ok(text) => texts.push(ProjectText { slug, text }),
            Err(error) => errors.push(FileError::whole(&path, error.to_string())),
        }
    }
    if errors.is_empty() { Ok(texts) } else { Err(errors) }
}

fn is_project(path: &Path) -> bool {
    let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && path.extension().is_some_and(|ending| ending == "toml")
}

/// Checks all projects together. `directory` is only named in errors.
pub fn check_set(directory: &Path, texts: Vec<ProjectText>, routes: &Routes) -> Result<ProjectSet, Vec<FileError>> {
    let mut set = ProjectSet::default();
    let mut errors = Vec::new();
    for project in &texts {
        let file = directory.join(format!("{}.toml", project.slug));
        match read_project(&file, project) {
            Ok((read, rules)) => {
                check_routes(&file, &project.text, &read, routes, &mut errors);
                set.rules.extend(rules);
                set.projects.insert(project.slug.clone(), read);
            }
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    set.texts = texts;
    if errors.is_empty() { Ok(set) } else { Err(errors) }
}

fn check_routes(file: &Path, text: &str, project: &Project, routes: &Routes, errors: &mut Vec<FileError>) {
    let lists = [("endpoints", &project.endpoints, &routes.endpoints), ("sources", &project.sources, &routes.sources)];
    for (key, named, known) in lists {
        for name in named.iter().filter(|name| !known.contains(*name)) {
            let hint = match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the configuration has {}", list(known)),
            };
            errors.push(FileError::key(file, text, key, format!("{key}: there is no `{name}`; {hint}")));
        }
    }
}

fn list(names: &BTreeSet<String>) -> String {
    match names.is_empty() {
        true => "none".to_owned(),
        false => names.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
    }
}
