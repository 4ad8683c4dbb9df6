//! The events of the last commits, kept in memory up to a limit, so that reading what is new asks no disk.
//!
//! Small commits come in one buffer each. When enough of them have come, their events are moved together into one table and
//! they become a block: reading in order then walks through memory instead of jumping about in it, and takes one share of a
//! block instead of one of each commit (docs/performance.md has the figure).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::CommitView;

use super::block::Block;

/// What one kept commit costs beside its bytes.
const OVERHEAD_BYTES: usize = 48;
/// When a block is full: large enough for walking, small enough for a moment under the index's lock.
const BLOCK_BYTES: usize = 256 << 10;
const BLOCK_COMMITS: usize = 4096;
/// A commit that is larger than this is a block of its own, and keeps its buffer.
const OWN_BUFFER_BYTES: usize = 64 << 10;

/// Where a commit's events are in memory.
#[derive(Debug)]
pub(crate) enum Kept<'a> {
    Block(&'a Arc<Block>),
    Open(&'a CommitView),
}

#[derive(Debug)]
pub(crate) struct Recent {
    blocks: VecDeque<Arc<Block>>,
    /// The commits after the last block.
    open: Vec<CommitView>,
    open_bytes: usize,
    /// Of blocks and open commits together.
    bytes: usize,
    bytes_max: usize,
    /// The number that the next commit will have.
    next_commit: u64,
}

impl Recent {
    /// Nothing yet; `next_commit` is the number, counted from the store's first commit, of the one to come.
    pub(crate) fn new(bytes_max: usize, next_commit: u64) -> Self {
        Self { blocks: VecDeque::new(), open: Vec::new(), open_bytes: 0, bytes: 0, bytes_max, next_commit }
    }

    /// Keeps the next commit; lets go of the oldest ones past the limit.
    pub(crate) fn push(&mut self, view: CommitView) {
        if view.body().len() >= OWN_BUFFER_BYTES {
            self.close_block();
            self.push_block(Block::of_large(self.next_commit, &view));
            self.next_commit = self.next_commit.saturating_add(1);
        } else {
            self.open_bytes += cost(&view);
            self.bytes += cost(&view);
            self.open.push(view);
            self.next_commit = self.next_commit.saturating_add(1);
            if self.open_bytes >= BLOCK_BYTES || self.open.len() >= BLOCK_COMMITS {
                self.close_block();
            }
        }
        while self.bytes > self.bytes_max {
            match self.blocks.pop_front() {
                Some(oldest) => self.bytes -= oldest.memory_bytes(),
                None => {
                    self.open.clear();
                    (self.open_bytes, self.bytes) = (0, 0);
                    break;
                }
            }
        }
    }

    /// Lets go of the commits before this one: of blocks as a whole. If none came so far, it is the next.
    pub(crate) fn forget_before(&mut self, commit: u64) {
        while let Some(oldest) = self.blocks.front().filter(|block| block.end_commit() <= commit) {
            self.bytes -= oldest.memory_bytes();
            self.blocks.pop_front();
        }
        if self.next_commit <= commit {
            self.bytes -= self.open_bytes;
            self.open.clear();
            self.open_bytes = 0;
            // A reader that goes over to a segment may never have seen the commits that are in it.
            self.next_commit = commit;
        }
    }

    /// The block that holds a commit.
    pub(crate) fn block(&self, commit: u64) -> Option<&Arc<Block>> {
        let after = self.blocks.partition_point(|block| block.first_commit() <= commit);
        self.blocks.get(after.checked_sub(1)?).filter(|block| commit < block.end_commit())
    }

    /// Where a commit is kept, if it is.
    pub(crate) fn find(&self, commit: u64) -> Option<Kept<'_>> {
        let back = usize::try_from(self.next_commit.checked_sub(commit)?).ok()?;
        match self.open.len().checked_sub(back) {
            Some(at) => self.open.get(at).map(Kept::Open),
            None => self.block(commit).map(Kept::Block),
        }
    }

    /// The number of the oldest commit that is kept; that of the next one when none is.
    pub(crate) fn first_commit(&self) -> u64 {
        let open = || self.next_commit.saturating_sub(self.open.len() as u64);
        self.blocks.front().map_or_else(open, |block| block.first_commit())
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn close_block(&mut self) {
        let views = std::mem::take(&mut self.open);
        self.bytes -= std::mem::take(&mut self.open_bytes);
        if !views.is_empty() {
            let first = self.next_commit.saturating_sub(views.len() as u64);
            self.push_block(Block::of_small(first, &views));
        }
    }

    fn push_block(&mut self, block: Block) {
        self.bytes += block.memory_bytes();
        self.blocks.push_back(Arc::new(block));
    }
}

fn cost(view: &CommitView) -> usize {
    view.body().len() + OVERHEAD_BYTES
}
