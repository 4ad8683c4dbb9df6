//! Event ids to places. An id may be in several streams, seldom is: the first place of each costs a small entry, further
//! ones a list.

use std::collections::HashMap;

use crate::types::EventId;

use super::Place;

#[derive(Debug, Default)]
pub(crate) struct EventIds {
    first: HashMap<EventId, Place>,
    further: HashMap<EventId, Vec<Place>>,
}

impl EventIds {
    pub(crate) fn insert(&mut self, id: EventId, place: Place) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.first.entry(id) {
            entry.insert(place);
        } else {
            self.further.entry(id).or_default().push(place);
        }
    }

    /// All places of an id.
    pub(crate) fn places(&self, id: EventId) -> impl Iterator<Item = Place> + '_ {
        let first = self.first.get(&id).copied();
        // The second table is asked only for ids that the first one knows.
        let further = first.and_then(|_| self.further.get(&id)).map_or(&[][..], Vec::as_slice);
        first.into_iter().chain(further.iter().copied())
    }
}
