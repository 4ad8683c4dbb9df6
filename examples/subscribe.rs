//! Balances of all accounts, kept by a thread that follows the store: history first, then each event as it is appended. The
//! thread remembers where it was, and goes on from there the next time.

use std::collections::BTreeMap;
use std::thread;

use annals::{Bincode, ExpectedVersion, Filter, Position, Result, Store, Subscription, Update};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}
use AccountEvent::{Deposited, Withdrawn};

/// What was folded, and up to where: kept together, so that no event counts twice.
#[derive(Debug, Default)]
struct Balances {
    cents: BTreeMap<String, i64>,
    next: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("bank");
    let store = Store::open(&path)?;
    append(&store, "account-ada", [Deposited { cents: 500 }, Withdrawn { cents: 120 }])?;
    append(&store, "customer-ada", [Deposited { cents: 1 }])?; // of another category

    let kept = follow(&store, Balances::default())?;
    append(&store, "account-bob", [Deposited { cents: 80 }])?;
    store.close()?; // the follower yields what there is, and ends
    let balances = kept.join().expect("the follower does not panic")?;
    println!("{:?}, next position {}", balances.cents, balances.next);
    assert_eq!((balances.cents["account-ada"], balances.cents["account-bob"]), (380, 80));

    // Another day: only what is new is folded.
    let store = Store::open(&path)?;
    let kept = follow(&store, balances)?;
    append(&store, "account-ada", [Withdrawn { cents: 30 }])?;
    store.close()?;
    let balances = kept.join().expect("the follower does not panic")?;
    println!("{:?}, next position {}", balances.cents, balances.next);
    assert_eq!((balances.cents["account-ada"], balances.cents["account-bob"]), (350, 80));
    Ok(())
}

fn append(store: &Store, stream: &str, events: impl IntoIterator<Item = AccountEvent>) -> Result<()> {
    store.stream(stream)?.append(ExpectedVersion::Any, events).map(drop)
}

/// A thread that keeps the balances until the store is closed.
fn follow(store: &Store, balances: Balances) -> Result<thread::JoinHandle<Result<Balances>>> {
    let accounts = store
        .subscribe()
        .filter(Filter::new().category("account"))
        .from(Position::new(balances.next))
        .start()?;
    let store = store.clone();
    Ok(thread::spawn(move || fold(&store, accounts, balances)))
}

fn fold(store: &Store, accounts: Subscription, mut balances: Balances) -> Result<Balances> {
    for update in accounts {
        let Update::Event(event) = update? else { continue };
        balances.next = event.position().as_u64() + 1;
        let change = match store.decode::<Bincode, AccountEvent>(&event)? {
            Deposited { cents } => cents,
            Withdrawn { cents } => -cents,
        };
        *balances.cents.entry(event.stream().to_owned()).or_default() += change;
    }
    Ok(balances)
}
