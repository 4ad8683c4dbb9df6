//! `EventTable`: events that were read together, taken apart once and checked. A [`RecordedEvent`] is a row of one.

use std::ops::Range;
use std::sync::Arc;

use super::{Encoding, EventId, Position, RecordedEvent, Timestamp, Version};

/// Events that share what they were read with. Names lie apart from the other bytes, as text, so that nobody checks again
/// what was text already.
#[derive(Debug)]
pub(crate) struct EventTable {
    pub(super) bytes: Arc<Vec<u8>>,
    pub(super) names: String,
    pub(super) rows: Vec<Row>,
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) names: Names,
    pub(crate) parts: Parts,
    pub(crate) facts: Facts,
}

/// Where an event's two names lie in the table's. Events may share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) stream: u32,
    pub(crate) event_type: u32,
    pub(crate) stream_len: u16,
    pub(crate) type_len: u16,
}

/// Where an event's two variable parts lie in the table's bytes: the payload behind the metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) metadata: u32,
    /// Where the metadata ends and the payload begins.
    pub(crate) payload: u32,
    pub(crate) end: u32,
}

/// The values of an event that are of one size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) id: EventId,
    pub(crate) version: Version,
    pub(crate) position: Position,
    /// How many events of its commit come before it.
    pub(crate) number: u32,
    pub(crate) occurred_at: Timestamp,
    pub(crate) recorded_at: Timestamp,
    pub(crate) encoding: Encoding,
}

const CACHE_LINE_BYTES: usize = 64;
/// What lies behind follows in order: the processor sees to it.
const TOUCHED_BYTES_MAX: u32 = 512;

/// A table that is made event by event.
#[derive(Debug, Default)]
pub(crate) struct EventTableBuilder {
    bytes: Vec<u8>,
    names: String,
    rows: Vec<Row>,
}

/// How much of a table was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableMark {
    bytes: usize,
    names: usize,
    rows: usize,
}

impl EventTableBuilder {
    /// Nothing yet, with room for so many events and so many bytes of what they hold.
    pub(crate) fn with_capacity(events: usize, bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), names: String::new(), rows: Vec::with_capacity(events) }
    }

    /// Nothing yet, in the memory of a table that nobody else has, if that is so.
    pub(crate) fn in_place_of(table: Arc<EventTable>) -> Self {
        let Ok(EventTable { bytes, mut names, mut rows }) = Arc::try_unwrap(table) else {
            return Self::default();
        };
        let mut bytes = Arc::try_unwrap(bytes).unwrap_or_default();
        bytes.clear();
        names.clear();
        rows.clear();
        Self { bytes, names, rows }
    }

    /// Adds an event whose parts will lie so in the table's bytes.
    pub(crate) fn push(&mut self, stream: &str, event_type: &str, parts: Parts, facts: Facts) {
        let last = self.rows.last().map(|row| row.names);
        let known = last.map(|last| (last.stream, last.stream_len));
        let (stream, stream_len) = self.known_name(known, stream);
        let known = last.map(|last| (last.event_type, last.type_len));
        let (event_type, type_len) = self.known_name(known, event_type);
        self.push_row(Row { names: Names { stream, event_type, stream_len, type_len }, parts, facts });
    }

    /// Adds an event whose names were put here.
    #[inline]
    pub(crate) fn push_row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Puts a name behind the others; where it lies, and its length. `None` when there are 4 GiB of names, or one has 64 KiB: no
    /// store has.
    pub(crate) fn push_name(&mut self, name: &str) -> Option<(u32, u16)> {
        let start = u32::try_from(self.names.len()).ok()?;
        let length = u16::try_from(name.len()).ok()?;
        self.names.push_str(name);
        Some((start, length))
    }

    /// Puts bytes behind the others; where they lie.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    /// Makes room for so many events more, and so many bytes of what they hold.
    pub(crate) fn reserve(&mut self, events: usize, bytes: usize) {
        self.rows.reserve(events);
        self.bytes.reserve(bytes);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn mark(&self) -> TableMark {
        TableMark { bytes: self.bytes.len(), names: self.names.len(), rows: self.rows.len() }
    }

    /// Takes back what was put here after a mark.
    pub(crate) fn back_to(&mut self, mark: TableMark) {
        self.bytes.truncate(mark.bytes);
        self.names.truncate(mark.names);
        self.rows.truncate(mark.rows);
    }

    /// The table of these events, which takes no more memory than they need.
    pub(crate) fn exact(mut self) -> Arc<EventTable> {
        self.bytes.shrink_to_fit();
        self.names.shrink_to_fit();
        self.rows.shrink_to_fit();
        self.table()
    }

    /// The table of these events.
    pub(crate) fn table(self) -> Arc<EventTable> {
        EventTable::new(Arc::new(self.bytes), self.names, self.rows)
    }

    /// The table of these events, whose parts lie in bytes that others share.
    pub(crate) fn table_in(mut self, bytes: Arc<Vec<u8>>) -> Arc<EventTable> {
        self.names.shrink_to_fit();
        EventTable::new(bytes, self.names, self.rows)
    }

    /// Where a name lies: it is put behind the others unless it is the one that is known.
    fn known_name(&mut self, known: Option<(u32, u16)>, name: &str) -> (u32, u16) {
        let at = |(start, length): (u32, u16)| in_usize(start)..in_usize(start) + usize::from(length);
        let known = known.filter(|known| self.names.get(at(*known)) == Some(name));
        let known = known.or_else(|| self.push_name(name));
        known
            .unwrap_or_else(|| unreachable!("limits keep names short, and what is read together below 4 GiB"))
    }
}

impl EventTable {
    /// The table of these rows, whose names and parts lie where they say.
    pub(crate) fn new(bytes: Arc<Vec<u8>>, names: String, rows: Vec<Row>) -> Arc<Self> {
        Arc::new(Self { bytes, names, rows })
    }

    /// The event in a row, which must be one of the table's.
    #[inline]
    pub(crate) fn event(self: &Arc<Self>, row: usize) -> RecordedEvent {
        RecordedEvent::new(Arc::clone(self), row)
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The rows of the events at these positions, where the rows are in the order of positions.
    pub(crate) fn rows_at(&self, positions: &Range<u64>) -> Range<usize> {
        let below = |end: u64| self.rows.partition_point(|row| row.facts.position.as_u64() < end);
        below(positions.start)..below(positions.end)
    }

    /// Brings an event nearer that will be read soon: its row, and where its parts begin. Who is about to walk through
    /// events that lie all over memory waits for them once and not for each (docs/performance.md has the figure).
    #[inline]
    pub(crate) fn touch(&self, row: usize) {
        let Some(row) = self.rows.get(row) else { return };
        let Parts { metadata, end, .. } = row.parts;
        let end = end.min(metadata.saturating_add(TOUCHED_BYTES_MAX));
        let parts = self.bytes.get(in_usize(metadata)..in_usize(end)).unwrap_or_default();
        let seen = parts.iter().step_by(CACHE_LINE_BYTES).fold(0, |seen, byte| seen ^ byte);
        std::hint::black_box((seen, parts.last(), row.facts.id));
    }

    /// Bytes of memory that it takes, its buffer included.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.own_bytes()
    }

    /// Bytes of memory that it takes beside its buffer, which may be that of others too.
    pub(crate) fn own_bytes(&self) -> usize {
        self.names.capacity() + self.rows.capacity() * size_of::<Row>() + size_of::<Self>()
    }
}

#[inline]
pub(super) fn in_usize(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
