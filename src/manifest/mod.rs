//! Floor 3: the manifest, the one file that says what a store consists of.

mod manifest_file;

pub(crate) use manifest_file::{MANIFEST_NAME, Manifest};
