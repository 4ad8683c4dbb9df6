//! `Group`: the appends that will be written together, and the answers that go out when they are durable.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::{Error, Failure, Result};
use crate::journal::{CommitDraft, CommitView, FrameAt, GroupBuffer};
use crate::state::StateTable;
use crate::types::limits::STATES_BYTES_MAX;
use crate::types::{
    BatchReceipt, Durability, EventId, Outcome, OverLimit, Position, Receipt, StreamName, Timestamp, Version,
};

use super::judge::Known;
use super::queue::Waiter;
use super::request::{Request, RequestEvent, StreamCheck};

/// An answer that waits for the group.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) waiter: Arc<Waiter>,
    pub(crate) answer: Result<BatchReceipt>,
    /// Whether it holds only if the group is written.
    pub(crate) depends_on_group: bool,
}

/// What the judge gave an append.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// Of each event.
    pub(crate) versions: Vec<Version>,
    /// Of each stream that the append names, before it.
    pub(crate) before: Vec<Option<Version>>,
    /// If its events are there already: the answer, and what is written nevertheless.
    pub(crate) known: Option<(BatchReceipt, CommitDraft)>,
}

/// What was accepted and not yet written.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) buffer: GroupBuffer,
    frames: Vec<(FrameAt, u32)>,
    /// The last version, in this group, of every stream it appends to.
    versions: HashMap<StreamName, Version>,
    given_ids: HashSet<EventId>,
    /// Whether it changes state, and the bytes by which that grows the table, at most.
    pub(crate) has_states: bool,
    state_growth: usize,
    pub(crate) answers: Vec<Answer>,
    pub(crate) wants_sync: bool,
}

impl Group {
    pub(crate) fn new(buffer: GroupBuffer) -> Self {
        let (frames, answers) = (Vec::new(), Vec::new());
        let (versions, given_ids) = (HashMap::new(), HashSet::new());
        Self {
            buffer,
            frames,
            versions,
            given_ids,
            has_states: false,
            state_growth: 0,
            answers,
            wants_sync: false,
        }
    }

    /// The last version of a stream in this group; `None` when the group does not append to it.
    pub(crate) fn version(&self, stream: &StreamName) -> Option<Version> {
        // The group of one thread is empty when its only append is judged.
        if self.versions.is_empty() { None } else { self.versions.get(stream).copied() }
    }

    /// Whether a request gives an id that an append of this group gave: its content must be on record to be compared.
    pub(crate) fn knows_an_id_of(&self, request: &Request) -> bool {
        !self.given_ids.is_empty()
            && request.events.iter().any(|event| event.id_given && self.given_ids.contains(&event.id))
    }

    /// Whether what a request is told depends on this group being written.
    fn is_named_by(&self, request: &Request) -> bool {
        !self.versions.is_empty()
            && request.streams.iter().any(|stream| self.versions.contains_key(&stream.name))
    }

    /// Counts the bytes by which a request's changes of state grow what `table` says, beside those of the group.
    ///
    /// # Errors
    /// `Invalid` when a store may not hold as many.
    pub(crate) fn count_states(&mut self, request: &Request, table: &StateTable) -> Result<()> {
        let growth = { request.draft.states().flatten() }
            .map(|record| table.growth(&record))
            .fold(self.state_growth, usize::saturating_add);
        if growth > 0 {
            OverLimit::check(
                "checkpoints of the store",
                table.bytes().saturating_add(growth),
                STATES_BYTES_MAX,
            )?;
        }
        self.state_growth = growth;
        Ok(())
    }

    /// Takes in an accepted append.
    pub(crate) fn accept(
        &mut self,
        waiter: Arc<Waiter>,
        mut request: Request,
        accepted: Accepted,
        recorded_at: Timestamp,
        held: bool,
    ) -> Result<(), (Arc<Waiter>, Error)> {
        let Accepted { versions, before, known } = accepted;
        for (at, version) in versions.iter().enumerate() {
            request.draft.set_version(at, *version);
        }
        let (known, draft) = match known {
            Some((known, states)) => (Some(known), states),
            None => (None, request.draft),
        };
        self.has_states |= draft.has_states();
        let body_len = draft.body_len();
        let frame = match self.buffer.push(draft, recorded_at) {
            Ok(frame) => frame,
            Err(error) => return Err((waiter, error)),
        };
        self.frames.push((frame, body_len));
        self.wants_sync |= request.durability == Durability::Synced;
        if let Some(known) = known {
            self.answers.push(Answer { waiter, answer: Ok(known), depends_on_group: true });
            return Ok(());
        }
        let positions = (frame.first_position..).map(Position::new);
        let places =
            places_by_stream(request.streams.len(), &request.events, versions.into_iter().zip(positions));
        self.given_ids.extend(request.events.iter().filter(|event| event.id_given).map(|event| event.id));
        let mut receipts = Vec::with_capacity(places.len());
        for ((stream, places), before) in request.streams.into_iter().zip(places).zip(before) {
            let appended = places.last().map(|(version, _)| *version);
            if let Some(version) = appended {
                self.versions.insert(stream.name.clone(), version);
            }
            // A stream that was only checked is where it was.
            let version = appended.or(before);
            receipts.push(Receipt::new(stream.name, places, version, recorded_at, Outcome::Appended));
        }
        let answer = Ok(BatchReceipt::new(receipts, recorded_at, Outcome::Appended, held));
        self.answers.push(Answer { waiter, answer, depends_on_group: true });
        Ok(())
    }

    /// Takes in the answer to a request that writes nothing.
    pub(crate) fn answer_later(
        &mut self,
        waiter: Arc<Waiter>,
        request: &Request,
        answer: Result<BatchReceipt>,
    ) {
        self.wants_sync |= request.durability == Durability::Synced;
        let depends_on_group = self.is_named_by(request);
        self.answers.push(Answer { waiter, answer, depends_on_group });
    }

    /// The commits as readers will see them, once the buffer is on disk.
    pub(crate) fn into_commits(self) -> (Vec<(CommitView, FrameAt)>, Vec<Answer>) {
        let start = self.buffer.start();
        let bytes = Arc::new(self.buffer.into_bytes());
        let commits = self
            .frames
            .into_iter()
            .map(|(at, body_len)| {
                let frame = u32::try_from(at.offset - start).unwrap_or(u32::MAX);
                let view = CommitView::new(Arc::clone(&bytes), frame, body_len, at.first_position);
                (view.unwrap_or_else(|bad| unreachable!("a frame just built can be read: {bad}")), at)
            })
            .collect();
        (commits, self.answers)
    }
}

/// The places of a request's events, sorted to the streams that it names.
fn places_by_stream(
    streams: usize,
    events: &[RequestEvent],
    places: impl Iterator<Item = (Version, Position)>,
) -> Vec<Vec<(Version, Position)>> {
    let mut by_stream: Vec<Vec<_>> = (0..streams).map(|_| Vec::new()).collect();
    for (event, place) in events.iter().zip(places) {
        if let Some(of_stream) = by_stream.get_mut(event.stream) {
            of_stream.push(place);
        }
    }
    by_stream
}

/// The receipt of an append that was there already.
pub(crate) fn already_appended(request: &Request, known: &[Known]) -> BatchReceipt {
    let recorded_at = known.iter().map(|known| known.recorded_at).max().unwrap_or_default();
    let places = places_by_stream(
        request.streams.len(),
        &request.events,
        known.iter().map(|known| (known.version, known.position)),
    );
    let receipts = request
        .streams
        .iter()
        .zip(places)
        .map(|(stream, places)| {
            let version = places.last().map(|(version, _)| *version);
            Receipt::new(stream.name.clone(), places, version, recorded_at, Outcome::AlreadyAppended)
        })
        .collect();
    BatchReceipt::new(receipts, recorded_at, Outcome::AlreadyAppended, false)
}

/// The receipt of an append of nothing to streams at these versions.
pub(crate) fn nothing_appended(
    request: &Request,
    versions: Vec<Option<Version>>,
    recorded_at: Timestamp,
) -> BatchReceipt {
    let receipt = |(stream, version): (&StreamCheck, Option<Version>)| {
        Receipt::new(stream.name.clone(), Vec::new(), version, recorded_at, Outcome::Appended)
    };
    let receipts = request.streams.iter().zip(versions).map(receipt).collect();
    BatchReceipt::new(receipts, recorded_at, Outcome::Appended, false)
}

/// The error that tells these failing checks.
pub(crate) fn refused(failures: Vec<Failure>) -> Result<BatchReceipt> {
    Err(Error::refused(failures))
}
