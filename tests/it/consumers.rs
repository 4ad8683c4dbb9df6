//! Consumers: what is acknowledged does not come again, what is not does; of one key one at a time, in order.

use std::convert::Infallible;
use std::thread;
use std::time::{Duration, Instant};

use annals::limits::{ACK_PENDING_MAX, CONSUMER_NAME_BYTES_MAX};
use annals::{
    AckDurability, Consume, Consumer, Delivery, ErrorKind, ExpectedVersion, Filter, Handled, Maintenance,
    Options, ParkPolicy, Position, Store,
};

use crate::support::{Keep, ManualClock, SimDisk, all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;
/// Longer than anything here takes: who waits as long has missed something.
const LONG: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

/// A shop on a disk, with a clock that stands still.
struct Shop {
    disk: SimDisk,
    clock: ManualClock,
    store: Store,
}

impl Shop {
    fn new() -> Self {
        Self::on(SimDisk::new(), &ManualClock::at(1_000_000))
    }

    fn on(disk: SimDisk, clock: &ManualClock) -> Self {
        let options = Options::new().disk(disk.clone()).clock(clock.clone());
        let options = options.maintenance(Maintenance::Inline).journal_file_bytes(64 << 10);
        let store = options.open("/shop").expect("open");
        Self { disk, clock: clock.clone(), store }
    }

    /// What a crash leaves, opened again.
    fn crashed(&self, keep: Keep) -> Self {
        Self::on(self.disk.crash(keep), &self.clock)
    }

    fn place(&self, stream: &str, payload: &str) {
        self.store.stream(stream).expect("name").append_raw(ANY, [event(payload)]).expect("append");
    }

    /// Appends to these streams one after another, each time the number of the append.
    fn place_all(&self, streams: &[&str]) {
        for (number, stream) in streams.iter().enumerate() {
            self.place(stream, &number.to_string());
        }
    }

    fn mailer(&self) -> Consume {
        self.store.consumer("mailer")
    }

    fn pass(&self, time: Duration) {
        let now = self.store_now() + i64::try_from(time.as_micros()).expect("small");
        self.clock.set(now);
    }

    fn store_now(&self) -> i64 {
        annals::disk::Clock::now(&self.clock).as_micros()
    }
}

fn next(consumer: &Consumer) -> Option<Delivery> {
    consumer.next(Duration::ZERO).expect("next")
}

fn some(consumer: &Consumer) -> Delivery {
    next(consumer).expect("a delivery")
}

fn payload(delivery: &Delivery) -> String {
    String::from_utf8(delivery.event().payload().to_vec()).expect("text")
}

/// All that can be handed out now, with which attempt, as long as nothing is answered.
fn all_out(consumer: &Consumer) -> Vec<Delivery> {
    std::iter::from_fn(|| next(consumer)).collect()
}

fn told(deliveries: &[Delivery]) -> Vec<(String, u32)> {
    deliveries.iter().map(|delivery| (payload(delivery), delivery.attempt())).collect()
}

fn named(payloads: &[(&str, u32)]) -> Vec<(String, u32)> {
    payloads.iter().map(|(payload, attempt)| ((*payload).to_owned(), *attempt)).collect()
}

fn ack_all(deliveries: Vec<Delivery>) {
    deliveries.into_iter().for_each(|delivery| delivery.ack().expect("ack"));
}

#[test]
fn of_one_key_one_event_at_a_time_and_others_beside_it() {
    let shop = Shop::new();
    shop.place_all(&["a", "a", "b", "a", "c", "b"]);
    let mailer = shop.mailer().start().expect("start");
    let mut out = all_out(&mailer);
    assert_eq!(told(&out), named(&[("0", 1), ("2", 1), ("4", 1)]));
    out.remove(1).ack().expect("ack");
    assert_eq!(told(&[some(&mailer)]), named(&[("5", 1)]), "the next of b");
    out.remove(0).ack().expect("ack");
    let second = some(&mailer);
    assert_eq!(payload(&second), "1");
    second.ack().expect("ack");
    assert_eq!(mailer.stats().floor, Position::new(3));
}

#[test]
fn what_orders_is_the_stream_a_key_of_ones_own_or_nothing() {
    let shop = Shop::new();
    for (stream, payload) in [("a", "x1"), ("b", "x2"), ("a", "y1"), ("b", "none"), ("b", "none too")] {
        shop.place(stream, payload);
    }
    let out = |consume: Consume| told(&all_out(&consume.start().expect("start")));
    assert_eq!(out(shop.store.consumer("by stream")), named(&[("x1", 1), ("x2", 1)]));
    let first = |event: &annals::RecordedEvent| {
        let text = String::from_utf8(event.payload().to_vec()).expect("text");
        (!text.starts_with("none")).then(|| text[..1].to_owned())
    };
    let by_letter = shop.store.consumer("by letter").keyed_by(first);
    assert_eq!(out(by_letter), named(&[("x1", 1), ("y1", 1), ("none", 1), ("none too", 1)]));
    assert_eq!(out(shop.store.consumer("unordered").unordered()).len(), 5);
    let filtered = shop.store.consumer("filtered").filter(Filter::new().category("b")).unordered();
    assert_eq!(out(filtered), named(&[("x2", 1), ("none", 1), ("none too", 1)]));
}

#[test]
fn what_is_acknowledged_does_not_come_again_and_what_is_not_does() {
    let shop = Shop::new();
    shop.place_all(&["a", "b", "c", "a"]);
    let mailer = shop.mailer().start().expect("start");
    let mut out = all_out(&mailer);
    out.remove(1).ack().expect("ack");
    for keep in [Keep::Nothing, Keep::Everything] {
        let after = shop.crashed(keep);
        let mailer = after.mailer().start().expect("start");
        let payloads: Vec<_> = all_out(&mailer).iter().map(payload).collect();
        assert_eq!(payloads, ["0", "2"], "1 was acknowledged, 3 is behind 0");
    }
    drop(out);
    ack_all(all_out(&mailer));
    ack_all(all_out(&mailer));
    assert_eq!(mailer.stats().lag, 0);
    assert!(next(&shop.crashed(Keep::Nothing).mailer().start().expect("start")).is_none());
    // Nothing of it is an event.
    assert_eq!(all(&shop.store).len(), 4);
}

#[test]
fn what_is_refused_comes_again_after_the_time_that_it_should() {
    let shop = Shop::new();
    shop.place_all(&["a", "a"]);
    let mailer = shop.mailer().backoff([SECOND, 5 * SECOND]).start().expect("start");
    some(&mailer).nak().expect("nak");
    assert!(next(&mailer).is_none());
    shop.pass(SECOND);
    let second = some(&mailer);
    assert_eq!(told(&[second]), named(&[("0", 2)]), "and dropped, which is a nak");
    shop.pass(4 * SECOND);
    assert!(next(&mailer).is_none());
    shop.pass(SECOND);
    some(&mailer).nak_after(100 * SECOND).expect("nak");
    shop.pass(99 * SECOND);
    assert!(next(&mailer).is_none());
    shop.pass(SECOND);
    some(&mailer).nak().expect("nak");
    shop.pass(5 * SECOND);
    assert_eq!(told(&[some(&mailer)]), named(&[("0", 5)]), "the last time repeats");
    assert_eq!(mailer.stats().redelivered, 4);
}

#[test]
fn a_worker_whose_time_is_up_has_it_no_more() {
    let shop = Shop::new();
    shop.place("a", "0");
    let mailer = shop.mailer().ack_wait(30 * SECOND).start().expect("start");
    let first = some(&mailer);
    shop.pass(29 * SECOND);
    assert!(next(&mailer).is_none());
    first.in_progress().expect("in progress");
    shop.pass(29 * SECOND);
    assert!(next(&mailer).is_none());
    shop.pass(SECOND);
    let second = some(&mailer);
    assert_eq!(second.attempt(), 2);
    assert_eq!(first.in_progress().expect_err("expired").kind(), ErrorKind::Expired);
    let batch = shop.store.batch().append_raw("b", ANY, [event("late")]);
    assert_eq!(first.ack_with(batch).expect_err("expired").kind(), ErrorKind::Expired);
    assert_eq!(shop.store.head(), Position::new(1), "and nothing of it is there");
    second.ack().expect("ack");
    assert!(next(&mailer).is_none());
}

#[test]
fn what_came_too_often_is_parked_and_its_key_waits_behind_it() {
    let shop = Shop::new();
    shop.place_all(&["a", "a", "b", "a"]);
    let mailer = shop.mailer().max_deliver(3).start().expect("start");
    let other = |mailer: &Consumer| payload(&some(mailer));
    for attempt in 1..=3 {
        let poison = some(&mailer);
        assert_eq!((payload(&poison).as_str(), poison.attempt()), ("0", attempt));
        poison.nak().expect("nak");
    }
    let parked = mailer.parked(Position::new(0), 10);
    assert_eq!(parked.len(), 1);
    assert_eq!((parked[0].position, parked[0].attempts), (Position::new(0), 3));
    assert_eq!(parked[0].key.as_deref(), Some("a"));
    assert!(parked[0].reason.contains("3 times"), "{}", parked[0].reason);
    assert_eq!(other(&mailer), "2", "other keys go on");
    some(&mailer).ack().expect("ack");
    shop.place("a", "4");
    shop.place("c", "5");
    some(&mailer).ack().expect("5, not 4");
    assert!(next(&mailer).is_none());
    assert_eq!(mailer.stats().lag, 0, "what waits behind a parked event keeps nobody back");
    // It all survives a crash, and what is replayed comes in order, one by one, before what comes later.
    let shop = shop.crashed(Keep::Nothing);
    let mailer = shop.mailer().start().expect("start");
    assert!(next(&mailer).is_none());
    assert!(mailer.replay_parked(Position::new(0)).expect("replay"));
    assert!(!mailer.replay_parked(Position::new(0)).expect("again"));
    shop.place("a", "6");
    shop.place("b", "7");
    let mut order = Vec::new();
    while let Some(delivery) = next(&mailer) {
        let waits = all_out(&mailer);
        assert!(waits.iter().all(|other| other.event().stream() != delivery.event().stream()));
        drop(waits);
        order.push(payload(&delivery));
        delivery.ack().expect("ack");
    }
    order.retain(|payload| payload != "7");
    assert_eq!(order, ["0", "1", "3", "4", "6"]);
    assert_eq!((mailer.parked(Position::new(0), 10), mailer.stats().lag), (Vec::new(), 0));
}

#[test]
fn a_parked_event_may_be_given_up_and_what_waited_comes() {
    let shop = Shop::new();
    shop.place_all(&["a", "b", "a", "a"]);
    let mailer = shop.mailer().start().expect("start");
    some(&mailer).park("bad address").expect("park");
    some(&mailer).ack().expect("ack");
    assert_eq!(mailer.parked(Position::new(0), 10)[0].reason, "bad address");
    assert!(mailer.parked(Position::new(1), 10).is_empty() && mailer.parked(Position::new(0), 0).is_empty());
    assert!(!mailer.discard_parked(Position::new(2)).expect("it is not parked"));
    assert!(mailer.discard_parked(Position::new(0)).expect("discard"));
    // What is being handed out of those that waited is on record, so that a crash forgets none of it.
    let first = some(&mailer);
    assert_eq!(payload(&first), "2");
    let after = shop.crashed(Keep::Nothing);
    let mailer_after = after.mailer().start().expect("start");
    for expected in ["2", "3"] {
        let delivery = some(&mailer_after);
        assert_eq!(payload(&delivery), expected);
        delivery.ack().expect("ack");
    }
    assert!(next(&mailer_after).is_none());
    // Parked again while it is replayed: what waited waits on.
    first.park("bad again").expect("park");
    assert!(next(&mailer).is_none());
    let parked = mailer.parked(Position::new(0), 10);
    assert_eq!((parked.len(), parked[0].position), (1, Position::new(2)));
    mailer.discard_parked(Position::new(2)).expect("discard");
    some(&mailer).ack().expect("the last");
    assert_eq!((mailer.stats().parked, mailer.stats().lag), (0, 0));
}

#[test]
fn where_only_the_event_is_parked_its_key_goes_on() {
    let shop = Shop::new();
    shop.place_all(&["a", "a"]);
    let mailer = shop.mailer().park_policy(ParkPolicy::ParkEvent).start().expect("start");
    some(&mailer).park("later").expect("park");
    let second = some(&mailer);
    assert_eq!(payload(&second), "1");
    assert_eq!(mailer.parked(Position::new(0), 10)[0].key, None);
    mailer.replay_parked(Position::new(0)).expect("replay");
    let again = some(&mailer);
    assert_eq!(told(&[again]), named(&[("0", 1)]), "beside the key's others");
    second.ack().expect("ack");
    some(&mailer).ack().expect("ack");
    assert_eq!(mailer.stats().parked, 0);
    assert!(next(&shop.crashed(Keep::Nothing).mailer().start().expect("start")).is_none());
}

#[test]
fn no_more_events_are_out_than_may_be() {
    let shop = Shop::new();
    shop.place_all(&["a"; 50]);
    let mailer = shop.mailer().unordered().max_ack_pending(7).start().expect("start");
    let mut out = all_out(&mailer);
    assert_eq!((out.len(), mailer.stats().pending, mailer.stats().waiting), (7, 7, 21));
    out.pop().expect("one").ack().expect("ack");
    assert_eq!(all_out(&mailer).len(), 1);
    drop(out);
    let mut done = 1;
    while let Some(delivery) = next(&mailer) {
        delivery.ack().expect("ack");
        done += 1;
    }
    assert_eq!(done, 50);
}

/// What is done above one that is not takes no room: neither in memory nor in what is recorded.
#[test]
fn one_event_that_is_never_done_keeps_nobody_back() {
    let shop = Shop::new();
    shop.place("slow", "slow");
    let mailer = shop.mailer().max_ack_pending(4).ack_wait(1_000_000 * SECOND).start().expect("start");
    let slow = some(&mailer);
    for number in 0..500 {
        shop.place("a", &number.to_string());
        some(&mailer).ack().expect("ack");
    }
    let stats = mailer.stats();
    assert_eq!((stats.floor, stats.pending, stats.waiting), (Position::new(0), 1, 0));
    let info = shop.store.consumers().expect("consumers").remove(0);
    assert_eq!((info.floor, info.open), (Position::new(0), 1));
    assert!(shop.store.stats().expect("stats").checkpoint_bytes < 200);
    let after = shop.crashed(Keep::Nothing);
    let mailer = after.mailer().max_ack_pending(4).start().expect("start");
    assert_eq!(told(&all_out(&mailer)), named(&[("slow", 2)]));
    drop(slow);
}

#[test]
fn of_grouped_acknowledgements_a_crash_forgets_so_many_at_most() {
    let shop = Shop::new();
    shop.place_all(&["a"; 40]);
    let grouped = |shop: &Shop| {
        let consume = shop.mailer().ack_durability(AckDurability::Grouped(8));
        consume.start().expect("start")
    };
    let mailer = grouped(&shop);
    for number in 0..21 {
        let delivery = some(&mailer);
        assert_eq!(payload(&delivery), number.to_string(), "its key goes on at once");
        delivery.ack().expect("ack");
    }
    assert_eq!(mailer.stats().unflushed, 5);
    let first = payload(&some(&grouped(&shop.crashed(Keep::Nothing))));
    assert_eq!(first, "16", "5 of them come again");
    mailer.flush().expect("flush");
    assert_eq!(payload(&some(&grouped(&shop.crashed(Keep::Nothing)))), "21");
    some(&mailer).ack().expect("ack");
    drop(mailer);
    assert_eq!(payload(&some(&grouped(&shop.crashed(Keep::Nothing)))), "22", "whoever leaves, flushes");
    let mailer = grouped(&shop);
    while let Some(delivery) = next(&mailer) {
        delivery.ack().expect("ack");
    }
    assert_eq!(mailer.stats().unflushed, 0, "nothing more is to come");
}

#[test]
fn what_follows_from_an_event_is_there_with_its_acknowledgement() {
    let shop = Shop::new();
    shop.place_all(&["order-1", "order-2", "order-3"]);
    let points =
        shop.store.consumer("points").filter(Filter::new().category("order")).start().expect("start");
    let earn = |consumer: &Consumer, expected: ExpectedVersion| {
        consumer.deliver_once_with(Duration::ZERO, |order, batch| {
            Ok::<_, Infallible>(batch.append_raw("points", expected, [event(order.payload())]))
        })
    };
    assert!(matches!(earn(&points, ANY), Ok(Handled::Done(_))));
    // A batch that is refused, and a handler that fails: the event comes again.
    let refused = earn(&points, ExpectedVersion::NoStream).expect_err("conflict");
    assert!(refused.is_conflict());
    let failed = points.deliver_once_with(Duration::ZERO, |order, _| Err(order.payload().to_vec()));
    assert!(matches!(failed, Ok(Handled::Failed(payload)) if payload == b"1"));
    let Ok(Handled::Done(receipt)) = earn(&points, ANY) else { panic!("done") };
    assert_eq!(receipt.receipts().len(), 1);
    let after = shop.crashed(Keep::Nothing);
    let points = after.store.consumer("points").filter(Filter::new().category("order")).start();
    let points = points.expect("start");
    while let Ok(Handled::Done(_)) = earn(&points, ANY) {}
    assert!(matches!(earn(&points, ANY), Ok(Handled::Nothing)));
    let earned: Vec<_> = after.store.stream("points").expect("name").read().iter().collect();
    let earned: Vec<_> = earned.into_iter().map(|event| event.expect("event").payload().to_vec()).collect();
    assert_eq!(earned, [b"0", b"1", b"2"]);
}

#[test]
fn a_new_one_begins_where_it_is_told_and_a_known_one_where_it_was() {
    let shop = Shop::new();
    shop.place_all(&["a", "b", "c"]);
    let start = |consume: Consume| consume.start().expect("start");
    assert_eq!(payload(&some(&start(shop.store.consumer("from").from(Position::new(1))))), "1");
    assert!(next(&start(shop.store.consumer("now").from_now())).is_none());
    shop.place("d", "3");
    let shop = shop.crashed(Keep::Nothing);
    shop.place("e", "4");
    // It had begun, though it never had an event.
    assert_eq!(payload(&some(&start(shop.store.consumer("now").from_now()))), "3");
    assert_eq!(payload(&some(&start(shop.store.consumer("from").from(Position::new(4))))), "1");
}

#[test]
fn a_consumer_is_started_once_by_a_name_that_it_may_have() {
    let shop = Shop::new();
    let kind = |consume: Consume| consume.start().expect_err("refused").kind();
    let longest = "n".repeat(CONSUMER_NAME_BYTES_MAX);
    drop(shop.store.consumer(longest.as_str()).start().expect("start"));
    assert_eq!(kind(shop.store.consumer(longest + "n")), ErrorKind::Invalid);
    assert_eq!(kind(shop.store.consumer("")), ErrorKind::Invalid);
    assert_eq!(kind(shop.mailer().max_deliver(0)), ErrorKind::Invalid);
    assert_eq!(kind(shop.mailer().max_ack_pending(0)), ErrorKind::Invalid);
    assert_eq!(kind(shop.mailer().max_ack_pending(ACK_PENDING_MAX + 1)), ErrorKind::Invalid);
    drop(shop.mailer().max_ack_pending(ACK_PENDING_MAX).start().expect("start"));
    assert_eq!(kind(shop.mailer().ack_wait(Duration::from_nanos(999))), ErrorKind::Invalid);
    drop(shop.mailer().ack_wait(Duration::from_nanos(1_000)).start().expect("start"));
    assert_eq!(kind(shop.mailer().ack_durability(AckDurability::Grouped(0))), ErrorKind::Invalid);
    shop.place("a", "0");
    let mailer = shop.mailer().start().expect("start");
    let (delivery, clone) = (some(&mailer), mailer.clone());
    drop(mailer);
    assert_eq!(kind(shop.mailer()), ErrorKind::Locked);
    drop(clone);
    assert_eq!(kind(shop.mailer()), ErrorKind::Locked, "its delivery is out");
    drop(delivery);
    assert_eq!(some(&shop.mailer().start().expect("free")).attempt(), 2);
    let reader = Options::new().disk(shop.disk).read_only().open("/shop").expect("open");
    assert_eq!(kind(reader.consumer("new")), ErrorKind::ReadOnly);
    assert_eq!(kind(reader.consumer("mailer")), ErrorKind::ReadOnly, "a known one too");
}

/// What a delivery's worker did not live to tell counts: an event that ends the process each time is parked, and no other.
#[test]
fn an_event_that_ends_the_process_is_parked_and_none_of_those_beside_it() {
    let mut shop = Shop::new();
    shop.place_all(&["a", "poison", "b", "c"]);
    let mut ends = 0;
    loop {
        let mailer = shop.mailer().max_deliver(4).start().expect("start");
        let mut ended = false;
        while let Some(delivery) = next(&mailer) {
            if delivery.event().stream() == "poison" {
                ends += 1;
                assert!(ends < 20, "it is never parked");
                let after = shop.crashed(Keep::Everything);
                std::mem::forget((delivery, mailer));
                shop = after;
                ended = true;
                break;
            }
            delivery.ack().expect("ack");
        }
        if !ended {
            break;
        }
    }
    // The first process did not record that it handed the event out: only what may have been is recorded exactly.
    assert_eq!(ends, 5);
    let mailer = shop.crashed(Keep::Everything).mailer().max_deliver(4).start().expect("start");
    let parked = mailer.parked(Position::new(0), 10);
    assert_eq!(parked.iter().map(|parked| parked.position.as_u64()).collect::<Vec<_>>(), [1]);
    assert!(next(&mailer).is_none());
}

#[test]
fn who_waits_is_woken_by_an_append_by_an_acknowledgement_and_by_the_end() {
    let shop = Shop::new();
    let mailer = shop.mailer().start().expect("start");
    let worker = |mailer: &Consumer| {
        let mailer = mailer.clone();
        thread::spawn(move || {
            let asked = Instant::now();
            let delivery = mailer.next(LONG);
            assert!(asked.elapsed() < LONG, "nobody was told");
            delivery.map(|delivery| delivery.expect("in time"))
        })
    };
    let waiting: Vec<_> = (0..4).map(|_| worker(&mailer)).collect();
    shop.place_all(&["a", "b", "c", "d"]);
    let mut woken: Vec<_> =
        waiting.into_iter().map(|it| it.join().expect("no panic").expect("next")).collect();
    woken.sort_by_key(payload);
    assert_eq!(woken.iter().map(payload).collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    // Behind an event of its key.
    shop.place("a", "4");
    let waiting = worker(&mailer);
    woken.remove(0).ack().expect("ack");
    let fourth = waiting.join().expect("no panic").expect("next");
    assert_eq!(payload(&fourth), "4");
    // Behind a full house; and when it is closed.
    let full = shop.store.consumer("full").unordered().max_ack_pending(1).start().expect("start");
    let held = some(&full);
    let waiting = worker(&full);
    held.ack().expect("ack");
    let held = waiting.join().expect("no panic").expect("next");
    let waiting: Vec<_> = [&full, &full, &mailer, &mailer].into_iter().map(worker).collect();
    shop.store.close().expect("close");
    for worker in waiting {
        let error = worker.join().expect("no panic").expect_err("the end");
        assert_eq!(error.kind(), ErrorKind::Closed);
    }
    drop((held, fourth));
    assert_eq!(mailer.next(LONG).expect_err("closed").kind(), ErrorKind::Closed);
}
