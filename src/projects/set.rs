//! All projects together: read from a directory, checked against the endpoints that exist, versioned.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::model::Project;
use crate::query::Rule;
use crate::tables::FileError;

use super::file::{ProjectText, Routes, read_project};

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
        match read_project(&file, project, routes) {
            Ok((read, rules)) => {
                set.rules.extend(rules);
                set.projects.insert(project.slug.clone(), read);
            }
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    set.texts = texts;
    if errors.is_empty() { Ok(set) } else { Err(errors) }
}
