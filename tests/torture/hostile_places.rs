//! On the real disk: links, FIFOs, sockets, directories and huge files in place of what a store has, and names that nobody
//! should give a file.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use annals::{ErrorKind, ExpectedVersion, Store};

use crate::campaign::{Budget, Tally};
use crate::child;
use crate::support::image::{self, Answer, Files, Image};
use crate::support::{Fault, event, images};

const CASE: Duration = Duration::from_secs(1);
const HUGE: u64 = 8 << 30;

/// Every place of a store, and places where it might look.
const FILES: [&str; 17] = [
    "MANIFEST",
    "MANIFEST.tmp",
    "LOCK",
    "journal/00000001",
    "journal/00000002",
    "journal/00000003",
    "journal/00000003.tmp",
    "segments/00000001",
    "segments/00000002",
    "segments/00000009",
    "segments/00000001.tmp",
    "snapshots/00000001",
    "snapshots/00000002",
    "snapshots/00000002.tmp",
    "quarantine/00000002-8192",
    "lost+found",
    "notes",
];
const DIRS: [&str; 5] = ["journal", "segments", "snapshots", "quarantine", "."];

/// What is put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Thing {
    /// To a copy of what was there, outside the store.
    LinkOutside,
    LinkToDirectory,
    Dangling,
    LinkToItself,
    Fifo,
    Socket,
    Directory,
    Huge,
    /// What was there, and nobody may read it.
    Mode000,
    Nothing,
}

const THINGS: [Thing; 10] = [
    Thing::LinkOutside,
    Thing::LinkToDirectory,
    Thing::Dangling,
    Thing::LinkToItself,
    Thing::Fifo,
    Thing::Socket,
    Thing::Directory,
    Thing::Huge,
    Thing::Mode000,
    Thing::Nothing,
];

pub(crate) fn run(budget: &Budget, tally: &mut Tally) {
    for (number, base) in
        [images::torn(), images::sealed(), images::closed(), images::killed(), images::unmarked()]
            .iter()
            .enumerate()
    {
        for place in FILES.iter().chain(&DIRS) {
            for thing in THINGS {
                // That the way to a store is a link, or that nothing is there, is no attack.
                if *place != "." || !matches!(thing, Thing::LinkOutside | Thing::Nothing) {
                    one(base, place, thing, tally);
                }
            }
        }
        names(base, tally);
        // The first two are what a short run has.
        if number > 0 && !budget.is_long() {
            break;
        }
    }
}

fn one(base: &Image, place: &str, thing: Thing, tally: &mut Tally) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let (root, outside) = (dir.path().join("bank"), dir.path().join("outside"));
    image::write(&base.files, &root);
    fs::create_dir(&outside).expect("directory");
    fs::write(outside.join("precious"), "three years of work").expect("write");
    if let Err(reason) = put(thing, &root.join(place), &outside) {
        return tally.skip(&format!("{thing:?} as {place}"), reason);
    }
    let before = seen(&outside);
    tally.count("hostile files", 1);
    let mut refused = false;
    tally.judge(format_args!("{} with {thing:?} as {place}", base.name), || {
        child::within(CASE, || {
            let mut files = base.files.clone();
            if thing == Thing::Nothing {
                files.retain(|path, _| image::below(&root, path) != root.join(place));
            }
            refused = use_it(base, &files, &root)? == Answer::Refused;
            if seen(&outside) != before {
                return Err(Fault::Wrong("something outside the store was touched".to_owned()));
            }
            Ok(())
        })
    });
    tally.count("hostile files refused", u64::from(refused));
    // So that the temporary directory can be removed, whoever we are.
    let _ = fs::set_permissions(root.join(place), Permissions::from_mode(0o700));
}

/// Verifies, opens, reads, loads, appends and closes.
fn use_it(base: &Image, files: &Files, root: &Path) -> Result<Answer, Fault> {
    let _ = Store::verify(root);
    let opened = image::options().open(root);
    // What is missing, cannot be read or is no file at all may be refused with any of these.
    let refused_for_what_it_is = |error: &annals::Error| {
        matches!(
            error.kind(),
            ErrorKind::Io | ErrorKind::Corrupt | ErrorKind::Invalid | ErrorKind::UnsupportedVersion
        )
    };
    let store = match &opened {
        Err(error) if refused_for_what_it_is(error) => return Ok(Answer::Refused),
        Err(error) => return Err(Fault::Wrong(format!("{:?}: {error}", error.kind()))),
        Ok(store) => store,
    };
    let answer = base.judge(files, &opened)?;
    if answer != Answer::Refused {
        images::judge_accounts(store)?;
    }
    let head = store.head();
    let append =
        store.stream("late").and_then(|stream| stream.append_raw(ExpectedVersion::Any, [event("late")]));
    let grew = store.head().as_u64() - head.as_u64();
    if append.is_ok() != (grew == 1) {
        return Err(Fault::Wrong(format!("an append answered {append:?}, and {grew} events came")));
    }
    let closed = store.close();
    drop(opened);
    if closed.is_ok()
        && image::options().open(root).map_or(0, |store| store.head().as_u64()) != head.as_u64() + grew
    {
        return Err(Fault::Loss("what was there at a clean close is not there any more".to_owned()));
    }
    Ok(answer)
}

/// Every file below a directory with its bytes and when it was changed, the directories too.
fn seen(dir: &Path) -> Vec<(PathBuf, Vec<u8>, i64, i64)> {
    let mut found = Vec::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(dir) = dirs.pop() {
        let of_dir = fs::metadata(&dir).expect("metadata");
        found.push((dir.clone(), Vec::new(), of_dir.mtime(), of_dir.mtime_nsec()));
        for entry in fs::read_dir(&dir).expect("list") {
            let path = entry.expect("entry").path();
            let metadata = fs::symlink_metadata(&path).expect("metadata");
            if metadata.is_dir() {
                dirs.push(path);
            } else {
                let bytes = fs::read(&path).expect("read");
                found.push((path, bytes, metadata.mtime(), metadata.mtime_nsec()));
            }
        }
    }
    found.sort();
    found
}

/// Puts a thing in a place of the store; why it cannot be done.
fn put(thing: Thing, place: &Path, outside: &Path) -> Result<(), String> {
    let told = |error: std::io::Error| error.to_string();
    fs::create_dir_all(place.parent().expect("a parent")).map_err(told)?;
    if thing == Thing::Mode000 {
        if place.exists() {
            fs::set_permissions(place, Permissions::from_mode(0o000)).map_err(told)?;
        }
        return Ok(());
    }
    // What was there goes outside, under its name.
    let moved = outside.join("moved");
    let place = &place.components().collect::<PathBuf>();
    if place.symlink_metadata().is_ok() {
        fs::rename(place, &moved).map_err(told)?;
    }
    match thing {
        Thing::LinkOutside if moved.exists() => symlink(&moved, place).map_err(told),
        Thing::LinkOutside => symlink(outside.join("precious"), place).map_err(told),
        Thing::LinkToDirectory => symlink(outside, place).map_err(told),
        Thing::Dangling => symlink(outside.join("not there"), place).map_err(told),
        Thing::LinkToItself => symlink(place, place).map_err(told),
        Thing::Fifo => match Command::new("mkfifo").arg(place).status() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("mkfifo: {status}")),
            Err(error) => Err(format!("mkfifo: {error}")),
        },
        Thing::Socket => UnixListener::bind(place).map(drop).map_err(told),
        Thing::Directory => fs::create_dir(place)
            .and_then(|()| fs::write(place.join("precious"), "two years of work"))
            .map_err(told),
        Thing::Huge => {
            let file = File::create(place).map_err(told)?;
            if moved.is_file() {
                fs::copy(&moved, place).map_err(told)?;
            }
            file.set_len(HUGE).map_err(told)
        }
        Thing::Mode000 | Thing::Nothing => Ok(()),
    }
}

/// Names that are none of annals', in every directory.
fn names(base: &Image, tally: &mut Tally) {
    let long = "x".repeat(255);
    let texts = [
        &long,
        " ",
        "\n",
        "-1",
        "+0000001",
        "1",
        "00000001 ",
        "00000001.bak",
        "000000001",
        "00000000",
        "0000000x",
        "..tmp",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999",
        "\u{663}\u{663}\u{663}",
        "00000007",
        "18446744073709551615.tmp",
        "MANIFEST",
        "nul\u{7f}",
    ];
    let raw: [&[u8]; 3] = [b"\xff\xfe", b"0000000\xff", b"\x80.tmp"];
    let texts = texts.iter().map(|text| OsStr::new(text).to_owned());
    let names: Vec<OsString> = texts.chain(raw.map(|raw| OsString::from_vec(raw.to_vec()))).collect();
    for place in [".", "journal", "segments", "snapshots", "quarantine"] {
        for name in &names {
            let dir = tempfile::tempdir().expect("temporary directory");
            image::write(&base.files, dir.path());
            let path = dir.path().join(place).join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("directory");
            if path.exists() {
                continue;
            }
            if let Err(error) = fs::write(&path, "three years of work") {
                tally.skip(&format!("a file named {name:?}"), error);
                continue;
            }
            tally.count("hostile files", 1);
            let mut refused = false;
            tally.judge(format_args!("{} with {place}/{name:?}", base.name), || {
                child::within(CASE, || {
                    refused = use_it(base, &base.files, dir.path())? == Answer::Refused;
                    // Compaction removes what has a pack's name and is none.
                    let is_ours = name.as_bytes().iter().all(u8::is_ascii_digit)
                        || name.as_bytes().ends_with(b".tmp") && name.as_bytes()[0].is_ascii_digit();
                    if !is_ours && !path.exists() {
                        return Err(Fault::Wrong("somebody's file was removed".to_owned()));
                    }
                    Ok(())
                })
            });
            tally.count("hostile files refused", u64::from(refused));
        }
    }
}
