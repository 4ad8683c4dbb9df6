//! `Consumer`: what a worker holds.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use crate::error::{Error, ErrorKind, Result};
use crate::store::Batch;
use crate::types::{BatchReceipt, RecordedEvent};

use super::core::{Core, Shared};
use super::delivery::Delivery;
use super::flow::{Given, Next, Place};

/// A named reader of a store that hands each event to one of its workers and remembers which were acknowledged. Made by
/// [`Consume::start`](crate::Consume::start).
///
/// Each worker has a clone. It holds a handle on the store, which stays open as long as a clone or a delivery is there, unless
/// it is closed.
///
/// What is promised: an event whose [`ack`](Delivery::ack) has returned does not come again, whatever happens; one that was not
/// acknowledged does, until it is parked; of one key, one event at a time, in the order of the log. It may come twice if its
/// worker's time was up, or the process ended before the acknowledgement: so what a worker does outside the store should bear to be
/// done twice. What it appends with [`Consumer::deliver_once_with`] is there once.
#[derive(Clone)]
pub struct Consumer {
    pub(super) shared: Arc<Shared>,
}

/// How [`Consumer::deliver_once_with`] went.
#[derive(Debug)]
pub enum Handled<E> {
    /// There was no event in this time.
    Nothing,
    /// The event is done, and what the batch appends is there.
    Done(BatchReceipt),
    /// The handler failed with this: the event comes again.
    Failed(E),
}

impl Consumer {
    pub(super) fn new(shared: Shared) -> Self {
        Self { shared: Arc::new(shared) }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The next event that may be handed out; `None` when there is none in this time. With [`Duration::ZERO`] it does not wait.
    ///
    /// # Errors
    /// `Closed` when the store is closed. `Corrupt` or `Io` when the next event is on disk and cannot be read: asked again, it tries
    /// again. What appending may answer: it may have to be recorded that an event is handed out, or one parked.
    pub fn next(&self, timeout: Duration) -> Result<Option<Delivery>> {
        // A time that no clock reaches is for ever.
        // Also if the caller's key function panics.
        let _hands_on = HandsOn(&self.shared);
        self.next_until(Instant::now().checked_add(timeout))
    }

    fn next_until(&self, deadline: Option<Instant>) -> Result<Option<Delivery>> {
        let shared = &self.shared;
        let mut has_flushed = false;
        let mut core = shared.core.lock();
        loop {
            // Nothing could be acknowledged any more.
            if shared.store.log().waiting.is_closed() {
                return Err(Error::new(ErrorKind::Closed, "the store was closed"));
            }
            shared.read_ahead(&mut core)?;
            let now = shared.now();
            let mut too_often = core.flow.expire(now);
            if too_often.is_empty() {
                match core.flow.give(now) {
                    Some(Next::Given(given)) => return self.hand_out(core, given).map(Some),
                    Some(Next::TooOften(place)) => too_often.push(place),
                    None => {}
                }
            }
            if !too_often.is_empty() {
                drop(core);
                too_often.into_iter().try_for_each(|place| shared.give_up(place))?;
                core = shared.core.lock();
            } else if core.unflushed > 0 && !has_flushed {
                has_flushed = true;
                drop(core);
                shared.flush_acks(1)?;
                core = shared.core.lock();
            } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            } else {
                has_flushed = false;
                shared.wait(&mut core, deadline);
            }
        }
    }

    fn hand_out(&self, core: MutexGuard<'_, Core>, given: Given) -> Result<Delivery> {
        let place = Place { position: given.event.position().as_u64(), serial: given.serial };
        let must_be_noted = core.flow.must_be_noted(place.position);
        drop(core);
        if must_be_noted {
            self.shared.note(place)?;
        }
        Ok(Delivery::new(Arc::clone(&self.shared), given))
    }

    /// Hands the next event and an empty batch to `handle`, and commits what it made of the batch together with the
    /// acknowledgement: both are there or neither is, so what follows from an event is appended exactly once.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::time::Duration;
    /// use annals::{ExpectedVersion, Filter, Handled, NewEvent, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("shop"))?;
    /// let order = store.stream("order-1")?;
    /// order.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Paid", *b"1200")?])?;
    ///
    /// let points = store.consumer("points").filter(Filter::new().category("order")).start()?;
    /// let handled = points.deliver_once_with(Duration::ZERO, |paid, batch| {
    ///     let earned = NewEvent::new("PointsEarned", paid.payload().to_vec())?;
    ///     Ok::<_, annals::OverLimit>(batch.append_raw("points-ada", ExpectedVersion::Any, [earned]))
    /// })?;
    /// assert!(matches!(handled, Handled::Done(_)));
    /// assert!(store.stream("points-ada")?.exists()?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Consumer::next`] and [`Batch::commit`]: a batch that is refused appends nothing and the event comes again. `Expired`
    /// when the handler took longer than it may: nothing of it is there.
    pub fn deliver_once_with<E>(
        &self,
        timeout: Duration,
        handle: impl FnOnce(&RecordedEvent, Batch) -> Result<Batch, E>,
    ) -> Result<Handled<E>> {
        let Some(delivery) = self.next(timeout)? else { return Ok(Handled::Nothing) };
        match handle(delivery.event(), self.shared.store.batch()) {
            Ok(batch) => delivery.ack_with(batch).map(Handled::Done),
            Err(error) => {
                // If it cannot be parked now, that is tried again.
                drop(delivery);
                Ok(Handled::Failed(error))
            }
        }
    }

    /// An empty batch of the consumer's store, as [`Delivery::ack_with`] takes it.
    pub fn batch(&self) -> Batch {
        self.shared.store.batch()
    }

    /// Brings to disk what is acknowledged in memory only, as it may be with [`AckDurability::Grouped`](crate::AckDurability).
    ///
    /// # Errors
    /// What appending may answer.
    pub fn flush(&self) -> Result<()> {
        self.shared.flush_acks(1)
    }
}

/// Lets those who wait know when a worker goes away.
struct HandsOn<'a>(&'a Shared);

impl Drop for HandsOn<'_> {
    fn drop(&mut self) {
        self.0.hand_on();
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
