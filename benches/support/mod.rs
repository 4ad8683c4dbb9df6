//! What the benches share: the floor, and pairs measured in turn.

pub mod floor;
pub mod pair;
