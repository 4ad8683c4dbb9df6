//! Floor 1: `Error`, the one error of the crate. One word wide, cheap to clone, with a kind to branch on and a message
//! that says what was tried and on what.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::types::{EventId, ExpectedVersion, OverLimit, StreamName, SubjectPatternError, Version};

/// `Result` with the store's error.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as a caller acts on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A stream is not at the expected version; nothing was written. See [`Error::conflicts`].
    Conflict,
    /// An event id is in the stream already with other content, or only a part of a batch is; nothing was written.
    IdReused,
    /// A value is empty, too long, or asked for twice; nothing was written.
    Invalid,
    /// A value cannot be encoded, or would not come back as it was; nothing was written. Or a payload cannot be decoded.
    Codec,
    /// There is no store at the path, and none was to be made.
    NotFound,
    /// Another handle, here or in another process, has the store open.
    Locked,
    /// Bytes on disk are not what was written.
    Corrupt,
    /// The file was written by a newer version of annals; it was not touched.
    UnsupportedVersion,
    /// The disk, or a quota, is full. Nothing was written; the handle takes appends again once there is space.
    StorageFull,
    /// The operating system refused something else.
    Io,
    /// The append may or may not be on disk, because its sync failed. Reopen and retry with the same ids.
    Indeterminate,
    /// An earlier sync failed: this handle takes no more appends. Reads of what was durable go on.
    Poisoned,
    /// A version or position is at the end of `u64`; nothing was written.
    Exhausted,
    /// The time of a delivery was up: its event is handed out again, or done.
    Expired,
    /// The store was closed.
    Closed,
    /// The store was opened to be read only.
    ReadOnly,
}

/// An append found a stream at another version than it expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stream {}: expected {expected}, it has {}", Quoted(stream.as_str()), Actual(*actual))]
pub struct Conflict {
    /// The stream.
    pub stream: StreamName,
    /// What the caller expected of it.
    pub expected: ExpectedVersion,
    /// The version of its last event; `None` when it has none.
    pub actual: Option<Version>,
}

/// An append named an event id that is in the stream already, but not as the same append.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("stream {}: event id {id} is there already at version {version}, {what}", Quoted(stream.as_str()))]
pub struct IdReuse {
    /// The stream.
    pub stream: StreamName,
    /// The id.
    pub id: EventId,
    /// Where it is.
    pub version: Version,
    /// In what the two differ.
    pub what: IdReuseReason,
}

/// In what an append that names a known event id differs from the one that wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum IdReuseReason {
    /// Type or payload differ.
    #[error("with another type or payload")]
    OtherContent,
    /// The rest of the batch is not there.
    #[error("but not the whole batch")]
    PartOfBatch,
    /// The batch's events are there in another order.
    #[error("in another order")]
    OtherOrder,
}

/// One check of an append that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A stream was at another version.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// An id was there with other content.
    #[error(transparent)]
    IdReuse(#[from] IdReuse),
}

/// The error of everything in this crate that can fail.
///
/// ```
/// use annals::{ErrorKind, ExpectedVersion, NewEvent, Store};
/// # let dir = tempfile::tempdir()?;
/// # let store = Store::open(dir.path().join("bank"))?;
/// let account = store.stream("account-1")?;
/// let error = account
///     .append_raw(ExpectedVersion::StreamExists, [NewEvent::new("Opened", *b"Ada")?])
///     .unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Conflict);
/// assert_eq!(error.conflicts().next().unwrap().actual, None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    /// Without the place. Of an append that was refused it is put together when somebody asks: most go on to retry.
    message: OnceLock<String>,
    failures: Vec<Failure>,
    place: Option<Place>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// Where on disk an error was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub path: PathBuf,
    /// The byte in it.
    pub offset: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at offset {}", Quoted(&self.path.to_string_lossy()), self.offset)
    }
}

impl Error {
    /// An error of this kind with this message.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = OnceLock::from(message.into());
        Self::build(Inner { kind, message, failures: Vec::new(), place: None, source: None })
    }

    /// The failing checks of one append; the kind is that of the first.
    pub(crate) fn refused(failures: Vec<Failure>) -> Self {
        let kind = match failures.first() {
            Some(Failure::IdReuse(_)) => ErrorKind::IdReused,
            Some(Failure::Conflict(_)) | None => ErrorKind::Conflict,
        };
        Self::build(Inner { kind, message: OnceLock::new(), failures, place: None, source: None })
    }

    /// Bytes in a file are not what they should be.
    pub(crate) fn corrupt(path: &Path, offset: u64, what: impl fmt::Display) -> Self {
        let place = Place { path: path.to_owned(), offset };
        Self::build(Inner {
            kind: ErrorKind::Corrupt,
            message: OnceLock::from(what.to_string()),
            failures: Vec::new(),
            place: Some(place),
            source: None,
        })
    }

    /// The operating system refused `doing` something to a file.
    pub(crate) fn io(doing: &str, path: &Path, source: io::Error) -> Self {
        let kind = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                ErrorKind::StorageFull
            }
            _ => ErrorKind::Io,
        };
        Self::new(kind, format!("{doing} {}", Quoted(&path.to_string_lossy()))).with_source(source)
    }

    /// The same error with a cause.
    pub(crate) fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let Inner { kind, message, failures, place, .. } =
            Arc::try_unwrap(self.0).unwrap_or_else(|shared| Inner {
                kind: shared.kind,
                message: shared.message.clone(),
                failures: shared.failures.clone(),
                place: shared.place.clone(),
                source: None,
            });
        Self::build(Inner { kind, message, failures, place, source: Some(source.into()) })
    }

    fn build(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// What went wrong, as far as a caller acts on it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Every check of the append that failed, in the order in which they were added.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.0.failures
    }

    /// The conflicts among the failing checks.
    pub fn conflicts(&self) -> impl Iterator<Item = &Conflict> {
        self.0.failures.iter().filter_map(|failure| match failure {
            Failure::Conflict(conflict) => Some(conflict),
            Failure::IdReuse(_) => None,
        })
    }

    /// Where on disk damage was met; `None` for errors that are not about one place.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// The message without the place, for those who tell the place themselves.
    pub(crate) fn what(&self) -> &str {
        let Inner { message, failures, .. } = &*self.0;
        message.get_or_init(|| failures.iter().map(Failure::to_string).collect::<Vec<_>>().join("; "))
    }

    /// Whether an append lost a race for its stream: load again, decide again, retry.
    #[must_use]
    pub fn is_conflict(&self) -> bool {
        self.kind() == ErrorKind::Conflict
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(f, "{place}: ")?;
        }
        f.write_str(self.what())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind())?;
        if let Some(source) = self.source() {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

impl From<OverLimit> for Error {
    fn from(over: OverLimit) -> Self {
        Self::new(ErrorKind::Invalid, over.to_string())
    }
}

impl From<SubjectPatternError> for Error {
    fn from(error: SubjectPatternError) -> Self {
        Self::new(ErrorKind::Invalid, error.to_string())
    }
}

/// A name as messages show it: escaped, and cut after 80 characters.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN_MAX: usize = 80;
        let shown: String = self.0.chars().take(SHOWN_MAX).collect();
        write!(f, "\"{}\"", shown.escape_debug())?;
        if shown.len() < self.0.len() { write!(f, "… ({} bytes)", self.0.len()) } else { Ok(()) }
    }
}

struct Actual(Option<Version>);

impl fmt::Display for Actual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(version) => write!(f, "version {version}"),
            None => f.write_str("no event"),
        }
    }
}
