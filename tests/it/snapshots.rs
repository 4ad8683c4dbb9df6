//! Snapshots: a cache that shortens loads and changes no answer, whatever happens to its files.

use std::fs;
use std::path::{Path, PathBuf};

use annals::limits::SNAPSHOTS_KEPT_MAX;
use annals::{
    Aggregate, Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Repository, SnapshotIgnored,
    SnapshotUse, Store, Version,
};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::account::{Account, AccountEvent, Deposited, NotEnough, deposits, open};

fn accounts(store: &Store) -> Repository<Account> {
    store.repository("account").snapshot_every(10)
}

fn execute(accounts: &Repository<Account>, id: &str, events: Vec<AccountEvent>) -> Account {
    accounts.execute(id, |_| Ok::<_, NotEnough>(events.clone())).expect("execute").into_state()
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("directory");
    for entry in fs::read_dir(from).expect("list") {
        let entry = entry.expect("entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copy");
        }
    }
}

/// The one pack of a store.
fn pack(store: &Path) -> PathBuf {
    store.join("snapshots").join("00000001")
}

/// A store with 25 events in `account-1` and a snapshot of the last, closed.
fn written() -> (TempDir, PathBuf) {
    let dir = TempDir::new().expect("directory");
    let path = dir.path().join("bank");
    let store = open(&path);
    execute(&accounts(&store), "1", deposits(1..=25));
    store.close().expect("close");
    (dir, path)
}

#[test]
fn a_load_with_a_snapshot_reads_only_the_tail() {
    let (_dir, path) = written();
    let store = open(&path);
    let stream = store.stream("account-1").expect("stream");
    stream.append(Version::new(24), deposits(1..=4)).expect("append");
    let loaded = accounts(&store).load("1").expect("load");
    assert_eq!(loaded.snapshot(), SnapshotUse::Used { version: Version::new(24) });
    assert_eq!((loaded.events_folded(), loaded.events, loaded.cents), (4, 29, 335));
    // A repository that was not asked to use snapshots uses none.
    let plain = store.repository::<Account>("account").load("1").expect("load");
    assert_eq!((plain.events_folded(), plain.snapshot()), (29, SnapshotUse::None));
    assert_eq!(plain.state(), loaded.state());
    let stats = store.stats().expect("stats");
    assert_eq!((stats.snapshots, stats.snapshots_used, stats.snapshots_ignored), (1, 1, 0));
    assert_eq!((stats.snapshots_written, stats.snapshots_failed), (0, 0));
}

#[test]
fn deleting_the_snapshots_changes_no_answer() {
    let (_dir, path) = written();
    let expected = accounts(&open(&path)).load("1").expect("load").into_state();
    fs::remove_dir_all(path.join("snapshots")).expect("delete");
    let store = open(&path);
    let accounts = accounts(&store);
    let loaded = accounts.load("1").expect("load");
    assert_eq!((loaded.snapshot(), loaded.state()), (SnapshotUse::None, &expected));
    // The load wrote one anew; deleting it under the open store changes nothing either.
    assert!(pack(&path).exists());
    fs::remove_dir_all(path.join("snapshots")).expect("delete");
    assert_eq!(accounts.load("1").expect("load").state(), &expected);
    assert_eq!(execute(&accounts, "1", deposits(1..=20)).events, 45);
    assert_eq!(accounts.load("1").expect("load").events, 45);
}

#[test]
fn every_flipped_bit_of_a_snapshot_file_gives_the_same_answer_and_is_told() {
    let (_dir, path) = written();
    let sound = fs::read(pack(&path)).expect("pack");
    let expected = Account { cents: 325, events: 25 };
    for bit in 0..sound.len() * 8 {
        let mut flipped = sound.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(pack(&path), flipped).expect("damage");
        let store = Options::new()
            .maintenance(Maintenance::Inline)
            .journal_file_bytes(64 << 10)
            .durability(Durability::Buffered)
            .open(&path)
            .expect("open");
        let loaded = accounts(&store).load("1").expect("load");
        assert_eq!(loaded.state(), &expected, "bit {bit}");
        assert!(!matches!(loaded.snapshot(), SnapshotUse::Used { .. }), "bit {bit}");
        assert!(store.stats().expect("stats").snapshots_ignored > 0, "bit {bit}");
        drop(store);
        fs::remove_dir_all(path.join("snapshots")).expect("delete");
        fs::create_dir(path.join("snapshots")).expect("directory");
    }
}

#[test]
fn a_damaged_snapshot_is_ignored_visibly_and_written_anew() {
    let (_dir, path) = written();
    let mut bytes = fs::read(pack(&path)).expect("pack");
    let in_state = bytes.len() - 9;
    bytes[in_state] ^= 1;
    fs::write(pack(&path), bytes).expect("damage");
    let store = open(&path);
    let accounts = accounts(&store);
    let loaded = accounts.load("1").expect("load");
    assert_eq!(loaded.snapshot(), SnapshotUse::Ignored(SnapshotIgnored::Damaged));
    assert_eq!((loaded.events_folded(), loaded.cents), (25, 325));
    let again = accounts.load("1").expect("load");
    assert_eq!(again.snapshot(), SnapshotUse::Used { version: Version::new(24) });
    let stats = store.stats().expect("stats");
    assert_eq!((stats.snapshots_ignored, stats.snapshots_written, stats.snapshots_used), (1, 1, 1));
    store.close().expect("close");
    let again = self::accounts(&open(&path)).load("1").expect("load");
    assert_eq!(again.snapshot(), SnapshotUse::Used { version: Version::new(24) });
}

#[test]
fn an_older_snapshot_helps_out_when_the_newest_is_damaged() {
    let (_dir, path) = written();
    let before = fs::metadata(pack(&path)).expect("pack").len();
    let store = open(&path);
    execute(&accounts(&store), "1", deposits(1..=12));
    store.close().expect("close");
    let mut bytes = fs::read(pack(&path)).expect("pack");
    assert!(bytes.len() as u64 > before);
    let in_state = bytes.len() - 9;
    bytes[in_state] ^= 1;
    fs::write(pack(&path), bytes).expect("damage");
    let loaded = accounts(&open(&path)).load("1").expect("load");
    assert_eq!(loaded.snapshot(), SnapshotUse::Ignored(SnapshotIgnored::Damaged));
    assert_eq!((loaded.events_folded(), loaded.events), (12, 37));
}

#[test]
fn a_snapshot_of_a_history_that_went_on_differently_is_ignored_and_written_anew() {
    let dir = TempDir::new().expect("directory");
    let (path, copy) = (dir.path().join("bank"), dir.path().join("copy"));
    let store = open(&path);
    execute(&accounts(&store), "1", deposits(1..=3));
    store.close().expect("close");
    copy_dir(&path, &copy);
    let store = open(&path);
    execute(&accounts(&store), "1", deposits(1..=17));
    store.close().expect("close");
    copy_dir(&path.join("snapshots"), &copy.join("snapshots"));

    let store = open(&copy);
    let accounts = accounts(&store);
    let shorter = accounts.load("1").expect("load");
    assert_eq!(shorter.snapshot(), SnapshotUse::Ignored(SnapshotIgnored::NewerThanLog));
    assert_eq!((shorter.version(), shorter.cents), (Some(Version::new(2)), 6));
    assert_eq!(accounts.load("1").expect("load").snapshot(), SnapshotUse::Used { version: Version::new(2) });
    store.close().expect("close");

    fs::remove_dir_all(copy.join("snapshots")).expect("delete");
    copy_dir(&path.join("snapshots"), &copy.join("snapshots"));
    let store = open(&copy);
    let stream = store.stream("account-1").expect("stream");
    stream.append(Version::new(2), deposits(101..=120)).expect("another history");
    let accounts = self::accounts(&store);
    let foreign = accounts.load("1").expect("load");
    assert_eq!(foreign.snapshot(), SnapshotUse::Ignored(SnapshotIgnored::Foreign));
    assert_eq!((foreign.events_folded(), foreign.cents), (23, 6 + 2210));
    let again = accounts.load("1").expect("load");
    assert_eq!(again.snapshot(), SnapshotUse::Used { version: Version::new(22) });
    assert_eq!(again.state(), foreign.state());
    store.close().expect("close");
    let reopened = self::accounts(&open(&copy)).load("1").expect("load");
    assert_eq!(reopened.snapshot(), SnapshotUse::Used { version: Version::new(22) });
    assert_eq!(reopened.state(), foreign.state());
}

#[test]
fn the_snapshots_of_another_store_are_ignored() {
    let (_dir, path) = written();
    let (_other_dir, other) = written();
    fs::copy(pack(&other), pack(&path)).expect("copy");
    let store = open(&path);
    let loaded = accounts(&store).load("1").expect("load");
    assert_eq!((loaded.events_folded(), loaded.cents), (25, 325));
    let stats = store.stats().expect("stats");
    assert_eq!((stats.snapshots_ignored, stats.snapshots_written), (1, 1));
    assert_eq!(fs::read(pack(&path)).expect("pack"), fs::read(pack(&other)).expect("pack"), "left alone");
}

/// Loads `account-1` as another `State` type; what came of the snapshot the first time and the second.
fn load_twice<A>(store: &Store) -> [(SnapshotUse, u64); 2]
where
    A: Aggregate + Serialize + for<'de> Deserialize<'de>,
{
    let states = store.repository::<A>("account").snapshot_every(10);
    [(); 2].map(|()| {
        let loaded = states.load("1").expect("load");
        (loaded.snapshot(), loaded.events_folded())
    })
}

macro_rules! state {
    ($schema:literal, $($field:ident: $type:ty),*) => {
        #[derive(Default, Serialize, Deserialize)]
        struct State { $($field: $type),* }
        impl Aggregate for State {
            type Event = AccountEvent;
            const SNAPSHOT_SCHEMA: u32 = $schema;
            fn apply(&mut self, _: &AccountEvent) {}
        }
    };
}

#[test]
fn snapshots_of_another_schema_another_type_or_other_fields_are_ignored_and_written_anew() {
    let (_dir, path) = written();
    let store = open(&path);
    let used = (SnapshotUse::Used { version: Version::new(24) }, 0);
    let ignored = |reason| [(SnapshotUse::Ignored(reason), 25), used];
    {
        state!(1, cents: i64);
        assert_eq!(load_twice::<State>(&store), ignored(SnapshotIgnored::OtherStateType));
    }
    {
        state!(1, cents: i64, owner: String);
        assert_eq!(load_twice::<State>(&store), ignored(SnapshotIgnored::CannotDecode));
    }
    {
        state!(2, cents: i64, owner: String);
        assert_eq!(load_twice::<State>(&store), ignored(SnapshotIgnored::OtherSchema));
    }
    // The first type's own is there still.
    assert_eq!(load_twice::<Account>(&store), [used, used]);
    assert_eq!(store.stats().expect("stats").snapshots_ignored, 3);
}

#[test]
fn a_load_writes_a_snapshot_when_the_last_is_too_far_behind() {
    let (_dir, path) = written();
    let store = open(&path);
    let accounts = accounts(&store);
    let stream = store.stream("account-1").expect("stream");
    for (events, folded) in [(9, 9), (1, 10), (1, 1)] {
        stream.append(ExpectedVersion::Any, deposits(1..=events)).expect("append");
        assert_eq!(accounts.load("1").expect("load").events_folded(), folded);
    }
    assert_eq!(store.stats().expect("stats").snapshots_written, 1);
}

#[test]
fn a_snapshot_by_hand_is_used_and_never_written_by_itself() {
    let (_dir, path) = written();
    fs::remove_dir_all(path.join("snapshots")).expect("delete");
    let store = open(&path);
    let accounts = store.repository::<Account>("account").snapshot_every(0);
    assert_eq!(accounts.snapshot("2").expect("nothing there"), None);
    assert_eq!(accounts.load("1").expect("load").events_folded(), 25);
    assert!(!path.join("snapshots").exists());
    assert_eq!(accounts.snapshot("1").expect("snapshot"), Some(Version::new(24)));
    assert_eq!(accounts.snapshot("1").expect("as new a one is there"), Some(Version::new(24)));
    assert_eq!(accounts.load("1").expect("load").events_folded(), 0);
    assert_eq!(store.stats().expect("stats").snapshots_written, 1);
}

#[test]
fn a_closed_store_takes_no_snapshot() {
    let (_dir, path) = written();
    fs::remove_dir_all(path.join("snapshots")).expect("delete");
    let store = open(&path);
    let accounts = accounts(&store);
    store.close().expect("close");
    assert_eq!(accounts.snapshot("1").expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(accounts.load("1").expect("reads go on").cents, 325);
    assert!(!path.join("snapshots").exists());
}

#[test]
fn a_snapshot_that_cannot_be_written_fails_no_command_and_is_counted() {
    let dir = TempDir::new().expect("directory");
    let path = dir.path().join("bank");
    let store = open(&path);
    fs::write(path.join("snapshots"), b"in the way").expect("file");
    let accounts = accounts(&store);
    assert_eq!(execute(&accounts, "1", deposits(1..=10)).events, 10);
    assert_eq!(accounts.load("1").expect("load").events, 10);
    assert_eq!(accounts.snapshot("1").expect_err("in the way").kind(), ErrorKind::Io);
    let stats = store.stats().expect("stats");
    assert_eq!((stats.snapshots_written, stats.snapshots_failed), (0, 3));
    fs::remove_file(path.join("snapshots")).expect("out of the way");
    assert_eq!(accounts.snapshot("1").expect("snapshot"), Some(Version::new(9)));
}

#[test]
fn a_state_that_would_not_come_back_is_not_kept() {
    #[derive(Default, Serialize, Deserialize)]
    struct Sparse {
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        events: u64,
    }
    impl Aggregate for Sparse {
        type Event = AccountEvent;
        fn apply(&mut self, _: &AccountEvent) {
            self.events += 1;
        }
    }
    let (_dir, path) = written();
    let store = open(&path);
    let sparse = store.repository::<Sparse>("account").snapshot_every(10);
    assert_eq!(sparse.load("1").expect("load").events, 25);
    assert_eq!(sparse.snapshot("1").expect_err("refused").kind(), ErrorKind::Codec);
    assert_eq!(store.stats().expect("stats").snapshots_failed, 2);
}

#[test]
fn as_many_snapshots_are_kept_as_asked_for_up_to_the_limit() {
    for (asked, kept) in [(0, 1), (1, 1), (SNAPSHOTS_KEPT_MAX, 64), (SNAPSHOTS_KEPT_MAX + 1, 64)] {
        let dir = TempDir::new().expect("directory");
        let path = dir.path().join("bank");
        let store = Options::new().durability(Durability::Buffered).open(&path).expect("open");
        let accounts = store.repository::<Account>("account").snapshot_every(1).keep_snapshots(asked);
        for _ in 0..70 {
            accounts.execute("1", |account| account.deposit(1)).expect("deposit");
        }
        assert_eq!(store.stats().expect("stats").snapshots, kept, "{asked}");
        store.close().expect("close");
        assert_eq!(open(&path).stats().expect("stats").snapshots, kept, "{asked} after reopening");
    }
}

#[test]
fn ten_thousand_aggregates_with_snapshots_make_a_handful_of_files() {
    let dir = TempDir::new().expect("directory");
    let path = dir.path().join("bank");
    let store = Options::new().durability(Durability::Buffered).open(&path).expect("open");
    for chunk in (0..10_000).collect::<Vec<_>>().chunks(1000) {
        let add = |batch: annals::Batch, number: &u32| {
            batch.append(format!("account-{number}"), ExpectedVersion::NoStream, [Deposited { cents: 1 }])
        };
        chunk.iter().fold(store.batch(), add).commit().expect("commit");
    }
    let accounts = store.repository::<Account>("account").snapshot_every(1);
    for number in 0..10_000 {
        accounts.load(number).expect("load");
    }
    let files = fs::read_dir(path.join("snapshots")).expect("list").count();
    assert!(files <= 4, "{files} files");
    store.close().expect("close");
    let store = open(&path);
    assert_eq!(store.stats().expect("stats").snapshots, 10_000);
    let last = store.repository::<Account>("account").snapshot_every(1).load(9_999).expect("load");
    assert_eq!(last.snapshot(), SnapshotUse::Used { version: Version::FIRST });
}
