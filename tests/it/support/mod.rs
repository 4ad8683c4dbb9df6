//! What several subjects of the test binary share: a clock that is set by hand, numbered events, seeded randomness, a
//! disk in memory.

mod clock;
#[cfg(feature = "bincode")]
mod commands;
pub(crate) mod consuming;
#[cfg(feature = "bincode")]
pub(crate) mod crash_states;
mod done_on_drop;
mod events;
mod fault;
#[cfg(feature = "bincode")]
pub(crate) mod history;
#[cfg(feature = "bincode")]
pub(crate) mod image;
#[cfg(feature = "bincode")]
pub(crate) mod images;
mod rng;
#[cfg(feature = "bincode")]
pub(crate) mod runner;
mod seal;
pub(crate) mod segments;
mod sim_crash;
mod sim_disk;
mod sim_file;
mod sim_lies;
mod sim_state;
mod stepping_disk;
#[cfg(feature = "bincode")]
pub(crate) mod steps;

pub(crate) use clock::ManualClock;
pub(crate) use done_on_drop::DoneOnDrop;
pub(crate) use events::{all, count, event, event_with_id, id, payloads, to_usize};
pub(crate) use fault::Fault;
pub(crate) use rng::Rng;
pub(crate) use seal::Seal;
pub(crate) use sim_crash::Keep;
pub(crate) use sim_disk::{Call, CallKind, SimDisk, Verdict};
pub(crate) use sim_lies::{Lie, LieKind, LieWhen};
pub(crate) use stepping_disk::{Moment, SteppingDisk};
