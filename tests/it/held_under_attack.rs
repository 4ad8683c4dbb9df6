//! What somebody found who set out to break the store: each of these failed once.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use annals::{Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Store};

use crate::support::{CallKind, Keep, SimDisk, Verdict, all, event, event_with_id};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const JOURNAL: &str = "/bank/journal/00000001";

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline)
}

/// Bytes read from the disk from now on.
fn count_read_bytes(disk: &SimDisk) -> Arc<AtomicU64> {
    let bytes = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&bytes);
    disk.on_call(move |call| {
        if call.kind == CallKind::Read {
            counted.fetch_add(call.bytes as u64, Ordering::SeqCst);
        }
        Verdict::Proceed
    });
    bytes
}

fn used_bytes(disk: &SimDisk) -> u64 {
    disk.files()[Path::new(JOURNAL)].iter().rposition(|byte| *byte != 0).expect("frames") as u64
}

#[test]
fn a_flush_is_never_answered_without_a_sync_though_its_group_found_the_disk_full() {
    for round in 0..20 {
        let disk = SimDisk::new();
        let store = options(&disk).durability(Durability::Buffered).open("/bank").expect("open");
        store.stream("a").expect("name").append_raw(ANY, [event("buffered")]).expect("append");
        let (arrived, frames) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
        let waited_for = Arc::clone(&arrived);
        disk.on_call(move |call| match call.kind {
            // The zeros of prepared space come in large pieces.
            CallKind::Write if call.bytes > 60_000 => Verdict::Fail(io::ErrorKind::StorageFull),
            CallKind::Write if frames.fetch_add(1, Ordering::SeqCst) == 0 => {
                // Whoever leads waits here until the others are on their way into the next group.
                while waited_for.load(Ordering::SeqCst) < 2 {
                    std::thread::yield_now();
                }
                (0..200 * round).for_each(|_| std::thread::yield_now());
                Verdict::Proceed
            }
            _ => Verdict::Proceed,
        });
        let flushed = std::thread::scope(|scope| {
            scope.spawn(|| store.stream("a").expect("name").append_raw(ANY, [event("leads")]));
            scope.spawn(|| {
                arrived.fetch_add(1, Ordering::SeqCst);
                store.stream("a").expect("name").append_raw(ANY, [event("x".repeat(400_000))])
            });
            scope
                .spawn(|| {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    store.flush()
                })
                .join()
                .expect("flush")
        });
        let after = options(&disk.crash(Keep::Nothing)).open("/bank").expect("open");
        assert!(flushed.is_err() || !all(&after).is_empty(), "flush said Ok and the event before it is gone");
    }
}

#[test]
fn an_append_made_while_a_panic_unwinds_leaves_the_store_usable() {
    struct AppendsWhenDropped(Store);
    impl Drop for AppendsWhenDropped {
        fn drop(&mut self) {
            self.0.stream("a").expect("name").append_raw(ANY, [event("ended")]).expect("append");
        }
    }
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    let dropped = AppendsWhenDropped(store.clone());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _dropped = dropped;
        panic!("a bug in the caller's code");
    }));
    assert!(panicked.is_err());
    store.stream("a").expect("name").append_raw(ANY, [event("after")]).expect("the store is as it was");
}

#[test]
fn the_receipt_of_a_stream_that_was_only_checked_names_its_version() {
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    let a = store.stream("a").expect("name");
    let appended = a.append_raw(ANY, [event("1"), event("2")]).expect("append");
    let batch = store.batch().check("a", ExpectedVersion::StreamExists).append_raw("b", ANY, [event("3")]);
    let receipt = batch.commit().expect("commit");
    let checked = receipt.stream("a").expect("named");
    assert_eq!(checked.version(), appended.version());
    a.append_raw(checked.version(), [event("4")]).expect("what the next append may expect");
}

#[test]
fn a_file_header_that_counts_frames_from_0_is_damage_to_opening_and_to_verify() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Store::open(&path).expect("open");
    let store_id = store.id();
    store.stream("a").expect("name").append_raw(ANY, [event("1")]).expect("append");
    store.close().expect("close");
    let file = path.join("journal/00000001");
    let mut bytes = std::fs::read(&file).expect("read");
    bytes[48..56].fill(0);
    let mut seed = crc32fast::Hasher::new_with_initial(0);
    seed.update(&store_id.to_bytes());
    seed.update(&1_u64.to_le_bytes());
    let mut crc = crc32fast::Hasher::new_with_initial(seed.finalize());
    crc.update(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.finalize().to_le_bytes());
    std::fs::write(&file, bytes).expect("write");
    assert_eq!(Store::open(&path).expect_err("damage").kind(), ErrorKind::Corrupt);
    assert!(!Store::verify(&path).expect("verify").is_sound());
}

#[test]
fn a_store_that_was_moved_away_leaves_the_one_in_its_place_alone() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let [path, moved, other] = ["bank", "bank.old", "other"].map(|name| dir.path().join(name));
    let append = |store: &Store| store.stream("a").expect("name").append_raw(ANY, [event("x".repeat(1000))]);
    let options = || Options::new().maintenance(Maintenance::Inline).durability(Durability::Buffered);
    let theirs = options().open(&other).expect("open");
    (0..1200).for_each(|_| drop(append(&theirs).expect("append")));
    theirs.close().expect("close");
    let ours = options().open(&path).expect("open");
    (0..10).for_each(|_| drop(append(&ours).expect("append")));
    std::fs::rename(&path, &moved).expect("move");
    std::fs::rename(&other, &path).expect("move");
    (0..400).for_each(|_| drop(append(&ours)));
    assert!(ours.close().is_err(), "the end could not be marked");
    let report = Store::verify(&path).expect("verify");
    assert!(report.is_sound() && report.clean && report.events == 1200, "{report:?}");
    drop(ours);
    assert_eq!(Store::open(&moved).expect("open").head().as_u64(), 410, "and all of ours is where it went");
}

#[test]
fn files_of_others_are_never_removed_and_never_in_the_way() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    Store::open(&path).expect("open").close().expect("close");
    for name in ["thesis.tmp", "journal/notes.tmp", "journal/00000007.tmp.tmp"] {
        std::fs::write(path.join(name), "three years of work").expect("write");
    }
    std::fs::create_dir(path.join("export.tmp")).expect("directory");
    Store::open(&path).expect("open").close().expect("close");
    for name in ["thesis.tmp", "journal/notes.tmp", "journal/00000007.tmp.tmp", "export.tmp"] {
        assert!(path.join(name).exists(), "{name}");
    }
    let full = dir.path().join("full");
    std::fs::create_dir(&full).expect("directory");
    std::fs::write(full.join("thesis.tmp"), "three years of work").expect("write");
    assert_eq!(Store::open(&full).expect_err("not empty").kind(), ErrorKind::Invalid);
    assert_eq!(
        std::fs::read_dir(&full).expect("list").filter(|entry| entry.is_ok()).count(),
        1,
        "not even a lock is left"
    );
}

#[test]
fn a_copy_in_quarantine_is_never_replaced_by_a_later_recovery() {
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    store.stream("a").expect("name").append_raw(ANY, [event("before")]).expect("append");
    let mut files = disk.files();
    drop(store);
    // A torn group: bytes of a frame without the sector that its header was in.
    let end = files[Path::new(JOURNAL)].iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    let torn: Vec<u8> = (1..=250).cycle().take(2000).collect();
    let start = end.next_multiple_of(512);
    files.get_mut(Path::new(JOURNAL)).expect("journal")[start..start + 2000].copy_from_slice(&torn);
    let disk = SimDisk::with_files(&files);
    disk.on_call(|call| {
        // Recovery dies while it clears the tail: half of the zeros are down.
        let clears = call.kind == CallKind::Write && call.path == Path::new(JOURNAL);
        if clears { Verdict::FailAfter(1500, io::ErrorKind::Other) } else { Verdict::Proceed }
    });
    assert!(options(&disk).open("/bank").is_err());
    disk.heal();
    options(&disk).open("/bank").expect("open");
    let files = disk.files();
    let mut copies = files.iter().filter(|(path, _)| path.starts_with("/bank/quarantine"));
    assert!(
        copies.any(|(_, bytes)| bytes.windows(2000).any(|window| window == torn)),
        "the torn bytes are kept"
    );
}

#[test]
fn a_batch_is_retried_and_replayed_from_disk_with_one_read_of_it() {
    let disk = SimDisk::new();
    let store = options(&disk).recent_bytes_max(0).open("/bank").expect("open");
    let events = || (0..2_000).map(|number| event_with_id(number, "x".repeat(100)));
    let a = store.stream("a").expect("name");
    a.append_raw(ANY, events()).expect("append");
    let read = count_read_bytes(&disk);
    a.append_raw(ANY, events()).expect("retry");
    assert!(read.swap(0, Ordering::SeqCst) < 3 * used_bytes(&disk), "the retry");
    assert_eq!(store.read().iter().map(Result::unwrap).count(), 2_000);
    assert!(read.load(Ordering::SeqCst) < 3 * used_bytes(&disk), "the replay");
}

#[test]
fn large_events_are_read_from_disk_a_few_at_a_time() {
    let disk = SimDisk::new();
    let store = options(&disk).recent_bytes_max(0).open("/bank").expect("open");
    let a = store.stream("a").expect("name");
    (0..40).for_each(|_| drop(a.append_raw(ANY, [event(vec![1; 1 << 19])]).expect("append")));
    let read = count_read_bytes(&disk);
    let mut events = a.read().iter();
    for number in 1..=40 {
        assert!(events.next().is_some_and(|event| event.is_ok()));
        let ahead = read.load(Ordering::SeqCst) - number * (1 << 19);
        assert!(ahead < 3 << 20, "{ahead} bytes are in memory before they are asked for");
    }
}

#[test]
fn a_close_that_failed_answers_so_again() {
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    store.stream("a").expect("name").append_raw(ANY, [event("x")]).expect("append");
    disk.on_call(|call| match call.kind {
        CallKind::Sync => Verdict::Fail(io::ErrorKind::Other),
        _ => Verdict::Proceed,
    });
    let first = store.close().expect_err("the close mark is not synced");
    assert_eq!(store.close().expect_err("it still is not").to_string(), first.to_string());
}

#[test]
fn a_closed_store_is_free_though_child_processes_were_started_while_it_was_open() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while done.load(Ordering::SeqCst) == 0 {
                std::process::Command::new("true").status().expect("a child process");
            }
        });
        let rounds = std::panic::catch_unwind(|| {
            for _ in 0..200 {
                let store = Options::new().maintenance(Maintenance::Inline).open(&path).expect("it is free");
                store.close().expect("close");
            }
        });
        done.store(1, Ordering::SeqCst);
        assert!(rounds.is_ok());
    });
}
