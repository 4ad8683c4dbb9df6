//! Reading and opening, beside the floor: the same bytes read back in one pass with checksums.

use std::hint::black_box;

use annals::{Durability, ExpectedVersion, Options, Store};
use criterion::Criterion;

use super::floor::RawPieces;
use super::pair::Ratios;
use super::{FRAME_BYTES, PAYLOAD, event};

const STREAMS: usize = 1000;
const EVENTS_A_STREAM: usize = 100;
const EVENTS: usize = STREAMS * EVENTS_A_STREAM;

/// 100,000 events, one commit each, 100 in each of 1,000 streams, round robin.
fn fill(dir: &tempfile::TempDir, recent_bytes_max: usize) -> Store {
    let options = Options::new().durability(Durability::Buffered).recent_bytes_max(recent_bytes_max);
    let store = options.open(dir.path().join("store")).expect("open");
    let streams: Vec<_> =
        (0..STREAMS).map(|n| store.stream(format!("order-{n:05}")).expect("stream")).collect();
    for _ in 0..EVENTS_A_STREAM {
        for stream in &streams {
            stream.append_raw(ExpectedVersion::Any, [event()]).expect("append");
        }
    }
    store.flush().expect("flush");
    store
}

/// The floor's pieces have the size of the frames.
fn pieces(dir: &tempfile::TempDir) -> RawPieces {
    RawPieces::create(dir.path(), EVENTS, FRAME_BYTES)
}

fn load(criterion: &mut Criterion, ratios: &mut Ratios, name: &str, recent_bytes_max: usize) {
    let dir = tempfile::tempdir().expect("dir");
    let store = fill(&dir, recent_bytes_max);
    let floor = pieces(&dir);
    let mut next = 0;
    let mut next_floor = 0;
    ratios.pair(
        criterion,
        name,
        EVENTS_A_STREAM as u64,
        None,
        |count| {
            for _ in 0..count {
                next = (next + 619) % STREAMS;
                let stream = store.stream(format!("order-{next:05}")).expect("stream");
                let bytes: usize =
                    stream.read().iter().map(|event| event.expect("event").payload().len()).sum();
                assert_eq!(bytes, EVENTS_A_STREAM * PAYLOAD.len());
            }
        },
        |count| {
            for _ in 0..count {
                next_floor = (next_floor + 619) % STREAMS;
                black_box(floor.read(next_floor * EVENTS_A_STREAM, EVENTS_A_STREAM));
            }
        },
    );
}

fn replay(
    criterion: &mut Criterion,
    ratios: &mut Ratios,
    name: &str,
    goal: Option<f64>,
    recent_bytes_max: usize,
) {
    let dir = tempfile::tempdir().expect("dir");
    let store = fill(&dir, recent_bytes_max);
    let floor = pieces(&dir);
    ratios.pair(
        criterion,
        name,
        EVENTS as u64,
        goal,
        |count| {
            for _ in 0..count {
                let bytes: usize =
                    store.read().iter().map(|event| event.expect("event").payload().len()).sum();
                assert_eq!(bytes, EVENTS * PAYLOAD.len());
            }
        },
        |count| {
            for _ in 0..count {
                black_box(floor.read(0, EVENTS));
            }
        },
    );
}

fn open(criterion: &mut Criterion, ratios: &mut Ratios) {
    let dir = tempfile::tempdir().expect("dir");
    fill(&dir, 64 << 20).close().expect("close");
    let floor = pieces(&dir);
    ratios.pair(
        criterion,
        "open, 100,000 events",
        EVENTS as u64,
        None,
        |count| {
            for _ in 0..count {
                let store = Store::open(dir.path().join("store")).expect("open");
                assert_eq!(store.head().as_u64(), EVENTS as u64);
            }
        },
        |count| {
            for _ in 0..count {
                black_box(floor.read(0, EVENTS));
            }
        },
    );
    ratios.pair(
        criterion,
        "open, new store",
        1,
        None,
        |count| {
            for _ in 0..count {
                let dir = tempfile::tempdir().expect("dir");
                drop(Store::open(dir.path().join("store")).expect("open"));
            }
        },
        |count| {
            for _ in 0..count {
                let dir = tempfile::tempdir().expect("dir");
                std::fs::write(dir.path().join("file"), vec![0; 256 << 10]).expect("write");
                std::fs::File::open(dir.path().join("file")).expect("open").sync_all().expect("sync");
            }
        },
    );
}

pub(super) fn all(criterion: &mut Criterion, ratios: &mut Ratios) {
    load(criterion, ratios, "load 100, recent", 64 << 20);
    load(criterion, ratios, "load 100, from disk", 0);
    replay(criterion, ratios, "replay, recent", Some(0.8), 64 << 20);
    replay(criterion, ratios, "replay, from disk", None, 0);
    open(criterion, ratios);
}
