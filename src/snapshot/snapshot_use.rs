//! `SnapshotUse`: what a snapshot did for a load, told to the program.

use std::fmt;

use crate::types::Version;

/// What a snapshot did for a load. It never changes the state, only how many events had to be read for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SnapshotUse {
    /// There was none, or none was looked for.
    None,
    /// Only the events after this version were read.
    Used {
        /// The version of the last event in the snapshot.
        version: Version,
    },
    /// The newest one could not be believed or read. The state was folded from the events, or from an older snapshot and
    /// the events after it, and a new one was written in its place.
    Ignored(SnapshotIgnored),
}

/// Why a snapshot was ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SnapshotIgnored {
    /// Its bytes are not what was written, or cannot be read.
    Damaged,
    /// The event it was folded up to is another one in this store: it is of a history that was cut off by a power cut, or
    /// of a copy of the store that went on differently.
    Foreign,
    /// It was folded up to an event that this store does not have.
    NewerThanLog,
    /// It is of another [`SNAPSHOT_SCHEMA`](crate::Aggregate::SNAPSHOT_SCHEMA).
    OtherSchema,
    /// It is of another state type.
    OtherStateType,
    /// The state type refuses its bytes, or its codec is not known here.
    CannotDecode,
}

impl fmt::Display for SnapshotIgnored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Damaged => "its bytes are damaged",
            Self::Foreign => "it is of another history",
            Self::NewerThanLog => "it is newer than the log",
            Self::OtherSchema => "it is of another snapshot schema",
            Self::OtherStateType => "it is of another state type",
            Self::CannotDecode => "it cannot be decoded",
        })
    }
}
