//! `CodecError`: why a value could not become bytes, or bytes a value. It knows nothing of streams and versions; the
//! floors above add where the event lies.

use std::error::Error as StdError;
use std::fmt;

/// Why a value could not be encoded, or a payload not decoded.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CodecError {
    message: String,
    unknown_type: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl CodecError {
    /// An error with this message: lower case, no full stop, what was tried and on what.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), unknown_type: false, source: None }
    }

    /// An event type that the reading enum has no variant for.
    fn unknown_type(event_type: &str, known: &[&str]) -> Self {
        let known = known.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        let message = match known.as_str() {
            "" => format!("event type {event_type:?} is not known: the enum has no variants"),
            known => format!("event type {event_type:?} is not known: the enum has {known}"),
        };
        Self { unknown_type: true, ..Self::new(message) }
    }

    /// The same error with a cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error, and what was being done when it was met.
    #[must_use]
    pub(super) fn in_context(mut self, doing: fmt::Arguments<'_>) -> Self {
        self.message = format!("{doing}: {}", self.message);
        self
    }

    /// Whether the payload is of an event type that the reading enum has no variant for: older than the data, or not
    /// meant for this stream. A variant with `#[serde(other)]` takes such events.
    #[must_use]
    pub fn is_unknown_type(&self) -> bool {
        self.unknown_type
    }
}

impl serde::ser::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

impl serde::de::Error for CodecError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    /// Only the outermost enum is read with this error type, so the variant is always an event type.
    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::unknown_type(variant, expected)
    }
}
