//! `Json`: events and snapshots as JSON text. The one file of the codecs that names serde_json.
//!
//! A payload is always a JSON document: `null` for a unit, the value for a newtype, an array for a tuple, an object for
//! a struct. serde_json bounds depth and memory of what it reads by itself.

use std::io::{self, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::buffer::Buffer;
use super::event::{Rest, put_together, take_apart};
use super::{Codec, CodecError, Encoded, Stored};
use crate::types::limits::{PAYLOAD_BYTES_MAX, SNAPSHOT_BYTES_MAX};
use crate::types::{CodecId, OverLimit};

/// JSON: readable by anything, and fields are told apart by name, so more of them may change than under bincode.
///
/// What may change in an event type after events of it were stored:
///
/// | change | |
/// | --- | --- |
/// | variants reordered, renamed with `alias`, unknown with `other` | fine |
/// | field added at the end with `default`, last field dropped | fine |
/// | field renamed | with `alias` |
/// | fields reordered, inserted with `default`, removed wherever they stand | fine |
/// | a field's type changed | never, unless the new type reads the same JSON |
///
/// Fields of a tuple have no names: they go by their place, and only the end may change. For other changes write an
/// upcaster ([`Upcasters`](super::Upcasters)) or a new variant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Json;

impl Codec for Json {
    const ID: CodecId = CodecId::JSON;
    const NAME: &'static str = "json";

    fn encode_event<E: Serialize>(event: &E) -> Result<Encoded, CodecError> {
        let mut buffer = Buffer::new("payload", PAYLOAD_BYTES_MAX);
        let (header, ()) =
            take_apart(event, &mut serde_json::Serializer::new(&mut buffer)).map_err(describe)?;
        Ok(Encoded::new(Self::ID, header, buffer.into_bytes()))
    }

    fn decode_event<E: DeserializeOwned>(stored: Stored<'_>) -> Result<E, CodecError> {
        let mut decoder = decoder(stored.payload, "payload", PAYLOAD_BYTES_MAX)?;
        let (event, rest) = put_together(stored, &mut decoder, describe)?;
        if rest == Rest::Nothing {
            decoder.end().map_err(describe)?;
        }
        Ok(event)
    }

    fn encode_value<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
        let mut buffer = Buffer::new("snapshot", SNAPSHOT_BYTES_MAX);
        serde_json::to_writer(&mut buffer, value).map_err(describe)?;
        Ok(buffer.into_bytes())
    }

    fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
        let mut decoder = decoder(bytes, "snapshot", SNAPSHOT_BYTES_MAX)?;
        let value = T::deserialize(&mut decoder).map_err(describe)?;
        decoder.end().map_err(describe)?;
        Ok(value)
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn decoder<'de>(
    bytes: &'de [u8],
    what: &'static str,
    bytes_max: usize,
) -> Result<serde_json::Deserializer<serde_json::de::SliceRead<'de>>, CodecError> {
    OverLimit::check(what, bytes.len(), bytes_max).map_err(|over| CodecError::new(over.to_string()))?;
    Ok(serde_json::Deserializer::from_slice(bytes))
}

/// serde_json's messages say what is wrong and where; there is nothing to add.
fn describe(error: serde_json::Error) -> CodecError {
    CodecError::new(error.to_string())
}
