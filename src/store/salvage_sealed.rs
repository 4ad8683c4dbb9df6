//! Salvaging what is sealed: the events of segments, in the order of their positions, beside those of the journal.
//!
//! Segments whose events lie between one another's are read together, and no others are in memory then. A journal file that
//! was sealed and is still there holds the same commits; so does a segment that was never made part of the store. A commit of
//! the journal is whole, so it is taken, and what a segment has of it is passed over, unless the two differ: then the
//! segment counts.

use std::iter::Peekable;
use std::slice::Iter;

use crate::error::Result;
use crate::journal::{Damage, FoundFrame};
use crate::segment::FoundSegment;
use crate::types::RecordedEvent;
use crate::types::limits::COMMIT_EVENTS_MAX;

use super::salvage::Salvage;

pub(super) type Frames<'a> = Peekable<Iter<'a, FoundFrame>>;

/// Segments that hold events, those together that lie between one another's; all in the order of positions.
pub(super) fn rows(mut found: Vec<FoundSegment>) -> Vec<Vec<FoundSegment>> {
    found.retain(|segment| segment.positions.is_some());
    found.sort_by_key(|segment| segment.positions);
    let mut rows: Vec<Vec<FoundSegment>> = Vec::new();
    let mut last = None;
    for segment in found {
        let (least, greatest) = segment.positions.unwrap_or_default();
        match rows.last_mut().filter(|_| last >= Some(least)) {
            Some(row) => row.push(segment),
            None => rows.push(vec![segment]),
        }
        last = last.max(Some(greatest));
    }
    // What has more of it is believed first.
    rows.iter_mut().for_each(|row| row.sort_by_key(|segment| std::cmp::Reverse(segment.events)));
    rows
}

impl Salvage<'_> {
    /// Brings over the events of segments that belong together, and the commits of the journal before and among them.
    pub(super) fn bring_sealed(&mut self, row: &[FoundSegment], frames: &mut Frames<'_>) -> Result<()> {
        let events = self.events_of(row);
        let mut rest = events.as_slice();
        while let Some(first) = rest.first().map(|event| event.position().as_u64()) {
            if let Some(frame) = frames.next_if(|frame| frame.first_position <= first) {
                rest = self.bring_beside(frame, rest)?;
                continue;
            }
            if first < self.next {
                // Its commit came over already.
                rest = rest.get(1..).unwrap_or_default();
                continue;
            }
            let (commit, later) = rest.split_at(commit_length(rest));
            rest = later;
            self.bring_events(row, commit)?;
        }
        Ok(())
    }

    /// Brings a frame over that begins before the first of these events, unless they say otherwise; the events behind it.
    fn bring_beside<'a>(
        &mut self,
        frame: &FoundFrame,
        events: &'a [RecordedEvent],
    ) -> Result<&'a [RecordedEvent]> {
        let within = events.partition_point(|event| event.position().as_u64() < frame.end_position);
        let (same, later) = events.split_at(within);
        if same.is_empty() {
            self.bring(frame)?;
            return Ok(events);
        }
        let Ok(commit) = self.reader.read(frame) else { return Ok(events) };
        let holds = |event: &RecordedEvent| {
            let number = event.position().as_u64().checked_sub(frame.first_position);
            let number = number.and_then(|number| u32::try_from(number).ok());
            number.is_some_and(|number| number < commit.event_count() && commit.event(number) == *event)
        };
        if !same.iter().all(holds) {
            self.leave_out(frame);
            return Ok(events);
        }
        self.bring(frame)?;
        Ok(if self.next >= frame.end_position { later } else { events })
    }

    /// Brings the events of one commit over, which may not be all of it. If they cannot be, they are a gap.
    fn bring_events(&mut self, row: &[FoundSegment], commit: &[RecordedEvent]) -> Result<()> {
        let Some((first, last)) = commit.first().zip(commit.last()) else { return Ok(()) };
        let position = first.position().as_u64();
        let holds = |segment: &&FoundSegment| {
            segment.positions.is_some_and(|(least, greatest)| least <= position && position <= greatest)
        };
        let path = row.iter().find(holds).map(|segment| segment.path.clone()).unwrap_or_default();
        if self.append(commit, &path, 0)? {
            commit.iter().for_each(|event| self.pass(event.position().as_u64()));
            self.next = self.next.max(last.position().as_u64().saturating_add(1));
        }
        Ok(())
    }

    /// Takes note that an event is there: those before it that did not come are lost.
    fn pass(&mut self, position: u64) {
        self.lose_up_to(position);
        self.next = self.next.max(position.saturating_add(1));
    }

    /// All events of these segments, in the order of their positions, each once.
    fn events_of(&mut self, row: &[FoundSegment]) -> Vec<RecordedEvent> {
        let mut events: Vec<RecordedEvent> = Vec::new();
        for segment in row {
            let mut new = Vec::new();
            let mut differ: Option<(u64, u64)> = None;
            for event in segment.read(self.disk) {
                match events.binary_search_by_key(&event.position(), RecordedEvent::position) {
                    Err(_) => new.push(event),
                    Ok(at) if events.get(at) == Some(&event) => {}
                    Ok(_) => {
                        let position = event.position().as_u64();
                        let (first, count) = differ.unwrap_or((position, 0));
                        differ = Some((first.min(position), count + 1));
                    }
                }
            }
            if let Some((first, count)) = differ {
                self.report.left_out.push(Damage {
                    path: segment.path.clone(),
                    offset: 0,
                    what: format!("{count} events from position {first} on contradict others"),
                });
            }
            events.append(&mut new);
            events.sort_by_key(RecordedEvent::position);
            events.dedup_by_key(|event| event.position());
        }
        events
    }
}

/// How many of these events are of the first one's commit.
fn commit_length(events: &[RecordedEvent]) -> usize {
    let commit = events.first().map(RecordedEvent::commit_position);
    events.iter().take(COMMIT_EVENTS_MAX).take_while(|event| Some(event.commit_position()) == commit).count()
}
