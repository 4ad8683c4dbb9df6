//! Consumers with many workers whose work fails, takes too long, and ends with its process.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use annals::disk::Clock;
use annals::{
    AckDurability, Consumer, Durability, ErrorKind, ExpectedVersion, Maintenance, Options, RecordedEvent,
    Store,
};
use parking_lot::Mutex;

use crate::support::{Keep, ManualClock, Rng, SimDisk, event};

const KEYS: usize = 100;
const EVENTS: usize = 10_000;
const GROUP: usize = 16;
const LIVES: u64 = 4;

/// What was acknowledged of each key, in this order, and how much in this life.
#[derive(Default)]
struct Done {
    of: BTreeMap<String, Vec<usize>>,
    count: usize,
}

impl Done {
    fn note(&mut self, event: &RecordedEvent) {
        let number = std::str::from_utf8(event.payload()).expect("text").parse().expect("number");
        self.of.entry(event.stream().to_owned()).or_default().push(number);
        self.count += 1;
    }

    /// How many came again: what a crash forgot of the grouped acknowledgements of a key, and all behind it, in order.
    fn repeated(&self) -> usize {
        let mut repeated = 0;
        for (key, numbers) in &self.of {
            let mut seen: Vec<usize> = Vec::new();
            for number in numbers {
                match seen.iter().position(|one| one == number) {
                    Some(at) => {
                        repeated += seen.len() - at;
                        seen.truncate(at);
                    }
                    None => assert!(seen.last().is_none_or(|last| last < number), "{key}: {numbers:?}"),
                }
                seen.push(*number);
            }
            assert_eq!(seen.len(), EVENTS / KEYS, "{key}: {numbers:?}");
        }
        assert_eq!(self.of.len(), KEYS);
        repeated
    }
}

fn open(disk: &SimDisk, clock: &ManualClock) -> Store {
    let options = Options::new().disk(disk.clone()).clock(clock.clone());
    options.maintenance(Maintenance::Inline).open("/shop").expect("open")
}

fn fill(store: &Store) {
    for number in 0..EVENTS {
        let stream = store.stream(format!("key-{}", number * 7919 % KEYS)).expect("name");
        let stream = stream.durability(Durability::Buffered);
        stream.append_raw(ExpectedVersion::Any, [event(number.to_string())]).expect("append");
    }
    store.flush().expect("flush");
}

fn pass(clock: &ManualClock, seconds: i64) {
    clock.set(clock.now().as_micros() + seconds * 1_000_000);
}

/// Works until so much is done, or nothing is to be had.
fn work(mailer: &Consumer, done: &Mutex<Done>, clock: &ManualClock, enough: usize, mut rng: Rng) {
    let expired = |answer: annals::Result<()>| match answer {
        Ok(()) => false,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Expired, "{error}");
            true
        }
    };
    while done.lock().count < enough {
        let Some(delivery) = mailer.next(Duration::ZERO).expect("next") else { return };
        match rng.below(20) {
            0 => drop(delivery),
            1 => drop(expired(delivery.nak_after(Duration::from_millis(3)))),
            2 => {
                // Its time is up, and that of all others who are at it.
                pass(clock, 40);
                drop(mailer.next(Duration::ZERO).expect("next"));
                drop(delivery);
            }
            _ => {
                // Under the lock, so that what is noted is in the order of the acknowledgements.
                let mut done = done.lock();
                let event = delivery.event().clone();
                if !expired(delivery.ack()) {
                    done.note(&event);
                }
            }
        }
    }
}

/// Workers that wait for ever and acknowledge on disk, beside those who append: nobody is forgotten.
#[test]
fn nobody_waits_for_ever_while_there_is_something_to_do() {
    const MANY: usize = 1_500;
    let store = open(&SimDisk::new(), &ManualClock::at(1_000_000));
    let mailer = store.consumer("mailer").ack_wait(Duration::from_secs(1_000_000)).start().expect("start");
    let done = Mutex::new(Done::default());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let delivery = match mailer.next(Duration::from_secs(60)) {
                        Ok(delivery) => delivery.expect("somebody was forgotten"),
                        Err(error) => return assert_eq!(error.kind(), ErrorKind::Closed),
                    };
                    let event = delivery.event().clone();
                    let mut done = done.lock();
                    done.note(&event);
                    let is_last = done.count == MANY;
                    drop(done);
                    delivery.ack().expect("ack");
                    if is_last {
                        store.close().expect("close");
                    }
                }
            });
        }
        for number in 0..MANY {
            let stream = store.stream(format!("key-{}", number % 5)).expect("name");
            stream.append_raw(ExpectedVersion::Any, [event(number.to_string())]).expect("append");
        }
    });
    for (key, numbers) in done.into_inner().of {
        assert!(numbers.is_sorted() && numbers.len() == MANY / 5, "{key}: {numbers:?}");
    }
}

#[test]
fn of_each_key_all_events_are_done_in_order_however_many_work_and_fail() {
    let clock = ManualClock::at(1_000_000);
    let mut disk = SimDisk::new();
    let mut store = open(&disk, &clock);
    fill(&store);
    let mut done = Done::default();
    for life in 0..LIVES {
        let mailer =
            store.consumer("mailer").ack_durability(AckDurability::Grouped(GROUP)).max_deliver(1_000);
        let mailer = mailer.start().expect("start");
        done.count = 0;
        let enough = if life == LIVES - 1 { usize::MAX } else { EVENTS / 5 };
        let shared = Mutex::new(done);
        thread::scope(|scope| {
            for worker in 0..8 {
                let (mailer, shared, clock) = (&mailer, &shared, &clock);
                scope.spawn(move || work(mailer, shared, clock, enough, Rng::new(life * 8 + worker + 1)));
            }
        });
        done = shared.into_inner();
        pass(&clock, 100);
        if life < LIVES - 1 {
            disk = disk.crash(Keep::Everything);
            let after = open(&disk, &clock);
            // Its process has ended without a word.
            std::mem::forget((mailer, std::mem::replace(&mut store, after)));
        } else {
            while let Some(delivery) = mailer.next(Duration::ZERO).expect("next") {
                done.note(delivery.event());
                delivery.ack().expect("ack");
            }
            assert_eq!((mailer.stats().lag, mailer.stats().parked), (0, 0));
        }
    }
    let repeated = done.repeated();
    assert!(repeated <= 3 * GROUP, "{repeated} came again");
}
