//! Frames and files in places where they do not belong: sound in themselves, and damage all the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use annals::{ErrorKind, ExpectedVersion, Maintenance, Options, Store};

use crate::support::{Keep, SimDisk, all, event};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const ROOT: &str = "/bank";
const FRAMES_AT: usize = 4096;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

fn journal(number: u64) -> PathBuf {
    PathBuf::from(format!("/bank/journal/{number:08}"))
}

/// Four journal files with frames of one size, closed or as a killed process leaves them.
fn four_files(clean: bool) -> (Files, u64) {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    while store.stats().expect("stats").journal_files < 4 {
        store
            .stream("a")
            .expect("name")
            .append_raw(ExpectedVersion::Any, [event([7; 9_000])])
            .expect("append");
    }
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event([7; 9_000])]).expect("append");
    let events = store.head().as_u64();
    if clean {
        store.close().expect("close");
    }
    (disk.crash(Keep::Everything).files(), events)
}

fn open(files: &Files) -> annals::Result<Store> {
    options(&SimDisk::with_files(files)).open(ROOT)
}

fn assert_corrupt(files: &Files, path: &Path, what: &str) {
    let error = open(files).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
    let place = error.place().unwrap_or_else(|| panic!("{what}: no place: {error}"));
    assert_eq!(place.path, path, "{what}: {error}");
}

const FRAME: usize = 9_152;

/// The bytes of the `at`-th frame of a file; all frames of these stores have one size.
fn frame(at: usize) -> std::ops::Range<usize> {
    FRAMES_AT + at * FRAME..FRAMES_AT + (at + 1) * FRAME
}

#[test]
fn a_frame_in_the_place_of_another_is_an_error_though_it_is_sound() {
    for clean in [true, false] {
        let (files, _) = four_files(clean);
        for number in [1, 3, 4] {
            let frames = if number == 4 { 2 } else { 6 };
            assert_eq!(files[&journal(number)][frame(frames - 1)][..4], *b"ANFR");
            for (from, to) in (0..frames).flat_map(|from| (0..frames).map(move |to| (from, to))) {
                if from == to {
                    continue;
                }
                let mut copied = files.clone();
                copied.get_mut(&journal(number)).expect("file").copy_within(frame(from), frame(to).start);
                assert_corrupt(&copied, &journal(number), "copied");
                let mut swapped = copied;
                let (from, to) = (frame(from), frame(to));
                let overwritten = files[&journal(number)][to].to_vec();
                swapped.get_mut(&journal(number)).expect("file")[from].copy_from_slice(&overwritten);
                assert_corrupt(&swapped, &journal(number), "swapped");
            }
        }
    }
}

#[test]
fn a_frame_doubled_behind_the_last_or_taken_from_another_file_is_an_error() {
    for clean in [true, false] {
        let (files, _) = four_files(clean);
        for (file, at) in [(4, 1), (4, 0), (3, 0), (1, 5)] {
            let mut doubled = files.clone();
            let bytes = files[&journal(file)][frame(at)].to_vec();
            let last = doubled.get_mut(&journal(4)).expect("file");
            let end = last.iter().rposition(|byte| *byte != 0).expect("used") + 1;
            last[end..end + FRAME].copy_from_slice(&bytes);
            assert_corrupt(&doubled, &journal(4), "doubled");
        }
    }
}

#[test]
fn a_frame_dropped_from_anywhere_but_the_unvouched_end_is_an_error() {
    for clean in [true, false] {
        let (files, _) = four_files(clean);
        for (file, at) in [(1, 0), (1, 3), (2, 5), (3, 5), (4, 0)] {
            let mut zeroed = files.clone();
            zeroed.get_mut(&journal(file)).expect("file")[frame(at)].fill(0);
            let told_of = if at == 5 { journal(file + 1) } else { journal(file) };
            assert_corrupt(&zeroed, &told_of, "zeroed");
            let mut closed_up = files.clone();
            let bytes = closed_up.get_mut(&journal(file)).expect("file");
            let end = bytes.len();
            bytes.copy_within(frame(at).end..end, frame(at).start);
            assert_corrupt(&closed_up, &journal(file), "closed up");
        }
    }
}

#[test]
fn a_file_deleted_renamed_or_doubled_is_an_error() {
    for clean in [true, false] {
        let (files, events) = four_files(clean);
        for number in 1..=3 {
            let mut deleted = files.clone();
            let bytes = deleted.remove(&journal(number)).expect("file");
            assert_corrupt(&deleted, &journal(number), "deleted");
            deleted.insert(journal(number).with_extension("bak"), bytes.clone());
            assert_corrupt(&deleted, &journal(number), "renamed to another kind of name");
            deleted.insert(journal(9), bytes);
            assert_corrupt(&deleted, &journal(number), "renamed to another number");
        }
        let mut doubled = files.clone();
        doubled.insert(journal(5), files[&journal(4)].clone());
        assert_corrupt(&doubled, &journal(5), "doubled under the next number");
        let mut doubled = files.clone();
        doubled.insert("/bank/journal/000000004".into(), files[&journal(4)].clone());
        assert_corrupt(&doubled, Path::new("/bank/journal/000000004"), "doubled under another spelling");
        let mut swapped = files.clone();
        swapped.insert(journal(2), files[&journal(3)].clone());
        swapped.insert(journal(3), files[&journal(2)].clone());
        assert_corrupt(&swapped, &journal(2), "swapped");
        let mut copied = files.clone();
        copied.insert(journal(4).with_extension("bak"), files[&journal(4)].clone());
        assert_eq!(
            open(&copied).expect("a name that is none of annals' is no business of annals").head().as_u64(),
            events
        );
    }
}

#[test]
fn the_last_file_of_a_closed_store_is_missed() {
    let (mut files, _) = four_files(true);
    files.remove(&journal(4));
    assert_corrupt(&files, &journal(3), "the last file is deleted");
}

#[test]
fn what_is_left_when_the_last_file_of_a_killed_store_is_deleted_is_a_whole_prefix() {
    let (mut files, events) = four_files(false);
    files.remove(&journal(4));
    assert_corrupt(&files, &journal(3), "the durable mark names a commit that is gone");
    // Without the mark, whole commits cut off the end after a crash cannot be seen from inside.
    files.remove(Path::new("/bank/LOCK"));
    let store = open(&files).expect("open");
    assert_eq!((all(&store).len() as u64, store.recovery().clean), (events - 2, false));
}

#[test]
fn a_manifest_that_is_missing_is_an_error_as_long_as_there_are_commits() {
    for clean in [true, false] {
        let (mut files, _) = four_files(clean);
        files.remove(Path::new("/bank/MANIFEST"));
        assert_corrupt(&files, Path::new("/bank/MANIFEST"), "four files and no manifest");
        (2..=4).for_each(|number| drop(files.remove(&journal(number))));
        assert_corrupt(&files, Path::new("/bank/MANIFEST"), "one file and no manifest");
    }
}

#[test]
fn files_of_another_store_are_an_error() {
    let (files, _) = four_files(true);
    let (other, _) = four_files(true);
    for number in 1..=4 {
        let mut mixed = files.clone();
        mixed.insert(journal(number), other[&journal(number)].clone());
        assert_corrupt(&mixed, &journal(number), "another store's journal file");
        let mut frame_of_other = files.clone();
        let bytes = &other[&journal(number)][frame(0)];
        frame_of_other.get_mut(&journal(number)).expect("file")[frame(0)].copy_from_slice(bytes);
        assert_corrupt(&frame_of_other, &journal(number), "another store's frame");
    }
    let mut mixed = files;
    mixed.insert("/bank/MANIFEST".into(), other[Path::new("/bank/MANIFEST")].clone());
    assert_corrupt(&mixed, &journal(1), "another store's manifest");
}

#[test]
fn an_older_manifest_or_an_older_journal_file_of_the_same_store_is_noticed() {
    let disk = SimDisk::new();
    let append = |store: &Store| {
        store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("x")]).expect("append");
    };
    let store = options(&disk).open(ROOT).expect("open");
    append(&store);
    store.close().expect("close");
    let older = disk.files();
    let store = options(&disk).open(ROOT).expect("open");
    append(&store);
    store.close().expect("close");
    let newer = disk.files();
    for path in ["/bank/MANIFEST", "/bank/journal/00000001"] {
        let mut mixed = newer.clone();
        mixed.insert(path.into(), older[Path::new(path)].clone());
        assert_corrupt(&mixed, &journal(1), path);
    }
}
