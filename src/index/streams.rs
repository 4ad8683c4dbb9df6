//! The streams of one journal file by name, and in each the place of every version that is in the file.

use std::collections::HashMap;
use std::ops::Range;

use crate::types::StreamName;

use super::Place;

/// A stream's number in one journal file: handed out in order of first appearance, never written to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey(pub(crate) u32);

#[derive(Debug)]
struct StreamEntry {
    name: StreamName,
    /// The version of the first event in this file.
    first_version: u64,
    /// Indexed by version, from the first on.
    places: Vec<Place>,
}

impl StreamEntry {
    fn versions(&self) -> Range<u64> {
        self.first_version..self.first_version.saturating_add(self.places.len() as u64)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Streams {
    by_name: HashMap<StreamName, StreamKey>,
    entries: Vec<StreamEntry>,
}

impl Streams {
    pub(crate) fn key(&self, name: &str) -> Option<StreamKey> {
        self.by_name.get(name).copied()
    }

    /// A stream that is not there yet; `None` when there are more than a u32 can count.
    pub(crate) fn add(&mut self, name: &str, first_version: u64) -> Option<StreamKey> {
        let key = StreamKey(u32::try_from(self.entries.len()).ok()?);
        let name = StreamName::new(name).ok()?;
        self.by_name.insert(name.clone(), key);
        self.entries.push(StreamEntry { name, first_version, places: Vec::new() });
        Some(key)
    }

    pub(crate) fn name(&self, key: StreamKey) -> Option<&StreamName> {
        self.entry(key).map(|entry| &entry.name)
    }

    /// The places of a stream's events, by version, from the first in this file on.
    pub(crate) fn places(&self, key: StreamKey) -> &[Place] {
        self.entry(key).map_or(&[], |entry| &entry.places)
    }

    /// The versions of a stream that are in this file.
    pub(crate) fn versions(&self, key: StreamKey) -> Range<u64> {
        self.entry(key).map_or(0..0, StreamEntry::versions)
    }

    /// Where a version of a stream is; `None` when it is not in this file.
    pub(crate) fn place(&self, key: StreamKey, version: u64) -> Option<Place> {
        let entry = self.entry(key)?;
        entry.places.get(usize::try_from(version.checked_sub(entry.first_version)?).ok()?).copied()
    }

    /// Adds the next event of a stream.
    pub(crate) fn push(&mut self, key: StreamKey, place: Place) {
        if let Some(entry) = self.entries.get_mut(key.0 as usize) {
            entry.places.push(place);
        }
    }

    /// All streams, and which of their versions are in this file.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&StreamName, Range<u64>)> {
        self.entries.iter().map(|entry| (&entry.name, entry.versions()))
    }

    fn entry(&self, key: StreamKey) -> Option<&StreamEntry> {
        self.entries.get(key.0 as usize)
    }
}
