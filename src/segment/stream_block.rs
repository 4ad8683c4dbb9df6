//! `StreamBlock`: streams of a segment in the order of their names' bytes, and where their events are.
//!
//! A block's bytes, decompressed; all numbers are varints:
//!
//! ```text
//! ordinal of the first event of the first stream
//! of each stream: name_len, name, version of its first event, count of its events
//! ```
//! The ordinals of the streams follow each other.

use std::ops::Range;

use crate::disk::{Varints, put_varint};
use crate::types::Version;
use crate::types::limits::STREAM_NAME_BYTES_MAX;

/// A block that has as many bytes is full.
const BLOCK_BYTES: usize = 4 << 10;
/// A block that was one byte from full, and one more stream.
pub(super) const RAW_BYTES_MAX: usize = BLOCK_BYTES + STREAM_NAME_BYTES_MAX + 64;

/// Where the events of one stream are in one segment: their ordinals follow each other, as their versions do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRun {
    pub(crate) first_version: Version,
    pub(crate) ordinals: Range<u32>,
}

/// A block of streams that is not full yet.
#[derive(Debug, Default)]
pub(super) struct StreamBlockBuilder {
    pub(super) first_name: String,
    pub(super) count: u32,
    bytes: Vec<u8>,
}

impl StreamBlockBuilder {
    pub(super) fn push(&mut self, name: &str, run: &StreamRun) {
        if self.count == 0 {
            self.first_name = name.to_owned();
            self.bytes.clear();
            put_varint(&mut self.bytes, u64::from(run.ordinals.start));
        }
        self.count += 1;
        put_varint(&mut self.bytes, name.len() as u64);
        self.bytes.extend_from_slice(name.as_bytes());
        put_varint(&mut self.bytes, run.first_version.as_u64());
        put_varint(&mut self.bytes, u64::from(run.ordinals.end - run.ordinals.start));
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES
    }

    /// The block's bytes, not compressed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Streams that follow each other in a segment, all checked when this was made.
#[derive(Debug)]
pub(super) struct StreamBlock {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// The ordinal behind the last event of the last stream.
    end: u32,
}

#[derive(Debug)]
struct Entry {
    name: u32,
    name_len: u16,
    first_ordinal: u32,
    first_version: Version,
}

impl StreamBlock {
    /// Takes apart the bytes of a block of `count` streams, in a segment of `events` events.
    pub(super) fn decode(raw: Vec<u8>, count: u32, events: u32) -> Result<Self, &'static str> {
        const CUT: &str = "stream is cut or past a limit";
        let mut rest = Varints::new(&raw);
        let mut end = rest.u32().ok_or(CUT)?;
        let (mut entries, mut before) = (Vec::new(), "");
        for _ in 0..count {
            let name_len =
                rest.u16().filter(|length| usize::from(*length) <= STREAM_NAME_BYTES_MAX).ok_or(CUT)?;
            let name = u32::try_from(raw.len() - rest.remaining()).map_err(|_| CUT)?;
            let text = rest.bytes(usize::from(name_len)).and_then(|text| std::str::from_utf8(text).ok());
            let text = text.ok_or("stream's name is cut or no text")?;
            // Nothing is before all, so an empty name is out of order too.
            if text <= before {
                return Err("streams are out of order");
            }
            before = text;
            let first_version = rest.number().ok_or(CUT)?;
            let stream_events = rest.u32().filter(|events| *events > 0).ok_or(CUT)?;
            if first_version.checked_add(u64::from(stream_events) - 1).is_none() {
                return Err("version is past the end of u64");
            }
            let first_version = Version::new(first_version);
            entries.push(Entry { name, name_len, first_ordinal: end, first_version });
            let after = end.checked_add(stream_events).filter(|end| *end <= events);
            end = after.ok_or("streams have more events than the segment")?;
        }
        if rest.remaining() > 0 {
            return Err("block of streams is longer than its streams");
        }
        Ok(Self { bytes: raw, entries, end })
    }

    /// The stream with this name.
    pub(super) fn find(&self, name: &str) -> Option<StreamRun> {
        let found = self.entries.binary_search_by(|entry| self.name_of(entry).cmp(name.as_bytes()));
        found.ok().and_then(|at| self.run(at))
    }

    /// The place of the first stream whose name is not before this one.
    pub(super) fn first_from(&self, name: &str) -> usize {
        self.entries.partition_point(|entry| self.name_of(entry) < name.as_bytes())
    }

    /// Name and run of the stream at a place; `None` behind the last.
    pub(super) fn stream(&self, at: usize) -> Option<(&str, StreamRun)> {
        let name = std::str::from_utf8(self.name_of(self.entries.get(at)?));
        Some((name.unwrap_or_else(|_| unreachable!("names were checked to be text")), self.run(at)?))
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>() + size_of::<Self>()
    }

    fn run(&self, at: usize) -> Option<StreamRun> {
        let Entry { first_version, first_ordinal, .. } = *self.entries.get(at)?;
        let end = self.entries.get(at + 1).map_or(self.end, |next| next.first_ordinal);
        Some(StreamRun { first_version, ordinals: first_ordinal..end })
    }

    fn name_of(&self, entry: &Entry) -> &[u8] {
        let start = usize::try_from(entry.name).unwrap_or(usize::MAX);
        let name = self.bytes.get(start..).and_then(|rest| rest.get(..usize::from(entry.name_len)));
        name.unwrap_or_else(|| unreachable!("names were checked to lie in the block"))
    }
}
