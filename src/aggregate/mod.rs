//! Floor 9: aggregates over streams. State is what folding the events gives; a command loads it, decides, and appends
//! what follows at the version it decided on.
//!
//! All of the caller's code, `apply`, `decide`, serde and `Clone`, runs in the caller's thread and with no lock held, so
//! a panic in it leaves the store as it was.

mod aggregate_trait;
mod booked;
mod cache;
mod execute;
mod executed;
mod load;
mod loaded;
mod rejected;
mod repository;
pub mod scenario;
mod snapshot_policy;

pub use aggregate_trait::Aggregate;
pub use executed::Executed;
pub use loaded::Loaded;
pub use rejected::Rejected;
pub use repository::Repository;
