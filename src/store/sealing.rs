//! Sealing: a full journal file becomes a segment.
//!
//! Order of steps: the file is read and checked; its events are written, sorted by stream, into a segment, which is synced and
//! gets its name; the segment is read back and compared, event by event; the manifest names it in place of the journal file;
//! readers go over to it; the journal file is removed. Whatever ends this early, the manifest says which of the two counts,
//! and what does not count is removed by the next opening.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::commit::Committer;
use crate::disk::Disk;
use crate::error::{Error, ErrorKind, Result};
use crate::index::Log;
use crate::journal::{CommitView, read_full};
use crate::segment::{NewSegment, SealedEvent, Segment, write_segment};
use crate::types::{Compression, StoreId};

pub(super) const SEGMENTS_DIR: &str = "segments";

/// The directory of segments in a store.
pub(super) fn segments_dir(root: &Path) -> PathBuf {
    root.join(SEGMENTS_DIR)
}

/// Whoever seals.
#[derive(Debug)]
pub(crate) struct Sealing {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) root: PathBuf,
    pub(super) store: StoreId,
    pub(super) log: Arc<Log>,
    pub(super) compression: Compression,
    /// Held while a file is sealed, disk and all: the next one is sealed after it.
    pub(super) turn: Mutex<()>,
}

/// An event of a journal file: which of its commits it is in, and its number there.
type InFile = (usize, u32);

impl Sealing {
    /// Seals the oldest journal file, if it is full. Whether there was one.
    pub(super) fn seal_oldest(&self, committer: &Committer) -> Result<bool> {
        let _turn = self.turn.lock();
        let Some(file) = self.log.files.oldest_full() else { return Ok(false) };
        let (commits, end) = read_full(&file)?;
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
        write_segment(
            &*self.disk,
            &dir,
            new,
            &mut sorted.iter().filter_map(|at| sealed_event(&commits, *at)).map(Ok),
        )?;
        // Durable now: the segment. It does not count before the manifest names it.
        let cache = Arc::clone(&self.log.cache);
        let segment = Arc::new(Segment::open(&*self.disk, &dir, self.store, file.number, cache)?);
        compare(&segment, &commits, &sorted)?;
        committer.publish(segment)?;
        // From here on the segment counts. A file that cannot be removed is removed by the next opening.
        let _ = self.disk.remove(&file.path);
        Ok(true)
    }

    /// Makes the directory of segments, durable before a manifest can name one of them.
    fn make(&self, dir: &Path) -> Result<()> {
        self.disk.create_dir(dir).map_err(|error| Error::io("creating directory", dir, error))?;
        self.disk.sync_dir(&self.root).map_err(|error| Error::io("syncing directory", &self.root, error))
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
fn compare(segment: &Arc<Segment>, commits: &[CommitView], sorted: &[InFile]) -> Result<()> {
    let differs = |what: String| {
        Error::new(ErrorKind::Corrupt, format!("segment {}, as it was written: {what}", segment.number()))
    };
    let mut expected = sorted.iter().filter_map(|at| sealed_event(commits, *at));
    for block in segment.blocks(0..segment.events()) {
        let block = block?;
        for ordinal in block.ordinals() {
            let (event, wanted) = (block.event(ordinal), expected.next());
            let extension = block.extension(ordinal);
            if wanted.is_none_or(|wanted| wanted.event != event || wanted.extension != extension) {
                return Err(differs(format!("position {} is not what the journal holds", event.position())));
            }
        }
    }
    if let Some(missing) = expected.next() {
        return Err(differs(format!("position {} is missing", missing.event.position())));
    }
    match segment.damages().first() {
        Some((offset, what)) => Err(differs(format!("at offset {offset}: {what}"))),
        None => Ok(()),
    }
}
