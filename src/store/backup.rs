//! Backup: a checkpoint of the store that can be opened as a store, taken while it is written.

use std::path::{Path, PathBuf};

use super::open::Store;

/// Why a backup was not made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} exists already; name a directory that does not")]
    Exists(PathBuf),
    #[error("{path} cannot be written: {cause}")]
    Io { path: PathBuf, cause: String },
}

/// Writes a checkpoint into `target`, which must not exist. On the same file system files are linked, not copied.
/// It is marked, so that the store that is restored from it takes a new epoch.
pub fn backup(store: &Store, target: &Path) -> Result<(), BackupError> {
    if target.exists() {
        return Err(BackupError::Exists(target.to_owned()));
    }
    let io = |cause: String| BackupError::Io { path: target.to_owned(), cause };
    if let Some(parent) = target.parent() {
        std::fs::create_dir_all(parent).map_err(|error| io(error.to_string()))?;
    }
    let checkpoint = rocksdb::checkpoint::Checkpoint::new(&store.db).map_err(|error| io(error.to_string()))?;
    checkpoint.create_checkpoint(target).map_err(|error| io(error.to_string()))?;
    // The mark gives the restored store a new epoch, so that receivers can tell its sequence numbers apart.
    std::fs::write(target.join(super::open::RESTORED_MARK), b"").map_err(|error| io(error.to_string()))?;
    std::fs::File::open(target).and_then(|dir| dir.sync_all()).map_err(|error| io(error.to_string()))
}
