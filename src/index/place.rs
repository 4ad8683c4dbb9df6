//! `Place`: where an event is, as the index keeps it; `Found`: what a reader needs to read some.

use crate::journal::{CommitView, FrameAt};
use crate::types::RecordedEvent;

use super::BlockRun;

/// An event as a commit and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) commit: u32,
    pub(crate) event: u32,
}

/// Events that follow each other, and where their bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// In memory, in several commits.
    Block(BlockRun),
    /// In memory, events `from..to` of one commit.
    Commit { view: CommitView, from: u32, to: u32 },
    /// On disk, to be read and checked: events `from..to` of one commit.
    Disk { at: FrameAt, from: u32, to: u32 },
}

impl Found {
    /// Takes the first event; `None` when there is none left in memory.
    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<RecordedEvent> {
        match self {
            Self::Block(run) => run.take_first(),
            Self::Commit { view, from, to } if *from < *to => {
                *from += 1;
                Some(view.event(*from - 1))
            }
            Self::Commit { .. } | Self::Disk { .. } => None,
        }
    }

    /// Takes the last event; `None` when there is none left in memory.
    #[inline]
    pub(crate) fn take_last(&mut self) -> Option<RecordedEvent> {
        match self {
            Self::Block(run) => run.take_last(),
            Self::Commit { view, from, to } if *from < *to => {
                *to -= 1;
                Some(view.event(*to))
            }
            Self::Commit { .. } | Self::Disk { .. } => None,
        }
    }

    /// Where its commit has to be read from; `None` when it is in memory.
    pub(crate) fn on_disk(&self) -> Option<FrameAt> {
        match self {
            Self::Disk { at, .. } => Some(*at),
            Self::Block(_) | Self::Commit { .. } => None,
        }
    }

    /// The same events, whose commit has been read from disk.
    pub(crate) fn read_as(&mut self, view: CommitView) {
        if let Self::Disk { from, to, .. } = *self {
            *self = Self::Commit { view, from, to };
        }
    }
}
