//! `Stats`: figures about an open store.

use std::time::Duration;

use crate::types::{Histogram, Position, StoreId};

/// Figures about an open store, as of the moment they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stats {
    /// Which store it is.
    pub store_id: StoreId,
    /// The first position not yet committed: how many events there are.
    pub head: Position,
    /// How many streams have events.
    pub streams: u64,
    /// How many commits with events there are.
    pub commits: u64,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// What they take in memory, about.
    pub checkpoint_bytes: u64,
    /// How many journal files there are.
    pub journal_files: u64,
    /// Bytes of the journal files, prepared space included.
    pub journal_bytes: u64,
    /// How many journal files are full and wait to be sealed.
    pub backlog_files: u64,
    /// How often appends waited because there were too many of them, since the store was opened.
    pub stalls: u64,
    /// How long, all together.
    pub stalled: Duration,
    /// How often sealing a file failed, since the store was opened. No append failed for it: the file stays as it is.
    pub seals_failed: u64,
    /// How many segments there are: journal files that were sealed, with events or without.
    pub segments: u64,
    /// Bytes of the segments.
    pub segment_bytes: u64,
    /// Bytes of the events in them before they were compressed.
    pub segment_raw_bytes: u64,
    /// Bytes of segments' blocks kept in memory.
    pub block_cache_bytes: u64,
    /// How often a block was found there, since the store was opened.
    pub block_cache_hits: u64,
    /// How often one was read from disk for it, since the store was opened.
    pub block_cache_misses: u64,
    /// Bytes of snapshot files.
    pub snapshot_bytes: u64,
    /// Snapshots that can be used, as far as is known without reading them.
    pub snapshots: u64,
    /// Snapshots written since the store was opened.
    pub snapshots_written: u64,
    /// Loads that a snapshot shortened, since the store was opened.
    pub snapshots_used: u64,
    /// Snapshots, or files of them, found damaged, foreign, newer than the log or of no use, since the store was opened.
    pub snapshots_ignored: u64,
    /// Snapshots that could not be encoded or written, since the store was opened. No append failed for it.
    pub snapshots_failed: u64,
    /// Bytes of recent events kept in memory.
    pub recent_bytes: u64,
    /// Groups of commits written since the store was opened.
    pub groups: u64,
    /// Commits in the largest group.
    pub largest_group: u64,
    /// How large the groups were.
    pub group_sizes: Histogram,
    /// Syncs of the journal since the store was opened.
    pub syncs: u64,
    /// How many microseconds those syncs took.
    pub sync_micros: Histogram,
    /// How often readers in other processes could not be told of a sync, since the store was opened. They hear of it with the
    /// next one.
    pub marks_failed: u64,
    /// Commits whose recorded_at was held at the last one's, since the store was opened.
    pub recorded_at_held: u64,
    /// By how much recorded_at was ahead of the clock, or of the time given, at the last commit.
    pub clock_behind: Duration,
}
