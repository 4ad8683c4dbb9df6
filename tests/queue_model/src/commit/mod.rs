//! The real files of `src/commit`, as they are, between a stand-in for what they carry and one for what they drive.

#[path = "../../../../src/commit/backlog.rs"]
mod backlog;
#[path = "../../../../src/commit/committer.rs"]
mod committer;
#[path = "../../../../src/commit/queue.rs"]
mod queue;
mod request;
#[path = "../../../../src/commit/upkeep.rs"]
mod upkeep;
mod writer;

pub(crate) use backlog::{BACKLOG_FILES_MAX, Backlog};
pub(crate) use committer::Committer;
pub(crate) use queue::{Queue, Turn};
pub(crate) use request::{Fault, Request};
pub(crate) use upkeep::{Chore, Upkeep, prepare};
pub(crate) use writer::{Disk, Writer};
