//! Faults of the disk while a segment is written and read.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::damage::small;
use super::made::{CACHE_BYTES, NUMBER, STORE, open, write};
use crate::disk::faulty::FaultyDisk;
use crate::disk::{CreateFailure, RealDisk};
use crate::error::{Error, ErrorKind};
use crate::segment::{BlockCache, NewSegment, Segment, write_segment};
use crate::types::Compression;

#[test]
fn a_disk_that_is_full_or_does_not_sync_leaves_no_segment_and_no_temporary_file() {
    let (disk, dir) = (FaultyDisk::default(), TempDir::new().expect("directory"));
    let failed = |kind: ErrorKind| {
        let failure = write(&disk, dir.path(), &small(), Compression::Lz4).expect_err("refused");
        let CreateFailure::Unchanged(error) = failure else { panic!("nothing was renamed") };
        assert_eq!(error.kind(), kind);
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 0);
    };
    disk.full.store(true, Ordering::SeqCst);
    failed(ErrorKind::StorageFull);
    disk.full.store(false, Ordering::SeqCst);
    disk.file_bytes_max.store(200, Ordering::SeqCst);
    failed(ErrorKind::StorageFull);
    disk.file_bytes_max.store(u64::MAX, Ordering::SeqCst);
    disk.syncs_fail.store(true, Ordering::SeqCst);
    failed(ErrorKind::Io);
    disk.syncs_fail.store(false, Ordering::SeqCst);
    write(&disk, dir.path(), &small(), Compression::Lz4).expect("written");
    assert_eq!(open(dir.path(), 0).expect("opened").damages(), []);
}

#[test]
fn an_event_that_cannot_be_had_leaves_no_segment_and_is_told() {
    let (dir, history) = (TempDir::new().expect("directory"), small());
    let new = NewSegment {
        store: STORE,
        number: NUMBER,
        start: history.start,
        end: history.end,
        compression: Compression::Lz4,
    };
    let lost = Error::new(ErrorKind::Io, "reading the journal");
    let mut events = history.sorted.iter().take(3).cloned().map(Ok).chain([Err(lost)]);
    let failure =
        write_segment(&RealDisk, dir.path(), new, &mut events, &history.states).expect_err("refused");
    let CreateFailure::Unchanged(error) = failure else { panic!("nothing was renamed") };
    assert_eq!(error.to_string(), "reading the journal");
    assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 0);
}

#[test]
fn a_read_that_fails_is_an_error_and_the_next_one_reads_again() {
    let (disk, dir) = (FaultyDisk::default(), TempDir::new().expect("directory"));
    write(&disk, dir.path(), &small(), Compression::Lz4).expect("written");
    let cache = Arc::new(BlockCache::new(CACHE_BYTES));
    let open = || Segment::open(&disk, dir.path(), STORE, NUMBER, Arc::clone(&cache)).map(Arc::new);
    let segment = open().expect("opened");
    disk.reads_fail.store(true, Ordering::SeqCst);
    assert_eq!(open().expect_err("no header").kind(), ErrorKind::Io);
    assert_eq!(segment.find_stream("long").expect_err("no filter").kind(), ErrorKind::Io);
    assert_eq!(segment.block_holding(0).expect_err("no block").kind(), ErrorKind::Io);
    let mut blocks = segment.blocks(0..segment.events());
    assert_eq!(blocks.next().expect("one").expect_err("no block").kind(), ErrorKind::Io);
    assert!(blocks.next().is_none(), "after an error there are no more");
    assert!(segment.streams_from("").next().expect("one").is_err());
    assert!(!segment.damages().is_empty());
    disk.reads_fail.store(false, Ordering::SeqCst);
    assert!(segment.find_stream("long").expect("read").is_some());
    assert_eq!(segment.blocks(0..segment.events()).filter(Result::is_err).count(), 0);
    assert_eq!(segment.damages(), []);
}
