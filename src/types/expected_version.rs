//! `ExpectedVersion`: what the caller believes of a stream before it appends.

use std::fmt;

use super::Version;

/// What must hold of a stream for an append to it to be accepted.
///
/// A `Version` and an `Option<Version>` (as [`Receipt::version`](crate::Receipt::version) gives) convert into it:
///
/// ```
/// use annals::{ExpectedVersion, Version};
/// assert_eq!(ExpectedVersion::from(Version::new(4)), ExpectedVersion::Exact(Version::new(4)));
/// assert_eq!(ExpectedVersion::from(None), ExpectedVersion::NoStream);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExpectedVersion {
    /// Whatever is there.
    Any,
    /// The stream has no event.
    NoStream,
    /// The stream has at least one event.
    StreamExists,
    /// The stream's last event has this version.
    Exact(Version),
}

impl ExpectedVersion {
    /// Whether a stream whose last version is `actual` (`None`: no event) is as expected.
    #[must_use]
    pub fn accepts(self, actual: Option<Version>) -> bool {
        match self {
            Self::Any => true,
            Self::NoStream => actual.is_none(),
            Self::StreamExists => actual.is_some(),
            Self::Exact(version) => actual == Some(version),
        }
    }
}

impl From<Version> for ExpectedVersion {
    fn from(version: Version) -> Self {
        Self::Exact(version)
    }
}

impl From<Option<Version>> for ExpectedVersion {
    fn from(version: Option<Version>) -> Self {
        version.map_or(Self::NoStream, Self::Exact)
    }
}

impl fmt::Display for ExpectedVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::NoStream => f.write_str("no stream"),
            Self::StreamExists => f.write_str("an existing stream"),
            Self::Exact(version) => write!(f, "version {version}"),
        }
    }
}
