//! Reading from a disk that went bad while the store was open: an error for what cannot be read, never an early end and
//! never an event passed over.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use annals::{ErrorKind, Events, ExpectedVersion, Maintenance, Options, Position, Store, Version};

use crate::support::{CallKind, SimDisk, Verdict, event, id, to_usize};

const ROOT: &str = "/bank";
const EVENTS: u64 = 100;

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).recent_bytes_max(0)
}

/// The files of a store of `EVENTS` commits of one event each, and where each starts.
fn base() -> &'static (Files, Vec<u64>) {
    static BASE: OnceLock<(Files, Vec<u64>)> = OnceLock::new();
    BASE.get_or_init(|| {
        let disk = SimDisk::new();
        let store = options(&disk).journal_file_bytes(64 << 10).open(ROOT).expect("open");
        let mut starts = Vec::new();
        for number in 0..EVENTS {
            starts.push(used(&disk));
            let one = event(format!("{number:03}")).id(id(number));
            store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [one]).expect("append");
        }
        store.close().expect("close");
        (disk.files(), starts)
    })
}

/// The store of `base`, none of it in memory, whose commit at `bad` cannot be read.
fn with_bad_commit(bad: u64) -> (SimDisk, Store) {
    let (files, starts) = base();
    let disk = SimDisk::with_files(files);
    let store = options(&disk).open(ROOT).expect("open");
    let (from, to) = (starts[to_usize(bad)], starts.get(to_usize(bad) + 1).copied().unwrap_or(u64::MAX));
    disk.on_call(move |call| {
        let end = call.offset + call.bytes as u64;
        let is_bad = call.kind == CallKind::Read && call.bytes > 0 && call.offset < to && end > from;
        if is_bad { Verdict::Fail(io::ErrorKind::Other) } else { Verdict::Proceed }
    });
    (disk, store)
}

/// Behind the last byte of the journal that is not zero.
fn used(disk: &SimDisk) -> u64 {
    let files = disk.files();
    let bytes = &files[Path::new("/bank/journal/00000001")];
    bytes.iter().rposition(|byte| *byte != 0).filter(|at| *at >= 4096).map_or(4096, |at| at as u64 + 1)
}

fn assert_fails_for_ever(events: &mut Events, what: &str) {
    for _ in 0..3 {
        assert_eq!(events.next().expect(what).expect_err(what).kind(), ErrorKind::Io);
        assert_eq!(events.next_back().expect(what).expect_err(what).kind(), ErrorKind::Io);
    }
}

#[test]
fn an_iterator_that_met_an_error_yields_it_for_ever_and_all_before_it_first() {
    for bad in [0, 1, 15, 16, 47, 50, 99] {
        let (_disk, store) = with_bad_commit(bad);
        let mut events = store.read().iter();
        for position in 0..bad {
            let event = events.next().expect("not the end").expect("before the bad one");
            assert_eq!(event.position(), Position::new(position));
        }
        assert_fails_for_ever(&mut events, "the bad one");
    }
}

#[test]
fn from_the_back_no_event_is_passed_over_before_the_error() {
    for bad in [0, 1, 15, 50, 84, 90, 99] {
        let (_disk, store) = with_bad_commit(bad);
        let mut events = store.read().iter();
        let mut wanted = EVENTS - 1;
        while let Some(Ok(event)) = events.next_back() {
            assert_eq!(event.position(), Position::new(wanted), "bad is {bad}");
            assert!(wanted > bad);
            wanted -= 1;
        }
        assert_eq!(wanted, bad, "every event behind the bad one is read");
        assert_fails_for_ever(&mut events, "the bad one");
    }
}

#[test]
fn taken_from_both_ends_no_event_is_passed_over_before_the_error() {
    for bad in 0..EVENTS {
        for front_first in [1, 5, 20] {
            let (_disk, store) = with_bad_commit(bad);
            let mut events = store.read().iter();
            let (mut front, mut back) = (0, EVENTS);
            let failed = loop {
                let takes_front = front < front_first;
                match if takes_front { events.next() } else { events.next_back() } {
                    Some(Ok(event)) if takes_front => {
                        assert_eq!(event.position(), Position::new(front), "bad is {bad}");
                        front += 1;
                    }
                    Some(Ok(event)) => {
                        back -= 1;
                        assert_eq!(event.position(), Position::new(back), "bad is {bad}");
                    }
                    Some(Err(_)) => break true,
                    None => break false,
                }
            };
            assert!(failed, "the bad one, {bad}, was never told of");
            assert_fails_for_ever(&mut events, "the bad one");
        }
    }
}

#[test]
fn what_cannot_be_read_is_an_error_for_that_event_and_no_other() {
    let (disk, store) = with_bad_commit(50);
    let a = store.stream("a").expect("name");
    assert_eq!(a.find(id(50)).expect_err("the bad one").kind(), ErrorKind::Io);
    assert_eq!(a.find(id(49)).expect("find").expect("there").payload(), b"049");
    assert_eq!(a.find(id(51)).expect("find").expect("there").payload(), b"051");
    assert_eq!(a.read().from(Version::new(51)).iter().take_while(Result::is_ok).count(), 49);
    a.append_raw(ExpectedVersion::Any, [event("the store goes on")]).expect("append");
    disk.heal();
    assert_eq!(a.find(id(50)).expect("find").expect("there again").payload(), b"050");
}

#[test]
fn bytes_that_changed_on_disk_while_the_store_was_open_are_corrupt_with_their_place() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Options::new().recent_bytes_max(0).open(&path).expect("open");
    let a = store.stream("a").expect("name");
    for number in 0..20 {
        a.append_raw(ExpectedVersion::Any, [event(format!("payload number {number:02}"))]).expect("append");
    }
    let journal = path.join("journal/00000001");
    let mut bytes = std::fs::read(&journal).expect("read");
    let at = bytes.windows(17).position(|window| window == b"payload number 12").expect("it is in there");
    bytes[at] ^= 1;
    // Written in place, as a disk that goes bad would: the store has the file open.
    std::fs::write(&journal, bytes).expect("write");
    let mut events = a.read().iter();
    assert_eq!(events.by_ref().take(12).filter(|event| event.is_ok()).count(), 12);
    for _ in 0..3 {
        let error = events.next().expect("for ever").expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        let place = error.place().expect("a place");
        assert_eq!(place.path, journal);
        assert!(place.offset <= at as u64 && place.offset + 200 > at as u64);
    }
    assert_eq!(a.read().from(Version::new(13)).iter().take_while(Result::is_ok).count(), 7);
}
