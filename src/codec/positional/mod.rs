//! What a format without field names needs around it: on the way out, to refuse what it could not read back; on the way
//! in, to meet hostile bytes with an error and never with a full memory, an endless loop or an overflown stack.

mod deserializer;
mod serializer;
mod visitor;

pub use deserializer::{PositionalDeserializer, ReadBudget};
pub use serializer::PositionalSerializer;

/// How deeply values may be nested, at most. The stack of a thread is finite, the nesting that bytes can ask for is not.
pub(crate) const DEPTH_MAX: u32 = 128;

fn too_deep() -> String {
    format!("values are nested more than {DEPTH_MAX} deep")
}
