//! `Subscribe`: a subscription that is being described.

use std::fmt;
use std::sync::Arc;

use crate::error::Result;
use crate::index::{Log, Tables};
use crate::store::Store;
use crate::types::{Filter, Position, Timestamp};

use super::Subscription;

/// A subscription that is being described. Made by [`Store::subscribe`].
///
/// Where it begins is said by one of [`from`](Subscribe::from), [`from_checkpoint`](Subscribe::from_checkpoint),
/// [`since`](Subscribe::since) and [`from_now`](Subscribe::from_now), the last of which counts; from the beginning if none does.
#[must_use = "a subscription yields nothing before it is started"]
pub struct Subscribe {
    log: Arc<Log>,
    filter: Filter,
    start: Start,
}

#[derive(Debug, Clone)]
enum Start {
    At(Position),
    Checkpoint(String),
    Since(Timestamp),
    Now,
}

impl Store {
    /// Describes a subscription: it yields what was appended, and then what is being appended, without gap or repeat.
    ///
    /// ```
    /// use std::time::Duration;
    /// use annals::{ExpectedVersion, Filter, NewEvent, Store, Update};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("bank"))?;
    /// let account = store.stream("account-1")?;
    /// account.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
    ///
    /// let mut accounts = store.subscribe().filter(Filter::new().category("account")).start()?;
    /// let opened = accounts.next(Duration::ZERO)?.and_then(Update::into_event);
    /// assert_eq!(opened.as_ref().map(|event| event.event_type()), Some("Opened"));
    /// assert!(matches!(accounts.next(Duration::ZERO)?, Some(Update::CaughtUp { .. })));
    /// assert!(accounts.next(Duration::ZERO)?.is_none());
    ///
    /// account.append_raw(ExpectedVersion::Any, [NewEvent::new("Deposited", *b"500")?])?;
    /// let deposited = accounts.next(Duration::from_secs(5))?.and_then(Update::into_event);
    /// assert_eq!(deposited.as_ref().map(|event| event.event_type()), Some("Deposited"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subscribe(&self) -> Subscribe {
        Subscribe { log: Arc::clone(self.log()), filter: Filter::new(), start: Start::At(Position::new(0)) }
    }
}

impl Subscribe {
    /// Yields only what the filter admits, in place of the filter given before.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Begins with the event at this position. One beyond the head waits until the head gets there.
    pub fn from(mut self, position: Position) -> Self {
        self.start = Start::At(position);
        self
    }

    /// Begins where a checkpoint is at [`start`](Subscribe::start); from the beginning when there is none of this name.
    /// [`Batch::checkpoint`](crate::Batch::checkpoint) moves it.
    pub fn from_checkpoint(mut self, name: impl AsRef<str>) -> Self {
        self.start = Start::Checkpoint(name.as_ref().to_owned());
        self
    }

    /// Begins with the first event recorded at this time or later.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.start = Start::Since(time);
        self
    }

    /// Begins with what is appended after [`start`](Subscribe::start).
    pub fn from_now(mut self) -> Self {
        self.start = Start::Now;
        self
    }

    /// The subscription.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when a time was given and what tells its position is on disk and cannot be read.
    pub fn start(self) -> Result<Subscription> {
        let Self { log, filter, start } = self;
        let (next, since) = match start {
            Start::At(position) => (position.as_u64(), None),
            Start::Checkpoint(name) => {
                let position = log.index.read(|tables| tables.states().checkpoint(&name));
                (position.unwrap_or_default().as_u64(), None)
            }
            // Nothing before it is looked at; and if it is to come yet, what comes sooner is left out.
            Start::Since(time) => (log.recorded_boundary(|at| at < time)?, Some(time)),
            Start::Now => (log.index.read(Tables::head), None),
        };
        Ok(Subscription::new(log, filter, next, since))
    }
}

impl fmt::Debug for Subscribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscribe")
            .field("filter", &self.filter)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}
