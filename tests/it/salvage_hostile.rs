//! Salvage and verify of files that chance or somebody has made: an error or what is true, never a panic, never an altered
//! event.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use annals::{ErrorKind, ExpectedVersion, Maintenance, Options, RecordedEvent, StoreId};

use crate::support::{Rng, SimDisk, all, event, to_usize};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const ANY: ExpectedVersion = ExpectedVersion::Any;
const ROOT: &str = "/bank";
const FIRST: &str = "/bank/journal/00000001";
const FRAMES_AT: usize = 4096;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

/// A store of two journal files, its events and its id.
fn base() -> (Files, Vec<RecordedEvent>, StoreId) {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    let mut rng = Rng::new(3);
    while store.stats().expect("stats").journal_files < 2 {
        let stream = format!("stream-{}", rng.below(4));
        let payload = |rng: &mut Rng| {
            event((0..rng.below(3_000)).map(|byte| byte.to_le_bytes()[0]).collect::<Vec<_>>())
        };
        let events: Vec<_> = (0..=rng.below(3)).map(|_| payload(&mut rng)).collect();
        store.stream(stream).expect("name").append_raw(ANY, events).expect("append");
    }
    store.close().expect("close");
    let mut files = disk.files();
    files.remove(Path::new("/bank/LOCK"));
    (files, all(&store), store.id())
}

/// Whether one list of events is the other with some left out, whatever they are counted as.
fn is_part_of(some: &[RecordedEvent], all: &[RecordedEvent]) -> bool {
    let same = |a: &RecordedEvent, b: &RecordedEvent| {
        (a.stream(), a.recorded_at(), a.to_new_event()) == (b.stream(), b.recorded_at(), b.to_new_event())
    };
    let mut rest = all.iter();
    some.iter().all(|event| rest.any(|other| same(event, other)))
}

#[test]
fn whatever_bytes_change_no_event_is_altered_doubled_or_out_of_order() {
    let (base, events, _) = base();
    let mut rng = Rng::printed("salvage of seeded damages", 11);
    let (mut salvaged, mut kept) = (0_u64, 0);
    for round in 0..150 {
        let mut files = base.clone();
        let names: Vec<PathBuf> = files.keys().cloned().collect();
        for _ in 0..=rng.below(6) {
            let bytes = files.get_mut(&names[rng.index(names.len())]).expect("file");
            let (at, length) = (rng.index(bytes.len()), 1 + rng.index(2_000));
            let end = (at + length).min(bytes.len());
            match rng.below(5) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at..end].fill(0),
                2 => bytes[at..end].fill_with(|| rng.next().to_le_bytes()[0]),
                3 => bytes.truncate(at.max(1)),
                _ => {
                    let to = rng.index(bytes.len() - (end - at) + 1) / 8 * 8;
                    bytes.copy_within(at / 8 * 8..end / 8 * 8, to);
                }
            }
        }
        let disk = SimDisk::with_files(&files);
        let _ = options(&disk).verify(ROOT);
        let Ok(report) = options(&disk).salvage(ROOT, "/new") else { continue };
        let new = all(&options(&disk).open("/new").expect("open"));
        assert!(is_part_of(&new, &events), "round {round}");
        // What is not told as lost is there.
        let told = report.lost_events() + u64::from(report.lost_end.is_some());
        assert!(
            new.len() == events.len() || told > 0 || report.torn_tail.is_some(),
            "round {round}: {report:?}"
        );
        if report.lost_end.is_none() && report.torn_tail.is_none() {
            assert_eq!(new.len() as u64 + report.lost_events(), events.len() as u64, "round {round}");
        }
        (salvaged, kept) = (salvaged + 1, kept + new.len());
    }
    println!("{salvaged} salvages, {kept} events kept of {}", events.len() as u64 * salvaged);
    assert!(salvaged > 100);
}

/// The checksum of these bytes in a file of a store.
fn checksum(store: StoreId, number: u64, bytes: &[u8]) -> [u8; 4] {
    let mut seed = crc32fast::Hasher::new_with_initial(0);
    seed.update(&store.to_bytes());
    seed.update(&number.to_le_bytes());
    let mut crc = crc32fast::Hasher::new_with_initial(seed.finalize());
    crc.update(bytes);
    crc.finalize().to_le_bytes()
}

/// Seals the frame at `at` of the first file anew: somebody who knows the format made it.
fn seal(bytes: &mut [u8], at: usize, store: StoreId) {
    let body_len = to_usize(u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four")).into());
    if let Some(body) = bytes.get(at + 56..at + 56 + body_len) {
        let crc = checksum(store, 1, body);
        bytes[at + 44..at + 48].copy_from_slice(&crc);
    }
    let crc = checksum(store, 1, &bytes[at..at + 52]);
    bytes[at + 52..at + 56].copy_from_slice(&crc);
}

#[test]
fn frames_made_by_hand_neither_panic_nor_fail_a_salvage() {
    let (base, events, store) = base();
    let first =
        u32::from_le_bytes(base[Path::new(FIRST)][FRAMES_AT + 8..FRAMES_AT + 12].try_into().expect("four"));
    let second = FRAMES_AT + ((56 + to_usize(first.into())) / 8 + 1) * 8;
    let u64s = [0, 1, 1 << 31, 1 << 32, u64::MAX - 1, u64::MAX];
    // first_position, n, durable of the header; recorded_at and event_count of the body; the record's lengths and version.
    let fields: [(usize, usize); 9] =
        [(16, 8), (24, 8), (32, 8), (56, 8), (64, 4), (68, 4), (72, 4), (8, 4), (56 + 16 + 4 + 8, 8)];
    let mut salvages = 0;
    for frame in [FRAMES_AT, second] {
        for ((field, width), value) in fields.iter().flat_map(|field| u64s.map(|value| (*field, value))) {
            let mut files = base.clone();
            let bytes = files.get_mut(Path::new(FIRST)).expect("file");
            bytes[frame + field..frame + field + width].copy_from_slice(&value.to_le_bytes()[..width]);
            seal(bytes, frame, store);
            let disk = SimDisk::with_files(&files);
            let what = format!("field {field} of the frame at {frame} is {value}");
            options(&disk).verify(ROOT).unwrap_or_else(|error| panic!("{what}: {error}"));
            let report =
                options(&disk).salvage(ROOT, "/new").unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(report.events >= events.len() as u64 - 8, "{what}: {report:?}");
            assert!(options(&disk).open("/new").is_ok(), "{what}");
            salvages += 1;
        }
    }
    println!("{salvages} salvages");
}

#[test]
fn a_store_of_a_newer_format_is_not_salvaged_by_halves() {
    let (base, _, store) = base();
    let with = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut files = base.clone();
        change(files.get_mut(Path::new(path)).expect("file"));
        files
    };
    let manifest = with("/bank/MANIFEST", &|bytes| {
        bytes[8] = 3;
        let crc = checksum(store, 0, &bytes[..84]);
        bytes[84..].copy_from_slice(&crc);
    });
    let header = with(FIRST, &|bytes| {
        bytes[8] = 2;
        let crc = checksum(store, 1, &bytes[..60]);
        bytes[60..64].copy_from_slice(&crc);
    });
    let frame = with(FIRST, &|bytes| {
        bytes[FRAMES_AT + 4] = 4;
        seal(bytes, FRAMES_AT, store);
    });
    for (what, files) in [("manifest", manifest), ("file header", header), ("frame", frame)] {
        let disk = SimDisk::with_files(&files);
        let error = options(&disk).salvage(ROOT, "/new").expect_err(what);
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{what}: {error}");
        assert!(disk.files() == files, "{what}: nothing is made");
        match options(&disk).verify(ROOT) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{what}"),
            Ok(report) => {
                let told = &report.damages[0].what;
                assert!(
                    told.contains("newer") || told.contains("this version does not know"),
                    "{what}: {report:?}"
                );
            }
        }
    }
}

#[test]
fn a_header_that_only_looks_newer_or_is_damaged_elsewhere_hides_nothing() {
    let (base, events, _) = base();
    let stranger = StoreId::from_bytes([5; 16]);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut files = base.clone();
        change(files.get_mut(Path::new(FIRST)).expect("file"));
        files
    };
    let damaged = with(&|bytes| bytes[8] = 2);
    let newer_stranger = with(&|bytes| {
        bytes[8] = 2;
        bytes[16..32].copy_from_slice(&stranger.to_bytes());
        let crc = checksum(stranger, 1, &bytes[..60]);
        bytes[60..64].copy_from_slice(&crc);
    });
    let behind = with(&|bytes| bytes[100] = 1);
    for (what, files) in [
        ("its version is damaged", damaged),
        ("a newer one of another store", newer_stranger),
        ("a byte behind a sound one", behind),
    ] {
        let disk = SimDisk::with_files(&files);
        options(&disk).salvage(ROOT, "/new").unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(all(&options(&disk).open("/new").expect("open")), events, "{what}");
    }
}
