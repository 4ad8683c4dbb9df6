//! Tests of annals through its public face, in one binary: a subject a file.

mod append;
#[cfg(feature = "cli")]
mod command_line;
mod idempotency;
mod limits;
mod opening;
mod read;
mod read_damaged;
mod support;
