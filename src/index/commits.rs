//! The commits of one journal file in order: which position each starts at, when it was recorded, where its frame is.

use crate::journal::FrameAt;
use crate::types::Timestamp;

use super::Place;

/// One commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommitEntry {
    pub(crate) at: FrameAt,
    pub(crate) recorded_at: Timestamp,
}

/// All commits. Their first positions and their recorded_at never fall.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    entries: Vec<CommitEntry>,
}

impl Commits {
    pub(crate) fn push(&mut self, entry: CommitEntry) {
        self.entries.push(entry);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn entry(&self, commit: u32) -> Option<&CommitEntry> {
        self.entries.get(commit as usize)
    }

    pub(crate) fn last(&self) -> Option<&CommitEntry> {
        self.entries.last()
    }

    /// The commit that holds `position`.
    pub(crate) fn holding(&self, position: u64) -> Option<u32> {
        let after = self.entries.partition_point(|entry| entry.at.first_position <= position);
        u32::try_from(after.checked_sub(1)?).ok()
    }

    /// The position of an event.
    pub(crate) fn position(&self, place: Place) -> Option<u64> {
        self.entry(place.commit)?.at.first_position.checked_add(u64::from(place.event))
    }

    /// The first position of the first commit whose recorded_at does not satisfy `before`; `end` when all do.
    pub(crate) fn boundary(&self, before: impl Fn(Timestamp) -> bool, end: u64) -> u64 {
        let at = self.entries.partition_point(|entry| before(entry.recorded_at));
        self.entries.get(at).map_or(end, |entry| entry.at.first_position)
    }
}
