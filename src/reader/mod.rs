//! Floor 5: reading. Plans what to read under the index's lock, reads and checks without any lock, hands events out.

mod event_iter;
mod plan;
mod positions;
mod skip_iter;
mod skipped;
mod versions;

pub(crate) use event_iter::EventIter;
pub(crate) use plan::{End, Plan, Start};
pub(crate) use skip_iter::SkipIter;
pub use skipped::Skipped;
