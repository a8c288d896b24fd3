//! Opening the store: its settings, RocksDB's options, the check of the format.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt;
use rocksdb::compaction_filter::Decision;
use rocksdb::{BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, DBRecoveryMode, Options};
use serde::{Deserialize, Serialize};

use super::keys::{self, Family};
use super::rows::{KnownPost, NearRow, decode};

/// The format of this program's stores: families, keys and the meaning of rows.
pub const FORMAT: u32 = 2;

const POST_BUFFER_BYTES: usize = 16 << 20;
const SMALL_BUFFER_BYTES: usize = 4 << 20;
const BUFFERS_MAX: i32 = 4;
const WAL_BYTES_MAX: u64 = 256 << 20;
const BLOOM_BITS_PER_KEY: f64 = 10.0;
/// How long copies of a text are looked for.
pub const NEAR_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// A file beside a backup's rows: the next start gives the store a new epoch and removes it.
pub(super) const RESTORED_MARK: &str = "RESTORED";

/// `[store]` of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreSettings {
    pub block_cache_mb: u64,
    pub write_buffers_mb: u64,
}

/// The store, open. Cheap to clone; there is one per process.
#[derive(Clone)]
pub struct Store {
    pub(super) db: Arc<DB>,
    pub(super) path: PathBuf,
    epoch: Arc<str>,
    floors: Arc<Floors>,
}

/// What compaction may drop.
#[derive(Default)]
pub(super) struct Floors {
    post_seq: AtomicU64,
    near_millis: AtomicU64,
}

impl Floors {
    pub(super) fn raise_post(&self, seq: u64) {
        self.post_seq.fetch_max(seq, Ordering::Relaxed);
    }

    pub(super) fn raise_near(&self, millis: i64) {
        self.near_millis.fetch_max(u64::try_from(millis).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{path} is in use: another earful runs on this data directory; stop it, or choose another `data_dir`")]
    InUse { path: PathBuf },
    #[error(
        "the store in {path} has format {found}, this program reads {FORMAT}; run the program that wrote it, or restore a backup"
    )]
    UnknownFormat { path: PathBuf, found: String },
    #[error("the store in {path} is damaged: {cause}; restore a backup into another `data_dir` and start there")]
    Damaged { path: PathBuf, cause: String },
    #[error(
        "the store in {path} cannot be opened: {cause}; see to the disk and to its permissions, or restore a backup into another `data_dir`"
    )]
    Io { path: PathBuf, cause: String },
}

impl Store {
    /// Opens or creates the store in `path`.
    pub fn open(path: &Path, settings: &StoreSettings) -> Result<Self, OpenError> {
        std::fs::create_dir_all(path)
            .map_err(|error| OpenError::Io { path: path.to_owned(), cause: error.to_string() })?;
        let floors = Arc::new(Floors::default());
        let options = database_options(settings);
        let families = families(settings, &floors);
        let db = DB::open_cf_descriptors(&options, path, families).map_err(|error| explain(path, &error))?;
        let (epoch, post_floor) = check_format(&db, path)?;
        floors.raise_post(post_floor);
        Ok(Self { db: Arc::new(db), path: path.to_owned(), epoch, floors })
    }

    /// Names this store; a restored one is given another name.
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn family(&self, family: Family) -> &rocksdb::ColumnFamily {
        self.db.cf_handle(family.name()).expect("every family is created when the store is opened")
    }

    /// Rewrites the files of a family up to a key, so that what was deleted takes no room and is not measured. Blocks
    /// for as long as that takes, or until `stop_compaction`.
    pub(super) fn compact(&self, family: Family, below: Option<&[u8]>) {
        self.db.compact_range_cf(self.family(family), None::<&[u8]>, below);
    }

    /// Rewrites every family, as time would: for tests of what compaction drops.
    pub fn compact_all(&self) {
        for family in Family::ALL {
            self.compact(family, None);
        }
    }

    /// Ends compactions under way, so that a stop does not wait for them. Writes go on.
    pub fn stop_compaction(&self) {
        self.db.cancel_all_background_work(false);
    }

    pub(super) fn floors(&self) -> &Floors {
        &self.floors
    }
}

fn explain(path: &Path, error: &rocksdb::Error) -> OpenError {
    let path = path.to_owned();
    let cause = error.to_string();
    if cause.contains("lock file") || cause.contains("LOCK") {
        return OpenError::InUse { path };
    }
    match error.kind() {
        rocksdb::ErrorKind::Corruption => OpenError::Damaged { path, cause },
        _ => OpenError::Io { path, cause },
    }
}

/// Checks the format of an old store, or marks a new one. Returns epoch and post floor.
fn check_format(db: &DB, path: &Path) -> Result<(Arc<str>, u64), OpenError> {
    let io = |error: rocksdb::Error| OpenError::Io { path: path.to_owned(), cause: error.to_string() };
    let meta = db.cf_handle(Family::Meta.name()).expect("every family is created when the store is opened");
    let Some(found) = db.get_cf(meta, keys::META_FORMAT).map_err(io)? else {
        let epoch = new_epoch();
        let mut batch = rocksdb::WriteBatch::default();
        batch.put_cf(meta, keys::META_FORMAT, FORMAT.to_be_bytes());
        batch.put_cf(meta, keys::META_EPOCH, &epoch);
        let mut options = rocksdb::WriteOptions::default();
        options.set_sync(true);
        db.write_opt(batch, &options).map_err(io)?;
        return Ok((epoch.into(), 0));
    };
    if found != FORMAT.to_be_bytes() {
        let found =
            found.try_into().map_or_else(|_| "unknown".to_owned(), |bytes| u32::from_be_bytes(bytes).to_string());
        return Err(OpenError::UnknownFormat { path: path.to_owned(), found });
    }
    let epoch = match path.join(RESTORED_MARK).exists() {
        true => rename_epoch(db, path)?,
        false => {
            String::from_utf8_lossy(&db.get_cf(meta, keys::META_EPOCH).map_err(io)?.unwrap_or_default()).into_owned()
        }
    };
    let floor = db.get_cf(meta, keys::META_POST_FLOOR).map_err(io)?;
    Ok((epoch.into(), floor.as_deref().and_then(keys::parse_seq).unwrap_or(0)))
}

/// Gives a restored store a new epoch, then removes the mark: a crash between the two renames it once more.
fn rename_epoch(db: &DB, path: &Path) -> Result<String, OpenError> {
    let io = |cause: String| OpenError::Io { path: path.to_owned(), cause };
    let meta = db.cf_handle(Family::Meta.name()).expect("every family is created when the store is opened");
    let epoch = new_epoch();
    let mut options = rocksdb::WriteOptions::default();
    options.set_sync(true);
    db.put_cf_opt(meta, keys::META_EPOCH, &epoch, &options).map_err(|error| io(error.to_string()))?;
    std::fs::remove_file(path.join(RESTORED_MARK)).map_err(|error| io(error.to_string()))?;
    Ok(epoch)
}

/// Eight random letters and digits.
pub(super) fn new_epoch() -> String {
    const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut rng = rand::rng();
    (0..8).map(|_| LETTERS[rng.random_range(0..LETTERS.len())] as char).collect()
}

fn database_options(settings: &StoreSettings) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.create_missing_column_families(true);
    options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    options.set_track_and_verify_wals_in_manifest(true);
    options.set_paranoid_checks(true);
    options.set_max_total_wal_size(WAL_BYTES_MAX);
    options.set_db_write_buffer_size(mebibytes(settings.write_buffers_mb));
    options.set_wal_bytes_per_sync(1 << 20);
    options.set_bytes_per_sync(1 << 20);
    options.set_keep_log_file_num(4);
    options.set_max_background_jobs(2);
    options.set_max_open_files(512);
    options
}

fn mebibytes(count: u64) -> usize {
    usize::try_from(count << 20).unwrap_or(usize::MAX)
}

fn families(settings: &StoreSettings, floors: &Arc<Floors>) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(mebibytes(settings.block_cache_mb));
    Family::ALL
        .into_iter()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(family, &cache, floors)))
        .collect()
}

fn family_options(family: Family, cache: &Cache, floors: &Arc<Floors>) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_bottommost_compression_type(DBCompressionType::Zstd);
    options.set_max_write_buffer_number(BUFFERS_MAX);
    match family {
        Family::Post | Family::Outbox | Family::PostId => options.set_write_buffer_size(POST_BUFFER_BYTES),
        _ => options.set_write_buffer_size(SMALL_BUFFER_BYTES),
    }
    if matches!(family, Family::Outbox | Family::Pending | Family::MentionLog) {
        // Queues leave tombstones behind their head; scans must not crawl over them.
        options.add_compact_on_deletion_collector_factory(512, 256, 0.5);
    }
    let floors = floors.clone();
    match family {
        Family::PostId => options.set_compaction_filter("post_id", move |_, _, value| post_id_decision(&floors, value)),
        Family::Author => {
            options.set_compaction_filter("author", move |_, key, value| author_decision(&floors, key, value))
        }
        Family::Near => options.set_compaction_filter("near", move |_, _, value| near_decision(&floors, value)),
        _ => {}
    }
    options
}

fn post_id_decision(floors: &Floors, value: &[u8]) -> Decision {
    let floor = floors.post_seq.load(Ordering::Relaxed);
    match decode::<KnownPost>(value) {
        // A mentioned post is known for ever: an edit or a deletion must still find it, and a repetition is none.
        Ok(known) if known.seq < floor && !known.mentioned => Decision::Remove,
        _ => Decision::Keep,
    }
}

fn author_decision(floors: &Floors, key: &[u8], value: &[u8]) -> Decision {
    let floor = floors.post_seq.load(Ordering::Relaxed);
    match (keys::parse_author_post(key), keys::parse_author_value(value)) {
        // The mention of a post outlives it, and the erasure of its author must still find it.
        (Some(seq), Some((_, false))) if seq < floor => Decision::Remove,
        _ => Decision::Keep,
    }
}

fn near_decision(floors: &Floors, value: &[u8]) -> Decision {
    let floor = floors.near_millis.load(Ordering::Relaxed);
    match decode::<NearRow>(value) {
        Ok(row) if u64::try_from(row.first_at.millis()).unwrap_or(0) < floor => Decision::Remove,
        _ => Decision::Keep,
    }
}
