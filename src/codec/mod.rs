//! Codecs turn events and snapshots into bytes and back: `Bincode`, `Json`, or your own [`Codec`]; [`Upcasters`] keep old
//! events readable.
//!
//! Most programs need nothing of this module but those names, which the crate's root has too. The rest is for a codec of
//! your own. Floor 2, and pure: nothing here opens a file, asks a clock or takes a lock.
//!
//! An event is taken apart into a header (its type, shape and number of fields, and the codec) and a payload that holds
//! the content alone. So the variants of an enum may be reordered, renamed (`alias`) or unknown (`other`), and trailing
//! fields added (`default`) or dropped, even when the format keeps no names.

#[cfg(feature = "bincode")]
mod bincode;
#[cfg(any(feature = "bincode", feature = "json"))]
mod buffer;
mod codec_trait;
mod decode_any;
mod default_codec;
mod encode_checked;
mod encoded;
mod error;
mod event;
mod forward;
#[cfg(feature = "json")]
mod json;
mod positional;
#[cfg(all(test, feature = "bincode"))]
mod tests;
mod upcast;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
pub use codec_trait::Codec;
pub use decode_any::decode_any;
pub(crate) use decode_any::decode_value_any;
pub use default_codec::{DefaultCodec, NoCodec};
pub use encode_checked::encode_checked;
pub(crate) use encode_checked::encode_value_checked;
pub use encoded::{Encoded, Stored};
pub use error::CodecError;
pub use event::{Header, Rest, put_together, take_apart};
#[cfg(feature = "json")]
pub use json::Json;
pub use positional::{PositionalDeserializer, PositionalSerializer, ReadBudget};
pub use upcast::{Upcast, Upcasted, Upcasters, decode_content};
