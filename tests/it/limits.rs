//! Every limit of `annals::limits`, at the limit and one past it.

use annals::limits::{
    COMMIT_BYTES_MAX, COMMIT_EVENTS_MAX, COMMIT_STREAMS_MAX, EVENT_TYPE_BYTES_MAX, JOURNAL_FILE_BYTES_MAX,
    JOURNAL_FILE_BYTES_MIN, METADATA_BYTES_MAX, PAYLOAD_BYTES_MAX, STREAM_NAME_BYTES_MAX,
};
use annals::{
    Durability, Error, ErrorKind, ExpectedVersion, Maintenance, NewEvent, Options, Position, Store,
    SubjectPattern, Version,
};
use tempfile::TempDir;

use crate::support::event;

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn new_store(options: Options) -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = options.durability(Durability::Buffered).open(dir.path().join("bank")).expect("open");
    (dir, store)
}

fn append(store: &Store, event: NewEvent) -> annals::Result<annals::Receipt> {
    store.stream("a").expect("name").append_raw(ANY, [event])
}

fn assert_refused(store: &Store, answer: annals::Result<annals::Receipt>) {
    let head = store.head();
    assert_eq!(answer.expect_err("past the limit").kind(), ErrorKind::Invalid);
    assert_eq!(store.head(), head, "nothing was written");
    append(store, event("goes on")).expect("the handle goes on");
}

#[test]
fn a_stream_name_has_1_to_512_bytes() {
    let (dir, store) = new_store(Options::new());
    let longest = "é".repeat(STREAM_NAME_BYTES_MAX / 2);
    store.stream(&longest).expect("512 bytes").append_raw(ANY, [event("x")]).expect("append");
    for name in [String::new(), format!("{longest}x")] {
        assert_eq!(store.stream(&name).expect_err("past the limit").kind(), ErrorKind::Invalid);
        let batch = store.batch().append_raw(&name, ANY, [event("x")]).append_raw("b", ANY, [event("x")]);
        assert_eq!(batch.commit().expect_err("past the limit").kind(), ErrorKind::Invalid);
    }
    assert_eq!(store.head(), Position::new(1), "a batch with a bad name writes nothing");
    store.close().expect("close");
    let store = Store::open(dir.path().join("bank")).expect("open");
    assert_eq!(store.streams().expect("streams")[0].name.as_str(), longest);
}

#[test]
fn an_event_type_has_1_to_256_bytes() {
    let (_dir, store) = new_store(Options::new());
    let longest = "é".repeat(EVENT_TYPE_BYTES_MAX / 2);
    append(&store, NewEvent::new(longest.clone(), *b"x").expect("256 bytes")).expect("append");
    let last = store.stream("a").expect("name").last().expect("last").expect("an event");
    assert_eq!(last.event_type(), longest);
    for name in [String::new(), format!("{longest}x")] {
        let error = NewEvent::new(name, *b"x").map_err(Error::from).expect_err("past the limit");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[test]
fn a_payload_has_up_to_16_mib() {
    let (_dir, store) = new_store(Options::new());
    append(&store, event(vec![7; PAYLOAD_BYTES_MAX])).expect("16 MiB");
    append(&store, event("")).expect("an empty payload is fine");
    let sizes: Vec<_> = store.read().iter().map(|event| event.expect("event").payload().len()).collect();
    assert_eq!(sizes, [PAYLOAD_BYTES_MAX, 0]);
    assert_refused(&store, append(&store, event(vec![7; PAYLOAD_BYTES_MAX + 1])));
}

#[test]
fn metadata_has_up_to_64_kib() {
    let (_dir, store) = new_store(Options::new());
    append(&store, event("x").metadata(vec![7; METADATA_BYTES_MAX])).expect("64 KiB");
    assert_refused(&store, append(&store, event("x").metadata(vec![7; METADATA_BYTES_MAX + 1])));
}

#[test]
fn a_commit_has_up_to_65536_events() {
    let (dir, store) = new_store(Options::new());
    let events = |count: usize| (0..count).map(|_| event("x"));
    let receipt =
        store.stream("a").expect("name").append_raw(ANY, events(COMMIT_EVENTS_MAX)).expect("65,536");
    assert_eq!(receipt.version(), Some(Version::new(65_535)));
    assert_refused(&store, store.stream("a").expect("name").append_raw(ANY, events(COMMIT_EVENTS_MAX + 1)));
    store.close().expect("close");
    let store = Store::open(dir.path().join("bank")).expect("open");
    assert_eq!(store.head(), Position::new(65_537));
}

#[test]
fn a_commit_names_up_to_65536_streams() {
    let (_dir, store) = new_store(Options::new());
    let checks = |count: usize| {
        (0..count).fold(store.batch(), |batch, number| batch.check(format!("s-{number}"), ANY))
    };
    checks(COMMIT_STREAMS_MAX).commit().expect("65,536");
    let error = checks(COMMIT_STREAMS_MAX + 1).commit().expect_err("past the limit");
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// Events whose commit to stream `a` has exactly so many bytes, by the byte maps of frame, commit and record.
fn commit_of(bytes: usize) -> Vec<NewEvent> {
    const FRAME_AND_BODY_HEADER: usize = 56 + 16;
    const PER_EVENT: usize = 4 + 60 + "a".len() + "Happened".len();
    let count = bytes.div_ceil(PAYLOAD_BYTES_MAX);
    let mut payload_bytes = bytes - FRAME_AND_BODY_HEADER - count * PER_EVENT;
    (0..count)
        .map(|_| {
            let of_this = payload_bytes.min(PAYLOAD_BYTES_MAX);
            payload_bytes -= of_this;
            event(vec![7; of_this])
        })
        .collect()
}

/// Full files stay as they are: nobody seals them.
fn inline() -> Options {
    Options::new().maintenance(Maintenance::Inline)
}

#[test]
fn a_commit_has_up_to_64_mib_and_one_larger_than_a_journal_file_gets_a_file_of_its_own() {
    let (dir, store) = new_store(inline().journal_file_bytes(JOURNAL_FILE_BYTES_MIN).recent_bytes_max(0));
    let account = store.stream("a").expect("name");
    account.append_raw(ANY, [event("before")]).expect("append");
    let error = account.append_raw(ANY, commit_of(COMMIT_BYTES_MAX + 1)).expect_err("past the limit");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let receipt = account.append_raw(ANY, commit_of(COMMIT_BYTES_MAX)).expect("64 MiB");
    assert_eq!(receipt.version(), Some(Version::new(4)));
    account.append_raw(ANY, [event("after")]).expect("append");
    let stats = store.stats().expect("stats");
    assert_eq!(stats.journal_files, 3, "one before, its own, one after");
    store.close().expect("close");
    let report = Store::verify(dir.path().join("bank")).expect("verify");
    assert!(report.is_sound(), "{:?}", report.damages);
    let store = Store::open(dir.path().join("bank")).expect("open");
    let sizes: Vec<_> = store.read().iter().map(|event| event.expect("event").payload().len()).collect();
    assert_eq!(sizes[..2], [6, PAYLOAD_BYTES_MAX]);
    assert_eq!((sizes.len(), sizes[5]), (6, 5));
}

#[test]
fn a_journal_file_has_64_kib_to_1_gib() {
    for bytes in [JOURNAL_FILE_BYTES_MIN, JOURNAL_FILE_BYTES_MAX] {
        let (_dir, store) = new_store(Options::new().journal_file_bytes(bytes));
        append(&store, event("x")).expect("append");
        assert!(
            store.stats().expect("stats").journal_bytes < 1 << 20,
            "a large file is not prepared at once"
        );
    }
    for bytes in [0, JOURNAL_FILE_BYTES_MIN - 1, JOURNAL_FILE_BYTES_MAX + 1, u64::MAX] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("bank");
        let error = Options::new().journal_file_bytes(bytes).open(&path).expect_err("past the limit");
        assert_eq!(error.kind(), ErrorKind::Invalid, "{bytes}");
        assert!(!path.exists(), "nothing was made");
    }
}

#[test]
fn a_journal_file_is_filled_to_its_last_byte_and_not_beyond() {
    const FRAMES_AT: usize = 4096;
    for (left, files) in [(0, 1), (8, 2)] {
        let (_dir, store) = new_store(inline().journal_file_bytes(JOURNAL_FILE_BYTES_MIN));
        // A frame is padded to a multiple of 8, by at least one byte.
        let frame = usize::try_from(JOURNAL_FILE_BYTES_MIN).expect("bytes") - FRAMES_AT;
        let first = commit_of(frame / 2 - 1);
        let second = commit_of(frame / 2 - 1 + left);
        store.stream("a").expect("name").append_raw(ANY, first).expect("append");
        store.stream("a").expect("name").append_raw(ANY, second).expect("append");
        assert_eq!(store.stats().expect("stats").journal_files, files, "{left} bytes too many");
    }
}

#[test]
fn a_subject_pattern_has_up_to_64_tokens() {
    let pattern = |tokens: usize| vec!["a"; tokens].join(".").parse::<SubjectPattern>();
    assert!(pattern(annals::limits::SUBJECT_TOKENS_MAX).is_ok());
    let error = Error::from(pattern(annals::limits::SUBJECT_TOKENS_MAX + 1).expect_err("past the limit"));
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
