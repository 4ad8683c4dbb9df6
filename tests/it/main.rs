//! Tests of annals through its public face, in one binary.

#[cfg(feature = "cli")]
mod command_line;
