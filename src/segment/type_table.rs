//! `TypeTable`: which event types a segment has, so that a read of others can pass it by.
//!
//! The block's bytes: of each type, in the order of its bytes: name_len, name, count of its events; the numbers are varints.

use std::collections::BTreeMap;

use crate::disk::{Varints, put_varint};
use crate::types::limits::EVENT_TYPE_BYTES_MAX;

/// A segment with more types has no table of them.
pub(super) const TYPES_MAX: usize = 1024;
pub(super) const RAW_BYTES_MAX: usize = TYPES_MAX * (EVENT_TYPE_BYTES_MAX + 8);

/// Counts events by type, until there are too many types.
#[derive(Debug)]
pub(super) struct TypeCounts {
    counts: Option<BTreeMap<String, u32>>,
}

impl Default for TypeCounts {
    fn default() -> Self {
        Self { counts: Some(BTreeMap::new()) }
    }
}

impl TypeCounts {
    pub(super) fn add(&mut self, event_type: &str) {
        let Some(counts) = &mut self.counts else { return };
        if let Some(count) = counts.get_mut(event_type) {
            *count += 1;
        } else if counts.len() < TYPES_MAX {
            counts.insert(event_type.to_owned(), 1);
        } else {
            self.counts = None;
        }
    }

    /// The counts so far; `None` when there are too many types.
    pub(super) fn counts(&self) -> Option<&BTreeMap<String, u32>> {
        self.counts.as_ref()
    }

    /// How many types there are, and the table's bytes; `None` when there are too many.
    pub(super) fn encode(&self) -> Option<(u32, Vec<u8>)> {
        let counts = self.counts.as_ref()?;
        let mut bytes = Vec::new();
        for (event_type, count) in counts {
            put_varint(&mut bytes, event_type.len() as u64);
            bytes.extend_from_slice(event_type.as_bytes());
            put_varint(&mut bytes, u64::from(*count));
        }
        Some((u32::try_from(counts.len()).ok()?, bytes))
    }
}

/// The types of a segment, sorted, with the count of their events.
#[derive(Debug)]
pub(super) struct TypeTable {
    types: Vec<(String, u32)>,
}

impl TypeTable {
    /// Takes apart the bytes of a table of `count` types, in a segment of `events` events.
    pub(super) fn decode(raw: &[u8], count: u32, events: u32) -> Result<Self, &'static str> {
        const CUT: &str = "event type is cut or past a limit";
        let (mut rest, mut types, mut sum) = (Varints::new(raw), Vec::<(String, u32)>::new(), 0_u32);
        for _ in 0..count {
            let length =
                rest.u16().filter(|length| usize::from(*length) <= EVENT_TYPE_BYTES_MAX).ok_or(CUT)?;
            let name = rest.bytes(usize::from(length)).and_then(|name| std::str::from_utf8(name).ok());
            let name = name.ok_or("event type is cut or no text")?;
            let type_events = rest.u32().filter(|events| *events > 0).ok_or(CUT)?;
            // Nothing is before all, so an empty name is out of order too.
            if name <= types.last().map_or("", |(before, _)| before) {
                return Err("event types are out of order");
            }
            sum = sum.checked_add(type_events).ok_or("event types have more events than the segment")?;
            types.push((name.to_owned(), type_events));
        }
        if rest.remaining() > 0 || sum != events {
            return Err("event types do not add up to the segment's events");
        }
        Ok(Self { types })
    }

    /// How many events of this type there are.
    pub(super) fn events_of(&self, event_type: &str) -> u32 {
        let found = self.types.binary_search_by(|(name, _)| name.as_str().cmp(event_type)).ok();
        found.and_then(|at| self.types.get(at)).map_or(0, |(_, events)| *events)
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        let names = self.types.iter().map(|(name, _)| name.capacity()).sum::<usize>();
        names + self.types.capacity() * size_of::<(String, u32)>() + size_of::<Self>()
    }
}
