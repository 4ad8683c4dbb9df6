//! `Directory`: which snapshots there are and where they lie, by stream. Pure: it opens no file.
//!
//! What remains of earlier snapshots when one is written follows from the record alone, so a scan of the packs, taken in
//! the order of `sequence`, ends with what the writer had.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::types::limits::SNAPSHOTS_KEPT_MAX;
use crate::types::{StreamName, Version};

use super::record::{Header, StateKind};
use super::snapshot_use::SnapshotIgnored;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordAt {
    /// The number of the pack.
    pub(super) pack: u64,
    /// The byte in it.
    pub(super) offset: u64,
    /// Bytes of the record.
    pub(super) bytes: u64,
}

/// A snapshot that may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) state_type: Arc<str>,
    pub(super) schema: u32,
    pub(super) version: Version,
    pub(super) sequence: u64,
    pub(super) at: RecordAt,
}

/// The snapshots of each stream. Those of one state type and schema are in ascending order of version.
#[derive(Debug, Default)]
pub(super) struct Directory {
    streams: HashMap<StreamName, Vec<Entry>>,
    /// One copy of each name, however many snapshots bear it.
    state_types: HashSet<Arc<str>>,
    last_sequence: u64,
}

impl Entry {
    fn is_of(&self, kind: StateKind<'_>) -> bool {
        &*self.state_type == kind.state_type && self.schema == kind.schema
    }
}

impl Directory {
    /// Takes in a snapshot; the places of those that it takes the place of.
    ///
    /// These are: of the same state type, all of another schema, all that are not older, and the oldest past `keep`; of
    /// other state types, the oldest past the limit.
    pub(super) fn insert(&mut self, header: &Header, at: RecordAt) -> Vec<RecordAt> {
        self.last_sequence = self.last_sequence.max(header.sequence);
        let state_type = match self.state_types.get(header.state_type.as_str()) {
            Some(known) => Arc::clone(known),
            None => {
                let new: Arc<str> = header.state_type.as_str().into();
                self.state_types.insert(Arc::clone(&new));
                new
            }
        };
        let (schema, version, sequence) = (header.schema, header.up_to.version, header.sequence);
        let entries = self.streams.entry(header.stream.clone()).or_default();
        let mut dropped = Vec::new();
        let mut drop_unless = |entries: &mut Vec<Entry>, remains: &mut dyn FnMut(&Entry) -> bool| {
            entries.retain(|entry| {
                let kept = remains(entry);
                dropped.extend((!kept).then_some(entry.at));
                kept
            });
        };
        let same_type = |entry: &Entry| entry.state_type == state_type;
        drop_unless(entries, &mut |entry| {
            !same_type(entry) || (entry.schema == schema && entry.version < version)
        });
        let of_type = entries.iter().filter(|entry| same_type(entry)).count();
        let mut too_many = of_type.saturating_sub(usize::from(header.keep).saturating_sub(1));
        let mut too_many_others = (entries.len() - of_type).saturating_sub(SNAPSHOTS_KEPT_MAX);
        drop_unless(entries, &mut |entry| {
            let left = if same_type(entry) { &mut too_many } else { &mut too_many_others };
            let dropped = *left > 0;
            *left = left.saturating_sub(1);
            !dropped
        });
        entries.push(Entry { state_type, schema, version, sequence, at });
        dropped
    }

    /// Takes a snapshot out; where it lies.
    pub(super) fn forget(&mut self, stream: &str, sequence: u64) -> Option<RecordAt> {
        let entries = self.streams.get_mut(stream)?;
        let number = entries.iter().position(|entry| entry.sequence == sequence)?;
        let at = entries.remove(number).at;
        if entries.is_empty() {
            self.streams.remove(stream);
        }
        Some(at)
    }

    /// A snapshot was moved.
    pub(super) fn relocate(&mut self, stream: &str, sequence: u64, to: RecordAt) {
        let entries = self.streams.get_mut(stream);
        let entry = entries.and_then(|entries| entries.iter_mut().find(|entry| entry.sequence == sequence));
        if let Some(entry) = entry {
            entry.at = to;
        }
    }

    /// The newest snapshot of a stream that is not newer than `at_most`.
    pub(super) fn newest(
        &self,
        stream: &str,
        kind: StateKind<'_>,
        at_most: Option<Version>,
    ) -> Option<&Entry> {
        let in_bounds = |entry: &&Entry| at_most.is_none_or(|max| entry.version <= max);
        self.streams.get(stream)?.iter().rev().filter(|entry| entry.is_of(kind)).find(in_bounds)
    }

    /// Why the snapshots of a stream that has none of this kind are of no use; `None` when it has none at all.
    pub(super) fn why_not(&self, stream: &str, kind: StateKind<'_>) -> Option<SnapshotIgnored> {
        let entries = self.streams.get(stream)?;
        if entries.iter().any(|entry| entry.is_of(kind)) {
            return None;
        }
        let same_type = entries.iter().any(|entry| &*entry.state_type == kind.state_type);
        Some(if same_type { SnapshotIgnored::OtherSchema } else { SnapshotIgnored::OtherStateType })
    }

    /// The snapshots that lie in these packs, in the order in which they lie there.
    pub(super) fn entries_in(&self, packs: &[u64]) -> Vec<(StreamName, Entry)> {
        let all = self.streams.iter().flat_map(|(name, entries)| entries.iter().map(move |one| (name, one)));
        let within = all.filter(|(_, entry)| packs.contains(&entry.at.pack));
        let mut within: Vec<_> = within.map(|(name, entry)| (name.clone(), entry.clone())).collect();
        within.sort_unstable_by_key(|(_, entry)| entry.at);
        within
    }

    /// How many snapshots there are.
    pub(super) fn len(&self) -> u64 {
        self.streams.values().map(|entries| entries.len() as u64).sum()
    }

    /// The sequence of the next record; `None` at the end of `u64`.
    pub(super) fn next_sequence(&self) -> Option<u64> {
        self.last_sequence.checked_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::header;
    use super::*;

    const KIND: StateKind<'_> = StateKind { state_type: "bank::Account", schema: 1 };

    fn at(offset: u64) -> RecordAt {
        RecordAt { pack: 1, offset, bytes: 8 }
    }

    fn versions(directory: &Directory, stream: &str) -> Vec<u64> {
        directory.streams.get(stream).into_iter().flatten().map(|entry| entry.version.as_u64()).collect()
    }

    #[test]
    fn the_newest_two_remain_and_the_newest_in_bounds_is_found() {
        let mut directory = Directory::default();
        assert!(directory.insert(&header("a", 10, 1), at(0)).is_empty());
        assert!(directory.insert(&header("a", 20, 2), at(8)).is_empty());
        assert_eq!(directory.insert(&header("a", 30, 3), at(16)), [at(0)]);
        assert_eq!(versions(&directory, "a"), [20, 30]);
        let newest = |at_most: Option<u64>| {
            directory.newest("a", KIND, at_most.map(Version::new)).map(|entry| entry.version.as_u64())
        };
        assert_eq!(newest(None), Some(30));
        assert_eq!(newest(Some(29)), Some(20));
        assert_eq!(newest(Some(19)), None);
        assert_eq!(directory.len(), 2);
        assert_eq!(directory.next_sequence(), Some(4));
    }

    #[test]
    fn a_later_record_takes_the_place_of_those_that_are_not_older() {
        let mut directory = Directory::default();
        directory.insert(&header("a", 10, 1), at(0));
        directory.insert(&header("a", 30, 2), at(8));
        assert_eq!(directory.insert(&header("a", 20, 3), at(16)), [at(8)]);
        assert_eq!(directory.insert(&header("a", 20, 3), at(24)), [at(16)], "the same record once more");
        assert_eq!(versions(&directory, "a"), [10, 20]);
    }

    #[test]
    fn another_schema_takes_the_place_of_all_and_another_type_of_none() {
        let mut directory = Directory::default();
        directory.insert(&header("a", 10, 1), at(0));
        let other_type = Header { state_type: "bank::Audit".to_owned(), ..header("a", 5, 2) };
        assert!(directory.insert(&other_type, at(8)).is_empty());
        let newer_schema = StateKind { schema: 2, ..KIND };
        assert_eq!(directory.why_not("a", newer_schema), Some(SnapshotIgnored::OtherSchema));
        let unknown = StateKind { state_type: "bank::Limits", schema: 1 };
        assert_eq!(directory.why_not("a", unknown), Some(SnapshotIgnored::OtherStateType));
        assert_eq!(directory.why_not("b", KIND), None);
        assert_eq!(directory.insert(&Header { schema: 2, ..header("a", 4, 3) }, at(16)), [at(0)]);
        assert_eq!(directory.newest("a", KIND, None), None);
        assert!(directory.newest("a", newer_schema, None).is_some());
    }

    #[test]
    fn state_types_of_one_stream_are_kept_up_to_their_limit_and_not_one_past() {
        let mut directory = Directory::default();
        let of_type = |number: u64| Header { state_type: format!("type {number}"), ..header("a", 1, number) };
        let limit = SNAPSHOTS_KEPT_MAX as u64;
        for number in 0..=limit {
            assert!(directory.insert(&of_type(number), at(number)).is_empty(), "{number}");
        }
        assert_eq!(directory.insert(&of_type(limit + 1), at(limit + 1)), [at(0)]);
    }

    #[test]
    fn a_forgotten_snapshot_is_not_found_again() {
        let mut directory = Directory::default();
        directory.insert(&header("a", 10, 1), at(0));
        directory.insert(&header("a", 20, 2), at(8));
        directory.relocate("a", 2, at(80));
        assert_eq!(directory.forget("a", 2), Some(at(80)));
        assert_eq!(directory.forget("a", 2), None);
        assert_eq!(versions(&directory, "a"), [10]);
        directory.forget("a", 1);
        assert_eq!(directory.len(), 0);
    }
}
