//! Salvage of a store with segments: every event of a sound block comes over, whatever else of a segment is damaged or gone;
//! none comes over twice; what is lost is told exactly.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annals::{
    ErrorKind, ExpectedVersion, Maintenance, Options, Position, RecordedEvent, SalvageReport, Store,
};

use crate::support::segments::{SealedBlock, blocks, positions, positions_in, ranges, segment, segments};
use crate::support::{CallKind, Keep, Rng, Seal, SimDisk, Verdict, all, event, to_usize};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const ANY: ExpectedVersion = ExpectedVersion::Any;
const ROOT: &str = "/bank";
const MANIFEST: &str = "/bank/MANIFEST";

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

/// A store, and what it held.
struct Base {
    files: Files,
    events: Vec<RecordedEvent>,
    /// Journal files as they were before they were sealed.
    journals: Files,
}

fn append(store: &Store, rng: &mut Rng, number: u64) {
    let mut batch = store.batch();
    for part in 0..=rng.below(3) {
        let payload: Vec<u8> =
            (0..rng.below(1_500)).map(|at| (at * 7 + number).to_le_bytes()[0] / 3).collect();
        let payload = [&number.to_le_bytes()[..], &part.to_le_bytes(), &payload].concat();
        batch = batch.append_raw(["a", "b", "c", "d"][rng.index(4)], ANY, [event(payload)]);
    }
    batch.commit().expect("commit");
}

/// Three segments and a journal file behind them.
fn base() -> Base {
    let (disk, mut rng) = (SimDisk::new(), Rng::new(5));
    let store = options(&disk).open(ROOT).expect("open");
    let mut journals = Files::new();
    for round in 0..4 {
        (0..40).for_each(|number| append(&store, &mut rng, round * 100 + number));
        if round < 3 {
            let sealed_already = journals.len();
            journals.extend(disk.files().into_iter().filter(|(path, _)| path.starts_with("/bank/journal")));
            store.seal().expect("seal");
            assert!(journals.len() > sealed_already);
        }
    }
    store.close().expect("close");
    let mut files = disk.files();
    files.remove(Path::new("/bank/LOCK"));
    journals.retain(|path, _| !files.contains_key(path));
    assert!(segments(&files).len() >= 3 && segments(&files).len() == journals.len());
    Base { files, events: all(&store), journals }
}

impl Base {
    /// The position behind the last event that is sealed.
    fn sealed_end(&self) -> u64 {
        positions(&self.files[segments(&self.files).last().expect("segments")]).end
    }

    fn with(&self, path: impl AsRef<Path>, change: impl FnOnce(&mut Vec<u8>)) -> Files {
        let mut files = self.files.clone();
        change(files.get_mut(path.as_ref()).expect("the file"));
        files
    }
}

fn salvage(files: &Files) -> annals::Result<(SalvageReport, Vec<RecordedEvent>)> {
    let disk = SimDisk::with_files(files);
    let report = options(&disk).salvage(ROOT, "/mended")?;
    let mut after = disk.files();
    after.retain(|path, _| path.starts_with(ROOT));
    assert!(after == *files, "the old store is only read");
    Ok((report, all(&options(&disk).open("/mended")?)))
}

fn content(event: &RecordedEvent) -> impl PartialEq + std::fmt::Debug + use<> {
    (event.stream().to_owned(), event.recorded_at(), event.to_new_event())
}

/// Everything but what is lost is there, in order and once, and exactly what is lost is told.
fn check(base: &Base, files: &Files, lost: &[Range<u64>], what: &str) -> SalvageReport {
    let (report, events) = salvage(files).unwrap_or_else(|error| panic!("{what}: {error}"));
    let is_lost = |position: u64| lost.iter().any(|lost| lost.contains(&position));
    let wanted: Vec<_> = base.events.iter().filter(|event| !is_lost(event.position().as_u64())).collect();
    let told: Vec<_> = report.lost.iter().map(|lost| lost.start.as_u64()..lost.end.as_u64()).collect();
    assert_eq!(told, lost, "{what}");
    assert_eq!(events.len(), wanted.len(), "{what}");
    assert!(
        events.iter().map(content).eq(wanted.iter().map(|event| content(event))),
        "{what}: other events than were there"
    );
    assert!(report.left_out.is_empty(), "{what}: {:?}", report.left_out);
    assert_eq!((report.events, report.recorded_at_held), (events.len() as u64, 0), "{what}");
    for (event, old) in events.iter().zip(&wanted) {
        assert_eq!(report.new_position(old.position()), Some(event.position()), "{what}");
    }
    check_lost_versions(base, &report, lost, what);
    report
}

/// A stream's lost versions are told where a later event of it is left.
fn check_lost_versions(base: &Base, report: &SalvageReport, lost: &[Range<u64>], what: &str) {
    let is_lost = |event: &RecordedEvent| lost.iter().any(|lost| lost.contains(&event.position().as_u64()));
    let mut wanted: Vec<(&str, u64)> = Vec::new();
    for event in base.events.iter().filter(|event| is_lost(event)) {
        let is_later =
            |other: &&RecordedEvent| other.stream() == event.stream() && other.version() > event.version();
        if base.events.iter().filter(is_later).any(|other| !is_lost(other)) {
            wanted.push((event.stream(), event.version().as_u64()));
        }
    }
    let told = report.lost_versions.iter().flat_map(|lost| {
        let versions = lost.versions.start.as_u64()..lost.versions.end.as_u64();
        versions.map(|version| (lost.stream.as_str(), version))
    });
    let mut told: Vec<(&str, u64)> = told.collect();
    wanted.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, wanted, "{what}");
}

#[test]
fn a_sound_store_with_segments_comes_over_as_it_is() {
    let base = base();
    let report = check(&base, &base.files, &[], "sound");
    assert!(report.is_complete() && report.damages.is_empty(), "{report:?}");
    assert!(salvage(&base.files).expect("salvage").1 == base.events, "the same commits");
}

#[test]
fn neither_manifest_nor_header_footer_directory_or_name_of_a_segment_is_needed() {
    let base = base();
    let mut files = base.files.clone();
    files.remove(Path::new(MANIFEST));
    assert!(check(&base, &files, &[], "no manifest").is_complete());
    files.retain(|path, _| !path.starts_with("/bank/journal"));
    let sealed_end = base.sealed_end();
    let (report, events) = salvage(&files).expect("the segments tell whose they are");
    assert!(events == base.events[..to_usize(sealed_end)]);
    assert!(report.lost.is_empty());
    for path in segments(&base.files) {
        let bytes = &base.files[&path];
        let tables = blocks(bytes).iter().find(|block| block.kind != 1).expect("tables").bytes.start;
        for (what, part) in [
            ("header", 0..64),
            ("footer", bytes.len() - 192..bytes.len()),
            ("tables", tables..bytes.len() - 192),
            ("all but events", tables..bytes.len()),
        ] {
            let what = format!("{} without {what}", path.display());
            let damaged = base.with(&path, |bytes| bytes[part.clone()].fill(0xee));
            let report = check(&base, &damaged, &[], &what);
            assert!(report.is_complete() && !report.damages.is_empty(), "{what}: {report:?}");
            let mut damaged = base.with(&path, |bytes| {
                bytes[part].fill(0);
                bytes[..64].fill(0);
            });
            damaged.remove(Path::new(MANIFEST));
            assert!(check(&base, &damaged, &[], &what).is_complete(), "{what}, no manifest and no header");
        }
        for name in [segment(99), path.with_extension("bak"), "/bank/segments/x".into()] {
            let mut renamed = base.files.clone();
            let bytes = renamed.remove(&path).expect("segment");
            renamed.insert(name, bytes);
            assert!(check(&base, &renamed, &[], "renamed").is_complete());
        }
    }
}

#[test]
fn a_bit_flipped_in_a_segment_costs_the_events_of_its_block_and_no_other() {
    let base = base();
    let (mut flips, mut costly) = (0, 0);
    for path in segments(&base.files) {
        let bytes = &base.files[&path];
        let blocks = blocks(bytes);
        // Every byte of envelopes, some of the rest.
        let is_in_envelope =
            |at: &usize| blocks.iter().any(|block| (block.bytes.start..block.bytes.start + 24).contains(at));
        let places = (0..bytes.len()).filter(|at| is_in_envelope(at) || at % 131 == 0);
        for at in places {
            let damaged = base.with(&path, |bytes| bytes[at] ^= 1 << (at % 8));
            let hit = blocks.iter().find(|block| block.bytes.contains(&at));
            let lost = hit.map(|block| positions_in(bytes, block, &base.events)).unwrap_or_default();
            let report = check(&base, &damaged, &ranges(&lost), &format!("{} at {at}", path.display()));
            assert!(!report.damages.is_empty() && report.lost_end.is_none());
            (flips, costly) = (flips + 1, costly + u64::from(!lost.is_empty()));
        }
    }
    println!("{flips} flipped bits, {costly} of them in events");
    assert!(flips > 400 && costly > 100);
}

#[test]
fn a_segment_that_is_gone_or_cut_is_told_by_position() {
    let base = base();
    for path in segments(&base.files) {
        let bytes = base.files[&path].clone();
        let mut gone = base.files.clone();
        gone.remove(&path);
        check(&base, &gone, &[positions(&bytes)], "gone");
        gone.insert(path.clone(), Vec::new());
        check(&base, &gone, &[positions(&bytes)], "empty");
        for at in (1..bytes.len()).step_by(997) {
            let cut = base.with(&path, |bytes| bytes.truncate(at));
            let left = blocks(&bytes).into_iter().filter(|block| block.bytes.end <= at);
            let left: Vec<u64> = left.flat_map(|block| positions_in(&bytes, &block, &base.events)).collect();
            let lost: Vec<u64> = positions(&bytes).filter(|position| !left.contains(position)).collect();
            check(&base, &cut, &ranges(&lost), &format!("cut to {at}"));
        }
    }
    let mut nothing = base.files.clone();
    nothing.retain(|path, _| !path.starts_with("/bank/segments"));
    let sealed_end = base.sealed_end();
    check(&base, &nothing, std::slice::from_ref(&(0..sealed_end)), "no segment at all");
}

#[test]
fn journal_files_and_segments_with_the_same_events_bring_them_over_once() {
    let base = base();
    for (path, journal) in &base.journals {
        let mut both = base.files.clone();
        both.insert(path.clone(), journal.clone());
        let report = check(&base, &both, &[], "a journal file that was sealed is still there");
        assert!(report.is_complete());
        // What one of the two has lost the other has.
        let sealed = Path::new("/bank/segments").join(path.file_name().expect("name"));
        let mut rng = Rng::new(3);
        for _ in 0..10 {
            let mut damaged = both.clone();
            let bytes = damaged.get_mut(&sealed).expect("segment");
            let at = rng.index(bytes.len());
            bytes[at] ^= 0x40;
            check(&base, &damaged, &[], "a damaged segment beside its journal file");
            damaged.get_mut(path).expect("journal")[4096..].fill(0);
            damaged.insert(sealed.clone(), base.files[&sealed].clone());
            check(&base, &damaged, &[], "the other way round");
        }
        both.remove(&sealed);
        check(&base, &both, &[], "the journal file alone");
    }
    // A segment that was made and not made part of the store.
    let mut unpublished = base.files.clone();
    let path = segments(&base.files)[1].clone();
    let bytes = unpublished[&path].clone();
    for (name, length) in
        [("00000002.tmp", bytes.len()), ("00000002.tmp", bytes.len() / 2), ("00000009", bytes.len())]
    {
        unpublished.insert(Path::new("/bank/segments").join(name), bytes[..length].to_vec());
        assert!(check(&base, &unpublished, &[], name).is_complete());
    }
    let number = segments(&base.files).len() as u64 + 1;
    let of_journal = base.files.keys().find(|path| path.starts_with("/bank/journal")).expect("journal");
    assert!(of_journal.ends_with(format!("{number:08}")));
}

#[test]
fn a_segment_of_another_store_brings_nothing_over() {
    let (base, other) = (base(), self::base());
    for path in segments(&base.files) {
        let lost = positions(&base.files[&path]);
        let mut files = base.files.clone();
        files.insert(segment(77), other.files[&path].clone());
        check(&base, &files, &[], "beside ours");
        files.insert(path.clone(), other.files[&path].clone());
        check(&base, &files, &[lost], "in the place of ours");
    }
}

#[test]
fn a_newer_segment_is_not_salvaged_by_halves_and_a_damaged_version_hides_nothing() {
    let base = base();
    let path = segments(&base.files)[1].clone();
    let damaged = base.with(&path, |bytes| bytes[8] = 3);
    assert!(check(&base, &damaged, &[], "a damaged version").is_complete());
    let newer = base.with(&path, |bytes| {
        bytes[8] = 3;
        Seal::of(&base.files).file(&path, bytes);
    });
    let error = salvage(&newer).expect_err("newer");
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
}

#[test]
fn whatever_bytes_of_segments_change_no_event_is_altered_doubled_or_out_of_order() {
    let base = base();
    let mut rng = Rng::printed("salvage of damaged segments", 13);
    let (mut salvaged, mut kept) = (0_u64, 0);
    for round in 0..200 {
        let mut files = base.files.clone();
        let is_sealed_again = round % 3 == 0;
        let names = segments(&files);
        for _ in 0..=rng.below(6) {
            let name = &names[rng.index(names.len())];
            let bytes = files.get_mut(name).expect("file");
            let (at, length) = (rng.index(bytes.len()), 1 + rng.index(3_000));
            let end = (at + length).min(bytes.len());
            match rng.below(6) {
                0 => bytes[at] ^= 1 << rng.below(8),
                1 => bytes[at..end].fill(0),
                2 => bytes[at..end].fill_with(|| rng.next().to_le_bytes()[0]),
                3 => bytes.truncate(at.max(1)),
                4 => {
                    let to = rng.index(bytes.len() - (end - at) + 1);
                    bytes.copy_within(at..end, to);
                }
                _ => drop(bytes.splice(at..at, vec![1; length])),
            }
            if is_sealed_again {
                Seal::of(&base.files).file(name, bytes);
            }
        }
        let disk = SimDisk::with_files(&files);
        let _ = options(&disk).verify(ROOT);
        let report = match options(&disk).salvage(ROOT, "/new") {
            Ok(report) => report,
            Err(error) if error.kind() == ErrorKind::UnsupportedVersion && is_sealed_again => continue,
            Err(error) => panic!("round {round}: {error}"),
        };
        let new = all(&options(&disk).open("/new").expect("open"));
        if !is_sealed_again {
            let mut rest = base.events.iter();
            let is_part = new.iter().all(|event| rest.any(|old| content(old) == content(event)));
            assert!(is_part, "round {round}");
            assert_eq!(new.len() as u64 + report.lost_events(), base.events.len() as u64, "round {round}");
        }
        (salvaged, kept) = (salvaged + 1, kept + new.len());
    }
    println!("{salvaged} salvages, {kept} events kept of {}", base.events.len() as u64 * salvaged);
    assert!(salvaged > 150);
}

#[test]
fn of_two_that_differ_the_segment_counts_and_the_other_is_told() {
    let (disk, mut rng) = (SimDisk::new(), Rng::new(6));
    let store = options(&disk).open(ROOT).expect("open");
    append(&store, &mut rng, 1);
    store.close().expect("close");
    let fork = SimDisk::with_files(&disk.files());
    let store = options(&disk).open(ROOT).expect("open");
    (2..20).for_each(|number| append(&store, &mut rng, number));
    store.seal().expect("seal");
    store.close().expect("close");
    let events = all(&store);
    let theirs = options(&fork).open(ROOT).expect("open");
    (100..103).for_each(|number| append(&theirs, &mut rng, number));
    let mut files = disk.crash(Keep::Everything).files();
    files.insert("/bank/journal/00000001".into(), fork.files()[Path::new("/bank/journal/00000001")].clone());
    files.remove(Path::new("/bank/LOCK"));
    let (report, salvaged) = salvage(&files).expect("salvage");
    assert!(salvaged.iter().map(content).eq(events.iter().map(content)));
    assert_eq!(report.left_out.len(), 3, "{:?}", report.left_out);
    assert!(!report.is_complete() && report.lost.is_empty());
    assert_eq!(report.new_position(Position::new(0)), Some(Position::new(0)));
}

#[test]
fn sectors_that_the_disk_does_not_give_cost_the_blocks_that_lie_in_them() {
    let base = base();
    let mut costly = 0;
    for path in segments(&base.files) {
        let bytes = &base.files[&path];
        for sector in 0..bytes.len().div_ceil(4096) {
            let bad = sector * 4096..(sector + 1) * 4096;
            let disk = SimDisk::with_files(&base.files);
            let (of, range) = (path.clone(), bad.clone());
            disk.on_call(move |call| {
                let start = to_usize(call.offset);
                let overlaps = start < range.end && start + call.bytes > range.start;
                match call.kind == CallKind::Read && call.bytes > 0 && call.path == of && overlaps {
                    true => Verdict::Fail(std::io::ErrorKind::Other),
                    false => Verdict::Proceed,
                }
            });
            let report = options(&disk).salvage(ROOT, "/mended");
            let report = report.unwrap_or_else(|error| panic!("{} at {bad:?}: {error}", path.display()));
            let hit = |block: &SealedBlock| block.bytes.start < bad.end && block.bytes.end > bad.start;
            let hit = blocks(bytes).into_iter().filter(hit);
            let mut lost: Vec<u64> =
                hit.flat_map(|block| positions_in(bytes, &block, &base.events)).collect();
            lost.sort_unstable();
            let told = report.lost.iter().flat_map(|lost| lost.start.as_u64()..lost.end.as_u64());
            assert_eq!(told.collect::<Vec<_>>(), lost, "{} at {bad:?}", path.display());
            assert_eq!(report.events + lost.len() as u64, base.events.len() as u64);
            assert!(!report.damages.is_empty());
            costly += usize::from(!lost.is_empty());
        }
    }
    assert!(costly > 5, "{costly}");
}

/// A search for blocks tries every byte behind a damaged one, and a file may be made so that each of them looks like one.
#[test]
fn a_segment_in_which_every_byte_looks_like_a_block_is_given_up_in_time() {
    let base = base();
    let path = segments(&base.files)[1].clone();
    let length = 1_u32 << 20;
    let envelope = [&[1, 0, 0, 0][..], &length.to_le_bytes(), &length.to_le_bytes(), &[0; 12]].concat();
    let files = base.with(&path, |bytes| *bytes = envelope.repeat(200_000));
    let started = std::time::Instant::now();
    check(&base, &files, &[positions(&base.files[&path])], "made by hand");
    assert!(started.elapsed() < std::time::Duration::from_secs(20), "{:?}", started.elapsed());
}
