//! `Sealer`: makes full journal files segments.
//!
//! Order of steps: the file is read and checked; its events are written, sorted by stream, into a segment, and with them the
//! state records as they are behind it; the segment is synced and gets its name; it is read back and compared, event by event; the manifest names it in place of the journal file;
//! readers go over to it; the journal file is removed. Whatever ends this early, the manifest says which of the two counts,
//! and what does not count is removed by the next opening.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::commit::Committer;
use crate::disk::{CreateFailure, Disk};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{Log, Tail};
use crate::journal::{CommitView, JournalFile, read_full};
use crate::segment::{NewSegment, SealedEvent, Segment, write_segment};
use crate::types::{Compression, StoreId};

use super::open::check_own;

pub(super) const SEGMENTS_DIR: &str = "segments";

/// The directory of segments in a store.
pub(super) fn segments_dir(root: &Path) -> PathBuf {
    root.join(SEGMENTS_DIR)
}

#[derive(Debug)]
pub(crate) struct Sealer {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) root: PathBuf,
    pub(super) store: StoreId,
    pub(super) log: Arc<Log>,
    pub(super) compression: Compression,
    /// Held while a file is sealed, disk and all: the next one is sealed after it. Once a directory's sync has failed, that
    /// error: a second sync may succeed and what the first one lost is lost, so nothing is sealed from then on.
    pub(super) turn: Mutex<Option<Error>>,
    /// How often it failed.
    pub(super) failures: AtomicU64,
    /// The directory's sync has failed for a tier: no more are made.
    pub(super) no_tiers: AtomicBool,
}

/// How many events are written between two looks at what else there is to do.
const EVENTS_A_LOOK: usize = 4096;

/// An event of a journal file: which of its commits it is in, and its number there.
type InFile = (usize, u32);

impl Sealer {
    /// Seals the oldest journal file, if it is full. Whether there was one. `meanwhile` is called every now and then.
    pub(super) fn seal_oldest(&self, committer: &Committer, meanwhile: &dyn Fn()) -> Result<bool> {
        let mut broken = self.turn.lock();
        if let Some(first) = &*broken {
            let what = format!("nothing is sealed until the store is opened again, since: {first}");
            return Err(Error::new(ErrorKind::Poisoned, what).with_source(first.clone()));
        }
        let Some(file) = self.log.files.oldest_full() else { return Ok(false) };
        let sealed = self.seal(committer, &file, meanwhile);
        if let Err(failure) = &sealed {
            self.failures.fetch_add(1, Ordering::Relaxed);
            if let CreateFailure::Unknown(error) = failure {
                *broken = Some(error.clone());
            }
        }
        sealed.map(|()| true).map_err(Error::from)
    }

    /// How often sealing failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    fn seal(
        &self,
        committer: &Committer,
        file: &JournalFile,
        meanwhile: &dyn Fn(),
    ) -> Result<(), CreateFailure> {
        let (commits, end) = read_full(file)?;
        committer.check_in_place()?;
        let sorted = sorted(&commits);
        let dir = segments_dir(&self.root);
        self.make(&dir)?;
        let new = NewSegment {
            store: self.store,
            number: file.number,
            start: file.start,
            end,
            compression: self.compression,
        };
        let mut states = self.log.sealed().states()?;
        commits.iter().flat_map(CommitView::states).for_each(|record| states.apply(&record));
        let mut events = sorted.iter().enumerate().filter_map(|(number, at)| {
            if number.is_multiple_of(EVENTS_A_LOOK) {
                meanwhile();
            }
            sealed_event(&commits, *at).map(Ok)
        });
        write_segment(&*self.disk, &dir, new, &mut events, &states)?;
        // Durable now: the segment. It does not count before the manifest names it.
        let cache = Arc::clone(&self.log.cache);
        let segment = Arc::new(Segment::open(&*self.disk, &dir, self.store, file.number, cache)?);
        compare(&segment, &commits, &sorted, meanwhile)?;
        if segment.states()? != states {
            return Err(differs(&segment, "its state records are not what the journal holds").into());
        }
        committer.publish(segment)?;
        // From here on the segment counts. A file that cannot be removed is removed by the next opening.
        let _ = self.disk.remove(&file.path);
        self.keep_tails(&commits, &sorted);
        Ok(())
    }

    /// Keeps in memory how far the streams go that were just sealed: they are the ones most likely to be appended to.
    fn keep_tails(&self, commits: &[CommitView], sorted: &[InFile]) {
        let segments = self.log.sealed().segments().len();
        let head = |(commit, event): &InFile| commits.get(*commit).map(|commit| commit.head(*event));
        let mut heads = sorted.iter().filter_map(head).peekable();
        while let Some((last, name)) = heads.next() {
            if heads.peek().is_none_or(|(_, next)| *next != name) {
                let next_version = last.version.as_u64().saturating_add(1);
                self.log.tails.put(name, Tail { next_version, segments });
            }
        }
    }

    /// Makes the directory of segments, durable before a manifest can name one of them.
    fn make(&self, dir: &Path) -> Result<(), CreateFailure> {
        self.disk.create_dir(dir).map_err(|error| Error::io("creating directory", dir, error))?;
        check_own(&*self.disk, dir)?;
        let unknown = |error| CreateFailure::Unknown(Error::io("syncing directory", &self.root, error));
        self.disk.sync_dir(&self.root).map_err(unknown)
    }
}

/// The events of these commits, sorted by stream, and in each by version.
fn sorted(commits: &[CommitView]) -> Vec<InFile> {
    // Commits hold the versions of a stream in ascending order.
    let mut by_stream: HashMap<&str, Vec<InFile>> = HashMap::new();
    for (number, commit) in commits.iter().enumerate() {
        for event in 0..commit.event_count() {
            by_stream.entry(commit.head(event).1).or_default().push((number, event));
        }
    }
    let mut streams: Vec<_> = by_stream.into_iter().collect();
    streams.sort_unstable_by_key(|(name, _)| *name);
    streams.into_iter().flat_map(|(_, events)| events).collect()
}

fn sealed_event(commits: &[CommitView], (commit, event): InFile) -> Option<SealedEvent> {
    let commit = commits.get(commit)?;
    Some(SealedEvent { event: commit.event(event), extension: commit.extension(event) })
}

/// Whether a segment, read from disk, holds these events and all that finds them is sound.
fn compare(
    segment: &Arc<Segment>,
    commits: &[CommitView],
    sorted: &[InFile],
    meanwhile: &dyn Fn(),
) -> Result<()> {
    let mut expected = sorted.iter().filter_map(|at| sealed_event(commits, *at));
    for block in segment.blocks(0..segment.events()) {
        let block = block?;
        meanwhile();
        for ordinal in block.ordinals() {
            let (event, wanted) = (block.event(ordinal), expected.next());
            let extension = block.extension(ordinal);
            if wanted.is_none_or(|wanted| wanted.event != event || wanted.extension != extension) {
                let what = format!("position {} is not what the journal holds", event.position());
                return Err(differs(segment, &what));
            }
        }
    }
    if let Some(missing) = expected.next() {
        return Err(differs(segment, &format!("position {} is missing", missing.event.position())));
    }
    segment.check_all()
}

fn differs(segment: &Segment, what: &str) -> Error {
    Error::new(ErrorKind::Corrupt, format!("segment {}, as it was written: {what}", segment.number()))
}
