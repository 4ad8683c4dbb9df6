//! A tier, which is a cache: whatever is in it, if `verify` finds nothing wrong with it, every answer is as without it.
#![no_main]

use fuzz_support::{check_sealed, patch, seal_tier, sealed_base, tier_path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((how, patches)) = input.split_first() else { return };
    let mut files = sealed_base().files.clone();
    let bytes = files.get_mut(&tier_path()).expect("tier");
    patch(bytes, patches);
    if how & 1 == 0 {
        seal_tier(bytes);
    }
    if let Some(events) = check_sealed(&files) {
        assert!(events == sealed_base().events, "a cache changed an answer");
    }
});
