//! Looking for damage in a tier: every block of it is read, and it is held against the segments.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::segment::envelope::BlockKind;
use crate::segment::segment_file::Segment;

use super::merge::merged;
use super::runs_block::StreamRuns;
use super::tier_file::{Tier, segments_digest};

/// So many segments are held against a tier at once: each takes its directory of memory.
const SEGMENTS_AT_ONCE: usize = 64;

/// What is wrong with a tier over these segments, which were opened without a cache, if anything is.
pub(crate) fn tier_damages(tier: &Arc<Tier>, segments: &[Arc<Segment>]) -> Option<Error> {
    let differs = |what: &str| Error::corrupt(&tier.path, 0, what);
    if segments_digest(segments.iter().map(|segment| &**segment)) != tier.segments_digest() {
        return Some(differs("the tier was made of other segments"));
    }
    if let Err(error) = look_at_blocks(tier) {
        return Some(error);
    }
    segments.chunks(SEGMENTS_AT_ONCE).find_map(|segments| {
        let same = says_the_same(tier, segments);
        same.map_or_else(Some, |same| (!same).then(|| differs("the tier differs from its segments")))
    })
}

/// Reads every block, and holds filter and directory against the streams.
fn look_at_blocks(tier: &Tier) -> Result<()> {
    let differs = |what: &str| Err(Error::corrupt(&tier.path, 0, what));
    let (filter, directory) = (tier.filter()?, tier.directory()?);
    let mut before = String::new();
    for (index, first_name) in directory.indexes(BlockKind::Streams).zip(directory.first_names()) {
        let block = tier.runs_block(&directory, index)?;
        let names = (0..).map_while(|at| block.stream(at)).map(|stream| stream.name);
        for (at, name) in names.enumerate() {
            let name = name.as_str();
            if at == 0 && name.as_bytes() != first_name {
                return differs("the directory names other streams than their blocks");
            }
            if name <= before.as_str() || filter.as_ref().is_some_and(|filter| !filter.may_hold(name)) {
                return differs("a stream of the tier is not found in it");
            }
            name.clone_into(&mut before);
        }
    }
    Ok(())
}

fn says_the_same(tier: &Arc<Tier>, segments: &[Arc<Segment>]) -> Result<bool> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else { return Ok(true) };
    let among = first.number()..=last.number();
    let told = tier.streams().filter_map(|stream| match stream {
        Ok(StreamRuns { name, mut runs }) => {
            runs.retain(|run| among.contains(&run.segment));
            (!runs.is_empty()).then_some(Ok(StreamRuns { name, runs }))
        }
        Err(error) => Some(Err(error)),
    });
    let mut told = told.fuse();
    for held in merged(segments.iter().map(Segment::streams_with_runs).collect()) {
        // A segment that cannot be read is told as damage, and is nothing that the tier can be held against.
        let Ok(held) = held else { return Ok(true) };
        if told.next().transpose()? != Some(held) {
            return Ok(false);
        }
    }
    told.next().transpose().map(|more| more.is_none())
}
