//! `Receipt` and `BatchReceipt`: what an append answers.

use super::{Position, StreamName, Timestamp, Version};

/// Whether an append wrote something or found that it had been written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The events are new and are now part of the store. Also the answer to an append of nothing.
    Appended,
    /// All the events were there already, with the same ids and content: the answer names their first places.
    AlreadyAppended,
}

/// Where the events of one append to one stream are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    stream: StreamName,
    places: Vec<(Version, Position)>,
    version: Option<Version>,
    recorded_at: Timestamp,
    outcome: Outcome,
}

impl Receipt {
    pub(crate) fn new(
        stream: StreamName,
        places: Vec<(Version, Position)>,
        version: Option<Version>,
        recorded_at: Timestamp,
        outcome: Outcome,
    ) -> Self {
        Self { stream, places, version, recorded_at, outcome }
    }

    /// The stream appended to.
    #[must_use]
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// The version of the last event of this append: what the next append may expect. For an append of nothing, the
    /// stream's last version, `None` when it has no event.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.version
    }

    /// The versions of the events, in the order in which they were given.
    pub fn versions(&self) -> impl ExactSizeIterator<Item = Version> + DoubleEndedIterator + '_ {
        self.places.iter().map(|(version, _)| *version)
    }

    /// The positions of the events, in the order in which they were given.
    pub fn positions(&self) -> impl ExactSizeIterator<Item = Position> + DoubleEndedIterator + '_ {
        self.places.iter().map(|(_, position)| *position)
    }

    /// When the store recorded them; for `AlreadyAppended`, when it recorded the last of them.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Whether they were written now or had been before.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }
}

/// Where the events of one batch are: a receipt for each stream it named, in the order of first naming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchReceipt {
    receipts: Vec<Receipt>,
    recorded_at: Timestamp,
    outcome: Outcome,
    held: bool,
}

impl BatchReceipt {
    pub(crate) fn new(receipts: Vec<Receipt>, recorded_at: Timestamp, outcome: Outcome, held: bool) -> Self {
        Self { receipts, recorded_at, outcome, held }
    }

    /// The receipts, one for each stream, those that were only checked included.
    #[must_use]
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// The receipt of one stream; `None` when the batch did not name it.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<&Receipt> {
        self.receipts.iter().find(|receipt| receipt.stream.as_str() == name)
    }

    /// When the store recorded the commit.
    #[must_use]
    pub fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// Whether the batch was written now or had been before.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the recorded_at that the caller or the clock gave lay before the last one and was held at it.
    #[must_use]
    pub fn recorded_at_was_held(&self) -> bool {
        self.held
    }

    /// The one receipt of an append to one stream.
    pub(crate) fn into_only(self) -> Option<Receipt> {
        self.receipts.into_iter().next()
    }
}
