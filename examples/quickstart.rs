//! The first program: a bank account as a stream of events. The same as in README.md and in the crate's documentation.

use annals::{ExpectedVersion, Store};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}
use AccountEvent::{Deposited, Opened, Withdrawn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("bank-{}", std::process::id())); // a real program keeps its own
    let store = Store::open(&path)?; // creates or recovers

    let account = store.stream("account-1")?;
    let first = [Opened { owner: "Ada".into() }, Deposited { cents: 500 }];
    let receipt = account.append(ExpectedVersion::NoStream, first)?; // all or nothing, on disk before the answer
    account.append(receipt.version(), [Withdrawn { cents: 120 }])?;

    // The receipt is stale now: whoever still goes by it is told so, and nothing is written.
    let refused = account.append(receipt.version(), [Withdrawn { cents: 400 }]);
    assert!(refused.is_err_and(|error| error.is_conflict()));

    let balance = account.fold(0, |sum, event| match event {
        Opened { .. } => sum,
        Deposited { cents } => sum + cents,
        Withdrawn { cents } => sum - cents,
    })?;
    println!("balance: {balance} cents");
    assert_eq!(balance, 380);

    store.close()?;
    std::fs::remove_dir_all(path)?;
    Ok(())
}
