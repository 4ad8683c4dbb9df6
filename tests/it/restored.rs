//! A closed store that was put back from a backup, beside a file `LOCK` that is newer.

use std::path::Path;

use annals::{Durability, ExpectedVersion, Maintenance, Options, Store};

use crate::support::{Keep, SimDisk, event, payloads};

fn open(disk: &SimDisk) -> Store {
    let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Inline);
    options.open("/bank").expect("a sound store")
}

fn append(store: &Store, payload: &str, durability: Durability) {
    let stream = store.stream("a").expect("name").durability(durability);
    stream.append_raw(ExpectedVersion::Any, [event(payload)]).expect("append");
}

/// The store after its first `kept` appends and a clean close, with the durable mark of a longer one.
fn put_back(kept: usize) -> SimDisk {
    let disk = SimDisk::new();
    let store = open(&disk);
    (0..kept).for_each(|_| append(&store, "old", Durability::Synced));
    store.close().expect("close");
    let mut backup = disk.files();
    let store = open(&disk);
    (0..9).for_each(|_| append(&store, "lost", Durability::Synced));
    store.close().expect("close");
    let lock = Path::new("/bank/LOCK");
    backup.insert(lock.to_owned(), disk.files()[lock].clone());
    SimDisk::with_files(&backup)
}

#[test]
fn a_power_cut_after_a_backup_was_put_back_beside_a_newer_mark_loses_nothing() {
    let disk = put_back(1);
    let store = open(&disk);
    append(&store, "new", Durability::Synced);
    assert_eq!(payloads(&open(&disk.crash(Keep::Nothing)), "a"), ["old", "new"]);
}

#[test]
fn an_empty_backup_put_back_beside_a_newer_mark_can_be_used_and_killed() {
    let disk = put_back(0);
    let store = open(&disk);
    append(&store, "new", Durability::Buffered);
    assert_eq!(payloads(&open(&disk.kill()), "a"), ["new"]);
}
