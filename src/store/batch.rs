//! `Batch`: appends to several streams as one commit.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, DefaultCodec};
use crate::commit::{Request, StreamCheck};
use crate::error::{Error, Result};
use crate::state::{StateChange, checkpoint_at};
use crate::types::{BatchReceipt, Durability, ExpectedVersion, NewEvent, Position, StreamName, Timestamp};

use super::inner::Inner;
use super::{Draft, typed};

/// Appends that are made durable together, all or nothing. Made by [`Store::batch`](crate::Store::batch).
///
/// Every expectation is held against its stream as it is before the batch, also when the batch names the stream again.
/// Events keep the order in which they were added, across streams.
///
/// Events are encoded with `Bincode` unless [`Batch::with_codec`] is called first, whatever codec a repository or stream
/// has.
///
/// ```
/// use annals::{ExpectedVersion, Store};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum AccountEvent { Deposited { cents: i64 }, Withdrawn { cents: i64 } }
/// use AccountEvent::{Deposited, Withdrawn};
///
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::open(dir.path().join("bank"))?;
/// store.stream("account-1")?.append(ExpectedVersion::NoStream, [Deposited { cents: 100 }])?;
/// let receipt = store
///     .batch()
///     .append("account-1", ExpectedVersion::StreamExists, [Withdrawn { cents: 80 }])
///     .append("account-2", ExpectedVersion::NoStream, [Deposited { cents: 80 }])
///     .commit()?;
/// assert_eq!(receipt.receipts().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a batch does nothing until it is committed"]
pub struct Batch<C = DefaultCodec> {
    store: Arc<Inner>,
    streams: Vec<StreamCheck>,
    numbers: HashMap<StreamName, usize>,
    events: Vec<(usize, NewEvent)>,
    states: Vec<StateChange>,
    durability: Durability,
    recorded_at: Option<Timestamp>,
    /// The first thing that went wrong while the batch was put together; told by `commit`.
    failed: Option<Error>,
    codec: PhantomData<C>,
}

impl<C> Batch<C> {
    pub(super) fn new(store: Arc<Inner>) -> Self {
        Self {
            durability: store.durability,
            store,
            streams: Vec::new(),
            numbers: HashMap::new(),
            events: Vec::new(),
            states: Vec::new(),
            recorded_at: None,
            failed: None,
            codec: PhantomData,
        }
    }

    /// The same batch, encoding what is added from now on with another codec.
    pub fn with_codec<D: Codec>(self) -> Batch<D> {
        let Self { store, streams, numbers, events, states, durability, recorded_at, failed, codec: _ } =
            self;
        Batch { store, streams, numbers, events, states, durability, recorded_at, failed, codec: PhantomData }
    }

    /// Adds raw events to a stream.
    pub fn append_raw(
        self,
        stream: impl AsRef<str>,
        expected: impl Into<ExpectedVersion>,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Self {
        self.add(stream.as_ref(), expected.into(), |batch, number| {
            batch.events.extend(events.into_iter().map(|event| (number, event)));
            Ok(())
        })
    }

    /// Adds no event, only what must hold of a stream for the batch to be accepted.
    pub fn check(self, stream: impl AsRef<str>, expected: impl Into<ExpectedVersion>) -> Self {
        self.add(stream.as_ref(), expected.into(), |_, _| Ok(()))
    }

    /// Puts a checkpoint at a position: of the next event that its owner will read, such as [`Subscription::position`]. It moves
    /// with what else is in the batch, or not at all; [`Store::checkpoint`] tells where it is. Of several for one name the last
    /// counts. The position must be one of this store.
    ///
    /// If the events of the batch are there already, the checkpoint is moved all the same, but only forward, and only if what the
    /// batch checks of other streams holds: the batch may be a late retry. Such a batch removes no checkpoint.
    ///
    /// So whoever handles an event, appends what follows from it and moves the checkpoint in one batch has done it once,
    /// whenever the process ends:
    ///
    /// ```
    /// use std::time::Duration;
    /// use annals::{ExpectedVersion, Filter, NewEvent, Position, Store, Update};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("shop"))?;
    /// let order = store.stream("order-1")?;
    /// order.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Paid", *b"1200")?])?;
    ///
    /// let orders = store.subscribe().filter(Filter::new().category("order"));
    /// let mut orders = orders.from_checkpoint("points").start()?;
    /// while let Some(Update::Event(paid)) = orders.next(Duration::ZERO)? {
    ///     let points = NewEvent::new("PointsEarned", paid.payload().to_vec())?;
    ///     let batch = store.batch().append_raw("points-ada", ExpectedVersion::Any, [points]);
    ///     batch.checkpoint("points", orders.position()).commit()?;
    /// }
    /// assert_eq!(store.checkpoint("points"), Some(Position::new(1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// [`Subscription::position`]: crate::Subscription::position
    /// [`Store::checkpoint`]: crate::Store::checkpoint
    pub fn checkpoint(self, name: impl AsRef<str>, position: Position) -> Self {
        self.change_checkpoint(name.as_ref(), Some(position))
    }

    /// Takes a checkpoint away, as if there had never been one.
    pub fn remove_checkpoint(self, name: impl AsRef<str>) -> Self {
        self.change_checkpoint(name.as_ref(), None)
    }

    fn change_checkpoint(mut self, name: &str, position: Option<Position>) -> Self {
        match checkpoint_at(name, position) {
            Ok(change) => self.states.push(change),
            Err(past) => self.failed = self.failed.or_else(|| Some(past.into())),
        }
        self
    }

    /// Whether it is a batch of this store.
    pub(crate) fn is_of(&self, store: &crate::Store) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.store), store.inner())
    }

    /// Changes a state record.
    pub(crate) fn change(mut self, change: StateChange) -> Self {
        self.states.push(change);
        self
    }

    /// What the answer to this batch means, if not what the store's options say.
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// When the batch was recorded, for an import of what was recorded elsewhere. Held at the last commit's time if it
    /// lies before that; [`BatchReceipt::recorded_at_was_held`] tells.
    pub fn recorded_at(mut self, time: Timestamp) -> Self {
        self.recorded_at = Some(time);
        self
    }

    /// Appends.
    ///
    /// # Errors
    /// `Conflict` and `IdReused` with every failing check in [`Error::failures`], `Invalid` past a limit, `Codec` for an
    /// event that would not come back as it is, `StorageFull`, `Io`, `Exhausted`, `Closed`, `ReadOnly`, `Poisoned`: nothing was
    /// written. `Indeterminate`: the batch may be on disk; reopen and retry with the same ids.
    pub fn commit(self) -> Result<BatchReceipt> {
        let Self { store, streams, events, states, durability, recorded_at, failed, .. } = self;
        match failed {
            Some(error) => Err(error),
            None => commit(&store, streams, &events, &states, durability, recorded_at),
        }
    }

    fn add(
        mut self,
        stream: &str,
        expected: ExpectedVersion,
        add: impl FnOnce(&mut Self, usize) -> Result<()>,
    ) -> Self {
        if self.failed.is_none() {
            let added = self.number(stream, expected).and_then(|number| add(&mut self, number));
            self.failed = added.err();
        }
        self
    }

    /// The number of a stream among those that the batch names.
    fn number(&mut self, stream: &str, expected: ExpectedVersion) -> Result<usize> {
        let name = StreamName::new(stream)?;
        let number = *self.numbers.entry(name.clone()).or_insert(self.streams.len());
        match self.streams.get_mut(number) {
            Some(check) => check.expected.push(expected),
            None => self.streams.push(StreamCheck { name, expected: vec![expected] }),
        }
        Ok(number)
    }
}

impl<C: Codec> Batch<C> {
    /// Adds events to a stream.
    pub fn append<E: Serialize + DeserializeOwned>(
        self,
        stream: impl AsRef<str>,
        expected: impl Into<ExpectedVersion>,
        events: impl IntoIterator<Item = E>,
    ) -> Self {
        self.append_drafts(stream, expected, events.into_iter().map(Draft::new))
    }

    /// Adds events with ids, times or metadata to a stream.
    pub fn append_drafts<E: Serialize + DeserializeOwned>(
        self,
        stream: impl AsRef<str>,
        expected: impl Into<ExpectedVersion>,
        drafts: impl IntoIterator<Item = Draft<E>>,
    ) -> Self {
        let stream = stream.as_ref();
        self.add(stream, expected.into(), |batch, number| {
            for draft in drafts {
                let event = typed::encode::<C, E>(draft, &batch.store.upcasters, stream)?;
                batch.events.push((number, event));
            }
            Ok(())
        })
    }
}

impl<C> fmt::Debug for Batch<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("streams", &self.streams)
            .field("events", &self.events.len())
            .field("states", &self.states)
            .field("durability", &self.durability)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

/// Encodes in the caller's thread and joins the queue.
pub(super) fn commit(
    store: &Inner,
    streams: Vec<StreamCheck>,
    events: &[(usize, NewEvent)],
    states: &[StateChange],
    durability: Durability,
    recorded_at: Option<Timestamp>,
) -> Result<BatchReceipt> {
    let now = store.clock.now();
    let request = Request::encode(streams, events, states, durability, recorded_at, &store.ids, now)?;
    store.commit(request)
}
