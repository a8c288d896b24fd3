//! What is wrong with a configuration although every key could be read: ranges, and settings that do not go together.
//! Files that it names are not looked at.

use std::ops::RangeInclusive;

use tracing_subscriber::EnvFilter;

use crate::fetch::guard::Network;
use crate::normalize::feed;
use crate::sources::feeds::SettingsError;
use crate::tables::{FileError, Places, nearest};

use super::{Base, Config, PushSettings, SourceSettings};

/// A hundred years.
const HOURS: RangeInclusive<u64> = 0..=876_000;
/// A pebibyte.
const MEBIBYTES: RangeInclusive<u64> = 0..=1 << 30;
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
/// The network of Bluesky's stream.
const BLUESKY: &str = "bluesky";

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
        if let Some(cause) = level_mistake(&base.log.level) {
            refuse("log.level", format!("log.level is `{}`: {cause}", base.log.level));
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
                SourceSettings::Push(settings) => of_push(slug, settings),
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
fn ranges(base: &Base) -> [(&'static str, u64, RangeInclusive<u64>, &'static str); 20] {
    let Base { api, turn, store, retention, disk, index, delivery, .. } = base;
    let (number, bytes, mebibytes, hours) =
        ("a number", "a number of bytes", "a number of mebibytes", "a number of hours");
    [
        ("api.body_bytes_max", api.body_bytes_max as u64, 1 << 10..=256 << 20, bytes),
        ("api.posts_max", api.posts_max as u64, 1..=65_535, number),
        ("turn.arrivals_max", turn.arrivals_max as u64, 1..=10_000, number),
        ("turn.bytes_max", turn.bytes_max as u64, 4_096..=64 << 20, bytes),
        ("store.block_cache_mb", store.block_cache_mb, 1..=1 << 20, mebibytes),
        ("store.write_buffers_mb", store.write_buffers_mb, 16..=1 << 20, mebibytes),
        ("retention.period_s", retention.period_s, 1..=86_400, "a number of seconds"),
        ("retention.posts_age_max_h", retention.posts_age_max_h, HOURS, hours),
        ("retention.posts_bytes_max_mb", retention.posts_bytes_max_mb, MEBIBYTES, mebibytes),
        ("retention.mentions_age_max_h", retention.mentions_age_max_h, HOURS, hours),
        ("retention.mentions_bytes_max_mb", retention.mentions_bytes_max_mb, MEBIBYTES, mebibytes),
        ("retention.dead_age_max_h", retention.dead_age_max_h, HOURS, hours),
        ("disk.free_min_mb", disk.free_min_mb, MEBIBYTES, mebibytes),
        ("disk.free_min_percent", disk.free_min_percent, 0..=90, "a share"),
        ("disk.free_red_mb", disk.free_red_mb, MEBIBYTES, mebibytes),
        ("disk.ballast_mb", disk.ballast_mb, MEBIBYTES, mebibytes),
        ("index.commit_interval_ms", index.commit_interval_ms, 1..=3_600_000, "a number of milliseconds"),
        ("index.heap_mb", index.heap_mb as u64, 15..=1_024, mebibytes),
        ("delivery.in_flight_max", delivery.in_flight_max as u64, 1..=100_000, number),
        // The unit gives a stop 60 seconds.
        ("delivery.drain_s", delivery.drain_s, 0..=50, "a number of seconds"),
    ]
}

/// A word that is no level would name a room, and silence all others.
fn level_mistake(level: &str) -> Option<String> {
    if let Err(cause) = EnvFilter::try_new(level) {
        return Some(cause.to_string());
    }
    let words = level.split(',').map(str::trim).filter(|_| !level.contains('['));
    let wrong = words.filter(|word| !word.contains('=')).find(|word| !LEVELS.contains(&&*word.to_ascii_lowercase()))?;
    Some(match nearest(wrong, LEVELS) {
        Some(near) => format!("there is no level `{wrong}`; did you mean `{near}`?"),
        None => format!("there is no level `{wrong}`; write as info, or info,earful::outbox=debug"),
    })
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

/// A partner must not speak for what other sources bring: it could edit and delete their posts.
fn of_push(slug: &str, push: &PushSettings) -> Vec<(&'static str, String)> {
    let own = format!("push:{slug}");
    let reason = |network: &String| match network.as_str() {
        "" => Some("it has no letter".to_owned()),
        feed::NETWORK => Some("it is that of feeds".to_owned()),
        BLUESKY => Some("it is that of Bluesky's stream".to_owned()),
        other if other.starts_with("push:") && other != own => Some(format!("only `{own}` is this source's own")),
        _ => None,
    };
    let refused = push.networks.iter().filter_map(|network| Some((network, reason(network)?)));
    refused
        .map(|(network, reason)| {
            ("networks", format!("networks: `{network}` cannot be pushed to: {reason}; name one of the partner's"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_level_and_not_a_room_that_is_misspelt() {
        for good in ["info", "INFO", "off", "info,earful::outbox=debug", "warn,earful=trace", "[turn{n=1}]=debug"] {
            assert_eq!(level_mistake(good), None, "{good}");
        }
        for (wrong, told) in [("inof", "did you mean `info`?"), ("", "no level ``"), ("info,earful=lots", "")] {
            let said = level_mistake(wrong).unwrap_or_else(|| panic!("{wrong} is taken"));
            assert!(said.contains(told), "{wrong}: {said}");
        }
    }
}
