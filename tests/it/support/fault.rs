//! `Fault`: what a check found wrong, told apart by what it would mean to a user.

use std::fmt;

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Something that was acknowledged is not there, and no error says so.
    Loss(String),
    /// An answer that is not true.
    Wrong(String),
    /// An error though nothing is wrong.
    FalseAlarm(String),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loss(what) => write!(f, "loss: {what}"),
            Self::Wrong(what) => write!(f, "wrong: {what}"),
            Self::FalseAlarm(what) => write!(f, "false alarm: {what}"),
        }
    }
}
