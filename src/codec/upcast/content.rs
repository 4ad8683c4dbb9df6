//! `decode_content`: the content of an event as a type of its own, whatever the event is called.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, EnumAccess, IgnoredAny, VariantAccess, Visitor,
};

use crate::codec::{Codec, CodecError, Stored, decode_any};

/// The event's content as a `T`: the struct that the variant was, or the value that it held. The event's type is
/// ignored.
///
/// # Errors
/// When the content is not a `T`, or [`decode_any`] cannot read it.
pub fn decode_content<C: Codec, T: DeserializeOwned>(stored: Stored<'_>) -> Result<T, CodecError> {
    decode_any::<C, ContentOf<T>>(stored).map(|content| content.0)
}

/// Reads as an enum that has every variant, each a newtype of `T`: so every codec can read it.
struct ContentOf<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for ContentOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_enum("content", &[], AnyVariant(PhantomData))
    }
}

struct AnyVariant<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for AnyVariant<T> {
    type Value = ContentOf<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the content of an event")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Self::Value, A::Error> {
        let (IgnoredAny, variant) = access.variant()?;
        variant.newtype_variant().map(ContentOf)
    }
}
