//! Verifying tiers: each is read whole and held against its segments. They are a cache: what is bad in them is no damage.

use std::path::Path;
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::Error;
use crate::journal::Damage;
use crate::manifest::Manifest;
use crate::segment::{BlockCache, Segment, Tier, TierRange, tier_damages};

use super::sealer::segments_dir;
use super::tiers::ranges;
use super::verify::Known;

/// The tiers that are of no use. Without a manifest nothing tells which segments they should be of.
pub(super) fn verify_tiers(disk: &dyn Disk, root: &Path, known: &Known) -> Vec<Damage> {
    let dir = segments_dir(root);
    let mut ranges = ranges(disk, &dir);
    ranges.sort_by_key(|range| (range.first(), range.last()));
    if ranges.is_empty() {
        return Vec::new();
    }
    // Read behind the list: beside a writer, what was found is of segments that it names by now.
    let Ok(Some(manifest)) = Manifest::read(disk, root) else { return Vec::new() };
    let numbers = manifest.segment_numbers();
    let damage_of = |range: TierRange| {
        let path = dir.join(range.file_name());
        let tier = match Tier::open(disk, &dir, known.store, range, no_cache()) {
            Ok(tier) => Arc::new(tier),
            // A larger one has taken its place meanwhile.
            Err(_) if !is_there(disk, &dir, range) => return None,
            Err(error) => return Some(damage(&path, &error)),
        };
        if !numbers.contains(&range.first()) || !numbers.contains(&range.last()) {
            let what = "the tier is of segments that the store does not have".to_owned();
            return Some(Damage { path, offset: 0, what });
        }
        let segments = (range.first()..=range.last())
            .map(|number| Segment::open(disk, &dir, known.store, number, no_cache()).map(Arc::new));
        // A segment that cannot be opened is told as damage.
        let mut segments: Vec<_> = segments.collect::<Result<_, _>>().ok()?;
        segments.retain(|segment| segment.events() > 0);
        tier_damages(&tier, &segments).map(|error| damage(&path, &error))
    };
    ranges.into_iter().filter_map(damage_of).collect()
}

fn no_cache() -> Arc<BlockCache> {
    Arc::new(BlockCache::new(0))
}

fn is_there(disk: &dyn Disk, dir: &Path, range: TierRange) -> bool {
    ranges(disk, dir).contains(&range)
}

fn damage(path: &Path, error: &Error) -> Damage {
    let told = Damage::of(path, error);
    told.unwrap_or_else(|| Damage { path: path.to_owned(), offset: 0, what: error.to_string() })
}
