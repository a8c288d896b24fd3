//! Feeds to entries: RSS 0.9x to 2.0, RDF, Atom and JSON Feed, right or nearly right, and lists of feeds in OPML.
//! Unaware of where a document came from and of what was in it yesterday.

mod identity;
mod json;
mod names;
mod opml;
mod xml;

use serde::{Deserialize, Serialize};
use url::Url;

use super::{cut, html};
use crate::model::{Rejected, Timestamp};

pub use identity::{Content, Guids, content, guids, native_id, parent_id, reference_id};
pub use opml::{OUTLINES_MAX, addresses};

/// Entries read of one document; those after them are counted and left.
pub const ENTRIES_MAX: usize = 2000;
/// Bytes of an entry's markup that are kept.
pub const MARKUP_BYTES_MAX: usize = 256 << 10;
/// Bytes of a title, a name or an id that are kept.
pub const FIELD_BYTES_MAX: usize = 4 << 10;
/// Categories kept of one entry.
pub const CATEGORIES_MAX: usize = 32;
/// Bytes of a category; a longer one is dropped.
pub const CATEGORY_BYTES_MAX: usize = 128;
/// Entries that a document may declare deleted at once.
pub const DELETED_MAX: usize = 100;

/// One document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feed {
    pub title: Option<String>,
    /// The page that the feed is of.
    pub link: Option<String>,
    pub language: Option<String>,
    /// The WebSub hub.
    pub hub: Option<String>,
    pub self_link: Option<String>,
    /// Minutes for which the publisher calls the document fresh.
    pub ttl_minutes: Option<u32>,
    /// Whoever wrote the entries that name nobody.
    pub author: Option<Person>,
    /// In the order of the document.
    pub entries: Vec<Entry>,
    /// Ids of entries that the document declares deleted (RFC 6721).
    pub deleted: Vec<String>,
    /// Whether something was repaired on the way: what is here may differ from what was meant.
    pub salvaged: bool,
    /// Whether the document ended early: what is missing may only be unread.
    pub cut: bool,
    /// Entries after `ENTRIES_MAX`, which were left.
    pub beyond: usize,
}

/// One entry as the document has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guid: Option<Guid>,
    /// The permalink, absolute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Markup>,
    /// The whole text if the document has it, else the summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Markup>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Person>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Timestamp>,
    /// The page with the comments on this entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comments: Option<String>,
    /// The id of the entry that this one answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What relative links in the markup are relative to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// The id that the publisher gave to an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guid {
    pub value: String,
    /// Whether the publisher says that it is the permalink too (RSS `isPermaLink`).
    pub permalink: bool,
}

/// A text, with or without markup in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Markup {
    Html(String),
    Text(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Markup {
    /// As a reader sees it, with links made absolute by `base`.
    pub fn read(&self, base: Option<&Url>) -> html::Text {
        match self {
            Self::Html(markup) => html::text(markup, base),
            Self::Text(text) => html::Text { text: html::plain(text), ..html::Text::default() },
        }
    }

    /// As one line.
    pub fn line(&self) -> String {
        match self {
            Self::Html(markup) => html::line(markup),
            Self::Text(text) => html::plain(text).replace('\n', " "),
        }
    }
}

impl Entry {
    /// Whether there is anything to tell it from nothing.
    fn says_something(&self) -> bool {
        self.guid.is_some() || self.link.is_some() || self.title.is_some() || self.content.is_some()
    }

    /// Gives the entry what it inherits from the document, and a permalink that only its guid holds.
    fn complete(&mut self, feed_author: Option<&Person>) {
        if self.link.is_none()
            && let Some(guid) = self.guid.as_ref().filter(|guid| guid.permalink)
        {
            self.link = super::site::resolve(&guid.value, None).map(String::from);
        }
        if self.author.is_none() {
            self.author = feed_author.cloned();
        }
        if self.base.is_none() {
            self.base = self.link.clone();
        }
    }

    fn add_category(&mut self, category: &str) {
        let category = category.trim().trim_start_matches('#');
        let fits =
            !category.is_empty() && category.len() <= CATEGORY_BYTES_MAX && self.categories.len() < CATEGORIES_MAX;
        if fits && !self.categories.iter().any(|known| known == category) {
            self.categories.push(category.to_owned());
        }
    }
}

impl Person {
    /// Of what stands where a name belongs: `Bob`, `bob@example.org (Bob)`, `Bob <bob@example.org>`, or markup with a
    /// link. Addresses of mail are not kept.
    fn of(text: &str) -> Option<Self> {
        let (name, url) = if text.contains("</") || text.contains("/>") {
            let read = html::text(text, None);
            (read.text, read.links.into_iter().next())
        } else {
            (html::plain(text), None)
        };
        let mut name = unaddressed(name.trim()).replace('\n', " ");
        cut(&mut name, FIELD_BYTES_MAX);
        if name.is_empty() && url.is_none() {
            return None;
        }
        Some(Self { name: Some(name).filter(|name| !name.is_empty()), url })
    }
}

fn unaddressed(name: &str) -> &str {
    let is_address = |text: &str| !text.contains(char::is_whitespace) && text.contains(['@', '\u{ff20}']);
    if let Some((address, rest)) = name.split_once('(')
        && is_address(address.trim())
    {
        return rest.trim_end().trim_end_matches(')').trim();
    }
    if let Some((before, address)) = name.split_once('<')
        && is_address(address.trim_end().trim_end_matches('>'))
    {
        return before.trim().trim_matches('"');
    }
    if is_address(name) && !name.starts_with('@') { name.split(['@', '\u{ff20}']).next().unwrap_or("") } else { name }
}

/// Reads a document of any kind. `at` is its own address. A document that is no feed is rejected; one with faults
/// gives what can be had of it, and says so.
pub fn parse(text: &str, at: &Url) -> Result<Feed, Rejected> {
    let text = text.trim_start_matches(|first: char| first == '\u{feff}' || first.is_whitespace() || first == '\0');
    match text.as_bytes().first() {
        None => Err(Rejected::Empty),
        Some(b'{') => json::parse(text, at),
        Some(_) => xml::parse(text, at),
    }
}

#[cfg(test)]
mod tests;
