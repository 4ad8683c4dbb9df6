//! `CommitDraft`: a commit as its caller encodes it, outside any lock: a whole frame but for what only the leader
//! knows. The leader puts in versions, recorded_at and the header, and the bytes are ready for the disk.
//!
//! Body of a commit frame:
//!
//! ```text
//! offset size  field
//!      0    8  recorded_at, microseconds since 1970, signed
//!      8    4  event_count
//!     12    4  state_count
//!     16 4×n  offset of each event record from the start of the body
//!              event records, one after another
//!              state records, one after another (src/state/record.rs)
//! ```
//! A commit has at least one record.

use crate::disk::Seed;
use crate::state::{StateChange, StateRecord, StateRecords};
use crate::types::limits::{COMMIT_BYTES_MAX, COMMIT_EVENTS_MAX, COMMIT_STATES_MAX};
use crate::types::{EventId, NewEvent, OverLimit, RecordedEvent, StreamName, Timestamp, Version};

use super::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, header_crc_of, pad, padding_bytes};
use super::record::{self, OCCURRED_AT, VERSION_AT};

pub(crate) const BODY_HEADER_BYTES: usize = 16;

/// An encoded commit that waits for its versions.
#[derive(Debug)]
pub(crate) struct CommitDraft {
    bytes: Vec<u8>,
    /// Where each event's record starts in `bytes`, and whether its occurred_at was given.
    records: Vec<(usize, bool)>,
    /// Where the state records start in `bytes`, and how many there are.
    states_at: usize,
    state_count: usize,
}

/// What the leader gives a draft to make it a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrameFields {
    pub(crate) first_position: u64,
    pub(crate) n: u64,
    pub(crate) durable: u64,
    pub(crate) prev_header_crc: u32,
    pub(crate) recorded_at: Timestamp,
}

impl CommitDraft {
    /// The frame of these events, without versions, and of changes of state.
    pub(crate) fn encode<'a>(
        events: impl ExactSizeIterator<Item = (&'a StreamName, &'a NewEvent, EventId)> + Clone,
        states: &[StateChange],
    ) -> Result<Self, OverLimit> {
        let count = events.len();
        OverLimit::check_count("commit", count, COMMIT_EVENTS_MAX)?;
        OverLimit::check_count("checkpoints of a commit", states.len(), COMMIT_STATES_MAX)?;
        let records_at = FRAME_HEADER_BYTES + BODY_HEADER_BYTES + 4 * count;
        let content: usize = events
            .clone()
            .map(|(stream, event, _)| {
                let names = stream.as_str().len() + event.event_type.as_str().len();
                names + event.metadata.len() + event.payload.len() + record::HEADER_BYTES_USIZE
            })
            .sum();
        let content = content + states.iter().map(StateChange::record_bytes).sum::<usize>();
        // Checked before anything is allocated.
        OverLimit::check("commit", records_at + content, COMMIT_BYTES_MAX)?;
        let unpadded = records_at + content;
        let mut bytes = Vec::with_capacity(unpadded + padding_bytes(unpadded));
        bytes.resize(records_at, 0);
        let mut records = Vec::with_capacity(count);
        for (stream, event, id) in events {
            records.push((bytes.len(), event.occurred_at.is_some()));
            record::encode(&mut bytes, stream, event, id)?;
        }
        let states_at = bytes.len();
        states.iter().try_for_each(|change| change.encode(&mut bytes))?;
        let mut draft = Self { bytes, records, states_at, state_count: states.len() };
        draft.put(FRAME_HEADER_BYTES + 8, to_u32(count).to_le_bytes());
        draft.put(FRAME_HEADER_BYTES + 12, to_u32(states.len()).to_le_bytes());
        for at in 0..count {
            let start = draft.records.get(at).map_or(0, |(start, _)| *start);
            let offset = to_u32(start - FRAME_HEADER_BYTES);
            draft.put(FRAME_HEADER_BYTES + BODY_HEADER_BYTES + 4 * at, offset.to_le_bytes());
        }
        Ok(draft)
    }

    /// Those of its changes of state, and no events; `None` when there are none of them.
    pub(crate) fn only_states(&self, wanted: impl Fn(&StateRecord<'_>) -> bool) -> Option<Self> {
        let states_at = FRAME_HEADER_BYTES + BODY_HEADER_BYTES;
        let (mut bytes, mut state_count) = (vec![0; states_at], 0);
        for record in self.states().flatten().filter(wanted) {
            record.change().encode(&mut bytes).unwrap_or_else(|_| unreachable!("it was within the limits"));
            state_count += 1;
        }
        let mut draft = Self { bytes, records: Vec::new(), states_at, state_count };
        draft.put(FRAME_HEADER_BYTES + 12, to_u32(state_count).to_le_bytes());
        draft.has_states().then_some(draft)
    }

    /// How many events it has.
    pub(crate) fn event_count(&self) -> usize {
        self.records.len()
    }

    /// Whether it changes state.
    pub(crate) fn has_states(&self) -> bool {
        self.state_count > 0
    }

    /// Its changes of state.
    pub(crate) fn states(&self) -> StateRecords<'_> {
        StateRecords::new(self.bytes.get(self.states_at..).unwrap_or_default())
    }

    /// Bytes of the frame it will be.
    pub(crate) fn frame_bytes(&self) -> usize {
        self.bytes.len() + padding_bytes(self.bytes.len())
    }

    /// Bytes of the body of the frame it will be.
    pub(crate) fn body_len(&self) -> u32 {
        to_u32(self.bytes.len() - FRAME_HEADER_BYTES)
    }

    /// Whether event `at` has the type and the payload of one that is on record.
    pub(crate) fn has_content_of(&self, at: usize, recorded: &RecordedEvent) -> bool {
        let record = self.records.get(at).and_then(|(start, _)| self.bytes.get(*start..)).unwrap_or_default();
        record::decode_head(record).is_ok_and(|head| {
            record.get(head.type_range()) == Some(recorded.event_type().as_bytes())
                && record.get(head.payload_range()) == Some(recorded.payload())
        })
    }

    /// Gives event `at` its version.
    pub(crate) fn set_version(&mut self, at: usize, version: Version) {
        if let Some((start, _)) = self.records.get(at) {
            self.put(start + VERSION_AT, version.as_u64().to_le_bytes());
        }
    }

    /// The finished frame and its header's checksum.
    pub(crate) fn into_frame(mut self, fields: FrameFields, seed: Seed) -> (Vec<u8>, u32) {
        let recorded_at = fields.recorded_at.as_micros().to_le_bytes();
        self.put(FRAME_HEADER_BYTES, recorded_at);
        for at in 0..self.records.len() {
            if let Some((start, false)) = self.records.get(at) {
                self.put(start + OCCURRED_AT, recorded_at);
            }
        }
        let body = self.bytes.get(FRAME_HEADER_BYTES..).unwrap_or_default();
        let header = FrameHeader {
            kind: if self.state_count > 0 { FrameKind::CommitWithStates } else { FrameKind::Commit },
            body_len: to_u32(body.len()),
            first_position: fields.first_position,
            n: fields.n,
            durable: fields.durable,
            prev_header_crc: fields.prev_header_crc,
            body_crc: seed.checksum(&[body]),
        };
        let encoded = header.encode(seed);
        self.put(0, encoded);
        pad(&mut self.bytes);
        (self.bytes, header_crc_of(&encoded))
    }

    fn put<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        let place = self.bytes.get_mut(at..at + N);
        place.unwrap_or_else(|| unreachable!("a draft has room for its own fields")).copy_from_slice(&value);
    }
}

fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or_else(|_| unreachable!("a commit is limited to far less than 4 GiB"))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::chain::Chain;
    use super::*;
    use crate::types::StoreId;

    /// The first frame of file 1 of a store, with an event for each payload, and the length of its body.
    pub(crate) fn first_frame(store: StoreId, payloads: &[&str]) -> (Vec<u8>, u32) {
        let name = StreamName::new("a").expect("name");
        let events: Vec<_> =
            payloads.iter().map(|it| NewEvent::new("T", it.as_bytes().to_vec()).expect("event")).collect();
        let named: Vec<_> = events.iter().map(|event| (&name, event, EventId::from_bytes([1; 16]))).collect();
        let draft = CommitDraft::encode(named.into_iter(), &[]).expect("draft");
        let Chain { position, n, prev_header_crc } = Chain::START;
        let recorded_at = Timestamp::EPOCH;
        let fields = FrameFields { first_position: position, n, durable: 0, prev_header_crc, recorded_at };
        let body_len = draft.body_len();
        (draft.into_frame(fields, Seed::of_file(store, 1)).0, body_len)
    }
}
