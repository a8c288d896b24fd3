//! Everything that may be read from the store.

use std::ops::Range;

use rocksdb::{Direction, IteratorMode, ReadOptions};

use crate::model::{AuthorId, AuthorStatus, ClusterId, Cursor, CursorKey, Post, PostId};

use super::keys::{self, Family};
use super::open::Store;
use super::rows::{
    AccountRow, DeadRow, EndpointRow, KnownPost, MentionRow, NearRow, OutboxRow, QueryVersionRow, RowError, decode,
};
use super::totals::Totals;

/// A read that failed. Of our own data: the daemon stops.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the store cannot be read: {0}")]
    Io(#[from] rocksdb::Error),
    #[error("in family `{family}`: {cause}; restore a backup")]
    Row { family: &'static str, cause: RowError },
}

/// Where a row of the outbox or of the dead letters lies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OutboxKey {
    pub endpoint: String,
    pub position: u64,
}

impl Store {
    fn row<T: serde::de::DeserializeOwned>(&self, family: Family, key: &[u8]) -> Result<Option<T>, ReadError> {
        let Some(bytes) = self.db.get_pinned_cf(self.family(family), key)? else { return Ok(None) };
        decode(&bytes).map(Some).map_err(|cause| ReadError::Row { family: family.name(), cause })
    }

    fn rows<'k, T: serde::de::DeserializeOwned>(
        &self,
        family: Family,
        keys: impl IntoIterator<Item = &'k [u8]>,
    ) -> Result<Vec<Option<T>>, ReadError> {
        self.db
            .batched_multi_get_cf(self.family(family), keys, false)
            .into_iter()
            .map(|found| match found? {
                Some(bytes) => {
                    decode(&bytes).map(Some).map_err(|cause| ReadError::Row { family: family.name(), cause })
                }
                None => Ok(None),
            })
            .collect()
    }

    /// What is known of these posts, in their order.
    pub fn known(&self, ids: &[PostId]) -> Result<Vec<Option<KnownPost>>, ReadError> {
        self.rows(Family::PostId, ids.iter().map(|id| id.as_bytes().as_slice()))
    }

    /// What is known of these accounts, in their order.
    pub fn accounts(&self, ids: &[AuthorId]) -> Result<Vec<Option<AccountRow>>, ReadError> {
        self.rows(Family::Account, ids.iter().map(|id| id.as_bytes().as_slice()))
    }

    /// Whether an account is hidden for now: what it wrote is neither shown nor sent.
    pub fn is_hidden(&self, author: AuthorId) -> Result<bool, ReadError> {
        Ok(self.accounts(&[author])?.pop().flatten().is_some_and(|account| account.status == AuthorStatus::Hidden))
    }

    /// A post by its seq.
    pub fn post(&self, seq: u64) -> Result<Option<Post>, ReadError> {
        self.row(Family::Post, &keys::seq(seq))
    }

    /// The first post at or behind `seq`.
    pub fn post_from(&self, seq: u64) -> Result<Option<(u64, Post)>, ReadError> {
        Ok(self.posts(seq, 1)?.pop())
    }

    /// Posts from `seq` on, at most `limit`.
    pub fn posts(&self, seq: u64, limit: usize) -> Result<Vec<(u64, Post)>, ReadError> {
        let start = keys::seq(seq);
        let mode = IteratorMode::From(&start, Direction::Forward);
        let mut posts = Vec::new();
        for found in self.db.iterator_cf(self.family(Family::Post), mode).take(limit) {
            let (key, value) = found?;
            let seq = keys::parse_seq(&key).ok_or_else(|| damaged(Family::Post))?;
            let post = decode(&value).map_err(|cause| ReadError::Row { family: Family::Post.name(), cause })?;
            posts.push((seq, post));
        }
        Ok(posts)
    }

    /// The posts whose seq is in a range.
    pub fn posts_between(&self, range: Range<u64>) -> Result<Vec<(u64, Post)>, ReadError> {
        let mut posts = self.posts(range.start, usize::try_from(range.end - range.start).unwrap_or(usize::MAX))?;
        posts.truncate(posts.partition_point(|(seq, _)| *seq < range.end));
        Ok(posts)
    }

    /// A post by its id, if it is kept and not deleted.
    pub fn post_by_id(&self, id: PostId) -> Result<Option<Post>, ReadError> {
        match self.known(&[id])?.pop().flatten() {
            Some(known) => self.post(known.seq),
            None => Ok(None),
        }
    }

    pub fn mention(&self, id: PostId) -> Result<Option<MentionRow>, ReadError> {
        self.row(Family::Mention, id.as_bytes())
    }

    pub fn near(&self, cluster: ClusterId) -> Result<Option<NearRow>, ReadError> {
        self.row(Family::Near, cluster.as_bytes())
    }

    /// Rows of the mention log from `seq` on, at most `limit`.
    pub fn mention_log(&self, seq: u64, limit: usize) -> Result<Vec<(u64, PostId)>, ReadError> {
        let start = keys::seq(seq);
        let family = self.family(Family::MentionLog);
        let mut rows = Vec::new();
        for found in self.db.iterator_cf(family, IteratorMode::From(&start, Direction::Forward)).take(limit) {
            let (key, value) = found?;
            let (Some(seq), Ok(id)) = (keys::parse_seq(&key), <[u8; 16]>::try_from(&*value)) else {
                return Err(damaged(Family::MentionLog));
            };
            rows.push((seq, PostId::from_bytes(id)));
        }
        Ok(rows)
    }

    /// The seq that the next row of the mention log gets.
    pub fn mention_log_next(&self) -> Result<u64, ReadError> {
        Ok(self.meta_number(keys::META_LOG_NEXT)?.unwrap_or(1))
    }

    /// The seq that the next post gets.
    pub fn post_next(&self) -> Result<u64, ReadError> {
        Ok(self.meta_number(keys::META_POST_NEXT)?.unwrap_or(1))
    }

    /// Posts below this seq are gone.
    pub fn post_floor(&self) -> Result<u64, ReadError> {
        Ok(self.meta_number(keys::META_POST_FLOOR)?.unwrap_or(1))
    }

    fn meta_number(&self, key: &[u8]) -> Result<Option<u64>, ReadError> {
        Ok(self.db.get_pinned_cf(self.family(Family::Meta), key)?.as_deref().and_then(keys::parse_seq))
    }

    /// The projects that were valid last, as their owner wrote them.
    pub fn projects(&self) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.db.get_cf(self.family(Family::Meta), keys::META_PROJECTS)?)
    }

    /// Every mention, in the order of ids; the callback returns whether to go on.
    pub fn each_mention(&self, mut each: impl FnMut(PostId, MentionRow) -> bool) -> Result<(), ReadError> {
        for found in self.db.iterator_cf(self.family(Family::Mention), IteratorMode::Start) {
            let (key, value) = found?;
            let id = <[u8; 16]>::try_from(&*key).map_err(|_| damaged(Family::Mention))?;
            let row = decode(&value).map_err(|cause| ReadError::Row { family: Family::Mention.name(), cause })?;
            if !each(PostId::from_bytes(id), row) {
                break;
            }
        }
        Ok(())
    }

    /// Every durable cursor of a source.
    pub fn cursors(&self, source: &str) -> Result<Vec<Cursor>, ReadError> {
        let mut cursors = Vec::new();
        let prefix = keys::pair(source, "");
        for found in self.prefix(Family::Cursor, &prefix) {
            let (key, value) = found?;
            let (_, part) = keys::parse_pair(&key).ok_or_else(|| damaged(Family::Cursor))?;
            cursors.push(Cursor { part: part.to_owned(), value: value.into_vec() });
        }
        Ok(cursors)
    }

    /// All cursors of all sources: what `status` shows.
    pub fn all_cursors(&self) -> Result<Vec<(CursorKey, Vec<u8>)>, ReadError> {
        let mut cursors = Vec::new();
        for found in self.db.iterator_cf(self.family(Family::Cursor), IteratorMode::Start) {
            let (key, value) = found?;
            let (source, part) = keys::parse_pair(&key).ok_or_else(|| damaged(Family::Cursor))?;
            cursors.push((CursorKey { source: source.into(), part: part.to_owned() }, value.into_vec()));
        }
        Ok(cursors)
    }

    /// Posts of an author from `seq` on, at most `limit`.
    pub fn author_posts(&self, author: AuthorId, seq: u64, limit: usize) -> Result<Vec<(u64, PostId)>, ReadError> {
        let start = keys::author_post(author, seq);
        let mut posts = Vec::new();
        let mode = IteratorMode::From(&start, Direction::Forward);
        for found in self.db.iterator_cf(self.family(Family::Author), mode).take(limit) {
            let (key, value) = found?;
            if !key.starts_with(author.as_bytes()) {
                break;
            }
            let (Some(seq), Some((id, _))) = (keys::parse_author_post(&key), keys::parse_author_value(&value)) else {
                return Err(damaged(Family::Author));
            };
            posts.push((seq, id));
        }
        Ok(posts)
    }

    /// Accounts whose erasure is under way.
    pub fn erasures(&self) -> Result<Vec<(AuthorId, AccountRow)>, ReadError> {
        let mut erasures = Vec::new();
        for found in self.db.iterator_cf(self.family(Family::Account), IteratorMode::Start) {
            let (key, value) = found?;
            let id = <[u8; 16]>::try_from(&*key).map_err(|_| damaged(Family::Account))?;
            let row: AccountRow =
                decode(&value).map_err(|cause| ReadError::Row { family: Family::Account.name(), cause })?;
            if row.erasure.is_some() {
                erasures.push((AuthorId::from_bytes(id), row));
            }
        }
        Ok(erasures)
    }

    /// Deliveries that wait for an endpoint, from `position` on, at most `limit`.
    pub fn outbox(&self, endpoint: &str, position: u64, limit: usize) -> Result<Vec<(u64, OutboxRow)>, ReadError> {
        self.endpoint_rows(Family::Outbox, endpoint, position, limit)
    }

    /// The same one by one; the callback returns whether to go on.
    pub fn each_outbox(
        &self,
        endpoint: &str,
        position: u64,
        each: impl FnMut(u64, OutboxRow) -> bool,
    ) -> Result<(), ReadError> {
        self.each_endpoint_row(Family::Outbox, endpoint, position, each)
    }

    pub fn outbox_row(&self, key: &OutboxKey) -> Result<Option<OutboxRow>, ReadError> {
        self.row(Family::Outbox, &keys::endpoint_position(&key.endpoint, key.position))
    }

    /// Deliveries of a mention that wait or were given up.
    pub fn pending_of(&self, mention: PostId) -> Result<Vec<OutboxKey>, ReadError> {
        let mut pending = Vec::new();
        for found in self.prefix(Family::Pending, mention.as_bytes()) {
            let (key, _) = found?;
            let (endpoint, position) =
                keys::parse_endpoint_position(&key[16..]).ok_or_else(|| damaged(Family::Pending))?;
            pending.push(OutboxKey { endpoint: endpoint.to_owned(), position });
        }
        Ok(pending)
    }

    /// Whether a delivery of this mention waits.
    pub fn waits(&self, mention: PostId) -> Result<bool, ReadError> {
        for key in self.pending_of(mention)? {
            if self.outbox_row(&key)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Dead letters of an endpoint, from `position` on, at most `limit`.
    pub fn dead(&self, endpoint: &str, position: u64, limit: usize) -> Result<Vec<(u64, DeadRow)>, ReadError> {
        self.endpoint_rows(Family::Dead, endpoint, position, limit)
    }

    /// The same one by one; the callback returns whether to go on.
    pub fn each_dead(
        &self,
        endpoint: &str,
        position: u64,
        each: impl FnMut(u64, DeadRow) -> bool,
    ) -> Result<(), ReadError> {
        self.each_endpoint_row(Family::Dead, endpoint, position, each)
    }

    pub fn dead_row(&self, key: &OutboxKey) -> Result<Option<DeadRow>, ReadError> {
        self.row(Family::Dead, &keys::endpoint_position(&key.endpoint, key.position))
    }

    fn endpoint_rows<T: serde::de::DeserializeOwned>(
        &self,
        family: Family,
        endpoint: &str,
        position: u64,
        limit: usize,
    ) -> Result<Vec<(u64, T)>, ReadError> {
        let mut rows = Vec::new();
        if limit > 0 {
            self.each_endpoint_row(family, endpoint, position, |position, row| {
                rows.push((position, row));
                rows.len() < limit
            })?;
        }
        Ok(rows)
    }

    fn each_endpoint_row<T: serde::de::DeserializeOwned>(
        &self,
        family: Family,
        endpoint: &str,
        position: u64,
        mut each: impl FnMut(u64, T) -> bool,
    ) -> Result<(), ReadError> {
        let (start, prefix) = (keys::endpoint_position(endpoint, position), keys::endpoint_prefix(endpoint));
        for found in self.range(family, &start, &prefix) {
            let (key, value) = found?;
            let (_, position) = keys::parse_endpoint_position(&key).ok_or_else(|| damaged(family))?;
            let row = decode(&value).map_err(|cause| ReadError::Row { family: family.name(), cause })?;
            if !each(position, row) {
                break;
            }
        }
        Ok(())
    }

    /// Every endpoint that ever had a delivery.
    pub fn endpoints(&self) -> Result<Vec<(String, EndpointRow)>, ReadError> {
        let mut endpoints = Vec::new();
        for found in self.db.iterator_cf(self.family(Family::Endpoint), IteratorMode::Start) {
            let (key, value) = found?;
            let slug = String::from_utf8(key.into_vec()).map_err(|_| damaged(Family::Endpoint))?;
            let row = decode(&value).map_err(|cause| ReadError::Row { family: Family::Endpoint.name(), cause })?;
            endpoints.push((slug, row));
        }
        Ok(endpoints)
    }

    pub fn endpoint(&self, endpoint: &str) -> Result<Option<EndpointRow>, ReadError> {
        self.row(Family::Endpoint, endpoint.as_bytes())
    }

    /// The version of a query that was live last.
    pub fn query_version(&self, project: &str, query: &str) -> Result<Option<QueryVersionRow>, ReadError> {
        self.row(Family::QueryVersion, &keys::pair(project, query))
    }

    /// All counters.
    pub fn totals(&self) -> Result<Totals, ReadError> {
        let mut totals = Totals::default();
        for found in self.db.iterator_cf(self.family(Family::Totals), IteratorMode::Start) {
            let (key, value) = found?;
            let (Ok(key), Some(value)) = (String::from_utf8(key.into_vec()), keys::parse_seq(&value)) else {
                return Err(damaged(Family::Totals));
            };
            totals.set(key, value);
        }
        Ok(totals)
    }

    /// RocksDB's own estimate of the live bytes of a family.
    pub fn family_bytes(&self, family: Family) -> u64 {
        let estimate = self.db.property_int_value_cf(self.family(family), "rocksdb.estimate-live-data-size");
        estimate.ok().flatten().unwrap_or(0)
    }

    /// RocksDB's own estimate of the rows of a family.
    pub fn family_rows(&self, family: Family) -> u64 {
        let estimate = self.db.property_int_value_cf(self.family(family), "rocksdb.estimate-num-keys");
        estimate.ok().flatten().unwrap_or(0)
    }

    fn prefix<'s>(&'s self, family: Family, prefix: &[u8]) -> rocksdb::DBIterator<'s> {
        self.range(family, prefix, prefix)
    }

    /// Rows from `start` on that begin with `prefix`. The iterator ends there by itself, so that it does not crawl over
    /// what was deleted behind.
    fn range<'s>(&'s self, family: Family, start: &[u8], prefix: &[u8]) -> rocksdb::DBIterator<'s> {
        let mut options = ReadOptions::default();
        let mut end = prefix.to_vec();
        // Prefixes end in a zero byte or are sixteen bytes of a hash; the next key of the same length ends the range.
        while let Some(last) = end.pop() {
            if last < u8::MAX {
                end.push(last + 1);
                options.set_iterate_upper_bound(end);
                break;
            }
        }
        self.db.iterator_cf_opt(self.family(family), options, IteratorMode::From(start, Direction::Forward))
    }
}

fn damaged(family: Family) -> ReadError {
    ReadError::Row { family: family.name(), cause: RowError::Damaged("a key or value has the wrong length".to_owned()) }
}
