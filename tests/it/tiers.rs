//! Tiers as callers meet them, which is not at all: every answer is the same with them, without them and with bad ones, and only what
//! a look-up costs is not.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use annals::{
    AsOf, Compression, Durability, ExpectedVersion, Filter, Maintenance, Options, Outcome, Position,
    RecordedEvent, Store, Version,
};

use crate::support::{CallKind, Keep, Rng, Seal, SimDisk, Verdict, all, event, event_with_id};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const EVENTS_A_SEGMENT: u64 = 5;

fn options(disk: &SimDisk) -> Options {
    let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Inline);
    options.durability(Durability::Buffered).journal_file_bytes(64 << 10).recent_bytes_max(0)
}

fn open(disk: &SimDisk) -> Store {
    options(disk).open("/bank").expect("open")
}

/// The stream of an event: one that is in every segment, some that come back now and then, and some that come once.
fn stream_of(number: u64) -> String {
    match number % EVENTS_A_SEGMENT {
        0 => "always".to_owned(),
        1 | 2 => format!("account-{}", number % 61),
        3 => format!("customer-{}", number % 337),
        _ => format!("once-{number}"),
    }
}

fn append(store: &Store, number: u64) -> Outcome {
    let stream = store.stream(stream_of(number)).expect("name");
    stream.append_raw(ANY, [event_with_id(number, number.to_string())]).expect("append").outcome()
}

/// Seals so many segments more, the first of them of number `from`, counted from 0.
fn seal(store: &Store, from: u64, segments: u64) {
    for segment in from..from + segments {
        for number in segment * EVENTS_A_SEGMENT..(segment + 1) * EVENTS_A_SEGMENT {
            assert_eq!(append(store, number), Outcome::Appended);
        }
        assert_eq!(store.seal().expect("seal"), 1);
    }
}

fn is_tier(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "streams")
}

fn tiers(disk: &SimDisk) -> Vec<String> {
    let names = disk.files().into_keys().filter(|path| is_tier(path));
    names.map(|path| path.file_name().expect("name").to_string_lossy().into_owned()).collect()
}

/// The same disk with other files in place of the tiers: `None` for one that is gone.
fn with_tiers(disk: &SimDisk, mut change: impl FnMut(&Path, Vec<u8>) -> Option<Vec<u8>>) -> SimDisk {
    let files: BTreeMap<PathBuf, Vec<u8>> = disk
        .files()
        .into_iter()
        .filter_map(|(path, bytes)| {
            let bytes = if is_tier(&path) { change(&path, bytes)? } else { bytes };
            Some((path, bytes))
        })
        .collect();
    SimDisk::with_files(&files)
}

/// All that a store of so many segments answers about streams.
#[derive(Debug, PartialEq)]
struct Answers {
    streams: Vec<(String, u64)>,
    versions: Vec<Option<Version>>,
    events: Vec<Vec<RecordedEvent>>,
    ends: Vec<Vec<RecordedEvent>>,
    as_of: Vec<usize>,
}

fn answers(store: &Store, segments: u64) -> Answers {
    let streams = store.streams_where(&Filter::new()).expect("streams");
    let streams: Vec<_> =
        streams.into_iter().map(|info| (info.name.to_string(), info.version.as_u64())).collect();
    let absent = (0..40).map(|number| format!("absent-{number}"));
    let names: Vec<String> = streams.iter().map(|(name, _)| name.clone()).chain(absent).collect();
    let stream = |name: &String| store.stream(name.as_str()).expect("name");
    let read = |read: annals::Result<Vec<RecordedEvent>>| read.expect("every event can be read");
    let of = |position: u64| {
        names
            .iter()
            .step_by(7)
            .map(move |name| (name, AsOf::from(Position::new(position))))
            .collect::<Vec<_>>()
    };
    let head = segments * EVENTS_A_SEGMENT;
    for number in (0..head).step_by(11) {
        assert_eq!(append(store, number), Outcome::AlreadyAppended, "event {number}");
    }
    Answers {
        versions: names.iter().map(|name| stream(name).version().expect("version")).collect(),
        events: names.iter().map(|name| read(stream(name).read().iter().collect())).collect(),
        ends: names
            .iter()
            .map(|name| read(stream(name).read().backward().iter().take(2).collect()))
            .collect(),
        as_of: [0, head / 3, head / 2, head - 1]
            .into_iter()
            .flat_map(of)
            .map(|(name, as_of)| read(stream(name).as_of(as_of).iter().collect()).len())
            .collect(),
        streams,
    }
}

/// A store of so many segments, closed, and what it answers without a tier.
fn filled(segments: u64) -> (SimDisk, Answers) {
    let disk = SimDisk::new();
    let store = open(&disk);
    seal(&store, 0, segments);
    store.close().expect("close");
    let bare = with_tiers(&disk, |_, _| None);
    assert!(tiers(&bare).is_empty() && !tiers(&disk).is_empty());
    let expected = answers(&open(&bare), segments);
    (disk, expected)
}

fn assert_answers(disk: &SimDisk, segments: u64, expected: &Answers, what: &str) {
    let store = open(disk);
    assert!(answers(&store, segments) == *expected, "{what}");
}

#[test]
fn every_answer_is_the_same_with_tiers_and_without() {
    const SEGMENTS: u64 = 156;
    let disk = SimDisk::new();
    let store = open(&disk);
    seal(&store, 0, SEGMENTS);
    assert_eq!(
        tiers(&disk),
        [
            "00000001-00000064.streams",
            "00000065-00000128.streams",
            "00000129-00000136.streams",
            "00000137-00000144.streams",
            "00000145-00000152.streams",
        ]
    );
    let made_under_way = answers(&store, SEGMENTS);
    store.close().expect("close");
    let bare = with_tiers(&disk, |_, _| None);
    let expected = answers(&open(&bare), SEGMENTS);
    assert!(made_under_way == expected);
    assert_answers(&disk, SEGMENTS, &expected, "opened again");
    for number in 0..5 {
        let mut at = 0;
        let some = with_tiers(&disk, |_, bytes| {
            at += 1;
            (at - 1 != number).then_some(bytes)
        });
        assert_answers(&some, SEGMENTS, &expected, &format!("without tier {number}"));
        // It is made again with the next seal.
        let store = open(&some);
        store.seal().expect("seal");
        assert_eq!(tiers(&some), tiers(&disk));
        assert!(answers(&store, SEGMENTS) == expected, "tier {number} made again");
    }
    let report = options(&disk).salvage("/bank", "/new").expect("salvage");
    assert_eq!(report.events, SEGMENTS * EVENTS_A_SEGMENT, "{report:?}");
    let read_only = options(&disk).read_only().open("/bank").expect("open");
    assert!(all(&read_only).len() == all(&open(&bare)).len());
}

#[test]
fn damaged_tiers_and_those_of_other_segments_change_no_answer_and_verify_lists_them() {
    const SEGMENTS: u64 = 25;
    let (disk, expected) = filled(SEGMENTS);
    let report = options(&disk).verify("/bank").expect("verify");
    assert!(report.is_sound() && report.caches.is_empty(), "{report:?}");
    let length = disk.files().into_iter().find(|(path, _)| is_tier(path)).expect("a tier").1.len();
    for at in (0..length).step_by(17).chain(length - 100..length) {
        let bad = with_tiers(&disk, |_, mut bytes| {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0x21;
            }
            Some(bytes)
        });
        let report = options(&bad).verify("/bank").expect("verify");
        assert!(report.is_sound() && !report.caches.is_empty(), "byte {at}: {report:?}");
        let stream = open(&bad).stream("always").expect("name").version().expect("version");
        assert_eq!(stream, Some(Version::new(SEGMENTS - 1)), "byte {at}");
        if at.is_multiple_of(5) {
            assert_answers(&bad, SEGMENTS, &expected, &format!("byte {at}"));
        }
    }
    let swapped: Vec<Vec<u8>> =
        disk.files().into_iter().filter(|(path, _)| is_tier(path)).map(|(_, bytes)| bytes).collect();
    let mut at = 0;
    let bad = with_tiers(&disk, |_, _| {
        at += 1;
        Some(swapped[at % swapped.len()].clone())
    });
    assert_answers(&bad, SEGMENTS, &expected, "swapped");
    assert_eq!(options(&bad).verify("/bank").expect("verify").caches.len(), 3);
    for cut in [0, 63, 64, 100, length - 1] {
        let bad = with_tiers(&disk, |_, bytes| Some(bytes[..cut.min(bytes.len())].to_vec()));
        assert_answers(&bad, SEGMENTS, &expected, &format!("cut at {cut}"));
        // What is bad is made anew.
        open(&bad).seal().expect("seal");
        assert!(options(&bad).verify("/bank").expect("verify").caches.is_empty(), "cut at {cut}");
    }
}

/// The store is copied, each copy goes on otherwise, and the tiers of one come to lie beside the other's segments.
#[test]
fn tiers_of_a_copy_that_went_on_otherwise_are_not_believed() {
    let (disk, _) = filled(12);
    let other = SimDisk::with_files(&disk.files());
    seal(&open(&disk), 12, 6);
    let store = open(&other);
    for segment in 12..18 {
        for number in 0..EVENTS_A_SEGMENT {
            let stream = store.stream(format!("other-{segment}-{number}")).expect("name");
            stream.append_raw(ANY, [event("x")]).expect("append");
        }
        assert_eq!(store.seal().expect("seal"), 1);
    }
    store.close().expect("close");
    let mut files = disk.files();
    files.retain(|path, _| !is_tier(path));
    files.extend(other.files().into_iter().filter(|(path, _)| is_tier(path)));
    let mixed = SimDisk::with_files(&files);
    assert_eq!(tiers(&mixed).len(), 2);
    let bare = with_tiers(&mixed, |_, _| None);
    let expected = answers(&open(&bare), 18);
    assert_answers(&mixed, 18, &expected, "mixed");
    let report = options(&mixed).verify("/bank").expect("verify");
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.caches.len(), 1, "the first tier is of both: {report:?}");
}

#[test]
fn a_disk_that_does_not_give_a_tier_or_takes_none_changes_no_answer() {
    const SEGMENTS: u64 = 68;
    let (disk, expected) = filled(SEGMENTS);
    let store = open(&disk);
    disk.on_call(|call| match is_tier(&call.path) {
        true => Verdict::Fail(io::ErrorKind::Other),
        false => Verdict::Proceed,
    });
    assert!(answers(&store, SEGMENTS) == expected, "open tiers");
    let again = with_tiers(&disk, |_, bytes| Some(bytes));
    again.on_call(|call| match is_tier(&call.path) {
        true => Verdict::Fail(io::ErrorKind::Other),
        false => Verdict::Proceed,
    });
    assert_answers(&again, SEGMENTS, &expected, "tiers that cannot be opened");
    for kind in [CallKind::Create, CallKind::Write, CallKind::Sync, CallKind::Rename] {
        let bare = with_tiers(&disk, |_, _| None);
        let store = open(&bare);
        bare.on_call(move |call| {
            let is_new_tier = call.path.to_string_lossy().contains(".streams");
            match is_new_tier && call.kind == kind {
                true => Verdict::Fail(io::ErrorKind::StorageFull),
                false => Verdict::Proceed,
            }
        });
        append(&store, SEGMENTS * EVENTS_A_SEGMENT);
        assert_eq!(store.seal().expect("only the tier fails"), 1, "{kind:?}");
        assert!(tiers(&bare).is_empty(), "{kind:?}");
        assert_eq!(store.stats().expect("stats").seals_failed, 0);
        bare.heal();
        append(&store, SEGMENTS * EVENTS_A_SEGMENT + 1);
        store.seal().expect("seal");
        assert_eq!(tiers(&bare), tiers(&disk), "{kind:?}: there is space again");
    }
}

#[test]
fn a_reader_goes_over_to_tiers_and_keeps_its_answers_when_they_go() {
    let disk = SimDisk::new();
    let writer = open(&disk);
    seal(&writer, 0, 7);
    let reader = options(&disk).read_only().open("/bank").expect("open");
    for segment in 7..72 {
        seal(&writer, segment, 1);
        if segment % 3 == 0 {
            reader.refresh().expect("refresh");
            assert!(answers_of_reader(&reader) == answers_of_reader(&writer), "segment {segment}");
        } else {
            // Without a look: tiers that it uses may have been removed.
            let version = reader.stream("always").expect("name").version().expect("version");
            assert!(version.is_some_and(|version| version.as_u64() + 3 >= segment), "segment {segment}");
        }
    }
    let late = options(&disk).read_only().open("/bank").expect("open");
    assert!(answers_of_reader(&late) == answers_of_reader(&writer));
}

fn answers_of_reader(store: &Store) -> Vec<(String, Option<Version>, usize)> {
    let streams = store.streams_where(&Filter::new()).expect("streams");
    let of = |name: String| {
        let stream = store.stream(name.as_str()).expect("name");
        let events: Vec<_> = stream.read().iter().collect::<annals::Result<_>>().expect("events");
        (name, stream.version().expect("version"), events.len())
    };
    streams.into_iter().map(|info| of(info.name.to_string())).collect()
}

#[test]
fn a_look_up_asks_few_filters_and_reads_little_however_many_segments_there_are() {
    let mut told = Vec::new();
    let disk = SimDisk::new();
    let mut sealed = 0;
    for segments in [1, 10, 100, 1_000] {
        seal(&open(&disk), sealed, segments - sealed);
        sealed = segments;
        let store = open(&disk);
        let reads = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&reads);
        disk.on_call(move |call| {
            counted.fetch_add(u64::from(call.kind == CallKind::Read), Ordering::SeqCst);
            Verdict::Proceed
        });
        let looks = || {
            let stats = store.stats().expect("stats");
            stats.block_cache_hits + stats.block_cache_misses
        };
        let never = store.stream("never").expect("name");
        assert_eq!(never.version().expect("version"), None);
        let (first_reads, before) = (reads.load(Ordering::SeqCst), looks());
        assert_eq!(never.version().expect("version"), None);
        let asked = looks() - before;
        assert_eq!(reads.load(Ordering::SeqCst), first_reads, "all that was asked is in the cache");
        let oldest = store.stream(stream_of(4)).expect("name");
        assert_eq!(oldest.version().expect("version"), Some(Version::FIRST));
        let oldest_reads = reads.load(Ordering::SeqCst) - first_reads;
        disk.heal();
        told.push((segments, first_reads, asked, oldest_reads));
    }
    println!("segments, reads, filters asked, reads for the oldest: {told:?}");
    // 1; 1 tier and 2; 1 tier of 64, 4 of 8 and 4; 1 of 512, 7 of 64 and 5 of 8.
    let filters = [1, 3, 9, 13];
    for ((segments, reads, asked, oldest_reads), filters) in told.into_iter().zip(filters) {
        // One name in 256 may be there for a filter: then directory and block are asked, too.
        assert!((filters..=filters + 2).contains(&asked), "{segments} segments: {asked} asked");
        assert!((filters..=filters + 2).contains(&reads), "{segments} segments: {reads} reads");
        assert!(oldest_reads <= 4, "{segments} segments: {oldest_reads} reads");
    }
}

/// The power is cut, or the process killed, at every call of making tiers: of one merged from segments, and of one merged from tiers.
#[test]
fn a_power_cut_at_any_call_of_making_a_tier_changes_no_answer() {
    let mut rng = Rng::printed("power cuts while tiers are made", 59);
    let mut states = 0;
    for segments in [8, 64] {
        let disk = SimDisk::new();
        let store = open(&disk);
        seal(&store, 0, segments - 1);
        let moments: Arc<Mutex<Vec<SimDisk>>> = Arc::default();
        let seen = Arc::clone(&moments);
        let mut is_making = false;
        disk.record(move |call, disk| {
            is_making |= call.path.to_string_lossy().contains(".streams");
            if is_making {
                seen.lock().expect("moments").push(disk);
            }
        });
        seal(&store, segments - 1, 1);
        disk.stop_recording();
        let expected = answers(&open(&with_tiers(&disk.kill(), |_, _| None)), segments);
        let moments = std::mem::take(&mut *moments.lock().expect("moments"));
        assert!(moments.len() > 5, "{} calls", moments.len());
        for (call, disk) in moments.iter().enumerate() {
            let keeps: Vec<Keep> = match disk.crash_states().filter(|states| *states <= 64) {
                Some(states) => (0..states).map(Keep::Subset).collect(),
                None => {
                    let by_chance = (0..16).map(|_| Keep::Some(Rng::new(rng.next())));
                    [Keep::Nothing, Keep::Everything].into_iter().chain(by_chance).collect()
                }
            };
            let crashed = keeps.into_iter().map(|keep| disk.crash(keep));
            for left in crashed.chain([disk.kill()]) {
                let what = format!("{segments} segments, call {call}");
                let report = options(&left).verify("/bank").expect("verify");
                assert!(report.is_sound() && report.caches.is_empty(), "{what}: {report:?}");
                let store = open(&left);
                assert!(answers(&store, segments) == expected, "{what}");
                store.seal().expect("seal");
                let unfinished =
                    left.files().into_keys().any(|path| path.extension().is_some_and(|it| it == "tmp"));
                assert!(!unfinished && tiers(&left).len() == 1, "{what}: {:?}", tiers(&left));
                states += 1;
            }
        }
    }
    println!("{states} states");
    assert!(states > 40, "{states} states");
}

/// Nobody writes such tiers: what is asked of their streams may be told wrongly then, but nothing panics or takes memory without end.
#[test]
fn no_byte_of_a_tier_behind_right_checksums_does_harm() {
    const SEGMENTS: u64 = 8;
    let disk = SimDisk::new();
    let store = options(&disk).compression(Compression::None).open("/bank").expect("open");
    seal(&store, 0, SEGMENTS);
    store.close().expect("close");
    let crc = Seal::of(&disk.files());
    let length = disk.files().into_iter().find(|(path, _)| is_tier(path)).expect("a tier").1.len();
    let mut answered = 0;
    for (at, value) in (0..length).flat_map(|at| [0, 1, 0x7f, 0xff].map(|value| (at, value))) {
        let bad = with_tiers(&disk, |_, mut bytes| {
            bytes[at] = value;
            crc.tier(1, 8, &mut bytes);
            Some(bytes)
        });
        let store = options(&bad).read_only().open("/bank").expect("open");
        for name in ["always", "account-1", "account-2", "once-4", "absent"] {
            let stream = store.stream(name).expect("name");
            let version = stream.version().expect("version");
            let read: annals::Result<Vec<_>> = stream.read().iter().take(1_000).collect();
            let back: annals::Result<Vec<_>> = stream.read().backward().iter().take(1_000).collect();
            answered += u32::from(read.is_ok() && back.is_ok() && version.is_some());
        }
        if at % 16 == 0 {
            assert!(options(&bad).verify("/bank").expect("verify").is_sound());
        }
    }
    println!("{answered} answers");
}

#[test]
fn a_large_tier_that_is_found_damaged_is_made_anew_from_the_segments() {
    const SEGMENTS: u64 = 66;
    let (disk, expected) = filled(SEGMENTS);
    let bad = with_tiers(&disk, |_, mut bytes| {
        bytes[64 + 30] ^= 1;
        Some(bytes)
    });
    let store = open(&bad);
    assert!(answers(&store, SEGMENTS) == expected, "damaged");
    for _ in 0..2 {
        store.seal().expect("seal");
        assert!(answers(&store, SEGMENTS) == expected, "made anew");
    }
    assert_eq!(tiers(&bad), tiers(&disk));
    assert!(options(&bad).verify("/bank").expect("verify").caches.is_empty());
}

#[test]
fn tiers_are_made_in_the_background_and_again_when_they_are_missing() {
    let disk = SimDisk::new();
    let open =
        |disk: &SimDisk| options(disk).maintenance(Maintenance::Background).open("/bank").expect("open");
    let store = open(&disk);
    for number in 0..120 {
        let stream = store.stream(format!("account-{}", number % 7)).expect("name");
        stream.append_raw(ANY, [event([7; 10_000])]).expect("append");
    }
    let wait = |disk: &SimDisk| {
        while tiers(disk) != ["00000001-00000008.streams", "00000009-00000016.streams"] {
            std::thread::yield_now();
        }
    };
    wait(&disk);
    let expected = all(&store);
    store.close().expect("close");
    let bare = with_tiers(&disk, |_, _| None);
    let store = open(&bare);
    wait(&bare);
    assert!(all(&store) == expected);
    store.close().expect("close");
    assert!(options(&bare).verify("/bank").expect("verify").caches.is_empty());
}
