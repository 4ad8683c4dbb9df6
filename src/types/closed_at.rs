//! `ClosedAt`: where the journal ended when the store was closed.

/// The end of the journal at a clean close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClosedAt {
    /// The number of the last file.
    pub(crate) file: u64,
    /// Its length.
    pub(crate) file_bytes: u64,
    /// The sequence of its last frame; 0 when the store had none.
    pub(crate) n: u64,
}
