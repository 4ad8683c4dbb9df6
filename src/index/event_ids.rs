//! Event ids to places.
//!
//! Most stores never look an id up: ids that the library makes need no look-up, and a retry is rare. So an id that comes in
//! goes to the end of a list, and the list goes into the table when somebody asks. An id may be in several streams, but
//! seldom is: the first place of each costs a small entry, further ones a list.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::types::EventId;

use super::Place;

#[derive(Debug, Default)]
pub(crate) struct EventIds {
    /// Came in since the last look-up.
    unsorted: Vec<(EventId, Place)>,
    first: HashMap<EventId, Place>,
    further: HashMap<EventId, Vec<Place>>,
}

impl EventIds {
    pub(crate) fn push(&mut self, id: EventId, place: Place) {
        self.unsorted.push((id, place));
    }

    /// All places of an id.
    pub(crate) fn places(&mut self, id: EventId) -> impl Iterator<Item = Place> + '_ {
        self.sort_in();
        let first = self.first.get(&id).copied();
        // The second table is asked only for ids that the first one knows.
        let further = first.and_then(|_| self.further.get(&id)).map_or(&[][..], Vec::as_slice);
        first.into_iter().chain(further.iter().copied())
    }

    fn sort_in(&mut self) {
        self.first.reserve(self.unsorted.len());
        for (id, place) in self.unsorted.drain(..) {
            match self.first.entry(id) {
                Entry::Vacant(entry) => {
                    entry.insert(place);
                }
                Entry::Occupied(_) => self.further.entry(id).or_default().push(place),
            }
        }
        // A long list was the journal's at opening: its room is given back.
        self.unsorted.shrink_to(1024);
    }
}
