//! `Buffer`: bytes up to a limit. A codec writes into it, so that a value too large is refused while it is written and
//! not after it has filled the memory.

use crate::types::OverLimit;

pub(super) struct Buffer {
    bytes: Vec<u8>,
    what: &'static str,
    bytes_max: usize,
}

impl Buffer {
    /// An empty buffer for `what`, which may have `bytes_max` bytes.
    pub(super) fn new(what: &'static str, bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), what, bytes_max }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), OverLimit> {
        OverLimit::check(self.what, self.bytes.len().saturating_add(bytes.len()), self.bytes_max)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_its_limit_and_not_one_byte_more() {
        let mut buffer = Buffer::new("payload", 4);
        assert!(buffer.push(b"abc").is_ok());
        assert!(buffer.push(b"d").is_ok());
        assert!(buffer.push(b"").is_ok());
        assert!(buffer.push(b"e").is_err());
        assert_eq!(buffer.into_bytes(), b"abcd");
    }
}
