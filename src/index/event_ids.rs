//! Event ids to places.
//!
//! Most stores never look an id up: ids that the library makes need no look-up, and a retry is rare. So an id that comes in
//! goes to the end of a list, and the list goes into the tables when somebody asks. An id may be in several streams, but
//! seldom is: its first place costs a small entry, further ones are kept by id and stream.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::types::EventId;

use super::{Place, StreamKey};

#[derive(Debug, Default)]
pub(crate) struct EventIds {
    /// Came in since the last look-up.
    unsorted: Vec<(EventId, StreamKey, Place)>,
    first: HashMap<EventId, (StreamKey, Place)>,
    further: HashMap<(EventId, StreamKey), Place>,
}

impl EventIds {
    pub(crate) fn push(&mut self, id: EventId, stream: StreamKey, place: Place) {
        self.unsorted.push((id, stream, place));
    }

    /// Where the event with this id is in a stream.
    pub(crate) fn find(&mut self, id: EventId, stream: StreamKey) -> Option<Place> {
        self.sort_in();
        let (first_stream, place) = *self.first.get(&id)?;
        // The second table is asked only for ids that the first one knows.
        if first_stream == stream { Some(place) } else { self.further.get(&(id, stream)).copied() }
    }

    fn sort_in(&mut self) {
        self.first.reserve(self.unsorted.len());
        for (id, stream, place) in self.unsorted.drain(..) {
            match self.first.entry(id) {
                Entry::Vacant(entry) => {
                    entry.insert((stream, place));
                }
                // Only the journal of a store that was damaged with its checksums made right has one twice.
                Entry::Occupied(entry) if entry.get().0 == stream => {}
                Entry::Occupied(_) => {
                    self.further.entry((id, stream)).or_insert(place);
                }
            }
        }
        // A long list was the journal's at opening: its room is given back.
        self.unsorted.shrink_to(1024);
    }
}
