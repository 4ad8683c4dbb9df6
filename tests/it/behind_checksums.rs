//! What lies behind checksums that hold: values that annals never writes are damage to opening and to `verify` alike, and
//! neither takes long over them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use annals::{ErrorKind, ExpectedVersion, Store};

use crate::support::image::{self, FRAME_HEADER_BYTES, FRAMES_AT, Files, ROOT};
use crate::support::{Seal, SimDisk, event, to_usize};

/// Where the body of the first frame starts.
const BODY: usize = FRAMES_AT + FRAME_HEADER_BYTES;

fn journal() -> PathBuf {
    Path::new(ROOT).join("journal/00000001")
}

/// A closed store of one commit of two events.
fn two_events() -> Files {
    let disk = SimDisk::new();
    let store = image::options().disk(disk.clone()).open(ROOT).expect("open");
    let both = [event([1; 100]), event([2; 100])];
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, both).expect("append");
    store.close().expect("close");
    disk.files()
}

/// The same with the journal changed and sealed again.
fn changed(files: &Files, change: impl FnOnce(&mut Vec<u8>)) -> Files {
    let mut files = files.clone();
    let seal = Seal::of(&files);
    let bytes = files.get_mut(&journal()).expect("journal");
    change(bytes);
    seal.file(&journal(), bytes);
    files
}

fn put_u32(bytes: &mut [u8], at: usize, value: u32) {
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

fn put_u64(bytes: &mut [u8], at: usize, value: u64) {
    bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
}

/// Writes an image to the real disk, where `verify` looks.
fn on_disk(files: &Files) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("temporary directory");
    image::write(files, dir.path());
    dir
}

fn assert_damage(files: &Files, what: &str) {
    let error = image::open(files).1.expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{what}: {error}");
    let report = Store::verify(on_disk(files).path()).expect("verify");
    assert!(!report.is_sound(), "{what}: verify finds nothing");
}

#[test]
fn an_image_that_was_only_sealed_again_is_the_same() {
    let files = two_events();
    assert!(changed(&files, |_| ()) == files);
}

#[test]
fn records_that_overlap_or_leave_bytes_between_them_are_damage() {
    let files = two_events();
    let body_len = to_usize(u64::from(u32::from_le_bytes(
        files[&journal()][FRAMES_AT + 8..FRAMES_AT + 12].try_into().expect("four bytes"),
    )));
    let second = BODY + 20;
    let offset = u32::from_le_bytes(files[&journal()][second..second + 4].try_into().expect("four bytes"));
    // Eight bytes more between the two records, and eight behind them, inside the body.
    let longer = |bytes: &mut Vec<u8>, at: usize| {
        bytes.splice(at..at, [7; 8]);
        bytes.truncate(bytes.len() - 8);
        put_u32(bytes, FRAMES_AT + 8, u32::try_from(body_len).expect("short") + 8);
        // The close frame behind follows another header now: `Seal` chains it.
    };
    let gap = changed(&files, |bytes| {
        longer(bytes, BODY + offset as usize);
        put_u32(bytes, second, offset + 8);
    });
    assert_damage(&gap, "a gap between two records");
    assert_damage(&changed(&files, |bytes| longer(bytes, BODY + body_len)), "bytes behind the last record");
    // The second record inside the payload of the first, which is as long as that needs.
    let inside = changed(&files, |bytes| {
        let record = bytes[BODY + offset as usize..BODY + body_len].to_vec();
        let first = BODY + 24;
        let record_len = u32::from_le_bytes(bytes[first..first + 4].try_into().expect("four bytes"));
        put_u32(bytes, first, record_len + u32::try_from(record.len()).expect("short"));
        put_u32(bytes, first + 56, 100 + u32::try_from(record.len()).expect("short"));
    });
    assert_damage(&inside, "a record inside another");
}

#[test]
fn a_commit_of_no_event_is_damage() {
    let files = two_events();
    let none = changed(&files, |bytes| {
        let end =
            (FRAMES_AT..).step_by(8).find(|at| bytes[*at..*at + 8] == *b"ANFR\x02\0\0\0").expect("closed");
        let close = bytes[end..end + 64].to_vec();
        put_u32(bytes, FRAMES_AT + 8, 16);
        put_u32(bytes, BODY + 8, 0);
        bytes[BODY + 16..end + 64].fill(0);
        bytes[BODY + 24..BODY + 24 + 64].copy_from_slice(&close);
        put_u64(bytes, BODY + 24 + 16, 0);
    });
    assert_damage(&none, "no event");
}

#[test]
fn times_of_recording_that_run_backwards_are_damage_to_verify_too() {
    let disk = SimDisk::new();
    let store = image::options().disk(disk.clone()).open(ROOT).expect("open");
    let a = store.stream("a").expect("name");
    (0..2).for_each(|_| drop(a.append_raw(ExpectedVersion::Any, [event("x")]).expect("append")));
    store.close().expect("close");
    assert_damage(
        &changed(&disk.files(), |bytes| put_u64(bytes, BODY, i64::MAX as u64)),
        "the first is later",
    );
}

#[test]
fn positions_and_sequences_at_the_end_of_u64_are_listed_by_verify() {
    for (at, value) in [(40, u64::MAX), (40, u64::MAX - 1), (48, u64::MAX), (48, u64::MAX - 1)] {
        let files = changed(&two_events(), |bytes| {
            put_u64(bytes, at, value);
            // The frames go on from there.
            let of_frame = if at == 40 { 16 } else { 24 };
            put_u64(bytes, FRAMES_AT + of_frame, value);
        });
        assert_damage(&files, &format!("{value} at {at}"));
    }
}

/// A journal of 4 MiB with a sound header every 64 bytes, each of them with a body that is not: first short ones, then
/// long ones.
fn full_of_damage(files: &Files) -> Files {
    let mut files = files.clone();
    let seal = Seal::of(&files);
    let bytes = files.get_mut(&journal()).expect("journal");
    let header = bytes[FRAMES_AT..FRAMES_AT + FRAME_HEADER_BYTES].to_vec();
    bytes.truncate(FRAMES_AT);
    bytes.resize(FRAMES_AT + (4 << 20), 1);
    for (number, at) in (FRAMES_AT..bytes.len() - 64).step_by(64).enumerate() {
        bytes[at..at + FRAME_HEADER_BYTES].copy_from_slice(&header);
        put_u64(bytes, at + 24, number as u64 + 2);
        put_u32(bytes, at + 8, if at < 2 << 20 { 1 } else { 1 << 20 });
        seal.frame_header(1, bytes, at);
    }
    files
}

#[test]
fn verify_reads_a_file_full_of_damaged_frames_about_once() {
    let disk = SimDisk::new();
    let store = image::options().disk(disk.clone()).open(ROOT).expect("open");
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, [event("x")]).expect("append");
    for files in [two_events(), disk.files()] {
        let dir = on_disk(&full_of_damage(&files));
        let started = Instant::now();
        let report = Store::verify(dir.path()).expect("verify");
        let took = started.elapsed();
        assert!(report.damages.len() > 10_000);
        assert!(took < Duration::from_secs(5), "{took:?} for 4 MiB with {} places", report.damages.len());
    }
}
