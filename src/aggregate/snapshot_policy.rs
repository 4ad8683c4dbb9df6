//! `SnapshotPolicy`: whether and how states become snapshots. Function pointers instead of bounds: a repository whose
//! states serde does not know works all the same, without snapshots.

use std::any::type_name;
use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::codec::{Codec, CodecError, decode_value_any, encode_value_checked};
use crate::error::{Error, ErrorKind, Quoted, Result};
use crate::snapshot::{FoldedUpTo, NewSnapshot, Snapshots, StateKind};
use crate::types::{CodecId, StreamName, Version};

use super::Aggregate;

/// How the states of `A` become snapshots and come back.
pub(super) struct SnapshotPolicy<A> {
    /// After how many events a new one is due; 0 for never.
    every: u64,
    codec: CodecId,
    encode: fn(&A) -> Result<Vec<u8>, CodecError>,
    decode: fn(CodecId, &[u8]) -> Result<A, CodecError>,
}

impl<A: Aggregate> SnapshotPolicy<A> {
    pub(super) fn new<C: Codec>(every: u64) -> Self
    where
        A: Serialize + DeserializeOwned,
    {
        Self {
            every,
            codec: C::ID,
            encode: encode_value_checked::<C, A>,
            decode: |codec, bytes| decode_value_any::<C, A>(codec, bytes),
        }
    }

    /// What tells snapshots of `A` from those of other states.
    pub(super) fn kind() -> StateKind<'static> {
        StateKind { state_type: type_name::<A>(), schema: A::SNAPSHOT_SCHEMA }
    }

    pub(super) fn decode(&self, codec: CodecId, bytes: &[u8]) -> Result<A, CodecError> {
        (self.decode)(codec, bytes)
    }

    /// Whether enough has happened since the newest snapshot.
    pub(super) fn is_due(&self, snapshots: &Snapshots, stream: &StreamName, up_to: FoldedUpTo) -> bool {
        if self.every == 0 {
            return false;
        }
        // Versions count from 0: without a snapshot all events are new.
        let events = |version: Version| version.as_u64().saturating_add(1);
        let now = events(up_to.version);
        now >= self.every && {
            let in_snapshot = snapshots.newest_version(stream, Self::kind()).map_or(0, events);
            now.saturating_sub(in_snapshot) >= self.every
        }
    }

    /// Writes a snapshot.
    pub(super) fn write(
        &self,
        snapshots: &Snapshots,
        stream: &StreamName,
        state: &A,
        up_to: FoldedUpTo,
        keep: u8,
    ) -> Result<()> {
        let encoded = (self.encode)(state).map_err(|error| {
            snapshots.count_failure();
            let what = format!("encoding a snapshot of stream {}: {error}", Quoted(stream.as_str()));
            Error::new(ErrorKind::Codec, what).with_source(error)
        })?;
        let (kind, codec) = (Self::kind(), self.codec);
        snapshots.write(NewSnapshot { stream, kind, up_to, keep, codec, state: &encoded })
    }
}

impl<A> Clone for SnapshotPolicy<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for SnapshotPolicy<A> {}

impl<A> fmt::Debug for SnapshotPolicy<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { every, codec, .. } = self;
        f.debug_struct("SnapshotPolicy").field("every", every).field("codec", codec).finish_non_exhaustive()
    }
}
