//! Floor 2: state records: small values by key that commits carry beside events. Of each key the last value counts; all of them
//! are in memory.
//!
//! A commit holds changes. A segment holds all records as they were behind its last commit, so that a journal file can go once
//! it is sealed: what is in effect is what the newest segment says, and then the changes of the journal, in their order.

mod checkpoint;
mod consumer;
mod record;
mod table;

pub(crate) use checkpoint::checkpoint_at;
pub(crate) use consumer::{ParkedRecord, Progress, check_consumer_name};
pub(crate) use record::{BadState, StateChange, StateRecord, StateRecords};
pub(crate) use table::{Moving, StateTable};
