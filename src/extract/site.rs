//! Whose a URL is, and which of its spellings is the canonical one.
//! Unaware of feeds, pages and posts.

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// Bytes of a URL that is kept; what is longer is not a link.
pub const URL_BYTES_MAX: usize = 2048;
/// A session id in a query has at least so many hexadecimal digits.
const SESSION_DIGITS_MIN: usize = 20;

/// The site that a feed or a page speaks for: a registrable domain (`example.co.uk`), or a host with its port where
/// there is none (`127.0.0.1:8080`, `localhost`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Scope(String);

impl Scope {
    /// Of an http or https URL.
    pub fn of(url: &Url) -> Option<Self> {
        if !is_web(url) {
            return None;
        }
        let host = match url.host()? {
            Host::Domain(domain) => domain.trim_end_matches('.'),
            Host::Ipv4(_) | Host::Ipv6(_) => return url.host_str().map(|host| Self::of_host(host, url.port())),
        };
        Some(psl::domain_str(host).map_or_else(|| Self::of_host(host, url.port()), |domain| Self(domain.to_owned())))
    }

    /// Whether the URL is on this site.
    pub fn owns(&self, url: &Url) -> bool {
        Self::of(url).as_ref() == Some(self)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of_host(host: &str, port: Option<u16>) -> Self {
        Self(port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }
}

/// An absolute http or https URL, from a text that may be relative to `base`.
pub fn resolve(text: &str, base: Option<&Url>) -> Option<Url> {
    let text = text.trim();
    if text.is_empty() || text.len() > URL_BYTES_MAX {
        return None;
    }
    let url = match base {
        Some(base) => base.join(text).ok()?,
        None => Url::parse(text).ok()?,
    };
    (is_web(&url) && url.as_str().len() <= URL_BYTES_MAX).then_some(url)
}

/// The spelling of a permalink that is the post's identity, whoever linked to it: host in lower case, no default port,
/// no user, no `utm_*` parameter or session id, and `https` for `http` on its default port, so that a site that moves
/// to TLS keeps its ids. A fragment goes too, unless it names a post inside a page: letters, then digits at its end
/// (`#comment-12`, `#msg3`). Nothing is sorted or re-encoded.
pub fn canonical(url: &Url) -> String {
    let mut url = url.clone();
    // These fail only for URLs without a host, which are not the web's.
    url.set_username("").ok();
    url.set_password(None).ok();
    if url.scheme() == "http" && url.port().is_none() {
        url.set_scheme("https").ok();
    }
    if !url.fragment().is_some_and(names_a_post) {
        url.set_fragment(None);
    }
    let query = url.query().map(|query| {
        let kept: Vec<&str> = query.split('&').filter(|parameter| !is_noise(parameter)).collect();
        kept.join("&")
    });
    url.set_query(query.as_deref().filter(|query| !query.is_empty()));
    url.into()
}

/// Whether the fragment names one post inside a page of several.
pub fn names_a_post(fragment: &str) -> bool {
    let plain = fragment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    plain && fragment.len() <= 64 && fragment.ends_with(|last: char| last.is_ascii_digit())
}

/// Parameters that say who clicked, not what is shown.
fn is_noise(parameter: &str) -> bool {
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    let name = name.to_ascii_lowercase();
    let is_session = value.len() >= SESSION_DIGITS_MIN && value.bytes().all(|byte| byte.is_ascii_hexdigit());
    name.starts_with("utm_") || name == "phpsessid" || (is_session && (name == "sid" || name == "s"))
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Option<String> {
        Scope::of(&Url::parse(text).unwrap()).map(|scope| scope.0)
    }

    #[test]
    fn a_scope_is_the_registrable_domain_or_the_host_with_its_port() {
        for (url, expected) in [
            ("https://blog.example.co.uk/feed", "example.co.uk"),
            ("http://WWW.Example.COM:8080/", "example.com"),
            ("https://alice.github.io/", "alice.github.io"),
            ("http://example.com./", "example.com"),
            ("http://127.0.0.1:18080/feed/", "127.0.0.1:18080"),
            ("http://127.0.0.1/feed/", "127.0.0.1"),
            ("http://[::1]:80/", "[::1]"),
            ("http://localhost:9/", "localhost:9"),
        ] {
            assert_eq!(scope(url).as_deref(), Some(expected), "{url}");
        }
        assert_eq!(scope("ftp://example.com/"), None);
        assert_eq!(scope("data:text/plain,a"), None);
    }

    #[test]
    fn a_site_owns_its_subdomains_and_not_its_lookalikes() {
        let own = Scope::of(&Url::parse("https://example.com/feed").unwrap()).unwrap();
        assert!(own.owns(&Url::parse("http://shop.example.com/1").unwrap()));
        for other in ["https://example.com.evil.net/1", "https://notexample.com/1", "https://example.org/1"] {
            assert!(!own.owns(&Url::parse(other).unwrap()), "{other}");
        }
    }

    #[test]
    fn a_permalink_has_one_canonical_spelling() {
        for (url, expected) in [
            ("HTTP://Example.COM:80/A?b=2&a=1#top", "https://example.com/A?b=2&a=1"),
            ("https://example.com", "https://example.com/"),
            ("https://example.com/a?utm_source=rss&UTM_Medium=feed", "https://example.com/a"),
            ("https://example.com/a?utm_source=rss&id=5", "https://example.com/a?id=5"),
            ("https://user:pw@example.com/a", "https://example.com/a"),
            ("http://127.0.0.1:18080/a", "http://127.0.0.1:18080/a"),
            ("https://example.com/t?p=3&sid=0123456789abcdef0123456789abcdef", "https://example.com/t?p=3"),
            ("https://example.com/t?sid=5", "https://example.com/t?sid=5"),
            ("https://example.com/hello/#comment-12", "https://example.com/hello/#comment-12"),
            ("https://example.com/t#xtor=RSS-1", "https://example.com/t"),
        ] {
            assert_eq!(canonical(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn only_web_links_resolve() {
        let base = Url::parse("https://example.com/blog/").unwrap();
        assert_eq!(resolve(" ../a ", Some(&base)).unwrap().as_str(), "https://example.com/a");
        assert_eq!(resolve("//cdn.example.net/x", Some(&base)).unwrap().as_str(), "https://cdn.example.net/x");
        for text in ["", "javascript:alert(1)", "mailto:a@example.com", "http://", &"a".repeat(URL_BYTES_MAX + 1)] {
            assert_eq!(resolve(text, Some(&base)), None, "{text}");
        }
        assert_eq!(resolve("a/b", None), None);
    }
}
