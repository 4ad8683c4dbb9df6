//! `Encoded` and `Stored`: an event as bytes, on its way out of a codec and on its way back in.

use super::event::Header;
use crate::types::{CodecId, Encoding, EventType, NewEvent, RecordedEvent};

/// An event as a codec made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The name of the enum's variant, or of the struct.
    pub event_type: EventType,
    /// What a reader must know to take the payload apart.
    pub encoding: Encoding,
    /// The content alone: neither type nor shape is in it.
    pub payload: Vec<u8>,
}

impl Encoded {
    /// The event that `codec` took apart into this header and payload, at schema version 1.
    #[must_use]
    pub fn new(codec: CodecId, header: Header, payload: Vec<u8>) -> Self {
        let Header { event_type, shape, fields } = header;
        Self { event_type, encoding: Encoding { codec, shape, fields, schema_version: 1 }, payload }
    }

    /// The same event as a codec reads it.
    #[must_use]
    pub fn as_stored(&self) -> Stored<'_> {
        Stored { event_type: self.event_type.as_str(), encoding: self.encoding, payload: &self.payload }
    }
}

impl From<Encoded> for NewEvent {
    fn from(encoded: Encoded) -> Self {
        let Encoded { event_type, encoding, payload } = encoded;
        Self { id: None, event_type, payload, metadata: Vec::new(), occurred_at: None, encoding }
    }
}

/// An event as the store holds it: what a codec reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored<'a> {
    /// The event's type.
    pub event_type: &'a str,
    /// How its payload was made.
    pub encoding: Encoding,
    /// The payload.
    pub payload: &'a [u8],
}

impl<'a> From<&'a RecordedEvent> for Stored<'a> {
    fn from(event: &'a RecordedEvent) -> Self {
        Self { event_type: event.event_type(), encoding: event.encoding(), payload: event.payload() }
    }
}
