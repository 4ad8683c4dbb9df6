//! `Updates`: a subscription as an iterator that waits.

use std::iter::FusedIterator;

use crate::error::{ErrorKind, Result};

use super::{Subscription, Update};

/// All updates of a subscription: each `next` waits for one. It ends when the store is closed and all there is was yielded.
///
/// An event that cannot be read is an error, and the next `next` tries to read it again.
///
/// ```
/// use annals::{ExpectedVersion, NewEvent, Store, Update};
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::open(dir.path().join("bank"))?;
/// let updates = store.subscribe().from_now().start()?.updates();
/// let heard = std::thread::spawn(move || {
///     let events = updates.map_while(Result::ok).filter_map(Update::into_event);
///     events.map(|event| event.payload().to_vec()).collect::<Vec<_>>()
/// });
/// store.stream("account-1")?.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
/// store.close()?;
/// assert_eq!(heard.join().unwrap(), [b"Ada"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Updates {
    subscription: Subscription,
    has_ended: bool,
}

impl Updates {
    pub(super) fn new(subscription: Subscription) -> Self {
        Self { subscription, has_ended: false }
    }

    /// The subscription, which goes on where the iterator was.
    #[must_use]
    pub fn into_inner(self) -> Subscription {
        self.subscription
    }
}

impl Iterator for Updates {
    type Item = Result<Update>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        match self.subscription.wait_next() {
            Err(error) if error.kind() == ErrorKind::Closed => {
                self.has_ended = true;
                None
            }
            update => Some(update),
        }
    }
}

impl FusedIterator for Updates {}
