//! Handles and iterators on other threads: the last one dropped anywhere, closing while others append, iterators that
//! outlive the store.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use annals::{Durability, ErrorKind, Events, ExpectedVersion, Options, Result, Store};
use tempfile::TempDir;

use crate::in_time::in_time;
use crate::support::{all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn options() -> Options {
    // Most commits are read from disk, and files roll.
    Options::new().durability(Durability::Buffered).journal_file_bytes(64 << 10).recent_bytes_max(2_000)
}

fn new_store(events: u64) -> (TempDir, PathBuf, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = options().open(&path).expect("open");
    (0..events).for_each(|number| append(&store, number).expect("append"));
    (dir, path, store)
}

fn append(store: &Store, number: u64) -> Result<()> {
    store.stream("s-1")?.append_raw(ANY, [event(format!("{number} {}", "x".repeat(100)))]).map(drop)
}

fn count_readable(events: Events) -> usize {
    events.collect::<Result<Vec<_>>>().expect("every event can be read").len()
}

fn assert_closed_cleanly_with(path: &PathBuf, events: u64) {
    let store = options().open(path).expect("its lock is free");
    assert!(store.recovery().clean, "closed cleanly");
    assert_eq!(all(&store).len() as u64, events);
}

#[test]
fn the_last_handle_closes_the_store_on_whichever_thread_it_is_dropped() {
    in_time("drop", || {
        let (_dir, path, store) = new_store(3);
        thread::spawn(move || drop(store)).join().expect("drop on another thread");
        assert_closed_cleanly_with(&path, 3);

        let store = options().open(&path).expect("open");
        let unwound = catch_unwind(AssertUnwindSafe(move || {
            append(&store, 3).expect("append");
            panic!("with the last handle in hand");
        }));
        assert!(unwound.is_err());
        assert_closed_cleanly_with(&path, 4);

        let store = options().open(&path).expect("open");
        let in_a_thread = thread::spawn(move || {
            append(&store, 4).expect("append");
            panic!("with the last handle in hand");
        });
        in_a_thread.join().expect_err("it panicked");
        assert_closed_cleanly_with(&path, 5);
    });
}

/// An iterator that holds a handle, as a program may write it.
struct WithHandle {
    events: Events,
    _store: Store,
}

impl Iterator for WithHandle {
    type Item = Result<annals::RecordedEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        self.events.next()
    }
}

#[test]
fn the_last_handle_may_go_with_an_iterator_in_the_middle_of_a_read() {
    in_time("drop", || {
        let (_dir, path, store) = new_store(100);
        let mut events = WithHandle { events: store.read().iter(), _store: store };
        events.by_ref().take(20).for_each(|event| drop(event.expect("event")));
        let WithHandle { events, _store: last } = events;
        thread::scope(|scope| {
            scope.spawn(move || assert_eq!(count_readable(events), 80));
            scope.spawn(move || drop(last));
        });
        assert_closed_cleanly_with(&path, 100);

        let store = options().open(&path).expect("open");
        let events = WithHandle { events: store.read().iter(), _store: store };
        let unwound = catch_unwind(AssertUnwindSafe(|| {
            let mut seen = 0;
            events.for_each(|_| {
                seen += 1;
                assert!(seen < 50, "in the middle of a read");
            });
        }));
        assert!(unwound.is_err());
        assert_closed_cleanly_with(&path, 100);
    });
}

#[test]
fn handles_dropped_while_others_append_and_read_disturb_nobody() {
    in_time("drop", || {
        let (_dir, path, store) = new_store(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                let store = store.clone();
                scope.spawn(move || {
                    for number in 0..100 {
                        // Each append has a handle of its own, which goes while the others are at work.
                        append(&store.clone(), number).expect("append");
                        let handle = store.clone();
                        let seen = handle.read().iter();
                        drop(handle);
                        assert!(seen.take(3).all(|event| event.is_ok()));
                    }
                    // The last of the four closes.
                });
            }
            drop(store);
        });
        assert_closed_cleanly_with(&path, 400);
    });
}

#[test]
fn iterators_outlive_the_store_and_go_on_beside_the_one_that_opens_it_next() {
    in_time("iterators", || {
        let (_dir, path, store) = new_store(300);
        let (forward, backward) = (store.read().iter(), store.read().backward().iter());
        let filtered = store.stream("s-1").expect("name").read().iter();
        store.close().expect("close");
        drop(store);
        let next = options().open(&path).expect("open at once, with iterators alive");
        thread::scope(|scope| {
            let readers: Vec<_> = [forward, backward, filtered]
                .into_iter()
                .map(|events| scope.spawn(move || count_readable(events)))
                .collect();
            (0..300).for_each(|number| append(&next, number).expect("append"));
            for reader in readers {
                assert_eq!(reader.join().expect("reader"), 300, "what was there when the read began");
            }
        });
        assert_eq!(all(&next).len(), 600);
    });
}

#[test]
fn closing_from_several_threads_while_many_append_answers_everyone_truly() {
    in_time("close", || {
        for round in 0..20_u64 {
            let (_dir, path, store) = new_store(0);
            let (barrier, answered) = (Barrier::new(8), AtomicU64::new(0));
            let per_thread: Vec<u64> = thread::scope(|scope| {
                let appenders: Vec<_> = (0..6)
                    .map(|thread| {
                        let (store, barrier, answered) = (store.clone(), &barrier, &answered);
                        scope.spawn(move || {
                            let stream = store.stream(format!("s-{thread}")).expect("name");
                            barrier.wait();
                            let mut count = 0_u64;
                            loop {
                                let durability =
                                    [Durability::Buffered, Durability::Synced][usize::from(count % 16 == 15)];
                                let batch = store.batch().durability(durability);
                                match batch
                                    .append_raw(stream.name(), ANY, [event(count.to_le_bytes())])
                                    .commit()
                                {
                                    Ok(_) => count += 1,
                                    Err(error) => {
                                        assert_eq!(error.kind(), ErrorKind::Closed);
                                        return count;
                                    }
                                }
                                answered.fetch_add(1, Ordering::SeqCst);
                            }
                        })
                    })
                    .collect();
                for _ in 0..2 {
                    let (store, barrier, answered) = (store.clone(), &barrier, &answered);
                    scope.spawn(move || {
                        barrier.wait();
                        while answered.load(Ordering::SeqCst) < round * 20 {
                            thread::yield_now();
                        }
                        store.close().expect("both closes answer what the first one did");
                    });
                }
                appenders.into_iter().map(|appender| appender.join().expect("appender")).collect()
            });
            drop(store);
            let store = options().open(&path).expect("open");
            assert!(store.recovery().clean);
            for (thread, count) in per_thread.iter().enumerate() {
                let stream = store.stream(format!("s-{thread}")).expect("name");
                let there: Vec<_> = stream.read().iter().map(|event| event.expect("event")).collect();
                assert_eq!(there.len() as u64, *count, "what was answered, and nothing that was refused");
                let in_order =
                    there.iter().zip(0_u64..).all(|(event, at)| event.payload() == at.to_le_bytes());
                assert!(in_order, "each thread's appends keep their order");
            }
        }
    });
}
