//! Panics in the caller's code (codecs, folds, decisions, upcasters, iterators, clocks, disks): no lock is held afterwards,
//! nothing is half there, other threads go on, and the store closes and opens again.

use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use annals::codec::{Encoded, Stored, Upcast};
use annals::disk::Clock;
use annals::{
    Aggregate, Bincode, Codec, CodecError, CodecId, Error, ErrorKind, ExpectedVersion, Maintenance, NewEvent,
    Options, Store, Timestamp, Upcasters,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::in_time::in_time;
use crate::support::{CallKind, SimDisk, Verdict, all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const BREAK: &str = "the caller's code breaks";

thread_local! {
    /// Where the caller's code breaks in this thread, and how often it passes there first.
    static BREAKS: Cell<Option<(Where, u32)>> = const { Cell::new(None) };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    CodecEncode,
    CodecDecode,
    Serialize,
    Deserialize,
    StateSerialize,
    StateDeserialize,
    StateClone,
    Apply,
}

fn pass(place: Where) {
    if let Some((breaks, passes)) = BREAKS.get().filter(|(breaks, _)| *breaks == place) {
        BREAKS.set(passes.checked_sub(1).map(|passes| (breaks, passes)));
        assert!(passes > 0, "{BREAK}");
    }
}

/// Makes the caller's code break in this thread, once, after it passed there so often.
fn break_at(place: Where, passes: u32) {
    BREAKS.set(Some((place, passes)));
}

/// Bincode, until it breaks.
#[derive(Debug, Clone, Copy, Default)]
struct BreakingCodec;

impl Codec for BreakingCodec {
    const ID: CodecId = CodecId::BINCODE;
    const NAME: &'static str = "breaking";

    fn encode_event<E: Serialize>(event: &E) -> Result<Encoded, CodecError> {
        pass(Where::CodecEncode);
        Bincode::encode_event(event)
    }

    fn decode_event<E: DeserializeOwned>(stored: Stored<'_>) -> Result<E, CodecError> {
        pass(Where::CodecDecode);
        Bincode::decode_event(stored)
    }

    fn encode_value<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        pass(Where::CodecEncode);
        Bincode::encode_value(value)
    }

    fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        pass(Where::CodecDecode);
        Bincode::decode_value(bytes)
    }
}

/// A number whose serde implementations may break.
#[derive(Clone, PartialEq, Debug)]
struct Cents(i64);

impl Serialize for Cents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        pass(Where::Serialize);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Cents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pass(Where::Deserialize);
        i64::deserialize(deserializer).map(Self)
    }
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Deposited {
    cents: Cents,
}

fn deposits(range: std::ops::Range<i64>) -> Vec<Deposited> {
    range.map(|cents| Deposited { cents: Cents(cents) }).collect()
}

/// A sum whose serde implementations, clone and apply may break.
#[derive(Default, PartialEq, Debug)]
struct Sum(i64);

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        pass(Where::StateSerialize);
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        pass(Where::StateDeserialize);
        i64::deserialize(deserializer).map(Self)
    }
}

impl Clone for Sum {
    fn clone(&self) -> Self {
        pass(Where::StateClone);
        Self(self.0)
    }
}

impl Aggregate for Sum {
    type Event = Deposited;

    fn apply(&mut self, event: &Deposited) {
        pass(Where::Apply);
        self.0 += event.cents.0;
    }
}

type Never = std::convert::Infallible;

/// Runs what must panic with the panic that the caller's code makes.
fn assert_breaks<T>(what: &str, work: impl FnOnce() -> T) {
    let panic = catch_unwind(AssertUnwindSafe(work)).err().unwrap_or_else(|| panic!("{what}: no panic"));
    let message = panic.downcast_ref::<String>().map(String::as_str);
    let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
    assert_eq!(message, Some(BREAK), "{what}: another panic than the caller's");
    BREAKS.set(None);
}

/// A store that knows ten deposits. After the caller's panic it has `more` events and is as good as ever.
fn assert_goes_on(what: &'static str, more: u64, work: impl FnOnce(&Store) + Send + 'static) {
    in_time(what, move || {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("bank");
        let store = Store::open(&path).expect("open");
        store.stream("sum-1").expect("name").append(ANY, deposits(0..10)).expect("append");
        assert_breaks(what, || work(&store));
        assert_is_as_good_as_ever(what, store, 10 + more, &path);
    });
}

fn assert_is_as_good_as_ever(what: &str, store: Store, events: u64, path: &Path) {
    assert_eq!(store.head().as_u64(), events, "{what}: what is there is whole");
    let before = all(&store);
    let other = store.clone();
    std::thread::spawn(move || {
        other.stream("other-1").expect("name").append(ANY, deposits(0..2)).expect("another thread appends");
        other.repository::<Sum>("sum").execute("2", |_| Ok::<_, Never>(deposits(0..1))).expect("execute");
        all(&other).len()
    })
    .join()
    .expect("another thread goes on");
    store.flush().expect("flush");
    store.stats().expect("stats");
    store.close().expect("close");
    drop(store);
    let store = Store::open(path).expect("open again");
    assert!(store.recovery().clean, "{what}");
    let after = all(&store);
    assert_eq!(after.len() as u64, events + 3, "{what}");
    assert_eq!(after[..before.len()], before[..], "{what}");
}

#[test]
fn a_panic_in_a_codec_or_in_serde_leaves_no_half_commit_and_no_lock_held() {
    use Where::{CodecDecode, CodecEncode, Deserialize, Serialize};
    for place in [CodecEncode, CodecDecode, Serialize, Deserialize] {
        // At the first event of an append and at a later one.
        for passes in [0, 3] {
            assert_goes_on("append", 0, move |store| {
                let stream = store.stream("sum-1").expect("name").with_codec::<BreakingCodec>();
                break_at(place, passes);
                let _ = stream.append(ANY, deposits(0..4));
            });
            assert_goes_on("batch", 0, move |store| {
                let batch = store.batch().with_codec::<BreakingCodec>().append("sum-2", ANY, deposits(0..1));
                break_at(place, passes);
                let _ = batch.append("sum-1", ANY, deposits(0..4)).commit();
            });
        }
    }
    for place in [CodecDecode, Deserialize] {
        assert_goes_on("fold", 0, move |store| {
            let stream = store.stream("sum-1").expect("name").with_codec::<BreakingCodec>();
            break_at(place, 3);
            let _ = stream.fold(0, |sum, event: Deposited| sum + event.cents.0);
        });
    }
}

#[test]
fn a_panic_in_a_fold_leaves_the_store_as_it_was() {
    assert_goes_on("fold", 0, |store| {
        let fold = |sum, event: Deposited| {
            assert!(sum < 9, "{BREAK}");
            sum + event.cents.0
        };
        let _ = store.stream("sum-1").expect("name").fold(0, fold);
    });
    assert_goes_on("try_fold", 0, |store| {
        let fold = |sum, event: Deposited| {
            assert!(sum < 9, "{BREAK}");
            Ok::<_, Error>(sum + event.cents.0)
        };
        let _ = store.read().try_fold(0, fold);
    });
}

#[test]
fn a_panic_in_an_iterator_of_events_appends_nothing() {
    fn breaking<T>(items: Vec<T>) -> impl Iterator<Item = T> {
        let half = items.len() / 2;
        items.into_iter().enumerate().map(move |(at, item)| {
            assert!(at < half, "{BREAK}");
            item
        })
    }
    let raw = || (0..6).map(|number: u8| event([number])).collect::<Vec<NewEvent>>();
    assert_goes_on("append", 0, |store| {
        let _ = store.stream("sum-1").expect("name").append(ANY, breaking(deposits(0..6)));
    });
    assert_goes_on("append_raw", 0, move |store| {
        let _ = store.stream("sum-1").expect("name").append_raw(ANY, breaking(raw()));
    });
    assert_goes_on("batch", 0, |store| {
        let batch = store.batch().append("sum-2", ANY, deposits(0..2));
        let _ = batch.append("sum-1", ANY, breaking(deposits(0..6))).commit();
    });
    assert_goes_on("decide", 0, |store| {
        let decide = |_: &Sum| Ok::<_, Never>(breaking(deposits(0..6)));
        let _ = store.repository::<Sum>("sum").execute("1", decide);
    });
}

#[test]
fn a_panic_in_a_decision_or_in_apply_while_loading_appends_nothing() {
    assert_goes_on("decide", 0, |store| {
        let accounts = store.repository::<Sum>("sum").cache(2);
        let decide = |_: &Sum| -> Result<Vec<Deposited>, Never> { panic!("{BREAK}") };
        let _ = accounts.execute("1", decide);
    });
    assert_goes_on("apply", 0, |store| {
        let accounts = store.repository::<Sum>("sum").cache(2).snapshot_every(2);
        break_at(Where::Apply, 5);
        let _ = accounts.execute("1", |_| Ok::<_, Never>(deposits(0..1)));
    });
    assert_goes_on("apply after the commit", 2, |store| {
        break_at(Where::Apply, 11);
        let _ = store.repository::<Sum>("sum").execute("1", |_| Ok::<_, Never>(deposits(0..2)));
    });
}

#[test]
fn a_panic_in_the_state_of_an_aggregate_leaves_cache_and_snapshots_usable() {
    assert_goes_on("writing a snapshot", 1, |store| {
        let accounts = store.repository::<Sum>("sum").snapshot_every(1);
        break_at(Where::StateSerialize, 0);
        let _ = accounts.execute("1", |_| Ok::<_, Never>(deposits(0..1)));
    });
    assert_goes_on("loading a snapshot", 0, |store| {
        let accounts = store.repository::<Sum>("sum").snapshot_every(1);
        accounts.snapshot("1").expect("snapshot");
        break_at(Where::StateDeserialize, 0);
        let _ = accounts.load("1");
    });
    for passes in [0, 1] {
        assert_goes_on("keeping a state in the cache, and taking it out", 0, move |store| {
            let accounts = store.repository::<Sum>("sum").cache(2);
            break_at(Where::StateClone, passes);
            let twice = catch_unwind(AssertUnwindSafe(|| (accounts.load("1"), accounts.load("1")).0.is_ok()));
            assert!(twice.is_err(), "one of the two breaks");
            assert_eq!(accounts.load("1").expect("the next one does not").state().0, 45);
            panic!("{BREAK}");
        });
    }
}

#[test]
fn a_panic_in_an_upcaster_leaves_the_store_as_it_was() {
    in_time("upcaster", || {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("bank");
        let store = Store::open(&path).expect("open");
        store.stream("sum-1").expect("name").append(ANY, deposits(0..10)).expect("append");
        store.close().expect("close");
        let breaks = |_: Upcast| -> Result<Upcast, CodecError> { panic!("{BREAK}") };
        let upcasters = Upcasters::new().raw_step("Deposited", 1, breaks).expect("step");
        let store = Options::new().upcasters(upcasters).open(&path).expect("open");
        assert_breaks("fold", || store.read().fold(0, |sum, event: Deposited| sum + event.cents.0));
        assert_breaks("load", || store.repository::<Sum>("sum").load("1"));
        let accounts = store.repository::<Sum>("sum");
        assert_breaks("execute", || accounts.execute("1", |_| Ok::<_, Never>(deposits(0..1))));
        assert_is_as_good_as_ever("upcaster", store, 10, &path);
    });
}

/// Stands still, and breaks when it is asked for this time.
struct BreakingClock {
    asked: Arc<AtomicU64>,
    breaks_at: u64,
}

impl fmt::Debug for BreakingClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BreakingClock")
    }
}

impl Clock for BreakingClock {
    fn now(&self) -> Timestamp {
        assert!(self.asked.fetch_add(1, Ordering::SeqCst) != self.breaks_at, "{BREAK}");
        Timestamp::EPOCH
    }
}

#[test]
fn a_panic_in_a_clock_writes_nothing_and_poisons_at_most() {
    let mut poisoned = 0;
    for at in 0..3 {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("bank");
        Store::open(&path).and_then(|store| store.close()).expect("a store");
        let (asked, breaks_at) = (Arc::new(AtomicU64::new(0)), 2 + at);
        let clock = BreakingClock { asked: Arc::clone(&asked), breaks_at };
        poisoned += in_time("clock", move || {
            let store = Options::new().clock(clock).open(&path).expect("open");
            asked.store(0, Ordering::SeqCst);
            let stream = store.stream("s-1").expect("name");
            let mut appended = 0;
            assert_breaks("append", || {
                (0..4).for_each(|_| {
                    stream.append_raw(ANY, [event("x")]).expect("append");
                    appended += 1;
                });
            });
            assert_eq!(store.head().as_u64(), appended);
            let poisoned = match stream.append_raw(ANY, [event("y")]) {
                Ok(_) => 0,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Poisoned);
                    1
                }
            };
            assert_eq!(all(&store).len() as u64, appended + 1 - poisoned, "reads go on");
            let _ = store.close();
            drop((store, stream));
            assert_eq!(all(&Store::open(&path).expect("open again")).len() as u64, appended + 1 - poisoned);
            poisoned
        });
    }
    assert_eq!(poisoned, 1, "the clock is asked by the caller and by the writer in turn");
}

/// The disk panics at the n-th call that changes something, counted from the first append. Whether it was an append's.
fn assert_a_disk_that_panics_at(call: u64) -> bool {
    in_time("a disk that panics", move || {
        let disk = SimDisk::new();
        let path = PathBuf::from("/bank");
        let open = || Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).open(&path);
        let store = open().expect("open");
        let stream = store.stream("s-1").expect("name");
        stream.append_raw(ANY, [event("first")]).expect("append");
        let mut calls = 0;
        disk.on_call(move |asked| {
            // The durable mark is written when all is done: an append may be there that was not answered.
            let counts = asked.kind != CallKind::Read && !asked.path.ends_with("LOCK");
            calls += u64::from(counts);
            assert!(!counts || calls != call + 1, "{BREAK}");
            Verdict::Proceed
        });
        let mut acknowledged = 1;
        let appends = catch_unwind(AssertUnwindSafe(|| {
            for _ in 0..3 {
                stream.append_raw(ANY, [event("x")]).expect("append");
                acknowledged += 1;
            }
        }));
        let appends_broke = appends.is_err();
        if appends_broke {
            let other = store.clone();
            let again = std::thread::spawn(move || other.stream("s-2")?.append_raw(ANY, [event("y")]));
            let error = again.join().expect("another thread goes on").expect_err("poisoned");
            assert_eq!(error.kind(), ErrorKind::Poisoned);
            assert_eq!(store.flush().expect_err("poisoned").kind(), ErrorKind::Poisoned);
        }
        assert_eq!(all(&store).len() as u64, acknowledged, "reads go on");
        let closed = catch_unwind(AssertUnwindSafe(|| store.close()));
        let files = disk.files();
        let again = store.close().expect_err("a close that broke did not go well");
        if closed.is_err() {
            assert_eq!(again.kind(), ErrorKind::Indeterminate);
        } else {
            assert_eq!(again.kind(), ErrorKind::Poisoned);
        }
        drop((store, stream));
        assert!(disk.files() == files, "nothing is written after a close that broke");
        disk.heal();
        let store = open().expect("open again");
        let events = all(&store);
        let whole = events.iter().enumerate().all(|(at, event)| event.version().as_u64() == at as u64);
        assert!(whole && (acknowledged..=acknowledged + 1).contains(&(events.len() as u64)));
        store.stream("s-1").expect("name").append_raw(ANY, [event("z")]).expect("append");
        store.close().expect("close");
        appends_broke
    })
}

#[test]
fn a_panic_in_a_disk_poisons_and_opening_again_finds_what_was_acknowledged() {
    // An append is a write and a sync; then comes the close.
    let broke: Vec<bool> = (0..10).map(assert_a_disk_that_panics_at).collect();
    assert_eq!(broke.iter().filter(|appends| **appends).count(), 6, "{broke:?}");
}
