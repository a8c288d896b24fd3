//! What a query asks of a post beside its words. Defined once, for all evaluators; unaware of texts as they are searched.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::model::{Lang, Post, PostKind, SourceType};

use super::pragma::Zone;
use super::{Truth, cursor};

/// One field and what it is compared with. Texts are in lower case unless said otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The post counts as being in this language.
    Lang(Lang),
    /// The network, or the configured source's slug.
    Source(String),
    /// A handle without `@`, or a native id.
    Author(String),
    /// A host; the post's site is it or lies below it.
    Site(String),
    /// The registrable domain of the post's site.
    Domain(String),
    /// The last labels of the post's site: `cz`, `co.uk`.
    Tld(String),
    /// Whole parts of the post's address or of one that it links to.
    Url(String),
    Board(String),
    SourceType(String),
    /// A thread's id, as events tell it. Case counts.
    Thread(String),
    /// The id of the post replied to. Case counts.
    ParentId(String),
    Is(Is),
    Has(Has),
    /// Tokens of title and text.
    Words(Bounds),
    /// Names that the post mentions.
    Mentions(Bounds),
    /// Hours of the day at which the post was published; from the later to the earlier goes over midnight.
    Hour {
        first: u8,
        last: u8,
        zone: Option<Zone>,
    },
    /// The day on which it was published: 0 for Monday.
    Weekday {
        day: u8,
        zone: Option<Zone>,
    },
    /// A sample of so many hundred-thousandths of all posts.
    Sample(u32),
    /// A field that no source fills yet, and its value as it was written: unknown of every post.
    Unfilled {
        field: String,
        value: String,
    },
}

/// A range of numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub min: u64,
    /// None for any number.
    pub max: Option<u64>,
}

impl Bounds {
    pub fn hold(self, number: u64) -> bool {
        number >= self.min && self.max.is_none_or(|max| number <= max)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Is {
    Post,
    Reply,
    Comment,
    Repost,
    Quote,
    Root,
    Edited,
    Question,
}

impl Is {
    pub const ALL: [(&'static str, Self); 8] = [
        ("post", Self::Post),
        ("reply", Self::Reply),
        ("comment", Self::Comment),
        ("repost", Self::Repost),
        ("quote", Self::Quote),
        ("root", Self::Root),
        ("edited", Self::Edited),
        ("question", Self::Question),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Has {
    Link,
    Mention,
    Hashtag,
    Emoji,
}

impl Has {
    pub const ALL: [(&'static str, Self); 4] =
        [("link", Self::Link), ("mention", Self::Mention), ("hashtag", Self::Hashtag), ("emoji", Self::Emoji)];
}

pub const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// The whole of which a sample is a part.
pub const SAMPLE_WHOLE: u32 = 100_000;

impl Is {
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, is)| *is == self).map_or("", |(name, _)| name)
    }
}

impl Has {
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, has)| *has == self).map_or("", |(name, _)| name)
    }
}

impl Condition {
    /// The field's name in a query.
    pub fn field(&self) -> &str {
        match self {
            Self::Lang(_) => "lang",
            Self::Source(_) => "source",
            Self::Author(_) => "author",
            Self::Site(_) => "site",
            Self::Domain(_) => "domain",
            Self::Tld(_) => "tld",
            Self::Url(_) => "url",
            Self::Board(_) => "board",
            Self::SourceType(_) => "sourcetype",
            Self::Thread(_) => "thread",
            Self::ParentId(_) => "parent_id",
            Self::Is(_) => "is",
            Self::Has(_) => "has",
            Self::Words(_) => "words",
            Self::Mentions(_) => "mentions",
            Self::Hour { .. } => "hour",
            Self::Weekday { .. } => "weekday",
            Self::Sample(_) => "sample",
            Self::Unfilled { field, .. } => field,
        }
    }

    /// What a post says of it; unknown where the post does not tell. A language and a count of words are asked of
    /// others: of the detector, and of the texts.
    pub fn holds(&self, post: &Post) -> Truth {
        match self {
            Self::Source(name) => (*post.network == **name || *post.source == **name).into(),
            Self::Author(name) => is_author(post, name).into(),
            Self::Site(site) => is_below(&post.site, site).into(),
            Self::Domain(domain) => (psl::domain_str(&post.site).unwrap_or(&post.site) == domain).into(),
            Self::Tld(labels) => (post.site.len() > labels.len() && is_below(&post.site, labels)).into(),
            Self::Url(part) => {
                let mut addresses = post.url.iter().chain(&post.links);
                addresses.any(|address| holds_parts(&address.to_lowercase(), part)).into()
            }
            Self::Board(name) => Truth::known(post.board.as_ref().map(|board| board.to_lowercase() == *name)),
            Self::SourceType(name) => (post.source_type.name() == name).into(),
            Self::Thread(id) => (post.thread.id.to_string() == *id).into(),
            Self::ParentId(id) => post.thread.parent.is_some_and(|parent| parent.to_string() == *id).into(),
            Self::Is(is) => self::is(*is, post).into(),
            Self::Has(has) => self::has(*has, post).into(),
            Self::Mentions(bounds) => bounds.hold(post.mentions.len() as u64).into(),
            Self::Hour { first, last, zone } => {
                Truth::known(local(post, zone.as_ref()).map(|time| is_hour(time.hour(), *first, *last)))
            }
            Self::Weekday { day, zone } => Truth::known(local(post, zone.as_ref()).map(|time| {
                let today = time.weekday().to_monday_zero_offset();
                today == *day as i8
            })),
            Self::Sample(parts) => is_sampled(post, *parts).into(),
            Self::Lang(_) | Self::Words(_) | Self::Unfilled { .. } => Truth::Unknown,
        }
    }
}

fn is_author(post: &Post, name: &str) -> bool {
    let handle = post.author.handle.as_deref().map(|handle| handle.trim_start_matches('@'));
    [Some(post.author.native_id.as_str()), handle].into_iter().flatten().any(|own| own.to_lowercase() == name)
}

/// Whether a host is another or lies below it.
fn is_below(host: &str, other: &str) -> bool {
    host.strip_suffix(other).is_some_and(|below| below.is_empty() || below.ends_with('.'))
}

/// Whether an address holds `part` between characters that are no letters and no digits.
fn holds_parts(address: &str, part: &str) -> bool {
    let is_letter = |next: Option<char>| next.is_some_and(char::is_alphanumeric);
    address.match_indices(part).any(|(start, found)| {
        let end = start + found.len();
        let begins = !is_letter(part.chars().next()) || !is_letter(address[..start].chars().next_back());
        let ends = !is_letter(part.chars().next_back()) || !is_letter(address[end..].chars().next());
        begins && ends
    })
}

fn is(is: Is, post: &Post) -> bool {
    match is {
        Is::Post => matches!(post.kind, PostKind::Post | PostKind::Article),
        Is::Reply => post.kind == PostKind::Reply,
        Is::Comment => post.kind == PostKind::Comment,
        Is::Repost => post.kind == PostKind::Repost,
        Is::Quote => post.kind == PostKind::Quote,
        Is::Root => post.thread.root.is_none() && post.thread.parent.is_none(),
        Is::Edited => post.edited_at.is_some(),
        Is::Question => texts(post).any(|text| text.contains(['?', '？', '؟', '\u{37e}', '⁇', '⁈', '⁉', '¿'])),
    }
}

fn has(has: Has, post: &Post) -> bool {
    match has {
        Has::Link => !post.links.is_empty() || texts(post).any(holds_address),
        Has::Mention => !post.mentions.is_empty() || texts(post).any(|text| holds_sign(text, &['@', '＠', '﹫'])),
        Has::Hashtag => !post.hashtags.is_empty() || texts(post).any(|text| holds_sign(text, &['#', '＃', '﹟'])),
        Has::Emoji => texts(post).any(|text| text.chars().any(is_emoji)),
    }
}

fn texts(post: &Post) -> impl Iterator<Item = &str> {
    post.title.as_deref().into_iter().chain([post.text.as_str()])
}

fn holds_address(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let head = &text.as_bytes()[..at];
        ["http", "https"].iter().any(|scheme| {
            head.len() >= scheme.len() && head[head.len() - scheme.len()..].eq_ignore_ascii_case(scheme.as_bytes())
        })
    })
}

/// Whether a sign stands before a letter or a digit and behind none.
fn holds_sign(text: &str, signs: &[char]) -> bool {
    text.match_indices(signs).any(|(at, sign)| {
        let before = text[..at].chars().next_back();
        let after = text[at + sign.len()..].chars().next();
        after.is_some_and(char::is_alphanumeric) && !before.is_some_and(char::is_alphanumeric)
    })
}

/// Pictures, and signs that are drawn as one; not currencies, arrows and letters in circles.
fn is_emoji(letter: char) -> bool {
    let is_picture = matches!(letter, '\u{1f1e6}'..='\u{1f1ff}' | '\u{1f300}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}'
        | '\u{2b50}' | '\u{2b55}' | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23f3}' | '\u{203c}' | '\u{2049}'
        | '\u{20e3}' | '\u{1f004}' | '\u{1f0cf}');
    is_picture && (cursor::is_symbol(letter) || letter == '\u{20e3}')
}

fn local(post: &Post, zone: Option<&Zone>) -> Option<jiff::ZonedDateTime> {
    let time = jiff::Timestamp::from_millisecond(post.published_at?.millis()).ok()?;
    Some(time.to_zoned_datetime(zone.map_or(jiff::tz::TimeZone::UTC, |zone| zone.zone().clone())))
}

fn is_hour(hour: i8, first: u8, last: u8) -> bool {
    let hours: RangeInclusive<i8> = first as i8..=last as i8;
    if first <= last { hours.contains(&hour) } else { hour >= first as i8 || hour <= last as i8 }
}

/// The first eight bytes of the post's id, big-endian, modulo the whole: the same for every query, and in a replay.
fn is_sampled(post: &Post, parts: u32) -> bool {
    let bytes = post.id.as_bytes();
    let head = u64::from_be_bytes(std::array::from_fn(|at| bytes[at]));
    head % u64::from(SAMPLE_WHOLE) < u64::from(parts)
}

/// The names that `sourcetype:` takes.
pub fn source_types() -> impl Iterator<Item = &'static str> {
    SourceType::ALL.into_iter().map(SourceType::name)
}
