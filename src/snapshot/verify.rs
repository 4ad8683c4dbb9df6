//! Looking at every byte of the snapshots without changing any. Nothing here is damage to the store: it is a cache.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskFile, OpenMode, Seed, read_some_at};
use crate::error::Error;
use crate::journal::Damage;
use crate::types::StoreId;

use super::pack::{self, HEADER_BYTES, HeaderIs, decode_header, file_name};
use super::record::Header;
use super::scan::scan;

/// The places in the packs of a store that are of no use, in order.
pub(crate) fn verify_snapshots(disk: &dyn Disk, dir: &Path, store: StoreId) -> Vec<Damage> {
    let numbers = match pack::numbers_in(disk, dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return Damage::of(dir, &Error::io("listing", dir, error)).into_iter().collect(),
        Ok(numbers) => numbers,
    };
    let mut bad = Vec::new();
    for number in numbers {
        let path = dir.join(file_name(number));
        let looked = match disk.open(&path, OpenMode::Read) {
            // A live writer has compacted it away meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            opened => opened.and_then(|file| verify_pack(&*file, &path, store, number, &mut bad)),
        };
        if let Err(error) = looked {
            bad.extend(Damage::of(&path, &Error::io("reading", &path, error)));
        }
    }
    bad
}

fn verify_pack(
    file: &dyn DiskFile,
    path: &Path,
    store: StoreId,
    number: u64,
    bad: &mut Vec<Damage>,
) -> io::Result<()> {
    let mut note =
        |offset, what: &str| bad.push(Damage { path: PathBuf::from(path), offset, what: what.to_owned() });
    let bytes = file.len()?;
    let mut header = [0; HEADER_BYTES];
    let count = read_some_at(file, &mut header, 0)?;
    match header.get(..count).map_or(HeaderIs::Damaged, |header| decode_header(header, store, number)) {
        HeaderIs::Sound => {}
        HeaderIs::Damaged => {
            note(0, "the pack's header is damaged: none of its snapshots is used");
            return Ok(());
        }
        HeaderIs::NotOurs => {
            note(0, "the pack is of another store or of a newer format: it is left alone");
            return Ok(());
        }
    }
    let seed = Seed::of_store(store);
    let mut records = Vec::new();
    let end = scan(file, bytes, seed, |_, offset, bytes| records.push((offset, bytes)));
    for (offset, bytes) in records {
        let mut record = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        let count = read_some_at(file, &mut record, offset)?;
        record.truncate(count);
        if Header::decode_whole(&record, seed).is_none() {
            note(offset, "the snapshot's checksum differs: it is not used");
        }
    }
    if end < bytes {
        // What a crash leaves of a snapshot that was being written, or a damaged record and all behind it.
        note(end, "no snapshot from here to the end of the pack: what stands here is not used");
    }
    Ok(())
}
