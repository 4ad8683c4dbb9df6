//! `Upcast` and `Upcasted`: an event on its way through the steps, and at their end.

use crate::codec::Stored;
use crate::types::Encoding;

/// An event between two steps: as it was stored, or as the last step left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcast {
    /// Its type.
    pub event_type: String,
    /// How its payload was made, and its schema version.
    pub encoding: Encoding,
    /// Its payload.
    pub payload: Vec<u8>,
}

impl Upcast {
    /// The same event as a codec reads it.
    #[must_use]
    pub fn as_stored(&self) -> Stored<'_> {
        Stored { event_type: &self.event_type, encoding: self.encoding, payload: &self.payload }
    }
}

impl From<Stored<'_>> for Upcast {
    fn from(stored: Stored<'_>) -> Self {
        Self {
            event_type: stored.event_type.to_owned(),
            encoding: stored.encoding,
            payload: stored.payload.to_vec(),
        }
    }
}

/// An event at its current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upcasted<'a> {
    /// No step applies to it: it is as it was stored, and nothing was copied.
    AsStored(Stored<'a>),
    /// What the steps made of it.
    Changed(Upcast),
}

impl Upcasted<'_> {
    /// The event as a codec reads it.
    #[must_use]
    pub fn as_stored(&self) -> Stored<'_> {
        match self {
            Self::AsStored(stored) => *stored,
            Self::Changed(upcast) => upcast.as_stored(),
        }
    }
}
