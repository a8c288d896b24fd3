//! RSS, RDF and Atom, by a pull parser that forgives: unknown entities, bare `&` and `<`, bad bytes, ends that match
//! nothing, elements that never end, documents that stop in the middle. Unaware of what entries mean.

use std::borrow::Cow;
use std::collections::HashMap;

use quick_xml::errors::Error;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use url::Url;

use super::names::{Field, Names, Place, Role, Space, is_void, role};
use super::{DELETED_MAX, ENTRIES_MAX, Entry, FIELD_BYTES_MAX, Feed, Guid, MARKUP_BYTES_MAX, Markup, Person};
use crate::extract::{cut, dates, html, site};
use crate::model::Rejected;

/// Elements inside each other.
const DEPTH_MAX: usize = 128;
/// Attributes read of one element.
const ATTRIBUTES_MAX: usize = 32;
/// Elements looked at for the root of a feed: warnings of the program that made it may come first.
const ROOT_ELEMENTS_MAX: usize = 64;
/// Syntax errors after which reading goes on at the next entry.
const RESUMES_MAX: usize = 16;
/// Bytes of a language's tag; every element inside inherits it.
const LANGUAGE_BYTES_MAX: usize = 64;
/// Entities other than XML's five that are remembered.
const ENTITIES_MAX: usize = 512;

/// Reads a document. `at` is its own address.
pub(super) fn parse(text: &str, at: &Url) -> Result<Feed, Rejected> {
    let text = escape_stray(text);
    let mut walk = Walk::new(at, matches!(text, Cow::Owned(_)) || text.contains('\u{fffd}'));
    let mut from = 0;
    for _ in 0..RESUMES_MAX {
        let Some(fault) = walk.read(&text[from..])? else { return walk.finish() };
        walk.feed.salvaged = true;
        let Some(next) = next_entry(&text, from + fault) else { break };
        walk.abandon_entry();
        from = next;
    }
    walk.feed.cut = true;
    walk.finish()
}

/// Writes `&lt;` for every `<` outside of comments and CDATA that starts no markup.
fn escape_stray(text: &str) -> Cow<'_, str> {
    let mut escaped = String::new();
    let (mut copied, mut from) = (0, 0);
    while let Some(at) = memchr::memchr(b'<', &text.as_bytes()[from..]).map(|at| from + at) {
        let rest = &text[at..];
        let past = |start: usize, end: &str| rest.get(start..)?.find(end).map(|found| start + found + end.len());
        let skip = if rest.starts_with("<![CDATA[") {
            past(9, "]]>")
        } else if rest.starts_with("<!--") {
            past(4, "-->")
        } else {
            let next = rest[1..].chars().next();
            if !next.is_some_and(|next| next.is_alphabetic() || "/!?_:".contains(next)) {
                escaped.push_str(&text[copied..at]);
                escaped.push_str("&lt;");
                copied = at + 1;
            }
            Some(1)
        };
        from = at + skip.unwrap_or(rest.len());
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    escaped.push_str(&text[copied..]);
    Cow::Owned(escaped)
}

/// Where the next entry starts after a fault.
fn next_entry(text: &str, fault: usize) -> Option<usize> {
    let after = text.ceil_char_boundary((fault + 1).min(text.len()));
    ["<item>", "<item ", "<entry>", "<entry "]
        .iter()
        .filter_map(|start| text[after..].find(start))
        .min()
        .map(|at| after + at)
}

/// An element as it starts.
struct Element {
    raw: String,
    prefix: String,
    local: String,
    /// Names in lower case.
    attributes: Vec<(String, String)>,
}

impl Element {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The language that it declares for itself and everything in it.
    fn language(&self) -> Option<String> {
        let mut language = self.get("xml:lang")?.to_owned();
        cut(&mut language, LANGUAGE_BYTES_MAX);
        language.shrink_to_fit();
        Some(language)
    }
}

/// An element that has not ended.
struct Open {
    raw: String,
    place: Place,
    base: Option<Url>,
    language: Option<String>,
    /// How many declarations of prefixes were in force outside of it.
    names: usize,
}

/// The content of a field, while it is read.
struct Capture {
    field: Field,
    place: Place,
    mode: Mode,
    /// The guid is the permalink too.
    permalink: bool,
    out: String,
    /// How many elements are open inside and outside, this one included.
    depth: usize,
}

/// What the characters of a field are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Text,
    /// HTML, escaped or in CDATA.
    Html,
    /// Elements of this document.
    Xhtml,
}

struct Walk {
    names: Names,
    open: Vec<Open>,
    feed: Feed,
    entry: Option<Entry>,
    summary: Option<Markup>,
    capture: Option<Capture>,
    rooted: bool,
    elements: usize,
    at: Url,
    entities: HashMap<String, Option<String>>,
}

impl Walk {
    fn new(at: &Url, salvaged: bool) -> Self {
        Self {
            names: Names::default(),
            open: Vec::new(),
            feed: Feed { salvaged, ..Feed::default() },
            entry: None,
            summary: None,
            capture: None,
            rooted: false,
            elements: 0,
            at: at.clone(),
            entities: HashMap::new(),
        }
    }

    /// Reads to the end, or to where the text cannot be read on: the byte is returned.
    fn read(&mut self, text: &str) -> Result<Option<usize>, Rejected> {
        let mut reader = Reader::from_str(text);
        let config = reader.config_mut();
        config.allow_dangling_amp = true;
        config.allow_unmatched_ends = true;
        config.check_end_names = false;
        loop {
            match reader.read_event() {
                Ok(Event::Eof) => return Ok(None),
                Ok(Event::Start(start)) => self.start(&start, false)?,
                Ok(Event::Empty(start)) => self.start(&start, true)?,
                Ok(Event::End(end)) => self.end(end.name().0),
                Ok(Event::Text(text)) => self.characters(&text.into_inner()),
                Ok(Event::CData(text)) => self.characters(&text.into_inner()),
                Ok(Event::GeneralRef(name)) => self.reference(&name.into_inner()),
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {}
                Err(Error::IllFormed(_)) => self.feed.salvaged = true,
                Err(_) => return Ok(Some(usize::try_from(reader.error_position()).unwrap_or(text.len()))),
            }
        }
    }

    fn finish(mut self) -> Result<Feed, Rejected> {
        if !self.rooted {
            return Err(if self.elements == 0 { Rejected::Syntax } else { Rejected::Shape });
        }
        if !self.open.is_empty() {
            // The entry that is open may be half an entry: it is left for the next, whole answer.
            self.feed.salvaged = true;
            self.feed.cut = true;
        }
        let author = self.feed.author.take();
        for entry in &mut self.feed.entries {
            entry.complete(author.as_ref());
        }
        self.feed.author = author;
        Ok(self.feed)
    }

    fn abandon_entry(&mut self) {
        self.capture = None;
        self.entry = None;
        self.summary = None;
        let outside = self.open.iter().position(|open| open.place != Place::Feed).unwrap_or(self.open.len());
        self.names.forget(self.open.get(outside).map_or(self.names.len(), |open| open.names));
        self.open.truncate(outside);
    }

    fn start(&mut self, start: &BytesStart<'_>, is_empty: bool) -> Result<(), Rejected> {
        let names = self.names.len();
        let element = self.element(start);
        if !self.rooted {
            return self.look_for_root(element);
        }
        if self.entry.is_some() && matches!(element.local.as_str(), "item" | "entry") {
            self.end_unclosed_entry(&element.raw);
        }
        if self.open.len() >= DEPTH_MAX {
            return self.too_deep();
        }
        if self.capture.is_some() {
            self.inner_start(&element, is_empty);
            return Ok(());
        }
        let place = self.open.last().map_or(Place::Outside, |open| open.place);
        let meaning = role(place, self.names.space(&element.prefix), &element.local);
        let inner = if let Role::Container(inner) = meaning { inner } else { Place::Ignored };
        let open = Open { names, ..self.opened(&element, inner) };
        self.open.push(open);
        match meaning {
            Role::Container(Place::Entry) => self.begin_entry(&element),
            Role::Container(_) => {}
            Role::Field(field) => self.begin_field(field, place, &element),
            Role::Link if element.get("href").is_none() => self.begin_field(Field::Link, place, &element),
            Role::Link => self.link(&element, place),
            Role::Reply => self.reply(&element),
            Role::Deleted => self.deleted(&element),
        }
        if is_empty {
            self.close_last();
        }
        Ok(())
    }

    fn look_for_root(&mut self, element: Element) -> Result<(), Rejected> {
        self.elements += 1;
        let is_root = matches!(element.local.as_str(), "rss" | "rdf" | "feed" | "channel");
        if is_root {
            self.rooted = true;
            self.names.assume(if element.local == "feed" { Space::Atom } else { Space::Plain });
            self.feed.language = element.language();
            let open = self.opened(&element, Place::Feed);
            self.open.push(open);
        } else if element.local == "html" || self.elements >= ROOT_ELEMENTS_MAX {
            return Err(Rejected::Shape);
        } else {
            self.feed.salvaged = true;
        }
        Ok(())
    }

    fn too_deep(&mut self) -> Result<(), Rejected> {
        if self.feed.entries.is_empty() {
            return Err(Rejected::TooDeep);
        }
        self.feed.salvaged = true;
        self.abandon_entry();
        Ok(())
    }

    fn element(&mut self, start: &BytesStart<'_>) -> Element {
        let raw = start.name().0.to_owned();
        let (prefix, local) = raw.split_once(':').unwrap_or(("", &raw));
        let (prefix, local) = (prefix.to_ascii_lowercase(), local.to_ascii_lowercase());
        let mut attributes = Vec::new();
        for attribute in start.html_attributes().with_checks(false).take(ATTRIBUTES_MAX).flatten() {
            let name = attribute.key.0.to_ascii_lowercase();
            let value = self.unescape(&attribute.value);
            if let Some(declared) = name.strip_prefix("xmlns").filter(|_| self.capture.is_none()) {
                self.names.declare(declared.trim_start_matches(':'), &value);
            }
            attributes.push((name, value));
        }
        Element { raw, prefix, local, attributes }
    }

    fn opened(&self, element: &Element, place: Place) -> Open {
        let outer = self.open.last();
        let base = outer.and_then(|outer| outer.base.clone());
        let own = element.get("xml:base").and_then(|text| site::resolve(text, base.as_ref().or(Some(&self.at))));
        let language = element.language();
        Open {
            raw: element.raw.clone(),
            place,
            base: own.or(base),
            language: language.or_else(|| outer.and_then(|outer| outer.language.clone())),
            names: self.names.len(),
        }
    }

    fn begin_entry(&mut self, element: &Element) {
        let open = self.open.last().expect("the entry's element was just opened");
        let about = element.get("rdf:about").filter(|about| !about.is_empty());
        self.entry = Some(Entry {
            guid: about.map(|about| Guid { value: about.to_owned(), permalink: false }),
            language: open.language.clone(),
            base: open.base.as_ref().map(Url::to_string),
            ..Entry::default()
        });
        self.summary = None;
    }

    fn end_unclosed_entry(&mut self, raw: &str) {
        if let Some(at) = self.open.iter().position(|open| open.place == Place::Entry && open.raw == raw) {
            self.feed.salvaged = true;
            while self.open.len() > at {
                self.close_last();
            }
        }
    }

    fn begin_field(&mut self, field: Field, place: Place, element: &Element) {
        let kind = element.get("type").unwrap_or("").to_ascii_lowercase();
        let space = self.names.space(&element.prefix);
        let mode = match field {
            Field::Content if space == Space::Xhtml => Mode::Xhtml,
            Field::Title | Field::Content | Field::Summary if space == Space::Atom => match kind.as_str() {
                "" | "text" | "text/plain" => Mode::Text,
                kind if kind.contains("xhtml") => Mode::Xhtml,
                _ => Mode::Html,
            },
            Field::Title | Field::Content | Field::Summary | Field::Creator | Field::AuthorName => Mode::Html,
            _ => Mode::Text,
        };
        if field == Field::Category
            && let Some(term) = element.get("term").or_else(|| element.get("label"))
            && let Some(entry) = &mut self.entry
        {
            entry.add_category(term);
        }
        let permalink = element.local == "guid" && element.get("ispermalink") != Some("false");
        self.capture = Some(Capture { field, place, mode, permalink, out: String::new(), depth: self.open.len() });
    }

    fn link(&mut self, element: &Element, place: Place) {
        let Some(url) = element.get("href").and_then(|href| self.absolute(href)) else { return };
        let rel = element.get("rel").unwrap_or("alternate").to_ascii_lowercase();
        let is_page = element.get("type").is_none_or(|kind| kind.contains("html"));
        match (place, &mut self.entry, rel.as_str()) {
            (Place::Entry, Some(entry), "alternate") if entry.link.is_none() || is_page => entry.link = Some(url),
            (Place::Entry, Some(entry), "replies") if is_page => entry.comments = Some(url),
            (Place::Feed, None, "alternate") if self.feed.link.is_none() && is_page => self.feed.link = Some(url),
            (Place::Feed, None, "self") => self.feed.self_link = Some(url),
            (Place::Feed, None, "hub") => self.feed.hub = Some(url),
            _ => {}
        }
    }

    fn reply(&mut self, element: &Element) {
        let reference = element.get("ref").or_else(|| element.get("href")).filter(|reference| !reference.is_empty());
        if let (Some(entry), Some(reference)) = (&mut self.entry, reference) {
            entry.in_reply_to = Some(reference.to_owned());
        }
    }

    fn deleted(&mut self, element: &Element) {
        let reference =
            element.get("ref").filter(|reference| !reference.is_empty() && reference.len() <= FIELD_BYTES_MAX);
        if self.feed.deleted.len() < DELETED_MAX {
            self.feed.deleted.extend(reference.map(str::to_owned));
        }
    }

    fn inner_start(&mut self, element: &Element, is_empty: bool) {
        let Some(capture) = &mut self.capture else { return };
        if capture.mode != Mode::Text {
            push_tag(&mut capture.out, element);
        }
        if !is_empty && !is_void(&element.local) {
            let open = self.opened(element, Place::Ignored);
            self.open.push(open);
        }
    }

    /// Ends the innermost open element of this name, and whatever is open inside it.
    fn end(&mut self, raw: &str) {
        let Some(at) = self.open.iter().rposition(|open| open.raw == raw) else { return };
        self.feed.salvaged |= at + 1 < self.open.len();
        while self.open.len() > at {
            self.close_last();
        }
    }

    fn close_last(&mut self) {
        let Some(open) = self.open.last() else { return };
        if let Some(capture) = &mut self.capture {
            if capture.depth < self.open.len() {
                if capture.mode != Mode::Text {
                    let local = open.raw.rsplit(':').next().unwrap_or("");
                    push_within(&mut capture.out, &format!("</{local}>"), MARKUP_BYTES_MAX);
                }
            } else if let Some(capture) = self.capture.take() {
                self.end_field(capture);
            }
        }
        let Some(open) = self.open.pop() else { return };
        self.names.forget(open.names);
        if open.place == Place::Entry && self.open.last().is_none_or(|outer| outer.place != Place::Entry) {
            self.end_entry();
        }
    }

    fn end_entry(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        let summary = self.summary.take();
        entry.content = entry.content.or(summary);
        if !entry.says_something() {
            return;
        }
        if self.feed.entries.len() < ENTRIES_MAX {
            self.feed.entries.push(entry);
        } else {
            self.feed.beyond += 1;
            self.feed.cut = true;
        }
    }

    fn characters(&mut self, text: &str) {
        let Some(capture) = &mut self.capture else { return };
        if capture.mode == Mode::Xhtml {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
            push_within(&mut capture.out, &escaped, MARKUP_BYTES_MAX);
        } else {
            push_within(&mut capture.out, text, MARKUP_BYTES_MAX);
        }
    }

    fn reference(&mut self, name: &str) {
        if self.capture.is_none() {
            return;
        }
        match self.resolve(name) {
            Some(text) => self.characters(&text),
            None => {
                self.feed.salvaged = true;
                self.characters(&format!("&{name};"));
            }
        }
    }

    fn resolve(&mut self, name: &str) -> Option<String> {
        match name {
            "amp" => Some("&".to_owned()),
            "lt" => Some("<".to_owned()),
            "gt" => Some(">".to_owned()),
            "quot" => Some("\"".to_owned()),
            "apos" => Some("'".to_owned()),
            _ => {
                if let Some(known) = self.entities.get(name) {
                    return known.clone();
                }
                let found = html::entity(name);
                if self.entities.len() < ENTITIES_MAX {
                    self.entities.insert(name.to_owned(), found.clone());
                }
                found
            }
        }
    }

    fn unescape(&mut self, raw: &str) -> String {
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once('&') {
            text.push_str(before);
            let end = after.bytes().take(40).position(|byte| byte == b';');
            match end.and_then(|end| Some((self.resolve(&after[..end])?, end))) {
                Some((character, end)) => {
                    text.push_str(&character);
                    rest = &after[end + 1..];
                }
                None => {
                    text.push('&');
                    rest = after;
                }
            }
        }
        text.push_str(rest);
        text
    }

    fn absolute(&self, text: &str) -> Option<String> {
        let base = self.open.last().and_then(|open| open.base.as_ref());
        site::resolve(text, Some(base.unwrap_or(&self.at))).map(String::from)
    }

    fn end_field(&mut self, capture: Capture) {
        match capture.place {
            Place::Feed => self.feed_field(capture),
            Place::Author => self.author_field(&capture),
            Place::Entry | Place::Group => self.entry_field(capture),
            Place::Outside | Place::Ignored => {}
        }
    }

    fn feed_field(&mut self, capture: Capture) {
        let url = self.absolute(&capture.out);
        match capture.field {
            Field::Title => {
                self.feed.title = markup(capture).map(|title| title.line()).filter(|title| !title.is_empty());
            }
            Field::Link if self.feed.link.is_none() => self.feed.link = url,
            Field::Language => self.feed.language = field(&capture.out),
            Field::Ttl => self.feed.ttl_minutes = capture.out.trim().parse().ok(),
            _ => {}
        }
    }

    fn author_field(&mut self, capture: &Capture) {
        // Of several authors the first one counts, and contributors are none.
        let author = if let Some(entry) = &mut self.entry { &mut entry.author } else { &mut self.feed.author };
        match capture.field {
            Field::AuthorName => {
                let url = author.take().and_then(|author| author.url);
                *author = Person::of(&capture.out).map(|person| Person { url: person.url.or(url), ..person });
            }
            Field::AuthorUrl => {
                let url = site::resolve(&capture.out, None).map(String::from);
                let author = author.get_or_insert_default();
                author.url = url.or(author.url.take());
            }
            _ => {}
        }
    }

    fn entry_field(&mut self, capture: Capture) {
        let url = self.absolute(&capture.out);
        let base = self.open.last().and_then(|open| open.base.as_ref()).map(Url::to_string);
        let (permalink, name) = (capture.permalink, capture.field);
        let Some(entry) = &mut self.entry else { return };
        match name {
            Field::Title => entry.title = markup(capture).or(entry.title.take()),
            Field::Content => {
                entry.base = base.or(entry.base.take());
                entry.content = markup(capture).or(entry.content.take());
            }
            Field::Summary => self.summary = markup(capture).or(self.summary.take()),
            Field::MediaSummary if self.summary.is_none() => self.summary = markup(capture),
            Field::Link if entry.link.is_none() => entry.link = url,
            Field::OriginalLink if url.is_some() => entry.link = url,
            Field::Comments => entry.comments = url,
            Field::Guid => {
                entry.guid = field(&capture.out).map(|value| Guid { value, permalink }).or(entry.guid.take());
            }
            Field::Creator if entry.author.is_none() => entry.author = Person::of(&capture.out),
            Field::Published => entry.published = dates::parse(&capture.out).or(entry.published),
            Field::Dated => entry.published = entry.published.or_else(|| dates::parse(&capture.out)),
            Field::Updated => entry.updated = dates::parse(&capture.out),
            Field::Category => entry.add_category(&html::line(&capture.out)),
            Field::Language => entry.language = field(&capture.out),
            _ => {}
        }
    }
}

fn push_within(out: &mut String, text: &str, bytes_max: usize) {
    let room = bytes_max.saturating_sub(out.len());
    out.push_str(&text[..text.floor_char_boundary(room)]);
}

fn push_tag(out: &mut String, element: &Element) {
    let mut tag = format!("<{}", element.local);
    for (name, value) in element.attributes.iter().filter(|(name, _)| matches!(name.as_str(), "href" | "src")) {
        tag.push_str(&format!(" {name}=\"{}\"", value.replace('&', "&amp;").replace('"', "&quot;")));
    }
    tag.push('>');
    // Half a tag would hide what follows it.
    if out.len() + tag.len() <= MARKUP_BYTES_MAX {
        out.push_str(&tag);
    }
}

/// A short text without control characters, in one line.
fn field(text: &str) -> Option<String> {
    let mut text = html::plain(text).replace('\n', " ");
    cut(&mut text, FIELD_BYTES_MAX);
    (!text.is_empty()).then_some(text)
}

fn markup(capture: Capture) -> Option<Markup> {
    let mut text = capture.out;
    if capture.field == Field::Title {
        cut(&mut text, FIELD_BYTES_MAX);
    }
    let text = text.trim().to_owned();
    if text.is_empty() {
        return None;
    }
    Some(if capture.mode == Mode::Text { Markup::Text(text) } else { Markup::Html(text) })
}
