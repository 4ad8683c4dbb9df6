//! `Clock`: where recorded_at comes from. It decides nothing about order or durability.

use std::fmt;
use std::time::SystemTime;

use crate::types::Timestamp;

/// Tells the time at which commits are recorded.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now. It may stand still or run backwards: the store holds recorded_at at its last value then.
    fn now(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}
