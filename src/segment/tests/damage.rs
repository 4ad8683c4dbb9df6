//! Damage: every flipped bit and every cut of a segment is noticed, and none gives another answer.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::answers::{Answer, answers, assert_right_or_refused};
use super::held::{open_held, opened_before};
use super::made::{CACHE_BYTES, History, Made, NUMBER, codecs, history, open, write};
use super::parts::blocks;
use crate::disk::{RealDisk, file_name};
use crate::error::Result;
use crate::segment::footer::Footer;
use crate::types::Compression;
use crate::types::{Chain, Extension};

pub(super) const STREAMS: [&str; 5] = ["account-1", "account-17", "long", "large", "absent"];

/// A few events in blocks of every kind, of events more than one; compressed it takes few bytes.
pub(super) fn small() -> History {
    let mut made = vec![
        Made::new("account-1", b"one"),
        Made { begins: false, ..Made::new("account-17", b"two") },
        Made { metadata: b"meta".to_vec(), recorded_at: 2_000, ..Made::new("account-1", b"three") },
    ];
    made.extend((0..5).map(|_| Made::new("long", &[7; 9_000])));
    made.push(Made {
        extension: Extension { flags: 0x100, bytes: [1, 2, 3].into() },
        event_type: "Withdrawn".to_owned(),
        ..Made::new("account-1", b"four")
    });
    made.push(Made::new("large", &[9; 40_000]));
    history(&made, Chain { position: 40, n: 30, prev_header_crc: 9 }, 3)
}

/// A segment of `small`, its file and its right answers.
pub(super) struct Sound {
    pub(super) dir: TempDir,
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) footer: Footer,
    pub(super) answers: Vec<Result<Answer>>,
}

impl Sound {
    pub(super) fn new(codec: Compression) -> Self {
        let dir = TempDir::new().expect("directory");
        write(&RealDisk, dir.path(), &small(), codec).expect("written");
        let path = dir.path().join(file_name(NUMBER));
        let bytes = fs::read(&path).expect("read");
        let segment = open(dir.path(), CACHE_BYTES).expect("opened");
        let blocks = segment.footer.blocks;
        assert!(blocks.events >= 3 && blocks.streams == 1 && blocks.ids == 1 && blocks.order == 1);
        let answers = answers(&segment, &STREAMS);
        assert!(answers.iter().all(Result::is_ok));
        Self { dir, path, bytes, footer: segment.footer, answers }
    }

    pub(super) fn put(&self, bytes: &[u8]) -> &Path {
        fs::write(&self.path, bytes).expect("written");
        self.dir.path()
    }
}

#[test]
fn every_flipped_bit_is_noticed_and_gives_no_other_answer() {
    for codec in codecs().into_iter().filter(|codec| *codec != Compression::None) {
        let sound = Sound::new(codec);
        let mut parts = blocks(&sound.bytes);
        parts.push(0..parts[0].start);
        parts.push(parts[parts.len() - 2].end..sound.bytes.len());
        for bit in 0..sound.bytes.len() * 8 {
            let mut bytes = sound.bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let what = format!("{codec:?}, bit {bit}");
            let opened = open_held(&bytes, CACHE_BYTES);
            // One that does not open any more may be open already.
            let found = opened.as_ref().map_or_else(
                |_| opened_before(sound.footer, &bytes, 0).damages(),
                |segment| segment.damages(),
            );
            assert!(!found.is_empty(), "{what}");
            let part = parts.iter().find(|part| part.contains(&(bit / 8))).expect("a part of the file");
            let is_there = |offset: u64| part.contains(&usize::try_from(offset).expect("small"));
            // What looks like a newer format is told of the whole file.
            let is_told = |(offset, told): &(u64, String)| is_there(*offset) || told.contains("newer");
            assert!(found.iter().any(is_told), "{what}: {found:?}");
            match opened {
                Ok(segment) => {
                    let told = answers(&segment, &STREAMS);
                    assert!(told.iter().any(Result::is_err), "{what}: nobody noticed");
                    assert_right_or_refused(&told, &sound.answers, &what);
                }
                Err(error) => assert!(error.to_string().contains("00000007"), "{what}: {error}"),
            }
        }
    }
}

#[test]
fn every_cut_and_every_byte_behind_the_end_is_noticed() {
    let sound = Sound::new(Compression::Lz4);
    for length in 0..sound.bytes.len() {
        let cut = &sound.bytes[..length];
        assert!(open_held(cut, 0).is_err(), "cut at {length}");
        assert!(!opened_before(sound.footer, cut, 0).damages().is_empty(), "cut at {length}");
    }
    let mut longer = sound.bytes.clone();
    longer.push(0);
    assert!(open_held(&longer, 0).is_err());
    fs::remove_file(&sound.path).expect("removed");
    assert!(open(sound.dir.path(), 0).expect_err("missing").to_string().contains("missing"));
}

#[test]
fn a_segment_under_another_name_or_of_another_store_is_refused() {
    let sound = Sound::new(Compression::Lz4);
    fs::rename(&sound.path, sound.dir.path().join(file_name(NUMBER + 1))).expect("renamed");
    let cache = std::sync::Arc::new(crate::segment::BlockCache::new(0));
    let other = crate::segment::Segment::open(
        &RealDisk,
        sound.dir.path(),
        super::made::STORE,
        NUMBER + 1,
        std::sync::Arc::clone(&cache),
    );
    assert_eq!(other.expect_err("another number").kind(), crate::error::ErrorKind::Corrupt);
    let store = crate::types::StoreId::from_bytes([6; 16]);
    let dir = sound.put(&sound.bytes);
    let other = crate::segment::Segment::open(&RealDisk, dir, store, NUMBER, cache);
    assert_eq!(other.expect_err("another store").kind(), crate::error::ErrorKind::Corrupt);
}

#[test]
fn blocks_that_changed_places_are_noticed() {
    let sound = Sound::new(Compression::None);
    let segment = open(sound.dir.path(), 0).expect("opened");
    let directory = segment.directory().expect("read");
    let places: Vec<_> = (0..).map_while(|index| directory.place(index, segment.footer.totals)).collect();
    for (a, b) in places.iter().zip(places.iter().skip(1)) {
        let range = |place: &crate::segment::directory::BlockPlace| {
            let start = usize::try_from(place.offset).expect("small");
            start..start + usize::try_from(place.bytes).expect("small")
        };
        let mut bytes = sound.bytes.clone();
        let swapped = [&sound.bytes[range(b)], &sound.bytes[range(a)]].concat();
        bytes[range(a).start..range(b).end].copy_from_slice(&swapped);
        let segment = open_held(&bytes, 0).expect("opened");
        assert!(!segment.damages().is_empty());
        assert_right_or_refused(&answers(&segment, &STREAMS), &sound.answers, "swapped");
    }
}
