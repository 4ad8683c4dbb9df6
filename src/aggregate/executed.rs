//! `Executed`: what a command did.

use std::ops::Deref;

use crate::snapshot::SnapshotUse;
use crate::types::{Receipt, Version};

/// What a command did. It derefs to the state after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed<A> {
    pub(super) state: A,
    pub(super) version: Option<Version>,
    pub(super) receipt: Receipt,
    pub(super) conflicts_retried: u32,
    pub(super) snapshot: SnapshotUse,
}

impl<A> Executed<A> {
    /// The state after the command. For a command that was booked before, the state now.
    #[must_use]
    pub fn state(&self) -> &A {
        &self.state
    }

    /// The state, owned.
    #[must_use]
    pub fn into_state(self) -> A {
        self.state
    }

    /// The version of the last event in the state; `None` when the aggregate has no event.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// Where the command's events are, and whether they were written now or had been before. A command that yielded no
    /// event has a receipt without places.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// How often another append came first and the command was decided again.
    #[must_use]
    pub fn conflicts_retried(&self) -> u32 {
        self.conflicts_retried
    }

    /// What a snapshot did for the load before the decision.
    #[must_use]
    pub fn snapshot(&self) -> SnapshotUse {
        self.snapshot
    }
}

impl<A> Deref for Executed<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.state
    }
}
