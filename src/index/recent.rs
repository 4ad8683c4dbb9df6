//! The bytes of the last commits, kept in memory up to a limit, so that reading what is new asks no disk.

use std::collections::VecDeque;

use crate::journal::CommitView;

/// What one kept commit costs beside its bytes.
const OVERHEAD_BYTES: usize = 96;

#[derive(Debug)]
pub(crate) struct Recent {
    views: VecDeque<CommitView>,
    bytes: usize,
    bytes_max: usize,
}

impl Recent {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { views: VecDeque::new(), bytes: 0, bytes_max }
    }

    pub(crate) fn push(&mut self, view: CommitView) {
        self.bytes += cost(&view);
        self.views.push_back(view);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.views.pop_front()
        {
            self.bytes -= cost(&oldest);
        }
    }

    /// The commit that lies `back` commits before the end of all: 1 is the last.
    pub(crate) fn from_end(&self, back: usize) -> Option<&CommitView> {
        self.views.get(self.views.len().checked_sub(back)?)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

fn cost(view: &CommitView) -> usize {
    view.body_bytes() + OVERHEAD_BYTES
}
