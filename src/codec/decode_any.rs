//! `decode_any`: reads an event with the codec that wrote it. One store may hold events of several.

use serde::de::DeserializeOwned;

use super::{Codec, CodecError, Stored};
use crate::types::CodecId;

/// The event, read with the codec that its header names: `C`, or one of the codecs of annals.
///
/// # Errors
/// When the payload is raw bytes, when its codec is not known here, and whatever the codec finds.
pub fn decode_any<C: Codec, E: DeserializeOwned>(stored: Stored<'_>) -> Result<E, CodecError> {
    match stored.encoding.codec {
        codec if codec == C::ID => C::decode_event(stored),
        #[cfg(feature = "bincode")]
        CodecId::BINCODE => super::Bincode::decode_event(stored),
        #[cfg(feature = "json")]
        CodecId::JSON => super::Json::decode_event(stored),
        CodecId::RAW => Err(CodecError::new(
            "the event was appended as raw bytes: no codec can read it, take its payload as it is",
        )),
        codec => Err(CodecError::new(not_known(codec))),
    }
}

/// A whole value, read with the codec of this number: `C`, or one of the codecs of annals.
///
/// # Errors
/// When the codec is not known here, and whatever the codec finds.
pub(crate) fn decode_value_any<C: Codec, T: DeserializeOwned>(
    codec: CodecId,
    bytes: &[u8],
) -> Result<T, CodecError> {
    match codec {
        codec if codec == C::ID => C::decode_value(bytes),
        #[cfg(feature = "bincode")]
        CodecId::BINCODE => super::Bincode::decode_value(bytes),
        #[cfg(feature = "json")]
        CodecId::JSON => super::Json::decode_value(bytes),
        codec => Err(CodecError::new(not_known(codec))),
    }
}

fn not_known(codec: CodecId) -> String {
    let number = codec.as_u8();
    match codec {
        CodecId::BINCODE => format!("codec {number} is not known here: the feature `bincode` is off"),
        CodecId::JSON => format!("codec {number} is not known here: the feature `json` is off"),
        _ => format!("codec {number} is not known here: it is neither the handle's nor one of annals"),
    }
}
