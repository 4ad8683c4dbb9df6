//! `Stream`: a handle on one aggregate's events.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, DefaultCodec};
use crate::commit::StreamCheck;
use crate::error::{Error, ErrorKind, Result};
use crate::types::{
    AsOf, Durability, EventId, ExpectedVersion, NewEvent, Receipt, RecordedEvent, StreamName, Version,
};

use super::inner::Inner;
use super::{Draft, StreamRead, batch, typed};

/// A handle on one stream: cheap to clone, free to share among threads. Made by [`Store::stream`](crate::Store::stream);
/// making one writes nothing, and the stream need not exist.
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
/// let account = store.stream("account-1")?;
/// let receipt = account.append(ExpectedVersion::NoStream, [Deposited { cents: 500 }])?;
/// account.append(receipt.version(), [Withdrawn { cents: 120 }])?;
///
/// let balance = account.fold(0, |sum, event| match event {
///     Deposited { cents } => sum + cents,
///     Withdrawn { cents } => sum - cents,
/// })?;
/// assert_eq!(balance, 380);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stream<C = DefaultCodec> {
    store: Arc<Inner>,
    name: StreamName,
    durability: Durability,
    codec: PhantomData<C>,
}

impl<C> Stream<C> {
    pub(super) fn new(store: Arc<Inner>, name: StreamName) -> Self {
        Self { durability: store.durability, store, name, codec: PhantomData }
    }

    /// The same stream, encoding with another codec. Reading understands all codecs either way.
    #[must_use]
    pub fn with_codec<D: Codec>(&self) -> Stream<D> {
        Stream { durability: self.durability, ..Stream::new(Arc::clone(&self.store), self.name.clone()) }
    }

    /// The same stream, whose appends are answered when they are as durable as this, whatever the store's options say.
    #[must_use]
    pub fn durability(&self, durability: Durability) -> Self {
        Self { durability, ..self.clone() }
    }

    /// The stream's name.
    #[must_use]
    pub fn name(&self) -> &StreamName {
        &self.name
    }

    /// Appends raw events.
    ///
    /// # Errors
    /// As [`Stream::append`].
    pub fn append_raw(
        &self,
        expected: impl Into<ExpectedVersion>,
        events: impl IntoIterator<Item = NewEvent>,
    ) -> Result<Receipt> {
        let events: Vec<_> = events.into_iter().map(|event| (0, event)).collect();
        let check = StreamCheck { name: self.name.clone(), expected: vec![expected.into()] };
        let receipt = batch::commit(&self.store, vec![check], &events, &[], self.durability, None)?;
        receipt.into_only().ok_or_else(|| {
            Error::new(ErrorKind::Indeterminate, "an append to one stream was answered without its receipt")
        })
    }

    /// A read of this stream, to be narrowed down.
    pub fn read(&self) -> StreamRead<C> {
        StreamRead::of_stream(Arc::clone(&self.store), self.name.clone())
    }

    /// A read of this stream as it was at a version, a position or a time.
    pub fn as_of(&self, as_of: impl Into<AsOf>) -> StreamRead<C> {
        self.read().as_of(as_of)
    }

    /// The last event; `None` when the stream has none.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when it is on disk and cannot be read.
    pub fn last(&self) -> Result<Option<RecordedEvent>> {
        self.read().backward().iter().next().transpose()
    }

    /// The event with this id; `None` when the stream does not have it.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when it is on disk and cannot be read.
    pub fn find(&self, id: EventId) -> Result<Option<RecordedEvent>> {
        self.store.log.find_id(self.name.as_str(), id, &mut None)
    }

    /// The version of the last event; `None` when the stream has none.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when what tells it is on disk and cannot be read.
    pub fn version(&self) -> Result<Option<Version>> {
        self.store.log.version(self.name.as_str())
    }

    /// Whether the stream has an event.
    ///
    /// # Errors
    /// As [`Stream::version`].
    pub fn exists(&self) -> Result<bool> {
        self.version().map(|version| version.is_some())
    }
}

impl<C: Codec> Stream<C> {
    /// Appends events if the stream is as expected. One event is `[event]`.
    ///
    /// A type is appended under its name: the variant of an enum, or the name of a struct. What cannot be read back as it
    /// was is refused.
    ///
    /// # Errors
    /// `Conflict` when the stream is at another version, `Invalid` past a limit, `Codec` for an event that would not come
    /// back as it is, `StorageFull`, `Io`, `Exhausted`, `Closed`, `Poisoned`: nothing was written. `Indeterminate`: the
    /// events may be on disk; reopen and retry, with ids ([`Stream::append_drafts`]) if they must not be there twice.
    pub fn append<E: Serialize + DeserializeOwned>(
        &self,
        expected: impl Into<ExpectedVersion>,
        events: impl IntoIterator<Item = E>,
    ) -> Result<Receipt> {
        self.append_drafts(expected, events.into_iter().map(Draft::new))
    }

    /// Appends events with ids, times or metadata.
    ///
    /// # Errors
    /// As [`Stream::append`], and `IdReused` when an id is in the stream with other content or only a part of the events
    /// is there.
    pub fn append_drafts<E: Serialize + DeserializeOwned>(
        &self,
        expected: impl Into<ExpectedVersion>,
        drafts: impl IntoIterator<Item = Draft<E>>,
    ) -> Result<Receipt> {
        let encode = |draft| typed::encode::<C, E>(draft, &self.store.upcasters, self.name.as_str());
        let events: Vec<NewEvent> = drafts.into_iter().map(encode).collect::<Result<_>>()?;
        self.append_raw(expected, events)
    }

    /// The raw event of a value, for callers who go on using the value.
    pub(crate) fn encode<E: Serialize + DeserializeOwned>(&self, event: &E) -> Result<NewEvent> {
        typed::encode_value::<C, E>(event, &self.store.upcasters, self.name.as_str())
    }

    /// Folds all events, oldest first.
    ///
    /// # Errors
    /// `Codec` naming stream, version and type when an event cannot be decoded; `Corrupt` or `Io` when it cannot be read.
    pub fn fold<E: DeserializeOwned, S>(&self, init: S, step: impl FnMut(S, E) -> S) -> Result<S> {
        self.read().fold(init, step)
    }

    /// Folds all events, oldest first, until the caller's function fails.
    ///
    /// # Errors
    /// As [`Stream::fold`], and the caller's.
    pub fn try_fold<E, S, Err>(&self, init: S, step: impl FnMut(S, E) -> Result<S, Err>) -> Result<S, Err>
    where
        E: DeserializeOwned,
        Err: From<Error>,
    {
        self.read().try_fold(init, step)
    }
}

impl<C> Clone for Stream<C> {
    fn clone(&self) -> Self {
        Self { durability: self.durability, ..Self::new(Arc::clone(&self.store), self.name.clone()) }
    }
}

impl<C> fmt::Debug for Stream<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("name", &self.name.as_str()).finish_non_exhaustive()
    }
}
