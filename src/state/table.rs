//! `StateTable`: all state records that are in effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::types::Position;
use crate::types::limits::STATES_BYTES_MAX;

use super::checkpoint::moved_checkpoint;
use super::consumer::{moved_consumer, moved_parked};
use super::record::{BadState, StateChange, StateKey, StateKind, StateRecord, StateRecords, put};

/// Where positions of one store are in another that lacks some of its events.
pub(crate) struct Moving<'a> {
    /// Of the next event to read.
    pub(crate) next: &'a dyn Fn(Position) -> Position,
    /// Of an event; `None` when it is not there.
    pub(crate) event: &'a dyn Fn(Position) -> Option<Position>,
}

/// What a record takes in memory beside its name and its value.
const OVERHEAD_BYTES: usize = 64;

/// Of each key the value that was given last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StateTable {
    records: BTreeMap<StateKey, Arc<[u8]>>,
    /// What they take in memory, about.
    bytes: usize,
}

impl StateTable {
    /// Takes a change in.
    pub(crate) fn apply(&mut self, record: &StateRecord<'_>) {
        let key = record.key();
        let overhead = OVERHEAD_BYTES + record.name.len();
        let old = match record.value {
            Some(value) => {
                self.bytes += overhead + value.len();
                self.records.insert(key, value.into())
            }
            None => self.records.remove(&key),
        };
        if let Some(old) = old {
            self.bytes -= overhead + old.len();
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &StateKey) -> Option<&Arc<[u8]>> {
        self.records.get(key)
    }

    /// All of a kind, in the order of their names.
    pub(crate) fn of_kind(&self, kind: StateKind) -> impl Iterator<Item = (&[u8], &Arc<[u8]>)> {
        self.of_kind_from(kind, &[])
    }

    /// Those of a kind from a name on, in the order of their names.
    pub(crate) fn of_kind_from(
        &self,
        kind: StateKind,
        name: &[u8],
    ) -> impl Iterator<Item = (&[u8], &Arc<[u8]>)> + use<'_> {
        let first = StateKey { kind, name: name.into() };
        let of_kind = self.records.range(first..).take_while(move |(key, _)| key.kind == kind);
        of_kind.map(|(key, value)| (&*key.name, value))
    }

    /// The changes that make this table of an empty one, in a store where events are at other positions.
    pub(crate) fn moved(&self, moving: &Moving<'_>) -> impl Iterator<Item = StateChange> {
        self.records.iter().filter_map(|(key, value)| match key.kind {
            StateKind::CHECKPOINT => moved_checkpoint(&key.name, value, moving),
            StateKind::CONSUMER => moved_consumer(&key.name, value, moving),
            StateKind::PARKED => moved_parked(&key.name, value, moving),
            _ => Some(StateChange { key: key.clone(), value: Some(Box::from(&**value)) }),
        })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// What they take in memory, about; as records they take less.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// By how many bytes a change grows the table.
    pub(crate) fn growth(&self, record: &StateRecord<'_>) -> usize {
        let Some(value) = record.value else { return 0 };
        match self.records.get(&record.key()) {
            Some(old) => value.len().saturating_sub(old.len()),
            None => OVERHEAD_BYTES + record.name.len() + value.len(),
        }
    }

    /// All records one behind another, in the order of their keys.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.bytes);
        for (key, value) in &self.records {
            put(&mut bytes, key.kind, &key.name, Some(value));
        }
        bytes
    }

    /// The table of `count` records that lie in these bytes as [`StateTable::encode`] puts them.
    pub(crate) fn decode(bytes: &[u8], count: u32) -> Result<Self, BadState> {
        let mut table = Self::default();
        for record in StateRecords::new(bytes) {
            let record = record?;
            let last = table.records.last_key_value().map(|(key, _)| key);
            if record.value.is_none() || last.is_some_and(|last| *last >= record.key()) {
                return Err(BadState::Order);
            }
            table.apply(&record);
            if table.bytes > STATES_BYTES_MAX {
                return Err(BadState::Limit);
            }
        }
        if u32::try_from(table.len()) == Ok(count) { Ok(table) } else { Err(BadState::Count) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(table: &mut StateTable, kind: StateKind, name: &str, value: Option<&str>) {
        let (name, value) = (name.as_bytes(), value.map(str::as_bytes));
        table.apply(&StateRecord { kind, name, value });
    }

    #[test]
    fn the_last_value_of_a_key_counts_and_so_do_its_bytes() {
        let mut table = StateTable::default();
        let kind = StateKind::CHECKPOINT;
        for (name, value) in [("b", Some("1")), ("a", Some("22")), ("b", Some("333")), ("c", None)] {
            apply(&mut table, kind, name, value);
            assert_eq!(table.bytes(), table.encode().len() + table.len() * (OVERHEAD_BYTES - 8));
        }
        let all: Vec<_> = table.of_kind(kind).map(|(name, value)| (name, &value[..])).collect();
        assert_eq!(all, [(&b"a"[..], &b"22"[..]), (b"b", b"333")]);
        apply(&mut table, kind, "a", None);
        apply(&mut table, kind, "b", None);
        assert_eq!((table.len(), table.bytes()), (0, 0));
    }

    #[test]
    fn a_table_comes_back_from_its_bytes_and_from_nothing_else() {
        let mut table = StateTable::default();
        for name in ["one", "two", "three"] {
            apply(&mut table, StateKind::CHECKPOINT, name, Some("12345678"));
        }
        let bytes = table.encode();
        assert_eq!(StateTable::decode(&bytes, 3), Ok(table.clone()));
        assert_eq!(StateTable::decode(&bytes, 2), Err(BadState::Count));
        assert_eq!(StateTable::decode(&[], 0), Ok(StateTable::default()));
        let twice = [&bytes[..], &bytes].concat();
        assert_eq!(StateTable::decode(&twice, 6), Err(BadState::Order));
        let mut removed = Vec::new();
        put(&mut removed, StateKind::CHECKPOINT, b"a", None);
        assert_eq!(StateTable::decode(&removed, 0), Err(BadState::Order));
    }

    #[test]
    fn growth_is_what_a_new_value_adds() {
        let mut table = StateTable::default();
        let kind = StateKind::CHECKPOINT;
        apply(&mut table, kind, "a", Some("1234"));
        for (name, value, growth) in [
            ("a", Some("123456789"), 5),
            ("a", Some("12"), 0),
            ("a", None, 0),
            ("b", None, 0),
            ("b", Some("123456789"), OVERHEAD_BYTES + 10),
        ] {
            let mut grown = table.clone();
            let (name, value) = (name.as_bytes(), value.map(str::as_bytes));
            let record = StateRecord { kind, name, value };
            assert_eq!(table.growth(&record), growth);
            grown.apply(&record);
            assert!(grown.bytes() <= table.bytes() + growth);
        }
    }
}
