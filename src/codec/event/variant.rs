//! `Variant`: the content of an enum's variant, read in the shape that the reader's variant has now.

use serde::de::{DeserializeSeed, Deserializer, VariantAccess, Visitor};

use super::content::Content;
use crate::codec::CodecError;

pub(super) struct Variant<'a, D, Error> {
    pub(super) content: Content<'a, D>,
    pub(super) describe: fn(Error) -> CodecError,
}

impl<'de, D: Deserializer<'de>> VariantAccess<'de> for Variant<'_, D, D::Error> {
    type Error = CodecError;

    /// Also the way to a variant with `other`: whatever the content is, it is left unread.
    fn unit_variant(self) -> Result<(), CodecError> {
        self.content.unit().map_err(self.describe)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, CodecError> {
        seed.deserialize(self.content).map_err(self.describe)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, CodecError> {
        self.content.for_own_fields().deserialize_tuple(len, visitor).map_err(self.describe)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.content.deserialize_struct("", fields, visitor).map_err(self.describe)
    }
}
