//! The names of elements: which vocabulary they belong to, and what they mean where they stand.
//! Unaware of their content.

/// Prefixes that one document may declare.
const PREFIXES_MAX: usize = 64;

/// A vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Space {
    /// RSS in all its versions, and whatever declares nothing.
    Plain,
    Atom,
    Content,
    DublinCore,
    Media,
    Thread,
    Tombstones,
    FeedBurner,
    Xhtml,
    Other,
}

/// What the children of an element are parts of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Outside,
    Feed,
    Entry,
    /// A person who wrote what is around.
    Author,
    /// A group of media in an entry.
    Group,
    Ignored,
}

/// What an element means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its children count as parts of this.
    Container(Place),
    /// Its content is this.
    Field(Field),
    /// Its attributes are a link, a reply, a deletion.
    Link,
    Reply,
    Deleted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Title,
    Link,
    OriginalLink,
    Guid,
    Language,
    Ttl,
    Content,
    Summary,
    MediaSummary,
    Creator,
    AuthorName,
    AuthorUrl,
    Published,
    Dated,
    Updated,
    Category,
    Comments,
}

/// The prefixes that a document declared, the innermost last.
#[derive(Default)]
pub(super) struct Names(Vec<(String, Space)>);

impl Names {
    /// Takes note of `xmlns="uri"` (an empty prefix) or `xmlns:prefix="uri"`, until `forget` is told to go back.
    pub(super) fn declare(&mut self, prefix: &str, uri: &str) {
        if self.0.len() < PREFIXES_MAX {
            self.0.push((prefix.to_owned(), by_uri(uri)));
        }
    }

    /// How many declarations are in force.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets all but the first `len` declarations: those after them were inside an element that has ended.
    pub(super) fn forget(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// What elements without a prefix are when the root does not say.
    pub(super) fn assume(&mut self, space: Space) {
        if !self.0.iter().any(|(prefix, _)| prefix.is_empty()) && self.0.len() < PREFIXES_MAX {
            self.0.push((String::new(), space));
        }
    }

    /// The vocabulary of a prefix: as declared, else by custom.
    pub(super) fn space(&self, prefix: &str) -> Space {
        self.0.iter().rfind(|(known, _)| known == prefix).map_or_else(|| by_custom(prefix), |&(_, space)| space)
    }
}

fn by_uri(uri: &str) -> Space {
    let uri = uri.trim().to_ascii_lowercase();
    let ends: [(&str, Space); 9] = [
        ("/2005/atom", Space::Atom),
        ("purl.org/atom/ns#", Space::Atom),
        ("modules/content", Space::Content),
        ("purl.org/dc/", Space::DublinCore),
        ("search.yahoo.com/mrss", Space::Media),
        ("syndication/thread", Space::Thread),
        ("atompub/tombstones", Space::Tombstones),
        ("feedburner", Space::FeedBurner),
        ("/1999/xhtml", Space::Xhtml),
    ];
    if let Some(&(_, space)) = ends.iter().find(|(part, _)| uri.contains(part)) {
        return space;
    }
    let is_rss = uri.is_empty()
        || uri.ends_with("/rss/1.0/")
        || uri.contains("rdf")
        || uri.contains("userland")
        || uri.contains("rss2");
    if is_rss && !uri.contains("modules") { Space::Plain } else { Space::Other }
}

fn by_custom(prefix: &str) -> Space {
    match prefix {
        "" | "rdf" | "rss" => Space::Plain,
        "atom" | "atom10" | "a10" => Space::Atom,
        "content" => Space::Content,
        "dc" | "dcterms" | "dct" => Space::DublinCore,
        "media" => Space::Media,
        "thr" => Space::Thread,
        "at" => Space::Tombstones,
        "feedburner" => Space::FeedBurner,
        "xhtml" => Space::Xhtml,
        _ => Space::Other,
    }
}

/// What an element is, by its vocabulary, its local name in lower case, and where it stands.
pub(super) fn role(place: Place, space: Space, local: &str) -> Role {
    match place {
        Place::Outside => Role::Container(Place::Outside),
        Place::Feed => in_feed(space, local),
        Place::Entry => in_entry(space, local),
        Place::Author => match local {
            "name" => Role::Field(Field::AuthorName),
            "uri" | "url" | "homepage" => Role::Field(Field::AuthorUrl),
            _ => Role::Container(Place::Ignored),
        },
        Place::Group if space == Space::Media && local == "description" => Role::Field(Field::MediaSummary),
        Place::Group | Place::Ignored => Role::Container(Place::Ignored),
    }
}

fn in_feed(space: Space, local: &str) -> Role {
    match (space, local) {
        (Space::Tombstones, "deleted-entry") => Role::Deleted,
        (Space::DublinCore, "language") => Role::Field(Field::Language),
        (Space::Plain | Space::Atom, _) => match local {
            "channel" => Role::Container(Place::Feed),
            "item" | "entry" => Role::Container(Place::Entry),
            "title" => Role::Field(Field::Title),
            "link" => Role::Link,
            "language" => Role::Field(Field::Language),
            "ttl" => Role::Field(Field::Ttl),
            "author" => Role::Container(Place::Author),
            _ => Role::Container(Place::Ignored),
        },
        _ => Role::Container(Place::Ignored),
    }
}

fn in_entry(space: Space, local: &str) -> Role {
    let field = match (space, local) {
        (Space::Thread, "in-reply-to") => return Role::Reply,
        (Space::Media, "group") => return Role::Container(Place::Group),
        (Space::Media, "description") => Field::MediaSummary,
        (Space::Content, "encoded") | (Space::Xhtml, "body" | "div") => Field::Content,
        (Space::FeedBurner, "origlink") => Field::OriginalLink,
        (Space::DublinCore, "creator" | "author") => Field::Creator,
        (Space::DublinCore, "subject") => Field::Category,
        (Space::DublinCore, "date" | "created" | "issued") => Field::Dated,
        (Space::DublinCore, "modified") => Field::Updated,
        (Space::DublinCore, "language") => Field::Language,
        (Space::Plain | Space::Atom, _) => return in_entry_core(space, local),
        _ => return Role::Container(Place::Ignored),
    };
    Role::Field(field)
}

fn in_entry_core(space: Space, local: &str) -> Role {
    let field = match local {
        "title" => Field::Title,
        "link" => return Role::Link,
        "guid" | "id" => Field::Guid,
        "content" | "body" | "fullitem" => Field::Content,
        "description" | "summary" => Field::Summary,
        "author" if space == Space::Atom => return Role::Container(Place::Author),
        "author" => Field::Creator,
        "pubdate" | "published" => Field::Published,
        "issued" | "created" | "date" => Field::Dated,
        "updated" | "modified" => Field::Updated,
        "category" => Field::Category,
        "comments" => Field::Comments,
        "language" => Field::Language,
        _ => return Role::Container(Place::Ignored),
    };
    Role::Field(field)
}

/// Whether the element of HTML never has an end.
pub(super) fn is_void(local: &str) -> bool {
    matches!(
        local,
        "area"
            | "base"
            | "br"
            | "col"
            | "embed"
            | "hr"
            | "img"
            | "input"
            | "link"
            | "meta"
            | "source"
            | "track"
            | "wbr"
    )
}
