//! `TornTail`: what an unfinished write left at the end of the journal, as it is told.

use std::path::PathBuf;

use crate::error::Result;

use super::journal_file::JournalFile;
use super::scan::{BadFrame, ScanEnd};
use super::window::Window;

/// What stood at the end of the journal after a crash and is no whole commit: the end of an unfinished write. Left by a crash
/// of this machine alone, it holds nothing that was acknowledged as `Synced`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The journal file it was in.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// How many bytes it has.
    pub bytes: u64,
    /// The sequence number of the first commit that is lost.
    pub first_lost_commit: u64,
    /// Where the bytes were copied to before they were cut; `None` when the store was opened to be read only, which skips
    /// them and leaves them where they are.
    pub quarantined: Option<PathBuf>,
}

impl TornTail {
    /// The torn tail that begins with a bad frame, still in its place.
    pub(super) fn found(file: &JournalFile, end: &ScanEnd, bad: &BadFrame) -> Result<Self> {
        let torn_end = Window::new(file, end.file_bytes).nonzero_end(bad.offset)?;
        Ok(Self {
            path: file.path.clone(),
            offset: bad.offset,
            bytes: torn_end - bad.offset,
            first_lost_commit: end.chain.n,
            quarantined: None,
        })
    }
}
