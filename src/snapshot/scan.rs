//! Looking through a pack: the headers of its records, one after another, without the states between them.

use crate::disk::{DiskFile, Seed, read_some_at};

use super::pack::RECORDS_AT;
use super::record::{HEAD_BYTES_MAX, Header};

/// Bytes read at once where records follow each other closely, and where a state was passed over.
const WINDOW_BYTES: usize = 64 << 10;
const WINDOW_BYTES_MIN: usize = 4 << 10;

const _: () = assert!(WINDOW_BYTES_MIN >= HEAD_BYTES_MAX, "a window holds a whole header");

/// Hands out header, offset and length of every record of a pack of `bytes` bytes, and ends at the first place where
/// none stands: the end of the pack, or damage, behind which nothing can be found.
pub(super) fn scan(
    file: &dyn DiskFile,
    bytes: u64,
    seed: Seed,
    mut found: impl FnMut(Header, u64, u64),
) -> u64 {
    let (mut window, mut window_at): (Vec<u8>, u64) = (Vec::new(), 0);
    let mut at = RECORDS_AT;
    while at < bytes {
        let rest = bytes - at;
        let wanted = usize::try_from(rest).unwrap_or(usize::MAX).min(HEAD_BYTES_MAX);
        if slice_from(&window, window_at, at).len() < wanted {
            let close = at <= window_at.saturating_add(window.len() as u64);
            let size = if close { WINDOW_BYTES } else { WINDOW_BYTES_MIN };
            window.resize(usize::try_from(rest).unwrap_or(usize::MAX).min(size), 0);
            let Ok(count) = read_some_at(file, &mut window, at) else {
                break;
            };
            window.truncate(count);
            window_at = at;
        }
        let Some((header, extent)) = Header::decode(slice_from(&window, window_at, at), rest, seed) else {
            break;
        };
        found(header, at, extent.record);
        at = at.saturating_add(extent.record);
    }
    at
}

/// What a window that begins at `window_at` holds from `at` on.
fn slice_from(window: &[u8], window_at: u64, at: u64) -> &[u8] {
    let skipped = at.checked_sub(window_at).and_then(|skipped| usize::try_from(skipped).ok());
    skipped.and_then(|skipped| window.get(skipped..)).unwrap_or_default()
}
