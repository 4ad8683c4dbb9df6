//! Retrying appends by event id: permanent, by content, within a stream.

use annals::{
    ErrorKind, ExpectedVersion, Failure, IdReuseReason, NewEvent, Options, Outcome, Position, Receipt, Store,
    Version,
};
use tempfile::TempDir;

use crate::support::{all, event, event_with_id, id};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn path(dir: &TempDir) -> std::path::PathBuf {
    dir.path().join("bank")
}

/// Reads nothing from memory: what an id stands for must be looked up on disk.
fn forgetful() -> Options {
    Options::new().recent_bytes_max(0)
}

fn first_batch() -> [NewEvent; 3] {
    [event_with_id(1, "a"), event_with_id(2, "b"), event_with_id(3, "c")]
}

fn expectations() -> Vec<ExpectedVersion> {
    let exact = |version| ExpectedVersion::Exact(Version::new(version));
    vec![ANY, ExpectedVersion::NoStream, ExpectedVersion::StreamExists, exact(0), exact(2), exact(99)]
}

fn append(store: &Store, events: impl IntoIterator<Item = NewEvent>) -> annals::Result<Receipt> {
    store.stream("account-1").expect("name").append_raw(ANY, events)
}

fn assert_same_answer_for_every_expectation(store: &Store, first: &Receipt) {
    let before = store.head();
    for expected in expectations() {
        let again =
            store.stream("account-1").expect("name").append_raw(expected, first_batch()).expect("a retry");
        assert_eq!(again.outcome(), Outcome::AlreadyAppended, "{expected}");
        assert_eq!(again.versions().collect::<Vec<_>>(), first.versions().collect::<Vec<_>>());
        assert_eq!(again.positions().collect::<Vec<_>>(), first.positions().collect::<Vec<_>>());
        assert_eq!(again.version(), first.version());
        assert_eq!(again.recorded_at(), first.recorded_at());
        assert_eq!(store.head(), before, "nothing was written");
    }
}

#[test]
fn a_retry_is_already_appended_whatever_it_expects_and_however_much_came_after() {
    for options in [Options::new(), forgetful()] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = options.clone().open(path(&dir)).expect("open");
        append(&store, [event("before")]).expect("append");
        let first = append(&store, first_batch()).expect("append");
        assert_same_answer_for_every_expectation(&store, &first);
        for number in 0..200 {
            append(&store, [event(format!("{number}"))]).expect("append");
        }
        assert_same_answer_for_every_expectation(&store, &first);
        store.close().expect("close");
        let store = options.open(path(&dir)).expect("open again");
        assert_same_answer_for_every_expectation(&store, &first);
        // Before the first write after a clean close the manifest says that the store is open.
        assert!(Store::verify(path(&dir)).expect("verify").clean, "a retry wrote nothing");
    }
}

#[test]
fn ids_that_are_known_may_be_retried_in_smaller_pieces_and_in_larger_ones() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = forgetful().open(path(&dir)).expect("open");
    append(&store, first_batch()).expect("append");
    append(&store, [event_with_id(4, "d")]).expect("append");
    let piece = append(&store, [event_with_id(2, "b"), event_with_id(4, "d")]).expect("a retry");
    assert_eq!(piece.outcome(), Outcome::AlreadyAppended);
    assert_eq!(piece.versions().map(Version::as_u64).collect::<Vec<_>>(), [1, 3]);
    assert_eq!(store.head(), Position::new(4));
}

fn assert_refused(store: &Store, events: impl IntoIterator<Item = NewEvent>, wanted: IdReuseReason) {
    let before = all(store);
    let error = append(store, events).expect_err("an id is reused");
    assert_eq!(error.kind(), ErrorKind::IdReused, "{error}");
    let Some(Failure::IdReuse(reuse)) = error.failures().first() else { panic!("{error}") };
    assert_eq!(reuse.what, wanted);
    assert_eq!(reuse.stream.as_str(), "account-1");
    assert_eq!(all(store), before, "nothing was written");
}

#[test]
fn a_known_id_with_other_content_in_part_or_in_other_order_is_refused_and_writes_nothing() {
    for options in [Options::new(), forgetful()] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = options.open(path(&dir)).expect("open");
        append(&store, first_batch()).expect("append");
        let [a, b, c] = first_batch();
        let new = event_with_id(9, "new");
        assert_refused(&store, [event_with_id(1, "A")], IdReuseReason::OtherContent);
        let other_type = NewEvent::new("Other", *b"a").expect("type").id(id(1));
        assert_refused(&store, [other_type], IdReuseReason::OtherContent);
        assert_refused(&store, [a.clone(), new.clone()], IdReuseReason::PartOfBatch);
        assert_refused(&store, [new, a.clone()], IdReuseReason::PartOfBatch);
        assert_refused(&store, [a.clone(), event("without an id")], IdReuseReason::PartOfBatch);
        assert_refused(&store, [b.clone(), a.clone()], IdReuseReason::OtherOrder);
        assert_refused(&store, [a, c, b], IdReuseReason::OtherOrder);
        append(&store, first_batch()).expect("the true retry still holds");
    }
}

#[test]
fn a_retry_with_other_metadata_or_time_is_the_same_append() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(path(&dir)).expect("open");
    append(&store, [event_with_id(1, "a").metadata(*b"first")]).expect("append");
    let retry = event_with_id(1, "a").metadata(*b"second").occurred_at(annals::Timestamp::EPOCH);
    assert_eq!(append(&store, [retry]).expect("retry").outcome(), Outcome::AlreadyAppended);
    assert_eq!(all(&store)[0].metadata(), b"first", "what was recorded stays");
}

#[test]
fn the_same_id_twice_in_one_append_is_refused_and_writes_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(path(&dir)).expect("open");
    let error = append(&store, [event_with_id(1, "a"), event_with_id(1, "a")]).expect_err("doubled");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let batch =
        store.batch().append_raw("a", ANY, [event_with_id(1, "a")]).append_raw("b", ANY, [event("b")]);
    let error = batch.append_raw("a", ANY, [event_with_id(1, "a")]).commit().expect_err("doubled");
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(store.head(), Position::FIRST);
}

#[test]
fn the_same_id_in_two_streams_is_two_events() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = forgetful().open(path(&dir)).expect("open");
    let same_id = || [event_with_id(1, "a")];
    store.batch().append_raw("a", ANY, same_id()).append_raw("b", ANY, same_id()).commit().expect("commit");
    let third =
        store.stream("c").expect("name").append_raw(ANY, [event_with_id(1, "other")]).expect("append");
    assert_eq!(third.outcome(), Outcome::Appended);
    for stream in ["a", "b", "c"] {
        let found = store.stream(stream).expect("name").find(id(1)).expect("find").expect("there");
        assert_eq!(found.stream(), stream);
    }
    let again = store.stream("c").expect("name").append_raw(ANY, [event_with_id(1, "other")]).expect("retry");
    assert_eq!(
        (again.outcome(), again.positions().next()),
        (Outcome::AlreadyAppended, Some(Position::new(2)))
    );
}

#[test]
fn a_batch_over_streams_is_retried_as_a_whole() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = forgetful().open(path(&dir)).expect("open");
    let batch = |expected: ExpectedVersion| {
        let batch = store.batch().append_raw("a", expected, [event_with_id(1, "a")]);
        batch.append_raw("b", expected, [event_with_id(2, "b")]).check("c", expected)
    };
    let first = batch(ExpectedVersion::NoStream).commit().expect("commit");
    append(&store, [event("after")]).expect("append");
    for expected in expectations() {
        let again = batch(expected).commit().expect("retry");
        assert_eq!(again.outcome(), Outcome::AlreadyAppended);
        assert_eq!(again.recorded_at(), first.recorded_at());
        for stream in ["a", "b"] {
            let of = |receipt: &annals::BatchReceipt| receipt.stream(stream).expect("receipt").version();
            assert_eq!(of(&again), of(&first));
        }
    }
    let part =
        store.batch().append_raw("a", ANY, [event_with_id(1, "a")]).append_raw("b", ANY, [event("new")]);
    assert_eq!(part.commit().expect_err("in part").kind(), ErrorKind::IdReused);
    assert_eq!(store.head(), Position::new(3));
}

#[test]
fn reused_ids_and_conflicts_of_one_batch_are_all_reported() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(path(&dir)).expect("open");
    append(&store, first_batch()).expect("append");
    let error = store
        .batch()
        .append_raw("account-1", ANY, [event_with_id(1, "other"), event_with_id(2, "other")])
        .check("account-2", ExpectedVersion::StreamExists)
        .commit()
        .expect_err("refused");
    assert_eq!(error.kind(), ErrorKind::IdReused);
    let reused = error.failures().iter().filter(|failure| matches!(failure, Failure::IdReuse(_))).count();
    assert_eq!((reused, error.conflicts().count()), (2, 1));
}

#[test]
fn what_was_sealed_long_ago_is_known_by_its_ids_for_ever() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let open = || forgetful().journal_file_bytes(64 << 10).block_cache_bytes_max(0).open(path(&dir));
    let store = open().expect("open");
    let first = append(&store, first_batch()).expect("append");
    let elsewhere = store.stream("account-2").expect("name");
    let other = elsewhere.append_raw(ANY, [event_with_id(1, "in another stream")]).expect("append");
    for round in 0..12_u64 {
        // Many events of its own stream and of others, in segments behind the first.
        let many = (0..40).map(|number| event_with_id(1_000 + round * 40 + number, vec![3; 90]));
        append(&store, many).expect("append");
        store.stream(format!("s-{round}")).expect("name").append_raw(ANY, [event("x")]).expect("append");
        assert_eq!(store.seal().expect("seal"), 1);
        assert_same_answer_for_every_expectation(&store, &first);
    }
    store.close().expect("close");
    let store = open().expect("open");
    assert_same_answer_for_every_expectation(&store, &first);
    let again =
        store.stream("account-2").expect("name").append_raw(ANY, [event_with_id(1, "in another stream")]);
    let again = again.expect("a retry");
    assert_eq!(again.outcome(), Outcome::AlreadyAppended);
    assert!(again.positions().eq(other.positions()) && again.versions().eq(other.versions()));
    // Some from the first segment and some from the last.
    let far_apart = [event_with_id(3, "c"), event_with_id(1_000 + 11 * 40 + 39, vec![3; 90])];
    let receipt = append(&store, far_apart).expect("a retry");
    assert_eq!(receipt.outcome(), Outcome::AlreadyAppended);
    assert_eq!(receipt.versions().map(Version::as_u64).collect::<Vec<_>>(), [2, 3 + 12 * 40 - 1]);
    let head = store.head();
    let refused = [
        vec![event_with_id(1, "other content")],
        vec![event_with_id(1, "a"), event_with_id(99_999, "and a new one")],
        vec![event_with_id(2, "b"), event_with_id(1, "a")],
        vec![event_with_id(1_007, vec![4; 90])],
    ];
    for events in refused {
        let error = append(&store, events).expect_err("reused");
        assert_eq!(error.kind(), ErrorKind::IdReused, "{error}");
    }
    assert_eq!(store.head(), head, "nothing was written");
    let same_id_elsewhere = store.stream("account-3").expect("name").append_raw(ANY, [event_with_id(1, "a")]);
    assert_eq!(same_id_elsewhere.expect("another stream").outcome(), Outcome::Appended);
}
