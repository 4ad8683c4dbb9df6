//! Tests of annals through its public face, in one binary: a subject a file.

#[cfg(feature = "bincode")]
mod account;
#[cfg(feature = "bincode")]
mod aggregates;
mod append;
#[cfg(feature = "cli")]
mod command_line;
#[cfg(feature = "cli")]
mod command_line_salvage;
mod concurrency;
mod crash;
mod damage;
mod faults;
mod held_under_attack;
mod idempotency;
mod limits;
mod misplaced;
mod model;
mod opening;
mod read;
mod read_damaged;
#[cfg(all(feature = "bincode", feature = "json"))]
mod read_typed;
#[cfg(all(feature = "bincode", feature = "json"))]
mod ripgrep_history;
mod salvage;
mod salvage_disk;
mod salvage_hostile;
mod skip_damage;
#[cfg(feature = "bincode")]
mod snapshot_model;
#[cfg(feature = "bincode")]
mod snapshots;
mod support;
mod verify;
