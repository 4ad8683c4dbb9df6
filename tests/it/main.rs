//! Tests of annals through its public face, in one binary: a subject a file.

#[cfg(feature = "bincode")]
mod account;
#[cfg(feature = "bincode")]
mod aggregates;
mod append;
mod behind_checksums;
#[cfg(feature = "cli")]
mod command_line;
mod concurrency;
mod crash;
mod damage;
#[cfg(feature = "bincode")]
mod damage_judged;
mod faults;
#[cfg(feature = "bincode")]
mod golden;
mod held_under_attack;
mod hostile_files;
mod idempotency;
mod limits;
mod misplaced;
mod model;
mod opening;
mod read;
mod read_damaged;
mod read_only;
#[cfg(all(feature = "bincode", feature = "json"))]
mod read_typed;
#[cfg(all(feature = "bincode", feature = "json"))]
mod ripgrep_history;
#[cfg(feature = "bincode")]
mod snapshot_model;
#[cfg(feature = "bincode")]
mod snapshots;
mod support;
