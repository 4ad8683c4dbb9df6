//! `PositionalSerializer`: passes everything on and refuses, at any depth, a field that is skipped. A reader of a
//! positional format would take the next field for it.

use std::fmt;

use serde::ser::{self, Error as _, Serialize, Serializer};

use super::depth::{DEPTH_MAX, too_deep};
use crate::codec::forward::{serialize_with_inner, serializer_scalars};

/// A serializer for a format without field names: errs where serde skips a field (`skip_serializing_if`), and where
/// values are nested too deeply to be read back.
#[derive(Debug)]
pub struct PositionalSerializer<S> {
    inner: S,
    depth_left: u32,
}

impl<S> PositionalSerializer<S> {
    /// A wrapper around the format's own serializer.
    pub fn new(inner: S) -> Self {
        Self { inner, depth_left: DEPTH_MAX }
    }

    fn nested<'v, T: ?Sized>(&self, value: &'v T) -> Nested<'v, T> {
        Nested { value, depth_left: self.depth_left }
    }

    fn compound<C, E>(self, start: impl FnOnce(S) -> Result<C, E>) -> Result<Compound<C>, E> {
        Ok(Compound { inner: start(self.inner)?, depth_left: self.depth_left })
    }
}

/// A value inside another: serialized with the wrapper again.
struct Nested<'v, T: ?Sized> {
    value: &'v T,
    depth_left: u32,
}

impl<T: Serialize + ?Sized> Serialize for Nested<'_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        let depth_left = self.depth_left.checked_sub(1).ok_or_else(|| S::Error::custom(too_deep()))?;
        self.value.serialize(PositionalSerializer { inner, depth_left })
    }
}

impl<S: Serializer> Serializer for PositionalSerializer<S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Compound<S::SerializeSeq>;
    type SerializeTuple = Compound<S::SerializeTuple>;
    type SerializeTupleStruct = Compound<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Compound<S::SerializeTupleVariant>;
    type SerializeMap = Compound<S::SerializeMap>;
    type SerializeStruct = Compound<S::SerializeStruct>;
    type SerializeStructVariant = Compound<S::SerializeStructVariant>;

    serializer_scalars!(serialize_with_inner);

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_none()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.nested(value);
        self.inner.serialize_some(&value)
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_struct(name)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_struct<T>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error>
    where
        T: Serialize + ?Sized,
    {
        let value = self.nested(value);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error>
    where
        T: Serialize + ?Sized,
    {
        let value = self.nested(value);
        self.inner.serialize_newtype_variant(name, index, variant, &value)
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        self.compound(|inner| inner.serialize_seq(len))
    }

    fn serialize_tuple(self, len: usize) -> Result<Self::SerializeTuple, S::Error> {
        self.compound(|inner| inner.serialize_tuple(len))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        self.compound(|inner| inner.serialize_tuple_struct(name, len))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        self.compound(|inner| inner.serialize_tuple_variant(name, index, variant, len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        self.compound(|inner| inner.serialize_map(len))
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, S::Error> {
        self.compound(|inner| inner.serialize_struct(name, len))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        self.compound(|inner| inner.serialize_struct_variant(name, index, variant, len))
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The parts of a sequence, tuple, map or struct: each a nested value.
#[derive(Debug)]
pub struct Compound<C> {
    inner: C,
    depth_left: u32,
}

impl<C> Compound<C> {
    fn nested<'v, T: ?Sized>(&self, value: &'v T) -> Nested<'v, T> {
        Nested { value, depth_left: self.depth_left }
    }
}

macro_rules! compound {
    ($($in:ident: $($method:ident)*;)*) => {
        $(impl<C: ser::$in> ser::$in for Compound<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            $(fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = self.nested(value);
                self.inner.$method(&value)
            })*

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

macro_rules! compound_of_named {
    ($($in:ident),*) => {
        $(impl<C: ser::$in> ser::$in for Compound<C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), C::Error> {
                let value = self.nested(value);
                self.inner.serialize_field(key, &value)
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), C::Error> {
                Err(C::Error::custom(format_args!(
                    "field `{key}` is skipped (`skip_serializing_if`): this codec keeps no field names, so it could not \
                     be told which one is missing"
                )))
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

compound! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
    SerializeMap: serialize_key serialize_value;
}
compound_of_named!(SerializeStruct, SerializeStructVariant);
