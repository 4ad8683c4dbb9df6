//! The stores that are damaged: of several journal files, with commits of all sizes, aggregates and their snapshots; closed,
//! killed, and killed with a torn tail.

use annals::{ExpectedVersion, Store};

use super::image::{self, Files, Image, ROOT};
use super::{Fault, Keep, ManualClock, SimDisk, event_with_id};
use crate::account::{Account, AccountEvent, deposits};

/// How many accounts there are.
const ACCOUNTS: u64 = 3;

fn append(store: &Store, number: u64, payload: Vec<u8>) {
    let stream = store.stream(format!("s-{}", number % 4)).expect("name");
    let event = event_with_id(number, payload).metadata("who");
    stream.append_raw(ExpectedVersion::Any, [event]).expect("append");
}

fn fill(store: &Store) {
    let accounts = store.repository::<Account>("account").snapshot_every(4);
    for round in 0..12_u8 {
        let number = u64::from(round);
        for account in 0..ACCOUNTS {
            accounts
                .execute(account, |_| Ok::<_, std::convert::Infallible>(deposits(1..=2)))
                .expect("execute");
        }
        // Small, of several sectors, of several pages; and one with sectors of zeros in it.
        let bytes = [20, 300, 700, 1_500, 5_000][usize::from(round % 5)];
        append(store, number, vec![round + 1; bytes]);
        if round == 3 {
            store.batch().checkpoint("alone", store.head()).commit().expect("commit");
        }
        if round == 6 {
            append(store, 100, vec![0; 3_000]);
            append(store, 101, vec![7; 40_000]);
        }
        let batch = store.batch().append_raw("s-1", ExpectedVersion::Any, [event_with_id(200 + number, "a")]);
        batch
            .append_raw("t.x.y", ExpectedVersion::Any, [event_with_id(300 + number, "b")])
            .checkpoint(["mailer", "points"][usize::from(round % 2)], store.head())
            .commit()
            .expect("commit");
    }
}

fn open(disk: &SimDisk) -> Store {
    image::options().disk(disk.clone()).clock(ManualClock::at(1_000)).open(ROOT).expect("open")
}

/// A store that was closed.
pub(crate) fn closed() -> Image {
    let disk = SimDisk::new();
    let store = open(&disk);
    fill(&store);
    store.close().expect("close");
    Image::of("closed", disk.files(), &store)
}

/// A store whose process was killed.
pub(crate) fn killed() -> Image {
    let disk = SimDisk::new();
    let store = open(&disk);
    fill(&store);
    Image::of("killed", disk.crash(Keep::Everything).files(), &store)
}

/// Sealed twice, and gone on with; closed.
pub(crate) fn sealed() -> Image {
    let disk = SimDisk::new();
    let store = open(&disk);
    fill_sealed(&store);
    store.close().expect("close");
    Image::of("sealed", disk.files(), &store)
}

/// The same, killed.
pub(crate) fn sealed_and_killed() -> Image {
    let disk = SimDisk::new();
    let store = open(&disk);
    fill_sealed(&store);
    Image::of("sealed and killed", disk.crash(Keep::Everything).files(), &store)
}

fn fill_sealed(store: &Store) {
    fill(store);
    assert!(store.seal().expect("seal") > 1);
    (500..520).for_each(|number| append(store, number, vec![5; 800]));
    store.seal().expect("seal");
    (520..530).for_each(|number| append(store, number, vec![6; 300]));
}

/// One whose power went, and with it the durable mark: only later frames vouch for earlier ones.
pub(crate) fn unmarked() -> Image {
    let mut image = killed();
    image.files.remove(&image::lock());
    Image { name: "unmarked", ..image }
}

/// The same in the middle of an append.
pub(crate) fn torn() -> Image {
    let mut image = unmarked();
    let last = image.frames().pop().expect("a frame");
    let torn: Vec<u8> = image.files[&last.path][last.start..last.start + 40].to_vec();
    image.files.get_mut(&last.path).expect("file")[last.end..last.end + 40].copy_from_slice(&torn);
    // The same bytes as the last frame's are one that is misplaced: an unfinished write begins with a header of its own.
    image.files.get_mut(&last.path).expect("file")[last.end + 24] ^= 0x55;
    Image { name: "torn", ..image }
}

/// Another store's files, with the same names.
pub(crate) fn of_another_store() -> Files {
    closed().files
}

/// The files as they were when half of it had happened.
pub(crate) fn older() -> Files {
    let disk = SimDisk::new();
    let store = open(&disk);
    (0..20).for_each(|number| append(&store, number, vec![3; 500]));
    disk.files()
}

/// Every account loads to what its events make, whatever is in the snapshots.
pub(crate) fn judge_accounts(store: &Store) -> Result<(), Fault> {
    let accounts = store.repository::<Account>("account").snapshot_every(4);
    for number in 0..ACCOUNTS {
        let events = store.stream(format!("account-{number}")).and_then(|stream| {
            stream.fold(Account::default(), |mut account: Account, event: AccountEvent| {
                annals::Aggregate::apply(&mut account, &event);
                account
            })
        });
        let events =
            events.map_err(|error| Fault::Wrong(format!("account {number} cannot be read: {error}")))?;
        let loaded = accounts
            .load(number)
            .map_err(|error| Fault::Wrong(format!("account {number} cannot be loaded: {error}")))?;
        if *loaded.state() != events {
            return Err(Fault::Wrong(format!(
                "account {number} is {:?} instead of {events:?}",
                loaded.state()
            )));
        }
    }
    Ok(())
}
