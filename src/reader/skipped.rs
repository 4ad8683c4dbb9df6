//! `Skipped`: a commit that a read passed over because it cannot be read.

use std::error::Error as StdError;
use std::fmt;
use std::ops::Range;

use crate::error::Error;
use crate::types::Position;

/// A commit that a read passed over, because its bytes are damaged or the disk does not give them.
#[derive(Debug, Clone)]
pub struct Skipped {
    /// The positions of the commit's events. A read of one stream, or through a filter, would have yielded some of them.
    pub positions: Range<Position>,
    /// Why it cannot be read: `Corrupt` or `Io`.
    pub error: Error,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, end) = (self.positions.start.as_u64(), self.positions.end.as_u64());
        match end.saturating_sub(first) {
            0 | 1 => write!(f, "position {first} was passed over: {}", self.error),
            _ => write!(f, "positions {first} to {} were passed over: {}", end - 1, self.error),
        }
    }
}

impl StdError for Skipped {
    /// The cause of the error, which is told with it.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.error.source()
    }
}

impl From<Skipped> for Error {
    fn from(skipped: Skipped) -> Self {
        skipped.error
    }
}
