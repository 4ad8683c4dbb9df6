//! `Codec`: the contract between the store and a format. It moves values only; the store keeps `ID` with every event.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{CodecError, Encoded, Stored};
use crate::types::CodecId;

/// A format that events and snapshots are written in.
///
/// A codec of your own takes an id from 128 up, and the pieces of [`codec`](crate::codec): [`take_apart`] lifts type
/// and shape out of an event, [`put_together`] puts them back, and a format without field names wraps its serializer in
/// [`PositionalSerializer`] and its deserializer in [`PositionalDeserializer`].
///
/// ```
/// # #[cfg(feature = "json")] {
/// use annals::codec::{Codec, Json};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// enum AccountEvent { Deposited { cents: i64 } }
///
/// let encoded = Json::encode_event(&AccountEvent::Deposited { cents: 500 })?;
/// assert_eq!(encoded.event_type.as_str(), "Deposited");
/// assert_eq!(encoded.payload, br#"{"cents":500}"#);
/// let event: AccountEvent = Json::decode_event(encoded.as_stored())?;
/// assert_eq!(event, AccountEvent::Deposited { cents: 500 });
/// # }
/// # Ok::<(), annals::codec::CodecError>(())
/// ```
///
/// [`take_apart`]: super::take_apart
/// [`put_together`]: super::put_together
/// [`PositionalSerializer`]: super::PositionalSerializer
/// [`PositionalDeserializer`]: super::PositionalDeserializer
pub trait Codec: Copy + Default + Send + Sync + fmt::Debug + 'static {
    /// The number kept with every event.
    const ID: CodecId;
    /// What messages call it.
    const NAME: &'static str;

    /// The event as type, shape and content. Schema version 1; whoever knows of upcasters raises it.
    ///
    /// # Errors
    /// When the value is neither an enum nor a struct with a name, when the format cannot hold it, or when it is over
    /// the payload's limit of 16 MiB.
    fn encode_event<E: Serialize>(event: &E) -> Result<Encoded, CodecError>;

    /// The event back from type, shape and content.
    ///
    /// # Errors
    /// When `E` does not know the type ([`CodecError::is_unknown_type`]), or the content is not one of `E`'s.
    fn decode_event<E: DeserializeOwned>(stored: Stored<'_>) -> Result<E, CodecError>;

    /// Any value, whole: for snapshots of state.
    ///
    /// # Errors
    /// When the format cannot hold the value, or when it is over the snapshot's limit of 64 MiB.
    fn encode_value<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError>;

    /// The value back.
    ///
    /// # Errors
    /// When the bytes are not those of a `T`, or more than those.
    fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError>;
}
