//! Salvage and the disks it works on: what the old disk does not give costs no more than that, what the new one does not take
//! is an error, and nothing that is there is overwritten.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use annals::{ErrorKind, ExpectedVersion, Maintenance, NewEvent, Options, Outcome, Position, Store};

use crate::support::{CallKind, SimDisk, Verdict, all, event, id};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

/// A store of commits of one event each, on a real disk.
fn real_store(dir: &Path, events: u64) -> PathBuf {
    let path = dir.join("bank");
    let store = Store::open(&path).expect("open");
    for number in 0..events {
        store
            .stream("a")
            .expect("name")
            .append_raw(ANY, [event(format!("event {number:03}"))])
            .expect("append");
    }
    store.close().expect("close");
    path
}

/// All files of a directory with their bytes and times of change, and the directories with theirs.
fn look(dir: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let changed = |path: &Path| fs::metadata(path).expect("metadata").modified().expect("time");
    let mut found = vec![(dir.to_owned(), Vec::new(), changed(dir))];
    for entry in fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(look(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("read"), changed(&path)));
        }
    }
    found.sort();
    found
}

#[test]
fn the_old_store_is_as_it_was_and_may_be_salvaged_again_and_again() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = real_store(dir.path(), 30);
    let journal = path.join("journal/00000001");
    let mut bytes = fs::read(&journal).expect("read");
    let at = bytes.windows(9).position(|window| window == b"event 011").expect("it is in there");
    bytes[at] ^= 1;
    fs::write(&journal, bytes).expect("write");
    fs::remove_file(path.join("MANIFEST")).expect("remove");
    let before = look(&path);
    let mut events = Vec::new();
    for number in 0..2 {
        let new = dir.path().join(format!("mended-{number}"));
        if number == 1 {
            fs::create_dir(&new).expect("an empty directory will do");
        }
        let report = Store::salvage(&path, &new).expect("salvage");
        assert_eq!((report.events, report.lost_events()), (29, 1));
        assert!(look(&path) == before, "the old store is as it was");
        let store = Store::open(&new).expect("open");
        assert_ne!(store.id(), report.store_id);
        assert_eq!(store.id(), report.new_store_id);
        assert!(Store::verify(&new).expect("verify").is_sound());
        events.push(all(&store));
    }
    assert_eq!(events[0], events[1]);
}

#[test]
fn nothing_is_overwritten_and_nothing_is_made_where_there_is_nothing_to_bring_over() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = real_store(dir.path(), 3);
    let before = look(&path);
    let full = dir.path().join("full");
    fs::create_dir(&full).expect("directory");
    fs::write(full.join("thesis"), "three years of work").expect("write");
    let inside = path.join("mended");
    let around = path.join("journal/../snapshots/new");
    for new in [&full, &path, &inside, &path.join("journal"), &around] {
        let error = Store::salvage(&path, new).expect_err("refused");
        let kinds = [ErrorKind::Invalid, ErrorKind::Io];
        assert!(kinds.contains(&error.kind()), "{}: {error:?}", new.display());
    }
    assert!(look(&path) == before);
    assert_eq!(fs::read_dir(&full).expect("list").count(), 1);
    let new = dir.path().join("new");
    let missing = Store::salvage(dir.path().join("missing"), &new).expect_err("not there");
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let empty = dir.path().join("empty");
    fs::create_dir(&empty).expect("directory");
    assert_eq!(Store::salvage(&empty, &new).expect_err("no store").kind(), ErrorKind::Corrupt);
    assert!(!new.exists() && fs::read_dir(&empty).expect("list").count() == 0);
}

#[test]
fn what_is_open_is_brought_over_as_far_as_it_is_and_goes_on() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Store::open(&path).expect("open");
    let a = store.stream("a").expect("name");
    a.append_raw(ANY, [event("1"), event("2")]).expect("append");
    let report = Store::salvage(&path, dir.path().join("new")).expect("no lock is in the way");
    assert!(report.is_complete() && report.events == 2);
    a.append_raw(ANY, [event("3")]).expect("append");
    store.close().expect("close");
    assert!(Store::verify(&path).expect("verify").is_sound());
}

#[test]
fn events_with_ids_that_a_new_append_could_not_have_come_over_all_the_same() {
    // The same id in two streams, and one that a caller gave and one that the store made, next to each other.
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    let one: NewEvent = event("x").id(id(7));
    store
        .batch()
        .append_raw("a", ANY, [one.clone(), event("y")])
        .append_raw("b", ANY, [one])
        .commit()
        .expect("commit");
    store.close().expect("close");
    let report = options(&disk).salvage("/bank", "/new").expect("salvage");
    assert!(report.is_complete());
    let new = options(&disk).open("/new").expect("open");
    assert_eq!(all(&new), all(&store));
    let again = new.stream("a").expect("name").append_raw(ANY, [event("x").id(id(7))]).expect("retry");
    assert_eq!(again.outcome(), Outcome::AlreadyAppended, "retries are still found");
}

/// A store on a simulated disk with frames that each fill more than a block, and where each lies.
fn large_frames() -> (SimDisk, Vec<annals::RecordedEvent>) {
    let disk = SimDisk::new();
    let store = options(&disk).open("/bank").expect("open");
    for number in 0..10_u8 {
        store.stream("a").expect("name").append_raw(ANY, [event([number; 9_000])]).expect("append");
    }
    store.close().expect("close");
    (disk, all(&store))
}

#[test]
fn a_block_that_the_disk_does_not_give_costs_the_commits_in_it_and_no_other() {
    for block in [4096_u64, 16_384, 40_960] {
        let (disk, events) = large_frames();
        disk.on_call(move |call| {
            let end = call.offset + call.bytes as u64;
            let is_bad = call.kind == CallKind::Read
                && call.path == Path::new("/bank/journal/00000001")
                && call.bytes > 0
                && (call.offset < block + 512 && end > block);
            if is_bad { Verdict::Fail(io::ErrorKind::Other) } else { Verdict::Proceed }
        });
        let report = options(&disk).salvage("/bank", "/new").expect("salvage");
        // Frames of 9,152 bytes from 4096 on: the block lies in one of them.
        let lost = (block - 4096) / 9_152;
        assert_eq!(report.lost, [Position::new(lost)..Position::new(lost + 1)], "block at {block}");
        assert!(report.damages.iter().any(|damage| damage.what.contains("cannot be read")), "{report:?}");
        let store = options(&disk).open("/new").expect("open");
        assert_eq!(all(&store).len(), events.len() - 1);
        let verified = options(&disk).verify("/bank").expect("verify");
        assert!(
            verified
                .damages
                .iter()
                .any(|damage| damage.what.contains("cannot be read") && damage.offset == block)
        );
        assert_eq!(verified.events, 9, "verify looks at what is behind it, too");
    }
}

#[test]
fn a_salvage_that_fails_half_way_is_an_error_and_a_second_one_overwrites_nothing() {
    let (disk, _) = large_frames();
    let before = disk.files();
    disk.on_call(|call| {
        let is_second_file = call.path.ends_with("00000002") || call.path.ends_with("00000002.tmp");
        match call.kind {
            CallKind::Write if is_second_file => Verdict::Fail(io::ErrorKind::StorageFull),
            _ => Verdict::Proceed,
        }
    });
    let error = options(&disk).salvage("/bank", "/new").expect_err("full");
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    disk.heal();
    assert_eq!(
        options(&disk).salvage("/bank", "/new").expect_err("half of it is there").kind(),
        ErrorKind::Invalid
    );
    assert!(options(&disk).salvage("/bank", "/newer").expect("salvage").is_complete());
    assert!(before.iter().all(|(path, bytes)| disk.files()[path] == *bytes), "the old store is as it was");
}
