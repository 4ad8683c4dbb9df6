//! Commands that were booked before: found by their id, answered with the places of the first time.

use crate::error::Result;
use crate::store::Stream;
use crate::types::{EventId, Outcome, Receipt};

/// The receipt of a command whose events are in the stream; `None` when they are not.
///
/// Its events lie one behind another, since one append wrote them, and their ids follow from the command's.
pub(super) fn booked<C>(stream: &Stream<C>, command: EventId) -> Result<Option<Receipt>> {
    let Some(first) = stream.find(command)? else {
        return Ok(None);
    };
    let mut places = Vec::new();
    let mut recorded_at = first.recorded_at();
    for (ordinal, event) in (0..=u32::MAX).zip(stream.read().from(first.version()).iter()) {
        let event = event?;
        if event.id() != command.derive(ordinal) {
            break;
        }
        places.push((event.version(), event.position()));
        recorded_at = event.recorded_at();
    }
    let version = places.last().map(|(version, _)| *version);
    Ok(Some(Receipt::new(stream.name().clone(), places, version, recorded_at, Outcome::AlreadyAppended)))
}
