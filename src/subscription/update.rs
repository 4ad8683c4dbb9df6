//! `Update`: what a subscription yields.

use crate::types::{Position, RecordedEvent};

/// What a subscription yields: an event, or how it stands to the head.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Update {
    /// The next event that the filter admits.
    Event(RecordedEvent),
    /// All events before this position that the filter admits were yielded, and there were no others at that moment. Told
    /// once, when history ends and the present begins: after each [`Update::FellBehind`] again.
    CaughtUp {
        /// The head at that moment.
        position: Position,
    },
    /// The events from this position on have left memory before they were asked for: they are read from disk, as history is.
    /// Nothing is lost and nothing is left out.
    FellBehind {
        /// The next position.
        position: Position,
    },
}

impl Update {
    /// The event, if it is one.
    #[must_use]
    pub fn into_event(self) -> Option<RecordedEvent> {
        match self {
            Self::Event(event) => Some(event),
            Self::CaughtUp { .. } | Self::FellBehind { .. } => None,
        }
    }
}
