//! `Packs`: the packs of a store and the directory of what is in them. One thread at a time; `Snapshots` has the lock.
//!
//! A record is written at the end of the one pack that takes more, and is never synced: after a crash it is there, or is
//! cut or zeros and is passed over. Nothing is ever written behind bytes that are no record: after a crash, and after a
//! write that failed, the next record begins a new pack.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, Seed, TEMPORARY_SUFFIX, create_complete, list_own_dir, write_all_at};
use crate::error::{Error, ErrorKind, Result};
use crate::types::StoreId;

use super::directory::{Directory, RecordAt};
use super::pack::{self, Opened, Pack, RECORDS_AT};
use super::record::Header;
use super::scan::scan;

/// At what sizes something is done to packs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// A pack takes no record that would make it larger; but every pack takes one.
    pub(super) pack_bytes_max: u64,
    /// A smaller pack is not written anew for its garbage.
    pub(super) compact_bytes_min: u64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { pack_bytes_max: 64 << 20, compact_bytes_min: 256 << 10 }
    }
}

#[derive(Debug)]
pub(super) struct Packs {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) store: StoreId,
    pub(super) seed: Seed,
    pub(super) sizes: Sizes,
    pub(super) by_number: BTreeMap<u64, Pack>,
    pub(super) directory: Directory,
    /// The highest number seen, also of what is not ours.
    pub(super) last_number: u64,
    /// Bytes of records written by this handle.
    pub(super) appended_bytes: u64,
    /// No compaction before `appended_bytes` is this: one that failed is not tried at every write.
    pub(super) compact_not_before: u64,
    is_loaded: bool,
    dir_is_ready: bool,
}

impl Packs {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, store: StoreId, sizes: Sizes) -> Self {
        Self {
            disk,
            dir,
            store,
            seed: Seed::of_store(store),
            sizes,
            by_number: BTreeMap::new(),
            directory: Directory::default(),
            last_number: 0,
            appended_bytes: 0,
            compact_not_before: 0,
            is_loaded: false,
            dir_is_ready: false,
        }
    }

    /// Finds what is there, once; how many packs are not ours, damaged or end in damage. Writes nothing.
    pub(super) fn load_once(&mut self) -> u64 {
        if self.is_loaded {
            return 0;
        }
        self.is_loaded = true;
        let numbers = match pack::numbers_in(&*self.disk, &self.dir) {
            Ok(numbers) => numbers,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return 0,
            Err(_) => return 1,
        };
        let mut bad = 0;
        let mut records: Vec<(Header, RecordAt)> = Vec::new();
        for number in numbers {
            self.last_number = number;
            let pack = match Pack::open(&*self.disk, &self.dir, self.store, number) {
                Opened::Pack(pack) => pack,
                Opened::Damaged(pack) => {
                    bad += 1;
                    self.by_number.insert(number, pack);
                    continue;
                }
                Opened::LeftAlone => {
                    bad += 1;
                    continue;
                }
            };
            let end = scan(&*pack.file, pack.bytes, self.seed, |header, offset, bytes| {
                records.push((header, RecordAt { pack: number, offset, bytes }));
            });
            let is_whole = end == pack.bytes;
            bad += u64::from(!is_whole);
            self.by_number.insert(number, Pack { takes_more: pack.takes_more && is_whole, ..pack });
        }
        // Compaction moves old records into new packs: the order of writing is that of `sequence`.
        records.sort_by_key(|(header, at)| (header.sequence, *at));
        for (header, at) in records {
            self.enter(&header, at);
        }
        bad
    }

    /// Writes a snapshot. It is in the directory when this returns, and on disk some time later.
    pub(super) fn append(&mut self, header: &Header, state: &[u8]) -> Result<()> {
        let record = header.encode(state, self.seed)?;
        let bytes = record.len() as u64;
        let number = match self.number_with_room(bytes) {
            Some(number) => number,
            None => self.create(|_| Ok(()))?,
        };
        let Some(pack) = self.by_number.get_mut(&number) else {
            return Err(Error::new(ErrorKind::Io, format!("snapshot pack {number} is not open")));
        };
        let at = RecordAt { pack: number, offset: pack.bytes, bytes };
        if let Err(error) = write_all_at(&*pack.file, &record, at.offset) {
            pack.takes_more = false;
            return Err(Error::io("writing a snapshot to", &pack.path, error));
        }
        pack.bytes = pack.bytes.saturating_add(bytes);
        self.appended_bytes = self.appended_bytes.saturating_add(bytes);
        self.enter(header, at);
        Ok(())
    }

    /// Makes the next pack, with what `fill` writes behind its header; its number.
    pub(super) fn create(&mut self, fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>) -> Result<u64> {
        self.prepare_dir()?;
        let exhausted = || Error::new(ErrorKind::Exhausted, "snapshot packs have no further number");
        let number = self.last_number.checked_add(1).ok_or_else(exhausted)?;
        let path = self.dir.join(pack::file_name(number));
        let header = pack::encode_header(self.store, number);
        // Should it fail after the rename, the name is taken: the number is used up either way.
        self.last_number = number;
        let file = create_complete(&*self.disk, &path, |file| {
            write_all_at(file, &header, 0)?;
            fill(file)
        })?;
        self.by_number.insert(number, Pack::new(path, file));
        Ok(number)
    }

    /// A snapshot turned out to be of no use.
    pub(super) fn forget(&mut self, stream: &str, sequence: u64) {
        if let Some(at) = self.directory.forget(stream, sequence) {
            self.count_garbage(at);
        }
    }

    /// Bytes of all packs.
    pub(super) fn bytes(&self) -> u64 {
        self.by_number.values().map(|pack| pack.bytes).sum()
    }

    fn enter(&mut self, header: &Header, at: RecordAt) {
        let dropped = self.directory.insert(header, at);
        if let Some(pack) = self.by_number.get_mut(&at.pack) {
            pack.live_bytes = pack.live_bytes.saturating_add(at.bytes);
        }
        dropped.into_iter().for_each(|at| self.count_garbage(at));
    }

    fn count_garbage(&mut self, at: RecordAt) {
        if let Some(pack) = self.by_number.get_mut(&at.pack) {
            pack.live_bytes = pack.live_bytes.saturating_sub(at.bytes);
        }
    }

    fn number_with_room(&self, bytes: u64) -> Option<u64> {
        let (number, pack) = self.by_number.iter().rfind(|(_, pack)| pack.takes_more)?;
        let fits = pack.bytes.saturating_add(bytes) <= self.sizes.pack_bytes_max;
        (fits || pack.bytes == RECORDS_AT).then_some(*number)
    }

    /// Makes the directory, and clears away packs that never came into being.
    fn prepare_dir(&mut self) -> Result<()> {
        if self.dir_is_ready {
            return Ok(());
        }
        let Self { disk, dir, .. } = self;
        disk.create_dir(dir).map_err(|error| Error::io("creating directory", dir, error))?;
        let names = list_own_dir(&**disk, dir).map_err(|error| Error::io("listing", dir, error))?;
        let is_ours = |name: &&String| {
            name.strip_suffix(TEMPORARY_SUFFIX).is_some_and(|name| pack::number_of(name).is_some())
        };
        for name in names.iter().filter(is_ours) {
            // Best effort: a stray temporary file harms nothing.
            let _ = disk.remove(&dir.join(name));
        }
        self.dir_is_ready = true;
        Ok(())
    }
}
