//! What consumers cost: how many events a second are handed out and acknowledged, and what eight workers are worth.
//! Prints a table; `-- --test` does all of it once and little of it, so that it cannot rot.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use annals::{AckDurability, Consume, Durability, ExpectedVersion, NewEvent, Options, Store};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const PAYLOAD: &[u8] = br#"{"order":"7f3c1a52","sku":"KT-2231-B","quantity":3,"unit_price":1995,"currency":"EUR","warehouse":"fra-2","note":"gift"}"#;
const STREAMS: usize = 1_000;

/// How much of each is done.
struct Plan {
    grouped: usize,
    synced: usize,
    /// Work of a millisecond each.
    slow: usize,
}

fn store(events: usize) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("directory");
    let store = Options::new().open(dir.path().join("store")).expect("open");
    for number in 0..events {
        let stream = store.stream(format!("order-{}", number % STREAMS)).expect("name");
        let event = NewEvent::new("ItemAdded", PAYLOAD).expect("event");
        stream.durability(Durability::Buffered).append_raw(ANY, [event]).expect("append");
    }
    store.flush().expect("flush");
    (dir, store)
}

/// Hands out all events to so many workers; events a second.
fn rate(consume: Consume, workers: usize, events: usize, work: Option<Duration>) -> f64 {
    let consumer = consume.start().expect("start");
    let left = AtomicUsize::new(events);
    let began = Instant::now();
    let done: usize = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                let (consumer, left) = (consumer.clone(), &left);
                scope.spawn(move || {
                    let mut done = 0;
                    // The last of a key may still be out: whoever finds nothing looks again.
                    while left.load(Ordering::Relaxed) > 0 {
                        let Some(delivery) = consumer.next(Duration::from_millis(1)).expect("next") else {
                            continue;
                        };
                        black_box(delivery.event().payload());
                        if let Some(work) = work {
                            // Work that is waiting, as for another machine.
                            thread::park_timeout(work);
                        }
                        delivery.ack().expect("ack");
                        left.fetch_sub(1, Ordering::Relaxed);
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("no panic")).sum()
    });
    assert_eq!(done, events);
    f64::from(NonZeroU32::try_from(u32::try_from(done).expect("few")).expect("some").get())
        / began.elapsed().as_secs_f64()
}

/// The same by one worker that asks for nothing but the next.
fn rate_alone(consume: Consume, events: usize) -> f64 {
    let consumer = consume.start().expect("start");
    let began = Instant::now();
    let mut done = 0_u32;
    while let Some(delivery) = consumer.next(Duration::ZERO).expect("next") {
        black_box(delivery.event().payload());
        delivery.ack().expect("ack");
        done += 1;
    }
    assert_eq!(usize::try_from(done).expect("few"), events);
    f64::from(done) / began.elapsed().as_secs_f64()
}

fn main() {
    let plan = match std::env::args().any(|arg| arg == "--test") {
        true => Plan { grouped: 2_000, synced: 50, slow: 50 },
        false => Plan { grouped: 300_000, synced: 5_000, slow: 2_000 },
    };
    println!("| what | events a second |\n| --- | --- |");
    let (_dir, full) = store(plan.grouped);
    let grouped = |name: &str| full.consumer(name).ack_durability(AckDurability::Grouped(1_000));
    println!(
        "| one worker, acknowledgements in groups of 1,000 | {:.0} |",
        rate_alone(grouped("one"), plan.grouped)
    );
    let unordered = rate_alone(grouped("unordered").unordered(), plan.grouped);
    println!("| the same, unordered | {unordered:.0} |");
    let (_dir, some) = store(plan.synced);
    println!("| one worker, each on disk | {:.0} |", rate_alone(some.consumer("one"), plan.synced));
    println!("| eight workers, each on disk | {:.0} |", rate(some.consumer("eight"), 8, plan.synced, None));
    let (_dir, slow) = store(plan.slow);
    let work = Some(Duration::from_millis(1));
    let grouped = |name: &str| slow.consumer(name).ack_durability(AckDurability::Grouped(100));
    let one = rate(grouped("one"), 1, plan.slow, work);
    let eight = rate(grouped("eight"), 8, plan.slow, work);
    println!("| one worker, work of 1 ms | {one:.0} |");
    println!("| eight workers, the same | {eight:.0}, {:.1} times one |", eight / one);
}
