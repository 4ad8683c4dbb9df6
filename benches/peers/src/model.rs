//! What goes into an event store and what comes out, in words that all engines share.

/// An event as its writer gives it.
#[derive(Debug, Clone)]
pub(crate) struct NewEvent {
    /// `None`: whoever stores it makes an id, as most programs have it.
    pub(crate) id: Option<[u8; 16]>,
    pub(crate) event_type: &'static str,
    /// Microseconds since 1970.
    pub(crate) occurred_at: i64,
    pub(crate) payload: Vec<u8>,
}

/// Events for one stream.
#[derive(Debug, Clone)]
pub(crate) struct Commit {
    pub(crate) stream: String,
    /// How many events the writer believes the stream to have. Anything else is refused.
    pub(crate) expected: u64,
    pub(crate) events: Vec<NewEvent>,
}

/// What is committed together, all or nothing.
pub(crate) type Request = Vec<Commit>;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Appended,
    /// A stream had another number of events than expected: nothing was written.
    Stale,
}

/// What the answer to an append promises. An engine is opened with one of the two, because LMDB is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// On disk.
    Durable,
    /// Not on disk yet: the engine's own way of answering earlier. What a killed process loses differs and stands at
    /// the head of each engine's file.
    Buffered,
}

/// An event as it is read: a view, valid for one call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) position: u64,
    pub(crate) stream: &'a str,
    pub(crate) version: u64,
    pub(crate) id: [u8; 16],
    pub(crate) event_type: &'a str,
    pub(crate) occurred_at: i64,
    pub(crate) recorded_at: i64,
    pub(crate) payload: &'a [u8],
}

/// A checksum over events in the order in which they are read. It touches every byte of every field, so that views that
/// are filled in lazily are paid for, and it is cheap, so that it does not hide what the engines cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fold {
    /// Over all that the writer gave and the places that the store gave: the same in every engine.
    pub(crate) sum: u64,
    /// Over the ids: the same in every engine only where the writer gave them.
    pub(crate) ids: u64,
    pub(crate) events: u64,
    pub(crate) payload_bytes: u64,
    /// Whether no recorded_at lay before the one ahead of it. Each store has its own clock, so the values differ.
    pub(crate) in_time: bool,
    last_recorded_at: i64,
}

impl Fold {
    pub(crate) const fn new() -> Self {
        Self { sum: 0, ids: 0, events: 0, payload_bytes: 0, in_time: true, last_recorded_at: i64::MIN }
    }

    #[inline]
    pub(crate) fn add(&mut self, event: &Seen<'_>) {
        let texts = words(event.stream.as_bytes()).rotate_left(7) ^ words(event.event_type.as_bytes());
        let places = event.position.wrapping_mul(MIX).rotate_left(23) ^ event.version;
        let given = words(event.payload) ^ event.occurred_at.cast_unsigned().rotate_left(17);
        self.sum = mixed(self.sum, mixed(texts, places) ^ given);
        self.ids = mixed(self.ids, words(&event.id));
        self.events += 1;
        self.payload_bytes += event.payload.len() as u64;
        self.in_time &= event.recorded_at >= self.last_recorded_at;
        self.last_recorded_at = event.recorded_at;
    }
}

const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

const fn mixed(state: u64, word: u64) -> u64 {
    (state.rotate_left(5) ^ word).wrapping_mul(MIX)
}

/// The sum of the little-endian words, the last of which may overlap the one before it: a few additions a cycle, so that
/// memory sets the pace.
#[inline]
fn words(bytes: &[u8]) -> u64 {
    let (whole, rest) = bytes.as_chunks::<8>();
    let sum = whole.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    match bytes.last_chunk() {
        Some(last) => sum.wrapping_add(u64::from_le_bytes(*last).rotate_left(1)),
        None => rest.iter().fold(sum, |sum, byte| sum.rotate_left(8) ^ u64::from(*byte)),
    }
}
