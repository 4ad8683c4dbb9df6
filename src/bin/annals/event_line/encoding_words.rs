//! An event's encoding as JSON: `{"codec":"bincode","shape":"struct","fields":2,"schema_version":1}`.

use std::fmt;

use annals::{CodecId, Encoding, Shape};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// What a line says of its payload's encoding. Only the codec must be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EncodingWords {
    codec: Codec,
    #[serde(default = "opaque")]
    shape: ShapeWord,
    #[serde(default)]
    fields: u16,
    #[serde(default = "first_schema_version")]
    schema_version: u32,
}

/// The encoding of a payload given as JSON when the line does not say.
pub(super) const JSON: Encoding = Encoding { codec: CodecId::JSON, ..Encoding::RAW };

impl From<Encoding> for EncodingWords {
    fn from(Encoding { codec, shape, fields, schema_version }: Encoding) -> Self {
        Self { codec: Codec(codec), shape: shape.into(), fields, schema_version }
    }
}

impl From<EncodingWords> for Encoding {
    fn from(EncodingWords { codec, shape, fields, schema_version }: EncodingWords) -> Self {
        Self { codec: codec.0, shape: shape.into(), fields, schema_version }
    }
}

/// A codec of annals by its name, any other by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Codec(CodecId);

const NAMES: [(CodecId, &str); 3] =
    [(CodecId::RAW, "raw"), (CodecId::BINCODE, "bincode"), (CodecId::JSON, "json")];

impl Serialize for Codec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match NAMES.iter().find(|(codec, _)| *codec == self.0) {
            Some((_, name)) => serializer.serialize_str(name),
            None => serializer.serialize_u8(self.0.as_u8()),
        }
    }
}

impl<'de> Deserialize<'de> for Codec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CodecVisitor;

        impl Visitor<'_> for CodecVisitor {
            type Value = Codec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a codec: \"raw\", \"bincode\", \"json\" or a number up to 255")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Codec, E> {
                let known = NAMES.iter().find(|(_, name)| *name == text);
                known
                    .map(|(codec, _)| Codec(*codec))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Codec, E> {
                u8::try_from(number)
                    .map(|number| Codec(CodecId::new(number)))
                    .map_err(|_| E::invalid_value(de::Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_any(CodecVisitor)
    }
}

/// `Shape` in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShapeWord {
    Opaque,
    Unit,
    Newtype,
    Tuple,
    Struct,
}

impl From<Shape> for ShapeWord {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Opaque => Self::Opaque,
            Shape::Unit => Self::Unit,
            Shape::Newtype => Self::Newtype,
            Shape::Tuple => Self::Tuple,
            Shape::Struct => Self::Struct,
        }
    }
}

impl From<ShapeWord> for Shape {
    fn from(word: ShapeWord) -> Self {
        match word {
            ShapeWord::Opaque => Self::Opaque,
            ShapeWord::Unit => Self::Unit,
            ShapeWord::Newtype => Self::Newtype,
            ShapeWord::Tuple => Self::Tuple,
            ShapeWord::Struct => Self::Struct,
        }
    }
}

fn opaque() -> ShapeWord {
    ShapeWord::Opaque
}

fn first_schema_version() -> u32 {
    Encoding::RAW.schema_version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_and_shape_comes_back_as_it_was() {
        for codec in 0..=u8::MAX {
            for shape in (0..=u8::MAX).map_while(Shape::from_u8) {
                let encoding = Encoding { codec: CodecId::new(codec), shape, fields: 7, schema_version: 3 };
                let json = serde_json::to_string(&EncodingWords::from(encoding)).expect("json");
                let back: EncodingWords = serde_json::from_str(&json).expect("encoding");
                assert_eq!(Encoding::from(back), encoding, "{json}");
            }
        }
    }

    #[test]
    fn only_the_codec_must_be_named_and_nothing_unknown_may_be() {
        let read = |json| serde_json::from_str::<EncodingWords>(json).map(Encoding::from);
        assert_eq!(read(r#"{"codec":"json"}"#).expect("encoding"), JSON);
        for bad in ["{}", r#"{"codec":"cbor"}"#, r#"{"codec":256}"#, r#"{"codec":"raw","more":1}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
