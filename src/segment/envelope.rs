//! The envelope: what stands before every block of a segment, and what the block must match to count.
//!
//! ```text
//! offset size  field
//!      0    1  kind
//!      1    1  codec: how it is compressed
//!      2    2  zero
//!      4    4  stored_len: bytes that follow the envelope
//!      8    4  raw_len: bytes when decompressed
//!     12    4  first: ordinal of the first event, or index of the first stream
//!     16    4  count: of events, streams, types, blocks or state records
//!     20    4  checksum: of bytes 0 to 19 and of what is stored
//!     24       stored bytes
//! ```
//! The checksum is seeded with the store's id and the segment's number. With `first` and `count`, a block in a wrong place is
//! noticed, and a file can be walked block by block without its directory.

use std::path::Path;

use crate::disk::{Cursor, Seed, put_u16, put_u32};
use crate::error::{Error, ErrorKind};
use crate::state::BadState;
use crate::types::limits::STATES_BYTES_MAX;

use super::compress;

pub(super) const ENVELOPE_BYTES: usize = 24;
const CHECKED_BYTES: usize = 20;

/// What a block holds. In a segment they stand in this order, but for state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum BlockKind {
    Events = 1,
    Streams = 2,
    Ids = 3,
    Order = 4,
    Types = 5,
    Filter = 6,
    Directory = 7,
    /// Of a tier; those of filter and directory stand behind it.
    Runs = 8,
    /// Stands before that of types.
    State = 9,
}

/// What an envelope says of its block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) kind: BlockKind,
    pub(super) codec: u8,
    pub(super) stored_len: u32,
    pub(super) raw_len: u32,
    pub(super) first: u32,
    pub(super) count: u32,
}

/// Why bytes are not the block that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadBlock {
    #[error("block is cut short")]
    Cut,
    #[error("block's checksum differs")]
    Checksum,
    #[error("block of kind {0}, which this version does not know")]
    UnknownKind(u8),
    #[error("block is compressed with codec {0}, which this version does not know")]
    UnknownCodec(u8),
    #[cfg_attr(feature = "zstd", expect(dead_code, reason = "only a build without zstd says it"))]
    #[error("block is compressed with zstd, and this program was built without the feature zstd")]
    NeedsZstd,
    #[error("block is not the one that belongs here")]
    Misplaced,
    #[error("block's lengths do not add up")]
    Lengths,
    #[error("block cannot be decompressed")]
    Compressed,
    #[error("{0}")]
    Content(&'static str),
    #[error(transparent)]
    State(#[from] BadState),
}

impl From<&'static str> for BadBlock {
    fn from(what: &'static str) -> Self {
        Self::Content(what)
    }
}

impl BadBlock {
    /// The error about the block at `offset` of a file.
    pub(super) fn at(self, path: &Path, offset: u64) -> Error {
        match self {
            Self::UnknownKind(_) | Self::UnknownCodec(_) | Self::NeedsZstd => Error::new(
                ErrorKind::UnsupportedVersion,
                format!("{} at offset {offset}: {self}", path.display()),
            ),
            _ => Error::corrupt(path, offset, self),
        }
    }
}

impl BlockKind {
    /// What the format's description calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Events => "block of events",
            Self::Streams => "block of streams",
            Self::Ids => "block of ids",
            Self::Order => "block of order",
            Self::Types => "block of types",
            Self::Filter => "block of the filter",
            Self::Directory => "block of the directory",
            Self::Runs => "block of runs",
            Self::State => "block of state",
        }
    }

    fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Events,
            2 => Self::Streams,
            3 => Self::Ids,
            4 => Self::Order,
            5 => Self::Types,
            6 => Self::Filter,
            7 => Self::Directory,
            8 => Self::Runs,
            9 => Self::State,
            _ => return None,
        })
    }
}

impl Envelope {
    /// The envelope's bytes, for a block with these stored bytes.
    pub(super) fn encode(&self, seed: Seed, stored: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENVELOPE_BYTES);
        bytes.push(self.kind as u8);
        bytes.push(self.codec);
        put_u16(&mut bytes, 0);
        for number in [self.stored_len, self.raw_len, self.first, self.count] {
            put_u32(&mut bytes, number);
        }
        let crc = seed.checksum(&[&bytes, stored]);
        put_u32(&mut bytes, crc);
        bytes
    }

    /// Bytes of the block whose envelope starts `bytes`, envelope included; not checked. `None` when the envelope is cut.
    pub(super) fn block_bytes(bytes: &[u8]) -> Option<u64> {
        let stored = Cursor::new(bytes.get(4..ENVELOPE_BYTES)?).u32()?;
        Some(u64::from(stored) + ENVELOPE_BYTES as u64)
    }

    /// Bytes of the block whose envelope these bytes may be, envelope included: all but its checksum speaks for it.
    pub(super) fn likely(bytes: &[u8]) -> Option<u64> {
        let [kind, codec, 0, 0] = *bytes.first_chunk()? else { return None };
        let kind = BlockKind::from_u8(kind)?;
        let mut cursor = Cursor::new(bytes.get(4..)?);
        let (stored_len, raw_len) = (cursor.u32()?, cursor.u32()?);
        let is_within = kind.raw_bytes_max().is_some_and(|most| u64::from(raw_len) <= most as u64);
        let is_likely = is_within && compress::may_be(codec, stored_len, raw_len);
        is_likely.then_some(u64::from(stored_len) + ENVELOPE_BYTES as u64)
    }

    /// What the envelope of a whole block says, and what is stored. The checksum held.
    pub(super) fn open(block: &[u8], seed: Seed) -> Result<(Self, &[u8]), BadBlock> {
        let (envelope, stored) = block.split_at_checked(ENVELOPE_BYTES).ok_or(BadBlock::Cut)?;
        let (checked, crc) = envelope.split_at_checked(CHECKED_BYTES).ok_or(BadBlock::Cut)?;
        if crc != seed.checksum(&[checked, stored]).to_le_bytes() {
            return Err(BadBlock::Checksum);
        }
        let mut cursor = Cursor::new(checked);
        let mut number = || cursor.u32().ok_or(BadBlock::Cut);
        let [kind, codec, zeros @ ..] = number()?.to_le_bytes();
        let [stored_len, raw_len, first, count] = [number()?, number()?, number()?, number()?];
        let kind = BlockKind::from_u8(kind).ok_or(BadBlock::UnknownKind(kind))?;
        if zeros != [0; 2] || u64::from(stored_len) != stored.len() as u64 {
            return Err(BadBlock::Lengths);
        }
        Ok((Self { kind, codec, stored_len, raw_len, first, count }, stored))
    }

    /// What is stored, decompressed. What is read whole at once is stored as it is, so that its size is what the file has.
    pub(super) fn raw<'a>(&self, stored: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], BadBlock> {
        let raw_len = usize::try_from(self.raw_len).map_err(|_| BadBlock::Lengths)?;
        let is_within = match self.kind.raw_bytes_max() {
            Some(most) => raw_len <= most,
            None => self.codec == compress::NONE,
        };
        if !is_within {
            return Err(BadBlock::Lengths);
        }
        compress::decompress(self.codec, stored, raw_len, scratch)
    }
}

impl BlockKind {
    /// How large a block of this kind may be when decompressed; `None` for those that grow with the segment, which are not
    /// compressed.
    fn raw_bytes_max(self) -> Option<usize> {
        match self {
            Self::Events => Some(super::event_block::RAW_BYTES_MAX),
            Self::Streams => Some(super::stream_block::RAW_BYTES_MAX),
            Self::Ids => Some(super::id_block::RAW_BYTES_MAX),
            Self::Order => Some(super::order_block::RAW_BYTES_MAX),
            Self::Types => Some(super::type_table::RAW_BYTES_MAX),
            Self::Runs => Some(super::tier::RUNS_RAW_BYTES_MAX),
            Self::State => Some(STATES_BYTES_MAX),
            Self::Filter | Self::Directory => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::StoreId;

    fn seed(number: u64) -> Seed {
        Seed::of_segment(StoreId::from_bytes([3; 16]), number)
    }

    fn block() -> (Envelope, Vec<u8>) {
        let stored = b"what is stored";
        let envelope =
            Envelope { kind: BlockKind::Events, codec: 0, stored_len: 14, raw_len: 14, first: 7, count: 2 };
        let mut block = envelope.encode(seed(1), stored);
        block.extend_from_slice(stored);
        (envelope, block)
    }

    #[test]
    fn a_block_round_trips_and_any_flipped_bit_or_cut_is_noticed() {
        let (envelope, block) = block();
        assert_eq!(Envelope::open(&block, seed(1)), Ok((envelope, &b"what is stored"[..])));
        assert_eq!(Envelope::block_bytes(&block), Some(block.len() as u64));
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Envelope::open(&flipped, seed(1)), Err(BadBlock::Checksum), "bit {bit}");
        }
        for cut in 0..block.len() {
            assert!(Envelope::open(&block[..cut], seed(1)).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_may_be_an_envelope_is_told_by_its_fields_alone() {
        let (_, block) = block();
        assert_eq!(Envelope::likely(&block), Some(block.len() as u64));
        assert_eq!(Envelope::likely(&block[..ENVELOPE_BYTES]), Some(block.len() as u64));
        let with = |at: usize, value: u8| {
            let mut changed = block.clone();
            changed[at] = value;
            Envelope::likely(&changed)
        };
        // No kind, an unknown kind, an unknown codec, no zeros, lengths that differ, a length past any limit.
        for (at, value) in [(0, 0), (0, 10), (1, 3), (2, 1), (3, 1), (4, 15), (8, 13), (7, 0xff)] {
            assert_eq!(with(at, value), None, "{value} at {at}");
        }
        assert_eq!(with(12, 9), Some(block.len() as u64), "any place in the segment");
        assert_eq!(Envelope::likely(&block[..11]), None);
    }

    #[test]
    fn a_block_of_another_segment_store_or_journal_file_does_not_count() {
        let (_, block) = block();
        let store = StoreId::from_bytes([3; 16]);
        for seed in [seed(2), Seed::of_segment(StoreId::from_bytes([4; 16]), 1), Seed::of_file(store, 1)] {
            assert_eq!(Envelope::open(&block, seed), Err(BadBlock::Checksum));
        }
    }
}
