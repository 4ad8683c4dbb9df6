//! `Output`: the file that a segment is written to, block by block, in pieces of about a mebibyte.

use std::io;

use crate::disk::{DiskFile, Seed, write_all_at};
use crate::types::Compression;

use super::compress::{Compressor, NONE};
use super::envelope::{BlockKind, Envelope};

const PIECE_BYTES: usize = 1 << 20;

/// What was written so far of a segment.
pub(super) struct Output<'a> {
    file: &'a dyn DiskFile,
    seed: Seed,
    compressor: Compressor,
    piece: Vec<u8>,
    /// Where the piece goes.
    piece_at: u64,
}

/// A block before it is compressed.
#[derive(Debug, Clone, Copy)]
pub(super) struct RawBlock<'a> {
    pub(super) kind: BlockKind,
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) bytes: &'a [u8],
}

impl<'a> Output<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, seed: Seed, codec: Compression) -> Self {
        let compressor = Compressor::new(codec);
        Self { file, seed, compressor, piece: Vec::with_capacity(PIECE_BYTES), piece_at: 0 }
    }

    /// How many bytes the file has with what was put here.
    pub(super) fn bytes(&self) -> u64 {
        self.piece_at + self.piece.len() as u64
    }

    /// Puts bytes as they are.
    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    /// Puts a block, compressed if that is worth it and its kind may be; how many bytes of it are stored.
    pub(super) fn put_block(&mut self, block: RawBlock<'_>) -> io::Result<u32> {
        let RawBlock { kind, first, count, bytes } = block;
        let (codec, stored) = match kind {
            // Read whole at once, or as good as random.
            BlockKind::Ids | BlockKind::Filter | BlockKind::Directory => (NONE, bytes),
            _ => self.compressor.compress(bytes),
        };
        let stored_len = to_u32(stored.len())?;
        let envelope = Envelope { kind, codec, stored_len, raw_len: to_u32(bytes.len())?, first, count };
        self.piece.extend_from_slice(&envelope.encode(self.seed, stored));
        self.piece.extend_from_slice(stored);
        if self.piece.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(stored_len)
    }

    /// Writes what was put and not written yet.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        write_all_at(self.file, &self.piece, self.piece_at)?;
        self.piece_at += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }
}

fn to_u32(length: usize) -> io::Result<u32> {
    u32::try_from(length)
        .map_err(|_| io::Error::new(io::ErrorKind::FileTooLarge, "a block is larger than 4 GiB"))
}
