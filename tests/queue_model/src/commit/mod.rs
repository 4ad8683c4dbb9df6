//! The real files of `src/commit`, as they are, between a stand-in for what they carry and one for what they drive.

#[path = "../../../../src/commit/committer.rs"]
mod committer;
#[path = "../../../../src/commit/prepare_ahead.rs"]
mod prepare_ahead;
#[path = "../../../../src/commit/queue.rs"]
mod queue;
mod request;
mod writer;

pub(crate) use committer::Committer;
pub(crate) use prepare_ahead::PrepareAhead;
pub(crate) use queue::{Queue, Turn};
pub(crate) use request::{Fault, Request};
pub(crate) use writer::{Disk, Writer};
