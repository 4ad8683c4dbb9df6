//! A snapshot's record: a header that says of what state it is, and the state's bytes.
//!
//! ```text
//! offset size  field
//!      0    4  magic "ANSS"
//!      4    4  header checksum: of bytes 8 to the end of the state type's name
//!      8    4  state_len: bytes of the state, at most 64 MiB
//!     12    4  checksum of the state
//!     16    8  sequence: records of a store in the order in which they were written
//!     24    8  version of the last event in the state
//!     32    8  its position
//!     40    8  its recorded_at, microseconds since 1970, signed
//!     48   16  its id
//!     64    4  snapshot schema
//!     68    2  bytes of the stream's name, 1 to 512
//!     70    2  bytes of the state type's name, at most 1024
//!     72    1  codec of the state
//!     73    1  keep: how many of this stream, state type and schema remain, with this one; at least 1
//!     74    6  zero
//!     80       stream name, state type name, state
//!          0-7 zeros up to a multiple of 8
//! ```
//! Both checksums are seeded with the store's id alone, so that a record may be moved to another pack as it is.

use std::ops::Range;

use crate::disk::{Cursor, Seed, put_i64, put_u16, put_u32, put_u64};
use crate::types::limits::{
    SNAPSHOT_BYTES_MAX, SNAPSHOTS_KEPT_MAX, STATE_TYPE_BYTES_MAX, STREAM_NAME_BYTES_MAX,
};
use crate::types::{CodecId, EventId, OverLimit, Position, StreamName, Timestamp, Version};

use super::FoldedUpTo;

const MAGIC: [u8; 4] = *b"ANSS";
const CHECKED_FROM: usize = 8;
const FIXED_BYTES: usize = 80;
const ALIGN: u64 = 8;
/// No header is larger: what must be in hand to read one.
pub(super) const HEAD_BYTES_MAX: usize = FIXED_BYTES + STREAM_NAME_BYTES_MAX + STATE_TYPE_BYTES_MAX;

const _: () = assert!(SNAPSHOTS_KEPT_MAX <= 0xff, "`keep` has one byte");
const _: () = assert!(STATE_TYPE_BYTES_MAX <= 0xffff, "a state type's length has two bytes");

/// What a state is of, beside its stream: states of another kind are of no use to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateKind<'a> {
    /// The name of the state's type.
    pub(crate) state_type: &'a str,
    /// What the program calls the present form and meaning of the type.
    pub(crate) schema: u32,
}

/// What a record says about the state in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) stream: StreamName,
    pub(super) state_type: String,
    pub(super) schema: u32,
    pub(super) codec: CodecId,
    pub(super) keep: u8,
    pub(super) sequence: u64,
    pub(super) up_to: FoldedUpTo,
}

/// Where the parts of a record lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    /// Bytes of header and names.
    pub(super) head: usize,
    /// Bytes of the state.
    pub(super) state: usize,
    /// Bytes of the whole record.
    pub(super) record: u64,
    state_crc: u32,
}

impl Header {
    /// The whole record of a state.
    ///
    /// # Errors
    /// When the state or the name of its type is over its limit.
    pub(super) fn encode(&self, state: &[u8], seed: Seed) -> Result<Vec<u8>, OverLimit> {
        OverLimit::check("state type name", self.state_type.len(), STATE_TYPE_BYTES_MAX)?;
        OverLimit::check("snapshot", state.len(), SNAPSHOT_BYTES_MAX)?;
        let stream = self.stream.as_str();
        let mut checked = Vec::with_capacity(HEAD_BYTES_MAX);
        put_u32(&mut checked, u32::try_from(state.len()).unwrap_or(u32::MAX));
        put_u32(&mut checked, seed.checksum(&[state]));
        put_u64(&mut checked, self.sequence);
        put_u64(&mut checked, self.up_to.version.as_u64());
        put_u64(&mut checked, self.up_to.position.as_u64());
        put_i64(&mut checked, self.up_to.recorded_at.as_micros());
        checked.extend_from_slice(&self.up_to.id.to_bytes());
        put_u32(&mut checked, self.schema);
        put_u16(&mut checked, u16::try_from(stream.len()).unwrap_or(u16::MAX));
        put_u16(&mut checked, u16::try_from(self.state_type.len()).unwrap_or(u16::MAX));
        checked.extend_from_slice(&[self.codec.as_u8(), self.keep, 0, 0, 0, 0, 0, 0]);
        checked.extend_from_slice(stream.as_bytes());
        checked.extend_from_slice(self.state_type.as_bytes());

        let mut record = Vec::with_capacity(CHECKED_FROM + checked.len() + state.len() + 8);
        record.extend_from_slice(&MAGIC);
        put_u32(&mut record, seed.checksum(&[&checked]));
        record.extend_from_slice(&checked);
        record.extend_from_slice(state);
        record.resize(record.len().next_multiple_of(8), 0);
        Ok(record)
    }

    /// The header of the record that `bytes` begin with, where `rest` bytes of the file are left. `bytes` must hold
    /// [`HEAD_BYTES_MAX`] bytes or all of the rest. `None` when no record stands there.
    pub(super) fn decode(bytes: &[u8], rest: u64, seed: Seed) -> Option<(Self, Extent)> {
        let mut cursor = Cursor::new(bytes);
        if cursor.array() != Some(MAGIC) {
            return None;
        }
        let crc = cursor.u32()?;
        let state = cursor.u32()? as usize;
        let state_crc = cursor.u32()?;
        let sequence = cursor.u64()?;
        let up_to = FoldedUpTo {
            version: Version::new(cursor.u64()?),
            position: Position::new(cursor.u64()?),
            recorded_at: Timestamp::from_micros(cursor.i64()?),
            id: EventId::from_bytes(cursor.array()?),
        };
        let schema = cursor.u32()?;
        let names = [usize::from(cursor.u16()?), usize::from(cursor.u16()?)];
        let [codec, keep, zeros @ ..] = cursor.array::<8>()?;
        let [stream_bytes, type_bytes] = names;
        let head = FIXED_BYTES + stream_bytes + type_bytes;
        let record = (head as u64).checked_add(state as u64)?.checked_next_multiple_of(ALIGN)?;
        let in_limits = state <= SNAPSHOT_BYTES_MAX && type_bytes <= STATE_TYPE_BYTES_MAX && record <= rest;
        if !in_limits || seed.checksum(&[bytes.get(CHECKED_FROM..head)?]) != crc {
            return None;
        }
        if zeros != [0; 6] || keep == 0 {
            return None;
        }
        let (stream, state_type) = bytes.get(FIXED_BYTES..head)?.split_at_checked(stream_bytes)?;
        let header = Self {
            stream: StreamName::new(std::str::from_utf8(stream).ok()?).ok()?,
            state_type: std::str::from_utf8(state_type).ok()?.to_owned(),
            schema,
            codec: CodecId::new(codec),
            keep,
            sequence,
            up_to,
        };
        Some((header, Extent { head, state, record, state_crc }))
    }

    /// The header of a whole record, and where the state lies in it. `None` unless every byte is as it was written.
    pub(super) fn decode_whole(record: &[u8], seed: Seed) -> Option<(Self, Range<usize>)> {
        let (header, extent) = Self::decode(record, record.len() as u64, seed)?;
        let (_, from_state) = record.split_at_checked(extent.head)?;
        let (state, padding) = from_state.split_at_checked(extent.state)?;
        let sound = extent.record == record.len() as u64
            && seed.checksum(&[state]) == extent.state_crc
            && padding.iter().all(|byte| *byte == 0);
        sound.then(|| (header, extent.head..extent.head + extent.state))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::types::StoreId;

    pub(crate) fn seed() -> Seed {
        Seed::of_store(StoreId::from_bytes([3; 16]))
    }

    pub(crate) fn header(stream: &str, version: u64, sequence: u64) -> Header {
        Header {
            stream: StreamName::new(stream).expect("name"),
            state_type: "bank::Account".to_owned(),
            schema: 1,
            codec: CodecId::BINCODE,
            keep: 2,
            sequence,
            up_to: FoldedUpTo {
                version: Version::new(version),
                position: Position::new(version + 100),
                recorded_at: Timestamp::from_micros(-5),
                id: EventId::from_bytes([9; 16]),
            },
        }
    }

    #[test]
    fn a_record_round_trips() {
        for state in [&b""[..], b"x", b"eight by", &[7; 4099]] {
            let record = header("account-1", 41, 7).encode(state, seed()).expect("record");
            assert_eq!(record.len() % 8, 0);
            let (read, range) = Header::decode_whole(&record, seed()).expect("sound");
            assert_eq!(read, header("account-1", 41, 7));
            assert_eq!(&record[range], state);
        }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_record_is_noticed() {
        let record = header("account-1", 41, 7).encode(b"the state of it", seed()).expect("record");
        for bit in 0..record.len() * 8 {
            let mut flipped = record.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode_whole(&flipped, seed()), None, "bit {bit}");
        }
        for cut in 0..record.len() {
            assert_eq!(Header::decode_whole(&record[..cut], seed()), None, "cut at {cut}");
        }
        let longer = [&record[..], &[0; 8]].concat();
        assert_eq!(Header::decode_whole(&longer, seed()), None);
        assert_eq!(Header::decode_whole(&record, Seed::of_store(StoreId::from_bytes([4; 16]))), None);
    }

    #[test]
    fn a_length_beyond_the_file_or_the_limit_is_no_record() {
        let record = header("account-1", 41, 7).encode(b"state", seed()).expect("record");
        let rest = record.len() as u64;
        assert!(Header::decode(&record, rest, seed()).is_some());
        assert!(Header::decode(&record, rest - 1, seed()).is_none());
        // A hostile header with sound checksums that claims more than a snapshot may have.
        let mut hostile = record;
        hostile[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
        let crc = seed().checksum(&[&hostile[CHECKED_FROM..FIXED_BYTES + 9 + 13]]);
        hostile[4..8].copy_from_slice(&crc.to_le_bytes());
        assert!(Header::decode(&hostile, u64::MAX, seed()).is_none());
    }

    #[test]
    fn state_and_type_name_are_taken_at_their_limits_and_not_one_byte_past() {
        let with_type = |bytes: usize| Header { state_type: "t".repeat(bytes), ..header("a", 0, 0) };
        assert!(with_type(STATE_TYPE_BYTES_MAX).encode(b"", seed()).is_ok());
        assert!(with_type(STATE_TYPE_BYTES_MAX + 1).encode(b"", seed()).is_err());
        let state = vec![1; SNAPSHOT_BYTES_MAX + 1];
        let record = header("a", 0, 0).encode(&state[1..], seed()).expect("at the limit");
        assert!(Header::decode_whole(&record, seed()).is_some());
        assert!(header("a", 0, 0).encode(&state, seed()).is_err());
    }
}
