//! `Place`: where an event is, as the index keeps it.

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

/// An event that a reader asked for.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) source: Source,
    pub(crate) event: u32,
}
