//! Floor 5: the write path, one way through. Request, queue, leader, judge, receipt.

mod committer;
mod group;
mod judge;
mod prepare_ahead;
mod queue;
mod request;
mod writer;

pub(crate) use committer::Committer;
pub(crate) use prepare_ahead::PrepareAhead;
pub(crate) use request::{Request, StreamCheck};
pub(crate) use writer::{Writer, WriterState, WriterStats};
