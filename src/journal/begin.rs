//! `Begin`: where a journal begins.

use crate::types::Chain;

/// A journal's first file, and what its first frame must follow: nothing, or the end of what is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) file: u64,
    pub(crate) follows: Chain,
}

impl Begin {
    /// Of a store of which nothing is sealed.
    pub(crate) const FIRST: Self = Self { file: 1, follows: Chain::START };

    /// Whether files before the first may be there: they were sealed, and not yet removed when their writer ended.
    pub(crate) fn may_leave_files(self) -> bool {
        self.follows != Chain::START
    }
}
