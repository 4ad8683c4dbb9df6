//! Upcasters: old events read as if they had been written today. Stored bytes never change.

mod content;
mod field_count;
mod upcasted;
mod upcasters;

pub use content::decode_content;
pub use upcasted::{Upcast, Upcasted};
pub use upcasters::Upcasters;
