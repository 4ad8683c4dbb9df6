//! `take_apart`: a `Serializer` for the outermost value. It keeps the name, shape and field count for the event's
//! header and hands the content, and nothing else, to the codec's own serializer.
//!
//! | value | event type | shape | content, as the codec sees it |
//! | --- | --- | --- | --- |
//! | unit variant, unit struct | its name | unit | a unit |
//! | newtype variant, newtype struct | its name | newtype | the value |
//! | tuple variant, tuple struct | its name | tuple | a tuple struct |
//! | struct variant, struct | its name | struct | a struct |
//!
//! Everything else has no name to be an event type, and is refused.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

use super::held::Held;
use crate::codec::forward::serializer_scalars;
use crate::types::{EventType, Shape};

/// What an event's header says of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The name of the enum's variant, or of the struct.
    pub event_type: EventType,
    /// The serde form of the variant or struct.
    pub shape: Shape,
    /// How many fields it had. For a newtype that holds a struct or a tuple: how many that has; otherwise one.
    pub fields: u16,
}

/// The header of `event`, and what `serializer` made of its content.
///
/// # Errors
/// `serializer`'s error, or its `custom` one when the event is neither an enum nor a struct with a name.
pub fn take_apart<E, S>(event: &E, serializer: S) -> Result<(Header, S::Ok), S::Error>
where
    E: Serialize + ?Sized,
    S: Serializer,
{
    event.serialize(Outermost { inner: serializer })
}

struct Outermost<S> {
    inner: S,
}

impl Header {
    fn new<Error: ser::Error>(name: &'static str, shape: Shape, fields: usize) -> Result<Self, Error> {
        let event_type = EventType::new(name).map_err(Error::custom)?;
        let fields = u16::try_from(fields)
            .map_err(|_| Error::custom(format_args!("event {name:?} has more than {} fields", u16::MAX)))?;
        Ok(Self { event_type, shape, fields })
    }
}

impl<S: Serializer> Outermost<S> {
    fn newtype<T>(self, name: &'static str, value: &T) -> Result<(Header, S::Ok), S::Error>
    where
        T: Serialize + ?Sized,
    {
        let (fields, content) = Held::serialize(value, self.inner)?;
        Ok((Header::new(name, Shape::Newtype, fields)?, content))
    }

    fn unit(self, name: &'static str) -> Result<(Header, S::Ok), S::Error> {
        Ok((Header::new(name, Shape::Unit, 0)?, self.inner.serialize_unit()?))
    }

    fn tuple(self, name: &'static str, len: usize) -> Result<Fields<S::SerializeTupleStruct>, S::Error> {
        let header = Header::new(name, Shape::Tuple, len)?;
        Ok(Fields { header, inner: self.inner.serialize_tuple_struct(name, len)? })
    }

    fn structure(self, name: &'static str, len: usize) -> Result<Fields<S::SerializeStruct>, S::Error> {
        let header = Header::new(name, Shape::Struct, len)?;
        Ok(Fields { header, inner: self.inner.serialize_struct(name, len)? })
    }
}

fn refused<T, Error: ser::Error>(what: &str) -> Result<T, Error> {
    Err(Error::custom(format_args!(
        "an event is an enum or a struct with a name, not {what}: its name becomes the event type"
    )))
}

macro_rules! refuse {
    ($($method:ident: $value:ty),* $(,)?) => {
        $(fn $method(self, _: $value) -> Result<Self::Ok, Self::Error> {
            refused(concat!("a plain ", stringify!($value)))
        })*
    };
}

impl<S: Serializer> Serializer for Outermost<S> {
    type Ok = (Header, S::Ok);
    type Error = S::Error;
    type SerializeSeq = Impossible<Self::Ok, S::Error>;
    type SerializeTuple = Impossible<Self::Ok, S::Error>;
    type SerializeTupleStruct = Fields<S::SerializeTupleStruct>;
    type SerializeTupleVariant = Fields<S::SerializeTupleStruct>;
    type SerializeMap = Impossible<Self::Ok, S::Error>;
    type SerializeStruct = Fields<S::SerializeStruct>;
    type SerializeStructVariant = Fields<S::SerializeStruct>;

    serializer_scalars!(refuse);

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<Self::Ok, Self::Error> {
        refused("a plain text")
    }

    fn serialize_none(self) -> Result<Self::Ok, Self::Error> {
        refused("an Option")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<Self::Ok, Self::Error> {
        refused("an Option")
    }

    fn serialize_unit(self) -> Result<Self::Ok, Self::Error> {
        refused("a unit")
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<Self::Ok, Self::Error> {
        self.unit(name)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Self::Ok, S::Error> {
        self.unit(variant)
    }

    fn serialize_newtype_struct<T>(self, name: &'static str, value: &T) -> Result<Self::Ok, Self::Error>
    where
        T: Serialize + ?Sized,
    {
        self.newtype(name, value)
    }

    fn serialize_newtype_variant<T>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Self::Ok, Self::Error>
    where
        T: Serialize + ?Sized,
    {
        self.newtype(variant, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, Self::Error> {
        refused("a sequence")
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Self::Error> {
        refused("a tuple or an array")
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        self.tuple(name, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        self.tuple(variant, len)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Self::Error> {
        refused("a map (a struct with `flatten` is one to serde)")
    }

    fn serialize_struct(self, name: &'static str, len: usize) -> Result<Self::SerializeStruct, Self::Error> {
        self.structure(name, len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<Self::SerializeStructVariant, Self::Error> {
        self.structure(variant, len)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The fields of a variant or struct go to the codec as they are; the header waits for the end.
struct Fields<C> {
    header: Header,
    inner: C,
}

macro_rules! positional_fields {
    ($($in:ident),*) => {
        $(impl<C: ser::SerializeTupleStruct> ser::$in for Fields<C> {
            type Ok = (Header, C::Ok);
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
                self.inner.serialize_field(value)
            }

            fn end(self) -> Result<Self::Ok, Self::Error> {
                Ok((self.header, self.inner.end()?))
            }
        })*
    };
}

macro_rules! named_fields {
    ($($in:ident),*) => {
        $(impl<C: ser::SerializeStruct> ser::$in for Fields<C> {
            type Ok = (Header, C::Ok);
            type Error = C::Error;

            fn serialize_field<T>(&mut self, key: &'static str, value: &T) -> Result<(), Self::Error>
            where
                T: Serialize + ?Sized,
            {
                self.inner.serialize_field(key, value)
            }

            fn skip_field(&mut self, key: &'static str) -> Result<(), Self::Error> {
                self.inner.skip_field(key)
            }

            fn end(self) -> Result<Self::Ok, Self::Error> {
                Ok((self.header, self.inner.end()?))
            }
        })*
    };
}

positional_fields!(SerializeTupleStruct, SerializeTupleVariant);
named_fields!(SerializeStruct, SerializeStructVariant);
