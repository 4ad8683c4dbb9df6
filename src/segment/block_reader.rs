//! Reading one block of a segment: from the cache, or from the file, checked and taken apart.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::state::StateTable;
use crate::types::EventTableBuilder;

use super::block_cache::{Block, BlockKey, Holder, Part};
use super::directory::{BlockPlace, Directory};
use super::envelope::{BadBlock, BlockKind, Envelope};
use super::event_block::{self, EventBlock};
use super::filter::NameFilter;
use super::id_block::IdBlock;
use super::order_block::OrderBlock;
use super::raw_block::{open_raw, read_block};
use super::segment_file::Segment;
use super::stream_block::StreamBlock;
use super::type_table::TypeTable;

const ANOTHER_KIND: &str = "each part of a segment is of one kind";

impl Segment {
    /// The directory.
    pub(super) fn directory(&self) -> Result<Arc<Directory>> {
        let load = || {
            let Some(place) = self.section(Part::Directory) else {
                unreachable!("the footer names a directory")
            };
            self.read(place).map(|(_, block)| block)
        };
        match self.cached(Part::Directory, load)? {
            Block::Directory(directory) => Ok(directory),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The filter; `None` when there is none.
    pub(super) fn filter(&self) -> Result<Option<Arc<NameFilter>>> {
        let Some(place) = self.section(Part::Filter) else { return Ok(None) };
        match self.cached(Part::Filter, || self.read(place).map(|(_, block)| block))? {
            Block::Filter(filter) => Ok(Some(filter)),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The table of types; `None` when there is none.
    pub(super) fn types(&self) -> Result<Option<Arc<TypeTable>>> {
        let Some(place) = self.section(Part::Types) else { return Ok(None) };
        match self.cached(Part::Types, || self.read(place).map(|(_, block)| block))? {
            Block::Types(types) => Ok(Some(types)),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The state records as they were behind its last commit, read from the file.
    pub(crate) fn states(&self) -> Result<StateTable> {
        let Some(place) = self.section(Part::State) else { return Ok(StateTable::default()) };
        match self.read(place)? {
            (_, Block::State(states)) => Ok(states),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The block of events with this index.
    pub(super) fn events_block(&self, directory: &Directory, index: u32) -> Result<Arc<EventBlock>> {
        match self.block(directory, index)? {
            Block::Events(block) => Ok(block),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The block of streams with this index.
    pub(super) fn streams_block(&self, directory: &Directory, index: u32) -> Result<Arc<StreamBlock>> {
        match self.block(directory, index)? {
            Block::Streams(block) => Ok(block),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The block of ids with this index.
    pub(super) fn ids_block(&self, directory: &Directory, index: u32) -> Result<Arc<IdBlock>> {
        match self.block(directory, index)? {
            Block::Ids(block) => Ok(block),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The block of order with this index.
    pub(super) fn order_block(&self, directory: &Directory, index: u32) -> Result<Arc<OrderBlock>> {
        match self.block(directory, index)? {
            Block::Order(block) => Ok(block),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    #[inline]
    fn block(&self, directory: &Directory, index: u32) -> Result<Block> {
        self.cached(Part::Block(index), || {
            let place = self.place(directory, index);
            self.read(place).map(|(_, block)| block)
        })
    }

    /// Where the block with this index lies; the directory must have it.
    pub(super) fn place(&self, directory: &Directory, index: u32) -> BlockPlace {
        let place = directory.place(index, self.footer.totals);
        place.unwrap_or_else(|| unreachable!("only blocks that the directory has are asked for"))
    }

    #[inline]
    fn cached(&self, part: Part, load: impl FnOnce() -> Result<Block>) -> Result<Block> {
        self.cache.get(BlockKey { of: Holder::Segment(self.identity.number), part }, load)
    }

    /// Where a block lies that the footer tells of; `None` when the segment has none. Of types and state records only the
    /// block says how many.
    pub(super) fn section(&self, part: Part) -> Option<BlockPlace> {
        let footer = &self.footer;
        let (kind, offset, bytes, count) = match part {
            Part::State => (BlockKind::State, footer.state_offset(), u64::from(footer.state_bytes), 0),
            Part::Types => (BlockKind::Types, footer.types_offset(), footer.types_bytes, 0),
            Part::Filter => {
                (BlockKind::Filter, footer.filter_offset(), footer.filter_bytes, footer.totals.streams)
            }
            Part::Directory => {
                let blocks = u32::try_from(footer.blocks.sum()).unwrap_or(u32::MAX);
                (BlockKind::Directory, footer.directory_offset(), footer.directory_bytes, blocks)
            }
            Part::Block(_) => return None,
        };
        (bytes > 0).then_some(BlockPlace { kind, offset, bytes, first: 0, count })
    }

    /// Reads a block from the file; what its envelope says, and the block.
    pub(super) fn read(&self, place: BlockPlace) -> Result<(Envelope, Block)> {
        let block = read_block(&*self.disk_file, &self.path, place)?;
        self.open_block(place, &block, &mut Vec::new())
    }

    /// Checks a block that was read, and takes it apart. `scratch` is for decompressing: who reads many keeps it.
    pub(super) fn open_block(
        &self,
        place: BlockPlace,
        block: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<(Envelope, Block)> {
        self.take_apart(place, block, scratch).map_err(|bad| bad.at(&self.path, place.offset))
    }

    /// Checks a block of events that was read, and puts its events behind others.
    pub(super) fn add_events(
        &self,
        place: BlockPlace,
        block: &[u8],
        scratch: &mut Vec<u8>,
        table: &mut EventTableBuilder,
    ) -> Result<()> {
        let mark = table.mark();
        let taken = open_raw(block, place, self.identity.seed(), scratch).and_then(|(envelope, raw)| {
            event_block::take_apart(raw, envelope.count, &self.footer.bounds(), table)?;
            Ok(())
        });
        taken.map_err(|bad| {
            table.back_to(mark);
            bad.at(&self.path, place.offset)
        })
    }

    fn take_apart(
        &self,
        place: BlockPlace,
        block: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<(Envelope, Block), BadBlock> {
        let (envelope, raw) = open_raw(block, place, self.identity.seed(), scratch)?;
        let Envelope { kind, first, count, .. } = envelope;
        let (footer, events) = (&self.footer, self.footer.totals.events);
        let block = match kind {
            BlockKind::Events => {
                Block::Events(Arc::new(EventBlock::decode(raw, first, count, &footer.bounds())?))
            }
            BlockKind::Streams => Block::Streams(Arc::new(StreamBlock::decode(raw.to_vec(), count, events)?)),
            BlockKind::Ids => Block::Ids(Arc::new(IdBlock::decode(raw, count)?)),
            BlockKind::Order => {
                let position = footer.start.position.saturating_add(u64::from(first));
                Block::Order(Arc::new(OrderBlock::decode(raw.to_vec(), position, count, events)?))
            }
            BlockKind::State => Block::State(StateTable::decode(raw, count)?),
            BlockKind::Types => Block::Types(Arc::new(TypeTable::decode(raw, count, events)?)),
            BlockKind::Filter => Block::Filter(Arc::new(NameFilter::decode(raw)?)),
            BlockKind::Directory => {
                let end = footer.state_offset();
                Block::Directory(Arc::new(Directory::decode(raw, footer.blocks, footer.totals, end)?))
            }
            BlockKind::Runs => return Err(BadBlock::Misplaced),
        };
        Ok((envelope, block))
    }

    /// An error about a byte of this segment.
    pub(super) fn corrupt(&self, offset: u64, what: &str) -> Error {
        Error::corrupt(&self.path, offset, what)
    }
}
