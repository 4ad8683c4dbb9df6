//! `Snapshots` over real files, and over files that were damaged.

use std::fs;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::packs::Sizes;
use super::{FoldedUpTo, NewSnapshot, SnapshotIgnored, Snapshots, StateKind};
use crate::disk::RealDisk;
use crate::disk::faulty::FaultyDisk;
use crate::error::{ErrorKind, Result};
use crate::types::{CodecId, EventId, Position, StoreId, StreamName, Timestamp, Version};

const STORE: StoreId = StoreId::from_bytes([3; 16]);
const KIND: StateKind<'_> = StateKind { state_type: "bank::Account", schema: 1 };
const SMALL: Sizes = Sizes { pack_bytes_max: 4096, compact_bytes_min: 512 };

struct Dir {
    root: TempDir,
}

impl Dir {
    fn new() -> Self {
        Self { root: TempDir::new().expect("directory") }
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("snapshots")
    }

    fn open(&self) -> Snapshots {
        self.open_as(STORE, SMALL)
    }

    fn open_as(&self, store: StoreId, sizes: Sizes) -> Snapshots {
        Snapshots::with_sizes(Arc::new(RealDisk), self.path(), store, sizes)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> =
            fs::read_dir(self.path()).expect("list").map(|entry| entry.expect("entry").path()).collect();
        files.sort();
        files
    }
}

fn name(stream: &str) -> StreamName {
    StreamName::new(stream).expect("name")
}

fn up_to(version: u64) -> FoldedUpTo {
    FoldedUpTo {
        version: Version::new(version),
        position: Position::new(version),
        recorded_at: Timestamp::EPOCH,
        id: EventId::from_bytes([1; 16]),
    }
}

fn write(snapshots: &Snapshots, stream: &str, version: u64, state: &[u8]) -> Result<()> {
    let stream = name(stream);
    snapshots.write(NewSnapshot {
        stream: &stream,
        kind: KIND,
        up_to: up_to(version),
        keep: 2,
        codec: CodecId::BINCODE,
        state,
    })
}

/// Version and state of the newest snapshot.
fn newest(snapshots: &Snapshots, stream: &str) -> Option<(u64, Vec<u8>)> {
    let (found, _) = snapshots.find(&name(stream), KIND, None);
    found.map(|found| (found.up_to.version.as_u64(), found.state().to_vec()))
}

#[test]
fn what_was_written_is_found_also_after_reopening() {
    let dir = Dir::new();
    let snapshots = dir.open();
    assert_eq!(snapshots.measure().usable, 0);
    write(&snapshots, "account-1", 10, b"ten").expect("write");
    write(&snapshots, "account-1", 20, b"twenty").expect("write");
    write(&snapshots, "account-2", 5, b"").expect("write");
    write(&snapshots, "account-1", 15, b"late").expect("a newer one is there");
    for snapshots in [snapshots, dir.open()] {
        assert_eq!(newest(&snapshots, "account-1"), Some((20, b"twenty".to_vec())));
        assert_eq!(newest(&snapshots, "account-2"), Some((5, Vec::new())));
        assert_eq!(newest(&snapshots, "account-3"), None);
        let (bounded, _) = snapshots.find(&name("account-1"), KIND, Some(Version::new(19)));
        assert_eq!(bounded.expect("older").state(), b"ten");
        assert_eq!(snapshots.newest_version(&name("account-1"), KIND), Some(Version::new(20)));
        let figures = snapshots.measure();
        assert_eq!((figures.usable, figures.ignored, figures.failed), (3, 0, 0));
    }
    assert_eq!(dir.files().len(), 1);
}

#[test]
fn opening_and_looking_make_no_file() {
    let dir = Dir::new();
    assert_eq!(newest(&dir.open(), "account-1"), None);
    assert!(!dir.path().exists());
}

/// A stream, and the versions and states that were written of it.
type Written<'a> = (&'a str, &'a [(u64, &'a [u8])]);

/// Every state found is one that was written for that stream; the whole of `bytes` stands for a pack.
fn check_damaged(bytes: &[u8], written: &[Written<'_>], what: &str) {
    let dir = Dir::new();
    fs::create_dir(dir.path()).expect("directory");
    fs::write(dir.path().join("00000001"), bytes).expect("pack");
    let snapshots = dir.open();
    let mut lost = 0;
    for (stream, states) in written {
        let found = newest(&snapshots, stream);
        let expected = |(version, state): &(u64, Vec<u8>)| {
            states.iter().any(|known| known.0 == *version && known.1 == &state[..])
        };
        assert!(found.as_ref().is_none_or(expected), "{what}: {found:?}");
        lost += u64::from(found.is_none_or(|(version, _)| states.iter().any(|known| known.0 > version)));
    }
    assert!(lost == 0 || snapshots.measure().ignored > 0 || bytes.len() < 48, "{what}: not told");
    write(&snapshots, "account-9", 1, b"after").expect("write");
    assert_eq!(newest(&dir.open(), "account-9"), Some((1, b"after".to_vec())), "{what}");
}

#[test]
fn no_flipped_bit_and_no_cut_gives_a_state_that_was_not_written() {
    let dir = Dir::new();
    let written: &[Written<'_>] =
        &[("account-1", &[(10, b"ten"), (20, b"twenty")]), ("account-2", &[(5, b"five and a half")])];
    let snapshots = dir.open();
    for (stream, states) in written {
        for (version, state) in *states {
            write(&snapshots, stream, *version, state).expect("write");
        }
    }
    let bytes = fs::read(&dir.files()[0]).expect("pack");
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        check_damaged(&flipped, written, &format!("bit {bit}"));
    }
    let ends = [48, 48 + 112, 48 + 224];
    for cut in (0..bytes.len()).filter(|cut| !ends.contains(cut)) {
        check_damaged(&bytes[..cut], written, &format!("cut at {cut}"));
    }
}

#[test]
fn garbage_is_compacted_and_nothing_that_is_kept_is_lost() {
    let dir = Dir::new();
    let snapshots = dir.open();
    for round in 0..200_u64 {
        for stream in ["account-1", "account-2", "account-3"] {
            write(&snapshots, stream, round, format!("{stream} {round}").as_bytes()).expect("write");
        }
    }
    let kept_bytes = 3 * 2 * 136;
    assert!(snapshots.measure().bytes < 4096 + kept_bytes, "{:?}", snapshots.measure());
    assert!(dir.files().len() <= 3, "{:?}", dir.files());
    for snapshots in [snapshots, dir.open()] {
        for stream in ["account-1", "account-2", "account-3"] {
            assert_eq!(newest(&snapshots, stream), Some((199, format!("{stream} 199").into_bytes())));
        }
        assert_eq!((snapshots.measure().usable, snapshots.measure().ignored), (6, 0));
    }
}

#[test]
fn many_streams_share_few_packs_and_a_full_pack_is_followed_by_another() {
    let dir = Dir::new();
    let snapshots = dir.open_as(STORE, Sizes { pack_bytes_max: 64 << 10, compact_bytes_min: 4096 });
    for number in 0..2_000 {
        write(&snapshots, &format!("account-{number}"), 1, &[7; 40]).expect("write");
    }
    let packs = snapshots.measure().bytes.div_ceil(64 << 10) + 1;
    assert!(dir.files().len() as u64 <= packs, "{} files", dir.files().len());
    assert_eq!(dir.open().measure().usable, 2_000);
}

#[test]
fn a_pack_that_outlived_its_compaction_changes_nothing_and_goes_later() {
    let dir = Dir::new();
    let snapshots = dir.open();
    write(&snapshots, "account-2", 7, b"seven").expect("write");
    let mut old = Vec::new();
    let mut version = 0;
    while dir.files()[0].ends_with("00000001") {
        old = fs::read(&dir.files()[0]).expect("pack");
        version += 1;
        write(&snapshots, "account-1", version, b"state").expect("write");
    }
    fs::write(dir.path().join("00000001"), old).expect("the crash came before the removal");
    let reopened = dir.open();
    assert_eq!(newest(&reopened, "account-1"), Some((version, b"state".to_vec())));
    assert_eq!(newest(&reopened, "account-2"), Some((7, b"seven".to_vec())));
    assert_eq!(reopened.measure().usable, 3);
    while dir.path().join("00000001").exists() {
        version += 1;
        assert!(version < 100, "the old pack stays for ever");
        write(&reopened, "account-1", version, b"state").expect("write");
    }
    assert_eq!(newest(&dir.open(), "account-2"), Some((7, b"seven".to_vec())));
}

#[test]
fn compaction_leaves_damaged_records_behind_and_tells_of_them() {
    let dir = Dir::new();
    let snapshots = dir.open();
    write(&snapshots, "account-2", 7, b"to be damaged").expect("write");
    let path = dir.files()[0].clone();
    let mut bytes = fs::read(&path).expect("pack");
    let last = bytes.len() - 8;
    bytes[last] ^= 1;
    fs::write(&path, bytes).expect("damage");
    for version in 0..20 {
        write(&snapshots, "account-1", version, b"state").expect("write");
    }
    assert!(!path.exists());
    assert_eq!(newest(&snapshots, "account-1"), Some((19, b"state".to_vec())));
    assert_eq!(newest(&snapshots, "account-2"), None);
    assert_eq!(snapshots.measure().ignored, 1);
}

#[test]
fn packs_of_another_store_or_a_newer_format_are_left_alone() {
    let dir = Dir::new();
    write(&dir.open_as(StoreId::from_bytes([4; 16]), SMALL), "account-1", 3, b"foreign").expect("write");
    let newer = [&b"annalsS\0"[..], &2_u32.to_le_bytes(), &[0; 100]].concat();
    fs::write(dir.path().join("00000002"), &newer).expect("newer");
    let foreign = fs::read(dir.path().join("00000001")).expect("foreign");
    let snapshots = dir.open();
    assert_eq!(newest(&snapshots, "account-1"), None);
    assert_eq!(snapshots.measure().ignored, 2);
    for version in 0..50 {
        write(&snapshots, "account-1", version, b"ours").expect("write");
    }
    assert_eq!(newest(&dir.open(), "account-1"), Some((49, b"ours".to_vec())));
    assert_eq!(fs::read(dir.path().join("00000001")).expect("foreign"), foreign);
    assert_eq!(fs::read(dir.path().join("00000002")).expect("newer"), newer);
}

#[test]
fn another_schema_and_another_type_are_told_and_not_found() {
    let dir = Dir::new();
    let snapshots = dir.open();
    write(&snapshots, "account-1", 3, b"state").expect("write");
    let why_not = |kind| snapshots.why_not(&name("account-1"), kind);
    assert_eq!(why_not(StateKind { schema: 2, ..KIND }), Some(SnapshotIgnored::OtherSchema));
    assert_eq!(
        why_not(StateKind { state_type: "bank::Audit", schema: 1 }),
        Some(SnapshotIgnored::OtherStateType)
    );
    assert_eq!(why_not(KIND), None);
}

#[test]
fn a_closed_store_writes_no_snapshot_and_finds_the_old_ones() {
    let dir = Dir::new();
    let snapshots = dir.open();
    write(&snapshots, "account-1", 3, b"state").expect("write");
    snapshots.refuse_writes(ErrorKind::Closed);
    assert_eq!(write(&snapshots, "account-1", 4, b"later").expect_err("closed").kind(), ErrorKind::Closed);
    assert_eq!(newest(&snapshots, "account-1"), Some((3, b"state".to_vec())));
}

#[test]
fn after_a_full_disk_old_snapshots_are_found_and_new_ones_written_once_there_is_space() {
    let dir = Dir::new();
    let disk = FaultyDisk::default();
    let snapshots = Snapshots::with_sizes(Arc::new(disk.clone()), dir.path(), STORE, SMALL);
    write(&snapshots, "account-1", 1, b"one").expect("write");
    disk.full.store(true, Ordering::Relaxed);
    for version in 2..5 {
        let error = write(&snapshots, "account-1", version, b"no space").expect_err("full");
        assert_eq!(error.kind(), ErrorKind::StorageFull);
    }
    assert_eq!(newest(&snapshots, "account-1"), Some((1, b"one".to_vec())));
    disk.full.store(false, Ordering::Relaxed);
    write(&snapshots, "account-1", 5, b"five").expect("write");
    let figures = snapshots.measure();
    assert_eq!((figures.written, figures.failed), (2, 3));
    let reopened = dir.open();
    assert_eq!(newest(&reopened, "account-1"), Some((5, b"five".to_vec())));
    assert_eq!(reopened.measure().usable, 2);
}
