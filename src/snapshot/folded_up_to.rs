//! `FoldedUpTo`: the last event that a state has taken in, told well enough to be known again.

use crate::types::{EventId, Position, RecordedEvent, Timestamp, Version};

/// The last event that a state has taken in. Version and position alone would fit any history of that length; id and
/// time tell whether it is the same one: after a power cut the log may have lost its end and gone on differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoldedUpTo {
    pub(crate) version: Version,
    pub(crate) position: Position,
    pub(crate) recorded_at: Timestamp,
    pub(crate) id: EventId,
}

impl From<&RecordedEvent> for FoldedUpTo {
    fn from(event: &RecordedEvent) -> Self {
        Self {
            version: event.version(),
            position: event.position(),
            recorded_at: event.recorded_at(),
            id: event.id(),
        }
    }
}
