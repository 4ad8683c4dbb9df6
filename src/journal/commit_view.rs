//! `CommitView`: a commit frame that was checked, and the events in it.

use std::ops::Range;
use std::sync::Arc;

use crate::disk::Cursor;
use crate::state::{BadState, StateRecord, StateRecords};
use crate::types::limits::{COMMIT_EVENTS_MAX, COMMIT_STATES_MAX};
use crate::types::{EventTable, EventTableBuilder, Extension, Parts, Position, RecordedEvent, Timestamp};

use super::draft::BODY_HEADER_BYTES;
use super::frame::{FRAME_HEADER_BYTES, FrameKind, frame_kind};
use super::record::{self, BadRecord, Fields, RecordHead};

const CACHE_LINE_BYTES: usize = 64;
const CHECKED: &str = "every record was checked when the view was made";

/// The frame of a commit inside shared bytes. Its checksums held, and each of its events could be read, when this was made.
#[derive(Debug, Clone)]
pub(crate) struct CommitView {
    bytes: Arc<Vec<u8>>,
    /// Where the body starts and ends in `bytes`.
    body: u32,
    end: u32,
    first_position: Position,
    recorded_at: Timestamp,
    event_count: u32,
    /// Where the state records start in `bytes`: they go on to the end of the body.
    states: u32,
}

/// Why the body of a commit cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCommit {
    #[error("commit's body is cut short")]
    Cut,
    #[error("commit of {0} events and {1} state records")]
    Count(u32, u32),
    #[error("commit's records do not lie one behind another")]
    Gap,
    #[error("event {0} of the commit: {1}")]
    Record(u32, BadRecord),
    #[error(transparent)]
    State(#[from] BadState),
}

impl CommitView {
    /// The commit whose frame starts at `frame` of `bytes`, with a body of `body_len` bytes.
    pub(crate) fn new(
        bytes: Arc<Vec<u8>>,
        frame: u32,
        body_len: u32,
        first_position: u64,
    ) -> Result<Self, BadCommit> {
        let body = frame.checked_add(to_u32(FRAME_HEADER_BYTES)).ok_or(BadCommit::Cut)?;
        let end = body.checked_add(body_len).ok_or(BadCommit::Cut)?;
        let mut cursor = Cursor::new(bytes.get(to_usize(body)..to_usize(end)).ok_or(BadCommit::Cut)?);
        let (Some(recorded_at), Some(event_count), Some(state_count)) =
            (cursor.i64(), cursor.u32(), cursor.u32())
        else {
            return Err(BadCommit::Cut);
        };
        if cursor.remaining() / 4 < to_usize(event_count) {
            return Err(BadCommit::Cut);
        }
        let recorded_at = Timestamp::from_micros(recorded_at);
        let first_position = Position::new(first_position);
        let mut view = Self { bytes, body, end, first_position, recorded_at, event_count, states: end };
        let has_states = frame_kind(view.bytes.get(to_usize(frame)..)) == Some(FrameKind::CommitWithStates);
        if has_states != (state_count > 0)
            || (event_count == 0 && state_count == 0)
            || to_usize(event_count) > COMMIT_EVENTS_MAX
            || to_usize(state_count) > COMMIT_STATES_MAX
        {
            return Err(BadCommit::Count(event_count, state_count));
        }
        // The records lie one behind another and fill the body: so a commit has one form only, and a small body cannot
        // say that it holds many large records.
        let mut next = to_usize(body) + BODY_HEADER_BYTES + 4 * to_usize(event_count);
        for at in 0..event_count {
            next = view.check(at, next)?;
        }
        if state_count == 0 {
            return if next == to_usize(end) { Ok(view) } else { Err(BadCommit::Gap) };
        }
        view.states = to_u32(next);
        StateRecords::check(view.state_bytes(), state_count)?;
        Ok(view)
    }

    /// Its changes of state, in their order.
    pub(crate) fn states(&self) -> impl Iterator<Item = StateRecord<'_>> {
        StateRecords::new(self.state_bytes())
            .map(|record| record.unwrap_or_else(|_| unreachable!("{CHECKED}")))
    }

    fn state_bytes(&self) -> &[u8] {
        self.bytes.get(to_usize(self.states)..to_usize(self.end)).unwrap_or_default()
    }

    /// How many events it has.
    pub(crate) fn event_count(&self) -> u32 {
        self.event_count
    }

    /// Its body.
    pub(crate) fn body(&self) -> &[u8] {
        self.bytes.get(to_usize(self.body)..to_usize(self.end)).unwrap_or_default()
    }

    /// When it was recorded.
    pub(crate) fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// The head of event `at` and the name of its stream.
    pub(crate) fn head(&self, at: u32) -> (RecordHead, &str) {
        let record = self.record(at).and_then(|record| record.ok());
        let (start, head) = record.unwrap_or_else(|| unreachable!("{CHECKED}"));
        (
            head,
            head.stream_in(self.bytes.get(start..).unwrap_or_default())
                .unwrap_or_else(|| unreachable!("{CHECKED}")),
        )
    }

    /// Stream and type of event `at`, which must be below `event_count`.
    pub(crate) fn names(&self, at: u32) -> (&str, &str) {
        let Fields { stream, event_type, .. } = self.fields(at);
        (stream, event_type)
    }

    /// The positions of its events.
    pub(crate) fn positions(&self) -> Range<u64> {
        let first = self.first_position.as_u64();
        first..first.saturating_add(u64::from(self.event_count))
    }

    /// Event `at`, which must be below `event_count`. Who wants several asks for [`CommitView::events`].
    pub(crate) fn event(&self, at: u32) -> RecordedEvent {
        self.events(at..at + 1).event(0)
    }

    /// These events, which share the bytes that the commit was read with.
    pub(crate) fn events(&self, range: Range<u32>) -> Arc<EventTable> {
        let mut table = EventTableBuilder::with_capacity(range.len(), 0);
        for at in range {
            let Fields { stream, event_type, parts, facts } = self.fields(at);
            table.push(stream, event_type, parts, facts);
        }
        table.table_in(Arc::clone(&self.bytes))
    }

    /// Puts these events behind others, with copies of what they hold.
    pub(crate) fn copy_to(&self, range: Range<u32>, table: &mut EventTableBuilder) {
        for at in range {
            let Fields { stream, event_type, parts: Parts { metadata, payload, end }, facts } =
                self.fields(at);
            let held = self.bytes.get(to_usize(metadata)..to_usize(end)).unwrap_or_default();
            let moved = table.push_bytes(held);
            let (start, end) = (to_u32(moved.start), to_u32(moved.end));
            let parts = Parts { metadata: start, payload: start + (payload - metadata), end };
            table.push(stream, event_type, parts, facts);
        }
    }

    /// Brings its body nearer, before it is read.
    pub(crate) fn touch(&self) {
        std::hint::black_box(self.body().iter().step_by(CACHE_LINE_BYTES).fold(0, |seen, byte| seen ^ byte));
    }

    #[inline]
    fn fields(&self, at: u32) -> Fields<'_> {
        let start = self.record_at(at).unwrap_or_else(|| unreachable!("{CHECKED}"));
        let position = self.first_position.plus(u64::from(at));
        let position =
            position.unwrap_or_else(|| unreachable!("a frame's positions were counted when it was accepted"));
        record::fields(&self.bytes, to_u32(start), position, at, self.recorded_at)
    }

    /// What the header of event `at`, which must be below `event_count`, holds beyond what this version knows.
    pub(crate) fn extension(&self, at: u32) -> Extension {
        let record = self.record(at).and_then(|record| record.ok());
        let (start, head) = record.unwrap_or_else(|| unreachable!("{CHECKED}"));
        head.extension_in(self.bytes.get(start..).unwrap_or_default())
    }

    /// Checks the record of event `at`, which must start at `expected`; where it ends.
    fn check(&self, at: u32, expected: usize) -> Result<usize, BadCommit> {
        let bad = |bad| BadCommit::Record(at, bad);
        let (start, head) = self.record(at).ok_or(BadCommit::Cut)?.map_err(bad)?;
        if start != expected {
            return Err(BadCommit::Gap);
        }
        head.check_texts(self.bytes.get(start..).unwrap_or_default()).map_err(bad)?;
        Ok(start + head.record_bytes())
    }

    /// Where the record of event `at` starts, and its head.
    fn record(&self, at: u32) -> Option<Result<(usize, RecordHead), BadRecord>> {
        let start = self.record_at(at)?;
        let record = self.bytes.get(start..to_usize(self.end))?;
        Some(record::decode_head(record).map(|head| (start, head)))
    }

    fn record_at(&self, at: u32) -> Option<usize> {
        let body = to_usize(self.body);
        let entry = body + BODY_HEADER_BYTES + 4 * to_usize(at);
        let offset = self.bytes.get(entry..to_usize(self.end)).and_then(|rest| Cursor::new(rest).u32())?;
        body.checked_add(to_usize(offset)).filter(|_| at < self.event_count)
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::draft::tests::first_frame;
    use super::*;
    use crate::types::StoreId;

    /// A commit of one event for each payload.
    fn view(payloads: &[&str]) -> CommitView {
        let (frame, body_len) = first_frame(StoreId::from_bytes([7; 16]), payloads);
        CommitView::new(Arc::new(frame), 0, body_len, 0).expect("a commit")
    }

    #[test]
    fn behind_its_last_event_a_commit_has_none() {
        let view = view(&["one", "two"]);
        assert_eq!(view.positions(), 0..2);
        assert!(view.record_at(0).is_some() && view.record_at(1).is_some());
        // What stands there could be taken for the offset of a record.
        assert!(view.record_at(2).is_none());
        assert_eq!([view.extension(0), view.extension(1)], [Extension::default(), Extension::default()]);
    }

    #[test]
    fn events_of_a_commit_are_the_same_in_a_table_of_their_own_and_copied_behind_others() {
        let view = view(&["one", "two", "three"]);
        let all = view.events(0..3);
        assert_eq!([0, 1, 2].map(|row| all.event(row)), [0, 1, 2].map(|at| view.event(at)));
        assert_eq!(view.events(1..3).event(1), all.event(2));
        let payloads = [0, 1, 2].map(|row| all.event(row).payload().to_vec());
        assert_eq!(payloads, [b"one".to_vec(), b"two".to_vec(), b"three".to_vec()]);

        let mut table = EventTableBuilder::default();
        view.copy_to(0..3, &mut table);
        view.copy_to(0..3, &mut table);
        let table = table.exact();
        assert_eq!(table.rows().len(), 6);
        for row in 0..6 {
            assert_eq!(table.event(row), all.event(row % 3));
        }
    }
}
