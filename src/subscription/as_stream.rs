//! `UpdateStream`: a subscription as a `Stream`, for tasks of any runtime. The only file that names futures-core.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::error::{ErrorKind, Result};
use crate::index::Tables;
use crate::types::Position;

use super::subscription_type::Ready;
use super::{Subscription, Update};

/// All updates of a subscription as a `Stream`: the append that a task waits for wakes it, and no runtime is chosen. It ends when
/// the store is closed and all there is was yielded.
///
/// What is read from disk is read in the task itself. A waker is woken in the thread of whoever appended, with no lock held.
/// Dropped at any moment it loses nothing: another subscription goes on from [`UpdateStream::position`].
#[derive(Debug)]
pub struct UpdateStream {
    subscription: Subscription,
    /// Whether it may be on the list of those who wait.
    waits: bool,
    has_ended: bool,
}

impl UpdateStream {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self { subscription, waits: false, has_ended: false }
    }

    /// From where a later subscription would have to begin to go on after the last event that this one yielded.
    #[must_use]
    pub fn position(&self) -> Position {
        self.subscription.position()
    }

    fn return_from_waiting(&mut self) {
        if mem::take(&mut self.waits) {
            let Subscription { log, waiter, .. } = &self.subscription;
            self.subscription.next = log.waiting.return_from(waiter);
        }
    }
}

impl Stream for UpdateStream {
    type Item = Result<Update>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.has_ended {
            return Poll::Ready(None);
        }
        loop {
            this.return_from_waiting();
            match this.subscription.ready() {
                Ok(Ready::Update(update)) => return Poll::Ready(Some(Ok(update))),
                Ok(Ready::More) => {
                    // Others of the same thread have their turn.
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Ok(Ready::Nothing) => {}
                Err(error) if error.kind() == ErrorKind::Closed => {
                    this.has_ended = true;
                    return Poll::Ready(None);
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let Subscription { log, waiter, next, .. } = &this.subscription;
            let is_new = || log.index.read(Tables::head) > *next;
            this.waits = true;
            if log.waiting.wait_as(waiter, *next, context.waker().clone(), is_new) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for UpdateStream {
    fn drop(&mut self) {
        self.return_from_waiting();
    }
}
