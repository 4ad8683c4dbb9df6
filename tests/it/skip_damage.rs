//! Reads that skip damage: all that can be read is read, in order and once, and each place that cannot be read is told once.

use std::io;
use std::path::Path;

use annals::{
    ErrorKind, ExpectedVersion, Filter, Maintenance, Options, Position, SkipDamage, Store, Version,
};

use crate::support::{CallKind, Rng, SimDisk, Verdict, event, to_usize};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const ROOT: &str = "/bank";
const JOURNAL: &str = "/bank/journal/00000001";
const COMMITS: u64 = 120;

/// One commit of the store: where its frame lies and which positions it holds.
struct Commit {
    bytes: std::ops::Range<u64>,
    positions: std::ops::Range<u64>,
}

/// An open store, nothing of it in memory. Every commit has one event of `a-1` and, every third, two of `b-1` around it.
fn base() -> (SimDisk, Store, Vec<Commit>) {
    let disk = SimDisk::new();
    let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Inline);
    let store = options.recent_bytes_max(0).open(ROOT).expect("open");
    let mut commits = Vec::new();
    for number in 0..COMMITS {
        let (start, first) = (used(&disk), store.head().as_u64());
        let mut batch = store.batch();
        if number % 3 == 0 {
            batch = batch.append_raw("b-1", ANY, [event(format!("b{number}"))]);
        }
        batch = batch.append_raw("a-1", ANY, [event(format!("a{number}"))]);
        if number % 3 == 0 {
            batch = batch.append_raw("b-1", ANY, [event(format!("c{number}"))]);
        }
        batch.commit().expect("commit");
        commits.push(Commit { bytes: start..used(&disk), positions: first..store.head().as_u64() });
    }
    (disk, store, commits)
}

/// Behind the last byte of the journal that is not zero.
fn used(disk: &SimDisk) -> u64 {
    let files = disk.files();
    let bytes = &files[Path::new(JOURNAL)];
    bytes.iter().rposition(|byte| *byte != 0).filter(|at| *at >= 4096).map_or(4096, |at| at as u64 + 1)
}

/// From now on the disk gives no byte of these commits.
fn fail_reads_of(disk: &SimDisk, commits: &[Commit], bad: &[u64]) {
    let ranges: Vec<_> = bad.iter().map(|at| commits[to_usize(*at)].bytes.clone()).collect();
    disk.on_call(move |call| {
        let end = call.offset + call.bytes as u64;
        let overlaps = |range: &std::ops::Range<u64>| call.offset < range.end && end > range.start;
        let is_bad = call.kind == CallKind::Read && call.bytes > 0 && ranges.iter().any(overlaps);
        if is_bad { Verdict::Fail(io::ErrorKind::Other) } else { Verdict::Proceed }
    });
}

/// What an iterator yields: the positions of events, and the ranges that were passed over.
fn look(events: SkipDamage) -> (Vec<u64>, Vec<std::ops::Range<u64>>) {
    let (mut read, mut skipped) = (Vec::new(), Vec::new());
    for one in events {
        match one {
            Ok(event) => read.push(event.position().as_u64()),
            Err(one) => {
                assert!(matches!(one.error.kind(), ErrorKind::Io | ErrorKind::Corrupt), "{one:?}");
                skipped.push(one.positions.start.as_u64()..one.positions.end.as_u64());
            }
        }
    }
    (read, skipped)
}

/// Holds reads of all kinds against what the same reads yielded before the damage.
fn check(store: &Store, sound: &Store, commits: &[Commit], bad: &[u64]) {
    let lost: Vec<_> = bad.iter().map(|at| commits[to_usize(*at)].positions.clone()).collect();
    let is_lost = |position: &u64| lost.iter().any(|range| range.contains(position));
    let with = |store: &Store, which: usize, backward: bool| {
        let b = Filter::new().category("b");
        let (all, stream) = (store.read(), store.stream("b-1").expect("name").read());
        let (all, stream) = match which {
            0 => (Some(all), None),
            1 => (Some(all.filter(b)), None),
            2 => (Some(all.filter(Filter::new().event_types(["Happened"])).from(Position::new(31))), None),
            3 => (Some(all.as_of(Version::new(40))), None),
            4 => (None, Some(stream)),
            _ => (None, Some(stream.from(Version::new(33)))),
        };
        let all = all.map(|all| if backward { all.backward() } else { all }.skip_damage());
        all.or(stream.map(|one| if backward { one.backward() } else { one }.skip_damage()))
            .expect("one of both")
    };
    for (which, backward) in (0..6).flat_map(|which| [(which, false), (which, true)]) {
        let what = format!("read {which}, backward {backward}, bad {bad:?}");
        let (all, none) = look(with(sound, which, backward));
        assert!(none.is_empty() && !all.is_empty(), "{what}");
        let (read, skipped) = look(with(store, which, backward));
        let left: Vec<u64> = all.iter().copied().filter(|position| !is_lost(position)).collect();
        assert_eq!(read, left, "{what}");
        let mut wanted: Vec<_> = lost.clone();
        // As of a version the bytes decide: a commit that cannot be read is told whatever may be in it.
        wanted.retain(|range| which == 3 || all.iter().any(|position| range.contains(position)));
        wanted.sort_by_key(|range| range.start);
        if backward {
            wanted.reverse();
        }
        assert_eq!(skipped, wanted, "{what}");
    }
}

#[test]
fn all_that_can_be_read_is_read_in_order_and_each_place_that_cannot_is_told_once() {
    let (sound_disk, sound, commits) = base();
    drop(sound_disk);
    let (disk, store, _) = base();
    for bad in 0..COMMITS {
        fail_reads_of(&disk, &commits, &[bad]);
        check(&store, &sound, &commits, &[bad]);
    }
    let mut rng = Rng::new(7);
    for _ in 0..60 {
        let mut bad: Vec<u64> = (0..2 + rng.below(8)).map(|_| rng.below(COMMITS)).collect();
        bad.extend([bad[0].saturating_sub(1)]);
        bad.sort_unstable();
        bad.dedup();
        fail_reads_of(&disk, &commits, &bad);
        check(&store, &sound, &commits, &bad);
    }
    fail_reads_of(&disk, &commits, &(0..COMMITS).collect::<Vec<_>>());
    let (read, skipped) = look(store.read().skip_damage());
    assert_eq!((read.len(), skipped.len()), (0, to_usize(COMMITS)), "nothing can be read, and that is told");
}

#[test]
fn a_flipped_bit_under_an_open_store_costs_its_commit_and_no_other() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let store = Options::new().recent_bytes_max(0).open(&path).expect("open");
    let a = store.stream("a").expect("name");
    for number in 0..20 {
        a.append_raw(ANY, [event(format!("payload number {number:02}"))]).expect("append");
    }
    let journal = path.join("journal/00000001");
    let bytes = std::fs::read(&journal).expect("read");
    let mut flipped = bytes.clone();
    for number in [4, 12] {
        let wanted = format!("payload number {number:02}");
        let at = bytes.windows(17).position(|window| window == wanted.as_bytes()).expect("it is in there");
        flipped[at] ^= 1;
    }
    // Written in place, as a disk that goes bad would: the store has the file open.
    std::fs::write(&journal, flipped).expect("write");
    let skipped: Vec<_> = a.read().skip_damage().filter_map(Result::err).collect();
    assert_eq!(skipped.len(), 2);
    for (one, position) in skipped.iter().zip([4, 12]) {
        assert_eq!(one.positions, Position::new(position)..Position::new(position + 1));
        assert_eq!(one.error.kind(), ErrorKind::Corrupt);
        assert_eq!(one.error.place().expect("a place").path, journal);
        let told = one.to_string();
        assert!(told.starts_with(&format!("position {position} was passed over: ")), "{told}");
        assert!(told.contains("00000001") && told.contains("checksum differs"), "{told}");
        assert_eq!(annals::Error::from(one.clone()).kind(), ErrorKind::Corrupt);
    }
    assert_eq!(a.read().skip_damage().filter(Result::is_ok).count(), 18);
    let mut events = a.read().skip_damage();
    assert_eq!(events.by_ref().count(), 20);
    assert!(events.next().is_none() && events.next().is_none(), "it ends and stays at the end");
    assert!(a.read().iter().nth(4).expect("for ever").is_err(), "the plain iterator stays as it is");
    assert_eq!(a.append_raw(ANY, [event("on")]).expect("append").version(), Some(Version::new(20)));
}
