//! What is parked, through restarts, changed settings, late workers, failing disks and batches that were sent before.

use std::io;
use std::time::Duration;

use annals::{
    Consume, Consumer, Delivery, Durability, ErrorKind, ExpectedVersion, Filter, Maintenance, Options,
    Outcome, ParkPolicy, Position, RecordedEvent, Store,
};

use crate::support::{CallKind, Keep, ManualClock, SimDisk, Verdict, event, event_with_id};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn open(disk: &SimDisk) -> Store {
    let options = Options::new().disk(disk.clone()).clock(ManualClock::at(1_000));
    options.maintenance(Maintenance::Inline).journal_file_bytes(64 << 10).open("/shop").expect("open")
}

/// A store with an event in each of these streams, one after another, its payload the stream and the number.
fn shop(disk: &SimDisk, streams: &[&str]) -> Store {
    let store = open(disk);
    for (number, stream) in streams.iter().enumerate() {
        let event = event(format!("{stream}{number}"));
        store.stream(*stream).expect("name").append_raw(ANY, [event]).expect("append");
    }
    store
}

fn start(consume: Consume) -> Consumer {
    consume.start().expect("start")
}

fn next(consumer: &Consumer) -> Option<Delivery> {
    consumer.next(Duration::ZERO).expect("next")
}

fn payload(delivery: &Delivery) -> String {
    String::from_utf8(delivery.event().payload().to_vec()).expect("text")
}

/// The delivery with this payload; those before it come again.
fn take(consumer: &Consumer, wanted: &str) -> Delivery {
    let mut others = Vec::new();
    loop {
        let delivery = next(consumer).unwrap_or_else(|| panic!("{wanted} is not to be had"));
        if payload(&delivery) == wanted {
            return delivery;
        }
        others.push(delivery);
    }
}

/// All that is left, each acknowledged.
fn rest(consumer: &Consumer) -> Vec<String> {
    let mut rest = Vec::new();
    while let Some(delivery) = next(consumer) {
        rest.push(payload(&delivery));
        delivery.ack().expect("ack");
    }
    rest
}

#[test]
fn what_waits_is_found_though_nothing_was_handed_out_since_the_restart() {
    for replays in [false, true] {
        let disk = SimDisk::new();
        let store = shop(&disk, &["x", "a", "a", "a", "y"]);
        let mailer = start(store.consumer("mailer"));
        let first = take(&mailer, "x0");
        take(&mailer, "a1").park("bad").expect("park");
        take(&mailer, "y4").ack().expect("ack");
        let store = open(&disk.crash(Keep::Nothing));
        let mailer = start(store.consumer("mailer"));
        let parked = Position::new(1);
        match replays {
            true => assert!(mailer.replay_parked(parked).expect("replay")),
            false => assert!(mailer.discard_parked(parked).expect("discard")),
        }
        let wanted: &[&str] = if replays { &["x0", "a1", "a2", "a3"] } else { &["x0", "a2", "a3"] };
        assert_eq!(rest(&mailer), wanted);
        drop(mailer);
        assert!(next(&start(store.consumer("mailer"))).is_none(), "and nothing of it comes again");
        drop(first);
    }
}

/// What only waits is replayed in its turn, and the next process neither reads it beside nor passes over what lies before it.
#[test]
fn what_is_replayed_ahead_of_what_was_read_loses_and_doubles_nothing_after_a_restart() {
    let far = Duration::from_secs(3_600);
    for streams in [&["a", "j", "j", "j", "a"][..], &["a", "b", "j", "j", "j", "a", "b"]] {
        let disk = SimDisk::new();
        let store = shop(&disk, streams);
        let consumer = |store: &Store| start(store.consumer("mailer").max_ack_pending(1));
        let mailer = consumer(&store);
        let parked = streams.iter().filter(|stream| **stream != "j").count() / 2;
        for _ in 0..parked {
            next(&mailer).expect("one of a or b").park("bad").expect("park");
        }
        let slow = next(&mailer).expect("the first of j");
        assert_eq!(slow.event().stream(), "j");
        for position in 0..parked as u64 {
            mailer.discard_parked(Position::new(position)).expect("discard");
        }
        drop((slow, mailer));
        let mailer = consumer(&store);
        let first = next(&mailer).expect("the first of j");
        assert_eq!(first.event().stream(), "j");
        first.nak_after(far).expect("nak");
        let waited = next(&mailer).expect("the one that waited");
        assert_eq!(waited.event().stream(), "a");
        let mut came = vec![payload(&waited)];
        waited.ack().expect("ack");
        drop(mailer);
        // What was put off for an hour comes at once with the next process.
        let store = open(&disk.crash(Keep::Nothing));
        came.extend(rest(&consumer(&store)));
        came.sort_unstable();
        let mut wanted: Vec<_> =
            (0..).zip(streams).map(|(number, stream)| format!("{stream}{number}")).collect();
        wanted.drain(..parked);
        wanted.sort_unstable();
        assert_eq!(came, wanted);
    }
}

#[test]
fn what_waits_behind_a_parked_event_waits_on_whatever_the_policy_is_later() {
    let disk = SimDisk::new();
    let store = shop(&disk, &["a", "a", "a"]);
    take(&start(store.consumer("mailer")), "a0").park("bad").expect("park");
    let mailer = start(store.consumer("mailer").park_policy(ParkPolicy::ParkEvent));
    mailer.replay_parked(Position::new(0)).expect("replay");
    take(&mailer, "a0").park("bad again").expect("park");
    assert!(next(&mailer).is_none());
    mailer.discard_parked(Position::new(0)).expect("discard");
    assert_eq!(rest(&mailer), ["a1", "a2"]);
}

#[test]
fn another_key_or_filter_is_refused_while_something_waits_by_the_old_one() {
    let disk = SimDisk::new();
    let store = shop(&disk, &["a", "a", "b"]);
    take(&start(store.consumer("mailer")), "a0").park("bad").expect("park");
    let kind = |consume: Consume| consume.start().expect_err("refused").kind();
    let mailer = || store.consumer("mailer");
    assert_eq!(kind(mailer().unordered()), ErrorKind::Invalid);
    assert_eq!(kind(mailer().keyed_by(|event| Some(event.event_type().to_owned()))), ErrorKind::Invalid);
    assert_eq!(kind(mailer().filter(Filter::new().category("b"))), ErrorKind::Invalid);
    let same = start(mailer().keyed_by(|event| Some(event.stream().to_owned())));
    same.discard_parked(Position::new(0)).expect("discard");
    assert_eq!(rest(&same), ["a1", "b2"]);
    drop(same);
    drop(start(mailer().unordered()));
}

#[test]
fn of_a_key_none_is_out_beside_another_when_a_parked_event_is_given_up() {
    let disk = SimDisk::new();
    let store = shop(&disk, &["x", "k", "k", "k"]);
    let mailer = start(store.consumer("mailer").park_policy(ParkPolicy::ParkEvent));
    let first = take(&mailer, "x0");
    take(&mailer, "k1").park("bad").expect("park");
    let second = take(&mailer, "k2");
    mailer.discard_parked(Position::new(1)).expect("discard");
    assert!(next(&mailer).is_none(), "k3 waits for k2");
    second.ack().expect("ack");
    assert_eq!(rest(&mailer), ["k3"]);
    drop(first);
}

#[test]
fn a_worker_of_before_has_no_say_in_a_replay() {
    let (disk, clock) = (SimDisk::new(), ManualClock::at(1_000_000));
    drop(shop(&disk, &["a", "a"]));
    let options = Options::new().disk(disk).clock(clock.clone()).maintenance(Maintenance::Inline);
    let store = options.open("/shop").expect("open");
    let mailer = start(store.consumer("mailer").ack_wait(Duration::from_secs(30)));
    let late = take(&mailer, "a0");
    clock.set(31_000_000);
    take(&mailer, "a0").park("bad").expect("park");
    mailer.replay_parked(Position::new(0)).expect("replay");
    let again = take(&mailer, "a0");
    assert_eq!((late.attempt(), again.attempt()), (1, 1), "the count begins anew");
    assert_eq!(late.ack().expect_err("it is another's").kind(), ErrorKind::Expired);
    assert!(next(&mailer).is_none());
    again.ack().expect("ack");
    assert_eq!(rest(&mailer), ["a1"]);
}

#[test]
fn an_event_that_waited_and_ends_the_process_is_parked_in_the_end() {
    let mut disk = SimDisk::new();
    let mut store = shop(&disk, &["a", "a", "b"]);
    let consumer = |store: &Store| start(store.consumer("mailer").max_deliver(3));
    let mailer = consumer(&store);
    take(&mailer, "a0").park("bad").expect("park");
    take(&mailer, "b2").ack().expect("ack");
    mailer.discard_parked(Position::new(0)).expect("discard");
    drop(mailer);
    let mut ends = 0;
    loop {
        let mailer = consumer(&store);
        let Some(poison) = next(&mailer) else { break };
        assert_eq!(payload(&poison), "a1");
        ends += 1;
        assert!(ends < 10, "it is never parked");
        disk = disk.crash(Keep::Everything);
        let after = open(&disk);
        std::mem::forget((poison, mailer, std::mem::replace(&mut store, after)));
    }
    assert_eq!(ends, 3);
    let parked = consumer(&store).parked(Position::new(0), 10);
    assert_eq!((parked.len(), parked[0].position, parked[0].attempts), (1, Position::new(1), 3));
}

#[test]
fn a_batch_of_another_store_or_one_that_was_sent_before_does_not_lose_an_acknowledgement() {
    let disk = SimDisk::new();
    let store = shop(&disk, &["a", "b", "lease"]);
    let other = open(&SimDisk::new());
    let mailer = start(store.consumer("mailer").filter(Filter::new().stream_prefix("")).unordered());
    let refused = take(&mailer, "a0").ack_with(other.batch().append_raw("x", ANY, [event("x")]));
    assert_eq!(refused.expect_err("of another store").kind(), ErrorKind::Invalid);
    assert_eq!((other.head(), other.consumers().expect("consumers").len()), (Position::new(0), 0));
    // Its events are there already, and what it checks does not hold: it is answered so, and the event is done all the same.
    let batch = || {
        let batch = store.batch().append_raw("points", ANY, [event_with_id(7, "points")]);
        batch.check("lease", ExpectedVersion::StreamExists)
    };
    batch().commit().expect("first");
    let again = batch().check("lease", ExpectedVersion::NoStream);
    let receipt = take(&mailer, "a0").ack_with(again).expect("known");
    assert_eq!(receipt.outcome(), Outcome::AlreadyAppended);
    let store = open(&disk.crash(Keep::Nothing));
    let mailer = start(store.consumer("mailer").unordered());
    assert!(!rest(&mailer).contains(&"a0".to_owned()));
}

#[test]
fn an_acknowledgement_is_on_disk_though_another_workers_batch_asks_for_less() {
    let disk = SimDisk::new();
    let store = shop(&disk, &["a", "b"]);
    let grouped = annals::AckDurability::Grouped(10);
    let mailer = start(store.consumer("mailer").ack_durability(grouped));
    let (first, second) = (take(&mailer, "a0"), take(&mailer, "b1"));
    first.ack().expect("ack");
    let batch = mailer.batch().append_raw("x", ANY, [event("x")]).durability(Durability::Buffered);
    second.ack_with(batch).expect("ack");
    mailer.flush().expect("all that was acknowledged is on disk");
    let store = open(&disk.crash(Keep::Nothing));
    let mailer = start(store.consumer("mailer").filter(Filter::new().category("a")));
    assert!(next(&mailer).is_none());
}

#[test]
fn what_cannot_be_written_is_told_and_comes_again() {
    let disk = SimDisk::new();
    let clock = ManualClock::at(1_000_000);
    let options = Options::new().disk(disk.clone()).clock(clock.clone()).maintenance(Maintenance::Inline);
    let store = options.open("/shop").expect("open");
    for stream in ["a", "b", "c"] {
        store.stream(stream).expect("name").append_raw(ANY, [event(stream)]).expect("append");
    }
    let mailer = start(store.consumer("mailer").ack_wait(Duration::from_secs(30)));
    let [first, second, third] = ["a", "b", "c"].map(|wanted| take(&mailer, wanted));
    let fails_once = || {
        let mut writes = 0;
        disk.on_call(move |call| {
            writes += u32::from(call.kind == CallKind::Write);
            let is_it = call.kind == CallKind::Write && writes == 1;
            if is_it { Verdict::Fail(io::ErrorKind::StorageFull) } else { Verdict::Proceed }
        });
    };
    fails_once();
    assert_eq!(first.ack().expect_err("full").kind(), ErrorKind::StorageFull);
    fails_once();
    assert_eq!(second.park("bad").expect_err("full").kind(), ErrorKind::StorageFull);
    fails_once();
    let batch = mailer.batch().append_raw("x", ANY, [event("x")]);
    assert_eq!(third.ack_with(batch).expect_err("full").kind(), ErrorKind::StorageFull);
    disk.heal();
    assert_eq!(mailer.stats().parked, 0);
    clock.set(40_000_000);
    let mut came = rest(&mailer);
    came.sort_unstable();
    assert_eq!(came, ["a", "b", "c"]);
    assert_eq!(mailer.stats().lag, 0);
}

/// A key function that panics: whoever asked has it, and everybody else goes on.
#[test]
fn a_panic_in_a_key_function_loses_no_event_and_stops_nobody() {
    let disk = SimDisk::new();
    let store = shop(&disk, &["a", "b", "c"]);
    let calls = std::sync::atomic::AtomicU32::new(0);
    let key = move |event: &RecordedEvent| {
        let call = calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        assert!(call != 1, "the second time it is asked");
        Some(event.stream().to_owned())
    };
    let mailer = start(store.consumer("mailer").keyed_by(key));
    let asked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| mailer.next(Duration::ZERO)));
    asked.expect_err("the panic is the caller's");
    assert_eq!(rest(&mailer), ["a0", "b1", "c2"]);
    let long = start(store.consumer("long").keyed_by(|_| Some("k".repeat(1_025))));
    assert_eq!(long.next(Duration::ZERO).expect_err("a limit").kind(), ErrorKind::Invalid);
    let longest = start(store.consumer("longest").keyed_by(|_| Some("k".repeat(1_024))));
    take(&longest, "a0").park("bad").expect("park");
    assert!(next(&longest).is_none());
}
