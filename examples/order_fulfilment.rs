//! An order, and what follows from it: stock is reserved, it is paid, points are given, a mail goes out. Each step is a consumer:
//! what it appends is appended exactly once, whenever the process ends. The mail server does not answer for a while; no order
//! fails because of it, and no mail is sent twice.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use annals::{Batch, Bincode, Consumer, ExpectedVersion, Filter, Handled, RecordedEvent, Result, Store};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
enum OrderEvent {
    Placed { customer: String, item: String, cents: i64 },
    Paid { customer: String, cents: i64 },
}
use OrderEvent::{Paid, Placed};

#[derive(Debug, Serialize, Deserialize)]
enum StockEvent {
    Reserved { order: String },
}

#[derive(Debug, Serialize, Deserialize)]
enum CustomerEvent {
    PointsEarned { points: i64 },
}

const ORDERS: i64 = 20;
/// So often the mail server does not answer.
const FAILURES: u32 = 10;
const ANY: ExpectedVersion = ExpectedVersion::Any;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path().join("shop"))?;
    let server = MailServer::default();

    let stock = consumer(&store, "stock", "Placed")?;
    let payment = consumer(&store, "payment", "Placed")?;
    let points = consumer(&store, "points", "Paid")?;
    let mailer = store
        .consumer("mailer")
        .filter(orders("Paid"))
        .backoff([Duration::from_millis(1), Duration::from_millis(4)])
        .start()?;

    thread::scope(|scope| {
        let workers = [
            scope.spawn(|| work(&store, &stock, reserve)),
            scope.spawn(|| work(&store, &payment, pay)),
            scope.spawn(|| work(&store, &points, give_points)),
            scope.spawn(|| send_mails(&mailer, &server)),
        ];
        for number in 0..ORDERS {
            let (customer, item) = (format!("customer-{}", number % 3), "tea".to_owned());
            let placed = Placed { customer, item, cents: 1_000 + number };
            store.stream(format!("order-{number}"))?.append(ExpectedVersion::NoStream, [placed])?;
        }
        workers.into_iter().try_for_each(|worker| worker.join().expect("no worker panics"))
    })?;

    let sent = server.sent.into_inner().expect("no worker panics");
    println!("{ORDERS} orders, {} mails, though {FAILURES} calls of the mail server failed", sent.len());
    assert!(sent.values().all(|times| *times == 1), "no mail is sent twice");
    let reserved = store.stream("stock-tea")?.fold(0, |count, StockEvent::Reserved { .. }| count + 1)?;
    let mut earned = 0;
    for customer in 0..3 {
        let stream = store.stream(format!("customer-{customer}"))?;
        earned += stream.fold(0, |sum, CustomerEvent::PointsEarned { points }| sum + points)?;
    }
    println!("{reserved} reservations, {earned} points");
    assert_eq!((reserved, earned, sent.len()), (20, ORDERS * 10, 20));
    Ok(())
}

fn orders(event_type: &str) -> Filter {
    Filter::new().category("order").event_types([event_type])
}

fn consumer(store: &Store, name: &str, event_type: &str) -> Result<Consumer> {
    store.consumer(name).filter(orders(event_type)).start()
}

/// One step: each event once, with what follows from it in the commit that acknowledges it.
fn work(store: &Store, consumer: &Consumer, step: fn(&str, OrderEvent, Batch) -> Batch) -> Result<()> {
    let mut left = ORDERS;
    while left > 0 {
        let handled = consumer.deliver_once_with(Duration::from_secs(10), |event, batch| {
            Ok(step(event.stream(), store.decode::<Bincode, OrderEvent>(event)?, batch))
        })?;
        match handled {
            Handled::Done(_) => left -= 1,
            Handled::Failed(error) => return Err(error),
            Handled::Nothing => {}
        }
    }
    Ok(())
}

fn reserve(order: &str, event: OrderEvent, batch: Batch) -> Batch {
    let Placed { item, .. } = event else { return batch };
    batch.append(format!("stock-{item}"), ANY, [StockEvent::Reserved { order: order.to_owned() }])
}

fn pay(order: &str, event: OrderEvent, batch: Batch) -> Batch {
    let Placed { customer, cents, .. } = event else { return batch };
    batch.append(order, ANY, [Paid { customer, cents }])
}

fn give_points(_: &str, event: OrderEvent, batch: Batch) -> Batch {
    let Paid { customer, cents } = event else { return batch };
    batch.append(customer, ANY, [CustomerEvent::PointsEarned { points: cents / 100 }])
}

/// A mail for each order that is paid. Another machine sends it: only it can know whether it had it before.
fn send_mails(mailer: &Consumer, server: &MailServer) -> Result<()> {
    let mut left = ORDERS;
    while left > 0 {
        let Some(delivery) = mailer.next(Duration::from_secs(10))? else { continue };
        match server.send(delivery.event()) {
            Ok(()) => {
                delivery.ack()?;
                left -= 1;
            }
            Err(NoAnswer) => delivery.nak()?,
        }
    }
    Ok(())
}

/// A mail server that is down for a while.
#[derive(Default)]
struct MailServer {
    /// How often each message went out, by the id that it came with.
    sent: Mutex<BTreeMap<String, u32>>,
    calls: Mutex<u32>,
}

struct NoAnswer;

impl MailServer {
    fn send(&self, paid: &RecordedEvent) -> Result<(), NoAnswer> {
        let mut calls = self.calls.lock().expect("no worker panics");
        *calls += 1;
        if *calls > 2 && *calls <= 2 + FAILURES {
            return Err(NoAnswer);
        }
        // The event's id is the message's: sent again it is the same message.
        *self.sent.lock().expect("no worker panics").entry(paid.id().to_string()).or_default() += 1;
        Ok(())
    }
}
