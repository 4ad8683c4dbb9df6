//! What a format without field names needs around it: on the way out, to refuse what it could not read back; on the way
//! in, to meet hostile bytes with an error and never with a full memory, an endless loop or an overflown stack.

mod depth;
mod deserializer;
mod serializer;
mod visitor;

pub use deserializer::{PositionalDeserializer, ReadBudget};
pub use serializer::PositionalSerializer;
