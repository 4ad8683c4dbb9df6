//! What somebody put into a store's directory that does not belong there: nothing outside the store is touched, and what
//! is no business of annals is not in its way. `tests/torture/hostile.rs` has many more of them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use annals::{ErrorKind, ExpectedVersion, Maintenance, Options, Store};

use crate::support::{all, event};

fn options() -> Options {
    Options::new().maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

/// A store of one event, as a killed process leaves it.
fn killed(dir: &Path) -> PathBuf {
    let (live, path) = (dir.join("live"), dir.join("bank"));
    let store = options().open(&live).expect("open");
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("x")]).expect("append");
    // Copied while it is open: closing would leave a mark.
    fs::create_dir_all(path.join("journal")).expect("directory");
    for name in ["MANIFEST", "journal/00000001"] {
        fs::copy(live.join(name), path.join(name)).expect("copy");
    }
    path
}

/// Names and bytes of all files below a directory.
fn contents(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("read")));
        }
    }
    found.sort();
    found
}

#[test]
fn a_link_in_place_of_the_journals_directory_is_refused_and_what_it_leads_to_is_left_alone() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (path, outside) = (killed(dir.path()), dir.path().join("outside"));
    fs::rename(path.join("journal"), &outside).expect("move");
    symlink(&outside, path.join("journal")).expect("link");
    let before = contents(&outside);
    let error = options().open(&path).expect_err("a link is no directory");
    assert!(error.to_string().contains("journal"), "{error}");
    assert!(!Store::verify(&path).expect("verify").is_sound());
    // Nor does a new store begin where a link leads.
    let (new, empty) = (dir.path().join("new"), dir.path().join("empty"));
    fs::create_dir(&new).expect("directory");
    fs::create_dir(&empty).expect("directory");
    symlink(&empty, new.join("journal")).expect("link");
    options().open(&new).expect_err("a link is no directory");
    assert!(contents(&outside) == before && contents(&empty).is_empty());
}

#[test]
fn a_link_in_place_of_the_directory_of_segments_is_refused_and_what_it_leads_to_is_left_alone() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (path, outside) = (dir.path().join("bank"), dir.path().join("outside"));
    let append = |store: &Store| {
        store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("x")]).expect("append");
    };
    let store = options().open(&path).expect("open");
    append(&store);
    fs::create_dir(&outside).expect("directory");
    for name in ["00000001", "00000007", "00000002.tmp"] {
        fs::write(outside.join(name), "of somebody else").expect("write");
    }
    let before = contents(&outside);
    symlink(&outside, path.join("segments")).expect("link");
    // Nothing is sealed to where it leads, and appends go on.
    assert_eq!(store.seal().expect_err("a link is no directory").kind(), ErrorKind::Io);
    append(&store);
    store.close().expect("close");
    drop(store);
    // Nor is anything removed there.
    let error = options().open(&path).expect_err("a link is no directory");
    assert!(error.to_string().contains("segments"), "{error}");
    assert!(contents(&outside) == before);
    fs::remove_file(path.join("segments")).expect("remove");
    let store = options().open(&path).expect("open");
    store.seal().expect("seal");
    store.close().expect("close");
    drop(store);
    fs::rename(path.join("segments"), dir.path().join("moved")).expect("move");
    symlink(dir.path().join("moved"), path.join("segments")).expect("link");
    let before = contents(&dir.path().join("moved"));
    for options in [options(), options().read_only()] {
        options.open(&path).expect_err("a link is no directory");
    }
    assert!(!Store::verify(&path).expect("verify").is_sound());
    assert!(contents(&dir.path().join("moved")) == before);
}

#[test]
fn a_torn_tail_is_not_copied_to_where_a_link_in_place_of_quarantine_leads() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (path, outside) = (killed(dir.path()), dir.path().join("outside"));
    fs::create_dir(&outside).expect("directory");
    symlink(&outside, path.join("quarantine")).expect("link");
    let journal = path.join("journal/00000001");
    let mut bytes = fs::read(&journal).expect("read");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    bytes[used..used + 4].copy_from_slice(b"ANFR");
    fs::write(&journal, &bytes).expect("write");
    let error = options().open(&path).expect_err("nowhere to copy it to");
    assert!(error.to_string().contains("quarantine"), "{error}");
    assert!(contents(&outside).is_empty());
    assert!(fs::read(&journal).expect("read") == bytes, "it is not cut either");
    fs::remove_file(path.join("quarantine")).expect("remove");
    let store = options().open(&path).expect("open");
    assert!(store.recovery().torn_tail.is_some() && all(&store).len() == 1);
}

#[cfg(feature = "bincode")]
#[test]
fn no_snapshot_is_written_or_removed_where_a_link_in_place_of_their_directory_leads() {
    use super::account::{Account, deposits};

    let dir = tempfile::tempdir().expect("temporary directory");
    let (path, outside) = (dir.path().join("bank"), dir.path().join("outside"));
    let store = options().open(&path).expect("open");
    let execute = |store: &Store| {
        let accounts = store.repository::<Account>("account").snapshot_every(10);
        accounts
            .execute("1", |_| Ok::<_, std::convert::Infallible>(deposits(1..=25)))
            .expect("execute")
            .into_state()
    };
    execute(&store);
    store.close().expect("close");
    drop(store);
    fs::rename(path.join("snapshots"), &outside).expect("move");
    fs::write(outside.join("00000007.tmp"), "of another store").expect("write");
    symlink(&outside, path.join("snapshots")).expect("link");
    let before = contents(&outside);
    let store = options().open(&path).expect("snapshots are no reason not to open");
    assert_eq!(execute(&store).events, 50);
    assert!(store.stats().expect("stats").snapshots_failed > 0, "it is told");
    assert!(contents(&outside) == before);
}

#[test]
fn file_names_that_are_not_text_are_no_business_of_annals() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = killed(dir.path());
    let name = OsStr::from_bytes(b"caf\xe9.txt");
    for place in [path.join(name), path.join("journal").join(name)] {
        if let Err(error) = fs::write(&place, "a note") {
            println!("SKIPPED: this file system takes no such name: {error}");
            return;
        }
    }
    assert!(Store::verify(&path).expect("verify").is_sound());
    assert_eq!(all(&options().open(&path).expect("open")).len(), 1);
    assert!(path.join(name).exists() && path.join("journal").join(name).exists());
    let full = dir.path().join("full");
    fs::create_dir(&full).expect("directory");
    fs::write(full.join(name), "a note").expect("write");
    assert_eq!(options().open(&full).expect_err("not empty").kind(), ErrorKind::Invalid);
}

#[test]
fn a_segment_larger_than_any_is_refused_and_searched_by_nobody() {
    const HUGE: u64 = 64 << 30;
    let dir = tempfile::tempdir().expect("temporary directory");
    let (path, started) = (dir.path().join("bank"), Instant::now());
    let store = options().open(&path).expect("open");
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("x")]).expect("append");
    store.seal().expect("seal");
    store.close().expect("close");
    drop(store);
    // Beside those that there are, and then in place of one.
    for number in [2, 1] {
        let segment = path.join(format!("segments/{number:08}"));
        let file = File::options().create(true).truncate(false).write(true).open(&segment).expect("open");
        if let Err(error) = file.set_len(HUGE) {
            println!("SKIPPED: this file system has no files of that size: {error}");
            return;
        }
        let sound = Store::verify(&path).expect("verify").is_sound();
        assert_eq!(sound, number == 2);
        let report = options().salvage(&path, dir.path().join(format!("new-{number}"))).expect("salvage");
        assert_eq!(report.events, u64::from(number == 2));
        let opened = options().open(&path).map(drop).map_err(|error| error.kind());
        assert_eq!(opened, if number == 2 { Ok(()) } else { Err(ErrorKind::Corrupt) });
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

#[test]
fn a_journal_file_larger_than_any_is_refused_at_once() {
    const HUGE: u64 = 64 << 30;
    let started = Instant::now();
    for number in [1, 2] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = killed(dir.path());
        let journal = path.join(format!("journal/{number:08}"));
        let file = File::options().create(true).truncate(false).write(true).open(journal).expect("open");
        if let Err(error) = file.set_len(HUGE) {
            println!("SKIPPED: this file system has no files of that size: {error}");
            return;
        }
        if number == 1 {
            let error = options().open(&path).expect_err("too large");
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(!Store::verify(&path).expect("verify").is_sound());
            // Without a manifest, it is still nothing that a creation leaves behind.
            fs::remove_file(path.join("MANIFEST")).expect("remove");
        }
        assert_eq!(options().open(&path).expect_err("too large").kind(), ErrorKind::Corrupt);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
