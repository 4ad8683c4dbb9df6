//! Sealing as callers meet it: what it asks of the disk later, and that it goes on by itself, within its bound.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use annals::{Durability, ExpectedVersion, Maintenance, Options, Store, Version};

use crate::support::{CallKind, SimDisk, Verdict, all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).durability(Durability::Buffered)
}

/// Three segments with one event each of a thousand streams.
fn fill(store: &Store) {
    for _ in 0..3 {
        for number in 0..1_000 {
            let stream = store.stream(format!("account-{number}")).expect("name");
            stream.append_raw(ANY, [event("x")]).expect("append");
        }
        assert_eq!(store.seal().expect("seal"), 1);
    }
}

#[test]
fn an_append_to_a_stream_that_was_just_sealed_asks_no_disk() {
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    fill(&store);
    let reads = disk.count_reads();
    for number in 0..1_000 {
        let stream = store.stream(format!("account-{number}")).expect("name");
        let receipt = stream.append_raw(Version::new(2), [event("y")]).expect("append");
        assert_eq!(receipt.version(), Some(Version::new(3)));
    }
    assert_eq!(reads.load(Ordering::SeqCst), 0);
}

#[test]
fn an_append_to_a_stream_that_never_was_asks_each_segments_filter_once() {
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    fill(&store);
    let reads = disk.count_reads();
    for number in 0..1_000 {
        let stream = store.stream(format!("customer-{number}")).expect("name");
        stream.append_raw(ExpectedVersion::NoStream, [event("y")]).expect("append");
    }
    // A filter of eight bits says for one name in 256 that it may be there: then the directory and a block of streams are read,
    // each of which is read once.
    let reads = reads.load(Ordering::SeqCst);
    assert!((3..=3 * 8).contains(&reads), "{reads} reads");
}

#[test]
fn where_sealing_is_left_to_the_caller_nobody_waits_for_it() {
    let disk = SimDisk::new();
    let store = options(&disk).journal_file_bytes(64 << 10).open("/bank").expect("open");
    let stream = store.stream("account-1").expect("name");
    stream.append_raw(ANY, [event("x")]).expect("append");
    assert_eq!(store.seal().expect("seal"), 1);
    for _ in 0..10 {
        stream.append_raw(ANY, [event(vec![7; 60_000])]).expect("append");
    }
    let stats = store.stats().expect("stats");
    assert!(stats.backlog_files > 5 && stats.stalls == 0, "{stats:?}");
}

#[test]
fn a_store_whose_events_are_sealed_opens_without_reading_them() {
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    fill(&store);
    store.close().expect("close");
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&bytes);
    disk.on_call(move |call| {
        if call.kind == CallKind::Read && call.path.to_string_lossy().contains("/segments/") {
            counted.fetch_add(call.bytes as u64, Ordering::SeqCst);
        }
        Verdict::Proceed
    });
    let store = options(&disk).open("/bank").expect("open");
    assert_eq!(store.stats().expect("stats").streams, 1_000);
    assert!(bytes.load(Ordering::SeqCst) <= 3 * 256, "header and footer of each: {bytes:?}");
    assert_eq!(store.stream("account-7").expect("name").version().expect("version"), Some(Version::new(2)));
}

#[test]
fn full_files_are_sealed_while_many_append_and_nothing_is_lost_or_doubled() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let options = || Options::new().durability(Durability::Buffered).journal_file_bytes(64 << 10);
    let store = options().open(&path).expect("open");
    thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for number in 0..2_000 {
                    let stream = store.stream(format!("account-{thread}-{}", number % 50)).expect("name");
                    stream.append_raw(ANY, [event(format!("{thread} {number}"))]).expect("append");
                }
            });
        }
    });
    let mut stats = store.stats().expect("stats");
    while stats.backlog_files > 0 {
        thread::yield_now();
        stats = store.stats().expect("stats");
    }
    assert!(stats.segments > 10, "{stats:?}");
    assert_eq!((stats.seals_failed, stats.journal_files), (0, 1), "{stats:?}");
    let check = |store: &Store| {
        let events = all(store);
        assert_eq!(events.len(), 8_000);
        for thread in 0..4 {
            for account in 0..50 {
                let stream = store.stream(format!("account-{thread}-{account}")).expect("name");
                let payloads: Vec<_> = (0..40).map(|at| format!("{thread} {}", at * 50 + account)).collect();
                let read: Vec<_> = stream.read().iter().map(|event| event.expect("event")).collect();
                assert!(read.iter().map(|event| event.payload()).eq(payloads.iter().map(String::as_bytes)));
                assert_eq!(stream.version().expect("version"), Some(Version::new(39)));
            }
        }
    };
    check(&store);
    store.close().expect("close");
    let store = options().open(&path).expect("open");
    check(&store);
    assert!(Store::verify(&path).expect("verify").is_sound());
}
