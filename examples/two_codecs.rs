//! JSON and bincode side by side in one stream. Every event says how it was encoded, so all of them are read alike, and a
//! store can move from one codec to the other without touching what is there.

use annals::{Json, Store};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
enum AccountEvent {
    Deposited { cents: i64, memo: String },
}
use AccountEvent::Deposited;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let compact = store.stream("account-1")?; // bincode, the default
    let readable = compact.with_codec::<Json>(); // the same stream, for the eyes of other programs
    let deposit = || [Deposited { cents: 500, memo: "wages".into() }];

    let receipt = compact.append(None, deposit())?;
    readable.append(receipt.version(), deposit())?;

    for event in compact.read() {
        let event = event?;
        let payload = String::from_utf8_lossy(event.payload());
        println!("version {}, {} bytes: {payload:?}", event.version(), event.payload().len());
    }
    let sum = |sum: i64, Deposited { cents, .. }| sum + cents;
    assert_eq!(compact.fold(0, sum)?, 1_000);
    assert_eq!(readable.fold(0, sum)?, 1_000);
    assert_eq!(readable.last()?.expect("it is there").payload(), br#"{"cents":500,"memo":"wages"}"#);
    Ok(())
}
