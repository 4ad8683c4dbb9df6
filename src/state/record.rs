//! One state record, as commits and segments hold it.
//!
//! ```text
//! offset size  field
//!      0    4  record_len: bytes of the whole record
//!      4    1  kind: 1 checkpoint, 2 consumer, 3 parked event
//!      5    1  1 if the record takes its key away, and has no value; else 0
//!      6    2  name_len, at least 1
//!      8       name, value
//! ```
//! Kind and name together are the key. Records of a kind that this version does not know are carried along as they are.

use std::fmt;

use crate::disk::{Cursor, put_u16, put_u32};
use crate::types::OverLimit;
use crate::types::limits::{STATE_NAME_BYTES_MAX, STATE_VALUE_BYTES_MAX};

use super::checkpoint;

const HEADER_BYTES: usize = 8;

/// What a state record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StateKind(u8);

impl StateKind {
    pub(crate) const CHECKPOINT: Self = Self(1);
    pub(crate) const CONSUMER: Self = Self(2);
    pub(crate) const PARKED: Self = Self(3);
}

/// What a state record is found by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct StateKey {
    pub(crate) kind: StateKind,
    pub(crate) name: Box<[u8]>,
}

impl fmt::Debug for StateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.0, self.name.escape_ascii())
    }
}

/// A new value for a key; `None` takes it away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StateChange {
    pub(crate) key: StateKey,
    pub(crate) value: Option<Box<[u8]>>,
}

impl StateChange {
    /// Appends the change as a record.
    pub(crate) fn encode(&self, bytes: &mut Vec<u8>) -> Result<(), OverLimit> {
        let Self { key: StateKey { kind, name }, value } = self;
        if name.is_empty() {
            return Err(OverLimit::Empty("name of a state record"));
        }
        OverLimit::check("name of a state record", name.len(), STATE_NAME_BYTES_MAX)?;
        let held = value.as_deref().unwrap_or_default();
        OverLimit::check("value of a state record", held.len(), STATE_VALUE_BYTES_MAX)?;
        put(bytes, *kind, name, value.as_deref());
        Ok(())
    }

    /// Bytes of the record.
    pub(crate) fn record_bytes(&self) -> usize {
        HEADER_BYTES + self.key.name.len() + self.value.as_ref().map_or(0, |value| value.len())
    }
}

/// Appends a record that is within the limits.
pub(super) fn put(bytes: &mut Vec<u8>, kind: StateKind, name: &[u8], value: Option<&[u8]>) {
    let held = value.unwrap_or_default();
    let length = u32::try_from(HEADER_BYTES + name.len() + held.len());
    put_u32(bytes, length.unwrap_or_else(|_| unreachable!("limits keep a record below 4 GiB")));
    bytes.extend_from_slice(&[kind.0, u8::from(value.is_none())]);
    put_u16(
        bytes,
        u16::try_from(name.len()).unwrap_or_else(|_| unreachable!("limits keep names below 64 KiB")),
    );
    bytes.extend_from_slice(name);
    bytes.extend_from_slice(held);
}

/// A state record where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StateRecord<'a> {
    pub(crate) kind: StateKind,
    pub(crate) name: &'a [u8],
    /// `None` takes the key away.
    pub(crate) value: Option<&'a [u8]>,
}

impl StateRecord<'_> {
    pub(crate) fn key(&self) -> StateKey {
        StateKey { kind: self.kind, name: self.name.into() }
    }

    /// The change that it is.
    pub(crate) fn change(&self) -> StateChange {
        StateChange { key: self.key(), value: self.value.map(Box::from) }
    }
}

/// Why bytes are not state records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadState {
    #[error("state record is cut short")]
    Cut,
    #[error("state record's lengths do not add up")]
    Lengths,
    #[error("state record has a length past its limit")]
    Limit,
    #[error("state record has flags that this version does not know")]
    Unknown,
    #[error("checkpoint without a position, or with a name that is not UTF-8")]
    Checkpoint,
    #[error("state records are not as many as they should be")]
    Count,
    #[error("state records are out of order, or take a key away where there is none")]
    Order,
}

/// The records that lie one behind another in these bytes. Ends at the first that is bad.
#[derive(Debug, Clone)]
pub(crate) struct StateRecords<'a> {
    rest: &'a [u8],
}

impl<'a> StateRecords<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether all of these bytes are records, `count` of them.
    pub(crate) fn check(bytes: &'a [u8], count: u32) -> Result<(), BadState> {
        let mut found = 0_u32;
        for record in Self::new(bytes) {
            record?;
            // There are fewer than bytes.
            found = found.saturating_add(1);
        }
        if found == count { Ok(()) } else { Err(BadState::Count) }
    }

    fn take_next(&mut self) -> Result<StateRecord<'a>, BadState> {
        let mut cursor = Cursor::new(self.rest);
        let (Some(length), Some(kind), Some(removes), Some(name_len)) =
            (cursor.u32(), cursor.u8(), cursor.u8(), cursor.u16())
        else {
            return Err(BadState::Cut);
        };
        let length = usize::try_from(length).map_err(|_| BadState::Cut)?;
        let (record, rest) = self.rest.split_at_checked(length).ok_or(BadState::Cut)?;
        let held = record.get(HEADER_BYTES..).ok_or(BadState::Lengths)?;
        let (name, value) = held.split_at_checked(usize::from(name_len)).ok_or(BadState::Lengths)?;
        if name.is_empty() || name.len() > STATE_NAME_BYTES_MAX || value.len() > STATE_VALUE_BYTES_MAX {
            return Err(BadState::Limit);
        }
        let value = match removes {
            0 => Some(value),
            1 if value.is_empty() => None,
            1 => return Err(BadState::Lengths),
            _ => return Err(BadState::Unknown),
        };
        let record = StateRecord { kind: StateKind(kind), name, value };
        if record.kind == StateKind::CHECKPOINT && !checkpoint::is_sound(&record) {
            return Err(BadState::Checkpoint);
        }
        self.rest = rest;
        Ok(record)
    }
}

impl<'a> Iterator for StateRecords<'a> {
    type Item = Result<StateRecord<'a>, BadState>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let record = self.take_next();
        if record.is_err() {
            self.rest = &[];
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(kind: u8, name: &[u8], value: Option<&[u8]>) -> StateChange {
        let key = StateKey { kind: StateKind(kind), name: name.into() };
        StateChange { key, value: value.map(Box::from) }
    }

    fn encoded(changes: &[StateChange]) -> Vec<u8> {
        let mut bytes = Vec::new();
        changes.iter().for_each(|change| change.encode(&mut bytes).expect("within limits"));
        bytes
    }

    #[test]
    fn records_come_back_as_they_were_also_of_unknown_kinds() {
        let changes =
            [change(1, b"mailer", Some(b"12345678")), change(9, b"\0\xff", Some(b"")), change(1, b"a", None)];
        let bytes = encoded(&changes);
        assert_eq!(bytes.len(), changes.iter().map(StateChange::record_bytes).sum::<usize>());
        let back: Vec<_> = StateRecords::new(&bytes)
            .map(|record| record.expect("sound"))
            .map(|record| record.change())
            .collect();
        assert_eq!(back, changes);
        assert_eq!(StateRecords::check(&bytes, 3), Ok(()));
        assert_eq!(StateRecords::check(&bytes, 2), Err(BadState::Count));
        assert_eq!(StateRecords::check(&bytes, 4), Err(BadState::Count));
    }

    #[test]
    fn no_cut_and_no_changed_byte_is_taken_for_more_than_it_is() {
        let bytes = encoded(&[change(9, b"name", Some(b"value")), change(2, b"other", None)]);
        for cut in 0..bytes.len() {
            let whole = StateRecords::check(&bytes[..cut], 2);
            assert!(whole.is_err(), "cut at {cut}: {whole:?}");
        }
        for at in 0..bytes.len() {
            for value in [0, 1, 2, 7, 0x7f, 0xff] {
                let mut changed = bytes.clone();
                changed[at] = value;
                // Whatever it is taken for: it ends, and within the bytes.
                let records = StateRecords::new(&changed).filter_map(Result::ok);
                let held: usize =
                    records.map(|record| record.name.len() + record.value.map_or(0, <[u8]>::len)).sum();
                assert!(held <= bytes.len() - HEADER_BYTES, "{value} at {at}");
            }
        }
    }

    #[test]
    fn what_is_past_a_limit_is_neither_written_nor_read() {
        let name = vec![b'n'; STATE_NAME_BYTES_MAX];
        let value = vec![7; STATE_VALUE_BYTES_MAX];
        let at_limit = encoded(&[change(9, &name, Some(&value))]);
        assert_eq!(StateRecords::check(&at_limit, 1), Ok(()));
        let (long_name, long_value) = ([&name[..], b"n"].concat(), [&value[..], b"v"].concat());
        for (name, value) in [(&long_name[..], &value[..]), (&name, &long_value), (b"", b"")] {
            let past = change(9, name, Some(value));
            past.encode(&mut Vec::new()).expect_err("past a limit");
            let mut bytes = Vec::new();
            put(&mut bytes, StateKind(9), name, Some(value));
            assert_eq!(StateRecords::check(&bytes, 1), Err(BadState::Limit));
        }
    }

    #[test]
    fn a_checkpoint_has_a_position_and_a_name_of_text() {
        for (name, value) in [(&b"a"[..], &b"1234567"[..]), (b"a", b"123456789"), (b"\xff", b"12345678")] {
            let bytes = encoded(&[change(1, name, Some(value))]);
            assert_eq!(StateRecords::check(&bytes, 1), Err(BadState::Checkpoint));
        }
    }

    #[test]
    fn flags_that_nobody_knows_and_a_value_that_was_taken_away_are_refused() {
        let mut bytes = encoded(&[change(9, b"name", Some(b"value"))]);
        bytes[5] = 2;
        assert_eq!(StateRecords::check(&bytes, 1), Err(BadState::Unknown));
        bytes[5] = 1;
        assert_eq!(StateRecords::check(&bytes, 1), Err(BadState::Lengths));
    }
}
