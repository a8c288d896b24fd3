//! What HTTP says about asking again: validators, freshness, when to come back.
//! Unaware of who asks and of the present time.

use std::time::Duration;

use reqwest::header::{
    CACHE_CONTROL, DATE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER,
};
use reqwest::header::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};

use crate::extract::dates;
use crate::model::Timestamp;

/// Bytes of a validator; a longer one is not kept.
const VALIDATOR_BYTES_MAX: usize = 1024;
/// For so long after its last change an answer may change again and still say the same of itself: validators made of
/// whole seconds, and a date that is written after the body was put together.
const UNSETTLED_MAX: Duration = Duration::from_secs(5);
/// Seconds that anybody may ask to be left alone.
const RETRY_AFTER_S_MAX: u64 = 86_400;

/// What one URL gave to recognise its answer by: the very bytes, sent back unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The URL that gave them. They mean nothing elsewhere.
    pub url: String,
    pub etag: Option<Vec<u8>>,
    pub last_modified: Option<Vec<u8>>,
}

impl Validators {
    /// Of an answer with a body. Nothing if it has none.
    pub fn of(url: &str, headers: &HeaderMap) -> Option<Self> {
        let (etag, last_modified) = (validator(headers, ETAG), validator(headers, LAST_MODIFIED));
        (etag.is_some() || last_modified.is_some()).then(|| Self { url: url.to_owned(), etag, last_modified })
    }

    /// After a 304: what it brings replaces what was known, the rest stays.
    pub fn refresh(&mut self, headers: &HeaderMap) {
        self.etag = validator(headers, ETAG).or(self.etag.take());
        self.last_modified = validator(headers, LAST_MODIFIED).or(self.last_modified.take());
    }

    /// Adds the conditions to a request for `url`.
    pub fn apply(&self, url: &str, headers: &mut HeaderMap) {
        if self.url != url {
            return;
        }
        for (name, value) in [(IF_NONE_MATCH, &self.etag), (IF_MODIFIED_SINCE, &self.last_modified)] {
            if let Some(value) = value.as_ref().and_then(|value| HeaderValue::from_bytes(value).ok()) {
                headers.insert(name, value);
            }
        }
    }
}

/// Whether the answer was made in the very moment of its last change, so that the next change may bear the same
/// validators: many servers, WordPress among them, make even the entity tag of that second.
pub fn is_unsettled(headers: &HeaderMap) -> bool {
    let at = |name: HeaderName| dates::parse(headers.get(name)?.to_str().ok()?.trim());
    at(LAST_MODIFIED).zip(at(DATE)).is_some_and(|(modified, made)| made.since(modified) < UNSETTLED_MAX)
}

/// How long the other side asks to be left alone: seconds or a date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => dates::parse(text)?.since(now),
    };
    Some(wait.min(Duration::from_secs(RETRY_AFTER_S_MAX)))
}

/// How long the answer is said to be fresh. `no-cache` and `no-store` say not at all.
pub fn max_age(headers: &HeaderMap) -> Option<Duration> {
    let mut age = None;
    for header in headers.get_all(CACHE_CONTROL) {
        for directive in header.to_str().unwrap_or_default().split(',') {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-cache" | "no-store" => return None,
                "max-age" => age = value.trim().trim_matches('"').parse().ok().map(Duration::from_secs).or(age),
                _ => {}
            }
        }
    }
    age
}

fn validator(headers: &HeaderMap, name: HeaderName) -> Option<Vec<u8>> {
    let bytes = headers.get(name)?.as_bytes();
    (!bytes.is_empty() && bytes.len() <= VALIDATOR_BYTES_MAX).then(|| bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &[u8])]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap()))
            .collect()
    }

    #[test]
    fn validators_go_back_as_the_very_bytes_and_only_where_they_came_from() {
        let given = headers(&[("etag", b"W/\"caf\xe9-gzip\""), ("last-modified", b"yesterday, about noon")]);
        let validators = Validators::of("https://a.example/feed", &given).unwrap();
        let mut sent = HeaderMap::new();
        validators.apply("https://a.example/other", &mut sent);
        assert!(sent.is_empty());
        validators.apply("https://a.example/feed", &mut sent);
        assert_eq!(sent[IF_NONE_MATCH].as_bytes(), b"W/\"caf\xe9-gzip\"");
        assert_eq!(sent[IF_MODIFIED_SINCE].as_bytes(), b"yesterday, about noon");
    }

    #[test]
    fn a_304_replaces_only_what_it_brings() {
        let mut validators = Validators::of("u", &headers(&[("etag", b"\"1\""), ("last-modified", b"m")])).unwrap();
        validators.refresh(&headers(&[("etag", b"\"2\"")]));
        assert_eq!(
            (validators.etag.as_deref(), validators.last_modified.as_deref()),
            (Some(&b"\"2\""[..]), Some(&b"m"[..]))
        );
        validators.refresh(&HeaderMap::new());
        assert_eq!(validators.etag.as_deref(), Some(&b"\"2\""[..]));
    }

    #[test]
    fn an_answer_without_validators_or_with_huge_ones_has_none() {
        assert_eq!(Validators::of("u", &HeaderMap::new()), None);
        assert_eq!(Validators::of("u", &headers(&[("etag", b"")])), None);
        assert_eq!(Validators::of("u", &headers(&[("etag", &[b'x'; VALIDATOR_BYTES_MAX + 1])])), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_has_an_end() {
        let now: Timestamp = "2026-11-22T05:00:00Z".parse().unwrap();
        let wait = |value: &[u8]| retry_after(&headers(&[("retry-after", value)]), now).map(|wait| wait.as_secs());
        assert_eq!(wait(b"120"), Some(120));
        assert_eq!(wait(b" Sun, 22 Nov 2026 05:10:00 GMT "), Some(600));
        assert_eq!(wait(b"Sun, 22 Nov 2026 04:10:00 GMT"), Some(0));
        assert_eq!(wait(b"99999999999"), Some(RETRY_AFTER_S_MAX));
        assert_eq!(wait(b"soon"), None);
        assert_eq!(wait(b"-5"), None);
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn max_age_is_read_among_other_directives() {
        let age = |value: &[u8]| max_age(&headers(&[("cache-control", value)])).map(|age| age.as_secs());
        assert_eq!(age(b"public, Max-Age=600, s-maxage=7"), Some(600));
        assert_eq!(age(b"max-age=\"60\""), Some(60));
        assert_eq!(age(b"max-age=600, no-cache"), None);
        assert_eq!(age(b"private"), None);
        assert_eq!(age(b"max-age=x"), None);
    }
}
