//! `NewestFirst`: the runs of a stream, newest first, looked for in as few places as there are: the newest segments one by one, the
//! others by the largest tiers. And which tier is to be made next.
//!
//! A tier is a cache. One that cannot tell, or tells what its segments cannot hold, is passed over, and its segments are asked.

use std::ops::Range;
use std::sync::Arc;

use crate::error::Result;
use crate::segment::{LEVEL_MAX, STREAMS_MAX, Tier, TierRange, TierRun};

use super::sealed::{Sealed, SealedRun, SealedSegment};

/// Who knows the streams of some segments.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// The segment at this place.
    Segment(usize),
    /// A tier, of the segments at these places.
    Tier(Arc<Tier>, Range<usize>),
}

/// The places of a range's segments.
pub(super) fn places(segments: &[Arc<SealedSegment>], range: TierRange) -> Range<usize> {
    let start = segments.partition_point(|of| of.segment.number() < range.first());
    let end = segments.partition_point(|of| of.segment.number() <= range.last());
    start..end
}

/// Whom to ask, oldest first. The tiers ascend, and have no segment in common.
pub(super) fn cover(segments: &[Arc<SealedSegment>], tiers: &[Arc<Tier>]) -> Vec<Asked> {
    let (mut cover, mut at) = (Vec::new(), 0);
    for tier in tiers {
        let places = places(segments, tier.range());
        cover.extend((at..places.start).map(Asked::Segment));
        at = places.end;
        cover.push(Asked::Tier(Arc::clone(tier), places));
    }
    cover.extend((at..segments.len()).map(Asked::Segment));
    cover
}

/// The runs of a stream, newest first.
pub(super) struct NewestFirst<'a> {
    sealed: &'a Sealed,
    name: &'a str,
    /// In the segments at these places.
    places: Range<usize>,
    /// So many parts of the cover have not been asked.
    cover_left: usize,
    /// Segments that are asked one by one, since their tier cannot tell.
    singly: Range<usize>,
    /// What a tier told, oldest first.
    told: Vec<SealedRun>,
}

impl Sealed {
    /// The runs of a stream in the segments at these places.
    pub(super) fn newest_first<'a>(&'a self, name: &'a str, places: Range<usize>) -> NewestFirst<'a> {
        let (cover_left, singly, told) = (self.cover.len(), 0..0, Vec::new());
        NewestFirst { sealed: self, name, places, cover_left, singly, told }
    }
}

impl NewestFirst<'_> {
    /// The next one.
    pub(super) fn next_run(&mut self) -> Result<Option<SealedRun>> {
        loop {
            if let Some(run) = self.told.pop() {
                return Ok(Some(run));
            }
            if let Some(place) = self.singly.next_back() {
                if let Some(run) = self.find_in(place)? {
                    return Ok(Some(run));
                }
                continue;
            }
            let Some(left) = self.cover_left.checked_sub(1) else { return Ok(None) };
            self.cover_left = left;
            match self.sealed.cover.get(left) {
                Some(Asked::Segment(place)) => self.singly = *place..place.saturating_add(1),
                Some(Asked::Tier(tier, places)) => self.ask(tier, places),
                None => {}
            }
        }
    }

    fn find_in(&self, place: usize) -> Result<Option<SealedRun>> {
        let of = self.sealed.segments.get(place).filter(|_| self.places.contains(&place));
        let Some(of) = of else { return Ok(None) };
        let run = of.segment.find_stream(self.name)?;
        Ok(run.map(|run| SealedRun { of: Arc::clone(of), run }))
    }

    fn ask(&mut self, tier: &Tier, places: &Range<usize>) {
        if places.end <= self.places.start || places.start >= self.places.end {
            return;
        }
        let runs = if tier.is_bad() { None } else { tier.find_stream(self.name).ok() };
        match runs.map(|runs| self.held(runs, places)) {
            Some(Some(told)) => self.told = told,
            Some(None) => {
                tier.condemn();
                self.singly = places.clone();
            }
            None => self.singly = places.clone(),
        }
    }

    /// The runs that a tier tells of, of the segments that are looked at. `None` when a segment cannot hold what is told of it.
    fn held(&self, runs: Vec<TierRun>, places: &Range<usize>) -> Option<Vec<SealedRun>> {
        let segments = self.sealed.segments.get(places.clone())?;
        let mut told = Vec::new();
        for TierRun { segment, run } in runs {
            let at = segments.binary_search_by_key(&segment, |of| of.segment.number()).ok()?;
            let of = segments.get(at).filter(|of| run.ordinals.end <= of.segment.events())?;
            if self.places.contains(&places.start.saturating_add(at)) {
                told.push(SealedRun { of: Arc::clone(of), run });
            }
        }
        Some(told)
    }
}

impl Sealed {
    /// The smallest and oldest of the tiers that are missing and whose segments, or tiers of the level below, are all there; none
    /// of those that were `tried`.
    pub(crate) fn next_tier(&self, tried: &[TierRange]) -> Option<TierRange> {
        (1..=LEVEL_MAX).find_map(|level| {
            let mut number = self.numbers().start;
            std::iter::from_fn(|| {
                let range =
                    TierRange::holding(level, number).filter(|range| range.last() < self.numbers().end)?;
                number = range.last().checked_add(1)?;
                Some(range)
            })
            .find(|range| !tried.contains(range) && self.can_be_made(*range))
        })
    }

    fn can_be_made(&self, range: TierRange) -> bool {
        let sound = || self.tiers().iter().filter(|tier| !tier.is_bad());
        if !self.has_all_of(range)
            || self.within(range).is_empty()
            || sound().any(|tier| tier.range().contains(range))
        {
            return false;
        }
        let mut streams = 0_u64;
        for part in range.parts().filter(|part| !self.within(*part).is_empty()) {
            match sound().find(|tier| tier.range() == part) {
                Some(tier) => streams = streams.saturating_add(u64::from(tier.streams_count())),
                None => return false,
            }
        }
        if streams == 0 {
            streams = self.within(range).iter().map(|of| u64::from(of.segment.streams())).sum();
        }
        streams <= STREAMS_MAX
    }
}
