//! What the journal asks of a [`Chain`]: whether a frame follows it, and what comes after.

use crate::error::{Error, ErrorKind, Result};

pub(crate) use crate::types::Chain;

use super::frame::FrameHeader;

impl Chain {
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
