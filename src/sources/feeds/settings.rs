//! What an operator says about a list of feeds, and the list itself.
//! Unaware of polling.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::extract::feed::{OUTLINES_MAX, addresses};
use crate::extract::{charset, site};
use crate::model::SourceType;

/// Feeds of one source.
pub const FEEDS_MAX: usize = 100_000;
/// Seconds between two requests for a feed of somebody else.
const FOREIGN_INTERVAL_S_MIN: u64 = 60;
/// Bytes of an OPML file.
const OPML_BYTES_MAX: u64 = 32 << 20;

/// `[source.NAME] kind = "feeds"`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedsSettings {
    /// Addresses of feeds.
    pub urls: Vec<String>,
    /// A file with more of them.
    pub opml: Option<PathBuf>,
    pub poll_interval_s: u64,
    /// Between two looks at the page of an entry that vanished.
    pub look_gap_s: u64,
    /// When a feed is first seen, entries older than this are kept and not delivered.
    pub first_poll_age_max_h: u64,
    /// Feeds asked at once, at most one per host.
    pub concurrency: usize,
    /// Bytes of one answer, packed and unpacked alike.
    pub body_bytes_max: usize,
    pub source_type: FeedType,
}

/// What the posts of the feeds count as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedType {
    Blog,
    News,
    Forum,
}

impl FeedType {
    pub fn source_type(self) -> SourceType {
        match self {
            Self::Blog => SourceType::Blog,
            Self::News => SourceType::News,
            Self::Forum => SourceType::Forum,
        }
    }
}

/// What is wrong with the settings: a sentence for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("{key} is {found}; it is a number from {min} to {max}")]
    Range { key: &'static str, found: u64, min: u64, max: u64 },
    #[error("urls: `{0}` is no http or https address")]
    Address(String),
    #[error(
        "poll_interval_s is {found}; below {FOREIGN_INTERVAL_S_MIN} is only for servers of your own, on loopback or a \
         private address, and {address} is not"
    )]
    Hurry { found: u64, address: Url },
    #[error("no feeds: list their addresses in urls, or name a file in opml")]
    Nothing,
    #[error("more than {FEEDS_MAX} feeds; split them over several sources")]
    TooMany,
    #[error("opml: {file}: {cause}")]
    Opml { file: String, cause: String },
}

impl FeedsSettings {
    /// Checks everything that can be checked without reading a file.
    pub fn check(&self) -> Result<(), SettingsError> {
        let ranges = [
            ("poll_interval_s", self.poll_interval_s, 1, 86_400),
            ("look_gap_s", self.look_gap_s, 1, 86_400),
            ("first_poll_age_max_h", self.first_poll_age_max_h, 0, 87_600),
            ("concurrency", self.concurrency as u64, 1, 256),
            ("body_bytes_max", self.body_bytes_max as u64, 64 << 10, 16 << 20),
        ];
        for (key, found, min, max) in ranges {
            if !(min..=max).contains(&found) {
                return Err(SettingsError::Range { key, found, min, max });
            }
        }
        if self.urls.is_empty() && self.opml.is_none() {
            return Err(SettingsError::Nothing);
        }
        self.unhurried(&self.listed()?)
    }

    /// The addresses of all feeds, each once. Reads the OPML file.
    pub fn addresses(&self) -> Result<Vec<Url>, SettingsError> {
        let mut list = self.listed()?;
        list.extend(self.outlined()?);
        let mut seen = HashSet::new();
        list.retain(|url| seen.insert(url.clone()));
        self.unhurried(&list)?;
        match list.len() {
            0 => Err(SettingsError::Nothing),
            1..=FEEDS_MAX => Ok(list),
            _ => Err(SettingsError::TooMany),
        }
    }

    fn unhurried(&self, list: &[Url]) -> Result<(), SettingsError> {
        let found = self.poll_interval_s;
        match list.iter().find(|address| found < FOREIGN_INTERVAL_S_MIN && !is_own(address)) {
            Some(address) => Err(SettingsError::Hurry { found, address: address.clone() }),
            None => Ok(()),
        }
    }

    fn listed(&self) -> Result<Vec<Url>, SettingsError> {
        let parse = |text: &String| site::resolve(text, None).ok_or_else(|| SettingsError::Address(text.clone()));
        self.urls.iter().map(parse).collect()
    }

    fn outlined(&self) -> Result<Vec<Url>, SettingsError> {
        let Some(file) = &self.opml else { return Ok(Vec::new()) };
        let wrong = |cause: String| SettingsError::Opml { file: file.display().to_string(), cause };
        let bytes = std::fs::metadata(file).map_err(|error| wrong(error.to_string()))?.len();
        if bytes > OPML_BYTES_MAX {
            return Err(wrong(format!("over {OPML_BYTES_MAX} bytes")));
        }
        let bytes = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
        let text = charset::decode(&bytes, None, None).text;
        addresses(&text).map_err(|reason| wrong(format!("no OPML list of at most {OUTLINES_MAX} feeds ({reason})")))
    }
}

/// Whether the address can only lead to the operator's own machines.
fn is_own(address: &Url) -> bool {
    match address.host() {
        Some(Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
        Some(Host::Ipv6(address)) => address.is_loopback() || address.is_unique_local(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    pub fn settings(urls: &[String]) -> FeedsSettings {
        FeedsSettings {
            urls: urls.to_vec(),
            opml: None,
            poll_interval_s: 900,
            look_gap_s: 600,
            first_poll_age_max_h: 24,
            concurrency: 16,
            body_bytes_max: 4 << 20,
            source_type: FeedType::Blog,
        }
    }

    #[test]
    fn settings_are_read_and_unknown_keys_refused() {
        let text = "urls = ['https://a.example/feed']\npoll_interval_s = 900\nlook_gap_s = 600\n\
                    first_poll_age_max_h = 24\nconcurrency = 16\nbody_bytes_max = 4194304\nsource_type = 'blog'";
        let read: FeedsSettings = toml::from_str(text).unwrap();
        assert_eq!(read, settings(&["https://a.example/feed".to_owned()]));
        assert!(toml::from_str::<FeedsSettings>(&format!("{text}\nurl = 'x'")).is_err());
        assert!(toml::from_str::<FeedsSettings>(&text.replace("'blog'", "'blob'")).is_err());
    }

    #[test]
    fn what_is_out_of_range_is_said_in_a_sentence() {
        let good = settings(&["https://a.example/feed".to_owned()]);
        assert_eq!(good.check(), Ok(()));
        let said = |settings: FeedsSettings| settings.check().unwrap_err().to_string();
        assert_eq!(
            said(FeedsSettings { poll_interval_s: 0, ..good.clone() }),
            "poll_interval_s is 0; it is a number from 1 to 86400"
        );
        assert_eq!(
            said(FeedsSettings { concurrency: 0, ..good.clone() }),
            "concurrency is 0; it is a number from 1 to 256"
        );
        assert!(
            said(FeedsSettings { urls: vec!["ftp://a".to_owned()], ..good.clone() }).contains("`ftp://a` is no http")
        );
        assert!(said(FeedsSettings { urls: Vec::new(), ..good }).starts_with("no feeds"));
    }

    #[test]
    fn only_the_operators_own_servers_are_polled_in_a_hurry() {
        let own = ["http://127.0.0.1:8000/feed", "http://[::1]/feed", "http://10.0.0.5/feed", "http://localhost/feed"];
        let hurried = FeedsSettings { poll_interval_s: 2, ..settings(&own.map(str::to_owned)) };
        assert_eq!(hurried.check(), Ok(()));
        let mut foreign = hurried;
        foreign.urls.push("https://a.example/feed".to_owned());
        let said = foreign.check().unwrap_err().to_string();
        assert!(said.starts_with("poll_interval_s is 2; below 60 is only for") && said.contains("a.example"), "{said}");
        foreign.poll_interval_s = 60;
        assert_eq!(foreign.check(), Ok(()));
    }

    #[test]
    fn the_list_and_the_file_are_one_list() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"<opml><body><outline xmlUrl='https://b.example/feed'/><outline xmlUrl='https://a.example/feed'/></body></opml>").unwrap();
        let both =
            FeedsSettings { opml: Some(file.path().to_owned()), ..settings(&["https://a.example/feed".to_owned()]) };
        let list: Vec<String> = both.addresses().unwrap().into_iter().map(String::from).collect();
        assert_eq!(list, ["https://a.example/feed", "https://b.example/feed"]);
        let none = FeedsSettings { opml: Some("/nowhere.opml".into()), ..settings(&[]) };
        assert!(matches!(none.addresses(), Err(SettingsError::Opml { .. })));
    }
}
