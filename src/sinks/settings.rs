//! What the operator says about an endpoint: where it is, how it is signed for, how long and how much may wait.
//! Unaware of how a sink speaks to it. Secrets are never in here, only the names of their files.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

/// Secrets that one endpoint is signed with at the same time.
pub const SECRETS_MAX: usize = 4;
const TIMEOUT_S: RangeInclusive<u64> = 1..=60;
const CONCURRENCY: RangeInclusive<u32> = 1..=256;
/// Dead letters are kept for 14 days, so nothing waits longer than that either.
const EXPIRY_H: RangeInclusive<u64> = 1..=336;
const QUOTA_MB: RangeInclusive<u64> = 1..=1_048_576;
const SUBJECT_BYTES_MAX: usize = 255;

/// A key of the table, and a sentence that says what is wrong with it and what it may be.
pub type Mistake = (&'static str, String);

/// One `[endpoint.NAME]`, by its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EndpointSettings {
    Webhook(WebhookSettings),
    Nats(NatsSettings),
    Ndjson(NdjsonSettings),
}

/// `[endpoint.NAME] kind = "webhook"`: an HTTP POST for each event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSettings {
    pub url: String,
    /// The first signs; so do the others, while a secret rotates.
    pub secret_files: Vec<PathBuf>,
    /// One attempt, from the name look-up to the last byte read.
    pub timeout_s: u64,
    pub connect_timeout_s: u64,
    pub concurrency_max: u32,
    pub expiry_h: u64,
    pub quota_mb: u64,
}

/// `[endpoint.NAME] kind = "nats"`: a message on a subject of NATS JetStream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatsSettings {
    pub url: String,
    pub subject: String,
    /// The stream that keeps the subject. Needed only when it is to be created.
    pub stream: String,
    pub create_stream: bool,
    /// Empty: no credentials.
    pub credentials_file: PathBuf,
    pub timeout_s: u64,
    pub concurrency_max: u32,
    pub expiry_h: u64,
    pub quota_mb: u64,
}

/// `[endpoint.NAME] kind = "ndjson"`: a line in a file for each event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NdjsonSettings {
    /// `-` is standard output.
    pub path: PathBuf,
    pub expiry_h: u64,
    pub quota_mb: u64,
}

impl EndpointSettings {
    pub const KINDS: [&'static str; 3] = ["webhook", "nats", "ndjson"];

    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Nats(_) => "nats",
            Self::Ndjson(_) => "ndjson",
        }
    }

    /// Attempts under way at the same time. A file takes one line after the other.
    pub fn concurrency_max(&self) -> u32 {
        match self {
            Self::Webhook(webhook) => webhook.concurrency_max,
            Self::Nats(nats) => nats.concurrency_max,
            Self::Ndjson(_) => 1,
        }
    }

    /// A delivery that is older than this goes to the dead letters.
    pub fn expiry(&self) -> Duration {
        Duration::from_secs(self.expiry_h().saturating_mul(3600))
    }

    /// Bytes that may wait; beyond it the oldest go to the dead letters.
    pub fn quota_bytes(&self) -> u64 {
        self.quota_mb().saturating_mul(1 << 20)
    }

    /// Another number as soon as the endpoint is another place: an endpoint that was gone is then enabled again.
    pub fn address_hash(&self) -> u64 {
        let parts: [&[u8]; 2] = match self {
            Self::Webhook(webhook) => [webhook.url.as_bytes(), b""],
            Self::Nats(nats) => [nats.url.as_bytes(), nats.subject.as_bytes()],
            Self::Ndjson(ndjson) => [ndjson.path.as_os_str().as_encoded_bytes(), b""],
        };
        let mut hasher = blake3::Hasher::new();
        for part in [self.kind().as_bytes(), parts[0], parts[1]] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        let mut first = [0; 8];
        hasher.finalize_xof().fill(&mut first);
        u64::from_le_bytes(first)
    }

    /// The files, to be resolved from the configuration's directory. Standard output is not among them.
    pub fn paths(&mut self) -> Vec<&mut PathBuf> {
        match self {
            Self::Webhook(webhook) => webhook.secret_files.iter_mut().collect(),
            Self::Nats(nats) => vec![&mut nats.credentials_file],
            Self::Ndjson(ndjson) if ndjson.is_standard_output() => Vec::new(),
            Self::Ndjson(ndjson) => vec![&mut ndjson.path],
        }
    }

    /// What is out of range, each with the key at fault. Files are not looked at.
    pub fn check(&self) -> Vec<Mistake> {
        let mut mistakes = match self {
            Self::Webhook(webhook) => webhook.check(),
            Self::Nats(nats) => nats.check(),
            Self::Ndjson(ndjson) => ndjson.check(),
        };
        mistakes.extend(in_range("concurrency_max", self.concurrency_max(), CONCURRENCY, "number"));
        mistakes.extend(in_range("expiry_h", self.expiry_h(), EXPIRY_H, "number of hours"));
        mistakes.extend(in_range("quota_mb", self.quota_mb(), QUOTA_MB, "number of mebibytes"));
        mistakes
    }

    fn expiry_h(&self) -> u64 {
        match self {
            Self::Webhook(webhook) => webhook.expiry_h,
            Self::Nats(nats) => nats.expiry_h,
            Self::Ndjson(ndjson) => ndjson.expiry_h,
        }
    }

    fn quota_mb(&self) -> u64 {
        match self {
            Self::Webhook(webhook) => webhook.quota_mb,
            Self::Nats(nats) => nats.quota_mb,
            Self::Ndjson(ndjson) => ndjson.quota_mb,
        }
    }
}

impl WebhookSettings {
    fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        mistakes.extend(check_url(&self.url, &["https", "http"], "secret_files"));
        match self.secret_files.len() {
            1..=SECRETS_MAX => {}
            count => mistakes.push((
                "secret_files",
                format!(
                    "secret_files names {count} files; it is 1 to {SECRETS_MAX} files, each with one whsec_ secret"
                ),
            )),
        }
        if self.secret_files.iter().any(|file| file.as_os_str().is_empty()) {
            mistakes.push(("secret_files", "secret_files has an empty name; each is the name of a file".to_owned()));
        }
        mistakes.extend(in_range("timeout_s", self.timeout_s, TIMEOUT_S, "number of seconds"));
        mistakes.extend(in_range("connect_timeout_s", self.connect_timeout_s, TIMEOUT_S, "number of seconds"));
        if self.connect_timeout_s > self.timeout_s {
            mistakes.push((
                "connect_timeout_s",
                format!(
                    "connect_timeout_s is {}; it must not be above timeout_s, {}",
                    self.connect_timeout_s, self.timeout_s
                ),
            ));
        }
        mistakes
    }
}

impl NatsSettings {
    fn check(&self) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        mistakes.extend(check_url(&self.url, &["nats", "tls"], "credentials_file"));
        if let Some(cause) = subject_mistake(&self.subject) {
            mistakes.push(("subject", format!("subject is `{}`: {cause}; write as earful.mentions", self.subject)));
        }
        if self.create_stream && self.stream.is_empty() {
            mistakes.push(("stream", "stream is empty, and create_stream asks for one: give it a name".to_owned()));
        }
        if self.stream.len() > SUBJECT_BYTES_MAX || self.stream.contains(is_no_stream_name) {
            mistakes.push((
                "stream",
                format!("stream is `{}`; a name has letters, digits, hyphens and underscores", self.stream),
            ));
        }
        mistakes.extend(in_range("timeout_s", self.timeout_s, TIMEOUT_S, "number of seconds"));
        mistakes
    }
}

impl NdjsonSettings {
    pub fn is_standard_output(&self) -> bool {
        self.path == Path::new("-")
    }

    fn check(&self) -> Vec<Mistake> {
        if self.path.as_os_str().is_empty() {
            return vec![("path", "path is empty; it is a file, or - for standard output".to_owned())];
        }
        Vec::new()
    }
}

fn is_no_stream_name(letter: char) -> bool {
    !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_'
}

/// Why nothing can be published on `subject`.
fn subject_mistake(subject: &str) -> Option<&'static str> {
    if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
        return Some("it has 1 to 255 bytes");
    }
    if subject.contains(|letter: char| letter.is_whitespace() || letter.is_control()) {
        return Some("it has no blanks");
    }
    if subject.contains(['*', '>']) {
        return Some("wildcards are for those who read");
    }
    if subject.split('.').any(str::is_empty) {
        return Some("a part between two dots is empty");
    }
    subject.starts_with('$').then_some("subjects with $ belong to the server")
}

/// `secret_key` is where credentials belong instead of the URL.
fn check_url(text: &str, schemes: &[&str], secret_key: &str) -> Option<Mistake> {
    let known = schemes.join(":// or ");
    let Ok(url) = Url::parse(text) else {
        return Some(("url", format!("url is no address; it starts with {known}://")));
    };
    if !schemes.contains(&url.scheme()) || url.host_str().is_none_or(str::is_empty) {
        return Some(("url", format!("url starts with `{}`; it starts with {known}:// and a host", url.scheme())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(("url", format!("url carries credentials, and would show them in logs; see {secret_key}")));
    }
    None
}

fn in_range<N>(key: &'static str, value: N, range: RangeInclusive<N>, what: &str) -> Option<Mistake>
where
    N: PartialOrd + std::fmt::Display,
{
    if range.contains(&value) {
        return None;
    }
    Some((key, format!("{key} is {value}; it is a {what} from {} to {}", range.start(), range.end())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The defaults of a kind with what the operator has to say himself.
    fn read<T: serde::de::DeserializeOwned>(kind: &str, own: &str) -> T {
        let defaults: toml::Table = include_str!("../../config/default.toml").parse().unwrap();
        let mut table = defaults["endpoint_default"][kind].as_table().unwrap().clone();
        table.extend(own.parse::<toml::Table>().unwrap());
        table.try_into().unwrap()
    }

    fn webhook() -> WebhookSettings {
        read(
            "webhook",
            r#"url = "https://crm.example/hooks"
            secret_files = ["crm.secret"]"#,
        )
    }

    fn nats() -> NatsSettings {
        read(
            "nats",
            r#"url = "nats://localhost:4222"
            subject = "earful.mentions""#,
        )
    }

    fn ndjson(path: &str) -> EndpointSettings {
        EndpointSettings::Ndjson(read("ndjson", &format!("path = {path:?}")))
    }

    fn keys(settings: &EndpointSettings) -> Vec<&'static str> {
        settings.check().into_iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_defaults_are_in_range_and_complete() {
        for settings in [EndpointSettings::Webhook(webhook()), EndpointSettings::Nats(nats()), ndjson("-")] {
            assert_eq!(settings.check(), Vec::new());
            assert_eq!(settings.expiry(), Duration::from_hours(72));
            assert_eq!(settings.quota_bytes(), 4096 << 20);
            let text = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<EndpointSettings>(&text).unwrap(), settings);
        }
        assert_eq!(ndjson("-").concurrency_max(), 1);
    }

    #[test]
    fn what_is_out_of_range_is_named_by_its_key() {
        let wrong = WebhookSettings {
            url: "ftp://crm.example".to_owned(),
            secret_files: Vec::new(),
            timeout_s: 0,
            connect_timeout_s: 61,
            concurrency_max: 0,
            expiry_h: 337,
            quota_mb: 0,
        };
        let found = keys(&EndpointSettings::Webhook(wrong));
        let expected = ["url", "secret_files", "timeout_s", "connect_timeout_s", "connect_timeout_s"];
        assert_eq!(found, [&expected[..], &["concurrency_max", "expiry_h", "quota_mb"]].concat());
        assert_eq!(keys(&ndjson("")), ["path"]);
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let url = "https://user:hunter2@crm.example/".to_owned();
        let mistakes = EndpointSettings::Webhook(WebhookSettings { url, ..webhook() }).check();
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].0 == "url" && !mistakes[0].1.contains("hunter2"), "{mistakes:?}");
    }

    #[test]
    fn a_subject_is_one_that_can_be_published_on() {
        for subject in ["", "a b", "earful.*", "earful.>", "earful..a", ".a", "$JS.API"] {
            let wrong = NatsSettings { subject: subject.to_owned(), ..nats() };
            assert_eq!(keys(&EndpointSettings::Nats(wrong)), ["subject"], "{subject}");
        }
        let nameless = NatsSettings { create_stream: true, ..nats() };
        assert_eq!(keys(&EndpointSettings::Nats(nameless)), ["stream"]);
    }

    #[test]
    fn another_address_has_another_hash_and_a_longer_timeout_has_not() {
        let hash = |settings: WebhookSettings| EndpointSettings::Webhook(settings).address_hash();
        assert_eq!(hash(webhook()), hash(WebhookSettings { timeout_s: 30, ..webhook() }));
        assert_ne!(hash(webhook()), hash(WebhookSettings { url: "https://crm.example/new".to_owned(), ..webhook() }));
        assert_ne!(ndjson("a").address_hash(), ndjson("b").address_hash());
    }

    #[test]
    fn standard_output_is_no_file_to_resolve() {
        assert!(ndjson("-").paths().is_empty());
        assert_eq!(ndjson("mentions.ndjson").paths().len(), 1);
        assert_eq!(EndpointSettings::Webhook(webhook()).paths().len(), 1);
    }
}
