//! JSON Feed 1.0 and 1.1, by value: a field of the wrong type costs the field, not the feed.
//! Unaware of what entries mean.

use serde_json::{Map, Value};
use url::Url;

use super::{ENTRIES_MAX, Entry, FIELD_BYTES_MAX, Feed, Guid, MARKUP_BYTES_MAX, Markup, Person};
use crate::extract::{cut, dates, html, site};
use crate::model::Rejected;

/// Reads a document. `at` is its own address.
pub(super) fn parse(text: &str, at: &Url) -> Result<Feed, Rejected> {
    let feed: Map<String, Value> = serde_json::from_str(text).map_err(|_| Rejected::Syntax)?;
    let Some(Value::Array(items)) = feed.get("items") else { return Err(Rejected::Shape) };
    let author = person(&feed);
    let mut entries = Vec::new();
    for item in items.iter().take(ENTRIES_MAX).filter_map(Value::as_object) {
        let mut entry = entry(item, at);
        entry.complete(author.as_ref());
        if entry.says_something() {
            entries.push(entry);
        }
    }
    Ok(Feed {
        title: line(&feed, "title"),
        link: url(&feed, "home_page_url", at),
        language: line(&feed, "language"),
        hub: hub(&feed, at),
        self_link: url(&feed, "feed_url", at),
        author,
        entries,
        cut: items.len() > ENTRIES_MAX,
        beyond: items.len().saturating_sub(ENTRIES_MAX),
        ..Feed::default()
    })
}

fn entry(item: &Map<String, Value>, at: &Url) -> Entry {
    let link = url(item, "url", at);
    let content = body(item, "content_html").map(Markup::Html).or_else(|| body(item, "content_text").map(Markup::Text));
    let mut entry = Entry {
        guid: line(item, "id").map(|value| Guid { value, permalink: false }),
        base: link.clone(),
        link: link.or_else(|| url(item, "external_url", at)),
        title: line(item, "title").map(Markup::Text),
        content: content.or_else(|| body(item, "summary").map(Markup::Text)),
        author: person(item),
        published: line(item, "date_published").and_then(|text| dates::parse(&text)),
        updated: line(item, "date_modified").and_then(|text| dates::parse(&text)),
        language: line(item, "language"),
        ..Entry::default()
    };
    for tag in item.get("tags").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        entry.add_category(tag);
    }
    entry
}

/// A short text; ids are numbers in some feeds.
fn line(object: &Map<String, Value>, key: &str) -> Option<String> {
    let text = match object.get(key)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut text = html::plain(&text).replace('\n', " ");
    cut(&mut text, FIELD_BYTES_MAX);
    (!text.is_empty()).then_some(text)
}

fn body(object: &Map<String, Value>, key: &str) -> Option<String> {
    let mut text = object.get(key)?.as_str()?.trim().to_owned();
    cut(&mut text, MARKUP_BYTES_MAX);
    (!text.is_empty()).then_some(text)
}

fn url(object: &Map<String, Value>, key: &str, at: &Url) -> Option<String> {
    site::resolve(object.get(key)?.as_str()?, Some(at)).map(String::from)
}

/// The first of `authors`, or the `author` of version 1.0.
fn person(object: &Map<String, Value>) -> Option<Person> {
    let first = object.get("authors").and_then(Value::as_array).and_then(|authors| authors.first());
    let author = first.or_else(|| object.get("author"))?.as_object()?;
    let url = author.get("url").and_then(Value::as_str).and_then(|url| site::resolve(url, None)).map(String::from);
    let name = line(author, "name");
    (name.is_some() || url.is_some()).then_some(Person { name, url })
}

fn hub(feed: &Map<String, Value>, at: &Url) -> Option<String> {
    let hubs = feed.get("hubs")?.as_array()?;
    hubs.iter().filter_map(Value::as_object).find_map(|hub| url(hub, "url", at))
}
