//! A stand-in for a segment that is to become part of the store.

#[derive(Debug)]
pub(crate) struct Segment;
