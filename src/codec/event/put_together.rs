//! `put_together`: a `Deserializer` for the outermost value. The variant, or the struct's name, comes from the event's
//! header; the content from the codec's own deserializer, read as far as the header says there are fields.
//!
//! What may differ between writer and reader: the order of variants, their names (`alias`), variants the reader has not
//! (`other`), trailing fields added (`default`) or dropped, a unit that became a struct or tuple or the other way round,
//! a newtype's struct written out in the variant. Named and positional fields are not exchangeable.

use std::cell::Cell;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, Visitor};

use super::content::{Content, Written};
use super::variant::Variant;
use crate::codec::{CodecError, Stored};
use crate::types::Shape;

/// What a codec must expect behind the content once the event is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// The end of the payload: anything else is damage.
    Nothing,
    /// Fields that the reading type no longer has.
    Ignored,
}

/// The event of this type whose content `deserializer` reads, and what may follow the content. `describe` makes the
/// codec's own errors into words.
///
/// # Errors
/// [`CodecError::is_unknown_type`] when `E` is an enum without this variant; another when `E` is a struct of another
/// name, is neither enum nor struct, or when the content is not what `E` expects.
pub fn put_together<'de, E, D>(
    stored: Stored<'_>,
    deserializer: D,
    describe: fn(D::Error) -> CodecError,
) -> Result<(E, Rest), CodecError>
where
    E: Deserialize<'de>,
    D: Deserializer<'de>,
{
    let rest = Cell::new(Rest::Nothing);
    let fields = match stored.encoding.shape {
        Shape::Opaque => None,
        _ => Some(usize::from(stored.encoding.fields)),
    };
    let written = Written { shape: stored.encoding.shape, fields, rest: &rest };
    let content = Content { inner: deserializer, written };
    let event = E::deserialize(Outermost { event_type: stored.event_type, content, describe })?;
    Ok((event, rest.get()))
}

struct Outermost<'a, D, Error> {
    event_type: &'a str,
    content: Content<'a, D>,
    describe: fn(Error) -> CodecError,
}

impl<D, Error> Outermost<'_, D, Error> {
    /// A struct's name is its event type; an alias would need serde to tell names that it keeps to itself.
    fn check_name(&self, name: &str) -> Result<(), CodecError> {
        if self.event_type == name {
            return Ok(());
        }
        Err(CodecError::new(format!("event of type {:?} is read as struct {name:?}", self.event_type)))
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Outermost<'_, D, D::Error> {
    type Error = CodecError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, CodecError> {
        Err(CodecError::new(
            "an event is an enum or a struct with a name; `untagged`, `tag`, `content` and `flatten` on it do not go \
             with the event type, which the store keeps itself",
        ))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        visitor.visit_enum(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        if fields.len() == 2 && is_adjacently_tagged(&visitor) {
            return self.deserialize_any(visitor);
        }
        self.check_name(name)?;
        self.content.deserialize_struct(name, fields, visitor).map_err(self.describe)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.check_name(name)?;
        self.content.deserialize_unit_struct(name, visitor).map_err(self.describe)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.check_name(name)?;
        visitor.visit_newtype_struct(self.content).map_err(self.describe)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, CodecError> {
        self.check_name(name)?;
        self.content.for_own_fields().deserialize_tuple_struct(name, len, visitor).map_err(self.describe)
    }

    fn is_human_readable(&self) -> bool {
        self.content.is_human_readable()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit seq tuple map
        identifier ignored_any
    }
}

impl<'a, 'de, D: Deserializer<'de>> EnumAccess<'de> for Outermost<'a, D, D::Error> {
    type Error = CodecError;
    type Variant = Variant<'a, D, D::Error>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), CodecError> {
        let name: StrDeserializer<'_, CodecError> = self.event_type.into_deserializer();
        Ok((seed.deserialize(name)?, Variant { content: self.content, describe: self.describe }))
    }
}

/// Whether serde derived `visitor` for an enum with `tag` and `content`. Such an enum reads and writes as a struct of
/// two fields, so only what the visitor says it expects gives it away. One that says something else (`expecting`)
/// passes: then it is stored as an event named after the enum, and comes back.
fn is_adjacently_tagged<'de>(visitor: &impl Visitor<'de>) -> bool {
    struct Expecting<'v, V>(&'v V);

    impl<'de, V: Visitor<'de>> fmt::Display for Expecting<'_, V> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.expecting(f)
        }
    }

    struct Prefix(&'static str);

    impl fmt::Write for Prefix {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0 = match self.0.strip_prefix(text) {
                Some(left) => left,
                None if text.starts_with(self.0) => "",
                None => return Err(fmt::Error),
            };
            Ok(())
        }
    }

    let mut prefix = Prefix("adjacently tagged enum ");
    fmt::write(&mut prefix, format_args!("{}", Expecting(visitor))).is_ok() && prefix.0.is_empty()
}
