//! Floor 3: the manifest, the one file that says what a store consists of; and the durable mark, what the lock's file says.

mod durable_mark;
mod inspect;
mod manifest_file;

pub(crate) use durable_mark::{LOCK_NAME, encode_durable_mark, lower_durable_mark, read_durable_mark};
pub(crate) use inspect::{inspect_durable_mark, inspect_manifest};
pub(crate) use manifest_file::{MANIFEST_NAME, Manifest};
