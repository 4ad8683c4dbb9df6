//! `Block`: commits that follow each other, whose events readers share as one table.

use std::ops::Range;
use std::sync::Arc;

use crate::journal::CommitView;
use crate::types::{EventTable, EventTableBuilder, Row};

#[derive(Debug)]
pub(crate) struct Block {
    /// Counted from the store's first commit.
    first_commit: u64,
    /// Which row each commit begins with.
    commits: Vec<u32>,
    table: Arc<EventTable>,
    memory_bytes: usize,
}

impl Block {
    /// The block of these commits, with copies of what their events hold.
    pub(crate) fn of_small(first_commit: u64, views: &[CommitView]) -> Self {
        let events: u32 = views.iter().map(CommitView::event_count).sum();
        let bytes = views.iter().map(|view| view.body().len()).sum();
        let mut table = EventTableBuilder::with_capacity(usize::try_from(events).unwrap_or(0), bytes);
        let mut commits = Vec::with_capacity(views.len());
        let mut row = 0;
        // They were written some time ago, each by another thread.
        views.iter().for_each(CommitView::touch);
        for view in views {
            commits.push(row);
            row += view.event_count();
            view.copy_to(0..view.event_count(), &mut table);
        }
        let table = table.exact();
        let memory_bytes = table.memory_bytes() + commits.capacity() * size_of::<u32>();
        Self { first_commit, commits, table, memory_bytes }
    }

    /// The block of one commit that is large enough to keep its own bytes.
    pub(crate) fn of_large(first_commit: u64, view: &CommitView) -> Self {
        let table = view.events(0..view.event_count());
        // Its buffer may be that of others too: each counts for its part.
        let memory_bytes = view.body().len() + table.own_bytes();
        Self { first_commit, commits: vec![0], table, memory_bytes }
    }

    pub(crate) fn first_commit(&self) -> u64 {
        self.first_commit
    }

    /// The number of the commit behind the last.
    pub(crate) fn end_commit(&self) -> u64 {
        self.first_commit.saturating_add(self.commits.len() as u64)
    }

    pub(crate) fn table(&self) -> &Arc<EventTable> {
        &self.table
    }

    /// The row of event `event` of a commit that it holds.
    pub(crate) fn row(&self, commit: u64, event: u32) -> Option<usize> {
        let at = usize::try_from(commit.checked_sub(self.first_commit)?).ok()?;
        usize::try_from(self.commits.get(at)?.checked_add(event)?).ok()
    }

    /// The positions of its events.
    pub(crate) fn positions(&self) -> Range<u64> {
        let position = |row: &Row| row.facts.position.as_u64();
        let start = self.table.rows().first().map_or(0, position);
        start..self.table.rows().last().map_or(start, |last| position(last) + 1)
    }

    /// Bytes of memory that it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.memory_bytes
    }
}
