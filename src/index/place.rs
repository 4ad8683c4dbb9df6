//! `Place`: where an event is, as the index keeps it; `Found`: what a reader needs to read it.

use crate::journal::{CommitView, FrameAt};

/// An event as a commit and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) commit: u32,
    pub(crate) event: u32,
}

/// Where the bytes of a commit are.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// In memory; shared, not copied.
    Recent(CommitView),
    /// On disk, to be read and checked.
    Disk(FrameAt),
}

/// Events that a reader asked for, following each other in one commit: `from..to` of it.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) source: Source,
    pub(crate) from: u32,
    pub(crate) to: u32,
}

impl Found {
    /// Where its commit has to be read from; `None` when it is in memory.
    pub(crate) fn on_disk(&self) -> Option<FrameAt> {
        match self.source {
            Source::Recent(_) => None,
            Source::Disk(at) => Some(at),
        }
    }
}
