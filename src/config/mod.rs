//! The configuration: the compiled-in defaults, the operator's file over them, then the environment. Composes the
//! settings of all rooms and checks them against each other.

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
use crate::tables::{self, FileError, Table};

/// Every key with its default.
pub const DEFAULTS: &str = include_str!("../../config/default.toml");
/// What environment variables of the configuration begin with.
const ENVIRONMENT_PREFIX: &str = "EARFUL_";
/// Variables with that beginning that are no keys.
const ENVIRONMENT_OTHERS: [&str; 3] = ["EARFUL_CONFIG", "EARFUL_CRASH_POINT", "EARFUL_TOKEN"];

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
        let source_defaults = defaults.take("source_default");
        let endpoint_defaults = defaults.take("endpoint_default");
        let (sources, source_names) = kinds(&mut table, "source", source_defaults, read_source, &mut tables);
        let (endpoints, endpoint_names) = kinds(&mut table, "endpoint", endpoint_defaults, read_endpoint, &mut tables);
        table.overlay(defaults);
        let (base, mut errors) = table.read_lenient::<Base>();
        errors.extend(tables);
        let Some(base) = base else { return (None, errors) };
        let routes = Routes { endpoints: endpoint_names, sources: source_names };
        let mut config = Self { base, sources, endpoints, routes };
        config.resolve(file.parent().unwrap_or(Path::new(".")));
        errors.extend(config.mistakes(file, text));
        (Some(config), errors)
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

    fn mistakes(&self, file: &Path, text: &str) -> Vec<FileError> {
        let base = &self.base;
        let mut errors = Vec::new();
        let mut refuse = |key: &str, sentence: String| errors.push(FileError::key(file, text, key, sentence));
        if !(1..=10_000).contains(&base.turn.arrivals_max) {
            refuse(
                "turn.arrivals_max",
                format!("turn.arrivals_max is {}; it is a number from 1 to 10000", base.turn.arrivals_max),
            );
        }
        if !(4_096..=64 << 20).contains(&base.turn.bytes_max) {
            refuse(
                "turn.bytes_max",
                format!("turn.bytes_max is {}; it is a number of bytes from 4096 to 67108864", base.turn.bytes_max),
            );
        }
        if !(15..=1024).contains(&base.index.heap_mb) {
            refuse(
                "index.heap_mb",
                format!("index.heap_mb is {}; the index writer needs 15 to 1024", base.index.heap_mb),
            );
        }
        if base.store.write_buffers_mb < 16 {
            refuse(
                "store.write_buffers_mb",
                format!("store.write_buffers_mb is {}; it is at least 16", base.store.write_buffers_mb),
            );
        }
        if base.retention.period_s == 0 {
            refuse("retention.period_s", "retention.period_s is 0; it is at least 1".to_owned());
        }
        if base.disk.free_min_percent > 90 {
            refuse(
                "disk.free_min_percent",
                format!("disk.free_min_percent is {}; it is a share from 0 to 90", base.disk.free_min_percent),
            );
        }
        if base.disk.free_red_mb > base.disk.free_min_mb {
            refuse("disk.free_red_mb", "disk.free_red_mb must not be above disk.free_min_mb".to_owned());
        }
        if !base.api.listen.ip().is_loopback() {
            refuse(
                "api.listen",
                format!(
                    "api.listen is {}; the API speaks plain HTTP, so it listens on loopback only: put a TLS proxy in front of it",
                    base.api.listen
                ),
            );
        }
        for network in &base.egress.allow {
            if let Err(cause) = network.parse::<crate::fetch::guard::Network>() {
                refuse(
                    "egress.allow",
                    format!("egress.allow: `{network}` is no network: {cause}; write as 10.1.0.0/16"),
                );
            }
        }
        errors.extend(self.mistakes_in_tables(file, text));
        errors
    }

    /// What the settings of sources and endpoints say of themselves.
    fn mistakes_in_tables(&self, file: &Path, text: &str) -> Vec<FileError> {
        let mut errors = Vec::new();
        for (slug, source) in &self.sources {
            let mistakes = match source {
                SourceSettings::Jetstream(settings) => settings.check(),
                SourceSettings::Feeds(settings) => {
                    settings.check().err().map(|cause| ("", cause.to_string())).into_iter().collect()
                }
                SourceSettings::Recording(settings) => settings.check(),
                SourceSettings::Push(_) => Vec::new(),
            };
            errors.extend(mistakes.into_iter().map(|mistake| in_table(file, text, &format!("source.{slug}"), mistake)));
        }
        for (slug, endpoint) in &self.endpoints {
            let mistakes = endpoint.check();
            errors
                .extend(mistakes.into_iter().map(|mistake| in_table(file, text, &format!("endpoint.{slug}"), mistake)));
        }
        errors
    }
}

/// A configuration with a mistake is none.
fn strict((config, errors): (Option<Config>, Vec<FileError>)) -> Result<Config, Vec<FileError>> {
    match config {
        Some(config) if errors.is_empty() => Ok(config),
        _ => Err(errors),
    }
}

/// A mistake in a table, at the line of the table.
fn in_table(file: &Path, text: &str, table: &str, (_, sentence): (&'static str, String)) -> FileError {
    FileError::key(file, text, table, format!("[{table}]: {sentence}"))
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
    let Some(group_table) = table.take(group) else { return (found, names) };
    for (name, mut entry) in group_table.into_tables() {
        names.insert(name.clone());
        if !crate::projects::is_slug(&name) {
            errors.push(entry.error(format!(
                "[{group}.{name}]: a name has 1 to 64 lower-case letters, digits, hyphens and underscores"
            )));
            continue;
        }
        let Some(kind) = entry.take_text("kind") else {
            errors.push(entry.error(format!("[{group}.{name}] needs a kind")));
            continue;
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
