//! The store used from inside what it calls: folds, loops, decisions, serde implementations, iterators of events. Each
//! works or is a clear error; nothing is ever stuck.

use std::cell::RefCell;

use annals::{Aggregate, ErrorKind, ExpectedVersion, Options, Store};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tempfile::TempDir;

use crate::in_time::in_time;
use crate::support::{all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;
/// How many events the stores of these tests begin with: more than one piece of an iterator.
const EVENTS: u64 = 40;

type Never = std::convert::Infallible;

thread_local! {
    /// The store that the serde implementations of this thread use.
    static NESTED: RefCell<Option<Store>> = const { RefCell::new(None) };
}

fn nested_in_serde() {
    // Taken out, so that what is nested does not nest again.
    let store = NESTED.with_borrow_mut(Option::take);
    if let Some(store) = store {
        use_all_of_it(&store);
        NESTED.set(Some(store));
    }
}

#[derive(Clone, PartialEq, Debug)]
struct Counted(u64);

impl Serialize for Counted {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        nested_in_serde();
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        nested_in_serde();
        u64::deserialize(deserializer).map(Self)
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Happened {
    number: Counted,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Sum {
    numbers: Counted,
}

impl Default for Sum {
    fn default() -> Self {
        Self { numbers: Counted(0) }
    }
}

impl Aggregate for Sum {
    type Event = Happened;

    fn apply(&mut self, event: &Happened) {
        nested_in_serde();
        self.numbers.0 += event.number.0;
    }
}

fn happened(number: u64) -> Happened {
    Happened { number: Counted(number) }
}

fn new_store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let options = Options::new().journal_file_bytes(64 << 10).recent_bytes_max(1_000);
    let store = options.open(dir.path().join("bank")).expect("open");
    store.stream("sum-1").expect("name").append(ANY, (0..EVENTS).map(happened)).expect("append");
    (dir, store)
}

/// Everything that a program may ask of a store, but to close it. Appends to other streams than `sum-1`.
fn use_all_of_it(store: &Store) {
    let before = store.head();
    let other = store.stream("sum-2").expect("name");
    other.append(ANY, [happened(1)]).expect("append");
    let batch = store.batch().append("sum-2", ANY, [happened(2)]).append("sum-3", ANY, [happened(3)]);
    batch.commit().expect("batch");
    let sum = other.fold(0, |sum, event: Happened| sum + event.number.0).expect("fold");
    assert!(sum > 0);
    let last = other.read().backward().iter().next().expect("an event").expect("read");
    assert!(last.position() > before);
    store.flush().expect("flush");
    store.stats().expect("stats");
    assert!(store.streams().expect("streams").len() >= 3);
    let sums = store.repository::<Sum>("sum").snapshot_every(1).cache(2);
    sums.execute("2", |_| Ok::<_, Never>([happened(4)])).expect("execute");
    sums.snapshot("2").expect("snapshot");
    assert!(sums.load("2").expect("load").state().numbers.0 > sum);
    store.stream("raw-1").expect("name").append_raw(ANY, [event("x")]).expect("append");
    assert_eq!(all(store).len() as u64, store.head().as_u64());
}

/// Runs `work` on a store of its own, in time; afterwards the store is whole and closes.
fn assert_nests(what: &'static str, work: impl FnOnce(&Store) + Send + 'static) {
    in_time(what, move || {
        let (dir, store) = new_store();
        work(&store);
        NESTED.set(None);
        assert!(store.head().as_u64() > EVENTS, "{what}: the nested appends are there");
        let events = all(&store);
        store.close().expect("close");
        let again = Store::open(dir.path().join("bank")).expect("open again");
        assert!(again.recovery().clean);
        assert_eq!(all(&again), events, "{what}");
    });
}

#[test]
fn the_store_may_be_used_inside_folds_and_loops_which_see_nothing_of_it() {
    assert_nests("fold", |store| {
        let count = |count, _: Happened| {
            use_all_of_it(store);
            count + 1
        };
        assert_eq!(store.stream("sum-1").expect("name").fold(0, count).expect("fold"), EVENTS);
    });
    assert_nests("try_fold of the whole store", |store| {
        let count = |count, _: Happened| {
            use_all_of_it(store);
            Ok::<_, annals::Error>(count + 1)
        };
        assert_eq!(store.read().try_fold(0, count).expect("fold"), EVENTS);
    });
    assert_nests("loop", |store| {
        let seen = store.read().iter().inspect(|_| use_all_of_it(store)).count();
        assert_eq!(seen as u64, EVENTS);
        let events = store.read().typed::<Happened>();
        let newest = events.rev().find(|_| {
            use_all_of_it(store);
            true
        });
        newest.expect("an event").expect_err("the newest one is raw");
    });
}

#[test]
fn the_store_may_be_used_inside_a_decision_and_an_aggregate() {
    assert_nests("decide", |store| {
        let sums = store.repository::<Sum>("sum").snapshot_every(1).cache(2);
        let decide = |_: &Sum| {
            use_all_of_it(store);
            Ok::<_, Never>([happened(100)])
        };
        let executed = sums.execute("1", decide).expect("execute");
        assert_eq!(executed.conflicts_retried(), 0);
    });
    assert_nests("a decision that appends to its own stream", |store| {
        let sums = store.repository::<Sum>("sum").cache(2);
        let mut asked = 0;
        let executed = sums.execute("1", |_| {
            asked += 1;
            if asked < 3 {
                sums.execute("1", |_| Ok::<_, Never>([happened(7)])).expect("nested");
            }
            Ok::<_, Never>([happened(100)])
        });
        assert_eq!(executed.expect("execute").conflicts_retried(), 2, "it is decided again");
    });
    assert_nests("apply, and writing and reading its snapshot", |store| {
        let sums = store.repository::<Sum>("sum").snapshot_every(1);
        NESTED.set(Some(store.clone()));
        sums.execute("1", |_| Ok::<_, Never>([happened(100)])).expect("execute");
        sums.load("1").expect("load");
        sums.snapshot("1").expect("snapshot");
    });
}

#[test]
fn the_store_may_be_used_inside_serde_and_iterators_of_events() {
    assert_nests("serde", |store| {
        NESTED.set(Some(store.clone()));
        let stream = store.stream("sum-1").expect("name");
        stream.append(ANY, [happened(1), happened(2)]).expect("append");
        store.batch().append("sum-1", ANY, [happened(3)]).commit().expect("batch");
        stream.fold((), |(), _: Happened| ()).expect("fold");
    });
    assert_nests("events", |store| {
        let stream = store.stream("sum-1").expect("name");
        let events = || (0..3).map(happened).inspect(|_| use_all_of_it(store));
        stream.append(ANY, events()).expect("append");
        store.batch().append("sum-1", ANY, events()).commit().expect("batch");
        let raw = (0..3_u8).map(|number| event([number])).inspect(|_| use_all_of_it(store));
        store.stream("raw-2").expect("name").append_raw(ANY, raw).expect("append");
    });
    assert_nests("an iterator that appends to the stream that it is for", |store| {
        let stream = store.stream("sum-1").expect("name");
        let expected = stream.version().expect("version").expect("it has events");
        let events = (0..2).map(happened).inspect(|_| {
            stream.append(ANY, [happened(5)]).expect("nested");
        });
        assert!(stream.append(expected, events).expect_err("the nested ones came first").is_conflict());
    });
}

#[test]
fn a_store_closed_inside_what_it_calls_ends_there_with_clear_errors() {
    /// Closes, and shows what still works.
    fn close(store: &Store) {
        store.close().expect("close, again too");
        let closed = |error: annals::Error| assert_eq!(error.kind(), ErrorKind::Closed);
        closed(store.stream("sum-1").expect("name").append(ANY, [happened(1)]).expect_err("closed"));
        closed(store.flush().expect_err("closed"));
        assert_eq!(all(store).len() as u64, EVENTS, "reads go on");
        store.stats().expect("stats");
        store.repository::<Sum>("sum").load("1").expect("load");
    }
    fn assert_closes(what: &'static str, work: impl FnOnce(&Store) + Send + 'static) {
        in_time(what, move || {
            let (dir, store) = new_store();
            work(&store);
            let again = Store::open(dir.path().join("bank")).expect("its lock is free");
            assert!(again.recovery().clean);
            assert_eq!(again.head().as_u64(), EVENTS, "{what}: nothing was refused and written");
        });
    }
    assert_closes("fold", |store| {
        let count = |count, _: Happened| {
            close(store);
            count + 1
        };
        assert_eq!(store.read().fold(0, count).expect("fold"), EVENTS);
    });
    assert_closes("loop", |store| {
        assert_eq!(store.read().iter().inspect(|_| close(store)).count() as u64, EVENTS)
    });
    assert_closes("decide", |store| {
        let sums = store.repository::<Sum>("sum").snapshot_every(1).cache(2);
        let decided = sums.execute("1", |_| {
            close(store);
            Ok::<_, Never>([happened(1)])
        });
        assert!(matches!(decided, Err(annals::Rejected::Store(error)) if error.kind() == ErrorKind::Closed));
    });
    assert_closes("events", |store| {
        let events = (0..2).map(happened).inspect(|_| close(store));
        let error = store.stream("sum-1").expect("name").append(ANY, events).expect_err("closed meanwhile");
        assert_eq!(error.kind(), ErrorKind::Closed);
    });
}
