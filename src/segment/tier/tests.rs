//! Tiers of made-up streams: what comes back, and what is noticed when bytes are not what was written.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::ends::{FOOTER_BYTES, HEADER_BYTES, TierIdentity};
use super::merge::{Source, merged};
use super::*;
use crate::disk::faulty::FaultyDisk;
use crate::disk::{CreateFailure, RealDisk};
use crate::error::{Error, ErrorKind, Result};
use crate::segment::block_cache::BlockCache;
use crate::segment::stream_block::StreamRun;
use crate::segment::tests::held::Held;
use crate::segment::tests::made::{STORE, codecs};
use crate::types::{Compression, StreamName, Version};

const CACHE_BYTES: u64 = 4 << 20;
const DIGEST: u64 = 0x1234_5678_9abc_def0;
const NUMBERS: [u32; 8] = [0, 1, 255, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX, 4_096];

fn range() -> TierRange {
    TierRange::holding(1, 20).expect("a range")
}

/// Segments 17 to 24; some streams are in many.
fn streams(count: u32) -> Vec<StreamRuns> {
    let run_in = |at: u32, segment: u64| TierRun {
        segment,
        run: StreamRun {
            first_version: Version::new(u64::from(at) * (segment - 17)),
            ordinals: at * 3..at * 3 + 1 + at % 300,
        },
    };
    let mut streams: Vec<_> = (0..count)
        .map(|at| StreamRuns {
            name: StreamName::new(format!("account-{at}")).expect("name"),
            runs: (17..=24)
                .filter(|segment| u64::from(at).is_multiple_of(segment - 15) || *segment == 19)
                .map(|segment| run_in(at, segment))
                .collect(),
        })
        .collect();
    streams.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    streams
}

fn new_tier(compression: Compression) -> NewTier {
    NewTier { store: STORE, range: range(), segments_digest: DIGEST, compression }
}

/// The bytes of a tier of these streams.
fn written(streams: &[StreamRuns], compression: Compression) -> Vec<u8> {
    let dir = TempDir::new().expect("directory");
    let mut streams = streams.iter().cloned().map(Ok);
    write_tier(&RealDisk, dir.path(), new_tier(compression), &mut streams).expect("written");
    std::fs::read(dir.path().join(range().file_name())).expect("read")
}

fn open(bytes: &[u8]) -> Result<Arc<Tier>> {
    let identity = TierIdentity { store: STORE, range: range() };
    let cache = Arc::new(BlockCache::new(CACHE_BYTES));
    Tier::of_file(Box::new(Held(bytes.to_vec())), PathBuf::from("tier"), identity, cache).map(Arc::new)
}

/// All that a tier answers; `None` for what it does not know.
fn ask(tier: &Arc<Tier>, streams: &[StreamRuns]) -> Vec<Option<Vec<TierRun>>> {
    let absent = ["", "a", "account-", "account-1x", "zebra"];
    let names = streams.iter().map(|stream| stream.name.as_str()).chain(absent);
    names.map(|name| tier.find_stream(name).ok()).collect()
}

#[test]
fn streams_round_trip_and_others_are_not_found() {
    for compression in codecs() {
        for count in [1, 2, 300, 5_000] {
            let streams = streams(count);
            let tier = open(&written(&streams, compression)).expect("opened");
            assert_eq!(tier.streams().collect::<Result<Vec<_>>>().expect("read"), streams);
            for stream in &streams {
                assert_eq!(tier.find_stream(stream.name.as_str()).expect("read"), stream.runs);
            }
            for name in ["", "a", "account-", "account-1x", "zebra"] {
                assert_eq!(tier.find_stream(name).expect("read"), []);
            }
            assert_eq!((tier.segments_digest(), tier.is_bad()), (DIGEST, false));
            assert_eq!(tier.streams_count(), count);
            assert!(count < 5_000 || tier.footer.blocks > 10);
        }
    }
}

#[test]
fn a_stream_in_every_segment_of_the_widest_tier_fits_into_a_block() {
    let range = TierRange::holding(LEVEL_MAX, 1).expect("a range");
    let runs = (range.first()..=range.last()).map(|segment| TierRun {
        segment,
        run: StreamRun {
            first_version: Version::new(u64::MAX - 1_000_000),
            ordinals: u32::MAX - 9..u32::MAX,
        },
    });
    let stream = StreamRuns { name: StreamName::new("n".repeat(512)).expect("name"), runs: runs.collect() };
    let dir = TempDir::new().expect("directory");
    let new = NewTier { range, ..new_tier(Compression::Lz4) };
    write_tier(&RealDisk, dir.path(), new, &mut [Ok(stream.clone())].into_iter()).expect("written");
    let tier = Tier::open(&RealDisk, dir.path(), STORE, range, Arc::new(BlockCache::new(0))).expect("opened");
    assert_eq!(tier.find_stream(stream.name.as_str()).expect("read"), stream.runs);
}

#[test]
fn every_flipped_bit_is_noticed_and_gives_no_other_answer() {
    let streams = streams(40);
    for compression in [Compression::None, Compression::Lz4] {
        let bytes = written(&streams, compression);
        let right = ask(&open(&bytes).expect("opened"), &streams);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let Ok(tier) = open(&flipped) else { continue };
            let told = ask(&tier, &streams);
            let same = told.iter().zip(&right).all(|(told, right)| told.is_none() || told == right);
            assert!(same, "{compression:?}, bit {bit}");
            assert!(
                told.iter().any(Option::is_none) && tier.is_bad(),
                "{compression:?}, bit {bit}: nobody noticed"
            );
        }
    }
}

#[test]
fn every_cut_every_byte_behind_the_end_and_another_name_is_refused() {
    let bytes = written(&streams(40), Compression::Lz4);
    for length in 0..bytes.len() {
        assert!(open(&bytes[..length]).is_err(), "cut at {length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(open(&longer).is_err());
    let cache = || Arc::new(BlockCache::new(0));
    for identity in [
        TierIdentity { store: STORE, range: TierRange::holding(1, 30).expect("a range") },
        TierIdentity { store: STORE, range: TierRange::holding(2, 20).expect("a range") },
        TierIdentity { store: crate::types::StoreId::from_bytes([6; 16]), range: range() },
    ] {
        let held = Box::new(Held(bytes.clone()));
        let error = Tier::of_file(held, PathBuf::from("tier"), identity, cache()).expect_err("foreign");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}

/// Makes the checksum at `crc` right for these parts.
fn seal(bytes: &mut [u8], parts: &[std::ops::Range<usize>], crc: usize) {
    let seed = TierIdentity { store: STORE, range: range() }.seed();
    let parts: Vec<&[u8]> = parts.iter().map(|part| &bytes[part.clone()]).collect();
    let right = seed.checksum(&parts).to_le_bytes();
    bytes[crc..crc + 4].copy_from_slice(&right);
}

fn blocks(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let (mut found, mut at) = (Vec::new(), HEADER_BYTES);
    while at < bytes.len() - FOOTER_BYTES {
        let stored = u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
        found.push(at..at + 24 + stored);
        at += 24 + stored;
    }
    found
}

fn ask_all(bytes: &[u8], streams: &[StreamRuns]) {
    if let Ok(tier) = open(bytes) {
        drop(ask(&tier, streams));
        assert!(tier.streams().take(100_000).count() < 100_000);
        drop(tier_damages(&tier, &[]));
    }
}

#[test]
fn no_number_behind_a_right_checksum_does_harm() {
    let streams = streams(120);
    let bytes = written(&streams, Compression::None);
    let footer = bytes.len() - FOOTER_BYTES..bytes.len() - 4;
    for number in NUMBERS {
        for at in (0..HEADER_BYTES - 4).chain(footer.clone().step_by(4)) {
            let mut bytes = bytes.clone();
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            seal(&mut bytes, std::slice::from_ref(&(0..HEADER_BYTES - 4)), HEADER_BYTES - 4);
            seal(&mut bytes, std::slice::from_ref(&footer), footer.end);
            ask_all(&bytes, &streams);
        }
        for block in blocks(&bytes) {
            let envelope = (block.start..block.start + 20).step_by(4);
            for at in envelope.chain((block.start + 24..block.end - 4).step_by(7)) {
                let mut bytes = bytes.clone();
                bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
                seal(
                    &mut bytes,
                    &[block.start..block.start + 20, block.start + 24..block.end],
                    block.start + 20,
                );
                ask_all(&bytes, &streams);
            }
        }
    }
}

#[test]
fn what_a_later_version_writes_is_told_as_such() {
    let bytes = written(&streams(3), Compression::Lz4);
    let footer = bytes.len() - FOOTER_BYTES;
    for (part, crc) in [(0..HEADER_BYTES - 4, HEADER_BYTES - 4), (footer..bytes.len() - 4, bytes.len() - 4)] {
        let mut bytes = bytes.clone();
        bytes[part.start + 8] = 2;
        seal(&mut bytes, &[part], crc);
        assert!(open(&bytes).expect_err("newer").to_string().contains("newer"));
    }
}

#[test]
fn merging_puts_the_runs_of_all_sources_together_and_stops_at_an_error() {
    let whole = streams(200);
    let source = |segments: std::ops::RangeInclusive<u64>| -> Source {
        let of: Vec<_> = whole
            .iter()
            .map(|stream| StreamRuns {
                name: stream.name.clone(),
                runs: stream.runs.iter().filter(|run| segments.contains(&run.segment)).cloned().collect(),
            })
            .filter(|stream| !stream.runs.is_empty())
            .collect();
        Box::new(of.into_iter().map(Ok))
    };
    let sources = (17..=24).map(|segment| source(segment..=segment)).collect();
    assert_eq!(merged(sources).collect::<Result<Vec<_>>>().expect("merged"), whole);
    assert_eq!(merged(Vec::new()).count(), 0);
    let lost = || Err(Error::new(ErrorKind::Io, "reading a segment"));
    let broken: Source = Box::new(source(17..=18).take(3).chain([lost()]));
    let mut merging = merged(vec![source(19..=24), broken]);
    assert!(merging.by_ref().any(|stream| stream.is_err()));
    assert!(merging.next().is_none());
    let dir = TempDir::new().expect("directory");
    let mut failing = streams(3).into_iter().map(Ok).chain([lost()]);
    let failure =
        write_tier(&RealDisk, dir.path(), new_tier(Compression::Lz4), &mut failing).expect_err("lost");
    assert!(matches!(failure, CreateFailure::Unchanged(error) if error.to_string() == "reading a segment"));
    let mut unsorted = streams(3).into_iter().rev().map(Ok);
    write_tier(&RealDisk, dir.path(), new_tier(Compression::Lz4), &mut unsorted).expect_err("not in order");
    assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 0);
}

#[test]
fn a_read_that_fails_condemns_no_tier() {
    let (disk, dir) = (FaultyDisk::default(), TempDir::new().expect("directory"));
    let streams = streams(10);
    write_tier(&disk, dir.path(), new_tier(Compression::Lz4), &mut streams.iter().cloned().map(Ok))
        .expect("written");
    let tier = Tier::open(&disk, dir.path(), STORE, range(), Arc::new(BlockCache::new(CACHE_BYTES)))
        .expect("opened");
    disk.reads_fail.store(true, Ordering::SeqCst);
    assert_eq!(tier.find_stream("account-1").expect_err("no filter").kind(), ErrorKind::Io);
    disk.reads_fail.store(false, Ordering::SeqCst);
    assert!(!tier.is_bad() && !tier.find_stream("account-1").expect("read").is_empty());
}
