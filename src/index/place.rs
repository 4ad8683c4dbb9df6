//! `Place`: where an event is, as the index keeps it; `Found`: what a reader needs to read some.

use std::ops::Range;
use std::sync::Arc;

use crate::journal::{CommitView, FrameAt, JournalFile};
use crate::types::{EventTable, EventTableBuilder, RecordedEvent};

use super::Ordered;

/// A commit that is larger than this has a table of its own, and copies nothing.
const OWN_TABLE_BYTES: usize = 8 << 10;

/// An event as a commit of its part and its number in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) commit: u32,
    pub(crate) event: u32,
}

/// Events that follow each other, and where their bytes are.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// In memory: these rows.
    Rows { table: Arc<EventTable>, rows: Range<usize> },
    /// In memory, in several blocks of a segment: these of the events that were put in order.
    Ordered { ordered: Arc<Ordered>, at: Range<usize> },
    /// In memory, events `from..to` of one commit, to be taken apart.
    Commit { view: CommitView, from: u32, to: u32 },
    /// On disk, to be read and checked: events `from..to` of one commit.
    Disk { file: Arc<JournalFile>, at: FrameAt, from: u32, to: u32 },
}

impl Found {
    /// Takes the first event; `None` when there is none left that was taken apart.
    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<RecordedEvent> {
        match self {
            Self::Rows { table, rows } => rows.next().map(|row| table.event(row)),
            Self::Ordered { ordered, at } => ordered.event(at.next()?),
            Self::Commit { .. } | Self::Disk { .. } => None,
        }
    }

    /// Takes the last event; `None` when there is none left that was taken apart.
    #[inline]
    pub(crate) fn take_last(&mut self) -> Option<RecordedEvent> {
        match self {
            Self::Rows { table, rows } => rows.next_back().map(|row| table.event(row)),
            Self::Ordered { ordered, at } => ordered.event(at.next_back()?),
            Self::Commit { .. } | Self::Disk { .. } => None,
        }
    }

    /// Brings what is in memory nearer, before it is read event by event.
    pub(crate) fn touch(&self) {
        match self {
            Self::Rows { table, rows } => rows.clone().for_each(|row| table.touch(row)),
            Self::Ordered { ordered, at } => ordered.touch(at.clone()),
            Self::Commit { .. } | Self::Disk { .. } => {}
        }
    }

    /// Where its commit has to be read from; `None` when it is in memory.
    pub(crate) fn on_disk(&self) -> Option<(&Arc<JournalFile>, FrameAt)> {
        match self {
            Self::Disk { file, at, .. } => Some((file, *at)),
            Self::Rows { .. } | Self::Ordered { .. } | Self::Commit { .. } => None,
        }
    }

    /// Takes apart what is in memory and was not. Small commits come together in one table, as that costs less than one for each.
    pub(crate) fn take_apart(found: &mut [Self]) {
        let mut together = EventTableBuilder::default();
        let mut moved = Vec::new();
        let are_several = found.len() > 1;
        for (number, one) in found.iter_mut().enumerate() {
            let Self::Commit { view, from, to } = one else { continue };
            if are_several && view.body().len() < OWN_TABLE_BYTES {
                let first = together.rows().len();
                view.copy_to(*from..*to, &mut together);
                moved.push((number, first..together.rows().len()));
            } else {
                let rows = 0..usize::try_from(to.saturating_sub(*from)).unwrap_or(usize::MAX);
                *one = Self::Rows { table: view.events(*from..*to), rows };
            }
        }
        if moved.is_empty() {
            return;
        }
        let table = together.table();
        for (number, rows) in moved {
            if let Some(one) = found.get_mut(number) {
                *one = Self::Rows { table: Arc::clone(&table), rows };
            }
        }
    }

    /// Whether a commit that was read from disk has these events.
    pub(crate) fn is_in(&self, view: &CommitView) -> bool {
        match self {
            Self::Disk { to, .. } => *to <= view.event_count(),
            Self::Rows { .. } | Self::Ordered { .. } | Self::Commit { .. } => true,
        }
    }

    /// The same events, whose commit has been read from disk.
    pub(crate) fn read_as(&mut self, view: CommitView) {
        if let Self::Disk { from, to, .. } = self {
            *self = Self::Commit { view, from: *from, to: *to };
        }
    }
}
