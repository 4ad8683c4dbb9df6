//! `Inner`: what all handles of an open store share. The last one dropped closes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::codec::Upcasters;
use crate::commit::{Backlog, Committer, Request, Stalls, Upkeep, WriterStats};
use crate::disk::{Clock, DiskLock, IdSource};
use crate::error::{Error, ErrorKind, Result};
use crate::index::Log;
use crate::snapshot::Snapshots;
use crate::types::{BatchReceipt, Durability, StoreId};

use super::RecoveryReport;
use super::claims::Claims;
use super::following::Following;
use super::sealer::Sealer;

#[derive(Debug)]
pub(crate) struct Inner {
    /// Shared with iterators, which may outlive the store.
    pub(crate) log: Arc<Log>,
    pub(crate) access: Access,
    pub(crate) ids: IdSource,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Durability,
    pub(crate) upcasters: Upcasters,
    pub(crate) snapshots: Snapshots,
    pub(crate) report: RecoveryReport,
    pub(crate) claims: Claims,
    pub(crate) root: PathBuf,
    pub(crate) store_id: StoreId,
}

/// What the store was opened for.
#[derive(Debug)]
pub(crate) enum Access {
    Write(Box<Writing>),
    /// Its lock is held while the journal is looked at, so that only one at a time takes in what is new.
    Read(Box<Mutex<Following>>),
}

/// How sealing goes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct UpkeepStats {
    pub(crate) backlog_files: u64,
    pub(crate) stalls: Stalls,
    pub(crate) seals_failed: u64,
}

/// What the one who writes has, and nobody else.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) committer: Arc<Committer>,
    pub(crate) sealer: Arc<Sealer>,
    pub(crate) stats: Arc<Mutex<WriterStats>>,
    pub(crate) upkeep: Option<Arc<Upkeep>>,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) closing: Mutex<Closing>,
}

/// A journal of fewer bytes is not sealed at a close: opening reads it in a millisecond or two, and a store that is opened
/// and closed often would come to consist of small segments.
const SEALED_AT_CLOSE_BYTES: u64 = 1 << 20;

/// What closing takes away. Its lock is held for the whole of a close, so that two do not mix.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) thread: Option<JoinHandle<()>>,
    pub(crate) lock: Option<Arc<dyn DiskLock>>,
}

impl Inner {
    /// Joins the queue of those who append.
    pub(crate) fn commit(&self, request: Request) -> Result<BatchReceipt> {
        match &self.access {
            Access::Write(writing) => writing.committer.commit(request),
            Access::Read(_) => Err(self.read_only()),
        }
    }

    /// Seals all that was appended so far; how many journal files that were.
    pub(crate) fn seal(&self) -> Result<u64> {
        match &self.access {
            Access::Write(writing) => writing.seal().inspect(|_| writing.make_tiers()),
            Access::Read(_) => Err(self.read_only()),
        }
    }

    /// Whether it was opened to be written to.
    pub(crate) fn check_writable(&self) -> Result<()> {
        match &self.access {
            Access::Write(_) => Ok(()),
            Access::Read(_) => Err(self.read_only()),
        }
    }

    fn read_only(&self) -> Error {
        let what = format!("{}: the store was opened to be read only", self.root.display());
        Error::new(ErrorKind::ReadOnly, what)
    }

    /// What the writer has counted; nothing if this is not the writer.
    pub(crate) fn written(&self) -> WriterStats {
        match &self.access {
            Access::Write(writing) => *writing.stats.lock(),
            Access::Read(_) => WriterStats::default(),
        }
    }

    /// How sealing goes; nothing if this is not the writer.
    pub(crate) fn upkept(&self) -> UpkeepStats {
        match &self.access {
            Access::Write(writing) => UpkeepStats {
                backlog_files: writing.backlog.files(),
                stalls: writing.backlog.stalls(),
                seals_failed: writing.sealer.failures(),
            },
            Access::Read(_) => UpkeepStats::default(),
        }
    }

    /// Closes the store: later appends are refused, the journal ends with a synced close mark, the lock is free.
    pub(crate) fn close(&self) -> Result<()> {
        let closed = match &self.access {
            Access::Write(writing) => writing.close(&self.snapshots),
            Access::Read(_) => Ok(()),
        };
        self.log.waiting.close();
        closed
    }
}

impl Writing {
    /// Seals all that was appended so far; how many journal files that were.
    fn seal(&self) -> Result<u64> {
        let files = self.committer.end_file()?;
        // The maintenance thread may be at some of them: whoever seals waits for the other.
        while self.sealer.seal_oldest(&self.committer, &|| ())? {}
        Ok(files)
    }

    fn make_tiers(&self) {
        self.sealer.make_tiers(&self.committer, &|| (), &|| true);
    }

    /// Seals what would take the next opening long to read, if that is not left to the caller. Should it fail, the next
    /// opening takes long.
    fn seal_at_close(&self) {
        if self.upkeep.is_some() && self.committer.unsealed_bytes() >= SEALED_AT_CLOSE_BYTES {
            let _ = self.seal();
        }
    }

    fn close(&self, snapshots: &Snapshots) -> Result<()> {
        let mut closing = self.closing.lock();
        if let Some(upkeep) = &self.upkeep {
            upkeep.stop();
        }
        // Those who wait for room go on, and are told that the store is closed.
        self.backlog.leave();
        if let Some(thread) = closing.thread.take() {
            // A panic in it has nothing to tell that the writer will not meet.
            let _ = thread.join();
        }
        self.seal_at_close();
        let closed = self.committer.close();
        // Before the lock is free: whoever opens the store next has the snapshots to itself.
        snapshots.refuse_writes(ErrorKind::Closed);
        closing.lock = None;
        closed
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Whoever wants to hear of errors calls `close`.
        let _ = self.close();
    }
}
