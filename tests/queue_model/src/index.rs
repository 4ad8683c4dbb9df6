//! Those who wait for events, as the store has them.

#[path = "../../../src/index/waiting.rs"]
mod waiting;

pub(crate) use waiting::{Waiter, Waiting};
