//! `Positions`: what is still to be read of the whole store, in its order. The older events lie in segments, which are sorted
//! by stream: of one segment at a time, the blocks that the read is about are kept in memory. The newer ones lie in the
//! journal in their order.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Found, Log, Ordered, Part, Sealed, SealedSegment, StreamKey, Tables};
use crate::types::Filter;

use super::plan::{End, PieceSize, Taken, Unreadable, in_order, next, shrink, within};

/// Who has read so many events of a segment one by one reads all of it.
const FEW_EVENTS_MAX: u64 = 256;

#[derive(Debug)]
pub(crate) struct Positions {
    left: Range<u64>,
    admitted: Admitted,
    /// The events of a segment that the read is about, for either end: by the segment's number.
    front: Option<(u64, Arc<Ordered>)>,
    back: Option<(u64, Arc<Ordered>)>,
}

/// Which streams a filter admits, worked out once a stream and journal file.
#[derive(Debug, Default)]
struct Admitted {
    /// By the file's number, and in it by the stream's.
    by_file: HashMap<u64, Vec<Option<bool>>>,
}

impl Admitted {
    fn admits(&mut self, filter: &Filter, key: StreamKey, part: &Part) -> bool {
        let by_key = self.by_file.entry(part.file().number).or_default();
        let at = key.0 as usize;
        if by_key.len() <= at {
            by_key.resize(at + 1, None);
        }
        match by_key.get_mut(at) {
            Some(Some(known)) => *known,
            Some(unknown) => *unknown.insert(filter.admits_stream(part.stream_name(key))),
            None => false,
        }
    }
}

/// Events that follow each other and are admitted, or not admitted, alike.
struct Run {
    length: u64,
    /// `None` when they are not admitted.
    found: Option<Found>,
}

impl Positions {
    pub(super) fn new(positions: Range<u64>) -> Self {
        Self { left: positions, admitted: Admitted::default(), front: None, back: None }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn take(&mut self, log: &Log, filter: &Filter, end: End, count: u64) -> Result<Taken> {
        let (found, sealed) = log.index.read(|tables| {
            let sealed = Arc::clone(tables.sealed());
            self.unsealed(tables, &sealed, filter, end, count).map(|found| (found, sealed))
        })?;
        if found.is_empty() && !self.is_done() {
            return Ok(self.sealed(&sealed, filter, end, count));
        }
        Ok(Taken { found, unreadable: None })
    }

    /// Up to `count` events from one end, up to the first that is sealed.
    fn unsealed(
        &mut self,
        tables: &Tables,
        sealed: &Sealed,
        filter: &Filter,
        end: End,
        count: u64,
    ) -> Result<Vec<Found>> {
        let mut found = Vec::new();
        let mut left = count;
        let mut piece = PieceSize::default();
        while left > 0 && piece.takes_more() && !self.is_done() {
            if next(&self.left, end) < sealed.end().position {
                break;
            }
            let range = within(&self.left, &(sealed.end().position..u64::MAX));
            let run = next_run(tables, filter, &mut self.admitted, range, end, left)?;
            shrink(&mut self.left, end, run.length);
            if let Some(admitted) = run.found {
                found.push(admitted);
                piece.add(found.last());
                left = left.saturating_sub(run.length);
            }
        }
        Ok(in_order(found, end))
    }

    /// Up to `count` events from one end that lie in one segment.
    fn sealed(&mut self, sealed: &Sealed, filter: &Filter, end: End, count: u64) -> Taken {
        while !self.is_done() {
            let Some(of) = sealed.holding(next(&self.left, end)) else { break };
            let held = within(&self.left, &of.segment.positions());
            if may_admit(of, filter) {
                if let Some(found) = self.few(of, filter, end, &held, count) {
                    return Taken { found, unreadable: None };
                }
                let ordered = self.ordered(of, filter, end);
                let taken = self.of_segment(&ordered, end, held, count);
                if !taken.found.is_empty() || taken.unreadable.is_some() {
                    return taken;
                }
            } else {
                shrink(&mut self.left, end, held.end - held.start);
            }
        }
        Taken::default()
    }

    /// The events at `held` positions of a segment, as far as they are admitted. Nothing when none is: then the read is behind
    /// them.
    fn of_segment(&mut self, ordered: &Arc<Ordered>, end: End, held: Range<u64>, count: u64) -> Taken {
        let lost = match end {
            End::Front => ordered.first_lost(&held),
            End::Back => ordered.last_lost(&held),
        };
        // Up to what cannot be read; that comes when nothing stands before it any more.
        let readable = match (&lost, end) {
            (Some(lost), End::Front) => held.start..lost.start,
            (Some(lost), End::Back) => lost.end..held.end,
            (None, _) => held.clone(),
        };
        let mut events = ordered.at(readable.clone());
        let count = usize::try_from(count).unwrap_or(usize::MAX).min(events.len());
        let is_all = count == events.len();
        events = match end {
            End::Front => events.start..events.start + count,
            End::Back => events.end - count..events.end,
        };
        let passed = match (is_all, end) {
            (true, _) => readable.end - readable.start,
            // Up to the last one taken.
            (false, End::Front) => {
                let last = events.end.checked_sub(1).and_then(|at| ordered.position(at));
                last.map_or(0, |last| last + 1 - held.start)
            }
            (false, End::Back) => ordered.position(events.start).map_or(0, |first| held.end - first),
        };
        shrink(&mut self.left, end, passed);
        let found = if events.is_empty() {
            Vec::new()
        } else {
            let found = Found::Ordered { ordered: Arc::clone(ordered), at: events };
            // They lie all over their segment.
            found.touch();
            vec![found]
        };
        let reached = is_all.then_some(()).and(lost).zip(ordered.error().cloned());
        let unreadable = reached.map(|(positions, error)| {
            shrink(&mut self.left, end, positions.end - positions.start);
            Unreadable { positions, error }
        });
        Taken { found, unreadable }
    }

    /// The next events of a segment, one by one, for a read that wants a few. `None` when the segment is read as a whole.
    fn few(
        &mut self,
        of: &SealedSegment,
        filter: &Filter,
        end: End,
        held: &Range<u64>,
        count: u64,
    ) -> Option<Vec<Found>> {
        let is_kept = self.kept(end).as_ref().is_some_and(|(number, _)| *number == of.segment.number());
        if is_kept || count >= FEW_EVENTS_MAX || !filter.admits_all_streams() {
            return None;
        }
        let next = shrink(&mut held.clone(), end, count);
        let length = next.end - next.start;
        let few = Ordered::few(&of.segment, next)?;
        shrink(&mut self.left, end, length);
        Some(few)
    }

    /// The events of a segment that the read is about.
    fn ordered(&mut self, of: &Arc<SealedSegment>, filter: &Filter, end: End) -> Arc<Ordered> {
        let number = of.segment.number();
        let kept = self.kept(end);
        if let Some((_, ordered)) = kept.as_ref().filter(|(of, _)| *of == number) {
            return Arc::clone(ordered);
        }
        // What the segment before needed is not needed any more.
        let old = kept.take().map(|(_, ordered)| ordered);
        let ordered = if filter.admits_all_streams() {
            of.ordered(old)
        } else {
            Arc::new(Ordered::admitted(&of.segment, filter, old))
        };
        *kept = Some((number, Arc::clone(&ordered)));
        ordered
    }

    fn kept(&mut self, end: End) -> &mut Option<(u64, Arc<Ordered>)> {
        match end {
            End::Front => &mut self.front,
            End::Back => &mut self.back,
        }
    }
}

/// Whether a segment may hold an event that the filter admits.
fn may_admit(of: &SealedSegment, filter: &Filter) -> bool {
    let (first, last) = of.segment.occurred();
    let in_time = filter.may_have_occurred(first, last);
    // What cannot be read may: then reading the events tells what is wrong.
    in_time && (filter.types().is_empty() || of.segment.may_hold_type_of(filter.types()).unwrap_or(true))
}

/// The run at one end of `range`, of `count` events at most if they are admitted.
fn next_run(
    tables: &Tables,
    filter: &Filter,
    admitted: &mut Admitted,
    range: Range<u64>,
    end: End,
    count: u64,
) -> Result<Run> {
    let at = next(&range, end);
    if filter.admits_all_streams()
        && let Some((block, held)) = tables.block_at(at)
    {
        let positions = shrink(&mut within(&range, &held), end, count);
        let length = positions.end - positions.start;
        let rows = block.table().rows_at(&positions);
        return Ok(Run { length, found: Some(Found::Rows { table: Arc::clone(block.table()), rows }) });
    }
    let missing = || Error::new(ErrorKind::Corrupt, format!("position {at} is not in the index"));
    let part = tables.part_at(at).ok_or_else(missing)?;
    let (commit, held) = part.commit_at(at).ok_or_else(missing)?;
    let mut admits = |position| {
        filter.admits_all_streams()
            || part.stream_of(position).is_some_and(|key| admitted.admits(filter, key, part))
    };
    let is_admitted = admits(at);
    let mut in_range = within(&range, &held);
    let alike = match end {
        End::Front => in_range.clone().take_while(|position| admits(*position) == is_admitted).count() as u64,
        End::Back => {
            in_range.clone().rev().take_while(|position| admits(*position) == is_admitted).count() as u64
        }
    };
    if !is_admitted {
        return Ok(Run { length: alike, found: None });
    }
    let positions = shrink(&mut in_range, end, alike.min(count));
    let event = |position: u64| u32::try_from(position - held.start).unwrap_or(u32::MAX);
    let found = tables.find(part, commit, event(positions.start), event(positions.end))?;
    Ok(Run { length: positions.end - positions.start, found: Some(found) })
}
