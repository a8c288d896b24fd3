//! Jetstream, both wires: one JSON event of Bluesky's stream to one post event.
//! Wire: <https://github.com/bluesky-social/jetstream>; records: the `app.bsky.feed.post` lexicon of the AT Protocol.

mod record;
mod tape;

use std::sync::{Arc, LazyLock};

use crate::model::{AuthorId, AuthorStatus, Order, PostEvent, PostId, Rejected};

use super::{Origin, is_shallow};
use record::Record;
use tape::Node;

/// Bytes of one event.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// The collection that posts are in.
const POSTS: &str = "app.bsky.feed.post";
const DID_BYTES_MAX: usize = 256;
const RECORD_KEY_BYTES_MAX: usize = 512;
/// The order of an account event stands behind every revision of the same microsecond.
const CLOCK_ID_MAX: u64 = 0x3ff;
const CLOCK_ID_BITS: u32 = 10;

/// All posts of the stream are on this network.
static NETWORK: LazyLock<Arc<str>> = LazyLock::new(|| "bluesky".into());

/// What a commit did to a record.
#[derive(Default)]
struct Commit<'t, 'b> {
    rev: Option<&'b str>,
    operation: Option<&'b str>,
    collection: Option<&'b str>,
    rkey: Option<&'b str>,
    record: Option<Node<'t, 'b>>,
}

impl<'t, 'b> Commit<'t, 'b> {
    /// Takes a field if it is one of a commit.
    fn take(&mut self, name: &str, node: Node<'t, 'b>) -> Result<(), Rejected> {
        match name {
            "rev" => self.rev = Some(node.text()?),
            "operation" => self.operation = Some(node.text()?),
            "collection" => self.collection = Some(node.text()?),
            "rkey" => self.rkey = Some(node.text()?),
            "record" => self.record = Some(node),
            _ => {}
        }
        Ok(())
    }
}

/// One event of the first wire: `{"did","time_us","kind","commit":{…}}`.
pub(super) fn event(body: &mut [u8], origin: Origin<'_>) -> Result<PostEvent, Rejected> {
    check(body)?;
    tape::read(body, |root| {
        let (mut did, mut time_us, mut kind, mut commit, mut account) = (None, None, None, None, None);
        for (name, node) in root.fields()? {
            match name {
                "did" => did = Some(node.text()?),
                "time_us" => time_us = Some(node.number()?),
                "kind" => kind = Some(node.text()?),
                "commit" => commit = Some(node),
                "account" => account = Some(node),
                _ => {}
            }
        }
        match (kind.ok_or(Rejected::Shape)?, commit, account) {
            ("commit", Some(node), _) => {
                let mut commit = Commit::default();
                for (name, node) in node.fields()? {
                    commit.take(name, node)?;
                }
                of_commit(did.ok_or(Rejected::NoId)?, &commit, origin)
            }
            ("account", _, Some(node)) => of_account(did.ok_or(Rejected::NoId)?, node, time_us.ok_or(Rejected::Shape)?),
            ("commit" | "account", ..) => Err(Rejected::Shape),
            _ => Err(Rejected::Irrelevant),
        }
    })
}

/// One frame of the second wire: `{"$type":"message","payload":{"$type":"…#commit",…}}`.
pub(super) fn frame(body: &mut [u8], origin: Origin<'_>) -> Result<PostEvent, Rejected> {
    check(body)?;
    tape::read(body, |root| {
        let payload = root.fields()?.find(|(name, _)| *name == "payload").map(|(_, node)| node);
        // An error frame has none.
        let payload = payload.ok_or(Rejected::Irrelevant)?;
        let (mut did, mut time, mut kind, mut account) = (None, None, None, None);
        let mut commit = Commit::default();
        for (name, node) in payload.fields()? {
            match name {
                "$type" => kind = node.text()?.rsplit('#').next(),
                "did" => did = Some(node.text()?),
                "time" => time = Some(node.text()?),
                "account" => account = Some(node),
                _ => commit.take(name, node)?,
            }
        }
        match (kind.ok_or(Rejected::Shape)?, account) {
            ("commit", _) => of_commit(did.ok_or(Rejected::NoId)?, &commit, origin),
            ("account", Some(node)) => of_account(did.ok_or(Rejected::NoId)?, node, time_us(time)?),
            ("account", None) => Err(Rejected::Shape),
            _ => Err(Rejected::Irrelevant),
        }
    })
}

fn check(body: &[u8]) -> Result<(), Rejected> {
    if body.len() > EVENT_BYTES_MAX {
        return Err(Rejected::TooLarge);
    }
    if !is_shallow(body) {
        return Err(Rejected::TooDeep);
    }
    Ok(())
}

fn of_commit(did: &str, commit: &Commit<'_, '_>, origin: Origin<'_>) -> Result<PostEvent, Rejected> {
    let collection = commit.collection.ok_or(Rejected::Shape)?;
    if collection != POSTS {
        return Err(Rejected::Irrelevant);
    }
    let rkey = commit.rkey.filter(|rkey| is_record_key(rkey)).ok_or(Rejected::NoId)?;
    if !is_did(did) {
        return Err(Rejected::NoId);
    }
    let order = Order(parse_tid(commit.rev.ok_or(Rejected::Shape)?).ok_or(Rejected::Value)?);
    let uri = ["at://", did, "/", collection, "/", rkey].concat();
    match commit.operation.ok_or(Rejected::Shape)? {
        // An edit that leaves nothing still ends what was there before.
        operation @ ("create" | "update") => {
            let record = Record::read(commit.record.ok_or(Rejected::Shape)?)?;
            if operation == "create" && record.is_empty() {
                return Err(Rejected::Empty);
            }
            let post = Box::new(record.into_post(did, rkey, uri, origin));
            Ok(PostEvent::Upsert { post, order, quiet: false })
        }
        "delete" => Ok(PostEvent::Delete { id: PostId::of(&NETWORK, &uri), order }),
        _ => Err(Rejected::Value),
    }
}

/// Statuses: <https://atproto.com/specs/account>. Whatever is not active is not to be shown; only what is deleted or
/// taken down is to be erased, the rest may come back.
fn of_account(did: &str, node: Node<'_, '_>, time_us: u64) -> Result<PostEvent, Rejected> {
    if !is_did(did) {
        return Err(Rejected::NoId);
    }
    let (mut active, mut status) = (None, None);
    for (name, node) in node.fields()? {
        match name {
            "active" => active = Some(node.truth()?),
            "status" => status = Some(node.text()?),
            _ => {}
        }
    }
    let status = match (active.ok_or(Rejected::Shape)?, status) {
        (true, _) => AuthorStatus::Active,
        (false, Some("deleted" | "takendown")) => AuthorStatus::Erased,
        (false, _) => AuthorStatus::Hidden,
    };
    let order = Order(time_us.checked_mul(1 << CLOCK_ID_BITS).ok_or(Rejected::Value)? | CLOCK_ID_MAX);
    Ok(PostEvent::Account { author: AuthorId::of(&NETWORK, did), status, order })
}

fn time_us(text: Option<&str>) -> Result<u64, Rejected> {
    let time: jiff::Timestamp = text.ok_or(Rejected::Shape)?.parse().map_err(|_| Rejected::Value)?;
    u64::try_from(time.as_microsecond()).map_err(|_| Rejected::Value)
}

/// <https://atproto.com/specs/did>
fn is_did(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:%-".contains(&byte);
    text.starts_with("did:") && (8..=DID_BYTES_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// <https://atproto.com/specs/record-key>
fn is_record_key(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:~-".contains(&byte);
    (1..=RECORD_KEY_BYTES_MAX).contains(&text.len()) && text != "." && text != ".." && text.bytes().all(allowed)
}

/// A TID as a number that grows with time: microseconds since 1970, then ten bits of a clock's id.
/// <https://atproto.com/specs/tid>
fn parse_tid(text: &str) -> Option<u64> {
    const LETTERS: usize = 13;
    if text.len() != LETTERS {
        return None;
    }
    let number = text.bytes().try_fold(0_u64, |number, byte| {
        let digit = match byte {
            b'2'..=b'7' => byte - b'2',
            b'a'..=b'z' => byte - b'a' + 6,
            _ => return None,
        };
        number.checked_mul(32).map(|number| number | u64::from(digit))
    })?;
    // The first bit is always 0.
    i64::try_from(number).is_ok().then_some(number)
}

#[cfg(test)]
mod tests;
