//! `Delivery`: an event in the hands of a worker.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::error::Result;
use crate::store::Batch;
use crate::types::{BatchReceipt, RecordedEvent};

use super::core::Shared;
use super::flow::{Given, Place};

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

    /// Which time the event is handed out, from 1. The count survives the end of the process; with a replay it begins anew.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.given.attempt
    }

    /// The event is done: it does not come again. When this returns that is on disk, unless acknowledgements are grouped.
    ///
    /// # Errors
    /// `Expired`. What appending may answer: then it is not known to be on disk, and the event comes again when its time is up.
    pub fn ack(mut self) -> Result<()> {
        let place = self.settle();
        self.shared.acknowledge(place)
    }

    /// The event is done, and what the batch appends is there: in one commit, or neither of them. Both are as durable as the batch
    /// asks for.
    ///
    /// # Errors
    /// `Expired`. `Invalid` for a batch of another store. What [`Batch::commit`] may answer, such as `Conflict`: then nothing was
    /// appended, and the event comes again.
    pub fn ack_with<C>(mut self, batch: Batch<C>) -> Result<BatchReceipt> {
        let acknowledged = self.shared.acknowledge_with(self.place(), batch);
        // Else it is refused when it is dropped.
        self.is_open = acknowledged.is_err();
        acknowledged
    }

    /// The event is not done: it comes again, after what the consumer's backoff says. If it came as often as it may, it is parked.
    ///
    /// # Errors
    /// `Expired`. What appending may answer when the event is to be parked: that is tried again when its time is up.
    pub fn nak(mut self) -> Result<()> {
        let place = self.settle();
        self.shared.refuse(place, None)
    }

    /// The event is not done: it comes again after this time, whatever the backoff says.
    ///
    /// # Errors
    /// As [`Delivery::nak`].
    pub fn nak_after(mut self, delay: Duration) -> Result<()> {
        let place = self.settle();
        self.shared.refuse(place, Some(delay))
    }

    /// The worker is at it still: its time begins anew.
    ///
    /// # Errors
    /// `Expired`.
    pub fn in_progress(&self) -> Result<()> {
        let mut core = self.shared.check_out(self.place())?;
        core.flow.extend(self.place().position, self.shared.now());
        Ok(())
    }

    /// The event is put aside, with the reason: nobody gets it until it is replayed. See [`Consumer::parked`](crate::Consumer::parked).
    ///
    /// # Errors
    /// `Expired`. What appending may answer: then it comes again when its time is up.
    pub fn park(mut self, reason: impl AsRef<str>) -> Result<()> {
        let place = self.settle();
        self.shared.park(place, reason.as_ref())
    }

    fn place(&self) -> Place {
        Place { position: self.given.event.position().as_u64(), serial: self.given.serial }
    }

    fn settle(&mut self) -> Place {
        self.is_open = false;
        self.place()
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if mem::take(&mut self.is_open) {
            // If its time was up there is nothing to refuse; if it cannot be parked, that is tried again.
            let _ = self.shared.refuse(self.place(), None);
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
