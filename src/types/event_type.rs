//! `EventType`: what kind of fact an event is.

use std::borrow::Cow;
use std::fmt;

use super::limits::{EVENT_TYPE_BYTES_MAX, OverLimit};

/// The type of an event: UTF-8 of 1 to 256 bytes. For a serde enum it is the variant's name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventType(Cow<'static, str>);

impl EventType {
    /// The type with this name, if it is within its limits.
    ///
    /// # Errors
    /// `OverLimit` when the name is empty or longer than 256 bytes.
    pub fn new(name: impl Into<Cow<'static, str>>) -> Result<Self, OverLimit> {
        let name = name.into();
        if name.is_empty() {
            return Err(OverLimit::Empty("event type"));
        }
        OverLimit::check("event type", name.len(), EVENT_TYPE_BYTES_MAX)?;
        Ok(Self(name))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for EventType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
