//! What is kept of consumers.
//!
//! The value of a consumer (kind 2; its name is the consumer's) is how far it has come, in varints:
//!
//! ```text
//! floor: all that its filter admits below this position is done, or parked
//! how far above the floor it has read
//! how far above the floor events may have been handed out
//! count of events that it has read and that are not done, then of each: how far it lies above the one before, or above the
//!     floor; how often it was handed out
//! ```
//!
//! The value of a parked event (kind 3; its name is the consumer's, a zero, and the position, 8 bytes):
//!
//! ```text
//! how often it was handed out, varint
//! when it was parked, 8 bytes
//! 1 if it is being replayed, else 0
//! 1 if later events of its key wait behind it, else 0; then bytes of the key, varint, and the key
//! why it was parked: all the rest, UTF-8
//! ```

use std::collections::BTreeMap;

use crate::disk::{Varints, put_varint};
use crate::types::limits::{CONSUMER_NAME_BYTES_MAX, PARK_REASON_BYTES_MAX};
use crate::types::{OverLimit, Position, Timestamp};

use super::record::{StateChange, StateKey, StateKind};
use super::table::{Moving, StateTable};

const POSITION_BYTES: usize = 8;

/// How far a consumer has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Progress {
    /// All below is done, or parked.
    pub(crate) floor: u64,
    /// What is admitted below it is done, or parked, but for those that are open.
    pub(crate) read_to: u64,
    /// Below it events may have been handed out by somebody who ended without a word.
    pub(crate) handed_to: u64,
    /// Of events that are not done: how often they were handed out.
    pub(crate) open: BTreeMap<u64, u32>,
}

/// An event that a consumer has put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ParkedRecord {
    pub(crate) attempts: u32,
    pub(crate) at: Timestamp,
    pub(crate) is_replayed: bool,
    /// The key whose later events wait behind it.
    pub(crate) key: Option<String>,
    pub(crate) reason: String,
}

/// Whether a consumer may have this name.
pub(crate) fn check_consumer_name(name: &str) -> Result<(), OverLimit> {
    const NAME: &str = "name of a consumer";
    if name.is_empty() {
        return Err(OverLimit::Empty(NAME));
    }
    OverLimit::check(NAME, name.len(), CONSUMER_NAME_BYTES_MAX)
}

fn consumer_key(name: &str) -> StateKey {
    StateKey { kind: StateKind::CONSUMER, name: name.as_bytes().into() }
}

fn parked_key(consumer: &str, position: u64) -> StateKey {
    let name = [consumer.as_bytes(), &[0], &position.to_le_bytes()].concat();
    StateKey { kind: StateKind::PARKED, name: name.into() }
}

impl Progress {
    /// The change that records it.
    pub(crate) fn change(&self, consumer: &str) -> StateChange {
        StateChange { key: consumer_key(consumer), value: Some(self.encode().into()) }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, self.floor);
        put_varint(&mut bytes, self.read_to.saturating_sub(self.floor));
        put_varint(&mut bytes, self.handed_to.saturating_sub(self.floor));
        put_varint(&mut bytes, self.open.len() as u64);
        let mut before = self.floor;
        for (position, times) in &self.open {
            put_varint(&mut bytes, position.saturating_sub(before));
            put_varint(&mut bytes, u64::from(*times));
            before = *position;
        }
        bytes
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut rest = Varints::new(value);
        let floor = rest.number()?;
        let read_to = floor.checked_add(rest.number()?)?;
        let handed_to = floor.checked_add(rest.number()?)?;
        let (count, mut before, mut open) = (rest.number()?, floor, BTreeMap::new());
        for number in 0..count {
            let step = rest.number().filter(|step| *step > 0 || number == 0)?;
            before = before.checked_add(step)?;
            open.insert(before, rest.u32()?);
        }
        (rest.remaining() == 0).then_some(Self { floor, read_to, handed_to, open })
    }
}

/// A consumer's progress, where positions are other ones.
pub(super) fn moved_consumer(name: &[u8], value: &[u8], moving: &Moving<'_>) -> Option<StateChange> {
    let Progress { floor, read_to, handed_to, open } = Progress::decode(value)?;
    let next = |position| (moving.next)(Position::new(position)).as_u64();
    let event = |position| (moving.event)(Position::new(position)).map(Position::as_u64);
    let open = open.into_iter().filter_map(|(position, times)| Some((event(position)?, times)));
    let [floor, read_to, handed_to] = [floor, read_to, handed_to].map(next);
    let moved = Progress { floor, read_to, handed_to, open: open.collect() };
    Some(moved.change(std::str::from_utf8(name).ok()?))
}

/// A parked event's record, where the event is at another position. One that is lost is parked no more, and
/// what waited behind it is done.
pub(super) fn moved_parked(name: &[u8], value: &[u8], moving: &Moving<'_>) -> Option<StateChange> {
    let (consumer, position) = split(name)?;
    let moved = (moving.event)(Position::new(position))?;
    Some(ParkedRecord::decode(value)?.change(consumer, moved.as_u64()))
}

impl ParkedRecord {
    /// The change that records it.
    pub(crate) fn change(&self, consumer: &str, position: u64) -> StateChange {
        StateChange { key: parked_key(consumer, position), value: Some(self.encode().into()) }
    }

    /// The change that takes it away.
    pub(crate) fn removal(consumer: &str, position: u64) -> StateChange {
        StateChange { key: parked_key(consumer, position), value: None }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_varint(&mut bytes, u64::from(self.attempts));
        bytes.extend_from_slice(&self.at.as_micros().to_le_bytes());
        bytes.extend_from_slice(&[u8::from(self.is_replayed), u8::from(self.key.is_some())]);
        let key = self.key.as_deref().unwrap_or_default();
        put_varint(&mut bytes, key.len() as u64);
        bytes.extend_from_slice(key.as_bytes());
        bytes.extend_from_slice(self.reason.as_bytes());
        bytes
    }

    fn decode(value: &[u8]) -> Option<Self> {
        let mut rest = Varints::new(value);
        let attempts = rest.u32()?;
        let at = Timestamp::from_micros(i64::from_le_bytes(rest.bytes(8)?.try_into().ok()?));
        let (is_replayed, has_key) = (rest.u8().filter(|it| *it < 2)?, rest.u8().filter(|it| *it < 2)?);
        let key_len = usize::try_from(rest.number()?).ok()?;
        let key = String::from_utf8(rest.bytes(key_len)?.to_vec()).ok()?;
        let reason = String::from_utf8(rest.bytes(rest.remaining())?.to_vec()).ok()?;
        if has_key == 0 && !key.is_empty() {
            return None;
        }
        Some(Self { attempts, at, is_replayed: is_replayed == 1, key: (has_key == 1).then_some(key), reason })
    }

    /// A reason, cut to what is kept of it.
    pub(crate) fn reason(text: &str) -> String {
        let cut = (0..=PARK_REASON_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
        text.get(..cut.unwrap_or(0)).unwrap_or_default().to_owned()
    }
}

impl StateTable {
    /// How far a consumer has come; `None` when there is none of this name.
    ///
    /// # Errors
    /// In words, when the record says nothing that this version writes.
    pub(crate) fn progress(&self, consumer: &str) -> Result<Option<Progress>, &'static str> {
        let Some(value) = self.get(&consumer_key(consumer)) else { return Ok(None) };
        Progress::decode(value).map(Some).ok_or("a consumer's record cannot be read")
    }

    /// The events that a consumer has put aside, by position.
    ///
    /// # Errors
    /// As [`StateTable::progress`].
    pub(crate) fn parked(&self, consumer: &str) -> Result<BTreeMap<u64, ParkedRecord>, &'static str> {
        let (first, last) = (parked_key(consumer, 0), parked_key(consumer, u64::MAX));
        let mut parked = BTreeMap::new();
        let records = self.of_kind_from(StateKind::PARKED, &first.name);
        for (name, value) in records.take_while(|(name, _)| **name <= *last.name) {
            // A longer name may lie between two positions of this one.
            if let Some((_, position)) = split(name).filter(|(of, _)| *of == consumer) {
                let record = ParkedRecord::decode(value).ok_or("a parked event's record cannot be read")?;
                parked.insert(position, record);
            }
        }
        Ok(parked)
    }

    /// The names of all consumers.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = &str> {
        self.of_kind(StateKind::CONSUMER).filter_map(|(name, _)| std::str::from_utf8(name).ok())
    }
}

/// Consumer and position in the name of a parked event's record.
fn split(name: &[u8]) -> Option<(&str, u64)> {
    let (consumer, position) = name.split_last_chunk::<POSITION_BYTES>()?;
    let (zero, consumer) = consumer.split_last()?;
    (*zero == 0).then_some((std::str::from_utf8(consumer).ok()?, u64::from_le_bytes(*position)))
}

#[cfg(test)]
mod tests {
    use super::super::record::StateRecord;
    use super::*;

    fn apply(table: &mut StateTable, change: &StateChange) {
        let StateChange { key: StateKey { kind, name }, value } = change;
        table.apply(&StateRecord { kind: *kind, name, value: value.as_deref() });
    }

    #[test]
    fn progress_comes_back_and_no_cut_of_it_does() {
        let open = BTreeMap::from([(10, 0), (11, 3), (700, u32::MAX)]);
        let end = u64::MAX;
        for progress in [
            Progress::default(),
            Progress { floor: 10, read_to: 701, handed_to: 1_000, open },
            Progress { floor: end, read_to: end, handed_to: end, open: BTreeMap::new() },
        ] {
            let bytes = progress.encode();
            assert_eq!(Progress::decode(&bytes), Some(progress));
            assert!((0..bytes.len()).all(|cut| Progress::decode(&bytes[..cut]).is_none()));
            assert_eq!(Progress::decode(&[&bytes[..], &[0]].concat()), None);
        }
        assert_eq!(Progress::decode(&[5, 9, 0, 2, 1, 0, 0, 0]), None, "one position twice");
    }

    #[test]
    fn parked_events_are_listed_by_consumer_whatever_others_are_called() {
        let record = |reason: &str, key: Option<&str>| ParkedRecord {
            attempts: 7,
            at: Timestamp::from_micros(-5),
            is_replayed: key.is_some(),
            key: key.map(str::to_owned),
            reason: reason.to_owned(),
        };
        let mut table = StateTable::default();
        for consumer in ["a", "a\0", "a\0b", "ab", "b"] {
            for position in [0, 1, 0x0100, u64::MAX] {
                let key = (position == 1).then_some("key");
                apply(&mut table, &record(consumer, key).change(consumer, position));
            }
        }
        for consumer in ["a", "a\0", "a\0b", "ab", "b"] {
            let parked = table.parked(consumer).expect("sound");
            assert_eq!(parked.keys().copied().collect::<Vec<_>>(), [0, 1, 0x0100, u64::MAX], "{consumer:?}");
            assert!(parked.values().all(|record| record.reason == consumer));
            assert_eq!(parked[&1], record(consumer, Some("key")));
        }
        apply(&mut table, &ParkedRecord::removal("a", 1));
        assert_eq!(table.parked("a").expect("sound").len(), 3);
        assert_eq!(table.parked("").expect("sound").len(), 0);
    }

    #[test]
    fn a_parked_record_comes_back_and_no_cut_of_its_head_does() {
        let record = ParkedRecord {
            attempts: 300,
            at: Timestamp::from_micros(99),
            is_replayed: false,
            key: Some("key".to_owned()),
            reason: "räume".to_owned(),
        };
        let bytes = record.encode();
        assert_eq!(ParkedRecord::decode(&bytes).as_ref(), Some(&record));
        assert!((0..bytes.len() - 6).all(|cut| ParkedRecord::decode(&bytes[..cut]).is_none()));
        assert_eq!(ParkedRecord::reason(&"ß".repeat(2_000)).len(), PARK_REASON_BYTES_MAX);
    }

    #[test]
    fn positions_move_and_what_is_lost_is_not_taken_for_what_is_behind_it() {
        // Position 11 is lost.
        let next = |position: Position| Position::new(position.as_u64() - u64::from(position.as_u64() > 11));
        let event = |position: Position| (position.as_u64() != 11).then(|| next(position));
        let moving = Moving { next: &next, event: &event };
        let mut table = StateTable::default();
        let open = BTreeMap::from([(10, 1), (11, 2), (12, 4)]);
        apply(&mut table, &Progress { floor: 10, read_to: 15, handed_to: 20, open }.change("a"));
        let parked = ParkedRecord {
            attempts: 1,
            at: Timestamp::EPOCH,
            is_replayed: false,
            key: None,
            reason: String::new(),
        };
        [9, 11, 12].iter().for_each(|position| apply(&mut table, &parked.change("a", *position)));
        let mut moved = StateTable::default();
        table.moved(&moving).for_each(|change| apply(&mut moved, &change));
        let open = BTreeMap::from([(10, 1), (11, 4)]);
        let progress = Progress { floor: 10, read_to: 14, handed_to: 19, open };
        assert_eq!(moved.progress("a"), Ok(Some(progress)));
        let parked: Vec<_> = moved.parked("a").expect("sound").into_keys().collect();
        assert_eq!(parked, [9, 11]);
    }
}
