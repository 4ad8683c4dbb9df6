//! Raw events with numbers in them, and what a store holds of them.

use annals::{EventId, NewEvent, RecordedEvent, Store};

/// An event of type `Happened` with this payload.
pub(crate) fn event(payload: impl AsRef<[u8]>) -> NewEvent {
    NewEvent::new("Happened", payload.as_ref().to_vec()).expect("the type is within its limits")
}

/// The id with this number.
pub(crate) fn id(number: u64) -> EventId {
    let mut bytes = [0x5a; 16];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    EventId::from_bytes(bytes)
}

/// An event with this payload and the id of this number.
pub(crate) fn event_with_id(number: u64, payload: impl AsRef<[u8]>) -> NewEvent {
    event(payload).id(id(number))
}

/// A number that counts what is in memory.
pub(crate) fn to_usize(number: u64) -> usize {
    usize::try_from(number).expect("it fits into memory")
}

/// All events of a store, oldest first.
pub(crate) fn all(store: &Store) -> Vec<RecordedEvent> {
    store.read().iter().collect::<annals::Result<_>>().expect("every event can be read")
}

/// The payloads of all events of a stream as text, oldest first.
pub(crate) fn payloads(store: &Store, stream: &str) -> Vec<String> {
    let text = |event: annals::Result<RecordedEvent>| {
        String::from_utf8_lossy(event.expect("every event can be read").payload()).into_owned()
    };
    store.stream(stream).expect("name").read().iter().map(text).collect()
}

/// How many events a read yields. An iterator that met an error yields it for ever: counting it would never end.
pub(crate) fn count(read: impl IntoIterator<Item = annals::Result<RecordedEvent>>) -> usize {
    read.into_iter().collect::<annals::Result<Vec<_>>>().expect("every event can be read").len()
}
