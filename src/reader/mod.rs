//! Floor 5: reading. Plans what to read under the index's lock, reads and checks without any lock, hands events out.

mod event_iter;
mod plan;

pub(crate) use event_iter::EventIter;
pub(crate) use plan::{Plan, Start};
