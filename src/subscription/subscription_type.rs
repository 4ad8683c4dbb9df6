//! `Subscription`: history first, and then each event as it is appended. It knows the next position and nothing else of what
//! it has yielded, so whatever it is late with is where it always was: in the log.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Log, Tables, Waiter};
use crate::reader::{EventIter, Plan, Start};
use crate::types::{AsOf, Filter, Position, RecordedEvent, Timestamp};

use super::{Update, Updates};

/// Events as they were appended, and then as they are appended: each that the filter admits once, in the order of their
/// positions. Made by [`Subscribe::start`](super::Subscribe::start).
///
/// It takes no room in the store and is never dropped for being slow: a slow one reads from disk what has left memory. While
/// it waits it costs nothing; appends that it does not want do not wake it.
///
/// It sees what readers see: an event is yielded once its append is durable as its appender asked for. It keeps no handle on the
/// store: when the last one is dropped, or the store is closed, it yields what there is and then ends.
pub struct Subscription {
    pub(super) log: Arc<Log>,
    filter: Filter,
    /// Only what was recorded at this time or later.
    since: Option<Timestamp>,
    /// What was looked up and not yielded yet: all of it lies before `looked_to`.
    events: Option<EventIter>,
    /// The position behind the last event that was yielded, or behind what was passed over.
    pub(super) next: u64,
    looked_to: u64,
    stands: Stands,
    pub(super) waiter: Arc<Waiter>,
}

/// What there is without waiting.
pub(super) enum Ready {
    Update(Update),
    /// Nothing that is admitted so far, and more was appended meanwhile.
    More,
    Nothing,
}

/// How it stands to the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stands {
    Behind,
    CaughtUp,
}

impl Subscription {
    pub(super) fn new(log: Arc<Log>, filter: Filter, next: u64, since: Option<Timestamp>) -> Self {
        let waiter = Waiter::new(filter.clone());
        Self { log, filter, since, events: None, next, looked_to: next, stands: Stands::Behind, waiter }
    }

    /// The next update; `None` when there is none in this time. With [`Duration::ZERO`] it does not wait.
    ///
    /// It looks through what there is at first, however long that takes: history that the filter does not admit may be read from
    /// disk.
    ///
    /// # Errors
    /// `Closed` when the store is closed and all there is was yielded. `Corrupt` or `Io` when the next event is on disk and cannot
    /// be read: asked again, it tries again.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Update>> {
        // A time that no clock reaches is for ever.
        self.next_until(Instant::now().checked_add(timeout))
    }

    /// The next update, whenever it comes.
    ///
    /// # Errors
    /// As [`Subscription::next`].
    #[inline]
    pub fn wait_next(&mut self) -> Result<Update> {
        // Most of history is looked up already.
        if let Some(event) = self.looked_up()? {
            return Ok(Update::Event(event));
        }
        loop {
            if let Some(update) = self.next_until(None)? {
                return Ok(update);
            }
        }
    }

    /// From where a later subscription would have to begin to go on after the last event that this one yielded.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::new(self.next)
    }

    /// An iterator over all updates, which waits for each. It ends when the store is closed.
    #[must_use]
    pub fn updates(self) -> Updates {
        Updates::new(self)
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Result<Option<Update>> {
        loop {
            let ready = self.ready()?;
            let is_late = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
            match ready {
                Ready::Update(update) => return Ok(Some(update)),
                Ready::Nothing | Ready::More if is_late() => return Ok(None),
                Ready::More => {}
                Ready::Nothing => {
                    let next = self.next;
                    let is_new = || self.log.index.read(Tables::head) > next;
                    self.next = self.log.waiting.wait(&self.waiter, next, deadline, is_new);
                }
            }
        }
    }

    /// The next update that is there. Looks through history once at most.
    pub(super) fn ready(&mut self) -> Result<Ready> {
        let mut has_looked = false;
        loop {
            if let Some(event) = self.looked_up()? {
                return Ok(Ready::Update(Update::Event(event)));
            }
            // Asked before the head: what was published before the store was closed is seen then.
            let is_closed = self.log.waiting.is_closed();
            let head = self.log.index.read(Tables::head);
            if self.next < head {
                if mem::replace(&mut has_looked, true) {
                    return Ok(Ready::More);
                }
                if let Some(behind) = self.look_up(head) {
                    return Ok(Ready::Update(behind));
                }
            } else if self.stands == Stands::Behind {
                self.stands = Stands::CaughtUp;
                return Ok(Ready::Update(Update::CaughtUp { position: Position::new(head) }));
            } else if is_closed {
                return Err(Error::new(ErrorKind::Closed, "the store was closed"));
            } else {
                return Ok(Ready::Nothing);
            }
        }
    }

    /// The next of the events that were looked up.
    #[inline]
    fn looked_up(&mut self) -> Result<Option<RecordedEvent>> {
        while let Some(event) = self.events.as_mut().and_then(Iterator::next) {
            // An event that cannot be read is looked up again by whoever asks again.
            let event = event.inspect_err(|_| self.events = None)?;
            self.next = event.position().as_u64() + 1;
            if self.since.is_none_or(|since| event.recorded_at() >= since) {
                return Ok(Some(event));
            }
        }
        if self.events.take().is_some() {
            self.next = self.looked_to;
        }
        Ok(None)
    }

    /// Looks up what is there up to `head`, unless it has to be told first that this is history by now.
    fn look_up(&mut self, head: u64) -> Option<Update> {
        if self.stands == Stands::CaughtUp && self.next < self.log.index.read(Tables::first_recent) {
            self.stands = Stands::Behind;
            return Some(Update::FellBehind { position: self.position() });
        }
        let start = Start { from: Some(self.next), backward: false };
        let as_of = AsOf::Position(Position::new(head - 1));
        let plan = Plan::all(&self.log, start, Some(as_of), &self.filter);
        self.events = Some(EventIter::new(Arc::clone(&self.log), plan, self.filter.clone(), Some(as_of)));
        self.looked_to = head;
        None
    }
}

#[cfg(feature = "futures")]
impl Subscription {
    /// The same updates as a `Stream`, for a task of any runtime.
    #[must_use]
    pub fn stream(self) -> super::UpdateStream {
        super::UpdateStream::new(self)
    }
}

impl IntoIterator for Subscription {
    type Item = Result<Update>;
    type IntoIter = Updates;

    fn into_iter(self) -> Updates {
        self.updates()
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("filter", &self.filter)
            .field("position", &self.position())
            .field("stands", &self.stands)
            .finish_non_exhaustive()
    }
}
