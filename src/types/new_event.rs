//! `NewEvent`: a fact on its way in, at the raw level: any bytes.

use super::{Encoding, EventId, EventType, OverLimit, Timestamp};

use super::limits::{METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX};

/// An event as the caller gives it; the store adds stream, version, position and recorded_at.
///
/// ```
/// use annals::{NewEvent, Timestamp};
/// let event = NewEvent::new("Deposited", br#"{"cents":500}"#.to_vec())?
///     .occurred_at(Timestamp::from_micros(1_700_000_000_000_000));
/// assert_eq!(event.event_type.as_str(), "Deposited");
/// # Ok::<(), annals::OverLimit>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Given by a caller who wants to be able to retry; the library makes one (v7) otherwise.
    pub id: Option<EventId>,
    /// What kind of fact it is.
    pub event_type: EventType,
    /// The fact: up to 16 MiB.
    pub payload: Vec<u8>,
    /// Whatever goes with it: up to 64 KiB.
    pub metadata: Vec<u8>,
    /// When it happened; recorded_at if not given.
    pub occurred_at: Option<Timestamp>,
    /// How the payload was made.
    pub encoding: Encoding,
}

impl NewEvent {
    /// An event of this type with this payload and nothing else.
    ///
    /// # Errors
    /// `OverLimit` when the type is empty or too long.
    pub fn new(
        event_type: impl Into<std::borrow::Cow<'static, str>>,
        payload: impl Into<Vec<u8>>,
    ) -> Result<Self, OverLimit> {
        Ok(Self {
            id: None,
            event_type: EventType::new(event_type)?,
            payload: payload.into(),
            metadata: Vec::new(),
            occurred_at: None,
            encoding: Encoding::RAW,
        })
    }

    /// The same with this id.
    #[must_use]
    pub fn id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// The same with this metadata.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.metadata = metadata.into();
        self
    }

    /// The same, having happened at this time.
    #[must_use]
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// The same with this encoding in its header.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Whether payload and metadata are within their limits.
    pub(crate) fn check_limits(&self) -> Result<(), OverLimit> {
        OverLimit::check("payload", self.payload.len(), PAYLOAD_BYTES_MAX)?;
        OverLimit::check("metadata", self.metadata.len(), METADATA_BYTES_MAX)
    }
}
