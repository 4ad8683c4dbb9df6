//! `EventId`: sixteen bytes that name an event for ever. UUIDs by convention, any bytes by right.

use std::fmt;
use std::str::FromStr;

use super::Timestamp;

/// Added once per ordinal by [`EventId::derive`]: odd, and without structure that ids of callers may have too.
const DERIVE_STEP: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// The identity of an event: 16 bytes, written as a UUID.
///
/// Ids are looked up per stream: the same id in another stream is another event.
///
/// ```
/// use annals::EventId;
/// let id: EventId = "e943cf21-8b81-5239-a92e-3c0008de8bfe".parse()?;
/// assert_eq!(id.to_string(), "e943cf21-8b81-5239-a92e-3c0008de8bfe");
/// # Ok::<(), annals::ParseEventIdError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The version 7 UUID (RFC 9562) of this time with these random bits; a time outside 48 bits of milliseconds is
    /// held at their ends.
    #[must_use]
    pub fn v7(time: Timestamp, random: u128) -> Self {
        let millis = u64::try_from(time.as_micros().div_euclid(1000)).unwrap_or(0).min((1 << 48) - 1);
        let bits = (u128::from(millis) << 80)
            | (0x7 << 76)
            | (random & (0xfff << 64))
            | (0b10 << 62)
            | (random & ((1 << 62) - 1));
        Self(uuid_bytes(bits))
    }

    /// The id of the `ordinal`-th event that follows from this id: itself for 0. The same every time, so a command that
    /// is sent twice gives its events the same ids twice.
    #[must_use]
    pub fn derive(self, ordinal: u32) -> Self {
        let step = DERIVE_STEP.wrapping_mul(u128::from(ordinal));
        Self(u128::from_le_bytes(self.0).wrapping_add(step).to_le_bytes())
    }
}

/// The bytes of a UUID, whose text form starts with the most significant ones.
fn uuid_bytes(bits: u128) -> [u8; 16] {
    let mut bytes = bits.to_le_bytes();
    bytes.reverse();
    bytes
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, byte) in self.0.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// A text is not an event id: 32 hexadecimal digits, with or without the hyphens of a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an event id: expected a UUID such as e943cf21-8b81-5239-a92e-3c0008de8bfe")]
pub struct ParseEventIdError;

impl FromStr for EventId {
    type Err = ParseEventIdError;

    fn from_str(text: &str) -> Result<Self, ParseEventIdError> {
        let hyphenated = text.len() == 36;
        if !hyphenated && text.len() != 32 {
            return Err(ParseEventIdError);
        }
        let mut bits: u128 = 0;
        for (at, character) in text.char_indices() {
            if hyphenated && matches!(at, 8 | 13 | 18 | 23) {
                if character != '-' {
                    return Err(ParseEventIdError);
                }
                continue;
            }
            let digit = character.to_digit(16).ok_or(ParseEventIdError)?;
            bits = (bits << 4) | u128::from(digit);
        }
        Ok(Self(uuid_bytes(bits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips_and_nothing_else_parses() {
        let id = EventId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().replace('-', "").parse(), Ok(id));
        for bad in [
            "",
            "e943cf21",
            "e943cf21-8b81-5239-a92e-3c0008de8bfg",
            "e943cf2118b81-5239-a92e-3c0008de8bfee",
            "é943cf21-8b81-5239-a92e-3c0008de8bf",
        ] {
            assert_eq!(bad.parse::<EventId>(), Err(ParseEventIdError), "{bad}");
        }
    }

    #[test]
    fn version_7_carries_time_version_and_variant() {
        let text = EventId::v7(Timestamp::from_micros(0x0123_4567_89ab * 1000), u128::MAX).to_string();
        assert_eq!(text, "01234567-89ab-7fff-bfff-ffffffffffff");
        let before = EventId::v7(Timestamp::from_micros(-1), 0).to_string();
        assert_eq!(before, "00000000-0000-7000-8000-000000000000");
    }

    #[test]
    fn derived_ids_differ_and_repeat() {
        let id = EventId::from_bytes([7; 16]);
        assert_eq!(id.derive(0), id);
        assert_eq!(id.derive(3), id.derive(3));
        assert_ne!(id.derive(1), id.derive(2));
    }
}
