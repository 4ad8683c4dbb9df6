//! What reading asks of the disk: neighbours together, strangers not at all, and never very much at once.

use std::sync::{Arc, Mutex};

use annals::{Durability, ExpectedVersion, Maintenance, Options, RecordedEvent, Store};

use crate::support::{CallKind, SimDisk, Verdict, all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;

/// A store that keeps nothing in memory, and how many bytes each read asks for from now on.
struct Fixture {
    disk: SimDisk,
    store: Store,
    reads: Arc<Mutex<Vec<usize>>>,
}

impl Fixture {
    fn new(journal_file_bytes: u64, append: impl Fn(&Store)) -> Self {
        let disk = SimDisk::new();
        let store = Options::new()
            .disk(disk.clone())
            .maintenance(Maintenance::Inline)
            .durability(Durability::Buffered)
            .journal_file_bytes(journal_file_bytes)
            .recent_bytes_max(0)
            .open("/bank")
            .expect("open");
        append(&store);
        let reads = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&reads);
        disk.on_call(move |call| {
            if call.kind == CallKind::Read {
                told.lock().expect("reads").push(call.bytes);
            }
            Verdict::Proceed
        });
        Self { disk, store, reads }
    }

    fn take_reads(&self) -> Vec<usize> {
        std::mem::take(&mut self.reads.lock().expect("reads"))
    }
}

#[test]
fn commits_that_lie_one_behind_another_are_read_together() {
    let it = Fixture::new(64 << 10, |store| {
        for number in 0..500 {
            store
                .stream("a")
                .expect("name")
                .append_raw(ANY, [event(format!("{number:0400}"))])
                .expect("append");
        }
    });
    let files = it.disk.files().keys().filter(|path| path.starts_with("/bank/journal")).count();
    assert!(files > 3, "{files} files");
    let events = all(&it.store);
    assert!(events.iter().enumerate().all(|(at, event)| event.payload() == format!("{at:0400}").as_bytes()));
    // The pieces of a read grow, 16, 32, … 256 events, and a piece that reaches over files is read from each.
    let reads = it.take_reads();
    assert!(reads.len() < 6 + files, "{} reads of {files} files: {reads:?}", reads.len());
    let (all_bytes, frames) = (reads.iter().sum::<usize>(), 500 * 560);
    assert!(all_bytes < frames, "each frame once: {all_bytes} bytes");
}

#[test]
fn what_lies_between_the_events_of_a_stream_is_not_read() {
    let it = Fixture::new(16 << 20, |store| {
        for number in 0..300 {
            let name = if number % 10 == 0 { "rare" } else { "often" };
            store.stream(name).expect("name").append_raw(ANY, [event([7; 4_000])]).expect("append");
        }
    });
    let events: Vec<RecordedEvent> =
        it.store.stream("rare").expect("name").read().iter().collect::<annals::Result<_>>().expect("events");
    assert_eq!(events.len(), 30);
    let reads = it.take_reads();
    assert_eq!(reads.len(), 30, "one frame at a time: {reads:?}");
    assert!(reads.iter().all(|bytes| (4_000..4_400).contains(bytes)), "{reads:?}");
}

#[test]
fn no_more_than_a_mebibyte_is_read_at_once_but_for_one_commit_that_is_larger() {
    let it = Fixture::new(16 << 20, |store| {
        for bytes in [300_000, 400_000, 300_000, 500_000, 3_000_000, 10, 20] {
            store.stream("a").expect("name").append_raw(ANY, [event(vec![7; bytes])]).expect("append");
        }
    });
    let sizes: Vec<usize> = all(&it.store).iter().map(|event| event.payload().len()).collect();
    assert_eq!(sizes, [300_000, 400_000, 300_000, 500_000, 3_000_000, 10, 20]);
    let about: Vec<usize> = it.take_reads().iter().map(|bytes| bytes / 100_000).collect();
    assert_eq!(about, [10, 5, 30, 0], "in hundreds of thousands of bytes");
}
