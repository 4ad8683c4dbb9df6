//! Compressing blocks and back. The only file that names lz4_flex and zstd.
//!
//! ```text
//! codec 0  none: stored as it is
//!       1  lz4, block format
//!       2  zstd, one frame; only with the feature `zstd`
//! ```
//! A block that does not become smaller by a sixteenth is stored as it is. None becomes smaller than a 255th, as lz4 cannot do
//! otherwise: so what is allocated to decompress one follows from bytes that are there.

#[cfg(feature = "zstd")]
use std::cell::RefCell;

use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};

#[cfg(feature = "zstd")]
use zstd::bulk::Decompressor;

use crate::types::Compression;

use super::envelope::BadBlock;

pub(super) const NONE: u8 = 0;
const LZ4: u8 = 1;
const ZSTD: u8 = 2;
/// How many times its length a compressed block may say, at most.
const RATIO_MAX: usize = 255;
#[cfg(feature = "zstd")]
const ZSTD_LEVEL: i32 = 3;

/// Compresses one block after another, with one table and one buffer for all.
pub(super) struct Compressor {
    codec: Compression,
    table: CompressTable,
    buffer: Vec<u8>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::bulk::Compressor<'static>>,
}

impl Compressor {
    pub(super) fn new(codec: Compression) -> Self {
        Self {
            codec,
            table: CompressTable::default(),
            buffer: Vec::new(),
            #[cfg(feature = "zstd")]
            zstd: zstd::bulk::Compressor::new(ZSTD_LEVEL).ok(),
        }
    }

    /// The number of the codec that was used, and what to store.
    pub(super) fn compress<'a>(&'a mut self, raw: &'a [u8]) -> (u8, &'a [u8]) {
        let (codec, length) = match self.codec {
            Compression::None => return (NONE, raw),
            Compression::Lz4 => (LZ4, self.lz4(raw)),
            #[cfg(feature = "zstd")]
            Compression::Zstd => match self.zstd(raw) {
                Some(length) if raw.len() / RATIO_MAX < length => (ZSTD, length),
                _ => (LZ4, self.lz4(raw)),
            },
        };
        match self.buffer.get(..length) {
            Some(stored) if length < raw.len() - raw.len() / 16 => (codec, stored),
            _ => (NONE, raw),
        }
    }

    fn lz4(&mut self, raw: &[u8]) -> usize {
        self.buffer.resize(get_maximum_output_size(raw.len()), 0);
        compress_into_with_table(raw, &mut self.buffer, &mut self.table)
            .unwrap_or_else(|_| unreachable!("the buffer has what lz4 asks for"))
    }

    #[cfg(feature = "zstd")]
    fn zstd(&mut self, raw: &[u8]) -> Option<usize> {
        self.buffer.resize(raw.len() + 64, 0);
        self.zstd.as_mut()?.compress_to_buffer(raw, self.buffer.as_mut_slice()).ok()
    }
}

/// Whether so many bytes may have been stored for `raw_len`.
pub(super) fn may_be(codec: u8, stored_len: u32, raw_len: u32) -> bool {
    match codec {
        NONE => stored_len == raw_len,
        LZ4 | ZSTD => stored_len < raw_len,
        _ => false,
    }
}

/// What was stored, decompressed to exactly `raw_len` bytes. `scratch` is for that: who reads many blocks keeps it.
pub(super) fn decompress<'a>(
    codec: u8,
    stored: &'a [u8],
    raw_len: usize,
    scratch: &'a mut Vec<u8>,
) -> Result<&'a [u8], BadBlock> {
    if codec == NONE {
        return if stored.len() == raw_len { Ok(stored) } else { Err(BadBlock::Lengths) };
    }
    if raw_len / RATIO_MAX > stored.len() {
        return Err(BadBlock::Lengths);
    }
    if scratch.len() < raw_len {
        scratch.resize(raw_len, 0);
    }
    let raw = scratch.get_mut(..raw_len).unwrap_or_default();
    let length = match codec {
        LZ4 => decompress_into(stored, raw).map_err(|_| BadBlock::Compressed)?,
        ZSTD => decompress_zstd(stored, raw)?,
        unknown => return Err(BadBlock::UnknownCodec(unknown)),
    };
    if length == raw_len { Ok(raw) } else { Err(BadBlock::Lengths) }
}

#[cfg(feature = "zstd")]
fn decompress_zstd(stored: &[u8], raw: &mut [u8]) -> Result<usize, BadBlock> {
    thread_local! {
        // Making one asks the processor what it can do, which takes longer than a block where that is emulated.
        static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    }
    let held = DECOMPRESSOR.try_with(RefCell::take).ok().flatten();
    let mut decompressor = match held {
        Some(held) => held,
        None => Decompressor::new().map_err(|_| BadBlock::Compressed)?,
    };
    let length = decompressor.decompress_to_buffer(stored, raw);
    // A thread that ends keeps nothing any more.
    let _ = DECOMPRESSOR.try_with(|kept| kept.replace(Some(decompressor)));
    length.map_err(|_| BadBlock::Compressed)
}

#[cfg(not(feature = "zstd"))]
fn decompress_zstd(_: &[u8], _: &mut [u8]) -> Result<usize, BadBlock> {
    Err(BadBlock::NeedsZstd)
}
