//! Events that were put aside.

use crate::error::Result;
use crate::types::{Position, Timestamp};

use super::consumer_type::Consumer;

/// An event that a consumer has put aside.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parked {
    /// Where the event is: [`Store::read`](crate::Store::read) from there yields it.
    pub position: Position,
    /// How often it was handed out.
    pub attempts: u32,
    /// When it was put aside.
    pub parked_at: Timestamp,
    /// Why.
    pub reason: String,
    /// The key whose later events wait behind it.
    pub key: Option<String>,
    /// Whether it is being handed out again.
    pub is_replayed: bool,
}

impl Consumer {
    /// The parked events from this position on, at most so many, in the order of the log.
    #[must_use]
    pub fn parked(&self, from: Position, most: usize) -> Vec<Parked> {
        let core = self.shared.core.lock();
        let parked = core.parked.range(from.as_u64()..).take(most);
        parked
            .map(|(position, record)| Parked {
                position: Position::new(*position),
                attempts: record.attempts,
                parked_at: record.at,
                reason: record.reason.clone(),
                key: record.key.clone(),
                is_replayed: record.is_replayed,
            })
            .collect()
    }

    /// Hands a parked event out again, as if for the first time; whether it was parked. If events of its key wait behind it, they
    /// come after it, one by one, in their order; all others go on meanwhile. One that fails as often as it may is parked again.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when the event cannot be read. What appending may answer: then it stays parked.
    pub fn replay_parked(&self, position: Position) -> Result<bool> {
        self.shared.unpark(position.as_u64(), true)
    }

    /// Gives a parked event up: nobody gets it any more; whether it was parked. The events of its key that wait behind it come, one
    /// by one, in their order.
    ///
    /// # Errors
    /// As [`Consumer::replay_parked`].
    pub fn discard_parked(&self, position: Position) -> Result<bool> {
        self.shared.unpark(position.as_u64(), false)
    }
}
