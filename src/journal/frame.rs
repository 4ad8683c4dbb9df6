//! The frame: the envelope of one commit on disk.
//!
//! ```text
//! offset size  field
//!      0    4  magic "ANFR"
//!      4    1  kind: 1 commit, 2 close, 3 commit with state records
//!      5    3  zero
//!      8    4  body_len: bytes of the body
//!     12    4  zero
//!     16    8  first_position: of the first event in it, or the next one if it has none
//!     24    8  n: sequence of frames in the store, counted from 1 without gaps
//!     32    8  durable: the last n whose sync had returned when this frame was built; less than n
//!     40    4  prev_header_crc: header_crc of frame n - 1; 0 for n = 1
//!     44    4  body_crc
//!     48    4  zero
//!     52    4  header_crc: of bytes 0 to 51
//!     56       body
//!          1-8 padding to a multiple of 8, each byte 0xA0 + its length
//! ```
//! Both checksums are seeded with the store's id and the file's number. A frame is never empty of padding and never
//! ends in a zero byte, so a write that stopped before its end shows as a zero where the last byte should be.

use crate::disk::{Cursor, Seed};
use crate::types::limits::COMMIT_BYTES_MAX;

pub(crate) const FRAME_HEADER_BYTES: usize = 56;
pub(crate) const FRAME_ALIGN: u64 = 8;
const MAGIC: [u8; 4] = *b"ANFR";
const KIND_AT: usize = 4;
const CHECKED_BYTES: usize = 52;
const PADDING_BASE: u8 = 0xA0;
/// The largest frame: what a commit may have, and its padding.
pub(crate) const FRAME_BYTES_MAX: usize = COMMIT_BYTES_MAX + 8;

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FrameKind {
    /// Events.
    Commit,
    /// State records, and perhaps events. A kind of its own, so that a version which does not know them says so.
    CommitWithStates,
    /// Nothing: the store was closed here, and everything before it was synced.
    Close,
}

impl FrameKind {
    fn from_u8(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Commit),
            2 => Some(Self::Close),
            3 => Some(Self::CommitWithStates),
            _ => None,
        }
    }
}

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: FrameKind,
    pub(crate) body_len: u32,
    pub(crate) first_position: u64,
    pub(crate) n: u64,
    pub(crate) durable: u64,
    pub(crate) prev_header_crc: u32,
    pub(crate) body_crc: u32,
}

/// Why bytes are not a frame header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHeader {
    #[error("no frame header here")]
    NotAHeader,
    #[error("frame header's checksum differs")]
    Checksum,
    #[error("frame of kind {0}, which this version does not know")]
    UnknownKind(u8),
    #[error("frame header holds a value that is never written")]
    Impossible,
}

impl FrameHeader {
    /// The header's bytes.
    pub(crate) fn encode(&self, seed: Seed) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let kind = match self.kind {
            FrameKind::Commit => 1,
            FrameKind::Close => 2,
            FrameKind::CommitWithStates => 3,
        };
        let parts: [&[u8]; 10] = [
            &MAGIC,
            &[kind, 0, 0, 0],
            &self.body_len.to_le_bytes(),
            &[0; 4],
            &self.first_position.to_le_bytes(),
            &self.n.to_le_bytes(),
            &self.durable.to_le_bytes(),
            &self.prev_header_crc.to_le_bytes(),
            &self.body_crc.to_le_bytes(),
            &[0; 4],
        ];
        let values = parts.into_iter().flatten();
        bytes.iter_mut().zip(values).for_each(|(byte, value)| *byte = *value);
        let crc = seed.checksum(&[bytes.get(..CHECKED_BYTES).unwrap_or_default()]);
        bytes.iter_mut().skip(CHECKED_BYTES).zip(crc.to_le_bytes()).for_each(|(byte, value)| *byte = value);
        bytes
    }

    /// The header in the first bytes of `bytes`, with its checksum.
    pub(crate) fn decode(bytes: &[u8], seed: Seed) -> Result<(Self, u32), BadHeader> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array::<4>() != Some(MAGIC) || bytes.len() < FRAME_HEADER_BYTES {
            return Err(BadHeader::NotAHeader);
        }
        let checked = bytes.get(..CHECKED_BYTES).ok_or(BadHeader::NotAHeader)?;
        let crc = seed.checksum(&[checked]);
        if bytes.get(CHECKED_BYTES..FRAME_HEADER_BYTES) != Some(&crc.to_le_bytes()) {
            return Err(BadHeader::Checksum);
        }
        let header = Self::parse(&mut cursor).ok_or(BadHeader::NotAHeader)??;
        Ok((header, crc))
    }

    fn parse(cursor: &mut Cursor<'_>) -> Option<Result<Self, BadHeader>> {
        let kind = cursor.u8()?;
        let zeros = cursor.array::<3>()?;
        let body_len = cursor.u32()?;
        let more_zeros = cursor.u32()?;
        let known = FrameKind::from_u8(kind);
        let header = Self {
            kind: known.unwrap_or(FrameKind::Commit),
            body_len,
            first_position: cursor.u64()?,
            n: cursor.u64()?,
            durable: cursor.u64()?,
            prev_header_crc: cursor.u32()?,
            body_crc: cursor.u32()?,
        };
        let last_zeros = cursor.u32()?;
        if known.is_none() {
            return Some(Err(BadHeader::UnknownKind(kind)));
        }
        let possible = zeros == [0; 3]
            && more_zeros == 0
            && last_zeros == 0
            && header.durable < header.n
            && header.frame_bytes() <= FRAME_BYTES_MAX
            && (header.kind != FrameKind::Close || header.body_len == 0);
        Some(if possible { Ok(header) } else { Err(BadHeader::Impossible) })
    }

    /// Bytes of the body.
    pub(crate) fn body_bytes(&self) -> usize {
        usize::try_from(self.body_len).unwrap_or(usize::MAX)
    }

    /// Bytes of the whole frame, with header and padding.
    pub(crate) fn frame_bytes(&self) -> usize {
        let unpadded = FRAME_HEADER_BYTES.saturating_add(self.body_bytes());
        unpadded.saturating_add(padding_bytes(unpadded))
    }
}

/// The kind that a frame's header says, which was checked.
pub(crate) fn frame_kind(frame: Option<&[u8]>) -> Option<FrameKind> {
    frame.and_then(|frame| frame.get(KIND_AT)).and_then(|kind| FrameKind::from_u8(*kind))
}

/// Whether a frame may begin with these bytes.
pub(crate) fn begins(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// Whether body and padding of the frame that `bytes` begin with are as its header says.
pub(crate) fn is_whole(bytes: &[u8], header: &FrameHeader, seed: Seed) -> bool {
    let frame = bytes.get(FRAME_HEADER_BYTES..header.frame_bytes());
    let parts = frame.and_then(|rest| rest.split_at_checked(header.body_bytes()));
    parts.is_some_and(|(body, padding)| seed.checksum(&[body]) == header.body_crc && is_padding(padding))
}

/// How many bytes of padding follow `unpadded` bytes: 1 to 8.
pub(crate) const fn padding_bytes(unpadded: usize) -> usize {
    8 - unpadded % 8
}

/// Appends the padding of a frame that has come to `frame.len()` bytes.
pub(crate) fn pad(frame: &mut Vec<u8>) {
    let count = padding_bytes(frame.len());
    frame.resize(frame.len() + count, padding_byte(count));
}

/// Whether these are the bytes that pad a frame.
pub(crate) fn is_padding(bytes: &[u8]) -> bool {
    (1..=8).contains(&bytes.len()) && bytes.iter().all(|byte| *byte == padding_byte(bytes.len()))
}

fn padding_byte(count: usize) -> u8 {
    PADDING_BASE | u8::try_from(count).unwrap_or_else(|_| unreachable!("padding is 8 bytes at most"))
}

/// The bytes of a close frame.
pub(crate) fn close_frame(
    n: u64,
    durable: u64,
    position: u64,
    prev_header_crc: u32,
    seed: Seed,
) -> (Vec<u8>, u32) {
    let header = FrameHeader {
        kind: FrameKind::Close,
        body_len: 0,
        first_position: position,
        n,
        durable,
        prev_header_crc,
        body_crc: seed.checksum(&[]),
    };
    let mut bytes = header.encode(seed).to_vec();
    pad(&mut bytes);
    (bytes, header_crc_of(&header.encode(seed)))
}

/// The checksum in an encoded header.
pub(crate) fn header_crc_of(header: &[u8; FRAME_HEADER_BYTES]) -> u32 {
    header.last_chunk::<4>().map_or(0, |crc| u32::from_le_bytes(*crc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::StoreId;

    fn seed(number: u64) -> Seed {
        Seed::of_file(StoreId::from_bytes([3; 16]), number)
    }

    fn header() -> FrameHeader {
        FrameHeader {
            kind: FrameKind::Commit,
            body_len: 1234,
            first_position: 77,
            n: 12,
            durable: 11,
            prev_header_crc: 5,
            body_crc: 6,
        }
    }

    #[test]
    fn a_header_round_trips_and_any_flipped_bit_or_cut_is_noticed() {
        let bytes = header().encode(seed(1));
        assert_eq!(FrameHeader::decode(&bytes, seed(1)), Ok((header(), header_crc_of(&bytes))));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(FrameHeader::decode(&flipped, seed(1)).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(FrameHeader::decode(&bytes[..cut], seed(1)).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_header_of_another_file_or_store_does_not_count() {
        let bytes = header().encode(seed(1));
        assert_eq!(FrameHeader::decode(&bytes, seed(2)), Err(BadHeader::Checksum));
        let other = Seed::of_file(StoreId::from_bytes([4; 16]), 1);
        assert_eq!(FrameHeader::decode(&bytes, other), Err(BadHeader::Checksum));
    }

    #[test]
    fn values_that_are_never_written_are_refused_though_the_checksum_holds() {
        let past_the_limit = u32::try_from(COMMIT_BYTES_MAX + 8 - 56).expect("a length");
        let at_the_limit = FrameHeader { body_len: past_the_limit - 8, ..header() };
        assert_eq!(
            FrameHeader::decode(&at_the_limit.encode(seed(1)), seed(1)).map(|it| it.0),
            Ok(at_the_limit)
        );
        let impossible = [
            FrameHeader { durable: 12, ..header() },
            FrameHeader { body_len: u32::MAX, ..header() },
            FrameHeader { body_len: past_the_limit, ..header() },
            FrameHeader { body_len: 1 << 31, ..header() },
            FrameHeader { kind: FrameKind::Close, ..header() },
        ];
        for header in impossible {
            let bytes = header.encode(seed(1));
            assert_eq!(FrameHeader::decode(&bytes, seed(1)), Err(BadHeader::Impossible), "{header:?}");
        }
    }

    #[test]
    fn what_is_reserved_must_be_zero_though_the_checksum_holds() {
        // The bytes that docs/format.md calls zero.
        for at in [5, 6, 7, 12, 13, 14, 15, 48, 49, 50, 51] {
            let mut bytes = header().encode(seed(1));
            bytes[at] = 1;
            let crc = seed(1).checksum(&[&bytes[..CHECKED_BYTES]]);
            bytes[CHECKED_BYTES..].copy_from_slice(&crc.to_le_bytes());
            assert_eq!(FrameHeader::decode(&bytes, seed(1)), Err(BadHeader::Impossible), "byte {at}");
        }
    }

    #[test]
    fn bytes_that_do_not_begin_like_a_frame_are_no_damaged_header() {
        for magic in [*b"anfr", [0; 4]] {
            let mut bytes = header().encode(seed(1));
            bytes[..4].copy_from_slice(&magic);
            assert_eq!(FrameHeader::decode(&bytes, seed(1)), Err(BadHeader::NotAHeader));
            assert!(!begins(&bytes));
        }
        assert!(begins(&header().encode(seed(1))));
    }

    #[test]
    fn padding_is_never_absent_and_never_zero() {
        for length in 0..32 {
            let mut frame = vec![0; length];
            pad(&mut frame);
            assert_eq!(frame.len() % 8, 0);
            assert!(frame.len() > length);
            assert!(is_padding(&frame[length..]));
            assert!(frame[length..].iter().all(|byte| byte.count_ones() >= 2));
        }
        assert!(!is_padding(&[]));
        assert!(!is_padding(&[0xA2]));
    }
}
