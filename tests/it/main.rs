//! Tests of annals through its public face, in one binary.

mod account;
mod aggregates;
mod snapshots;
