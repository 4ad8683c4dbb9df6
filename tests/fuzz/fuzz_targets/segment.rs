//! One of a store's segments: some of its bytes are changed, or a part is cut out or put in twice, and the checksums are made right.
#![no_main]

use fuzz_support::{check_sealed, patch, seal_segment, sealed_base, segment_path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(([how, from, to], patches)) = input.split_first_chunk() else { return };
    let number = 1 + u64::from(how & 7);
    let path = segment_path(number);
    let mut files = sealed_base().files.clone();
    let bytes = files.get_mut(&path).expect("segment");
    let mut is_changed = patch(bytes, patches);
    if how & 8 != 0 {
        let (from, to) = (usize::from(*from) * 8, usize::from(*to) * 8);
        let (from, to) = (from.min(bytes.len()), to.min(bytes.len()));
        is_changed |= from != to;
        match from <= to {
            true => drop(bytes.drain(from..to)),
            false => {
                let twice = bytes[to..from].to_vec();
                bytes.splice(from..from, twice);
            }
        }
    }
    if how & 16 == 0 {
        seal_segment(number, bytes);
    }
    let sound = check_sealed(&files);
    if !is_changed {
        assert!(sound.is_some_and(|events| events == sealed_base().events), "nothing was changed");
    }
});
