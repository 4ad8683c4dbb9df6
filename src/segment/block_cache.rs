//! `BlockCache`: blocks of a store's segments that were read before, up to a limit of bytes.
//!
//! Who misses a block loads it; who misses it meanwhile waits for that. No lock is held while a block is loaded. A loader never
//! asks the cache for another block: two that did could wait for each other.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::{Cache, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder, Weighter};

use crate::error::Result;
use crate::state::StateTable;

use super::directory::Directory;
use super::event_block::EventBlock;
use super::filter::NameFilter;
use super::id_block::IdBlock;
use super::order_block::OrderBlock;
use super::stream_block::StreamBlock;
use super::tier::RunsBlock;
use super::type_table::TypeTable;

/// Bytes of a block in memory, about: what the cache expects before it knows.
const BLOCK_BYTES_EXPECTED: u64 = 24 << 10;
/// A part of the cache has its own lock; it holds no block that is larger than it.
const SHARD_BYTES_MIN: u64 = 8 << 20;
const SHARDS_MAX: u64 = 64;
/// However large the limit is: the cache keeps some bytes for each that it expects.
const BLOCKS_EXPECTED_MAX: u64 = 1 << 20;

/// Which block of which file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct BlockKey {
    pub(super) of: Holder,
    pub(super) part: Part,
}

/// A file that has blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    /// The segment of this number.
    Segment(u64),
    /// A tier, by the number that it was given when it was opened: another file may have its name later.
    Tier(u64),
}

/// Which block of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Read when a store is opened, and never kept.
    State,
    Directory,
    Filter,
    Types,
    /// One of those that the directory tells of.
    Block(u32),
}

/// A block that was taken apart.
#[derive(Debug, Clone)]
pub(super) enum Block {
    Events(Arc<EventBlock>),
    Streams(Arc<StreamBlock>),
    Ids(Arc<IdBlock>),
    Order(Arc<OrderBlock>),
    Types(Arc<TypeTable>),
    Filter(Arc<NameFilter>),
    Directory(Arc<Directory>),
    Runs(Arc<RunsBlock>),
    State(StateTable),
}

/// Blocks of segments in memory. Shared by all segments of a store.
pub(crate) struct BlockCache {
    /// `None` when the limit is 0.
    blocks: Option<Cache<BlockKey, Block, ByBytes>>,
    loads: AtomicU64,
    tiers: AtomicU64,
}

/// What a cache has done and has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct BlockCacheStats {
    /// How often a block was there.
    pub(crate) hits: u64,
    /// How often one was not, and was read.
    pub(crate) misses: u64,
    /// Bytes of the blocks that it holds.
    pub(crate) bytes: u64,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<BlockKey, Block> for ByBytes {
    fn weight(&self, _: &BlockKey, block: &Block) -> u64 {
        block.memory_bytes() as u64
    }
}

impl Block {
    fn memory_bytes(&self) -> usize {
        match self {
            Self::Events(block) => block.memory_bytes(),
            Self::Streams(block) => block.memory_bytes(),
            Self::Ids(block) => block.memory_bytes(),
            Self::Order(block) => block.memory_bytes(),
            Self::Types(block) => block.memory_bytes(),
            Self::Filter(block) => block.memory_bytes(),
            Self::Directory(block) => block.memory_bytes(),
            Self::Runs(block) => block.memory_bytes(),
            Self::State(states) => states.bytes(),
        }
    }
}

impl BlockCache {
    /// A cache that holds up to `bytes_max` bytes of blocks; none at all for 0.
    pub(crate) fn new(bytes_max: u64) -> Self {
        let shards = (bytes_max / SHARD_BYTES_MIN).clamp(1, SHARDS_MAX);
        let blocks = (bytes_max / BLOCK_BYTES_EXPECTED).clamp(1, BLOCKS_EXPECTED_MAX);
        let options = OptionsBuilder::new()
            .weight_capacity(bytes_max)
            .estimated_items_capacity(usize::try_from(blocks).unwrap_or(1))
            .shards(usize::try_from(shards).unwrap_or(1))
            .build();
        let options = options.unwrap_or_else(|_| unreachable!("the cache is told its limit and its items"));
        let (hasher, lifecycle) = (DefaultHashBuilder::default(), DefaultLifecycle::default());
        let blocks = (bytes_max > 0).then(|| Cache::with_options(options, ByBytes, hasher, lifecycle));
        Self { blocks, loads: AtomicU64::new(0), tiers: AtomicU64::new(0) }
    }

    /// What it has done and has.
    pub(crate) fn stats(&self) -> BlockCacheStats {
        let (hits, bytes) = self.blocks.as_ref().map_or((0, 0), |blocks| (blocks.hits(), blocks.weight()));
        BlockCacheStats { hits, misses: self.loads.load(Ordering::Relaxed), bytes }
    }

    /// A name for one more tier.
    pub(super) fn new_tier(&self) -> Holder {
        Holder::Tier(self.tiers.fetch_add(1, Ordering::Relaxed))
    }

    /// The block with this key, which `load` reads if it is not there.
    #[inline]
    pub(super) fn get(&self, key: BlockKey, load: impl FnOnce() -> Result<Block>) -> Result<Block> {
        let count_and_load = || {
            self.loads.fetch_add(1, Ordering::Relaxed);
            load()
        };
        match &self.blocks {
            Some(blocks) => blocks.get_or_insert_with(&key, count_and_load),
            None => count_and_load(),
        }
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCache").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
