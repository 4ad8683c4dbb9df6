//! Tiers: found when a store is opened, made after sealing. They are a cache: whatever fails here harms nothing, and is tried again
//! later.
//!
//! Order of steps: the streams of eight segments, or of eight tiers of one level, are merged into a file, which is synced and gets
//! its name; readers go over to it; the tiers that it was merged from are removed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::commit::Committer;
use crate::disk::{CreateFailure, Disk, TEMPORARY_SUFFIX, list_own_dir};
use crate::error::{Error, ErrorKind, Result};
use crate::index::Sealed;
use crate::segment::{
    BlockCache, NewTier, Segment, Source, StreamRuns, Tier, TierRange, merged, segments_digest, write_tier,
};
use crate::types::StoreId;

use super::sealer::{Sealer, segments_dir};

/// How many streams are merged between two looks at what else there is to do.
const STREAMS_A_LOOK: usize = 4096;
/// With fewer segments there is no tier to be looked for.
const SEGMENTS_MIN: usize = 8;

/// These segments with the tiers that are found beside them.
pub(super) fn with_tiers(
    disk: &dyn Disk,
    root: &Path,
    store: StoreId,
    cache: &Arc<BlockCache>,
    sealed: Sealed,
) -> Sealed {
    if sealed.segments().len() < SEGMENTS_MIN {
        return sealed;
    }
    let dir = segments_dir(root);
    let mut ranges = ranges(disk, &dir);
    // The largest first: those within them need not be opened.
    ranges.sort_by_key(|range| (u64::MAX - range.width(), range.first()));
    ranges.into_iter().fold(sealed, |sealed, range| {
        let is_known = sealed.tiers().iter().any(|tier| !tier.is_bad() && tier.range().contains(range));
        let found =
            if is_known { None } else { Tier::open(disk, &dir, store, range, Arc::clone(cache)).ok() };
        match found {
            Some(tier) => sealed.with_tiers(vec![Arc::new(tier)]),
            None => sealed,
        }
    })
}

/// Of the tiers that lie in a directory; none where it cannot be listed.
pub(super) fn ranges(disk: &dyn Disk, dir: &Path) -> Vec<TierRange> {
    let names = list_own_dir(disk, dir).unwrap_or_default();
    names.iter().filter_map(|name| TierRange::of_name(name)).collect()
}

/// Whether a name is what a tier that never came into being left behind.
pub(super) fn is_unfinished_tier(name: &str) -> bool {
    name.strip_suffix(TEMPORARY_SUFFIX).is_some_and(|name| TierRange::of_name(name).is_some())
}

/// Removes the tiers in whose place a larger one is. One that stays harms nothing.
pub(super) fn remove_outgrown(disk: &dyn Disk, root: &Path, sealed: &Sealed) {
    if sealed.tiers().is_empty() {
        return;
    }
    let dir = segments_dir(root);
    for range in ranges(disk, &dir) {
        let is_within = |tier: &Arc<Tier>| tier.range() != range && tier.range().contains(range);
        if sealed.tiers().iter().any(is_within) {
            let _ = disk.remove(&dir.join(range.file_name()));
        }
    }
}

impl Sealer {
    /// Makes all tiers that are missing, until `goes_on` says no.
    pub(super) fn make_tiers(&self, committer: &Committer, meanwhile: &dyn Fn(), goes_on: &dyn Fn() -> bool) {
        let mut tried = Vec::new();
        while goes_on() {
            // Nothing is sealed meanwhile: both change what is sealed.
            let broken = self.turn.lock();
            if broken.is_some() || self.no_tiers.load(Ordering::Relaxed) {
                return;
            }
            let sealed = self.log.sealed();
            let Some(range) = sealed.next_tier(&tried) else { return };
            let made = committer.check_in_place().map_err(CreateFailure::from);
            // Whatever comes of it: once is enough.
            tried.push(range);
            match made.and_then(|()| self.make_tier(&sealed, range, meanwhile)) {
                Ok(()) => {}
                // A table cannot be read: the others can.
                Err(CreateFailure::Unchanged(error)) if error.kind() == ErrorKind::Corrupt => {}
                Err(CreateFailure::Unchanged(_)) => return,
                // What a failed sync may have lost a second one does not bring back. Segments are synced one by one.
                Err(CreateFailure::Unknown(_)) => self.no_tiers.store(true, Ordering::Relaxed),
            }
        }
    }

    fn make_tier(
        &self,
        sealed: &Sealed,
        range: TierRange,
        meanwhile: &dyn Fn(),
    ) -> Result<(), CreateFailure> {
        let dir = segments_dir(&self.root);
        let segments_digest = segments_digest(sealed.within(range).iter().map(|of| &*of.segment));
        let (store, compression) = (self.store, self.compression);
        let new = NewTier { store, range, segments_digest, compression };
        let mut streams = merged(self.sources(sealed, range)?).enumerate().map(|(number, stream)| {
            if number.is_multiple_of(STREAMS_A_LOOK) {
                meanwhile();
            }
            stream
        });
        write_tier(&*self.disk, &dir, new, &mut streams)?;
        // Durable now: the tier. Those that it was merged from are not needed any more.
        let tier = Tier::open(&*self.disk, &dir, self.store, range, Arc::clone(&self.log.cache))?;
        self.log.index.change(|tables| tables.add_tier(Arc::new(tier)));
        for part in range.parts() {
            let _ = self.disk.remove(&dir.join(part.file_name()));
        }
        Ok(())
    }

    /// The streams that a tier is merged from. They are read past the cache, which they would fill.
    fn sources(&self, sealed: &Sealed, range: TierRange) -> Result<Vec<Source>> {
        let dir = segments_dir(&self.root);
        let cache = || Arc::new(BlockCache::new(0));
        let mut sources: Vec<Source> = Vec::new();
        for part in range.parts().filter(|part| !sealed.within(*part).is_empty()) {
            let live = sealed.tiers().iter().find(|tier| tier.range() == part);
            let opened = Tier::open(&*self.disk, &dir, self.store, part, cache());
            let is_same =
                |tier: &Tier| live.is_some_and(|live| live.segments_digest() == tier.segments_digest());
            match opened {
                Ok(tier) if is_same(&tier) => {
                    let (tier, live) = (Arc::new(tier), live.cloned());
                    let streams = tier.streams().inspect(move |stream: &Result<StreamRuns>| {
                        if let (Err(_), Some(live)) = (stream, &live) {
                            // It is made anew from its segments.
                            live.condemn();
                        }
                    });
                    sources.push(Box::new(streams));
                }
                other => {
                    live.inspect(|live| live.condemn());
                    return Err(other.err().unwrap_or_else(|| {
                        Error::new(ErrorKind::Corrupt, "a tier was put in the place of another")
                    }));
                }
            }
        }
        if sources.is_empty() {
            for of in sealed.within(range) {
                let number = of.segment.number();
                let segment = Segment::open(&*self.disk, &dir, self.store, number, cache())?;
                sources.push(Arc::new(segment).streams_with_runs());
            }
        }
        Ok(sources)
    }
}
