//! Rules over events: load, decide, append, and decide again when somebody else was faster. Eight threads draw on one
//! account; it never goes below zero.

use std::thread;

use annals::{Aggregate, Rejected, Store};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}
use AccountEvent::{Deposited, Withdrawn};

#[derive(Default, Serialize, Deserialize)]
struct Account {
    cents: i64,
}

impl Aggregate for Account {
    type Event = AccountEvent;

    fn apply(&mut self, event: &AccountEvent) {
        match event {
            Deposited { cents } => self.cents += cents,
            Withdrawn { cents } => self.cents -= cents,
        }
    }
}

impl Account {
    fn withdraw(&self, cents: i64) -> Result<[AccountEvent; 1], &'static str> {
        if cents > self.cents { Err("not enough money") } else { Ok([Withdrawn { cents }]) }
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let accounts = store.repository::<Account>("account").snapshot_every(100).attempts(100);
    accounts.execute("1", |_| Ok::<_, &str>([Deposited { cents: 500 }]))?;

    let draw = || match accounts.execute("1", |account| account.withdraw(90)) {
        Ok(_) => Ok(true),
        Err(Rejected::Command(_)) => Ok(false), // a rule said no
        Err(Rejected::Store(error)) => Err(error),
    };
    let answers = thread::scope(|scope| {
        let threads = [(); 8].map(|()| scope.spawn(draw));
        threads.map(|thread| thread.join().expect("no thread panics"))
    });
    let drawn = answers.into_iter().collect::<Result<Vec<bool>, _>>()?;
    assert_eq!(drawn.iter().filter(|drawn| **drawn).count(), 5, "five of the eight get 90 cents of 500");
    assert_eq!(accounts.load("1")?.cents, 50);
    println!("50 cents are left");
    Ok(())
}
