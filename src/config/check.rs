//! What is wrong with a configuration although every key could be read: ranges, and settings that do not go together.
//! Files that it names are not looked at.

use std::ops::RangeInclusive;

use crate::fetch::guard::Network;
use crate::sources::feeds::SettingsError;
use crate::tables::{FileError, Places};

use super::{Base, Config, SourceSettings};

impl Config {
    pub(super) fn mistakes(&self, places: &Places<'_>) -> Vec<FileError> {
        let base = &self.base;
        let mut errors = Vec::new();
        for (key, value, range, what) in ranges(base) {
            if !range.contains(&value) {
                let sentence = format!("{key} is {value}; it is {what} from {} to {}", range.start(), range.end());
                errors.push(places.error(key, sentence));
            }
        }
        let mut refuse = |key: &str, sentence: String| errors.push(places.error(key, sentence));
        let (red, min) = (base.disk.free_red_mb, base.disk.free_min_mb);
        if red > min {
            let sentence = format!("disk.free_red_mb is {red}; it must not be above disk.free_min_mb, {min}");
            refuse("disk.free_red_mb", sentence);
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
            if let Err(cause) = network.parse::<Network>() {
                let sentence = format!("egress.allow: `{network}` is no network: {cause}; write as 10.1.0.0/16");
                refuse("egress.allow", sentence);
            }
        }
        errors.extend(self.mistakes_in_tables(places));
        errors
    }

    /// What the settings of sources and endpoints say of themselves.
    fn mistakes_in_tables(&self, places: &Places<'_>) -> Vec<FileError> {
        let mut errors = Vec::new();
        let mut refuse = |table: String, mistakes: Vec<(&'static str, String)>| {
            for (key, sentence) in mistakes {
                let place = if key.is_empty() { table.clone() } else { format!("{table}.{key}") };
                errors.push(places.error(&place, format!("[{table}]: {sentence}")));
            }
        };
        for (slug, source) in &self.sources {
            let mistakes = match source {
                SourceSettings::Jetstream(settings) => settings.check(),
                SourceSettings::Feeds(settings) => settings.check().err().iter().map(of_feeds).collect(),
                SourceSettings::Recording(settings) => settings.check(),
                SourceSettings::Push(_) => Vec::new(),
            };
            refuse(format!("source.{slug}"), mistakes);
        }
        for (slug, endpoint) in &self.endpoints {
            refuse(format!("endpoint.{slug}"), endpoint.check());
        }
        errors
    }
}

/// Keys with a range: the value, the range, and what the value is.
fn ranges(base: &Base) -> [(&'static str, u64, RangeInclusive<u64>, &'static str); 6] {
    let Base { turn, store, retention, disk, index, .. } = base;
    let (bytes, mebibytes) = ("a number of bytes", "a number of mebibytes");
    [
        ("turn.arrivals_max", turn.arrivals_max as u64, 1..=10_000, "a number"),
        ("turn.bytes_max", turn.bytes_max as u64, 4_096..=64 << 20, bytes),
        ("store.write_buffers_mb", store.write_buffers_mb, 16..=1 << 20, mebibytes),
        ("retention.period_s", retention.period_s, 1..=86_400, "a number of seconds"),
        ("disk.free_min_percent", disk.free_min_percent, 0..=90, "a share"),
        ("index.heap_mb", index.heap_mb as u64, 15..=1_024, mebibytes),
    ]
}

fn of_feeds(mistake: &SettingsError) -> (&'static str, String) {
    let key = match mistake {
        SettingsError::Range { key, .. } => key,
        SettingsError::Address(_) | SettingsError::TooMany => "urls",
        SettingsError::Hurry { .. } => "poll_interval_s",
        SettingsError::Opml { .. } => "opml",
        SettingsError::Nothing => "",
    };
    (key, mistake.to_string())
}
