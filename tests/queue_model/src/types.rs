//! A stand-in for the answer to an append.

/// Where the append is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchReceipt {
    pub(crate) position: usize,
}
