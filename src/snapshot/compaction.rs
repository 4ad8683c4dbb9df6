//! Compaction: packs that are mostly garbage, and small packs that became many, are written anew as one pack.
//!
//! The new pack is whole and synced under its name before the old ones are removed. A crash in between leaves records
//! twice; `sequence` tells that they are the same. Work and wait are bounded by the size of one pack.

use std::sync::Arc;

use crate::disk::{DiskFile, Seed, read_exact_at, write_all_at};
use crate::error::Result;
use crate::types::StreamName;

use super::directory::{Entry, RecordAt};
use super::pack::{Pack, RECORDS_AT};
use super::packs::{Packs, Sizes};
use super::record::Header;

/// Packs less than half full that may stand side by side.
const SMALL_PACKS_MAX: usize = 4;

/// What choosing looks at.
#[derive(Debug, Clone, Copy)]
struct PackFigures {
    number: u64,
    bytes: u64,
    live_bytes: u64,
    garbage_bytes: u64,
    takes_more: bool,
}

impl PackFigures {
    fn of(number: u64, pack: &Pack) -> Self {
        let Pack { bytes, live_bytes, takes_more, .. } = *pack;
        Self { number, bytes, live_bytes, garbage_bytes: pack.garbage_bytes(), takes_more }
    }

    fn is_mostly_garbage(&self) -> bool {
        self.garbage_bytes > self.bytes / 2
    }

    fn is_small(&self, sizes: Sizes) -> bool {
        self.bytes < sizes.pack_bytes_max / 2
    }

    /// Whether it alone is reason enough.
    fn is_due(&self, sizes: Sizes) -> bool {
        let nothing_in_it = self.live_bytes == 0 && !self.takes_more;
        nothing_in_it || (self.is_mostly_garbage() && self.bytes >= sizes.compact_bytes_min)
    }
}

/// Which packs to write anew as one, if it is time: as many of those with garbage and those that are small as fit.
fn choose(packs: &[PackFigures], sizes: Sizes) -> Vec<u64> {
    let small = packs.iter().filter(|pack| pack.is_small(sizes)).count();
    if small <= SMALL_PACKS_MAX && !packs.iter().any(|pack| pack.is_due(sizes)) {
        return Vec::new();
    }
    let mut chosen = Vec::new();
    let mut chosen_bytes: u64 = RECORDS_AT;
    for pack in packs {
        let wanted = pack.is_due(sizes) || pack.is_mostly_garbage() || pack.is_small(sizes);
        let bytes = chosen_bytes.saturating_add(pack.live_bytes);
        if wanted && (chosen.is_empty() || bytes <= sizes.pack_bytes_max) {
            chosen.push(pack.number);
            chosen_bytes = bytes;
        }
    }
    chosen
}

impl Packs {
    /// Compacts once if it is time; how many damaged records were left behind. When it fails, the old packs are there
    /// still, and it is tried again later.
    pub(super) fn compact_if_due(&mut self) -> Result<u64> {
        if self.appended_bytes < self.compact_not_before {
            return Ok(0);
        }
        let figures = self.by_number.iter().map(|(number, pack)| PackFigures::of(*number, pack));
        let chosen = choose(&figures.collect::<Vec<_>>(), self.sizes);
        let done = if chosen.is_empty() { Ok(0) } else { self.compact(&chosen) };
        if done.is_err() {
            let pause = self.sizes.compact_bytes_min;
            self.compact_not_before = self.appended_bytes.saturating_add(pause);
        }
        done
    }

    fn compact(&mut self, chosen: &[u64]) -> Result<u64> {
        let entries = self.directory.entries_in(chosen);
        if !entries.is_empty() {
            self.move_to_new_pack(&entries)?;
        }
        // Durable now: all that was moved. What is in the old packs still could not be read.
        let left = self.directory.entries_in(chosen);
        for (stream, entry) in &left {
            self.directory.forget(stream.as_str(), entry.sequence);
        }
        for number in chosen {
            if let Some(pack) = self.by_number.remove(number) {
                // Best effort: a pack that stays is found to hold nothing new when the store is opened again.
                let _ = self.disk.remove(&pack.path);
            }
        }
        Ok(left.len() as u64)
    }

    /// Copies records as they are; those that are damaged are left behind.
    fn move_to_new_pack(&mut self, entries: &[(StreamName, Entry)]) -> Result<()> {
        let file_of = |entry: &Entry| Some(Arc::clone(&self.by_number.get(&entry.at.pack)?.file));
        let files: Vec<_> = entries.iter().map(|(_, entry)| file_of(entry)).collect();
        let seed = self.seed;
        let mut moved: Vec<(&StreamName, u64, RecordAt)> = Vec::with_capacity(entries.len());
        let mut end = RECORDS_AT;
        let number = self.create(|new| {
            for ((stream, entry), file) in entries.iter().zip(&files) {
                let Some(record) = file.as_ref().and_then(|file| read_sound(&**file, entry, seed)) else {
                    continue;
                };
                write_all_at(new, &record, end)?;
                moved.push((stream, entry.sequence, RecordAt { offset: end, ..entry.at }));
                end = end.saturating_add(entry.at.bytes);
            }
            Ok(())
        })?;
        for (stream, sequence, at) in moved {
            self.directory.relocate(stream.as_str(), sequence, RecordAt { pack: number, ..at });
        }
        if let Some(pack) = self.by_number.get_mut(&number) {
            pack.bytes = end;
            pack.live_bytes = end.saturating_sub(RECORDS_AT);
        }
        Ok(())
    }
}

/// The record of an entry if every byte of it is as it was written.
fn read_sound(file: &dyn DiskFile, entry: &Entry, seed: Seed) -> Option<Vec<u8>> {
    let mut record = vec![0; usize::try_from(entry.at.bytes).ok()?];
    read_exact_at(file, &mut record, entry.at.offset).ok()?;
    let (header, _) = Header::decode_whole(&record, seed)?;
    (header.sequence == entry.sequence).then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { pack_bytes_max: 1000, compact_bytes_min: 100 };

    fn pack(number: u64, live_bytes: u64, garbage_bytes: u64) -> PackFigures {
        let bytes = RECORDS_AT + live_bytes + garbage_bytes;
        PackFigures { number, bytes, live_bytes, garbage_bytes, takes_more: true }
    }

    #[test]
    fn nothing_is_chosen_while_garbage_is_the_smaller_half() {
        assert!(choose(&[], SIZES).is_empty());
        assert!(choose(&[pack(1, 400, 400), pack(2, 200, 100)], SIZES).is_empty());
        assert!(choose(&[pack(1, 5, 40)], SIZES).is_empty(), "below the smallest size worth it");
    }

    #[test]
    fn packs_of_garbage_are_chosen_with_the_small_ones_as_far_as_they_fit() {
        let packs = [pack(1, 300, 600), pack(2, 900, 10), pack(3, 100, 0), pack(4, 700, 0), pack(5, 400, 50)];
        assert_eq!(choose(&packs, SIZES), [1, 3, 5]);
        assert_eq!(choose(&[pack(1, 100, 600), pack(2, 450, 0), pack(3, 450, 0)], SIZES), [1, 2]);
    }

    #[test]
    fn an_empty_pack_that_takes_no_more_and_too_many_small_ones_are_chosen() {
        let empty = PackFigures { takes_more: false, ..pack(1, 0, 0) };
        assert_eq!(choose(&[empty, pack(2, 900, 0)], SIZES), [1]);
        let small: Vec<_> = (1..=5).map(|number| pack(number, 60, 0)).collect();
        assert!(choose(&small[..SMALL_PACKS_MAX], SIZES).is_empty());
        assert_eq!(choose(&small, SIZES), [1, 2, 3, 4, 5]);
    }
}
