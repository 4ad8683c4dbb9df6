//! `Read`: a read narrowed down step by step, then iterated or folded. One of one stream counts its start in versions,
//! one of the whole store in positions; all else is the same.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::codec::{Codec, DefaultCodec};
use crate::error::{Error, Result};
use crate::reader::{End, EventIter, Plan, SkipIter, Skipped, Start};
use crate::types::{AsOf, Filter, Position, RecordedEvent, StreamName, Version};

use super::inner::Inner;
use super::typed::{self, TypedEvents};

/// A read of one stream. Made by [`Stream::read`](crate::Stream::read).
pub type StreamRead<C = DefaultCodec> = Read<Version, C>;

/// A read of the whole store, in order of position. Made by [`Store::read`](crate::Store::read).
pub type StoreRead<C = DefaultCodec> = Read<Position, C>;

/// A read of a stream (`P` is [`Version`]) or of the store (`P` is [`Position`]).
///
/// It sees what had been committed when it was iterated, and nothing later. A start beyond the end reads nothing; a bound
/// beyond the end is the end.
///
/// ```
/// use annals::{ExpectedVersion, Filter, NewEvent, Position, Store, Version};
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::open(dir.path().join("bank"))?;
/// let account = store.stream("account-1")?;
/// account.append_raw(ExpectedVersion::NoStream, [
///     NewEvent::new("Opened", *b"Ada")?,
///     NewEvent::new("Deposited", *b"500")?,
/// ])?;
///
/// let newest = account.read().backward().iter().next().transpose()?;
/// assert_eq!(newest.map(|event| event.version()), Some(Version::new(1)));
///
/// let deposits = store.read().filter(Filter::new().category("account").event_types(["Deposited"]));
/// assert_eq!(deposits.iter().count(), 1);
/// assert_eq!(store.read().as_of(Position::new(0)).iter().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a read reads nothing until it is iterated or folded"]
pub struct Read<P, C = DefaultCodec> {
    store: Arc<Inner>,
    /// The stream; `None` for the whole store.
    stream: Option<StreamName>,
    start: Start,
    as_of: Option<AsOf>,
    filter: Filter,
    counts: PhantomData<fn() -> (P, C)>,
}

impl<C> Read<Version, C> {
    pub(super) fn of_stream(store: Arc<Inner>, stream: StreamName) -> Self {
        Self::new(store, Some(stream))
    }

    /// Starts at this version, in the direction of the read.
    pub fn from(self, version: Version) -> Self {
        self.starting_at(version.as_u64())
    }
}

impl<C> Read<Position, C> {
    pub(super) fn of_store(store: Arc<Inner>) -> Self {
        Self::new(store, None)
    }

    /// Starts at this position, in the direction of the read.
    pub fn from(self, position: Position) -> Self {
        self.starting_at(position.as_u64())
    }
}

impl<P, C> Read<P, C> {
    fn new(store: Arc<Inner>, stream: Option<StreamName>) -> Self {
        let (start, as_of, filter) = (Start::default(), None, Filter::new());
        Self { store, stream, start, as_of, filter, counts: PhantomData }
    }

    fn starting_at(mut self, number: u64) -> Self {
        self.start.from = Some(number);
        self
    }

    /// Reads newest first.
    pub fn backward(mut self) -> Self {
        self.start.backward = true;
        self
    }

    /// Reads as if nothing later than this had happened yet.
    pub fn as_of(mut self, as_of: impl Into<AsOf>) -> Self {
        self.as_of = Some(as_of.into());
        self
    }

    /// Reads only what the filter admits, in place of the filter given before.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// The events, owned by nobody: the iterator may outlive every handle of the store.
    #[must_use]
    pub fn iter(&self) -> Events {
        let log = Arc::clone(&self.store.log);
        let events = EventIter::new(log, self.plan(), self.filter.clone(), self.as_of);
        Events { events, backward: self.start.backward }
    }

    /// The events that can be read, in the direction of the read, and in place of every commit that cannot be read one
    /// [`Skipped`] that names its positions and the reason.
    ///
    /// For looking at what is left of a damaged store. There is no fold that skips: a state folded from a part of the
    /// history would be a wrong answer that looks like a right one. Whoever wants it all the same folds this iterator.
    ///
    /// ```
    /// use annals::{ExpectedVersion, NewEvent, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("bank"))?;
    /// store.stream("account-1")?.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
    /// for read in store.read().skip_damage() {
    ///     match read {
    ///         Ok(event) => assert_eq!(event.payload(), b"Ada"),
    ///         Err(skipped) => panic!("{skipped}"), // "positions 5 to 7 were passed over: …"
    ///     }
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn skip_damage(&self) -> SkipDamage {
        let log = Arc::clone(&self.store.log);
        let end = if self.start.backward { End::Back } else { End::Front };
        SkipDamage { events: SkipIter::new(log, self.plan(), self.filter.clone(), self.as_of, end) }
    }

    /// What is to be read, its bounds fixed now.
    fn plan(&self) -> Result<Plan> {
        let Self { store, stream, start, as_of, filter, .. } = self;
        match stream {
            // A stream that the filter does not admit has nothing to read.
            Some(name) if !filter.admits_stream(name.as_str()) => Ok(Plan::Empty),
            Some(name) => Plan::stream(&store.log, name, *start, *as_of, filter),
            None => Plan::all(&store.log, *start, *as_of, filter),
        }
    }
}

impl<P, C: Codec> Read<P, C> {
    /// The events with the values in them.
    #[must_use]
    pub fn typed<E: DeserializeOwned>(&self) -> TypedEvents<C, E> {
        TypedEvents::new(self.iter(), self.store.upcasters.clone())
    }

    /// Folds the values of the events, in the direction of the read: oldest first unless it is backward.
    ///
    /// # Errors
    /// `Codec` naming stream, version and type when an event cannot be decoded; `Corrupt` or `Io` when it cannot be read.
    pub fn fold<E: DeserializeOwned, S>(&self, init: S, mut step: impl FnMut(S, E) -> S) -> Result<S> {
        self.try_fold(init, |state, event| Ok(step(state, event)))
    }

    /// Folds the values of the events until the caller's function fails.
    ///
    /// # Errors
    /// As [`Read::fold`], and the caller's.
    pub fn try_fold<E, S, Err>(&self, init: S, step: impl FnMut(S, E) -> Result<S, Err>) -> Result<S, Err>
    where
        E: DeserializeOwned,
        Err: From<Error>,
    {
        typed::try_fold::<C, E, S, Err>(self.iter(), &self.store.upcasters, init, step)
    }
}

impl<P, C> IntoIterator for Read<P, C> {
    type Item = Result<RecordedEvent>;
    type IntoIter = Events;

    fn into_iter(self) -> Events {
        self.iter()
    }
}

impl<P, C> IntoIterator for &Read<P, C> {
    type Item = Result<RecordedEvent>;
    type IntoIter = Events;

    fn into_iter(self) -> Events {
        self.iter()
    }
}

impl<P, C> Clone for Read<P, C> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            stream: self.stream.clone(),
            start: self.start,
            as_of: self.as_of,
            filter: self.filter.clone(),
            counts: PhantomData,
        }
    }
}

impl<P, C> fmt::Debug for Read<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read")
            .field("stream", &self.stream)
            .field("start", &self.start)
            .field("as_of", &self.as_of)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

/// Recorded events in the order of a read, from either end.
///
/// After an error it yields that error for ever, so that nobody takes the error's place for the end. Stop at the first:
/// `?` in a loop does, and so does collecting into a `Result`; `count` and `filter_map(Result::ok)` would not end.
#[derive(Debug)]
pub struct Events {
    events: EventIter,
    backward: bool,
}

impl Iterator for Events {
    type Item = Result<RecordedEvent>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.backward { self.events.next_back() } else { self.events.next() }
    }
}

impl DoubleEndedIterator for Events {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.backward { self.events.next() } else { self.events.next_back() }
    }
}

impl FusedIterator for Events {}

/// Recorded events in the order of a read, and what was passed over because it cannot be read. Made by
/// [`Read::skip_damage`]. It comes to an end, as the events do.
#[derive(Debug)]
pub struct SkipDamage {
    events: SkipIter,
}

impl Iterator for SkipDamage {
    type Item = Result<RecordedEvent, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        self.events.next()
    }
}

impl FusedIterator for SkipDamage {}
