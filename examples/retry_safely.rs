//! A payment that is sent again after a timeout, a crash or a mistake is booked once: the sender gives it an id.

use annals::{Draft, ErrorKind, EventId, ExpectedVersion, Outcome, Result, Store, Stream};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    Deposited { cents: i64 },
}
use AccountEvent::Deposited;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let payment: EventId = "018e0a5c-7c00-7000-8000-000000000017".parse()?; // the sender's: a UUID, an invoice's hash
    {
        let store = Store::open(dir.path())?;
        let account = store.stream("account-1")?;
        assert_eq!(pay(&account, payment, 500)?, Outcome::Appended);
        assert_eq!(pay(&account, payment, 500)?, Outcome::AlreadyAppended);
        account.append(ExpectedVersion::Any, [Deposited { cents: 70 }])?; // others go on meanwhile
        store.close()?;
    }

    // The next day, in another process, for the same account: the store knows the id still.
    let store = Store::open(dir.path())?;
    let account = store.stream("account-1")?;
    assert_eq!(pay(&account, payment, 500)?, Outcome::AlreadyAppended);

    // The same id for something else is a mistake, and told as one.
    let error = pay(&account, payment, 9_999).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IdReused);
    println!("{error}");

    let balance = account.fold(0, |sum, Deposited { cents }| sum + cents)?;
    assert_eq!(balance, 570);
    println!("sent four times, booked once: balance {balance}");
    Ok(())
}

/// Whatever version is expected, an id that is there already is answered with its first place.
fn pay(account: &Stream, payment: EventId, cents: i64) -> Result<Outcome> {
    let draft = Draft::new(Deposited { cents }).id(payment);
    Ok(account.append_drafts(ExpectedVersion::Any, [draft])?.outcome())
}
