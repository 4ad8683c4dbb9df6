//! annals.
#![allow(dead_code, missing_docs)]
mod codec;
mod disk;
mod error;
mod journal;
mod manifest;
mod types;

pub use error::{Conflict, Error, ErrorKind, Failure, IdReuse, IdReuseReason, Place, Result};
pub use types::*;
