//! annals.
#![allow(dead_code)]
mod codec;
mod error;
mod types;

pub use error::{Conflict, Error, ErrorKind, Failure, IdReuse, IdReuseReason, Place, Result};
pub use types::*;
