//! annals.
#![allow(dead_code, missing_docs)]
pub mod codec;
mod disk;
mod error;
mod journal;
mod manifest;
mod types;

#[cfg(feature = "bincode")]
pub use codec::Bincode;
#[cfg(feature = "json")]
pub use codec::Json;
pub use codec::{Codec, CodecError, DefaultCodec, NoCodec, Upcasters};
pub use error::{Conflict, Error, ErrorKind, Failure, IdReuse, IdReuseReason, Place, Result};
pub use types::*;
