//! `Version`: the place of an event in its stream.

use std::fmt;

/// The place of an event in its stream: 0, 1, 2, … without gaps.
///
/// ```
/// use annals::Version;
/// assert_eq!(Version::FIRST.next(), Some(Version::new(1)));
/// assert_eq!(Version::new(u64::MAX).next(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Version(u64);

impl Version {
    /// The version of a stream's first event.
    pub const FIRST: Self = Self(0);

    /// The version with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The version after this one; `None` at the end of `u64`.
    #[must_use]
    pub const fn next(self) -> Option<Self> {
        self.plus(1)
    }

    /// The version `count` further on; `None` past the end of `u64`.
    #[must_use]
    pub const fn plus(self, count: u64) -> Option<Self> {
        match self.0.checked_add(count) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }
}

impl From<u64> for Version {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
