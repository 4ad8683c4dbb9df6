//! `id_of`: an event id made of what the event says, the same every time.
//!
//! The store books an id once in a stream, however often it is sent. So whoever can say "this is the same one again" by
//! giving the same id may repeat everything after a crash, a timeout or by mistake. Sixteen bytes are made of two FNV-1a
//! hashes of 64 bits (http://www.isthe.com/chongo/tech/comp/fnv/): the second starts elsewhere and takes the bytes in
//! reverse, so that texts which collide in one differ in the other. It finds accidents; it does not stop forgers.

use annals::EventId;

const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const OTHER_START: u64 = 0x6c62_272e_07bb_0142;
/// Between the parts: ASCII's own unit separator.
const SEPARATOR: &str = "\u{1f}";

/// The id of what these parts say.
pub(crate) fn id_of(parts: &[&str]) -> EventId {
    let text = parts.join(SEPARATOR);
    let forward = fnv_1a(FNV_START, text.bytes());
    let backward = fnv_1a(OTHER_START, text.bytes().rev());
    EventId::from_bytes(((u128::from(backward) << 64) | u128::from(forward)).to_le_bytes())
}

fn fnv_1a(start: u64, bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv_1a_gives_the_published_values() {
        assert_eq!(fnv_1a(FNV_START, "".bytes()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a(FNV_START, "a".bytes()), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a(FNV_START, "foobar".bytes()), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn ids_repeat_and_differ_with_every_part() {
        assert_eq!(id_of(&["ada", "1.00"]), id_of(&["ada", "1.00"]));
        for other in
            [&["ada", "1.01"][..], &["ad", "a1.00"], &["1.00", "ada"], &["ada"], &["ada", "1.00", ""]]
        {
            assert_ne!(id_of(&["ada", "1.00"]), id_of(other), "{other:?}");
        }
    }
}
