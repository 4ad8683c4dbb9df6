//! The model of the commit queue: `queue.rs`, `committer.rs`, `backlog.rs` and `upkeep.rs` of the store, and of those who wait for
//! events, `waiting.rs`, run by shuttle under many thousands of schedules.
//!
//! shuttle and not loom: the queue knows locks and wake-ups only, no atomics, so there is no memory order to explore,
//! and a leader that panics must go on being scheduled while it unwinds, which loom does not do.
#![cfg(test)]

mod backlog;
mod commit;
mod committer;
mod error;
mod explore;
mod index;
mod journal;
mod preemptions;
mod queue;
mod segment;
mod types;
mod upkeep;
mod waiting;
