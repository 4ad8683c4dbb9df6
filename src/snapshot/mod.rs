//! Floor 5: a cache of folded states. It is never the truth: deleting all of it changes no answer, and nothing in it is
//! believed unless its checksums hold and the event it was folded up to is in the log as it says.
//!
//! The files are packs (`pack.rs`), each a row of records (`record.rs`). What is in them is kept in memory by stream
//! (`directory.rs`), found by a scan of record headers at the first use. Old records are garbage where they lie, until
//! their pack is written anew without them (`compaction.rs`).

mod compaction;
mod directory;
mod folded_up_to;
mod inspect;
mod pack;
mod packs;
mod record;
mod scan;
mod snapshot_use;
mod snapshots;
#[cfg(test)]
mod tests;
mod verify;

pub use snapshot_use::{SnapshotIgnored, SnapshotUse};

pub(crate) use folded_up_to::FoldedUpTo;
pub(crate) use inspect::inspect_pack;
pub(crate) use record::StateKind;
pub(crate) use snapshots::{FoundSnapshot, NewSnapshot, Snapshots};
pub(crate) use verify::verify_snapshots;
