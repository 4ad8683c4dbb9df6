//! `Request`: one append on its way to the leader: encoded already, judged not yet.

use crate::disk::IdSource;
use crate::error::Result;
use crate::journal::CommitDraft;
use crate::state::StateChange;
use crate::types::limits::COMMIT_STREAMS_MAX;
use crate::types::{Durability, EventId, ExpectedVersion, NewEvent, OverLimit, StreamName, Timestamp};

/// A stream that an append names, and what it expects of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamCheck {
    pub(crate) name: StreamName,
    /// One for each time the append names it; all are held against the stream as it is before the append.
    pub(crate) expected: Vec<ExpectedVersion>,
}

/// An event of a request, as far as the judge looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestEvent {
    /// Its stream, as a number in the request's `streams`.
    pub(crate) stream: usize,
    pub(crate) id: EventId,
    /// Whether the caller gave the id. One that the library made needs no look-up.
    pub(crate) id_given: bool,
}

/// One append, to one stream or several.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) streams: Vec<StreamCheck>,
    pub(crate) events: Vec<RequestEvent>,
    pub(crate) draft: CommitDraft,
    pub(crate) durability: Durability,
    pub(crate) recorded_at: Option<Timestamp>,
}

impl Request {
    /// Encodes an append. `events` name their stream by its number in `streams`. Runs in the caller's thread, no lock held.
    pub(crate) fn encode(
        streams: Vec<StreamCheck>,
        events: &[(usize, NewEvent)],
        states: &[StateChange],
        durability: Durability,
        recorded_at: Option<Timestamp>,
        ids: &IdSource,
        now: Timestamp,
    ) -> Result<Self> {
        OverLimit::check_count("streams of a commit", streams.len(), COMMIT_STREAMS_MAX)?;
        let judged: Vec<RequestEvent> = events
            .iter()
            .map(|(stream, event)| RequestEvent {
                stream: *stream,
                id: event.id.unwrap_or_else(|| ids.event_id(now)),
                id_given: event.id.is_some(),
            })
            .collect();
        let named = events.iter().zip(&judged).filter_map(|((stream, event), judged)| {
            streams.get(*stream).map(|check| (&check.name, event, judged.id))
        });
        // `filter_map` forgets how many there are; the draft must know before it allocates.
        let named: Vec<_> = named.collect();
        let draft = CommitDraft::encode(named.into_iter(), states)?;
        Ok(Self { streams, events: judged, draft, durability, recorded_at })
    }

    /// A request to write events again that another store held: the ids are theirs, and nobody retries by them here, so none
    /// is looked up.
    pub(crate) fn copy(
        streams: Vec<StreamCheck>,
        events: &[(usize, NewEvent)],
        recorded_at: Timestamp,
        ids: &IdSource,
    ) -> Result<Self> {
        let mut copy =
            Self::encode(streams, events, &[], Durability::Buffered, Some(recorded_at), ids, recorded_at)?;
        copy.events.iter_mut().for_each(|event| event.id_given = false);
        Ok(copy)
    }

    /// A request that writes nothing and is answered when all before it is durable.
    pub(crate) fn flush() -> Result<Self> {
        let draft = CommitDraft::encode(std::iter::empty(), &[])?;
        let durability = Durability::Synced;
        Ok(Self { streams: Vec::new(), events: Vec::new(), draft, durability, recorded_at: None })
    }
}
