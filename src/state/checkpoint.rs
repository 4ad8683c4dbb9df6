//! Checkpoints: how far somebody has come who reads the store in order. The value is the position of the next event to read, 8
//! bytes; the name is UTF-8.

use crate::types::limits::CHECKPOINT_NAME_BYTES_MAX;
use crate::types::{OverLimit, Position};

use super::record::{StateChange, StateKey, StateKind, StateRecord};
use super::table::{Moving, StateTable};

impl StateTable {
    /// Where a checkpoint is, if there is one of this name.
    pub(crate) fn checkpoint(&self, name: &str) -> Option<Position> {
        self.get(&key(name)).map(|value| checkpoint_of(name.as_bytes(), value).1)
    }

    /// Whether a change that was sent again is to be made: of a checkpoint, if that goes on by it, and what was to be checked
    /// `holds`. Somebody may have moved it further since it was sent first, or put it there anew since it was removed. Consumers
    /// send nothing again: what they say is always the last.
    pub(crate) fn goes_on_by(&self, record: &StateRecord<'_>, holds: bool) -> bool {
        match record.value {
            _ if record.kind != StateKind::CHECKPOINT => true,
            Some(value) if holds => {
                let (name, position) = checkpoint_of(record.name, value);
                self.checkpoint(name).is_none_or(|now| now < position)
            }
            _ => false,
        }
    }

    /// All checkpoints, in the order of their names.
    pub(crate) fn checkpoints(&self) -> impl Iterator<Item = (&str, Position)> {
        self.of_kind(StateKind::CHECKPOINT).map(|(name, value)| checkpoint_of(name, value))
    }
}

fn key(name: &str) -> StateKey {
    StateKey { kind: StateKind::CHECKPOINT, name: name.as_bytes().into() }
}

/// The change that puts a checkpoint at a position; without one, that takes it away.
pub(crate) fn checkpoint_at(name: &str, position: Option<Position>) -> Result<StateChange, OverLimit> {
    const NAME: &str = "name of a checkpoint";
    if name.is_empty() {
        return Err(OverLimit::Empty(NAME));
    }
    OverLimit::check(NAME, name.len(), CHECKPOINT_NAME_BYTES_MAX)?;
    let value = position.map(|position| position.as_u64().to_le_bytes().into());
    Ok(StateChange { key: key(name), value })
}

/// The name and the position that a sound record of a checkpoint says.
fn checkpoint_of<'a>(name: &'a [u8], value: &[u8]) -> (&'a str, Position) {
    parse(name, value).unwrap_or_else(|| unreachable!("a checkpoint is checked before it is taken in"))
}

/// A checkpoint, where its position is another one.
pub(super) fn moved_checkpoint(name: &[u8], value: &[u8], moving: &Moving<'_>) -> Option<StateChange> {
    let (name, position) = checkpoint_of(name, value);
    checkpoint_at(name, Some((moving.next)(position))).ok()
}

/// Whether a record of this kind has what belongs in it.
pub(super) fn is_sound(record: &StateRecord<'_>) -> bool {
    match record.value {
        Some(value) => parse(record.name, value).is_some(),
        None => std::str::from_utf8(record.name).is_ok(),
    }
}

fn parse<'a>(name: &'a [u8], value: &[u8]) -> Option<(&'a str, Position)> {
    let position = u64::from_le_bytes(value.try_into().ok()?);
    Some((std::str::from_utf8(name).ok()?, Position::new(position)))
}
