//! `FrameAt`: where a commit's frame is.

use super::frame::FrameHeader;

/// The place of a frame on disk, and what must stand there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameAt {
    /// The number of the journal file.
    pub(crate) file: u64,
    /// The byte in it.
    pub(crate) offset: u64,
    /// The position of the frame's first event.
    pub(crate) first_position: u64,
    /// Bytes of the whole frame.
    pub(crate) bytes: u32,
}

impl FrameAt {
    pub(crate) fn new(file: u64, offset: u64, header: &FrameHeader) -> Self {
        let bytes = u32::try_from(header.frame_bytes()).unwrap_or(u32::MAX);
        Self { file, offset, first_position: header.first_position, bytes }
    }

    /// The name of the file it is in.
    pub(crate) fn file_name(&self) -> String {
        crate::disk::file_name(self.file)
    }

    /// The byte behind the frame.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_names_its_file() {
        let at = FrameAt { file: 17, offset: 4096, first_position: 3, bytes: 72 };
        assert_eq!((at.file_name(), at.end()), ("00000017".to_owned(), 4168));
    }
}
