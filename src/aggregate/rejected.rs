//! `Rejected`: why a command did not happen.

use crate::error::Error;

/// Why a command did not happen: the aggregate's own reason, or the store's. Nothing was written, unless the store's
/// error says that this is not known.
#[derive(Debug, thiserror::Error)]
pub enum Rejected<E> {
    /// What the decision answered.
    #[error("{0}")]
    Command(E),
    /// The state could not be loaded or the events not be appended.
    #[error(transparent)]
    Store(#[from] Error),
}
