//! `Block`: commits that follow each other, shared with readers as one.

use std::ops::Range;
use std::sync::Arc;

use crate::journal::CommitView;
use crate::types::RecordedEvent;

/// A commit whose buffer is smaller than this is moved into the block's own.
const OWN_BUFFER_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(crate) struct Block {
    /// Counted from the store's first commit.
    first_commit: u64,
    views: Vec<CommitView>,
}

impl Block {
    /// The block of these commits, the small ones moved together.
    pub(crate) fn new(first_commit: u64, mut views: Vec<CommitView>) -> Self {
        let is_small = |view: &CommitView| view.shared_bytes() < OWN_BUFFER_BYTES;
        let bytes = views.iter().filter(|view| is_small(view)).map(|view| view.body().len()).sum();
        let mut together = Vec::with_capacity(bytes);
        for view in views.iter().filter(|view| is_small(view)) {
            together.extend_from_slice(view.body());
        }
        let together = Arc::new(together);
        let mut start = 0;
        for view in views.iter_mut().filter(|view| is_small(view)) {
            let bytes = view.body().len();
            *view = view.moved_to(Arc::clone(&together), start);
            start += bytes;
        }
        Self { first_commit, views }
    }

    pub(crate) fn first_commit(&self) -> u64 {
        self.first_commit
    }

    /// The number of the commit behind the last.
    pub(crate) fn end_commit(&self) -> u64 {
        self.first_commit.saturating_add(self.views.len() as u64)
    }

    pub(crate) fn views(&self) -> &[CommitView] {
        &self.views
    }

    pub(crate) fn view(&self, commit: u64) -> Option<&CommitView> {
        self.views.get(usize::try_from(commit.checked_sub(self.first_commit)?).ok()?)
    }

    /// The positions of its events.
    pub(crate) fn positions(&self) -> Range<u64> {
        let start = self.views.first().map_or(0, |view| view.positions().start);
        start..self.views.last().map_or(start, |view| view.positions().end)
    }
}

/// Some of a block's events, taken from both ends.
#[derive(Debug, Clone)]
pub(crate) struct BlockRun {
    block: Arc<Block>,
    /// The commits, as numbers in the block, that `positions` may lie in.
    commits: Range<usize>,
    positions: Range<u64>,
}

impl BlockRun {
    /// The events at `positions`, which must lie in the block.
    pub(crate) fn new(block: Arc<Block>, positions: Range<u64>) -> Self {
        let start = block.views.partition_point(|view| view.positions().end <= positions.start);
        let end = block.views.partition_point(|view| view.positions().start < positions.end);
        Self { commits: start..end, block, positions }
    }

    #[inline]
    pub(crate) fn take_first(&mut self) -> Option<RecordedEvent> {
        while self.positions.start < self.positions.end {
            let view = self.block.views.get(self.commits.start)?;
            if let Some(event) = view.event_at(self.positions.start) {
                self.positions.start += 1;
                return Some(event);
            }
            self.commits.start += 1;
        }
        None
    }

    #[inline]
    pub(crate) fn take_last(&mut self) -> Option<RecordedEvent> {
        while self.positions.start < self.positions.end {
            let view = self.block.views.get(self.commits.end.checked_sub(1)?)?;
            if let Some(event) = view.event_at(self.positions.end - 1) {
                self.positions.end -= 1;
                return Some(event);
            }
            self.commits.end -= 1;
        }
        None
    }
}
