//! `Chain`: what the next frame must follow for it to count.

use crate::error::{Error, ErrorKind, Result};

use super::frame::FrameHeader;

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

    /// Whether a frame follows this chain; what differs otherwise.
    pub(crate) fn check(&self, header: &FrameHeader) -> Result<(), &'static str> {
        if header.n != self.n {
            return Err("frame is out of its sequence");
        }
        if header.prev_header_crc != self.prev_header_crc {
            return Err("frame does not follow the frame before it");
        }
        if header.first_position != self.position {
            return Err("frame is at another position than the one before it ends at");
        }
        Ok(())
    }

    /// The chain after a frame of `events` events with this header checksum.
    pub(crate) fn after(&self, events: u64, header_crc: u32) -> Result<Self> {
        let exhausted = || Error::new(ErrorKind::Exhausted, "positions are at the end of u64");
        Ok(Self {
            position: self.position.checked_add(events).ok_or_else(exhausted)?,
            n: self.n.checked_add(1).ok_or_else(exhausted)?,
            prev_header_crc: header_crc,
        })
    }
}
