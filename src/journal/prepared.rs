//! `Prepared`: the space behind the last frame that was filled with zeros and synced, so that a commit overwrites
//! allocated blocks and its sync writes no file-system metadata.
//!
//! The step grows with the file, so that a new store is small and a busy one prepares seldom.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::write_zeros_at;
use crate::error::{Error, Result};

use super::journal_file::JournalFile;

/// What a new file has from its first moment.
pub(crate) const FIRST_STEP_BYTES: u64 = 256 << 10;
const STEP_BYTES_MAX: u64 = 4 << 20;

/// The prepared space of the file that is written to.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) file: Arc<JournalFile>,
    /// The file is zeros from its last frame to here.
    end: AtomicU64,
    /// No further than this is prepared ahead.
    capacity: u64,
    /// Held while zeros are written, so that only one at a time moves `end`.
    preparing: Mutex<()>,
    sync_failed: AtomicBool,
    /// Held while the prepared space is synced, until `sync_failed` says how that went.
    syncing: Mutex<()>,
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
    pub(crate) fn new(file: Arc<JournalFile>, end: u64, capacity: u64) -> Self {
        let (preparing, syncing) = (Mutex::new(()), Mutex::new(()));
        let (sync_failed, space_failed) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { file, end: AtomicU64::new(end), capacity, preparing, sync_failed, syncing, space_failed }
    }

    /// Up to where the space is prepared.
    pub(crate) fn end(&self) -> u64 {
        self.end.load(Ordering::Acquire)
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether so much of the current step is used that the next one should be prepared.
    pub(crate) fn wants_more(&self, used: u64) -> bool {
        let end = self.end();
        end < self.capacity && !self.space_failed.load(Ordering::Relaxed) && used + step_bytes(end) / 2 > end
    }

    /// Prepares the next step, for whoever runs ahead of the writer.
    pub(crate) fn prepare_next(&self, used: u64) -> Result<(), PrepareFailure> {
        let _preparing = self.preparing.lock();
        if self.wants_more(used) { self.extend_to(self.end() + 1) } else { Ok(()) }
    }

    /// Prepares as far as `needed`, for a writer that cannot wait.
    pub(crate) fn ensure(&self, needed: u64) -> Result<(), PrepareFailure> {
        if needed <= self.end() {
            return Ok(());
        }
        // Whoever holds the lock may have prepared it meanwhile.
        let _preparing = self.preparing.lock();
        if needed <= self.end() { Ok(()) } else { self.extend_to(needed) }
    }

    fn extend_to(&self, needed: u64) -> Result<(), PrepareFailure> {
        let from = self.end();
        let to = (from + step_bytes(from)).min(self.capacity).max(needed);
        let file = &self.file;
        self.check_syncs().map_err(PrepareFailure::SyncFailed)?;
        file.disk_file.allocate(to).and_then(|()| write_zeros_at(&*file.disk_file, from, to)).map_err(
            |error| {
                self.space_failed.store(true, Ordering::Relaxed);
                PrepareFailure::NoSpace(Error::io("preparing space in", &file.path, error))
            },
        )?;
        {
            // Held across the sync, and beside `preparing`: the writer must not take its own sync for good before it
            // is known how this one went.
            let _syncing = self.syncing.lock();
            file.disk_file.sync_all().map_err(|error| {
                self.sync_failed.store(true, Ordering::Release);
                PrepareFailure::SyncFailed(Error::io("syncing", &file.path, error))
            })?;
        }
        // Durable now: the zeros, and that the file is this long. Frames may go there.
        self.end.store(to, Ordering::Release);
        self.space_failed.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Whether all syncs of the file by whoever prepares its space have succeeded.
    pub(crate) fn check_syncs(&self) -> Result<()> {
        if self.sync_failed.load(Ordering::Acquire) {
            // A second sync could succeed although the first one lost bytes.
            let failed = std::io::Error::other("a sync that prepared space failed");
            return Err(Error::io("syncing", &self.file.path, failed));
        }
        Ok(())
    }

    /// The same once the sync that runs now, if one does, is through: it may have been told of a failure that a sync by
    /// the writer, at the same time, was not told of. That one had the same bytes to write, so the wait is short.
    pub(crate) fn check_finished_syncs(&self) -> Result<()> {
        drop(self.syncing.lock());
        self.check_syncs()
    }
}

/// How much is prepared next in a file prepared up to `end`.
fn step_bytes(end: u64) -> u64 {
    end.clamp(FIRST_STEP_BYTES, STEP_BYTES_MAX)
}
