//! Stand-ins for the space that the maintenance thread prepares, and for commits.

use std::ops::Range;

/// A commit of one event.
#[derive(Debug, Clone)]
pub(crate) struct CommitView {
    pub(crate) position: u64,
    pub(crate) stream: &'static str,
}

impl CommitView {
    pub(crate) fn event_count(&self) -> u32 {
        1
    }

    pub(crate) fn names(&self, _at: u32) -> (&str, &str) {
        (self.stream, "Happened")
    }

    pub(crate) fn positions(&self) -> Range<u64> {
        self.position..self.position + 1
    }
}

#[derive(Debug)]
pub(crate) struct Prepared;

impl Prepared {
    pub(crate) fn prepare_next(&self, _used: u64) -> Result<(), ()> {
        Ok(())
    }
}
