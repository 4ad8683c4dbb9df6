//! Where events lie whose block cannot be read: found without reading it.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;

use super::segment_file::Segment;

impl Segment {
    /// The ordinals of all events in the block that holds this one.
    pub(crate) fn beside(&self, ordinal: u32) -> Result<Range<u32>> {
        let directory = self.directory()?;
        let index =
            directory.events_index(ordinal).unwrap_or_else(|| unreachable!("blocks begin at ordinal 0"));
        let place = self.place(&directory, index);
        Ok(place.first..place.first + place.count)
    }

    /// The positions of the events with these ordinals, ascending, neighbours together.
    pub(crate) fn positions_of(self: &Arc<Self>, ordinals: &[Range<u32>]) -> Result<Vec<Range<u64>>> {
        let mut found: Vec<Range<u64>> = Vec::new();
        let mut position = self.positions().start;
        while position < self.positions().end {
            let order = self.order_holding(position)?;
            for position in order.positions() {
                let ordinal = order.ordinal(position);
                if !ordinal.is_some_and(|ordinal| ordinals.iter().any(|range| range.contains(&ordinal))) {
                    continue;
                }
                match found.last_mut().filter(|last| last.end == position) {
                    Some(last) => last.end = position + 1,
                    None => found.push(position..position + 1),
                }
            }
            position = order.positions().end;
        }
        Ok(found)
    }
}
