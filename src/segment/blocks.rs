//! `Blocks`: blocks of events one behind another, read ahead in large pieces and not kept: for replays, which would push out
//! of the cache what others come back to.

use std::ops::Range;
use std::sync::Arc;

use crate::disk::read_exact_at;
use crate::error::{Error, Result};
use crate::types::EventTableBuilder;

use super::block_cache::Block;
use super::directory::{BlockPlace, Directory};
use super::event_block::EventBlock;
use super::segment_file::Segment;

/// What is read at first; a read that goes on reads more at once.
const READ_BYTES_FIRST: usize = 256 << 10;
const READ_BYTES_MAX: usize = 1 << 20;

/// Blocks of events that follow each other in a segment. After an error there are no more.
#[derive(Debug)]
pub(crate) struct Blocks {
    segment: Arc<Segment>,
    /// `None` before the first block is asked for.
    directory: Option<Arc<Directory>>,
    ordinals: Range<u32>,
    /// What was read, and where in the file it begins.
    read: Vec<u8>,
    read_at: u64,
    read_bytes: usize,
    /// For decompressing.
    scratch: Vec<u8>,
}

impl Segment {
    /// The blocks that hold these ordinals, which must be below `events`.
    pub(crate) fn blocks(self: &Arc<Self>, ordinals: Range<u32>) -> Blocks {
        assert!(ordinals.end <= self.events(), "only events of a segment are asked of it");
        Blocks {
            segment: Arc::clone(self),
            directory: None,
            ordinals,
            read: Vec::new(),
            read_at: 0,
            read_bytes: READ_BYTES_FIRST,
            scratch: Vec::new(),
        }
    }
}

impl Blocks {
    /// Puts the events of the next block behind others; their ordinals. After an error there are no more.
    pub(crate) fn next_into(&mut self, table: &mut EventTableBuilder) -> Option<Result<Range<u32>>> {
        self.next_with(|segment, place, bytes, scratch| {
            segment.add_events(place, bytes, scratch, table)?;
            Ok(place.first..place.first.saturating_add(place.count))
        })
    }

    fn next_with<T>(
        &mut self,
        open: impl FnOnce(&Segment, BlockPlace, &[u8], &mut Vec<u8>) -> Result<T>,
    ) -> Option<Result<T>> {
        if self.ordinals.is_empty() {
            return None;
        }
        let opened = self.read_next().and_then(|place| {
            let mut scratch = std::mem::take(&mut self.scratch);
            let opened = open(&self.segment, place, self.held(place).unwrap_or_default(), &mut scratch)?;
            self.scratch = scratch;
            Ok((opened, place.first.saturating_add(place.count)))
        });
        self.ordinals.start = opened.as_ref().map_or(self.ordinals.end, |(_, end)| *end);
        Some(opened.map(|(opened, _)| opened))
    }

    /// Reads the next block, and maybe more; where it lies.
    fn read_next(&mut self) -> Result<BlockPlace> {
        let directory = match self.directory.take() {
            Some(directory) => directory,
            None => self.segment.directory()?,
        };
        let index = directory.events_index(self.ordinals.start);
        let index = index.unwrap_or_else(|| unreachable!("blocks begin at ordinal 0"));
        let place = self.segment.place(&directory, index);
        if self.held(place).is_none() {
            self.read_from(&directory, index, place)?;
        }
        self.directory = Some(directory);
        Ok(place)
    }

    /// The bytes of a block, if they were read already.
    fn held(&self, place: BlockPlace) -> Option<&[u8]> {
        let start = usize::try_from(place.offset.checked_sub(self.read_at)?).ok()?;
        self.read.get(start..)?.get(..usize::try_from(place.bytes).ok()?)
    }

    /// Reads this block and as many of the next as are wanted and fit.
    fn read_from(&mut self, directory: &Directory, index: u32, place: BlockPlace) -> Result<()> {
        let last = directory.events_index(self.ordinals.end - 1).unwrap_or(index).max(index);
        let mut end = place.offset + place.bytes;
        for next in index + 1..=last {
            let next = self.segment.place(directory, next);
            if next.offset + next.bytes - place.offset > self.read_bytes as u64 {
                break;
            }
            end = next.offset + next.bytes;
        }
        let Ok(bytes) = usize::try_from(end - place.offset) else {
            return Err(self.segment.corrupt(place.offset, "block is larger than memory"));
        };
        self.read.clear();
        self.read.resize(bytes, 0);
        self.read_at = place.offset;
        self.read_bytes = (2 * self.read_bytes).min(READ_BYTES_MAX);
        read_exact_at(&*self.segment.disk_file, &mut self.read, place.offset)
            .map_err(|error| Error::io("reading", &self.segment.path, error))
    }
}

impl Iterator for Blocks {
    type Item = Result<Arc<EventBlock>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_with(|segment, place, bytes, scratch| match segment.open_block(place, bytes, scratch)? {
            (_, Block::Events(block)) => Ok(block),
            _ => unreachable!("a block of events was asked for"),
        })
    }
}
