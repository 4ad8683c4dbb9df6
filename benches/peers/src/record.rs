//! An event as bytes, for the engines that store keys and values, and for the floor. What stands in the key is not
//! repeated in the value.
//!
//! | key | value |
//! | --- | --- |
//! | position, big-endian | head, version (8), length of the stream's name (2), name, payload |
//! | stream's name, 0, version, big-endian | head, position (8), payload |
//!
//! The head: id (16), occurred_at (8), recorded_at (8), length of the type (1), type. Numbers in values are little-endian.

use anyhow::{Context as _, Result, bail};

use crate::model::{NewEvent, Seen};

/// Where an event's payload lies, and with it what is near to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Layout {
    /// Payloads in order of position; an index finds those of a stream. Appends go to the end, replay is a scan.
    ByPosition,
    /// Payloads in order of stream and version; an index finds positions. A load is a scan, replay is not.
    ByStream,
}

/// What the store adds to an event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) stream: &'a str,
    pub(crate) version: u64,
    pub(crate) position: u64,
    pub(crate) id: [u8; 16],
    pub(crate) recorded_at: i64,
}

/// The key of an event in its stream: sorts by name, then by version. Names hold no zero.
pub(crate) fn stream_key(stream: &str, version: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(stream.len() + 9);
    key.extend_from_slice(stream.as_bytes());
    key.push(0);
    key.extend_from_slice(&version.to_be_bytes());
    key
}

/// Name and version of a key.
pub(crate) fn split_stream_key(key: &[u8]) -> Result<(&str, u64)> {
    let (rest, version) = key.split_last_chunk().context("a stream key without version")?;
    let (zero, name) = rest.split_last().context("a stream key without name")?;
    if *zero != 0 {
        bail!("a stream key whose name does not end");
    }
    Ok((std::str::from_utf8(name)?, u64::from_be_bytes(*version)))
}

/// Puts the value of an event into `out`, which is cleared.
pub(crate) fn encode(layout: Layout, event: &NewEvent, place: &Place<'_>, out: &mut Vec<u8>) -> Result<()> {
    out.clear();
    out.extend_from_slice(&place.id);
    out.extend_from_slice(&event.occurred_at.to_le_bytes());
    out.extend_from_slice(&place.recorded_at.to_le_bytes());
    out.push(u8::try_from(event.event_type.len())?);
    out.extend_from_slice(event.event_type.as_bytes());
    match layout {
        Layout::ByPosition => {
            out.extend_from_slice(&place.version.to_le_bytes());
            out.extend_from_slice(&u16::try_from(place.stream.len())?.to_le_bytes());
            out.extend_from_slice(place.stream.as_bytes());
        }
        Layout::ByStream => out.extend_from_slice(&place.position.to_le_bytes()),
    }
    out.extend_from_slice(&event.payload);
    Ok(())
}

/// The event stored by position.
#[inline]
pub(crate) fn decode_by_position(position: u64, value: &[u8]) -> Result<Seen<'_>> {
    let mut rest = value;
    let head = Head::take(&mut rest)?;
    let version = u64::from_le_bytes(chunk(&mut rest)?);
    let stream_bytes = u16::from_le_bytes(chunk(&mut rest)?);
    let (stream, payload) = rest.split_at_checked(usize::from(stream_bytes)).context("a record cut short")?;
    Ok(head.seen(position, std::str::from_utf8(stream)?, version, payload))
}

/// The event stored by stream and version.
#[inline]
pub(crate) fn decode_by_stream<'a>(key: &'a [u8], value: &'a [u8]) -> Result<Seen<'a>> {
    let (stream, version) = split_stream_key(key)?;
    let mut rest = value;
    let head = Head::take(&mut rest)?;
    let position = u64::from_le_bytes(chunk(&mut rest)?);
    Ok(head.seen(position, stream, version, rest))
}

struct Head<'a> {
    id: [u8; 16],
    occurred_at: i64,
    recorded_at: i64,
    event_type: &'a str,
}

impl<'a> Head<'a> {
    #[inline]
    fn take(rest: &mut &'a [u8]) -> Result<Self> {
        let id = chunk(rest)?;
        let occurred_at = i64::from_le_bytes(chunk(rest)?);
        let recorded_at = i64::from_le_bytes(chunk(rest)?);
        let [type_bytes] = chunk(rest)?;
        let (event_type, left) =
            rest.split_at_checked(usize::from(type_bytes)).context("a record cut short")?;
        *rest = left;
        Ok(Self { id, occurred_at, recorded_at, event_type: std::str::from_utf8(event_type)? })
    }

    const fn seen(self, position: u64, stream: &'a str, version: u64, payload: &'a [u8]) -> Seen<'a> {
        let Self { id, occurred_at, recorded_at, event_type } = self;
        Seen { position, stream, version, id, event_type, occurred_at, recorded_at, payload }
    }
}

fn chunk<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N]> {
    let (chunk, left) = rest.split_first_chunk().context("a record cut short")?;
    *rest = left;
    Ok(*chunk)
}
