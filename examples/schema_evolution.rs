//! Events outlive the programs that wrote them. Most changes take an attribute: a new name is an `alias`, a new last field
//! a `default`. What an attribute cannot say is a step from one schema version to the next.

use annals::{Bincode, ExpectedVersion, Options, Store, Upcasters};
use serde::{Deserialize, Serialize};

/// What the program of last year wrote: amounts in whole units.
#[derive(Serialize, Deserialize)]
enum OldEvent {
    Opened { owner: String },
    Paid { units: i64 },
}

/// What the program of today knows.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum AccountEvent {
    #[serde(alias = "Opened")] // a new name; the field after `holder` is new too
    AccountOpened {
        #[serde(alias = "owner")]
        holder: String,
        #[serde(default)]
        branch: Option<String>,
    },
    Paid(PaidV2), // a struct in the variant, or its fields: to the store it is the same
}
use AccountEvent::{AccountOpened, Paid};

/// The content of `Paid`, before and now.
#[derive(Serialize, Deserialize)]
struct PaidV1 {
    units: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct PaidV2 {
    cents: i64,
    currency: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let old = Store::open(dir.path())?;
    let written = [OldEvent::Opened { owner: "Ada".into() }, OldEvent::Paid { units: 5 }];
    old.stream("account-1")?.append(ExpectedVersion::NoStream, written)?;
    old.close()?;

    let upgrade = |old: PaidV1| PaidV2 { cents: old.units * 100, currency: "EUR".into() };
    let upcasters = Upcasters::new().step::<Bincode, _, _>("Paid", 1, upgrade)?;
    let store = Options::new().upcasters(upcasters).open(dir.path())?;
    let account = store.stream("account-1")?;
    account.append(ExpectedVersion::StreamExists, [Paid(PaidV2 { cents: 120, currency: "USD".into() })])?;

    let events: Vec<AccountEvent> =
        account.read().typed().map(|entry| Ok(entry?.1)).collect::<annals::Result<_>>()?;
    assert_eq!(events[0], AccountOpened { holder: "Ada".into(), branch: None });
    assert_eq!(events[1], Paid(PaidV2 { cents: 500, currency: "EUR".into() }));
    assert_eq!(events[2], Paid(PaidV2 { cents: 120, currency: "USD".into() }));
    println!("{events:#?}");
    Ok(())
}
