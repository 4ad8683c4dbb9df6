//! `Inner`: what all handles of an open store share. The last one dropped closes it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::codec::Upcasters;
use crate::commit::{Committer, PrepareAhead, WriterStats};
use crate::disk::{Clock, DiskLock, IdSource};
use crate::error::Result;
use crate::index::Log;
use crate::snapshot::Snapshots;
use crate::types::{Durability, StoreId};

use super::RecoveryReport;

#[derive(Debug)]
pub(crate) struct Inner {
    /// Shared with iterators, which may outlive the store.
    pub(crate) log: Arc<Log>,
    pub(crate) committer: Committer,
    pub(crate) ids: IdSource,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) durability: Durability,
    pub(crate) upcasters: Upcasters,
    pub(crate) snapshots: Snapshots,
    pub(crate) stats: Arc<Mutex<WriterStats>>,
    pub(crate) report: RecoveryReport,
    pub(crate) root: PathBuf,
    pub(crate) store_id: StoreId,
    pub(crate) ahead: Option<Arc<PrepareAhead>>,
    pub(crate) closing: Mutex<Closing>,
}

/// What closing takes away. Its lock is held for the whole of a close, so that two do not mix.
#[derive(Debug)]
pub(crate) struct Closing {
    pub(crate) thread: Option<JoinHandle<()>>,
    pub(crate) lock: Option<Arc<dyn DiskLock>>,
}

impl Inner {
    /// Closes the store: later appends are refused, the journal ends with a synced close mark, the lock is free.
    pub(crate) fn close(&self) -> Result<()> {
        let mut closing = self.closing.lock();
        if let Some(ahead) = &self.ahead {
            ahead.stop();
        }
        if let Some(thread) = closing.thread.take() {
            // It holds nothing of the store's; a panic in it has nothing to tell that the writer will not meet.
            let _ = thread.join();
        }
        let closed = self.committer.close();
        // Before the lock is free: whoever opens the store next has the snapshots to itself.
        self.snapshots.close();
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
