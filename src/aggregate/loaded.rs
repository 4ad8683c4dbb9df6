//! `Loaded`: an aggregate's state and how it came about.

use std::ops::Deref;

use crate::snapshot::{FoldedUpTo, SnapshotUse};
use crate::types::Version;

/// The state of an aggregate as of a version. It derefs to the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded<A> {
    pub(super) state: A,
    /// `None` when there is no event.
    pub(super) up_to: Option<FoldedUpTo>,
    pub(super) snapshot: SnapshotUse,
    pub(super) events_folded: u64,
}

impl<A> Loaded<A> {
    /// The state; the default when there is no event.
    #[must_use]
    pub fn state(&self) -> &A {
        &self.state
    }

    /// The state, owned.
    #[must_use]
    pub fn into_state(self) -> A {
        self.state
    }

    /// The version of the last event in it: what an append decided on this state expects. `None` when there is none.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.up_to.map(|up_to| up_to.version)
    }

    /// What a snapshot did for this load.
    #[must_use]
    pub fn snapshot(&self) -> SnapshotUse {
        self.snapshot
    }

    /// How many events this load applied: all, or those after a snapshot or a cached state.
    #[must_use]
    pub fn events_folded(&self) -> u64 {
        self.events_folded
    }
}

impl<A> Deref for Loaded<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}
