//! `Sealed`: the segments of a store, oldest first, as one value that never changes. Looking something up may ask the disk,
//! so it is done without the index's lock.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::error::Result;
use crate::segment::{EventBlock, Segment, StreamRun, Tier, TierRange, segments_digest};
use crate::state::StateTable;
use crate::types::{Chain, EventId, Filter, RecordedEvent, StreamName, Timestamp};

use super::Ordered;
use super::cover::{Asked, cover, places};

/// All segments: their events come before all that the journal holds.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    /// Those that hold events.
    pub(super) segments: Vec<Arc<SealedSegment>>,
    /// The last of all, whether it holds events or not.
    newest: Option<Arc<Segment>>,
    /// The numbers of all.
    numbers: Range<u64>,
    /// The bytes of all their files.
    file_bytes: u64,
    /// Those that were made of these segments, ascending. Of two where one lies within the other, the larger.
    tiers: Vec<Arc<Tier>>,
    /// Whom to ask for a stream: each segment, or a tier in its place. Oldest first.
    pub(super) cover: Vec<Asked>,
    /// What the journal's first frame follows.
    end: Chain,
    commits: u64,
    new_streams: u64,
}

/// A segment, and its events in the order of the store while somebody reads them so.
#[derive(Debug)]
pub(crate) struct SealedSegment {
    pub(crate) segment: Arc<Segment>,
    ordered: Mutex<Weak<Ordered>>,
}

/// The events of one stream in one segment.
#[derive(Debug, Clone)]
pub(crate) struct SealedRun {
    pub(crate) of: Arc<SealedSegment>,
    pub(crate) run: StreamRun,
}

impl SealedSegment {
    fn new(segment: Arc<Segment>) -> Self {
        Self { segment, ordered: Mutex::new(Weak::new()) }
    }

    /// All its events in the order of the store. Those who ask while somebody has them share them. `old` is of a segment that was
    /// read before: its memory is used again.
    pub(crate) fn ordered(&self, old: Option<Arc<Ordered>>) -> Arc<Ordered> {
        if let Some(ordered) = self.ordered.lock().upgrade() {
            return ordered;
        }
        let ordered = Arc::new(Ordered::whole(&self.segment, old));
        // What could not be read is tried again by the next who asks.
        if ordered.error().is_none() {
            *self.ordered.lock() = Arc::downgrade(&ordered);
        }
        ordered
    }
}

impl SealedRun {
    fn first(&self) -> u64 {
        self.run.first_version.as_u64()
    }

    /// The versions that it holds.
    pub(crate) fn versions(&self) -> Range<u64> {
        let count = self.run.ordinals.end.saturating_sub(self.run.ordinals.start);
        self.first()..self.first().saturating_add(u64::from(count))
    }

    /// The place in its segment of a version that it holds.
    fn ordinal(&self, version: u64) -> u32 {
        let at = u32::try_from(version.saturating_sub(self.first())).unwrap_or(u32::MAX);
        self.run.ordinals.start.saturating_add(at)
    }

    /// The block that holds a version, and which versions of the run it holds.
    pub(crate) fn block(&self, version: u64) -> Result<(Arc<EventBlock>, Range<u64>)> {
        let block = self.of.segment.block_holding(self.ordinal(version))?;
        let held = block.ordinals();
        let from = held.start.max(self.run.ordinals.start) - self.run.ordinals.start;
        let to = held.end.min(self.run.ordinals.end) - self.run.ordinals.start;
        let first = self.first();
        Ok((block, first + u64::from(from)..first + u64::from(to)))
    }

    /// What cannot be read when a version's block cannot: versions of the run, and positions that they lie among.
    pub(crate) fn unreadable(&self, version: u64) -> (Range<u64>, Range<u64>) {
        let Self { of, run } = self;
        let block = of.segment.beside(self.ordinal(version)).unwrap_or_else(|_| run.ordinals.clone());
        let ordinals = block.start.max(run.ordinals.start)..block.end.min(run.ordinals.end);
        let first = self.first();
        let version_of = |ordinal: u32| first + u64::from(ordinal - run.ordinals.start);
        let versions = version_of(ordinals.start)..version_of(ordinals.end);
        let positions = match of.segment.positions_of(&[ordinals]).as_deref() {
            Ok([first, .., last]) => first.start..last.end,
            Ok([only]) => only.clone(),
            Ok([]) | Err(_) => of.segment.positions(),
        };
        (versions, positions)
    }

    /// The places in the segment of these versions, which the run holds.
    pub(crate) fn ordinals(&self, versions: Range<u64>) -> Range<u32> {
        self.ordinal(versions.start)..self.ordinal(versions.end)
    }

    /// The first version whose position is not below `position`.
    fn version_at(&self, position: u64) -> Result<u64> {
        let Range { start: mut low, end: mut high } = self.versions();
        while low < high {
            let middle = low + (high - low) / 2;
            let (block, _) = self.block(middle)?;
            if block.position(self.ordinal(middle)) < position { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}

impl Default for Sealed {
    /// Nothing is sealed.
    fn default() -> Self {
        Self {
            segments: Vec::new(),
            newest: None,
            numbers: 0..0,
            file_bytes: 0,
            tiers: Vec::new(),
            cover: Vec::new(),
            end: Chain::START,
            commits: 0,
            new_streams: 0,
        }
    }
}

impl Sealed {
    /// These segments and one more, which follows the last of them.
    pub(crate) fn with(&self, segment: Arc<Segment>) -> Self {
        let mut sealed = self.clone();
        sealed.push(segment);
        sealed
    }

    /// Takes in one more segment, which follows the last.
    pub(crate) fn push(&mut self, segment: Arc<Segment>) {
        let number = segment.number();
        if self.numbers.is_empty() {
            self.numbers.start = number;
        }
        self.numbers.end = number.saturating_add(1);
        self.end = segment.end();
        self.commits = self.commits.saturating_add(segment.commits());
        self.new_streams = self.new_streams.saturating_add(u64::from(segment.new_streams()));
        self.file_bytes = self.file_bytes.saturating_add(segment.file_bytes());
        self.newest = Some(Arc::clone(&segment));
        if segment.events() > 0 {
            self.cover.push(Asked::Segment(self.segments.len()));
            self.segments.push(Arc::new(SealedSegment::new(segment)));
        }
    }

    /// The same segments, and those of these tiers that were made of them. One takes the place of those that lie within it, and
    /// of the one over the same segments.
    pub(crate) fn with_tiers(&self, tiers: Vec<Arc<Tier>>) -> Self {
        let mut sealed = self.clone();
        let mut all: Vec<_> = tiers.into_iter().filter(|tier| self.is_made_of_these(tier)).collect();
        // One that is bad makes room for those that are made in its place.
        all.extend(sealed.tiers.into_iter().filter(|tier| !tier.is_bad()));
        // The sort is stable: of two over the same segments the new one is first.
        all.sort_by_key(|tier| (tier.range().first(), u64::MAX - tier.range().last()));
        sealed.tiers = Vec::new();
        for tier in all {
            if sealed.tiers.last().is_none_or(|last| !last.range().contains(tier.range())) {
                sealed.tiers.push(tier);
            }
        }
        sealed.cover = cover(&sealed.segments, &sealed.tiers);
        sealed
    }

    fn is_made_of_these(&self, tier: &Tier) -> bool {
        let range = tier.range();
        let segments = self.within(range).iter().map(|of| &*of.segment);
        self.has_all_of(range) && segments_digest(segments) == tier.segments_digest()
    }

    /// Whether all segments of a range are there.
    pub(super) fn has_all_of(&self, range: TierRange) -> bool {
        self.numbers.contains(&range.first()) && self.numbers.contains(&range.last())
    }

    /// The segments of a range that hold events.
    pub(crate) fn within(&self, range: TierRange) -> &[Arc<SealedSegment>] {
        self.segments.get(places(&self.segments, range)).unwrap_or_default()
    }

    pub(crate) fn numbers(&self) -> Range<u64> {
        self.numbers.clone()
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    pub(crate) fn tiers(&self) -> &[Arc<Tier>] {
        &self.tiers
    }

    pub(crate) fn segments(&self) -> &[Arc<SealedSegment>] {
        &self.segments
    }

    /// What the journal's first frame follows.
    pub(crate) fn end(&self) -> Chain {
        self.end
    }

    /// The state records as they were behind the last sealed commit, read from disk.
    pub(crate) fn states(&self) -> Result<StateTable> {
        self.newest.as_ref().map_or_else(|| Ok(StateTable::default()), |segment| segment.states())
    }

    /// How many commits with events are sealed.
    pub(crate) fn commits(&self) -> u64 {
        self.commits
    }

    pub(crate) fn new_streams(&self) -> u64 {
        self.new_streams
    }

    /// When the last sealed commit was recorded.
    pub(crate) fn last_recorded_at(&self) -> Option<Timestamp> {
        self.segments.last().map(|of| of.segment.recorded().1)
    }

    /// The segment that holds a position.
    pub(crate) fn holding(&self, position: u64) -> Option<&Arc<SealedSegment>> {
        let at = self.segments.partition_point(|of| of.segment.positions().end <= position);
        self.segments.get(at).filter(|of| of.segment.positions().contains(&position))
    }

    /// The runs of a stream, in the order of its versions, in all segments but the first `known`.
    pub(crate) fn runs(&self, name: &str, known: usize) -> Result<Vec<SealedRun>> {
        let mut runs = Vec::new();
        let mut found = self.newest_first(name, known..self.segments.len());
        while let Some(run) = found.next_run()? {
            runs.push(run);
        }
        runs.reverse();
        Ok(runs)
    }

    /// How many events of a stream are sealed, if one of the segments but the first `known` holds some.
    pub(crate) fn next_version(&self, name: &str, known: usize) -> Result<Option<u64>> {
        let newest = self.newest_first(name, known..self.segments.len()).next_run()?;
        Ok(newest.map(|run| run.versions().end))
    }

    /// The first version of a stream whose position is not below `position`; how many are sealed if there is none.
    pub(crate) fn version_at(&self, name: &str, position: u64) -> Result<u64> {
        let below = self.segments.partition_point(|of| of.segment.positions().start < position);
        match self.newest_first(name, 0..below).next_run()? {
            Some(run) => run.version_at(position),
            None => Ok(0),
        }
    }

    /// The admitted streams, and how many of their events are sealed.
    pub(crate) fn streams(&self, filter: &Filter) -> Result<BTreeMap<StreamName, u64>> {
        let mut streams = BTreeMap::new();
        for of in &self.segments {
            for prefix in filter.stream_prefixes() {
                for stream in of.segment.streams_from(&prefix) {
                    let (name, run) = stream?;
                    if filter.admits_stream(name.as_str()) {
                        let versions = SealedRun { of: Arc::clone(of), run }.versions();
                        streams.insert(name, versions.end);
                    }
                }
            }
        }
        Ok(streams)
    }

    /// The event with this id in a stream.
    pub(crate) fn find_id(&self, name: &str, id: EventId) -> Result<Option<RecordedEvent>> {
        let mut runs = self.newest_first(name, 0..self.segments.len());
        while let Some(SealedRun { of, run }) = runs.next_run()? {
            if let Some(ordinal) = of.segment.find_id(&run, id)? {
                return Ok(Some(of.segment.block_holding(ordinal)?.event(ordinal)));
            }
        }
        Ok(None)
    }

    /// The first position recorded when `before` holds no longer; where the segments end when it always does.
    pub(crate) fn recorded_boundary(&self, before: impl Fn(Timestamp) -> bool) -> Result<u64> {
        let at = self.segments.partition_point(|of| before(of.segment.recorded().1));
        let Some(of) = self.segments.get(at) else { return Ok(self.end().position) };
        let Range { start: mut low, end: mut high } = of.segment.positions();
        while low < high {
            let middle = low + (high - low) / 2;
            let ordinal = of.segment.ordinal(middle)?;
            let event = of.segment.block_holding(ordinal)?.event(ordinal);
            if before(event.recorded_at()) { low = middle + 1 } else { high = middle }
        }
        Ok(low)
    }
}
