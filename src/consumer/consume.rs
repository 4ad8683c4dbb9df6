//! `Consume`: a consumer that is being described.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::state::check_consumer_name;
use crate::store::Store;
use crate::subscription::{Subscribe, Subscription};
use crate::types::limits::ACK_PENDING_MAX;
use crate::types::{Filter, Position, RecordedEvent, Timestamp};

use super::consumer_type::Consumer;
use super::core::Shared;
use super::settings::{AckDurability, ParkPolicy, Settings};

type KeyOf = dyn Fn(&RecordedEvent) -> Option<String> + Send + Sync;

/// By what events are kept in order.
#[derive(Clone)]
pub(super) enum Keys {
    Stream,
    Nothing,
    Given(Arc<KeyOf>),
}

/// A consumer that is being described. Made by [`Store::consumer`].
#[must_use = "a consumer hands nothing out before it is started"]
pub struct Consume {
    store: Store,
    name: String,
    filter: Filter,
    subscribe: Subscribe,
    keys: Keys,
    settings: Settings,
}

impl Store {
    /// Describes a consumer: a named reader of the store that hands each event to one of its workers and remembers, in the
    /// store, which of them were acknowledged. Workers are clones of the [`Consumer`], in any thread.
    ///
    /// Until it is told otherwise: events of one stream come one after another, each when the one before is acknowledged, and
    /// different streams go on side by side; a worker has 30 seconds; an event that was handed out ten times is parked, and the
    /// later events of its stream wait behind it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use annals::{ExpectedVersion, Filter, NewEvent, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("shop"))?;
    /// let order = store.stream("order-1")?;
    /// order.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Placed", *b"ada@example.org")?])?;
    ///
    /// let mailer = store.consumer("mailer").filter(Filter::new().category("order")).start()?;
    /// let delivery = mailer.next(Duration::ZERO)?.expect("an order");
    /// assert_eq!((delivery.event().event_type(), delivery.attempt()), ("Placed", 1));
    /// delivery.ack()?; // on disk now: it does not come again
    /// assert!(mailer.next(Duration::ZERO)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn consumer(&self, name: impl Into<String>) -> Consume {
        Consume {
            store: self.clone(),
            name: name.into(),
            filter: Filter::new(),
            subscribe: self.subscribe(),
            keys: Keys::Stream,
            settings: Settings::default(),
        }
    }
}

impl Consume {
    /// Hands out only what the filter admits. Whoever starts it with another filter later has by that one what it has not read yet.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Where a new consumer begins: with the event at this position. One that the store knows goes on where it was.
    pub fn from(mut self, position: Position) -> Self {
        self.subscribe = self.subscribe.from(position);
        self
    }

    /// Where a new consumer begins: with the first event recorded at this time or later. A time that is to come is forgotten when
    /// it is started again.
    pub fn since(mut self, time: Timestamp) -> Self {
        self.subscribe = self.subscribe.since(time);
        self
    }

    /// Where a new consumer begins: with what is appended after [`start`](Consume::start).
    pub fn from_now(mut self) -> Self {
        self.subscribe = self.subscribe.from_now();
        self
    }

    /// Keeps events in order by a key of their own, such as a part of their metadata, in place of their stream. `None` is for an
    /// event that need not wait for others. It must say the same of an event whenever it is asked, be quick, and not use the consumer: it
    /// is asked while other workers wait. A key has 1,024 bytes at most.
    pub fn keyed_by(
        mut self,
        key: impl Fn(&RecordedEvent) -> Option<String> + Send + Sync + 'static,
    ) -> Self {
        self.keys = Keys::Given(Arc::new(key));
        self
    }

    /// Keeps no order: a queue of work.
    pub fn unordered(mut self) -> Self {
        self.keys = Keys::Nothing;
        self
    }

    /// How long a worker has before an event is handed out again; 30 seconds unless told.
    pub fn ack_wait(mut self, wait: Duration) -> Self {
        self.settings.ack_wait = wait;
        self
    }

    /// How often an event is handed out before it is parked; 10 unless told.
    pub fn max_deliver(mut self, times: u32) -> Self {
        self.settings.max_deliver = times;
        self
    }

    /// How long an event waits before it is handed out again: after the first time, the second, and so on. The last one
    /// repeats; none at all unless told.
    pub fn backoff(mut self, delays: impl IntoIterator<Item = Duration>) -> Self {
        self.settings.backoff = delays.into_iter().collect();
        self
    }

    /// How many events may be with workers at once, up to 16,384; 1,000 unless told. Four times as many are read ahead.
    pub fn max_ack_pending(mut self, events: usize) -> Self {
        self.settings.max_ack_pending = events;
        self
    }

    /// What becomes of the later events of a key whose event is parked.
    pub fn park_policy(mut self, policy: ParkPolicy) -> Self {
        self.settings.park = policy;
        self
    }

    /// What the answer to an acknowledgement means.
    pub fn ack_durability(mut self, acks: AckDurability) -> Self {
        self.settings.acks = acks;
        self
    }

    /// The consumer. Its name is taken in this process until the last of its clones and deliveries is dropped.
    ///
    /// # Errors
    /// `Invalid` for a name that is empty or longer than 256 bytes, and where a number or a time is 0 or past its
    /// limit. `Invalid`, too, while events wait behind a parked one by another key
    /// or filter. `Locked` when the consumer is started already. `ReadOnly`. What appending or reading the store may answer.
    pub fn start(self) -> Result<Consumer> {
        let Self { store, name, filter, subscribe, keys, settings } = self;
        check_consumer_name(&name)?;
        let is_none = settings.max_deliver == 0
            || !(1..=ACK_PENDING_MAX).contains(&settings.max_ack_pending)
            || settings.ack_wait.as_micros() == 0
            || matches!(settings.acks, AckDurability::Grouped(0));
        if is_none {
            let what = format!(
                "consumer {name:?}: 0 times, 0 events or 0 seconds are none, and more than {ACK_PENDING_MAX} events at once are too many"
            );
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        store.check_writable()?;
        let Some(claim) = store.claim(&name) else {
            return Err(Error::new(ErrorKind::Locked, format!("consumer {name:?} is started already")));
        };
        let begin = |floor: Option<u64>| -> Result<Subscription> {
            let subscribe = subscribe.filter(filter.clone());
            match floor {
                Some(floor) => subscribe.from(Position::new(floor)).start(),
                None => subscribe.start(),
            }
        };
        Shared::start(store, claim, name, filter.clone(), keys, settings, begin).map(Consumer::new)
    }
}

impl fmt::Debug for Consume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consume")
            .field("name", &self.name)
            .field("filter", &self.filter)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
