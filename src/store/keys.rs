//! Every column family and every key, on one page. Numbers are big-endian, so that keys sort as numbers do.

use crate::model::{AuthorId, PostId};

/// A column family: its name on disk, and how its rows live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// format, epoch, next sequence numbers, the last valid projects.
    Meta,
    /// source ‖ 0 ‖ part → the source's own cursor.
    Cursor,
    /// seq → every version of every post that is kept.
    Post,
    /// post id → seq, order, hash, or tombstone.
    PostId,
    /// author id ‖ seq → post id, and a mark if it was ever mentioned.
    Author,
    /// author id → what the network says of the account, and any erasure under way.
    Account,
    /// cluster id → the first mention with this text, and how many there are.
    Near,
    /// post id → the mention's present state.
    Mention,
    /// seq → post id: what the index tails, and what retention walks.
    MentionLog,
    /// endpoint ‖ 0 ‖ position → a delivery with its rendered body.
    Outbox,
    /// post id ‖ endpoint ‖ 0 ‖ position → nothing: the outbox and the dead letters by mention.
    Pending,
    /// endpoint ‖ 0 ‖ position → a delivery that was given up, and why.
    Dead,
    /// endpoint → its sequence, clock and totals.
    Endpoint,
    /// project ‖ 0 ‖ query → the text and version last live.
    QueryVersion,
    /// counter → u64.
    Totals,
}

impl Family {
    pub const ALL: [Self; 15] = [
        Self::Meta,
        Self::Cursor,
        Self::Post,
        Self::PostId,
        Self::Author,
        Self::Account,
        Self::Near,
        Self::Mention,
        Self::MentionLog,
        Self::Outbox,
        Self::Pending,
        Self::Dead,
        Self::Endpoint,
        Self::QueryVersion,
        Self::Totals,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Cursor => "cursor",
            Self::Post => "post",
            Self::PostId => "post_id",
            Self::Author => "author",
            Self::Account => "account",
            Self::Near => "near",
            Self::Mention => "mention",
            Self::MentionLog => "mention_log",
            Self::Outbox => "outbox",
            Self::Pending => "pending",
            Self::Dead => "dead",
            Self::Endpoint => "endpoint",
            Self::QueryVersion => "query_version",
            Self::Totals => "totals",
        }
    }
}

pub const META_FORMAT: &[u8] = b"format";
pub const META_EPOCH: &[u8] = b"epoch";
pub const META_PROJECTS: &[u8] = b"projects";
/// The seq that the next post gets.
pub const META_POST_NEXT: &[u8] = b"post_next";
/// The seq that the next row of the mention log gets.
pub const META_LOG_NEXT: &[u8] = b"log_next";
/// Posts below this seq are gone.
pub const META_POST_FLOOR: &[u8] = b"post_floor";

/// Key of a numbered row.
pub fn seq(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

/// The number of a numbered row; none if the key is no number.
pub fn parse_seq(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.try_into().ok()?))
}

/// Two texts, parted by a zero byte, which no slug holds.
pub fn pair(first: &str, second: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(first.len() + 1 + second.len());
    key.extend_from_slice(first.as_bytes());
    key.push(0);
    key.extend_from_slice(second.as_bytes());
    key
}

/// The two texts of a pair.
pub fn parse_pair(key: &[u8]) -> Option<(&str, &str)> {
    let cut = key.iter().position(|&byte| byte == 0)?;
    Some((std::str::from_utf8(&key[..cut]).ok()?, std::str::from_utf8(&key[cut + 1..]).ok()?))
}

/// Where an endpoint's rows begin, in the outbox and among the dead letters.
pub fn endpoint_prefix(endpoint: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(endpoint.len() + 9);
    key.extend_from_slice(endpoint.as_bytes());
    key.push(0);
    key
}

/// A row of an endpoint.
pub fn endpoint_position(endpoint: &str, position: u64) -> Vec<u8> {
    let mut key = endpoint_prefix(endpoint);
    key.extend_from_slice(&position.to_be_bytes());
    key
}

/// Endpoint and position of a row.
pub fn parse_endpoint_position(key: &[u8]) -> Option<(&str, u64)> {
    let cut = key.len().checked_sub(9)?;
    let (endpoint, rest) = key.split_at(cut);
    let position = u64::from_be_bytes(rest[1..].try_into().ok()?);
    (rest[0] == 0).then_some((std::str::from_utf8(endpoint).ok()?, position))
}

/// A pending delivery of a mention.
pub fn pending(mention: PostId, endpoint: &str, position: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(16 + endpoint.len() + 9);
    key.extend_from_slice(mention.as_bytes());
    key.extend_from_slice(&endpoint_position(endpoint, position));
    key
}

/// A post of an author.
pub fn author_post(author: AuthorId, seq: u64) -> [u8; 24] {
    let mut key = [0; 24];
    key[..16].copy_from_slice(author.as_bytes());
    key[16..].copy_from_slice(&seq.to_be_bytes());
    key
}

/// The row of an author's post. One that was mentioned outlives the post, as its mention does.
pub fn author_value(post: PostId, mentioned: bool) -> Vec<u8> {
    let mut value = post.as_bytes().to_vec();
    if mentioned {
        value.push(1);
    }
    value
}

/// The post of such a row, and whether it was ever mentioned; none if it is no such row.
pub fn parse_author_value(value: &[u8]) -> Option<(PostId, bool)> {
    let (id, mark) = value.split_at_checked(16)?;
    let id = PostId::from_bytes(id.try_into().ok()?);
    match mark {
        [] => Some((id, false)),
        [1] => Some((id, true)),
        _ => None,
    }
}

/// The seq of an author's post.
pub fn parse_author_post(key: &[u8]) -> Option<u64> {
    parse_seq(key.get(16..)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_back() {
        assert_eq!(parse_endpoint_position(&endpoint_position("care", 7)), Some(("care", 7)));
        assert_eq!(parse_pair(&pair("a", "b")), Some(("a", "b")));
        assert_eq!(parse_author_post(&author_post(AuthorId::of("n", "a"), 9)), Some(9));
        assert_eq!(parse_seq(&seq(3)), Some(3));
        let post = PostId::of("n", "1");
        for mentioned in [false, true] {
            assert_eq!(parse_author_value(&author_value(post, mentioned)), Some((post, mentioned)));
        }
        assert_eq!(parse_author_value(b"short"), None);
        assert_eq!(parse_endpoint_position(b"short"), None);
    }

    #[test]
    fn rows_of_one_endpoint_sort_by_position_and_stay_apart_from_others() {
        let keys = [endpoint_position("care", 255), endpoint_position("care", 256), endpoint_position("care-2", 0)];
        assert!(keys.is_sorted());
        assert!(!keys[2].starts_with(&endpoint_prefix("care")));
    }
}
