//! The projects in force: loaded at start, reloaded whole, kept in the store for a start with a broken file.
//! Unaware of HTTP and of what a turn does with them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tracing::{error, info, warn};

use crate::matcher::Matcher;
use crate::projects::{Live, ProjectSet, ProjectText, Route, Routes, check_set, read_directory, write_project};
use crate::query::Rule;
use crate::store::{QueryVersionRow, ReadError, Store, WriterHandle};
use crate::tables::FileError;

/// Holds the projects in force and swaps them as a whole.
pub struct Keeper {
    directory: PathBuf,
    routes: Routes,
    store: Store,
    writer: WriterHandle,
    live: Arc<ArcSwap<Live>>,
    state: Mutex<State>,
    /// One change at a time.
    change: tokio::sync::Mutex<()>,
}

struct State {
    set: Arc<ProjectSet>,
    /// Why the files on disk are not what is in force.
    stale: Option<String>,
}

/// Why a change of the projects was refused.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("the projects are not valid")]
    Invalid(Vec<FileError>),
    #[error("there is no project `{0}`")]
    Unknown(String),
    #[error("{path} cannot be written: {cause}")]
    Directory { path: PathBuf, cause: String },
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("the daemon is stopping")]
    Stopping,
}

impl Keeper {
    /// Loads the projects: from their files, or the set that was valid last. Fails if there is neither.
    pub async fn load(
        directory: &Path,
        routes: Routes,
        store: Store,
        writer: WriterHandle,
    ) -> Result<Self, ChangeError> {
        let read = read_directory(directory).and_then(|texts| check_set(directory, texts, &routes));
        let (set, stale) = match read {
            Ok(set) => (set, None),
            Err(errors) => {
                for mistake in &errors {
                    error!("{mistake}");
                }
                let kept = store.projects()?.and_then(|kept| serde_json::from_slice::<Vec<ProjectText>>(&kept).ok());
                let Some(kept) = kept.and_then(|texts| check_set(directory, texts, &routes).ok()) else {
                    return Err(ChangeError::Invalid(errors));
                };
                warn!(projects = kept.projects.len(), "the set of projects that was valid last is in force");
                (kept, Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
            }
        };
        let keeper = Self {
            directory: directory.to_owned(),
            routes,
            store,
            writer,
            live: Arc::new(ArcSwap::from_pointee(Live {
                matcher: Matcher::compile(Vec::new()),
                routes: BTreeMap::new(),
            })),
            state: Mutex::new(State { set: Arc::default(), stale: None }),
            change: tokio::sync::Mutex::new(()),
        };
        keeper.put_in_force(set).await?;
        keeper.lock().stale = stale;
        Ok(keeper)
    }

    /// What the turn decides by.
    pub fn live(&self) -> Arc<ArcSwap<Live>> {
        self.live.clone()
    }

    /// The projects in force.
    pub fn set(&self) -> Arc<ProjectSet> {
        self.lock().set.clone()
    }

    /// Why the files on disk are not what is in force, if they are not.
    pub fn stale(&self) -> Option<String> {
        self.lock().stale.clone()
    }

    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// Reads the files again. On any error the old set stays in force.
    pub async fn reload(&self) -> Result<usize, ChangeError> {
        let _change = self.change.lock().await;
        let read = read_directory(&self.directory).and_then(|texts| check_set(&self.directory, texts, &self.routes));
        match read {
            Ok(set) => {
                let count = set.projects.len();
                self.put_in_force(set).await?;
                self.lock().stale = None;
                Ok(count)
            }
            Err(errors) => {
                self.lock().stale = Some(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
                Err(ChangeError::Invalid(errors))
            }
        }
    }

    /// Saves one project: checked with all others, written through to its file, in force at the next batch.
    pub async fn save(&self, project: ProjectText) -> Result<(), ChangeError> {
        let _change = self.change.lock().await;
        let mut texts: Vec<_> = self.set().texts.iter().filter(|text| text.slug != project.slug).cloned().collect();
        texts.push(project.clone());
        let set = check_set(&self.directory, texts, &self.routes).map_err(ChangeError::Invalid)?;
        std::fs::create_dir_all(&self.directory)
            .and_then(|()| write_project(&self.directory, &project))
            .map_err(|error| ChangeError::Directory { path: self.directory.clone(), cause: error.to_string() })?;
        self.put_in_force(set).await
    }

    /// Removes one project and its file.
    pub async fn remove(&self, slug: &str) -> Result<(), ChangeError> {
        let _change = self.change.lock().await;
        let set = self.set();
        if !set.projects.contains_key(slug) {
            return Err(ChangeError::Unknown(slug.to_owned()));
        }
        let texts = set.texts.iter().filter(|text| text.slug != slug).cloned().collect();
        let set = check_set(&self.directory, texts, &self.routes).map_err(ChangeError::Invalid)?;
        let path = self.directory.join(format!("{slug}.toml"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ChangeError::Directory { path, cause: error.to_string() });
            }
            _ => {}
        }
        self.put_in_force(set).await
    }

    /// Compiles in the background, keeps the set in the store, swaps it in.
    async fn put_in_force(&self, mut set: ProjectSet) -> Result<(), ChangeError> {
        let versions = self.number_versions(&mut set.rules)?;
        let routes = set
            .projects
            .values()
            .map(|project| {
                let route = Route { endpoints: project.endpoints.clone(), time_zone: project.time_zone.clone() };
                (project.slug.clone(), route)
            })
            .collect();
        let rules = set.rules.clone();
        let matcher =
            tokio::task::spawn_blocking(|| Matcher::compile(rules)).await.map_err(|_| ChangeError::Stopping)?;
        let kept = serde_json::to_vec(&set.texts).expect("texts are JSON");
        self.writer.keep_projects(kept, versions).await.map_err(|_| ChangeError::Stopping)?;
        info!(projects = set.projects.len(), queries = set.rules.len(), "projects are in force");
        self.live.store(Arc::new(Live { matcher, routes }));
        self.lock().set = Arc::new(set);
        Ok(())
    }

    /// Gives every query the version of its canonical text; returns those that are new.
    fn number_versions(&self, rules: &mut [Rule]) -> Result<Vec<(String, String, QueryVersionRow)>, ReadError> {
        let mut changed = Vec::new();
        for rule in rules {
            let text = rule.canonical_text();
            let before = self.store.query_version(&rule.project, &rule.query)?;
            rule.version = match &before {
                Some(row) if row.text == text => row.version,
                Some(row) => row.version + 1,
                None => 1,
            };
            if before.is_none_or(|row| row.version != rule.version) {
                let row = QueryVersionRow { version: rule.version, text, query_language: 1 };
                changed.push((rule.project.clone(), rule.query.clone(), row));
            }
        }
        Ok(changed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{StoreSettings, start_writer};

    #[tokio::test]
    async fn a_version_grows_with_what_changes_matches_and_with_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let settings = StoreSettings { block_cache_mb: 8, write_buffers_mb: 16 };
        let store = Store::open(&directory.path().join("store"), &settings).unwrap();
        let (writer, thread) = start_writer(store.clone()).unwrap();
        let routes = Routes { sources: ["feeds".to_owned(), "jet".to_owned()].into(), ..Routes::default() };
        let projects = directory.path().join("projects");
        std::fs::create_dir(&projects).unwrap();
        let keeper = Keeper::load(&projects, routes, store, writer).await.unwrap();
        let steps = [
            ("", "tea OR coffee", 1),
            ("", "(tea)  OR coffee // hot", 1),
            ("tags = ['drinks']", "tea OR coffee", 1),
            ("", "tea OR =coffee", 2),
            ("languages = ['en', 'cs']", "tea OR =coffee", 3),
            ("languages = ['cs', 'en']", "tea OR =coffee", 3),
            ("sources = ['feeds']", "tea OR =coffee", 4),
            ("", "tea OR coffee", 5),
        ];
        for (filters, query, version) in steps {
            let text = format!("query_language = 1\n{filters}\n[query.main]\ntext = '{query}'\n");
            keeper.save(ProjectText { slug: "drinks".to_owned(), text }).await.unwrap();
            assert_eq!(keeper.set().rules[0].version, version, "{filters} {query}");
        }
        drop(keeper);
        drop(thread);
    }
}
