//! A journal file of a store that was killed or closed: the input takes the place of all its frames, or changes some
//! bytes of those that are there, and the checksums are made right.
#![no_main]

use fuzz_support::{FIRST_FRAME_AT, base, check, journal, put};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((how, rest)) = input.split_first() else { return };
    let mut files = if how & 1 == 0 { &base().killed } else { &base().closed }.clone();
    let mut bytes = files[&journal()].clone();
    if how & 2 == 0 {
        bytes.truncate(FIRST_FRAME_AT);
        bytes.extend_from_slice(rest);
    } else {
        // Patches of four bytes: where from the first frame's start, and what.
        for patch in rest.chunks_exact(4) {
            let at = FIRST_FRAME_AT + usize::from(u16::from_le_bytes([patch[0], patch[1]]));
            if let Some(place) = bytes.get_mut(at..at + 2) {
                place.copy_from_slice(&patch[2..]);
            }
        }
    }
    if how & 4 == 0 {
        put(&mut files, &journal(), bytes);
    } else {
        files.insert(journal(), bytes);
    }
    check(&files);
});
