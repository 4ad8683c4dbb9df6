//! `RecoveryReport`: what opening a store found and did.

use std::time::Duration;

use crate::journal::TornTail;

/// What opening a store found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Whether the store was made by this opening.
    pub created: bool,
    /// Whether the last close was clean. A new store counts as clean.
    pub clean: bool,
    /// How many events there are.
    pub events: u64,
    /// How many of them lie in segments, which opening does not read: each is checked when it is read.
    pub sealed_events: u64,
    /// How many commits and close marks of the journal were read and checked: those with the events that are not sealed.
    pub frames: u64,
    /// The unfinished write that was cut off the end.
    pub torn_tail: Option<TornTail>,
    /// How many bytes at the end, whole but perhaps not on disk yet, were written and synced again.
    pub rewritten_bytes: u64,
    /// How long it took.
    pub took: Duration,
}
