//! Hostile bytes: numbers that nobody writes, with checksums that hold. They may give an error or nonsense, never a panic, and
//! never more memory than the bytes that are there account for.

use proptest::prelude::*;

use super::answers::answers;
use super::damage::{STREAMS, Sound};
use super::held::open_held;
use super::made::{CACHE_BYTES, codecs};
use super::parts::{blocks, seal_block, seal_ends};
use crate::error::ErrorKind;
use crate::segment::compress::decompress;
use crate::segment::envelope::{BadBlock, BlockKind, ENVELOPE_BYTES, Envelope};
use crate::segment::footer::FOOTER_BYTES;
use crate::types::Compression;

const NUMBERS: [u32; 8] = [0, 1, 255, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX, 4_096];

/// Asks everything of a file with these bytes; whether it could be opened.
fn ask(bytes: &[u8]) -> bool {
    match open_held(bytes, CACHE_BYTES) {
        Ok(segment) => {
            drop(answers(&segment, &STREAMS));
            drop(segment.damages());
            true
        }
        Err(_) => false,
    }
}

#[test]
fn no_number_in_header_or_footer_does_harm() {
    let sound = Sound::new(Compression::Lz4);
    let footer_at = sound.bytes.len() - FOOTER_BYTES;
    for at in (40..60).step_by(4).chain((footer_at + 8..sound.bytes.len() - 4).step_by(4)) {
        for number in NUMBERS {
            let mut bytes = sound.bytes.clone();
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
            seal_ends(&mut bytes);
            ask(&bytes);
        }
    }
}

#[test]
fn no_number_in_an_envelope_does_harm() {
    let sound = Sound::new(Compression::Lz4);
    for block in blocks(&sound.bytes) {
        for at in (0..20).step_by(4) {
            for number in NUMBERS {
                let mut bytes = sound.bytes.clone();
                bytes[block.start + at..block.start + at + 4].copy_from_slice(&number.to_le_bytes());
                seal_block(&mut bytes, &block);
                assert!(ask(&bytes), "header and footer are sound");
            }
        }
    }
}

#[test]
fn no_byte_in_a_block_does_harm() {
    for codec in codecs() {
        let sound = Sound::new(codec);
        for block in blocks(&sound.bytes) {
            // Of what is stored as it is, the end of a block of events is only payload.
            let content = block.start + ENVELOPE_BYTES..block.end.min(block.start + 180);
            for at in content {
                for byte in [0, 0x7f, 0x80, 0xff, sound.bytes[at].wrapping_add(1)] {
                    let mut bytes = sound.bytes.clone();
                    bytes[at] = byte;
                    seal_block(&mut bytes, &block);
                    assert!(ask(&bytes), "header and footer are sound");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_anywhere_do_harm(
        which in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        thread_local!(static SOUND: Vec<Sound> = codecs().into_iter().map(Sound::new).collect());
        SOUND.with(|sound| {
            let mut bytes = which.get(sound).bytes.clone();
            let blocks = blocks(&bytes);
            for (at, byte) in changes {
                // Half of them in the first bytes of a block, where most numbers are.
                let block = &blocks[at.index(blocks.len())];
                let most = if byte & 1 == 0 { block.len() } else { block.len().min(ENVELOPE_BYTES + 100) };
                // A block whose stored length says otherwise could not be sealed.
                bytes[block.start + ENVELOPE_BYTES + at.index(most - ENVELOPE_BYTES)] = byte;
            }
            blocks.iter().for_each(|block| seal_block(&mut bytes, block));
            assert!(ask(&bytes), "header and footer are sound");
        });
    }
}

#[test]
fn what_nobody_writes_is_told_by_damages_though_the_checksums_hold() {
    let sound = Sound::new(Compression::None);
    let mut unnoticed = Vec::new();
    for (index, block) in blocks(&sound.bytes).iter().enumerate() {
        let (envelope, _) = Envelope::open(&sound.bytes[block.clone()], super::parts::seed()).expect("sound");
        // Other bytes of a heap are only another payload, in a filter only another false positive, and in a state record another
        // position.
        if matches!(envelope.kind, BlockKind::Events | BlockKind::Filter | BlockKind::State) {
            continue;
        }
        for at in block.start + ENVELOPE_BYTES..block.end {
            let mut bytes = sound.bytes.clone();
            bytes[at] ^= 0x01;
            seal_block(&mut bytes, block);
            if open_held(&bytes, 0).expect("opened").damages().is_empty() {
                unnoticed.push((index, envelope.kind, at - block.start));
            }
        }
    }
    assert_eq!(unnoticed, []);
}

#[test]
fn a_length_past_what_the_stored_bytes_can_hold_is_refused_before_memory_is_taken() {
    let kinds = [
        BlockKind::Events,
        BlockKind::Streams,
        BlockKind::Ids,
        BlockKind::Order,
        BlockKind::Types,
        BlockKind::State,
    ];
    for kind in kinds.into_iter().chain([BlockKind::Filter, BlockKind::Directory]) {
        for codec in [0, 1, 2] {
            for raw_len in [2 * 255 + 1000, 1 << 24, 1 << 31, u32::MAX] {
                let envelope = Envelope { kind, codec, stored_len: 2, raw_len, first: 0, count: 1 };
                assert_eq!(envelope.raw(&[0xff; 2], &mut Vec::new()), Err(BadBlock::Lengths), "{envelope:?}");
            }
        }
    }
    assert_eq!(decompress(1, &[0x10, 7], 9, &mut Vec::new()), Err(BadBlock::Lengths));
    assert_eq!(decompress(1, &[0xff, 0xff], 9, &mut Vec::new()), Err(BadBlock::Compressed));
    assert_eq!(decompress(3, &[0], 1, &mut Vec::new()), Err(BadBlock::UnknownCodec(3)));
}

#[test]
fn what_a_later_version_writes_is_told_as_such() {
    let sound = Sound::new(Compression::Lz4);
    let footer_at = sound.bytes.len() - FOOTER_BYTES;
    for at in [8, footer_at + 8] {
        let mut bytes = sound.bytes.clone();
        bytes[at] = 3;
        let damaged = open_held(&bytes, 0).expect_err("damaged");
        assert_eq!(damaged.kind(), ErrorKind::Corrupt);
        seal_ends(&mut bytes);
        let newer = open_held(&bytes, 0).expect_err("newer");
        assert_eq!(newer.kind(), ErrorKind::UnsupportedVersion);
    }
    let block = blocks(&sound.bytes)[0].clone();
    for (at, number) in [(0, 10), (1, 9), (1, 2)] {
        let mut bytes = sound.bytes.clone();
        bytes[block.start + at] = number;
        seal_block(&mut bytes, &block);
        let segment = open_held(&bytes, 0).expect("opened");
        let kind = segment.block_holding(0).expect_err("unknown").kind();
        let knows = cfg!(feature = "zstd") && number == 2;
        assert_eq!(kind, if knows { ErrorKind::Corrupt } else { ErrorKind::UnsupportedVersion });
    }
}
