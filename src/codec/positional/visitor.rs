//! `Bounded`: the visitor's side of a bounded read: what it is given is bounded too, and elements are counted.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::deserializer::{Bounds, Nested, PositionalDeserializer};
use crate::codec::forward::{visit_with_inner, visitor_scalars};

/// Who says how many items there are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Items {
    /// The reading type.
    Fixed,
    /// The bytes.
    Counted,
}

pub(super) struct Bounded<'b, A> {
    pub(super) inner: A,
    pub(super) bounds: Bounds<'b>,
    pub(super) items: Items,
}

impl<'b, A> Bounded<'b, A> {
    fn with<B>(&self, inner: B) -> Bounded<'b, B> {
        Bounded { inner, bounds: self.bounds, items: self.items }
    }

    fn nested<T>(&self, seed: T) -> Nested<'b, T> {
        Nested { seed, bounds: self.bounds }
    }

    fn spend<E: Error>(&self) -> Result<(), E> {
        match self.items {
            Items::Fixed => Ok(()),
            Items::Counted => self.bounds.spend_element(),
        }
    }

    /// Readers reserve memory by the hint: it may not promise more than the payload can hold.
    fn hint(&self, inner: Option<usize>) -> Option<usize> {
        inner.map(|hint| hint.min(self.bounds.elements_left()))
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    visitor_scalars!(visit_with_inner);

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(PositionalDeserializer::nested(inner, self.bounds)?)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(PositionalDeserializer::nested(inner, self.bounds)?)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let access = self.with(inner);
        self.inner.visit_seq(access)
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let access = self.with(inner);
        self.inner.visit_map(access)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let access = self.with(inner);
        self.inner.visit_enum(access)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        let element = self.inner.next_element_seed(Nested { seed, bounds: self.bounds })?;
        if element.is_some() {
            self.spend()?;
        }
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint(self.inner.size_hint())
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let key = self.inner.next_key_seed(Nested { seed, bounds: self.bounds })?;
        if key.is_some() {
            self.spend()?;
        }
        Ok(key)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.nested(seed);
        self.inner.next_value_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.hint(self.inner.size_hint())
    }
}

impl<'b, 'de, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), A::Error> {
        let Self { inner, bounds, items } = self;
        let (value, inner) = inner.variant_seed(seed)?;
        Ok((value, Bounded { inner, bounds, items }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.nested(seed);
        self.inner.newtype_variant_seed(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.with(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}
