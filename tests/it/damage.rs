//! Damage to the files of a store: each is noticed and its place told; nothing is lost or altered without an error.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use annals::{Error, ErrorKind, ExpectedVersion, Maintenance, Options, RecordedEvent, Recovery, Store};

use crate::support::{Keep, SimDisk, all, event, event_with_id, to_usize};

type Files = BTreeMap<PathBuf, Vec<u8>>;

const ROOT: &str = "/bank";
const MANIFEST: &str = "/bank/MANIFEST";
const FIRST: &str = "/bank/journal/00000001";
const SECOND: &str = "/bank/journal/00000002";
const FRAMES_AT: usize = 4096;

fn options(disk: &SimDisk) -> Options {
    Options::new().disk(disk.clone()).maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

/// A few streams over two journal files. One large event fills most of the first file.
fn fill(store: &Store) {
    let append = |stream: &str, payload: &[u8]| {
        store
            .stream(stream)
            .expect("name")
            .append_raw(ExpectedVersion::Any, [event(payload)])
            .expect("append");
    };
    append("account-1", b"opened");
    append("account-2", b"opened, too");
    let pair = store.batch().append_raw("account-1", ExpectedVersion::Any, [event_with_id(1, "paid")]);
    pair.append_raw("account-2", ExpectedVersion::Any, [event_with_id(2, "got")]).commit().expect("commit");
    append("large-1", &vec![0xA7; 60_000]);
    append("account-1", &[b'x'; 700]);
    append("account-2", b"in the second file");
    append("account-1", b"last but one");
    append("account-2", b"last");
}

struct Base {
    files: Files,
    events: Vec<RecordedEvent>,
}

impl Base {
    fn of(disk: &SimDisk, store: &Store) -> Self {
        let base = Self { files: disk.files(), events: all(store) };
        assert!(base.files.contains_key(Path::new(SECOND)) && base.events.len() == 9);
        base
    }

    fn bytes(&self, path: &str) -> &[u8] {
        &self.files[Path::new(path)]
    }

    /// Behind the last byte of a file that is not zero.
    fn used(&self, path: &str) -> usize {
        self.bytes(path).iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1)
    }

    /// The same with one file changed.
    fn with(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Files {
        let mut files = self.files.clone();
        change(files.get_mut(Path::new(path)).expect("the file"));
        files
    }
}

/// A store that was closed.
fn closed() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let disk = SimDisk::new();
        let store = options(&disk).open(ROOT).expect("open");
        fill(&store);
        store.close().expect("close");
        Base::of(&disk, &store)
    })
}

/// A store whose process was killed.
fn killed() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let disk = SimDisk::new();
        let store = options(&disk).open(ROOT).expect("open");
        fill(&store);
        Base::of(&disk.crash(Keep::Everything), &store)
    })
}

/// The same after a power cut that took the durable mark: nobody vouches for the last commit.
fn unmarked() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| Base {
        files: killed().with("/bank/LOCK", Vec::clear),
        events: killed().events.clone(),
    })
}

fn open(files: &Files) -> (SimDisk, annals::Result<Store>) {
    let disk = SimDisk::with_files(files);
    let store = options(&disk).open(ROOT);
    (disk, store)
}

/// Damage must be told as such, with the file.
fn assert_tells(error: &Error, path: &str, what: &str) {
    let name = path.rsplit('/').next().expect("name");
    assert!(error.to_string().contains(name), "{what}: {error}");
    match error.kind() {
        ErrorKind::Corrupt => {
            let place = error.place().unwrap_or_else(|| panic!("{what}: no place: {error}"));
            assert_eq!(place.path, Path::new(path), "{what}: {error}");
        }
        // The version in a header is looked at before its checksum, so that a newer format may have another.
        ErrorKind::UnsupportedVersion => {}
        other => panic!("{what}: {other:?}: {error}"),
    }
}

/// Which bytes of a file to damage: all that tells something, and samples of the rest.
fn bytes_to_damage(base: &Base, path: &str) -> Vec<(usize, bool)> {
    let length = base.bytes(path).len();
    if length < FRAMES_AT {
        return (0..length).map(|at| (at, true)).collect();
    }
    let used = base.used(path).max(FRAMES_AT);
    let is_filler = |at: usize| base.bytes(path)[at - 16..at + 16] == [0xA7; 32];
    let mut bytes: Vec<(usize, bool)> = (0..64).chain(FRAMES_AT..used + 64).map(|at| (at, true)).collect();
    bytes.retain(|(at, _)| *at < 64 || !is_filler(*at));
    bytes.extend((64..FRAMES_AT).step_by(61).map(|at| (at, false)));
    bytes.extend((FRAMES_AT..used).step_by(509).map(|at| (at, false)));
    bytes.extend((used + 64..length).step_by(509).map(|at| (at, false)));
    bytes
}

/// Flips bits of every file and hands each damaged store on.
fn each_flip(base: &Base, mut each: impl FnMut(&str, usize, Files)) -> u64 {
    let mut flips = 0;
    for path in [MANIFEST, FIRST, SECOND] {
        for (at, all_bits) in bytes_to_damage(base, path) {
            let bits = if all_bits { 0..8 } else { at % 8..at % 8 + 1 };
            for bit in bits {
                flips += 1;
                each(path, at, base.with(path, |bytes| bytes[at] ^= 1 << bit));
            }
        }
    }
    flips
}

#[test]
fn every_flipped_bit_of_a_closed_store_is_an_error_that_names_the_file() {
    let flips = each_flip(closed(), |path, at, files| {
        let what = format!("{path} at {at}");
        let (disk, opened) = open(&files);
        assert_tells(&opened.expect_err(&what), path, &what);
        let mut after = disk.files();
        after.remove(Path::new("/bank/LOCK"));
        let mut before = files;
        before.remove(Path::new("/bank/LOCK"));
        assert!(after == before, "{what}: nothing is changed");
    });
    println!("{flips} flipped bits");
    assert!(flips > 15_000);
}

#[test]
fn a_flipped_bit_of_a_killed_store_is_an_error_or_behind_all_that_was_vouched_for() {
    let base = killed();
    let used = base.used(SECOND);
    let last_frame = frames(base.bytes(SECOND)).last().copied().expect("a frame");
    assert_eq!(last_frame.1, used);
    let (mut refused, mut cut) = (0, 0);
    each_flip(base, |path, at, files| {
        let what = format!("{path} at {at}");
        match open(&files).1 {
            Err(error) => {
                assert_tells(&error, path, &what);
                refused += 1;
            }
            Ok(store) => {
                // A bit in the empty space behind the last frame looks like the start of a write that was cut short.
                assert!(path == SECOND && at >= used, "{what}: taken for torn");
                assert_eq!(all(&store), base.events, "{what}");
                let torn = store.recovery().torn_tail.clone().expect("it is told");
                assert!((used..=at).contains(&to_usize(torn.offset)), "{what}: {torn:?}");
                cut += 1;
            }
        }
    });
    println!("{refused} refused, {cut} in the space behind the last frame");
    assert!(refused > 15_000 && cut > 500);
}

#[test]
fn verify_lists_each_flipped_bit_of_a_closed_store() {
    let dir = tempfile::tempdir().expect("temporary directory");
    let root = dir.path().join("bank");
    let on_disk = |path: &Path| root.join(path.strip_prefix(ROOT).expect("below the root"));
    std::fs::create_dir_all(root.join("journal")).expect("directory");
    for (path, bytes) in &closed().files {
        std::fs::write(on_disk(path), bytes).expect("write");
    }
    let sound = Store::verify(&root).expect("verify");
    assert!(sound.is_sound(), "{:?}", sound.damages);
    assert_eq!((sound.files, sound.frames, sound.events), (2, 9, 9));
    for path in [FIRST, SECOND] {
        let name = on_disk(Path::new(path));
        for at in (0..closed().used(path)).step_by(37).chain([4096, closed().bytes(path).len() - 1]) {
            let mut bytes = closed().bytes(path).to_vec();
            bytes[at] ^= 0x10;
            std::fs::write(&name, &bytes).expect("write");
            let report = Store::verify(&root).expect("verify");
            assert!(!report.is_sound(), "{path} at {at}");
            assert_eq!(report.damages[0].path, name, "{path} at {at}");
            assert_eq!(std::fs::read(&name).expect("read"), bytes, "verify changes nothing");
        }
        std::fs::write(&name, closed().bytes(path)).expect("write");
    }
    let mut both = [FIRST, SECOND].map(|path| closed().bytes(path).to_vec());
    for (bytes, path) in both.iter_mut().zip([FIRST, SECOND]) {
        bytes[FRAMES_AT + 70] ^= 1;
        std::fs::write(on_disk(Path::new(path)), bytes).expect("write");
    }
    let report = Store::verify(&root).expect("verify");
    let mut damaged: Vec<_> = report.damages.iter().map(|damage| damage.path.clone()).collect();
    damaged.dedup();
    assert_eq!(damaged, [FIRST, SECOND].map(|path| on_disk(Path::new(path))), "{:?}", report.damages);
    assert_eq!(report.frames, 7, "what is sound behind the damage is still counted");
}

#[test]
fn every_truncation_of_a_closed_store_is_an_error_that_names_the_file() {
    for path in [MANIFEST, FIRST, SECOND] {
        let used = closed().used(path).min(closed().bytes(path).len());
        let is_filler = |at: &usize| *at > 5_000 && *at < 64_000 && path == FIRST && !at.is_multiple_of(97);
        let lengths =
            (0..used).filter(|at| !is_filler(at) && (*at < 64 || *at % 61 == 0 || *at >= FRAMES_AT));
        for length in lengths.chain((used..closed().bytes(path).len()).step_by(509)) {
            let what = format!("{path} cut to {length}");
            let files = closed().with(path, |bytes| bytes.truncate(length));
            let error = match open(&files).1 {
                Err(error) => error,
                Ok(store) => {
                    assert!(path == FIRST && length >= used, "{what}: only empty space may be missing");
                    assert_eq!(all(&store), closed().events, "{what}");
                    continue;
                }
            };
            // Cut between two frames, the first file is sound in itself: it shows in the second.
            let whole_frames =
                path == FIRST && frames(closed().bytes(FIRST)).iter().any(|(at, _)| *at == length);
            assert_tells(&error, if whole_frames { SECOND } else { path }, &what);
        }
    }
}

#[test]
fn bytes_added_to_a_file_of_a_closed_store_are_an_error() {
    for path in [MANIFEST, FIRST, SECOND] {
        for added in [&b"x"[..], &[0; 512], &[1; 4096]] {
            let files = closed().with(path, |bytes| bytes.extend_from_slice(added));
            match open(&files).1 {
                Err(error) => assert_tells(&error, path, path),
                // Zeros behind the last frame of a file that is not the last are what prepared space is.
                Ok(store) => {
                    assert!(path == FIRST && added[0] == 0, "{path}");
                    assert_eq!(all(&store), closed().events);
                }
            }
        }
    }
}

/// Where each frame of a file starts and ends.
fn frames(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = FRAMES_AT;
    while bytes[at..].starts_with(b"ANFR") {
        let body = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes")) as usize;
        let end = at + ((56 + body) / 8 + 1) * 8;
        found.push((at, end));
        at = end;
    }
    found
}

#[test]
fn a_tail_torn_at_any_byte_is_cut_told_and_kept_in_quarantine() {
    let base = unmarked();
    let (start, end) = frames(base.bytes(SECOND)).last().copied().expect("a frame");
    for kept in start..end {
        let files = base.with(SECOND, |bytes| bytes[kept..end].fill(0));
        let (disk, opened) = open(&files);
        let store = opened.unwrap_or_else(|error| panic!("{} bytes kept: {error}", kept - start));
        assert_eq!(all(&store), base.events[..8], "{} bytes kept", kept - start);
        let report = store.recovery().clone();
        assert!(!report.clean && !report.created);
        if kept == start {
            assert_eq!(report.torn_tail, None, "there is nothing of it");
            continue;
        }
        let torn = report.torn_tail.expect("it is told");
        assert_eq!((torn.path.as_path(), torn.offset), (Path::new(SECOND), start as u64));
        assert_eq!(torn.first_lost_commit, 8);
        let left = &files[Path::new(SECOND)][start..kept];
        let copy = disk.files()[torn.quarantined.as_ref().expect("a copy")].clone();
        assert_eq!(copy[..], left[..copy.len()], "the copy holds what was cut");
        assert!(left[copy.len()..].iter().all(|byte| *byte == 0));
        assert_eq!(torn.bytes, copy.len() as u64);

        let strict = options(&SimDisk::with_files(&files)).recovery(Recovery::Strict).open(ROOT);
        assert_tells(&strict.expect_err("strict"), SECOND, "strict recovery");

        store
            .stream("account-2")
            .expect("name")
            .append_raw(ExpectedVersion::Any, [event("anew")])
            .expect("append");
        store.close().expect("close");
        let again = open(&disk.files()).1.expect("it opens again");
        assert_eq!(all(&again).len(), 9);
        assert!(again.recovery().clean && again.recovery().torn_tail.is_none());
    }
}

#[test]
fn a_tail_cut_by_the_end_of_the_file_is_recovered() {
    let base = unmarked();
    let (start, end) = frames(base.bytes(SECOND)).last().copied().expect("a frame");
    for length in start..end {
        let files = base.with(SECOND, |bytes| bytes.truncate(length));
        let store = open(&files).1.unwrap_or_else(|error| panic!("cut to {length}: {error}"));
        assert_eq!(all(&store), base.events[..8]);
        assert_eq!(store.recovery().torn_tail.is_some(), length > start);
        store.stream("b").expect("name").append_raw(ExpectedVersion::Any, [event("anew")]).expect("append");
    }
}

#[test]
fn any_lost_sector_of_the_last_commit_is_a_torn_tail() {
    let disk = SimDisk::new();
    let store = options(&disk).open(ROOT).expect("open");
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("before")]).expect("append");
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event([7; 5_000])]).expect("append");
    let mut base = disk.crash(Keep::Everything).files();
    // The power cut took the durable mark, too.
    base.insert("/bank/LOCK".into(), Vec::new());
    let (start, end) = frames(&base[Path::new(FIRST)]).last().copied().expect("a frame");
    for sector in start / 512..=end / 512 {
        let mut files = base.clone();
        let (from, to) = ((sector * 512).max(start), (sector * 512 + 512).min(end));
        files.get_mut(Path::new(FIRST)).expect("the file")[from..to].fill(0);
        let (_disk, opened) = open(&files);
        let store = opened.unwrap_or_else(|error| panic!("sector {sector}: {error}"));
        assert_eq!(all(&store).len(), 1);
        assert!(store.recovery().torn_tail.is_some());
    }
}

#[test]
fn what_the_durable_mark_vouches_for_is_missed_and_never_taken_for_torn() {
    let base = killed();
    let (start, end) = frames(base.bytes(SECOND)).last().copied().expect("a frame");
    for kept in start..end {
        let files = base.with(SECOND, |bytes| bytes[kept..end].fill(0));
        assert_tells(&open(&files).1.expect_err("zeroed"), SECOND, &format!("{} bytes kept", kept - start));
        let files = base.with(SECOND, |bytes| bytes.truncate(kept));
        assert_tells(&open(&files).1.expect_err("cut"), SECOND, &format!("cut behind {}", kept - start));
    }
}

#[test]
fn a_zeroed_sector_of_anything_vouched_for_is_an_error() {
    for base in [closed(), killed()] {
        for path in [FIRST, SECOND] {
            let last = frames(base.bytes(SECOND)).last().copied().expect("a frame").0;
            for sector in
                (0..base.used(path) / 512).filter(|sector| *sector == 0 || *sector >= FRAMES_AT / 512)
            {
                if path == SECOND && sector * 512 + 512 > last {
                    continue;
                }
                let files = base.with(path, |bytes| bytes[sector * 512..sector * 512 + 512].fill(0));
                let what = format!("sector {sector} of {path}");
                assert_tells(&open(&files).1.expect_err(&what), path, &what);
            }
        }
    }
}
