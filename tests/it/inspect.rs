//! `Store::inspect`: the parts of a file cover it from its first byte to its last, and a byte that changed is told.

use std::fs;
use std::path::{Path, PathBuf};

use annals::{Error, ErrorKind, ExpectedVersion, FilePart, Maintenance, Options, Store};

use crate::support::event;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/format-2/closed")
}

fn parts(file: &Path) -> Result<Vec<FilePart>, Error> {
    let mut parts = Vec::new();
    Store::inspect(file, |part| {
        parts.push(part);
        Ok::<(), Error>(())
    })?;
    Ok(parts)
}

/// All files of the golden store.
fn files() -> Vec<PathBuf> {
    let directories = ["journal", "segments", "snapshots"].map(|name| golden().join(name));
    let listed = directories.iter().flat_map(|dir| fs::read_dir(dir).expect("a golden store"));
    let listed = listed.map(|entry| entry.expect("entry").path());
    ["MANIFEST", "LOCK"].map(|name| golden().join(name)).into_iter().chain(listed).collect()
}

/// A tier over eight segments.
fn tier(dir: &Path) -> PathBuf {
    let store = Options::new().maintenance(Maintenance::Inline).open(dir.join("bank")).expect("open");
    for number in 0..8 {
        let stream = store.stream(format!("account-{number}")).expect("name");
        stream.append_raw(ExpectedVersion::Any, [event("x")]).expect("append");
        store.seal().expect("seal");
    }
    dir.join("bank/segments/00000001-00000008.streams")
}

#[test]
fn the_parts_of_every_file_lie_one_behind_another_from_its_first_byte_to_its_last() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for file in files().into_iter().chain([tier(dir.path())]) {
        let mut at = 0;
        for part in parts(&file).expect("inspect") {
            assert_eq!(part.offset, at, "{file:?}: {part:?}");
            assert_eq!(part.damage, None, "{file:?}: {part:?}");
            at += part.bytes;
        }
        assert_eq!(at, fs::metadata(&file).expect("metadata").len(), "{file:?}");
    }
}

#[test]
fn a_byte_that_changed_is_told_and_never_a_panic() {
    let dir = tempfile::tempdir().expect("temporary directory");
    for file in files().into_iter().chain([tier(dir.path())]) {
        let bytes = fs::read(&file).expect("read");
        let copy = dir.path().join(file.file_name().expect("name"));
        let (mut told, mut tried) = (0, 0);
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 200) {
            let mut changed = bytes.clone();
            changed[at] ^= 0x10;
            fs::write(&copy, changed).expect("write");
            tried += 1;
            told += usize::from(
                parts(&copy).map_or(true, |parts| parts.iter().any(|part| part.damage.is_some())),
            );
        }
        // A mark that is not whole counts as none.
        let is_mark = file.ends_with("LOCK");
        assert!(told == tried || is_mark, "{file:?}: {told} of {tried}");
    }
}

#[test]
fn what_is_no_file_of_a_store_is_told_as_such_and_who_is_told_may_stop() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let other = dir.path().join("notes");
    fs::write(&other, "some text").expect("write");
    assert_eq!(parts(&other).expect_err("no store").kind(), ErrorKind::Invalid);
    assert_eq!(parts(&dir.path().join("missing")).expect_err("missing").kind(), ErrorKind::Io);

    #[derive(Debug, PartialEq)]
    struct Enough;
    impl From<Error> for Enough {
        fn from(error: Error) -> Self {
            panic!("{error}")
        }
    }
    let mut told = 0;
    let segment = golden().join("segments/00000001");
    let ended = Store::inspect(segment, |_| {
        told += 1;
        if told == 2 { Err(Enough) } else { Ok(()) }
    });
    assert_eq!((ended, told), (Err(Enough), 2));
}
