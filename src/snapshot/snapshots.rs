//! `Snapshots`: the snapshots of an open store, for many threads.
//!
//! One lock, held while a record is written or packs are compacted, because the next record's place depends on it; never
//! while a snapshot is read, and never while a caller's code runs. Nobody who holds the index or the writer comes here.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::disk::{Disk, DiskFile, Seed, read_exact_at};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{CodecId, StoreId, StreamName, Version};

use super::directory::Entry;
use super::packs::{Packs, Sizes};
use super::record::Header;
use super::{FoldedUpTo, SnapshotIgnored, StateKind};

/// The snapshots of a store.
#[derive(Debug)]
pub(crate) struct Snapshots {
    state: Mutex<State>,
    seed: Seed,
    written: AtomicU64,
    used: AtomicU64,
    ignored: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug)]
struct State {
    packs: Packs,
    /// Why nothing is written: the directory may belong to another process.
    refuses: Option<ErrorKind>,
}

/// Figures about snapshots. The last four count since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct SnapshotFigures {
    pub(crate) bytes: u64,
    pub(crate) usable: u64,
    pub(crate) written: u64,
    pub(crate) used: u64,
    pub(crate) ignored: u64,
    pub(crate) failed: u64,
}

/// A state to be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSnapshot<'a> {
    pub(crate) stream: &'a StreamName,
    pub(crate) kind: StateKind<'a>,
    pub(crate) up_to: FoldedUpTo,
    /// How many are kept of this stream and kind, with this one.
    pub(crate) keep: u8,
    pub(crate) codec: CodecId,
    pub(crate) state: &'a [u8],
}

/// A snapshot whose bytes are as they were written. Whether it fits the log is for the finder to see.
#[derive(Debug)]
pub(crate) struct FoundSnapshot {
    pub(crate) up_to: FoldedUpTo,
    pub(crate) codec: CodecId,
    sequence: u64,
    record: Vec<u8>,
    state: Range<usize>,
}

impl FoundSnapshot {
    /// The state's bytes.
    pub(crate) fn state(&self) -> &[u8] {
        self.record.get(self.state.clone()).unwrap_or_default()
    }
}

impl Snapshots {
    /// The snapshots in `dir`, which need not exist. Nothing is read before something is asked.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: PathBuf, store: StoreId) -> Self {
        Self::with_sizes(disk, dir, store, Sizes::default())
    }

    pub(super) fn with_sizes(disk: Arc<dyn Disk>, dir: PathBuf, store: StoreId, sizes: Sizes) -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            state: Mutex::new(State { packs: Packs::new(disk, dir, store, sizes), refuses: None }),
            seed: Seed::of_store(store),
            written: zero(),
            used: zero(),
            ignored: zero(),
            failed: zero(),
        }
    }

    /// The newest snapshot of a stream that is not newer than `at_most`, and why a newer one of its kind was passed over.
    pub(crate) fn find(
        &self,
        stream: &StreamName,
        kind: StateKind<'_>,
        at_most: Option<Version>,
    ) -> (Option<FoundSnapshot>, Option<SnapshotIgnored>) {
        let mut ignored = None;
        // Each turn forgets a snapshot, so there are no more turns than snapshots.
        loop {
            let candidate = self.with_packs(|packs| {
                let entry = packs.directory.newest(stream.as_str(), kind, at_most)?.clone();
                let file = Arc::clone(&packs.by_number.get(&entry.at.pack)?.file);
                Some((entry, file))
            });
            let Some((entry, file)) = candidate else {
                break;
            };
            match self.read(&*file, &entry, stream) {
                Some(found) => return (Some(found), ignored),
                None => {
                    self.reject_sequence(stream, entry.sequence);
                    ignored = ignored.or(Some(SnapshotIgnored::Damaged));
                }
            }
        }
        (None, ignored)
    }

    /// Why the snapshots of a stream that has none of this kind are of no use; `None` when it has none at all.
    pub(crate) fn why_not(&self, stream: &StreamName, kind: StateKind<'_>) -> Option<SnapshotIgnored> {
        let reason = self.with_packs(|packs| packs.directory.why_not(stream.as_str(), kind));
        count(&self.ignored, u64::from(reason.is_some()));
        reason
    }

    /// A snapshot was found and its state is used.
    pub(crate) fn accept(&self) {
        count(&self.used, 1);
    }

    /// A snapshot was found and is of no use: it is not found again.
    pub(crate) fn reject(&self, stream: &StreamName, found: &FoundSnapshot) {
        self.reject_sequence(stream, found.sequence);
    }

    /// The version of the newest snapshot of a stream; one that is damaged counts until it is found to be.
    pub(crate) fn newest_version(&self, stream: &StreamName, kind: StateKind<'_>) -> Option<Version> {
        self.with_packs(|packs| {
            packs.directory.newest(stream.as_str(), kind, None).map(|entry| entry.version)
        })
    }

    /// Keeps a state. Nothing is written when one as new is there.
    ///
    /// # Errors
    /// `Invalid` past a limit, `Closed`, `ReadOnly`, and what the disk says: nothing but this snapshot is lost then.
    pub(crate) fn write(&self, new: NewSnapshot<'_>) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(kind) = state.refuses {
            return Err(Error::new(kind, "writing a snapshot: the store takes no writes"));
        }
        let packs = &mut state.packs;
        count(&self.ignored, packs.load_once());
        let newest = packs.directory.newest(new.stream.as_str(), new.kind, None);
        if newest.is_some_and(|newest| newest.version >= new.up_to.version) {
            return Ok(());
        }
        let written = append(packs, new);
        count(if written.is_ok() { &self.written } else { &self.failed }, 1);
        if written.is_ok() {
            match packs.compact_if_due() {
                Ok(left_behind) => count(&self.ignored, left_behind),
                Err(_) => count(&self.failed, 1),
            }
        }
        written
    }

    /// Counts a snapshot that could not be made.
    pub(crate) fn count_failure(&self) {
        count(&self.failed, 1);
    }

    /// Ends all writing, with an error of this kind for whoever tries. Reading goes on.
    pub(crate) fn refuse_writes(&self, kind: ErrorKind) {
        self.state.lock().refuses.get_or_insert(kind);
    }

    /// Whether snapshots are written.
    pub(crate) fn takes_writes(&self) -> bool {
        self.state.lock().refuses.is_none()
    }

    /// Figures.
    pub(crate) fn measure(&self) -> SnapshotFigures {
        let (bytes, usable) = self.with_packs(|packs| (packs.bytes(), packs.directory.len()));
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        SnapshotFigures {
            bytes,
            usable,
            written: read(&self.written),
            used: read(&self.used),
            ignored: read(&self.ignored),
            failed: read(&self.failed),
        }
    }

    /// The lock is held over the first scan of the packs, so that it is made once.
    fn with_packs<T>(&self, look: impl FnOnce(&mut Packs) -> T) -> T {
        let mut state = self.state.lock();
        count(&self.ignored, state.packs.load_once());
        look(&mut state.packs)
    }

    /// Reads a record, without the lock: the file is this reader's as long as it likes, also when its pack is removed.
    fn read(&self, file: &dyn DiskFile, entry: &Entry, stream: &StreamName) -> Option<FoundSnapshot> {
        let mut record = vec![0; usize::try_from(entry.at.bytes).ok()?];
        read_exact_at(file, &mut record, entry.at.offset).ok()?;
        let (header, state) = Header::decode_whole(&record, self.seed)?;
        let is_it = header.sequence == entry.sequence
            && header.stream == *stream
            && *header.state_type == *entry.state_type
            && header.schema == entry.schema;
        let Header { up_to, codec, sequence, .. } = header;
        is_it.then_some(FoundSnapshot { up_to, codec, sequence, record, state })
    }

    fn reject_sequence(&self, stream: &StreamName, sequence: u64) {
        count(&self.ignored, 1);
        self.with_packs(|packs| packs.forget(stream.as_str(), sequence));
    }
}

fn append(packs: &mut Packs, new: NewSnapshot<'_>) -> Result<()> {
    let exhausted = || Error::new(ErrorKind::Exhausted, "snapshots have no further sequence");
    let header = Header {
        stream: new.stream.clone(),
        state_type: new.kind.state_type.to_owned(),
        schema: new.kind.schema,
        codec: new.codec,
        keep: new.keep.max(1),
        sequence: packs.directory.next_sequence().ok_or_else(exhausted)?,
        up_to: new.up_to,
    };
    packs.append(&header, new.state)
}

fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}
