//! Time as the figures have it.

use std::time::Instant;

/// The nanoseconds since then.
pub(crate) fn nanos(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64
}
