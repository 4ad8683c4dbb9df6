//! Tests of the codecs together with the adapter: what may change between writer and reader, what is refused, what
//! hostile bytes can do.

mod evolution;
mod hostile;
mod refused;
mod round_trip;
mod upcasting;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, CodecError};

/// What a program of today reads of an event that one of yesterday wrote.
fn reread<C: Codec, Old: Serialize, New: DeserializeOwned>(old: &Old) -> Result<New, CodecError> {
    C::decode_event(C::encode_event(old)?.as_stored())
}

/// Runs each generic promise as a test of every codec.
macro_rules! under_each_codec {
    ($($promise:ident)*) => {
        #[cfg(feature = "bincode")]
        mod bincode {
            $(#[test]
            fn $promise() -> Result<(), crate::codec::CodecError> {
                super::$promise::<crate::codec::Bincode>()
            })*
        }

        #[cfg(feature = "json")]
        mod json {
            $(#[test]
            fn $promise() -> Result<(), crate::codec::CodecError> {
                super::$promise::<crate::codec::Json>()
            })*
        }
    };
}

use under_each_codec;
