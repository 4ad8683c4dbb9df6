//! `CommitView`: a commit frame that was checked, and the events in it.

use std::sync::Arc;

use crate::disk::Cursor;
use crate::types::{Position, RecordedEvent, Timestamp};

use super::draft::BODY_HEADER_BYTES;
use super::frame::FRAME_HEADER_BYTES;
use super::record::{self, BadRecord, RecordHead};

/// The frame of a commit inside shared bytes. Its checksums held when this was made.
#[derive(Debug, Clone)]
pub(crate) struct CommitView {
    bytes: Arc<Vec<u8>>,
    /// Where the body starts and ends in `bytes`.
    body: u32,
    end: u32,
    first_position: Position,
    recorded_at: Timestamp,
    event_count: u32,
}

/// Why the body of a commit cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCommit {
    #[error("commit's body is cut short")]
    Cut,
    #[error("commit holds records that this version does not know")]
    UnknownRecords,
    #[error("event {0} of the commit: {1}")]
    Record(u32, BadRecord),
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
        let (Some(recorded_at), Some(event_count), Some(others)) = (cursor.i64(), cursor.u32(), cursor.u32())
        else {
            return Err(BadCommit::Cut);
        };
        if others != 0 {
            return Err(BadCommit::UnknownRecords);
        }
        if cursor.remaining() / 4 < to_usize(event_count) {
            return Err(BadCommit::Cut);
        }
        let recorded_at = Timestamp::from_micros(recorded_at);
        let first_position = Position::new(first_position);
        Ok(Self { bytes, body, end, first_position, recorded_at, event_count })
    }

    /// How many events it has.
    pub(crate) fn event_count(&self) -> u32 {
        self.event_count
    }

    /// The position of its first event.
    pub(crate) fn first_position(&self) -> Position {
        self.first_position
    }

    /// Bytes of its body.
    pub(crate) fn body_bytes(&self) -> usize {
        to_usize(self.end - self.body)
    }

    /// When it was recorded.
    pub(crate) fn recorded_at(&self) -> Timestamp {
        self.recorded_at
    }

    /// The head of event `at` and the name of its stream.
    pub(crate) fn head(&self, at: u32) -> Result<(RecordHead, &[u8]), BadCommit> {
        let record = self.bytes.get(self.record_at(at)?..to_usize(self.end)).unwrap_or_default();
        let head = record::decode_head(record).map_err(|bad| BadCommit::Record(at, bad))?;
        Ok((head, record.get(head.stream_range()).unwrap_or_default()))
    }

    /// Event `at`.
    pub(crate) fn event(&self, at: u32) -> Result<RecordedEvent, BadCommit> {
        let start = self.record_at(at)?;
        let record = self.bytes.get(start..to_usize(self.end)).unwrap_or_default();
        let bad = |bad| BadCommit::Record(at, bad);
        let head = record::decode_head(record).map_err(bad)?;
        let position = self.first_position.plus(u64::from(at)).ok_or(BadCommit::Cut)?;
        let bytes = Arc::clone(&self.bytes);
        head.into_event(bytes, to_u32(start), position, self.first_position, self.recorded_at).map_err(bad)
    }

    fn record_at(&self, at: u32) -> Result<usize, BadCommit> {
        if at >= self.event_count {
            return Err(BadCommit::Cut);
        }
        let body = to_usize(self.body);
        let entry = body + BODY_HEADER_BYTES + 4 * to_usize(at);
        let offset =
            self.bytes.get(entry..).and_then(|rest| Cursor::new(rest).u32()).ok_or(BadCommit::Cut)?;
        body.checked_add(to_usize(offset)).ok_or(BadCommit::Cut)
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
