//! `encode_checked`: encodes an event and makes sure that it can be read back, before it is stored for ever.
//!
//! The check is made for every event and not once a type, because what breaks may depend on the value: an `untagged`
//! enum in an `Option` is fine as long as it is `None`.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError, Encoded};

/// The event as `C` encodes it, after it was decoded and encoded again with the same outcome.
///
/// The same outcome is: the same type, shape and number of fields, and the same bytes, or as many bytes of each value in
/// another order. The latter is for hash maps and sets, which iterate in another order each time they are filled.
///
/// A field with `#[serde(skip)]` is not in the bytes at all and comes back as its default: the check cannot see that.
///
/// # Errors
/// When the event cannot be encoded, cannot be decoded, or comes back as something else.
pub fn encode_checked<C, E>(event: &E) -> Result<Encoded, CodecError>
where
    C: Codec,
    E: Serialize + DeserializeOwned,
{
    let encoded = C::encode_event(event)?;
    let read_back = C::decode_event::<E>(encoded.as_stored()).map_err(|cause| {
        cause.in_context(format_args!(
            "event {:?} cannot be read back{}",
            encoded.event_type.as_str(),
            hint::<C>()
        ))
    })?;
    let again = C::encode_event(&read_back)?;
    if is_same(&encoded, &again) {
        return Ok(encoded);
    }
    let name = encoded.event_type.as_str();
    Err(CodecError::new(format!("event {name:?} would be read back as another value{}", hint::<C>())))
}

/// A whole value as `C` encodes it, after the same check: for the states in snapshots.
///
/// # Errors
/// When the value cannot be encoded, cannot be decoded, or comes back as something else.
pub(crate) fn encode_value_checked<C, T>(value: &T) -> Result<Vec<u8>, CodecError>
where
    C: Codec,
    T: Serialize + DeserializeOwned,
{
    let bytes = C::encode_value(value)?;
    let read_back = C::decode_value::<T>(&bytes)
        .map_err(|cause| cause.in_context(format_args!("the value cannot be read back{}", hint::<C>())))?;
    let again = C::encode_value(&read_back)?;
    if bytes == again || is_permuted(&bytes, &again) {
        return Ok(bytes);
    }
    Err(CodecError::new(format!("the value would be read back as another one{}", hint::<C>())))
}

/// What the user should look for.
fn hint<C: Codec>() -> String {
    format!(
        ", so it is refused (what does not go with {}: `untagged`, `tag`, `flatten`, `skip_serializing`, \
         `skip_serializing_if`, `skip_deserializing`, a `rename` of one direction, a Serialize that Deserialize does \
         not mirror)",
        C::NAME
    )
}

fn is_same(one: &Encoded, other: &Encoded) -> bool {
    one.event_type == other.event_type
        && one.encoding == other.encoding
        && (one.payload == other.payload || is_permuted(&one.payload, &other.payload))
}

fn is_permuted(one: &[u8], other: &[u8]) -> bool {
    let sorted = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        bytes.sort_unstable();
        bytes
    };
    one.len() == other.len() && sorted(one) == sorted(other)
}
