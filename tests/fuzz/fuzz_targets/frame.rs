//! The body of one commit: any bytes, under checksums that hold. What is accepted is what the library would write.
#![no_main]

use fuzz_support::{FIRST_FRAME_AT, base, body_of, check, journal, put, seal_frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let mut files = base().killed.clone();
    let mut bytes = files[&journal()][..FIRST_FRAME_AT].to_vec();
    bytes.extend_from_slice(b"ANFR\x01\0\0\0");
    bytes.extend_from_slice(&u32::try_from(body.len()).expect("short").to_le_bytes());
    bytes.extend_from_slice(&[0; 12]);
    bytes.extend_from_slice(&1_u64.to_le_bytes());
    bytes.resize(FIRST_FRAME_AT + 56, 0);
    bytes.extend_from_slice(body);
    bytes.resize((bytes.len() / 8 + 1) * 8, 0);
    seal_frame(&files, &mut bytes, FIRST_FRAME_AT);
    put(&mut files, &journal(), bytes);
    let Some(events) = check(&files) else { return };
    // What a later version may add to a record is skipped: there is nothing to compare then.
    let heads = body[16..]
        .chunks(4)
        .take(events.len())
        .map(|at| u32::from_le_bytes(at.try_into().expect("four bytes")));
    let is_of_this_version = |at: u32| body[at as usize + 4..][..2] == [60, 0] && body[at as usize + 51] == 0;
    if heads.into_iter().all(is_of_this_version)
        && events.iter().all(|event| event.recorded_at().as_micros() > i64::MIN)
    {
        assert!(body_of(&events) == body, "what was decoded is encoded differently");
    }
});
