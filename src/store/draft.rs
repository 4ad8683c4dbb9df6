//! `Draft`: a typed event with what goes beside it.

use crate::types::{EventId, Timestamp};

/// A typed event on its way in, with an id to retry by, a time it occurred, metadata.
///
/// ```
/// use annals::{Draft, EventId, ExpectedVersion, Outcome, Store};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Clone)]
/// enum AccountEvent { Deposited { cents: i64 } }
///
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::open(dir.path().join("bank"))?;
/// let account = store.stream("account-1")?;
/// let draft = Draft::new(AccountEvent::Deposited { cents: 500 }).id(EventId::from_bytes([7; 16]));
/// account.append_drafts(ExpectedVersion::NoStream, [draft.clone()])?;
/// let again = account.append_drafts(ExpectedVersion::NoStream, [draft])?;
/// assert_eq!(again.outcome(), Outcome::AlreadyAppended);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft<E> {
    pub(super) event: E,
    pub(super) id: Option<EventId>,
    pub(super) occurred_at: Option<Timestamp>,
    pub(super) metadata: Vec<u8>,
}

impl<E> Draft<E> {
    /// This event and nothing beside it.
    #[must_use]
    pub fn new(event: E) -> Self {
        Self { event, id: None, occurred_at: None, metadata: Vec::new() }
    }

    /// The same with this id: the append may be retried for ever.
    ///
    /// Ids are looked up per stream. A retry must go to the same stream; the same id in another stream is another event.
    #[must_use]
    pub fn id(mut self, id: EventId) -> Self {
        self.id = Some(id);
        self
    }

    /// The same, having happened at this time.
    #[must_use]
    pub fn occurred_at(mut self, time: Timestamp) -> Self {
        self.occurred_at = Some(time);
        self
    }

    /// The same with this metadata: up to 64 KiB.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<Vec<u8>>) -> Self {
        self.metadata = metadata.into();
        self
    }
}

impl<E> From<E> for Draft<E> {
    fn from(event: E) -> Self {
        Self::new(event)
    }
}
