//! Appending: expectations, receipts, batches, times, durability.

use annals::{
    Durability, ErrorKind, ExpectedVersion, Failure, Options, Outcome, Position, Store, Timestamp, Version,
};
use tempfile::TempDir;

use crate::support::{ManualClock, all, count, event, payloads};

fn new_store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path().join("bank")).expect("open");
    (dir, store)
}

fn with_clock(clock: &ManualClock) -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Options::new().clock(clock.clone()).open(dir.path().join("bank")).expect("open");
    (dir, store)
}

const ANY: ExpectedVersion = ExpectedVersion::Any;

/// Every expectation against a stream of so many events, and whether it holds.
fn cases() -> Vec<(u64, ExpectedVersion, bool)> {
    use ExpectedVersion::{Any, Exact, NoStream, StreamExists};
    let exact = |version| Exact(Version::new(version));
    vec![
        (0, Any, true),
        (0, NoStream, true),
        (0, StreamExists, false),
        (0, exact(0), false),
        (0, exact(u64::MAX), false),
        (3, Any, true),
        (3, NoStream, false),
        (3, StreamExists, true),
        (3, exact(2), true),
        (3, exact(1), false),
        (3, exact(3), false),
        (3, exact(u64::MAX), false),
    ]
}

fn stream_of(store: &Store, events: u64) {
    if events > 0 {
        let events = (0..events).map(|number| event(format!("{number}")));
        store.stream("account-1").expect("name").append_raw(ANY, events).expect("append");
    }
}

#[test]
fn append_is_accepted_exactly_when_the_expectation_holds() {
    for (events, expected, accepted) in cases() {
        let (_dir, store) = new_store();
        stream_of(&store, events);
        let answer = store.stream("account-1").expect("name").append_raw(expected, [event("new")]);
        let what = format!("{events} events, expected {expected}");
        if accepted {
            assert_eq!(answer.expect(&what).version(), Some(Version::new(events)), "{what}");
            assert_eq!(store.head(), Position::new(events + 1), "{what}");
        } else {
            let error = answer.expect_err(&what);
            assert_eq!(error.kind(), ErrorKind::Conflict, "{what}");
            assert!(error.is_conflict());
            let conflict = error.conflicts().next().expect("the conflict");
            assert_eq!(conflict.stream.as_str(), "account-1");
            assert_eq!(conflict.expected, expected, "{what}");
            assert_eq!(conflict.actual, events.checked_sub(1).map(Version::new), "{what}");
        }
    }
}

#[test]
fn append_with_stale_version_is_refused_and_writes_nothing() {
    for (events, expected, _) in cases().into_iter().filter(|(_, _, accepted)| !accepted) {
        let (dir, store) = new_store();
        stream_of(&store, events);
        let before = all(&store);
        let account = store.stream("account-1").expect("name");
        account.append_raw(expected, [event("new")]).expect_err("a conflict");
        assert_eq!(all(&store), before);
        store.close().expect("close");
        let store = Store::open(dir.path().join("bank")).expect("open again");
        assert_eq!(all(&store), before, "after opening again");
    }
}

#[test]
fn an_append_of_nothing_checks_the_expectation_and_writes_nothing() {
    for (events, expected, accepted) in cases() {
        let (_dir, store) = new_store();
        stream_of(&store, events);
        let commits = store.stats().expect("stats").commits;
        let answer = store.stream("account-1").expect("name").append_raw(expected, []);
        let what = format!("{events} events, expected {expected}");
        match answer {
            Ok(receipt) => {
                assert!(accepted, "{what}");
                assert_eq!(receipt.version(), events.checked_sub(1).map(Version::new), "{what}");
                assert_eq!(receipt.versions().len(), 0);
                assert_eq!(receipt.outcome(), Outcome::Appended);
            }
            Err(error) => {
                assert!(!accepted, "{what}");
                assert_eq!(error.kind(), ErrorKind::Conflict, "{what}");
            }
        }
        assert_eq!(store.stats().expect("stats").commits, commits, "{what}");
        assert_eq!(store.head(), Position::new(events), "{what}");
    }
}

#[test]
fn a_receipt_names_versions_positions_and_time_as_they_are_read_back() {
    let clock = ManualClock::at(1_000);
    let (_dir, store) = with_clock(&clock);
    store.stream("other").expect("name").append_raw(ANY, [event("first of all")]).expect("append");
    clock.set(2_000);
    let account = store.stream("account-1").expect("name");
    let receipt = account.append_raw(ANY, [event("a"), event("b"), event("c")]).expect("append");

    assert_eq!(receipt.stream().as_str(), "account-1");
    assert_eq!(receipt.versions().map(Version::as_u64).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(receipt.positions().map(Position::as_u64).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(receipt.version(), Some(Version::new(2)));
    assert_eq!(receipt.recorded_at(), Timestamp::from_micros(2_000));
    assert_eq!(receipt.outcome(), Outcome::Appended);

    let read: Vec<_> = account.read().iter().map(|event| event.expect("event")).collect();
    for (event, (version, position)) in read.iter().zip(receipt.versions().zip(receipt.positions())) {
        assert_eq!((event.version(), event.position()), (version, position));
        assert_eq!(event.recorded_at(), receipt.recorded_at());
        assert_eq!(event.occurred_at(), receipt.recorded_at(), "not given: recorded_at");
    }
    let next =
        account.append_raw(receipt.version(), [event("d")]).expect("the receipt's version is the next one's");
    assert_eq!(next.version(), Some(Version::new(3)));
}

#[test]
fn events_of_a_batch_keep_their_order_across_streams() {
    let (dir, store) = new_store();
    let receipt = store
        .batch()
        .append_raw("a", ExpectedVersion::NoStream, [event("0"), event("1")])
        .append_raw("b", ExpectedVersion::NoStream, [event("2")])
        .append_raw("a", ExpectedVersion::NoStream, [event("3")])
        .append_raw("c", ANY, [event("4")])
        .append_raw("b", ANY, [event("5")])
        .commit()
        .expect("commit");
    let in_order = |store: &Store| -> Vec<(String, u64, String)> {
        all(store)
            .iter()
            .map(|event| {
                let payload = String::from_utf8_lossy(event.payload()).into_owned();
                (event.stream().to_owned(), event.version().as_u64(), payload)
            })
            .collect()
    };
    let wanted: Vec<_> =
        [("a", 0, "0"), ("a", 1, "1"), ("b", 0, "2"), ("a", 2, "3"), ("c", 0, "4"), ("b", 1, "5")]
            .map(|(stream, version, payload)| (stream.to_owned(), version, payload.to_owned()))
            .into();
    assert_eq!(in_order(&store), wanted);
    let of_a = receipt.stream("a").expect("receipt of a");
    assert_eq!(of_a.positions().map(Position::as_u64).collect::<Vec<_>>(), [0, 1, 3]);
    assert_eq!(receipt.receipts().iter().map(|r| r.stream().as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(store.stats().expect("stats").commits, 1, "one commit");
    store.close().expect("close");
    assert_eq!(in_order(&Store::open(dir.path().join("bank")).expect("open")), wanted);
}

#[test]
fn a_batch_may_name_streams_that_it_only_checks() {
    let (_dir, store) = new_store();
    stream_of(&store, 2);
    let batch = || store.batch().append_raw("payment-1", ANY, [event("paid")]);
    let receipt = batch()
        .check("account-1", Version::new(1))
        .check("account-2", ExpectedVersion::NoStream)
        .commit()
        .expect("commit");
    let checked = receipt.stream("account-1").expect("a receipt of the checked stream");
    assert_eq!(checked.version(), Some(Version::new(1)), "where it was");
    assert_eq!(checked.versions().len(), 0);

    let error = batch().check("account-1", Version::new(0)).commit().expect_err("a conflict");
    assert_eq!(error.conflicts().next().expect("conflict").stream.as_str(), "account-1");
    assert_eq!(payloads(&store, "payment-1"), ["paid"], "nothing was written");
    assert!(!store.stream("account-2").expect("name").exists().expect("exists"));
}

#[test]
fn a_batch_of_checks_alone_writes_nothing() {
    let (_dir, store) = new_store();
    stream_of(&store, 2);
    let receipt = store.batch().check("account-1", ExpectedVersion::StreamExists).commit().expect("holds");
    assert_eq!(receipt.stream("account-1").expect("receipt").version(), Some(Version::new(1)));
    store.batch().check("account-1", ExpectedVersion::NoStream).commit().expect_err("does not hold");
    store.batch().commit().expect("an empty batch holds");
    assert_eq!(store.stats().expect("stats").commits, 1);
}

#[test]
fn all_failing_checks_of_a_batch_are_reported_in_their_order() {
    let (_dir, store) = new_store();
    stream_of(&store, 2);
    let error = store
        .batch()
        .append_raw("account-1", ExpectedVersion::NoStream, [event("x")])
        .append_raw("account-2", ANY, [event("y")])
        .check("account-3", Version::new(7))
        .append_raw("account-4", ExpectedVersion::StreamExists, [event("z")])
        .commit()
        .expect_err("three conflicts");
    let streams: Vec<_> = error.conflicts().map(|conflict| conflict.stream.as_str()).collect();
    assert_eq!(streams, ["account-1", "account-3", "account-4"]);
    assert_eq!(error.failures().len(), 3);
    assert!(error.failures().iter().all(|failure| matches!(failure, Failure::Conflict(_))));
    for stream in streams {
        assert!(error.to_string().contains(stream), "{error}");
    }
    assert_eq!(store.head(), Position::new(2));
}

#[test]
fn every_expectation_of_a_batch_is_held_against_the_stream_as_it_was_before() {
    let (_dir, store) = new_store();
    store
        .batch()
        .append_raw("a", ExpectedVersion::NoStream, [event("0")])
        .append_raw("a", ExpectedVersion::NoStream, [event("1")])
        .commit()
        .expect("both expect what was before the batch");
    let error = store
        .batch()
        .append_raw("a", Version::new(1), [event("2")])
        .append_raw("a", Version::new(2), [event("3")])
        .commit()
        .expect_err("the second is wrong");
    assert_eq!(error.conflicts().count(), 1);
    assert_eq!(payloads(&store, "a"), ["0", "1"]);
}

#[test]
fn recorded_at_never_runs_backwards_when_the_clock_does() {
    let clock = ManualClock::at(10_000);
    let (dir, store) = with_clock(&clock);
    let account = store.stream("account-1").expect("name");
    let mut last = Timestamp::MIN;
    for (now, wanted) in
        [(10_000, 10_000), (4_000, 10_000), (-5, 10_000), (10_001, 10_001), (i64::MIN, 10_001)]
    {
        clock.set(now);
        let recorded = account.append_raw(ANY, [event("x")]).expect("append").recorded_at();
        assert_eq!(recorded, Timestamp::from_micros(wanted), "clock at {now}");
        assert!(recorded >= last);
        last = recorded;
    }
    assert_eq!(store.stats().expect("stats").recorded_at_held, 3);
    assert!(store.stats().expect("stats").clock_behind.as_micros() > 0);
    store.close().expect("close");

    clock.set(500);
    let store = Options::new().clock(clock).open(dir.path().join("bank")).expect("open");
    let again = store.stream("account-1").expect("name").append_raw(ANY, [event("x")]).expect("append");
    assert_eq!(again.recorded_at(), last, "also after opening again");
}

#[test]
fn a_given_recorded_at_is_taken_or_held_at_the_last() {
    let clock = ManualClock::at(10_000);
    let (_dir, store) = with_clock(&clock);
    let at = |micros| {
        let batch =
            store.batch().append_raw("a", ANY, [event("x")]).recorded_at(Timestamp::from_micros(micros));
        batch.commit().expect("commit")
    };
    let taken = at(-7_000_000);
    assert_eq!(taken.recorded_at(), Timestamp::from_micros(-7_000_000));
    assert!(!taken.recorded_at_was_held());
    let held = at(-8_000_000);
    assert_eq!(held.recorded_at(), Timestamp::from_micros(-7_000_000));
    assert!(held.recorded_at_was_held());
    assert_eq!(store.stats().expect("stats").recorded_at_held, 1);
    let now = store.stream("a").expect("name").append_raw(ANY, [event("y")]).expect("append");
    assert_eq!(now.recorded_at(), Timestamp::from_micros(10_000));
    assert_eq!(at(i64::MAX).recorded_at(), Timestamp::MAX);
    let after = store.stream("a").expect("name").append_raw(ANY, [event("z")]).expect("append");
    assert_eq!(after.recorded_at(), Timestamp::MAX, "held at the end of time");
}

#[test]
fn occurred_at_may_be_anything_an_i64_holds_and_orders_nothing() {
    let (dir, store) = new_store();
    let times = [i64::MAX, i64::MIN, 0, -1, 1, i64::MIN + 1];
    let events = times.map(|micros| event("x").occurred_at(Timestamp::from_micros(micros)));
    store.stream("a").expect("name").append_raw(ANY, events).expect("append");
    let read = |store: &Store| all(store).iter().map(|e| e.occurred_at().as_micros()).collect::<Vec<_>>();
    assert_eq!(read(&store), times);
    store.close().expect("close");
    assert_eq!(read(&Store::open(dir.path().join("bank")).expect("open")), times);
}

#[test]
fn ids_metadata_and_payload_come_back_to_the_byte() {
    let (dir, store) = new_store();
    let bytes: Vec<u8> = (0..=255).collect();
    let written = event(&bytes).id(crate::support::id(7)).metadata([0, 255, 0]);
    store
        .stream("a\u{0}/../\u{1f980}")
        .expect("any UTF-8 is a name")
        .append_raw(ANY, [written])
        .expect("append");
    store.close().expect("close");
    let store = Store::open(dir.path().join("bank")).expect("open");
    let read = &all(&store)[0];
    assert_eq!(read.stream(), "a\u{0}/../\u{1f980}");
    assert_eq!(read.payload(), bytes);
    assert_eq!(read.metadata(), [0, 255, 0]);
    assert_eq!(read.id(), crate::support::id(7));
}

#[test]
fn ids_that_the_store_makes_are_all_different() {
    let (_dir, store) = new_store();
    let account = store.stream("a").expect("name");
    for _ in 0..20 {
        account.append_raw(ANY, (0..50).map(|_| event("x"))).expect("append");
    }
    let ids: std::collections::HashSet<_> = all(&store).iter().map(annals::RecordedEvent::id).collect();
    assert_eq!(ids.len(), 1_000);
}

#[test]
fn buffered_appends_are_read_at_once_and_flush_syncs_them() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let options = Options::new().durability(Durability::Buffered);
    let store = options.open(dir.path().join("bank")).expect("open");
    let account = store.stream("account-1").expect("name");
    for number in 0..10 {
        account.append_raw(ANY, [event(format!("{number}"))]).expect("append");
        assert_eq!(account.version().expect("version"), Some(Version::new(number)));
    }
    assert_eq!(store.stats().expect("stats").syncs, 0);
    store.flush().expect("flush");
    assert_eq!(store.stats().expect("stats").syncs, 1);
    store.flush().expect("flush");
    assert_eq!(store.stats().expect("stats").syncs, 1, "there was nothing to sync");
    store
        .batch()
        .append_raw("account-1", ANY, [event("synced")])
        .durability(Durability::Synced)
        .commit()
        .expect("commit");
    assert_eq!(
        store.stats().expect("stats").syncs,
        2,
        "one append may ask for more than the store's options"
    );
    account.durability(Durability::Synced).append_raw(ANY, [event("synced too")]).expect("append");
    assert_eq!(store.stats().expect("stats").syncs, 3, "and so may one handle");
}

#[test]
fn a_synced_append_is_synced_before_it_is_answered() {
    let (_dir, store) = new_store();
    for syncs in 1..5 {
        store.stream("a").expect("name").append_raw(ANY, [event("x")]).expect("append");
        assert_eq!(store.stats().expect("stats").syncs, syncs);
    }
}

#[test]
fn reading_a_store_while_appending_to_it_sees_each_append_once_it_is_answered() {
    let (_dir, store) = new_store();
    let reader = store.clone();
    for number in 0..50_u64 {
        store.stream("a").expect("name").append_raw(ANY, [event("x")]).expect("append");
        assert_eq!(reader.head(), Position::new(number + 1));
        assert_eq!(count(reader.read()) as u64, number + 1);
    }
}
