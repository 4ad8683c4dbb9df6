//! Opening and closing: one at a time, nothing but directories, closed is closed, newer formats are left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use annals::{Creation, Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Position, Store};

use crate::support::{CallKind, SimDisk, Verdict, all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn append(store: &Store, payload: &str) -> annals::Result<annals::Receipt> {
    store.stream("account-1").expect("name").append_raw(ANY, [event(payload)])
}

#[test]
fn a_new_store_is_empty_small_and_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Store::open(&path).expect("open");
    assert_eq!(store.head(), Position::FIRST);
    assert!(store.recovery().created && store.recovery().clean);
    assert!(store.stats().expect("stats").journal_bytes < 1 << 20, "well under 1 MiB");
    let mode = |path: &Path| fs::metadata(path).expect("metadata").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    assert_eq!(mode(&path.join("journal")), 0o700);
    assert_eq!(mode(&path.join("MANIFEST")), 0o600);
    assert_eq!(mode(&path.join("journal/00000001")), 0o600);
}

#[test]
fn a_store_keeps_its_id_and_its_events_from_one_opening_to_the_next() {
    for maintenance in [Maintenance::Background, Maintenance::Inline] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let open = || Options::new().maintenance(maintenance).open(dir.path().join("bank")).expect("open");
        let store = open();
        let id = store.id();
        append(&store, "first").expect("append");
        let events = all(&store);
        drop(store);
        let store = open();
        assert_eq!(store.id(), id);
        assert_eq!(all(&store), events);
        let report = store.recovery();
        assert!(report.clean && !report.created && report.torn_tail.is_none());
        assert_eq!((report.events, report.frames, report.rewritten_bytes), (1, 2, 0));
        append(&store, "second").expect("append");
        store.close().expect("close");
        assert_eq!(all(&open()).len(), 2);
    }
}

#[test]
fn a_second_opener_is_told_at_once_that_the_store_is_locked() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Store::open(&path).expect("open");
    for second in [path.clone(), path.join("../bank"), path.join(".")] {
        let error = Store::open(&second).expect_err("locked");
        assert_eq!(error.kind(), ErrorKind::Locked, "{}", second.display());
    }
    append(&store, "the first goes on").expect("append");
    let clone = store.clone();
    drop(store);
    assert_eq!(Store::open(&path).expect_err("a handle is left").kind(), ErrorKind::Locked);
    drop(clone);
    assert_eq!(Store::open(&path).expect("the last handle is gone").head(), Position::new(1));
}

#[test]
fn a_closed_store_takes_no_appends_and_still_reads() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Options::new().recent_bytes_max(0).open(&path).expect("open");
    append(&store, "first").expect("append");
    store.close().expect("close");
    assert_eq!(append(&store, "late").expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(store.batch().commit().expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(store.flush().expect_err("closed").kind(), ErrorKind::Closed);
    store.close().expect("closing twice is fine");
    assert_eq!(all(&store).len(), 1, "reads go on");
    let again = Store::open(&path).expect("it may be opened again beside the closed handle");
    append(&again, "second").expect("append");
    assert_eq!(append(&store, "late").expect_err("still closed").kind(), ErrorKind::Closed);
    drop(store);
    append(&again, "third").expect("dropping the closed handle does not disturb the open one");
    assert_eq!(again.head(), Position::new(3));
}

#[test]
fn only_a_directory_with_a_parent_can_be_opened() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let file = dir.path().join("file");
    fs::write(&file, "not a store").expect("write");
    assert_eq!(Store::open(&file).expect_err("a file").kind(), ErrorKind::Io);
    assert_eq!(fs::read(&file).expect("read"), b"not a store");
    let error = Store::open(dir.path().join("missing/bank")).expect_err("no parent");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("missing"), "{error}");
    assert!(!dir.path().join("missing").exists());
}

#[test]
fn a_journal_file_that_is_a_link_is_not_followed() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    Store::open(&path).expect("open").close().expect("close");
    let journal = path.join("journal/00000001");
    let elsewhere = dir.path().join("elsewhere");
    fs::rename(&journal, &elsewhere).expect("rename");
    std::os::unix::fs::symlink(&elsewhere, &journal).expect("link");
    let error = Store::open(&path).expect_err("a link");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("00000001"), "{error}");
}

/// All files of a directory with their bytes and times of change.
fn look(dir: &Path) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(look(&path));
        } else {
            let changed = fs::metadata(&path).expect("metadata").modified().expect("time");
            found.push((path.clone(), fs::read(&path).expect("read"), changed));
        }
    }
    found.sort();
    found
}

#[test]
fn a_store_of_a_newer_format_is_refused_and_left_untouched() {
    for file in ["MANIFEST", "journal/00000001"] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("bank");
        let store = Store::open(&path).expect("open");
        append(&store, "first").expect("append");
        store.close().expect("close");
        let mut bytes = fs::read(path.join(file)).expect("read");
        bytes[8] = 9;
        fs::write(path.join(file), bytes).expect("write");
        let before = look(&path);
        let error = Store::open(&path).expect_err("newer");
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{file}: {error}");
        assert!(error.to_string().contains(file.rsplit('/').next().expect("name")), "{error}");
        assert_eq!(look(&path), before, "{file}: untouched");
    }
}

#[test]
fn verify_changes_nothing_and_counts_what_is_there() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Store::open(&path).expect("open");
    append(&store, "first").expect("append");
    store
        .batch()
        .append_raw("a", ANY, [event("x")])
        .append_raw("b", ANY, [event("y")])
        .commit()
        .expect("commit");
    store.close().expect("close");
    let before = look(&path);
    let report = Store::verify(&path).expect("verify");
    assert!(report.is_sound() && report.clean && report.torn_tail.is_none());
    assert_eq!((report.files, report.frames, report.events), (1, 3, 3));
    assert_eq!(report.store_id, store.id());
    assert_eq!(look(&path), before);
    let missing = Store::verify(dir.path().join("nothing")).expect_err("no store");
    assert_eq!(missing.kind(), ErrorKind::Corrupt);
}

#[test]
fn a_stray_temporary_file_is_removed_and_changes_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Store::open(&path).expect("open");
    append(&store, "first").expect("append");
    store.close().expect("close");
    for stray in ["MANIFEST.tmp", "journal/00000002.tmp"] {
        fs::write(path.join(stray), "half a file").expect("write");
    }
    assert_eq!(all(&Store::open(&path).expect("open")).len(), 1);
    assert!(!path.join("MANIFEST.tmp").exists() && !path.join("journal/00000002.tmp").exists());
}

#[test]
fn a_store_that_must_be_there_and_is_not_is_not_found_and_not_made() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = |path: &Path| Options::new().creation(Creation::Never).open(path);
    let missing = dir.path().join("mistyped");
    assert_eq!(open(&missing).expect_err("missing").kind(), ErrorKind::NotFound);
    assert!(!missing.exists());
    assert_eq!(open(dir.path()).expect_err("no store").kind(), ErrorKind::NotFound);
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 0);

    let path = dir.path().join("bank");
    Store::open(&path).expect("create").close().expect("close");
    assert!(open(&path).is_ok());
    // A store whose manifest was lost is damage, not absence.
    let store = Store::open(&path).expect("open");
    store.stream("a").expect("name").append_raw(ANY, [event("x")]).expect("append");
    drop(store);
    fs::remove_file(path.join("MANIFEST")).expect("remove");
    assert_eq!(open(&path).expect_err("lost manifest").kind(), ErrorKind::Corrupt);
}

#[test]
fn what_nobody_vouches_for_is_written_again_in_pieces_of_a_mebibyte() {
    let open = |disk: &SimDisk| {
        let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Inline);
        options.durability(Durability::Buffered).journal_file_bytes(16 << 20).open("/bank").expect("open")
    };
    let disk = SimDisk::new();
    let store = open(&disk);
    let sizes = [[1_000; 100].as_slice(), &[400_000; 3], &[3_000_000], &[1_000; 200]].concat();
    for bytes in sizes {
        store.stream("a").expect("name").append_raw(ANY, [event(vec![7; bytes])]).expect("append");
    }
    let killed = disk.kill();
    let writes = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&writes);
    killed.on_call(move |call| {
        if call.kind == CallKind::Write && call.path.starts_with("/bank/journal") {
            told.lock().expect("writes").push((call.offset, call.bytes as u64));
        }
        Verdict::Proceed
    });
    let again = open(&killed);
    assert_eq!(all(&again), all(&store));
    let rewritten = again.recovery().rewritten_bytes;
    // Behind it come the zeros of the prepared space.
    let end = 4_096 + rewritten;
    let pieces: Vec<(u64, u64)> =
        writes.lock().expect("writes").iter().copied().filter(|(offset, _)| *offset < end).collect();
    let mut next = 4_096;
    for (offset, bytes) in &pieces {
        assert_eq!(*offset, next, "one behind the other: {pieces:?}");
        next = offset + bytes;
    }
    assert_eq!(next, end, "{pieces:?}");
    // The small ones and two of the middle ones; the third; the one that is larger than a piece; the small ones behind it.
    let sizes: Vec<u64> = pieces.iter().map(|(_, bytes)| bytes / 100_000).collect();
    assert_eq!(sizes, [9, 4, 30, 2], "in hundreds of thousands of bytes");
}

#[test]
fn a_journal_without_a_manifest_counts_as_empty_only_if_all_of_it_is_zeros() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    Store::open(&path).expect("open").close().expect("close");
    fs::remove_file(path.join("MANIFEST")).expect("remove");
    let journal = path.join("journal/00000001");
    let mut bytes = fs::read(&journal).expect("read");
    bytes.resize(3 << 20, 0);
    bytes[(2 << 20) + 77] = 1;
    fs::write(&journal, &bytes).expect("write");
    assert_eq!(Store::open(&path).expect_err("something is there").kind(), ErrorKind::Corrupt);
    bytes[(2 << 20) + 77] = 0;
    fs::write(&journal, &bytes).expect("write");
    // Its creation did not come to its end.
    Store::open(&path).expect("nothing is there").close().expect("close");
}
