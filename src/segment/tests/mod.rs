//! Segments over real files: what comes back, what is found, and what is noticed when bytes are not what was written.

mod made;
mod round_trip;
