//! Sealing on a disk that refuses, beside appends and beside a close: what was not sealed stays in the journal.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use annals::{ErrorKind, ExpectedVersion, Maintenance, Options, Outcome, RecordedEvent, Store};

use crate::support::{CallKind, Keep, SimDisk, Verdict, all, event, event_with_id};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn open(disk: &SimDisk) -> annals::Result<Store> {
    let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).recent_bytes_max(0);
    options.journal_file_bytes(64 << 10).open("/bank")
}

/// A store of three journal files.
fn filled(disk: &SimDisk) -> (Store, Vec<RecordedEvent>) {
    let store = open(disk).expect("open");
    for number in 0..15 {
        let stream = store.stream(["a", "b"][usize::from(number % 2 == 0)]).expect("name");
        stream.append_raw(ANY, [event_with_id(number, vec![7; 10_000])]).expect("append");
    }
    let events = all(&store);
    (store, events)
}

fn segments(disk: &SimDisk) -> usize {
    let files = disk.files();
    let names = files.keys().filter(|path| path.starts_with("/bank/segments"));
    names.inspect(|path| assert!(path.extension().is_none(), "{}", path.display())).count()
}

/// The events are those, of the open store and after a power cut.
fn assert_holds(disk: &SimDisk, store: &Store, events: &[RecordedEvent], what: &str) {
    assert!(all(store) == events, "{what}");
    for keep in [Keep::Nothing, Keep::Everything] {
        let again = open(&disk.crash(keep)).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(all(&again) == events, "{what}, after a power cut");
    }
}

#[test]
fn whichever_call_of_sealing_finds_the_disk_full_the_rest_stays_in_the_journal_and_is_sealed_later() {
    for error in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
        let mut failed = 0;
        for wanted in 0.. {
            let disk = SimDisk::new();
            let (store, events) = filled(&disk);
            let mut call = 0;
            disk.on_call(move |made| {
                let needs_space =
                    matches!(made.kind, CallKind::Create | CallKind::Write | CallKind::CreateDir);
                let is_it = needs_space && call == wanted;
                call += u64::from(needs_space);
                match (is_it, made.kind) {
                    (false, _) => Verdict::Proceed,
                    (true, CallKind::Write) => Verdict::FailAfter(700, error),
                    (true, _) => Verdict::Fail(error),
                }
            });
            let sealed = store.seal();
            disk.heal();
            let what = format!("{error} at call {wanted}");
            let is_marked = store.stats().expect("stats").marks_failed > 0;
            match sealed {
                Ok(files) if is_marked || files > 0 && disk.faults() == 0 => {}
                Ok(_) => panic!("{what}: told nobody"),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::StorageFull, "{what}: {error}");
                    failed += 1;
                }
            }
            let is_done = disk.faults() == 0;
            assert_holds(&disk, &store, &events, &what);
            store.stream("a").expect("name").append_raw(ANY, [event("on")]).expect(&what);
            assert!(store.seal().expect("there is space again") > 0);
            assert_holds(&disk, &store, &all(&store), &what);
            assert_eq!(all(&store).len(), events.len() + 1);
            let (sealed, journals) = (segments(&disk), store.stats().expect("stats").journal_files);
            assert!(sealed >= 3 && journals == 1, "{what}: all is sealed, and nothing else is left");
            store.close().expect("close");
            if is_done {
                break;
            }
        }
        println!("{error}: {failed} calls failed");
        assert!(failed > 10);
    }
}

#[test]
fn a_failed_sync_or_rename_of_a_segment_leaves_the_journal_as_it_was() {
    for (kind, dir_is) in
        [(CallKind::Sync, "segments"), (CallKind::Rename, "segments"), (CallKind::SyncDir, "segments")]
    {
        for which in 0..3 {
            let disk = SimDisk::new();
            let (store, events) = filled(&disk);
            let mut seen = 0;
            disk.on_call(move |call| {
                let is = call.kind == kind
                    && (call.path.ends_with(dir_is)
                        || call.path.parent().is_some_and(|dir| dir.ends_with(dir_is)));
                let is_it = is && seen == which;
                seen += u64::from(is);
                if is_it { Verdict::Fail(io::ErrorKind::Other) } else { Verdict::Proceed }
            });
            let what = format!("{kind:?} number {which}");
            let error = store.seal().expect_err(&what);
            assert_eq!(error.kind(), ErrorKind::Io, "{what}: {error}");
            disk.heal();
            assert_holds(&disk, &store, &events, &what);
            store.stream("a").expect("name").append_raw(ANY, [event("on")]).expect("appends go on");
            let again = store.seal();
            if kind == CallKind::SyncDir {
                // What a failed sync may have lost a second one does not bring back.
                assert_eq!(again.expect_err(&what).kind(), ErrorKind::Poisoned);
            } else {
                assert_eq!(again.expect(&what), 4 - which);
            }
            assert_holds(&disk, &store, &all(&store), &what);
            store.close().expect("close");
            let store = open(&disk).expect("open");
            store.seal().expect("it is sealed after it was opened again");
            assert_holds(&disk, &store, &all(&store), &what);
        }
    }
}

#[test]
fn a_read_that_fails_while_a_store_is_sealed_is_told_as_such_and_the_next_attempt_seals() {
    let mut failed = 0;
    for wanted in 0.. {
        let disk = SimDisk::new();
        let (store, events) = filled(&disk);
        let mut read = 0;
        let struck = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&struck);
        disk.on_call(move |call| {
            // What is asked of the file that is begun can be done without.
            let is_needed = call.kind == CallKind::Read && !call.path.ends_with("00000004");
            let is_it = is_needed && read == wanted;
            read += u64::from(is_needed);
            if is_it {
                *seen.lock().expect("seen") = Some(call.clone());
                return Verdict::Fail(io::ErrorKind::Other);
            }
            Verdict::Proceed
        });
        let sealed = store.seal();
        disk.heal();
        let struck = struck.lock().expect("struck").take();
        let is_struck = struck.is_some();
        if let Some(call) = struck {
            let error = sealed.expect_err(&format!("read {wanted}: {call:?}"));
            assert_eq!(error.kind(), ErrorKind::Io, "read {wanted}: {error}");
            failed += 1;
            store.seal().expect("the disk reads again");
        }
        assert_eq!(store.stats().expect("stats").segments, 3, "read {wanted}");
        assert_holds(&disk, &store, &events, &format!("read {wanted}"));
        if !is_struck {
            break;
        }
    }
    println!("{failed} reads failed");
    assert!(failed > 20);
}

#[test]
fn a_failed_sync_of_the_manifests_directory_poisons_and_either_manifest_holds() {
    for which in 0..4 {
        let disk = SimDisk::new();
        let (store, events) = filled(&disk);
        let mut seen = 0;
        disk.on_call(move |call| {
            let is = call.kind == CallKind::SyncDir && call.path.ends_with("bank");
            let is_it = is && seen == which;
            seen += u64::from(is);
            if is_it { Verdict::Fail(io::ErrorKind::Other) } else { Verdict::Proceed }
        });
        let error = store.seal().expect_err("a sync failed");
        disk.heal();
        let what = format!("sync {which}: {error}");
        // The first is that of the new directory's name: no segment is named yet.
        let is_of_manifest = error.kind() == ErrorKind::Indeterminate;
        let appended = store.stream("a").expect("name").append_raw(ANY, [event("late")]).map(drop);
        if is_of_manifest {
            assert_eq!(appended.expect_err("poisoned").kind(), ErrorKind::Poisoned, "{what}");
            assert_eq!(store.seal().expect_err("poisoned").kind(), ErrorKind::Poisoned, "{what}");
            assert_eq!(store.close().expect_err("poisoned").kind(), ErrorKind::Poisoned, "{what}");
            assert!(all(&store) == events, "{what}: reads go on");
        } else {
            assert_eq!(error.kind(), ErrorKind::Io, "{what}");
            assert_eq!(store.seal().expect_err("no second sync").kind(), ErrorKind::Poisoned, "{what}");
        }
        let states = disk.crash_states().expect("few").min(512);
        for number in 0..states {
            let left = disk.crash(Keep::Subset(number));
            let again = open(&left).unwrap_or_else(|error| panic!("{what}, {number}: {error}"));
            assert!(all(&again)[..events.len()] == events, "{what}, {number}");
        }
    }
}

#[test]
fn others_append_read_and_retry_while_a_store_is_sealed() {
    const APPENDS: u64 = 300;
    let disk = SimDisk::new();
    let options =
        Options::new().disk(disk.clone()).maintenance(Maintenance::Background).recent_bytes_max(9_000);
    let store = options.journal_file_bytes(64 << 10).open("/bank").expect("open");
    let (done, sealed) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for writer in 0..3_u64 {
            let (store, done) = (&store, &done);
            scope.spawn(move || {
                let stream = store.stream(format!("w-{writer}")).expect("name");
                for number in 0..APPENDS {
                    let id = writer * 1_000 + number;
                    let sent = || stream.append_raw(ANY, [event_with_id(id, vec![1; 300])]).expect("append");
                    let first = sent();
                    assert_eq!(first.version().map(|version| version.as_u64()), Some(number));
                    if number % 7 == 0 {
                        let again = sent();
                        assert_eq!(again.outcome(), Outcome::AlreadyAppended);
                        assert!(again.positions().eq(first.positions()));
                    }
                }
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        for sealer in 0..2 {
            let (store, done, sealed) = (&store, &done, &sealed);
            scope.spawn(move || {
                while done.load(Ordering::SeqCst) < 3 {
                    sealed.fetch_add(store.seal().expect("seal"), Ordering::SeqCst);
                    let read: Vec<u64> = all(store).iter().map(|event| event.position().as_u64()).collect();
                    assert!((0..).zip(&read).all(|(wanted, position)| wanted == *position), "{sealer}");
                }
            });
        }
    });
    println!("{sealed:?} files sealed beside {} appends", 3 * APPENDS);
    let events = all(&store);
    assert_eq!(events.len() as u64, 3 * APPENDS);
    assert_holds(&disk, &store, &events, "sealed beside appends");
    store.close().expect("close");
    assert!(open(&disk).expect("open").recovery().clean);
}

#[test]
fn a_store_that_is_closed_while_it_is_sealed_is_closed_and_whole() {
    for round in 0..40 {
        let disk = SimDisk::new();
        let (store, events) = filled(&disk);
        let begun = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let sealing = scope.spawn(|| {
                begun.store(true, Ordering::SeqCst);
                store.seal()
            });
            while !begun.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            (0..round).for_each(|_| std::thread::yield_now());
            store.close().expect("close");
            if let Err(error) = sealing.join().expect("no panic") {
                assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
            }
        });
        let again = open(&disk).expect("it opens at once: the lock is free");
        assert!(again.recovery().clean && all(&again) == events, "round {round}");
        again.seal().expect("seal");
        assert!(all(&again) == events, "round {round}");
    }
}
