//! Floor 3: segments. A segment is one immutable file with the events of one journal file, sorted by stream and version, in
//! compressed blocks with tables beside them. It knows nothing of journals: who seals hands the events over.

mod beside;
mod block_cache;
mod block_reader;
mod blocks;
mod compress;
mod contents;
mod damages;
mod directory;
mod envelope;
mod event_block;
mod event_block_builder;
mod filter;
mod find;
mod footer;
mod header;
mod id_block;
mod inspect;
mod order_block;
mod output;
mod pieces;
mod raw_block;
mod search;
mod segment_file;
mod stable_hash;
mod stream_block;
mod streams_from;
#[cfg(test)]
mod tests;
mod tier;
mod type_table;
mod write;

pub(crate) use block_cache::BlockCache;
pub(crate) use event_block::EventBlock;
pub(crate) use inspect::inspect_segment;
pub(crate) use search::{FoundSegment, identify_segments, search_segments};
pub(crate) use segment_file::Segment;
pub(crate) use stream_block::StreamRun;
pub(crate) use tier::{
    LEVEL_MAX, NewTier, STREAMS_MAX, Source, StreamRuns, Tier, TierRange, TierRun, inspect_tier, merged,
    segments_digest, tier_damages, write_tier,
};
pub(crate) use write::{NewSegment, SealedEvent, write_segment};
