//! Floor 8: consumers: events handed to competing workers, each acknowledged, order kept by key, all of it in the log itself.
//!
//! One way through: `reading` takes events from a subscription into the flow; the flow says what may be handed out; a worker
//! has a `Delivery`; what it answers goes to disk as the consumer's progress, a state record, in one commit at a time; then the
//! flow goes on.

mod consume;
mod consumer_type;
mod core;
mod delivery;
mod flow;

mod parked;
mod settings;
mod settling;
mod stats;
#[cfg(test)]
mod tests;

pub use consume::Consume;
pub use consumer_type::{Consumer, Handled};
pub use delivery::Delivery;
pub use parked::Parked;
pub use settings::{AckDurability, ParkPolicy};
pub use stats::{ConsumerInfo, ConsumerStats};
