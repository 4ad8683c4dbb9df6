//! `Place`: where an event is, as the index keeps it; `Found`: what a reader needs to read some.

use std::ops::Range;
use std::sync::Arc;

use crate::journal::{CommitView, FrameAt, JournalFile};
use crate::segment::EventBlock;
use crate::types::RecordedEvent;

use super::{BlockRun, Ordered};

/// An event as a commit of its part and its number in it.
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
    /// In memory, in one block of a segment.
    Sealed { block: Arc<EventBlock>, ordinals: Range<u32> },
    /// In memory, in several blocks of a segment: these of the events that were put in order.
    Ordered { ordered: Arc<Ordered>, at: Range<usize> },
    /// On disk, to be read and checked: events `from..to` of one commit.
    Disk { file: Arc<JournalFile>, at: FrameAt, from: u32, to: u32 },
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
            Self::Sealed { block, ordinals } => ordinals.next().map(|ordinal| block.event(ordinal)),
            Self::Ordered { ordered, at } => ordered.event(at.next()?),
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
            Self::Sealed { block, ordinals } => ordinals.next_back().map(|ordinal| block.event(ordinal)),
            Self::Ordered { ordered, at } => ordered.event(at.next_back()?),
            Self::Commit { .. } | Self::Disk { .. } => None,
        }
    }

    /// Where its commit has to be read from; `None` when it is in memory.
    pub(crate) fn on_disk(&self) -> Option<(&Arc<JournalFile>, FrameAt)> {
        match self {
            Self::Disk { file, at, .. } => Some((file, *at)),
            Self::Block(_) | Self::Commit { .. } | Self::Sealed { .. } | Self::Ordered { .. } => None,
        }
    }

    /// The same events, whose commit has been read from disk.
    pub(crate) fn read_as(&mut self, view: CommitView) {
        if let Self::Disk { from, to, .. } = self {
            *self = Self::Commit { view, from: *from, to: *to };
        }
    }
}
