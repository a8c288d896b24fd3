//! The one place that says which post an entry is, and whether it still says the same.
//! Unaware of what was seen before.

use std::collections::HashMap;

use url::Url;

use super::{Entry, Markup};
use crate::extract::site::{self, Scope};
use crate::model::Timestamp;

/// Bytes of a native id; of a longer one the hash stands in.
const NATIVE_ID_BYTES_MAX: usize = 1024;
/// Beginnings of fragments that name a comment on the page before them.
const COMMENT_FRAGMENTS: [&str; 2] = ["comment", "isso-"];

/// Whether a feed's guids tell its entries apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guids {
    #[default]
    Distinct,
    /// Most entries repeat the guid of another one: permalinks stand in, for ever.
    Repeated,
}

/// Whether the guids of one answer tell its entries apart. The same entry listed twice is no repetition.
pub fn guids(entries: &[Entry]) -> Guids {
    let mut links: HashMap<&str, Option<&str>> = HashMap::new();
    let mut repeated = 0;
    for entry in entries {
        let Some(guid) = &entry.guid else { continue };
        let link = entry.link.as_deref();
        repeated += usize::from(*links.entry(&guid.value).or_insert(link) != link);
    }
    if repeated * 2 > entries.len() { Guids::Repeated } else { Guids::Distinct }
}

/// The native id of the post that an entry of a feed of `scope` is. The first rule that applies decides:
///
/// | the entry has | the id is |
/// |---|---|
/// | a guid that is said to be the permalink (RSS `isPermaLink`, true unless it says false), a URL of the scope | the canonical permalink |
/// | any other guid, Atom `id`, `rdf:about` or JSON Feed `id` | `tag:<scope>,guid:<guid>` |
/// | a link of the scope | the canonical permalink |
/// | any other link | `tag:<scope>,link:<canonical link>` |
/// | a title | `tag:<scope>,title:<title>,date:<published, or nothing>` |
/// | only a text | `tag:<scope>,text:<hash of the text>` |
///
/// So an id either is a URL on the feed's own site or carries its scope, and no feed can speak for another site.
/// A scope holds no comma, so no two scopes share an id. An entry with nothing at all has none.
pub fn native_id(scope: &Scope, entry: &Entry, guids: Guids) -> Option<String> {
    if guids == Guids::Distinct
        && let Some(guid) = &entry.guid
    {
        let permalink = guid.permalink.then(|| own_permalink(scope, &guid.value)).flatten();
        return Some(permalink.unwrap_or_else(|| reference_id(scope, &guid.value)));
    }
    if let Some(link) = entry.link.as_deref().and_then(|link| site::resolve(link, None)) {
        let canonical = site::canonical(&link);
        return Some(bounded(scope, if scope.owns(&link) { canonical } else { tagged(scope, "link", &canonical) }));
    }
    let title = entry.title.as_ref().map(Markup::line).filter(|title| !title.is_empty());
    if let Some(title) = title {
        let date = entry.published.map(|time| time.to_string()).unwrap_or_default();
        return Some(bounded(scope, tagged(scope, "title", &format!("{title},date:{date}"))));
    }
    let text = entry.content.as_ref().map(|content| content.read(None).text).filter(|text| !text.is_empty())?;
    Some(tagged(scope, "text", &blake3::hash(text.as_bytes()).to_hex()))
}

/// The native id of the entry that a feed of `scope` refers to by `guid`, as in a reply or a tombstone.
pub fn reference_id(scope: &Scope, guid: &str) -> String {
    bounded(scope, tagged(scope, "guid", guid))
}

/// The native id of what an entry answers: what it says itself (RFC 4685), else the page that its permalink is a
/// comment on. The page's guid is taken to be the comment's without its fragment, as WordPress writes them.
pub fn parent_id(scope: &Scope, entry: &Entry) -> Option<String> {
    if let Some(reference) = &entry.in_reply_to {
        return Some(reference_id(scope, reference));
    }
    let link = site::resolve(entry.link.as_deref()?, None)?;
    let fragment = link.fragment().filter(|fragment| is_comment(fragment))?;
    if let Some(guid) = &entry.guid
        && let Some(page) = guid.value.strip_suffix(fragment).and_then(|page| page.strip_suffix('#'))
    {
        let permalink = guid.permalink.then(|| own_permalink(scope, page)).flatten();
        return Some(permalink.unwrap_or_else(|| reference_id(scope, page)));
    }
    let mut page = link.clone();
    page.set_fragment(None);
    scope.owns(&page).then(|| site::canonical(&page))
}

/// What a reader of an entry sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Dates are left out: many feeds are dated anew at every request.
    pub hash: u64,
    /// Of title and text; 0 for an entry that says nothing.
    pub bytes: u32,
}

/// Reads an entry as its reader does.
pub fn content(entry: &Entry) -> Content {
    let title = entry.title.as_ref().map(Markup::line).unwrap_or_default();
    let base = entry.base.as_deref().and_then(|base| Url::parse(base).ok());
    let content = entry.content.as_ref().map(|content| content.read(base.as_ref())).unwrap_or_default();
    let author = entry.author.as_ref().and_then(|author| author.name.as_deref()).unwrap_or_default();
    let link = entry.link.as_deref().and_then(|link| site::resolve(link, None)).map(|link| site::canonical(&link));
    let mut hasher = blake3::Hasher::new();
    let fields = [title.as_str(), &content.text, author, link.as_deref().unwrap_or_default()];
    for field in fields.into_iter().chain(entry.categories.iter().map(String::as_str)) {
        hasher.update(&(field.len() as u64).to_le_bytes());
        hasher.update(field.as_bytes());
    }
    let hash = u64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("eight of thirty-two bytes"));
    let bytes = u32::try_from(title.len() + content.text.len()).unwrap_or(u32::MAX);
    Content { hash, bytes }
}

impl Entry {
    /// The time that the entry gives itself: when it was published, else when it was changed.
    pub fn dated(&self) -> Option<Timestamp> {
        self.published.or(self.updated)
    }
}

fn own_permalink(scope: &Scope, text: &str) -> Option<String> {
    let url = site::resolve(text, None).filter(|url| scope.owns(url))?;
    Some(bounded(scope, site::canonical(&url)))
}

fn is_comment(fragment: &str) -> bool {
    site::names_a_post(fragment) && COMMENT_FRAGMENTS.iter().any(|start| fragment.starts_with(start))
}

fn tagged(scope: &Scope, kind: &str, value: &str) -> String {
    format!("tag:{},{kind}:{value}", scope.as_str())
}

fn bounded(scope: &Scope, id: String) -> String {
    if id.len() <= NATIVE_ID_BYTES_MAX { id } else { tagged(scope, "hash", &blake3::hash(id.as_bytes()).to_hex()) }
}
