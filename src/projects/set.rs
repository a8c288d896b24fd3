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

/// Reads every `*.toml` of a directory. A missing one is a mistake: a slip of the pen, or a mount that comes late, must
/// not put zero projects in force.
pub fn read_directory(directory: &Path) -> Result<Vec<ProjectText>, Vec<FileError>> {
    let mut texts = Vec::new();
    let mut errors = Vec::new();
    for path in paths_in(directory).map_err(|error| vec![error])? {
        let slug = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match std::fs::read_to_string(&path) {
            Ok(text) => texts.push(ProjectText { slug, text }),
            Err(error) => errors.push(FileError::whole(&path, error.to_string())),
        }
    }
    if errors.is_empty() { Ok(texts) } else { Err(errors) }
}

/// The projects' files, sorted.
fn paths_in(directory: &Path) -> Result<Vec<PathBuf>, FileError> {
    let unreadable = |cause: std::io::Error| match cause.kind() {
        std::io::ErrorKind::NotFound => FileError::whole(
            directory,
            "no such directory; `earful init` writes a first project, or set projects_dir to where they are",
        ),
        _ => FileError::whole(directory, cause.to_string()),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unreadable)? {
        // An entry that cannot be read may be a project: the set would not be whole without it.
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.retain(|path| is_project(path));
    paths.sort();
    if paths.len() > PROJECTS_MAX {
        let message = format!("{} projects; at most {PROJECTS_MAX} are read", paths.len());
        return Err(FileError::whole(directory, message));
    }
    Ok(paths)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_not_there_is_a_mistake_and_an_empty_one_is_an_empty_set() {
        let parent = tempfile::tempdir().unwrap();
        let directory = parent.path().join("projcts");
        let errors = read_directory(&directory).unwrap_err();
        let told = errors[0].to_string();
        assert!(told.contains("projcts: no such directory") && told.contains("set projects_dir"), "{told}");
        std::fs::create_dir(&directory).unwrap();
        assert_eq!(read_directory(&directory), Ok(Vec::new()));
        let no_directory = directory.join("a.toml");
        std::fs::write(&no_directory, "").unwrap();
        assert!(read_directory(&no_directory).is_err());
    }
}
