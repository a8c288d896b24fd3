//! A record of `app.bsky.feed.post` to a post. What an author's program wrote is bounded and never trusted: facets may
//! point anywhere and times may say anything.

use std::sync::{Arc, LazyLock};

use crate::model::{
    Author, AuthorId, Connector, Lang, Post, PostId, PostKind, Rejected, SourceType, TEXT_BYTES_MAX, Thread, ThreadId,
    Timestamp,
};

use super::super::{Origin, cut};
use super::NETWORK;
use super::tape::Node;

/// Facets, features, tags and languages of one post that are looked at.
const ITEMS_MAX: usize = 128;
/// A longer link, tag or name is left out.
const ITEM_BYTES_MAX: usize = 2048;
const LANGS_MAX: usize = 3;

static SITE: LazyLock<Arc<str>> = LazyLock::new(|| "bsky.app".into());

/// A record with what it borrows from the event.
#[derive(Default)]
pub(super) struct Record<'t, 'b> {
    text: &'b str,
    created_at: Option<&'b str>,
    langs: Vec<Lang>,
    tags: Vec<&'b str>,
    facets: Option<Node<'t, 'b>>,
    reply: Option<Reply<'b>>,
    embed: Option<Embed<'b>>,
}

struct Reply<'b> {
    root: &'b str,
    parent: &'b str,
}

#[derive(Default)]
struct Embed<'b> {
    kind: &'b str,
    link: Option<&'b str>,
}

/// What the facets and the rest of the record name.
#[derive(Default)]
struct Named {
    hashtags: Vec<String>,
    mentions: Vec<String>,
    links: Vec<String>,
}

impl<'t, 'b> Record<'t, 'b> {
    pub(super) fn read(node: Node<'t, 'b>) -> Result<Self, Rejected> {
        let mut record = Self::default();
        for (name, node) in node.fields()? {
            match name {
                "text" => record.text = node.text()?,
                "createdAt" => record.created_at = node.text().ok(),
                "langs" => record.langs = langs(node)?,
                "tags" => record.tags = node.items()?.take(ITEMS_MAX).map(Node::text).collect::<Result<_, _>>()?,
                "facets" => record.facets = Some(node),
                "reply" => record.reply = Some(Reply::read(node)?),
                "embed" => record.embed = Some(Embed::read(node)?),
                _ => {}
            }
        }
        Ok(record)
    }

    /// Whether it neither says nor shows anything.
    pub(super) fn is_empty(&self) -> bool {
        self.embed.is_none() && self.text.trim().is_empty()
    }

    pub(super) fn into_post(self, did: &str, rkey: &str, uri: String, origin: Origin<'_>) -> Post {
        let named = self.named();
        let kind = match (&self.reply, &self.embed) {
            (Some(_), _) => PostKind::Reply,
            (None, Some(embed)) if embed.is_quote() => PostKind::Quote,
            _ => PostKind::Post,
        };
        let profile = ["https://bsky.app/profile/", did].concat();
        let published_at: Option<Timestamp> = self.created_at.and_then(|time| time.parse().ok());
        let (text, truncated) = cut(self.text, TEXT_BYTES_MAX);
        Post {
            id: PostId::of(&NETWORK, &uri),
            network: NETWORK.clone(),
            thread: thread_of(&uri, self.reply.as_ref()),
            native_id: uri,
            source_type: SourceType::Social,
            site: SITE.clone(),
            board: None,
            connector: Connector::Jetstream,
            source: origin.source.clone(),
            kind,
            url: Some([&profile, "/post/", rkey].concat()),
            author: Author {
                id: AuthorId::of(&NETWORK, did),
                native_id: did.to_owned(),
                handle: None,
                name: None,
                url: Some(profile),
            },
            title: None,
            text: text.to_owned(),
            truncated,
            langs: self.langs,
            hashtags: named.hashtags,
            mentions: named.mentions,
            links: named.links,
            // The author's clock: shown, never trusted for order, and never in the future.
            published_at: published_at.map(|time| time.min(origin.fetched_at)),
            edited_at: None,
            fetched_at: origin.fetched_at,
        }
    }

    /// A facet of the wrong shape names nothing; the post stands.
    fn named(&self) -> Named {
        let mut named = Named::default();
        if let Some(Ok(facets)) = self.facets.map(Node::items) {
            for facet in facets.take(ITEMS_MAX) {
                named.facet(self.text, facet).ok();
            }
        }
        for tag in &self.tags {
            add(&mut named.hashtags, tag.trim_start_matches('#'));
        }
        if let Some(link) = self.embed.as_ref().and_then(|embed| embed.link) {
            add(&mut named.links, link);
        }
        named
    }
}

impl<'b> Reply<'b> {
    fn read(node: Node<'_, 'b>) -> Result<Self, Rejected> {
        let (mut root, mut parent) = (None, None);
        for (name, node) in node.fields()? {
            match name {
                "root" => root = Some(node),
                "parent" => parent = Some(node),
                _ => {}
            }
        }
        let uri = |node: Option<Node<'_, 'b>>| {
            let field = node.ok_or(Rejected::Shape)?.fields()?.find(|(name, _)| *name == "uri");
            field.ok_or(Rejected::Shape)?.1.text()
        };
        Ok(Self { root: uri(root)?, parent: uri(parent)? })
    }
}

impl<'b> Embed<'b> {
    fn read(node: Node<'_, 'b>) -> Result<Self, Rejected> {
        let mut embed = Self::default();
        for (name, node) in node.fields()? {
            match name {
                "$type" => embed.kind = node.text()?,
                "external" => embed.link = link(node),
                // A quote with a card keeps the card one level deeper.
                "media" => embed.link = card_in(node).or(embed.link),
                _ => {}
            }
        }
        Ok(embed)
    }

    fn is_quote(&self) -> bool {
        matches!(self.kind, "app.bsky.embed.record" | "app.bsky.embed.recordWithMedia")
    }
}

impl Named {
    fn facet(&mut self, text: &str, facet: Node<'_, '_>) -> Result<(), Rejected> {
        let (mut span, mut features) = (None, None);
        for (name, node) in facet.fields()? {
            match name {
                "index" => span = Some(node),
                "features" => features = Some(node),
                _ => {}
            }
        }
        for feature in features.ok_or(Rejected::Shape)?.items()?.take(ITEMS_MAX) {
            let (mut kind, mut tag, mut uri) = ("", None, None);
            for (name, node) in feature.fields()? {
                match name {
                    "$type" => kind = node.text()?,
                    "tag" => tag = Some(node.text()?),
                    "uri" => uri = Some(node.text()?),
                    _ => {}
                }
            }
            match (kind.rsplit('#').next(), tag, uri) {
                (Some("tag"), Some(tag), _) => add(&mut self.hashtags, tag.trim_start_matches('#')),
                (Some("link"), _, Some(uri)) => add(&mut self.links, uri),
                (Some("mention"), ..) => add(&mut self.mentions, handle_at(text, span).unwrap_or("")),
                _ => {}
            }
        }
        Ok(())
    }
}

fn langs(node: Node<'_, '_>) -> Result<Vec<Lang>, Rejected> {
    let mut langs = Vec::new();
    for item in node.items()?.take(ITEMS_MAX) {
        let lang = Lang::parse(item.text()?);
        langs.extend(lang.filter(|lang| langs.len() < LANGS_MAX && !langs.contains(lang)));
    }
    Ok(langs)
}

/// The address of the card in what stands beside a quote; an embed of a kind that is not known may hold anything there.
fn card_in<'b>(media: Node<'_, 'b>) -> Option<&'b str> {
    let (_, external) = media.fields().ok()?.find(|(name, _)| *name == "external")?;
    link(external)
}

/// The address of a card.
fn link<'b>(external: Node<'_, 'b>) -> Option<&'b str> {
    external.fields().ok()?.find(|(name, _)| *name == "uri")?.1.text().ok()
}

/// The handle that the text shows where the facet points; the facet itself names a DID.
fn handle_at<'t>(text: &'t str, span: Option<Node<'_, '_>>) -> Option<&'t str> {
    let (mut start, mut end) = (None, None);
    for (name, node) in span?.fields().ok()? {
        match name {
            "byteStart" => start = usize::try_from(node.number().ok()?).ok(),
            "byteEnd" => end = usize::try_from(node.number().ok()?).ok(),
            _ => {}
        }
    }
    Some(text.get(start?..end?)?.trim_start_matches(['@', '＠']))
}

/// Keeps an item once, if it is one.
fn add(items: &mut Vec<String>, item: &str) {
    if (1..=ITEM_BYTES_MAX).contains(&item.len()) && items.len() < ITEMS_MAX && !items.iter().any(|known| known == item)
    {
        items.push(item.to_owned());
    }
}

fn thread_of(uri: &str, reply: Option<&Reply<'_>>) -> Thread {
    match reply {
        None => Thread { id: ThreadId::of(&NETWORK, uri), root: None, parent: None },
        Some(Reply { root, parent }) => Thread {
            id: ThreadId::of(&NETWORK, root),
            root: Some(PostId::of(&NETWORK, root)),
            parent: Some(PostId::of(&NETWORK, parent)),
        },
    }
}
