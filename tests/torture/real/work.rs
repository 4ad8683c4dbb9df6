//! `Work`: an append that its number alone determines, so that parent and child need to exchange numbers only.

use annals::{
    Durability, EventId, ExpectedVersion, Maintenance, NewEvent, Options, Outcome, RecordedEvent, Store,
};

use crate::support::{Rng, event_with_id, id};

/// Appends of one lane are sent one after another; the number tells the lane.
pub(crate) const LANES: u64 = 8;
/// How many numbers a round of appends may use.
pub(crate) const NUMBERS_A_ROUND: u64 = 1 << 20;
/// How many of them each lane has.
pub(crate) const APPENDS_MAX: u64 = NUMBERS_A_ROUND / LANES;
/// Events of an append have ids of their own.
const IDS_A_WORK: u64 = 16;

/// One append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Work(pub(crate) u64);

/// The answer to a work: where its first event is, and whether it was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) outcome: Outcome,
}

/// A store with small files, so that there are many.
pub(crate) fn options(maintenance: Maintenance) -> Options {
    Options::new().maintenance(maintenance).journal_file_bytes(64 << 10).recent_bytes_max(8 << 10)
}

impl Work {
    /// The work that an event is of, and which event of it.
    pub(crate) fn of(event: &RecordedEvent) -> (Self, u64) {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&event.id().to_bytes()[..8]);
        let number = u64::from_le_bytes(bytes);
        (Self(number / IDS_A_WORK), number % IDS_A_WORK)
    }

    pub(crate) fn lane(self) -> u64 {
        self.0 % LANES
    }

    /// A command to an aggregate, not events as they are.
    fn is_command(self) -> bool {
        Rng::new(self.0).below(8) == 5
    }

    pub(crate) fn durability(self) -> Durability {
        // In every fourth round most are buffered, so that a power cut finds something to take.
        let synced_of_16 = if (self.0 / NUMBERS_A_ROUND) % 4 == 1 { 1 } else { 12 };
        let is_buffered = Rng::new(self.0 ^ 0xb0ff).below(16) >= synced_of_16 && !self.is_command();
        if is_buffered { Durability::Buffered } else { Durability::Synced }
    }

    /// How many events it has.
    pub(crate) fn events(self) -> u64 {
        if self.is_command() { 1 } else { self.parts().len() as u64 }
    }

    /// Stream and payload of each event.
    fn parts(self) -> Vec<(String, Vec<u8>)> {
        let mut rng = Rng::new(self.0 ^ 0x9a7e);
        let events = if rng.chance(4) { 2 + rng.below(5) } else { 1 };
        let part = |at| {
            let stream = format!("stream-{}", rng.below(12));
            let bytes = match rng.below(24) {
                0 => 3_000 + rng.below(12_000),
                1..5 => 400 + rng.below(1_200),
                _ => rng.below(200),
            };
            // Whole sectors of zeros too: they must not be taken for sectors that were lost.
            let filler = if rng.chance(4) { 0 } else { 1 + rng.below(255) };
            let mut payload = format!("{}/{at}/{events} ", self.0).into_bytes();
            payload.resize(payload.len() + crate::support::to_usize(bytes), filler.to_le_bytes()[0]);
            (stream, payload)
        };
        (0..events).map(part).collect()
    }

    pub(crate) fn event_id(self, at: u64) -> EventId {
        id(self.0 * IDS_A_WORK + at)
    }

    /// Sends it. The same every time, so that it may be sent again.
    pub(crate) fn send(self, store: &Store) -> annals::Result<Place> {
        if self.is_command() {
            return super::counter::execute(store, self);
        }
        let batch = (0..).zip(self.parts()).fold(store.batch(), |batch, (at, (stream, payload))| {
            let event: NewEvent = event_with_id(self.0 * IDS_A_WORK + at, payload);
            batch.append_raw(stream, ExpectedVersion::Any, [event])
        });
        let receipt = batch.durability(self.durability()).commit()?;
        let positions = receipt.receipts().iter().flat_map(|receipt| receipt.positions());
        let first = positions.min().expect("an append of events has positions");
        Ok(Place { position: first.as_u64(), outcome: receipt.outcome() })
    }

    /// What is wrong with the events that were found of it, if anything.
    pub(crate) fn differs_from(self, store: &Store, events: &[RecordedEvent]) -> Option<String> {
        if self.is_command() {
            let [event] = events else { return Some("a command has one event".to_owned()) };
            return super::counter::differs(store, self, event);
        }
        let parts = self.parts();
        let is_same = |((at, event), (stream, payload)): ((u64, &RecordedEvent), &(String, Vec<u8>))| {
            event.id() == self.event_id(at) && event.stream() == stream && event.payload() == payload
        };
        let is_right = parts.len() == events.len() && (0..).zip(events).zip(&parts).all(is_same);
        (!is_right).then(|| format!("{} events sent, {} found: {events:?}", parts.len(), events.len()))
    }
}
