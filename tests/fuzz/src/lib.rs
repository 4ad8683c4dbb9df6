//! What the fuzz targets share. Each puts its input into a store's files, makes the checksums right, so that what lies
//! behind them is reached, and holds what the library makes of it against more than "it did not panic": opening and
//! `verify` agree, every way of reading yields the same, and the store goes on from there.
//!
//! Two commands, from the project's root, start one (`cargo fuzz` wants nightly features; the variable stands in):
//!
//! ```text
//! cargo install cargo-fuzz
//! RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir tests/fuzz journal -- -max_total_time=180 -timeout=2 -rss_limit_mb=512
//! ```
//! The targets are `frame`, `journal`, `manifest`, `segment`, `tier`, `snapshot`, `filter`, `csv_import` and `json_lines`. What
//! one finds is kept as a test in `tests/it`, not as a file here.

#[path = "../../it/account.rs"]
#[expect(dead_code, reason = "the tests' support is shared, and the targets use a part of it")]
mod account;
#[path = "../../it/support/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "the tests' support is shared, and the targets use a part of it"
)]
mod support;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use annals::{
    Compression, ErrorKind, ExpectedVersion, Filter, Position, RecordedEvent, Store, Timestamp, VerifyReport,
};

use support::image::{self, Files, ROOT};
use support::{ManualClock, Seal, SimDisk, event, event_with_id};

pub const FIRST_FRAME_AT: usize = image::FRAMES_AT;

/// The files of a small store whose process was killed, and of one that was closed: the journal cut behind its last frame,
/// so that a run is short.
pub struct Base {
    pub killed: Files,
    pub closed: Files,
}

pub fn base() -> &'static Base {
    static BASE: OnceLock<Base> = OnceLock::new();
    BASE.get_or_init(|| {
        let disk = SimDisk::new();
        let store = image::options().disk(disk.clone()).clock(ManualClock::at(7)).open(ROOT).expect("open");
        for number in 0..4_u64 {
            let stream = store.stream(format!("account-{}", number % 2)).expect("name");
            let events = [event_with_id(number, "x".repeat(20)), event([7; 600]).metadata("m")];
            stream.append_raw(ExpectedVersion::Any, events).expect("append");
        }
        let mut killed = disk.files();
        let journal = killed.get_mut(&journal()).expect("journal");
        let used = journal.iter().rposition(|byte| *byte != 0).expect("frames") + 1;
        journal.truncate(used + 256);
        store.close().expect("close");
        let mut closed = disk.files();
        // Without the durable mark, which would refuse most of what the targets make of the end.
        killed.remove(&image::lock());
        closed.remove(&image::lock());
        Base { killed, closed }
    })
}

pub fn journal() -> PathBuf {
    Path::new(ROOT).join("journal/00000001")
}

/// Puts a file of the image to these bytes and seals it.
pub fn put(files: &mut Files, path: &Path, bytes: Vec<u8>) {
    let seal = Seal::of(files);
    let file = files.entry(path.to_owned()).or_default();
    *file = bytes;
    seal.file(path, file);
}

/// What the library says of an image is consistent in itself; the events, if it opens.
pub fn check(files: &Files) -> Option<Vec<RecordedEvent>> {
    let verified = verify(files);
    let (disk, opened) = image::open(files);
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            assert!(
                matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnsupportedVersion),
                "{:?}: {error}",
                error.kind()
            );
            assert!(verified.is_none_or(|(sound, _)| !sound), "verify finds nothing, but opening: {error}");
            return None;
        }
    };
    let events = support::all(&store);
    let torn = store.recovery().torn_tail.is_some();
    assert_eq!(verified, Some((true, torn)), "opening and verifying differ");
    let mut backward = store.read().backward().iter().collect::<annals::Result<Vec<_>>>().expect("backward");
    backward.reverse();
    assert!(backward == events);
    let of_streams: u64 = store.streams().expect("streams").iter().map(|stream| stream.events).sum();
    assert_eq!(of_streams, events.len() as u64);
    goes_on(&disk, store, &events);
    Some(events)
}

/// The store takes an append, and opened again it holds what it held and the append.
fn goes_on(disk: &SimDisk, store: Store, events: &[RecordedEvent]) {
    store
        .stream("afterwards")
        .and_then(|stream| stream.append_raw(ExpectedVersion::Any, [event("anew")]))
        .expect("an append");
    store.close().expect("close");
    drop(store);
    let again = image::options().disk(disk.clone()).open(ROOT).expect("it opens again");
    let found = support::all(&again);
    assert!(
        found.len() == events.len() + 1 && found[..events.len()] == *events,
        "what was read is there still"
    );
    assert!(again.recovery().clean && again.recovery().torn_tail.is_none());
}

/// The files of a closed store of eight segments, not compressed, and of a tier over them; and its events.
pub struct SealedBase {
    pub files: Files,
    pub events: Vec<RecordedEvent>,
}

pub fn sealed_base() -> &'static SealedBase {
    static BASE: OnceLock<SealedBase> = OnceLock::new();
    BASE.get_or_init(|| {
        let disk = SimDisk::new();
        let options = image::options().disk(disk.clone()).clock(ManualClock::at(7));
        let store = options.compression(Compression::None).open(ROOT).expect("open");
        for number in 0..8_u64 {
            for stream in 0..3 {
                let stream = store.stream(format!("account-{}", (number + stream) % 5)).expect("name");
                let events = [event_with_id(number, "x".repeat(20)), event([7; 300]).metadata("m")];
                stream.append_raw(ExpectedVersion::Any, events).expect("append");
            }
            store.seal().expect("sealed");
        }
        let events = support::all(&store);
        store.close().expect("close");
        SealedBase { files: disk.files(), events }
    })
}

pub fn segment_path(number: u64) -> PathBuf {
    Path::new(ROOT).join(format!("segments/{number:08}"))
}

pub fn tier_path() -> PathBuf {
    Path::new(ROOT).join("segments/00000001-00000008.streams")
}

/// Changes bytes as patches of four say: where, and what. Whether there was something to change.
pub fn patch(bytes: &mut [u8], patches: &[u8]) -> bool {
    let mut is_changed = false;
    for patch in patches.chunks_exact(4) {
        let at = usize::from(u16::from_le_bytes([patch[0], patch[1]]));
        if let Some(place) = bytes.get_mut(at..at + 2).filter(|place| **place != patch[2..]) {
            place.copy_from_slice(&patch[2..]);
            is_changed = true;
        }
    }
    is_changed
}

/// The seal of the store that the sealed base is of.
pub fn seal_segment(number: u64, bytes: &mut [u8]) {
    Seal::of(&sealed_base().files).segment(number, bytes);
}

pub fn seal_tier(bytes: &mut [u8]) {
    Seal::of(&sealed_base().files).tier(1, 8, bytes);
}

/// What the library says of an image with segments is consistent in itself: whatever is read is an event or an error; and if
/// `verify` finds nothing, all of it can be read, from both ends and by stream alike. The events then.
pub fn check_sealed(files: &Files) -> Option<Vec<RecordedEvent>> {
    let verified = verify_report(files);
    let (_, opened) = image::open(files);
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            let is_expected = matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnsupportedVersion);
            assert!(is_expected, "{:?}: {error}", error.kind());
            assert!(
                verified.is_none_or(|report| !report.is_sound()),
                "verify finds nothing, but opening: {error}"
            );
            return None;
        }
    };
    let forward: annals::Result<Vec<_>> = store.read().iter().collect();
    let backward: annals::Result<Vec<_>> = store.read().backward().iter().collect();
    let of_category: annals::Result<Vec<_>> =
        store.read().filter(Filter::new().category("account").event_types(["Happened"])).iter().collect();
    let streams = store.streams();
    let mut by_stream: annals::Result<Vec<RecordedEvent>> = Ok(Vec::new());
    for stream in streams.iter().flatten() {
        let stream = store.stream(&stream.name).expect("name");
        let read: annals::Result<Vec<_>> = stream.read().iter().collect();
        let _ = stream.find(support::id(3));
        by_stream = by_stream.and_then(|mut events| {
            events.extend(read?);
            Ok(events)
        });
    }
    // It ends, and what it passes over it tells.
    let skipping = store.read().skip_damage().count();
    let _ = store.read().from(Position::new(5)).iter().take(3).count();
    verified.filter(|report| report.is_sound() && report.caches.is_empty())?;
    let forward = forward.expect("verify found nothing");
    let mut backward = backward.expect("verify found nothing");
    backward.reverse();
    let mut by_stream = by_stream.expect("verify found nothing");
    by_stream.sort_by_key(RecordedEvent::position);
    assert!(backward == forward && by_stream == forward, "the ways of reading differ");
    assert!(of_category.expect("verify found nothing").len() <= forward.len());
    assert_eq!(skipping, forward.len());
    assert!(forward.iter().map(|event| event.position().as_u64()).eq(0..forward.len() as u64));
    Some(forward)
}

/// What `Store::verify` says of an image: whether it is sound, and whether it has a torn tail; `None` for an error.
fn verify(files: &Files) -> Option<(bool, bool)> {
    let report = verify_report(files)?;
    Some((report.is_sound(), report.torn_tail.is_some()))
}

fn verify_report(files: &Files) -> Option<VerifyReport> {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    // Memory, where there is some that looks like a disk: a million runs wear no disk out.
    let memory = Path::new("/dev/shm");
    let make = || if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let root = DIR.get_or_init(|| make().expect("a temporary directory")).path();
    for name in ["journal", "segments"] {
        let _ = std::fs::create_dir(root.join(name));
    }
    for (path, bytes) in files.iter().filter(|(path, _)| !path.ends_with("LOCK")) {
        std::fs::write(root.join(path.strip_prefix(ROOT).expect("below the root")), bytes).expect("write");
    }
    Store::verify(root).ok()
}

/// A body of a commit, made of these events by appending them to a new store: what the library itself writes.
pub fn body_of(events: &[RecordedEvent]) -> Vec<u8> {
    let disk = SimDisk::new();
    let store =
        image::options().disk(disk.clone()).clock(ManualClock::at(i64::MIN)).open(ROOT).expect("open");
    let recorded_at = events.first().map_or(Timestamp::EPOCH, RecordedEvent::recorded_at);
    let batch = events.iter().fold(store.batch().recorded_at(recorded_at), |batch, event| {
        batch.append_raw(event.stream(), ExpectedVersion::Any, [event.to_new_event()])
    });
    batch.commit().expect("what was read can be written");
    let bytes = disk.files().remove(&journal()).expect("journal");
    let frame = image::frames(&journal(), &bytes).remove(0);
    let body_len = u32::from_le_bytes(bytes[frame.start + 8..][..4].try_into().expect("four bytes")) as usize;
    bytes[frame.start + 56..][..body_len].to_vec()
}

/// A new store on a simulated disk.
pub fn new_store() -> Store {
    image::options().disk(SimDisk::new()).clock(ManualClock::at(0)).open(ROOT).expect("a new store")
}

/// A store opened on these files.
pub fn open(files: &Files) -> annals::Result<Store> {
    image::open(files).1
}

/// The seal of the store that these files are of.
pub fn seal_frame(files: &Files, bytes: &mut [u8], at: usize) {
    Seal::of(files).frame(1, bytes, at);
}

/// The files of a closed store in which this was done.
pub fn files_after(done: impl FnOnce(&Store)) -> Files {
    let disk = SimDisk::new();
    let store = image::options().disk(disk.clone()).clock(ManualClock::at(7)).open(ROOT).expect("open");
    done(&store);
    store.close().expect("close");
    disk.files()
}
