//! A stand-in for the space that the maintenance thread prepares.

#[derive(Debug)]
pub(crate) struct Prepared;
