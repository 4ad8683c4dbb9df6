//! The manifest: any bytes, sealed, beside the journal of a store that was killed or closed.
#![no_main]

use std::path::Path;

use fuzz_support::{base, check, put};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((how, rest)) = input.split_first() else { return };
    let mut files = if how & 1 == 0 { &base().killed } else { &base().closed }.clone();
    let path = Path::new("/bank/MANIFEST");
    let mut bytes = files[path].clone();
    if how & 2 == 0 {
        // All behind the magic and the version is the input's.
        bytes.truncate(12);
        bytes.extend_from_slice(rest);
    } else {
        for patch in rest.chunks_exact(2) {
            let at = usize::from(patch[0]) % bytes.len();
            bytes[at] = patch[1];
        }
    }
    put(&mut files, path, bytes);
    check(&files);
});
