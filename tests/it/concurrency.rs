//! Many threads at once: one winner a version, no gap in positions, receipts that are true, prefixes that only grow.

use std::collections::HashMap;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use annals::{Durability, ErrorKind, ExpectedVersion, Options, Receipt, Store, Version};
use tempfile::TempDir;

use crate::support::{DoneOnDrop, Rng, all, event, event_with_id, to_usize};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn new_store(durability: Durability) -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let options = Options::new().durability(durability).journal_file_bytes(64 << 10).recent_bytes_max(10_000);
    let store = options.open(dir.path().join("bank")).expect("open");
    (dir, store)
}

/// Every thread appends with the same expectation, round after round.
fn assert_one_wins_each_round(durability: Durability, threads: usize, rounds: u64) {
    let (dir, store) = new_store(durability);
    let barrier = Barrier::new(threads);
    let winners: Vec<AtomicU64> = (0..rounds).map(|_| AtomicU64::new(0)).collect();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (store, barrier, winners) = (store.clone(), &barrier, &winners);
            scope.spawn(move || {
                let stream = store.stream("account-1").expect("name");
                for round in 0..rounds {
                    let expected = ExpectedVersion::from(round.checked_sub(1).map(Version::new));
                    barrier.wait();
                    match stream.append_raw(expected, [event(format!("{round} {thread}"))]) {
                        Ok(receipt) => {
                            assert_eq!(receipt.version(), Some(Version::new(round)));
                            winners[to_usize(round)].fetch_add(1 + thread as u64 * 1_000, Ordering::SeqCst);
                        }
                        Err(error) => {
                            let conflict = error.conflicts().next().expect("a conflict and nothing else");
                            assert_eq!(
                                conflict.actual,
                                Some(Version::new(round)),
                                "it lost to this round's winner"
                            );
                        }
                    }
                    barrier.wait();
                }
            });
        }
    });
    let won: Vec<u64> = winners.iter().map(|won| won.load(Ordering::SeqCst)).collect();
    assert!(won.iter().all(|won| won % 1_000 == 1), "exactly one wins each round");
    store.close().expect("close");
    let store = Store::open(dir.path().join("bank")).expect("open");
    for (event, (round, won)) in all(&store).iter().zip(won.iter().enumerate()) {
        assert_eq!(
            event.payload(),
            format!("{round} {}", won / 1_000).as_bytes(),
            "the winner's event is there"
        );
    }
    assert_eq!(store.head().as_u64(), rounds);
}

#[test]
fn of_16_appends_with_the_same_expectation_exactly_one_wins_1000_times() {
    assert_one_wins_each_round(Durability::Buffered, 16, 1_000);
}

#[test]
fn of_8_synced_appends_with_the_same_expectation_exactly_one_wins() {
    assert_one_wins_each_round(Durability::Synced, 8, 60);
}

#[test]
fn positions_have_no_gap_and_every_receipt_is_true_however_many_write() {
    let (dir, store) = new_store(Durability::Buffered);
    let receipts: Vec<(String, Receipt)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..12_u64)
            .map(|thread| {
                let store = store.clone();
                scope.spawn(move || {
                    let mut rng = Rng::new(thread);
                    let mut receipts = Vec::new();
                    for number in 0..120 {
                        let payload = format!("{thread} {number} {}", "x".repeat(rng.index(400)));
                        let (one, other) = (rng.below(20), 20 + rng.below(20));
                        let batch = store
                            .batch()
                            .append_raw(format!("s-{one}"), ANY, [event(&payload)])
                            .append_raw(format!("s-{other}"), ANY, [event(&payload), event(&payload)])
                            .durability(if rng.chance(40) {
                                Durability::Synced
                            } else {
                                Durability::Buffered
                            });
                        let receipt = batch.commit().expect("commit");
                        let mut positions: Vec<u64> = receipt
                            .receipts()
                            .iter()
                            .flat_map(Receipt::positions)
                            .map(|p| p.as_u64())
                            .collect();
                        positions.sort_unstable();
                        assert_eq!(positions[2] - positions[0], 2, "a commit's events lie together");
                        receipts.extend(
                            receipt.receipts().iter().map(|receipt| (payload.clone(), receipt.clone())),
                        );
                    }
                    receipts
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("worker")).collect()
    });
    store.close().expect("close");
    let store = Store::open(dir.path().join("bank")).expect("open");
    let events = all(&store);
    assert_eq!(events.len(), 12 * 120 * 3);
    assert!(events.iter().enumerate().all(|(at, event)| event.position().as_u64() == at as u64));
    let mut next: HashMap<&str, u64> = HashMap::new();
    for event in &events {
        let next = next.entry(event.stream()).or_default();
        assert_eq!(event.version(), Version::new(*next), "versions have no gap in position order");
        *next += 1;
    }
    for (payload, receipt) in &receipts {
        for (version, position) in receipt.versions().zip(receipt.positions()) {
            let event = &events[to_usize(position.as_u64())];
            assert_eq!(event.stream(), receipt.stream().as_str());
            assert_eq!((event.version(), event.payload()), (version, payload.as_bytes()));
            assert_eq!(event.recorded_at(), receipt.recorded_at());
        }
    }
}

#[test]
fn one_retried_append_sent_by_many_threads_is_there_once() {
    let (_dir, store) = new_store(Durability::Buffered);
    for round in 0..100_u64 {
        let barrier = Barrier::new(8);
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let events = [event_with_id(round * 2, "a"), event_with_id(round * 2 + 1, "b")];
                        store.stream("s").expect("name").append_raw(ANY, events).expect("append")
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().expect("worker")).collect()
        });
        let appended = outcomes.iter().filter(|r| r.outcome() == annals::Outcome::Appended).count();
        assert_eq!(appended, 1);
        assert!(outcomes.iter().all(|receipt| receipt.version() == Some(Version::new(round * 2 + 1))));
        assert_eq!(store.head().as_u64(), round * 2 + 2);
    }
}

#[test]
fn readers_beside_writers_see_only_prefixes_that_grow() {
    let (_dir, store) = new_store(Durability::Buffered);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let until_here = DoneOnDrop(&done);
        let writers: Vec<_> = (0..3)
            .map(|thread| {
                let store = store.clone();
                scope.spawn(move || {
                    for number in 0..200 {
                        let payload = format!("{thread} {number} {}", "x".repeat(200));
                        let pair = [event(&payload), event(&payload)];
                        store
                            .stream(format!("s-{thread}"))
                            .expect("name")
                            .append_raw(ANY, pair)
                            .expect("append");
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            let (store, done) = (store.clone(), &done);
            scope.spawn(move || {
                let mut seen = Vec::new();
                while !done.load(Ordering::SeqCst) {
                    let events = all(&store);
                    assert!(
                        events.len() >= seen.len() && events.len().is_multiple_of(2),
                        "whole commits only"
                    );
                    assert_eq!(events[..seen.len()], seen[..], "what was seen stays as it was");
                    let last = store.stream("s-1").expect("name").last().expect("last");
                    let in_view = events.iter().rfind(|event| event.stream() == "s-1");
                    assert!(last.map(|event| event.version()) >= in_view.map(|event| event.version()));
                    seen = events;
                }
            });
        }
        writers.into_iter().for_each(|writer| writer.join().expect("writer"));
        drop(until_here);
    });
    assert_eq!(store.head().as_u64(), 3 * 200 * 2);
}

#[test]
fn an_append_beside_a_close_is_there_if_it_was_answered_and_not_if_it_was_refused() {
    for round in 0..20 {
        let (dir, store) = new_store(Durability::Buffered);
        let barrier = Barrier::new(5);
        let answered: u64 = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..4)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        let stream = store.stream("s").expect("name");
                        let answers = (0..200).map(|_| stream.append_raw(ANY, [event("x")]));
                        let mut answered = 0;
                        for answer in answers {
                            match answer {
                                Ok(_) => answered += 1,
                                Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
                            }
                        }
                        answered
                    })
                })
                .collect();
            barrier.wait();
            while store.head().as_u64() < round * 30 {
                std::thread::yield_now();
            }
            store.close().expect("close");
            workers.into_iter().map(|worker| worker.join().expect("worker")).sum()
        });
        let again = Store::open(dir.path().join("bank")).expect("open");
        assert!(again.recovery().clean);
        assert_eq!(again.head().as_u64(), answered);
    }
}
