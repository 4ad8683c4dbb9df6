//! Floor 5: the write path, one way through. Request, queue, leader, judge, receipt.

mod backlog;
mod committer;
mod group;
mod judge;
mod queue;
mod request;
mod upkeep;
mod writer;

pub(crate) use backlog::{Backlog, Stalls};
pub(crate) use committer::Committer;
pub(crate) use request::{Request, StreamCheck};
pub(crate) use upkeep::{Chore, Upkeep, prepare};
pub(crate) use writer::{Writer, WriterState, WriterStats};

#[cfg(test)]
mod tests;
