//! What the measuring process and its workers say to each other: a line of JSON each way.

use serde::{Deserialize, Serialize};

use crate::random::Pick;

/// Work for a worker, answered by a [`Done`] when it is done.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Work {
    /// Appends the whole data set.
    Fill,
    /// Waits until the engine is idle.
    Settle,
    /// Loads streams, one sample a load. `warm` first does the same once without measuring.
    Load { pick: Pick, count: usize, seed: u64, warm: bool },
    /// Folds all events; one sample. `warm` as for loads.
    Replay { warm: bool },
    /// Appends single events to random streams; one sample an append.
    Append { threads: usize, count: usize, seed: u64 },
    /// Takes in so many events as fast as it can, and then appends `count` of them one by one, which alone is measured: while the
    /// engine's threads are at the others.
    AppendBehind { events: u64, count: usize, seed: u64 },
    /// Appends many events to one stream at a time; one sample a batch.
    Batches { events: u64, count: usize, seed: u64 },
    /// Appends with stale versions; one sample for each hundred, divided by a hundred.
    Refused { count: usize, seed: u64 },
    /// Appends until the process is killed. Answered when it begins.
    KeepAppending,
    /// Closes the store and ends.
    Close,
}

/// What a piece of work took.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Why it was not done; nothing else counts then.
    pub(crate) failed: Option<String>,
    /// Nanoseconds of each operation.
    pub(crate) samples: Vec<f64>,
    /// Nanoseconds from the first to the last.
    pub(crate) wall: f64,
    /// Events read or written.
    pub(crate) events: u64,
    pub(crate) payload_bytes: u64,
    /// The checksum of what was read.
    pub(crate) sum: u64,
    pub(crate) usage: Usage,
}

/// What the operating system counted meanwhile.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Bytes that came from the disk, for reads and for pages of mapped files alike.
    pub(crate) disk_read_bytes: u64,
    /// Calls that read.
    pub(crate) read_calls: u64,
    /// Pages of mapped files that had to be read from disk.
    pub(crate) major_faults: u64,
    /// The most memory that was resident since the worker began, mapped files included; in bytes.
    pub(crate) resident_peak: u64,
    /// The memory resident now that is not a mapped file; in bytes.
    pub(crate) resident_anonymous: u64,
}
