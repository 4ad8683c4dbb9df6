//! `Delivery`: an event in the hands of a worker.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::store::Batch;
use crate::types::{BatchReceipt, RecordedEvent};

use super::core::Shared;
use super::flow::Given;

/// An event that a consumer has handed to a worker. What becomes of it the worker says once; a delivery that is dropped is
/// refused, as by [`Delivery::nak`].
///
/// When the worker's time is up, the event may go to another one, and this delivery answers `Expired`.
#[must_use = "dropped, the event is handed out again"]
pub struct Delivery {
    shared: Arc<Shared>,
    given: Given,
    is_open: bool,
}

impl Delivery {
    pub(super) fn new(shared: Arc<Shared>, given: Given) -> Self {
        Self { shared, given, is_open: true }
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &RecordedEvent {
        &self.given.event
    }

    /// Which time the event is handed out, from 1. The count survives the end of the process; a replayed event begins anew.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.given.attempt
    }

    /// The event is done: it does not come again. When this returns that is on disk, unless acknowledgements are grouped.
    ///
    /// # Errors
    /// `Expired`. What appending may answer: then it is not known to be on disk, and the event comes again when its time is up.
    pub fn ack(mut self) -> Result<()> {
        let (position, attempt) = self.settle();
        self.shared.acknowledge(position, attempt)
    }

    /// The event is done, and what the batch appends is there: in one commit, or neither of them.
    ///
    /// # Errors
    /// `Expired`. What [`Batch::commit`] may answer, such as `Conflict`: then nothing was appended, and the event comes again.
    pub fn ack_with(mut self, batch: Batch) -> Result<BatchReceipt> {
        let (position, attempt) = self.place();
        let acknowledged = self.shared.acknowledge_with(position, attempt, batch);
        // Else it is refused when it is dropped.
        self.is_open = acknowledged.is_err();
        acknowledged
    }

    /// The event is not done: it comes again, after what the consumer's backoff says. If it came as often as it may, it is parked.
    ///
    /// # Errors
    /// `Expired`. What appending may answer when the event is to be parked: that is tried again when its time is up.
    pub fn nak(mut self) -> Result<()> {
        let (position, attempt) = self.settle();
        self.shared.refuse(position, attempt, None)
    }

    /// The event is not done: it comes again after this time, whatever the backoff says.
    ///
    /// # Errors
    /// As [`Delivery::nak`].
    pub fn nak_after(mut self, delay: Duration) -> Result<()> {
        let (position, attempt) = self.settle();
        self.shared.refuse(position, attempt, Some(delay))
    }

    /// The worker is at it still: its time begins anew.
    ///
    /// # Errors
    /// `Expired`.
    pub fn in_progress(&self) -> Result<()> {
        let (position, attempt) = self.place();
        let mut core = self.shared.check_out(position, attempt)?;
        core.flow.extend(position, self.shared.now());
        Ok(())
    }

    /// The event is put aside, with the reason: nobody gets it until it is replayed. See [`Consumer::parked`](crate::Consumer::parked).
    ///
    /// # Errors
    /// `Expired`. What appending may answer: then it comes again when its time is up.
    pub fn park(mut self, reason: impl AsRef<str>) -> Result<()> {
        let (position, attempt) = self.settle();
        self.shared.park(position, attempt, reason.as_ref())
    }

    fn place(&self) -> (u64, u32) {
        (self.given.event.position().as_u64(), self.given.attempt)
    }

    fn settle(&mut self) -> (u64, u32) {
        self.is_open = false;
        self.place()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if mem::take(&mut self.is_open) {
            let (position, attempt) = self.place();
            // If its time was up there is nothing to refuse; if it cannot be parked, that is tried again.
            let _ = self.shared.refuse(position, attempt, None);
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("event", &self.given.event)
            .field("attempt", &self.given.attempt)
            .finish_non_exhaustive()
    }
}
