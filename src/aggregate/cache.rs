//! `Cache`: the states used last, bounded. Each is as of a version and is brought up to date by its user, so it is never
//! wrong, only behind.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::snapshot::FoldedUpTo;
use crate::types::StreamName;

/// A state as of its last event.
#[derive(Debug)]
pub(super) struct Hot<A> {
    pub(super) state: A,
    pub(super) up_to: FoldedUpTo,
}

/// States by stream, shared by the clones of a repository.
pub(super) struct Cache<A> {
    clone: fn(&A) -> A,
    recent: Arc<Mutex<Recent<A>>>,
}

/// The states used last. The lock is held for moments only: states are cloned and dropped outside of it.
struct Recent<A> {
    capacity: usize,
    states: HashMap<StreamName, (u64, Arc<Hot<A>>)>,
    by_use: BTreeMap<u64, StreamName>,
    uses: u64,
}

impl<A> Cache<A> {
    /// A cache of up to `capacity` states.
    pub(super) fn new(capacity: usize) -> Self
    where
        A: Clone,
    {
        let (states, by_use) = (HashMap::new(), BTreeMap::new());
        Self { clone: A::clone, recent: Arc::new(Mutex::new(Recent { capacity, states, by_use, uses: 0 })) }
    }

    /// A copy of the state of a stream, as of some version.
    pub(super) fn state(&self, stream: &StreamName) -> Option<(A, FoldedUpTo)> {
        let hot = self.recent.lock().touch(stream)?;
        Some(((self.clone)(&hot.state), hot.up_to))
    }

    /// Keeps a copy of a state, unless a newer one is there.
    pub(super) fn keep(&self, stream: &StreamName, state: &A, up_to: FoldedUpTo) {
        if self.recent.lock().has_as_new(stream, up_to) {
            return;
        }
        let hot = Arc::new(Hot { state: (self.clone)(state), up_to });
        let evicted = self.recent.lock().insert(stream, hot);
        drop(evicted);
    }
}

impl<A> Recent<A> {
    fn has_as_new(&self, stream: &StreamName, up_to: FoldedUpTo) -> bool {
        self.states.get(stream).is_some_and(|(_, hot)| hot.up_to.version >= up_to.version)
    }

    fn touch(&mut self, stream: &StreamName) -> Option<Arc<Hot<A>>> {
        let (used, hot) = self.states.get_mut(stream)?;
        self.uses += 1;
        if let Some(name) = self.by_use.remove(used) {
            self.by_use.insert(self.uses, name);
        }
        *used = self.uses;
        Some(Arc::clone(hot))
    }

    /// Takes a state in; those that had to go.
    fn insert(&mut self, stream: &StreamName, hot: Arc<Hot<A>>) -> Vec<Arc<Hot<A>>> {
        if self.has_as_new(stream, hot.up_to) {
            return vec![hot];
        }
        self.uses += 1;
        let mut evicted = Vec::new();
        if let Some((used, old)) = self.states.insert(stream.clone(), (self.uses, hot)) {
            self.by_use.remove(&used);
            evicted.push(old);
        }
        self.by_use.insert(self.uses, stream.clone());
        while self.states.len() > self.capacity {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            evicted.extend(self.states.remove(&oldest).map(|(_, hot)| hot));
        }
        evicted
    }
}

impl<A> Clone for Cache<A> {
    fn clone(&self) -> Self {
        Self { clone: self.clone, recent: Arc::clone(&self.recent) }
    }
}

impl<A> fmt::Debug for Cache<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recent = self.recent.lock();
        let (capacity, states) = (recent.capacity, recent.states.len());
        f.debug_struct("Cache").field("capacity", &capacity).field("states", &states).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::{EventId, Position, Timestamp, Version};

    fn up_to(version: u64) -> FoldedUpTo {
        FoldedUpTo {
            version: Version::new(version),
            position: Position::FIRST,
            recorded_at: Timestamp::EPOCH,
            id: EventId::from_bytes([0; 16]),
        }
    }

    fn name(stream: &str) -> StreamName {
        StreamName::new(stream).expect("name")
    }

    fn held(cache: &Cache<u32>, stream: &str) -> Option<u32> {
        cache.state(&name(stream)).map(|(state, _)| state)
    }

    #[test]
    fn the_states_used_last_remain_up_to_the_capacity() {
        let cache = Cache::new(2);
        cache.keep(&name("a"), &1, up_to(0));
        cache.keep(&name("b"), &2, up_to(0));
        assert_eq!(held(&cache, "a"), Some(1));
        cache.keep(&name("c"), &3, up_to(0));
        assert_eq!((held(&cache, "a"), held(&cache, "b"), held(&cache, "c")), (Some(1), None, Some(3)));
        let recent = cache.recent.lock();
        assert_eq!((recent.states.len(), recent.by_use.len()), (2, 2));
    }

    #[test]
    fn an_older_state_does_not_take_the_place_of_a_newer_one() {
        let cache = Cache::new(2);
        cache.keep(&name("a"), &5, up_to(5));
        cache.keep(&name("a"), &4, up_to(4));
        assert_eq!(held(&cache, "a"), Some(5));
        cache.keep(&name("a"), &6, up_to(6));
        assert_eq!(held(&cache, "a"), Some(6));
        let none = Cache::new(0);
        none.keep(&name("a"), &5, up_to(5));
        assert_eq!(held(&none, "a"), None);
    }
}
