//! `Content`: reads the content of an event from the codec's deserializer. It ends a struct or tuple after the fields
//! that were written, so that the reader's defaults come in, and notes when fields are left that the reader dropped.

use std::cell::Cell;
use std::fmt;
use std::iter;

use serde::de::value::SeqDeserializer;
use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};

use super::put_together::Rest;
use crate::types::Shape;

/// What the header says of the content, and what is found out about its end.
#[derive(Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) shape: Shape,
    /// `None` when nobody counted: then the content has the fields that the reader wants.
    pub(super) fields: Option<usize>,
    pub(super) rest: &'a Cell<Rest>,
}

#[derive(Clone, Copy)]
pub(super) struct Content<'a, D> {
    pub(super) inner: D,
    pub(super) written: Written<'a>,
}

impl<D> Content<'_, D> {
    /// The same content for a reader whose own fields are wanted: a newtype has one, however many the value in it has.
    pub(super) fn for_own_fields(mut self) -> Self {
        if self.written.shape == Shape::Newtype {
            self.written.fields = Some(1);
        }
        self
    }

    /// Named fields cannot be read as positional ones, nor the other way round, whatever the codec could make of it.
    fn check_not<E: Error>(&self, shape: Shape, wanted: &str) -> Result<(), E> {
        if self.written.shape == shape {
            return Err(E::custom(format_args!(
                "the event was written as a {shape:?} and is read as a {wanted}"
            )));
        }
        Ok(())
    }
}

impl<'a, 'de, D: Deserializer<'de>> Content<'a, D> {
    /// Reads a unit, or leaves what is there unread because the reader wants none of it.
    pub(super) fn unit(self) -> Result<(), D::Error> {
        match self.written {
            Written { shape: Shape::Unit, .. } | Written { shape: Shape::Newtype, fields: Some(0), .. } => {
                <()>::deserialize(self.inner)
            }
            Written { rest, .. } => {
                rest.set(Rest::Ignored);
                Ok(())
            }
        }
    }

    /// Gives a reader who wants fields none: all of them were added after this unit was written.
    fn no_fields<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        <()>::deserialize(self.inner)?;
        visitor.visit_seq(SeqDeserializer::new(iter::empty::<()>()))
    }

    fn counted<V>(&self, visitor: V) -> Counted<'a, V> {
        Counted { inner: visitor, written: self.written }
    }
}

macro_rules! read_with_inner {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Content<'_, D> {
    type Error = D::Error;

    read_with_inner! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_option deserialize_seq deserialize_map deserialize_identifier
        deserialize_ignored_any
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.unit()?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.counted(visitor);
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.check_not(Shape::Struct, "tuple")?;
        if self.written.shape == Shape::Unit {
            return self.no_fields(visitor);
        }
        let visitor = self.counted(visitor);
        self.inner.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.check_not(Shape::Struct, "tuple")?;
        if self.written.shape == Shape::Unit {
            return self.no_fields(visitor);
        }
        let visitor = self.counted(visitor);
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.check_not(Shape::Tuple, "struct")?;
        if self.written.shape == Shape::Unit {
            return self.no_fields(visitor);
        }
        let visitor = self.counted(visitor);
        self.inner.deserialize_struct(name, fields, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The visitor of a struct or tuple: it sees as many fields as were written.
struct Counted<'a, V> {
    inner: V,
    written: Written<'a>,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Counted<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Content { inner, written: self.written })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let mut fields = Fields { inner, left: self.written.fields };
        let value = self.inner.visit_seq(&mut fields)?;
        if fields.left.is_some_and(|left| left > 0) {
            self.written.rest.set(Rest::Ignored);
        }
        // A self-describing format wants its array read to the end, and can; a positional one cannot, says so before it
        // reads anything, and is not asked again.
        while let Ok(Some(IgnoredAny)) = fields.next_element() {}
        Ok(value)
    }

    /// Field names say by themselves which are missing and which are not wanted.
    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(inner)
    }
}

struct Fields<A> {
    inner: A,
    left: Option<usize>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Fields<A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, A::Error> {
        self.left = match self.left {
            Some(0) => return Ok(None),
            Some(left) => Some(left - 1),
            None => None,
        };
        self.inner.next_element_seed(seed)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint().map(|hint| self.left.map_or(hint, |left| left.min(hint)))
    }
}
