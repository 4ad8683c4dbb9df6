//! Stores opened to be read only: beside a writer, without one, on what a crash left; nothing is ever changed.

use std::io;
use std::path::{Path, PathBuf};

use annals::{
    Durability, ErrorKind, ExpectedVersion, Maintenance, NewEvent, Options, Position, Recovery, Store,
    Version,
};

use crate::support::{CallKind, Keep, Rng, SimDisk, Verdict, all, event, event_with_id, payloads};

const ROOT: &str = "/bank";
const LOCK: &str = "/bank/LOCK";
const FIRST: &str = "/bank/journal/00000001";

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

fn writer(disk: &SimDisk) -> Store {
    options(disk).open(ROOT).expect("open to write")
}

fn reader(disk: &SimDisk) -> Store {
    options(disk).read_only().open(ROOT).expect("open to read")
}

fn append(store: &Store, stream: &str, payload: impl AsRef<[u8]>) {
    let events = [event(payload)];
    store.stream(stream).expect("name").append_raw(ExpectedVersion::Any, events).expect("append");
}

#[test]
fn a_reader_sees_every_synced_append_that_was_answered_and_takes_in_later_ones_when_refreshed() {
    let disk = SimDisk::new();
    let writer = writer(&disk);
    append(&writer, "a", "1");
    let reader = reader(&disk);
    assert_eq!(payloads(&reader, "a"), ["1"]);
    append(&writer, "a", "2");
    append(&writer, "b", "3");
    assert_eq!(reader.head().as_u64(), 1, "nothing is taken in unasked");
    let before = reader.read().iter();
    assert_eq!(reader.refresh().expect("refresh"), Position::new(3));
    assert_eq!(
        (payloads(&reader, "a"), payloads(&reader, "b")),
        (vec!["1".into(), "2".into()], vec!["3".into()])
    );
    assert_eq!(before.map(|event| event.expect("event").position()).last(), Some(Position::new(0)));
    assert_eq!(all(&reader), all(&writer));
    assert_eq!(reader.stream("a").expect("name").version().expect("version"), Some(Version::new(1)));
    assert_eq!(writer.refresh().expect("the writer knows it all"), Position::new(3));
}

#[test]
fn a_reader_follows_the_writer_into_new_files_closings_and_openings() {
    let disk = SimDisk::new();
    let mut writer = writer(&disk);
    let reader = reader(&disk);
    let mut rng = Rng::printed("writer ahead of a reader", 41);
    for number in 0..300_u64 {
        append(&writer, &format!("s-{}", rng.below(7)), vec![b'x'; rng.index(4_000)]);
        if rng.chance(17) {
            writer.close().expect("close");
            writer = options(&disk).open(ROOT).expect("open again");
        }
        if rng.chance(5) {
            assert_eq!(reader.refresh().expect("refresh"), Position::new(number + 1));
        }
    }
    reader.refresh().expect("refresh");
    assert_eq!(all(&reader), all(&writer));
    assert!(writer.stats().expect("stats").journal_files > 5);
    assert_eq!(reader.streams().expect("streams"), writer.streams().expect("streams"));
}

#[test]
fn buffered_appends_are_seen_once_they_are_flushed() {
    let disk = SimDisk::new();
    let writer = options(&disk).durability(Durability::Buffered).open(ROOT).expect("open");
    let reader = reader(&disk);
    append(&writer, "a", "1");
    append(&writer, "a", "2");
    assert_eq!(reader.refresh().expect("refresh").as_u64(), 0);
    writer.flush().expect("flush");
    assert_eq!(reader.refresh().expect("refresh").as_u64(), 2);
    append(&writer, "a", "3");
    drop(writer);
    assert_eq!(reader.refresh().expect("refresh").as_u64(), 3, "closing makes all durable");
}

#[test]
fn nothing_is_seen_before_its_sync_has_returned() {
    let disk = SimDisk::new();
    let writer = writer(&disk);
    append(&writer, "a", "durable");
    disk.on_call(|call| match call.kind {
        CallKind::Sync => Verdict::Fail(io::ErrorKind::Other),
        _ => Verdict::Proceed,
    });
    let lost = writer.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("not durable")]);
    assert_eq!(lost.expect_err("the sync failed").kind(), ErrorKind::Indeterminate);
    disk.heal();
    let reader = reader(&disk);
    assert_eq!(payloads(&reader, "a"), ["durable"], "whole frames behind the durable mark are not shown");
    assert_eq!(reader.recovery().torn_tail, None);
}

#[test]
fn a_frame_that_is_not_complete_yet_is_no_damage() {
    let disk = SimDisk::new();
    let writer = writer(&disk);
    append(&writer, "a", "1");
    append(&writer, "a", vec![7; 3_000]);
    let files = disk.files();
    let end = files[Path::new(FIRST)].iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    // What a reader may see of the next write while it goes on: any part of it.
    append(&writer, "a", vec![9; 2_000]);
    let whole = disk.files()[Path::new(FIRST)].clone();
    for kept in (end..end + 2_120).step_by(7) {
        let mut files = files.clone();
        files.get_mut(Path::new(FIRST)).expect("file")[end..kept].copy_from_slice(&whole[end..kept]);
        let disk = SimDisk::with_files(&files);
        let _lock = annals::disk::Disk::lock(&disk, Path::new(LOCK)).expect("a writer in another process");
        let reader = reader(&disk);
        assert_eq!((reader.head().as_u64(), &reader.recovery().torn_tail), (2, &None), "{kept}");
    }
}

#[test]
fn beside_a_writer_damage_to_what_is_durable_is_an_error() {
    let disk = SimDisk::new();
    let writer = writer(&disk);
    (0..4).for_each(|number| append(&writer, "a", vec![b'0' + number; 400]));
    for at in [4096 + 60, 4096 + 600, 4096 + 3 * 560] {
        let mut files = disk.files();
        files.get_mut(Path::new(FIRST)).expect("file")[at] ^= 4;
        let damaged = SimDisk::with_files(&files);
        let _lock = annals::disk::Disk::lock(&damaged, Path::new(LOCK)).expect("lock");
        let error = options(&damaged).read_only().open(ROOT).expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
        assert_eq!(error.place().expect("place").path, Path::new(FIRST));
    }
}

#[test]
fn without_a_writer_a_reader_sees_what_recovery_would_find_and_tells_of_a_torn_tail() {
    let disk = SimDisk::new();
    let writer = writer(&disk);
    append(&writer, "a", "1");
    append(&writer, "a", vec![7; 3_000]);
    let mut rng = Rng::printed("killed", 43);
    let (mut torn, mut whole) = (0, 0);
    for _ in 0..200 {
        let mut files = disk.crash(Keep::Everything).files();
        files.insert(LOCK.into(), Vec::new());
        let bytes = files.get_mut(Path::new(FIRST)).expect("file");
        let end = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
        if rng.chance(2) {
            bytes[end - 1 - rng.index(2_900)..end].fill(0);
        }
        let killed = SimDisk::with_files(&files);
        let before = killed.files();
        let reader = reader(&killed);
        match &reader.recovery().torn_tail {
            Some(tail) => {
                torn += 1;
                assert_eq!((reader.head().as_u64(), &tail.quarantined), (1, &None));
                let strict = options(&killed).read_only().recovery(Recovery::Strict).open(ROOT);
                assert_eq!(strict.expect_err("strict").kind(), ErrorKind::Corrupt);
            }
            None => {
                whole += 1;
                assert_eq!(reader.head().as_u64(), 2);
            }
        }
        let seen = all(&reader);
        assert!(killed.files() == before && killed.calls() == 0, "nothing is changed");
        assert_eq!(all(&options(&killed).open(ROOT).expect("recover")), seen, "as recovery finds it");
        reader.refresh().expect("refresh");
        assert_eq!(all(&reader), seen);
    }
    assert!(torn > 50 && whole > 50);
}

#[test]
fn a_reader_takes_no_writes_and_its_close_ends_nothing() {
    let disk = SimDisk::new();
    let writer = writer(&disk);
    append(&writer, "a", "1");
    let reader = reader(&disk);
    let calls = disk.calls();
    let refused = [
        reader.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("2")]).map(drop),
        reader.batch().append_raw("a", ExpectedVersion::Any, [event_with_id(1, "2")]).commit().map(drop),
        reader.flush(),
    ];
    for refused in refused {
        assert_eq!(refused.expect_err("read only").kind(), ErrorKind::ReadOnly);
    }
    reader.close().expect("close");
    drop(reader);
    assert_eq!(disk.calls(), calls, "nothing was asked of the disk that changes it");
    append(&writer, "a", "2");
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for path in [dir.path().to_owned(), dir.path().join("missing")] {
        let error = Options::new().read_only().open(&path).expect_err("nothing there");
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
}

/// Every file and directory below `dir` with what tells whether it was changed.
fn marks(dir: &Path) -> Vec<(PathBuf, u64, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        let metadata = path.metadata().expect("metadata");
        found.push((path.clone(), metadata.len(), metadata.modified().expect("mtime")));
        if metadata.is_dir() {
            found.extend(marks(&path));
        }
    }
    found.sort();
    found
}

#[test]
fn a_reader_changes_no_file_and_no_time_of_change() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let writer = Store::open(&path).expect("open");
    let opened = NewEvent::new("Opened", *b"Ada").expect("event");
    writer.stream("a").expect("name").append_raw(ExpectedVersion::NoStream, [opened]).expect("append");
    for _ in 0..2 {
        let before = marks(&path);
        let reader = Options::new().read_only().open(&path).expect("read only");
        assert_eq!((all(&reader).len(), reader.refresh().expect("refresh").as_u64()), (1, 1));
        drop(reader);
        assert_eq!(marks(&path), before);
        // And once more without the writer.
        writer.close().expect("close");
    }
}

#[test]
fn a_long_end_that_nobody_vouches_for_is_shown_only_when_nobody_writes() {
    let disk = SimDisk::new();
    let writer = options(&disk).durability(Durability::Buffered).journal_file_bytes(64 << 20);
    let writer = writer.open(ROOT).expect("open");
    (0..12_u8).for_each(|number| append(&writer, "large", vec![number; 1 << 20]));
    let beside = reader(&disk);
    assert_eq!(beside.head(), Position::FIRST);
    let killed = disk.crash(Keep::Everything);
    let reader = reader(&killed);
    assert_eq!((reader.head().as_u64(), all(&reader)), (12, all(&writer)));
    writer.flush().expect("flush");
    assert_eq!(beside.refresh().expect("refresh").as_u64(), 12);
}

#[test]
fn damage_before_the_last_file_is_an_error_with_and_without_a_writer() {
    let disk = SimDisk::new();
    let writer = writer(&disk);
    (0..3).for_each(|_| append(&writer, "a", vec![5; 40_000]));
    let second = Path::new("/bank/journal/00000002");
    let files = disk.files();
    assert!(files.contains_key(second));
    let mut damaged_first = files.clone();
    damaged_first.get_mut(Path::new(FIRST)).expect("file")[4096 + 2_000] ^= 1;
    // Another file of this number: it follows something else.
    let mut other_second = files.clone();
    let other = SimDisk::new();
    let other_writer = options(&other).open(ROOT).expect("open");
    (0..3).for_each(|_| append(&other_writer, "a", vec![6; 40_000]));
    other_second.insert(second.into(), other.files()[second].clone());
    let mut cut_first = files.clone();
    cut_first.get_mut(Path::new(FIRST)).expect("file").truncate(4096);
    let mut gap = files;
    gap.remove(second);
    for (what, files, path) in [
        ("damaged", &damaged_first, Path::new(FIRST)),
        ("another file", &other_second, second),
        ("without its frames", &cut_first, second),
        ("missing", &gap, second),
    ] {
        for is_locked in [false, true] {
            let disk = SimDisk::with_files(files);
            let _lock = is_locked.then(|| annals::disk::Disk::lock(&disk, Path::new(LOCK)).expect("lock"));
            let error = options(&disk).read_only().open(ROOT).expect_err(what);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
            assert_eq!(error.place().expect("place").path, path, "{what}: {error}");
        }
    }
}
