//! Segments made for tests: events by stream, positions and commits as a journal would have given them.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use tempfile::TempDir;

use crate::disk::{CreateFailure, Disk, RealDisk};
use crate::segment::{BlockCache, NewSegment, SealedEvent, Segment, write_segment};
use crate::state::{StateRecords, StateTable, checkpoint_at};
use crate::types::Compression;
use crate::types::{
    Chain, CodecId, Encoding, EventId, EventTable, Extension, Facts, Names, Parts, Position, RecordedEvent,
    Row, Shape, StoreId, Timestamp, Version,
};

pub(in crate::segment) const STORE: StoreId = StoreId::from_bytes([5; 16]);
pub(in crate::segment) const NUMBER: u64 = 7;
pub(in crate::segment) const CACHE_BYTES: u64 = 4 << 20;

/// What differs from event to event.
#[derive(Debug, Clone)]
pub(in crate::segment) struct Made {
    pub(in crate::segment) stream: String,
    pub(in crate::segment) event_type: String,
    pub(in crate::segment) payload: Vec<u8>,
    pub(in crate::segment) metadata: Vec<u8>,
    pub(in crate::segment) recorded_at: i64,
    pub(in crate::segment) occurred_at: i64,
    pub(in crate::segment) encoding: Encoding,
    pub(in crate::segment) extension: Extension,
    /// Whether it begins a commit.
    pub(in crate::segment) begins: bool,
}

impl Made {
    pub(in crate::segment) fn new(stream: &str, payload: &[u8]) -> Self {
        Self {
            stream: stream.to_owned(),
            event_type: "Deposited".to_owned(),
            payload: payload.to_vec(),
            metadata: Vec::new(),
            recorded_at: 1_000,
            occurred_at: 900,
            encoding: Encoding::RAW,
            extension: Extension::default(),
            begins: true,
        }
    }
}

/// A store's events before a segment, and those of the segment.
pub(in crate::segment) struct History {
    pub(in crate::segment) start: Chain,
    pub(in crate::segment) end: Chain,
    /// In the order of stream and version.
    pub(in crate::segment) sorted: Vec<SealedEvent>,
    pub(in crate::segment) states: StateTable,
}

/// The events as a journal would have numbered them, behind `start`; streams begin at `first_version`.
pub(in crate::segment) fn history(made: &[Made], start: Chain, first_version: u64) -> History {
    let mut versions = std::collections::HashMap::<&str, u64>::new();
    let (mut number, mut by_position) = (0, Vec::new());
    for (at, event) in made.iter().enumerate() {
        number = if event.begins || at == 0 { 0 } else { number + 1 };
        let version = versions.entry(event.stream.as_str()).or_insert(first_version);
        let position = start.position + at as u64;
        by_position.push(SealedEvent {
            event: recorded(event, position, number, *version),
            extension: event.extension.clone(),
        });
        *version = version.wrapping_add(1);
    }
    let commits = by_position.iter().filter(|it| it.event.position() == it.event.commit_position()).count();
    let mut sorted = by_position;
    sorted.sort_by_key(|sealed| (sealed.event.stream().as_bytes().to_vec(), sealed.event.version()));
    let end = Chain {
        position: start.position + made.len() as u64,
        n: start.n + commits as u64 + 1,
        prev_header_crc: 77,
    };
    History { start, end, sorted, states: states(start) }
}

/// As many state records as a number of the history's start says, down to none.
fn states(start: Chain) -> StateTable {
    let mut bytes = Vec::new();
    let names =
        ["mailer", "points", "statement"].into_iter().take(usize::try_from(start.n % 4).expect("few"));
    for change in names.map(|name| checkpoint_at(name, Some(Position::new(start.position)))) {
        change.expect("a name").encode(&mut bytes).expect("within limits");
    }
    let count = StateRecords::new(&bytes).count();
    StateTable::decode(&bytes, u32::try_from(count).expect("few")).expect("in order")
}

fn recorded(made: &Made, position: u64, number: u32, version: u64) -> RecordedEvent {
    let length = |part: &str| u16::try_from(part.len()).expect("length");
    let [metadata, payload] =
        [&made.metadata, &made.payload].map(|part| u32::try_from(part.len()).expect("length"));
    let names = Names {
        stream: 0,
        event_type: u32::try_from(made.stream.len()).expect("length"),
        stream_len: length(&made.stream),
        type_len: length(&made.event_type),
    };
    let parts = Parts { metadata: 0, payload: metadata, end: metadata + payload };
    let facts = Facts {
        id: id_of(position),
        version: Version::new(version),
        position: Position::new(position),
        number,
        occurred_at: Timestamp::from_micros(made.occurred_at),
        recorded_at: Timestamp::from_micros(made.recorded_at),
        encoding: made.encoding,
    };
    let bytes = Arc::new([made.metadata.as_slice(), &made.payload].concat());
    let both = [made.stream.as_str(), &made.event_type].concat();
    EventTable::new(bytes, both, vec![Row { names, parts, facts }]).event(0)
}

/// The id of the event at a position.
pub(in crate::segment) fn id_of(position: u64) -> EventId {
    EventId::from_bytes([3; 16]).derive(u32::try_from(position % (1 << 32)).expect("within"))
}

pub(in crate::segment) fn write(
    disk: &dyn Disk,
    dir: &Path,
    history: &History,
    codec: Compression,
) -> Result<(), CreateFailure> {
    let new = NewSegment {
        store: STORE,
        number: NUMBER,
        start: history.start,
        end: history.end,
        compression: codec,
    };
    write_segment(disk, dir, new, &mut history.sorted.iter().cloned().map(Ok), &history.states)
}

pub(in crate::segment) fn open(dir: &Path, cache_bytes: u64) -> crate::error::Result<Arc<Segment>> {
    let cache = Arc::new(BlockCache::new(cache_bytes));
    Segment::open(&RealDisk, dir, STORE, NUMBER, cache).map(Arc::new)
}

/// A segment of these events, in a directory of its own.
pub(in crate::segment) fn segment(history: &History, codec: Compression) -> (TempDir, Arc<Segment>) {
    let dir = TempDir::new().expect("directory");
    write(&RealDisk, dir.path(), history, codec).expect("written");
    let segment = open(dir.path(), CACHE_BYTES).expect("opened");
    (dir, segment)
}

/// All codecs of this build.
pub(in crate::segment) fn codecs() -> Vec<Compression> {
    vec![
        Compression::None,
        Compression::Lz4,
        #[cfg(feature = "zstd")]
        Compression::Zstd,
    ]
}

fn any_encoding() -> impl Strategy<Value = Encoding> {
    let encodings = (any::<u8>(), 0..5_u8, any::<u16>(), any::<u32>());
    prop_oneof![
        3 => Just(Encoding::RAW),
        1 => encodings.prop_map(|(codec, shape, fields, schema_version)| Encoding {
            codec: CodecId::new(codec),
            shape: Shape::from_u8(shape).expect("a shape"),
            fields,
            schema_version,
        }),
    ]
}

fn any_time() -> impl Strategy<Value = i64> {
    prop_oneof![4 => 1_700_000_000_000_000..1_700_000_100_000_000_i64, 1 => any::<i64>(), 1 => Just(i64::MIN), 1 => Just(i64::MAX)]
}

fn any_stream() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => (0..40_u32).prop_map(|number| format!("account-{number}")),
        1 => Just("häuser-ß-東京".to_owned()),
        1 => Just("é".repeat(256)),
        1 => Just("a".to_owned()),
    ]
}

fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => Just(Vec::new()),
        8 => proptest::collection::vec(any::<u8>(), 0..300),
        1 => (any::<u8>(), 0..60_000_usize).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn any_extension() -> impl Strategy<Value = Extension> {
    let some = (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..40));
    prop_oneof![
        8 => Just(Extension::default()),
        1 => some.prop_map(|(flags, bytes)| Extension { flags: u16::from(flags) << 8, bytes: bytes.into() }),
    ]
}

/// An event as a journal may have it.
pub(in crate::segment) fn any_made() -> impl Strategy<Value = Made> {
    let texts = (any_stream(), prop_oneof![Just("Deposited"), Just("Withdrawn"), Just("Überwiesen")]);
    let bytes = (any_payload(), proptest::collection::vec(any::<u8>(), 0..50), any_extension());
    let rest = (any_time(), any_time(), any_encoding(), any::<bool>());
    (texts, bytes, rest).prop_map(|((stream, event_type), (payload, metadata, extension), rest)| {
        let (recorded_at, occurred_at, encoding, begins) = rest;
        let event_type = event_type.to_owned();
        Made { stream, event_type, payload, metadata, recorded_at, occurred_at, encoding, extension, begins }
    })
}
