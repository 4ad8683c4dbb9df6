//! Subscriptions: history first, then what is appended, each event once and in order, whatever happens in between.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use annals::{
    Durability, ErrorKind, ExpectedVersion, Filter, Maintenance, Options, Position, RecordedEvent, Store,
    Subscription, Timestamp, Update,
};

use crate::support::{CallKind, ManualClock, SimDisk, Verdict, all, event};

const ANY: ExpectedVersion = ExpectedVersion::Any;
/// Longer than anything here takes: who waits as long has missed something.
const LONG: Duration = Duration::from_secs(60);

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).durability(Durability::Buffered)
}

fn open(disk: &SimDisk) -> Store {
    options(disk).open("/bank").expect("open")
}

fn append(store: &Store, stream: &str, payload: &str) {
    store.stream(stream).expect("name").append_raw(ANY, [event(payload)]).expect("append");
}

fn caught_up(position: u64) -> Update {
    Update::CaughtUp { position: Position::new(position) }
}

/// All updates that come without waiting.
fn now(subscription: &mut Subscription) -> Vec<Update> {
    let mut updates = Vec::new();
    while let Some(update) = subscription.next(Duration::ZERO).expect("update") {
        updates.push(update);
    }
    updates
}

fn payloads(updates: &[Update]) -> Vec<String> {
    let text = |event: RecordedEvent| String::from_utf8_lossy(event.payload()).into_owned();
    updates.iter().filter_map(|update| update.clone().into_event().map(text)).collect()
}

#[test]
fn history_comes_first_then_the_word_that_it_ended_and_then_what_is_appended() {
    let store = open(&SimDisk::new());
    append(&store, "account-1", "one");
    append(&store, "customer-1", "two");
    let mut subscription = store.subscribe().start().expect("subscription");
    let updates = now(&mut subscription);
    assert_eq!(payloads(&updates), ["one", "two"]);
    assert_eq!((updates.len(), updates.last()), (3, Some(&caught_up(2))));
    assert_eq!(now(&mut subscription), [], "told once");
    append(&store, "account-1", "three");
    append(&store, "account-1", "four");
    assert_eq!(payloads(&now(&mut subscription)), ["three", "four"]);
    assert_eq!(now(&mut subscription), [], "it has not been behind");
    assert_eq!(subscription.position(), Position::new(4));
    assert!(format!("{subscription:?}").contains("CaughtUp"));
}

#[test]
fn it_begins_where_it_is_told_to() {
    let clock = ManualClock::at(1_000);
    let store = options(&SimDisk::new()).clock(clock.clone()).open("/bank").expect("open");
    for (at, payload) in [(1_000, "one"), (2_000, "two"), (2_000, "three"), (3_000, "four")] {
        clock.set(at);
        append(&store, "a", payload);
    }
    let begin = |subscribe: annals::Subscribe| payloads(&now(&mut subscribe.start().expect("subscription")));
    assert_eq!(begin(store.subscribe()), ["one", "two", "three", "four"]);
    assert_eq!(begin(store.subscribe().from(Position::new(2))), ["three", "four"]);
    assert_eq!(begin(store.subscribe().from(Position::new(4))), [""; 0]);
    assert_eq!(begin(store.subscribe().from_now()), [""; 0]);
    assert_eq!(begin(store.subscribe().since(Timestamp::from_micros(2_000))), ["two", "three", "four"]);
    assert_eq!(begin(store.subscribe().since(Timestamp::from_micros(2_001))), ["four"]);
    assert_eq!(
        begin(store.subscribe().since(Timestamp::from_micros(2_001)).from(Position::new(3))),
        ["four"]
    );
    assert!(format!("{:?}", store.subscribe().from_now()).contains("Now"));
}

#[test]
fn a_beginning_that_is_to_come_waits_for_it_and_leaves_out_what_comes_sooner() {
    let clock = ManualClock::at(1_000);
    let store = options(&SimDisk::new()).clock(clock.clone()).open("/bank").expect("open");
    append(&store, "a", "one");
    let mut later = store.subscribe().from(Position::new(3)).start().expect("subscription");
    let mut since = store.subscribe().since(Timestamp::from_micros(5_000)).start().expect("subscription");
    assert_eq!((now(&mut later), now(&mut since)), (vec![caught_up(1)], vec![caught_up(1)]));
    append(&store, "a", "two");
    append(&store, "a", "three");
    assert_eq!((now(&mut later), now(&mut since)), (vec![], vec![]));
    clock.set(5_000);
    append(&store, "a", "four");
    assert_eq!(payloads(&now(&mut later)), ["four"]);
    assert_eq!(payloads(&now(&mut since)), ["four"]);
}

#[test]
fn a_filter_leaves_out_what_it_does_not_admit_and_the_position_goes_on_all_the_same() {
    let store = open(&SimDisk::new());
    let filter = Filter::new().category("account").event_types(["Happened"]);
    let mut accounts = store.subscribe().filter(filter).start().expect("subscription");
    append(&store, "customer-1", "no");
    append(&store, "account-1", "yes");
    append(&store, "customer-1", "no");
    let updates = now(&mut accounts);
    assert_eq!(payloads(&updates), ["yes"]);
    assert_eq!((updates.last(), accounts.position()), (Some(&caught_up(3)), Position::new(3)));
    append(&store, "customer-1", "no");
    assert_eq!((now(&mut accounts), accounts.position()), (vec![], Position::new(4)));
}

#[test]
fn who_waits_is_woken_by_what_it_wants() {
    let store = open(&SimDisk::new());
    let filter = Filter::new().category("account");
    let mut accounts = store.subscribe().filter(filter).start().expect("subscription");
    assert_eq!(now(&mut accounts), [caught_up(0)]);
    let heard = thread::spawn(move || {
        let first = woken(&mut accounts).into_event().expect("event");
        let second = accounts.wait_next().expect("update").into_event().expect("event");
        (first.payload().to_vec(), second.payload().to_vec(), accounts.position())
    });
    for number in 0..100 {
        append(&store, "customer-1", "no");
        if number == 49 {
            append(&store, "account-1", "yes");
        }
    }
    append(&store, "account-2", "again");
    let (first, second, position) = heard.join().expect("no panic");
    assert_eq!((first, second), (b"yes".to_vec(), b"again".to_vec()));
    assert_eq!(position, Position::new(102));
}

/// Events of many threads, followed by subscriptions that begin while they are appended.
#[test]
fn beside_many_writers_every_event_comes_once_and_in_order() {
    const WRITERS: usize = 4;
    const EACH: usize = 400;
    let disk = SimDisk::new();
    // Files are full and sealed meanwhile, and memory is too small for what is recent.
    let store =
        options(&disk).journal_file_bytes(64 << 10).recent_bytes_max(100_000).open("/bank").expect("open");
    let begin = Arc::new(Barrier::new(WRITERS + 1));
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, begin) = (store.clone(), Arc::clone(&begin));
            thread::spawn(move || {
                begin.wait();
                for number in 0..EACH {
                    append(&store, &format!("{}-{writer}", ["even", "odd"][writer % 2]), &number.to_string());
                    if number % 100 == 99 {
                        store.seal().expect("sealed");
                    }
                }
            })
        })
        .collect();
    let filters = [Filter::new(), Filter::new().category("odd"), Filter::new().category("none")];
    let followers: Vec<_> = filters
        .into_iter()
        .flat_map(|filter| {
            [store.subscribe().filter(filter.clone()), store.subscribe().filter(filter).from_now()]
        })
        .map(|subscribe| {
            let subscription = subscribe.start().expect("subscription");
            thread::spawn(move || {
                let updates = subscription.updates().collect::<annals::Result<Vec<_>>>().expect("updates");
                updates.into_iter().filter_map(Update::into_event).collect::<Vec<_>>()
            })
        })
        .collect();
    begin.wait();
    writers.into_iter().for_each(|writer| writer.join().expect("no panic"));
    store.close().expect("close");
    let events = all(&store);
    assert_eq!(events.len(), WRITERS * EACH);
    let odd: Vec<_> = events.iter().filter(|event| event.stream().starts_with("odd-")).cloned().collect();
    let followed: Vec<Vec<RecordedEvent>> =
        followers.into_iter().map(|follower| follower.join().expect("no panic")).collect();
    assert!(followed[..2].iter().all(|followed| *followed == events), "all, whenever it began");
    assert!(followed[2..4].iter().all(|followed| *followed == odd));
    assert!(followed[4..].iter().all(Vec::is_empty));
    let mut versions: HashMap<&str, u64> = HashMap::new();
    for event in &followed[0] {
        let next = versions.entry(event.stream()).or_default();
        assert_eq!(event.version().as_u64(), *next);
        *next += 1;
    }
}

#[test]
fn a_slow_one_is_told_that_it_fell_behind_and_misses_nothing() {
    let disk = SimDisk::new();
    let store = options(&disk).recent_bytes_max(600_000).open("/bank").expect("open");
    let mut slow = store.subscribe().start().expect("subscription");
    append(&store, "a", "first");
    assert_eq!(now(&mut slow).len(), 2);
    append(&store, "a", "second");
    assert_eq!(payloads(&now(&mut slow)), ["second"]);
    let large = "x".repeat(50_000);
    for _ in 0..20 {
        append(&store, "a", &large);
    }
    let fell = slow.next(Duration::ZERO).expect("update");
    assert_eq!(fell, Some(Update::FellBehind { position: Position::new(2) }));
    let rest = now(&mut slow);
    assert_eq!((rest.len(), rest.last()), (21, Some(&caught_up(22))));
    append(&store, "a", "last");
    let reads = disk.count_reads();
    assert_eq!(payloads(&now(&mut slow)), ["last"], "and is in the present again");
    assert_eq!(reads.load(Ordering::SeqCst), 0);
}

#[test]
fn a_closed_store_ends_it_after_all_there_is_and_so_does_the_last_handle() {
    for closes in [true, false] {
        let store = open(&SimDisk::new());
        let mut waits = store.subscribe().start().expect("subscription");
        assert_eq!(now(&mut waits), [caught_up(0)]);
        let waiting = thread::spawn(move || waits.updates().collect::<annals::Result<Vec<_>>>());
        append(&store, "a", "one");
        let mut late = store.subscribe().start().expect("subscription");
        if closes {
            store.close().expect("close");
        }
        drop(store);
        assert_eq!(payloads(&waiting.join().expect("no panic").expect("updates")), ["one"]);
        let update = late.next(LONG).expect("what there was").and_then(Update::into_event);
        assert!(update.is_some_and(|event| event.payload() == b"one"));
        assert_eq!(late.next(LONG).expect("caught up"), Some(caught_up(1)));
        for _ in 0..2 {
            assert_eq!(late.next(LONG).expect_err("the end").kind(), ErrorKind::Closed);
        }
        assert!(late.updates().next().is_none());
    }
}

#[test]
fn a_store_that_is_only_read_yields_what_a_refresh_brings() {
    let disk = SimDisk::new();
    let writer = open(&disk);
    append(&writer, "a", "one");
    writer.flush().expect("flush");
    let reader = options(&disk).read_only().open("/bank").expect("open");
    let mut subscription = reader.subscribe().start().expect("subscription");
    assert_eq!(payloads(&now(&mut subscription)), ["one"]);
    let heard = thread::spawn(move || woken(&mut subscription));
    append(&writer, "a", "two");
    writer.flush().expect("flush");
    reader.refresh().expect("refresh");
    assert_eq!(payloads(&[heard.join().expect("no panic")]), ["two"]);
}

#[test]
fn what_cannot_be_read_is_an_error_until_it_can_be() {
    let disk = SimDisk::new();
    let store = options(&disk).recent_bytes_max(0).open("/bank").expect("open");
    append(&store, "a", "one");
    append(&store, "a", "two");
    let mut subscription = store.subscribe().start().expect("subscription");
    disk.on_call(|call| match call.kind {
        CallKind::Read => Verdict::Fail(std::io::ErrorKind::Other),
        _ => Verdict::Proceed,
    });
    for _ in 0..3 {
        assert_eq!(subscription.next(LONG).expect_err("it cannot be read").kind(), ErrorKind::Io);
        assert_eq!(subscription.position(), Position::new(0));
    }
    disk.heal();
    assert_eq!(payloads(&now(&mut subscription)), ["one", "two"]);
}

#[test]
fn what_is_in_memory_is_no_history_after_the_file_before_it_was_sealed() {
    let disk = SimDisk::new();
    let options = options(&disk).maintenance(Maintenance::Background).journal_file_bytes(64 << 10);
    let store = options.open("/bank").expect("open");
    let mut subscription = store.subscribe().start().expect("subscription");
    assert_eq!(now(&mut subscription), [caught_up(0)]);
    let mut heard = 0;
    // Files fill and are sealed behind the back of those who append; blocks in memory hold commits of two files.
    while store.stats().expect("stats").segments < 3 {
        append(&store, "a", &"x".repeat(1_000));
        let updates = now(&mut subscription);
        heard += updates.len();
        assert_eq!(payloads(&updates).len(), 1, "the event and nothing else: {}", updates.len());
        assert_eq!(updates.len(), 1);
    }
    assert_eq!(heard as u64, store.head().as_u64());
}

/// What comes before the time is up: once it is, all there is is looked through again, told of or not.
fn woken(subscription: &mut Subscription) -> Update {
    let asked = Instant::now();
    let update = subscription.next(LONG).expect("update").expect("in time");
    assert!(asked.elapsed() < LONG, "nobody was told of {update:?}");
    update
}

/// A store with one event, and a store that reads it with a subscription that has caught up.
fn beside_a_writer(disk: &SimDisk) -> (Store, Store, Subscription) {
    let writer = open(disk);
    append(&writer, "a", "one");
    writer.flush().expect("flush");
    let reader = options(disk).read_only().open("/bank").expect("open");
    let mut subscription = reader.subscribe().from_now().start().expect("subscription");
    assert_eq!(now(&mut subscription), [caught_up(1)]);
    (writer, reader, subscription)
}

#[test]
fn a_reader_that_goes_over_to_segments_tells_those_who_wait() {
    let disk = SimDisk::new();
    let (writer, reader, mut subscription) = beside_a_writer(&disk);
    let heard = thread::spawn(move || [woken(&mut subscription), woken(&mut subscription)]);
    append(&writer, "a", "two");
    writer.seal().expect("sealed");
    assert_eq!(reader.refresh().expect("refresh"), Position::new(2));
    let [fell, event] = heard.join().expect("no panic");
    assert_eq!(fell, Update::FellBehind { position: Position::new(1) }, "it lies in a segment only");
    assert_eq!(payloads(&[event]), ["two"]);
}

#[test]
fn a_reader_that_meets_damage_tells_those_who_wait_of_what_came_before_it() {
    let disk = SimDisk::new();
    let (writer, reader, mut subscription) = beside_a_writer(&disk);
    let heard = thread::spawn(move || woken(&mut subscription));
    append(&writer, "a", "two");
    append(&writer, "a", &"x".repeat(2_000));
    writer.flush().expect("flush");
    let journal = disk.files().remove(Path::new("/bank/journal/00000001")).expect("journal");
    // In the last event's payload, wherever the read begins that brings it.
    let bad = journal.iter().rposition(|byte| *byte == b'x').expect("payload") - 100;
    disk.on_call(move |call| {
        let begins = usize::try_from(call.offset).expect("few bytes");
        let is_read = call.kind == CallKind::Read && call.path.ends_with("journal/00000001");
        match is_read && (begins..begins + call.bytes).contains(&bad) {
            true => Verdict::FlipBit(8 * (bad - begins)),
            false => Verdict::Proceed,
        }
    });
    assert_eq!(reader.refresh().expect_err("damage").kind(), ErrorKind::Corrupt);
    assert_eq!(reader.head(), Position::new(2), "what came before it was taken in");
    assert_eq!(payloads(&[heard.join().expect("no panic")]), ["two"]);
}
