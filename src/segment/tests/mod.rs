//! Segments over real files: what comes back, what is found, and what is noticed when bytes are not what was written.

mod answers;
mod caching;
mod damage;
mod faults;
pub(super) mod held;
mod hostile;
pub(super) mod made;
mod parts;
mod round_trip;
