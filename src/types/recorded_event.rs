//! `RecordedEvent`: a fact as it was recorded, a view into the bytes it was read from.
//!
//! It owns a share of those bytes, so it lives as long as the caller likes and copies nothing. Both texts were checked
//! to be UTF-8 when it was made.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::{Encoding, EventId, NewEvent, Position, Timestamp, Version};

/// Where in the shared bytes an event's four variable parts lie.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    /// The stream's name.
    pub(crate) stream: Range<u32>,
    /// The event's type.
    pub(crate) event_type: Range<u32>,
    /// The metadata.
    pub(crate) metadata: Range<u32>,
    /// The payload.
    pub(crate) payload: Range<u32>,
}

/// An event as the store holds it.
#[derive(Clone)]
pub struct RecordedEvent {
    bytes: Arc<Vec<u8>>,
    layout: Layout,
    id: EventId,
    version: Version,
    position: Position,
    commit_position: Position,
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
    pub(crate) commit_position: Position,
    pub(crate) occurred_at: Timestamp,
    pub(crate) recorded_at: Timestamp,
    pub(crate) encoding: Encoding,
}

impl RecordedEvent {
    /// The event whose parts lie in `bytes` as `layout` says; `None` when a part lies outside, or a text is not UTF-8.
    pub(crate) fn new(bytes: Arc<Vec<u8>>, layout: Layout, facts: Facts) -> Option<Self> {
        let text =
            |range: &Range<u32>| slice(&bytes, range).is_some_and(|part| std::str::from_utf8(part).is_ok());
        let sound = text(&layout.stream)
            && text(&layout.event_type)
            && slice(&bytes, &layout.metadata).is_some()
            && slice(&bytes, &layout.payload).is_some();
        let Facts { id, version, position, commit_position, occurred_at, recorded_at, encoding } = facts;
        sound.then_some(Self {
            bytes,
            layout,
            id,
            version,
            position,
            commit_position,
            occurred_at,
            recorded_at,
            encoding,
        })
    }

    /// The name of the stream it is in.
    #[must_use]
    pub fn stream(&self) -> &str {
        self.text(&self.layout.stream)
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
        self.commit_position
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> EventId {
        self.id
    }

    /// What kind of fact it is.
    #[must_use]
    pub fn event_type(&self) -> &str {
        self.text(&self.layout.event_type)
    }

    /// The fact itself, as it was appended.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.part(&self.layout.payload)
    }

    /// What was appended with it.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.part(&self.layout.metadata)
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
        let mut bytes = Vec::new();
        let mut add = |part: &[u8]| {
            let start = bytes.len();
            bytes.extend_from_slice(part);
            as_u32(start)..as_u32(bytes.len())
        };
        let layout = Layout {
            stream: add(self.stream().as_bytes()),
            event_type: add(self.event_type().as_bytes()),
            metadata: add(self.metadata()),
            payload: add(self.payload()),
        };
        Self { bytes: Arc::new(bytes), layout, ..self.clone() }
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

    fn part(&self, range: &Range<u32>) -> &[u8] {
        slice(&self.bytes, range)
            .unwrap_or_else(|| unreachable!("ranges were checked when the event was made"))
    }

    fn text(&self, range: &Range<u32>) -> &str {
        std::str::from_utf8(self.part(range))
            .unwrap_or_else(|_| unreachable!("texts were checked when the event was made"))
    }
}

fn slice<'a>(bytes: &'a [u8], range: &Range<u32>) -> Option<&'a [u8]> {
    bytes.get(usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?)
}

fn as_u32(bytes: usize) -> u32 {
    u32::try_from(bytes)
        .unwrap_or_else(|_| unreachable!("an event's parts are limited to far less than 4 GiB"))
}

impl PartialEq for RecordedEvent {
    /// Equal when every value of the event is, wherever its bytes lie.
    fn eq(&self, other: &Self) -> bool {
        self.position == other.position
            && self.commit_position == other.commit_position
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
            .field("commit_position", &self.commit_position.as_u64())
            .field("id", &format_args!("{}", self.id))
            .field("event_type", &self.event_type())
            .field("payload_bytes", &self.payload().len())
            .field("metadata_bytes", &self.metadata().len())
            .field("occurred_at", &self.occurred_at.as_micros())
            .field("recorded_at", &self.recorded_at.as_micros())
            .finish_non_exhaustive()
    }
}
