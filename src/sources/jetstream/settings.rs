//! What the operator says about a Jetstream: which hosts, which wire, what of the stream, and its bounds.
//! Unaware of sockets.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use url::Url;

const HOSTS_MAX: usize = 16;
/// What a server takes in one subscription.
const COLLECTIONS_MAX: usize = 100;
const DIDS_MAX: usize = 10_000;
const DEAD_AFTER_S: RangeInclusive<u64> = 1..=3600;
const REWIND_S: RangeInclusive<u64> = 0..=3600;
const FRAME_BYTES: RangeInclusive<usize> = 4096..=16 << 20;

/// A key of the table, and a sentence that says what is wrong with it and what it may be.
pub type Mistake = (&'static str, String);

/// `[source.NAME] kind = "jetstream"`: Bluesky's stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JetstreamSettings {
    /// `ws://` or `wss://` addresses without a path; the next one is tried when one fails.
    pub hosts: Vec<String>,
    pub wire: WireVersion,
    /// Empty: all collections.
    pub collections: Vec<String>,
    /// Empty: all authors.
    pub dids: Vec<String>,
    /// The first wire ignores it.
    pub compress: bool,
    pub dead_after_s: u64,
    pub rewind_s: u64,
    pub frame_bytes_max: usize,
}

/// Which protocol a host is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireVersion {
    V1,
    V2,
}

impl JetstreamSettings {
    /// What is wrong with them, if anything.
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        if self.hosts.is_empty() || self.hosts.len() > HOSTS_MAX {
            mistakes.push(("hosts", format!("hosts has {} entries; it has 1 to {HOSTS_MAX}", self.hosts.len())));
        }
        mistakes.extend(self.hosts.iter().filter_map(|host| check_host(host)).map(|sentence| ("hosts", sentence)));
        if self.collections.len() > COLLECTIONS_MAX {
            let sentence =
                format!("collections has {} entries; a server takes {COLLECTIONS_MAX}", self.collections.len());
            mistakes.push(("collections", sentence));
        }
        if let Some(wrong) = self.collections.iter().find(|collection| !is_collection(collection)) {
            let sentence = format!("collections: `{wrong}` is none; write as app.bsky.feed.post or app.bsky.feed.*");
            mistakes.push(("collections", sentence));
        }
        if self.dids.len() > DIDS_MAX {
            mistakes.push(("dids", format!("dids has {} entries; a server takes {DIDS_MAX}", self.dids.len())));
        }
        if let Some(wrong) = self.dids.iter().find(|did| !did.starts_with("did:")) {
            mistakes.push(("dids", format!("dids: `{wrong}` is none; write as did:plc:z72i7hdynmk6r22z27h6tvur")));
        }
        within("dead_after_s", self.dead_after_s, &DEAD_AFTER_S, &mut mistakes);
        within("rewind_s", self.rewind_s, &REWIND_S, &mut mistakes);
        within("frame_bytes_max", self.frame_bytes_max, &FRAME_BYTES, &mut mistakes);
        mistakes
    }
}

fn within<N: PartialOrd + std::fmt::Display>(
    key: &'static str,
    value: N,
    range: &RangeInclusive<N>,
    mistakes: &mut Vec<Mistake>,
) {
    if !range.contains(&value) {
        mistakes.push((key, format!("{key} is {value}; it is a number from {} to {}", range.start(), range.end())));
    }
}

fn check_host(host: &str) -> Option<String> {
    let url = match Url::parse(host) {
        Ok(url) => url,
        Err(cause) => {
            return Some(format!("hosts: `{host}` is no address: {cause}; write as wss://jetstream.example.net"));
        }
    };
    if !matches!(url.scheme(), "ws" | "wss") || url.host_str().is_none() {
        return Some(format!("hosts: `{host}` does not begin with ws:// or wss:// and the name of a host"));
    }
    let has_more = url.path() != "/" || url.query().is_some() || url.fragment().is_some();
    has_more.then(|| format!("hosts: `{host}` has a path; Earful adds that of the wire itself"))
}

/// A name with dots; the last part may be `*`.
fn is_collection(text: &str) -> bool {
    let name = text.strip_suffix(".*").unwrap_or(text);
    name.contains('.') && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> JetstreamSettings {
        JetstreamSettings {
            hosts: vec!["wss://jetstream.example.net".to_owned()],
            wire: WireVersion::V2,
            collections: vec!["app.bsky.feed.post".to_owned(), "app.bsky.graph.*".to_owned()],
            dids: vec!["did:plc:abc".to_owned()],
            compress: true,
            dead_after_s: 60,
            rewind_s: 5,
            frame_bytes_max: 1 << 20,
        }
    }

    #[test]
    fn good_settings_have_no_mistakes() {
        assert_eq!(good().check(), []);
    }

    #[test]
    fn every_wrong_key_is_named() {
        let wrong = JetstreamSettings {
            hosts: vec!["https://a.example".to_owned(), "wss://a.example/subscribe".to_owned(), "nonsense".to_owned()],
            wire: WireVersion::V1,
            collections: vec!["posts".to_owned()],
            dids: vec!["alice".to_owned()],
            compress: true,
            dead_after_s: 0,
            rewind_s: 99_999,
            frame_bytes_max: 1,
        };
        let keys: Vec<&str> = wrong.check().iter().map(|(key, _)| *key).collect();
        let expected =
            ["hosts", "hosts", "hosts", "collections", "dids", "dead_after_s", "rewind_s", "frame_bytes_max"];
        assert_eq!(keys, expected);
        let none = JetstreamSettings { hosts: Vec::new(), ..good() };
        assert_eq!(none.check()[0].0, "hosts");
    }
}
