//! The command line, run as a user runs it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use annals::{CodecId, Draft, Encoding, ExpectedVersion, NewEvent, Shape, Store, Timestamp};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

/// What a run of `annals` left behind.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }
}

fn annals(dir: &Path, args: &[&str]) -> Ran {
    annals_with_input(dir, args, b"")
}

fn annals_with_input(dir: &Path, args: &[&str], input: &[u8]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_annals"))
        .args(args)
        .current_dir(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut stdin = child.stdin.take().expect("stdin");
    // Errors are the child's choice not to read on.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("output");
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("stdout"),
        stderr: String::from_utf8(output.stderr).expect("stderr"),
    }
}

/// A run that must do what it was asked for and have nothing to complain of.
fn done(dir: &Path, args: &[&str]) -> String {
    let ran = annals(dir, args);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
    ran.stdout
}

fn import(dir: &Path, store: &str, lines: &str) -> Ran {
    annals_with_input(dir, &["import", store, "-"], lines.as_bytes())
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("directory")
}

fn summary(events: u64, commits: u64, already_there: u64, held: u64) -> String {
    format!(
        "imported {events} events in {commits} commits, {already_there} already there, {held} recorded_at held"
    )
}

fn id(number: u64) -> String {
    format!("00000000-0000-5000-8000-{number:012}")
}

/// A line of batch `batch`, in a stream of its own.
fn line(number: u64, batch: u64) -> String {
    let id = id(number);
    format!(r#"{{"stream":"s-{number}","type":"T","id":"{id}","batch":{batch},"data":{{"n":{number}}}}}"#)
}

/// The file of real events, if this machine has it.
fn real_events() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/gitlog-ripgrep/events.jsonl");
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED: {} is not there", path.display());
    None
}

#[test]
fn importing_a_real_history_tells_what_it_did_and_a_second_time_that_all_is_there() {
    let Some(file) = real_events() else { return };
    let (dir, file) = (dir(), file.to_str().expect("path").to_owned());
    let first = done(dir.path(), &["import", "store", &file]);
    assert_eq!(first, "imported 7612 events in 2215 commits, 0 already there, 1 recorded_at held\n");
    let second = done(dir.path(), &["import", "store", &file]);
    assert_eq!(second, "imported 0 events in 0 commits, 7612 already there, 0 recorded_at held\n");

    let exported = done(dir.path(), &["export", "store"]);
    assert_eq!(import(dir.path(), "copy", &exported).last_line(), summary(7612, 2215, 0, 0));
    assert!(done(dir.path(), &["export", "copy"]) == exported, "an export of an imported export is the same");
    let stats: serde_json::Value =
        serde_json::from_str(&done(dir.path(), &["stats", "copy", "--json"])).expect("json");
    assert_eq!(stats["streams"], 468);
    assert_eq!(stats["commits"], 2215);
    assert_eq!(stats["first_recorded_at"], "2016-02-27T16:07:26Z");
}

#[derive(Debug, Serialize, Deserialize, PartialEq, Clone)]
enum AccountEvent {
    Opened { owner: String, cents: i64 },
    Deposited(i64),
    Closed,
}

/// A store with everything an event may be.
fn varied_store(path: &Path) {
    let store = Store::open(path).expect("store");
    let account = store.stream("account-1").expect("stream");
    let drafts = [
        Draft::new(AccountEvent::Opened { owner: "Ada\n\"quoted\"".into(), cents: 1 })
            .metadata(*b"{\"by\": \"ada\"}")
            .occurred_at(Timestamp::MIN),
        Draft::new(AccountEvent::Deposited(500)).metadata([0, 255]).occurred_at(Timestamp::MAX),
        Draft::new(AccountEvent::Closed).metadata(*b"null").occurred_at(Timestamp::from_micros(-1)),
    ];
    account.append_drafts(ExpectedVersion::NoStream, drafts).expect("typed as bincode");
    account
        .with_codec::<annals::Json>()
        .append(
            ExpectedVersion::Any,
            [AccountEvent::Opened { owner: "é".into(), cents: 2 }, AccountEvent::Closed],
        )
        .expect("typed as JSON");
    let json = Encoding { codec: CodecId::JSON, ..Encoding::RAW };
    let own = Encoding {
        codec: CodecId::new(200),
        shape: Shape::Tuple,
        fields: u16::MAX,
        schema_version: u32::MAX,
    };
    let raw = |payload: &[u8], encoding| {
        NewEvent::new("Raw\u{1b}[2J", payload.to_vec()).expect("event").encoding(encoding)
    };
    store
        .batch()
        .append_raw(
            "a\nb\u{0}-\u{1f4a9}",
            ExpectedVersion::Any,
            [
                raw(b"", Encoding::RAW),
                raw(b"{\"n\": 1.50, \"n\":1e999}", json),
                raw(b" 1", json),
                raw(b"{\n}", json),
                raw(b"not json", json),
                raw(b"[1]", own),
                raw(b"[1]", Encoding::RAW),
            ],
        )
        .append_raw("other-1", ExpectedVersion::Any, [raw(&[0xff; 1000], Encoding::RAW)])
        .commit()
        .expect("raw");
    store.close().expect("closed");
}

#[test]
fn whatever_an_event_is_export_and_import_give_the_same_one() {
    let dir = dir();
    varied_store(&dir.path().join("store"));
    let exported = done(dir.path(), &["export", "store"]);
    assert_eq!(import(dir.path(), "copy", &exported).last_line(), summary(13, 3, 0, 0));
    assert_eq!(done(dir.path(), &["export", "copy"]), exported);

    let [store, copy] = ["store", "copy"].map(|name| Store::open(dir.path().join(name)).expect("store"));
    let all = |store: &Store| store.read().iter().map(|event| event.expect("event")).collect::<Vec<_>>();
    assert_eq!(all(&copy), all(&store));
    let account = copy.stream("account-1").expect("stream");
    let events = account.fold(Vec::new(), |mut events: Vec<AccountEvent>, event| {
        events.push(event);
        events
    });
    assert_eq!(events.expect("typed events").len(), 5);
}

#[test]
fn payloads_are_the_text_of_the_line_to_the_byte_and_base64_is_any_bytes() {
    let dir = dir();
    let lines = r#"
        {"stream":"a","type":"T","data": {"n" : 1.0e0,"é":"\u00e9"} ,"metadata":[ 1]}
        {"stream":"a","type":"T","data":null,"metadata":null}

        {"stream":"a","type":"T","data_base64":"AP8=","metadata_base64":"/w==","encoding":{"codec":"bincode","fields":3}}
        {"stream":"a","type":"T","data_base64":""}"#;
    assert_eq!(import(dir.path(), "store", lines).last_line(), summary(4, 4, 0, 0));
    let store = Store::open(dir.path().join("store")).expect("store");
    let events: Vec<_> = store.read().iter().map(|event| event.expect("event")).collect();
    let payloads: Vec<_> = events.iter().map(|event| event.payload().to_vec()).collect();
    assert_eq!(payloads, ["{\"n\" : 1.0e0,\"é\":\"\\u00e9\"}".as_bytes(), b"null", &[0, 255], b""]);
    let metadata: Vec<_> = events.iter().map(|event| event.metadata().to_vec()).collect();
    assert_eq!(metadata, [b"[ 1]".as_slice(), b"", &[255], b""]);
    let codecs: Vec<_> = events.iter().map(|event| event.encoding().codec).collect();
    assert_eq!(codecs, [CodecId::JSON, CodecId::JSON, CodecId::BINCODE, CodecId::RAW]);
    assert_eq!(events[2].encoding().fields, 3);
    assert_eq!(events[0].occurred_at(), events[0].recorded_at(), "both are the time of the import");
}

#[test]
fn consecutive_lines_of_a_batch_are_one_commit_and_a_line_without_one_is_its_own() {
    let dir = dir();
    let plain = |number| format!(r#"{{"stream":"p-{number}","type":"T","data":1}}"#);
    let lines =
        [line(1, 7), String::new(), line(2, 7), plain(1), plain(2), line(3, 7), line(4, 8)].join("\n");
    assert_eq!(import(dir.path(), "store", &lines).last_line(), summary(6, 5, 0, 0));
    let store = Store::open(dir.path().join("store")).expect("store");
    let commits: Vec<_> =
        store.read().iter().map(|event| event.expect("event").commit_position().as_u64()).collect();
    assert_eq!(commits, [0, 0, 2, 3, 4, 5]);
}

#[test]
fn a_bad_line_is_told_with_its_number_and_all_before_its_batch_is_kept() {
    let bad_lines = [
        (r#"{"stream":"s-9","batch":2,"type":"T","data":{"n":9}"#, "line 6, column "),
        (
            r#"{"stream":"s-9","batch":2,"type":"T","data":1,"colour":"red"}"#,
            "line 6, column 54: unknown field `colour`",
        ),
        (r#"{"stream":"s-9","batch":2,"data":1}"#, "missing field `type`"),
        (r#"{"stream":"s-9","batch":2,"type":"T"}"#, "line 6: neither data nor data_base64 is given"),
        (
            r#"{"stream":"s-9","batch":2,"type":"T","data":1,"data_base64":"AA=="}"#,
            "both data and data_base64",
        ),
        (r#"{"stream":"s-9","batch":2,"type":"T","data_base64":"A"}"#, "data_base64: "),
        (r#"{"stream":"s-9","batch":2,"type":"T","data":1,"id":"7"}"#, "not an event id"),
        (r#"{"stream":"s-9","batch":2,"type":"T","data":1,"occurred_at":"yesterday"}"#, "not a time"),
        (r#"{"stream":"","batch":2,"type":"T","data":1}"#, "stream name is empty"),
        (
            r#"{"stream":"s-9","batch":2,"type":"T","data":1,"recorded_at":5}"#,
            "recorded_at is another than in line 5",
        ),
        (
            r#"{"stream":"s-9","batch":2,"type":"T","data":1,"occurred_at":1.5}"#,
            "expected RFC 3339 such as 2016",
        ),
        ("not json", "line 6: a line must be a JSON object"),
        (r#"["s-9","T",null,null,null,2]"#, "line 6: a line must be a JSON object"),
    ];
    for (bad, told) in bad_lines {
        let dir = dir();
        let lines = [&line(1, 1), &line(2, 1), "", "", &line(3, 2), bad, &line(4, 3)].join("\n");
        let ran = import(dir.path(), "store", &lines);
        assert_eq!(ran.code, Some(1), "{bad}");
        assert!(
            ran.stderr.starts_with("annals: standard input: line 6") && ran.stderr.contains(told),
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("nothing of batch 2 was imported, which begins at line 5"),
            "{}",
            ran.stderr
        );
        assert_eq!(ran.last_line(), summary(2, 1, 0, 0), "{bad}");

        // Put right, the file goes in, and what was there is known.
        let lines = [line(1, 1), line(2, 1), line(3, 2), line(5, 2)].join("\n");
        assert_eq!(import(dir.path(), "store", &lines).last_line(), summary(2, 1, 2, 0));
    }
}

#[test]
fn a_bad_line_of_another_batch_leaves_the_batch_before_it_whole() {
    for bad in [
        r#"{"stream":"s-9","batch":2,"data""#,
        r#"{"stream":"s-9","type":"T","batch":"1"}"#,
        r#"{"stream":"s-9","type":"T"}"#,
    ] {
        let dir = dir();
        let ran = import(dir.path(), "store", &[&line(1, 1), &line(2, 1), bad].join("\n"));
        assert_eq!((ran.code, ran.last_line()), (Some(1), summary(2, 1, 0, 0).as_str()), "{bad}");
        assert!(ran.stderr.contains("line 3") && !ran.stderr.contains("nothing of"), "{}", ran.stderr);
    }
}

#[test]
fn an_import_that_is_bad_from_the_first_line_on_makes_no_store() {
    let dir = dir();
    for bad in ["[1]", "\n{", r#"{"stream":"a"}"#] {
        let ran = import(dir.path(), "store", bad);
        assert_eq!((ran.code, ran.last_line()), (Some(1), summary(0, 0, 0, 0).as_str()), "{bad}");
        assert!(!dir.path().join("store").exists(), "{bad}");
    }
    assert_eq!(import(dir.path(), "store", "").last_line(), summary(0, 0, 0, 0));
    let stats = done(dir.path(), &["stats", "store"]);
    assert!(stats.contains(", prepared space included\n"), "{stats}");
    assert!(done(dir.path(), &["verify", "store"]).starts_with("sound: 0 events, "));
    assert_eq!(import(dir.path(), "store", &line(1, 1)).last_line(), summary(1, 1, 0, 0));
    assert!(done(dir.path(), &["verify", "store"]).starts_with("sound: 1 event, "));
}

#[test]
fn a_line_that_is_not_text_is_told_with_its_column() {
    let dir = dir();
    let mut lines = line(1, 1).into_bytes();
    lines.extend_from_slice(b"\n{\"stream\":\"\xff\"}\n");
    let ran = annals_with_input(dir.path(), &["import", "store", "-"], &lines);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("line 2, column 12: not UTF-8"), "{}", ran.stderr);
    assert_eq!(ran.last_line(), summary(0, 0, 0, 0), "the line may belong to the batch before it");
}

#[test]
fn a_line_may_have_64_mib_and_not_a_byte_more() {
    const LINE_BYTES_MAX: usize = 64 << 20;
    let dir = dir();
    let padded = |bytes: usize| {
        let line = line(1, 1);
        let blanks = " ".repeat(bytes - line.len());
        format!("{line}{blanks}\n")
    };
    let ran = import(dir.path(), "store", &padded(LINE_BYTES_MAX));
    assert_eq!(ran.last_line(), summary(1, 1, 0, 0), "{}", ran.stderr);
    let ran = import(dir.path(), "store", &padded(LINE_BYTES_MAX + 1));
    assert_eq!((ran.code, ran.last_line()), (Some(1), summary(0, 0, 0, 0).as_str()));
    assert!(ran.stderr.contains("line 1: the line is longer than 67108864 bytes"), "{}", ran.stderr);
}

#[test]
fn a_batch_may_have_as_many_events_as_a_commit_and_not_one_more() {
    const EVENTS_MAX: usize = annals::limits::COMMIT_EVENTS_MAX;
    let dir = dir();
    let line = "{\"stream\":\"a\",\"type\":\"T\",\"batch\":1,\"data\":1}\n";
    let ran = import(dir.path(), "store", &line.repeat(EVENTS_MAX));
    assert_eq!(ran.last_line(), summary(65_536, 1, 0, 0), "{}", ran.stderr);
    let ran = import(dir.path(), "store", &line.repeat(EVENTS_MAX + 1));
    assert_eq!((ran.code, ran.last_line()), (Some(1), summary(0, 0, 0, 0).as_str()));
    assert!(ran.stderr.contains("line 65537: the batch has more than 65536 events"), "{}", ran.stderr);
}

#[test]
fn an_id_that_is_there_with_other_content_is_refused_with_the_lines_of_its_batch() {
    let dir = dir();
    import(dir.path(), "store", &line(1, 1));
    let changed = line(1, 5).replace(r#"{"n":1}"#, r#"{"n":2}"#);
    let lines = [line(2, 4), changed, line(3, 5), line(4, 6)].join("\n");
    let ran = import(dir.path(), "store", &lines);
    assert_eq!((ran.code, ran.last_line()), (Some(1), summary(1, 1, 0, 0).as_str()));
    assert!(ran.stderr.contains("lines 2 to 3: nothing of this commit was imported: "), "{}", ran.stderr);
    assert!(ran.stderr.contains(&id(1)), "{}", ran.stderr);
}

#[test]
fn recorded_at_is_held_and_counted_and_times_of_any_size_come_back() {
    let dir = dir();
    let line = |recorded: &str, occurred: &str| {
        format!(r#"{{"stream":"a","type":"T","recorded_at":{recorded},"occurred_at":{occurred},"data":1}}"#)
    };
    let lines = [
        line("-9223372036854775808", "9223372036854775807"),
        line(r#""2016-02-27T11:07:26.5-05:00""#, r#""9999-12-30T21:59:59.999999Z""#),
        line(r#""2016-02-27T16:07:26Z""#, r#""1969-12-31T23:59:59.999999999Z""#),
        line("253402300800000000", "-62167219200000001"),
    ]
    .join("\n");
    assert_eq!(import(dir.path(), "store", &lines).last_line(), summary(4, 4, 0, 1));
    let exported = done(dir.path(), &["export", "store"]);
    let times: Vec<_> = exported
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("json"))
        .map(|line| format!("{} {}", line["recorded_at"], line["occurred_at"]))
        .collect();
    assert_eq!(
        times,
        [
            "-9223372036854775808 9223372036854775807",
            r#""2016-02-27T16:07:26.5Z" "9999-12-30T21:59:59.999999Z""#,
            r#""2016-02-27T16:07:26.5Z" "1969-12-31T23:59:59.999999Z""#,
            "253402300800000000 -62167219200000001",
        ]
    );
}

#[test]
fn streams_read_and_export_can_be_narrowed_down() {
    let dir = dir();
    varied_store(&dir.path().join("store"));
    let table = done(dir.path(), &["streams", "store"]);
    let rows: Vec<Vec<_>> = table.lines().map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["stream", "events", "last", "version"]);
    assert_eq!(rows[1], ["a\\nb\\u{0}-\u{1f4a9}", "7", "6"], "what moves a cursor is escaped");
    assert_eq!(rows[2], ["account-1", "5", "4"]);
    let json = done(dir.path(), &["streams", "store", "--category", "account", "--json"]);
    assert_eq!(json, "{\"stream\":\"account-1\",\"events\":5,\"version\":4}\n");

    let versions = |args: &[&str]| -> Vec<u64> {
        let lines = done(dir.path(), args);
        let version =
            |line| serde_json::from_str::<serde_json::Value>(line).expect("json")["version"].as_u64();
        lines.lines().map(|line| version(line).expect("version")).collect()
    };
    assert_eq!(versions(&["read", "store", "account-1"]), [0, 1, 2, 3, 4]);
    assert_eq!(versions(&["read", "store", "account-1", "--from", "3"]), [3, 4]);
    assert_eq!(versions(&["read", "store", "account-1", "--backward", "--limit", "2"]), [4, 3]);
    assert_eq!(versions(&["read", "store", "account-1", "--backward", "--from", "1"]), [1, 0]);
    assert_eq!(versions(&["export", "store", "--stream", "account-1"]).len(), 5);
    assert_eq!(versions(&["export", "store", "--category", "other"]), [0]);
    let absent = annals(dir.path(), &["read", "store", "account-2"]);
    let told = "annals: stream \"account-2\" has no events\n".to_owned();
    assert_eq!(absent, Ran { code: Some(0), stdout: String::new(), stderr: told });
}

#[test]
fn looking_at_a_store_never_makes_one() {
    let dir = dir();
    fs::create_dir(dir.path().join("empty")).expect("directory");
    for store in ["missing", "empty"] {
        for args in
            [["export", store].as_slice(), &["streams", store], &["read", store, "a"], &["stats", store]]
        {
            let ran = annals(dir.path(), args);
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{args:?}");
            assert!(ran.stderr.starts_with("annals: ") && ran.stderr.contains(store), "{}", ran.stderr);
        }
    }
    assert_eq!(annals(dir.path(), &["verify", "missing"]).code, Some(1));
    assert_eq!(annals(dir.path(), &["verify", "empty"]).code, Some(2));
    assert_eq!(annals(dir.path(), &["import", "missing", "no-such-file"]).code, Some(1));
    assert_eq!(annals(dir.path(), &["import", "missing", "empty"]).code, Some(1));
    assert!(!dir.path().join("missing").exists());
    assert_eq!(fs::read_dir(dir.path().join("empty")).expect("directory").count(), 0);
}

/// Every file below a directory, with its bytes and when it was last written.
fn files(dir: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("directory") {
        let path = entry.expect("entry").path();
        let found = path.metadata().expect("metadata");
        let modified = found.modified().expect("modified");
        if found.is_dir() {
            files.push((path.clone(), Vec::new(), modified));
            files.extend(self::files(&path));
        } else {
            files.push((path.clone(), fs::read(&path).expect("bytes"), modified));
        }
    }
    files.sort();
    files
}

#[test]
fn verify_tells_sound_from_damaged_and_changes_nothing() {
    let dir = dir();
    let store = dir.path().join("store");
    varied_store(&store);
    let before = files(&store);
    let sound = annals(dir.path(), &["verify", "store"]);
    assert_eq!(sound.code, Some(0), "{}", sound.stderr);
    assert!(sound.last_line().starts_with("sound: 13 events"), "{}", sound.stdout);
    assert_eq!(files(&store), before);

    let journal = store.join("journal/00000001");
    let bytes = fs::read(&journal).expect("journal");
    let at = bytes.windows(8).position(|window| window == b"not json").expect("payload");
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    fs::write(&journal, flipped(at)).expect("damaged");
    let before = files(&store);
    let damaged = annals(dir.path(), &["verify", "store"]);
    assert_eq!(damaged.code, Some(2), "{}", damaged.stderr);
    let first = damaged.stdout.lines().next().unwrap_or_default();
    assert!(first.starts_with("damage: \"store/journal/00000001\" at offset "), "{first}");
    assert_eq!(first.matches("offset").count(), 1, "the place is told once: {first}");
    assert!(damaged.last_line().starts_with("damaged in 1 place, sound are: 5 events"), "{}", damaged.stdout);
    assert_eq!(files(&store), before);
    assert_eq!(annals(dir.path(), &["export", "store"]).code, Some(1), "a damaged store is not opened");
    assert_eq!(files(&store), before);

    fs::write(&journal, &bytes).expect("mended");
    assert_eq!(annals(dir.path(), &["verify", "store"]).code, Some(0));
    fs::remove_file(store.join("MANIFEST")).expect("removed");
    let before = files(&store);
    let headless = annals(dir.path(), &["verify", "store"]);
    assert_eq!(headless.code, Some(2));
    assert!(headless.stdout.starts_with("damage: \"store/MANIFEST\""), "{}", headless.stdout);
    assert_eq!(files(&store), before);
}

#[test]
fn looking_at_a_store_that_was_closed_changes_none_of_its_files() {
    let dir = dir();
    let store = dir.path().join("store");
    varied_store(&store);
    let before = files(&store);
    for args in [["export", "store"].as_slice(), &["streams", "store"], &["stats", "store"]] {
        done(dir.path(), args);
        assert_eq!(files(&store), before, "{args:?}");
    }
}

#[test]
fn a_store_that_is_open_elsewhere_is_read_and_verified_but_takes_no_import() {
    let dir = dir();
    let store = Store::open(dir.path().join("store")).expect("store");
    store.stream("a").expect("stream").append(ExpectedVersion::Any, [AccountEvent::Closed]).expect("append");
    let exported = annals(dir.path(), &["export", "store"]);
    assert_eq!((exported.code, exported.stdout.lines().count()), (Some(0), 1), "{}", exported.stderr);
    let ran = import(dir.path(), "store", &exported.stdout);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("open already"), "{}", ran.stderr);
    assert_eq!(annals(dir.path(), &["verify", "store"]).code, Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_a_command_quietly() {
    let dir = dir();
    let lines: Vec<_> = (0..5000).map(|number| line(number, number / 1000)).collect();
    assert_eq!(import(dir.path(), "store", &lines.join("\n")).last_line(), summary(5000, 5, 0, 0));
    let mut child = Command::new(env!("CARGO_BIN_EXE_annals"))
        .args(["export", "store"])
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("output");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
}

#[test]
fn wrong_usage_is_1_and_help_is_0() {
    let dir = dir();
    let both = ["export", "a", "--stream", "b-1", "--category", "b"];
    let of_text = ["read", "a", "b", "--from", "x"];
    for wrong in [[].as_slice(), &["bogus"], &["verify"], &["stats", "a", "b"], &of_text, &both] {
        assert_eq!(annals(dir.path(), wrong).code, Some(1), "{wrong:?}");
    }
    for helped in [["--help"].as_slice(), &["--version"], &["import", "--help"], &["help", "verify"]] {
        let ran = annals(dir.path(), helped);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{helped:?}");
        assert!(ran.stdout.lines().all(|line| line.chars().count() <= 100), "{}", ran.stdout);
    }
}
