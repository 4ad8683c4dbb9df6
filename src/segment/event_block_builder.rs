//! `EventBlockBuilder`: puts a block of events together, column by column. `event_block.rs` has the map of the bytes, and takes
//! them apart.

use crate::disk::{put_signed, put_varint};
use crate::types::{Encoding, Extension, RecordedEvent};

use super::event_block::COLUMNS;

/// A block that has as many bytes is full where a stream begins.
pub(super) const BLOCK_BYTES: usize = 8 << 10;
/// A block that has as many bytes is full within a stream too, and an event of as many has a block to itself.
pub(super) const BLOCK_BYTES_MAX: usize = 2 * BLOCK_BYTES;

/// A block of events that is not full yet.
#[derive(Debug, Default)]
pub(super) struct EventBlockBuilder {
    count: u32,
    runs: Vec<Run>,
    names: Vec<u8>,
    kinds: Vec<Kind>,
    /// Bytes of the types in `kinds`.
    kinds_bytes: usize,
    /// As they are numbered in the map.
    columns: [Vec<u8>; COLUMNS],
    ids: Vec<u8>,
    heap: Vec<u8>,
    /// Of the event before.
    recorded_at: i64,
}

#[derive(Debug)]
struct Run {
    name_len: usize,
    first_version: u64,
    events: u32,
    last_position: u64,
}

#[derive(Debug, PartialEq, Eq)]
struct Kind {
    event_type: String,
    encoding: Encoding,
    flags: u16,
}

/// Bytes of the numbers in a run or a kind, about.
const NUMBERS_BYTES: usize = 12;

impl EventBlockBuilder {
    /// How many events it has.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Whether a block ends before this event, the first of its stream.
    pub(super) fn ends_before_stream(&self, event: &RecordedEvent, extension: &Extension) -> bool {
        self.count > 0 && (self.bytes() >= BLOCK_BYTES || is_large(event, extension))
    }

    /// Whether a block ends before this event, not the first of its stream.
    pub(super) fn ends_within_stream(&self, event: &RecordedEvent, extension: &Extension) -> bool {
        self.count > 0 && (self.bytes() >= BLOCK_BYTES_MAX || is_large(event, extension))
    }

    /// Bytes so far, about.
    fn bytes(&self) -> usize {
        self.names.len()
            + self.kinds_bytes
            + (self.runs.len() + self.kinds.len()) * NUMBERS_BYTES
            + self.columns.iter().map(Vec::len).sum::<usize>()
            + self.ids.len()
            + self.heap.len()
    }

    /// Begins what the block holds of the stream of this event.
    pub(super) fn begin_run(&mut self, event: &RecordedEvent) {
        let name = event.stream().as_bytes();
        self.names.extend_from_slice(name);
        let first_version = event.version().as_u64();
        self.runs.push(Run { name_len: name.len(), first_version, events: 0, last_position: 0 });
    }

    /// Adds an event to the run that was begun last.
    pub(super) fn push(&mut self, event: &RecordedEvent, extension: &Extension) {
        let kind = self.kind_of(event, extension.flags);
        let Some(run) = self.runs.last_mut() else { unreachable!("an event follows the start of its run") };
        let position = event.position().as_u64();
        let told_position = position - run.last_position;
        run.last_position = position;
        run.events += 1;
        self.count += 1;
        let recorded_at = event.recorded_at().as_micros();
        let [kinds, positions, numbers, recorded, occurred, metadata, payloads, extensions] =
            &mut self.columns;
        put_varint(kinds, kind);
        put_varint(positions, told_position);
        put_varint(numbers, position - event.commit_position().as_u64());
        put_signed(recorded, recorded_at.wrapping_sub(self.recorded_at));
        put_signed(occurred, event.occurred_at().as_micros().wrapping_sub(recorded_at));
        put_varint(metadata, event.metadata().len() as u64);
        put_varint(payloads, event.payload().len() as u64);
        put_varint(extensions, extension.bytes.len() as u64);
        self.recorded_at = recorded_at;
        self.ids.extend_from_slice(&event.id().to_bytes());
        for part in [&extension.bytes, event.metadata(), event.payload()] {
            self.heap.extend_from_slice(part);
        }
    }

    /// The place in the list of the kind of this event.
    fn kind_of(&mut self, event: &RecordedEvent, flags: u16) -> u64 {
        let found = self.kinds.iter().position(|kind| {
            kind.flags == flags && kind.encoding == event.encoding() && kind.event_type == event.event_type()
        });
        let at = found.unwrap_or_else(|| {
            let event_type = event.event_type().to_owned();
            self.kinds_bytes += event_type.len();
            self.kinds.push(Kind { event_type, encoding: event.encoding(), flags });
            self.kinds.len() - 1
        });
        at as u64
    }

    /// Appends the block's bytes, not compressed, and begins another.
    pub(super) fn finish(&mut self, raw: &mut Vec<u8>) {
        put_varint(raw, self.runs.len() as u64);
        let mut names = self.names.as_slice();
        for run in self.runs.drain(..) {
            let (name, rest) = names.split_at(run.name_len);
            names = rest;
            put_varint(raw, name.len() as u64);
            raw.extend_from_slice(name);
            put_varint(raw, run.first_version);
            put_varint(raw, u64::from(run.events));
        }
        put_varint(raw, self.kinds.len() as u64);
        for Kind { event_type, encoding, flags } in self.kinds.drain(..) {
            put_varint(raw, event_type.len() as u64);
            raw.extend_from_slice(event_type.as_bytes());
            raw.push(encoding.codec.as_u8());
            raw.push(encoding.shape.as_u8());
            put_varint(raw, u64::from(encoding.fields));
            put_varint(raw, u64::from(encoding.schema_version));
            put_varint(raw, u64::from(flags));
        }
        self.columns.iter().for_each(|column| put_varint(raw, column.len() as u64));
        for part in self.columns.iter().chain([&self.ids, &self.heap]) {
            raw.extend_from_slice(part);
        }
        // What was taken in keeps its room for the next block, unless an event was large.
        self.columns.iter_mut().chain([&mut self.names, &mut self.ids, &mut self.heap]).for_each(|part| {
            part.clear();
            part.shrink_to(4 * BLOCK_BYTES_MAX);
        });
        (self.count, self.kinds_bytes, self.recorded_at) = (0, 0, 0);
    }
}

fn is_large(event: &RecordedEvent, extension: &Extension) -> bool {
    extension.bytes.len() + event.metadata().len() + event.payload().len() >= BLOCK_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::super::tests::made::{Made, history};
    use super::*;
    use crate::types::Chain;

    /// An event of one byte and a payload of as many bytes as asked.
    fn event(payload_bytes: usize) -> RecordedEvent {
        let made = Made::new("account-1", &vec![7; payload_bytes]);
        history(&[made], Chain::START, 0).sorted.remove(0).event
    }

    /// A builder that holds exactly so many bytes.
    fn builder_of(bytes: usize) -> EventBlockBuilder {
        let built = |payload_bytes| {
            let mut builder = EventBlockBuilder::default();
            let event = event(payload_bytes);
            builder.begin_run(&event);
            builder.push(&event, &Extension::default());
            builder
        };
        // Lengths of the same width, so that only the payload differs.
        let builder = built(bytes - (built(10_000).bytes() - 10_000) - usize::from(bytes > 16_384 + 100));
        let missing = bytes - builder.bytes();
        let builder = if missing == 0 { builder } else { built(builder.heap.len() + missing) };
        assert_eq!(builder.bytes(), bytes);
        builder
    }

    #[test]
    fn a_block_ends_before_a_stream_from_8_kib_on_and_within_one_from_16_kib_on() {
        let (event, none) = (event(10), Extension::default());
        let ends = |bytes| {
            let builder = builder_of(bytes);
            (builder.ends_before_stream(&event, &none), builder.ends_within_stream(&event, &none))
        };
        assert_eq!(ends(BLOCK_BYTES - 1), (false, false));
        assert_eq!(ends(BLOCK_BYTES), (true, false));
        assert_eq!(ends(BLOCK_BYTES_MAX - 1), (true, false));
        assert_eq!(ends(BLOCK_BYTES_MAX), (true, true));
    }

    #[test]
    fn an_event_of_16_kib_has_a_block_to_itself() {
        let none = Extension::default();
        let (large, less) = (event(BLOCK_BYTES_MAX), event(BLOCK_BYTES_MAX - 1));
        let small = builder_of(1_000);
        assert!(small.ends_before_stream(&large, &none) && small.ends_within_stream(&large, &none));
        assert!(!small.ends_before_stream(&less, &none) && !small.ends_within_stream(&less, &none));
        assert!(small.ends_within_stream(&less, &Extension { flags: 0, bytes: [0].into() }));
        let empty = EventBlockBuilder::default();
        assert!(!empty.ends_before_stream(&large, &none), "there is no block without events");
        assert!(builder_of(BLOCK_BYTES_MAX + 500).ends_within_stream(&event(1), &none), "nothing follows it");
    }
}
