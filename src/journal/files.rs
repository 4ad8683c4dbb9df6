//! `Files`: the open journal files of a store, for those who read frames.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::disk::read_exact_at;
use crate::error::{Error, ErrorKind, Result};

use super::journal_file::JournalFile;
use super::scan::check_frame;
use super::{CommitView, FrameAt};

/// Bytes read at once when frames lie one behind another.
const READ_BYTES_MAX: u64 = 1 << 20;

/// All journal files by number. Shared between the one writer, who adds, and the readers.
#[derive(Debug, Default)]
pub(crate) struct Files {
    by_number: RwLock<BTreeMap<u64, Arc<JournalFile>>>,
}

impl Files {
    pub(crate) fn new(files: impl IntoIterator<Item = Arc<JournalFile>>) -> Self {
        Self { by_number: RwLock::new(files.into_iter().map(|file| (file.number, file)).collect()) }
    }

    pub(crate) fn add(&self, file: Arc<JournalFile>) {
        self.by_number.write().insert(file.number, file);
    }

    /// How many there are and how many bytes they have.
    pub(crate) fn measure(&self) -> Result<(u64, u64)> {
        let files: Vec<_> = self.by_number.read().values().cloned().collect();
        let bytes = files.iter().map(|file| file.bytes()).sum::<Result<u64>>()?;
        Ok((files.len() as u64, bytes))
    }

    /// The commit at one place, read from disk and checked.
    pub(crate) fn read_commit(&self, at: FrameAt) -> Result<CommitView> {
        let mut commits = Vec::with_capacity(1);
        self.read_neighbours(&[at], &mut commits)?;
        commits.pop().ok_or_else(|| Error::new(ErrorKind::Corrupt, "a commit was read and is not there"))
    }

    /// The commits at these places up to the first that cannot be read, and why it cannot.
    pub(crate) fn read_commits_until_failure(&self, places: &[FrameAt]) -> (Vec<CommitView>, Option<Error>) {
        let mut commits = Vec::with_capacity(places.len());
        if self.read_commits(places, &mut commits).is_ok() {
            return (commits, None);
        }
        // One of several that were read together is bad: one at a time tells which.
        for at in places.iter().skip(commits.len()) {
            match self.read_commit(*at) {
                Ok(commit) => commits.push(commit),
                Err(error) => return (commits, Some(error)),
            }
        }
        (commits, None)
    }

    /// Adds the commits at these places, each read from disk and checked. Neighbours are read together.
    fn read_commits(&self, places: &[FrameAt], commits: &mut Vec<CommitView>) -> Result<()> {
        for run in places.chunk_by(|a, b| a.file == b.file && a.end() == b.offset) {
            let mut rest = run;
            while let Some(first) = rest.first() {
                let fits =
                    rest.iter().take_while(|at| at.end() - first.offset <= READ_BYTES_MAX).count().max(1);
                let (together, later) = rest.split_at(fits);
                self.read_neighbours(together, commits)?;
                rest = later;
            }
        }
        Ok(())
    }

    fn read_neighbours(&self, places: &[FrameAt], commits: &mut Vec<CommitView>) -> Result<()> {
        let (Some(first), Some(last)) = (places.first(), places.last()) else {
            return Ok(());
        };
        let file = self.by_number.read().get(&first.file).cloned();
        let file = file.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, format!("journal file {} is not among those open", first.file))
        })?;
        let mut bytes = vec![0; usize::try_from(last.end() - first.offset).unwrap_or(usize::MAX)];
        read_exact_at(&*file.disk_file, &mut bytes, first.offset).map_err(|error| {
            let what = format!("reading offset {} of", first.offset);
            Error::io(&what, &file.path, error)
        })?;
        let bytes = Arc::new(bytes);
        for at in places {
            let start = u32::try_from(at.offset - first.offset).unwrap_or(u32::MAX);
            commits.push(check_frame(&file, *at, &bytes, start)?);
        }
        Ok(())
    }
}
