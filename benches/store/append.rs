//! Appending, beside the floor: the same bytes to a prepared file with one fdatasync a group.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};

use annals::{Durability, ExpectedVersion, Options, Store, Version};
use criterion::Criterion;

use super::floor::{GroupLog, RawLog};
use super::pair::Ratios;
use super::{FRAME_BYTES, event};

fn open(dir: &tempfile::TempDir, durability: Durability) -> Store {
    Options::new().durability(durability).open(dir.path().join("store")).expect("open")
}

fn one_thread(criterion: &mut Criterion, ratios: &mut Ratios) {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir, Durability::Synced);
    let stream = store.stream("order-00000").expect("stream");
    let mut raw = RawLog::create(dir.path());
    let frame = vec![7; FRAME_BYTES];
    ratios.pair(
        criterion,
        "append synced, 1 thread",
        1,
        Some(0.9),
        |count| {
            for _ in 0..count {
                stream.append_raw(ExpectedVersion::Any, [event()]).expect("append");
            }
        },
        |count| {
            for _ in 0..count {
                raw.write(&frame);
                raw.sync();
            }
        },
    );
}

fn sixteen_threads(criterion: &mut Criterion, ratios: &mut Ratios) {
    const THREADS: u64 = 16;
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir, Durability::Synced);
    let group = GroupLog::create(dir.path());
    let frame = vec![7; FRAME_BYTES];
    // Each thread appends until all together have done `count` appends.
    let in_threads = |count: u64, append: &(dyn Fn(u64) + Sync)| {
        let left = AtomicU64::new(count * THREADS);
        let take =
            || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let take = &take;
                scope.spawn(move || {
                    while take() {
                        append(thread);
                    }
                });
            }
        });
    };
    let streams: Vec<_> =
        (0..THREADS).map(|n| store.stream(format!("order-{n:05}")).expect("stream")).collect();
    ratios.pair(
        criterion,
        "append synced, 16 threads",
        THREADS,
        Some(0.8),
        |count| {
            in_threads(count, &|thread| {
                streams[thread as usize].append_raw(ExpectedVersion::Any, [event()]).expect("append");
            });
        },
        |count| in_threads(count, &|_| group.append(&frame)),
    );
}

fn batches(criterion: &mut Criterion, ratios: &mut Ratios) {
    const EVENTS: usize = 1000;
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir, Durability::Synced);
    let stream = store.stream("order-00000").expect("stream");
    let mut raw = RawLog::create(dir.path());
    let frame = vec![7; EVENTS * (FRAME_BYTES - 70)];
    ratios.pair(
        criterion,
        "append batches of 1,000",
        EVENTS as u64,
        None,
        |count| {
            for _ in 0..count {
                stream.append_raw(ExpectedVersion::Any, (0..EVENTS).map(|_| event())).expect("append");
            }
        },
        |count| {
            for _ in 0..count {
                raw.write(&frame);
                raw.sync();
            }
        },
    );
}

fn buffered(criterion: &mut Criterion, ratios: &mut Ratios) {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir, Durability::Buffered);
    let stream = store.stream("order-00000").expect("stream");
    let mut raw = RawLog::create(dir.path());
    let frame = vec![7; FRAME_BYTES];
    ratios.pair(
        criterion,
        "append buffered",
        1,
        None,
        |count| {
            for _ in 0..count {
                stream.append_raw(ExpectedVersion::Any, [event()]).expect("append");
            }
        },
        |count| {
            for _ in 0..count {
                raw.write(&frame);
            }
        },
    );
}

/// A refused append beside what it must at least do: look the stream up under a lock and compare.
fn conflict(criterion: &mut Criterion, ratios: &mut Ratios) {
    let dir = tempfile::tempdir().expect("dir");
    let store = open(&dir, Durability::Synced);
    let stream = store.stream("order-00000").expect("stream");
    stream.append_raw(ExpectedVersion::NoStream, [event()]).expect("append");
    let versions =
        parking_lot::Mutex::new(std::collections::HashMap::from([("order-00000".to_owned(), 0_u64)]));
    ratios.pair(
        criterion,
        "append refused",
        1,
        None,
        |count| {
            for _ in 0..count {
                assert!(stream.append_raw(Version::new(7), [event()]).is_err());
            }
        },
        |count| {
            for _ in 0..count {
                black_box(event());
                assert_ne!(versions.lock().get(black_box("order-00000")), Some(&7));
            }
        },
    );
}

pub(super) fn all(criterion: &mut Criterion, ratios: &mut Ratios) {
    one_thread(criterion, ratios);
    sixteen_threads(criterion, ratios);
    batches(criterion, ratios);
    buffered(criterion, ratios);
    conflict(criterion, ratios);
}
