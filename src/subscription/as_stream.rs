//! A subscription as a `Stream`, for tasks of any runtime. The only file that names futures-core.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use crate::error::{ErrorKind, Result};
use crate::index::Tables;

use super::{Subscription, Update};

/// The same updates for a task: it is woken as a thread would be, by the append that it waits for, and no runtime is chosen.
///
/// What is read from disk is read in the task itself. The stream ends when the store is closed and all there is was yielded.
/// Dropped at any moment it loses nothing: the next subscription goes on from [`Subscription::position`].
impl Stream for Subscription {
    type Item = Result<Update>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            this.return_from_waiting();
            match this.ready() {
                Ok(Some(update)) => return Poll::Ready(Some(Ok(update))),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Closed => return Poll::Ready(None),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
            let next = this.next;
            let is_new = || this.log.index.read(Tables::head) > next;
            let waits = this.log.waiting.wait_as(&this.waiter, next, context.waker().clone(), is_new);
            this.waits_as_task = true;
            if waits {
                return Poll::Pending;
            }
        }
    }
}

impl Subscription {
    /// Takes it off the list of those who wait, if a task left it there.
    pub(super) fn return_from_waiting(&mut self) {
        if mem::take(&mut self.waits_as_task) {
            self.next = self.log.waiting.return_from(&self.waiter);
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.return_from_waiting();
    }
}
