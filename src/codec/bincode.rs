//! `Bincode`: events and snapshots in bincode 2, standard configuration. The one file that names the crate.
//!
//! bincode's own read limit stays off. It counts what a number takes in memory and not in the payload, so it refuses a
//! list of small numbers that is well within any limit, and one that is wide enough lets a damaged length allocate it.
//! The payload's size bounds the read instead, through [`PositionalDeserializer`].

use std::cell::Cell;

use ::bincode::config::{self, Configuration};
use ::bincode::enc::write::Writer;
use ::bincode::error::{DecodeError, EncodeError};
use ::bincode::serde::encode_into_writer;
use ::bincode::serde::{
    BorrowedSerdeDecoder, DecodeError as SerdeDecodeError, EncodeError as SerdeEncodeError,
};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};

use super::buffer::Buffer;
use super::event::{Header, Rest, put_together, take_apart};
use super::positional::{PositionalDeserializer, PositionalSerializer, ReadBudget};
use super::{Codec, CodecError, Encoded, Stored};
use crate::types::limits::{PAYLOAD_BYTES_MAX, SNAPSHOT_BYTES_MAX};
use crate::types::{CodecId, OverLimit};

const CONFIG: Configuration = config::standard();

/// bincode 2: small and fast, without field names. The default.
///
/// Fields are told apart by their place, so what leaves places out cannot be read back and is refused when it is
/// encoded or checked: `skip_serializing_if`, `flatten`, `untagged`, `tag`.
///
/// What may change in an event type after events of it were stored:
///
/// | change | |
/// | --- | --- |
/// | variants reordered, renamed with `alias`, unknown with `other` | fine |
/// | field added at the end with `default`, last field dropped, field renamed | fine |
/// | fields reordered, inserted before the end, removed but not the last, of another type | never |
///
/// **"Never" is not always an error**: two neighbours of the same type that change places come back swapped, and nobody
/// is told. What lies deeper in a field, a struct or an enum of its own, may not change at all. For such changes write an
/// upcaster ([`Upcasters`](super::Upcasters)) or a new variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Bincode;

impl Codec for Bincode {
    const ID: CodecId = CodecId::BINCODE;
    const NAME: &'static str = "bincode";

    fn encode_event<E: Serialize>(event: &E) -> Result<Encoded, CodecError> {
        let apart = Apart { event, header: Cell::new(None) };
        let payload = encode(&apart, Buffer::new("payload", PAYLOAD_BYTES_MAX))?;
        let header = apart.header.take().ok_or_else(|| CodecError::new("the event was not serialized"))?;
        Ok(Encoded::new(Self::ID, header, payload))
    }

    fn decode_event<E: DeserializeOwned>(stored: Stored<'_>) -> Result<E, CodecError> {
        let budget = ReadBudget::new(stored.payload.len());
        let mut decoder = decoder(stored.payload, "payload", PAYLOAD_BYTES_MAX)?;
        let content = PositionalDeserializer::new(decoder.as_deserializer(), &budget);
        let (event, rest) = put_together(stored, content, describe_decode)?;
        if rest == Rest::Nothing {
            check_end(decoder.as_deserializer())?;
        }
        Ok(event)
    }

    fn encode_value<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        encode(&Whole(value), Buffer::new("snapshot", SNAPSHOT_BYTES_MAX))
    }

    fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        let budget = ReadBudget::new(bytes.len());
        let mut decoder = decoder(bytes, "snapshot", SNAPSHOT_BYTES_MAX)?;
        let value = T::deserialize(PositionalDeserializer::new(decoder.as_deserializer(), &budget))
            .map_err(describe_decode)?;
        check_end(decoder.as_deserializer())?;
        Ok(value)
    }
}

/// An event whose content alone is serialized. bincode lends its serializer to a `Serialize` only, so the header leaves
/// by the side.
struct Apart<'e, E> {
    event: &'e E,
    header: Cell<Option<Header>>,
}

impl<E: Serialize> Serialize for Apart<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (header, content) = take_apart(self.event, PositionalSerializer::new(serializer))?;
        self.header.set(Some(header));
        Ok(content)
    }
}

struct Whole<'v, T>(&'v T);

impl<T: Serialize> Serialize for Whole<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(PositionalSerializer::new(serializer))
    }
}

impl Writer for Buffer {
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.push(bytes).map_err(EncodeError::custom)
    }
}

fn encode(value: &impl Serialize, mut buffer: Buffer) -> Result<Vec<u8>, CodecError> {
    encode_into_writer(value, &mut buffer, CONFIG).map_err(describe_encode)?;
    Ok(buffer.into_bytes())
}

type SliceDecoder<'de> = BorrowedSerdeDecoder<
    'de,
    ::bincode::de::DecoderImpl<::bincode::de::read::SliceReader<'de>, Configuration, ()>,
>;

fn decoder<'de>(
    bytes: &'de [u8],
    what: &'static str,
    bytes_max: usize,
) -> Result<SliceDecoder<'de>, CodecError> {
    OverLimit::check(what, bytes.len(), bytes_max).map_err(|over| CodecError::new(over.to_string()))?;
    Ok(BorrowedSerdeDecoder::from_slice(bytes, CONFIG, ()))
}

/// The decoder does not tell how far it has read; that it finds no further byte says the same.
fn check_end<'de>(decoder: impl Deserializer<'de, Error = DecodeError>) -> Result<(), CodecError> {
    match u8::deserialize(decoder) {
        Err(DecodeError::UnexpectedEnd { .. }) => Ok(()),
        _ => Err(CodecError::new("bytes follow the value: another type was written")),
    }
}

fn describe_encode(error: EncodeError) -> CodecError {
    match error {
        EncodeError::OtherString(message) => CodecError::new(message),
        EncodeError::Serde(SerdeEncodeError::SequenceMustHaveLength) => CodecError::new(
            "a sequence or map does not say how long it is, as with `flatten`: bincode must write that first",
        ),
        other => CodecError::new("bincode refuses the value").with_source(other),
    }
}

fn describe_decode(error: DecodeError) -> CodecError {
    match error {
        DecodeError::OtherString(message) => CodecError::new(message),
        DecodeError::UnexpectedEnd { .. } => CodecError::new("the bytes end before the value does"),
        DecodeError::Utf8 { inner } => CodecError::new("a text in it is not UTF-8").with_source(inner),
        DecodeError::Serde(SerdeDecodeError::AnyNotSupported | SerdeDecodeError::IgnoredAnyNotSupported) => {
            CodecError::new(
                "bincode keeps no field names, so it cannot read a type with `untagged`, `tag` or `flatten`, nor a \
                 value that may be of any type",
            )
        }
        other => CodecError::new("the bytes are not those of such a value").with_source(other),
    }
}
