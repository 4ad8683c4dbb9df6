//! `field_count`: how many fields a type reads. Found by asking the type to be read and taking note of what it asks for.

use std::fmt;

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};

/// How many fields a struct or tuple struct has; `None` for a type that does not say, such as one with `flatten`.
pub(super) fn field_count<T: DeserializeOwned>() -> Option<usize> {
    T::deserialize(Asked).err().and_then(|Counted(count)| count)
}

/// Answers every question with an error that tells what was asked.
struct Asked;

#[derive(Debug)]
struct Counted(Option<usize>);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields are counted, nothing is read")
    }
}

impl std::error::Error for Counted {}

impl de::Error for Counted {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(None)
    }
}

impl<'de> Deserializer<'de> for Asked {
    type Error = Counted;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Counted> {
        Err(Counted(None))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, _: V) -> Result<V::Value, Counted> {
        Err(Counted(Some(0)))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        _: V,
    ) -> Result<V::Value, Counted> {
        Err(Counted(Some(length)))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Counted> {
        Err(Counted(Some(fields.len())))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        newtype_struct seq tuple map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Unit;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Pair(u8, u8);

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its shape counts")]
    struct Named {
        a: u8,
        #[serde(default)]
        b: Vec<u8>,
        #[serde(alias = "old")]
        c: String,
    }

    #[test]
    fn fields_are_counted_where_a_type_tells_them() {
        assert_eq!(field_count::<Unit>(), Some(0));
        assert_eq!(field_count::<Pair>(), Some(2));
        // An alias is one name more in what serde asks for; it is no field less.
        assert!(field_count::<Named>() >= Some(3));
        assert_eq!(field_count::<String>(), None);
    }
}
