//! Floor 4: where everything is: streams to versions to places, event ids to places, commits in order, and the bytes of
//! the recent ones. In memory, made from the journal at opening; it answers, it decides nothing.

mod block;
mod commits;
mod cover;
mod event_ids;
mod log;
mod ordered;
mod part;
mod place;
mod recent;
mod sealed;
mod shared;
mod streams;
mod tables;
mod tails;
mod waiting;

pub(crate) use commits::CommitEntry;
pub(crate) use log::{LastRead, Log};
pub(crate) use ordered::Ordered;
pub(crate) use part::Part;
pub(crate) use place::{Found, Place};
pub(crate) use sealed::{Sealed, SealedRun, SealedSegment};
pub(crate) use shared::Index;
pub(crate) use streams::StreamKey;
pub(crate) use tables::Tables;
pub(crate) use tails::{Tail, Tails};
pub(crate) use waiting::{Waiter, Word};
