//! Those who wait for events: none is missed, however waiting, publishing and closing meet.

use std::sync::Arc;

use parking_lot::Mutex;
use shuttle::thread;

use crate::explore;
use crate::index::{Waiter, Waiting};
use crate::journal::CommitView;
use crate::types::Filter;

/// The events of a store, as readers see them.
#[derive(Debug, Default)]
struct Store {
    streams: Mutex<Vec<&'static str>>,
    waiting: Waiting,
}

impl Store {
    /// As the writer does it: what will be told is put together before, and told after what is published can be read.
    fn append(&self, stream: &'static str) {
        let position = self.streams.lock().len() as u64;
        let word = self.waiting.word(|| vec![CommitView { position, stream }]);
        self.streams.lock().push(stream);
        self.waiting.tell(word);
    }

    fn head(&self) -> u64 {
        self.streams.lock().len() as u64
    }

    /// Follows one stream until so many events have come, or until the store is closed; how many came.
    fn follow(&self, stream: &'static str, count: usize) -> usize {
        let waiter = Waiter::new(Filter { stream });
        let (mut next, mut heard) = (0, 0);
        while heard < count {
            let head = self.head();
            if next < head {
                let streams = self.streams.lock();
                let range = usize::try_from(next).expect("few")..usize::try_from(head).expect("few");
                heard += streams[range].iter().filter(|of| **of == stream).count();
                next = head;
            } else if self.waiting.is_closed() {
                // What was appended before the close can be read by now.
                if self.head() <= next {
                    return heard;
                }
            } else {
                next = self.waiting.wait(&waiter, next, None, || self.head() > next);
            }
        }
        heard
    }
}

fn spawn<T: Send + 'static>(
    store: &Arc<Store>,
    what: impl FnOnce(&Store) -> T + Send + 'static,
) -> thread::JoinHandle<T> {
    let store = Arc::clone(store);
    thread::spawn(move || what(&store))
}

/// A wake-up that is lost is a follower that never ends: shuttle finds that all wait and fails.
fn follow_beside_appends(followers: usize, appends: usize) {
    let store = Arc::new(Store::default());
    let all: Vec<_> = (0..followers)
        .map(|number| {
            let stream = if number % 2 == 0 { "wanted" } else { "other" };
            spawn(&store, move |store| store.follow(stream, appends))
        })
        .collect();
    for _ in 0..appends {
        store.append("other");
        store.append("wanted");
    }
    all.into_iter().for_each(|one| assert_eq!(one.join().expect("it ends"), appends));
}

fn close_beside_followers(followers: usize) {
    let store = Arc::new(Store::default());
    let all: Vec<_> = (0..followers).map(|_| spawn(&store, |store| store.follow("wanted", 9))).collect();
    store.append("wanted");
    store.waiting.close();
    all.into_iter().for_each(|one| assert_eq!(one.join().expect("it ends"), 1, "all there was"));
}

/// One who waits for what others change, as a consumer's workers do, beside those who append what it does not want.
fn wait_for_changes(changes: u64) {
    let store = Arc::new(Store::default());
    let (changed, waiter) = (Arc::new(Mutex::new(0)), Waiter::new(Filter { stream: "a" }));
    let waits = {
        let (changed, waiter) = (Arc::clone(&changed), Arc::clone(&waiter));
        spawn(&store, move |store| {
            let mut seen = 0;
            while seen < changes {
                let before = *changed.lock();
                if before > seen {
                    seen = before;
                    continue;
                }
                store.waiting.wait(&waiter, 0, None, || *changed.lock() != before);
            }
        })
    };
    let appends = spawn(&store, |store| store.append("b"));
    for _ in 0..changes {
        *changed.lock() += 1;
        store.waiting.wake(&waiter);
    }
    waits.join().expect("it is woken");
    appends.join().expect("no panic");
}

#[test]
fn who_is_woken_by_name_is_not_forgotten_whichever_way_they_are_preempted() {
    explore::with_preemptions(2, "woken by name", || wait_for_changes(1));
    explore::sampled(|| wait_for_changes(3));
}

#[test]
fn nobody_misses_an_event_whichever_way_they_are_preempted() {
    explore::with_preemptions(2, "one follower", || follow_beside_appends(1, 1));
    explore::with_preemptions(2, "a close", || close_beside_followers(1));
}

#[test]
fn nobody_misses_an_event() {
    explore::sampled(|| follow_beside_appends(3, 3));
    explore::sampled(|| close_beside_followers(3));
}
