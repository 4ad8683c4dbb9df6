//! `annals consumers`, run as a user runs it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use annals::{ExpectedVersion, NewEvent, Store};

/// What it prints, which must be all it has to say.
fn consumers(dir: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_annals"));
    let output = command.args(["consumers", "store"]).args(args).current_dir(dir).output().expect("output");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn consumers_are_listed_with_how_far_they_have_come() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path().join("store")).expect("open");
    for stream in ["a", "b", "c"] {
        let event = NewEvent::new("Happened", *b"x").expect("event");
        store.stream(stream).expect("name").append_raw(ExpectedVersion::Any, [event]).expect("append");
    }
    assert_eq!(consumers(dir.path(), &["--json"]), "");
    let mailer = store.consumer("mailer").start().expect("start");
    let next = || mailer.next(Duration::ZERO).expect("next").expect("a delivery");
    let (first, second, third) = (next(), next(), next());
    second.park("bad address").expect("park");
    third.ack().expect("ack");
    let line = consumers(dir.path(), &["--json"]);
    let line: serde_json::Value = serde_json::from_str(&line).expect("json");
    let wanted = serde_json::json!({"consumer": "mailer", "floor": 0, "lag": 3, "open": 1, "parked": 1});
    assert_eq!(line, wanted);
    first.ack().expect("ack");
    let table = consumers(dir.path(), &[]);
    assert!(table.contains("mailer") && table.contains("open"), "{table}");
}
