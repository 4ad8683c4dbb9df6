//! `RecordedEvent`: a fact as it was recorded, a view into the bytes it was read from.
//!
//! It owns a share of those bytes, so it lives as long as the caller likes and copies nothing. The parts were checked to lie
//! in the bytes, and both texts to be UTF-8, before it was made.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{Encoding, EventId, NewEvent, Position, Timestamp, Version};

/// Where in the shared bytes an event's four variable parts lie. The payload lies behind the metadata; names may lie
/// anywhere, because events may share them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Where the stream's name begins.
    pub(crate) stream: u32,
    /// Where the event's type begins.
    pub(crate) event_type: u32,
    /// Bytes of the stream's name.
    pub(crate) stream_len: u16,
    /// Bytes of the event's type.
    pub(crate) type_len: u16,
    /// Where the metadata begins.
    pub(crate) metadata: u32,
    /// Where the metadata ends and the payload begins.
    pub(crate) payload: u32,
    /// Where the payload ends.
    pub(crate) end: u32,
}

/// An event as the store holds it: a share of the bytes that it was read with, which may be those of many events. Who keeps
/// a few of many for long keeps them [detached](RecordedEvent::detached).
#[derive(Clone)]
pub struct RecordedEvent {
    bytes: Arc<Vec<u8>>,
    layout: Layout,
    id: EventId,
    version: Version,
    position: Position,
    /// How many events of its commit come before it.
    number: u32,
    occurred_at: Timestamp,
    recorded_at: Timestamp,
    encoding: Encoding,
}

/// The fixed-size values of a recorded event.
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

impl RecordedEvent {
    /// The event whose parts lie in `bytes` as `layout` says. The caller has checked that they do and that both texts are
    /// UTF-8.
    #[inline]
    pub(crate) fn new(bytes: Arc<Vec<u8>>, layout: Layout, facts: Facts) -> Self {
        let Facts { id, version, position, number, occurred_at, recorded_at, encoding } = facts;
        Self { bytes, layout, number, id, version, position, occurred_at, recorded_at, encoding }
    }

    /// The name of the stream it is in.
    #[must_use]
    pub fn stream(&self) -> &str {
        self.text(self.layout.stream, self.layout.stream_len)
    }

    /// Its place in the stream.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Its place in the store.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The position of the first event of its commit: the same for events that were appended together, all or nothing,
    /// and for no others.
    #[must_use]
    pub fn commit_position(&self) -> Position {
        Position::new(self.position.as_u64() - u64::from(self.number))
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.id
    }

    /// What kind of fact it is.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.text(self.layout.event_type, self.layout.type_len)
    }

    /// The fact itself, as it was appended.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.part(self.layout.payload..self.layout.end)
    }

    /// What was appended with it.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.part(self.layout.metadata..self.layout.payload)
    }

    /// When it happened, as its writer said.
    #[must_use]
    pub fn occurred_at(&self) -> Timestamp {
        self.occurred_at
    }

    /// When the store took it: never earlier than that of any event before it.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// How the payload was made.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// A copy that shares no bytes with other events: for holding a few events of many for long.
    #[must_use]
    pub fn detached(&self) -> Self {
        let Layout { stream_len, type_len, metadata, payload, end, .. } = self.layout;
        let event_type = u32::from(stream_len);
        let moved_to = event_type + u32::from(type_len);
        let layout = Layout {
            stream: 0,
            event_type,
            stream_len,
            type_len,
            metadata: moved_to,
            payload: moved_to + (payload - metadata),
            end: moved_to + (end - metadata),
        };
        let parts = [self.stream().as_bytes(), self.event_type().as_bytes(), self.part(metadata..end)];
        Self { bytes: Arc::new(parts.concat()), layout, ..self.clone() }
    }

    /// The event as a caller would append it again, id and occurred_at included.
    #[must_use]
    pub fn to_new_event(&self) -> NewEvent {
        NewEvent {
            id: Some(self.id),
            event_type: super::EventType::new(self.event_type().to_owned())
                .unwrap_or_else(|_| unreachable!("a recorded event's type is within its limits")),
            payload: self.payload().to_vec(),
            metadata: self.metadata().to_vec(),
            occurred_at: Some(self.occurred_at),
            encoding: self.encoding,
        }
    }

    fn part(&self, range: Range<u32>) -> &[u8] {
        let in_usize = |at| usize::try_from(at).unwrap_or(usize::MAX);
        let part = self.bytes.get(in_usize(range.start)..in_usize(range.end));
        part.unwrap_or_else(|| unreachable!("ranges were checked before the event was made"))
    }

    fn text(&self, start: u32, length: u16) -> &str {
        std::str::from_utf8(self.part(start..start + u32::from(length)))
            .unwrap_or_else(|_| unreachable!("texts were checked before the event was made"))
    }
}

impl PartialEq for RecordedEvent {
    /// Equal when every value of the event is, wherever its bytes lie.
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
            && self.number == other.number
            && self.version == other.version
            && self.id == other.id
            && self.occurred_at == other.occurred_at
            && self.recorded_at == other.recorded_at
            && self.encoding == other.encoding
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
            .field("version", &self.version.as_u64())
            .field("position", &self.position.as_u64())
            .field("commit_position", &self.commit_position().as_u64())
            .field("id", &format_args!("{}", self.id))
            .field("event_type", &self.event_type())
            .field("payload_bytes", &self.payload().len())
            .field("metadata_bytes", &self.metadata().len())
            .field("occurred_at", &self.occurred_at.as_micros())
            .field("recorded_at", &self.recorded_at.as_micros())
            .finish_non_exhaustive()
    }
}
