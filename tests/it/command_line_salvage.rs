//! The commands for a damaged store, run as a user runs them.

use std::fs;
use std::path::Path;
use std::process::Command;

use annals::{ExpectedVersion, NewEvent, Store};

/// Exit code, standard output, standard error.
fn annals(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_annals")).args(args).current_dir(dir).output().expect("output");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A store of five commits over two streams.
fn store(dir: &Path) {
    let store = Store::open(dir.join("store")).expect("open");
    for (number, stream) in ["a", "b", "a", "a", "b"].into_iter().enumerate() {
        let one = NewEvent::new("Happened", format!("payload {number}")).expect("event");
        store.stream(stream).expect("name").append_raw(ExpectedVersion::Any, [one]).expect("append");
    }
    store.close().expect("close");
}

/// Flips a bit in the payloads of these events.
fn damage(dir: &Path, numbers: &[u64]) {
    let journal = dir.join("store/journal/00000001");
    let mut bytes = fs::read(&journal).expect("read");
    for number in numbers {
        let wanted = format!("payload {number}");
        let at = bytes.windows(9).position(|window| window == wanted.as_bytes()).expect("it is in there");
        bytes[at] ^= 1;
    }
    fs::write(journal, bytes).expect("write");
}

#[test]
fn salvage_of_a_sound_store_loses_nothing_and_exports_the_same_to_the_byte() {
    let dir = tempfile::tempdir().expect("directory");
    store(dir.path());
    let (code, stdout, stderr) = annals(dir.path(), &["salvage", "store", "new"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("salvaged 5 events in 5 commits, nothing lost; store "), "{stdout}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
    let (export, copy) = (annals(dir.path(), &["export", "store"]), annals(dir.path(), &["export", "new"]));
    assert!(export == copy && export.1.lines().count() == 5, "{export:?}");
}

#[test]
fn salvage_and_verify_list_all_damage_and_what_it_cost() {
    let dir = tempfile::tempdir().expect("directory");
    store(dir.path());
    damage(dir.path(), &[0, 4]);
    fs::remove_file(dir.path().join("store/MANIFEST")).expect("remove");
    let (code, verified, _) = annals(dir.path(), &["verify", "store"]);
    assert_eq!((code, verified.lines().count()), (Some(2), 4), "{verified}");
    let last = verified.lines().last().unwrap_or_default();
    assert!(last.starts_with("damaged in 3 places, sound are: 3 events"), "{verified}");

    let (code, stdout, stderr) = annals(dir.path(), &["salvage", "store", "new"]);
    assert_eq!((code, stderr.as_str()), (Some(2), ""), "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("damage: \"store/")).count(), 3, "{stdout}");
    assert_eq!(lines[3..6], ["lost: position 0", "lost: position 4", "lost: version 0 of stream \"a\""]);
    let summary = "salvaged 3 events in 3 commits, 2 events lost, 1 of them of known streams; store ";
    assert!(lines[6].starts_with(summary), "{stdout}");
    assert_eq!(lines.len(), 7, "{stdout}");
    assert_eq!(annals(dir.path(), &["verify", "new"]).0, Some(0));

    let (code, stdout, stderr) = annals(dir.path(), &["salvage", "store", "new"]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "nothing is overwritten");
    assert!(stderr.starts_with("annals: salvaging store \"store\" into \"new\": "), "{stderr}");
    assert_eq!(annals(dir.path(), &["salvage", "missing", "other"]).0, Some(1));
    assert!(!dir.path().join("other").exists());
}

#[test]
fn an_end_that_is_lost_is_told() {
    let dir = tempfile::tempdir().expect("directory");
    store(dir.path());
    let journal = dir.path().join("store/journal/00000001");
    let mut bytes = fs::read(&journal).expect("read");
    let at = bytes.windows(9).position(|window| window == b"payload 3").expect("it is in there");
    bytes[at..].fill(0);
    fs::write(journal, bytes).expect("write");
    let (code, stdout, _) = annals(dir.path(), &["salvage", "store", "new"]);
    assert_eq!(code, Some(2));
    let told = "lost: all from position 3 on, nothing tells how many events, 2 commits at most";
    assert!(stdout.lines().any(|line| line == told), "{stdout}");
    let last = stdout.lines().last().unwrap_or_default();
    assert!(last.starts_with("salvaged 3 events in 3 commits, at least 1 event lost, "), "{stdout}");
}

#[test]
fn verify_holds_the_end_against_a_head_that_was_kept_elsewhere() {
    let dir = tempfile::tempdir().expect("temporary directory");
    store(dir.path());
    assert_eq!(annals(dir.path(), &["verify", "store", "--head", "5"]).0, Some(0));
    let (code, told, _) = annals(dir.path(), &["verify", "store", "--head", "6"]);
    assert_eq!(code, Some(2));
    assert!(told.contains("the events end at position 5, and 6 is expected"), "{told}");
}
