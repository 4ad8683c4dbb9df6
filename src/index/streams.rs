//! Streams by name, and in each the place of every version.

use std::collections::HashMap;

use crate::types::{StreamName, Version};

use super::Place;

/// A stream's number in this process: handed out in order of first appearance, never written to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey(pub(crate) u32);

/// A stream's name and how many events it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamSummary {
    pub(crate) name: StreamName,
    pub(crate) events: u64,
}

#[derive(Debug)]
struct StreamEntry {
    name: StreamName,
    /// Indexed by version.
    places: Vec<Place>,
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

    /// The stream of this name, made if it is not there; `None` when there are more than a u32 can count.
    pub(crate) fn key_or_new(&mut self, name: &str) -> Option<StreamKey> {
        if let Some(key) = self.key(name) {
            return Some(key);
        }
        let key = StreamKey(u32::try_from(self.entries.len()).ok()?);
        let name = StreamName::new(name).ok()?;
        self.by_name.insert(name.clone(), key);
        self.entries.push(StreamEntry { name, places: Vec::new() });
        Some(key)
    }

    pub(crate) fn name(&self, key: StreamKey) -> Option<&StreamName> {
        self.entry(key).map(|entry| &entry.name)
    }

    /// The places of a stream's events, by version.
    pub(crate) fn places(&self, key: StreamKey) -> &[Place] {
        self.entry(key).map_or(&[], |entry| &entry.places)
    }

    /// Adds the next event of a stream.
    pub(crate) fn push(&mut self, key: StreamKey, place: Place) {
        if let Some(entry) = self.entries.get_mut(key.0 as usize) {
            entry.places.push(place);
        }
    }

    /// The version of the last event.
    pub(crate) fn version(&self, key: StreamKey) -> Option<Version> {
        (self.places(key).len() as u64).checked_sub(1).map(Version::new)
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn summaries(&self) -> impl Iterator<Item = StreamSummary> + '_ {
        self.entries
            .iter()
            .filter(|entry| !entry.places.is_empty())
            .map(|entry| StreamSummary { name: entry.name.clone(), events: entry.places.len() as u64 })
    }

    fn entry(&self, key: StreamKey) -> Option<&StreamEntry> {
        self.entries.get(key.0 as usize)
    }
}
