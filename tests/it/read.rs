//! Reading: from any place, both ways, as of the past, through filters.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};

use annals::{
    AsOf, Durability, ExpectedVersion, Filter, NewEvent, Options, Position, RecordedEvent, Store, Timestamp,
    Version,
};
use tempfile::TempDir;

use crate::support::{DoneOnDrop, ManualClock, Rng, all, event, event_with_id, id};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const STREAMS: [&str; 6] =
    ["account-1", "account-2", "account", "customer-1", "orders.eu.placed", "orders.us.paid"];
const TYPES: [&str; 3] = ["Opened", "Deposited", "Withdrawn"];

/// About 400 events over six streams in commits of several streams; recorded ten microseconds apart, some commits in the
/// same microsecond; occurred whenever. Files roll; with `recent_bytes_max` most is read from disk.
fn filled(recent_bytes_max: usize) -> (TempDir, Store) {
    filled_and_sealed(recent_bytes_max, &[])
}

/// The same, sealed behind these commits.
fn filled_and_sealed(recent_bytes_max: usize, sealed_behind: &[i64]) -> (TempDir, Store) {
    let dir = tempfile::tempdir().expect("temporary directory");
    let clock = ManualClock::at(0);
    let store = Options::new()
        .clock(clock.clone())
        .durability(Durability::Buffered)
        .journal_file_bytes(64 << 10)
        .recent_bytes_max(recent_bytes_max)
        .open(dir.path().join("bank"))
        .expect("open");
    let mut rng = Rng::new(11);
    for commit in 0..130_i64 {
        clock.set(commit / 2 * 10);
        let mut batch = store.batch();
        for _ in 0..1 + rng.below(5) {
            let stream = STREAMS[rng.index(6)];
            let payload = vec![b'x'; rng.index(900)];
            let event = NewEvent::new(TYPES[rng.index(3)], payload).expect("type");
            let occurred = Timestamp::from_micros(rng.below(700).cast_signed());
            batch = batch.append_raw(stream, ANY, [event.occurred_at(occurred)]);
        }
        batch.commit().expect("commit");
        if sealed_behind.contains(&commit) {
            store.seal().expect("seal");
        }
    }
    (dir, store)
}

/// The same store with all in memory, with some of it, with none; with some and all of it in segments.
fn fillings() -> Vec<(TempDir, Store)> {
    let sealed = [&[70][..], &[0, 1, 2, 60, 128], &[129]].map(|behind| filled_and_sealed(20_000, behind));
    [usize::MAX, 20_000, 0].map(filled).into_iter().chain(sealed).collect()
}

fn collected(read: impl IntoIterator<Item = annals::Result<RecordedEvent>>) -> Vec<RecordedEvent> {
    read.into_iter().collect::<annals::Result<_>>().expect("every event can be read")
}

fn of_stream(events: &[RecordedEvent], stream: &str) -> Vec<RecordedEvent> {
    events.iter().filter(|event| event.stream() == stream).cloned().collect()
}

#[test]
fn the_whole_store_is_read_from_any_position_in_both_directions() {
    for (_dir, store) in fillings() {
        let events = all(&store);
        assert_eq!(events.len() as u64, store.head().as_u64());
        assert!(events.iter().enumerate().all(|(at, event)| event.position().as_u64() == at as u64));
        for from in (0..events.len()).step_by(7).chain([0, events.len() - 1, events.len(), events.len() + 9])
        {
            let position = Position::new(from as u64);
            let after = events.get(from..).unwrap_or_default();
            assert_eq!(collected(store.read().from(position)), after, "from {from}");
            let mut before = events[..events.len().min(from + 1)].to_vec();
            before.reverse();
            assert_eq!(collected(store.read().from(position).backward()), before, "back from {from}");
        }
        assert!(collected(store.read().from(Position::new(u64::MAX))).is_empty());
        assert_eq!(collected(store.read().from(Position::new(u64::MAX)).backward()).len(), events.len());
    }
}

#[test]
fn a_stream_is_read_from_any_version_in_both_directions() {
    for (_dir, store) in fillings() {
        for stream in STREAMS {
            let events = of_stream(&all(&store), stream);
            let handle = store.stream(stream).expect("name");
            assert_eq!(collected(handle.read()), events);
            assert_eq!(handle.last().expect("last").as_ref(), events.last());
            assert_eq!(
                handle.version().expect("version").map(|version| version.as_u64() + 1),
                Some(events.len() as u64)
            );
            assert!(handle.exists().expect("exists"));
            for from in (0..events.len() + 3).step_by(3).chain([usize::MAX]) {
                let version = Version::new(from as u64);
                let after = events.get(from..).unwrap_or_default();
                assert_eq!(collected(handle.read().from(version)), after, "{stream} from {from}");
                let mut before = events[..events.len().min(from.saturating_add(1))].to_vec();
                before.reverse();
                assert_eq!(collected(handle.read().backward().from(version)), before, "{stream} back");
            }
        }
    }
}

/// Takes from both ends by chance and compares with a deque of what is to come; after the end nothing more comes.
fn assert_meets_in_the_middle(read: impl Fn() -> annals::Events, wanted: &[RecordedEvent], rng: &mut Rng) {
    for front_one_in in [1, 2, 3, 20, u64::MAX] {
        let mut events = read();
        let mut left: VecDeque<_> = wanted.iter().cloned().collect();
        while !left.is_empty() {
            let (got, wanted) = if front_one_in == 1 || rng.chance(front_one_in) {
                (events.next(), left.pop_front())
            } else {
                (events.next_back(), left.pop_back())
            };
            assert_eq!(got.transpose().expect("every event can be read"), wanted);
        }
        for _ in 0..3 {
            assert!(events.next().is_none() && events.next_back().is_none(), "fused");
        }
    }
}

#[test]
fn an_iterator_taken_from_both_ends_yields_every_event_once() {
    let mut rng = Rng::printed("both ends", 5);
    for (_dir, store) in fillings() {
        let events = all(&store);
        let reversed: Vec<_> = events.iter().rev().cloned().collect();
        assert_meets_in_the_middle(|| store.read().iter(), &events, &mut rng);
        assert_meets_in_the_middle(|| store.read().backward().iter(), &reversed, &mut rng);
        let filter = Filter::new().category("account").event_types(["Deposited"]);
        let filtered: Vec<_> = events.iter().filter(|event| filter.admits(event)).cloned().collect();
        assert_meets_in_the_middle(|| store.read().filter(filter.clone()).iter(), &filtered, &mut rng);
        let of_one = of_stream(&events, "account-2");
        assert_meets_in_the_middle(
            || store.stream("account-2").expect("name").read().iter(),
            &of_one,
            &mut rng,
        );
    }
}

/// What an event must be for a read as of then to show it.
fn had_happened(as_of: AsOf, event: &RecordedEvent) -> bool {
    match as_of {
        AsOf::Version(version) => event.version() <= version,
        AsOf::Position(position) => event.position() <= position,
        AsOf::Recorded(time) => event.recorded_at() <= time,
    }
}

#[test]
fn a_read_as_of_the_past_shows_exactly_what_had_happened() {
    for (_dir, store) in fillings() {
        let events = all(&store);
        let mut pasts: Vec<AsOf> = Vec::new();
        pasts.extend([0, 1, 5, 30, 69, u64::MAX].map(|n| AsOf::from(Version::new(n))));
        pasts.extend(
            [0, 1, 100, 371, events.len() as u64 - 1, u64::MAX].map(|n| AsOf::from(Position::new(n))),
        );
        pasts.extend(
            [i64::MIN, -1, 0, 5, 10, 300, 309, 640, i64::MAX].map(|n| AsOf::from(Timestamp::from_micros(n))),
        );
        for as_of in pasts {
            let then: Vec<_> = events.iter().filter(|event| had_happened(as_of, event)).cloned().collect();
            assert_eq!(collected(store.read().as_of(as_of)), then, "{as_of:?}");
            let reversed: Vec<_> = then.iter().rev().cloned().collect();
            assert_eq!(collected(store.read().as_of(as_of).backward()), reversed, "{as_of:?}, backward");
            for stream in STREAMS {
                let of_stream = of_stream(&then, stream);
                let handle = store.stream(stream).expect("name");
                assert_eq!(collected(handle.as_of(as_of)), of_stream, "{stream} {as_of:?}");
                let later = of_stream.get(2..).unwrap_or_default();
                assert_eq!(collected(handle.as_of(as_of).from(Version::new(2))), later, "{stream} {as_of:?}");
            }
        }
    }
}

fn some_filter(rng: &mut Rng) -> Filter {
    let time = |rng: &mut Rng| Timestamp::from_micros(rng.below(750).cast_signed() - 20);
    let mut filter = Filter::new();
    if rng.chance(3) {
        filter = filter.category(["account", "customer", "nobody"][rng.index(3)]);
    }
    if rng.chance(6) {
        filter = filter.category("orders.eu.placed");
    }
    if rng.chance(4) {
        filter = filter.stream_prefix(["acc", "account-", "o", ""][rng.index(4)]);
    }
    if rng.chance(4) {
        let pattern = ["orders.*.paid", "orders.>", "*", ">", "account-1"][rng.index(5)];
        filter = filter.subject(pattern.parse().expect("pattern"));
    }
    if rng.chance(2) {
        filter = filter.event_types(TYPES.into_iter().take(1 + rng.index(3)));
    }
    let (from, to) = (time(rng), time(rng));
    filter = match rng.below(6) {
        0 => filter.recorded(from..to),
        1 => filter.recorded(..=to),
        2 => filter.recorded(from..),
        3 => filter.recorded((std::ops::Bound::Excluded(from), std::ops::Bound::Included(to))),
        _ => filter,
    };
    match rng.below(5) {
        0 => filter.occurred(time(rng)..),
        1 => filter.occurred(time(rng)..=time(rng)),
        _ => filter,
    }
}

#[test]
fn a_filter_yields_exactly_the_events_that_it_admits() {
    let mut rng = Rng::printed("filters", 23);
    let mut yielded = 0;
    for (_dir, store) in fillings() {
        let events = all(&store);
        for _ in 0..150 {
            let filter = some_filter(&mut rng);
            let wanted: Vec<_> = events.iter().filter(|event| filter.admits(event)).cloned().collect();
            yielded += wanted.len();
            assert_eq!(collected(store.read().filter(filter.clone())), wanted, "{filter:?}");
            let as_of = Position::new(rng.below(events.len() as u64));
            let mut then: Vec<_> = wanted.iter().filter(|event| event.position() <= as_of).cloned().collect();
            then.reverse();
            let read = store.read().filter(filter.clone()).as_of(as_of).backward();
            assert_eq!(collected(read), then, "{filter:?} as of {as_of}");
            for stream in STREAMS {
                let read = store.stream(stream).expect("name").read().filter(filter.clone());
                assert_eq!(collected(read), of_stream(&wanted, stream), "{stream} {filter:?}");
            }
            let names: Vec<_> =
                store.streams_where(&filter).expect("streams").into_iter().map(|info| info.name).collect();
            let mut admitted: Vec<_> =
                STREAMS.into_iter().filter(|name| filter.admits_stream(name)).collect();
            admitted.sort_unstable();
            assert_eq!(names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), admitted);
        }
    }
    assert!(yielded > 1_000, "the filters admit something: {yielded}");
}

#[test]
fn each_condition_of_a_filter_means_what_it_says() {
    let (_dir, store) = filled(usize::MAX);
    let count = |filter: Filter, wanted: fn(&RecordedEvent) -> bool| {
        let naive = all(&store).iter().filter(|event| wanted(event)).count();
        assert!(naive > 0);
        assert_eq!(collected(store.read().filter(filter.clone())).len(), naive, "{filter:?}");
    };
    let micros = Timestamp::from_micros;
    count(Filter::new(), |_| true);
    count(Filter::new().category("account"), |e| e.stream().starts_with("account"));
    count(Filter::new().stream_prefix("account-"), |e| e.stream().starts_with("account-"));
    count(Filter::new().subject("orders.*.*".parse().expect("pattern")), |e| {
        e.stream().starts_with("orders.")
    });
    count(Filter::new().event_types(["Opened", "Withdrawn"]), |e| e.event_type() != "Deposited");
    count(Filter::new().recorded(micros(100)..micros(200)), |e| {
        (100..200).contains(&e.recorded_at().as_micros())
    });
    count(Filter::new().occurred(..=micros(200)), |e| e.occurred_at().as_micros() <= 200);
    count(Filter::new().category("customer").category("account"), |e| !e.stream().starts_with("orders"));
}

#[test]
fn a_stream_that_never_was_reads_as_nothing() {
    let (_dir, store) = filled(0);
    let none = store.stream("nobody-1").expect("name");
    assert!(!none.exists().expect("exists") && none.version().expect("version").is_none());
    assert!(none.last().expect("last").is_none() && none.find(id(1)).expect("find").is_none());
    assert!(collected(none.read()).is_empty() && collected(none.read().backward()).is_empty());
    assert!(collected(none.as_of(Position::new(5))).is_empty());
    assert!(store.streams().expect("streams").iter().all(|info| info.name.as_str() != "nobody-1"));
}

#[test]
fn an_empty_store_reads_as_nothing() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let store = Store::open(dir.path().join("bank")).expect("open");
    assert!(collected(store.read()).is_empty() && collected(store.read().backward()).is_empty());
    assert!(collected(store.read().as_of(Timestamp::MAX).filter(Filter::new().category("a"))).is_empty());
    assert!(store.streams().expect("streams").is_empty());
}

#[test]
fn streams_are_listed_by_name_with_how_long_they_are() {
    let (_dir, store) = filled(0);
    let events = all(&store);
    let mut names = STREAMS;
    names.sort_unstable();
    let listed = store.streams().expect("streams");
    assert_eq!(listed.iter().map(|info| info.name.as_str()).collect::<Vec<_>>(), names);
    for info in listed {
        let count = of_stream(&events, info.name.as_str()).len() as u64;
        assert_eq!((info.events, info.version), (count, Version::new(count - 1)));
    }
}

#[test]
fn find_answers_with_the_event_of_an_id_in_its_stream_only() {
    for options in [Options::new(), Options::new().recent_bytes_max(0)] {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = options.open(dir.path().join("bank")).expect("open");
        let a = store.stream("a").expect("name");
        a.append_raw(ANY, (0..20).map(|n| event_with_id(n, format!("{n}")))).expect("append");
        let found = a.find(id(13)).expect("find").expect("there");
        assert_eq!((found.version(), found.payload()), (Version::new(13), &b"13"[..]));
        assert!(a.find(id(99)).expect("find").is_none());
        assert!(store.stream("b").expect("name").find(id(13)).expect("find").is_none());
    }
}

#[test]
fn a_read_sees_one_prefix_while_others_append() {
    let (_dir, store) = filled(5_000);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let stream = store.stream("account-1").expect("name");
            // Where a sync costs nothing, it would leave the readers ever more to read.
            for _ in 0..4_000 {
                stream.append_raw(ANY, [event("more"), event("and more")]).expect("append");
                if done.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let until_here = DoneOnDrop(&done);
        for _ in 0..30 {
            let before = store.head().as_u64();
            let events = store.read().iter();
            let after = store.head().as_u64();
            let read = collected(events);
            let count = read.len() as u64;
            assert!((before..=after).contains(&count), "{before} {count} {after}");
            assert!(read.iter().enumerate().all(|(at, event)| event.position().as_u64() == at as u64));
            assert_eq!(count % 2, before % 2, "a commit is seen whole or not at all");
        }
        drop(until_here);
        writer.join().expect("writer");
    });
}

#[test]
fn an_iterator_outlives_every_handle_of_its_store() {
    for recent_bytes_max in [usize::MAX, 0] {
        let (dir, store) = filled(recent_bytes_max);
        let wanted = all(&store);
        let mut events = store.read().iter();
        let first = events.next().expect("one").expect("event");
        drop(store);
        let again = Store::open(dir.path().join("bank")).expect("the store was closed");
        again.stream("late").expect("name").append_raw(ANY, [event("late")]).expect("append");
        let rest = collected(events);
        assert_eq!((&first, &rest[..]), (&wanted[0], &wanted[1..]));
        drop(again);
        assert_eq!(rest[3].payload(), wanted[4].payload(), "events own their bytes");
        assert_eq!(rest[3].detached(), wanted[4]);
    }
}
