//! Typed values over raw events: encoding on the way in, upcasting and decoding on the way out.

use std::fmt;
use std::iter::FusedIterator;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, Stored, Upcasters, decode_any, encode_checked};
use crate::error::{Error, ErrorKind, Quoted, Result};
use crate::types::{NewEvent, RecordedEvent};

use super::{Draft, Events};

/// The raw event of a typed one.
pub(super) fn encode<C: Codec, E: Serialize + DeserializeOwned>(
    draft: Draft<E>,
    upcasters: &Upcasters,
    stream: &str,
) -> Result<NewEvent> {
    let Draft { event, id, occurred_at, metadata } = draft;
    Ok(NewEvent { id, metadata, occurred_at, ..encode_value::<C, E>(&event, upcasters, stream)? })
}

/// The raw event of a value with nothing beside it.
pub(super) fn encode_value<C: Codec, E: Serialize + DeserializeOwned>(
    event: &E,
    upcasters: &Upcasters,
    stream: &str,
) -> Result<NewEvent> {
    let mut encoded = encode_checked::<C, E>(event).map_err(|error| {
        Error::new(ErrorKind::Codec, format!("encoding an event for stream {}: {error}", Quoted(stream)))
            .with_source(error)
    })?;
    encoded.encoding.schema_version = upcasters.current_version(encoded.event_type.as_str());
    Ok(NewEvent::from(encoded))
}

/// The typed event of a raw one.
pub(super) fn decode<C: Codec, E: DeserializeOwned>(
    event: &RecordedEvent,
    upcasters: &Upcasters,
) -> Result<E> {
    let decoded =
        upcasters.apply(Stored::from(event)).and_then(|upcasted| decode_any::<C, E>(upcasted.as_stored()));
    decoded.map_err(|error| {
        let what = format!(
            "decoding event {} of stream {}, type {}: {error}",
            event.version(),
            Quoted(event.stream()),
            Quoted(event.event_type()),
        );
        Error::new(ErrorKind::Codec, what).with_source(error)
    })
}

/// Events with the values in them, from either end. After an error it yields that error for ever.
pub struct TypedEvents<C, E> {
    events: Events,
    upcasters: Upcasters,
    failed: Option<Error>,
    decodes: PhantomData<fn() -> (C, E)>,
}

impl<C: Codec, E: DeserializeOwned> TypedEvents<C, E> {
    pub(super) fn new(events: Events, upcasters: Upcasters) -> Self {
        Self { events, upcasters, failed: None, decodes: PhantomData }
    }

    fn decode(&mut self, event: Option<Result<RecordedEvent>>) -> Option<Result<(RecordedEvent, E)>> {
        if let Some(error) = &self.failed {
            return Some(Err(error.clone()));
        }
        let typed =
            event?.and_then(|event| decode::<C, E>(&event, &self.upcasters).map(|value| (event, value)));
        self.failed = typed.as_ref().err().cloned();
        Some(typed)
    }
}

impl<C: Codec, E: DeserializeOwned> Iterator for TypedEvents<C, E> {
    type Item = Result<(RecordedEvent, E)>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = self.events.next();
        self.decode(event)
    }
}

impl<C: Codec, E: DeserializeOwned> DoubleEndedIterator for TypedEvents<C, E> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let event = self.events.next_back();
        self.decode(event)
    }
}

impl<C: Codec, E: DeserializeOwned> FusedIterator for TypedEvents<C, E> {}

impl<C, E> fmt::Debug for TypedEvents<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TypedEvents").field("events", &self.events).finish_non_exhaustive()
    }
}

/// Folds the typed events of an iterator. The caller's error ends it, and so does the store's.
pub(super) fn try_fold<C, E, S, Err>(
    events: impl Iterator<Item = Result<RecordedEvent>>,
    upcasters: &Upcasters,
    init: S,
    mut step: impl FnMut(S, E) -> Result<S, Err>,
) -> Result<S, Err>
where
    C: Codec,
    E: DeserializeOwned,
    Err: From<Error>,
{
    let mut state = init;
    for event in events {
        state = step(state, decode::<C, E>(&event?, upcasters)?)?;
    }
    Ok(state)
}
