//! Power cuts at every call that consumers make to the disk: what follows from an event is there once, in the order of its key, and
//! nothing is lost.

use std::time::Duration;

use annals::{
    AckDurability, Consumer, ExpectedVersion, Filter, Handled, Maintenance, Options, Position, Store,
};

use crate::support::{Keep, ManualClock, Rng, SimDisk, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const ORDERS: usize = 12;

fn open(disk: &SimDisk) -> annals::Result<Store> {
    let options = Options::new().disk(disk.clone()).clock(ManualClock::at(1_000));
    options.maintenance(Maintenance::Inline).journal_file_bytes(64 << 10).open("/shop")
}

fn points(store: &Store) -> annals::Result<Consumer> {
    store.consumer("points").filter(Filter::new().category("order")).max_deliver(2).start()
}

/// Points for each order, in the batch that acknowledges it. Every fifth fails until it is parked.
fn earn(points: &Consumer) -> annals::Result<()> {
    let fails = |order: &annals::RecordedEvent| order.payload().first().is_some_and(|byte| byte % 5 == 3);
    loop {
        let handled = points.deliver_once_with(Duration::ZERO, |order, batch| {
            if fails(order) {
                return Err("no");
            }
            Ok(batch.append_raw(format!("points-{}", order.stream()), ANY, [event(order.payload())]))
        })?;
        if matches!(handled, Handled::Nothing) {
            return Ok(());
        }
    }
}

/// Orders come in, points are given, the store is sealed and opened again.
fn shop(disk: &SimDisk) -> annals::Result<()> {
    let mut placed = 0;
    for round in 0..4 {
        let store = open(disk)?;
        let points = points(&store)?;
        for _ in 0..ORDERS / 4 {
            let order = format!("order-{}", placed % 2);
            store.stream(order)?.append_raw(ANY, [event([u8::try_from(placed).expect("few")])])?;
            placed += 1;
        }
        earn(&points)?;
        if round == 2 {
            // What waits behind a parked order is replayed: one is given up, the other done.
            for parked in points.parked(Position::new(0), 10) {
                points.discard_parked(parked.position)?;
            }
            store.seal()?;
        }
        drop(points);
        store.close()?;
    }
    Ok(())
}

/// What the orders of a stream were, and what points they gave.
fn both(store: &Store, number: usize) -> [Vec<u8>; 2] {
    [format!("order-{number}"), format!("points-order-{number}")].map(|stream| {
        let events = store.stream(stream).expect("name").read().iter();
        events.map(|event| event.expect("event").payload()[0]).collect()
    })
}

#[test]
fn what_a_consumer_appends_is_there_once_and_in_order_whenever_the_power_goes() {
    let sound = SimDisk::new();
    shop(&sound).expect("no fault");
    let (calls, mut rng, mut states) = (sound.calls(), Rng::printed("consumers", 83), 0);
    for call in 0..=calls {
        let disk = SimDisk::new();
        disk.dies_at(call);
        drop(shop(&disk));
        let mut keeps = vec![Keep::Nothing, Keep::Everything];
        keeps.extend((0..6).map(|_| Keep::Some(Rng::new(rng.next()))));
        for keep in keeps {
            let what = format!("power cut at call {call} of {calls}, {keep:?}");
            let store = open(&disk.crash(keep)).expect(&what);
            let points = points(&store).expect(&what);
            // It goes on, and what is parked is given up one after another.
            loop {
                earn(&points).expect(&what);
                let Some(parked) = points.parked(Position::new(0), 1).pop() else { break };
                assert!(points.discard_parked(parked.position).expect(&what), "{what}");
            }
            for number in 0..2 {
                let [orders, earned] = both(&store, number);
                let wanted: Vec<_> = orders.into_iter().filter(|order| order % 5 != 3).collect();
                assert_eq!(earned, wanted, "{what}");
            }
            assert_eq!(
                {
                    let stats = points.stats();
                    stats.pending + stats.waiting
                },
                0,
                "{what}"
            );
            states += 1;
        }
    }
    println!("{states} crash states");
    assert!(states > 1_000, "{states}");
}

#[test]
fn an_acknowledgement_that_was_answered_holds_whenever_the_power_goes() {
    let run = |disk: &SimDisk, acked: &mut Vec<u8>| -> annals::Result<()> {
        let store = open(disk)?;
        let mailer = store.consumer("mailer").unordered().start()?;
        for number in 0..20_u8 {
            store.stream("a")?.append_raw(ANY, [event([number])])?;
            if let Some(delivery) = mailer.next(Duration::ZERO)? {
                let payload = delivery.event().payload()[0];
                match number % 4 {
                    3 => delivery.nak()?,
                    _ => {
                        delivery.ack()?;
                        acked.push(payload);
                    }
                }
            }
        }
        Ok(())
    };
    let sound = SimDisk::new();
    run(&sound, &mut Vec::new()).expect("no fault");
    let mut rng = Rng::printed("acknowledgements", 89);
    for call in 0..=sound.calls() {
        let (disk, mut acked) = (SimDisk::new(), Vec::new());
        disk.dies_at(call);
        drop(run(&disk, &mut acked));
        for keep in [Keep::Nothing, Keep::Some(Rng::new(rng.next()))] {
            let store = open(&disk.crash(keep)).expect("open");
            let grouped = AckDurability::Grouped(100);
            let mailer = store.consumer("mailer").unordered().ack_durability(grouped).start().expect("start");
            let mut left = Vec::new();
            while let Some(delivery) = mailer.next(Duration::ZERO).expect("next") {
                left.push(delivery.event().payload()[0]);
                delivery.ack().expect("ack");
            }
            assert!(left.iter().all(|payload| !acked.contains(payload)), "call {call}: {acked:?}, {left:?}");
            // And nothing is lost: each is done, or comes. The one that was being acknowledged may be either.
            let events = u8::try_from(store.head().as_u64()).expect("few");
            let missing = (0..events).filter(|payload| !acked.contains(payload) && !left.contains(payload));
            assert!(missing.count() <= 1, "call {call}: {acked:?}, {left:?} of {events}");
        }
    }
}
