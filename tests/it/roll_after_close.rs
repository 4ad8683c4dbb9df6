//! A store that was closed cleanly when its last file had no room for the next append: the first thing that append needs
//! is a new file, while the manifest still says that the journal ends in the old one.

use std::io;

use annals::{ExpectedVersion, Store};

use crate::support::history::open;
use crate::support::{Keep, Rng, SimDisk, Verdict, all, event};

fn append(store: &Store, bytes: usize) -> annals::Result<annals::Receipt> {
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event(vec![b'x'; bytes])])
}

/// A closed store whose one file is nearly full.
fn nearly_full() -> SimDisk {
    let disk = SimDisk::new();
    let store = open(&disk).expect("open");
    append(&store, 50_000).expect("append");
    store.close().expect("close");
    drop(store);
    disk.crash(Keep::Everything)
}

#[test]
fn a_power_cut_at_any_call_of_an_append_that_starts_a_file_after_a_clean_close_loses_nothing() {
    let closed = nearly_full();
    let mut rng = Rng::printed("a file after a clean close", 47);
    for call in 0.. {
        let disk = closed.crash(Keep::Everything);
        disk.dies_at(call);
        let answer = open(&disk).and_then(|store| append(&store, 40_000));
        let is_done = answer.is_ok();
        for keep in [Keep::Nothing, Keep::Everything, Keep::Some(Rng::new(rng.next()))] {
            let what = format!("power cut at call {call}, {keep:?}");
            let store = open(&disk.crash(keep)).unwrap_or_else(|error| panic!("{what}: {error}"));
            let events = all(&store).len();
            assert!(events == 2 || (events == 1 && !is_done), "{what}: {events} events");
        }
        if is_done {
            assert!(call > 10, "the append makes calls");
            return;
        }
    }
}

#[test]
fn a_store_whose_first_append_after_a_clean_close_was_refused_at_any_call_closes_and_opens() {
    let closed = nearly_full();
    for call in 0.. {
        let disk = closed.crash(Keep::Everything);
        let Ok(store) = open(&disk) else { unreachable!("nothing fails yet") };
        let mut calls = 0;
        disk.on_call(move |_| {
            calls += 1;
            if calls == call + 1 { Verdict::Fail(io::ErrorKind::StorageFull) } else { Verdict::Proceed }
        });
        let was_appended = append(&store, 40_000).is_ok();
        disk.heal();
        // Poisoned, where the failure was that of a sync.
        let _ = store.close();
        drop(store);
        let store = open(&disk).unwrap_or_else(|error| panic!("call {call} failed: {error}"));
        let events = all(&store).len();
        assert!(events == 2 || !was_appended, "call {call}: {events} events");
        if was_appended && call > 40 {
            return;
        }
    }
}
