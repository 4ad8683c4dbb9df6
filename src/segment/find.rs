//! Finding in a segment: streams by name, events by ordinal, position and id. Each look costs one or two blocks, mostly from the
//! cache.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::types::EventId;

use super::envelope::BlockKind;
use super::event_block::EventBlock;
use super::id_block::IDS_PER_BLOCK;
use super::order_block::{OrderBlock, POSITIONS_PER_BLOCK};
use super::segment_file::Segment;
use super::stable_hash::fingerprint;
use super::stream_block::StreamRun;

impl Segment {
    /// Whether it has events of one of these types; `true` also when it does not know.
    pub(crate) fn may_hold_type_of(&self, event_types: &[String]) -> Result<bool> {
        let Some(types) = self.types()? else { return Ok(true) };
        Ok(event_types.iter().any(|event_type| types.events_of(event_type) > 0))
    }

    /// Where the events of a stream are; `None` when it has none here.
    pub(crate) fn find_stream(&self, name: &str) -> Result<Option<StreamRun>> {
        if self.filter()?.is_some_and(|filter| !filter.may_hold(name)) {
            return Ok(None);
        }
        let directory = self.directory()?;
        let Some(index) = directory.streams_index(name) else { return Ok(None) };
        Ok(self.streams_block(&directory, index)?.find(name))
    }

    /// The block with the event of this ordinal, which must be below `events`.
    pub(crate) fn block_holding(&self, ordinal: u32) -> Result<Arc<EventBlock>> {
        assert!(ordinal < self.events(), "only events of a segment are asked of it");
        let directory = self.directory()?;
        let index =
            directory.events_index(ordinal).unwrap_or_else(|| unreachable!("blocks begin at ordinal 0"));
        self.events_block(&directory, index)
    }

    /// The ordinal of the event at this position, which must be one of the segment's.
    pub(crate) fn ordinal(&self, position: u64) -> Result<u32> {
        let found = self.order_holding(position)?.ordinal(position);
        Ok(found.unwrap_or_else(|| unreachable!("blocks of order know all positions of the segment")))
    }

    /// The ordinals of the event at this position, which must be one of the segment's, and of its neighbours: for walking along
    /// the positions.
    pub(crate) fn order_holding(&self, position: u64) -> Result<Arc<OrderBlock>> {
        assert!(self.positions().contains(&position), "only positions of a segment are asked of it");
        let directory = self.directory()?;
        let at = (position - self.positions().start) / u64::from(POSITIONS_PER_BLOCK);
        let index = u64::from(directory.indexes(BlockKind::Order).start) + at;
        self.order_block(&directory, u32::try_from(index).unwrap_or(u32::MAX))
    }

    /// The ordinal of the event of a stream with this id; `None` when the stream has no such event here.
    pub(crate) fn find_id(&self, run: &StreamRun, id: EventId) -> Result<Option<u32>> {
        if !self.may_hold_id(&run.ordinals, id)? {
            return Ok(None);
        }
        let mut ordinal = run.ordinals.start;
        while ordinal < run.ordinals.end {
            let block = self.block_holding(ordinal)?;
            let end = block.ordinals().end.min(run.ordinals.end);
            if let Some(found) = (ordinal..end).find(|ordinal| block.id(*ordinal) == id) {
                return Ok(Some(found));
            }
            ordinal = end;
        }
        Ok(None)
    }

    /// Whether one of the events of a stream may have this id; `false` is certain.
    fn may_hold_id(&self, ordinals: &Range<u32>, id: EventId) -> Result<bool> {
        let directory = self.directory()?;
        let first_index = directory.indexes(BlockKind::Ids).start;
        let wanted = fingerprint(id);
        let (mut low, mut high) = (ordinals.start, ordinals.end);
        let mut held = None;
        while low < high {
            let middle = low + (high - low) / 2;
            let index = first_index + middle / IDS_PER_BLOCK;
            let block = match held.take() {
                Some((at, block)) if at == index => block,
                _ => self.ids_block(&directory, index)?,
            };
            let found = block.fingerprint(middle % IDS_PER_BLOCK);
            held = Some((index, block));
            match found.cmp(&wanted) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(true),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(false)
    }
}
