//! Verify lists all damage of all files, whatever else is damaged, and nothing that is none.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use annals::{Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Position, Store, VerifyReport};

use crate::support::{CallKind, DoneOnDrop, Seal, SimDisk, Verdict, event};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const ANY: ExpectedVersion = ExpectedVersion::Any;
const ROOT: &str = "/bank";
const MANIFEST: &str = "/bank/MANIFEST";
const FRAME: usize = 9_152;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

fn journal(number: u64) -> PathBuf {
    PathBuf::from(format!("/bank/journal/{number:08}"))
}

/// Four journal files with frames of one size, closed.
fn four_files() -> Files {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    let append = || store.stream("a").expect("name").append_raw(ANY, [event([7; 9_000])]).expect("append");
    while store.stats().expect("stats").journal_files < 4 {
        append();
    }
    append();
    store.close().expect("close");
    disk.files()
}

fn verify(files: &Files) -> VerifyReport {
    let disk = SimDisk::with_files(files);
    let report = options(&disk).verify(ROOT).expect("verify");
    assert!(disk.files() == *files && disk.calls() == 0, "verify changes nothing");
    report
}

/// The places that were told, in their order.
fn places(report: &VerifyReport) -> Vec<(PathBuf, u64)> {
    report.damages.iter().map(|damage| (damage.path.clone(), damage.offset)).collect()
}

fn flip(files: &mut Files, path: impl AsRef<Path>, at: usize) {
    files.get_mut(path.as_ref()).expect("file")[at] ^= 1;
}

#[test]
fn damages_in_all_files_at_once_are_all_listed() {
    let sound = four_files();
    let report = verify(&sound);
    let bytes: usize = (1..=4).map(|number| sound[&journal(number)].len()).sum();
    assert!(report.is_sound() && report.files == 4 && report.bytes == bytes as u64, "{report:?}");
    let all_frames = report.frames;
    let mut files = sound;
    flip(&mut files, MANIFEST, 60);
    flip(&mut files, journal(1), 44);
    flip(&mut files, journal(1), 4096 + 100);
    flip(&mut files, journal(1), 4096 + 3 * FRAME + 5_000);
    flip(&mut files, journal(2), 4096 + FRAME);
    files.remove(&journal(3));
    flip(&mut files, journal(4), 4096 + 200);
    let report = verify(&files);
    let frame = |at: usize| 4096 + (at * FRAME) as u64;
    let wanted = [
        (MANIFEST.into(), 84),
        (journal(1), 60),
        (journal(1), frame(0)),
        (journal(1), frame(3)),
        (journal(2), frame(1)),
        (journal(3), 0),
        (journal(4), frame(0)),
    ];
    assert_eq!(places(&report), wanted, "{:#?}", report.damages);
    assert_eq!(report.frames, all_frames - 4 - 6, "what is sound between them is looked at");
    assert!(!report.clean, "nothing says that it was closed");
}

#[test]
fn a_missing_manifest_is_damage_and_the_rest_is_looked_at() {
    let sound = four_files();
    let mut files = sound.clone();
    files.remove(Path::new(MANIFEST));
    let report = verify(&files);
    assert_eq!(places(&report), [(MANIFEST.into(), 0)]);
    assert_eq!((report.store_id, report.frames), (verify(&sound).store_id, verify(&sound).frames));
    let mut newer = sound;
    newer.get_mut(Path::new(MANIFEST)).expect("manifest")[8] = 9;
    let report = verify(&newer);
    assert_eq!(report.damages.len(), 1, "{:?}", report.damages);
    assert!(report.damages[0].what.contains("newer"), "{:?}", report.damages);
    files.retain(|path, _| !path.starts_with("/bank/journal"));
    let disk = SimDisk::with_files(&files);
    assert_eq!(options(&disk).verify(ROOT).expect_err("nothing is left").kind(), ErrorKind::Corrupt);
}

#[test]
fn files_that_are_missing_doubled_renamed_or_foreign_are_listed_and_the_rest_is_looked_at() {
    let sound = four_files();
    let frames = verify(&sound).frames;
    for number in 1..=4 {
        let mut files = sound.clone();
        let bytes = files.remove(&journal(number)).expect("file");
        let of_file = if number == 4 { 3 } else { 6 };
        let report = verify(&files);
        assert_eq!(places(&report), [(journal(number), 0)], "{number}: {:?}", report.damages);
        assert_eq!(report.frames, frames - of_file, "{number}");
        files.insert(journal(20), bytes);
        let report = verify(&files);
        let told = places(&report);
        assert!(told.contains(&(journal(number), 0)), "{number}: {:?}", report.damages);
        assert!(told.iter().any(|(path, _)| *path == journal(20)), "{number}: {:?}", report.damages);
        assert!(told.len() <= 3, "{number}: {:?}", report.damages);
    }
    let mut files = sound.clone();
    files.insert("/bank/journal/4".into(), sound[&journal(4)].clone());
    files.insert(journal(5), sound[&journal(4)].clone());
    files.insert(journal(2), four_files()[&journal(2)].clone());
    let report = verify(&files);
    let mut paths: Vec<_> = places(&report).into_iter().map(|(path, _)| path).collect();
    paths.dedup();
    assert_eq!(paths, [PathBuf::from("/bank/journal/4"), journal(2), journal(5)], "{:?}", report.damages);
    assert_eq!(report.frames, frames - 6);
}

#[test]
fn a_journal_that_is_gone_is_damage() {
    let mut files = four_files();
    (1..=4).for_each(|number| drop(files.remove(&journal(number))));
    let report = verify(&files);
    assert!(!report.is_sound() && report.frames == 0, "{report:?}");
    assert!(report.damages.iter().any(|damage| damage.what.contains("missing")), "{:?}", report.damages);
}

#[cfg(feature = "bincode")]
#[test]
fn what_is_bad_in_the_snapshots_is_told_apart_and_no_damage() {
    use crate::account::{Account, Deposited, NotEnough};
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    let accounts = store.repository::<Account>("account").snapshot_every(1);
    for number in 0..4 {
        let id = number.to_string();
        accounts.execute(&id, |_| Ok::<_, NotEnough>(vec![Deposited { cents: 5 }])).expect("execute");
    }
    store.close().expect("close");
    let sound = disk.files();
    let pack = sound.keys().find(|path| path.starts_with("/bank/snapshots")).expect("a pack").clone();
    assert!(verify(&sound).is_sound() && verify(&sound).caches.is_empty());
    let length = sound[&pack].len();
    for at in 0..length {
        let mut files = sound.clone();
        flip(&mut files, &pack, at);
        let report = verify(&files);
        assert!(report.is_sound(), "at {at}: {:?}", report.damages);
        assert_eq!(report.caches.len(), 1, "at {at}: {:?}", report.caches);
        assert!(report.caches[0].path == pack && report.caches[0].offset <= at as u64, "{:?}", report.caches);
    }
    for cut in (48..length).step_by(7) {
        let mut files = sound.clone();
        files.get_mut(&pack).expect("pack").truncate(cut);
        let report = verify(&files);
        assert!(report.is_sound() && report.caches.len() <= 1, "cut at {cut}: {:?}", report.caches);
    }
}

#[test]
fn beside_a_live_writer_no_damage_is_seen() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let path = dir.path().join("bank");
    let options = Options::new().journal_file_bytes(64 << 10).durability(Durability::Buffered);
    let done = AtomicBool::new(false);
    let (mut looks, mut last) = (0, 0);
    options.clone().open(&path).expect("open").close().expect("close");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let _done = DoneOnDrop(&done);
            for round in 0..6 {
                let store = options.clone().open(&path).expect("open");
                for number in 0..400 {
                    let payload = vec![b'x'; 1 + (number * 37 + round) % 900];
                    store.stream("a").expect("name").append_raw(ANY, [event(payload)]).expect("append");
                }
                store.close().expect("close");
            }
        });
        while !done.load(Ordering::SeqCst) {
            let report = Store::verify(&path).expect("verify");
            assert!(report.is_sound(), "{:?}", report.damages);
            assert!(report.events >= last, "what was there is there");
            (looks, last) = (looks + 1, report.events);
        }
    });
    println!("{looks} looks");
    assert_eq!(Store::verify(&path).expect("verify").events, 2_400);
}

#[test]
fn commits_cut_off_behind_a_lost_mark_are_told_to_those_who_keep_the_head_elsewhere() {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    let append = || store.stream("a").expect("name").append_raw(ANY, [event([7; 9_000])]).expect("append");
    (0..4).for_each(|_| drop(append()));
    let mut files = disk.files();
    let end = 4_096 + 2 * FRAME;
    files.get_mut(&journal(1)).expect("file")[end..].fill(0);
    let up_to = |files: &Files, head| {
        let verified = options(&SimDisk::with_files(files)).verify_up_to(ROOT, Position::new(head));
        verified.expect("verify")
    };
    assert_eq!(places(&up_to(&files, 0)), [(journal(1), end as u64)], "the mark tells of it");
    files.remove(Path::new("/bank/LOCK"));
    let report = up_to(&files, 2);
    assert!(report.is_sound() && report.head == Position::new(2), "{report:?}");
    assert_eq!(places(&up_to(&files, 3)), [(PathBuf::from("/bank/journal"), 0)]);
}

#[test]
fn frames_that_are_missing_at_the_end_of_a_closed_store_are_told_by_number() {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    let append = || store.stream("a").expect("name").append_raw(ANY, [event([7; 9_000])]).expect("append");
    (0..3).for_each(|_| drop(append()));
    store.close().expect("close");
    let mut files = disk.files();
    files.remove(Path::new("/bank/LOCK"));
    let error = |files: &Files| {
        let error = options(&SimDisk::with_files(files)).open(ROOT).expect_err("damage");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        error.to_string()
    };
    let file = |files: &mut Files| files.remove(&journal(1)).expect("file");
    let (mut cut, mut bytes) = (files.clone(), file(&mut files));
    // The third and the close frame.
    bytes[4_096 + 2 * FRAME..].fill(0);
    files.insert(journal(1), bytes);
    assert!(error(&files).contains("after frame 4, the last one here is 2"), "{}", error(&files));
    let mut bytes = file(&mut cut);
    bytes.truncate(4_096 + 2 * FRAME + 5_000);
    cut.insert(journal(1), bytes);
    assert!(error(&cut).contains("frame is cut by the end of the file"), "{}", error(&cut));
}

#[test]
fn a_file_of_another_history_of_the_same_store_does_not_follow() {
    let disk = SimDisk::new();
    let first = options(&disk).open(ROOT).expect("open");
    let append = |store: &Store, byte: u8| {
        store.stream("a").expect("name").append_raw(ANY, [event([byte; 9_000])]).expect("append");
    };
    append(&first, 0);
    // From here on there are two of it, each with its own second file.
    let mut histories = [1, 2].map(|byte| {
        let disk = disk.kill();
        let store = options(&disk).open(ROOT).expect("open");
        while !disk.has_file(journal(2)) {
            append(&store, byte);
        }
        disk.files()
    });
    let second = histories[1].remove(&journal(2)).expect("file");
    histories[0].insert(journal(2), second);
    let disk = SimDisk::with_files(&histories[0]);
    let report = options(&disk).verify(ROOT).expect("verify");
    assert!(report.damages.iter().any(|damage| damage.path == journal(2)), "{report:?}");
    assert_eq!(options(&disk).open(ROOT).expect_err("damage").kind(), ErrorKind::Corrupt);
}

/// The bytes at these offsets of the first file come back flipped so many times each.
fn flip_reads(disk: &SimDisk, mut flips: Vec<(usize, u32)>) {
    disk.on_call(move |call| {
        let covered = call.offset..call.offset + call.bytes as u64;
        let is_read = call.kind == CallKind::Read && call.path == journal(1);
        let flip =
            flips.iter_mut().find(|(at, left)| is_read && *left > 0 && covered.contains(&(*at as u64)));
        flip.map_or(Verdict::Proceed, |(at, left)| {
            *left -= 1;
            Verdict::FlipBit(8 * (*at - usize::try_from(call.offset).expect("an offset")))
        })
    });
}

#[test]
fn what_reads_wrong_for_a_moment_where_somebody_may_be_writing_is_no_damage_and_what_stays_is() {
    let disk = SimDisk::new();
    let writer = options(&disk).open(ROOT).expect("open");
    for _ in 0..4 {
        writer.stream("a").expect("name").append_raw(ANY, [event([7; 9_000])]).expect("append");
    }
    let live = disk.kill();
    // Near the ends of the second and the fourth frame.
    let places = [4_096 + FRAME + 8_500, 4_096 + 3 * FRAME + 8_500];
    for times in [[1, 0], [2, 0], [2, 2], [0, 2]] {
        let disk = live.kill();
        flip_reads(&disk, places.into_iter().zip(times).collect());
        let report = options(&disk).verify(ROOT).expect("verify");
        assert!(report.is_sound() && report.events == 4, "{times:?}: {report:?}");
    }
    let disk = live.kill();
    flip_reads(&disk, vec![(places[0], u32::MAX)]);
    let report = options(&disk).verify(ROOT).expect("verify");
    assert_eq!((report.damages.len(), report.events), (1, 3), "{report:?}");
    writer.close().expect("close");
}

#[test]
fn a_manifest_that_names_a_later_first_file_is_told_by_verify_as_by_opening() {
    let sound = four_files();
    for oldest in [2, 5, 16_641, u64::MAX] {
        let mut files = sound.clone();
        let seal = Seal::of(&files);
        let manifest = files.get_mut(Path::new(MANIFEST)).expect("manifest");
        manifest[40..48].copy_from_slice(&oldest.to_le_bytes());
        seal.manifest(manifest);
        let report = verify(&files);
        let told = format!("the manifest says that the journal begins with file {oldest}");
        let at_first: Vec<_> = report.damages.iter().filter(|damage| damage.path == journal(1)).collect();
        assert_eq!(at_first.iter().map(|damage| &damage.what).collect::<Vec<_>>(), [&told], "{report:?}");
        let disk = SimDisk::with_files(&files);
        for options in [options(&disk), options(&disk).read_only()] {
            let error = options.open(ROOT).expect_err("damage");
            assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains(&told), "{error}");
        }
    }
}
