//! `StreamName`: the name of one aggregate's stream. Data, never part of a path.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use super::limits::{OverLimit, STREAM_NAME_BYTES_MAX};

/// The name of a stream: UTF-8 of 1 to 512 bytes, kept to the byte. `category-id` by convention.
///
/// ```
/// use annals::StreamName;
/// let name = StreamName::new("account-1")?;
/// assert_eq!(name.category(), "account");
/// assert!(StreamName::new("").is_err());
/// # Ok::<(), annals::OverLimit>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamName(Arc<str>);

impl StreamName {
    /// The name, if it is within its limits.
    ///
    /// # Errors
    /// `OverLimit` when the name is empty or longer than 512 bytes.
    pub fn new(name: impl AsRef<str>) -> Result<Self, OverLimit> {
        let name = name.as_ref();
        if name.is_empty() {
            return Err(OverLimit::Empty("stream name"));
        }
        OverLimit::check("stream name", name.len(), STREAM_NAME_BYTES_MAX)?;
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// All before the first `-`; the whole name when there is none.
    #[must_use]
    pub fn category(&self) -> &str {
        category_of(&self.0)
    }
}

/// All before the first `-` of a stream's name; the whole name when there is none.
pub(crate) fn category_of(name: &str) -> &str {
    name.split_once('-').map_or(name, |(category, _)| category)
}

impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for StreamName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
