//! Every limit of the store in one place. Each has a test at the limit and one past it (`tests/it/limits.rs`).

/// Bytes in a stream name, at most.
pub const STREAM_NAME_BYTES_MAX: usize = 512;
/// Bytes in an event type, at most.
pub const EVENT_TYPE_BYTES_MAX: usize = 256;
/// Bytes in an event's payload, at most: 16 MiB.
pub const PAYLOAD_BYTES_MAX: usize = 16 << 20;
/// Bytes in an event's metadata, at most: 64 KiB.
pub const METADATA_BYTES_MAX: usize = 64 << 10;
/// Events in one commit, at most.
pub const COMMIT_EVENTS_MAX: usize = 65_536;
/// Bytes in one commit, at most, with its headers: 64 MiB.
pub const COMMIT_BYTES_MAX: usize = 64 << 20;
/// Streams that one commit may name, at most, written to or only checked.
pub const COMMIT_STREAMS_MAX: usize = 65_536;
/// Bytes in the name of a checkpoint, at most.
pub const CHECKPOINT_NAME_BYTES_MAX: usize = STATE_NAME_BYTES_MAX;
/// Bytes in the name of a consumer, at most.
pub const CONSUMER_NAME_BYTES_MAX: usize = 256;
/// Bytes in the key by which a consumer keeps events in order, at most.
pub const CONSUMER_KEY_BYTES_MAX: usize = 1024;
/// Bytes kept of the reason why an event is parked: what is longer is cut.
pub const PARK_REASON_BYTES_MAX: usize = 1024;
/// Bytes in the name of a state record, at most.
pub(crate) const STATE_NAME_BYTES_MAX: usize = 512;
/// Events of a consumer that may be with workers at once, at most.
pub const ACK_PENDING_MAX: usize = 16_384;
/// Bytes in the value of a state record, at most: 1 MiB.
pub(crate) const STATE_VALUE_BYTES_MAX: usize = 1 << 20;
/// Checkpoints that one commit may set or remove, at most.
pub const COMMIT_CHECKPOINTS_MAX: usize = COMMIT_STATES_MAX;
/// Bytes that all checkpoints of a store take in memory, at most: 16 MiB. Each takes 72 bytes and its name.
pub const CHECKPOINTS_BYTES_MAX: usize = STATES_BYTES_MAX;
/// Changes of state in one commit, at most.
pub(crate) const COMMIT_STATES_MAX: usize = 65_536;
/// Bytes that all state records take in memory, at most: 16 MiB.
pub(crate) const STATES_BYTES_MAX: usize = 16 << 20;
/// Tokens in a subject pattern, at most.
pub const SUBJECT_TOKENS_MAX: usize = 64;
/// Bytes of the folded state in one snapshot, at most: 64 MiB.
pub const SNAPSHOT_BYTES_MAX: usize = 64 << 20;
/// Bytes in the name of a snapshot's state type, at most.
pub const STATE_TYPE_BYTES_MAX: usize = 1024;
/// Snapshots kept of one aggregate, at most.
pub const SNAPSHOTS_KEPT_MAX: usize = 64;
/// Steps in a chain of upcasters for one event, at most.
pub const UPCAST_STEPS_MAX: usize = 64;
/// The smallest size of a journal file: 64 KiB.
pub const JOURNAL_FILE_BYTES_MIN: u64 = 64 << 10;
/// The largest size of a journal file: 1 GiB.
pub const JOURNAL_FILE_BYTES_MAX: u64 = 1 << 30;

/// Something was longer than its limit, or empty where it may not be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OverLimit {
    /// The thing named may not be empty.
    #[error("{0} is empty")]
    Empty(&'static str),
    /// The thing named is larger than its limit.
    #[error("{what} has {actual} {unit}, the limit is {max}")]
    TooLarge {
        /// What was measured.
        what: &'static str,
        /// The unit of both numbers.
        unit: &'static str,
        /// How large it was.
        actual: usize,
        /// How large it may be.
        max: usize,
    },
}

impl OverLimit {
    /// `Ok` when `actual` bytes of `what` are within `max`.
    pub(crate) const fn check(what: &'static str, actual: usize, max: usize) -> Result<(), Self> {
        if actual <= max { Ok(()) } else { Err(Self::TooLarge { what, unit: "bytes", actual, max }) }
    }

    /// `Ok` when `actual` pieces of `what` are within `max`.
    pub(crate) const fn check_count(what: &'static str, actual: usize, max: usize) -> Result<(), Self> {
        if actual <= max { Ok(()) } else { Err(Self::TooLarge { what, unit: "items", actual, max }) }
    }
}
