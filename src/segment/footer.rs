//! The footer of a segment: the last bytes of its file, and all that an open segment keeps of it in memory.
//!
//! ```text
//! offset size  field
//!      0    8  magic "annalsF" and a zero
//!      8    4  format version: 1, or 2 if there is a block of state
//!     12    4  bytes of the block of state, with its envelope; 0 if there is none
//!     16   16  store id
//!     32    8  segment number
//!     40    8  length of the file
//!     48    8  bytes of all blocks of events, decompressed
//!     56    4  count of events
//!     60    4  count of streams
//!     64    8  count of commits that have events
//!     72    4  count of blocks of events
//!     76    4  of streams
//!     80    4  of ids
//!     84    4  of order
//!     88   20  where it starts: position, n, prev_header_crc, as in the header
//!    108   20  where the next segment starts
//!    128   16  least and greatest recorded_at; zeros if there are no events
//!    144   16  least and greatest occurred_at; zeros if there are no events
//!    160    8  bytes of the block of types, with its envelope; 0 if there is none
//!    168    8  of the filter; 0 if there is none
//!    176    8  of the directory
//!    184    4  count of streams whose first event of all it holds
//!    188    4  checksum of bytes 0 to 187
//! ```
//! The blocks of state, types, filter and directory lie right before the footer, in this order.

use std::path::Path;

use crate::disk::{Cursor, put_i64, put_u32, put_u64};
use crate::error::{Error, Result};
use crate::types::{Chain, Timestamp};

use super::directory::Totals;
use super::envelope::ENVELOPE_BYTES;
use super::event_block::Bounds;
use super::header::{self, HEADER_BYTES, Identity, put_chain, read_chain};
use super::id_block::IDS_PER_BLOCK;
use super::order_block::POSITIONS_PER_BLOCK;

pub(super) const FOOTER_BYTES: usize = 192;
const IDENTITY_BYTES: usize = 40;
const MAGIC: [u8; 8] = *b"annalsF\0";

/// How many blocks of each kind that a segment has many of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BlockCounts {
    pub(super) events: u32,
    pub(super) streams: u32,
    pub(super) ids: u32,
    pub(super) order: u32,
}

impl BlockCounts {
    pub(super) fn sum(self) -> u64 {
        [self.events, self.streams, self.ids, self.order].map(u64::from).iter().sum()
    }
}

/// The least and the greatest of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) least: Timestamp,
    pub(super) greatest: Timestamp,
}

impl Span {
    /// Of no times.
    pub(super) const NONE: Self = Self { least: Timestamp::MAX, greatest: Timestamp::MIN };

    pub(super) fn add(&mut self, time: Timestamp) {
        self.least = self.least.min(time);
        self.greatest = self.greatest.max(time);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) file_bytes: u64,
    pub(super) raw_bytes: u64,
    pub(super) totals: Totals,
    pub(super) commits: u64,
    pub(super) blocks: BlockCounts,
    pub(super) start: Chain,
    pub(super) end: Chain,
    pub(super) recorded: Span,
    pub(super) occurred: Span,
    pub(super) state_bytes: u32,
    pub(super) types_bytes: u64,
    pub(super) filter_bytes: u64,
    pub(super) directory_bytes: u64,
    /// How many streams begin here.
    pub(super) new_streams: u32,
}

impl Footer {
    /// The footer's bytes.
    pub(super) fn encode(&self, identity: Identity) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FOOTER_BYTES);
        identity.put(&mut bytes, MAGIC, self.state_bytes);
        put_u64(&mut bytes, self.file_bytes);
        put_u64(&mut bytes, self.raw_bytes);
        put_u32(&mut bytes, self.totals.events);
        put_u32(&mut bytes, self.totals.streams);
        put_u64(&mut bytes, self.commits);
        let BlockCounts { events, streams, ids, order } = self.blocks;
        [events, streams, ids, order].iter().for_each(|count| put_u32(&mut bytes, *count));
        put_chain(&mut bytes, self.start);
        put_chain(&mut bytes, self.end);
        for Span { least, greatest } in [self.recorded, self.occurred] {
            let times = if self.totals.events == 0 { [Timestamp::EPOCH; 2] } else { [least, greatest] };
            times.iter().for_each(|time| put_i64(&mut bytes, time.as_micros()));
        }
        put_u64(&mut bytes, self.types_bytes);
        put_u64(&mut bytes, self.filter_bytes);
        put_u64(&mut bytes, self.directory_bytes);
        put_u32(&mut bytes, self.new_streams);
        let crc = identity.seed().checksum(&[&bytes]);
        put_u32(&mut bytes, crc);
        bytes
    }

    /// Which segment the bytes of a footer say they are of.
    pub(super) fn claim(bytes: &[u8; FOOTER_BYTES]) -> Option<Identity> {
        header::claim_of(bytes, MAGIC)
    }

    /// The footer at the end of a file of `file_bytes` bytes.
    pub(super) fn decode(
        bytes: &[u8; FOOTER_BYTES],
        identity: Identity,
        path: &Path,
        file_bytes: u64,
    ) -> Result<Self> {
        let offset = file_bytes.saturating_sub(FOOTER_BYTES as u64);
        let state_bytes = identity.check(bytes, MAGIC, path, offset)?;
        let fields = bytes.get(IDENTITY_BYTES..);
        let fields = fields.and_then(|fields| Self::parse(&mut Cursor::new(fields), state_bytes));
        let footer = fields.ok_or_else(|| Error::corrupt(path, offset, "the segment's footer is cut"))?;
        match footer.check(file_bytes) {
            Ok(()) => Ok(footer),
            Err(what) => Err(Error::corrupt(path, offset, what)),
        }
    }

    fn parse(cursor: &mut Cursor<'_>, state_bytes: u32) -> Option<Self> {
        let span = |cursor: &mut Cursor<'_>| {
            let (least, greatest) = (cursor.i64()?, cursor.i64()?);
            Some(Span { least: Timestamp::from_micros(least), greatest: Timestamp::from_micros(greatest) })
        };
        let footer = Self {
            file_bytes: cursor.u64()?,
            raw_bytes: cursor.u64()?,
            totals: Totals { events: cursor.u32()?, streams: cursor.u32()? },
            commits: cursor.u64()?,
            blocks: BlockCounts {
                events: cursor.u32()?,
                streams: cursor.u32()?,
                ids: cursor.u32()?,
                order: cursor.u32()?,
            },
            start: read_chain(cursor)?,
            end: read_chain(cursor)?,
            recorded: span(cursor)?,
            occurred: span(cursor)?,
            state_bytes,
            types_bytes: cursor.u64()?,
            filter_bytes: cursor.u64()?,
            directory_bytes: cursor.u64()?,
            new_streams: cursor.u32()?,
        };
        Some(footer)
    }

    /// Whether its numbers go together.
    fn check(&self, file_bytes: u64) -> Result<(), &'static str> {
        if self.file_bytes != file_bytes {
            return Err("the segment has another length than its footer says");
        }
        let Totals { events, streams } = self.totals;
        if self.start.position.checked_add(u64::from(events)) != Some(self.end.position) {
            return Err("the segment's positions are not as many as its events");
        }
        let frames = self.end.n.checked_sub(self.start.n).filter(|_| self.start.n > 0);
        let commits_fit = frames.is_some_and(|frames| self.commits <= frames)
            && self.commits <= u64::from(events)
            && (self.commits == 0) == (events == 0);
        let streams_fit = self.new_streams <= streams && streams <= events && (streams == 0) == (events == 0);
        let blocks_fit = self.blocks.events <= events
            && self.blocks.streams <= streams
            && self.blocks.ids == events.div_ceil(IDS_PER_BLOCK)
            && self.blocks.order == events.div_ceil(POSITIONS_PER_BLOCK)
            && u32::try_from(self.blocks.sum()).is_ok();
        if !commits_fit || !streams_fit || !blocks_fit {
            return Err("counts in the segment's footer do not go together");
        }
        let spans = [self.recorded, self.occurred];
        if spans.iter().any(|span| span.least > span.greatest) {
            return Err("times in the segment's footer are the wrong way round");
        }
        let sections =
            [u64::from(self.state_bytes), self.types_bytes, self.filter_bytes, self.directory_bytes];
        let is_block = |bytes: u64| bytes == 0 || bytes >= ENVELOPE_BYTES as u64;
        let fixed = (HEADER_BYTES + FOOTER_BYTES) as u64;
        let sum = sections.iter().try_fold(fixed, |sum, bytes| sum.checked_add(*bytes));
        let sections_fit = sections.iter().all(|bytes| is_block(*bytes))
            && self.directory_bytes > 0
            && sum.is_some_and(|sum| sum <= file_bytes);
        if sections_fit { Ok(()) } else { Err("parts of the segment are longer than its file") }
    }

    pub(super) fn directory_offset(&self) -> u64 {
        self.file_bytes - FOOTER_BYTES as u64 - self.directory_bytes
    }

    pub(super) fn filter_offset(&self) -> u64 {
        self.directory_offset() - self.filter_bytes
    }

    pub(super) fn types_offset(&self) -> u64 {
        self.filter_offset() - self.types_bytes
    }

    /// Where the block of state lies, and the blocks that the directory tells of end.
    pub(super) fn state_offset(&self) -> u64 {
        self.types_offset() - u64::from(self.state_bytes)
    }

    /// What its events lie within.
    pub(super) fn bounds(&self) -> Bounds {
        Bounds {
            positions: self.start.position..self.end.position,
            recorded: self.recorded.least..=self.recorded.greatest,
            occurred: self.occurred.least..=self.occurred.greatest,
        }
    }
}
