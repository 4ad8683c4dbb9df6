//! Readers in other processes while a store is sealed: a journal file that is gone makes them read the manifest again, and
//! what they see is a prefix that only grows.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use annals::{ExpectedVersion, Maintenance, Options, Position, RecordedEvent, Store};

use crate::support::{Moment, SimDisk, SteppingDisk, all, event_with_id};

const ROOT: &str = "/bank";

fn options() -> Options {
    Options::new().maintenance(Maintenance::Inline).journal_file_bytes(64 << 10).recent_bytes_max(0)
}

/// How much of what is new readers keep in memory.
const RECENT: [usize; 3] = [0, 2_000, usize::MAX];

/// More is appended, and the reader takes it in: behind what it has from segments that it never saw the journal of.
fn go_on(writer: &Store, reader: &Store, what: &str) {
    for number in 300..312 {
        append(writer, number, 100);
        reader.refresh().unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(all(reader) == all(writer), "{what}");
    }
    for name in ["a", "b"] {
        let events = |store: &Store| {
            let read = store.stream(name).expect("name").read().iter();
            read.collect::<annals::Result<Vec<_>>>().unwrap_or_else(|error| panic!("{what}: {error}"))
        };
        assert!(events(reader) == events(writer), "{what}: {name}");
    }
}

fn append(store: &Store, number: u64, bytes: usize) {
    let stream = store.stream(["a", "b", "c"][usize::from(number % 3 == 1)]).expect("name");
    let events = [event_with_id(number, vec![7; bytes])];
    stream.append_raw(ExpectedVersion::Any, events).expect("append");
}

/// A writer with one segment and two journal files.
fn writer(disk: &SimDisk) -> Store {
    let store = options().disk(disk.clone()).open(ROOT).expect("open");
    (0..4).for_each(|number| append(&store, number, 300));
    store.seal().expect("seal");
    (4..12).for_each(|number| append(&store, number, 12_000));
    store
}

/// Does something before the call of this number, and never again.
fn at_call(
    disk: &SimDisk,
    armed: &Arc<AtomicBool>,
    number: u64,
    step: impl FnOnce() + Send + 'static,
) -> (SteppingDisk, Arc<AtomicU64>) {
    let calls = Arc::new(AtomicU64::new(0));
    let (count, step, armed) = (Arc::clone(&calls), Mutex::new(Some(step)), Arc::clone(armed));
    let disk = SteppingDisk::new(disk, move |_, _| {
        if armed.load(Ordering::SeqCst) && count.fetch_add(1, Ordering::SeqCst) == number {
            let step = step.lock().expect("step").take();
            step.into_iter().for_each(|step| step());
        }
        Ok(())
    });
    (disk, calls)
}

fn is_prefix(some: &[RecordedEvent], of: &[RecordedEvent]) -> bool {
    of.get(..some.len()) == Some(some)
}

#[test]
fn a_store_that_is_sealed_at_any_call_of_a_reader_that_opens_it_is_read_whole() {
    for (sealings, recent) in [(1, RECENT[0]), (2, RECENT[1]), (2, RECENT[2])] {
        for number in 0.. {
            let disk = SimDisk::new();
            let writer = writer(&disk);
            let before = all(&writer);
            let armed = Arc::new(AtomicBool::new(true));
            let seals = {
                let writer = writer.clone();
                move || {
                    for sealing in 0..sealings {
                        append(&writer, 100 + sealing, 200);
                        writer.seal().expect("seal");
                    }
                    append(&writer, 200, 100);
                }
            };
            let (readers, calls) = at_call(&disk, &armed, number, seals);
            let opened = options().disk(readers).recent_bytes_max(recent).read_only().open(ROOT);
            let reader = opened.unwrap_or_else(|error| panic!("sealed at call {number}: {error}"));
            armed.store(false, Ordering::SeqCst);
            let (seen, now) = (all(&reader), all(&writer));
            assert!(is_prefix(&before, &seen) && is_prefix(&seen, &now), "sealed at call {number}");
            reader.refresh().unwrap_or_else(|error| panic!("sealed at call {number}: {error}"));
            assert!(all(&reader) == all(&writer), "sealed at call {number}");
            go_on(&writer, &reader, &format!("sealed at call {number}, {recent} bytes"));
            if calls.load(Ordering::SeqCst) <= number {
                println!("{number} calls");
                assert!(number > 15);
                break;
            }
        }
    }
}

#[test]
fn a_store_that_is_sealed_at_any_call_of_a_refresh_or_a_read_is_read_whole() {
    RECENT.into_iter().for_each(seal_at_each_call);
}

fn seal_at_each_call(recent: usize) {
    for number in 0.. {
        let disk = SimDisk::new();
        let writer = writer(&disk);
        let armed = Arc::new(AtomicBool::new(false));
        let seals = {
            let writer = writer.clone();
            move || {
                writer.seal().expect("seal");
                append(&writer, 200, 100);
                writer.seal().expect("seal");
            }
        };
        let (readers, calls) = at_call(&disk, &armed, number, seals);
        let reader = options().disk(readers).recent_bytes_max(recent).read_only().open(ROOT).expect("open");
        let before = all(&reader);
        (12..15).for_each(|number| append(&writer, number, 500));
        // Begun before anything is sealed, ended after.
        let mut begun = reader.read().iter();
        let first = begun.next().expect("an event").expect("it can be read");
        armed.store(true, Ordering::SeqCst);
        let head = reader.refresh().unwrap_or_else(|error| panic!("call {number}: {error}"));
        let read: annals::Result<Vec<_>> = reader.read().iter().collect();
        let read = read.unwrap_or_else(|error| panic!("call {number}: {error}"));
        assert!(head >= Position::new(before.len() as u64));
        assert!(is_prefix(&before, &read) && is_prefix(&read, &all(&writer)), "call {number}");
        let rest: annals::Result<Vec<_>> = begun.collect();
        let rest = rest.unwrap_or_else(|error| panic!("begun before, call {number}: {error}"));
        assert!([vec![first], rest].concat() == before, "call {number}");
        armed.store(false, Ordering::SeqCst);
        reader.refresh().expect("refresh");
        assert!(all(&reader) == all(&writer), "call {number}");
        go_on(&writer, &reader, &format!("call {number}, {recent} bytes"));
        if calls.load(Ordering::SeqCst) <= number {
            println!("{number} calls");
            assert!(number > 15);
            break;
        }
    }
}

/// A reader that was opened before, and what was synced then; nothing while nobody looks.
type Watched = Option<(Store, Vec<RecordedEvent>)>;

#[test]
fn at_any_call_of_a_writer_that_seals_a_new_reader_and_an_old_one_see_all_that_was_synced() {
    let disk = SimDisk::new();
    let looks = Arc::new(AtomicU64::new(0));
    let state: Arc<Mutex<Watched>> = Arc::default();
    let (look_disk, seen, count) = (disk.clone(), Arc::clone(&state), Arc::clone(&looks));
    let look = move |moment: Moment, path: &Path| {
        let Some((old, synced)) = &*seen.lock().expect("state") else { return Ok(()) };
        let what = format!("{moment:?} {}", path.display());
        let new = options().disk(look_disk.clone()).read_only().open(ROOT);
        let new = new.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(is_prefix(synced, &all(&new)), "{what}: a new reader");
        let was = all(old);
        old.refresh().unwrap_or_else(|error| panic!("{what}: {error}"));
        let now = all(old);
        assert!(is_prefix(&was, &now) && is_prefix(synced, &now), "{what}: an old reader");
        let report = options().disk(look_disk.clone()).verify(ROOT);
        let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(report.is_sound(), "{what}: {:?}", report.damages);
        count.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    let writer = options().disk(SteppingDisk::new(&disk, look)).open(ROOT).expect("open");
    for round in 0..4 {
        (0..6).for_each(|number| append(&writer, round * 10 + number, 14_000));
        let old = options().disk(disk.clone()).read_only().open(ROOT).expect("open");
        *state.lock().expect("state") = Some((old, all(&writer)));
        assert!(writer.seal().expect("seal") > 0);
        *state.lock().expect("state") = None;
    }
    println!("{looks:?} looks");
    assert!(looks.load(Ordering::SeqCst) > 100);
}
