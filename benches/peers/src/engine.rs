//! What every engine can do.

use anyhow::Result;

use crate::model::{Answer, Fold, Request};

/// The writing side of an open store, which callers on all threads share.
pub(crate) trait Appends: Send + Sync {
    /// Appends if every stream has as many events as expected; all or nothing. Callers on other threads share a group.
    fn append(&self, request: Request) -> Result<Answer>;

    /// Appends requests none of which is stale, in the engine's fastest way of taking in many.
    fn fill(&self, requests: Vec<Request>) -> Result<()>;

    /// How many events there are.
    fn events(&self) -> u64;
}

/// An event store in a directory, open. What an append's answer promises was said when it was opened.
pub(crate) trait Engine: Send + Sync {
    fn appends(&self) -> &dyn Appends;

    /// Folds the events of a stream, oldest first.
    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()>;

    /// Folds all events in order of position.
    fn replay(&self, fold: &mut Fold) -> Result<()>;

    /// Waits until the engine's own threads have nothing left to do.
    fn settle(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the store so that opening it again is as quick as it can be.
    fn close(self: Box<Self>) -> Result<()>;
}
