//! The configuration: the compiled-in defaults, the operator's file over them, then the environment. Composes the
//! settings of all rooms and checks them against each other.

mod check;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::index::IndexSettings;
use crate::projects::Routes;
use crate::sinks::EndpointSettings;
use crate::sources::feeds::FeedsSettings;
use crate::sources::jetstream::JetstreamSettings;
use crate::sources::recording::RecordingSettings;
use crate::store::{RetainSettings, StoreSettings, gate::DiskSettings};
use crate::tables::{self, FileError, Places, Table};

/// Every key with its default.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");
/// What environment variables of the configuration begin with.
const ENVIRONMENT_PREFIX: &str = "EARFUL_";
/// Variables with that beginning that are no keys.
const ENVIRONMENT_OTHERS: [&str; 2] = ["EARFUL_CONFIG", "EARFUL_CRASH_POINT"];

/// The configuration as it is in force.
#[derive(Clone, Debug)]
pub struct Config {
    pub base: Base,
    pub sources: BTreeMap<String, SourceSettings>,
    pub endpoints: BTreeMap<String, EndpointSettings>,
    /// What projects may refer to: every table's name, also of one that could not be read.
    pub routes: Routes,
}

/// What is neither a source nor an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Base {
    pub data_dir: PathBuf,
    pub projects_dir: PathBuf,
    pub log: LogSettings,
    pub api: ApiSettings,
    pub turn: TurnTable,
    pub store: StoreSettings,
    pub retention: RetainSettings,
    pub disk: DiskSettings,
    pub index: IndexSettings,
    pub delivery: DeliverySettings,
    pub egress: EgressSettings,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    pub format: LogFormat,
    pub level: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiSettings {
    pub listen: std::net::SocketAddr,
    pub token_file: PathBuf,
    pub body_bytes_max: usize,
    pub posts_max: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnTable {
    pub arrivals_max: usize,
    pub bytes_max: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliverySettings {
    pub in_flight_max: usize,
    pub drain_s: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EgressSettings {
    pub allow: Vec<String>,
    pub contact: String,
}

/// One `[source.NAME]`, by its kind.
#[derive(Clone, Debug)]
pub enum SourceSettings {
    Jetstream(JetstreamSettings),
    Feeds(FeedsSettings),
    Push(PushSettings),
    Recording(RecordingSettings),
}

/// `[source.NAME] kind = "push"`: a partner that pushes posts over the API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushSettings {
    pub token_file: PathBuf,
    pub networks: Vec<String>,
}

impl SourceSettings {
    pub const KINDS: [&'static str; 4] = ["jetstream", "feeds", "push", "recording"];

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Jetstream(_) => "jetstream",
            Self::Feeds(_) => "feeds",
            Self::Push(_) => "push",
            Self::Recording(_) => "recording",
        }
    }
}

impl Config {
    /// Reads `file`; the environment is that of the process.
    pub fn read(file: &Path) -> Result<Self, Vec<FileError>> {
        strict(Self::read_lenient(file))
    }

    /// Reads `file` as far as it can be read, with every mistake in it: for those who want to check more than the file.
    pub fn read_lenient(file: &Path) -> (Option<Self>, Vec<FileError>) {
        match std::fs::read_to_string(file) {
            Ok(text) => {
                let environment: Vec<(String, String)> = std::env::vars().collect();
                Self::parse_lenient(file, &text, &environment)
            }
            Err(error) => {
                let sentence = format!("{error}; `earful init` writes a first configuration");
                (None, vec![FileError::whole(file, sentence)])
            }
        }
    }

    /// Reads the configuration in `text`; `file` is named in errors and gives relative paths their place.
    pub fn parse(file: &Path, text: &str, environment: &[(String, String)]) -> Result<Self, Vec<FileError>> {
        strict(Self::parse_lenient(file, text, environment))
    }

    fn parse_lenient(file: &Path, text: &str, environment: &[(String, String)]) -> (Option<Self>, Vec<FileError>) {
        let mut table = match Table::parse(file, text) {
            Ok(table) => table,
            Err(errors) => return (None, errors),
        };
        let mut defaults = Table::parse(Path::new("default.toml"), DEFAULTS).expect("the defaults are TOML");
        if let Err(errors) = table.set_from_environment(environment, ENVIRONMENT_PREFIX, &ENVIRONMENT_OTHERS) {
            return (None, errors);
        }
        let mut tables = Vec::new();
        let mut defaults_of =
            |group: &str| defaults.take(group, String::new).expect("the defaults of a kind are a table");
        let source_defaults = defaults_of("source_default");
        let endpoint_defaults = defaults_of("endpoint_default");
        let (sources, source_names) = kinds(&mut table, "source", source_defaults, read_source, &mut tables);
        let (endpoints, endpoint_names) = kinds(&mut table, "endpoint", endpoint_defaults, read_endpoint, &mut tables);
        table.overlay(defaults);
        let (base, mut errors) = table.read_lenient::<Base>();
        errors.extend(tables);
        let Some(base) = base else { return (None, errors) };
        let routes = Routes { endpoints: endpoint_names, sources: source_names };
        let mut config = Self { base, sources, endpoints, routes };
        config.resolve(file.parent().unwrap_or(Path::new(".")));
        errors.extend(config.mistakes(&Self::places(file, text, environment)));
        (Some(config), errors)
    }

    /// Where the keys of a configuration were set.
    pub fn places<'t>(file: &'t Path, text: &'t str, environment: &'t [(String, String)]) -> Places<'t> {
        Places::of(file, text).with_environment(environment, ENVIRONMENT_PREFIX)
    }

    /// Relative paths are taken from the configuration file's directory.
    fn resolve(&mut self, directory: &Path) {
        let place = |path: &mut PathBuf| {
            if !path.as_os_str().is_empty() {
                *path = directory.join(&*path);
            }
        };
        place(&mut self.base.data_dir);
        place(&mut self.base.projects_dir);
        place(&mut self.base.api.token_file);
        for source in self.sources.values_mut() {
            match source {
                SourceSettings::Push(push) => place(&mut push.token_file),
                SourceSettings::Recording(recording) => place(&mut recording.file),
                SourceSettings::Feeds(feeds) => feeds.opml.iter_mut().for_each(place),
                SourceSettings::Jetstream(_) => {}
            }
        }
        for endpoint in self.endpoints.values_mut() {
            endpoint.paths().into_iter().for_each(place);
        }
    }
}

/// A configuration with a mistake is none.
fn strict((config, errors): (Option<Config>, Vec<FileError>)) -> Result<Config, Vec<FileError>> {
    match config {
        Some(config) if errors.is_empty() => Ok(config),
        _ => Err(errors),
    }
}

/// Reads every table of a group by its kind, over the defaults of that kind. Returns what was read and all names.
fn kinds<T>(
    table: &mut Table<'_>,
    group: &str,
    defaults: Option<Table<'_>>,
    read: fn(&str, Table<'_>) -> Result<T, Vec<FileError>>,
    errors: &mut Vec<FileError>,
) -> (BTreeMap<String, T>, BTreeSet<String>) {
    let (mut found, mut names) = (BTreeMap::new(), BTreeSet::new());
    let no_table = |name: &str| format!("[{group}.{name}] is a table; write [{group}.{name}]");
    let group_table = match table.take(group, || no_table("NAME")) {
        Ok(Some(group_table)) => group_table,
        Ok(None) => return (found, names),
        Err(mistake) => {
            errors.push(mistake);
            return (found, names);
        }
    };
    for (name, entry) in group_table.into_tables(no_table) {
        names.insert(name.clone());
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(mistake) => {
                errors.push(mistake);
                continue;
            }
        };
        if !crate::projects::is_slug(&name) {
            errors.push(entry.error(format!(
                "[{group}.{name}]: a name has 1 to 64 lower-case letters, digits, hyphens and underscores"
            )));
            continue;
        }
        let needs_kind = |entry: &Table<'_>| entry.error(format!("[{group}.{name}] needs a kind"));
        let kind = match entry.take_text("kind").and_then(|kind| kind.ok_or_else(|| needs_kind(&entry))) {
            Ok(kind) => kind,
            Err(mistake) => {
                errors.push(mistake);
                continue;
            }
        };
        if let Some(below) = defaults.as_ref().and_then(|defaults| defaults.get(&kind)) {
            entry.overlay(below);
        }
        match read(&kind, entry) {
            Ok(settings) => drop(found.insert(name, settings)),
            Err(mistakes) => errors.extend(mistakes),
        }
    }
    (found, names)
}

fn read_source(kind: &str, table: Table<'_>) -> Result<SourceSettings, Vec<FileError>> {
    match kind {
        "jetstream" => table.read().map(SourceSettings::Jetstream),
        "feeds" => table.read().map(SourceSettings::Feeds),
        "push" => table.read().map(SourceSettings::Push),
        "recording" => table.read().map(SourceSettings::Recording),
        other => Err(vec![unknown_kind(&table, "source", other, &SourceSettings::KINDS)]),
    }
}

fn read_endpoint(kind: &str, table: Table<'_>) -> Result<EndpointSettings, Vec<FileError>> {
    fn of<T: DeserializeOwned>(table: Table<'_>) -> Result<T, Vec<FileError>> {
        table.read()
    }
    match kind {
        "webhook" => of(table).map(EndpointSettings::Webhook),
        "nats" => of(table).map(EndpointSettings::Nats),
        "ndjson" => of(table).map(EndpointSettings::Ndjson),
        other => Err(vec![unknown_kind(&table, "endpoint", other, &["webhook", "nats", "ndjson"])]),
    }
}

fn unknown_kind(table: &Table<'_>, group: &str, kind: &str, known: &[&str]) -> FileError {
    let hint = match tables::nearest(kind, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", known.join(", ")),
    };
    table.error(format!("there is no {group} of kind `{kind}`; {hint}"))
}
