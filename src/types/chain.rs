//! `Chain`: where a row of frames ends, and so what the next one must follow.

/// The end of a row of frames: a frame follows when it carries exactly these values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The position of the next event.
    pub(crate) position: u64,
    /// The sequence of the next frame.
    pub(crate) n: u64,
    /// The checksum of the last frame's header.
    pub(crate) prev_header_crc: u32,
}

impl Chain {
    /// Before the first frame of a store.
    pub(crate) const START: Self = Self { position: 0, n: 1, prev_header_crc: 0 };
}
