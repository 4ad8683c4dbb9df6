//! The newest events are read from memory, within the limit that was asked for, and are what was appended.

use std::sync::atomic::Ordering;

use annals::{Durability, ExpectedVersion, Maintenance, NewEvent, Options, RecordedEvent, Store};

use crate::support::{ManualClock, SimDisk, all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;
/// Room for several blocks of commits.
const RECENT_BYTES_MAX: usize = 1 << 20;

fn open(disk: &SimDisk) -> Store {
    Options::new()
        .disk(disk.clone())
        .maintenance(Maintenance::Inline)
        .clock(ManualClock::at(1_000))
        .durability(Durability::Buffered)
        .journal_file_bytes(1 << 20)
        .recent_bytes_max(RECENT_BYTES_MAX)
        .open("/bank")
        .expect("open")
}

/// Events of all sizes, also some whose commit has a buffer of its own in memory.
fn sent(number: u64) -> NewEvent {
    let bytes = if number.is_multiple_of(97) { 70_000 } else { number % 13 * 90 };
    event(format!("{number} {}", "x".repeat(usize::try_from(bytes).expect("a length"))))
}

fn assert_as_sent(events: &[RecordedEvent], first: u64) {
    for (number, event) in (first..).zip(events) {
        assert_eq!(event.position().as_u64(), number);
        assert_eq!(event.payload(), sent(number).payload, "event {number}");
    }
}

#[test]
fn the_newest_events_are_in_memory_up_to_the_limit_and_read_as_they_were_appended() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let stream = store.stream("a").expect("name");
    let count = 6_000;
    let mut most = 0;
    for number in 0..count {
        stream.append_raw(ANY, [sent(number)]).expect("append");
        let recent_bytes = store.stats().expect("stats").recent_bytes;
        assert!(recent_bytes <= RECENT_BYTES_MAX as u64, "{recent_bytes} after {number}");
        most = most.max(recent_bytes);
    }
    // Whole blocks of up to 256 KiB are let go of, and a commit of 70,000 bytes may make a block larger.
    assert!(most > RECENT_BYTES_MAX as u64 - 400_000, "the limit is made use of: {most}");
    let events = all(&store);
    assert_eq!(events.len() as u64, count);
    assert_as_sent(&events, 0);
    let backwards: Vec<_> = store.read().iter().rev().collect::<annals::Result<_>>().expect("events");
    assert!(backwards.iter().rev().eq(&events), "the same from the other end");

    let reads = disk.count_reads();
    let newest: Vec<_> = store.read().iter().rev().take(200).collect::<annals::Result<_>>().expect("events");
    assert!(newest.iter().rev().eq(&events[events.len() - 200..]));
    assert_eq!(reads.load(Ordering::SeqCst), 0, "what is new asks no disk");
    let oldest: Vec<_> = store.read().iter().take(200).collect::<annals::Result<_>>().expect("events");
    assert_eq!(oldest, events[..200]);
    assert_ne!(reads.load(Ordering::SeqCst), 0, "what is old does");
}

#[test]
fn many_small_commits_make_blocks_too() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let stream = store.stream("a").expect("name");
    // More than are kept one by one.
    let count = 4_096 + 50;
    for number in 0..count {
        stream.append_raw(ANY, [event(format!("{number}"))]).expect("append");
    }
    let reads = disk.count_reads();
    let events = all(&store);
    assert_eq!(events.len(), count);
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event.payload(), format!("{number}").as_bytes());
    }
    assert_eq!(reads.load(Ordering::SeqCst), 0);
    store.close().expect("close");
    assert_eq!(all(&open(&disk)), events, "and after opening");
}

#[test]
fn only_small_commits_are_moved_when_a_block_is_made_of_them() {
    let store = open(&SimDisk::new());
    let stream = store.stream("a").expect("name");
    let first_two = || -> Vec<RecordedEvent> {
        store.read().iter().take(2).collect::<annals::Result<_>>().expect("events")
    };
    stream.append_raw(ANY, [event([1; 100_000])]).expect("append");
    stream.append_raw(ANY, [event([2; 100])]).expect("append");
    let before = first_two();
    for _ in 0..300 {
        stream.append_raw(ANY, [event([3; 1_000])]).expect("append");
    }
    let after = first_two();
    assert_eq!(before, after);
    assert_eq!(before[0].payload().as_ptr(), after[0].payload().as_ptr(), "a large one stays where it is");
    assert_ne!(before[1].payload().as_ptr(), after[1].payload().as_ptr(), "a small one lies with others now");
}
