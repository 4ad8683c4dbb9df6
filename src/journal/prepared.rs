//! `Prepared`: the space behind the last frame that was filled with zeros and synced, so that a commit overwrites
//! allocated blocks and its sync writes no file-system metadata.
//!
//! The step grows with the file, so that a new store is small and a busy one prepares seldom.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, OpenMode, write_zeros_at};
use crate::error::{Error, Result};

use super::journal_file::JournalFile;

/// What a new file has from its first moment.
pub(crate) const FIRST_STEP_BYTES: u64 = 256 << 10;
const STEP_BYTES_MAX: u64 = 4 << 20;

/// The prepared space of the file that is written to.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) file: Arc<JournalFile>,
    disk: Arc<dyn Disk>,
    /// The file is zeros from its last frame to here.
    end: AtomicU64,
    /// No further than this is prepared ahead.
    capacity: u64,
    /// Held while zeros are written, so that only one at a time moves `end`. Preparing has its own handle on the file: a
    /// failed sync is told once to each, and the writer must not be spared its own.
    preparing: Mutex<Option<Box<dyn DiskFile>>>,
    sync_failed: AtomicBool,
    /// There was no space for the last step: nobody tries ahead again before the writer got some.
    space_failed: AtomicBool,
}

/// Why space could not be prepared.
#[derive(Debug)]
pub(crate) enum PrepareFailure {
    /// Nothing happened to what is on disk.
    NoSpace(Error),
    /// A sync of the file failed: nothing is known of what was written to it and not synced before.
    SyncFailed(Error),
}

impl Prepared {
    pub(crate) fn new(disk: Arc<dyn Disk>, file: Arc<JournalFile>, end: u64, capacity: u64) -> Self {
        // Opened now, while the path is known to name this file. If that fails, it is tried again when it is needed.
        let preparing = Mutex::new(disk.open(&file.path, OpenMode::ReadWrite).ok());
        let (sync_failed, space_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { file, disk, end: AtomicU64::new(end), capacity, preparing, sync_failed, space_failed }
    }

    /// Up to where the space is prepared.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    /// Whether so little is left that the next step should be prepared.
    pub(crate) fn wants_more(&self, used: u64) -> bool {
        let end = self.end();
        end < self.capacity && !self.space_failed.load(Ordering::Relaxed) && used + left_bytes(end) > end
    }

    /// Prepares the next step, for whoever runs ahead of the writer.
    pub(crate) fn prepare_next(&self, used: u64) -> Result<(), PrepareFailure> {
        let mut preparing = self.preparing.lock();
        let to = self.next_end();
        if self.wants_more(used) { self.extend_to(to, to, &mut preparing) } else { Ok(()) }
    }

    /// Prepares as far as `needed`, for a writer that cannot wait.
    pub(crate) fn ensure(&self, needed: u64) -> Result<(), PrepareFailure> {
        if needed <= self.end() {
            return Ok(());
        }
        // Whoever holds the lock may have prepared it meanwhile.
        let mut preparing = self.preparing.lock();
        let to = self.next_end().max(needed);
        if needed <= self.end() { Ok(()) } else { self.extend_to(to, needed, &mut preparing) }
    }

    /// Where the next step ends.
    fn next_end(&self) -> u64 {
        let end = self.end();
        (end + step_bytes(end)).min(self.capacity)
    }

    /// Prepares up to `to`, or up to `needed` where there is no room for more.
    fn extend_to(
        &self,
        to: u64,
        needed: u64,
        handle: &mut Option<Box<dyn DiskFile>>,
    ) -> Result<(), PrepareFailure> {
        self.check_syncs()?;
        let (from, path) = (self.end(), &self.file.path);
        let no_space = |error| {
            self.space_failed.store(true, Ordering::Relaxed);
            PrepareFailure::NoSpace(Error::io("preparing space in", path, error))
        };
        let file = match handle {
            Some(file) => file,
            None => handle.insert(self.disk.open(path, OpenMode::ReadWrite).map_err(no_space)?),
        };
        file.allocate(to);
        let to = match write_zeros_at(&**file, from, to) {
            Ok(()) => to,
            // There may be room for what is needed though not for a whole step.
            Err(_) if needed < to => {
                write_zeros_at(&**file, from, needed).map(|()| needed).map_err(no_space)?
            }
            Err(error) => return Err(no_space(error)),
        };
        file.sync_all().map_err(|error| {
            self.sync_failed.store(true, Ordering::Release);
            PrepareFailure::SyncFailed(Error::io("syncing", path, error))
        })?;
        // Durable now: the zeros, and that the file is this long. Frames may go there.
        self.end.store(to, Ordering::Release);
        self.space_failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether all syncs of the file have succeeded, those of whoever prepares ahead included.
    pub(crate) fn check_syncs(&self) -> Result<(), PrepareFailure> {
        if self.sync_failed.load(Ordering::Acquire) {
            // A second sync could succeed although the first one lost bytes.
            let failed = std::io::Error::other("a sync that prepared space failed");
            return Err(PrepareFailure::SyncFailed(Error::io("writing", &self.file.path, failed)));
        }
        Ok(())
    }
}

/// How much is prepared next in a file prepared up to `end`.
fn step_bytes(end: u64) -> u64 {
    end.saturating_mul(4).clamp(FIRST_STEP_BYTES, STEP_BYTES_MAX)
}

/// When less is left of a file prepared up to `end`, the next step should be prepared.
fn left_bytes(end: u64) -> u64 {
    end.clamp(FIRST_STEP_BYTES, STEP_BYTES_MAX) / 2
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::chain::Chain;
    use super::*;
    use crate::disk::faulty::FaultyDisk;
    use crate::types::StoreId;

    const KIB: u64 = 1 << 10;

    /// A new file that may be prepared up to `capacity`.
    fn prepared(capacity: u64) -> (TempDir, FaultyDisk, Prepared) {
        let dir = tempfile::tempdir().expect("temporary directory");
        let (disk, store) = (FaultyDisk::default(), StoreId::from_bytes([7; 16]));
        let file =
            JournalFile::create(&disk, dir.path(), store, 1, Chain::START, FIRST_STEP_BYTES).expect("file");
        let prepared = Prepared::new(Arc::new(disk.clone()), Arc::new(file), FIRST_STEP_BYTES, capacity);
        (dir, disk, prepared)
    }

    fn no_space<T>(prepared: Result<T, PrepareFailure>) -> bool {
        matches!(prepared, Err(PrepareFailure::NoSpace(_)))
    }

    #[test]
    fn the_next_step_is_wanted_from_the_middle_of_what_is_prepared_on_and_steps_grow() {
        let capacity = 5_376 * KIB;
        let (_dir, _, prepared) = prepared(capacity);
        for (half, next) in [(128 * KIB, 1_280 * KIB), (640 * KIB, capacity)] {
            assert!(!prepared.wants_more(half));
            let before = prepared.end();
            prepared.prepare_next(half).expect("nothing to do");
            assert_eq!(prepared.end(), before);
            assert!(prepared.wants_more(half + 1));
            prepared.prepare_next(half + 1).expect("space");
            assert_eq!((prepared.end(), prepared.file.bytes().expect("length")), (next, next));
        }
        assert!(!prepared.wants_more(capacity), "no further than its capacity");
        prepared.prepare_next(capacity).expect("nothing to do");
        assert_eq!(prepared.end(), capacity);
        prepared.ensure(capacity).expect("it is there");
        assert_eq!(prepared.end(), capacity);
        prepared.ensure(capacity + 76 * KIB).expect("a commit that is larger than a file");
        assert_eq!(prepared.end(), capacity + 76 * KIB);
    }

    #[test]
    fn the_last_step_ends_where_the_file_does() {
        let (_dir, _, prepared) = prepared(300 * KIB);
        prepared.prepare_next(200 * KIB).expect("space");
        assert_eq!(prepared.end(), 300 * KIB);
        assert_eq!((step_bytes(1), step_bytes(256 * KIB)), (256 * KIB, KIB * KIB));
        assert_eq!((step_bytes(KIB * KIB), step_bytes(64 * KIB * KIB)), (4 * KIB * KIB, 4 * KIB * KIB));
        assert_eq!((left_bytes(1), left_bytes(64 * KIB * KIB)), (128 * KIB, 2 * KIB * KIB));
    }

    #[test]
    fn where_there_was_no_space_nobody_tries_ahead_again_until_the_writer_got_some() {
        let (_dir, disk, prepared) = prepared(1024 * KIB);
        disk.file_bytes_max.store(300 * KIB, Ordering::SeqCst);
        assert!(no_space(prepared.prepare_next(200 * KIB)));
        assert!(!prepared.wants_more(200 * KIB));
        prepared.prepare_next(200 * KIB).expect("not tried");
        assert!(no_space(prepared.ensure(301 * KIB)), "more than there is");
        assert_eq!(prepared.end(), 256 * KIB);
        prepared.ensure(299 * KIB).expect("room for what is needed, though not for a step");
        assert_eq!(prepared.end(), 299 * KIB);
        assert!(prepared.wants_more(200 * KIB));
    }

    #[test]
    fn a_failed_sync_is_never_followed_by_another() {
        let (_dir, disk, prepared) = prepared(1024 * KIB);
        disk.syncs_fail.store(true, Ordering::SeqCst);
        assert!(matches!(prepared.ensure(300 * KIB), Err(PrepareFailure::SyncFailed(_))));
        disk.syncs_fail.store(false, Ordering::SeqCst);
        assert!(matches!(prepared.check_syncs(), Err(PrepareFailure::SyncFailed(_))));
        assert!(matches!(prepared.ensure(300 * KIB), Err(PrepareFailure::SyncFailed(_))));
        assert_eq!(prepared.end(), 256 * KIB);
    }
}
