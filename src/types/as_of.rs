//! `AsOf`: the past moment a read looks from.

use super::{Position, Timestamp, Version};

/// Up to where a read looks, as if nothing after it had happened yet. A bound beyond the head is the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AsOf {
    /// Up to and with this version of the stream. On a read of the whole store: of every stream.
    Version(Version),
    /// Up to and with this position of the store.
    Position(Position),
    /// Up to and with what had been recorded at this time.
    Recorded(Timestamp),
}

impl From<Version> for AsOf {
    fn from(version: Version) -> Self {
        Self::Version(version)
    }
}

impl From<Position> for AsOf {
    fn from(position: Position) -> Self {
        Self::Position(position)
    }
}

impl From<Timestamp> for AsOf {
    fn from(time: Timestamp) -> Self {
        Self::Recorded(time)
    }
}
