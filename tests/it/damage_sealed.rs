//! Damage to segments: every flipped bit is found by `verify`, and no read answers with anything but what was there or an
//! error; a read that skips damage yields all else and tells where it passed over something.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annals::{
    Compression, ErrorKind, ExpectedVersion, Filter, Maintenance, Options, RecordedEvent, SkipDamage, Store,
};

use crate::support::image::{self, Answer, Files, Image, ROOT};
use crate::support::segments::{blocks, positions_in, ranges, segment, segments};
use crate::support::{ManualClock, Rng, Seal, SimDisk, all, event, event_with_id, to_usize};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn options(disk: &SimDisk) -> Options {
    let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).recent_bytes_max(0);
    options.journal_file_bytes(64 << 10).clock(ManualClock::at(1_000))
}

/// Two segments of a few events over three streams, closed.
fn small() -> Image {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    for round in 0..2_u64 {
        for number in 0..4 {
            let id = round * 10 + number;
            let batch = store.batch().append_raw("a-1", ANY, [event_with_id(id, format!("one {id}"))]);
            let batch = batch.append_raw("b-1", ANY, [event_with_id(100 + id, [7; 40]).metadata("who")]);
            batch.commit().expect("commit");
        }
        store.stream("räume.ß").expect("name").append_raw(ANY, [event("x")]).expect("append");
        store.seal().expect("seal");
    }
    store.stream("a-1").expect("name").append_raw(ANY, [event("in the journal")]).expect("append");
    store.close().expect("close");
    let image = Image::of("small", disk.files(), &store);
    assert_eq!(segments(&image.files).len(), 2);
    image
}

/// Three segments of several blocks of events each, uncompressed, so that any byte is a value.
fn large() -> (Files, Vec<RecordedEvent>) {
    let disk = SimDisk::new();
    let store = options(&disk).compression(Compression::None).journal_file_bytes(256 << 10).open(ROOT);
    let store = store.expect("open");
    let mut rng = Rng::new(17);
    for _ in 0..3 {
        for _ in 0..110 {
            let mut batch = store.batch();
            for _ in 0..=rng.below(2) {
                let stream = ["a-1", "a-2", "b-1", "c"][rng.index(4)];
                batch = batch.append_raw(stream, ANY, [event(vec![b'p'; rng.index(1_800)])]);
            }
            batch.commit().expect("commit");
        }
        store.seal().expect("seal");
    }
    store.stream("c").expect("name").append_raw(ANY, [event("in the journal")]).expect("append");
    store.close().expect("close");
    (disk.files(), all(&store))
}

fn with(files: &Files, path: &Path, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = files.clone();
    change(files.get_mut(path).expect("the file"));
    files
}

fn verify(files: &Files) -> annals::Result<annals::VerifyReport> {
    options(&SimDisk::with_files(files)).verify(ROOT)
}

fn judge(base: &Image, files: &Files, what: &str) -> Answer {
    let (_disk, opened) = image::open(files);
    base.judge(files, &opened).unwrap_or_else(|fault| panic!("{what}: {fault}"))
}

#[test]
fn every_flipped_bit_of_a_segment_is_found_by_verify_and_alters_no_answer() {
    let base = small();
    assert!(verify(&base.files).expect("verify").is_sound());
    let (mut refused, mut whole) = (0, 0);
    for path in segments(&base.files) {
        for bit in 0..base.files[&path].len() * 8 {
            let files = with(&base.files, &path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let what = format!("{} bit {bit}", path.display());
            let report = verify(&files).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(report.damages.iter().any(|damage| damage.path == path), "{what}: {report:?}");
            match judge(&base, &files, &what) {
                Answer::Refused => refused += 1,
                Answer::Whole => whole += 1,
                Answer::Cut => panic!("{what}: cut"),
            }
        }
    }
    println!("{refused} flipped bits met by reads, {whole} in what these reads do not need");
    assert!(refused > 8_000);
}

#[test]
fn every_flipped_bit_of_the_manifest_of_a_store_with_segments_is_an_error() {
    let base = small();
    let path = image::manifest();
    for bit in 0..base.files[&path].len() * 8 {
        let files = with(&base.files, &path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        let what = format!("bit {bit}");
        assert!(verify(&files).is_err() || !verify(&files).expect("verify").is_sound(), "{what}");
        assert_eq!(judge(&base, &files, &what), Answer::Refused, "{what}");
    }
}

#[test]
fn a_segment_of_any_length_is_an_error() {
    let base = small();
    for path in segments(&base.files) {
        let length = base.files[&path].len();
        for cut in (0..length).chain([length + 1, length + 512]) {
            let files = with(&base.files, &path, |bytes| bytes.resize(cut, 0));
            let what = format!("{} of {cut} bytes", path.display());
            assert!(!verify(&files).expect("verify").is_sound(), "{what}");
            let error = image::open(&files).1.expect_err(&what);
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
            assert_eq!(error.place().expect("a place").path, path, "{what}: {error}");
        }
    }
}

#[test]
fn blocks_dropped_doubled_swapped_or_taken_from_elsewhere_are_never_taken_for_others() {
    let (base, other) = (small(), small());
    let files = &base.files;
    for path in segments(files) {
        let found = blocks(&files[&path]);
        let judged = |what: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let changed = with(files, &path, change);
            let what = format!("{}: {what}", path.display());
            if changed == *files {
                return;
            }
            assert!(!verify(&changed).expect("verify").is_sound(), "{what}: verify finds nothing");
            judge(&base, &changed, &what);
        };
        for (at, block) in found.iter().enumerate() {
            judged("dropped", &|bytes| drop(bytes.drain(block.bytes.clone())));
            judged("zeroed", &|bytes| bytes[block.bytes.clone()].fill(0));
            judged("doubled", &|bytes| {
                let copy = bytes[block.bytes.clone()].to_vec();
                bytes.splice(block.bytes.end..block.bytes.end, copy);
            });
            for later in &found[at + 1..] {
                judged("swapped", &|bytes| {
                    let (one, two) =
                        (bytes[block.bytes.clone()].to_vec(), bytes[later.bytes.clone()].to_vec());
                    let between = bytes[block.bytes.end..later.bytes.start].to_vec();
                    let swapped = [two, between, one].concat();
                    bytes.splice(block.bytes.start..later.bytes.end, swapped);
                });
            }
            for source in [&files[&segment(1)], &files[&segment(2)], &other.files[&path]] {
                for taken in blocks(source).into_iter().filter(|taken| taken.kind == block.kind) {
                    judged("taken from elsewhere", &|bytes| {
                        bytes.splice(block.bytes.clone(), source[taken.bytes.clone()].to_vec());
                    });
                }
            }
        }
        for source in [&files[&segment(1)], &files[&segment(2)], &other.files[&path]] {
            judged("with another's header", &|bytes| bytes[..64].copy_from_slice(&source[..64]));
            judged("with another's footer", &|bytes| {
                let at = bytes.len() - 192;
                bytes[at..].copy_from_slice(&source[source.len() - 192..]);
            });
            judged("another's altogether", &|bytes| bytes.clone_from(source));
        }
    }
}

#[test]
fn a_segment_that_is_deleted_renamed_or_swapped_is_an_error_and_a_stray_one_is_none() {
    let base = small();
    let corrupt = |files: &Files, path: &Path, what: &str| {
        let error = image::open(files).1.expect_err(what);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
        assert_eq!(error.place().expect("a place").path, path, "{what}: {error}");
        assert!(!verify(files).expect("verify").is_sound(), "{what}");
    };
    for path in segments(&base.files) {
        let mut files = base.files.clone();
        let bytes = files.remove(&path).expect("segment");
        corrupt(&files, &path, "deleted");
        for name in [segment(9), segment(0), path.with_extension("tmp")] {
            files.insert(name.clone(), bytes.clone());
            corrupt(&files, &path, "renamed");
            files.remove(&name);
            let mut doubled = base.files.clone();
            doubled.insert(name, bytes.clone());
            assert_eq!(judge(&base, &doubled, "doubled"), Answer::Whole);
        }
    }
    let mut swapped = base.files.clone();
    swapped.insert(segment(1), base.files[&segment(2)].clone());
    swapped.insert(segment(2), base.files[&segment(1)].clone());
    corrupt(&swapped, &segment(1), "swapped");
}

#[test]
fn an_older_manifest_or_an_older_journal_beside_newer_segments_is_noticed_and_removes_nothing() {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    let mut copies = Vec::new();
    for _ in 0..3 {
        store.stream("a").expect("name").append_raw(ANY, [event("x")]).expect("append");
        copies.push(disk.files());
        store.seal().expect("seal");
        copies.push(disk.files());
    }
    store.close().expect("close");
    let newest = disk.files();
    for (number, older) in copies.iter().enumerate() {
        let mut files = newest.clone();
        files.insert(image::manifest(), older[&image::manifest()].clone());
        files.remove(&image::lock());
        let what = format!("manifest number {number}");
        let (disk, opened) = image::open(&files);
        // The last one before the close differs in nothing but that: the store is as if it was killed.
        match opened {
            Ok(store) => {
                assert_eq!(number, copies.len() - 1, "{what}");
                assert_eq!(all(&store).len(), 3, "{what}");
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
                let mut after = disk.files();
                after.remove(&image::lock());
                assert!(after == files, "{what}: nothing is removed");
            }
        }
        // All of an older copy's journal beside newer segments and the newer manifest: sealed already.
        let mut files = newest.clone();
        let journals = older.iter().filter(|(path, _)| !newest.contains_key(*path));
        files.extend(journals.map(|(path, bytes)| (path.clone(), bytes.clone())));
        let (disk, opened) = image::open(&files);
        assert_eq!(all(&opened.expect("what is sealed counts")).len(), 3);
        let left = disk.files().keys().filter(|path| path.starts_with("/bank/journal")).count();
        assert_eq!(left, 1, "what was sealed is removed");
    }
}

/// What an iterator yields: the positions of events, and the ranges that were passed over.
fn look(events: SkipDamage) -> (Vec<u64>, Vec<Range<u64>>) {
    let (mut read, mut skipped) = (Vec::new(), Vec::new());
    for one in events {
        match one {
            Ok(event) => read.push(event.position().as_u64()),
            Err(one) => {
                assert_eq!(one.error.kind(), ErrorKind::Corrupt, "{one:?}");
                skipped.push(one.positions.start.as_u64()..one.positions.end.as_u64());
            }
        }
    }
    (read, skipped)
}

/// The reads that are held against what they yield of a sound store.
fn reads(store: &Store) -> Vec<(&'static str, bool, SkipDamage)> {
    let mut found = Vec::new();
    for backward in [false, true] {
        let turn = |read: annals::StoreRead| if backward { read.backward() } else { read };
        let turn_one = |read: annals::StreamRead| if backward { read.backward() } else { read };
        found.push(("all", backward, turn(store.read()).skip_damage()));
        let filter = Filter::new().category("a");
        found.push(("filtered", backward, turn(store.read().filter(filter)).skip_damage()));
        for name in ["a-1", "a-2", "b-1", "c"] {
            let stream = store.stream(name).expect("name");
            found.push((name, backward, turn_one(stream.read()).skip_damage()));
        }
    }
    found
}

#[test]
fn a_read_that_skips_damage_yields_all_but_the_events_of_a_damaged_block_and_names_them() {
    let (files, events) = large();
    let sound = options(&SimDisk::with_files(&files)).open(ROOT).expect("open");
    let whole: Vec<Vec<u64>> = reads(&sound).into_iter().map(|(_, _, read)| look(read).0).collect();
    let mut of_events = 0;
    for path in segments(&files) {
        for block in blocks(&files[&path]) {
            let damaged = with(&files, &path, |bytes| bytes[block.bytes.start + 30] ^= 1);
            let lost = positions_in(&files[&path], &block, &events);
            let disk = SimDisk::with_files(&damaged);
            let store = options(&disk).open(ROOT).expect("a block is checked where it is read");
            for ((which, backward, read), whole) in reads(&store).into_iter().zip(&whole) {
                let what = format!(
                    "{which}, backward {backward}, block of kind {} at {}",
                    block.kind, block.bytes.start
                );
                let (read, mut skipped) = look(read);
                let is_skipped = |position: &u64| skipped.iter().any(|range| range.contains(position));
                let missing: Vec<u64> =
                    whole.iter().copied().filter(|position| !read.contains(position)).collect();
                assert!(missing.iter().all(is_skipped), "{what}: {missing:?} is missing, {skipped:?} told");
                let left: Vec<u64> =
                    whole.iter().copied().filter(|position| read.contains(position)).collect();
                assert_eq!(read, left, "{what}: in order and once");
                if block.kind != 1 {
                    continue;
                }
                let wanted: Vec<u64> =
                    whole.iter().copied().filter(|position| !lost.contains(position)).collect();
                assert_eq!(read, wanted, "{what}: exactly the others");
                if which == "all" {
                    skipped.sort_by_key(|range| range.start);
                    let told: Vec<u64> = skipped.iter().cloned().flatten().collect();
                    assert_eq!(ranges(&told), ranges(&lost), "{what}");
                }
            }
            of_events += u64::from(block.kind == 1);
        }
    }
    println!("{of_events} blocks of events damaged, one at a time");
    assert!(of_events > 10);
}

#[test]
fn values_that_are_never_written_under_checksums_that_hold_neither_panic_nor_alter_a_length() {
    let (files, events) = large();
    let seal = Seal::of(&files);
    let mut rng = Rng::printed("hostile segments", 19);
    let path = segment(1);
    let starts: Vec<(usize, u8)> =
        blocks(&files[&path]).iter().map(|block| (block.bytes.start, block.kind)).collect();
    let end = files[&path].len();
    // The header, the envelope and the first bytes of a block of each kind, the footer.
    let mut places: Vec<usize> = (0..64).chain(end - 192..end).collect();
    for kind in 1..=7 {
        let of_kind = starts.iter().filter(|(_, found)| *found == kind).map(|(at, _)| *at);
        places.extend(of_kind.take(2).flat_map(|at| at..at + 120).filter(|at| *at < end));
    }
    places.extend((0..400).map(|_| rng.index(end)));
    let (mut opened, mut refused) = (0, 0);
    for at in places {
        let value: u64 = [0, 1, 0x7f, 0xff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, u64::MAX][rng.index(8)];
        let width = [1, 2, 4, 8][rng.index(4)].min(end - at);
        let mut changed = with(&files, &path, |bytes| {
            bytes[at..at + width].copy_from_slice(&value.to_le_bytes()[..width]);
        });
        seal.file(&path, changed.get_mut(&path).expect("segment"));
        let what = format!("{value:#x} in {width} bytes at {at}");
        let disk = SimDisk::with_files(&changed);
        let _ = options(&disk).verify(ROOT);
        match options(&disk).open(ROOT) {
            Ok(store) => {
                for (which, _, read) in reads(&store) {
                    let (read, _) = look_at_anything(read);
                    assert!(read <= to_usize(store.head().as_u64()), "{what}: {which}");
                }
                let _ = store.streams();
                let again = event_with_id(7, "x");
                let _ = store.stream("a-1").expect("name").append_raw(ANY, [again]);
                opened += 1;
            }
            Err(error) => {
                let kind = error.kind();
                assert!(
                    matches!(kind, ErrorKind::Corrupt | ErrorKind::UnsupportedVersion),
                    "{what}: {error}"
                );
                refused += 1;
            }
        }
        let salvaged = options(&disk).salvage(ROOT, "/new");
        assert!(
            salvaged.is_ok_and(|report| report.events <= events.len() as u64 + 1_000)
                || options(&disk)
                    .salvage(ROOT, "/newer")
                    .is_err_and(|error| { error.kind() == ErrorKind::UnsupportedVersion }),
            "{what}"
        );
    }
    println!("{opened} opened, {refused} refused");
    assert!(opened > 100 && refused > 100);
}

fn look_at_anything(events: SkipDamage) -> (usize, usize) {
    let (read, skipped): (Vec<_>, Vec<_>) = events.partition(Result::is_ok);
    (read.len(), skipped.len())
}

#[test]
fn a_directory_of_segments_that_is_something_else_is_an_error() {
    let base = small();
    let mut files: Files = base.files;
    files.retain(|path, _| !path.starts_with("/bank/segments"));
    let wanted = PathBuf::from("/bank/segments");
    files.insert(wanted, b"a file".to_vec());
    assert!(image::open(&files).1.is_err());
    assert!(verify(&files).map_or(true, |report| !report.is_sound()));
}
