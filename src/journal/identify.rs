//! Which store a journal belongs to, as its own files tell, for when the manifest does not.

use std::collections::BTreeMap;
use std::path::Path;

use crate::disk::{Disk, Seed, list_own_dir, number_of};
use crate::types::StoreId;

use super::journal_file::{Claim, JournalFile};
use super::scan;

/// The store that most of the sound file headers name. If there is none: the store that a damaged header, or `hint`, names
/// and to which at least one frame in these files belongs. `None` when nothing tells.
pub(crate) fn identify(disk: &dyn Disk, dir: &Path, hint: Option<StoreId>) -> Option<StoreId> {
    let names = list_own_dir(disk, dir).ok()?;
    let any = hint.unwrap_or(StoreId::from_bytes([0; 16]));
    let open = |name: &String| JournalFile::open_damaged(disk, dir.join(name), any, 0).ok();
    let claims: Vec<(String, Claim)> =
        names.into_iter().filter_map(|name| open(&name)?.claim.map(|claim| (name, claim))).collect();
    let mut votes: BTreeMap<[u8; 16], u64> = BTreeMap::new();
    for (_, claim) in claims.iter().filter(|(_, claim)| claim.is_sound) {
        *votes.entry(claim.store.to_bytes()).or_default() += 1;
    }
    if let Some((store, _)) = votes.iter().max_by_key(|(_, files)| **files) {
        return Some(StoreId::from_bytes(*store));
    }
    let candidates = hint.into_iter().chain(claims.iter().map(|(_, claim)| claim.store));
    let is_proved = |store: &StoreId| {
        claims.iter().any(|(name, claim)| {
            let numbers = [number_of(name).unwrap_or(claim.number), claim.number];
            numbers.iter().any(|number| has_frame(disk, dir, name, Seed::of_file(*store, *number)))
        })
    };
    candidates.into_iter().find(is_proved)
}

/// Whether a sound frame header stands anywhere in a file.
fn has_frame(disk: &dyn Disk, dir: &Path, name: &str, seed: Seed) -> bool {
    let Ok(opened) = JournalFile::open_damaged(disk, dir.join(name), StoreId::from_bytes([0; 16]), 0) else {
        return false;
    };
    let file = JournalFile { seed, ..opened.file };
    let found = file.bytes().and_then(|bytes| scan::find_header(&file, bytes, 0, |_| true));
    found.is_ok_and(|found| found.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::chain::Chain;
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn the_store_that_most_files_name_is_taken_whichever_comes_first() {
        let (few, many) = (StoreId::from_bytes([9; 16]), StoreId::from_bytes([1; 16]));
        for (few, many) in [(few, many), (many, few)] {
            let dir = tempfile::tempdir().expect("temporary directory");
            for (number, store) in [(1, many), (2, few), (3, many)] {
                JournalFile::create(&RealDisk, dir.path(), store, number, Chain::START, 8192).expect("file");
            }
            assert_eq!(identify(&RealDisk, dir.path(), None), Some(many));
            assert_eq!(identify(&RealDisk, dir.path(), Some(few)), Some(many));
        }
    }
}
