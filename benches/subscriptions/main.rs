//! What following a store costs: how soon an event is with its handler, how fast history comes, and what waiting costs.
//! Prints a table; `-- --test` does all of it once and little of it, so that it cannot rot.

use std::fs;
use std::hint::black_box;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use annals::{Durability, ExpectedVersion, Filter, NewEvent, Options, Store, Update};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const PAYLOAD: &[u8] = br#"{"order":"7f3c1a52","sku":"KT-2231-B","quantity":3,"unit_price":1995,"currency":"EUR","warehouse":"fra-2","note":"gift"}"#;

/// How much of each is done.
struct Plan {
    live: usize,
    history: usize,
    rounds: usize,
    waiting: usize,
    idle: Duration,
}

fn event() -> NewEvent {
    NewEvent::new("ItemAdded", PAYLOAD).expect("event")
}

fn append(store: &Store, stream: &str) {
    store.stream(stream).expect("name").append_raw(ANY, [event()]).expect("append");
}

/// The value below which this share of the times lies, in microseconds.
fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of a small length"
    )]
    let at = ((times.len() - 1) as f64 * share) as usize;
    times[at].as_secs_f64() * 1e6
}

/// From the moment at which an append is answered to the one at which a waiting subscription has its event.
fn live(plan: &Plan, durability: Durability) {
    let dir = tempfile::tempdir().expect("directory");
    let store = Options::new().durability(durability).open(dir.path().join("store")).expect("open");
    let mut subscription = store.subscribe().from_now().start().expect("subscription");
    let (told, heard) = mpsc::channel();
    let follower = thread::spawn(move || {
        while let Ok(update) = subscription.wait_next() {
            if let Update::Event(event) = update {
                let now = Instant::now();
                black_box(event.payload());
                if told.send(now).is_err() {
                    return;
                }
            }
        }
    });
    let (mut appends, mut behind) = (Vec::new(), Vec::new());
    for _ in 0..plan.live {
        let began = Instant::now();
        append(&store, "order-1");
        let answered = Instant::now();
        appends.push(answered - began);
        behind.push(heard.recv().expect("the event").saturating_duration_since(answered));
        // So that it waits again before the next.
        thread::yield_now();
    }
    store.close().expect("close");
    follower.join().expect("no panic");
    println!(
        "| live, {durability:?}: an append | {:.1} µs, p99 {:.1} µs |",
        quantile(&mut appends, 0.5),
        quantile(&mut appends, 0.99)
    );
    println!(
        "| live, {durability:?}: from its answer to the handler | {:.1} µs, p99 {:.1} µs |",
        quantile(&mut behind, 0.5),
        quantile(&mut behind, 0.99)
    );
}

/// History through a subscription beside the same through a read, in turn.
fn catch_up(plan: &Plan) {
    let dir = tempfile::tempdir().expect("directory");
    let options = Options::new().durability(Durability::Buffered);
    let store = options.open(dir.path().join("store")).expect("open");
    for number in 0..plan.history {
        append(&store, &format!("order-{}", number % 1_000));
    }
    for sealed in [false, true] {
        if sealed {
            store.seal().expect("sealed");
        }
        let mut ratios = Vec::new();
        for _ in 0..plan.rounds {
            let began = Instant::now();
            let read = store
                .read()
                .iter()
                .map(|event| black_box(event.expect("event")).payload().len())
                .sum::<usize>();
            let reading = began.elapsed();
            let began = Instant::now();
            let updates = store
                .subscribe()
                .start()
                .expect("subscription")
                .updates()
                .map(|update| update.expect("update"));
            let followed =
                updates.map_while(|update| black_box(update.into_event())).map(|event| event.payload().len());
            assert_eq!(followed.sum::<usize>(), read);
            ratios.push(reading.as_secs_f64() / began.elapsed().as_secs_f64());
        }
        ratios.sort_by(f64::total_cmp);
        let from = if sealed { "segments" } else { "the journal" };
        println!("| catching up from {from}, by the speed of a read | {:.2} |", ratios[ratios.len() / 2]);
    }
}

/// Time of the processor that all threads of this process but the first have had: the first does the measuring.
fn processor_time() -> Option<Duration> {
    let first = std::process::id().to_string();
    // The first field counts nanoseconds, of each thread.
    let times = fs::read_dir("/proc/self/task").ok()?.filter_map(|task| {
        let task = task.ok().filter(|task| *task.file_name() != *first)?;
        let schedule = fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedule.split_whitespace().next()?.parse::<u64>().ok()
    });
    Some(Duration::from_nanos(times.sum()))
}

/// What subscriptions cost that wait for events which nobody appends: while nothing is appended, and while other things are.
fn waiting(plan: &Plan) {
    let dir = tempfile::tempdir().expect("directory");
    let options = Options::new().durability(Durability::Buffered);
    let store = options.open(dir.path().join("store")).expect("open");
    let time = |count: usize| {
        let began = Instant::now();
        (0..count).for_each(|_| append(&store, "order-1"));
        began.elapsed().as_secs_f64() / f64::from(u32::try_from(count).expect("few")) * 1e6
    };
    time(plan.live);
    let alone = time(plan.live);
    let (ready, all_ready) = mpsc::channel();
    let waiting: Vec<_> = (0..plan.waiting)
        .map(|_| {
            let filter = Filter::new().category("nothing");
            let mut subscription = store.subscribe().filter(filter).from_now().start().expect("subscription");
            let ready = ready.clone();
            thread::spawn(move || {
                let update = subscription.wait_next().expect("update");
                assert!(matches!(update, Update::CaughtUp { .. }));
                ready.send(()).expect("somebody listens");
                assert!(subscription.wait_next().is_err(), "the end");
            })
        })
        .collect();
    (0..plan.waiting).for_each(|_| all_ready.recv().expect("each gets ready"));
    // Time in which nothing happens: nobody says anything any more.
    let pass = |time| assert!(all_ready.recv_timeout(time).is_err(), "nobody gets ready twice");
    pass(plan.idle);
    let before = processor_time();
    pass(plan.idle);
    let used = processor_time().zip(before).map(|(after, before)| after.saturating_sub(before));
    let beside = time(plan.live);
    store.close().expect("close");
    waiting.into_iter().for_each(|one| one.join().expect("no panic"));
    let count = plan.waiting;
    match used {
        Some(used) => {
            println!("| {count} that wait, for {:?}: time of the processor | {used:?} |", plan.idle)
        }
        None => println!("| {count} that wait: time of the processor | not told by this system |"),
    }
    println!("| an append, Buffered, alone | {alone:.1} µs |");
    println!("| the same beside {count} that wait for something else | {beside:.1} µs |");
}

fn main() {
    let is_test = std::env::args().any(|arg| arg == "--test");
    let plan = match is_test {
        true => Plan { live: 20, history: 2_000, rounds: 1, waiting: 20, idle: Duration::from_millis(10) },
        false => {
            Plan { live: 5_000, history: 300_000, rounds: 9, waiting: 1_000, idle: Duration::from_secs(2) }
        }
    };
    println!("| what | |\n| --- | --- |");
    live(&plan, Durability::Buffered);
    live(&plan, Durability::Synced);
    catch_up(&plan);
    waiting(&plan);
}
