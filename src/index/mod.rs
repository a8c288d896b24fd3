//! The index over mentions: tantivy, holding tokens and plain fields. It narrows; it never decides.
//! Unaware of the store: it is given documents and gives back ids. It can be deleted and rebuilt at any time.

use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use tantivy::collector::DocSetCollector;
use tantivy::query::{AllQuery, BooleanQuery, EmptyQuery, Occur, Query, RangeQuery, TermQuery};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, STRING, Schema};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};
use tracing::warn;

use crate::model::{PostId, Timestamp};

/// Changes when documents are made in another way; an index of another version is rebuilt.
const SCHEMA_VERSION: u32 = 2;
/// Bytes of one token that are kept; tantivy takes no longer terms.
const TOKEN_BYTES_MAX: usize = 1_000;

/// `[index]` of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexSettings {
    pub commit_interval_ms: u64,
    pub heap_mb: usize,
}

/// What is indexed of one mention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    pub tokens: Vec<String>,
    pub authors: Vec<String>,
    /// The site and the domains above it.
    pub sites: Vec<String>,
    /// The network and the configured source.
    pub sources: Vec<String>,
    pub projects: Vec<String>,
    /// As `project/query`.
    pub queries: Vec<String>,
    pub langs: Vec<String>,
    pub at: Timestamp,
}

/// A condition on documents.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    Everything,
    All(Vec<Filter>),
    OneOf(Vec<Filter>),
    Token(String),
    TokenPrefix(String),
    Author(String),
    Site(String),
    Source(String),
    Project(String),
    Query(String),
    Lang(String),
    /// At or after the first, before the second.
    Between(Timestamp, Timestamp),
}

/// How far the index has come: the store it belongs to, and the row of its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub epoch: String,
    pub log_seq: u64,
    schema: u32,
}

impl Progress {
    pub fn new(epoch: &str, log_seq: u64) -> Self {
        Self { epoch: epoch.to_owned(), log_seq, schema: SCHEMA_VERSION }
    }

    /// Whether an index that came this far belongs to the store whose log is at `log_next`.
    pub fn fits(&self, epoch: &str, log_next: u64) -> bool {
        self.epoch == epoch && self.schema == SCHEMA_VERSION && self.log_seq < log_next
    }
}

/// The index could not be read or written. It holds nothing that cannot be made again.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    #[error("the index in {path} failed: {cause}; `earful index rebuild` makes it anew")]
    Failed { path: PathBuf, cause: tantivy::TantivyError },
    #[error("the directory of the index {path} failed: {cause}")]
    Directory { path: PathBuf, cause: std::io::Error },
}

impl IndexError {
    /// Whether the index itself is at fault, and not the machine: then building it anew helps.
    fn is_damage(&self) -> bool {
        use tantivy::TantivyError::{DataCorruption, DeserializeError, IncompatibleIndex, OpenReadError, SchemaError};
        use tantivy::directory::error::OpenReadError::{FileDoesNotExist, IncompatibleIndex as OtherFormat};
        let Self::Failed { cause, .. } = self else { return false };
        matches!(
            cause,
            DataCorruption(_)
                | DeserializeError(_)
                | IncompatibleIndex(_)
                | SchemaError(_)
                | OpenReadError(FileDoesNotExist(_) | OtherFormat(_))
        )
    }
}

#[derive(Clone, Copy)]
struct Fields {
    id: Field,
    id_high: Field,
    id_low: Field,
    at: Field,
    token: Field,
    author: Field,
    site: Field,
    source: Field,
    project: Field,
    query: Field,
    lang: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let fields = Fields {
        id: builder.add_text_field("id", STRING),
        id_high: builder.add_u64_field("id_high", FAST),
        id_low: builder.add_u64_field("id_low", FAST),
        at: builder.add_i64_field("at", FAST | INDEXED),
        token: builder.add_text_field("token", STRING),
        author: builder.add_text_field("author", STRING),
        site: builder.add_text_field("site", STRING),
        source: builder.add_text_field("source", STRING),
        project: builder.add_text_field("project", STRING),
        query: builder.add_text_field("query", STRING),
        lang: builder.add_text_field("lang", STRING),
    };
    (builder.build(), fields)
}

/// The open index. One thread writes; any may search.
pub struct MentionIndex {
    path: PathBuf,
    /// Swapped when the index is opened again.
    reader: ArcSwap<IndexReader>,
    fields: Fields,
}

/// The end of the index that its one writing thread holds.
pub struct MentionIndexWriter {
    path: PathBuf,
    writer: IndexWriter,
    fields: Fields,
    index: Index,
    reader: IndexReader,
}

/// Opens or creates the index in `path`. One that is damaged or was made in another way is deleted, to be built anew.
pub fn open(path: &Path, heap_mb: usize) -> Result<(MentionIndex, MentionIndexWriter), IndexError> {
    let writer = open_or_replace(path, heap_mb)?;
    let reader = ArcSwap::from_pointee(IndexReader::clone(&writer.reader));
    Ok((MentionIndex { path: path.to_owned(), reader, fields: writer.fields }, writer))
}

fn open_or_replace(path: &Path, heap_mb: usize) -> Result<MentionIndexWriter, IndexError> {
    match open_writer(path, heap_mb) {
        Err(cause) if cause.is_damage() => {
            warn!(%cause, "the index is deleted and built anew");
            delete(path)?;
            open_writer(path, heap_mb)
        }
        opened => opened,
    }
}

fn open_writer(path: &Path, heap_mb: usize) -> Result<MentionIndexWriter, IndexError> {
    std::fs::create_dir_all(path).map_err(|cause| IndexError::Directory { path: path.to_owned(), cause })?;
    let failed = |cause| IndexError::Failed { path: path.to_owned(), cause };
    let (schema, fields) = schema();
    let directory = tantivy::directory::MmapDirectory::open(path).map_err(|cause| failed(cause.into()))?;
    let index = Index::open_or_create(directory, schema).map_err(failed)?;
    let writer = index.writer_with_num_threads(1, heap_mb << 20).map_err(failed)?;
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(failed)?;
    Ok(MentionIndexWriter { path: path.to_owned(), writer, fields, index, reader })
}

/// Deletes the index in `path`, to be built anew.
fn delete(path: &Path) -> Result<(), IndexError> {
    match std::fs::remove_dir_all(path) {
        Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
            Err(IndexError::Directory { path: path.to_owned(), cause })
        }
        _ => Ok(()),
    }
}

impl MentionIndexWriter {
    /// How far this index has come, as its last commit says; none if it is new.
    pub fn progress(&self) -> Result<Option<Progress>, IndexError> {
        let metas = self.index.load_metas().map_err(|cause| self.failed(cause))?;
        Ok(metas.payload.and_then(|payload| serde_json::from_str(&payload).ok()))
    }

    /// Puts a mention's document in place of any that it had.
    pub fn replace(&mut self, id: PostId, document: &Document) -> Result<(), IndexError> {
        self.remove(id);
        let number = u128::from_be_bytes(*id.as_bytes());
        let mut made = TantivyDocument::default();
        made.add_text(self.fields.id, id.to_string());
        made.add_u64(self.fields.id_high, (number >> 64) as u64);
        made.add_u64(self.fields.id_low, number as u64);
        made.add_i64(self.fields.at, document.at.millis());
        let lists = [
            (self.fields.token, &document.tokens),
            (self.fields.author, &document.authors),
            (self.fields.site, &document.sites),
            (self.fields.source, &document.sources),
            (self.fields.project, &document.projects),
            (self.fields.query, &document.queries),
            (self.fields.lang, &document.langs),
        ];
        for (field, values) in lists {
            for value in values {
                made.add_text(field, kept(value));
            }
        }
        self.writer.add_document(made).map_err(|cause| self.failed(cause))?;
        Ok(())
    }

    pub fn remove(&mut self, id: PostId) {
        self.writer.delete_term(Term::from_field_text(self.fields.id, &id.to_string()));
    }

    /// Deletes every document, and forgets those that are not committed: tantivy would keep them in memory.
    pub fn clear(&mut self) -> Result<(), IndexError> {
        self.writer.rollback().map_err(|cause| failed_in(&self.path, cause))?;
        self.writer.delete_all_documents().map_err(|cause| self.failed(cause))?;
        Ok(())
    }

    /// Commits with the progress inside. It survives a power cut only after `sync`.
    pub fn commit(&mut self, progress: &Progress) -> Result<(), IndexError> {
        let payload = serde_json::to_string(progress).expect("a progress is JSON");
        let mut prepared = self.writer.prepare_commit().map_err(|cause| failed_in(&self.path, cause))?;
        prepared.set_payload(&payload);
        prepared.commit().map_err(|cause| failed_in(&self.path, cause))?;
        Ok(())
    }

    /// Syncs the directory: tantivy renames its list of segments and does not sync the directory behind it.
    pub fn sync(&self) -> Result<(), IndexError> {
        std::fs::File::open(&self.path)
            .and_then(|directory| directory.sync_all())
            .map_err(|cause| IndexError::Directory { path: self.path.clone(), cause })?;
        self.reader.reload().map_err(|cause| self.failed(cause))
    }

    fn failed(&self, cause: tantivy::TantivyError) -> IndexError {
        failed_in(&self.path, cause)
    }
}

fn failed_in(path: &Path, cause: tantivy::TantivyError) -> IndexError {
    IndexError::Failed { path: path.to_owned(), cause }
}

impl MentionIndex {
    /// Opens the index again after it failed; the writer before must be dropped. Searches go on meanwhile.
    pub fn reopen(&self, heap_mb: usize) -> Result<MentionIndexWriter, IndexError> {
        let writer = open_or_replace(&self.path, heap_mb)?;
        self.reader.store(Arc::new(IndexReader::clone(&writer.reader)));
        Ok(writer)
    }

    /// Ids of the documents that meet the condition, newest first.
    pub fn find(&self, filter: &Filter) -> Result<Vec<(Timestamp, PostId)>, IndexError> {
        let failed = |cause| failed_in(&self.path, cause);
        let searcher = self.reader.load().searcher();
        let found = searcher.search(&*self.query(filter), &DocSetCollector).map_err(failed)?;
        let mut addresses: Vec<_> = found.into_iter().collect();
        addresses.sort();
        let mut ids = Vec::with_capacity(addresses.len());
        let mut segment = None;
        for address in addresses {
            let (ordinal, columns) = match segment.take() {
                Some((ordinal, columns)) if ordinal == address.segment_ord => (ordinal, columns),
                _ => {
                    let fast = searcher.segment_reader(address.segment_ord).fast_fields();
                    let columns = (
                        fast.u64("id_high").map_err(failed)?,
                        fast.u64("id_low").map_err(failed)?,
                        fast.i64("at").map_err(failed)?,
                    );
                    (address.segment_ord, columns)
                }
            };
            let (high, low, at) = &columns;
            let number = u128::from(high.first(address.doc_id).unwrap_or(0)) << 64
                | u128::from(low.first(address.doc_id).unwrap_or(0));
            let at = Timestamp::from_millis(at.first(address.doc_id).unwrap_or(0));
            ids.push((at, PostId::from_bytes(number.to_be_bytes())));
            segment = Some((ordinal, columns));
        }
        ids.sort_unstable_by(|left, right| right.cmp(left));
        Ok(ids)
    }

    /// Documents that search can see.
    pub fn documents(&self) -> u64 {
        self.reader.load().searcher().num_docs()
    }

    fn query(&self, filter: &Filter) -> Box<dyn Query> {
        let fields = &self.fields;
        match filter {
            Filter::Everything => Box::new(AllQuery),
            Filter::All(parts) if parts.is_empty() => Box::new(AllQuery),
            Filter::OneOf(parts) if parts.is_empty() => Box::new(EmptyQuery),
            Filter::All(parts) => self.boolean(Occur::Must, parts),
            Filter::OneOf(parts) => self.boolean(Occur::Should, parts),
            Filter::Token(token) => term(fields.token, token),
            Filter::TokenPrefix(prefix) => prefix_query(fields.token, prefix),
            Filter::Author(author) => term(fields.author, author),
            Filter::Site(site) => term(fields.site, site),
            Filter::Source(source) => term(fields.source, source),
            Filter::Project(project) => term(fields.project, project),
            Filter::Query(query) => term(fields.query, query),
            Filter::Lang(lang) => term(fields.lang, lang),
            Filter::Between(from, to) => Box::new(RangeQuery::new(
                Bound::Included(Term::from_field_i64(fields.at, from.millis())),
                Bound::Excluded(Term::from_field_i64(fields.at, to.millis())),
            )),
        }
    }

    fn boolean(&self, occur: Occur, parts: &[Filter]) -> Box<dyn Query> {
        Box::new(BooleanQuery::new(parts.iter().map(|part| (occur, self.query(part))).collect()))
    }
}

fn term(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, kept(text)), IndexRecordOption::Basic))
}

/// Terms from the prefix on, before the first text that does not begin with it.
fn prefix_query(field: Field, prefix: &str) -> Box<dyn Query> {
    let prefix = kept(prefix);
    let mut end: Vec<char> = prefix.chars().collect();
    while let Some(last) = end.pop() {
        if let Some(next) = (last as u32 + 1..=char::MAX as u32).find_map(char::from_u32) {
            end.push(next);
            break;
        }
    }
    let upper = match end.is_empty() {
        true => Bound::Unbounded,
        false => Bound::Excluded(Term::from_field_text(field, &end.into_iter().collect::<String>())),
    };
    Box::new(RangeQuery::new(Bound::Included(Term::from_field_text(field, prefix)), upper))
}

fn kept(text: &str) -> &str {
    &text[..text.floor_char_boundary(TOKEN_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matcher;

    fn document(tokens: &[&str], at: i64) -> Document {
        Document {
            tokens: tokens.iter().map(|&token| token.to_owned()).collect(),
            at: Timestamp::from_millis(at),
            ..Document::default()
        }
    }

    #[test]
    fn documents_are_found_replaced_and_removed() {
        let dir = tempfile::tempdir().unwrap();
        let (index, mut writer) = open(dir.path(), 15).unwrap();
        let (first, second) = (PostId::of("n", "1"), PostId::of("n", "2"));
        writer.replace(first, &document(&["coffee", "tea"], 1)).unwrap();
        writer.replace(second, &document(&["coffees"], 2)).unwrap();
        writer.commit(&Progress::new("e", 2)).unwrap();
        writer.sync().unwrap();
        let find = |filter: &Filter| index.find(filter).unwrap().into_iter().map(|(_, id)| id).collect::<Vec<_>>();
        assert_eq!(find(&Filter::Token("coffee".to_owned())), [first]);
        assert_eq!(find(&Filter::TokenPrefix("coffee".to_owned())), [second, first]);
        assert_eq!(find(&Filter::Between(Timestamp::from_millis(2), Timestamp::from_millis(3))), [second]);
        writer.replace(first, &document(&["milk"], 3)).unwrap();
        writer.remove(second);
        writer.commit(&Progress::new("e", 3)).unwrap();
        writer.sync().unwrap();
        assert_eq!(find(&Filter::Everything), [first]);
        assert!(find(&Filter::Token("coffee".to_owned())).is_empty());
        assert_eq!(writer.progress().unwrap(), Some(Progress::new("e", 3)));
    }

    /// A text with something of every kind that is cut into tokens in its own way.
    const SAMPLE: &str = "Škoda's ĐỎ #BBCNews #VodafoneSucks5G Galaxy폰 서울에서는 O2는 وبالكتاب ושבבית 東京タワー2台 ﾀﾜｰ ไทยดี \
        ㈜카카오 5㎏ Straße STRAẞE ёлка й がﾞ e\u{323}\u{301} ﷲ 🇨🇿🅿️ a_b x-y o’n Vodafone™ https://x.jp/a東 @al.b \u{ad}z";

    #[test]
    fn documents_of_other_tokens_need_another_schema_version() {
        let mut digest = blake3::Hasher::new();
        matcher::tokens(SAMPLE, &mut |token| {
            digest.update(token.as_bytes()).update(b"\n");
        });
        let digest = digest.finalize().to_hex();
        assert_eq!(
            (SCHEMA_VERSION, &digest[..16]),
            (2, "2532c09cab36be2f"),
            "the tokens of a text are others than before: raise SCHEMA_VERSION, so that every index is rebuilt, and \
             put the new digest beside the new version"
        );
    }

    #[test]
    fn an_index_of_another_store_or_ahead_of_it_does_not_fit() {
        let progress = Progress::new("e", 7);
        assert!(progress.fits("e", 8));
        assert!(!progress.fits("other", 8) && !progress.fits("e", 7));
    }
}
