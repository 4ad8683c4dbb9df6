//! Tests of annals through its public face, in one binary: a subject a file.

mod append;
#[cfg(feature = "cli")]
mod command_line;
mod concurrency;
mod crash;
mod damage;
mod faults;
mod idempotency;
mod limits;
mod misplaced;
mod model;
mod opening;
mod read;
mod read_damaged;
mod read_typed;
mod ripgrep_history;
mod support;
