//! The adapter between serde and an event's header: an event is taken apart into type, shape and content, and put
//! together from them. The format of the content is the codec's; nothing here knows it.

mod content;
mod held;
mod put_together;
mod take_apart;
mod variant;

pub use put_together::{Rest, put_together};
pub use take_apart::{Header, take_apart};
