//! Salvage: every sound event of a damaged store is in the new one, what is lost is told exactly, the old store is only read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annals::{
    ErrorKind, ExpectedVersion, Maintenance, Options, Position, RecordedEvent, SalvageReport, Store,
};

use crate::support::{Keep, SimDisk, all, event, event_with_id, to_usize};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const ANY: ExpectedVersion = ExpectedVersion::Any;
const ROOT: &str = "/bank";
const NEW: &str = "/mended";
const MANIFEST: &str = "/bank/MANIFEST";
const FIRST: &str = "/bank/journal/00000001";
const FRAMES_AT: usize = 4096;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

/// The files of a store, its events, and where each frame lies: file, bytes, positions.
struct Base {
    files: Files,
    events: Vec<RecordedEvent>,
    frames: Vec<Frame>,
}

#[derive(Debug, Clone)]
struct Frame {
    path: PathBuf,
    bytes: Range<usize>,
    positions: Range<u64>,
}

impl Base {
    fn of(disk: &SimDisk, events: Vec<RecordedEvent>) -> Self {
        let mut files = disk.files();
        files.remove(Path::new("/bank/LOCK"));
        let frames = files.iter().filter(|(path, _)| path.starts_with("/bank/journal"));
        let frames = frames.flat_map(|(path, bytes)| frames_in(path, bytes)).collect();
        Self { files, events, frames }
    }

    fn with(&self, path: impl AsRef<Path>, change: impl FnOnce(&mut Vec<u8>)) -> Files {
        let mut files = self.files.clone();
        change(files.get_mut(path.as_ref()).expect("the file"));
        files
    }

    /// The frames that hold events.
    fn commits(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| !frame.positions.is_empty())
    }
}

fn frames_in(path: &Path, bytes: &[u8]) -> Vec<Frame> {
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let mut found = Vec::new();
    let mut at = FRAMES_AT;
    while bytes[at..].starts_with(b"ANFR") {
        let body = to_usize(number(at + 8).into());
        let end = at + ((56 + body) / 8 + 1) * 8;
        let first = u64::from(number(at + 16));
        let events = if body == 0 { 0 } else { u64::from(number(at + 56 + 8)) };
        found.push(Frame { path: path.to_owned(), bytes: at..end, positions: first..first + events });
        at = end;
    }
    found
}

/// A few small commits over three streams, closed and opened once in between.
fn small(close: bool) -> Base {
    let disk = SimDisk::new();
    let append = |store: &Store, stream: &str, payload: &str| {
        store.stream(stream).expect("name").append_raw(ANY, [event(payload)]).expect("append");
    };
    let store = options(&disk).open(ROOT).expect("open");
    append(&store, "a", "1");
    let pair = store.batch().append_raw("a", ANY, [event_with_id(1, "paid")]);
    pair.append_raw("b", ANY, [event_with_id(2, "got")]).commit().expect("commit");
    store.close().expect("close");
    let store = options(&disk).open(ROOT).expect("open");
    append(&store, "b", "3");
    append(&store, "c", "4");
    append(&store, "a", "5");
    if close {
        store.close().expect("close");
    }
    Base::of(&disk.crash(Keep::Everything), all(&store))
}

/// Three journal files of commits of one size.
fn rolled() -> Base {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    let mut number = 0;
    while store.stats().expect("stats").journal_files < 3 {
        let stream = store.stream(["a", "b", "c"][number % 3]).expect("name");
        let numbered = |part: u8| event([&number.to_le_bytes()[..], &[part], &[7; 5_000]].concat());
        stream.append_raw(ANY, (0..2).map(numbered)).expect("append");
        number += 1;
    }
    store.close().expect("close");
    Base::of(&disk, all(&store))
}

/// Salvages these files; the report and what the new store holds.
fn salvage(files: &Files) -> annals::Result<(SalvageReport, Vec<RecordedEvent>)> {
    let disk = SimDisk::with_files(files);
    let report = options(&disk).salvage(ROOT, NEW)?;
    let mut after = disk.files();
    after.retain(|path, _| path.starts_with(ROOT));
    assert!(after == *files, "the old store is only read");
    let store = options(&disk).open(NEW)?;
    assert!(store.recovery().clean);
    assert_eq!(store.id(), report.new_store_id);
    Ok((report, all(&store)))
}

/// What an event is, wherever it stands.
fn content(event: &RecordedEvent) -> impl PartialEq + std::fmt::Debug + use<> {
    (event.stream().to_owned(), event.recorded_at(), event.to_new_event())
}

/// Holds a salvage of damaged files against the store as it was: everything but `lost` is there, in order, and exactly `lost`
/// is told.
fn check(base: &Base, files: &Files, lost: &[Range<u64>], what: &str) -> SalvageReport {
    let (report, events) = salvage(files).unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_lost = |event: &&RecordedEvent| lost.iter().any(|lost| lost.contains(&event.position().as_u64()));
    let wanted: Vec<_> = base.events.iter().filter(|event| !is_lost(event)).collect();
    assert_eq!(
        events.iter().map(content).collect::<Vec<_>>(),
        wanted.iter().map(|event| content(event)).collect::<Vec<_>>(),
        "{what}"
    );
    let ranges = |ranges: &[Range<Position>]| -> Vec<_> {
        ranges.iter().map(|range| range.start.as_u64()..range.end.as_u64()).collect()
    };
    assert_eq!(ranges(&report.lost), lost, "{what}");
    assert_eq!(report.events, events.len() as u64, "{what}");
    assert_eq!(report.recorded_at_held, 0, "{what}");
    assert!(report.left_out.is_empty(), "{what}: {:?}", report.left_out);
    for (event, old) in events.iter().zip(&wanted) {
        assert_eq!(report.new_position(old.position()), Some(event.position()), "{what}");
        let same_commit = report.new_position(old.commit_position());
        assert_eq!(same_commit, Some(event.commit_position()), "{what}: commits stay together");
    }
    for position in lost.iter().cloned().flatten() {
        assert_eq!(report.new_position(Position::new(position)), None, "{what}");
    }
    check_lost_versions(base, &report, lost, what);
    report
}

/// A stream's lost versions are told where a later event of it is left.
fn check_lost_versions(base: &Base, report: &SalvageReport, lost: &[Range<u64>], what: &str) {
    let is_lost = |event: &RecordedEvent| lost.iter().any(|lost| lost.contains(&event.position().as_u64()));
    let mut wanted: Vec<(String, u64)> = Vec::new();
    for event in base.events.iter().filter(|event| is_lost(event)) {
        let later =
            |other: &RecordedEvent| other.stream() == event.stream() && other.version() > event.version();
        if base.events.iter().any(|other| later(other) && !is_lost(other)) {
            wanted.push((event.stream().to_owned(), event.version().as_u64()));
        }
    }
    let mut told: Vec<(String, u64)> = Vec::new();
    for one in &report.lost_versions {
        let versions = one.versions.start.as_u64()..one.versions.end.as_u64();
        told.extend(versions.map(|version| (one.stream.as_str().to_owned(), version)));
    }
    wanted.sort();
    told.sort();
    assert_eq!(told, wanted, "{what}");
    assert_eq!(report.lost_events_of_known_streams(), wanted.len() as u64, "{what}");
}

#[test]
fn a_sound_store_comes_over_as_it_is() {
    for base in [small(true), small(false), rolled()] {
        let report = check(&base, &base.files, &[], "sound");
        assert!(report.is_complete() && report.damages.is_empty() && report.torn_tail.is_none());
        let (_, events) = salvage(&base.files).expect("salvage");
        assert_eq!(events, base.events, "the same events in the same commits at the same positions");
    }
}

#[test]
fn an_empty_store_is_salvaged_to_an_empty_store() {
    let disk = SimDisk::new();
    options(&disk).open(ROOT).expect("open").close().expect("close");
    let base = Base::of(&disk, Vec::new());
    assert!(check(&base, &base.files, &[], "empty").is_complete());
    let headless = base.with(FIRST, |bytes| bytes[20] ^= 1);
    assert!(check(&base, &headless, &[], "empty, its file's header damaged").is_complete());
}

#[test]
fn any_flipped_bit_costs_its_commit_and_no_other() {
    let base = small(true);
    let (mut flips, mut costly) = (0, 0);
    let used = base.frames.last().expect("a frame").bytes.end;
    let places = (0..88).map(|at| (MANIFEST, at)).chain((0..64).map(|at| (FIRST, at)));
    let places = places.chain((FRAMES_AT..used + 16).map(|at| (FIRST, at)));
    for (path, at) in places.chain([(FIRST, 3000), (FIRST, used + 2_000)]) {
        // Every bit of the headers of frames; of what they hold one bit a byte.
        let in_header = |frame: &Frame| frame.bytes.start <= at && at < frame.bytes.start + 56;
        let bits = if path == FIRST && at >= FRAMES_AT && !base.frames.iter().any(in_header) {
            at % 8..at % 8 + 1
        } else {
            0..8
        };
        for bit in bits {
            let files = base.with(path, |bytes| bytes[at] ^= 1 << bit);
            let hit = base.commits().find(|frame| path == FIRST && frame.bytes.contains(&at));
            let lost: Vec<_> = hit.map(|frame| frame.positions.clone()).into_iter().collect();
            let report = check(&base, &files, &lost, &format!("{path} at {at}, bit {bit}"));
            assert!(report.lost_end.is_none() && !report.damages.is_empty(), "{path} at {at}: {report:?}");
            assert_eq!(report.is_complete(), lost.is_empty());
            flips += 1;
            costly += u64::from(hit.is_some());
        }
    }
    println!("{flips} flipped bits, {costly} of them in commits");
    assert!(flips > 3_000 && costly > 1_500);
}

/// The positions from the first of some frames to the end of the last.
fn positions(frames: &[&Frame]) -> Range<u64> {
    frames[0].positions.start..frames[frames.len() - 1].positions.end
}

fn journal(number: u64) -> PathBuf {
    PathBuf::from(format!("/bank/journal/{number:08}"))
}

#[test]
fn neither_manifest_nor_file_headers_are_needed() {
    for base in [small(true), small(false), rolled()] {
        let mut files = base.files.clone();
        files.remove(Path::new(MANIFEST));
        assert!(check(&base, &files, &[], "no manifest").is_complete());
        for (path, bytes) in base.files.iter().filter(|(path, _)| path.starts_with("/bank/journal")) {
            let headless = base.with(path, |bytes| bytes[..FRAMES_AT].fill(0));
            assert!(check(&base, &headless, &[], "a file without its header").is_complete());
            // The id is still in what is left of the header, though its checksum does not hold.
            files.insert(path.clone(), bytes.clone());
            files.get_mut(path).expect("file")[60] ^= 1;
        }
        assert!(check(&base, &files, &[], "no manifest and no sound header").is_complete());
        let mut files = base.with(MANIFEST, |bytes| bytes[50] ^= 1);
        for (path, bytes) in &mut files {
            if path.starts_with("/bank/journal") {
                bytes[..FRAMES_AT].fill(0xee);
            }
        }
        assert!(check(&base, &files, &[], "a damaged manifest and no header at all").is_complete());
    }
    let base = small(true);
    let mut nothing = base.with(FIRST, |bytes| bytes[..FRAMES_AT].fill(0));
    nothing.remove(Path::new(MANIFEST));
    assert_eq!(salvage(&nothing).expect_err("nothing tells whose it is").kind(), ErrorKind::Corrupt);
}

#[test]
fn a_file_under_another_name_is_found_and_one_that_is_gone_is_told() {
    let base = rolled();
    for number in 1..=3 {
        let of_file: Vec<_> = base.commits().filter(|frame| frame.path == journal(number)).collect();
        let mut files = base.files.clone();
        let bytes = files.remove(&journal(number)).expect("file");
        let what = format!("file {number}");
        if number < 3 {
            let report = check(&base, &files, &[positions(&of_file)], &what);
            assert!(report.lost_end.is_none() && !report.damages.is_empty());
        } else {
            // The manifest says how many commits there were; nothing says how many events.
            let (report, events) = salvage(&files).expect("salvage");
            assert_eq!(events[..], base.events[..to_usize(of_file[0].positions.start)]);
            let end = report.lost_end.expect("told");
            assert_eq!(end.from.as_u64(), of_file[0].positions.start);
            assert_eq!(end.commits_max, Some(of_file.len() as u64));
        }
        for name in [journal(9), journal(number).with_extension("bak"), "/bank/journal/1".into()] {
            files.insert(name.clone(), bytes.clone());
            assert!(check(&base, &files, &[], &format!("{what} as {}", name.display())).is_complete());
            files.remove(&name);
        }
        files.insert(journal(9), bytes);
        files.get_mut(&journal(9)).expect("file")[..FRAMES_AT].fill(0);
        assert!(check(&base, &files, &[], &format!("{what}, renamed and without a header")).is_complete());
    }
    let mut swapped = base.files.clone();
    swapped.insert(journal(1), base.files[&journal(2)].clone());
    swapped.insert(journal(2), base.files[&journal(1)].clone());
    assert!(check(&base, &swapped, &[], "two files swapped").is_complete());
}

#[test]
fn the_one_file_that_is_left_is_found_without_name_and_header() {
    let base = rolled();
    let of_file: Vec<_> = base.commits().filter(|frame| frame.path == journal(2)).collect();
    let positions = positions(&of_file);
    let mut files = base.files.clone();
    let mut bytes = files.remove(&journal(2)).expect("file");
    bytes[..FRAMES_AT].fill(0);
    (1..=3).for_each(|number| drop(files.remove(&journal(number))));
    files.insert("/bank/journal/lost".into(), bytes);
    let (_, events) = salvage(&files).expect("salvage");
    let wanted = &base.events[to_usize(positions.start)..to_usize(positions.end)];
    assert!(events.iter().map(content).eq(wanted.iter().map(content)), "{} events", events.len());
}

#[test]
fn the_header_of_a_renamed_file_still_tells_what_was_there_before_it() {
    let mut files = rolled().files;
    files.remove(Path::new(MANIFEST));
    files.remove(&journal(2));
    let mut bytes = files.remove(&journal(3)).expect("file");
    bytes[FRAMES_AT..].fill(0);
    let lost = |name: PathBuf| {
        let mut files = files.clone();
        files.insert(name, bytes.clone());
        let (report, _) = salvage(&files).expect("salvage");
        assert!(!report.lost.is_empty());
        report.lost
    };
    assert_eq!(lost(journal(3)), lost("/bank/journal/renamed".into()));
    assert_eq!(lost(journal(3)), lost(journal(7)));
}

#[test]
fn frames_that_are_swapped_or_doubled_come_over_once_and_in_order() {
    let base = rolled();
    let frames: Vec<_> = base.commits().collect();
    let bytes_of = |frame: &Frame| base.files[&frame.path][frame.bytes.clone()].to_vec();
    for (one, other) in [(0, 1), (1, 4), (2, 8), (7, frames.len() - 1)] {
        let (one, other) = (frames[one], frames[other]);
        let mut swapped = base.files.clone();
        swapped.get_mut(&one.path).expect("file")[one.bytes.clone()].copy_from_slice(&bytes_of(other));
        let doubled = swapped.clone();
        swapped.get_mut(&other.path).expect("file")[other.bytes.clone()].copy_from_slice(&bytes_of(one));
        assert!(check(&base, &swapped, &[], "swapped").is_complete());
        check(&base, &doubled, std::slice::from_ref(&one.positions), "one in the place of another");
    }
}

#[test]
fn two_damages_are_two_losses_and_neighbours_are_one() {
    let base = rolled();
    let frames: Vec<_> = base.commits().collect();
    for (one, other) in [(0, 2), (1, 9), (3, 4), (5, 6)] {
        let mut files = base.files.clone();
        for frame in [frames[one], frames[other]] {
            files.get_mut(&frame.path).expect("file")[frame.bytes.start + 3_000] ^= 1;
        }
        let apart = [frames[one].positions.clone(), frames[other].positions.clone()];
        let together = apart[0].start..apart[1].end;
        let lost = if other == one + 1 { std::slice::from_ref(&together) } else { &apart };
        check(&base, &files, lost, &format!("{one} and {other}"));
    }
}

#[test]
fn an_end_that_is_lost_is_told_as_far_as_anything_tells_of_it() {
    let base = rolled();
    let frames: Vec<_> = base.commits().collect();
    let last = frames[frames.len() - 1];
    let close = base.frames.last().expect("a close frame");
    let wipe = |files: &mut Files, frame: &Frame, from: usize| {
        files.get_mut(&frame.path).expect("file")[frame.bytes.start + from..frame.bytes.end].fill(0xee);
    };
    let mut files = base.files.clone();
    wipe(&mut files, last, 0);
    check(&base, &files, std::slice::from_ref(&last.positions), "the close frame tells");
    wipe(&mut files, close, 0);
    let left = to_usize(last.positions.start);
    let told = |files: &Files, commits_max: Option<u64>| {
        let (report, events) = salvage(files).expect("salvage");
        assert_eq!(events[..], base.events[..left]);
        assert!(!report.is_complete() && report.lost.is_empty(), "{report:?}");
        let end = report.lost_end.expect("told");
        assert_eq!((end.from, end.commits_max), (last.positions.start.into(), commits_max));
    };
    told(&files, Some(1));
    files.remove(Path::new(MANIFEST));
    told(&files, None);
    let mut files = base.files.clone();
    files.remove(Path::new(MANIFEST));
    wipe(&mut files, close, 0);
    wipe(&mut files, last, 100);
    told(&files, None);
}

#[test]
fn a_sound_header_of_a_damaged_commit_tells_what_is_lost_before_it() {
    let base = small(false);
    let commits: Vec<&Frame> = base.commits().collect();
    let [.., before, last] = &commits[..] else { panic!("two commits") };
    let files = base.with(FIRST, |bytes| {
        bytes[before.bytes.start + 20] ^= 1;
        bytes[last.bytes.end - 20] ^= 1;
    });
    let (report, events) = salvage(&files).expect("salvage");
    assert_eq!(events.len() as u64, before.positions.start);
    let lost = Position::new(before.positions.start)..Position::new(last.positions.start);
    assert_eq!(report.lost, [lost]);
    assert_eq!(report.lost_end.expect("told").from.as_u64(), last.positions.start);
}

#[test]
fn an_unfinished_write_is_told_and_is_no_loss() {
    let base = small(false);
    let last = base.frames.last().expect("a frame").clone();
    for kept in [1, 20, 56, 70, last.bytes.len() - 1] {
        let files = base.with(FIRST, |bytes| bytes[last.bytes.start + kept..].fill(0));
        let (report, events) = salvage(&files).expect("salvage");
        assert_eq!(events[..], base.events[..to_usize(last.positions.start)], "{kept} bytes kept");
        assert!(report.is_complete() && report.damages.is_empty(), "{kept} bytes kept: {report:?}");
        assert_eq!(report.torn_tail, Some((FIRST.into(), last.bytes.start as u64)), "{kept} bytes kept");
    }
}

#[test]
fn a_file_of_another_store_brings_nothing_over() {
    let (base, other) = (rolled(), rolled());
    let mut files = base.files.clone();
    files.insert(journal(4), other.files[&journal(1)].clone());
    let report = check(&base, &files, &[], "a foreign file behind ours");
    assert!(report.damages.iter().any(|damage| damage.path == journal(4)), "{:?}", report.damages);
    files.insert(journal(2), other.files[&journal(2)].clone());
    let of_file: Vec<_> = base.commits().filter(|frame| frame.path == journal(2)).collect();
    check(&base, &files, &[positions(&of_file)], "a foreign file in the place of ours");
    files.remove(Path::new(MANIFEST));
    files.remove(&journal(4));
    check(&base, &files, &[positions(&of_file)], "two of three files say which store it is");
}

#[test]
fn of_two_histories_the_longer_is_brought_over_and_the_rest_of_the_other_is_told() {
    let disk = SimDisk::new();
    let append = |disk: &SimDisk, what: &str, times: usize| {
        let store = options(disk).open(ROOT).expect("open");
        for _ in 0..times {
            store.stream("a").expect("name").append_raw(ANY, [event(what)]).expect("append");
        }
        store.close().expect("close");
        all(&store)
    };
    append(&disk, "shared", 3);
    let fork = SimDisk::with_files(&disk.files());
    let events = append(&disk, "ours", 5);
    append(&fork, "theirs", 2);
    let mut base = Base::of(&disk, events);
    base.files.insert("/bank/journal/00000001.old".into(), fork.files()[Path::new(FIRST)].clone());
    let (report, events) = salvage(&base.files).expect("salvage");
    assert_eq!(events, base.events);
    assert_eq!(report.left_out.len(), 2, "{:?}", report.left_out);
    assert!(report.lost.is_empty() && !report.is_complete(), "the user must look at them");
}
