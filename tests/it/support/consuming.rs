//! `Consuming`: a program that consumes what it appends, parks, replays and seals, with the power going at any call; and what must
//! hold when it goes on: what follows from an event is there once, in the order of its key, and nothing is lost.

use std::time::Duration;

use annals::{
    Batch, Consumer, ExpectedVersion, Filter, Handled, Maintenance, Options, ParkPolicy, Position,
    RecordedEvent, Store,
};

use super::{Fault, Keep, ManualClock, Rng, SimDisk, event};

const ROOT: &str = "/shop";

/// What such a program does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Consuming {
    rounds: u8,
    orders_a_round: u8,
    streams: u8,
    /// One in so many orders fails each time.
    fails_one_in: u8,
    park: ParkPolicy,
    /// Parked orders are replayed; given up otherwise.
    replays: bool,
    seals_one_in: u8,
    payload_bytes: usize,
    /// The first order is with a worker who never answers: all else is done above it.
    holds_first: bool,
    max_ack_pending: usize,
    /// Once the power is back, what is parked is looked at before anything is handed out.
    parked_first: bool,
}

impl Consuming {
    /// One that parks with its key, gives up, seals and reopens.
    pub(crate) fn fixed() -> Self {
        Self {
            rounds: 4,
            orders_a_round: 3,
            streams: 2,
            fails_one_in: 5,
            park: ParkPolicy::ParkKey,
            replays: false,
            seals_one_in: 3,
            payload_bytes: 10,
            holds_first: false,
            max_ack_pending: 1_000,
            parked_first: false,
        }
    }

    pub(crate) fn random(rng: &mut Rng) -> Self {
        let mut number = |most: u64| u8::try_from(rng.below(most)).expect("few");
        Self {
            rounds: 2 + number(3),
            orders_a_round: 2 + number(5),
            streams: 1 + number(4),
            fails_one_in: 2 + number(6),
            park: [ParkPolicy::ParkKey, ParkPolicy::ParkEvent][usize::from(number(2))],
            replays: number(2) == 0,
            seals_one_in: 1 + number(4),
            payload_bytes: [10, 700, 9_000][usize::from(number(3))],
            holds_first: number(2) == 0,
            max_ack_pending: [1, 2, 1_000][usize::from(number(3))],
            parked_first: number(2) == 0,
        }
    }

    fn open(self, disk: &SimDisk) -> annals::Result<Store> {
        let options = Options::new().disk(disk.clone()).clock(ManualClock::at(1_000));
        options.maintenance(Maintenance::Inline).journal_file_bytes(64 << 10).open(ROOT)
    }

    fn consumer(self, store: &Store) -> annals::Result<Consumer> {
        let orders = store.consumer("points").filter(Filter::new().category("order"));
        let orders = orders.max_ack_pending(self.max_ack_pending);
        orders.max_deliver(if self.holds_first { 1_000 } else { 2 }).park_policy(self.park).start()
    }

    fn fails(self, number: u8) -> bool {
        number % self.fails_one_in == self.fails_one_in - 1
    }

    /// Points for each order, in the batch that acknowledges it; those that fail are handed out until they are parked.
    fn earn(self, points: &Consumer) -> annals::Result<()> {
        let earned = |order: &RecordedEvent, batch: Batch| {
            let stream = format!("points-{}", order.stream());
            batch.append_raw(stream, ExpectedVersion::Any, [event([order.payload()[0]])])
        };
        loop {
            if self.holds_first {
                let Some(delivery) = points.next(Duration::ZERO)? else { return Ok(()) };
                if self.fails(delivery.event().payload()[0]) {
                    delivery.park("it fails")?;
                } else {
                    let batch = earned(delivery.event(), points.batch());
                    delivery.ack_with(batch)?;
                }
                continue;
            }
            let handled = points.deliver_once_with(Duration::ZERO, |order, batch| {
                let number = order.payload()[0];
                if self.fails(number) { Err(number) } else { Ok(earned(order, batch)) }
            })?;
            if matches!(handled, Handled::Nothing) {
                return Ok(());
            }
        }
    }

    /// Orders come in, points are given, the store is sealed, and opened again.
    pub(crate) fn run(self, disk: &SimDisk) -> annals::Result<()> {
        for round in 0..self.rounds {
            let store = self.open(disk)?;
            let points = self.consumer(&store)?;
            for order in 0..self.orders_a_round {
                let number = round * self.orders_a_round + order;
                let mut payload = vec![0; self.payload_bytes];
                payload[0] = number;
                let stream = store.stream(format!("order-{}", number % self.streams))?;
                stream.append_raw(ExpectedVersion::Any, [event(payload)])?;
            }
            // Its delivery is dropped when the round is over: the order comes again in the next one.
            let held = if self.holds_first { points.next(Duration::ZERO)? } else { None };
            self.earn(&points)?;
            if round % self.seals_one_in == self.seals_one_in - 1 {
                for parked in points.parked(Position::new(0), 10) {
                    match self.replays {
                        true => points.replay_parked(parked.position)?,
                        false => points.discard_parked(parked.position)?,
                    };
                }
                store.seal()?;
                self.earn(&points)?;
            }
            if let Some(held) = held {
                // Not refused: it was nobody's fault.
                held.nak_after(Duration::ZERO).or_else(|error| match error.kind() {
                    annals::ErrorKind::Expired => Ok(()),
                    _ => Err(error),
                })?;
            }
            drop(points);
            store.close()?;
        }
        Ok(())
    }

    /// How many calls it makes when nothing goes wrong.
    pub(crate) fn calls(self) -> u64 {
        let disk = SimDisk::new();
        self.run(&disk).expect("no fault");
        disk.calls()
    }

    /// The power goes at a call; what is left goes on to the end.
    ///
    /// # Errors
    /// What is lost, doubled or out of order then.
    pub(crate) fn cut(self, call: u64, keep: Keep) -> Result<(), Fault> {
        let disk = SimDisk::new();
        disk.dies_at(call);
        drop(self.run(&disk));
        let alarm = |error: annals::Error| Fault::FalseAlarm(error.to_string());
        let store = self.open(&disk.crash(keep)).map_err(alarm)?;
        let points = self.consumer(&store).map_err(alarm)?;
        // What is parked is given up, one after another.
        let mut earns = !self.parked_first;
        loop {
            if std::mem::replace(&mut earns, true) {
                self.earn(&points).map_err(alarm)?;
            }
            let parked = points.parked(Position::new(0), 100).into_iter().find(|parked| !parked.is_replayed);
            match parked {
                Some(parked) => drop(points.discard_parked(parked.position).map_err(alarm)?),
                None if points.stats().lag == 0 && points.stats().parked == 0 => break,
                None => self.earn(&points).map_err(alarm)?,
            }
        }
        let stats = points.stats();
        if stats.pending + stats.waiting + stats.parked != 0 {
            return Err(Fault::Loss(format!("it does not come to an end: {stats:?}")));
        }
        for number in 0..self.streams {
            let [orders, earned] =
                [format!("order-{number}"), format!("points-order-{number}")].map(|stream| {
                    let events = store.stream(stream).expect("name").read().iter();
                    events
                        .map(|event| event.map(|event| event.payload()[0]))
                        .collect::<annals::Result<Vec<u8>>>()
                });
            let (orders, mut earned) = (orders.map_err(alarm)?, earned.map_err(alarm)?);
            let wanted: Vec<u8> = orders.into_iter().filter(|order| !self.fails(*order)).collect();
            if self.park == ParkPolicy::ParkEvent {
                // A replayed one comes beside the others.
                earned.sort_unstable();
            }
            if earned != wanted {
                return Err(Fault::Wrong(format!("{earned:?} followed from {wanted:?}")));
            }
        }
        Ok(())
    }
}
