//! The past as it was: at a version, at a position of the store, at a time; and what was known then against what has
//! happened by then.

use annals::{Draft, ExpectedVersion, Filter, Position, Result, Store, StreamRead, Timestamp, Version};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}
use AccountEvent::{Deposited, Withdrawn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let account = store.stream("account-1")?;
    let (march, april) =
        (Timestamp::from_micros(1_709_251_200_000_000), Timestamp::from_micros(1_711_929_600_000_000));

    // `recorded_at` is the store's; a batch may give it, for books that were kept elsewhere.
    let deposit = |cents, when| [Draft::new(Deposited { cents }).occurred_at(when)];
    let first = store.batch().recorded_at(march);
    first.append_drafts("account-1", ExpectedVersion::NoStream, deposit(500, march)).commit()?;
    let second = store.batch().recorded_at(april);
    second.append("account-1", Version::new(0), [Withdrawn { cents: 120 }]).commit()?;
    // A deposit of March that nobody heard of before now.
    account.append_drafts(Version::new(1), deposit(40, march))?;

    assert_eq!(balance(account.read())?, 420);
    assert_eq!(balance(account.as_of(Version::new(0)))?, 500);
    assert_eq!(balance(account.as_of(Position::new(1)))?, 380);
    assert_eq!(balance(account.as_of(march))?, 500, "what was known in March");
    let occurred_in_march = Filter::new().occurred(march..april);
    assert_eq!(balance(account.read().filter(occurred_in_march))?, 540, "what happened in March, known now");

    let newest = account.read().backward().iter().next().transpose()?.expect("it has three events");
    println!("{} at version {} came late", newest.event_type(), newest.version());
    Ok(())
}

fn balance(read: StreamRead) -> Result<i64> {
    read.fold(0, |sum, event| match event {
        Deposited { cents } => sum + cents,
        Withdrawn { cents } => sum - cents,
    })
}
