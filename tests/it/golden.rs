//! Stores that the first release of each format wrote, kept for ever: what is in them is read as it was written.
//!
//! `ANNALS_GOLDEN=tests/golden/format-2 cargo test --test it golden` writes those of a new format. Those that are there
//! are never written again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use annals::{
    Draft, ErrorKind, ExpectedVersion, Maintenance, NewEvent, Options, Position, RecordedEvent, SnapshotUse,
    Store, Timestamp, Version,
};

use crate::account::{Account, deposits};
use crate::support::{Keep, ManualClock, SimDisk, all, id};

const ROOT: &str = "/bank";

fn golden(format: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format)
}

fn options(disk: &SimDisk, clock: &ManualClock) -> Options {
    Options::new()
        .disk(disk.clone())
        .clock(clock.clone())
        .maintenance(Maintenance::Inline)
        .journal_file_bytes(64 << 10)
}

/// Every kind of thing that a store can hold.
fn fill(store: &Store, clock: &ManualClock) -> annals::Result<()> {
    let full = NewEvent::new("Opened", b"owner: \xff\0".to_vec())?;
    let full = full.id(id(1)).metadata(*b"by: ada").occurred_at(Timestamp::from_micros(-77));
    store.stream("raw-1")?.append_raw(ExpectedVersion::NoStream, [full])?;
    clock.set(2_000_000);
    let pair = [2, 3].map(|number| NewEvent::new("Moved", []).map(|event| event.id(id(number))));
    let [from, to] = pair;
    let any = ExpectedVersion::Any;
    store.batch().append_raw("raw-1", any, [from?]).append_raw("räume.ß-*", any, [to?]).commit()?;
    let typed = deposits(1..=5).into_iter().zip(10..).map(|(event, number)| Draft::new(event).id(id(number)));
    store.stream("account-1")?.append_drafts(ExpectedVersion::NoStream, typed)?;
    store.repository::<Account>("account").snapshot_every(0).snapshot("1")?;
    clock.set(1_000_000);
    for (number, bytes) in [(18, 50_000), (19, 30_000)] {
        let large = NewEvent::new("Large", vec![0xA7; bytes])?.id(id(number));
        store.stream("large")?.append_raw(any, [large])?;
    }
    let last = NewEvent::new("Last", *b"in the second file")?.id(id(21));
    store.stream("raw-1")?.append_raw(Version::new(1), [last])?;
    Ok(())
}

/// The same in segments: the first of what [`fill`] does, the second of much that is alike, in several blocks; and the end
/// of it in the journal.
fn fill_sealed(store: &Store, clock: &ManualClock) -> annals::Result<()> {
    fill(store, clock)?;
    store.seal()?;
    for number in 0..300_u64 {
        clock.set(2_000_000 + i64::from(u32::try_from(number).expect("small")) * 10);
        let event = NewEvent::new(["Moved", "Paid"][usize::from(number % 7 == 0)], vec![b'p'; 100])?;
        let event = event.id(id(1_000 + number)).metadata(*b"by: ada");
        store.stream(format!("many-{}", number % 9))?.append_raw(ExpectedVersion::Any, [event])?;
    }
    store.seal()?;
    let last = NewEvent::new("Last", *b"in the journal")?.id(id(2_000));
    store.stream("raw-1")?.append_raw(Version::new(2), [last])?;
    Ok(())
}

/// State records in a segment and in the journal, with events and alone.
fn fill_state(store: &Store, clock: &ManualClock) -> annals::Result<()> {
    fill(store, clock)?;
    let event = NewEvent::new("Moved", *b"p")?.id(id(30));
    let batch = store.batch().append_raw("many-1", ExpectedVersion::Any, [event]);
    batch.checkpoint("mailer", Position::new(4)).checkpoint("gone", Position::new(1)).commit()?;
    store.batch().checkpoint("points", Position::new(7)).commit()?;
    store.seal()?;
    store.batch().remove_checkpoint("gone").checkpoint("räume", Position::new(u64::MAX)).commit()?;
    Ok(())
}

type Fill = fn(&Store, &ManualClock) -> annals::Result<()>;

/// The files of a store that was closed, and of one whose process was killed while it wrote.
fn written(fill: Fill) -> [(&'static str, BTreeMap<PathBuf, Vec<u8>>); 2] {
    let (disk, clock) = (SimDisk::new(), ManualClock::at(1_500_000));
    let store = options(&disk, &clock).open(ROOT).expect("open");
    fill(&store, &clock).expect("filled");
    let mut killed = disk.crash(Keep::Everything).files();
    let last = killed.keys().rfind(|path| path.starts_with("/bank/journal")).expect("a journal file").clone();
    let journal = killed.get_mut(&last).expect("the last file");
    let end = journal.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
    // The start of a frame, as far as it came.
    journal[end..end + 20].copy_from_slice(b"ANFR\x01\0\0\0\x40\0\0\0\0\0\0\0\x0a\0\0\0");
    store.close().expect("close");
    [("closed", disk.files()), ("killed", killed)]
}

fn read(format: &str, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = golden(format).join(name);
    let mut files = BTreeMap::new();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).expect("a golden store") {
            let path = entry.expect("entry").path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                let name = Path::new(ROOT).join(path.strip_prefix(&root).expect("below the store"));
                files.insert(name, std::fs::read(path).expect("read"));
            }
        }
    }
    files
}

/// Place, times and content of an event.
fn contents(event: &RecordedEvent) -> impl PartialEq + std::fmt::Debug + use<> {
    let place = (event.stream().to_owned(), event.version(), event.position(), event.commit_position());
    let times = (event.recorded_at(), event.occurred_at());
    let fact =
        (event.id(), event.event_type().to_owned(), event.payload().to_vec(), event.metadata().to_vec());
    (place, times, fact)
}

/// Writes the golden stores of a new format, if that is asked for.
fn write_new(format: &str, fill: Fill) {
    let dir = std::env::var_os("ANNALS_GOLDEN").filter(|dir| Path::new(dir).ends_with(format));
    if let Some(dir) = dir {
        for (name, files) in written(fill) {
            for (path, bytes) in files {
                let path = Path::new(&dir).join(name).join(path.strip_prefix(ROOT).expect("below the root"));
                std::fs::create_dir_all(path.parent().expect("a directory")).expect("directory");
                std::fs::write(path, bytes).expect("write");
            }
        }
    }
}

#[test]
fn a_store_of_format_1_is_read_as_it_was_written() {
    write_new("format-1", fill);
    assert_reads("format-1", fill, (id(21), b"in the second file"), Version::new(2));
}

#[test]
fn a_store_of_format_2_with_segments_is_read_as_it_was_written() {
    write_new("format-2", fill_sealed);
    assert_reads("format-2", fill_sealed, (id(2_000), b"in the journal"), Version::new(3));
    let sealed = read("format-2", "closed").keys().filter(|path| path.starts_with("/bank/segments")).count();
    assert_eq!(sealed, 4);
    for name in ["closed", "killed"] {
        let disk = SimDisk::with_files(&read("format-2", name));
        let options = options(&disk, &ManualClock::at(0));
        assert!(options.verify(ROOT).expect("verify").is_sound(), "{name}");
    }
}

#[test]
fn a_store_of_format_2_with_state_records_is_read_as_it_was_written() {
    write_new("format-2-state", fill_state);
    assert_reads("format-2-state", fill_state, (id(21), b"in the second file"), Version::new(2));
}

/// Holds golden stores against what the same steps make today. `last` is the last event of the stream `raw-1`.
fn assert_reads(format: &str, fill: Fill, last: (annals::EventId, &[u8]), last_version: Version) {
    let (disk, clock) = (SimDisk::new(), ManualClock::at(1_500_000));
    let wanted = options(&disk, &clock).open(ROOT).expect("open");
    fill(&wanted, &clock).expect("filled");
    let checkpoints = wanted.checkpoints();
    let wanted: Vec<_> = all(&wanted).iter().map(contents).collect();
    for name in ["closed", "killed"] {
        let disk = SimDisk::with_files(&read(format, name));
        for read_only in [true, false] {
            let options = options(&disk, &clock);
            let options = if read_only { options.read_only() } else { options };
            let store = options.open(ROOT).expect(name);
            let found: Vec<_> = all(&store).iter().map(contents).collect();
            assert_eq!(found, wanted, "{name}");
            assert_eq!(store.checkpoints(), checkpoints, "{name}");
            assert_eq!(store.recovery().clean, name == "closed");
            assert_eq!(store.recovery().torn_tail.is_some(), name == "killed");
            let account = store.repository::<Account>("account").snapshot_every(0).load("1").expect("load");
            assert_eq!((account.state().cents, account.version()), (15, Some(Version::new(4))));
            assert_eq!(account.snapshot(), SnapshotUse::Used { version: Version::new(4) });
        }
        let store = options(&disk, &clock).open(ROOT).expect("open");
        let again = NewEvent::new("Last", last.1.to_vec()).expect("event").id(last.0);
        let retried = store.stream("raw-1").expect("name").append_raw(ExpectedVersion::NoStream, [again]);
        assert_eq!(retried.expect("a retry for ever").outcome(), annals::Outcome::AlreadyAppended);
        let next = NewEvent::new("Next", []).expect("event");
        store.stream("raw-1").expect("name").append_raw(last_version, [next]).expect("it goes on");
    }
}

#[test]
fn a_flipped_byte_of_a_golden_store_is_noticed() {
    let files = read("format-1", "closed");
    for at in [40, 4096 + 30, 4096 + 90] {
        let mut files = files.clone();
        files.get_mut(Path::new("/bank/journal/00000001")).expect("journal")[at] ^= 1;
        let opened = options(&SimDisk::with_files(&files), &ManualClock::at(0)).open(ROOT);
        assert_eq!(opened.expect_err("damaged").kind(), ErrorKind::Corrupt);
    }
    let files = read("format-2", "closed");
    for at in [40, 64 + 30, 300] {
        let mut files = files.clone();
        files.get_mut(Path::new("/bank/segments/00000001")).expect("segment")[at] ^= 1;
        let disk = SimDisk::with_files(&files);
        let report = options(&disk, &ManualClock::at(0)).verify(ROOT).expect("verify");
        assert!(report.damages.iter().any(|damage| damage.path.ends_with("segments/00000001")));
    }
}
