//! The rows of the table: what is measured, in which order, and on what.

mod append;
mod kept;
mod measure;
mod names;
mod opening;
mod reading;
mod session;

pub(crate) use self::measure::measure;
pub(crate) use self::names::growth;
