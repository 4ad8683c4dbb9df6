//! `Directory`: where each block of events, streams, ids and order lies in a segment.
//!
//! The block's bytes:
//!
//! ```text
//! of each block, as they lie in the file: stored_len 4 bytes, first 4 bytes
//! of each block of streams: name_len 2 bytes, name of its first stream
//! ```
//! The first block starts behind the file's header, each other one behind the one before it.

use std::ops::Range;

use crate::disk::Varints;
use crate::disk::{Cursor, put_u16, put_u32};
use crate::types::limits::STREAM_NAME_BYTES_MAX;

use super::envelope::{BlockKind, ENVELOPE_BYTES};
use super::footer::BlockCounts;
use super::header::HEADER_BYTES;
use super::id_block::IDS_PER_BLOCK;
use super::order_block::POSITIONS_PER_BLOCK;

/// Collects what the directory says, block by block.
#[derive(Debug, Default)]
pub(super) struct DirectoryBuilder {
    blocks: Vec<u8>,
    names: Vec<u8>,
}

impl DirectoryBuilder {
    pub(super) fn push(&mut self, stored_len: u32, first: u32) {
        put_u32(&mut self.blocks, stored_len);
        put_u32(&mut self.blocks, first);
    }

    /// The first name of the next block of streams.
    pub(super) fn push_name(&mut self, name: &str) {
        let length = u16::try_from(name.len());
        put_u16(&mut self.names, length.unwrap_or_else(|_| unreachable!("limits keep names below 64 KiB")));
        self.names.extend_from_slice(name.as_bytes());
    }

    /// The block's bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let Self { mut blocks, names } = self;
        blocks.extend_from_slice(&names);
        blocks
    }
}

/// A block as the directory knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockPlace {
    pub(super) kind: BlockKind,
    pub(super) offset: u64,
    /// Envelope included.
    pub(super) bytes: u64,
    pub(super) first: u32,
    pub(super) count: u32,
}

/// Where the blocks lie, all checked when this was made.
#[derive(Debug)]
pub(super) struct Directory {
    counts: BlockCounts,
    /// Of all blocks, as they lie in the file.
    places: Vec<Place>,
    /// Of each block of streams: where its first name lies in `names`.
    first_names: Vec<(u32, u16)>,
    names: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    offset: u64,
    bytes: u32,
    first: u32,
}

/// How many of each there are in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) events: u32,
    pub(super) streams: u32,
}

impl Directory {
    /// Takes apart the block's bytes. The blocks must end at `end`.
    pub(super) fn decode(
        raw: &[u8],
        counts: BlockCounts,
        totals: Totals,
        end: u64,
    ) -> Result<Self, &'static str> {
        let many = usize::try_from(counts.sum()).ok().and_then(|blocks| blocks.checked_mul(8));
        let (blocks, names) = many.and_then(|bytes| raw.split_at_checked(bytes)).ok_or("directory is cut")?;
        let (mut places, mut offset) = (Vec::with_capacity(blocks.len() / 8), HEADER_BYTES as u64);
        let mut cursor = Cursor::new(blocks);
        while let (Some(stored), Some(first)) = (cursor.u32(), cursor.u32()) {
            let bytes = u32::try_from(u64::from(stored) + ENVELOPE_BYTES as u64);
            let bytes = bytes.map_err(|_| "block is longer than any")?;
            places.push(Place { offset, bytes, first });
            offset = offset.saturating_add(u64::from(bytes));
        }
        if offset != end {
            return Err("blocks do not end where the directory says");
        }
        let first_names = read_names(names, counts.streams)?;
        let directory = Self { counts, places, first_names, names: names.to_vec() };
        directory.check(totals)?;
        Ok(directory)
    }

    /// Whether the blocks of each kind begin where they must.
    fn check(&self, totals: Totals) -> Result<(), &'static str> {
        for (kind, end) in [(BlockKind::Events, totals.events), (BlockKind::Streams, totals.streams)] {
            let firsts = || self.places_of(kind).iter().map(|place| place.first);
            let begins_at_zero = firsts().next() == (end > 0).then_some(0);
            if !begins_at_zero || !firsts().is_sorted_by(|a, b| a < b) || firsts().any(|first| first >= end) {
                return Err("blocks of events or streams do not follow each other");
            }
        }
        for (kind, step) in [(BlockKind::Ids, IDS_PER_BLOCK), (BlockKind::Order, POSITIONS_PER_BLOCK)] {
            let firsts = self.places_of(kind).iter().map(|place| u64::from(place.first));
            if !firsts
                .eq((0_u64..).step_by(usize::try_from(step).unwrap_or(1)).take(self.places_of(kind).len()))
            {
                return Err("blocks of ids or positions do not follow each other");
            }
        }
        Ok(())
    }

    /// The indexes of the blocks of a kind.
    pub(super) fn indexes(&self, kind: BlockKind) -> Range<u32> {
        let BlockCounts { events, streams, ids, order } = self.counts;
        let (start, count) = match kind {
            BlockKind::Events => (0, events),
            BlockKind::Streams => (events, streams),
            BlockKind::Ids => (events + streams, ids),
            BlockKind::Order => (events + streams + ids, order),
            BlockKind::State
            | BlockKind::Types
            | BlockKind::Filter
            | BlockKind::Directory
            | BlockKind::Runs => (0, 0),
        };
        start..start + count
    }

    /// The block with this index; `None` behind the last.
    pub(super) fn place(&self, index: u32, totals: Totals) -> Option<BlockPlace> {
        let kinds = [BlockKind::Events, BlockKind::Streams, BlockKind::Ids, BlockKind::Order];
        let kind = kinds.into_iter().find(|kind| self.indexes(*kind).contains(&index))?;
        let Place { offset, bytes, first } = *self.places.get(usize::try_from(index).ok()?)?;
        let next = index + 1;
        let end = if next < self.indexes(kind).end {
            self.places.get(usize::try_from(next).ok()?)?.first
        } else if kind == BlockKind::Streams {
            totals.streams
        } else {
            totals.events
        };
        Some(BlockPlace { kind, offset, bytes: u64::from(bytes), first, count: end - first })
    }

    /// The index of the block of events that holds an ordinal.
    pub(super) fn events_index(&self, ordinal: u32) -> Option<u32> {
        let before = self.places_of(BlockKind::Events).partition_point(|place| place.first <= ordinal);
        u32::try_from(before).ok()?.checked_sub(1)
    }

    /// The index of the block of streams that holds this name, if one does; `None` when it is before all names.
    pub(super) fn streams_index(&self, name: &str) -> Option<u32> {
        let before = self.first_names.partition_point(|at| self.name(*at) <= name.as_bytes());
        Some(self.counts.events + u32::try_from(before).ok()?.checked_sub(1)?)
    }

    /// The first names of the blocks of streams.
    pub(super) fn first_names(&self) -> impl Iterator<Item = &[u8]> {
        self.first_names.iter().map(|at| self.name(*at))
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Place>()
            + self.first_names.capacity() * size_of::<(u32, u16)>()
            + self.names.capacity()
            + size_of::<Self>()
    }

    fn places_of(&self, kind: BlockKind) -> &[Place] {
        let Range { start, end } = self.indexes(kind);
        let range = usize::try_from(start).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(usize::MAX);
        self.places.get(range).unwrap_or_default()
    }

    fn name(&self, (start, length): (u32, u16)) -> &[u8] {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        self.names.get(start..).and_then(|rest| rest.get(..usize::from(length))).unwrap_or_default()
    }
}

/// Where the first names of the blocks of streams lie.
fn read_names(names: &[u8], count: u32) -> Result<Vec<(u32, u16)>, &'static str> {
    const CUT: &str = "name in the directory is cut or past a limit";
    let (mut rest, mut found, mut before) = (Varints::new(names), Vec::new(), &[][..]);
    for _ in 0..count {
        let length = rest.bytes(2).and_then(|length| Cursor::new(length).u16()).ok_or(CUT)?;
        let at = u32::try_from(names.len() - rest.remaining()).map_err(|_| CUT)?;
        let name = rest.bytes(usize::from(length)).filter(|name| name.len() <= STREAM_NAME_BYTES_MAX);
        let name = name.ok_or(CUT)?;
        // Nothing is before all, so an empty name is out of order too.
        if name <= before {
            return Err("names in the directory are out of order");
        }
        before = name;
        found.push((at, length));
    }
    if rest.remaining() == 0 { Ok(found) } else { Err("directory is longer than its blocks") }
}
