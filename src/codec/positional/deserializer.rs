//! `PositionalDeserializer`: passes everything on, and counts what bytes may ask for: elements and depth. Texts and
//! bytes are asked for as borrowed ones, so that a length is compared with what is there before anything is allocated.

use std::cell::Cell;

use serde::de::{DeserializeSeed, Deserializer, Error, Visitor};

use super::depth::{DEPTH_MAX, too_deep};
use super::visitor::{Bounded, Items};

/// How many elements of sequences and maps a payload may hold.
///
/// An element takes a byte at least, unless its type takes none (`Vec<()>`); for those there is an allowance.
#[derive(Debug)]
pub struct ReadBudget {
    elements_left: Cell<usize>,
}

impl ReadBudget {
    /// Elements without bytes that one payload may hold, at most.
    pub(crate) const BYTELESS_ELEMENTS_MAX: usize = 65_536;

    /// The budget of a payload with this many bytes.
    #[must_use]
    pub fn new(payload_bytes: usize) -> Self {
        Self { elements_left: Cell::new(payload_bytes.saturating_add(Self::BYTELESS_ELEMENTS_MAX)) }
    }
}

/// What is left of the budget at some depth.
#[derive(Clone, Copy)]
pub(super) struct Bounds<'b> {
    budget: &'b ReadBudget,
    depth_left: u32,
}

impl Bounds<'_> {
    pub(super) fn spend_element<E: Error>(self) -> Result<(), E> {
        let left = self
            .elements_left()
            .checked_sub(1)
            .ok_or_else(|| E::custom("a sequence or map has more elements than the payload can hold"))?;
        self.budget.elements_left.set(left);
        Ok(())
    }

    pub(super) fn elements_left(self) -> usize {
        self.budget.elements_left.get()
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| E::custom(too_deep()))?;
        Ok(Self { depth_left, ..self })
    }
}

/// A deserializer for a format without field names that reads from a slice: ends with an error where hostile bytes ask
/// for more memory, elements or depth than there can be.
pub struct PositionalDeserializer<'b, D> {
    inner: D,
    bounds: Bounds<'b>,
}

impl<'b, D> PositionalDeserializer<'b, D> {
    /// A wrapper around the format's own deserializer.
    pub fn new(inner: D, budget: &'b ReadBudget) -> Self {
        Self { inner, bounds: Bounds { budget, depth_left: DEPTH_MAX } }
    }

    /// A value inside another.
    pub(super) fn nested<'de>(inner: D, bounds: Bounds<'b>) -> Result<Self, D::Error>
    where
        D: Deserializer<'de>,
    {
        Ok(Self { inner, bounds: bounds.deeper()? })
    }

    fn bounded<V>(&self, inner: V, items: Items) -> Bounded<'b, V> {
        Bounded { inner, bounds: self.bounds, items }
    }
}

/// A seed for a value inside another.
pub(super) struct Nested<'b, T> {
    pub(super) seed: T,
    pub(super) bounds: Bounds<'b>,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Nested<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        self.seed.deserialize(PositionalDeserializer::nested(inner, self.bounds)?)
    }
}

macro_rules! read_with_inner {
    ($($method:ident $with:ident $items:ident,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            let visitor = self.bounded(visitor, Items::$items);
            self.inner.$with(visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for PositionalDeserializer<'_, D> {
    type Error = D::Error;

    read_with_inner! {
        deserialize_any deserialize_any Counted,
        deserialize_bool deserialize_bool Fixed,
        deserialize_i8 deserialize_i8 Fixed,
        deserialize_i16 deserialize_i16 Fixed,
        deserialize_i32 deserialize_i32 Fixed,
        deserialize_i64 deserialize_i64 Fixed,
        deserialize_i128 deserialize_i128 Fixed,
        deserialize_u8 deserialize_u8 Fixed,
        deserialize_u16 deserialize_u16 Fixed,
        deserialize_u32 deserialize_u32 Fixed,
        deserialize_u64 deserialize_u64 Fixed,
        deserialize_u128 deserialize_u128 Fixed,
        deserialize_f32 deserialize_f32 Fixed,
        deserialize_f64 deserialize_f64 Fixed,
        deserialize_char deserialize_char Fixed,
        deserialize_str deserialize_str Fixed,
        deserialize_string deserialize_str Fixed,
        deserialize_bytes deserialize_bytes Fixed,
        deserialize_byte_buf deserialize_bytes Fixed,
        deserialize_option deserialize_option Fixed,
        deserialize_unit deserialize_unit Fixed,
        deserialize_seq deserialize_seq Counted,
        deserialize_map deserialize_map Counted,
        deserialize_identifier deserialize_identifier Fixed,
        deserialize_ignored_any deserialize_ignored_any Counted,
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.bounded(visitor, Items::Fixed);
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.bounded(visitor, Items::Fixed);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.bounded(visitor, Items::Fixed);
        self.inner.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.bounded(visitor, Items::Fixed);
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.bounded(visitor, Items::Fixed);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.bounded(visitor, Items::Fixed);
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}
