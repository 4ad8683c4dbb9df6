//! A stand-in for the store's error: a kind, and a message that nobody reads.

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    Io,
    Indeterminate,
    Poisoned,
    Closed,
}

#[derive(Debug, Clone)]
pub(crate) struct Error {
    kind: ErrorKind,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, _message: impl Into<String>) -> Self {
        Self { kind }
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        self.kind
    }
}
