//! `RecordedEvent`: a fact as it was recorded, a row of a table of events that were read together.
//!
//! It owns a share of the table, so it lives as long as the caller likes and copies nothing. The table was checked before
//! it was made.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::event_table::{Facts, Names, Parts, Row, in_usize};
use super::{Encoding, EventId, EventTable, NewEvent, Position, Timestamp, Version};

/// An event as the store holds it: a share of the bytes that it was read with, which may be those of many events. Who keeps
/// a few of many for long keeps them [detached](RecordedEvent::detached).
#[derive(Clone)]
pub struct RecordedEvent {
    table: Arc<EventTable>,
    row: usize,
}

impl RecordedEvent {
    /// The event in a row of a table, which must be one of the table's.
    #[inline]
    pub(crate) fn new(table: Arc<EventTable>, row: usize) -> Self {
        Self { table, row }
    }

    /// The name of the stream it is in.
    #[must_use]
    #[inline]
    pub fn stream(&self) -> &str {
        let Names { stream, stream_len, .. } = self.row().names;
        self.name(stream, stream_len)
    }

    /// Its place in the stream.
    #[must_use]
    #[inline]
    pub fn version(&self) -> Version {
        self.row().facts.version
    }

    /// Its place in the store.
    #[must_use]
    #[inline]
    pub fn position(&self) -> Position {
        self.row().facts.position
    }

    /// The position of the first event of its commit: the same for events that were appended together, all or nothing,
    /// and for no others.
    #[must_use]
    #[inline]
    pub fn commit_position(&self) -> Position {
        let Facts { position, number, .. } = self.row().facts;
        Position::new(position.as_u64() - u64::from(number))
    }

    /// Its identity.
    #[must_use]
    #[inline]
    pub fn id(&self) -> EventId {
        self.row().facts.id
    }

    /// What kind of fact it is.
    #[must_use]
    #[inline]
    pub fn event_type(&self) -> &str {
        let Names { event_type, type_len, .. } = self.row().names;
        self.name(event_type, type_len)
    }

    /// The fact itself, as it was appended.
    #[must_use]
    #[inline]
    pub fn payload(&self) -> &[u8] {
        let Parts { payload, end, .. } = self.row().parts;
        self.part(payload..end)
    }

    /// What was appended with it.
    #[must_use]
    #[inline]
    pub fn metadata(&self) -> &[u8] {
        let Parts { metadata, payload, .. } = self.row().parts;
        self.part(metadata..payload)
    }

    /// When it happened, as its writer said.
    #[must_use]
    #[inline]
    pub fn occurred_at(&self) -> Timestamp {
        self.row().facts.occurred_at
    }

    /// When the store took it: never earlier than that of any event before it.
    #[must_use]
    #[inline]
    pub fn recorded_at(&self) -> Timestamp {
        self.row().facts.recorded_at
    }

    /// How the payload was made.
    #[must_use]
    #[inline]
    pub fn encoding(&self) -> Encoding {
        self.row().facts.encoding
    }

    /// A copy that shares no bytes with other events: for holding a few events of many for long.
    #[must_use]
    pub fn detached(&self) -> Self {
        let Row { names, parts: Parts { metadata, payload, end }, facts } = *self.row();
        let bytes = Arc::new(self.part(metadata..end).to_vec());
        let moved = Row {
            names: Names { stream: 0, event_type: u32::from(names.stream_len), ..names },
            parts: Parts { metadata: 0, payload: payload - metadata, end: end - metadata },
            facts,
        };
        EventTable::new(bytes, [self.stream(), self.event_type()].concat(), vec![moved]).event(0)
    }

    /// The event as a caller would append it again, id and occurred_at included.
    #[must_use]
    pub fn to_new_event(&self) -> NewEvent {
        NewEvent {
            id: Some(self.id()),
            event_type: super::EventType::new(self.event_type().to_owned())
                .unwrap_or_else(|_| unreachable!("a recorded event's type is within its limits")),
            payload: self.payload().to_vec(),
            metadata: self.metadata().to_vec(),
            occurred_at: Some(self.occurred_at()),
            encoding: self.encoding(),
        }
    }

    #[inline]
    fn row(&self) -> &Row {
        let row = self.table.rows.get(self.row);
        row.unwrap_or_else(|| unreachable!("an event is made of a row that its table has"))
    }

    #[inline]
    fn part(&self, range: Range<u32>) -> &[u8] {
        let part = self.table.bytes.get(in_usize(range.start)..in_usize(range.end));
        part.unwrap_or_else(|| unreachable!("ranges were checked before the table was made"))
    }

    #[inline]
    fn name(&self, start: u32, length: u16) -> &str {
        let name = self.table.names.get(in_usize(start)..in_usize(start) + usize::from(length));
        name.unwrap_or_else(|| unreachable!("names were put where the table says"))
    }
}

impl PartialEq for RecordedEvent {
    /// Equal when every value of the event is, wherever its bytes lie.
    fn eq(&self, other: &Self) -> bool {
        self.row().facts == other.row().facts
            && self.stream() == other.stream()
            && self.event_type() == other.event_type()
            && self.metadata() == other.metadata()
            && self.payload() == other.payload()
    }
}

impl Eq for RecordedEvent {}

impl fmt::Debug for RecordedEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordedEvent")
            .field("stream", &self.stream())
            .field("version", &self.version().as_u64())
            .field("position", &self.position().as_u64())
            .field("commit_position", &self.commit_position().as_u64())
            .field("id", &format_args!("{}", self.id()))
            .field("event_type", &self.event_type())
            .field("payload_bytes", &self.payload().len())
            .field("metadata_bytes", &self.metadata().len())
            .field("occurred_at", &self.occurred_at().as_micros())
            .field("recorded_at", &self.recorded_at().as_micros())
            .finish_non_exhaustive()
    }
}
