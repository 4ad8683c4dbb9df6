//! The event record: one event inside the body of a commit.
//!
//! ```text
//! offset size  field
//!      0    4  record_len: bytes of the whole record
//!      4    2  header_len: bytes before the stream's name; 60 in this version, more in later ones
//!      6    1  codec
//!      7    1  shape
//!      8    8  version
//!     16    8  occurred_at, microseconds since 1970, signed
//!     24   16  id
//!     40    4  schema_version
//!     44    2  fields
//!     46    2  stream_len
//!     48    2  type_len
//!     50    2  flags: zero in this version; the low byte's bits must be known to read the event, the high byte's not
//!     52    4  metadata_len
//!     56    4  payload_len
//!     60       optional fields of later versions, skipped by header_len
//!              stream, type, metadata, payload
//! ```

use std::ops::Range;

use crate::disk::{Cursor, put_i64, put_u16, put_u32, put_u64};
use crate::types::limits::{
    EVENT_TYPE_BYTES_MAX, METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX, STREAM_NAME_BYTES_MAX,
};
use crate::types::{
    CodecId, Encoding, EventId, Extension, Facts, NewEvent, OverLimit, Parts, Position, Shape, StreamName,
    Timestamp, Version,
};

const HEADER_BYTES: u16 = 60;
pub(crate) const HEADER_BYTES_USIZE: usize = 60;
pub(crate) const VERSION_AT: usize = 8;
pub(crate) const OCCURRED_AT: usize = 16;
const FLAGS_AT: usize = 50;

const CHECKED: &str = "a record is checked before it is taken apart";

/// What the journal keeps of a record beside where its texts lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordHead {
    pub(crate) version: Version,
    pub(crate) id: EventId,
    lengths: Lengths,
}

#[derive(Debug, Clone, Copy)]
struct Lengths {
    header: u16,
    stream: u16,
    event_type: u16,
    metadata: u32,
    payload: u32,
    record: u32,
}

/// Why bytes are not an event record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRecord {
    #[error("event record is cut short")]
    Cut,
    #[error("event record's lengths do not add up")]
    Lengths,
    #[error("event record has a length past its limit")]
    Limit,
    #[error("event record has flags or a shape that this version does not know")]
    Unknown,
    #[error("stream name or event type is not UTF-8")]
    NotText,
}

/// Appends the record of `event` in `stream`. Version, and occurred_at if the event has none, are put in at commit.
pub(crate) fn encode(
    bytes: &mut Vec<u8>,
    stream: &StreamName,
    event: &NewEvent,
    id: EventId,
) -> Result<(), OverLimit> {
    event.check_limits()?;
    let stream = stream.as_str().as_bytes();
    let event_type = event.event_type.as_str().as_bytes();
    let variable = stream.len() + event_type.len() + event.metadata.len() + event.payload.len();
    put_u32(bytes, to_u32(usize::from(HEADER_BYTES) + variable));
    put_u16(bytes, HEADER_BYTES);
    bytes.push(event.encoding.codec.as_u8());
    bytes.push(event.encoding.shape.as_u8());
    put_u64(bytes, 0);
    put_i64(bytes, event.occurred_at.unwrap_or_default().as_micros());
    bytes.extend_from_slice(&id.to_bytes());
    put_u32(bytes, event.encoding.schema_version);
    put_u16(bytes, event.encoding.fields);
    put_u16(bytes, to_u16(stream.len()));
    put_u16(bytes, to_u16(event_type.len()));
    put_u16(bytes, 0);
    put_u32(bytes, to_u32(event.metadata.len()));
    put_u32(bytes, to_u32(event.payload.len()));
    for part in [stream, event_type, &event.metadata, &event.payload] {
        bytes.extend_from_slice(part);
    }
    Ok(())
}

/// The head of the record at the start of `bytes`, all of its lengths checked against limits and against `bytes`.
pub(crate) fn decode_head(bytes: &[u8]) -> Result<RecordHead, BadRecord> {
    let fixed = parse_fixed(&mut Cursor::new(bytes)).ok_or(BadRecord::Cut)??;
    let Lengths { header, stream, event_type, metadata, payload, record } = fixed.lengths;
    let limit = |length: u32, max: usize| usize::try_from(length).is_ok_and(|length| length <= max);
    let within = stream > 0
        && event_type > 0
        && limit(stream.into(), STREAM_NAME_BYTES_MAX)
        && limit(event_type.into(), EVENT_TYPE_BYTES_MAX)
        && limit(metadata, METADATA_BYTES_MAX)
        && limit(payload, PAYLOAD_BYTES_MAX);
    if !within {
        return Err(BadRecord::Limit);
    }
    let sum = u64::from(header)
        + u64::from(stream)
        + u64::from(event_type)
        + u64::from(metadata)
        + u64::from(payload);
    if header < HEADER_BYTES || sum != u64::from(record) {
        return Err(BadRecord::Lengths);
    }
    if (bytes.len() as u64) < sum {
        return Err(BadRecord::Cut);
    }
    Ok(fixed)
}

fn parse_fixed(cursor: &mut Cursor<'_>) -> Option<Result<RecordHead, BadRecord>> {
    let record = cursor.u32()?;
    let header = cursor.u16()?;
    let _codec = cursor.u8()?;
    let shape = cursor.u8()?;
    let version = Version::new(cursor.u64()?);
    let _occurred_at = cursor.i64()?;
    let id = EventId::from_bytes(cursor.array()?);
    let _schema_version = cursor.u32()?;
    let _fields = cursor.u16()?;
    let stream = cursor.u16()?;
    let event_type = cursor.u16()?;
    let flags = cursor.u16()?;
    let lengths =
        Lengths { header, stream, event_type, metadata: cursor.u32()?, payload: cursor.u32()?, record };
    if Shape::from_u8(shape).is_none() || flags & 0xff != 0 {
        return Some(Err(BadRecord::Unknown));
    }
    Some(Ok(RecordHead { version, id, lengths }))
}

impl RecordHead {
    /// Bytes of the whole record.
    pub(crate) fn record_bytes(&self) -> usize {
        to_usize(self.lengths.record)
    }

    /// The stream's name in the record's bytes; `None` when it is not text.
    pub(crate) fn stream_in<'a>(&self, record: &'a [u8]) -> Option<&'a str> {
        text(record, self.stream_range())
    }

    /// Whether the texts in the record's bytes are UTF-8.
    pub(crate) fn check_texts(&self, record: &[u8]) -> Result<(), BadRecord> {
        let sound = self.stream_in(record).is_some() && text(record, self.type_range()).is_some();
        if sound { Ok(()) } else { Err(BadRecord::NotText) }
    }

    fn stream_range(&self) -> Range<usize> {
        let start = usize::from(self.lengths.header);
        start..start + usize::from(self.lengths.stream)
    }

    /// Where the event's type lies in the record.
    pub(crate) fn type_range(&self) -> Range<usize> {
        let start = self.stream_range().end;
        start..start + usize::from(self.lengths.event_type)
    }

    /// Where the payload lies in the record.
    pub(crate) fn payload_range(&self) -> Range<usize> {
        let end = self.record_bytes();
        end - to_usize(self.lengths.payload)..end
    }

    /// What the record's header holds beyond the fields that this version knows.
    pub(crate) fn extension_in(&self, record: &[u8]) -> Extension {
        let header =
            record.get(..usize::from(self.lengths.header)).and_then(|header| header.split_first_chunk());
        let (known, bytes) = header.unwrap_or_else(|| unreachable!("{CHECKED}"));
        Extension { flags: u16::from_le_bytes(field(known, FLAGS_AT)), bytes: bytes.into() }
    }
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or_else(|_| unreachable!("limits keep a record far below 4 GiB"))
}

fn to_u16(number: usize) -> u16 {
    u16::try_from(number).unwrap_or_else(|_| unreachable!("limits keep names below 64 KiB"))
}

/// What a record says, taken apart.
pub(crate) struct Fields<'a> {
    pub(crate) stream: &'a str,
    pub(crate) event_type: &'a str,
    /// Where metadata and payload lie.
    pub(crate) parts: Parts,
    pub(crate) facts: Facts,
}

/// Takes apart the record that starts at `start` of `bytes`, the `number`-th of its commit. The record must have been checked:
/// this goes without the steps in between that checking needs (docs/performance.md has the figure).
#[inline]
pub(crate) fn fields(
    bytes: &[u8],
    start: u32,
    position: Position,
    number: u32,
    recorded_at: Timestamp,
) -> Fields<'_> {
    let record = bytes.get(to_usize(start)..).and_then(|record| record.first_chunk::<HEADER_BYTES_USIZE>());
    let record = record.unwrap_or_else(|| unreachable!("{CHECKED}"));
    let stream = start + u32::from(u16::from_le_bytes(field(record, 4)));
    let event_type = stream + u32::from(u16::from_le_bytes(field(record, 46)));
    let metadata = event_type + u32::from(u16::from_le_bytes(field(record, 48)));
    let payload = metadata + u32::from_le_bytes(field(record, 52));
    let end = payload + u32::from_le_bytes(field(record, 56));
    let [codec, shape] = field(record, 6);
    let encoding = Encoding {
        codec: CodecId::new(codec),
        shape: Shape::from_u8(shape).unwrap_or_else(|| unreachable!("{CHECKED}")),
        fields: u16::from_le_bytes(field(record, 44)),
        schema_version: u32::from_le_bytes(field(record, 40)),
    };
    let facts = Facts {
        id: EventId::from_bytes(field(record, 24)),
        version: Version::new(u64::from_le_bytes(field(record, VERSION_AT))),
        position,
        number,
        occurred_at: Timestamp::from_micros(i64::from_le_bytes(field(record, OCCURRED_AT))),
        recorded_at,
        encoding,
    };
    let name = |range: Range<u32>| {
        text(bytes, to_usize(range.start)..to_usize(range.end)).unwrap_or_else(|| unreachable!("{CHECKED}"))
    };
    Fields {
        stream: name(stream..event_type),
        event_type: name(event_type..metadata),
        parts: Parts { metadata, payload, end },
        facts,
    }
}

/// `N` bytes at a fixed place of the header.
#[inline]
fn field<const N: usize>(record: &[u8; HEADER_BYTES_USIZE], at: usize) -> [u8; N] {
    let bytes = record.get(at..).and_then(|rest| rest.first_chunk::<N>());
    *bytes.unwrap_or_else(|| unreachable!("the header has all its fields"))
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn text(record: &[u8], range: Range<usize>) -> Option<&str> {
    std::str::from_utf8(record.get(range)?).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::types::{EventTableBuilder, RecordedEvent};

    fn record() -> Vec<u8> {
        let event = NewEvent::new("Deposited", b"payload".to_vec()).expect("event").metadata(*b"meta");
        let mut bytes = Vec::new();
        let stream = StreamName::new("account-1").expect("name");
        encode(&mut bytes, &stream, &event, EventId::from_bytes([9; 16])).expect("encode");
        bytes
    }

    fn read(bytes: Vec<u8>) -> Result<RecordedEvent, BadRecord> {
        let head = decode_head(&bytes)?;
        head.check_texts(&bytes)?;
        let mut table = EventTableBuilder::default();
        let Fields { stream, event_type, parts, facts } =
            fields(&bytes, 0, Position::new(5), 1, Timestamp::EPOCH);
        table.push(stream, event_type, parts, facts);
        Ok(table.table_in(Arc::new(bytes)).event(0))
    }

    #[test]
    fn a_record_round_trips() {
        let event = read(record()).expect("record");
        assert_eq!(event.stream(), "account-1");
        assert_eq!(event.event_type(), "Deposited");
        assert_eq!(event.payload(), b"payload");
        assert_eq!(event.metadata(), b"meta");
        assert_eq!(event.id(), EventId::from_bytes([9; 16]));
        assert_eq!(event.position(), Position::new(5));
        assert_eq!(event.commit_position(), Position::new(4));
    }

    #[test]
    fn every_cut_is_refused_and_no_flipped_bit_panics() {
        let bytes = record();
        for cut in 0..bytes.len() {
            assert!(read(bytes[..cut].to_vec()).is_err(), "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let _ = read(flipped);
        }
    }

    #[test]
    fn optional_header_fields_of_a_later_version_are_skipped() {
        let mut bytes = record();
        let longer = u32::try_from(bytes.len() + 4).expect("length");
        bytes.splice(60..60, [1, 2, 3, 4]);
        bytes[..4].copy_from_slice(&longer.to_le_bytes());
        bytes[4] = 64;
        bytes[51] = 0x80;
        assert_eq!(read(bytes.clone()).expect("record").payload(), b"payload");
        let extension = Extension { flags: 0x8000, bytes: [1, 2, 3, 4].into() };
        assert_eq!(decode_head(&bytes).expect("head").extension_in(&bytes), extension);
        assert_eq!(decode_head(&record()).expect("head").extension_in(&record()), Extension::default());
        bytes[50] = 1;
        assert_eq!(read(bytes), Err(BadRecord::Unknown));
    }

    /// A record of zeros with these lengths: header, stream, type, metadata, payload.
    fn zeros(lengths: [usize; 5]) -> Vec<u8> {
        let [header, stream, event_type, metadata, payload] = lengths;
        let mut bytes = record();
        bytes.truncate(HEADER_BYTES_USIZE);
        bytes.resize(lengths.iter().sum::<usize>().max(HEADER_BYTES_USIZE), 0);
        bytes[..4].copy_from_slice(&to_u32(lengths.iter().sum()).to_le_bytes());
        bytes[4..6].copy_from_slice(&to_u16(header).to_le_bytes());
        bytes[46..48].copy_from_slice(&to_u16(stream).to_le_bytes());
        bytes[48..50].copy_from_slice(&to_u16(event_type).to_le_bytes());
        bytes[52..56].copy_from_slice(&to_u32(metadata).to_le_bytes());
        bytes[56..60].copy_from_slice(&to_u32(payload).to_le_bytes());
        bytes
    }

    #[test]
    fn every_length_is_taken_at_its_limit_and_not_one_past_it() {
        let most = [
            HEADER_BYTES_USIZE,
            STREAM_NAME_BYTES_MAX,
            EVENT_TYPE_BYTES_MAX,
            METADATA_BYTES_MAX,
            PAYLOAD_BYTES_MAX,
        ];
        let error = |lengths| decode_head(&zeros(lengths)).err();
        assert_eq!(error(most), None);
        for at in 1..5 {
            let mut lengths = [HEADER_BYTES_USIZE, 1, 1, 0, 0];
            lengths[at] = most[at];
            assert_eq!(error(lengths), None, "{lengths:?}");
            lengths[at] += 1;
            assert_eq!(error(lengths), Some(BadRecord::Limit), "{lengths:?}");
        }
        assert_eq!(error([HEADER_BYTES_USIZE, 0, 1, 0, 0]), Some(BadRecord::Limit), "no stream");
        assert_eq!(error([HEADER_BYTES_USIZE, 1, 0, 0, 0]), Some(BadRecord::Limit), "no type");
        assert_eq!(error([HEADER_BYTES_USIZE - 1, 1, 1, 0, 9]), Some(BadRecord::Lengths), "a shorter header");
    }

    #[test]
    fn lengths_that_do_not_add_up_and_shapes_that_nobody_knows_are_refused() {
        for length in [record().len() - 1, record().len() + 1] {
            let mut bytes = record();
            bytes[..4].copy_from_slice(&to_u32(length).to_le_bytes());
            bytes.push(0);
            assert_eq!(read(bytes), Err(BadRecord::Lengths), "{length}");
        }
        let mut bytes = record();
        bytes[7] = 200;
        assert_eq!(read(bytes), Err(BadRecord::Unknown));
    }

    #[test]
    fn names_that_are_no_text_are_refused() {
        for at in [HEADER_BYTES_USIZE, HEADER_BYTES_USIZE + "account-1".len()] {
            let mut bytes = record();
            bytes[at] = 0xff;
            assert_eq!(read(bytes), Err(BadRecord::NotText), "byte {at}");
        }
    }
}
