//! Tiers: merged tables of streams over many segments. A cache: whatever becomes of it, the segments answer the same.

mod damages;
mod ends;
mod inspect;
mod lookup;
mod merge;
mod range;
mod runs_block;
#[cfg(test)]
mod tests;
mod tier_file;
mod tier_streams;
mod write;

pub(crate) use damages::tier_damages;
pub(super) use ends::MAGIC as TIER_MAGIC;
pub(crate) use inspect::inspect_tier;
pub(crate) use merge::{Source, merged};
pub(crate) use range::{LEVEL_MAX, STREAMS_MAX, TierRange};
pub(super) use runs_block::{RAW_BYTES_MAX as RUNS_RAW_BYTES_MAX, RunsBlock};
pub(crate) use runs_block::{StreamRuns, TierRun};
pub(crate) use tier_file::{Tier, segments_digest};
pub(crate) use write::{NewTier, write_tier};
