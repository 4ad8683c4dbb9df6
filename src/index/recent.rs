//! The bytes of the last commits, kept in memory up to a limit, so that reading what is new asks no disk.
//!
//! Small commits come in one buffer each. When enough of them have come, their bytes are moved together into one: reading
//! them in order then walks through memory instead of jumping about in it (measured: replay 2 times as fast).

use std::collections::VecDeque;
use std::sync::Arc;

use crate::journal::CommitView;

/// What one kept commit costs beside its bytes.
const OVERHEAD_BYTES: usize = 48;
/// How many bytes are moved together: large enough for walking, small enough for a moment under the index's lock.
const TOGETHER_BYTES: usize = 256 << 10;

#[derive(Debug)]
pub(crate) struct Recent {
    views: VecDeque<CommitView>,
    bytes: usize,
    bytes_max: usize,
    /// How many of the last commits have a small buffer of their own, and their bytes.
    loose: usize,
    loose_bytes: usize,
}

impl Recent {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { views: VecDeque::new(), bytes: 0, bytes_max, loose: 0, loose_bytes: 0 }
    }

    pub(crate) fn push(&mut self, view: CommitView) {
        if view.shared_bytes() >= TOGETHER_BYTES {
            self.move_together();
        } else {
            self.loose += 1;
            self.loose_bytes += view.body().len();
        }
        self.bytes += cost(&view);
        self.views.push_back(view);
        if self.loose_bytes >= TOGETHER_BYTES {
            self.move_together();
        }
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.views.pop_front()
        {
            self.bytes -= cost(&oldest);
        }
    }

    /// The commit that lies `back` commits before the end of all: 1 is the last.
    pub(crate) fn nth_last(&self, back: usize) -> Option<&CommitView> {
        self.views.get(self.views.len().checked_sub(back)?)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn move_together(&mut self) {
        let from = self.views.len().saturating_sub(self.loose);
        let mut together = Vec::with_capacity(self.loose_bytes);
        for view in self.views.range(from..) {
            together.extend_from_slice(view.body());
        }
        let together = Arc::new(together);
        let mut start = 0;
        for view in self.views.range_mut(from..) {
            let bytes = view.body().len();
            *view = view.moved_to(Arc::clone(&together), start);
            start += bytes;
        }
        (self.loose, self.loose_bytes) = (0, 0);
    }
}

fn cost(view: &CommitView) -> usize {
    view.body().len() + OVERHEAD_BYTES
}
