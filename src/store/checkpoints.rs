//! What a store says of its checkpoints.

use crate::types::Position;

use super::Store;

impl Store {
    /// Where a checkpoint is; `None` when there is none of this name. [`Batch::checkpoint`](crate::Batch::checkpoint) moves it.
    ///
    /// ```
    /// use annals::{Position, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("shop"))?;
    /// assert_eq!(store.checkpoint("mailer"), None);
    /// store.batch().checkpoint("mailer", Position::new(7)).commit()?;
    /// assert_eq!(store.checkpoint("mailer"), Some(Position::new(7)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn checkpoint(&self, name: impl AsRef<str>) -> Option<Position> {
        self.log().index.read(|tables| tables.states().checkpoint(name.as_ref()))
    }

    /// All checkpoints, sorted by name.
    #[must_use]
    pub fn checkpoints(&self) -> Vec<(String, Position)> {
        self.log().index.read(|tables| {
            let checkpoints = tables.states().checkpoints();
            checkpoints.map(|(name, position)| (name.to_owned(), position)).collect()
        })
    }
}
